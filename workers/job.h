/* SPDX-License-Identifier: Apache-2.0
 * One claimed job, for those who implement a kind. A kind starts in its start function, on the loop, and ends
 * exactly once, by one of
 *   job_ended    after its completing transaction, which held job_finish_step: its effect is SQL;
 *   job_done     its effect is elsewhere and bears repeating: completions travel in batches;
 *   job_give_up  it failed. */
#ifndef WORKERS_JOB_H
#define WORKERS_JOB_H

#include "workers/worker.h"
#include <jansson.h>

struct job {
	struct worker *worker;
	const struct worker_options *options;
	struct job *next, **link; /* in worker->held */
	struct job *following;    /* in a job_list */
	const struct job_kind *kind;
	struct queue *queue;
	bool recurs, reported;
	int64_t id, due; /* due: microseconds since 2000 */
	char id_text[24], token_text[24];
	struct db_value lease[3]; /* id, token, seconds */
	json_t *payload;
	void *own;
	char number_text[2][24]; /* parameters from the payload */
	struct db_value values[2];
};

struct job_kind {
	const char *name; /* NULL ends the table */
	const char *queue;
	void (*start)(struct job *job);
	/* for start = sql_job_start: a statement of lane work, its parameters from the payload ("case
	 * version") or a number; `again`: run once more when the first column is at least this */
	enum sql statement;
	const char *bind;
};
extern const struct job_kind job_kinds[];

enum { LEASE_SECONDS = 30 };

/* The last step of a completing transaction, and one that keeps the lease in a partial one. */
struct db_step job_finish_step(const struct job *job);
struct db_step job_hold_step(const struct job *job);
void job_ended(struct job *job);
/* Asks for the system, in one transaction. */
void job_submit(const struct job *job, const struct db_step *steps, int count, db_done *done, void *context);
/* Its place is free at once; a lease lost meanwhile is told in the log. The job is gone. */
void job_done(struct job *job);
/* Says why in the queue: tried again later, or at once dead when final. Ends the job. */
void job_give_up(struct job *job, const char *error, bool final);
/* The same from a reply that was not DB_OK. A lost lease is nobody's failure. */
void job_give_up_reply(struct job *job, const struct db_reply *reply);

/* The worker stops: what comes in parts ends with this one, and goes on where it stands at its next time. */
bool job_should_stop(const struct job *job);

/* kinds */
void sql_job_start(struct job *job);
void import_start(struct job *job);
void intake_start(struct job *job);
void duplicates_start(struct job *job);
void probe_start(struct job *job);
void uploads_start(struct job *job);
void photos_sweep_start(struct job *job);

#endif
