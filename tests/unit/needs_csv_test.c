/* SPDX-License-Identifier: Apache-2.0
 * The CSV side of the needs reader: encodings, quoting, blank rows, header, limits, and every refusal. */
#include "needs_help.h"
#include "unit.h"
#include <iconv.h>

#define ROW(name) "1," name ",男,C,肢体,四级,H,户主,,640324,村,址,,,一般,,扶手,,,"
#define FILE_OF(rows) HELP_HEADER "\r\n" rows

static void refused_as(struct help_file *file, const char *code, uint32_t row, const char *column)
{
	assert_int_equal(file->end, NEEDS_REFUSED);
	assert_string_equal(file->problem.code, code);
	assert_int_equal(file->problem.row, row);
	assert_string_equal(file->problem.column, column);
	assert_true(file->problem.detail[0] != '\0');
	assert_true(slice_is_utf8(slice_of(file->problem.detail)));
	help_file_free(file);
}

static void refuses(const char *text, const char *code, uint32_t row, const char *column)
{
	refused_as(help_read_bytes(slice_of(text)), code, row, column);
}

static struct help_file *reads_slice(struct slice bytes, uint32_t rows)
{
	struct help_file *file = help_read_bytes(bytes);
	assert_string_equal(file->problem.detail, "");
	assert_int_equal(file->end, NEEDS_END);
	assert_int_equal(file->rows, rows);
	return file;
}

static struct help_file *reads(const char *text, uint32_t rows)
{
	return reads_slice(slice_of(text), rows);
}

static void name_is(struct help_file *file, uint32_t row, const char *name)
{
	assert_string_equal(file->cell[row - 1][NEEDS_NAME], name);
}

/* The text in another encoding; the caller frees .at. */
static struct slice encoded(const char *text, const char *encoding)
{
	iconv_t to = iconv_open(encoding, "UTF-8");
	size_t left = strlen(text), room = left * 4 + 8;
	char *out = malloc(room), *at = out, *from = (char *)(uintptr_t)text;
	assert_int_equal(iconv(to, &from, &left, &at, &room), 0);
	iconv_close(to);
	return (struct slice){ out, (size_t)(at - out) };
}

/* --- encodings --- */

static void utf8_is_read(void **state)
{
	(void)state;
	struct help_file *file = reads(FILE_OF(ROW("崔林") "\r\n"), 1);
	assert_int_equal(file->format, NEEDS_CSV_UTF8);
	assert_string_equal(file->cell[0][NEEDS_SEQUENCE], "1");
	name_is(file, 1, "崔林");
	assert_string_equal(file->cell[0][NEEDS_RETROFIT], "扶手");
	assert_string_equal(file->cell[0][NEEDS_REMARK], "");
	help_file_free(file);
}

static void utf8_with_mark_is_read(void **state)
{
	(void)state;
	struct help_file *file = reads("\xEF\xBB\xBF" FILE_OF(ROW("a")), 1);
	assert_int_equal(file->format, NEEDS_CSV_UTF8_BOM);
	help_file_free(file);
}

static void gb18030_is_read(void **state)
{
	(void)state;
	struct slice bytes = encoded(FILE_OF(ROW("旦𠮷林€") "\r\n" ROW("한글") "\r\n"), "GB18030");
	struct help_file *file = reads_slice(bytes, 2);
	assert_int_equal(file->format, NEEDS_CSV_GB18030);
	name_is(file, 1, "旦𠮷林€");
	name_is(file, 2, "한글");
	help_file_free(file);
	free((char *)(uintptr_t)bytes.at);
}

/* Characters of one to four bytes lie across every border of the reader's pieces. */
static void pieces_cut_no_character(void **state)
{
	static const char *const encodings[] = { "UTF-8", "GB18030" };
	(void)state;
	for (int shift = 0; shift < 8; shift++) {
		struct help_bytes text = { 0 };
		help_add_text(&text, HELP_HEADER "\n");
		for (int i = 0; i < 2000; i++)
			help_add_text(&text, ROW("旦𠮷林é") "\n");
		help_add(&text, "         ", (size_t)shift);
		help_add_text(&text, ROW("末") "\n");
		for (int e = 0; e < 2; e++) {
			struct slice bytes = encoded(text.at, encodings[e]);
			struct help_file *file = reads_slice(bytes, 2001);
			assert_int_equal(file->format, e == 0 ? NEEDS_CSV_UTF8 : NEEDS_CSV_GB18030);
			help_file_free(file);
			free((char *)(uintptr_t)bytes.at);
		}
		free(text.at);
	}
}

