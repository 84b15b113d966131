/* SPDX-License-Identifier: Apache-2.0
 * Arenas: alignment, growth, the cap, reset. Under AddressSanitizer also that nothing is handed out twice. */
#include "service/arena.h"
#include "unit.h"
#include <stdalign.h>

static void aligns_and_keeps(void **state)
{
	struct arena *arena = arena_new(1024 * 1024);
	unsigned char *pieces[200];
	(void)state;
	for (size_t i = 0; i < 200; i++) {
		pieces[i] = arena_alloc(arena, i + 1);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		memset(pieces[i], (int)i, i + 1);
	}
	for (size_t i = 0; i < 200; i++)
		for (size_t j = 0; j <= i; j++)
			assert_int_equal(pieces[i][j], i);
	arena_free(&arena);
	assert_null(arena);
	arena_free(&arena);
}

static void stops_at_the_cap(void **state)
{
	struct arena *arena = arena_new(10000);
	(void)state;
	assert_non_null(arena_alloc(arena, 6000));
	assert_int_equal(arena_used(arena), 6000);
	assert_null(arena_alloc(arena, 4001));
	assert_null(arena_zalloc(arena, SIZE_MAX));
	assert_null(arena_text(arena, (struct slice){ "x", 4000 }));
	assert_non_null(arena_alloc(arena, 4000));
	assert_null(arena_alloc(arena, 1));
	assert_non_null(arena_alloc(arena, 0));
	arena_free(&arena);
}

static void serves_big_and_small_together(void **state)
{
	struct arena *arena = arena_new(16 * 1024 * 1024);
	(void)state;
	for (size_t size = 1; size <= 4 * 1024 * 1024; size *= 4) {
		char *big = arena_alloc(arena, size), *small = arena_alloc(arena, 3);
		assert_true(big && small);
		memset(big, 'b', size);
		memset(small, 's', 3);
		assert_int_equal(big[size - 1], 'b');
	}
	arena_free(&arena);
}

static void copies_texts(void **state)
{
	struct arena *arena = arena_new(1000);
	(void)state;
	assert_string_equal(arena_text(arena, (struct slice){ "abcdef", 3 }), "abc");
	assert_string_equal(arena_text(arena, (struct slice){ NULL, 0 }), "");
	assert_true(slice_is(arena_slice(arena, SLICE("xyz")), "xyz"));
	assert_string_equal(arena_printf(arena, "%d-%s", 42, "x"), "42-x");
	assert_null(arena_slice(arena, (struct slice){ "x", 2000 }).at);
	assert_null(arena_printf(arena, "%2000d", 1));
	const char *zeros = arena_zalloc(arena, 64);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(zeros[i], 0);
	arena_free(&arena);
}

static void starts_again_after_reset(void **state)
{
	struct arena *arena = arena_new(100000);
	(void)state;
	for (int round = 0; round < 50; round++) {
		assert_non_null(arena_alloc(arena, 50));
		assert_non_null(arena_alloc(arena, 90000));
		assert_null(arena_alloc(arena, 20000));
		arena_reset(arena);
		assert_int_equal(arena_used(arena), 0);
	}
	arena_free(&arena);
}

static void extends_the_latest_only(void **state)
{
	struct arena *arena = arena_new(5000);
	char *first = arena_alloc(arena, 10), *second = arena_alloc(arena, 10);
	(void)state;
	assert_false(arena_extend(arena, first, 10, 10));
	assert_true(arena_extend(arena, second, 10, 100));
	memset(second, 'x', 110);
	assert_int_equal(arena_used(arena), 120);
	assert_false(arena_extend(arena, second, 110, 4881)); /* past the cap */
	assert_false(arena_extend(arena, second, 110, 4800)); /* past the chunk */
	assert_int_equal(arena_used(arena), 120);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligns_and_keeps),
		cmocka_unit_test(stops_at_the_cap),
		cmocka_unit_test(serves_big_and_small_together),
		cmocka_unit_test(copies_texts),
		cmocka_unit_test(starts_again_after_reset),
		cmocka_unit_test(extends_the_latest_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
