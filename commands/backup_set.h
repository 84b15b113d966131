/* SPDX-License-Identifier: Apache-2.0
 * A backup on disk: a folder tantu-YYYYMMDDTHHMMSSZ with
 *   manifest.json   what it holds: versions, files with sizes and SHA-256, figures at the snapshot
 *   manifest.seal   the manifest's keyed fingerprint: nobody without the key changes what it says
 *   database.sealed pg_dump's custom format, sealed with the installation's key
 *   uploads/…       sealed already
 *   key.sealed      the master key under a passphrase; absent with --without-key
 *   photos/… photos.list  commands/backup_photos.h
 * It has this name only when it is whole; until then, and while it is deleted, .partial-…
 */
#ifndef COMMANDS_BACKUP_SET_H
#define COMMANDS_BACKUP_SET_H

#include "service/folder.h"
#include "service/vault.h"
#include <jansson.h>

enum { BACKUP_FORMAT = 1, BACKUP_PATH_BYTES = 4096, BACKUP_NAME_BYTES = 40 };
#define BACKUP_DATABASE "database.sealed"
#define BACKUP_KEY "key.sealed"
#define BACKUP_UPLOADS "uploads"

struct backup_set {
	char path[BACKUP_PATH_BYTES];
	json_t *manifest;
	bool whole_name; /* it has its final name */
};

/* PATH/NAME */
void backup_path(char out[BACKUP_PATH_BYTES], const char *folder, const char *name);
/* Is this a name that a whole backup has? */
bool backup_is_name(const char *name);

/* Opens a backup, or the newest one of a folder of backups, and checks the manifest's form and that this
 * program knows its format and schema. False with one line. */
MUST_USE bool backup_open(struct backup_set *set, const char *given, char *why, size_t why_size);
void backup_close(struct backup_set *set);
/* Every file is there and holds what the manifest says; needs no key. */
MUST_USE bool backup_check_files(const struct backup_set *set, char *why, size_t why_size);
/* The manifest is the one that was sealed with this key, and the key is the backup's. */
MUST_USE bool backup_check_seal(const struct backup_set *set, const struct vault *vault, char *why,
				size_t why_size);

const char *backup_text(const struct backup_set *set, const char *name); /* "" when it has none */
int64_t backup_number(const struct backup_set *set, const char *name);
bool backup_has_key(const struct backup_set *set);
uint64_t backup_bytes(const struct backup_set *set); /* of all its files */

/* For who makes one. */
void backup_add_file(json_t *manifest, const char *name, const struct file_print *print);
MUST_USE bool backup_write_manifest(const char *path, const json_t *manifest, const struct vault *vault,
				    char *why, size_t why_size);
/* What tells two keys apart and tells nothing about either. */
enum { KEY_CHECK_BYTES = 33 };
void backup_key_check(const struct vault *vault, char out[KEY_CHECK_BYTES]);

/* The newest whole backup in the folder that is of the same installation and key as `like`. False: none. */
MUST_USE bool backup_newest_like(const char *folder, const json_t *like, char out[BACKUP_PATH_BYTES]);
/* Deletes whole backups of the same installation and key as `newest` but the newest `keep`; touches nothing
 * else. *deleted counts. */
MUST_USE bool backup_prune(const char *folder, const struct backup_set *newest, int keep, int *deleted,
			   char *why, size_t why_size);
/* Deletes what an interrupted backup or deletion left. The caller holds the folder's lock. */
MUST_USE bool backup_clear_partial(const char *folder, char *why, size_t why_size);

#endif
