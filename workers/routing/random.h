/* SPDX-License-Identifier: Apache-2.0
 * xoroshiro128+ (Blackman and Vigna, 2018): quick, and the same numbers for the same seed everywhere. Not for
 * secrets. */
#ifndef WORKERS_ROUTING_RANDOM_H
#define WORKERS_ROUTING_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t a, b;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t a = r->a, b = r->b, sum = a + b;
	b ^= a;
	r->a = ((a << 24) | (a >> 40)) ^ b ^ (b << 16);
	r->b = (b << 37) | (b >> 27);
	return sum;
}

/* By splitmix64, so that seeds that are near each other begin far apart. */
static inline struct random random_begin(uint64_t seed)
{
	uint64_t state[2];
	for (int i = 0; i < 2; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15u;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		state[i] = z ^ (z >> 31);
	}
	return (struct random){ state[0], state[1] };
}

/* 0 ≤ x < 1. */
static inline double random_unit(struct random *r)
{
	return (double)(random_next(r) >> 11) * 0x1p-53;
}

/* 0 ≤ x < count. */
static inline int random_below(struct random *r, int count)
{
	return (int)(((random_next(r) >> 32) * (uint64_t)count) >> 32);
}

#endif