static void a_byte_at_a_time_is_the_same(void **state)
{
	static const char text[] = FILE_OF("1,\"a\"\"\r\n崔,\",男,,,,,,,,,,,,,,,,,\r\n\r\n" ROW("b"));
	(void)state;
	struct slice encodings[] = { slice_of(text), encoded(text, "GB18030") };
	for (int e = 0; e < 2; e++) {
		struct help_memory memory = help_memory_of(encodings[e]);
		struct needs_source source = help_source(&memory);
		struct needs_limits limits = needs_limits_default();
		memory.step = 1;
		struct help_file *file = help_read_source(&source, &limits);
		assert_int_equal(file->end, NEEDS_END);
		assert_int_equal(file->rows, 3);
		name_is(file, 1, "a\"\r\n崔,");
		name_is(file, 3, "b");
		help_file_free(file);
	}
	free((char *)(uintptr_t)encodings[1].at);
}

static void other_encodings_are_refused(void **state)
{
	(void)state;
	refuses("\xEF\xBB\xBF" FILE_OF("\xB4\xDE"), "encoding_unknown", 0, ""); /* a mark, then no UTF-8 */
	refuses("\xFF\xFE\x31\x04", "encoding_unknown", 0, "");                 /* UTF-16 */
	refuses(FILE_OF(ROW("\xFF")), "encoding_unknown", 0, "");
	refuses(FILE_OF(ROW("ok")) "\xE5\xB4", "encoding_unknown", 0, ""); /* cut within a character */
	refuses("\xB4\xDE\xC1\xD6,a\r\n", "encoding_unknown", 0, "");      /* decodes, but names no column */
	refuses("\xFE\xB7" HELP_HEADER, "encoding_unknown", 0, "");        /* UTF-8, once */
	struct help_file *file = help_read_bytes((struct slice){ "a\0b\0,\0", 6 });
	refused_as(file, "encoding_unknown", 0, "");
}

/* GB18030 is found by the header, broken further down. */
static void gb18030_broken_late_is_refused(void **state)
{
	struct help_bytes text = { 0 };
	(void)state;
	struct slice head = encoded(FILE_OF(""), "GB18030");
	help_add(&text, head.at, head.len);
	for (int i = 0; i < 5000; i++)
		help_add_text(&text, "1,a,,,,,,,,,,,,,,,,,,\r\n");
	help_add_text(&text, "1,\x81\x20,,,,,,,,,,,,,,,,,,\r\n");
	refused_as(help_read_bytes(help_taken(&text)), "encoding_unknown", 0, "");
	text.len -= 25;
	help_add_text(&text, "\x81"); /* half a character ends the file */
	refused_as(help_read_bytes(help_taken(&text)), "encoding_unknown", 0, "");
	free(text.at);
	free((char *)(uintptr_t)head.at);
}

/* --- rows and cells --- */

static void line_ends_of_every_kind(void **state)
{
	static const char *const ends[] = { "\r\n", "\n", "\r" };
	(void)state;
	for (int i = 0; i < 3; i++) {
		char text[1024];
		snprintf(text, sizeof text, "%s%s%s%s%s%s", HELP_HEADER, ends[i], ROW("a"), ends[i], ROW("b"),
			 i == 1 ? "" : ends[i]);
		struct help_file *file = reads(text, 2);
		name_is(file, 1, "a");
		name_is(file, 2, "b");
		help_file_free(file);
	}
}

static void quotes_hold_commas_quotes_and_lines(void **state)
{
	(void)state;
	struct help_file *file = reads(FILE_OF(ROW("\"a,\"\"b\"\"\r\nc\"") "\r\n" ROW("\"\"")), 2);
	name_is(file, 1, "a,\"b\"\r\nc");
	name_is(file, 2, "");
	help_file_free(file);
}

