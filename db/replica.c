/* SPDX-License-Identifier: Apache-2.0
 * Reads that may be late go to replicas, and are told how late. A replica knows the primary's clock at the
 * last commit it has replayed: all that was committed before is in it. The beat, a commit a second, tells us
 * the primary's clock, and we count on with our own: no other clock is trusted, and no age is told too low.
 */
#include "db/internal.h"
#include "service/log.h"

enum { WANTED_SECONDS = 60, SHUNNED_MS = 1000 };

static int64_t primary_ms(const struct replica *r, uint64_t now)
{
	return r->primary_ms + (int64_t)((now - r->asked_at) / 1000000) + 1;
}

void replica_open(struct db *db)
{
	static const char name[] = "tantu_stale_reads_total",
			  help[] = "Reads that were allowed to be late, by who answered them";
	struct replica *r = &db->replica;
	if (!db->options.replica_conninfo) {
		db->options.connections[DB_LANE_replica] = 0;
		return;
	}
	r->hosts = db_hosts_new(db->loop, db->options.replica_conninfo, DB_REPLICA, db->metrics);
	r->answered = metric_counter(db->metrics, name, help, "by=\"replica\"");
	r->passed_on = metric_counter(db->metrics, name, help, "by=\"primary\"");
	r->age = metric_gauge(db->metrics, "tantu_replica_age_seconds",
			      "How old the last answer of a replica may have been", "");
}

void replica_close(struct db *db)
{
	db_hosts_free(&db->replica.hosts);
}

/* --- the primary's clock --- */

static void on_beat(void *context, const struct db_reply *reply)
{
	struct db *db = context;
	struct replica *r = &db->replica;
	r->beating = false;
	if (reply->outcome != DB_OK)
		return;
	r->primary_ms = db_get_int(&reply->rows[0], 0, 0);
	r->asked_at = r->beat_at;
	r->clock_known = true;
}

void replica_watch(struct db *db, uint64_t now)
{
	struct replica *r = &db->replica;
	struct db_scope system = db_scope_system();
	struct db_step step = { SQL_replica_beat, 0, NULL };
	bool wanted = r->wanted_at && now - r->wanted_at < WANTED_SECONDS * 1000000000ull;
	if (!r->hosts || !wanted || r->beating)
		return;
	r->beat_at = uv_hrtime();
	r->beating = true;
	db_submit(db, &system, &step, 1, on_beat, db);
}

bool replica_is_ready(struct db *db)
{
	struct replica *r = &db->replica;
	const struct lane *lane = &db->lane[DB_LANE_replica];
	if (lane->connections == 0)
		return false;
	r->wanted_at = uv_hrtime();
	bool ready = r->clock_known && r->wanted_at >= r->shunned_until && lane_is_up(lane);
	if (!ready)
		metric_add(r->passed_on, 1);
	return ready;
}

/* --- answers --- */

void replica_pass_on(struct db *db, struct db_call *call)
{
	metric_add(db->replica.passed_on, 1);
	call->lane = DB_LANE_read;
	lane_put_back(&db->lane[DB_LANE_read], call);
	pool_wake(db);
}

static void answer(struct db *db, struct db_call *call, int64_t age_ms)
{
	struct db_reply reply = {
		.outcome = DB_OK, .steps = call->steps, .from_replica = true, .age_ms = age_ms
	};
	reply.rows = (const struct db_rows *)(void *)call->result;
	metric_add(db->replica.answered, 1);
	call_answer(call, &reply);
}

/* -1: it is no replica any more, has never heard of anything, or raised an error. */
static int64_t age_of_group(const struct db_connection *c, uint64_t now)
{
	if (c->broken || c->heard_ms < 0)
		return -1;
	int64_t age_ms = primary_ms(&c->db->replica, now) - c->heard_ms;
	return age_ms < 0 ? 0 : age_ms; /* a new primary, whose clock is ahead of the last one's */
}

void replica_end_group(struct db_connection *c, struct db_call *const *group, int size)
{
	struct db *db = c->db;
	struct db_call *good[GROUP_MOST];
	int goods = 0;
	uint64_t now = uv_hrtime();
	int64_t age_ms = age_of_group(c, now);
	if (age_ms >= 0)
		metric_set(db->replica.age, (double)age_ms / 1000);
	if (age_ms < 0 || age_ms > db->options.replica_age_ms)
		db->replica.shunned_until = now + SHUNNED_MS * 1000000ull;
	for (int i = size - 1; i >= 0; i--) /* backwards: each goes to the front */
		if (group[i]->dropped || (age_ms >= 0 && age_ms <= group[i]->max_age_ms))
			good[goods++] = group[i];
		else
			replica_pass_on(db, group[i]);
	while (goods > 0) /* an answer may cancel any of those passed on */
		answer(db, good[--goods], age_ms);
	if (!c->broken && c->heard_ms < 0)
		db_link_drop(&c->link, "the server is no replica");
	else
		pool_connection_idle(db);
}
