/* SPDX-License-Identifier: Apache-2.0
 * The XLSX side of the needs reader: every kind of cell, and workbooks of odd make that are read all the
 * same. Workbooks are made by hand (needs_help.h), so that they can be odd. */
#include "needs_xlsx_help.h"

/* The first cell of the only row reads so. */
static void cell_reads(const char *cell, const char *expected)
{
	char rows[1024];
	snprintf(rows, sizeof rows, "<row>%s<c t=\"str\"><v>end</v></c></row>", cell);
	struct help_file *file = help_reads(rows, 1);
	assert_string_equal(file->cell[0][0], expected);
	assert_string_equal(file->cell[0][1], "end");
	help_file_free(file);
}

static void text_cells_read(void **state)
{
	(void)state;
	cell_reads("<c t=\"inlineStr\"><is><t>崔林</t></is></c>", "崔林");
	cell_reads("<c t=\"inlineStr\"><is><t xml:space=\"preserve\"> a &lt;b&gt; &#23828; </t></is></c>",
		   "a <b> 崔");
	cell_reads("<c t=\"inlineStr\"><is><r><rPr><b/></rPr><t>one</t></r><r><t>two</t></r></is></c>",
		   "onetwo");
	cell_reads("<c t=\"inlineStr\"><is><t>漢</t><rPh sb=\"0\" eb=\"1\"><t>かん</t></rPh></is></c>", "漢");
	cell_reads("<c t=\"str\"><v>a</v></c>", "a");
	cell_reads("<c t=\"inlineStr\"></c>", "");
	cell_reads("<c/>", "");
	cell_reads("<c t=\"s\"/>", "");
	cell_reads("<c t=\"inlineStr\"><is><t>a_x000D_b_x005F_x0041_</t></is></c>", "a\rb_x0041_");
}

static void numbers_read_as_shown(void **state)
{
	(void)state;
	cell_reads("<c><v>640324201</v></c>", "640324201");
	cell_reads("<c t=\"n\"><v>1.3566778899E10</v></c>", "13566778899");
	cell_reads("<c><v>42.0</v></c>", "42");
	cell_reads("<c><v>-0.0</v></c>", "0");
	cell_reads("<c><v>106.19015599999999</v></c>", "106.190156");
	cell_reads("<c><v>64032419430612457043</v></c>", "64032419430612457043"); /* written whole: exact */
	cell_reads("<c><v>6.4032419430612398E+17</v></c>", "6.4032419430612398E+17"); /* digits were lost */
	cell_reads("<c><v>nan</v></c>", "nan");
	cell_reads("<c><v>0x10</v></c>", "0x10");
	cell_reads("<c><v>1e999</v></c>", "1e999");
}

static void booleans_and_errors_read(void **state)
{
	(void)state;
	cell_reads("<c t=\"b\"><v>1</v></c>", "TRUE");
	cell_reads("<c t=\"b\"><v>0</v></c>", "FALSE");
	cell_reads("<c t=\"b\"><v>7</v></c>", "7");
	cell_reads("<c t=\"e\"><v>#N/A</v></c>", "#N/A");
	cell_reads("<c t=\"d\"><v>2023-03-26T00:00:00</v></c>", "2023-03-26");
	cell_reads("<c t=\"d\"><v>2023-03-26</v></c>", "2023-03-26");
}

static void shared_strings_read(void **state)
{
	char *sheet = help_sheet_of(
		"<row><c t=\"s\"><v>2</v></c><c t=\"s\"><v>0</v></c><c t=\"s\"><v>1</v></c></row>");
	struct help_book book = help_book_of(sheet);
	(void)state;
	book.strings = HELP_XML
		"<x:sst xmlns:x=\"x\" count=\"3\"><x:si><x:t>first</x:t></x:si><x:si/>"
		"<x:si><x:r><x:t>third</x:t></x:r><x:rPh><x:t>no</x:t></x:rPh><x:r><x:t>_x0041_</x:t>"
		"</x:r></x:si></x:sst>";
	struct help_file *file = help_read_book(&book);
	assert_int_equal(file->end, NEEDS_END);
	assert_string_equal(file->cell[0][0], "thirdA");
	assert_string_equal(file->cell[0][1], "first");
	assert_string_equal(file->cell[0][2], "");
	help_file_free(file);
	free(sheet);
}

