/* SPDX-License-Identifier: Apache-2.0
 * Lanes and their waiting calls. Dispatch happens once a loop turn, after all sockets have been read, so that
 * requests that arrived together travel together. Invariant: a call is in exactly one place — a lane's list,
 * a connection's group, or answered. */
#include "db/internal.h"
#include "service/log.h"
#include <stdio.h>
#include <stdlib.h>

struct db_scope db_scope_system(void)
{
	return (struct db_scope){ { "0", "999999999", "system", "", "", "" } };
}

bool db_scope_equal(const struct db_scope *a, const struct db_scope *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static void lane_link(struct lane *lane, struct db_call *call, struct db_call *before)
{
	call->next = before;
	call->previous = before ? before->previous : lane->last;
	*(call->previous ? &call->previous->next : &lane->first) = call;
	*(before ? &before->previous : &lane->last) = call;
	call->state = CALL_WAITING;
	lane->waiting++;
}

static void lane_unlink(struct lane *lane, struct db_call *call)
{
	*(call->previous ? &call->previous->next : &lane->first) = call->next;
	*(call->next ? &call->next->previous : &lane->last) = call->previous;
	call->next = call->previous = NULL;
	lane->waiting--;
}

struct db_call *lane_take(struct lane *lane)
{
	struct db_call *call = lane->first;
	if (call)
		lane_unlink(lane, call);
	return call;
}

void lane_put_back(struct lane *lane, struct db_call *call)
{
	for (int i = 0; i < call->steps; i++) {
		PQclear(call->result[i]);
		call->result[i] = NULL;
	}
	lane_link(lane, call, lane->first);
}

void call_answer(struct db_call *call, const struct db_reply *reply)
{
	call->state = CALL_DONE;
	if (!call->dropped)
		call->done(call->context, reply);
	for (int i = 0; i < call->steps; i++)
		PQclear(call->result[i]);
	free(call);
}

static void answer_unavailable(struct db *db, struct db_call *call)
{
	static const struct db_reply unavailable = { .outcome = DB_UNAVAILABLE };
	metric_add(db->unavailable, 1);
	call_answer(call, &unavailable);
}

static void copy_steps(struct db_call *call, const struct db_step *steps, int count)
{
	int at = 0;
	for (int i = 0; i < count; i++) {
		call->step[i] = (struct call_step){ steps[i].statement, steps[i].count, at };
		for (int v = 0; v < steps[i].count; v++)
			call->values[at++] = steps[i].values[v];
	}
}

/* Writes with a key go by it to one of two connections: what touches the same case never waits for a lock of
 * another group, and two groups cannot deadlock over cases. */
static enum db_lane lane_of(const struct db *db, const struct db_step *step)
{
	const struct sql_text *text = &sql_texts[step->statement];
	const struct db_value *key = text->key ? &step->values[text->key - 1] : NULL;
	if (text->lane != DB_LANE_write || !key || !key->at || db->lane[DB_LANE_twin].connections == 0)
		return text->lane;
	size_t len = key->binary ? (size_t)key->len : strlen(key->at);
	return len > 0 && key->at[len - 1] & 1 ? DB_LANE_twin : DB_LANE_write;
}

static struct db_call *call_new(struct db *db, const struct db_scope *scope, const struct db_step *steps,
				int count, db_done *done, void *context)
{
	int values = 0;
	INVARIANT(count > 0 && count <= DB_STEPS);
	for (int i = 0; i < count; i++) {
		INVARIANT(steps[i].statement > SQL_NONE && steps[i].statement < SQL_COUNT);
		INVARIANT(steps[i].count <= DB_PARAMETERS);
		values += steps[i].count;
	}
	struct db_call *call = calloc(1, sizeof *call + (size_t)values * sizeof call->values[0]);
	INVARIANT(call);
	call->db = db;
	call->lane = lane_of(db, &steps[0]);
	call->scope = *scope;
	call->done = done;
	call->context = context;
	call->steps = count;
	copy_steps(call, steps, count);
	return call;
}

static struct db_call *call_wait(struct db *db, struct db_call *call)
{
	lane_link(&db->lane[call->lane], call, NULL);
	pool_wake(db);
	return call;
}

struct db_call *db_submit(struct db *db, const struct db_scope *scope, const struct db_step *steps, int count,
			  db_done *done, void *context)
{
	return call_wait(db, call_new(db, scope, steps, count, done, context));
}

struct db_call *db_submit_stale(struct db *db, const struct db_scope *scope, const struct db_step *step,
				int64_t max_age_ms, db_done *done, void *context)
{
	struct db_call *call = call_new(db, scope, step, 1, done, context);
	INVARIANT(sql_texts[step->statement].may_be_stale);
	call->max_age_ms = max_age_ms < db->options.replica_age_ms ? max_age_ms : db->options.replica_age_ms;
	if (replica_is_ready(db))
		call->lane = DB_LANE_replica;
	return call_wait(db, call);
}

void db_cancel(struct db_call *call)
{
	if (call->state == CALL_WAITING) {
		lane_unlink(&call->db->lane[call->lane], call);
		free(call);
	} else {
		call->dropped = true;
	}
}

bool lane_is_up(const struct lane *lane)
{
	for (int i = 0; i < lane->connections; i++)
		if (lane->connection[i]->state >= CONNECTION_IDLE)
			return true;
	return lane->connections == 0;
}

/* How many may wait: while a connection is only being made again, as many as ever; then nobody. */
static int lane_patience(struct db *db, struct lane *lane)
{
	if (lane_is_up(lane))
		lane->down_since = 0;
	else if (!lane->down_since)
		lane->down_since = uv_hrtime();
	bool gone = (db->hangs_since && lane->name != DB_LANE_replica) ||
		    (lane->down_since && uv_hrtime() - lane->down_since > PATIENCE_MS * 1000000ull);
	return db->closing || lane->connections == 0 || gone ? 0 : db->options.waiting_most;
}

static int lane_idle(const struct lane *lane)
{
	int idle = 0;
	for (int i = 0; i < lane->connections; i++)
		idle += lane->connection[i]->state == CONNECTION_IDLE;
	return idle;
}

/* What waits is shared among the idle connections, but a group of fewer than GROUP_LEAST is not split
 * further; in the lane of the queue a call may be fifty jobs, so they part: one claims while another ends. */
static int group_share(const struct lane *lane, int idle)
{
	int share = (lane->waiting + idle - 1) / idle;
	share = share < GROUP_LEAST && lane->name != DB_LANE_queue ? GROUP_LEAST : share;
	return lane->name == DB_LANE_work ? 1 : share < GROUP_MOST ? share : GROUP_MOST;
}

/* Without a replica the primary is asked. */
static void replica_lane_clear(struct db *db, struct lane *lane)
{
	while (lane->last && !lane_is_up(lane) && !db->closing) {
		struct db_call *call = lane->last;
		lane_unlink(lane, call);
		replica_pass_on(db, call);
	}
}

static void lane_dispatch(struct db *db, struct lane *lane)
{
	bool hangs = db->hangs_since && lane->name != DB_LANE_replica;
	if (lane->name == DB_LANE_replica)
		replica_lane_clear(db, lane);
	int idle = lane_idle(lane);
	for (int i = 0; i < lane->connections && lane->first && !hangs; i++)
		if (lane->connection[i]->state == CONNECTION_IDLE)
			connection_send_group(lane->connection[i], group_share(lane, idle--));
	int most = lane_patience(db, lane);
	while (lane->waiting > most) {
		struct db_call *call = lane->last; /* the newest: it has waited least */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): unlinked before it is freed */
		lane_unlink(lane, call);
		answer_unavailable(db, call);
	}
	metric_set(lane->depth, lane->waiting);
}

