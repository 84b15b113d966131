/* SPDX-License-Identifier: Apache-2.0
 * Every way an XLSX file is refused, by its code, place and reason.
 * Workbooks are made by hand (needs_help.h), so that they can be wrong. */
#include "needs_xlsx_help.h"

static void formula_is_refused(void **state)
{
	(void)state;
	help_refused_as(
		help_read_rows("<row><c><v>1</v></c></row><row><c r=\"D3\"><f>A1</f><v>2</v></c></row>"),
		"xlsx_formula", 2, "残疾人证号", "D3: a formula");
	help_refused_as(help_read_rows("<row r=\"9\"><c/><c><f t=\"shared\" si=\"0\"/></c></row>"),
			"xlsx_formula", 8, "姓名", "B9");
	struct help_book book = help_book_of(HELP_SHEET("<row><c><f>1</f></c></row>"));
	help_refused_as(help_read_book(&book), "xlsx_formula", 0, "", "A1");
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
		help_refused_as(help_read_rows(cases[i].rows), "xlsx_broken", 0, "", cases[i].detail);
	help_refused_as(help_read_rows("<row><c r=\"A2\"><v>1</v></c><c r=\"A2\"><v>1</v></c></row>"),
			"xlsx_broken", 1, "序号", "twice");
	help_refused_as(help_read_rows("<row><c t=\"s\"><v>0</v></c></row>"), "xlsx_broken", 1, "序号",
			"shared string");
	help_refused_as(help_read_rows("<row><c t=\"s\"><v>-1</v></c></row>"), "xlsx_broken", 1, "序号",
			"shared string");
}

static void control_characters_are_refused(void **state)
{
	(void)state;
	help_refused_as(help_read_rows("<row><c/><c t=\"inlineStr\"><is><t>a_x0000_b</t></is></c></row>"),
			"cell_control", 1, "姓名", "control");
	help_refused_as(help_read_rows("<row><c/><c t=\"inlineStr\"><is><t>a\x7F</t></is></c></row>"),
			"cell_control", 1, "姓名", "control");
}

static void wide_and_long_cells_are_refused(void **state)
{
	struct help_bytes rows = { 0 };
	(void)state;
	help_refused_as(help_read_rows("<row><c r=\"U2\"><v>1</v></c></row>"), "row_too_wide", 1, "",
			"cell 21");
	help_refused_as(help_read_rows("<row><c r=\"XFD2\"><v>1</v></c></row>"), "row_too_wide", 1, "",
			"cell 16384");
	help_file_free(help_reads("<row><c r=\"A2\"><v>1</v></c><c r=\"XFD2\" s=\"3\"/></row>", 1));
	help_add_text(&rows, "<row><c r=\"B2\" t=\"inlineStr\"><is><t>");
	for (int i = 0; i < 4097; i++)
		help_add_text(&rows, "a");
	help_add_text(&rows, "</t></is></c></row>");
	help_refused_as(help_read_rows(rows.at), "cell_too_long", 1, "姓名", "over 4096 bytes");
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
		char *sheet = help_sheet_of(used ? "<row><c t=\"s\"><v>1</v></c></row>"
						 : "<row><c t=\"s\"><v>0</v></c></row>");
		struct help_book book = help_book_of(sheet);
		book.strings = strings.at;
		struct help_file *file = help_read_book(&book);
		if (used)
			help_refused_as(file, "cell_too_long", 1, "序号", "over");
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
	help_refused_as(help_read_book(&book), "column_missing", 0, "序号", "");
	book.sheet = HELP_SHEET("<row><c t=\"str\"><v>姓名</v></c><c t=\"str\"><v>姓名</v></c></row>");
	help_refused_as(help_read_book(&book), "column_twice", 0, "姓名", "");
	book.sheet = HELP_SHEET("<row><c t=\"str\"><v>姓名</v></c><c t=\"str\"><v>民族</v></c></row>");
	help_refused_as(help_read_book(&book), "column_unknown", 0, "民族", "");
	book.sheet = HELP_SHEET("<row><c><v>1</v></c></row>");
	help_refused_as(help_read_book(&book), "header_missing", 0, "", "");
	book.sheet = HELP_SHEET("<row><c r=\"XFD1\" t=\"str\"><v>姓名</v></c></row>");
	help_refused_as(help_read_book(&book), "row_too_wide", 0, "", "");
}

static void document_types_are_refused(void **state)
{
	static const char bomb[] = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>";
	struct help_bytes text = { 0 };
	(void)state;
	help_add_text(&text, bomb);
	help_add_text(&text, HELP_SHEET("<row><c t=\"str\"><v>&b;</v></c></row>"));
	struct help_book book = help_book_of(text.at);
	help_refused_as(help_read_book(&book), "xlsx_broken", 0, "", "document type");
	book = help_book_of(HELP_SHEET(""));
	text.len = sizeof bomb - 1;
	help_add_text(&text, "<sst/>");
	book.strings = text.at;
	help_refused_as(help_read_book(&book), "xlsx_broken", 0, "", "document type");
	text.len = sizeof bomb - 1;
	help_add_text(&text, "<workbook/>");
	book.book = text.at;
	help_refused_as(help_read_book(&book), "xlsx_broken", 0, "", "document type");
	free(text.at);
}

