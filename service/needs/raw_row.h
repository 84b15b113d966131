/* SPDX-License-Identifier: Apache-2.0
 * One row as a file holds it, before the header says what its columns mean. Filled by the CSV and the XLSX
 * reader, cell by cell; its memory is taken once, at most (columns + 1) × cell_bytes. */
#ifndef SERVICE_NEEDS_RAW_ROW_H
#define SERVICE_NEEDS_RAW_ROW_H

#include "service/needs/needs_header.h"

struct raw_row;

/* NULL without memory. */
struct raw_row *raw_row_new(const struct needs_limits *limits);
void raw_row_free(struct raw_row **row);

/* --- filling it --- */
/* ordinal: the row's place in the file, from 1, header and blank rows counted. */
void raw_row_clear(struct raw_row *row, uint32_t ordinal);
void raw_row_begin_cell(struct raw_row *row);
/* False when the cell grows over cell_bytes. */
MUST_USE bool raw_row_append(struct raw_row *row, const char *bytes, size_t len);
/* The bytes of the cell being filled; may be shortened in place with raw_row_shorten. */
char *raw_row_pending(struct raw_row *row, size_t *len);
void raw_row_shorten(struct raw_row *row, size_t len);
enum raw_end { RAW_CELL_KEPT, RAW_CELL_TWICE, RAW_CELL_TOO_WIDE };
/* Trims the cell and puts it under `column` (from 0). A blank cell takes no place. */
MUST_USE enum raw_end raw_row_end_cell(struct raw_row *row, size_t column);

/* --- reading it --- */
size_t raw_row_count(const struct raw_row *row); /* cells up to the last that is not blank */
struct slice raw_row_cell(const struct raw_row *row, size_t column);

/* --- saying where something is wrong --- */
/* From here on rows are counted from below the header (which outlives the row) and columns have names. */
void raw_row_set_header(struct raw_row *row, const struct needs_header *header);
/* 1 for the first row below the header; 0 for the header itself. */
uint32_t raw_row_number(const struct raw_row *row);
void raw_row_refuse(const struct raw_row *row, struct needs_problem *problem, const char *code, size_t column,
		    const char *text);
void raw_row_refuse_end(const struct raw_row *row, struct needs_problem *problem, enum raw_end end,
			size_t column);
void raw_row_refuse_long(const struct raw_row *row, struct needs_problem *problem, size_t column);

#endif