static void quotes_out_of_place_are_refused(void **state)
{
	(void)state;
	refuses(FILE_OF(ROW("a\"b\"")), "csv_quote", 1, "姓名");
	refuses(FILE_OF(ROW("a") "\n" ROW("\"b\"c")), "csv_quote", 2, "姓名");
	refuses(FILE_OF(ROW("a") "\n1,\"b"), "csv_quote", 2, "姓名");
	refuses("序号,\"姓名\"x", "csv_quote", 0, "");
}

static void blanks_at_the_ends_go(void **state)
{
	(void)state;
	struct help_file *file = reads(FILE_OF(ROW(" \t\xE3\x80\x80崔 林\xC2\xA0 ") "\n" ROW("\" b \"")), 2);
	name_is(file, 1, "崔 林");
	name_is(file, 2, "b");
	help_file_free(file);
}

static void blank_tail_is_ignored(void **state)
{
	(void)state;
	help_file_free(
		reads(FILE_OF(ROW("a") "\r\n\r\n,,,,\r\n  ,\t,\r\n,,,,,,,,,,,,,,,,,,,,,,,,,,,,\r\n"), 1));
	help_file_free(reads(FILE_OF(""), 0));
	help_file_free(reads(HELP_HEADER, 0));
}

static void blank_row_in_the_middle_is_given(void **state)
{
	(void)state;
	struct help_file *file = reads(FILE_OF("\r\n" ROW("a") "\r\n\r\n,,\r\n" ROW("b") "\r\n\r\n"), 5);
	name_is(file, 1, "");
	name_is(file, 2, "a");
	name_is(file, 4, "");
	name_is(file, 5, "b");
	help_file_free(file);
}

static void blank_rows_before_the_header_do_not_count(void **state)
{
	(void)state;
	struct help_file *file = reads("\r\n,,\r\n" FILE_OF(ROW("a")), 1);
	name_is(file, 1, "a");
	help_file_free(file);
}

static void short_row_has_blank_cells(void **state)
{
	(void)state;
	struct help_file *file = reads(FILE_OF("7,a\r\n"), 1);
	assert_string_equal(file->cell[0][NEEDS_SEQUENCE], "7");
	assert_string_equal(file->cell[0][NEEDS_DEVICES], "");
	help_file_free(file);
}

static void control_characters_are_refused(void **state)
{
	(void)state;
	refuses(FILE_OF(ROW("a\x01")), "cell_control", 1, "姓名");
	refuses(FILE_OF(ROW("ok") "\n" ROW("\x7F")), "cell_control", 2, "姓名");
	struct help_bytes text = { 0 };
	help_add_text(&text, FILE_OF(""));
	for (int i = 0; i < 4000; i++)
		help_add_text(&text, ROW("a") "\n");
	help_add(&text, "1,\0,\n", 5); /* far from the front, where a NUL tells the encoding */
	refused_as(help_read_bytes(help_taken(&text)), "cell_control", 4001, "姓名");
	free(text.at);
}

/* --- the header --- */

static void columns_come_in_any_order(void **state)
{
	struct help_bytes text = { 0 };
	(void)state;
	help_add_text(&text, "错误说明,");
	for (int i = NEEDS_COLUMNS - 1; i >= 0; i--) {
		help_add_text(&text, needs_column_names[i]);
		help_add_text(&text, i > 0 ? "," : ",错误代码,,\n");
	}
	help_add_text(&text,
		      "why,r,d,dev,ret,t,p,lat,lon,addr,vil,reg,tel,rel,hh,lev,cat,cert,sex,name,seq,code\n");
	help_add_text(&text, "only,,,,,,,,,,,,,,,,,,,,,errors\n");
	struct help_file *file = reads(text.at, 1);
	name_is(file, 1, "name");
	assert_string_equal(file->cell[0][NEEDS_SEQUENCE], "seq");
	assert_string_equal(file->cell[0][NEEDS_REMARK], "r");
	help_file_free(file);
	free(text.at);
}

