/* SPDX-License-Identifier: Apache-2.0
 * Rows as PostgreSQL sent them (binary), and what it said of a statement's parameters and columns. */
#ifndef DB_RESULT_H
#define DB_RESULT_H

#include "service/arena.h"
#include "service/slice.h"

enum db_type {
	DB_BOOL,
	DB_INT2,
	DB_INT4,
	DB_INT8,
	DB_FLOAT8,
	DB_TEXT,  /* also an enum's label */
	DB_TEXTS, /* text[] */
	DB_DATE,
	DB_TIME, /* timestamptz */
	DB_JSON,
	DB_BYTES, /* bytea */
	DB_OTHER_TYPE
};

struct db_column {
	char name[64];
	enum db_type type;
};
struct db_shape {
	int parameters;
	int columns;
	struct db_column *column;
};

/* PostgreSQL's type OID as ours; OIDs of user-made types (16384 and above) are enums here. */
enum db_type db_type_of(unsigned oid);

/* One result; replies hold them side by side. */
struct db_rows {
	struct pg_result *pg; /* a PGresult */
};
int db_row_count(const struct db_rows *rows);
bool db_is_null(const struct db_rows *rows, int row, int column);
/* The bytes as they came; text is not terminated by contract. */
struct slice db_get(const struct db_rows *rows, int row, int column);
bool db_get_bool(const struct db_rows *rows, int row, int column);
/* int2, int4, int8, date (days since 2000) and timestamptz (microseconds since 2000) */
int64_t db_get_int(const struct db_rows *rows, int row, int column);
double db_get_float(const struct db_rows *rows, int row, int column);
/* Column number by name, -1 when there is none. */
int db_column_number(const struct db_rows *rows, const char *name);
/* Elements of a text[] (no NULLs): at most `most`; answers how many. */
int db_get_texts(const struct db_rows *rows, int row, int column, struct slice *into, int most);

#endif