static void missing_sheets_are_refused(void **state)
{
	struct help_book book = help_book_of(HELP_SHEET(""));
	(void)state;
	book.book = "<workbook><sheets/></workbook>";
	help_refused_as(help_read_book(&book), "xlsx_sheet_missing", 0, "", "");
	book.book = "<workbook xmlns:r=\"r\"><sheets><sheet r:id=\"rId99\"/></sheets></workbook>";
	help_refused_as(help_read_book(&book), "xlsx_sheet_missing", 0, "", "");
	book.book = "<workbook xmlns:r=\"r\"><sheets><sheet/></sheets></workbook>";
	help_refused_as(help_read_book(&book), "xlsx_sheet_missing", 0, "", "");
	book = help_book_of(NULL);
	help_refused_as(help_read_book(&book), "xlsx_sheet_missing", 0, "", "");
	book = help_book_of(HELP_SHEET(""));
	book.book_relations = "<Relationships><Relationship Id=\"rId7\" Type=\"x/chartsheet\" "
			      "Target=\"worksheets/first.xml\"/></Relationships>";
	help_refused_as(help_read_book(&book), "xlsx_sheet_missing", 0, "", "");
}

static void missing_parts_are_refused(void **state)
{
	struct help_book book = help_book_of(HELP_SHEET(""));
	(void)state;
	book.strings = NULL; /* the relationship is still there */
	help_refused_as(help_read_book(&book), "xlsx_broken", 0, "", "xl/sharedStrings.xml is missing");
	book = help_book_of(HELP_SHEET(""));
	book.styles = NULL;
	help_refused_as(help_read_book(&book), "xlsx_broken", 0, "", "xl/styles.xml is missing");
	book = help_book_of(HELP_SHEET(""));
	book.book = NULL;
	help_refused_as(help_read_book(&book), "xlsx_broken", 0, "", "without a workbook");
	book = help_book_of(HELP_SHEET(""));
	book.book_relations = NULL;
	help_refused_as(help_read_book(&book), "xlsx_broken", 0, "", "is missing");
}

static void cut_zips_are_refused(void **state)
{
	char *sheet = help_sheet_of("<row><c><v>1</v></c></row>");
	struct help_book book = help_book_of(sheet);
	struct help_zip zip = { 0 };
	struct slice whole = help_book_zip(&zip, &book);
	(void)state;
	for (size_t len = 4; len < whole.len - 4; len++) /* minizip takes zeros at the very end for granted */
		help_refused_as(help_read_bytes((struct slice){ whole.at, len }), "xlsx_broken", 0, "", "");
	help_refused_as(help_read_bytes(SLICE("PK\x05\x06")), "xlsx_broken", 0, "", "directory");
	free(zip.bytes.at);
	free(sheet);
}

/* A book whose sheet part was falsified, in the zip's directory and in front of the part. */
static void falsified(void (*falsify)(struct help_part *part), const char *code, const char *detail)
{
	char *sheet = help_sheet_of("<row><c><v>1</v></c></row>");
	struct help_book book = help_book_of(NULL);
	struct help_zip zip = { 0 };
	struct help_part *part = help_zip_add(&zip, "xl/worksheets/first.xml", slice_of(sheet), true);
	falsify(part);
	help_zip_falsified(&zip, part);
	help_refused_as(help_read_bytes(help_book_zip(&zip, &book)), code, 0, "", detail);
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
	help_refused_as(help_read_book(&book), "xlsx_too_large", 0, "", "200 times");
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
	help_refused_as(help_read_book(&book), "xlsx_too_large", 0, "", "single tag");
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
	char *sheet = help_sheet_of("<row><c t=\"s\"><v>0</v></c></row>");
	struct help_book book = help_book_of(sheet);
	struct help_zip zip = { 0 };
	(void)state;
	book.strings = "<sst><si><t>0123456789</t></si><si/><si/></sst>";
	struct slice bytes = help_book_zip(&zip, &book);
	struct help_file *file = read_limited(bytes, bytes.len, strlen(sheet), 22);
	assert_int_equal(file->end, NEEDS_END);
	help_file_free(file);
	help_refused_as(read_limited(bytes, bytes.len - 1, strlen(sheet), 22), "xlsx_too_large", 0, "",
			"size limit");
	help_refused_as(read_limited(bytes, bytes.len, strlen(sheet) - 1, 22), "xlsx_too_large", 0, "",
			"its limit");
	help_refused_as(read_limited(bytes, bytes.len, strlen(sheet), 13), "xlsx_too_large", 0, "",
			"shared strings");
	free(zip.bytes.at);
	free(sheet);
}

static void too_many_rows_are_refused(void **state)
{
	(void)state;
	help_refused_as(help_read_rows("<row r=\"200002\"><c><v>1</v></c></row>"), "too_many_rows", 0, "",
			"200000");
	struct help_file *file = help_reads("<row r=\"200001\"><c><v>1</v></c></row>", 200000);
	help_file_free(file);
}

static void ole_containers_are_refused_by_name(void **state)
{
	static const char magic[] = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";
	static const char name[] = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e";
	struct help_bytes bytes = { 0 };
	(void)state;
	help_add(&bytes, magic, 8);
	help_refused_as(help_read_bytes(help_taken(&bytes)), "xls_old", 0, "", ".xls");
	for (int i = 0; i < 4090; i++)
		help_add(&bytes, "\0", 1);
	help_refused_as(help_read_bytes(help_taken(&bytes)), "xls_old", 0, "", ".xls");
	help_add(&bytes, name, sizeof name); /* across two of the pieces it is read in */
	help_refused_as(help_read_bytes(help_taken(&bytes)), "xlsx_encrypted", 0, "", "password");
	free(bytes.at);
}

static void unreadable_source_is_refused(void **state)
{
	char *sheet = help_sheet_of("");
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
		help_refused_as(help_read_source(&source, &limits), "file_unreadable", 0, "", "read");
	}
	free(zip.bytes.at);
	free(sheet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
