/* SPDX-License-Identifier: Apache-2.0
 * See snapshot.h. The locks come before the snapshot: whoever gives an upload up and commits before us is in
 * it. */
#include "db/snapshot.h"
#include "db/migrate.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool hold(PGconn *pg, char *why, size_t why_size)
{
	char migrations[16], uploads[16];
	snprintf(migrations, sizeof migrations, "%d", DB_MIGRATION_LOCK);
	snprintf(uploads, sizeof uploads, "%d", DB_UPLOADS_LOCK);
	const char *values[] = { migrations, uploads };
	PGresult *row = owner_row(pg, SQL_backup_hold, values, 2, why, why_size);
	if (!row)
		return false;
	bool held = *PQgetvalue(row, 0, 0) == 't';
	PQclear(row);
	if (!held)
		snprintf(why, why_size, "`tantu migrate` is under way: nothing was done, run it again later");
	return held;
}

static bool see_schema(struct snapshot *s, char *why, size_t why_size)
{
	PGresult *row = owner_row(s->pg, SQL_schema_standing, NULL, 0, why, why_size);
	if (!row)
		return false;
	s->schema = (int)strtol(PQgetvalue(row, 0, 0), NULL, 10);
	s->compatible_from = (int)strtol(PQgetvalue(row, 0, 1), NULL, 10);
	PQclear(row);
	/* An older schema is what one backs up before an upgrade. */
	return s->schema < db_schema_version() || schema_fits(s->schema, s->compatible_from, why, why_size);
}

static bool take(struct snapshot *s, char *why, size_t why_size)
{
	PGresult *row = owner_row(s->pg, SQL_backup_snapshot, NULL, 0, why, why_size);
	if (!row)
		return false;
	snprintf(s->name, sizeof s->name, "%s", PQgetvalue(row, 0, 0));
	snprintf(s->server, sizeof s->server, "%s", PQgetvalue(row, 0, 1));
	snprintf(s->installation, sizeof s->installation, "%s", PQgetvalue(row, 0, 2));
	PQclear(row);
	return true;
}

bool snapshot_open(struct snapshot *s, const char *conninfo, char *why, size_t why_size)
{
	*s = (struct snapshot){ .pg = owner_connect(conninfo, why, why_size) };
	if (!s->pg)
		return false;
	if (owner_run(s->pg, "settings",
		      "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; SET jit = off",
		      why, why_size) &&
	    see_schema(s, why, why_size) && hold(s->pg, why, why_size) &&
	    owner_run(s->pg, "snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", why, why_size) &&
	    take(s, why, why_size))
		return true;
	snapshot_close(s);
	return false;
}

void snapshot_close(struct snapshot *s)
{
	if (s->pg)
		PQfinish(s->pg);
	s->pg = NULL;
}

bool snapshot_figures(PGconn *pg, snapshot_figure *each, void *context, char *why, size_t why_size)
{
	PGresult *rows = owner_rows(pg, SQL_backup_figures, NULL, 0, why, why_size);
	if (!rows)
		return false;
	for (int i = 0; i < PQntuples(rows); i++)
		each(context, PQgetvalue(rows, i, 0), strtoll(PQgetvalue(rows, i, 1), NULL, 10));
	PQclear(rows);
	return true;
}

static bool uploads_of(PGconn *pg, enum sql statement, snapshot_upload *each, void *context, char *why,
		       size_t why_size)
{
	PGresult *rows = owner_rows(pg, statement, NULL, 0, why, why_size);
	bool going = rows != NULL;
	for (int i = 0; going && i < PQntuples(rows); i++)
		going = each(context, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));
	PQclear(rows);
	return going;
}

bool snapshot_uploads(PGconn *pg, snapshot_upload *each, void *context, char *why, size_t why_size)
{
	PGresult *has = owner_row(pg, SQL_backup_has_intakes, NULL, 0, why, why_size);
	if (!has)
		return false;
	bool intakes = PQgetvalue(has, 0, 0)[0] == 't';
	PQclear(has);
	return uploads_of(pg, SQL_backup_uploads, each, context, why, why_size) &&
	       (!intakes || uploads_of(pg, SQL_backup_intake_uploads, each, context, why, why_size));
}

/* There may be millions: row by row. */
static bool each_row(PGconn *pg, enum sql statement, int binary, bool (*each)(void *context, PGresult *row),
		     void *context, char *why, size_t why_size)
{
	const struct sql_text *s = &sql_texts[statement];
	bool going = true;
	PGresult *result;
	if (PQsendQueryParams(pg, s->text, 0, NULL, NULL, NULL, NULL, binary) != 1 ||
	    PQsetSingleRowMode(pg) != 1)
		return owner_failed(pg, NULL, s->name, why, why_size);
	while ((result = PQgetResult(pg))) {
		if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
			going = going && each(context, result);
		else if (PQresultStatus(result) != PGRES_TUPLES_OK)
			return owner_failed(pg, result, s->name, why, why_size);
		PQclear(result);
	}
	return going;
}

struct taking {
	snapshot_identity *identity;
	snapshot_photo *photo;
	void *context;
};

static bool take_identity(void *context, PGresult *row)
{
	struct taking *t = context;
	return t->identity(t->context, PQgetvalue(row, 0, 0), (size_t)PQgetlength(row, 0, 0),
			   PQgetvalue(row, 0, 1), (size_t)PQgetlength(row, 0, 1));
}

bool snapshot_identities(PGconn *pg, snapshot_identity *each, void *context, char *why, size_t why_size)
{
	struct taking t = { .identity = each, .context = context };
	return each_row(pg, SQL_backup_identities, 1, take_identity, &t, why, why_size);
}

static bool take_photo(void *context, PGresult *row)
{
	struct taking *t = context;
	return t->photo(t->context, PQgetvalue(row, 0, 0));
}

bool snapshot_photos(PGconn *pg, snapshot_photo *each, void *context, char *why, size_t why_size)
{
	struct taking t = { .photo = each, .context = context };
	return each_row(pg, SQL_backup_photos, 0, take_photo, &t, why, why_size);
}
