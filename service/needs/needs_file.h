/* SPDX-License-Identifier: Apache-2.0
 * Reads a needs file (CSV in UTF-8 with or without BOM, CSV in GB18030, XLSX) row by row, streaming.
 * Knows no database and no HTTP. Blocking: call from the thread pool.
 * A file is either readable to its end or refused as a whole with one needs_problem. */
#ifndef SERVICE_NEEDS_NEEDS_FILE_H
#define SERVICE_NEEDS_NEEDS_FILE_H

#include "service/invariant.h"
#include "service/slice.h"

/* The twenty columns of the needs database, by their index in struct needs_row. */
enum needs_column {
	NEEDS_SEQUENCE,    /* 序号 */
	NEEDS_NAME,        /* 姓名 */
	NEEDS_SEX,         /* 性别 */
	NEEDS_CERTIFICATE, /* 残疾人证号 */
	NEEDS_CATEGORY,    /* 残疾类别 */
	NEEDS_LEVEL,       /* 残疾等级 */
	NEEDS_HOUSEHOLD,   /* 户编号 */
	NEEDS_RELATION,    /* 与户主关系 */
	NEEDS_PHONE,       /* 联系电话 */
	NEEDS_REGION,      /* 区划代码 */
	NEEDS_VILLAGE,     /* 村(社区) */
	NEEDS_ADDRESS,     /* 详细地址 */
	NEEDS_LONGITUDE,   /* 经度 */
	NEEDS_LATITUDE,    /* 纬度 */
	NEEDS_HARDSHIP,    /* 经济状况 */
	NEEDS_TRAITS,      /* 家庭特征 */
	NEEDS_RETROFIT,    /* 改造需求 */
	NEEDS_DEVICES,     /* 辅具需求 */
	NEEDS_REGISTERED,  /* 登记日期 */
	NEEDS_REMARK,      /* 备注 */
	NEEDS_COLUMNS
};
extern const char *const needs_column_names[NEEDS_COLUMNS];

struct needs_row {
	uint32_t number;                  /* data row, 1 for the first below the header */
	struct slice cell[NEEDS_COLUMNS]; /* UTF-8, blanks at the ends removed; valid until the next call */
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

/* Finds the format by content, reads the header row. The reader keeps source and limits by value.
 * NULL with *problem filled when the file is refused. */
struct needs_reader *needs_reader_open(const struct needs_source *source, const struct needs_limits *limits,
				       struct needs_problem *problem);
enum needs_next { NEEDS_ROW, NEEDS_END, NEEDS_REFUSED };
/* Blank rows at the end are not answered; a blank row in the middle is (it will fail required_missing). */
MUST_USE enum needs_next needs_reader_next(struct needs_reader *reader, struct needs_row *row,
					   struct needs_problem *problem);
enum needs_format needs_reader_format(const struct needs_reader *reader);
void needs_reader_close(struct needs_reader **reader);

/* Reads the file to its end: what a POST checks before it says 202. rows: data rows counted. */
MUST_USE bool needs_probe(const struct needs_source *source, const struct needs_limits *limits,
			  enum needs_format *format, uint32_t *rows, struct needs_problem *problem);

/* Writes the refused-rows file: same format and encoding as what was sent (XLSX for XLSX, CSV with CRLF and
 * BOM as before), the twenty columns as they were, then 错误代码 and 错误说明; 序号 keeps its value. */
struct needs_writer;
struct needs_writer *needs_writer_new(enum needs_format format, const char *path);
MUST_USE bool needs_writer_add(struct needs_writer *writer, const struct needs_row *row, const char *code,
			       const char *explanation);
MUST_USE bool needs_writer_finish(struct needs_writer **writer); /* closes; false when the disk is full */
void needs_writer_abandon(struct needs_writer **writer);

#endif
