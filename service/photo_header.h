/* SPDX-License-Identifier: Apache-2.0
 * What the beginning of a photo says: kind, size, orientation, and when and where it was taken. A pure
 * function over the first bytes: it allocates nothing, decodes nothing and believes no length it has not
 * checked. HEIC and AVIF are recognised, to be refused with a hint. */
#ifndef SERVICE_PHOTO_HEADER_H
#define SERVICE_PHOTO_HEADER_H

#include "service/slice.h"

enum photo_kind { PHOTO_UNKNOWN, PHOTO_JPEG, PHOTO_PNG, PHOTO_WEBP, PHOTO_HEIC, PHOTO_AVIF };

enum photo_refusal {
	PHOTO_NOT_REFUSED,
	PHOTO_REFUSED_KIND,        /* none of the above */
	PHOTO_REFUSED_HEIC,        /* HEIC or AVIF */
	PHOTO_REFUSED_TRUNCATED,   /* the file ends before its header does */
	PHOTO_REFUSED_MALFORMED,   /* a length or a value that cannot be */
	PHOTO_REFUSED_UNSUPPORTED, /* of the right kind, but coded in a way that hardly anything reads */
	PHOTO_REFUSED_ANIMATED,
	PHOTO_REFUSED_PIXELS, /* wider, higher or bigger than the limits allow */
	PHOTO_REFUSED_LONG,   /* what stands in front of the pixels is longer than limits.look_bytes */
	PHOTO_REFUSALS
};

struct photo_limits {
	uint32_t side;     /* pixels, width and height */
	uint64_t pixels;   /* width × height */
	size_t look_bytes; /* how far from the beginning to look */
};

enum { PHOTO_TIME_BYTES = 26 };

struct photo_header {
	enum photo_kind kind;
	enum photo_refusal refusal;
	uint32_t width, height; /* as stored: before the orientation is applied */
	unsigned orientation;   /* 1 to 8 as in EXIF 2.32, 4.6.4; 1 when nothing is said */
	/* "2026-11-22T08:00:00" by the camera's clock, with "+08:00" behind it when the camera says so; ""
	 * when unknown. */
	char captured[PHOTO_TIME_BYTES];
	bool has_place;
	double latitude, longitude; /* degrees, north and east positive */
	bool exif_broken;           /* there is EXIF, but it does not hang together; what was sound is kept */
};

enum photo_answer {
	PHOTO_READ,   /* *out is complete */
	PHOTO_MORE,   /* *need bytes from the beginning are needed to go on (more than bytes.len) */
	PHOTO_REFUSED /* out->refusal says why */
};

/* bytes: the file from its first byte on; whole: nothing comes after them. Call again with at least *need
 * bytes; it begins anew each time. EXIF that stands beyond limits->look_bytes (it may in WebP) stays unknown;
 * in PNG it is looked for in front of the pixels only. */
enum photo_answer photo_header_read(struct slice bytes, bool whole, const struct photo_limits *limits,
				    struct photo_header *out, size_t *need);

/* A stable code such as "photo_truncated", and what to tell the person who sent it. */
const char *photo_refusal_code(enum photo_refusal refusal);
const char *photo_refusal_hint(enum photo_refusal refusal);

#endif
