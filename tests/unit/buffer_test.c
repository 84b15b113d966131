/* SPDX-License-Identifier: Apache-2.0
 * Buffers: growth, failure that sticks and leaves what was there, buffers without an arena. */
#include "service/buffer.h"
#include "unit.h"

static void grows_and_keeps(void **state)
{
	struct arena *arena = arena_new(1024 * 1024);
	struct buffer buffer;
	(void)state;
	buffer_init(&buffer, arena, 0);
	for (int i = 0; i < 10000; i++) {
		buffer_i64(&buffer, i % 10);
		if (i % 1000 == 0)
			assert_non_null(arena_alloc(arena, 1)); /* in the way of growing where it stands */
	}
	assert_false(buffer.failed);
	assert_int_equal(buffer.len, 10000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buffer.at[i], '0' + i % 10);
	arena_free(&arena);
}

static void writes_each_kind(void **state)
{
	struct arena *arena = arena_new(10000);
	struct buffer buffer;
	(void)state;
	buffer_init(&buffer, arena, 4);
	buffer_text(&buffer, "text ");
	buffer_slice(&buffer, SLICE("slice "));
	buffer_slice(&buffer, (struct slice){ NULL, 0 });
	buffer_char(&buffer, 'c');
	buffer_i64(&buffer, INT64_MIN);
	buffer_char(&buffer, ' ');
	buffer_i64(&buffer, INT64_MAX);
	buffer_printf(&buffer, " %s %d", "printf", 7);
	assert_true(slice_is(buffer_taken(&buffer),
			     "text slice c-9223372036854775808 9223372036854775807 printf 7"));
	arena_free(&arena);
}

static void failure_sticks(void **state)
{
	struct arena *arena = arena_new(1000);
	struct buffer buffer;
	char big[2000] = { 0 };
	(void)state;
	buffer_init(&buffer, arena, 10);
	buffer_text(&buffer, "before");
	buffer_add(&buffer, big, sizeof(big));
	assert_true(buffer.failed);
	buffer_text(&buffer, "after");
	assert_true(slice_is(buffer_taken(&buffer), "before"));
	assert_null(buffer_reserve(&buffer, 1));
	arena_free(&arena);
}

static void takes_what_is_left_near_the_cap(void **state)
{
	struct arena *arena = arena_new(1000);
	struct buffer buffer;
	(void)state;
	buffer_init(&buffer, arena, 300);
	for (int i = 0; i < 400; i++)
		buffer_char(&buffer, 'x');
	assert_false(buffer.failed);
	assert_int_equal(buffer.len, 400);
	arena_free(&arena);
}

static void lives_without_an_arena(void **state)
{
	char room[8];
	struct buffer buffer = { .at = room, .room = sizeof(room) };
	(void)state;
	buffer_text(&buffer, "1234567");
	buffer_printf(&buffer, "%d", 8); /* needs one more for its NUL */
	assert_true(buffer.failed);
	assert_true(slice_is(buffer_taken(&buffer), "1234567"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_keeps),        cmocka_unit_test(writes_each_kind),
		cmocka_unit_test(failure_sticks),         cmocka_unit_test(takes_what_is_left_near_the_cap),
		cmocka_unit_test(lives_without_an_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
