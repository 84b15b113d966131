/* SPDX-License-Identifier: Apache-2.0
 * For the tests of XLSX files: a workbook from its rows, read and held against what is expected. */
#ifndef TESTS_UNIT_NEEDS_XLSX_HELP_H
#define TESTS_UNIT_NEEDS_XLSX_HELP_H

#include "needs_help.h"
#include "unit.h"

/* The header row and then these rows, as a sheet in memory that the caller frees. */
static inline char *help_sheet_of(const char *rows)
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

static inline struct help_file *help_read_book(const struct help_book *book)
{
	struct help_zip zip = { 0 };
	struct help_file *file = help_read_bytes(help_book_zip(&zip, book));
	free(zip.bytes.at);
	return file;
}

static inline struct help_file *help_read_rows(const char *rows)
{
	char *sheet = help_sheet_of(rows);
	struct help_book book = help_book_of(sheet);
	struct help_file *file = help_read_book(&book);
	free(sheet);
	return file;
}

static inline struct help_file *help_reads(const char *rows, uint32_t count)
{
	struct help_file *file = help_read_rows(rows);
	assert_string_equal(file->problem.detail, "");
	assert_int_equal(file->end, NEEDS_END);
	assert_int_equal(file->format, NEEDS_XLSX);
	assert_int_equal(file->rows, count);
	return file;
}

static inline void help_refused_as(struct help_file *file, const char *code, uint32_t row, const char *column,
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

#endif
