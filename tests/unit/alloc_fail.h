/* SPDX-License-Identifier: Apache-2.0
 * The n-th allocation of our own code fails, once. For programs named *_memory_test, which CMake links with
 * --wrap of these three; what the libraries allocate for themselves is not touched. */
#ifndef TESTS_UNIT_ALLOC_FAIL_H
#define TESTS_UNIT_ALLOC_FAIL_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);

static long alloc_fail_left = -1; /* allocations that go well before the one that fails; -1: all go well */
static bool alloc_failed;

/* From now on: n go well, the next fails, the rest go well. */
static inline void alloc_fail_at(long n)
{
	alloc_fail_left = n;
	alloc_failed = false;
}

/* All go well again; whether one failed. */
static inline bool alloc_fail_end(void)
{
	alloc_fail_left = -1;
	return alloc_failed;
}

static inline bool alloc_fails(void)
{
	if (alloc_fail_left < 0 || alloc_fail_left-- > 0)
		return false;
	alloc_failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return alloc_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return alloc_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
	return alloc_fails() ? NULL : __real_realloc(at, size);
}

#endif
