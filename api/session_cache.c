/* SPDX-License-Identifier: Apache-2.0
 * Open addressing, power-of-two table, keyed by the first bytes of the token's hash (already uniform).
 * Invariant: used ≤ half of the slots, so a probe always ends. */
#include "api/session_cache.h"
#include "service/invariant.h"
#include <stdlib.h>

struct entry {
	bool used;
	unsigned char hash[32];
	struct principal who;
};

struct session_cache {
	struct entry *entries;
	size_t slots, used;
	uint64_t epoch;
};

struct session_cache *session_cache_new(size_t most)
{
	struct session_cache *cache = calloc(1, sizeof *cache);
	INVARIANT(cache);
	for (cache->slots = 64; cache->slots < most * 2;)
		cache->slots *= 2;
	cache->entries = calloc(cache->slots, sizeof *cache->entries); /* untouched pages cost nothing */
	INVARIANT(cache->entries);
	return cache;
}

void session_cache_free(struct session_cache **cache)
{
	if (*cache)
		free((*cache)->entries);
	free(*cache);
	*cache = NULL;
}

static size_t slot_of(const struct session_cache *cache, const unsigned char hash[32])
{
	uint64_t key;
	memcpy(&key, hash, sizeof key);
	return (size_t)key & (cache->slots - 1);
}

static struct entry *seek(struct session_cache *cache, const unsigned char hash[32])
{
	size_t at = slot_of(cache, hash);
	while (cache->entries[at].used && memcmp(cache->entries[at].hash, hash, 32) != 0)
		at = (at + 1) & (cache->slots - 1);
	return &cache->entries[at];
}

/* Moves later members of the probe run back, so that no gap hides them (Knuth, 6.4 algorithm R). */
static void remove_entry(struct session_cache *cache, struct entry *entry)
{
	size_t gap = (size_t)(entry - cache->entries), mask = cache->slots - 1;
	for (size_t at = (gap + 1) & mask; cache->entries[at].used; at = (at + 1) & mask) {
		size_t home = slot_of(cache, cache->entries[at].hash);
		if (((at - home) & mask) >= ((at - gap) & mask)) {
			cache->entries[gap] = cache->entries[at];
			gap = at;
		}
	}
	cache->entries[gap].used = false;
	cache->used--;
}

const struct principal *session_cache_find(struct session_cache *cache, const unsigned char hash[32],
					   int64_t now)
{
	struct entry *entry = seek(cache, hash);
	if (!entry->used)
		return NULL;
	if (entry->who.expires_at <= now) {
		remove_entry(cache, entry);
		return NULL;
	}
	return &entry->who;
}

void session_cache_put(struct session_cache *cache, const unsigned char hash[32], const struct principal *who,
		       uint64_t epoch)
{
	if (epoch != cache->epoch)
		return;
	if (cache->used >= cache->slots / 2)
		session_cache_clear(cache);
	struct entry *entry = seek(cache, hash);
	cache->used += !entry->used;
	entry->used = true;
	memcpy(entry->hash, hash, 32);
	entry->who = *who;
}

uint64_t session_cache_epoch(const struct session_cache *cache)
{
	return cache->epoch;
}

void session_cache_drop(struct session_cache *cache, const unsigned char hash[32])
{
	struct entry *entry = seek(cache, hash);
	cache->epoch++;
	if (entry->used)
		remove_entry(cache, entry);
}

void session_cache_clear(struct session_cache *cache)
{
	cache->epoch++;
	cache->used = 0;
	for (size_t i = 0; i < cache->slots; i++)
		if (cache->entries[i].used) /* a page that was never written stays unwritten */
			cache->entries[i].used = false;
}
