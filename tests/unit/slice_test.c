/* SPDX-License-Identifier: Apache-2.0
 * Slices: comparison, trimming, UTF-8 and numbers. */
#include "service/slice.h"
#include "unit.h"

static void compares_without_case(void **state)
{
	(void)state;
	assert_true(slice_equal_nocase(SLICE("Content-Type"), SLICE("content-tYPE")));
	assert_false(slice_equal_nocase(SLICE("a"), SLICE("ab")));
	assert_false(slice_equal_nocase(SLICE("@"), SLICE("`"))); /* 0x20 apart, and no letters */
	assert_false(slice_equal_nocase(SLICE("["), SLICE("{")));
	assert_true(slice_equal((struct slice){ NULL, 0 }, SLICE("")));
	assert_true(slice_is(SLICE("x"), "x"));
}

static void trims_blanks(void **state)
{
	(void)state;
	assert_true(slice_is(slice_trim(SLICE(" \t a b\r\n ")), "a b"));
	assert_int_equal(slice_trim(SLICE(" \t ")).len, 0);
	assert_int_equal(slice_trim((struct slice){ NULL, 0 }).len, 0);
}

static const struct {
	struct slice bytes;
	bool well_formed;
} utf8[] = {
	{ { "", 0 }, true },
	{ { "plain ASCII of more than eight bytes", 36 }, true },
	{ { "\xE4\xB8\xAD\xE6\x96\x87", 6 }, true },
	{ { "\xF0\x9F\x98\x80", 4 }, true },
	{ { "\xF4\x8F\xBF\xBF", 4 }, true },
	{ { "\xF4\x90\x80\x80", 4 }, false }, /* past U+10FFFF */
	{ { "\xED\x9F\xBF", 3 }, true },
	{ { "\xED\xA0\x80", 3 }, false }, /* surrogate */
	{ { "\xC0\xAF", 2 }, false },     /* overlong */
	{ { "\xE0\x9F\xBF", 3 }, false },
	{ { "\xF0\x8F\xBF\xBF", 4 }, false },
	{ { "\xC2", 1 }, false }, /* cut */
	{ { "\xE4\xB8", 2 }, false },
	{ { "\xF0\x9F\x98", 3 }, false },
	{ { "\x80", 1 }, false },
	{ { "abcdefgh\xFF", 9 }, false },
	{ { "abcdefghijklmno\xC3\xA9", 17 }, true },
	{ { "\xC3\x28", 2 }, false },
	{ { "\xF5\x80\x80\x80", 4 }, false },
	{ { "a\0b", 3 }, true },
};

static void judges_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++)
		assert_int_equal(slice_is_utf8(utf8[i].bytes), utf8[i].well_formed);
}

static void counts_code_points(void **state)
{
	(void)state;
	assert_int_equal(slice_utf8_length(SLICE("")), 0);
	assert_int_equal(slice_utf8_length(SLICE("a\xE4\xB8\xAD\xF0\x9F\x98\x80z")), 4);
}

static void reads_numbers(void **state)
{
	uint64_t u = 7;
	int64_t n = 7;
	(void)state;
	assert_true(slice_to_u64(SLICE("18446744073709551615"), &u) && u == UINT64_MAX);
	assert_true(slice_to_u64(SLICE("0"), &u) && u == 0);
	assert_true(slice_to_u64(SLICE("007"), &u) && u == 7);
	assert_false(slice_to_u64(SLICE("18446744073709551616"), &u));
	assert_false(slice_to_u64(SLICE("99999999999999999999999"), &u));
	assert_true(slice_to_i64(SLICE("9223372036854775807"), &n) && n == INT64_MAX);
	assert_false(slice_to_i64(SLICE("9223372036854775808"), &n));
	static const char *const none[] = { "", "+1", "-1", " 1", "1 ", "1_0", "0x1", "1.0", "\xD9\xA1" };
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(slice_to_u64(slice_of(none[i]), &u));
	assert_int_equal(u, 7); /* untouched by what was refused */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_without_case), cmocka_unit_test(trims_blanks),
		cmocka_unit_test(judges_utf8),           cmocka_unit_test(counts_code_points),
		cmocka_unit_test(reads_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
