/* SPDX-License-Identifier: Apache-2.0
 * The database for the event loop. Calls that wait for the same lane travel together: one pipeline segment,
 * one transaction, one commit. A call is answered once, later, on the loop, never from within db_submit.
 *
 * Lanes: read (2 connections), write (1: groups cannot deadlock with themselves), twin (1: half of
 * the writes that have a key), queue (2: claims and completions of jobs), work (2: what jobs do, one call a
 * transaction, may take minutes), replica (2: reads that may be late, when there are replicas). */
#ifndef DB_DB_H
#define DB_DB_H

#include "db/embedded.h"
#include "db/result.h"
#include "service/invariant.h"
#include "service/metrics.h"
#include "service/slice.h"
#include <uv.h>

struct db;
struct db_call;

enum { DB_PARAMETERS = 32, DB_STEPS = 4 };

/* A parameter: text (terminated) or, for bytea, binary with its length. at NULL: SQL NULL. */
struct db_value {
	const char *at;
	int len;
	bool binary;
};
#define DB_NULL ((struct db_value){ 0 })
static inline struct db_value db_text(const char *text)
{
	return (struct db_value){ text, 0, false };
}
static inline struct db_value db_bytes(const void *at, size_t len)
{
	return (struct db_value){ at, (int)len, true };
}

/* Whom a call is for. Texts as set_config takes them ("" for none). Equal scopes share one set_config. */
enum { DB_SCOPE_PARTS = 6 };
struct db_scope {
	char part[DB_SCOPE_PARTS][24]; /* low, high, role, account, contractor, centre */
};
/* The service itself: the whole country, role system. */
struct db_scope db_scope_system(void);
bool db_scope_equal(const struct db_scope *a, const struct db_scope *b);

enum db_outcome {
	DB_OK,
	DB_FAILED,      /* the statement raised an error: sqlstate tells; nothing of it was done */
	DB_UNAVAILABLE, /* no connection, or too much waits: nothing was done */
	DB_UNKNOWN      /* the connection broke after a write was sent: done or not */
};

struct db_reply {
	enum db_outcome outcome;
	const struct db_rows *rows; /* one a step; DB_OK only; gone after the callback */
	int steps;
	char sqlstate[6];
	char constraint[64]; /* of a constraint violation */
	char message[256];   /* for the log; may hold values: never send it to a client */
	bool from_replica;   /* DB_OK only; then it may be so old: */
	int64_t age_ms;
};
typedef void db_done(void *context, const struct db_reply *reply);

/* One statement of a call. Values are copied as pointers: what they point to lives until the answer (or
 * db_cancel). */
struct db_step {
	enum sql statement;
	int count;
	const struct db_value *values;
};

/* Never answers NULL. scope is copied. All steps run in one transaction, in order, on the lane of the first.
 */
struct db_call *db_submit(struct db *db, const struct db_scope *scope, const struct db_step *steps, int count,
			  db_done *done, void *context);
/* A read that may be as old as max_age_ms: a replica answers it if there is one that is fresh enough, else
 * the primary. The statement is one that may be stale. */
struct db_call *db_submit_stale(struct db *db, const struct db_scope *scope, const struct db_step *step,
				int64_t max_age_ms, db_done *done, void *context);
/* The answer is no longer wanted: not sent yet → never sent; sent → runs, its answer is dropped. */
void db_cancel(struct db_call *call);

struct db_options {
	const char *conninfo;         /* as the application role; several hosts allowed */
	const char *replica_conninfo; /* NULL: there are no replicas to read from */
	int64_t replica_age_ms;       /* what is older than this is never taken from a replica */
	int connections[DB_LANES];    /* 0: this process does not use the lane */
	int waiting_most;             /* calls waiting a lane; one more is DB_UNAVAILABLE */
	bool listen;                  /* hear NOTIFY job and session_ended */
	void (*on_notify)(void *context, const char *channel, const char *payload);
	void (*on_deaf)(void *context);  /* notifications may have been missed: trust no cache */
	void (*on_ready)(void *context); /* every lane has a connection, once */
	void (*on_unfit)(void *context, const char *why); /* schema and program do not fit: stop */
	void *context;
};
/* Starts connecting; keeps trying for ever, with a backoff of at most a second. */
struct db *db_open(uv_loop_t *loop, const struct db_options *options, struct metrics *metrics);
/* Notifications arrive: what is remembered now will be corrected. */
bool db_hears(const struct db *db);
bool db_is_up(const struct db *db); /* every used lane has a connection */
/* Calls still waiting are answered DB_UNAVAILABLE; then on_closed; then the memory is gone. */
void db_close(struct db *db, void (*on_closed)(void *context), void *context);

/* What PostgreSQL said of a statement at start; valid after on_ready. */
const struct db_shape *db_shape_of(const struct db *db, enum sql statement);

#endif
