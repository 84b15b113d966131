/* SPDX-License-Identifier: Apache-2.0
 * The rows of one worksheet part: sheetData / row / c / v, is, t.
 * Invariant: a row is handed over when its end tag is parsed (the parser pauses there), rows come in rising
 * order, and a cell is only ever written between its start and its end tag. */
#include "service/needs/xlsx_sheet.h"
#include "service/needs/needs_problem.h"
#include "service/needs/xlsx_value.h"
#include "service/needs/xlsx_xml.h"
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MOST = 1048576 };

enum cell_type { CELL_NUMBER, CELL_SHARED, CELL_TEXT, CELL_BOOLEAN, CELL_ERROR, CELL_ISO_DATE };

struct xlsx_sheet {
	struct xlsx_xml *xml;
	struct xlsx_context context;
	struct raw_row *row;        /* being filled */
	struct needs_problem held;  /* what a handler found wrong */
	uint32_t ordinal;           /* of the row at hand or the last one */
	size_t column, next_column; /* of the cell at hand; where one without a reference goes */
	enum cell_type type;
	size_t style;
	bool in_data, in_row, in_cell, in_text, row_ended;
	int phonetic;
};

static void refuse_cell(struct xlsx_sheet *sheet, const char *code, const char *text)
{
	char cell[XLSX_REFERENCE_BYTES], detail[128];
	xlsx_reference_write(sheet->column, sheet->ordinal, cell);
	snprintf(detail, sizeof detail, "%s: %s", cell, text);
	raw_row_refuse(sheet->row, &sheet->held, code, sheet->column, detail);
	xlsx_xml_refused(sheet->xml);
}

static void refuse_row(struct xlsx_sheet *sheet, const char *text)
{
	needs_problem_file(&sheet->held, "xlsx_broken", "after row %u of the sheet: %s", sheet->ordinal,
			   text);
	xlsx_xml_refused(sheet->xml);
}

/* A whole number of digits only, at most `most`. */
static bool parse_number(const char *text, uint64_t most, uint64_t *out)
{
	return slice_to_u64(slice_of(text), out) && *out <= most;
}

static void row_start(struct xlsx_sheet *sheet, const char *const *attributes)
{
	const char *written = xlsx_attribute(attributes, "r");
	uint64_t ordinal = (uint64_t)sheet->ordinal + 1;
	if (written && !parse_number(written, ROWS_MOST, &ordinal)) {
		refuse_row(sheet, "a row number that is none");
	} else if (ordinal <= sheet->ordinal || ordinal > ROWS_MOST) {
		refuse_row(sheet, "rows out of order");
	} else {
		sheet->ordinal = (uint32_t)ordinal;
		sheet->in_row = true;
		sheet->next_column = 0;
		raw_row_clear(sheet->row, sheet->ordinal);
	}
}

static enum cell_type type_of(const char *type)
{
	static const struct {
		const char *name;
		enum cell_type type;
	} types[] = { { "s", CELL_SHARED },  { "inlineStr", CELL_TEXT }, { "str", CELL_TEXT },
		      { "b", CELL_BOOLEAN }, { "e", CELL_ERROR },        { "d", CELL_ISO_DATE } };
	for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
		if (strcmp(type, types[i].name) == 0)
			return types[i].type;
	return CELL_NUMBER;
}

static void cell_start(struct xlsx_sheet *sheet, const char *const *attributes)
{
	const char *reference = xlsx_attribute(attributes, "r");
	const char *style = xlsx_attribute(attributes, "s");
	uint64_t number = 0;
	sheet->column = sheet->next_column;
	if (reference && !xlsx_reference_column(reference, &sheet->column)) {
		refuse_row(sheet, "a cell reference that is none");
		return;
	}
	sheet->next_column = sheet->column + 1;
	sheet->type = type_of(xlsx_attribute(attributes, "t"));
	sheet->style = style && parse_number(style, UINT32_MAX, &number) ? (size_t)number : 0;
	sheet->in_cell = true;
	raw_row_begin_cell(sheet->row);
}

static void on_start(void *context, const char *name, const char *const *attributes)
{
	struct xlsx_sheet *sheet = context;
	if (sheet->in_cell) {
		if (strcmp(name, "f") == 0)
			refuse_cell(sheet, "xlsx_formula", "a formula; paste it as a value");
		else if (strcmp(name, "rPh") == 0)
			sheet->phonetic++;
		else
			sheet->in_text =
				sheet->phonetic == 0 && (strcmp(name, "v") == 0 || strcmp(name, "t") == 0);
	} else if (sheet->in_row) {
		if (strcmp(name, "c") == 0)
			cell_start(sheet, attributes);
	} else if (sheet->in_data) {
		if (strcmp(name, "row") == 0)
			row_start(sheet, attributes);
	} else {
		sheet->in_data = strcmp(name, "sheetData") == 0;
	}
}

static void on_text(void *context, const char *bytes, size_t len)
{
	struct xlsx_sheet *sheet = context;
	if (sheet->in_text && !raw_row_append(sheet->row, bytes, len)) {
		raw_row_refuse_long(sheet->row, &sheet->held, sheet->column);
		xlsx_xml_refused(sheet->xml);
	}
}

