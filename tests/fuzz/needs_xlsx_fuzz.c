/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as an XLSX file. The first byte says what they are: the zip itself, or one of the parts of a
 * workbook that is put together here with right check sums, so that the fuzzer need not find those; from 128
 * on, all of its parts, divided by the byte 0x1E, where an empty one stays as it would be.
 * Invariant checked: what is answered is text without NUL within the limits, and rows have no gaps. */
#include "tests/unit/needs_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct needs_limits limits = { .rows = 500,
					    .cell_bytes = 200,
					    .columns = 30,
					    .xlsx_bytes = 1 << 20,
					    .xlsx_sheet_bytes = 1 << 22,
					    .xlsx_string_bytes = 1 << 16 };

static void read_all(struct slice bytes)
{
	struct help_memory memory = help_memory_of(bytes);
	struct needs_source source = help_source(&memory);
	struct needs_problem problem;
	struct needs_row row;
	uint32_t rows = 0;
	struct needs_reader *reader = needs_reader_open(&source, &needs_table, &limits, &problem);
	while (reader && needs_reader_next(reader, &row, &problem) == NEEDS_ROW) {
		INVARIANT(row.number == ++rows && rows <= limits.rows);
		for (int i = 0; i < NEEDS_COLUMNS; i++) {
			struct slice cell = row.cell[i];
			INVARIANT(cell.len <= limits.cell_bytes && slice_is_utf8(cell));
			INVARIANT(!memchr(cell.at, '\0', cell.len));
		}
	}
	needs_reader_close(&reader);
}

/* The sheet used when another part is fuzzed: a header and a row that refers to strings and styles. */
static char *plain_sheet(const char *rows)
{
	struct help_bytes sheet = { 0 };
	help_add_text(&sheet, "<worksheet><sheetData>");
	help_sheet_header(&sheet);
	help_add_text(&sheet, rows);
	help_add_text(&sheet, "</sheetData></worksheet>");
	return sheet.at;
}

#define PLAIN_ROWS "<row><c t=\"s\"><v>0</v></c><c s=\"1\"><v>45011</v></c></row>"
enum { PARTS = 6, ROWS = PARTS }; /* rows: a sheet's, between its header and its end */

/* text[i] NULL: the part as it would be. */
static void read_book_with(const char *const text[PARTS + 1])
{
	char *sheet = plain_sheet(text[ROWS] ? text[ROWS] : PLAIN_ROWS);
	struct help_book book = help_book_of(sheet);
	struct help_zip zip = { 0 };
	book.stored = true; /* packing would be most of the work */
	const char **parts[PARTS] = { &book.relations, &book.book,    &book.book_relations,
				      &book.sheet,     &book.strings, &book.styles };
	for (int i = 0; i < PARTS; i++)
		if (text[i])
			*parts[i] = text[i];
	read_all(help_book_zip(&zip, &book));
	free(zip.bytes.at);
	free(sheet);
}

/* Cuts the text in place. */
static void read_book_of(char *text)
{
	const char *parts[PARTS + 1] = { NULL };
	for (int i = 0; i <= PARTS && text; i++) {
		char *part = strsep(&text, "\x1E");
		if (*part)
			parts[i] = part;
	}
	read_book_with(parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] < 128 && data[0] % 8 == PARTS + 1) {
		read_all((struct slice){ (const char *)data + 1, size - 1 });
		return 0;
	}
	char *text = strndup((const char *)data + 1, size - 1);
	const char *parts[PARTS + 1] = { NULL };
	if (data[0] < 128) {
		parts[data[0] % 8] = text;
		read_book_with(parts);
	} else {
		read_book_of(text);
	}
	free(text);
	return 0;
}
