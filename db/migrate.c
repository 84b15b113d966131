/* SPDX-License-Identifier: Apache-2.0
 * Invariant: under the advisory lock, a migration's version row and its changes commit together or not at
 * all; a database newer than the program is refused before anything is touched. */
#include "db/migrate.h"
#include "db/owner.h"
#include "db/schema.h"
#include "service/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PATIENCE_SECONDS = 60,
	/* Whoever waits for a table's lock makes all later comers wait: never longer than this at a time.
	 * PostgreSQL sends an autovacuum away after one second, so not much shorter either. */
	LOCK_MS = 1500,
	PAUSE_MS = 500
};

/* *locked_out tells that a lock did not come in time. */
static bool run_locking(PGconn *pg, const char *doing, const char *sql, bool *locked_out, char *why,
			size_t why_size)
{
	PGresult *result = PQexec(pg, sql);
	if (PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK) {
		PQclear(result);
		return true;
	}
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	*locked_out = state && strcmp(state, "55P03") == 0;
	return owner_failed(pg, result, doing, why, why_size);
}

static int number_at(const PGresult *row, int column)
{
	return (int)strtol(PQgetvalue(row, 0, column), NULL, 10);
}

static bool try_migration(PGconn *pg, const struct embedded_file *m, bool *locked_out, char *why,
			  size_t why_size)
{
	char row[320];
	snprintf(row, sizeof row,
		 "BEGIN; INSERT INTO schema_version (version, name, compatible_from) VALUES (%d, '%s', %d)",
		 schema_migration_number(m), m->name, schema_migration_compatible_from(m));
	return run_locking(pg, m->name, row, locked_out, why, why_size) &&
	       run_locking(pg, m->name, m->text, locked_out, why, why_size) &&
	       run_locking(pg, m->name, "COMMIT", locked_out, why, why_size);
}

static bool explain_locked_out(PGconn *pg, const struct embedded_file *m, char *why, size_t why_size)
{
	char reason[200];
	PGresult *row = owner_row(pg, SQL_schema_holders, NULL, 0, reason, sizeof reason);
	snprintf(why, why_size,
		 "%s: a table it changes is held by a transaction that does not end (%s); nothing of it was "
		 "done, "
		 "run it again later",
		 m->name,
		 row && *PQgetvalue(row, 0, 0) ? PQgetvalue(row, 0, 0) : "nobody holds one any more");
	PQclear(row);
	return false;
}

static bool apply(PGconn *pg, const struct embedded_file *m, int patience_s, char *why, size_t why_size)
{
	for (int waited_ms = 0;; waited_ms += LOCK_MS + PAUSE_MS) {
		bool locked_out = false;
		if (try_migration(pg, m, &locked_out, why, why_size))
			break;
		if (!locked_out)
			return false;
		if (!owner_run(pg, m->name, "ROLLBACK", why, why_size))
			return false;
		if (waited_ms >= patience_s * 1000)
			return explain_locked_out(pg, m, why, why_size);
		if (waited_ms == 0)
			log_line(LOG_WARN, "migration_waits", LOG_TEXT("migration", m->name));
		usleep(PAUSE_MS * 1000);
	}
	log_line(LOG_INFO, "migrated", LOG_TEXT("migration", m->name));
	return true;
}

/* Programs that could not live with what is to come must have gone; one that goes just now is waited for. */
static bool old_programs_are_gone(PGconn *pg, int compatible_from, char *why, size_t why_size)
{
	char needed[16], unnamed[16];
	snprintf(needed, sizeof needed, "%d", compatible_from);
	snprintf(unnamed, sizeof unnamed, "%d", SCHEMA_OF_UNNAMED_PROGRAMS);
	const char *values[] = { needed, unnamed };
	for (int tries = 0;; tries++) {
		PGresult *row = owner_row(pg, SQL_schema_programs, values, 2, why, why_size);
		if (!row)
			return false;
		int connections = number_at(row, 0), knows = number_at(row, 1);
		PQclear(row);
		if (connections == 0)
			return true;
		snprintf(why, why_size,
			 "programs of schema %d are connected (%d connections), and schema %d works with %d "
			 "and newer "
			 "only: stop them first",
			 knows, connections, db_schema_version(), compatible_from);
		if (tries == 4)
			return false;
		usleep(PAUSE_MS * 1000);
	}
}

static bool is_applied(PGconn *pg, int number, bool *applied, char *why, size_t why_size)
{
	char text[16];
	snprintf(text, sizeof text, "%d", number);
	const char *values[] = { text };
	PGresult *row = owner_row(pg, SQL_schema_applied, values, 1, why, why_size);
	if (!row)
		return false;
	*applied = *PQgetvalue(row, 0, 0) == 't';
	PQclear(row);
	return true;
}

/* What is still to be done must go with the programs that are there, before the first of it is done. */
static bool apply_all(PGconn *pg, int patience_s, char *why, size_t why_size)
{
	const struct embedded_file *wanted[256];
	int count = 0, compatible_from = 0;
	for (const struct embedded_file *m = embedded_migrations; m->name; m++) {
		bool applied = false;
		if (!is_applied(pg, schema_migration_number(m), &applied, why, why_size))
			return false;
		if (applied)
			continue;
		INVARIANT(count < (int)(sizeof wanted / sizeof wanted[0]));
		wanted[count++] = m;
		if (schema_migration_compatible_from(m) > compatible_from)
			compatible_from = schema_migration_compatible_from(m);
	}
	if (count > 0 && !old_programs_are_gone(pg, compatible_from, why, why_size))
		return false;
	for (int i = 0; i < count; i++)
		if (!apply(pg, wanted[i], patience_s, why, why_size))
			return false;
	return true;
}

