/* SPDX-License-Identifier: Apache-2.0
 * The shapes of the texts that clients send. */
#include "api/text.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>

typedef bool text_check(struct slice s);

/* Each text stands alone on the heap, so that one byte read past its end is seen. */
static bool holds(text_check *check, const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	bool answer = check((struct slice){ copy, len });
	free(copy);
	return answer;
}

static void all(text_check *check, bool wanted, const char *const *texts)
{
	for (; *texts; texts++)
		if (holds(check, *texts, strlen(*texts)) != wanted)
			fail_msg("'%s' should%s be taken", *texts, wanted ? "" : " not");
}

/* No front part of a right text is right, unless the caller says so. */
static void no_front_part(text_check *check, const char *text)
{
	for (size_t len = 0; len < strlen(text); len++)
		if (holds(check, text, len))
			fail_msg("'%.*s' should not be taken", (int)len, text);
}

static void dates(void **state)
{
	static const char *const right[] = { "2026-11-22", "2024-02-29", "2000-02-29", "0001-01-01",
					     "9999-12-31", "2026-01-31", "2026-04-30", NULL };
	static const char *const wrong[] = { "",           "2026-02-29",  "1900-02-29",  "2026-02-30",
					     "2026-04-31", "2026-13-01",  "2026-00-01",  "2026-01-00",
					     "2026-01-32", "0000-01-01",  "2026-1-1",    "2026/01/01",
					     "20260101",   " 2026-01-01", "2026-01-01 ", "2026-01-0a",
					     "+026-01-01", "-026-01-01",  "2026-01-+1",  "12026-01-01",
					     "infinity",   "２026-01-01", NULL };
	(void)state;
	all(text_is_date, true, right);
	all(text_is_date, false, wrong);
	no_front_part(text_is_date, "2026-11-22");
	assert_false(holds(text_is_date, "2026-11-2\0", 10));
}

static void times(void **state)
{
	static const char *const right[] = { "2026-11-22T08:00:00Z",
					     "2026-11-22t08:00:00z",
					     "2026-11-22T08:00:00+08:00",
					     "2026-11-22T08:00:00-15:59",
					     "2026-11-22T08:00:00+15:59",
					     "2026-11-22T08:00:00-00:00",
					     "2026-11-22T08:00:00.1Z",
					     "2026-11-22T08:00:00.123456789+00:00",
					     "2026-11-22T23:59:60Z",
					     "2026-11-22T00:00:00Z",
					     "0001-01-01T00:00:00Z",
					     "9999-12-31T23:59:59Z",
					     NULL };
	static const char *const wrong[] = { "",
					     "2026-11-22",
					     "2026-11-22T08:00:00",
					     "2026-11-22 08:00:00Z",
					     "2026-11-22T08:00Z",
					     "2026-11-22T24:00:00Z",
					     "2026-11-22T08:60:00Z",
					     "2026-11-22T08:00:61Z",
					     "2026-11-22T08-00:00Z",
					     "2026-11-22T08:00-00Z",
					     "2026-11-22T08:00:00.Z",
					     "2026-11-22T08:00:00.1",
					     "2026-11-22T08:00:00,1Z",
					     "2026-11-22T08:00:00+16:00",
					     "2026-11-22T08:00:00+08:60",
					     "2026-11-22T08:00:00+0800",
					     "2026-11-22T08:00:00+08",
					     "2026-11-22T08:00:00+08:0",
					     "2026-11-22T08:00:00 08:00",
					     "2026-11-22T08:00:00ZZ",
					     "2026-11-22T08:00:00Z ",
					     " 2026-11-22T08:00:00Z",
					     "2026-02-29T08:00:00Z",
					     "0000-01-01T00:00:00Z",
					     "2026-11-22T-8:00:00Z",
					     "2026-11-22T08:00:00.0000000000000000000000Z",
					     NULL };
	(void)state;
	all(text_is_time, true, right);
	all(text_is_time, false, wrong);
	no_front_part(text_is_time, "2026-11-22T08:00:00.5+08:00");
	assert_false(holds(text_is_time, "2026-11-22T08:00:00\0", 20));
}

static void regions(void **state)
{
	static const char *const right[] = { "640324", "640324201", "100000", "999999999", NULL };
	static const char *const wrong[] = { "",        "64032",   "6403242", "64032420", "6403242011",
					     "040324",  "000000",  "64032a",  " 40324",   "+40324",
					     "-640324", "640324 ", "６40324", "640324.",  NULL };
	(void)state;
	all(text_is_region, true, right);
	all(text_is_region, false, wrong);
	assert_false(holds(text_is_region, "64032\0", 6));
}

