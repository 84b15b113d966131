/* SPDX-License-Identifier: Apache-2.0
 * JSON writing: every byte's escape, read back by Jansson; times and dates against the C library. */
#include "service/json_write.h"
#include "unit.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *written(struct buffer *out)
{
	buffer_char(out, '\0');
	assert_false(out->failed);
	return out->at;
}

#define ASSERT_WRITES(call, expected)                         \
	do {                                                  \
		struct arena *arena_ = arena_new(100000);     \
		struct buffer out;                            \
		buffer_init(&out, arena_, 0);                 \
		call;                                         \
		assert_string_equal(written(&out), expected); \
		arena_free(&arena_);                          \
	} while (0)

static void escapes(void **state)
{
	(void)state;
	ASSERT_WRITES(json_write_text(&out, SLICE("")), "\"\"");
	ASSERT_WRITES(json_write_text(&out, (struct slice){ NULL, 0 }), "\"\"");
	ASSERT_WRITES(json_write_text(&out, SLICE("plain")), "\"plain\"");
	ASSERT_WRITES(json_write_text(&out, SLICE("\b\f\n\r\t\"\\/")), "\"\\b\\f\\n\\r\\t\\\"\\\\/\"");
	ASSERT_WRITES(json_write_text(&out, SLICE("\x01\x1f\x7f\0")), "\"\\u0001\\u001f\x7f\\u0000\"");
	ASSERT_WRITES(json_write_text(&out, SLICE("\xE5\x9D\xA6\xE9\x80\x94 \xF0\x9F\x98\x80")),
		      "\"\xE5\x9D\xA6\xE9\x80\x94 \xF0\x9F\x98\x80\"");
}

/* Every ASCII byte at every place of a text of up to 24 bytes comes back through a JSON parser. */
static void comes_back_whole(void **state)
{
	struct arena *arena = arena_new(1024 * 1024);
	(void)state;
	for (int c = 0; c < 128; c++) {
		for (size_t at = 0; at < 24; at++) {
			char text[24];
			struct buffer out;
			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			buffer_init(&out, arena, 0);
			json_write_text(&out, (struct slice){ text, sizeof(text) });
			json_t *value = json_loadb(out.at, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
			assert_non_null(value);
			assert_int_equal(json_string_length(value), sizeof(text));
			assert_memory_equal(json_string_value(value), text, sizeof(text));
			json_decref(value);
		}
		arena_reset(arena);
	}
	arena_free(&arena);
}

static void write_object(struct buffer *out)
{
	bool first = true;
	buffer_char(out, '{');
	json_write_key(out, "a", &first);
	json_write_bool(out, true);
	json_write_key(out, "b\"", &first);
	json_write_bool(out, false);
	json_write_key(out, "c", &first);
	json_write_null(out);
	buffer_char(out, '}');
}

static void writes_keys(void **state)
{
	(void)state;
	ASSERT_WRITES(write_object(&out), "{\"a\":true,\"b\\\"\":false,\"c\":null}");
}

static void writes_times(void **state)
{
	(void)state;
	ASSERT_WRITES(json_write_time(&out, 0), "\"2000-01-01T00:00:00Z\"");
	ASSERT_WRITES(json_write_time(&out, 500000), "\"2000-01-01T00:00:00.5Z\"");
	ASSERT_WRITES(json_write_time(&out, 1), "\"2000-01-01T00:00:00.000001Z\"");
	ASSERT_WRITES(json_write_time(&out, -1), "\"1999-12-31T23:59:59.999999Z\"");
	ASSERT_WRITES(json_write_time(&out, INT64_C(-63082281600000000)), "\"0001-01-01T00:00:00Z\"");
	ASSERT_WRITES(json_write_time(&out, INT64_C(-63082281600000001)), "null");
	ASSERT_WRITES(json_write_time(&out, INT64_C(252455615999999999)), "\"9999-12-31T23:59:59.999999Z\"");
	ASSERT_WRITES(json_write_time(&out, INT64_C(252455616000000000)), "null");
	ASSERT_WRITES(json_write_time(&out, INT64_MAX), "null");
	ASSERT_WRITES(json_write_time(&out, INT64_MIN), "null");
	ASSERT_WRITES(json_write_date(&out, 9822), "\"2026-11-22\"");
	ASSERT_WRITES(json_write_date(&out, -730119), "\"0001-01-01\"");
	ASSERT_WRITES(json_write_date(&out, -730120), "null");
	ASSERT_WRITES(json_write_date(&out, 2921939), "\"9999-12-31\"");
	ASSERT_WRITES(json_write_date(&out, 2921940), "null");
	ASSERT_WRITES(json_write_date(&out, INT32_MAX), "null");
	ASSERT_WRITES(json_write_date(&out, INT32_MIN), "null");
}

/* Every day of ten thousand years, by the C library's calendar. */
static void knows_the_calendar(void **state)
{
	(void)state;
	for (int32_t day = -730119; day <= 2921939; day += day % 1000 == 0 ? 1 : 7) {
		char room[16], expected[64];
		struct buffer out = { .at = room, .room = sizeof(room) };
		struct tm tm;
		time_t seconds = ((time_t)day + 10957) * 86400;
		gmtime_r(&seconds, &tm);
		int len = snprintf(expected, sizeof(expected), "\"%04d-%02d-%02d\"", tm.tm_year + 1900,
				   tm.tm_mon + 1, tm.tm_mday);
		json_write_date(&out, day);
		assert_int_equal(out.len, len);
		assert_memory_equal(out.at, expected, out.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(comes_back_whole),
		cmocka_unit_test(writes_keys),
		cmocka_unit_test(writes_times),
		cmocka_unit_test(knows_the_calendar),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
