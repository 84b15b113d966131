/* SPDX-License-Identifier: Apache-2.0
 * Private to db/: the pool, its lanes, and the connection that carries a group. */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H

#include "db/db.h"
#include "db/link.h"

enum {
	GROUP_MOST = 32,
	GROUP_LEAST = 4,
	LANE_CONNECTIONS_MOST = 4,
	GROUP_SECONDS = 20,
	REPLICA_SECONDS = 5,
	HANG_CALLS = 4,    /* seconds without a sign of life after which nobody waits for PostgreSQL */
	HANG_SECONDS = 15, /* and after how many more all connections are given up for others */
	PREPARE_SECONDS = 10,
	WORK_SECONDS = 900,
	PATIENCE_MS = 1000
};

enum call_state { CALL_WAITING, CALL_SENT, CALL_DONE };

struct call_step {
	enum sql statement;
	int count, first; /* values of this step in call->values */
};

struct db_call {
	struct db *db;
	struct db_call *next, *previous; /* in the lane's waiting list */
	enum call_state state;
	enum db_lane lane;
	bool dropped; /* cancelled after it was sent */
	bool alone;   /* must not share a transaction: it broke one */
	int tries, held_up;
	int64_t max_age_ms; /* on the replica lane */
	struct db_scope scope;
	db_done *done;
	void *context;
	int steps;
	struct call_step step[DB_STEPS];
	PGresult *result[DB_STEPS];
	struct db_value values[];
};

struct lane {
	struct db *db;
	enum db_lane name;
	struct db_connection *connection[LANE_CONNECTIONS_MOST];
	int connections;
	struct db_call *first, *last; /* waiting */
	int waiting;
	uint64_t down_since; /* uv_hrtime; 0: it has a connection */
	struct metric *group_size, *seconds, *depth;
};

enum connection_state { CONNECTION_DOWN, CONNECTION_PREPARING, CONNECTION_IDLE, CONNECTION_BUSY };

/* What is expected back, in order: a set_config, a step of a call, or the Sync. A replica's group begins with
 * the time until when it has heard of everything. */
struct expected {
	struct db_call *call; /* NULL: a scope, or with step EXPECT_HEARD that time */
	int step;
};
enum { EXPECT_HEARD = -1 };

struct db_connection {
	struct db_link link; /* first */
	struct db *db;
	struct lane *lane;
	enum connection_state state;
	struct db_call *group[GROUP_MOST];
	int group_size;
	struct expected expected[GROUP_MOST * (DB_STEPS + 1)];
	int expected_count, received;
	uint64_t sent_at;
	int64_t heard_ms;       /* a replica's, by the primary's clock; -1: it is none */
	bool broken;            /* an error came in this group */
	bool gone;              /* libpq itself gave up: it is to be dropped */
	struct db_call *guilty; /* whose step raised it; NULL: the commit, or a scope */
	char sqlstate[6], constraint[64], message[256];
	int prepared; /* results of the preparation received */
};

/* See replica.c. */
struct replica {
	struct db_hosts *hosts; /* NULL: there are none */
	bool clock_known;
	int64_t primary_ms; /* the primary's clock, not before … */
	uint64_t asked_at;  /* … this time of ours (uv_hrtime) */
	uint64_t beat_at, wanted_at, shunned_until;
	bool beating;
	struct metric *answered, *passed_on, *age;
};

struct db {
	uv_loop_t *loop;
	struct db_options options;
	struct metrics *metrics;
	struct db_hosts *hosts;
	struct replica replica;
	struct lane lane[DB_LANES];
	struct db_shape *shape; /* SQL_COUNT of them; NULL columns until described */
	struct db_listener *listener;
	uv_check_t check;
	uv_timer_t watchdog;
	uv_idle_t spin; /* keeps the loop turning while something waits to be sent */
	bool spinning;
	uint64_t hangs_since; /* uv_hrtime; 0: PostgreSQL answers */
	bool was_ready, closing;
	int open_handles;
	void (*on_closed)(void *);
	void *closed_context;
	struct metric *errors, *unavailable, *hangs;
};

/* connection.c */
struct db_connection *connection_new(struct db *db, struct lane *lane);
/* At most `most` of what waits. */
void connection_send_group(struct db_connection *connection, int most);
/* Once a second: is it answered in time, is its server still the right one? */
void connection_check(struct db_connection *connection, uint64_t now);
bool connection_waits(const struct db_connection *connection); /* for what it has sent */
/* PostgreSQL hangs: who reads is told now, and what still comes is dropped. */
void connection_give_up_reads(struct db_connection *connection);

/* prepare.c: all statements of the lane; true when done (or the process was told it is unfit) */
void prepare_start(struct db_connection *connection);
void prepare_input(struct db_connection *connection);

/* pool.c */
struct db_call *lane_take(struct lane *lane);
void lane_put_back(struct lane *lane, struct db_call *call);          /* to the front */
void call_answer(struct db_call *call, const struct db_reply *reply); /* frees the call */
void pool_connection_idle(struct db *db);
void pool_wake(struct db *db);
bool lane_is_up(const struct lane *lane); /* it has a connection, or needs none */
void pool_handle_closed(struct db *db);

/* replica.c */
void replica_open(struct db *db);
void replica_close(struct db *db); /* when its links are closed */
/* Once a second: keeps the primary's clock and the replicas' ears going while somebody wants them. */
void replica_watch(struct db *db, uint64_t now);
/* The primary answers it instead. */
void replica_pass_on(struct db *db, struct db_call *call);
/* One is there and known to keep up; being asked keeps it so. */
bool replica_is_ready(struct db *db);
void replica_end_group(struct db_connection *connection, struct db_call *const *group, int size);

/* listen.c */
struct db_listener *listener_new(struct db *db);
/* Once a second; busy: something is awaited elsewhere. Asks PostgreSQL for a sign of life when there was none
 * for a while, and answers for how many calls none has come. */
int listener_watch(struct db_listener *listener, bool busy);
void listener_drop(struct db_listener *listener, const char *why);
void listener_close(struct db_listener *listener);

#endif
