/* SPDX-License-Identifier: Apache-2.0
 * Token buckets in memory: so many requests a second, and so many at once after a rest. One process keeps its
 * own: several together allow several times as much. */
#ifndef API_BUDGET_H
#define API_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget;

/* rate: a second; burst: how many at once. Both at least 1. */
struct budget *budget_new(double rate, double burst);
void budget_free(struct budget **budget);
/* key: uniform bits (of a hash). now: nanoseconds, never going back. True when one was left, and takes it.
 * Else in how many seconds there will be one, at least 1. */
bool budget_take(struct budget *budget, uint64_t key, uint64_t now, unsigned *seconds);
/* The same without taking it. */
bool budget_has(struct budget *budget, uint64_t key, uint64_t now, unsigned *seconds);

#endif
