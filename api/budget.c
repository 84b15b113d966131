/* SPDX-License-Identifier: Apache-2.0
 * See budget.h. A table of small sets; who is not in it has a full bucket.
 * Invariant: when a set is full its fullest bucket goes, so a flood of strangers cannot bring an empty one
 * back to full. */
#include "api/budget.h"
#include "service/invariant.h"
#include <stdlib.h>

enum { SETS = 2048, WAYS_OF_SET = 8 };

struct bucket {
	uint64_t key, at; /* at: when `left` was true; 0: not used */
	double left;
};

struct budget {
	double rate, burst;
	struct bucket sets[SETS][WAYS_OF_SET];
};

struct budget *budget_new(double rate, double burst)
{
	struct budget *budget = calloc(1, sizeof *budget); /* untouched pages cost nothing */
	INVARIANT(budget && rate >= 1 && burst >= 1);
	budget->rate = rate;
	budget->burst = burst;
	return budget;
}

void budget_free(struct budget **budget)
{
	free(*budget);
	*budget = NULL;
}

static double left_at(const struct budget *budget, const struct bucket *bucket, uint64_t now)
{
	double left = bucket->left + (double)(now - bucket->at) * budget->rate / 1e9;
	return bucket->at == 0 || left > budget->burst ? budget->burst : left;
}

/* The key's bucket, or the one it may have: the fullest. */
static struct bucket *seek(struct budget *budget, uint64_t key, uint64_t now)
{
	struct bucket *set = budget->sets[key % SETS], *fullest = &set[0];
	for (int i = 0; i < WAYS_OF_SET; i++) {
		if (set[i].at != 0 && set[i].key == key)
			return &set[i];
		if (left_at(budget, &set[i], now) > left_at(budget, fullest, now))
			fullest = &set[i];
	}
	*fullest = (struct bucket){ key, now, budget->burst };
	return fullest;
}

bool budget_has(struct budget *budget, uint64_t key, uint64_t now, unsigned *seconds)
{
	struct bucket *bucket = seek(budget, key, now);
	bucket->left = left_at(budget, bucket, now);
	bucket->at = now;
	*seconds = (unsigned)((1 - bucket->left) / budget->rate) + 1;
	return bucket->left >= 1;
}

bool budget_take(struct budget *budget, uint64_t key, uint64_t now, unsigned *seconds)
{
	if (!budget_has(budget, key, now, seconds))
		return false;
	seek(budget, key, now)->left -= 1;
	return true;
}
