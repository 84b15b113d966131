/* SPDX-License-Identifier: Apache-2.0
 * Reads a file of rows (CSV in UTF-8 with or without BOM, CSV in GB18030, XLSX) row by row,
 * streaming: of needs, or whatever its file_table says. Knows no database and no HTTP. Blocking: call from
 * the thread pool. A file is either readable to its end or refused as a whole with one needs_problem. */
#ifndef SERVICE_NEEDS_NEEDS_FILE_H
#define SERVICE_NEEDS_NEEDS_FILE_H

#include "service/invariant.h"
#include "service/needs/file_table.h"
#include "service/slice.h"

struct needs_row {
	uint32_t number; /* data row, 1 for the first below the header */
	/* By column of the table; UTF-8, blanks at the ends removed; valid until the next call. */
	struct slice cell[FILE_COLUMNS];
};

enum needs_format { NEEDS_CSV_UTF8, NEEDS_CSV_UTF8_BOM, NEEDS_CSV_GB18030, NEEDS_XLSX };
extern const char *const needs_format_names[]; /* "csv_utf8" "csv_utf8_bom" "csv_gb18030" "xlsx" */

/* Why a file is refused as a whole. code is stable, detail is for people and names row and column. */
struct needs_problem {
	char code[32];   /* file_empty encoding_unknown header_missing column_missing column_unknown
			    column_twice row_too_wide cell_too_long cell_control too_many_rows csv_quote
			    xlsx_broken xlsx_too_large xlsx_formula xlsx_encrypted xls_old
			    xlsx_sheet_missing file_unreadable;
			    try_again: it is not the file's fault */
	char column[64]; /* the column's name or "" */
	uint32_t row;    /* data row or 0 */
	char detail[256];
};

/* Where the bytes come from. read answers bytes (may be fewer than asked), 0 at the end, -1 on failure;
 * rewind starts again. */
struct needs_source {
	void *context;
	long (*read)(void *context, void *into, size_t room);
	bool (*rewind)(void *context);
};

struct needs_limits {
	uint32_t rows;            /* 200,000 */
	size_t cell_bytes;        /* 4,096 */
	size_t columns;           /* 64 */
	size_t xlsx_bytes;        /* the zip itself, held in memory: 64 MiB */
	size_t xlsx_sheet_bytes;  /* inflated sheet: 1 GiB, streamed; and never over 200 × the packed size
				     (bomb;  parts under 1 MiB may) */
	size_t xlsx_string_bytes; /* inflated shared strings, held in memory: 64 MiB */
};
struct needs_limits needs_limits_default(void);

struct needs_reader;

/* Finds the format by content, reads the header row. The reader keeps source and limits by value; the table
 * outlives it. NULL with *problem filled when the file is refused. */
struct needs_reader *needs_reader_open(const struct needs_source *source, const struct file_table *table,
				       const struct needs_limits *limits, struct needs_problem *problem);
enum needs_next { NEEDS_ROW, NEEDS_END, NEEDS_REFUSED };
/* Blank rows at the end are not answered; a blank row in the middle is (it will fail required_missing). */
MUST_USE enum needs_next needs_reader_next(struct needs_reader *reader, struct needs_row *row,
					   struct needs_problem *problem);
enum needs_format needs_reader_format(const struct needs_reader *reader);
void needs_reader_close(struct needs_reader **reader);

/* Reads the file to its end: what a POST checks before it says 202. rows: data rows counted. */
MUST_USE bool needs_probe(const struct needs_source *source, const struct file_table *table,
			  const struct needs_limits *limits, enum needs_format *format, uint32_t *rows,
			  struct needs_problem *problem);

/* Writes the refused-rows file: same format and encoding as what was sent (XLSX for XLSX, CSV with CRLF and
 * BOM as before), the table's columns as they were, then 错误代码 and 错误说明. The table outlives it. */
struct needs_writer;
struct needs_writer *needs_writer_new(const struct file_table *table, enum needs_format format,
				      const char *path);
MUST_USE bool needs_writer_add(struct needs_writer *writer, const struct needs_row *row, const char *code,
			       const char *explanation);
MUST_USE bool needs_writer_finish(struct needs_writer **writer); /* closes; false when the disk is full */
void needs_writer_abandon(struct needs_writer **writer);
/* An empty file to be filled in: the table's headings alone. */
MUST_USE bool needs_template_write(const struct file_table *table, enum needs_format format,
				   const char *path);

#endif
