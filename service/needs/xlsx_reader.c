/* SPDX-License-Identifier: Apache-2.0
 * Opens an XLSX file: zip, workbook, shared strings and styles first, then its first sheet.
 * Invariant: minizip has one part open at a time, so everything the sheet refers to is read before it. */
#include "service/needs/xlsx_reader.h"
#include "service/needs/needs_problem.h"
#include "service/needs/xlsx_book.h"
#include "service/needs/xlsx_sheet.h"
#include <stdlib.h>

struct xlsx_reader {
	struct xlsx_zip *zip;
	struct xlsx_strings *strings;
	struct xlsx_styles *styles;
	struct xlsx_sheet *sheet;
};

static bool open_parts(struct xlsx_reader *xlsx, const struct needs_limits *limits,
		       struct needs_problem *problem)
{
	struct xlsx_book book;
	if (!xlsx_book_read(xlsx->zip, &book, problem))
		return false;
	if (book.strings[0]) {
		xlsx->strings = xlsx_strings_read(xlsx->zip, book.strings, limits, problem);
		if (!xlsx->strings)
			return false;
	}
	if (book.styles[0]) {
		xlsx->styles = xlsx_styles_read(xlsx->zip, book.styles, problem);
		if (!xlsx->styles)
			return false;
	}
	struct xlsx_context context = { xlsx->strings, xlsx->styles, book.date1904 };
	xlsx->sheet = xlsx_sheet_open(xlsx->zip, book.sheet, limits->xlsx_sheet_bytes, &context, problem);
	return xlsx->sheet != NULL;
}

struct xlsx_reader *xlsx_reader_open(const struct needs_source *source, const struct needs_limits *limits,
				     struct needs_problem *problem)
{
	struct xlsx_reader *xlsx = calloc(1, sizeof *xlsx);
	if (!xlsx) {
		needs_problem_file(problem, "try_again", "not enough memory");
		return NULL;
	}
	xlsx->zip = xlsx_zip_open(source, limits, problem);
	if (!xlsx->zip || !open_parts(xlsx, limits, problem))
		xlsx_reader_close(&xlsx);
	return xlsx;
}

void xlsx_reader_close(struct xlsx_reader **xlsx)
{
	if (!*xlsx)
		return;
	xlsx_sheet_close(&(*xlsx)->sheet);
	xlsx_styles_free(&(*xlsx)->styles);
	xlsx_strings_free(&(*xlsx)->strings);
	xlsx_zip_close(&(*xlsx)->zip);
	free(*xlsx);
	*xlsx = NULL;
}

enum needs_next xlsx_reader_next(struct xlsx_reader *xlsx, struct raw_row *row, struct needs_problem *problem)
{
	return xlsx_sheet_next(xlsx->sheet, row, problem);
}