static void on_spin(uv_idle_t *idle)
{
	(void)idle; /* only keeps the loop from sleeping until on_check has run */
}

void pool_wake(struct db *db)
{
	if (!db->spinning && !uv_is_closing((uv_handle_t *)&db->spin)) {
		db->spinning = true;
		uv_idle_start(&db->spin, on_spin);
	}
}

static void on_check(uv_check_t *check)
{
	struct db *db = check->data;
	if (!db->spinning)
		return;
	db->spinning = false;
	uv_idle_stop(&db->spin);
	for (int i = 0; i < DB_LANES; i++)
		lane_dispatch(db, &db->lane[i]);
}

/* Replicas are a help, not a need. */
static bool lanes_are_up(const struct db *db)
{
	for (int i = 0; i < DB_LANES; i++)
		if (i != DB_LANE_replica && !lane_is_up(&db->lane[i]))
			return false;
	return true;
}

bool db_is_up(const struct db *db)
{
	return db->was_ready && !db->hangs_since && lanes_are_up(db);
}

void pool_connection_idle(struct db *db)
{
	pool_wake(db);
	if (db->was_ready || !lanes_are_up(db))
		return;
	db->was_ready = true;
	if (db->options.on_ready)
		db->options.on_ready(db->options.context);
}

/* A connection has waited a second and more; jobs of the work lane may well. */
static bool somebody_waits(const struct db *db, uint64_t now)
{
	for (int l = 0; l < DB_LANES; l++)
		for (int i = 0; i < db->lane[l].connections && l != DB_LANE_work && l != DB_LANE_replica;
		     i++) {
			const struct db_connection *c = db->lane[l].connection[i];
			if (connection_waits(c) && now - c->sent_at > 1000000000ull)
				return true;
		}
	return false;
}

