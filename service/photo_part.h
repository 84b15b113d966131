/* SPDX-License-Identifier: Apache-2.0
 * A photo on its way: what has come of it stays when the line breaks or the server dies, and goes on from
 * there. One file a photo, in frames that are sealed each by itself and bound to their place and to the name;
 * what is broken at the end (a write cut short) is cut off when it is opened.
 * Whoever has a part open has it alone, among all processes that share the folder. Blocking. */
#ifndef SERVICE_PHOTO_PART_H
#define SERVICE_PHOTO_PART_H

#include "service/vault.h"

enum { PHOTO_FRAME = 65536 };

struct photo_part;

/* name: what it is called for good; a part cannot be passed off as another. anew: forgets what was there.
 * NULL with errno: EWOULDBLOCK when somebody else has it open. */
struct photo_part *photo_part_open(const struct vault *vault, const char *path, const char *name, bool anew);
/* How many bytes have come, those not yet written among them. */
uint64_t photo_part_bytes(const struct photo_part *part);
/* False with errno; it stays as it was up to the last whole frame. */
MUST_USE bool photo_part_add(struct photo_part *part, struct slice bytes);
/* Writes what is waiting for its frame to be full. */
MUST_USE bool photo_part_flush(struct photo_part *part);
/* All of it (after flush) into `out`, which takes photo_part_bytes. False with errno, EBADMSG if it changed.
 */
MUST_USE bool photo_part_read(struct photo_part *part, unsigned char *out);
/* Lets go of it; what waits is written if it can be. */
void photo_part_close(struct photo_part **part);
/* The same, and the file is deleted. */
void photo_part_discard(struct photo_part **part);

/* How much of it is kept. False with errno: ENOENT. Does not wait for whoever has it open. */
MUST_USE bool photo_part_kept(const struct vault *vault, const char *path, const char *name, uint64_t *bytes);
/* Deletes it if it is older than so many seconds and nobody has it open. */
bool photo_part_expire(const char *path, int64_t seconds);

#endif