static void header_missing_is_refused(void **state)
{
	(void)state;
	refuses(ROW("a") "\r\n", "header_missing", 0, "");
	refuses("name,certificate\r\n", "header_missing", 0, "");
}

static void column_missing_is_refused(void **state)
{
	(void)state;
	refuses("序号,姓名\r\n1,a", "column_missing", 0, "性别");
}

static void column_unknown_is_refused(void **state)
{
	(void)state;
	refuses(HELP_HEADER ",民族\r\n", "column_unknown", 0, "民族");
	refuses("序号,,姓名", "column_unknown", 0, ""); /* a heading left blank between two */
}

static void column_unknown_and_long_is_named_in_part(void **state)
{
	struct help_bytes text = { 0 };
	(void)state;
	help_add_text(&text, HELP_HEADER ",");
	for (int i = 0; i < 300; i++)
		help_add_text(&text, "族");
	struct help_file *file = help_read_bytes(help_taken(&text));
	assert_string_equal(file->problem.code, "column_unknown");
	assert_int_equal(strlen(file->problem.column), 63);
	assert_true(slice_is_utf8(slice_of(file->problem.column)));
	help_file_free(file);
	free(text.at);
}

static void column_twice_is_refused(void **state)
{
	(void)state;
	refuses(HELP_HEADER ",姓名\r\n", "column_twice", 0, "姓名");
	refuses("错误代码," HELP_HEADER ",错误代码\r\n", "column_twice", 0, "错误代码");
}

static void row_too_wide_is_refused(void **state)
{
	(void)state;
	refuses(FILE_OF(ROW("a") "\r\n" ROW("b") ",x\r\n"), "row_too_wide", 2, "");
	help_file_free(reads(FILE_OF(ROW("a") ", , ,\r\n"), 1)); /* blank cells are no cells */
}

static void columns_past_the_limit_are_refused(void **state)
{
	struct help_bytes text = { 0 };
	(void)state;
	help_add_text(&text, HELP_HEADER);
	for (int i = 0; i < 100000; i++)
		help_add_text(&text, ",");
	help_add_text(&text, "x\n");
	refused_as(help_read_bytes(help_taken(&text)), "row_too_wide", 0, "");
	text.len = strlen(HELP_HEADER);
	help_add_text(&text, "\n");
	for (int i = 0; i < 100000; i++)
		help_add_text(&text, ",");
	help_add_text(&text, "x\n");
	refused_as(help_read_bytes(help_taken(&text)), "row_too_wide", 1, "");
	free(text.at);
}

/* --- limits and the source --- */

static void cell_too_long_is_refused(void **state)
{
	struct help_bytes text = { 0 };
	(void)state;
	help_add_text(&text, FILE_OF("1,"));
	for (int i = 0; i < 4096; i++)
		help_add_text(&text, "a");
	struct help_file *file = reads(text.at, 1);
	assert_int_equal(strlen(file->cell[0][NEEDS_NAME]), 4096);
	help_file_free(file);
	help_add_text(&text, "a");
	refuses(text.at, "cell_too_long", 1, "姓名");
	free(text.at);
}

static void too_many_rows_are_refused(void **state)
{
	struct help_memory memory = help_memory_of(SLICE(FILE_OF("1\n2\n\n\n3\n\n")));
	struct needs_source source = help_source(&memory);
	struct needs_limits limits = needs_limits_default();
	(void)state;
	limits.rows = 5;
	struct help_file *file = help_read_source(&source, &limits);
	assert_int_equal(file->end, NEEDS_END);
	assert_int_equal(file->rows, 5);
	help_file_free(file);
	limits.rows = 4;
	memory.at = 0;
	refused_as(help_read_source(&source, &limits), "too_many_rows", 0, "");
}

static void empty_file_is_refused(void **state)
{
	(void)state;
	refuses("", "file_empty", 0, "");
	refuses("\xEF\xBB\xBF", "file_empty", 0, "");
	refuses("\r\n , \r\n\r\n", "file_empty", 0, "");
}