static void give_up_everything(struct db *db, const char *why)
{
	for (int l = 0; l < DB_LANES; l++)
		for (int i = 0; i < db->lane[l].connections && l != DB_LANE_replica; i++)
			db_link_drop(&db->lane[l].connection[i]->link, why);
	listener_drop(db->listener, why);
}

/* The server is there and says nothing (stopped, or its disk does not answer). Nobody waits for it: who reads
 * is refused at once; writes that were sent may yet be done. If it stays so, another host is looked for. */
static void watch_for_hanging(struct db *db, uint64_t now)
{
	bool hangs = db->listener && listener_watch(db->listener, somebody_waits(db, now)) > HANG_CALLS;
	if (hangs && !db->hangs_since) {
		db->hangs_since = now;
		metric_add(db->hangs, 1);
		log_line(LOG_ERROR, "database_hangs", LOG_NUMBER("silent_seconds", HANG_CALLS));
		struct lane *reads = &db->lane[DB_LANE_read];
		for (int i = 0; i < reads->connections; i++)
			connection_give_up_reads(reads->connection[i]);
	} else if (hangs && now - db->hangs_since > HANG_SECONDS * 1000000000ull) {
		db->hangs_since = 0;
		give_up_everything(db, "PostgreSQL hangs");
	} else if (!hangs && db->hangs_since) {
		log_line(LOG_INFO, "database_hangs_no_more",
			 LOG_NUMBER("seconds", (double)(now - db->hangs_since) / 1e9));
		db->hangs_since = 0;
	}
}

static void on_watchdog(uv_timer_t *timer)
{
	struct db *db = timer->data;
	uint64_t now = uv_hrtime();
	for (int l = 0; l < DB_LANES; l++)
		for (int i = 0; i < db->lane[l].connections; i++)
			connection_check(db->lane[l].connection[i], now);
	watch_for_hanging(db, now);
	replica_watch(db, now);
	pool_wake(db); /* lanes without a connection lose their patience */
}

