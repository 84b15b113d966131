/* SPDX-License-Identifier: Apache-2.0
 * CSV as RFC 4180 has it, a row at a time: comma, quotes doubled inside quotes, lines ended by CRLF, LF or
 * CR. A quote anywhere else is refused: guessing would move cells into other columns. */
#ifndef SERVICE_NEEDS_CSV_READER_H
#define SERVICE_NEEDS_CSV_READER_H

#include "service/needs/raw_row.h"

struct csv_reader;

/* The source outlives the reader. NULL with *problem filled. */
struct csv_reader *csv_reader_open(const struct needs_source *source, struct needs_problem *problem);
void csv_reader_close(struct csv_reader **csv);
enum needs_format csv_reader_format(const struct csv_reader *csv);
/* Blank rows are answered too. */
MUST_USE enum needs_next csv_reader_next(struct csv_reader *csv, struct raw_row *row,
					 struct needs_problem *problem);

#endif
