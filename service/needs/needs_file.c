/* SPDX-License-Identifier: Apache-2.0
 * A file row by row, whatever its format: the header first, then rows by the meaning of their columns.
 * Invariant: row numbers are answered 1, 2, 3 … without a gap; what a blank row leaves out is given when a
 * row with content follows it, so blank rows at the end are never given. */
#include "service/needs/needs_file.h"
#include "service/needs/csv_reader.h"
#include "service/needs/needs_kind.h"
#include "service/needs/needs_problem.h"
#include "service/needs/needs_text.h"
#include "service/needs/xlsx_reader.h"
#include <stdlib.h>

const char *const needs_format_names[] = { "csv_utf8", "csv_utf8_bom", "csv_gb18030", "xlsx" };

struct needs_reader {
	struct needs_source source;
	struct needs_limits limits;
	enum needs_format format;
	struct csv_reader *csv; /* one of the two */
	struct xlsx_reader *xlsx;
	struct raw_row *raw;
	struct needs_header header;
	uint32_t answered; /* number of the last row given */
	bool holding;      /* raw has a row with content that is not given yet */
	bool refused;
	struct needs_problem problem;
};

struct needs_limits needs_limits_default(void)
{
	return (struct needs_limits){ .rows = 200000,
				      .cell_bytes = 4096,
				      .columns = 64,
				      .xlsx_bytes = (size_t)64 << 20,
				      .xlsx_sheet_bytes = (size_t)1 << 30,
				      .xlsx_string_bytes = (size_t)64 << 20 };
}

static enum needs_next raw_next(struct needs_reader *reader, struct needs_problem *problem)
{
	if (reader->xlsx)
		return xlsx_reader_next(reader->xlsx, reader->raw, problem);
	return csv_reader_next(reader->csv, reader->raw, problem);
}

static bool open_format(struct needs_reader *reader, struct needs_problem *problem)
{
	bool is_xlsx;
	if (!needs_kind_find(&reader->source, &is_xlsx, problem))
		return false;
	if (is_xlsx) {
		reader->format = NEEDS_XLSX;
		reader->xlsx = xlsx_reader_open(&reader->source, &reader->limits, problem);
		return reader->xlsx != NULL;
	}
	reader->csv = csv_reader_open(&reader->source, problem);
	if (!reader->csv)
		return false;
	reader->format = csv_reader_format(reader->csv);
	return true;
}

/* The first row that is not blank. */
static bool find_header_row(struct needs_reader *reader, struct needs_problem *problem)
{
	enum needs_next next;
	do {
		next = raw_next(reader, problem);
		if (next == NEEDS_REFUSED)
			return false;
	} while (next == NEEDS_ROW && raw_row_count(reader->raw) == 0);
	if (next == NEEDS_ROW)
		return true;
	needs_problem_file(problem, "file_empty", "the file has no row");
	return false;
}

static bool read_header(struct needs_reader *reader, struct needs_problem *problem)
{
	if (!find_header_row(reader, problem))
		return false;
	if (!needs_header_read(&reader->header, reader->raw, problem)) {
		/* Bytes that are no UTF-8 and read as GB18030 name no column: GB18030 was a wrong guess. */
		if (reader->format == NEEDS_CSV_GB18030 && strcmp(problem->code, "header_missing") == 0)
			needs_problem_file(problem, "encoding_unknown",
					   "neither UTF-8 nor a header in GB18030");
		return false;
	}
	raw_row_set_header(reader->raw, &reader->header);
	return true;
}

static bool open_all(struct needs_reader *reader, struct needs_problem *problem)
{
	reader->raw = raw_row_new(&reader->limits);
	if (!reader->raw) {
		needs_problem_file(problem, "try_again", "not enough memory");
		return false;
	}
	return open_format(reader, problem) && read_header(reader, problem);
}

struct needs_reader *needs_reader_open(const struct needs_source *source, const struct file_table *table,
				       const struct needs_limits *limits, struct needs_problem *problem)
{
	struct needs_reader *reader = calloc(1, sizeof *reader);
	*problem = (struct needs_problem){ 0 };
	if (!reader) {
		needs_problem_file(problem, "try_again", "not enough memory");
		return NULL;
	}
	reader->source = *source;
	reader->limits = *limits;
	reader->header.table = table;
	if (!open_all(reader, problem))
		needs_reader_close(&reader);
	return reader;
}

