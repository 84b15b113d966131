/* SPDX-License-Identifier: Apache-2.0
 * PostgreSQL's binary formats (src/backend/utils/adt/…send): big-endian numbers; timestamptz as microseconds
 * and date as days since 2000-01-01; jsonb would carry a version byte, so statements answer json. */
#include "db/result.h"
#include "service/invariant.h"
#include <endian.h>
#include <libpq-fe.h>

enum db_type db_type_of(unsigned oid)
{
	switch (oid) {
	case 16:
		return DB_BOOL;
	case 17:
		return DB_BYTES;
	case 20:
		return DB_INT8;
	case 21:
		return DB_INT2;
	case 23:
		return DB_INT4;
	case 25:
		return DB_TEXT;
	case 114:
		return DB_JSON;
	case 701:
		return DB_FLOAT8;
	case 1009:
		return DB_TEXTS;
	case 1082:
		return DB_DATE;
	case 1184:
		return DB_TIME;
	default:
		return oid >= 16384 ? DB_TEXT : DB_OTHER_TYPE;
	}
}

int db_row_count(const struct db_rows *rows)
{
	return PQntuples(rows->pg);
}

bool db_is_null(const struct db_rows *rows, int row, int column)
{
	return PQgetisnull(rows->pg, row, column);
}

struct slice db_get(const struct db_rows *rows, int row, int column)
{
	return (struct slice){ PQgetvalue(rows->pg, row, column),
			       (size_t)PQgetlength(rows->pg, row, column) };
}

bool db_get_bool(const struct db_rows *rows, int row, int column)
{
	struct slice s = db_get(rows, row, column);
	return s.len == 1 && s.at[0] == 1;
}

static uint16_t load16(const char *at)
{
	uint16_t n;
	memcpy(&n, at, sizeof n);
	return be16toh(n);
}

static uint32_t load32(const char *at)
{
	uint32_t n;
	memcpy(&n, at, sizeof n);
	return be32toh(n);
}

static uint64_t load64(const char *at)
{
	uint64_t n;
	memcpy(&n, at, sizeof n);
	return be64toh(n);
}

int64_t db_get_int(const struct db_rows *rows, int row, int column)
{
	struct slice s = db_get(rows, row, column);
	switch (s.len) {
	case 2:
		return (int16_t)load16(s.at);
	case 4:
		return (int32_t)load32(s.at);
	case 8:
		return (int64_t)load64(s.at);
	default:
		INVARIANT(s.len == 0); /* NULL reads as 0 */
		return 0;
	}
}

double db_get_float(const struct db_rows *rows, int row, int column)
{
	struct slice s = db_get(rows, row, column);
	uint64_t bits = s.len == 8 ? load64(s.at) : 0;
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

int db_column_number(const struct db_rows *rows, const char *name)
{
	for (int i = 0; i < PQnfields(rows->pg); i++)
		if (strcmp(PQfname(rows->pg, i), name) == 0)
			return i;
	return -1;
}

/* array_send: dimensions, has-nulls, element type, then for each dimension length and lower bound, then
 * for each element its length and bytes. */
int db_get_texts(const struct db_rows *rows, int row, int column, struct slice *into, int most)
{
	struct slice s = db_get(rows, row, column);
	if (s.len < 20 || load32(s.at) != 1)
		return 0;
	int count = (int)load32(s.at + 12), n = 0;
	size_t at = 20;
	for (; n < count && n < most && at + 4 <= s.len; n++) {
		int32_t len = (int32_t)load32(s.at + at);
		at += 4;
		if (len < 0 || at + (size_t)len > s.len)
			break;
		into[n] = (struct slice){ s.at + at, (size_t)len };
		at += (size_t)len;
	}
	return n;
}
