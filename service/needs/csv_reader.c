/* SPDX-License-Identifier: Apache-2.0
 * A CSV row by a small machine: each step takes as many bytes of the piece as its state can use.
 * Invariant: `at..end` is what the current piece still holds; a step never reads past it, so a file that
 * trickles in a byte at a time gives the same rows. */
#include "service/needs/csv_reader.h"
#include "service/needs/needs_problem.h"
#include "service/needs/text_decode.h"
#include <stdlib.h>

struct csv_reader {
	struct text_decoder *text;
	const char *at, *end;
	uint32_t ordinal;
	size_t column;
	bool after_cr; /* an LF at the front belongs to the line before */
	enum csv_state { CSV_ROW_START, CSV_CELL_START, CSV_PLAIN, CSV_QUOTED, CSV_QUOTE_SEEN } state;
};

enum csv_step { CSV_MORE, CSV_ROW_COMPLETE, CSV_FAULT };

struct csv_reader *csv_reader_open(const struct needs_source *source, struct needs_problem *problem)
{
	struct csv_reader *csv = calloc(1, sizeof *csv);
	if (!csv) {
		needs_problem_file(problem, "try_again", "not enough memory");
		return NULL;
	}
	csv->text = text_decoder_open(source, problem);
	if (!csv->text)
		csv_reader_close(&csv);
	return csv;
}

void csv_reader_close(struct csv_reader **csv)
{
	if (!*csv)
		return;
	text_decoder_close(&(*csv)->text);
	free(*csv);
	*csv = NULL;
}

enum needs_format csv_reader_format(const struct csv_reader *csv)
{
	return text_decoder_format(csv->text);
}

static enum csv_step fault_quote(const struct csv_reader *csv, const struct raw_row *row,
				 struct needs_problem *problem, const char *text)
{
	raw_row_refuse(row, problem, "csv_quote", csv->column, text);
	return CSV_FAULT;
}

/* The cell ended with `mark`: a comma or a line end. */
static enum csv_step cell_end(struct csv_reader *csv, struct raw_row *row, struct needs_problem *problem,
			      char mark)
{
	enum raw_end end = raw_row_end_cell(row, csv->column);
	if (end != RAW_CELL_KEPT) {
		raw_row_refuse_end(row, problem, end, csv->column);
		return CSV_FAULT;
	}
	csv->column++;
	csv->after_cr = mark == '\r';
	csv->state = mark == ',' ? CSV_CELL_START : CSV_ROW_START;
	return mark == ',' ? CSV_MORE : CSV_ROW_COMPLETE;
}

static enum csv_step cell_take(struct csv_reader *csv, struct raw_row *row, struct needs_problem *problem,
			       const char *to)
{
	bool fits = raw_row_append(row, csv->at, (size_t)(to - csv->at));
	csv->at = to;
	if (fits)
		return CSV_MORE;
	raw_row_refuse_long(row, problem, csv->column);
	return CSV_FAULT;
}

static enum csv_step step_cell_start(struct csv_reader *csv, struct raw_row *row)
{
	raw_row_begin_cell(row);
	csv->state = CSV_PLAIN;
	if (*csv->at == '"') {
		csv->state = CSV_QUOTED;
		csv->at++;
	}
	return CSV_MORE;
}

static enum csv_step step_row_start(struct csv_reader *csv, struct raw_row *row)
{
	bool rest_of_line_end = csv->after_cr && *csv->at == '\n';
	csv->after_cr = false;
	if (!rest_of_line_end)
		return step_cell_start(csv, row);
	csv->at++;
	return CSV_MORE;
}

static bool is_mark(char c)
{
	return c == ',' || c == '"' || c == '\r' || c == '\n';
}

static enum csv_step step_plain(struct csv_reader *csv, struct raw_row *row, struct needs_problem *problem)
{
	const char *to = csv->at;
	while (to < csv->end && !is_mark(*to))
		to++;
	if (cell_take(csv, row, problem, to) != CSV_MORE)
		return CSV_FAULT;
	if (to == csv->end)
		return CSV_MORE;
	if (*to == '"')
		return fault_quote(csv, row, problem, "a quote inside a cell that does not begin with one");
	csv->at++;
	return cell_end(csv, row, problem, *to);
}

static enum csv_step step_quoted(struct csv_reader *csv, struct raw_row *row, struct needs_problem *problem)
{
	const char *quote = memchr(csv->at, '"', (size_t)(csv->end - csv->at));
	if (cell_take(csv, row, problem, quote ? quote : csv->end) != CSV_MORE)
		return CSV_FAULT;
	if (quote) {
		csv->at++;
		csv->state = CSV_QUOTE_SEEN;
	}
	return CSV_MORE;
}

static enum csv_step step_quote_seen(struct csv_reader *csv, struct raw_row *row,
				     struct needs_problem *problem)
{
	char c = *csv->at;
	if (c == '"') {
		csv->state = CSV_QUOTED;
		return cell_take(csv, row, problem, csv->at + 1);
	}
	if (!is_mark(c))
		return fault_quote(csv, row, problem, "text after the closing quote");
	csv->at++;
	return cell_end(csv, row, problem, c);
}

static enum csv_step step(struct csv_reader *csv, struct raw_row *row, struct needs_problem *problem)
{
	switch (csv->state) {
	case CSV_ROW_START:
		return step_row_start(csv, row);
	case CSV_CELL_START:
		return step_cell_start(csv, row);
	case CSV_PLAIN:
		return step_plain(csv, row, problem);
	case CSV_QUOTED:
		return step_quoted(csv, row, problem);
	case CSV_QUOTE_SEEN:
		return step_quote_seen(csv, row, problem);
	}
	return CSV_FAULT;
}

/* The file ended: the last line may lack its line end. */
static enum needs_next finish(struct csv_reader *csv, struct raw_row *row, struct needs_problem *problem)
{
	if (csv->state == CSV_ROW_START)
		return NEEDS_END;
	if (csv->state == CSV_QUOTED) {
		fault_quote(csv, row, problem, "the closing quote is missing");
		return NEEDS_REFUSED;
	}
	if (csv->state == CSV_CELL_START)
		raw_row_begin_cell(row);
	return cell_end(csv, row, problem, '\n') == CSV_FAULT ? NEEDS_REFUSED : NEEDS_ROW;
}

static enum needs_next next_piece(struct csv_reader *csv, struct needs_problem *problem)
{
	struct slice piece = { 0 };
	enum needs_next next = text_decoder_next(csv->text, &piece, problem);
	csv->at = piece.at;
	csv->end = piece.len > 0 ? piece.at + piece.len : piece.at;
	return next;
}

enum needs_next csv_reader_next(struct csv_reader *csv, struct raw_row *row, struct needs_problem *problem)
{
	if (csv->ordinal == UINT32_MAX) {
		needs_problem_file(problem, "too_many_rows", "more lines than can be counted");
		return NEEDS_REFUSED;
	}
	raw_row_clear(row, ++csv->ordinal);
	csv->column = 0;
	for (;;) {
		if (csv->at == csv->end) {
			enum needs_next next = next_piece(csv, problem);
			if (next != NEEDS_ROW)
				return next == NEEDS_END ? finish(csv, row, problem) : NEEDS_REFUSED;
		}
		enum csv_step taken = step(csv, row, problem);
		if (taken != CSV_MORE)
			return taken == CSV_FAULT ? NEEDS_REFUSED : NEEDS_ROW;
	}
}
