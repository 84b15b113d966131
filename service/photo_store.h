/* SPDX-License-Identifier: Apache-2.0
 * Where photos lie: FOLDER/ab/abcdef….photo (the bytes as they came), .view and .thumb (made of them, can be
 * made again), named by the keyed fingerprint of the original and sealed; FOLDER/parts holds what has not
 * come whole. Several processes share it. A file gets its name when it is whole and on the disk.
 *
 * Deleting and adding the same photo meet only here. Who adds holds its shard (shared) from before the file
 * gets its name until the row is committed, and always writes the file anew, so that it is young. Who deletes
 * takes the shard alone, never waits for it, and deletes only what is old then: a row that was committed
 * since it asked the database has made its file young. The database must have said before that no row wants
 * it. */
#ifndef SERVICE_PHOTO_STORE_H
#define SERVICE_PHOTO_STORE_H

#include "service/vault.h"

enum { PHOTO_HEX_BYTES = VAULT_INDEX_BYTES * 2 + 1, PHOTO_PATH_BYTES = 4096 };

enum photo_file { PHOTO_ORIGINAL, PHOTO_VIEW, PHOTO_THUMB, PHOTO_FILES };
extern const char *const photo_file_endings[PHOTO_FILES];

/* Lower-case hexadecimal. */
void photo_hex(const unsigned char hash[VAULT_INDEX_BYTES], char out[PHOTO_HEX_BYTES]);

/* Makes the folders. False with errno. */
MUST_USE bool photo_store_prepare(const char *folder);

/* Holds the shard of that photo, shared; a descriptor to close, -1 with errno. Waits for a deletion. */
int photo_store_hold(const char *folder, const char *hex);

/* Writes it whole under its name, over what was there; on disk when it answers true. False with errno. */
MUST_USE bool photo_store_put(const struct vault *vault, const char *folder, const char *hex,
			      enum photo_file file, struct slice bytes);
/* All of it, from malloc. False with errno: ENOENT, EBADMSG for a broken one, EFBIG over `most`. */
MUST_USE bool photo_store_get(const struct vault *vault, const char *folder, const char *hex,
			      enum photo_file file, size_t most, struct slice *out);

/* Deletes the photo and what was made of it if it is older than so many seconds. 1: it is gone; 0: it is
 * young, or somebody holds its shard; -1 with errno. */
int photo_store_delete(const char *folder, const char *hex, int64_t seconds);

/* Whether a name in a shard is a photo's; of which file. False: a half-written one, or a stranger's. */
bool photo_store_name(const char *name, char hex[PHOTO_HEX_BYTES], enum photo_file *file);
void photo_store_path(const char *folder, const char *hex, enum photo_file file, char out[PHOTO_PATH_BYTES]);

#endif
