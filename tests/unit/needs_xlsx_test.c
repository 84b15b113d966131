/* SPDX-License-Identifier: Apache-2.0
 * The XLSX side of the needs reader: every kind of cell, workbooks of odd make, and every refusal.
 * Workbooks are made by hand (needs_help.h), so that they can be wrong. */
#include "needs_help.h"
#include "service/needs/needs_date.h"
#include "service/needs/xlsx_book.h"
#include "service/needs/xlsx_styles.h"
#include "service/needs/xlsx_value.h"
#include "unit.h"

/* The header row and then these rows, as a sheet in memory that the caller frees. */
static char *sheet_of(const char *rows)
{
	struct help_bytes sheet = { 0 };
	help_add_text(&sheet, HELP_XML "<worksheet><sheetData>");
	help_sheet_header(&sheet);
	help_add_text(&sheet, rows);
	help_add_text(
		&sheet,
		"</sheetData><mergeCells count=\"1\"><mergeCell ref=\"A1:B1\"/></mergeCells></worksheet>");
	return sheet.at;
}

static struct help_file *read_book(const struct help_book *book)
{
	struct help_zip zip = { 0 };
	struct help_file *file = help_read_bytes(help_book_zip(&zip, book));
	free(zip.bytes.at);
	return file;
}

static struct help_file *read_rows(const char *rows)
{
	char *sheet = sheet_of(rows);
	struct help_book book = help_book_of(sheet);
	struct help_file *file = read_book(&book);
	free(sheet);
	return file;
}

static struct help_file *reads(const char *rows, uint32_t count)
{
	struct help_file *file = read_rows(rows);
	assert_string_equal(file->problem.detail, "");
	assert_int_equal(file->end, NEEDS_END);
	assert_int_equal(file->format, NEEDS_XLSX);
	assert_int_equal(file->rows, count);
	return file;
}

static void refused_as(struct help_file *file, const char *code, uint32_t row, const char *column,
		       const char *detail)
{
	assert_int_equal(file->end, NEEDS_REFUSED);
	assert_string_equal(file->problem.code, code);
	assert_int_equal(file->problem.row, row);
	assert_string_equal(file->problem.column, column);
	if (!strstr(file->problem.detail, detail))
		fail_msg("%s: not about %s", file->problem.detail, detail);
	help_file_free(file);
}

/* The first cell of the only row reads so. */
static void cell_reads(const char *cell, const char *expected)
{
	char rows[1024];
	snprintf(rows, sizeof rows, "<row>%s<c t=\"str\"><v>end</v></c></row>", cell);
	struct help_file *file = reads(rows, 1);
	assert_string_equal(file->cell[0][0], expected);
	assert_string_equal(file->cell[0][1], "end");
	help_file_free(file);
}

/* --- cells --- */

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
	char *sheet =
		sheet_of("<row><c t=\"s\"><v>2</v></c><c t=\"s\"><v>0</v></c><c t=\"s\"><v>1</v></c></row>");
	struct help_book book = help_book_of(sheet);
	(void)state;
	book.strings = HELP_XML
		"<x:sst xmlns:x=\"x\" count=\"3\"><x:si><x:t>first</x:t></x:si><x:si/>"
		"<x:si><x:r><x:t>third</x:t></x:r><x:rPh><x:t>no</x:t></x:rPh><x:r><x:t>_x0041_</x:t>"
		"</x:r></x:si></x:sst>";
	struct help_file *file = read_book(&book);
	assert_int_equal(file->end, NEEDS_END);
	assert_string_equal(file->cell[0][0], "thirdA");
	assert_string_equal(file->cell[0][1], "first");
	assert_string_equal(file->cell[0][2], "");
	help_file_free(file);
	free(sheet);
}