/* A newer database: one that this program can live with is left as it is, any other is refused. */
static bool migrate_locked(PGconn *pg, int patience_s, char *why, size_t why_size)
{
	char timeout[64];
	snprintf(timeout, sizeof timeout, "SET lock_timeout = %d", LOCK_MS);
	if (!owner_run(
		    pg, "schema_version",
		    "CREATE TABLE IF NOT EXISTS schema_version (version int PRIMARY KEY, name text NOT NULL, "
		    "applied_at timestamptz NOT NULL DEFAULT now())",
		    why, why_size))
		return false;
	PGresult *row = owner_row(pg, SQL_schema_standing, NULL, 0, why, why_size);
	if (!row)
		return false;
	int version = number_at(row, 0), compatible_from = number_at(row, 1);
	bool tells = *PQgetvalue(row, 0, 2) == 't'; /* the column compatible_from came after 0007 */
	PQclear(row);
	if (version > db_schema_version()) {
		if (!schema_fits(version, compatible_from, why, why_size))
			return false;
		log_line(LOG_WARN, "schema_is_newer", LOG_NUMBER("schema", version),
			 LOG_NUMBER("this_program", db_schema_version()));
		return true;
	}
	return owner_run(pg, "settings", timeout, why, why_size) &&
	       (tells || owner_run(pg, "schema_version", "ALTER TABLE schema_version ADD compatible_from int",
				   why, why_size)) &&
	       apply_all(pg, patience_s, why, why_size);
}

/* Another migration, or a backup, may take its time. */
static bool lock_schema(PGconn *pg, int patience_s, char *why, size_t why_size)
{
	char sql[120];
	bool locked_out = false;
	snprintf(sql, sizeof sql, "SET lock_timeout = '%d s'; SELECT pg_advisory_lock(%d)", patience_s + 1,
		 DB_MIGRATION_LOCK);
	if (run_locking(pg, "lock", sql, &locked_out, why, why_size))
		return true;
	if (locked_out)
		snprintf(why, why_size,
			 "another `tantu migrate`, or a backup, is under way: nothing was done, run it again "
			 "later");
	return false;
}

bool db_migrate_within(const char *conninfo, int patience_s, char *why, size_t why_size)
{
	PGconn *pg = owner_connect(conninfo, why, why_size);
	if (!pg)
		return false;
	bool done = owner_run(pg, "settings", "SET client_min_messages = warning", why, why_size) &&
		    lock_schema(pg, patience_s, why, why_size) &&
		    migrate_locked(pg, patience_s, why, why_size);
	PQfinish(pg); /* gives the lock back */
	return done;
}

bool db_migrate(const char *conninfo, char *why, size_t why_size)
{
	return db_migrate_within(conninfo, PATIENCE_SECONDS, why, why_size);
}

static const struct embedded_file *loaded_file(const char *name)
{
	for (const struct embedded_file *f = embedded_data; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	INVARIANT(false);
	return NULL;
}

/* The row's first column as text, in `out`. */
static bool ask(PGconn *pg, enum sql statement, const char *const *values, int count, char out[32], char *why,
		size_t why_size)
{
	PGresult *row = owner_row(pg, statement, values, count, why, why_size);
	if (!row)
		return false;
	snprintf(out, 32, "%s", PQgetvalue(row, 0, 0));
	PQclear(row);
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

static bool load_json(PGconn *pg, enum sql statement, const char *name, char *why, size_t why_size)
{
	char added[32];
	const char *values[] = { loaded_file(name)->text };
	return ask(pg, statement, values, 1, added, why, why_size);
}

bool db_load(const char *conninfo, char *why, size_t why_size)
{
	PGconn *pg = owner_connect(conninfo, why, why_size);
	if (!pg)
		return false;
	bool done = load_csv(pg, SQL_load_regions, "regions.csv", why, why_size) &&
		    load_csv(pg, SQL_load_lineage, "region_lineage.csv", why, why_size) &&
		    load_json(pg, SQL_load_plans, "plans.json", why, why_size) &&
		    load_json(pg, SQL_load_catalogue, "catalogue.json", why, why_size) &&
		    load_json(pg, SQL_load_device_catalogue, "device_catalogue.json", why, why_size) &&
		    load_json(pg, SQL_load_holidays, "holidays.json", why, why_size);
	PQfinish(pg);
	return done;
}

bool db_administrator_wanted(const char *conninfo, bool *wanted, char *why, size_t why_size)
{
	char answer[32];
	PGconn *pg = owner_connect(conninfo, why, why_size);
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
	PGconn *pg = owner_connect(conninfo, why, why_size);
	if (!pg)
		return false;
	bool done = ask(pg, SQL_load_administrator, values, 2, added, why, why_size);
	PQfinish(pg);
	return done;
}
