/* SPDX-License-Identifier: Apache-2.0
 * See direct.h. */
#include "db/direct.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

struct db_direct {
	PGconn *pg;
	PGresult *result; /* the rows of the last question */
};

static bool fail(const struct db_direct *d, const PGresult *result, const char *doing, char *why,
		 size_t why_size)
{
	const char *said = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	if (!said)
		said = PQerrorMessage(d->pg);
	snprintf(why, why_size, "%s%s%.*s", doing, *doing ? ": " : "", (int)strcspn(said, "\n"), said);
	return false;
}

struct db_direct *db_direct_open(const char *conninfo, int seconds, char *why, size_t why_size)
{
	char connect[16], statement[64];
	const char *keys[] = { "connect_timeout",  "target_session_attrs", "dbname", "options",
			       "application_name", "client_encoding",      NULL };
	const char *values[] = { connect, "read-write", conninfo, statement, "tantu", "UTF8", NULL };
	struct db_direct *d = calloc(1, sizeof *d);
	INVARIANT(d);
	snprintf(connect, sizeof connect, "%d", seconds);
	snprintf(statement, sizeof statement, "-c statement_timeout=%d", seconds * 1000);
	d->pg = PQconnectdbParams(keys, values, 1);
	if (d->pg && PQstatus(d->pg) == CONNECTION_OK)
		return d;
	fail(d, NULL, "", why, why_size);
	db_direct_close(&d);
	return NULL;
}

void db_direct_close(struct db_direct **direct)
{
	if (!*direct)
		return;
	PQclear((*direct)->result);
	PQfinish((*direct)->pg);
	free(*direct);
	*direct = NULL;
}

static bool run(struct db_direct *d, enum sql statement, const struct db_value *values, int count, char *why,
		size_t why_size)
{
	const char *at[DB_PARAMETERS];
	int length[DB_PARAMETERS], format[DB_PARAMETERS];
	const struct sql_text *s = &sql_texts[statement];
	for (int i = 0; i < count; i++) {
		at[i] = values[i].at;
		length[i] = values[i].len;
		format[i] = values[i].binary;
	}
	PQclear(d->result);
	d->result = PQexecParams(d->pg, s->text, count, NULL, at, length, format, 1);
	ExecStatusType status = PQresultStatus(d->result);
	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
	       fail(d, d->result, s->name, why, why_size);
}

static bool control(struct db_direct *d, const char *sql, char *why, size_t why_size)
{
	PGresult *result = PQexec(d->pg, sql);
	bool done = PQresultStatus(result) == PGRES_COMMAND_OK || fail(d, result, sql, why, why_size);
	PQclear(result);
	return done;
}

bool db_direct_ask(struct db_direct *direct, const struct db_scope *scope, enum sql statement,
		   const struct db_value *values, int count, struct db_rows *rows, char *why, size_t why_size)
{
	struct db_value parts[DB_SCOPE_PARTS];
	char ignored[8];
	for (int i = 0; i < DB_SCOPE_PARTS; i++)
		parts[i] = db_text(scope->part[i]);
	INVARIANT(count <= DB_PARAMETERS);
	if (!control(direct, "BEGIN", why, why_size))
		return false;
	if (run(direct, SQL_scope_set, parts, DB_SCOPE_PARTS, why, why_size) &&
	    run(direct, statement, values, count, why, why_size) &&
	    control(direct, "COMMIT", why, why_size)) {
		rows->pg = direct->result;
		return true;
	}
	if (!control(direct, "ROLLBACK", ignored, sizeof ignored))
		PQreset(direct->pg);
	return false;
}

/* EXPLAIN EXECUTE tantu_try (NULL, NULL) */
static bool explain(struct db_direct *d, const char *name, int parameters, char *why, size_t why_size)
{
	static const char nulls[] =
		"NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
		"NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
		"NULL, NULL, NULL, NULL, NULL, NULL";
	_Static_assert(sizeof nulls == 6 * DB_PARAMETERS - 1, "a NULL for each parameter");
	char sql[64 + sizeof nulls];
	INVARIANT(parameters <= DB_PARAMETERS);
	snprintf(sql, sizeof sql, "EXPLAIN EXECUTE tantu_try%s%.*s%s", parameters ? " (" : "",
		 parameters ? parameters * 6 - 2 : 0, nulls, parameters ? ")" : "");
	PGresult *result = PQexec(d->pg, sql);
	bool done = PQresultStatus(result) == PGRES_TUPLES_OK || fail(d, result, name, why, why_size);
	PQclear(result);
	return done;
}

bool db_direct_try(struct db_direct *direct, enum sql statement, char *why, size_t why_size)
{
	const struct sql_text *s = &sql_texts[statement];
	PGresult *prepared = PQprepare(direct->pg, "tantu_try", s->text, 0, NULL);
	if (PQresultStatus(prepared) != PGRES_COMMAND_OK) {
		fail(direct, prepared, s->name, why, why_size);
		PQclear(prepared);
		return false;
	}
	PQclear(prepared);
	PGresult *described = PQdescribePrepared(direct->pg, "tantu_try");
	bool done = explain(direct, s->name, PQnparams(described), why, why_size);
	PQclear(described);
	return control(direct, "DEALLOCATE tantu_try", why, why_size) && done;
}
