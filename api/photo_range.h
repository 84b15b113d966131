/* SPDX-License-Identifier: Apache-2.0
 * The header fields of a photo that comes in parts. Pure. */
#ifndef API_PHOTO_RANGE_H
#define API_PHOTO_RANGE_H

#include "service/slice.h"

struct photo_range {
	bool given;             /* else the body is all of it */
	bool asks;              /* "bytes * /total" (without the blank): nothing comes, is it whole? */
	uint64_t from, to, all; /* the first byte, the last one, how many there are */
};

/* Content-Range as in RFC 9110, 14.4, the size known; .at NULL is no range. False: malformed. */
bool photo_range_read(struct slice content_range, struct photo_range *out);

enum { PHOTO_DIGEST_BYTES = 32 };
/* Of all the bytes: "sha-256=:BASE64:" of Repr-Digest (RFC 9530), or "sha-256=BASE64" of Digest (RFC 3230);
 * others in the list are passed over. *given: there was one. False: a SHA-256 that is none. */
bool photo_digest_read(struct slice field, unsigned char out[PHOTO_DIGEST_BYTES], bool *given);

enum { PHOTO_UUID_BYTES = 37 };
/* 8-4-4-4-12 hexadecimal digits, made lower-case. False: none. */
bool photo_uuid_read(struct slice text, char out[PHOTO_UUID_BYTES]);

#endif