static void citizen_ids(void **state)
{
	/* The two examples of GB 11643 itself, and what differs from them in one place. */
	static const char *const right[] = { "11010519491231002X", "11010519491231002x", "440524188001010014",
					     NULL };
	static const char *const wrong[] = { "",
					     "11010519491231002",
					     "11010519491231002XX",
					     "110105194912310021",
					     "11010519491231003X",
					     "440524188001010015",
					     "1101051949123100 X",
					     "X1010519491231002X",
					     "11010519491231X02X",
					     "440524880101001",
					     NULL };
	(void)state;
	all(text_is_citizen_id, true, right);
	all(text_is_citizen_id, false, wrong);
	for (int i = 0; i < 17; i++) { /* a wrong digit anywhere is seen */
		char changed[] = "440524188001010014";
		changed[i] = (char)(changed[i] == '9' ? '0' : changed[i] + 1);
		assert_false(holds(text_is_citizen_id, changed, 18));
	}
}

static void content_types(void **state)
{
	static const char *const right[] = { "application/json",
					     "Application/JSON",
					     " application/json ",
					     "application/json;charset=utf-8",
					     "application/json; charset=UTF-8",
					     "application/json ; charset=\"utf-8\"",
					     "application/json;",
					     "application/json; ",
					     NULL };
	static const char *const wrong[] = { "",
					     ";",
					     ";charset=utf-8",
					     "application/jsonp",
					     "application/json5",
					     "application/problem+json",
					     "text/json",
					     "application/json; charset=gb18030",
					     "application/json; charset=latin1",
					     "application/json; version=1",
					     "application/json, text/plain",
					     NULL };
	(void)state;
	all(text_is_json_type, true, right);
	all(text_is_json_type, false, wrong);
	assert_false(text_is_json_type((struct slice){ NULL, 0 }));
}

static void decodes(const char *from, const char *wanted)
{
	struct arena *arena = arena_new(65536);
	struct slice out = { 0 };
	char *copy = malloc(strlen(from) + 1);
	assert_non_null(copy);
	memcpy(copy, from, strlen(from));
	bool done = text_percent_decode(arena, (struct slice){ copy, strlen(from) }, &out);
	if (done != (wanted != NULL) || (wanted && !slice_is(out, wanted)))
		fail_msg("'%s' should %s", from, wanted ? "be decoded" : "be refused");
	if (wanted)
		assert_int_equal(out.at[out.len], 0);
	free(copy);
	arena_free(&arena);
}

static void percent_decoding(void **state)
{
	(void)state;
	decodes("", "");
	decodes("plain-._~", "plain-._~");
	decodes("a+b", "a b");
	decodes("a%2Bb", "a+b");
	decodes("%20%2f%2F%25", " //%");
	decodes("100%25", "100%");
	decodes("%e6%b9%9f", "湟");
	decodes("%E6%B9%9F%e4%b8%ad", "湟中");
	decodes("湟", "湟");
	decodes("%61%41%7a", "aAz");
	decodes("%2525", "%25"); /* once */
	decodes("%f0%9f%8f%a0", "\xf0\x9f\x8f\xa0");
}

/* '%' and then any two bytes: decoded only when both are hexadecimal digits. */
static void every_broken_escape(void **state)
{
	struct arena *arena = arena_new(16 << 20);
	(void)state;
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			char text[] = { '%', (char)a, (char)b };
			struct slice out;
			bool hex = strchr("0123456789abcdefABCDEF", a) && a &&
				   strchr("0123456789abcdefABCDEF", b) && b;
			char digits[] = { (char)a, (char)b, 0 };
			long value = hex ? strtol(digits, NULL, 16) : 0;
			bool wanted = hex && value > 0 && value < 0x80;
			arena_reset(arena);
			if (text_percent_decode(arena, (struct slice){ text, 3 }, &out) != wanted)
				fail_msg("%%%02x%02x", (unsigned)a, (unsigned)b);
			if (wanted)
				assert_int_equal(out.at[0], value);
		}
	}
	arena_free(&arena);
}

static void refuses_what_is_no_text(void **state)
{
	static const char *const wrong[] = {
		"%",      "%2",     "a%",     "a%2",       "%%",           "%%20",  "%2%20", "%g0",  "%0g",
		"% 2",    "%+2",    "%-1",    "%0x",       "%00",          "a%00b", "%80",   "%c3",  "%c3%28",
		"%e6%b9", "%c0%80", "%c0%af", "%ed%a0%80", "%f4%90%80%80", "%ff",   "\xff",  "\xc3", NULL
	};
	struct arena *arena = arena_new(65536);
	struct slice out;
	(void)state;
	for (int i = 0; wrong[i]; i++)
		decodes(wrong[i], NULL);
	assert_false(text_percent_decode(arena, (struct slice){ "a\0b", 3 }, &out));
	arena_free(&arena);
}

static void no_memory_is_a_refusal(void **state)
{
	struct arena *arena = arena_new(4096);
	char *long_text = calloc(1, 100000);
	struct slice out;
	(void)state;
	memset(long_text, 'a', 100000);
	assert_false(text_percent_decode(arena, (struct slice){ long_text, 100000 }, &out));
	free(long_text);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates),
		cmocka_unit_test(times),
		cmocka_unit_test(regions),
		cmocka_unit_test(citizen_ids),
		cmocka_unit_test(content_types),
		cmocka_unit_test(percent_decoding),
		cmocka_unit_test(every_broken_escape),
		cmocka_unit_test(refuses_what_is_no_text),
		cmocka_unit_test(no_memory_is_a_refusal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
