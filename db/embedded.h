/* SPDX-License-Identifier: Apache-2.0
 * What the build put into the program: every statement, every migration, the plans and regions to load. */
#ifndef DB_EMBEDDED_H
#define DB_EMBEDDED_H

#include "statements.h"
#include <stdbool.h>
#include <stddef.h>

enum sql_shape {
	SQL_SHAPE_one,  /* at most one row */
	SQL_SHAPE_many, /* rows */
	SQL_SHAPE_write /* one row `answer`, kept under the Idempotency-Key ($1, $2) */
};

/* Which connections carry a statement; see db/db.h. */
enum db_lane {
	DB_LANE_read,
	DB_LANE_write,
	DB_LANE_queue,
	DB_LANE_work,
	DB_LANE_twin,    /* half of the write lane's statements that have a key */
	DB_LANE_replica, /* what may be stale; no statement names it */
	DB_LANES,
	DB_LANE_start /* not prepared: tantu migrate runs them */
};

struct sql_text {
	const char *name;
	enum sql_shape shape;
	enum db_lane lane;
	bool is_public;    /* shows the same to everybody: regions, plans, rules */
	bool may_be_stale; /* a replica may answer it, if who asks allows that: catalogues and history */
	int key;           /* the parameter by which calls keep out of each other's way; 0: none */
	const char *text;
};
extern const struct sql_text sql_texts[SQL_COUNT];

struct embedded_file {
	const char *name; /* NULL ends the list */
	size_t len;
	const char *text; /* terminated */
};
extern const struct embedded_file embedded_migrations[];
extern const struct embedded_file embedded_data[];

#endif
