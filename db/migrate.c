/* SPDX-License-Identifier: Apache-2.0
 * Invariant: under the advisory lock, a migration's version row and its changes commit together or not at
 * all; a database newer than the program is refused before anything is touched. */
#include "db/migrate.h"
#include "db/embedded.h"
#include "service/log.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIGRATION_LOCK = 730117 };

static bool fail(PGconn *pg, PGresult *result, const char *doing, char *why, size_t why_size)
{
	const char *said = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	if (!said)
		said = PQerrorMessage(pg);
	snprintf(why, why_size, "%s: %.*s", doing, (int)strcspn(said, "\n"), said);
	PQclear(result);
	return false;
}

static PGconn *connect_as_owner(const char *conninfo, char *why, size_t why_size)
{
	PGconn *pg = PQconnectdb(conninfo);
	if (PQstatus(pg) == CONNECTION_OK)
		return pg;
	fail(pg, NULL, "TANTU_OWNER_DATABASE", why, why_size);
	PQfinish(pg);
	return NULL;
}

static bool run(PGconn *pg, const char *doing, const char *sql, char *why, size_t why_size)
{
	PGresult *result = PQexec(pg, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		return fail(pg, result, doing, why, why_size);
	PQclear(result);
	return true;
}

int db_schema_version(void)
{
	int n = 0;
	while (embedded_migrations[n].name)
		n++;
	return n;
}

static bool current_version(PGconn *pg, int *version, char *why, size_t why_size)
{
	PGresult *result = PQexec(pg, "SELECT coalesce(max(version), 0) FROM schema_version");
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		return fail(pg, result, "schema_version", why, why_size);
	*version = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return true;
}

static bool apply(PGconn *pg, int number, char *why, size_t why_size)
{
	const struct embedded_file *m = &embedded_migrations[number - 1];
	char row[256];
	snprintf(row, sizeof row, "BEGIN; INSERT INTO schema_version (version, name) VALUES (%d, '%s')",
		 number, m->name);
	if (!run(pg, m->name, row, why, why_size) || !run(pg, m->name, m->text, why, why_size) ||
	    !run(pg, m->name, "COMMIT", why, why_size))
		return false;
	log_line(LOG_INFO, "migrated", LOG_TEXT("migration", m->name));
	return true;
}

static bool migrate_locked(PGconn *pg, char *why, size_t why_size)
{
	char lock[64];
	int version = 0, newest = db_schema_version();
	snprintf(lock, sizeof lock, "SELECT pg_advisory_lock(%d)", MIGRATION_LOCK);
	if (!run(pg, "lock", lock, why, why_size) ||
	    !run(pg, "schema_version",
		 "CREATE TABLE IF NOT EXISTS schema_version (version int PRIMARY KEY, name text NOT NULL, "
		 "applied_at timestamptz NOT NULL DEFAULT now())",
		 why, why_size) ||
	    !current_version(pg, &version, why, why_size))
		return false;
	if (version > newest) {
		snprintf(why, why_size,
			 "the database has schema %d, this program knows only %d: use the newer program",
			 version, newest);
		return false;
	}
	while (version < newest)
		if (!apply(pg, ++version, why, why_size))
			return false;
	return true;
}

bool db_migrate(const char *conninfo, char *why, size_t why_size)
{
	PGconn *pg = connect_as_owner(conninfo, why, why_size);
	if (!pg)
		return false;
	bool done = run(pg, "settings", "SET client_min_messages = warning", why, why_size) &&
		    migrate_locked(pg, why, why_size);
	PQfinish(pg); /* gives the lock back */
	return done;
}

static const struct embedded_file *loaded_file(const char *name)
{
	for (const struct embedded_file *f = embedded_data; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	INVARIANT(false);
	return NULL;
}

/* The first row's first column as text, in `out`. */
static bool ask(PGconn *pg, enum sql statement, const char *const *values, int count, char out[32], char *why,
		size_t why_size)
{
	const struct sql_text *s = &sql_texts[statement];
	PGresult *result = PQexecParams(pg, s->text, count, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
		return fail(pg, result, s->name, why, why_size);
	snprintf(out, 32, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	return true;
}

/* The embedded CSV files hold digits and names only, nothing quoted; their header gives the JSON's names. */
static char *csv_as_json(const struct embedded_file *f)
{
	char *json = malloc(f->len * 8 + 64), *out = json;
	char heading[8][16];
	int columns = 0;
	const char *at = f->text, *line_end = strchr(at, '\n');
	INVARIANT(json && line_end);
	for (; at < line_end && columns < 8; at += strcspn(at, ",\r\n") + 1)
		snprintf(heading[columns++], 16, "%.*s", (int)strcspn(at, ",\r\n"), at);
	*out++ = '[';
	for (at = line_end + 1; *at; at = *line_end ? line_end + 1 : line_end) {
		line_end = at + strcspn(at, "\n");
		if (line_end - at < 3)
			continue;
		out += sprintf(out, "%s{", out[-1] == '[' ? "" : ",");
		for (int i = 0; i < columns; i++) {
			int len = (int)strcspn(at, ",\r\n");
			const char *name = strcmp(heading[i], "parent_code") == 0 ? "parent" : heading[i];
			out += sprintf(out, "%s\"%s\":\"%.*s\"", i ? "," : "", name, len, at);
			at += len + (at[len] == ',');
		}
		*out++ = '}';
	}
	memcpy(out, "]", 2);
	return json;
}

static bool load_csv(PGconn *pg, enum sql statement, const char *name, char *why, size_t why_size)
{
	char *json = csv_as_json(loaded_file(name)), added[32];
	const char *values[] = { json };
	bool done = ask(pg, statement, values, 1, added, why, why_size);
	free(json);
	if (done && strcmp(added, "0") != 0)
		log_line(LOG_INFO, "loaded", LOG_TEXT("file", name), LOG_TEXT("added", added));
	return done;
}

bool db_load(const char *conninfo, char *why, size_t why_size)
{
	char added[32];
	const char *plans[] = { loaded_file("plans.json")->text };
	PGconn *pg = connect_as_owner(conninfo, why, why_size);
	if (!pg)
		return false;
	bool done = load_csv(pg, SQL_load_regions, "regions.csv", why, why_size) &&
		    load_csv(pg, SQL_load_lineage, "region_lineage.csv", why, why_size) &&
		    ask(pg, SQL_load_plans, plans, 1, added, why, why_size);
	PQfinish(pg);
	return done;
}

bool db_administrator_wanted(const char *conninfo, bool *wanted, char *why, size_t why_size)
{
	char answer[32];
	PGconn *pg = connect_as_owner(conninfo, why, why_size);
	if (!pg)
		return false;
	bool done = ask(pg, SQL_load_administrator_wanted, NULL, 0, answer, why, why_size);
	*wanted = done && answer[0] == 't';
	PQfinish(pg);
	return done;
}

bool db_administrator_make(const char *conninfo, const char *name, const char *password_hash, char *why,
			   size_t why_size)
{
	char added[32];
	const char *values[] = { name, password_hash };
	PGconn *pg = connect_as_owner(conninfo, why, why_size);
	if (!pg)
		return false;
	bool done = ask(pg, SQL_load_administrator, values, 2, added, why, why_size);
	PQfinish(pg);
	return done;
}
