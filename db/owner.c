/* SPDX-License-Identifier: Apache-2.0
 * See owner.h. */
#include "db/owner.h"
#include "db/conninfo.h"
#include <stdio.h>
#include <string.h>

bool owner_failed(PGconn *pg, PGresult *result, const char *doing, char *why, size_t why_size)
{
	const char *said = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	if (!said)
		said = PQerrorMessage(pg);
	snprintf(why, why_size, "%s: %.*s", doing, (int)strcspn(said, "\n"), said);
	PQclear(result);
	return false;
}

PGconn *owner_connect(const char *conninfo, char *why, size_t why_size)
{
	static const char setting[] = "TANTU_OWNER_DATABASE: ";
	size_t used = sizeof setting - 1;
	snprintf(why, why_size, "%s", setting);
	return why_size > used ? db_connect(conninfo, why + used, why_size - used) : NULL;
}

PGresult *owner_rows(PGconn *pg, enum sql statement, const char *const *values, int count, char *why,
		     size_t why_size)
{
	const struct sql_text *s = &sql_texts[statement];
	PGresult *result = PQexecParams(pg, s->text, count, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	owner_failed(pg, result, s->name, why, why_size);
	return NULL;
}

PGresult *owner_row(PGconn *pg, enum sql statement, const char *const *values, int count, char *why,
		    size_t why_size)
{
	PGresult *result = owner_rows(pg, statement, values, count, why, why_size);
	if (!result || PQntuples(result) == 1)
		return result;
	snprintf(why, why_size, "%s: %d rows where one was due", sql_texts[statement].name,
		 PQntuples(result));
	PQclear(result);
	return NULL;
}

bool owner_run(PGconn *pg, const char *doing, const char *sql, char *why, size_t why_size)
{
	PGresult *result = PQexec(pg, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		return owner_failed(pg, result, doing, why, why_size);
	PQclear(result);
	return true;
}