/* The cell's text is replaced; the new one is not inside the row. */
static void cell_replace(struct xlsx_sheet *sheet, struct slice text)
{
	raw_row_shorten(sheet->row, 0);
	if (!raw_row_append(sheet->row, text.at, text.len)) {
		raw_row_refuse_long(sheet->row, &sheet->held, sheet->column);
		xlsx_xml_refused(sheet->xml);
	}
}

static void cell_unescape(struct xlsx_sheet *sheet)
{
	size_t len;
	char *text = raw_row_pending(sheet->row, &len);
	raw_row_shorten(sheet->row, xlsx_unescape(text, len));
}

static void shared_end(struct xlsx_sheet *sheet, struct slice written)
{
	uint64_t number;
	struct slice text;
	if (written.len == 0)
		return;
	if (!slice_to_u64(written, &number) || !sheet->context.strings ||
	    !xlsx_strings_get(sheet->context.strings, (size_t)number, &text)) {
		refuse_cell(sheet, "xlsx_broken", "refers to a shared string that is not there");
		return;
	}
	cell_replace(sheet, text);
	cell_unescape(sheet);
}

static void number_end(struct xlsx_sheet *sheet, struct slice written)
{
	char room[XLSX_NUMBER_BYTES];
	const struct xlsx_context *c = &sheet->context;
	if (c->styles && xlsx_styles_is_date(c->styles, sheet->style) &&
	    xlsx_number_date(written, c->date1904, room)) {
		cell_replace(sheet, slice_of(room));
		return;
	}
	struct slice text = xlsx_number_text(written, room);
	if (text.at == room)
		cell_replace(sheet, text);
}

/* 2023-03-26T00:00:00 is a day here. */
static void iso_date_end(struct xlsx_sheet *sheet, struct slice written)
{
	if (written.len > 10 && written.at[10] == 'T')
		raw_row_shorten(sheet->row, 10);
}

static void cell_value(struct xlsx_sheet *sheet)
{
	struct slice written;
	written.at = raw_row_pending(sheet->row, &written.len);
	switch (sheet->type) {
	case CELL_SHARED:
		shared_end(sheet, written);
		break;
	case CELL_TEXT:
		cell_unescape(sheet);
		break;
	case CELL_BOOLEAN:
		if (slice_is(written, "1") || slice_is(written, "0"))
			cell_replace(sheet, *written.at == '1' ? SLICE("TRUE") : SLICE("FALSE"));
		break;
	case CELL_NUMBER:
		number_end(sheet, written);
		break;
	case CELL_ISO_DATE:
		iso_date_end(sheet, written);
		break;
	case CELL_ERROR:
		break;
	}
}

static void cell_end(struct xlsx_sheet *sheet)
{
	sheet->in_cell = false;
	cell_value(sheet);
	if (xlsx_xml_is_refused(sheet->xml))
		return;
	enum raw_end end = raw_row_end_cell(sheet->row, sheet->column);
	if (end != RAW_CELL_KEPT) {
		raw_row_refuse_end(sheet->row, &sheet->held, end, sheet->column);
		xlsx_xml_refused(sheet->xml);
	}
}

static void on_end(void *context, const char *name)
{
	struct xlsx_sheet *sheet = context;
	sheet->in_text = false;
	if (sheet->in_cell) {
		if (strcmp(name, "c") == 0)
			cell_end(sheet);
		else if (strcmp(name, "rPh") == 0)
			sheet->phonetic--;
	} else if (sheet->in_row) {
		if (strcmp(name, "row") != 0)
			return;
		sheet->in_row = false;
		sheet->row_ended = true;
		xlsx_xml_pause(sheet->xml);
	} else if (strcmp(name, "sheetData") == 0) {
		sheet->in_data = false;
	}
}

struct xlsx_sheet *xlsx_sheet_open(struct xlsx_zip *zip, const char *part, size_t cap,
				   const struct xlsx_context *context, struct needs_problem *problem)
{
	static const struct xlsx_handler handler = { .start = on_start, .end = on_end, .text = on_text };
	struct xlsx_sheet *sheet = calloc(1, sizeof *sheet);
	if (!sheet) {
		needs_problem_file(problem, "try_again", "not enough memory");
		return NULL;
	}
	sheet->context = *context;
	sheet->xml = xlsx_xml_open(zip, part, cap, &handler, sheet, &sheet->held);
	if (!sheet->xml) {
		*problem = sheet->held;
		xlsx_sheet_close(&sheet);
	}
	return sheet;
}

void xlsx_sheet_close(struct xlsx_sheet **sheet)
{
	if (!*sheet)
		return;
	xlsx_xml_close(&(*sheet)->xml);
	free(*sheet);
	*sheet = NULL;
}

enum needs_next xlsx_sheet_next(struct xlsx_sheet *sheet, struct raw_row *row, struct needs_problem *problem)
{
	sheet->row = row;
	sheet->row_ended = false;
	enum needs_next next = xlsx_xml_run(sheet->xml);
	if (next == NEEDS_REFUSED)
		*problem = sheet->held;
	INVARIANT(next != NEEDS_ROW || sheet->row_ended);
	return next;
}
