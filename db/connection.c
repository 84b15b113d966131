/* SPDX-License-Identifier: Apache-2.0
 * One connection carrying one group: [scope][step]…[Sync] in one write and one transaction. Nobody of the
 * group is answered before the Sync's own result, which comes after the commit. When a member breaks the
 * transaction, the innocent go back to the front of the lane and the guilty one runs again alone; only then
 * it fails. */
#include "db/internal.h"
#include "service/log.h"
#include <stdio.h>
#include <stdlib.h>

static bool is_transient(const char *sqlstate)
{
	return strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
}

/* The server goes away (57P01…57P05) and says so: nothing of the transaction was done. */
static bool is_shutdown(const char *sqlstate)
{
	return strncmp(sqlstate, "57P0", 4) == 0;
}

/* It was the primary and is no more: nothing was done, and another server will do it. */
static bool is_read_only(const char *sqlstate)
{
	return strcmp(sqlstate, "25006") == 0;
}

static void expect(struct db_connection *c, struct db_call *call, int step)
{
	INVARIANT(c->expected_count < (int)(sizeof c->expected / sizeof c->expected[0]));
	c->expected[c->expected_count++] = (struct expected){ call, step };
}

static bool send_statement(struct db_connection *c, enum sql statement, const struct db_value *values,
			   int count)
{
	const char *at[DB_PARAMETERS];
	int len[DB_PARAMETERS], format[DB_PARAMETERS];
	for (int i = 0; i < count; i++) {
		at[i] = values[i].at;
		len[i] = values[i].len;
		format[i] = values[i].binary;
	}
	return PQsendQueryPrepared(c->link.pg, sql_texts[statement].name, count, at, len, format, 1) == 1;
}

static bool send_scope(struct db_connection *c, const struct db_scope *scope)
{
	struct db_value values[DB_SCOPE_PARTS];
	for (int i = 0; i < DB_SCOPE_PARTS; i++)
		values[i] = db_text(scope->part[i]);
	expect(c, NULL, 0);
	return send_statement(c, SQL_scope_set, values, DB_SCOPE_PARTS);
}

static bool send_call(struct db_connection *c, struct db_call *call)
{
	bool sent = true;
	for (int i = 0; i < call->steps; i++) {
		expect(c, call, i);
		sent = sent && send_statement(c, call->step[i].statement, &call->values[call->step[i].first],
					      call->step[i].count);
	}
	return sent;
}

static void take_group(struct db_connection *c, int most)
{
	c->group_size = 0;
	while (c->group_size < most && c->lane->first) {
		if (c->lane->first->alone && c->group_size > 0)
			break;
		struct db_call *call = lane_take(c->lane);
		call->state = CALL_SENT;
		call->tries++;
		c->group[c->group_size++] = call;
		if (call->alone)
			break;
	}
}

/* Members of one scope stand together; otherwise the order of arrival stays. */
static void order_by_scope(struct db_connection *c)
{
	struct db_call *ordered[GROUP_MOST];
	bool placed[GROUP_MOST] = { 0 };
	int n = 0;
	for (int i = 0; i < c->group_size; i++)
		for (int j = i; j < c->group_size && !placed[i]; j++)
			if (!placed[j] && db_scope_equal(&c->group[i]->scope, &c->group[j]->scope)) {
				ordered[n++] = c->group[j];
				if (j > i)
					placed[j] = true;
			}
	INVARIANT(n == c->group_size);
	memcpy(c->group, ordered, sizeof ordered[0] * (size_t)n);
}

void connection_send_group(struct db_connection *c, int most)
{
	bool sent = true;
	take_group(c, most);
	order_by_scope(c);
	c->expected_count = c->received = 0;
	c->broken = c->gone = false;
	c->guilty = NULL;
	if (c->lane->name == DB_LANE_replica) {
		c->heard_ms = -1;
		expect(c, NULL, EXPECT_HEARD);
		sent = send_statement(c, SQL_replica_heard, NULL, 0);
	}
	for (int i = 0; i < c->group_size; i++) {
		if (i == 0 || !db_scope_equal(&c->group[i]->scope, &c->group[i - 1]->scope))
			sent = sent && send_scope(c, &c->group[i]->scope);
		sent = sent && send_call(c, c->group[i]);
	}
	sent = sent && PQpipelineSync(c->link.pg) == 1;
	c->state = CONNECTION_BUSY;
	c->sent_at = uv_hrtime();
	metric_add(c->lane->group_size, c->group_size);
	if (sent)
		db_link_flush(&c->link);
	else
		db_link_drop(&c->link, "a group could not be sent");
}

