/* SPDX-License-Identifier: Apache-2.0
 * The photos of a backup: photos/ab/abcdef….photo, sealed already, and photos.list, a line each in the order
 * of their fingerprints: FINGERPRINT BYTES SHA256 of the sealed file. The manifest speaks of the list, so it
 * stays small. A photo never changes, so what the backup before has is linked, not copied. */
#ifndef COMMANDS_BACKUP_PHOTOS_H
#define COMMANDS_BACKUP_PHOTOS_H

#include "commands/backup_set.h"
#include "db/owner.h"
#include "service/config.h"

#define BACKUP_PHOTOS "photos"
#define BACKUP_PHOTOS_LIST "photos.list"
enum { BACKUP_PHOTOS_SCHEMA = 20 }; /* older ones know no photos */

struct backup_photos_tally {
	int64_t saved, linked, missing;
	uint64_t bytes;
};

/* Those that the snapshot speaks of, into the folder `set` that is being made; previous: a whole backup of
 * the same installation, or NULL. Missing ones are told on standard error and counted. */
MUST_USE bool backup_photos_save(PGconn *snapshot, const char *photos, const char *set, const char *previous,
				 struct backup_photos_tally *tally, char *why, size_t why_size);
/* Each is there and holds what the list says; needs no key. The list has been checked. */
MUST_USE bool backup_photos_check(const struct backup_set *set, char *why, size_t why_size);
/* Into config->photos; one that is there already must be the same. put: else it is only looked. */
MUST_USE bool backup_photos_restore(const struct backup_set *set, const struct config *config,
				    const struct vault *vault, bool put, char *why, size_t why_size);
/* Each that the restored database knows opens in the backup and is what was sent. */
MUST_USE bool backup_photos_prove(const struct backup_set *set, const struct vault *vault, PGconn *restored,
				  int64_t *count, char *why, size_t why_size);

#endif
