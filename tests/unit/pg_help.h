/* SPDX-License-Identifier: Apache-2.0
 * A PostgreSQL of the test's own, made by scripts/pg in a folder below /tmp and destroyed at the end.
 * If the program dies before that, a process that waits for its end destroys it.
 * Without PostgreSQL 15 installed a test program says so and skips. */
#ifndef TESTS_UNIT_PG_HELP_H
#define TESTS_UNIT_PG_HELP_H

#include "db/migrate.h"
#include "service/log.h"
#include "unit.h"
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pg {
	char folder[32];
	char app[256], owner[256], super[256]; /* connection strings */
};

static inline bool pg_is_installed(void)
{
	if (access("/usr/lib/postgresql/15/bin/initdb", X_OK) == 0)
		return true;
	fprintf(stderr, "PostgreSQL 15 is not installed: skipped\n");
	return false;
}

/* TANTU_DATABASE='host=…' → out */
static inline void pg_take_setting(const char *line, const char *name, char out[256])
{
	size_t len = strlen(name);
	if (strncmp(line, name, len) == 0 && line[len] == '=')
		snprintf(out, 256, "%.*s", (int)strcspn(line + len + 2, "'"), line + len + 2);
}

/* Destroys the cluster a moment after this process is gone, however it went. */
static inline bool pg_watch_our_end(const struct pg *pg)
{
	char command[1200];
	snprintf(command, sizeof command,
		 "(tail --pid=%d -f /dev/null; '%s/scripts/pg' destroy '%s') </dev/null >/dev/null 2>&1 &",
		 (int)getpid(), TANTU_SOURCE_DIR, pg->folder);
	return system(command) == 0;
}

/* False when it did not start; scripts/pg has said why on standard error. */
static inline bool pg_start(struct pg *pg)
{
	char command[1200], line[400];
	memset(pg, 0, sizeof *pg);
	strcpy(pg->folder, "/tmp/tantu-unit-XXXXXX");
	if (!mkdtemp(pg->folder) || !pg_watch_our_end(pg))
		return false;
	snprintf(command, sizeof command, "'%s/scripts/pg' start '%s'", TANTU_SOURCE_DIR, pg->folder);
	FILE *out = popen(command, "r");
	if (!out)
		return false;
	while (fgets(line, sizeof line, out)) {
		pg_take_setting(line, "TANTU_DATABASE", pg->app);
		pg_take_setting(line, "TANTU_OWNER_DATABASE", pg->owner);
		pg_take_setting(line, "TANTU_SUPER_DATABASE", pg->super);
	}
	return pclose(out) == 0 && pg->app[0] && pg->owner[0] && pg->super[0];
}

static inline void pg_destroy(struct pg *pg)
{
	char command[1200];
	snprintf(command, sizeof command, "'%s/scripts/pg' destroy '%s'", TANTU_SOURCE_DIR, pg->folder);
	if (pg->folder[0] && system(command) != 0)
		fprintf(stderr, "%s is left behind\n", pg->folder);
}

static inline PGconn *pg_connect(const char *conninfo)
{
	PGconn *c = PQconnectdb(conninfo);
	if (PQstatus(c) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(c));
	return c;
}

/* Runs SQL that must go well; answers the first value as text ("" for none), valid until the next call. */
static inline const char *pg_ask(PGconn *c, const char *sql)
{
	static char value[400];
	PGresult *result = PQexec(c, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	bool any = status == PGRES_TUPLES_OK && PQntuples(result) > 0 && PQnfields(result) > 0;
	snprintf(value, sizeof value, "%s", any ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return value;
}

static inline int pg_number(PGconn *c, const char *sql)
{
	return (int)strtol(pg_ask(c, sql), NULL, 10);
}

#endif