static void keep_error(struct db_connection *c, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	c->broken = true;
	snprintf(c->sqlstate, sizeof c->sqlstate, "%s", state ? state : "XX000");
	snprintf(c->constraint, sizeof c->constraint, "%s", constraint ? constraint : "");
	snprintf(c->message, sizeof c->message, "%s", message ? message : "");
}

static void answer_failed(struct db_connection *c, struct db_call *call)
{
	struct db_reply reply = { .outcome = DB_FAILED };
	memcpy(reply.sqlstate, c->sqlstate, sizeof reply.sqlstate);
	memcpy(reply.constraint, c->constraint, sizeof reply.constraint);
	memcpy(reply.message, c->message, sizeof reply.message);
	metric_add(c->db->errors, 1);
	call_answer(call, &reply);
}

static void answer_ok(struct db_call *call)
{
	struct db_reply reply = { .outcome = DB_OK, .steps = call->steps };
	reply.rows = (const struct db_rows *)(void *)call->result;
	call_answer(call, &reply);
}

/* A member after its group was rolled back: again, or the end. */
static void run_again_or_fail(struct db_connection *c, struct db_call *call)
{
	bool innocent = c->guilty && c->guilty != call;
	bool passes = is_transient(c->sqlstate) || is_shutdown(c->sqlstate) || is_read_only(c->sqlstate);
	if (call->dropped || (!innocent && (passes ? call->tries >= 3 : c->group_size == 1))) {
		answer_failed(c, call);
		return;
	}
	if (innocent) {
		call->tries--;
		call->held_up++;
	}
	call->alone =
		!innocent || call->alone || call->held_up > 2; /* bad neighbours hold nobody up for ever */
	lane_put_back(c->lane, call);
}

static void end_group(struct db_connection *c)
{
	struct db_call *group[GROUP_MOST];
	int size = c->group_size;
	memcpy(group, c->group, sizeof group[0] * (size_t)size);
	metric_observe(c->lane->seconds, (double)(uv_hrtime() - c->sent_at) / 1e9);
	c->state = CONNECTION_IDLE;
	if (c->lane->name == DB_LANE_replica) {
		c->group_size = 0;
		replica_end_group(c, group, size);
		return;
	}
	for (int i = size - 1; i >= 0 && c->broken; i--) /* backwards: each goes to the front */
		run_again_or_fail(c, group[i]);
	for (int i = 0; i < size && !c->broken; i++)
		answer_ok(group[i]);
	c->group_size = 0;
	if (c->broken && is_read_only(c->sqlstate))
		db_link_drop(&c->link, "the server has become read-only");
	else
		pool_connection_idle(c->db);
}

static void note_heard(struct db_connection *c, PGresult *result)
{
	struct db_rows rows = { result };
	c->heard_ms = db_is_null(&rows, 0, 0) ? -1 : db_get_int(&rows, 0, 0);
}

static void take_result(struct db_connection *c, PGresult *result)
{
	struct expected *e = c->received < c->expected_count ? &c->expected[c->received] : NULL;
	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		if (e && e->call) {
			PQclear(e->call->result[e->step]);
			e->call->result[e->step] = result;
			return;
		}
		if (e && e->step == EXPECT_HEARD)
			note_heard(c, result);
		break;
	case PGRES_PIPELINE_ABORTED:
		break;
	default: /* without a SQLSTATE it is libpq that speaks: the connection is gone, and what was done is
		    unknown */
		c->gone = c->gone || !PQresultErrorField(result, PG_DIAG_SQLSTATE);
		if (!c->broken && !c->gone) {
			keep_error(c, result);
			c->guilty = e && !is_read_only(c->sqlstate) ? e->call : NULL;
		}
	}
	PQclear(result);
}

/* Without memory for the Sync's result libpq notes it and stays busy for ever. What a server says ends with
 * a line's end; this does not. */
static bool libpq_is_stuck(PGconn *pg)
{
	static const char words[] = "out of memory";
	const char *said = PQerrorMessage(pg);
	size_t len = strlen(said), tail = sizeof words - 1;
	return len >= tail && strcmp(said + len - tail, words) == 0;
}

static void group_input(struct db_connection *c)
{
	while (c->state == CONNECTION_BUSY && !c->gone && !PQisBusy(c->link.pg)) {
		PGresult *result = PQgetResult(c->link.pg);
		if (!result) {
			if (c->received > c->expected_count)
				return; /* the Sync has not come yet */
			c->received++;  /* one past the last: after an error of the commit */
		} else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			end_group(c);
		} else {
			take_result(c, result);
		}
	}
	if (c->state == CONNECTION_BUSY && libpq_is_stuck(c->link.pg))
		c->gone = true;
	if (c->gone)
		db_link_drop(&c->link, "the connection broke while a group was under way");
}