static void unreadable_source_is_refused(void **state)
{
	struct needs_limits limits = needs_limits_default();
	(void)state;
	for (int reads = 0; reads < 5; reads++) {
		struct help_memory memory = help_memory_of(SLICE(FILE_OF(ROW("a"))));
		struct needs_source source = help_source(&memory);
		memory.reads_left = reads;
		refused_as(help_read_source(&source, &limits), "file_unreadable", 0, "");
	}
	struct help_memory memory = help_memory_of(SLICE(FILE_OF(ROW("a"))));
	struct needs_source source = help_source(&memory);
	memory.rewind_fails = true;
	refused_as(help_read_source(&source, &limits), "file_unreadable", 0, "");
}

static void refusal_stays(void **state)
{
	struct help_memory memory = help_memory_of(SLICE(FILE_OF(ROW("a\"") "\n" ROW("b"))));
	struct needs_source source = help_source(&memory);
	struct needs_limits limits = needs_limits_default();
	struct needs_problem problem;
	struct needs_row row;
	(void)state;
	struct needs_reader *reader = needs_reader_open(&source, &needs_table, &limits, &problem);
	for (int i = 0; i < 3; i++) {
		memset(&problem, 0, sizeof problem);
		assert_int_equal(needs_reader_next(reader, &row, &problem), NEEDS_REFUSED);
		assert_string_equal(problem.code, "csv_quote");
		assert_string_equal(problem.detail,
				    "row 1, column 姓名: a quote inside a cell that does not begin with one");
	}
	needs_reader_close(&reader);
	assert_null(reader);
}

static void probe_counts_or_refuses(void **state)
{
	struct help_memory memory = help_memory_of(SLICE(FILE_OF(ROW("a") "\n\n" ROW("b") "\n\n\n")));
	struct needs_source source = help_source(&memory);
	struct needs_limits limits = needs_limits_default();
	struct needs_problem problem;
	enum needs_format format = NEEDS_XLSX;
	uint32_t rows = 99;
	(void)state;
	assert_true(needs_probe(&source, &needs_table, &limits, &format, &rows, &problem));
	assert_int_equal(rows, 3);
	assert_int_equal(format, NEEDS_CSV_UTF8);
	memory = help_memory_of(SLICE(FILE_OF(ROW("a") "\n\"")));
	assert_false(needs_probe(&source, &needs_table, &limits, &format, &rows, &problem));
	assert_string_equal(problem.code, "csv_quote");
	memory = help_memory_of(SLICE("x"));
	assert_false(needs_probe(&source, &needs_table, &limits, &format, &rows, &problem));
	assert_string_equal(problem.code, "header_missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_read),
		cmocka_unit_test(utf8_with_mark_is_read),
		cmocka_unit_test(gb18030_is_read),
		cmocka_unit_test(pieces_cut_no_character),
		cmocka_unit_test(a_byte_at_a_time_is_the_same),
		cmocka_unit_test(other_encodings_are_refused),
		cmocka_unit_test(gb18030_broken_late_is_refused),
		cmocka_unit_test(line_ends_of_every_kind),
		cmocka_unit_test(quotes_hold_commas_quotes_and_lines),
		cmocka_unit_test(quotes_out_of_place_are_refused),
		cmocka_unit_test(blanks_at_the_ends_go),
		cmocka_unit_test(blank_tail_is_ignored),
		cmocka_unit_test(blank_row_in_the_middle_is_given),
		cmocka_unit_test(blank_rows_before_the_header_do_not_count),
		cmocka_unit_test(short_row_has_blank_cells),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(columns_come_in_any_order),
		cmocka_unit_test(header_missing_is_refused),
		cmocka_unit_test(column_missing_is_refused),
		cmocka_unit_test(column_unknown_is_refused),
		cmocka_unit_test(column_unknown_and_long_is_named_in_part),
		cmocka_unit_test(column_twice_is_refused),
		cmocka_unit_test(row_too_wide_is_refused),
		cmocka_unit_test(columns_past_the_limit_are_refused),
		cmocka_unit_test(cell_too_long_is_refused),
		cmocka_unit_test(too_many_rows_are_refused),
		cmocka_unit_test(empty_file_is_refused),
		cmocka_unit_test(unreadable_source_is_refused),
		cmocka_unit_test(refusal_stays),
		cmocka_unit_test(probe_counts_or_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
