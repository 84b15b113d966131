/* SPDX-License-Identifier: Apache-2.0
 * Memory with one lifetime (a request's, or a job's): allocated piece by piece, freed whole.
 * It has a cap; past it every allocation answers NULL, so one request cannot take the server's memory. */
#ifndef SERVICE_ARENA_H
#define SERVICE_ARENA_H

#include "service/slice.h"

struct arena;

/* cap: bytes at most over the arena's life. NULL when there is no memory. */
struct arena *arena_new(size_t cap);
void arena_free(struct arena **arena);
/* Forgets every allocation, keeps the first chunk. */
void arena_reset(struct arena *arena);

/* Aligned for any type, not zeroed / zeroed. NULL past the cap or without memory. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);

/* Makes the latest allocation `more` bytes longer where it stands; false when that cannot be. */
bool arena_extend(struct arena *arena, void *last, size_t size, size_t more);

/* A NUL-terminated copy. NULL as above. */
char *arena_text(struct arena *arena, struct slice from);
/* A copy, also terminated; .at is NULL on failure. */
struct slice arena_slice(struct arena *arena, struct slice from);
/* A formatted NUL-terminated text. */
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

size_t arena_used(const struct arena *arena);

#endif
