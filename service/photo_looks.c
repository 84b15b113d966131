/* SPDX-License-Identifier: Apache-2.0
 * The DCT of type II over 32 × 32 greys, of which only the 64 coefficients that count are worked out.
 */
#include "service/photo_looks.h"

#include <stdlib.h>
#include <string.h>

enum {
	SIDE = PHOTO_LOOKS_SIDE,
	FREQUENCIES = 8,
	BITS = FREQUENCIES * FREQUENCIES,
	COSINE_ONE = 1 << 14,
	/* An orthonormal coefficient is our sum × (2 / 32) / COSINE_ONE²: one grey of it is this much. */
	GREY = 16
};

/* A bit is steady when its coefficient is further than this from the median: rounding to greys and coding as
 * JPEG move a coefficient by about one grey. A picture of which fewer bits are steady says nothing. */
enum { STEADY_GREYS = 2, STEADY_BITS = 44 };

/* cos(k π / 64) × COSINE_ONE for the first quarter of the circle. */
static const int16_t quarter_cosine[33] = {
	16384, 16364, 16305, 16207, 16069, 15893, 15679, 15426, 15137, 14811, 14449,
	14053, 13623, 13160, 12665, 12140, 11585, 11003, 10394, 9760,  9102,  8423,
	7723,  7005,  6270,  5520,  4756,  3981,  3196,  2404,  1606,  804,   0,
};

static int32_t cosine(unsigned k)
{
	k %= 128;
	if (k > 64) {
		k = 128 - k;
	}
	return k <= 32 ? quarter_cosine[k] : -quarter_cosine[64 - k];
}

/* The weight of place x in frequency u. */
static int32_t weight(unsigned x, unsigned u)
{
	return cosine((2 * x + 1) * u);
}

static void across(const unsigned char *row, int32_t out[FREQUENCIES])
{
	for (unsigned u = 0; u < FREQUENCIES; u++) {
		int32_t sum = 0; /* at most 32 × 255 × 2^14 < 2^27 */
		for (unsigned x = 0; x < SIDE; x++) {
			sum += row[x] * weight(x, u + 1);
		}
		out[u] = sum;
	}
}

static void transform(const unsigned char *grey, int64_t out[BITS])
{
	memset(out, 0, BITS * sizeof *out);
	for (unsigned y = 0; y < SIDE; y++) {
		int32_t row[FREQUENCIES];
		across(grey + (size_t)y * SIDE, row);
		for (unsigned v = 0; v < FREQUENCIES; v++) {
			int32_t w = weight(y, v + 1);
			for (unsigned u = 0; u < FREQUENCIES; u++) {
				out[v * FREQUENCIES + u] += (int64_t)w * row[u];
			}
		}
	}
}

static int by_size(const void *left, const void *right)
{
	int64_t a, b;
	memcpy(&a, left, sizeof a);
	memcpy(&b, right, sizeof b);
	return (a > b) - (a < b);
}

/* Between the 32nd and the 33rd of 64, so that half of the bits are set. */
static int64_t median(const int64_t of[BITS])
{
	int64_t sorted[BITS];
	memcpy(sorted, of, sizeof sorted);
	qsort(sorted, BITS, sizeof *sorted, by_size);
	return (sorted[BITS / 2 - 1] + sorted[BITS / 2]) / 2;
}

bool photo_looks(const unsigned char grey[PHOTO_LOOKS_SIDE * PHOTO_LOOKS_SIDE], int64_t *looks)
{
	const int64_t unsteady = (int64_t)STEADY_GREYS * GREY * COSINE_ONE * COSINE_ONE;
	int64_t coefficient[BITS];
	transform(grey, coefficient);
	int64_t middle = median(coefficient);
	uint64_t bits = 0;
	int steady = 0;
	for (unsigned i = 0; i < BITS; i++) {
		bits = bits << 1 | (coefficient[i] > middle);
		steady += llabs(coefficient[i] - middle) > unsteady;
	}
	if (steady < STEADY_BITS) {
		return false;
	}
	memcpy(looks, &bits, sizeof bits);
	return true;
}
