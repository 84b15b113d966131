/* SPDX-License-Identifier: Apache-2.0
 * What each column of a file means.
 * Invariant: a header that was read names every column of its table once at most, and each that it
 * needs. */
#include "service/needs/needs_header.h"
#include "service/needs/needs_problem.h"
#include "service/needs/needs_text.h"
#include "service/needs/raw_row.h"

const char *const needs_error_column_names[NEEDS_ERROR_COLUMNS] = { "错误代码", "错误说明" };

static const char *meaning_name(const struct file_table *table, int meaning)
{
	return meaning < table->count ? table->columns[meaning]
				      : needs_error_column_names[meaning - table->count];
}

/* -1 when no column is called so. */
static int meaning_of(const struct file_table *table, struct slice heading)
{
	for (int i = 0; i < table->count + NEEDS_ERROR_COLUMNS; i++)
		if (slice_is(heading, meaning_name(table, i)))
			return i;
	return -1;
}

static bool any_heading_known(const struct file_table *table, const struct raw_row *row)
{
	for (size_t i = 0; i < raw_row_count(row); i++)
		if (meaning_of(table, raw_row_cell(row, i)) >= 0)
			return true;
	return false;
}

static bool heading_twice(struct needs_problem *problem, struct slice heading, size_t column)
{
	needs_problem_set(problem, "column_twice", 0, heading, "given twice (column %zu of the file)",
			  column + 1);
	return false;
}

static bool heading_unknown(struct needs_problem *problem, const struct file_table *table,
			    struct slice heading, size_t column)
{
	needs_problem_set(problem, "column_unknown", 0, heading,
			  "not a column of %s (column %zu of the file)", table->what, column + 1);
	return false;
}

static bool headings_take(struct needs_header *header, const struct raw_row *row, bool seen[NEEDS_HEADER_MAX],
			  struct needs_problem *problem)
{
	for (size_t i = 0; i < raw_row_count(row); i++) {
		struct slice heading = raw_row_cell(row, i);
		int meaning = meaning_of(header->table, heading);
		if (meaning < 0)
			return heading_unknown(problem, header->table, heading, i);
		if (seen[meaning])
			return heading_twice(problem, heading, i);
		seen[meaning] = true;
		header->meaning[header->count++] = meaning;
	}
	return true;
}

bool needs_header_read(struct needs_header *header, const struct raw_row *row, struct needs_problem *problem)
{
	const struct file_table *table = header->table;
	bool seen[NEEDS_HEADER_MAX] = { false };
	header->count = 0;
	if (!any_heading_known(table, row)) {
		needs_problem_file(problem, "header_missing", "the first row names no column of %s",
				   table->what);
		return false;
	}
	if (!headings_take(header, row, seen, problem))
		return false;
	for (int i = 0; i < table->count; i++) {
		if (!seen[i] && !(table->optional >> i & 1)) {
			needs_problem_set(problem, "column_missing", 0, slice_of(table->columns[i]),
					  "not in the header");
			return false;
		}
	}
	return true;
}

const char *needs_header_name(const struct needs_header *header, size_t column)
{
	return column < header->count ? meaning_name(header->table, header->meaning[column]) : "";
}