static void dates_read_by_their_style(void **state)
{
	char *sheet = sheet_of(
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
	struct help_file *file = read_book(&book);
	assert_int_equal(file->end, NEEDS_END);
	for (int i = 0; i < 7; i++)
		assert_string_equal(file->cell[0][i], expected[i]);
	help_file_free(file);
	book.book = "<workbook xmlns:r=\"r\"><workbookPr date1904=\"1\"/><sheets><sheet "
		    "r:id=\"rId7\"/></sheets></workbook>";
	file = read_book(&book);
	assert_string_equal(file->cell[0][0], "2027-03-27");
	help_file_free(file);
	free(sheet);
}

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

/* --- rows and books of odd make --- */

static void cells_out_of_order_find_their_columns(void **state)
{
	(void)state;
	struct help_file *file = reads("<row><c r=\"C2\"><v>3</v></c><c r=\"A2\"><v>1</v></c><c><v>2</v></c>"
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
		reads("<row r=\"3\"><c><v>3</v></c></row><row r=\"4\"/><row r=\"6\"><c><v>6</v></c>"
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
	struct help_file *file = read_book(&book);
	assert_int_equal(file->end, NEEDS_END);
	assert_int_equal(file->rows, 1);
	assert_string_equal(file->cell[0][0], "one");
	help_file_free(file);
	free(sheet.at);
}

/* No package relationships, no strings, no styles: still a workbook. */
static void bare_book_reads(void **state)
{
	char *sheet = sheet_of("<row><c><v>1</v></c></row>");
	struct help_book book = help_book_of(sheet);
	(void)state;
	book.relations = book.strings = book.styles = NULL;
	book.book_relations = "<Relationships><Relationship Id=\"rId7\" Type=\"x/worksheet\" "
			      "Target=\"worksheets/first.xml\"/>"
			      "</Relationships>";
	struct help_file *file = read_book(&book);
	assert_int_equal(file->end, NEEDS_END);
	assert_int_equal(file->rows, 1);
	help_file_free(file);
	free(sheet);
}

static void sheet_with_no_rows_is_empty(void **state)
{
	struct help_book book = help_book_of(HELP_SHEET(""));
	(void)state;
	refused_as(read_book(&book), "file_empty", 0, "", "no row");
	book.sheet = "<worksheet/>";
	refused_as(read_book(&book), "file_empty", 0, "", "no row");
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

/* --- refusals --- */

static void formula_is_refused(void **state)
{
	(void)state;
	refused_as(read_rows("<row><c><v>1</v></c></row><row><c r=\"D3\"><f>A1</f><v>2</v></c></row>"),
		   "xlsx_formula", 2, "残疾人证号", "D3: a formula");
	refused_as(read_rows("<row r=\"9\"><c/><c><f t=\"shared\" si=\"0\"/></c></row>"), "xlsx_formula", 8,
		   "姓名", "B9");
	struct help_book book = help_book_of(HELP_SHEET("<row><c><f>1</f></c></row>"));
	refused_as(read_book(&book), "xlsx_formula", 0, "", "A1");
}

static void broken_sheets_are_refused(void **state)
{
	static const struct {
		const char *rows, *detail;
	} cases[] = { { "<row r=\"1\"/>", "rows out of order" },
		      { "<row r=\"5\"/><row r=\"4\"/>", "rows out of order" },
		      { "<row r=\"x\"/>", "row number" },
		      { "<row r=\"1048577\"/>", "row number" },
		      { "<row r=\"1048576\"/><row/>", "rows out of order" },
		      { "<row><c r=\"\"/></row>", "cell reference" },
		      { "<row><c r=\"XFE1\"/></row>", "cell reference" },
		      { "<row></c></row>", "not well-formed" },
		      { "<row><c t=\"inlineStr\"><is><t>\x01</t></is></c></row>", "not well-formed" },
		      { "<row><c t=\"inlineStr\"><is><t>\xC3</t></is></c></row>", "not well-formed" },
		      { "<row><c t=\"inlineStr\"><is><t>&nbsp;</t></is></c></row>", "not well-formed" } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		refused_as(read_rows(cases[i].rows), "xlsx_broken", 0, "", cases[i].detail);
	refused_as(read_rows("<row><c r=\"A2\"><v>1</v></c><c r=\"A2\"><v>1</v></c></row>"), "xlsx_broken", 1,
		   "序号", "twice");
	refused_as(read_rows("<row><c t=\"s\"><v>0</v></c></row>"), "xlsx_broken", 1, "序号",
		   "shared string");
	refused_as(read_rows("<row><c t=\"s\"><v>-1</v></c></row>"), "xlsx_broken", 1, "序号",
		   "shared string");
}

static void control_characters_are_refused(void **state)
{
	(void)state;
	refused_as(read_rows("<row><c/><c t=\"inlineStr\"><is><t>a_x0000_b</t></is></c></row>"),
		   "cell_control", 1, "姓名", "control");
	refused_as(read_rows("<row><c/><c t=\"inlineStr\"><is><t>a\x7F</t></is></c></row>"), "cell_control",
		   1, "姓名", "control");
}

static void wide_and_long_cells_are_refused(void **state)
{
	struct help_bytes rows = { 0 };
	(void)state;
	refused_as(read_rows("<row><c r=\"U2\"><v>1</v></c></row>"), "row_too_wide", 1, "", "cell 21");
	refused_as(read_rows("<row><c r=\"XFD2\"><v>1</v></c></row>"), "row_too_wide", 1, "", "cell 16384");
	help_file_free(reads("<row><c r=\"A2\"><v>1</v></c><c r=\"XFD2\" s=\"3\"/></row>", 1));
	help_add_text(&rows, "<row><c r=\"B2\" t=\"inlineStr\"><is><t>");
	for (int i = 0; i < 4097; i++)
		help_add_text(&rows, "a");
	help_add_text(&rows, "</t></is></c></row>");
	refused_as(read_rows(rows.at), "cell_too_long", 1, "姓名", "over 4096 bytes");
	free(rows.at);
}

/* A long shared string refuses the file only where a cell uses it. */
static void long_shared_string_matters_where_it_is_used(void **state)
{
	struct help_bytes strings = { 0 };
	(void)state;
	help_add_text(&strings, "<sst><si><t>short</t></si><si><t>");
	for (int i = 0; i < 5000; i++)
		help_add_text(&strings, "崔");
	help_add_text(&strings, "</t></si></sst>");
	for (int used = 0; used < 2; used++) {
		char *sheet = sheet_of(used ? "<row><c t=\"s\"><v>1</v></c></row>"
					    : "<row><c t=\"s\"><v>0</v></c></row>");
		struct help_book book = help_book_of(sheet);
		book.strings = strings.at;
		struct help_file *file = read_book(&book);
		if (used)
			refused_as(file, "cell_too_long", 1, "序号", "over");
		else
			assert_int_equal(file->end, NEEDS_END);
		if (!used)
			help_file_free(file);
		free(sheet);
	}
	free(strings.at);
}

static void header_rules_hold_here_too(void **state)
{
	struct help_book book = help_book_of(HELP_SHEET("<row><c r=\"A1\" t=\"str\"><v>姓名</v></c></row>"));
	(void)state;
	refused_as(read_book(&book), "column_missing", 0, "序号", "");
	book.sheet = HELP_SHEET("<row><c t=\"str\"><v>姓名</v></c><c t=\"str\"><v>姓名</v></c></row>");
	refused_as(read_book(&book), "column_twice", 0, "姓名", "");
	book.sheet = HELP_SHEET("<row><c t=\"str\"><v>姓名</v></c><c t=\"str\"><v>民族</v></c></row>");
	refused_as(read_book(&book), "column_unknown", 0, "民族", "");
	book.sheet = HELP_SHEET("<row><c><v>1</v></c></row>");
	refused_as(read_book(&book), "header_missing", 0, "", "");
	book.sheet = HELP_SHEET("<row><c r=\"XFD1\" t=\"str\"><v>姓名</v></c></row>");
	refused_as(read_book(&book), "row_too_wide", 0, "", "");
}

static void document_types_are_refused(void **state)
{
	static const char bomb[] = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>";
	struct help_bytes text = { 0 };
	(void)state;
	help_add_text(&text, bomb);
	help_add_text(&text, HELP_SHEET("<row><c t=\"str\"><v>&b;</v></c></row>"));
	struct help_book book = help_book_of(text.at);
	refused_as(read_book(&book), "xlsx_broken", 0, "", "document type");
	book = help_book_of(HELP_SHEET(""));
	text.len = sizeof bomb - 1;
	help_add_text(&text, "<sst/>");
	book.strings = text.at;
	refused_as(read_book(&book), "xlsx_broken", 0, "", "document type");
	text.len = sizeof bomb - 1;
	help_add_text(&text, "<workbook/>");
	book.book = text.at;
	refused_as(read_book(&book), "xlsx_broken", 0, "", "document type");
	free(text.at);
}

static void missing_sheets_are_refused(void **state)
{
	struct help_book book = help_book_of(HELP_SHEET(""));
	(void)state;
	book.book = "<workbook><sheets/></workbook>";
	refused_as(read_book(&book), "xlsx_sheet_missing", 0, "", "");
	book.book = "<workbook xmlns:r=\"r\"><sheets><sheet r:id=\"rId99\"/></sheets></workbook>";
	refused_as(read_book(&book), "xlsx_sheet_missing", 0, "", "");
	book.book = "<workbook xmlns:r=\"r\"><sheets><sheet/></sheets></workbook>";
	refused_as(read_book(&book), "xlsx_sheet_missing", 0, "", "");
	book = help_book_of(NULL);
	refused_as(read_book(&book), "xlsx_sheet_missing", 0, "", "");
	book = help_book_of(HELP_SHEET(""));
	book.book_relations = "<Relationships><Relationship Id=\"rId7\" Type=\"x/chartsheet\" "
			      "Target=\"worksheets/first.xml\"/></Relationships>";
	refused_as(read_book(&book), "xlsx_sheet_missing", 0, "", "");
}

static void missing_parts_are_refused(void **state)
{
	struct help_book book = help_book_of(HELP_SHEET(""));
	(void)state;
	book.strings = NULL; /* the relationship is still there */
	refused_as(read_book(&book), "xlsx_broken", 0, "", "xl/sharedStrings.xml is missing");
	book = help_book_of(HELP_SHEET(""));
	book.styles = NULL;
	refused_as(read_book(&book), "xlsx_broken", 0, "", "xl/styles.xml is missing");
	book = help_book_of(HELP_SHEET(""));
	book.book = NULL;
	refused_as(read_book(&book), "xlsx_broken", 0, "", "without a workbook");
	book = help_book_of(HELP_SHEET(""));
	book.book_relations = NULL;
	refused_as(read_book(&book), "xlsx_broken", 0, "", "is missing");
}

static void cut_zips_are_refused(void **state)
{
	char *sheet = sheet_of("<row><c><v>1</v></c></row>");
	struct help_book book = help_book_of(sheet);
	struct help_zip zip = { 0 };
	struct slice whole = help_book_zip(&zip, &book);
	(void)state;
	for (size_t len = 4; len < whole.len - 4; len++) /* minizip takes zeros at the very end for granted */
		refused_as(help_read_bytes((struct slice){ whole.at, len }), "xlsx_broken", 0, "", "");
	refused_as(help_read_bytes(SLICE("PK\x05\x06")), "xlsx_broken", 0, "", "directory");
	free(zip.bytes.at);
	free(sheet);
}

/* A book whose sheet part was falsified, in the zip's directory and in front of the part. */
static void falsified(void (*falsify)(struct help_part *part), const char *code, const char *detail)
{
	char *sheet = sheet_of("<row><c><v>1</v></c></row>");
	struct help_book book = help_book_of(NULL);
	struct help_zip zip = { 0 };
	struct help_part *part = help_zip_add(&zip, "xl/worksheets/first.xml", slice_of(sheet), true);
	falsify(part);
	help_zip_falsified(&zip, part);
	refused_as(help_read_bytes(help_book_zip(&zip, &book)), code, 0, "", detail);
	free(zip.bytes.at);
	free(sheet);
}

static void wrong_sum(struct help_part *part)
{
	part->crc ^= 1;
}

static void wrong_size(struct help_part *part)
{
	part->size += 5;
}

static void password(struct help_part *part)
{
	part->flags |= 1;
}

static void unknown_method(struct help_part *part)
{
	part->method = 99;
}

static void huge(struct help_part *part)
{
	part->size = 0x7FFFFFFF;
}

static void bomb(struct help_part *part)
{
	part->size = 1 << 25;
}

static void falsified_zips_are_refused(void **state)
{
	(void)state;
	falsified(wrong_sum, "xlsx_broken", "check sum");
	falsified(wrong_size, "xlsx_broken", "");
	falsified(password, "xlsx_encrypted", "password");
	falsified(unknown_method, "xlsx_broken", "cannot be opened");
	falsified(huge, "xlsx_too_large", "limit");
	falsified(bomb, "xlsx_too_large", "200 times");
}

static void real_bomb_is_refused(void **state)
{
	enum { LEN = 16 << 20 };
	struct help_bytes sheet = { 0 };
	(void)state;
	char *blanks = malloc(LEN);
	memset(blanks, ' ', LEN);
	help_add_text(&sheet, "<worksheet><sheetData>");
	help_add(&sheet, blanks, LEN);
	help_add_text(&sheet, "</sheetData></worksheet>");
	struct help_book book = help_book_of(sheet.at);
	refused_as(read_book(&book), "xlsx_too_large", 0, "", "200 times");
	free(sheet.at);
	free(blanks);
}

/* One tag of two megabytes that does not compress well enough to be taken for a bomb. */
static void giant_tag_is_refused(void **state)
{
	struct help_bytes sheet = { 0 };
	uint32_t seed = 1;
	(void)state;
	help_add_text(&sheet, "<worksheet><sheetData><row spans=\"");
	for (int i = 0; i < 2 << 20; i++) {
		seed = seed * 1664525 + 1013904223;
		char c = (char)('a' + (seed >> 24) % 26);
		help_add(&sheet, &c, 1);
	}
	help_add_text(&sheet, "\"/></sheetData></worksheet>");
	struct help_book book = help_book_of(sheet.at);
	refused_as(read_book(&book), "xlsx_too_large", 0, "", "single tag");
	free(sheet.at);
}

static struct help_file *read_limited(struct slice bytes, size_t xlsx, size_t part, size_t strings)
{
	struct help_memory memory = help_memory_of(bytes);
	struct needs_source source = help_source(&memory);
	struct needs_limits limits = needs_limits_default();
	limits.xlsx_bytes = xlsx;
	limits.xlsx_sheet_bytes = part;
	limits.xlsx_string_bytes = strings;
	return help_read_source(&source, &limits);
}

static void limits_are_kept(void **state)
{
	char *sheet = sheet_of("<row><c t=\"s\"><v>0</v></c></row>");
	struct help_book book = help_book_of(sheet);
	struct help_zip zip = { 0 };
	(void)state;
	book.strings = "<sst><si><t>0123456789</t></si><si/><si/></sst>";
	struct slice bytes = help_book_zip(&zip, &book);
	struct help_file *file = read_limited(bytes, bytes.len, strlen(sheet), 22);
	assert_int_equal(file->end, NEEDS_END);
	help_file_free(file);
	refused_as(read_limited(bytes, bytes.len - 1, strlen(sheet), 22), "xlsx_too_large", 0, "",
		   "size limit");
	refused_as(read_limited(bytes, bytes.len, strlen(sheet) - 1, 22), "xlsx_too_large", 0, "",
		   "its limit");
	refused_as(read_limited(bytes, bytes.len, strlen(sheet), 13), "xlsx_too_large", 0, "",
		   "shared strings");
	free(zip.bytes.at);
	free(sheet);
}

static void too_many_rows_are_refused(void **state)
{
	(void)state;
	refused_as(read_rows("<row r=\"200002\"><c><v>1</v></c></row>"), "too_many_rows", 0, "", "200000");
	struct help_file *file = reads("<row r=\"200001\"><c><v>1</v></c></row>", 200000);
	help_file_free(file);
}

static void ole_containers_are_refused_by_name(void **state)
{
	static const char magic[] = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";
	static const char name[] = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e";
	struct help_bytes bytes = { 0 };
	(void)state;
	help_add(&bytes, magic, 8);
	refused_as(help_read_bytes(help_taken(&bytes)), "xls_old", 0, "", ".xls");
	for (int i = 0; i < 4090; i++)
		help_add(&bytes, "\0", 1);
	refused_as(help_read_bytes(help_taken(&bytes)), "xls_old", 0, "", ".xls");
	help_add(&bytes, name, sizeof name); /* across two of the pieces it is read in */
	refused_as(help_read_bytes(help_taken(&bytes)), "xlsx_encrypted", 0, "", "password");
	free(bytes.at);
}

static void unreadable_source_is_refused(void **state)
{
	char *sheet = sheet_of("");
	struct help_book book = help_book_of(sheet);
	struct help_zip zip = { 0 };
	struct slice bytes = help_book_zip(&zip, &book);
	(void)state;
	for (int reads_left = 0; reads_left < 4; reads_left++) {
		struct help_memory memory = help_memory_of(bytes);
		struct needs_source source = help_source(&memory);
		struct needs_limits limits = needs_limits_default();
		memory.step = bytes.len / 2;
		memory.reads_left = reads_left;
		refused_as(help_read_source(&source, &limits), "file_unreadable", 0, "", "read");
	}
	free(zip.bytes.at);
	free(sheet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_cells_read),
		cmocka_unit_test(numbers_read_as_shown),
		cmocka_unit_test(booleans_and_errors_read),
		cmocka_unit_test(shared_strings_read),
		cmocka_unit_test(dates_read_by_their_style),
		cmocka_unit_test(serial_days_are_those_of_the_spreadsheet),
		cmocka_unit_test(date_formats_are_told_from_others),
		cmocka_unit_test(escapes_come_back),
		cmocka_unit_test(references_name_columns),
		cmocka_unit_test(cells_out_of_order_find_their_columns),
		cmocka_unit_test(rows_left_out_count_and_tails_do_not),
		cmocka_unit_test(prefixes_and_strangers_do_not_disturb),
		cmocka_unit_test(bare_book_reads),
		cmocka_unit_test(sheet_with_no_rows_is_empty),
		cmocka_unit_test(paths_resolve_within_the_zip),
		cmocka_unit_test(formula_is_refused),
		cmocka_unit_test(broken_sheets_are_refused),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(wide_and_long_cells_are_refused),
		cmocka_unit_test(long_shared_string_matters_where_it_is_used),
		cmocka_unit_test(header_rules_hold_here_too),
		cmocka_unit_test(document_types_are_refused),
		cmocka_unit_test(missing_sheets_are_refused),
		cmocka_unit_test(missing_parts_are_refused),
		cmocka_unit_test(cut_zips_are_refused),
		cmocka_unit_test(falsified_zips_are_refused),
		cmocka_unit_test(real_bomb_is_refused),
		cmocka_unit_test(giant_tag_is_refused),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(too_many_rows_are_refused),
		cmocka_unit_test(ole_containers_are_refused_by_name),
		cmocka_unit_test(unreadable_source_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