void needs_reader_close(struct needs_reader **reader)
{
	if (!*reader)
		return;
	csv_reader_close(&(*reader)->csv);
	xlsx_reader_close(&(*reader)->xlsx);
	raw_row_free(&(*reader)->raw);
	free(*reader);
	*reader = NULL;
}

enum needs_format needs_reader_format(const struct needs_reader *reader)
{
	return reader->format;
}

static void row_blank(const struct needs_reader *reader, struct needs_row *row, uint32_t number)
{
	row->number = number;
	for (int i = 0; i < reader->header.table->count; i++)
		row->cell[i] = (struct slice){ "", 0 };
}

/* Answers whether any column of the table holds something. */
static bool row_map(const struct needs_reader *reader, struct needs_row *row)
{
	bool content = false;
	row_blank(reader, row, raw_row_number(reader->raw));
	for (size_t i = 0; i < reader->header.count; i++) {
		int meaning = reader->header.meaning[i];
		if (meaning >= reader->header.table->count)
			continue;
		row->cell[meaning] = raw_row_cell(reader->raw, i);
		content |= row->cell[meaning].len > 0;
	}
	return content;
}

static bool row_refused(struct needs_reader *reader, const struct needs_row *row)
{
	if (raw_row_count(reader->raw) > reader->header.count) {
		raw_row_refuse(reader->raw, &reader->problem, "row_too_wide", raw_row_count(reader->raw) - 1,
			       "no heading above it");
		return true;
	}
	const struct file_table *table = reader->header.table;
	for (int i = 0; i < table->count; i++) {
		if (!needs_text_has_control(row->cell[i]))
			continue;
		needs_problem_set(&reader->problem, "cell_control", row->number, slice_of(table->columns[i]),
				  "holds a control character");
		return true;
	}
	return false;
}

static bool number_refused(struct needs_reader *reader, uint32_t number)
{
	if (number <= reader->limits.rows)
		return false;
	needs_problem_file(&reader->problem, "too_many_rows", "over %u rows", reader->limits.rows);
	return true;
}

/* On to the next row with content, which raw then holds. */
static enum needs_next advance(struct needs_reader *reader, struct needs_row *row)
{
	for (;;) {
		enum needs_next next = raw_next(reader, &reader->problem);
		if (next != NEEDS_ROW)
			return next;
		bool content = row_map(reader, row);
		if (row_refused(reader, row))
			return NEEDS_REFUSED;
		if (content)
			return number_refused(reader, row->number) ? NEEDS_REFUSED : NEEDS_ROW;
	}
}

static enum needs_next refuse(struct needs_reader *reader, struct needs_problem *problem)
{
	reader->refused = true;
	*problem = reader->problem;
	return NEEDS_REFUSED;
}

enum needs_next needs_reader_next(struct needs_reader *reader, struct needs_row *row,
				  struct needs_problem *problem)
{
	if (reader->refused)
		return refuse(reader, problem);
	if (!reader->holding) {
		enum needs_next next = advance(reader, row);
		if (next != NEEDS_ROW)
			return next == NEEDS_REFUSED ? refuse(reader, problem) : next;
		reader->holding = true;
	}
	uint32_t number = ++reader->answered;
	if (number < raw_row_number(reader->raw)) {
		row_blank(reader, row, number);
	} else {
		row_map(reader, row);
		reader->holding = false;
	}
	return NEEDS_ROW;
}

bool needs_probe(const struct needs_source *source, const struct file_table *table,
		 const struct needs_limits *limits, enum needs_format *format, uint32_t *rows,
		 struct needs_problem *problem)
{
	struct needs_reader *reader = needs_reader_open(source, table, limits, problem);
	struct needs_row row;
	enum needs_next next;
	if (!reader)
		return false;
	*format = needs_reader_format(reader);
	*rows = 0;
	while ((next = needs_reader_next(reader, &row, problem)) == NEEDS_ROW)
		*rows = row.number;
	needs_reader_close(&reader);
	return next == NEEDS_END;
}
