/* SPDX-License-Identifier: Apache-2.0
 * One row as a file holds it.
 * Invariant: the text of kept cells lies one after the other in `text`; only the last one grows, and no cell
 * is kept twice, so `text` never needs more than one cell a column and the one being filled. */
#include "service/needs/raw_row.h"
#include "service/needs/needs_problem.h"
#include "service/needs/needs_text.h"
#include <stdio.h>
#include <stdlib.h>

struct raw_cell {
	size_t at, len;
};

struct raw_row {
	uint32_t ordinal, header_ordinal;
	const struct needs_header *header;
	size_t columns, cell_bytes;
	size_t count;       /* cells kept, up to the last */
	size_t start, used; /* the cell being filled, in text */
	char *text;
	struct raw_cell cell[];
};

struct raw_row *raw_row_new(const struct needs_limits *limits)
{
	size_t columns = limits->columns > 0 ? limits->columns : 1;
	struct raw_row *row = calloc(1, sizeof *row + columns * sizeof(struct raw_cell));
	if (!row)
		return NULL;
	row->columns = columns;
	row->cell_bytes = limits->cell_bytes;
	row->text = malloc((columns + 1) * (limits->cell_bytes + 1));
	if (!row->text)
		raw_row_free(&row);
	return row;
}

void raw_row_free(struct raw_row **row)
{
	if (!*row)
		return;
	free((*row)->text);
	free(*row);
	*row = NULL;
}

void raw_row_clear(struct raw_row *row, uint32_t ordinal)
{
	memset(row->cell, 0, row->count * sizeof *row->cell);
	row->ordinal = ordinal;
	row->count = row->start = row->used = 0;
}

void raw_row_begin_cell(struct raw_row *row)
{
	row->used = row->start;
}

bool raw_row_append(struct raw_row *row, const char *bytes, size_t len)
{
	if (len > row->cell_bytes - (row->used - row->start))
		return false;
	memcpy(row->text + row->used, bytes, len);
	row->used += len;
	return true;
}

char *raw_row_pending(struct raw_row *row, size_t *len)
{
	*len = row->used - row->start;
	return row->text + row->start;
}

void raw_row_shorten(struct raw_row *row, size_t len)
{
	INVARIANT(len <= row->used - row->start);
	row->used = row->start + len;
}

enum raw_end raw_row_end_cell(struct raw_row *row, size_t column)
{
	struct slice text = { row->text + row->start, row->used - row->start };
	text = needs_text_trim(text);
	row->used = row->start;
	if (text.len == 0)
		return RAW_CELL_KEPT;
	if (column >= row->columns)
		return RAW_CELL_TOO_WIDE;
	if (row->cell[column].len > 0)
		return RAW_CELL_TWICE;
	row->cell[column] = (struct raw_cell){ (size_t)(text.at - row->text), text.len };
	row->start = row->used = row->cell[column].at + text.len;
	if (row->count <= column)
		row->count = column + 1;
	return RAW_CELL_KEPT;
}

size_t raw_row_count(const struct raw_row *row)
{
	return row->count;
}

struct slice raw_row_cell(const struct raw_row *row, size_t column)
{
	if (column >= row->count || row->cell[column].len == 0)
		return (struct slice){ "", 0 };
	return (struct slice){ row->text + row->cell[column].at, row->cell[column].len };
}

void raw_row_set_header(struct raw_row *row, const struct needs_header *header)
{
	row->header = header;
	row->header_ordinal = row->ordinal;
}

uint32_t raw_row_number(const struct raw_row *row)
{
	return row->header ? row->ordinal - row->header_ordinal : 0;
}

void raw_row_refuse(const struct raw_row *row, struct needs_problem *problem, const char *code, size_t column,
		    const char *text)
{
	const char *name = row->header ? needs_header_name(row->header, column) : "";
	if (*name)
		needs_problem_set(problem, code, raw_row_number(row), slice_of(name), "%s", text);
	else
		needs_problem_set(problem, code, raw_row_number(row), (struct slice){ 0 },
				  "cell %zu of %s: %s", column + 1, row->header ? "the row" : "the header",
				  text);
}

void raw_row_refuse_end(const struct raw_row *row, struct needs_problem *problem, enum raw_end end,
			size_t column)
{
	if (end == RAW_CELL_TWICE)
		raw_row_refuse(row, problem, "xlsx_broken", column, "the cell is there twice");
	else
		raw_row_refuse(row, problem, "row_too_wide", column, "more columns than the header may have");
}

void raw_row_refuse_long(const struct raw_row *row, struct needs_problem *problem, size_t column)
{
	char text[64];
	snprintf(text, sizeof text, "over %zu bytes", row->cell_bytes);
	raw_row_refuse(row, problem, "cell_too_long", column, text);
}
