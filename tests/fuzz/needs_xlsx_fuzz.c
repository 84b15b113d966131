/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as an XLSX file. The first byte says what they are: the zip itself, or one of the parts of a
 * workbook that is put together here with right check sums, so that the fuzzer need not find those.
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
	struct needs_reader *reader = needs_reader_open(&source, &limits, &problem);
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

static void read_book_with(int part, const char *text)
{
	char *sheet = plain_sheet(
		part == 6 ? text : "<row><c t=\"s\"><v>0</v></c><c s=\"1\"><v>45011</v></c></row>");
	struct help_book book = help_book_of(sheet);
	struct help_zip zip = { 0 };
	book.stored = true; /* packing would be most of the work */
	const char **parts[] = { &book.relations, &book.book,    &book.book_relations,
				 &book.sheet,     &book.strings, &book.styles };
	if (part < 6)
		*parts[part] = text;
	read_all(help_book_zip(&zip, &book));
	free(zip.bytes.at);
	free(sheet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 8 == 7) {
		read_all((struct slice){ (const char *)data + 1, size - 1 });
		return 0;
	}
	char *text = strndup((const char *)data + 1, size - 1);
	read_book_with(data[0] % 8, text);
	free(text);
	return 0;
}