static void on_input(struct db_link *link)
{
	struct db_connection *c = (struct db_connection *)link;
	if (c->state == CONNECTION_PREPARING)
		prepare_input(c);
	else if (c->state == CONNECTION_BUSY)
		group_input(c);
}

static void on_connected(struct db_link *link)
{
	prepare_start((struct db_connection *)link);
}

/* What was on its way when the connection broke: reads go again; of a write nobody knows, unless the server
 * had already refused it. */
static void on_lost(struct db_link *link)
{
	struct db_connection *c = (struct db_connection *)link;
	static const struct db_reply unknown = { .outcome = DB_UNKNOWN },
				     unavailable = { .outcome = DB_UNAVAILABLE };
	bool certain = c->lane->name == DB_LANE_read || c->lane->name == DB_LANE_replica ||
		       (c->state == CONNECTION_BUSY && c->broken);
	int size = c->state == CONNECTION_BUSY ? c->group_size : 0;
	c->state = CONNECTION_DOWN;
	c->gone = false;
	c->group_size = 0;
	for (int i = size - 1; i >= 0; i--) {
		struct db_call *call = c->group[i];
		if (c->lane->name == DB_LANE_replica && !call->dropped && !c->db->closing)
			replica_pass_on(c->db, call);
		else if (certain && call->tries < 3 && !call->dropped && !c->db->closing)
			lane_put_back(c->lane, call);
		else
			call_answer(call, certain ? &unavailable : &unknown);
	}
	pool_wake(c->db);
}

static void on_closed(struct db_link *link)
{
	pool_handle_closed(((struct db_connection *)link)->db);
}

void connection_check(struct db_connection *c, uint64_t now)
{
	uint64_t seconds = c->state == CONNECTION_PREPARING   ? PREPARE_SECONDS
			   : c->lane->name == DB_LANE_work    ? WORK_SECONDS
			   : c->lane->name == DB_LANE_replica ? REPLICA_SECONDS
							      : GROUP_SECONDS;
	if (connection_waits(c) && now - c->sent_at > seconds * 1000000000ull)
		db_link_drop(&c->link, "no answer in time");
	else if (c->state == CONNECTION_IDLE && !db_link_suits(&c->link))
		db_link_drop(&c->link, "the server has changed its part");
}

bool connection_waits(const struct db_connection *c)
{
	return c->state == CONNECTION_BUSY || c->state == CONNECTION_PREPARING;
}

void connection_give_up_reads(struct db_connection *c)
{
	static const struct db_reply unavailable = { .outcome = DB_UNAVAILABLE };
	for (int i = 0; i < c->group_size && c->state == CONNECTION_BUSY; i++) {
		struct db_call *call = c->group[i];
		if (call->dropped)
			continue;
		call->dropped = true; /* first: the answer may ask anew */
		call->done(call->context, &unavailable);
	}
}

/* What jobs do meets tables that were empty when the connection began: it is planned anew each time. The
 * queue's own table is now empty, now huge: its statements are planned once, to go by its indexes in either
 * case. What the queue loses in a crash of PostgreSQL (a claim, a heartbeat) runs again; completions ask for
 * the disk. */
static const char *lane_options(enum db_lane lane)
{
	if (lane == DB_LANE_work)
		return "-c statement_timeout=900000 -c TimeZone=UTC -c jit=off -c "
		       "plan_cache_mode=force_custom_plan";
	if (lane == DB_LANE_replica)
		return "-c statement_timeout=4000 -c TimeZone=UTC -c jit=off -c "
		       "plan_cache_mode=force_generic_plan";
	if (lane == DB_LANE_queue)
		return "-c statement_timeout=15000 -c TimeZone=UTC -c jit=off -c "
		       "plan_cache_mode=force_generic_plan "
		       "-c synchronous_commit=off -c enable_seqscan=off -c enable_bitmapscan=off -c "
		       "enable_hashjoin=off -c enable_mergejoin=off";
	return "-c statement_timeout=15000 -c TimeZone=UTC -c jit=off -c plan_cache_mode=force_generic_plan";
}

struct db_connection *connection_new(struct db *db, struct lane *lane)
{
	static const struct db_link_events events = { on_connected, on_input, on_lost, on_closed };
	struct db_connection *c = calloc(1, sizeof *c);
	INVARIANT(c);
	c->db = db;
	c->lane = lane;
	c->link.loop = db->loop;
	c->link.hosts = lane->name == DB_LANE_replica ? db->replica.hosts : db->hosts;
	c->link.options = lane_options(lane->name);
	c->link.events = &events;
	db_link_open(&c->link);
	return c;
}
