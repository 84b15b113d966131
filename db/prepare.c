/* SPDX-License-Identifier: Apache-2.0
 * Prepares the statements of a lane on a fresh connection, and describes them: the columns and types that
 * PostgreSQL names are what the engine writes by. A schema that this program cannot live with, or a statement
 * that does not fit it, stops the process. c->prepared counts results: 2n the preparation of statement n, 2n
 * + 1 its description; the first is the schema's, where statement 0 would have its description. */
#include "db/internal.h"
#include "db/schema.h"
#include <stdio.h>
#include <stdlib.h>

enum { SCHEMA_RESULT = SQL_NONE * 2 + 1 };

static bool wanted(const struct db_connection *c, int statement)
{
	const struct sql_text *text = &sql_texts[statement];
	if (statement == SQL_scope_set)
		return true;
	if (c->lane->name == DB_LANE_replica)
		return text->may_be_stale || statement == SQL_replica_heard;
	return text->lane == c->lane->name ||
	       (c->lane->name == DB_LANE_twin && text->lane == DB_LANE_write && text->key);
}

static int next_wanted(const struct db_connection *c, int statement)
{
	do
		statement++;
	while (statement < SQL_COUNT && !wanted(c, statement));
	return statement;
}

void prepare_start(struct db_connection *c)
{
	c->state = CONNECTION_PREPARING;
	c->sent_at = uv_hrtime();
	c->broken = false;
	c->prepared = SCHEMA_RESULT;
	bool sent = PQenterPipelineMode(c->link.pg) == 1 &&
		    PQsendQueryParams(c->link.pg, sql_texts[SQL_schema_standing].text, 0, NULL, NULL, NULL,
				      NULL, 0) == 1;
	for (int i = next_wanted(c, SQL_NONE); i < SQL_COUNT && sent; i = next_wanted(c, i))
		sent = PQsendPrepare(c->link.pg, sql_texts[i].name, sql_texts[i].text, 0, NULL) == 1 &&
		       PQsendDescribePrepared(c->link.pg, sql_texts[i].name) == 1;
	sent = sent && PQpipelineSync(c->link.pg) == 1;
	if (sent)
		db_link_flush(&c->link);
	else
		db_link_drop(&c->link, "statements could not be prepared");
}

static void keep_shape(struct db_shape *shape, const PGresult *result)
{
	if (shape->column)
		return;
	shape->parameters = PQnparams(result);
	shape->columns = PQnfields(result);
	shape->column = calloc((size_t)shape->columns + 1, sizeof *shape->column);
	INVARIANT(shape->column);
	for (int i = 0; i < shape->columns; i++) {
		snprintf(shape->column[i].name, sizeof shape->column[i].name, "%s", PQfname(result, i));
		shape->column[i].type = db_type_of(PQftype(result, i));
	}
}

static void advance(struct db_connection *c)
{
	c->prepared = c->prepared % 2 == 0 ? c->prepared + 1 : next_wanted(c, c->prepared / 2) * 2;
}

/* A replica that has not heard of a migration yet is only left until it has. */
static void tell_unfit(struct db_connection *c, const char *why)
{
	c->broken = true;
	if (c->db->options.on_unfit && c->lane->name != DB_LANE_replica)
		c->db->options.on_unfit(c->db->options.context, why);
}

static void unfit(struct db_connection *c, const PGresult *result)
{
	char why[400];
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	int statement = c->prepared == SCHEMA_RESULT ? SQL_schema_standing : c->prepared / 2;
	snprintf(why, sizeof why, "statement %s: %s (has `tantu migrate` been run?)",
		 statement < SQL_COUNT ? sql_texts[statement].name : "?",
		 message ? message : PQresultErrorMessage(result));
	tell_unfit(c, why);
}

static void check_schema(struct db_connection *c, const PGresult *row)
{
	char why[400];
	int version = (int)strtol(PQgetvalue(row, 0, 0), NULL, 10);
	int compatible_from = (int)strtol(PQgetvalue(row, 0, 1), NULL, 10);
	if (!schema_fits(version, compatible_from, why, sizeof why))
		tell_unfit(c, why);
}

/* Classes 42 (no such table, no right to it), 22 and 0A stay wrong however often one tries. All else passes
 * by: a server that shuts down, has no memory, or is gone (then libpq speaks, without a SQLSTATE). */
static bool stays_wrong(const char *sqlstate)
{
	return sqlstate && (strncmp(sqlstate, "42", 2) == 0 || strncmp(sqlstate, "22", 2) == 0 ||
			    strncmp(sqlstate, "0A", 2) == 0);
}

static void take(struct db_connection *c, PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
		check_schema(c, result);
		break;
	case PGRES_COMMAND_OK:
		if (c->prepared % 2 == 1)
			keep_shape(&c->db->shape[c->prepared / 2], result);
		break;
	case PGRES_PIPELINE_ABORTED:
		break;
	default:
		if (!c->broken && stays_wrong(state))
			unfit(c, result);
		c->broken = true;
	}
	PQclear(result);
}

void prepare_input(struct db_connection *c)
{
	while (c->state == CONNECTION_PREPARING && !PQisBusy(c->link.pg)) {
		PGresult *result = PQgetResult(c->link.pg);
		if (!result) {
			if (c->prepared / 2 >= SQL_COUNT || PQstatus(c->link.pg) == CONNECTION_BAD)
				return;
			advance(c);
		} else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			if (c->broken) {
				db_link_drop(&c->link, "its statements could not be prepared");
				return;
			}
			c->state = CONNECTION_IDLE;
			db_link_settled(&c->link);
			pool_connection_idle(c->db);
		} else {
			take(c, result);
		}
	}
}
