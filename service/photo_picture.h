/* SPDX-License-Identifier: Apache-2.0
 * Pixels in memory, and making them fewer. */
#ifndef SERVICE_PHOTO_PICTURE_H
#define SERVICE_PHOTO_PICTURE_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows of width × 3 bytes: red, green, blue. From malloc. */
struct photo_picture {
	uint32_t width, height;
	unsigned char *rgb;
};

/* False: no memory. */
MUST_USE bool photo_picture_make(struct photo_picture *picture, uint32_t width, uint32_t height);
void photo_picture_free(struct photo_picture *picture);

/* The size that fits into a square of `side` pixels; one that fits already stays. At least 1 × 1. */
void photo_picture_fit(uint32_t width, uint32_t height, uint32_t side, uint32_t *to_width,
		       uint32_t *to_height);

/* Takes rows from above to below and fills `to` with the mean of what each of its pixels covers (exact, in
 * whole numbers; also where `to` is larger). NULL: no memory. */
struct photo_shrink;
struct photo_shrink *photo_shrink_new(uint32_t width, uint32_t height, struct photo_picture *to);
void photo_shrink_row(struct photo_shrink *shrink, const unsigned char *rgb);
bool photo_shrink_full(const struct photo_shrink *shrink); /* every row has come */
void photo_shrink_free(struct photo_shrink **shrink);

/* Turns and mirrors it as EXIF's orientation (1 to 8) says. False: no memory, and it is as it was. */
MUST_USE bool photo_picture_turn(struct photo_picture *picture, unsigned orientation);

#endif
