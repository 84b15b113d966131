/* SPDX-License-Identifier: Apache-2.0
 * Citizen IDs met in a file: a hash table with open addressing, seeded so that no file can be written to
 * make it slow.
 * Invariant: at most half of the slots are taken; 0 is an empty slot, as no key is 0. */
#include "service/needs/needs_seen.h"
#include <sodium.h>
#include <stdlib.h>

enum { FIRST_SLOTS = 4096, BODY = 17 };

struct needs_seen {
	uint64_t *slots;
	size_t room, count; /* room: a power of two */
	uint64_t seed;
	bool failed;
};

struct needs_seen *needs_seen_new(void)
{
	INVARIANT(sodium_init() >= 0);
	struct needs_seen *seen = calloc(1, sizeof *seen);
	if (!seen)
		return NULL;
	seen->slots = calloc(FIRST_SLOTS, sizeof *seen->slots);
	seen->room = FIRST_SLOTS;
	randombytes_buf(&seen->seed, sizeof seen->seed);
	if (!seen->slots)
		needs_seen_free(&seen);
	return seen;
}

void needs_seen_free(struct needs_seen **seen)
{
	if (!*seen)
		return;
	free((*seen)->slots);
	free(*seen);
	*seen = NULL;
}

bool needs_seen_failed(const struct needs_seen *seen)
{
	return seen->failed;
}

/* Under 11 × 10^17 + 11, so it fits; the 1 keeps it from being 0. */
static uint64_t key_of(const char *id18)
{
	uint64_t key = 0;
	for (int i = 0; i < BODY; i++)
		key = key * 10 + (uint64_t)(id18[i] - '0');
	return key * 11 + (id18[BODY] == 'X' ? 10 : (uint64_t)(id18[BODY] - '0')) + 1;
}

/* splitmix64's finalizer over the seeded key. */
static size_t slot_of(const struct needs_seen *seen, uint64_t key)
{
	uint64_t mixed = key ^ seen->seed;
	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
	return (size_t)(mixed ^ (mixed >> 31)) & (seen->room - 1);
}

/* The key's slot, or the empty one where it belongs. */
static uint64_t *find(const struct needs_seen *seen, uint64_t key)
{
	size_t slot = slot_of(seen, key);
	while (seen->slots[slot] != 0 && seen->slots[slot] != key)
		slot = (slot + 1) & (seen->room - 1);
	return &seen->slots[slot];
}

static bool grow(struct needs_seen *seen)
{
	uint64_t *old = seen->slots;
	size_t old_room = seen->room;
	uint64_t *slots = calloc(old_room * 2, sizeof *slots);
	if (!slots)
		return false;
	seen->slots = slots;
	seen->room = old_room * 2;
	for (size_t i = 0; i < old_room; i++)
		if (old[i] != 0)
			*find(seen, old[i]) = old[i];
	free(old);
	return true;
}

bool needs_seen_has(const struct needs_seen *seen, const char *id18)
{
	return *find(seen, key_of(id18)) != 0;
}

void needs_seen_add(struct needs_seen *seen, const char *id18)
{
	if (seen->count >= seen->room / 2 && !grow(seen)) {
		seen->failed = true;
		return;
	}
	uint64_t key = key_of(id18), *slot = find(seen, key);
	seen->count += *slot == 0;
	*slot = key;
}
