/* SPDX-License-Identifier: Apache-2.0
 * Arrays as text: what is written is read back by the rules of PostgreSQL's manual, 8.15.6 (db_test.c sends
 * the same texts to a real server). */
#include "unit.h"
#include "workers/array_text.h"
#include <stdio.h>
#include <stdlib.h>

static struct arena *arena;
static struct buffer out;

static int begin(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	buffer_init(&out, arena, 16);
	array_begin(&out);
	return arena ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* A reader by the manual: quoted items take any byte, a backslash quotes the next; an unquoted NULL is NULL.
 * Answers how many, -1 when it is malformed. NULL items have .at NULL. */
static int read_array(const char *text, struct slice *items, int most)
{
	int n = 0;
	if (*text++ != '{')
		return -1;
	while (*text != '}') {
		char *to = arena_alloc(arena, strlen(text) + 1);
		size_t len = 0;
		bool quoted = *text == '"';
		if (n == most || !to)
			return -1;
		if (quoted) {
			for (text++; *text && *text != '"'; text++) {
				if (*text == '\\')
					text++;
				if (!*text)
					return -1;
				to[len++] = *text;
			}
			if (*text++ != '"')
				return -1;
		} else {
			while (*text && !strchr(",}\"\\{ ", *text))
				to[len++] = *text++;
			if (len == 0)
				return -1;
		}
		bool null = !quoted && len == 4 && memcmp(to, "NULL", 4) == 0;
		items[n++] = (struct slice){ null ? NULL : to, null ? 0 : len };
		if (*text == ',' && text[1] != '}')
			text++;
		else if (*text != '}')
			return -1;
	}
	return text[1] == 0 ? n : -1;
}

static void writes_the_plain_form(void **state)
{
	(void)state;
	array_text(&out, SLICE("a"));
	array_null(&out);
	array_text(&out, SLICE(""));
	array_text(&out, SLICE("NULL"));
	assert_string_equal(array_end(&out), "{\"a\",NULL,\"\",\"NULL\"}");
}

static void an_empty_array(void **state)
{
	struct slice items[1];
	(void)state;
	assert_string_equal(array_end(&out), "{}");
	assert_int_equal(read_array("{}", items, 1), 0);
}

static void begins_anew(void **state)
{
	(void)state;
	array_text(&out, SLICE("old"));
	assert_non_null(array_end(&out));
	array_begin(&out);
	array_int(&out, 5);
	assert_string_equal(array_end(&out), "{5}");
}

static void numbers(void **state)
{
	(void)state;
	array_int(&out, 0);
	array_int(&out, -1);
	array_int(&out, INT64_MAX);
	array_int(&out, INT64_MIN);
	assert_string_equal(array_end(&out), "{0,-1,9223372036854775807,-9223372036854775808}");
	array_begin(&out);
	array_float(&out, true, 106.5);
	array_float(&out, false, 1);
	array_float(&out, true, -0.00000001);
	array_float(&out, true, 0);
	assert_string_equal(array_end(&out), "{106.50000000,NULL,-0.00000001,0.00000000}");
}

static void bytes(void **state)
{
	static const unsigned char some[] = { 0x00, 0xff, 0x5c, 0x22, 0x0a };
	struct slice items[4];
	(void)state;
	array_bytes(&out, some, sizeof some);
	array_bytes(&out, some, 0);
	array_bytes(&out, some, 1);
	const char *text = array_end(&out);
	assert_string_equal(text, "{\"\\\\x00ff5c220a\",NULL,\"\\\\x00\"}");
	assert_int_equal(read_array(text, items, 4), 3);
	assert_true(slice_is(items[0], "\\x00ff5c220a"));
	assert_null(items[1].at);
}

static void lists(void **state)
{
	struct slice items[8];
	const struct slice three[] = { SLICE("扶手"), SLICE("a\"b"), SLICE("") };
	(void)state;
	array_texts(&out, three, 3);
	array_texts(&out, three, 1);
	array_texts(&out, three, 0);
	const char *text = array_end(&out);
	assert_int_equal(read_array(text, items, 8), 3);
	assert_true(slice_is(items[0], "扶手\x1f"
				       "a\"b\x1f"));
	assert_true(slice_is(items[1], "扶手"));
	assert_true(items[2].at && items[2].len == 0); /* string_to_array makes {} of it */
}

/* Any text of the bytes that matter comes back as it was. */
static void every_text_comes_back(void **state)
{
	static const char alphabet[] = "\"\\{},N '\n\t\x01L%";
	enum { ITEMS = 40 };
	char text[ITEMS][12];
	struct slice items[ITEMS];
	(void)state;
	srandom(2);
	for (int round = 0; round < 300; round++) {
		int n = (int)(random() % ITEMS);
		arena_reset(arena);
		buffer_init(&out, arena, 1);
		array_begin(&out);
		for (int i = 0; i < n; i++) {
			size_t len = (size_t)random() % 11;
			for (size_t at = 0; at < len; at++)
				text[i][at] = alphabet[(size_t)random() % (sizeof alphabet - 1)];
			text[i][len] = 0;
			array_text(&out, slice_of(text[i]));
		}
		const char *written = array_end(&out);
		assert_non_null(written);
		assert_int_equal(read_array(written, items, ITEMS), n);
		for (int i = 0; i < n; i++)
			assert_true(items[i].at && slice_is(items[i], text[i]));
	}
}

static void tells_of_failure_at_the_end(void **state)
{
	struct arena *small = arena_new(2048);
	struct buffer full;
	unsigned char many[600] = { 0 };
	(void)state;
	buffer_init(&full, small, 16);
	array_begin(&full);
	for (int i = 0; i < 100; i++) {
		array_text(&full, SLICE("0123456789012345678901234567890123456789"));
		array_bytes(&full, many, sizeof many);
	}
	assert_null(array_end(&full));
	arena_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_the_plain_form, begin, end),
		cmocka_unit_test_setup_teardown(an_empty_array, begin, end),
		cmocka_unit_test_setup_teardown(begins_anew, begin, end),
		cmocka_unit_test_setup_teardown(numbers, begin, end),
		cmocka_unit_test_setup_teardown(bytes, begin, end),
		cmocka_unit_test_setup_teardown(lists, begin, end),
		cmocka_unit_test_setup_teardown(every_text_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(tells_of_failure_at_the_end, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
