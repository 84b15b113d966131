/* SPDX-License-Identifier: Apache-2.0
 * A pool on a loop of the test's own, against the PostgreSQL of pg_help.h; and calls that remember how often
 * and how they were answered. */
#ifndef TESTS_UNIT_DB_RIG_H
#define TESTS_UNIT_DB_RIG_H

#include "db/db.h"
#include "pg_help.h"
#include <time.h>

struct rig {
	uv_loop_t loop;
	struct metrics *metrics;
	struct db_options options;
	struct db *db;
	int ready, closed, deaf, notified, unfit;
	char channel[64], payload[128], why[400];
};

struct seen {
	int answers;
	enum db_outcome outcome;
	int steps, rows;
	int64_t value, second; /* the first column of the first row of the first and of the second step */
	char sqlstate[6], constraint[64];
	struct db_call *call;
};

static inline uint64_t rig_ms(void)
{
	return uv_hrtime() / 1000000;
}

static inline void rig_turn(struct rig *rig)
{
	uv_run(&rig->loop, UV_RUN_NOWAIT);
	usleep(200);
}

/* Turns the loop until the condition holds; a test that waits over a minute has failed. */
#define UNTIL(rig, condition)                                                  \
	do {                                                                   \
		uint64_t until_ = rig_ms() + 60000;                            \
		while (!(condition)) {                                         \
			rig_turn(rig);                                         \
			if (rig_ms() > until_)                                 \
				fail_msg("waited in vain for %s", #condition); \
		}                                                              \
	} while (0)

static inline void rig_on_notify(void *context, const char *channel, const char *payload)
{
	struct rig *rig = context;
	rig->notified++;
	snprintf(rig->channel, sizeof rig->channel, "%s", channel);
	snprintf(rig->payload, sizeof rig->payload, "%s", payload);
}

static inline void rig_on_deaf(void *context)
{
	((struct rig *)context)->deaf++;
}

static inline void rig_on_ready(void *context)
{
	((struct rig *)context)->ready++;
}

static inline void rig_on_unfit(void *context, const char *why)
{
	struct rig *rig = context;
	rig->unfit++;
	snprintf(rig->why, sizeof rig->why, "%s", why);
}

static inline void rig_begin(struct rig *rig, const char *conninfo)
{
	*rig = (struct rig){ .metrics = metrics_new() };
	uv_loop_init(&rig->loop);
	rig->options = (struct db_options){ .conninfo = conninfo,
					    .connections = { 2, 1, 0, 0, 1 },
					    .waiting_most = 8000,
					    .on_notify = rig_on_notify,
					    .on_deaf = rig_on_deaf,
					    .on_ready = rig_on_ready,
					    .on_unfit = rig_on_unfit,
					    .context = rig };
}

static inline void rig_open(struct rig *rig, const char *conninfo)
{
	rig_begin(rig, conninfo);
	rig->db = db_open(&rig->loop, &rig->options, rig->metrics);
	UNTIL(rig, rig->ready);
}

static inline void rig_on_closed(void *context)
{
	((struct rig *)context)->closed++;
}

/* Also checks that the pool leaves no handle behind. */
static inline void rig_close(struct rig *rig)
{
	db_close(rig->db, rig_on_closed, rig);
	UNTIL(rig, rig->closed);
	rig_turn(rig);
	assert_int_equal(rig->closed, 1);
	assert_int_equal(uv_loop_close(&rig->loop), 0);
	metrics_free(&rig->metrics);
}

static inline int64_t seen_number(const struct db_rows *rows)
{
	if (db_row_count(rows) == 0 || db_is_null(rows, 0, 0))
		return 0;
	size_t len = db_get(rows, 0, 0).len; /* a text is no number */
	return len == 2 || len == 4 || len == 8 ? db_get_int(rows, 0, 0) : 0;
}

static inline void seen_done(void *context, const struct db_reply *reply)
{
	struct seen *seen = context;
	seen->answers++;
	seen->call = NULL;
	seen->outcome = reply->outcome;
	memcpy(seen->sqlstate, reply->sqlstate, sizeof seen->sqlstate);
	memcpy(seen->constraint, reply->constraint, sizeof seen->constraint);
	seen->steps = reply->steps;
	if (reply->outcome != DB_OK)
		return;
	seen->rows = db_row_count(&reply->rows[0]);
	seen->value = seen_number(&reply->rows[0]);
	seen->second = reply->steps > 1 ? seen_number(&reply->rows[1]) : 0;
}

/* The metric's value as it is written, -1 when there is none. */
static inline long rig_metric(struct rig *rig, const char *name)
{
	static char room[1 << 16];
	struct buffer out = { .at = room, .room = sizeof room - 1 };
	char line[128];
	metrics_write(rig->metrics, &out);
	room[out.len] = 0;
	snprintf(line, sizeof line, "\n%s ", name);
	const char *at = strstr(room, line);
	return at ? strtol(at + strlen(line), NULL, 10) : -1;
}

#endif
