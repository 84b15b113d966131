/* SPDX-License-Identifier: Apache-2.0
 * A perceptual hash: pictures that look alike have hashes that differ in few bits. After the DCT hash of
 * pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, 3.2.1): the 8 ×
 * 8 lowest frequencies without a row or column of zero frequency, each a bit: above their median or not.
 * Integers only, so that every machine that shares a database agrees on every bit. */
#ifndef SERVICE_PHOTO_LOOKS_H
#define SERVICE_PHOTO_LOOKS_H

#include <stdbool.h>
#include <stdint.h>

enum { PHOTO_LOOKS_SIDE = 32 };

/* grey: the whole picture, upright, shrunk to 32 × 32 by averaging, rows from the top. False when it says
 * nothing: too even (a blank wall, a dark room, a smooth shade) for its bits to be more than noise. *looks is
 * then left alone. Two hashes always differ in an even number of bits. */
bool photo_looks(const unsigned char grey[PHOTO_LOOKS_SIDE * PHOTO_LOOKS_SIDE], int64_t *looks);

#endif
