/* SPDX-License-Identifier: Apache-2.0
 * What XLSX files write in ways of their own: day numbers, number formats, escapes, references, paths. */
#include "service/needs/needs_date.h"
#include "service/needs/xlsx_book.h"
#include "service/needs/xlsx_styles.h"
#include "service/needs/xlsx_value.h"
#include "unit.h"

static void serial_days_are_those_of_the_spreadsheet(void **state)
{
	static const struct {
		double serial;
		bool date1904;
		const char *day; /* NULL: none */
	} cases[] = { { 1, false, "1900-01-01" },
		      { 59, false, "1900-02-28" },
		      { 60, false, NULL },
		      { 61, false, "1900-03-01" },
		      { 44197, false, "2021-01-01" },
		      { 45351, false, "2024-02-29" },
		      { 2958465, false, "9999-12-31" },
		      { 2958466, false, NULL },
		      { 0, false, NULL },
		      { -1, false, NULL },
		      { 0, true, "1904-01-01" },
		      { 60, true, "1904-03-01" },
		      { 2957003, true, "9999-12-31" },
		      { 2957004, true, NULL },
		      { -0.5, true, NULL } };
	char day[NEEDS_DATE_BYTES];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool is_day = needs_date_of_serial(cases[i].serial, cases[i].date1904, day);
		assert_int_equal(is_day, cases[i].day != NULL);
		if (is_day)
			assert_string_equal(day, cases[i].day);
	}
}

static void date_formats_are_told_from_others(void **state)
{
	static const char *const dates[] = { "yyyy-mm-dd", "m/d/yy h:mm", "[$-804]yyyy\"年\"",
					     "d",          "[Red]YYYY",   "\\d0d" };
	static const char *const others[] = { "",        "General", "0.00", "[Red]0", "\"day\"0", "\\d0",
					      "h:mm:ss", "_d0*y0",  "[",    "\"",     "\\" };
	(void)state;
	for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
		assert_true(xlsx_format_is_date(dates[i]));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(xlsx_format_is_date(others[i]));
}

static void escapes_come_back(void **state)
{
	static const char *const texts[] = {
		"",          "_",         "_x0041", "_x0041_", "_x005F_x0041_", "_x0041_x0042_",
		"a_xD800_b", "__x0041__", "_x00g1_"
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char out[64];
		size_t len = xlsx_escape(slice_of(texts[i]), out);
		assert_true(len <= XLSX_ESCAPED_MOST(strlen(texts[i])));
		len = xlsx_unescape(out, len);
		assert_true(slice_is((struct slice){ out, len }, texts[i]));
	}
	char bytes[] = "_x0041__x00e9__x5d14__xD83D_";
	size_t len = xlsx_unescape(bytes, sizeof bytes - 1);
	assert_true(slice_is((struct slice){ bytes, len }, "Aé崔_xD83D_"));
}

static void references_name_columns(void **state)
{
	static const struct {
		const char *reference;
		size_t column;
	} cases[] = { { "A1", 0 },   { "Z9", 25 },   { "AA10", 26 },  { "AZ1", 51 },
		      { "BA1", 52 }, { "ZZ1", 701 }, { "AAA1", 702 }, { "XFD1048576", 16383 } };
	static const char *const bad[] = { "", "1", "A", "a1", "XFE1", "AAAA1", "A0", "$A$1" };
	size_t column;
	char out[XLSX_REFERENCE_BYTES];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(xlsx_reference_column(cases[i].reference, &column));
		assert_int_equal(column, cases[i].column);
		xlsx_reference_write(column, 7, out);
		assert_int_equal(strncmp(out, cases[i].reference, strspn(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
				 0);
		assert_string_equal(out + strspn(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "7");
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(xlsx_reference_column(bad[i], &column));
}

static void paths_resolve_within_the_zip(void **state)
{
	static const char *const cases[][3] = { { "xl/workbook.xml", "worksheets/a.xml",
						  "xl/worksheets/a.xml" },
						{ "xl/workbook.xml", "/xl/a.xml", "xl/a.xml" },
						{ "xl/workbook.xml", "../b/./a.xml", "b/a.xml" },
						{ "", "xl/workbook.xml", "xl/workbook.xml" },
						{ "xl/workbook.xml", "../../../../a.xml", "a.xml" } };
	char out[XLSX_PATH_BYTES], longest[XLSX_PATH_BYTES + 1];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(xlsx_path_resolve(cases[i][0], cases[i][1], out));
		assert_string_equal(out, cases[i][2]);
	}
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	assert_false(xlsx_path_resolve("", longest, out));
	assert_false(xlsx_path_resolve(longest, "a", out));
	assert_false(xlsx_path_resolve("xl/workbook.xml", "..", out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serial_days_are_those_of_the_spreadsheet),
		cmocka_unit_test(date_formats_are_told_from_others),
		cmocka_unit_test(escapes_come_back),
		cmocka_unit_test(references_name_columns),
		cmocka_unit_test(paths_resolve_within_the_zip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
