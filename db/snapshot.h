/* SPDX-License-Identifier: Apache-2.0
 * What a backup is made of, seen at one instant: a snapshot that pg_dump shares, the figures and the uploads
 * that belong to it. While it is open no migration begins and no upload's file is given up. Blocking. */
#ifndef DB_SNAPSHOT_H
#define DB_SNAPSHOT_H

#include "db/owner.h"
#include <stdint.h>

/* Held exclusively by the transaction that gives uploads up (uploads_give_up). */
enum { DB_UPLOADS_LOCK = 730118 };

struct snapshot {
	PGconn *pg;
	char name[64]; /* for pg_dump --snapshot */
	char server[32], installation[40];
	int schema, compatible_from;
};

/* conninfo: as the owner. False with one line; then nothing is open. */
MUST_USE bool snapshot_open(struct snapshot *snapshot, const char *conninfo, char *why, size_t why_size);
void snapshot_close(struct snapshot *snapshot);

/* Each figure by its name: the rows of every table, what every plan has accepted. Over any owner's
 * connection. */
typedef void snapshot_figure(void *context, const char *name, int64_t n);
MUST_USE bool snapshot_figures(PGconn *pg, snapshot_figure *take, void *context, char *why, size_t why_size);
/* Each upload whose file is to be there; `fingerprint` is vault_fingerprint of its plain bytes, as
 * hexadecimal. Stops, and answers false, when `take` does. */
typedef bool snapshot_upload(void *context, const char *file, const char *fingerprint);
MUST_USE bool snapshot_uploads(PGconn *pg, snapshot_upload *take, void *context, char *why, size_t why_size);
/* Each photo whose file is to be there, in the order of their fingerprints (hexadecimal); of a schema that
 * knows photos. */
typedef bool snapshot_photo(void *context, const char *fingerprint);
MUST_USE bool snapshot_photos(PGconn *pg, snapshot_photo *take, void *context, char *why, size_t why_size);
/* Each sealed number with its keyed hash, one after the other. Stops when `take` answers false. */
typedef bool snapshot_identity(void *context, const void *sealed, size_t sealed_len, const void *index,
			       size_t index_len);
MUST_USE bool snapshot_identities(PGconn *pg, snapshot_identity *take, void *context, char *why,
				  size_t why_size);

#endif