static void dates_read_by_their_style(void **state)
{
	char *sheet = help_sheet_of(
		"<row><c s=\"1\"><v>45011</v></c><c s=\"2\"><v>45011.75</v></c><c s=\"0\"><v>45011</v></c>"
		"<c><v>45011</v></c><c s=\"3\"><v>45011</v></c><c s=\"1\"><v>64032420</v></c>"
		"<c s=\"99\"><v>45011</v></c></row>");
	struct help_book book = help_book_of(sheet);
	static const char *const expected[] = { "2023-03-26", "2023-03-26", "45011", "45011",
						"45011",      "64032420",   "45011" };
	(void)state;
	book.styles = HELP_XML "<styleSheet><numFmts><numFmt numFmtId=\"176\" "
			       "formatCode=\"yyyy&quot;年&quot;m&quot;月&quot;\"/>"
			       "<numFmt numFmtId=\"177\" formatCode=\"0.00&quot;yard&quot;\"/></numFmts>"
			       "<cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs>"
			       "<cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"176\"/>"
			       "<xf numFmtId=\"177\"/></cellXfs></styleSheet>";
	struct help_file *file = help_read_book(&book);
	assert_int_equal(file->end, NEEDS_END);
	for (int i = 0; i < 7; i++)
		assert_string_equal(file->cell[0][i], expected[i]);
	help_file_free(file);
	book.book = "<workbook xmlns:r=\"r\"><workbookPr date1904=\"1\"/><sheets><sheet "
		    "r:id=\"rId7\"/></sheets></workbook>";
	file = help_read_book(&book);
	assert_string_equal(file->cell[0][0], "2027-03-27");
	help_file_free(file);
	free(sheet);
}

static void cells_out_of_order_find_their_columns(void **state)
{
	(void)state;
	struct help_file *file =
		help_reads("<row><c r=\"C2\"><v>3</v></c><c r=\"A2\"><v>1</v></c><c><v>2</v></c>"
			   "<c r=\"T2\" t=\"str\"><v>end</v></c></row>",
			   1);
	assert_string_equal(file->cell[0][0], "1");
	assert_string_equal(file->cell[0][1], "2");
	assert_string_equal(file->cell[0][2], "3");
	assert_string_equal(file->cell[0][NEEDS_REMARK], "end");
	help_file_free(file);
}

static void rows_left_out_count_and_tails_do_not(void **state)
{
	(void)state;
	struct help_file *file =
		help_reads("<row r=\"3\"><c><v>3</v></c></row><row r=\"4\"/><row r=\"6\"><c><v>6</v></c>"
			   "</row><row r=\"7\"><c s=\"1\"/></row><row r=\"9000\"/>",
			   5);
	assert_string_equal(file->cell[0][0], "");
	assert_string_equal(file->cell[1][0], "3");
	assert_string_equal(file->cell[2][0], "");
	assert_string_equal(file->cell[4][0], "6");
	help_file_free(file);
}

static void prefixes_and_strangers_do_not_disturb(void **state)
{
	struct help_bytes sheet = { 0 };
	(void)state;
	help_add_text(&sheet, "<x:worksheet xmlns:x=\"x\" xmlns:y=\"y\"><y:f>1</y:f><x:sheetData><y:other/>");
	help_sheet_header(&sheet);
	help_add_text(
		&sheet,
		"<x:row r=\"2\"><y:ext/><x:c r=\"A2\" t=\"str\"><x:v>one</x:v></x:c></x:row></x:sheetData>"
		"<x:extLst><y:cfRule><y:f>B1</y:f></y:cfRule></x:extLst></x:worksheet>");
	struct help_book book = help_book_of(sheet.at);
	struct help_file *file = help_read_book(&book);
	assert_int_equal(file->end, NEEDS_END);
	assert_int_equal(file->rows, 1);
	assert_string_equal(file->cell[0][0], "one");
	help_file_free(file);
	free(sheet.at);
}

/* No package relationships, no strings, no styles: still a workbook. */
static void bare_book_reads(void **state)
{
	char *sheet = help_sheet_of("<row><c><v>1</v></c></row>");
	struct help_book book = help_book_of(sheet);
	(void)state;
	book.relations = book.strings = book.styles = NULL;
	book.book_relations = "<Relationships><Relationship Id=\"rId7\" Type=\"x/worksheet\" "
			      "Target=\"worksheets/first.xml\"/>"
			      "</Relationships>";
	struct help_file *file = help_read_book(&book);
	assert_int_equal(file->end, NEEDS_END);
	assert_int_equal(file->rows, 1);
	help_file_free(file);
	free(sheet);
}

static void sheet_with_no_rows_is_empty(void **state)
{
	struct help_book book = help_book_of(HELP_SHEET(""));
	(void)state;
	help_refused_as(help_read_book(&book), "file_empty", 0, "", "no row");
	book.sheet = "<worksheet/>";
	help_refused_as(help_read_book(&book), "file_empty", 0, "", "no row");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_cells_read),
		cmocka_unit_test(numbers_read_as_shown),
		cmocka_unit_test(booleans_and_errors_read),
		cmocka_unit_test(shared_strings_read),
		cmocka_unit_test(dates_read_by_their_style),
		cmocka_unit_test(cells_out_of_order_find_their_columns),
		cmocka_unit_test(rows_left_out_count_and_tails_do_not),
		cmocka_unit_test(prefixes_and_strangers_do_not_disturb),
		cmocka_unit_test(bare_book_reads),
		cmocka_unit_test(sheet_with_no_rows_is_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
