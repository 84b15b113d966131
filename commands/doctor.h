/* SPDX-License-Identifier: Apache-2.0
 * What a healthy installation looks like. Facts are gathered (of this machine: blocking; of the database: one
 * statement), and judged by a table of checks that knows nothing but the facts: the same for `tantu doctor`
 * and for the metrics of a running server. */
#ifndef COMMANDS_DOCTOR_H
#define COMMANDS_DOCTOR_H

#include "db/result.h"
#include "service/config.h"
#include "service/vault.h"
#include <stdint.h>

struct doctor_facts {
	/* this machine */
	char key_trouble[300], uploads_trouble[300]; /* empty: none */
	bool key_missing, uploads_missing;           /* not there at all, as before the first start */
	int64_t uploads_free, uploads_size;          /* bytes; for whom the server runs as */
	int64_t descriptors_open, descriptors_most;  /* open: -1 in a command, which is not the server */

	/* the database: reached at all; then the schema, then the statements; then all that follows is known
	 */
	bool reached, answered;
	char database_trouble[300], schema_trouble[300], statement_trouble[300]; /* empty: none */
	int statements;        /* how many were tried; 0: the server prepares them itself */
	int64_t asked_at_us;   /* this machine's clock around the question, since 2000 */
	int64_t waited_us;     /* for the answer */
	int64_t server_now_us; /* the database's clock */
	int64_t server_version, connections, connections_most, transaction_age;
	bool too_strong, may_write_events, unguarded, standby, durable, checksums;
	int64_t dead_jobs, waiting_seconds, lost_leases, unfolded, fold_seconds;
	int64_t wal_kept, database_bytes, idle_seconds;
	bool archive_fails;
	int64_t holiday_days; /* until the end of the last year whose holidays are known; negative: it is over
			       */
	enum { SAMPLE_NONE, SAMPLE_UNTRIED, SAMPLE_OPENS, SAMPLE_FOREIGN } sample; /* a stored identity */
};

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };
extern const char *const doctor_levels[]; /* "ok", "warn", "fail" */

struct doctor_finding {
	enum doctor_level level;
	char says[400];
	const char *todo; /* what to do; NULL when there is nothing */
};
struct doctor_check {
	const char *name; /* NULL ends the table; the metric's label */
	void (*judge)(const struct doctor_facts *facts, struct doctor_finding *finding);
	enum { NEEDS_NOTHING, NEEDS_REACHED, NEEDS_SCHEMA, NEEDS_ANSWER } needs;
};
extern const struct doctor_check doctor_checks[];
/* False when the facts that the check needs are not known. */
bool doctor_can_judge(const struct doctor_check *check, const struct doctor_facts *facts);
enum { DOCTOR_CHECKS_MOST = 32 };

/* Blocking: files and limits. `serves`: this process is the server, whose descriptors count. */
void doctor_look(const struct config *config, bool serves, struct doctor_facts *facts);
/* From the row of SQL_doctor. vault NULL: the stored sample is not tried. */
void doctor_take(const struct db_rows *rows, const struct vault *vault, struct doctor_facts *facts);
/* Microseconds since 2000, as PostgreSQL counts. */
int64_t doctor_now_us(void);

#endif