static void lane_open(struct db *db, enum db_lane name)
{
	static const char *const names[DB_LANES] = { "read", "write", "queue", "work", "twin", "replica" };
	struct lane *lane = &db->lane[name];
	char label[32];
	snprintf(label, sizeof label, "lane=\"%s\"", names[name]);
	lane->db = db;
	lane->name = name;
	lane->connections = db->options.connections[name];
	INVARIANT(lane->connections <= LANE_CONNECTIONS_MOST);
	lane->depth = metric_gauge(db->metrics, "tantu_db_waiting", "Calls waiting for a connection", label);
	lane->seconds = metric_histogram(db->metrics, "tantu_db_group_seconds",
					 "From sending a group to its commit", label);
	lane->group_size = metric_counter(db->metrics, "tantu_db_calls_total", "Calls sent", label);
	for (int i = 0; i < lane->connections; i++) {
		lane->connection[i] = connection_new(db, lane);
		db->open_handles++;
	}
}

static void init_handles(struct db *db)
{
	uv_check_init(db->loop, &db->check);
	uv_timer_init(db->loop, &db->watchdog);
	uv_idle_init(db->loop, &db->spin);
	db->check.data = db->watchdog.data = db->spin.data = db;
	uv_check_start(&db->check, on_check);
	uv_timer_start(&db->watchdog, on_watchdog, 1000, 1000);
	db->open_handles += 3;
}

struct db *db_open(uv_loop_t *loop, const struct db_options *options, struct metrics *metrics)
{
	struct db *db = calloc(1, sizeof *db);
	INVARIANT(db);
	db->loop = loop;
	db->options = *options;
	db->metrics = metrics;
	db->shape = calloc(SQL_COUNT, sizeof *db->shape);
	INVARIANT(db->shape);
	db->errors = metric_counter(metrics, "tantu_db_errors_total", "Statements that raised an error", "");
	db->unavailable = metric_counter(metrics, "tantu_db_unavailable_total",
					 "Calls refused for want of a connection", "");
	db->hangs = metric_counter(metrics, "tantu_db_hangs_total", "Times PostgreSQL did not answer", "");
	init_handles(db);
	db->hosts = db_hosts_new(loop, options->conninfo, DB_PRIMARY, metrics);
	replica_open(db);
	for (int i = 0; i < DB_LANES; i++)
		lane_open(db, (enum db_lane)i);
	if (options->listen) {
		db->listener = listener_new(db);
		db->open_handles++;
	}
	return db;
}

const struct db_shape *db_shape_of(const struct db *db, enum sql statement)
{
	return &db->shape[statement];
}

static void free_shapes(struct db *db)
{
	for (int i = 0; i < SQL_COUNT; i++)
		free(db->shape[i].column);
	free(db->shape);
}

void pool_handle_closed(struct db *db)
{
	if (--db->open_handles > 0)
		return;
	void (*on_closed)(void *) = db->on_closed;
	void *context = db->closed_context;
	for (int l = 0; l < DB_LANES; l++)
		for (int i = 0; i < db->lane[l].connections; i++)
			free(db->lane[l].connection[i]);
	db_hosts_free(&db->hosts);
	replica_close(db);
	free_shapes(db);
	free(db);
	if (on_closed)
		on_closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
	pool_handle_closed(handle->data);
}

static bool dispatch_waiting(struct db *db)
{
	bool any = false;
	for (int l = 0; l < DB_LANES; l++) {
		if (db->lane[l].waiting == 0)
			continue;
		lane_dispatch(db, &db->lane[l]);
		any = true;
	}
	return any;
}

void db_close(struct db *db, void (*on_closed)(void *context), void *context)
{
	db->closing = true;
	db->on_closed = on_closed;
	db->closed_context = context;
	for (int l = 0; l < DB_LANES; l++) {
		for (int i = 0; i < db->lane[l].connections; i++)
			db_link_close(&db->lane[l].connection[i]->link);
		lane_dispatch(db, &db->lane[l]);
	}
	while (dispatch_waiting(db))
		; /* what answers asked for meanwhile */
	if (db->listener)
		listener_close(db->listener);
	uv_close((uv_handle_t *)&db->check, on_handle_closed);
	uv_close((uv_handle_t *)&db->watchdog, on_handle_closed);
	uv_close((uv_handle_t *)&db->spin, on_handle_closed);
}
