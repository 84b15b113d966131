/* SPDX-License-Identifier: Apache-2.0
 * Private to workers/: the worker, its queues, and how its files hang together.
 *   worker.c  begin and end, timers, looking ahead      claim.c  claims and starts jobs
 *   job.c     one job, from its claim to its end        leases.c heartbeats, completions and releases of many
 *
 * A job is waiting (claimed ahead), running, or over (waiting to be reported); it is in worker->held all
 * that time, and so is its lease extended. */
#ifndef WORKERS_INTERNAL_H
#define WORKERS_INTERNAL_H

#include "workers/job.h"

enum { CLAIM_MOST = 50, REPORT_MOST = 500, RETRY_MS = 1000 };

struct job_list {
	struct job *first, *last;
	int count;
};
void job_list_add(struct job_list *list, struct job *job);
struct job *job_list_take(struct job_list *list); /* NULL: empty */

struct queue {
	const char *name;
	int concurrency; /* how many run at once here */
	int ahead;       /* how many more may be held claimed, so that short jobs come in batches */
	int running, wanted;
	struct job_list waiting;
	bool claiming;
	bool again;    /* woken while a claim was under way */
	bool more;     /* the last claim found all it wanted, or there was no room to look */
	bool starting; /* within queue_start_waiting */
	struct worker *worker;
	char count_text[12], token_text[24];
	struct db_value values[5];
	struct metric *running_gauge, *done, *failed, *lost, *pickup;
};

struct worker {
	struct worker_options options;
	char name[100], lease_text[12];
	char queues_text[160]; /* those with room, for look_ahead */
	struct db_value queues_value;
	struct queue queue[QUEUES];
	struct job *held;
	struct job_list over; /* done, not yet reported: job_done */
	bool gathering;       /* more will be done in this turn */
	bool reporting, extending;
	uv_timer_t timer, heartbeat;
	bool looking, look_again, stopping;
	int calls, handles;
	void (*on_stopped)(void *);
	void *stopped_context;
};

/* worker.c */
void worker_submit(struct worker *worker, const struct db_step *step, db_done *done, void *context);
void worker_call_over(struct worker *worker); /* the last thing a db_done of worker_submit does */
void worker_stop_if_idle(struct worker *worker);
void worker_look_ahead(struct worker *worker);
void worker_try_later(struct worker *worker);

/* claim.c */
void queue_claim(struct queue *queue);
void queue_go_on(struct queue *queue); /* a job has left its place */

/* job.c. Columns of job_claim: id, kind, payload, recurs, due. */
struct job *job_new(struct queue *queue, const struct db_rows *rows, int row);
void job_start(struct job *job);
void job_free(struct job *job);
void job_lease_lost(struct job *job); /* says so, and frees it */

/* leases.c */
void leases_extend(struct worker *worker);
void leases_report(struct worker *worker);                           /* what is over; one call at a time */
void leases_give_back(struct worker *worker, struct job_list *list); /* claimed, never started */

#endif
