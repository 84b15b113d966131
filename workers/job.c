/* SPDX-License-Identifier: Apache-2.0
 * One job from its claim to its end. Invariant: it leaves its place in the queue exactly once, by leave(). */
#include "service/json_memory.h"
#include "service/log.h"
#include "workers/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SECONDS_TO_2000 = 946684800 };

void job_list_add(struct job_list *list, struct job *job)
{
	job->following = NULL;
	*(list->last ? &list->last->following : &list->first) = job;
	list->last = job;
	list->count++;
}

struct job *job_list_take(struct job_list *list)
{
	struct job *job = list->first;
	if (!job)
		return NULL;
	list->first = job->following;
	list->last = list->first ? list->last : NULL;
	list->count--;
	return job;
}

static const struct job_kind *kind_named(struct slice name)
{
	static const struct job_kind unknown = { .name = "unknown" };
	for (const struct job_kind *kind = job_kinds; kind->name; kind++)
		if (slice_is(name, kind->name))
			return kind;
	return &unknown;
}

struct job *job_new(struct queue *queue, const struct db_rows *rows, int row)
{
	struct worker *w = queue->worker;
	struct job *job = calloc(1, sizeof *job);
	struct slice payload = db_get(rows, row, 2);
	INVARIANT(job);
	job->worker = w;
	job->options = &w->options;
	job->queue = queue;
	job->id = db_get_int(rows, row, 0);
	job->kind = kind_named(db_get(rows, row, 1));
	snprintf(job->id_text, sizeof job->id_text, "%lld", (long long)job->id);
	memcpy(job->token_text, queue->token_text, sizeof job->token_text);
	job->lease[0] = db_text(job->id_text);
	job->lease[1] = db_text(job->token_text);
	job->lease[2] = db_text(w->lease_text);
	json_memory_clear();
	job->payload = json_loadb(payload.at, payload.len, 0, NULL);
	if (json_memory_lacked()) {
		json_decref(job->payload);
		job->payload = NULL;
	}
	job->recurs = db_get_bool(rows, row, 3);
	job->due = db_get_int(rows, row, 4);
	job->next = w->held;
	job->link = &w->held;
	if (job->next)
		job->next->link = &job->next;
	w->held = job;
	return job;
}

void job_free(struct job *job)
{
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	json_decref(job->payload);
	free(job);
}

/* By the clocks of this machine and of the database's: for people to watch, nothing rests on it. */
static double seconds_late(const struct job *job)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	double late =
		(double)(now.tv_sec - SECONDS_TO_2000) + (double)now.tv_nsec / 1e9 - (double)job->due / 1e6;
	return late < 0 ? 0 : late;
}

void job_start(struct job *job)
{
	metric_observe(job->queue->pickup, seconds_late(job));
	if (!job->payload) /* it must not be done with nothing done */
		job_give_up(job, "no memory for what is to be done", false);
	else if (job->kind->start)
		job->kind->start(job);
	else
		job_give_up(job, "this version of the program does not know this kind", false);
}

struct db_step job_finish_step(const struct job *job)
{
	return (struct db_step){ SQL_job_finish, 2, job->lease };
}

struct db_step job_hold_step(const struct job *job)
{
	return (struct db_step){ SQL_job_hold, 3, job->lease };
}

bool job_should_stop(const struct job *job)
{
	return job->worker->stopping;
}

/* Its place is free: the next one starts. */
static void leave(struct queue *queue)
{
	queue->running--;
	metric_set(queue->running_gauge, queue->running);
	queue_go_on(queue);
}

void job_ended(struct job *job)
{
	struct worker *w = job->worker;
	struct queue *queue = job->queue;
	bool recurs = job->recurs;
	job_free(job);
	metric_add(queue->done, 1);
	leave(queue);
	if (recurs)
		worker_look_ahead(w);
	worker_stop_if_idle(w);
}

void job_done(struct job *job)
{
	struct worker *w = job->worker;
	job_list_add(&w->over, job);
	leave(job->queue);
	if (!w->gathering)
		leases_report(w);
}

struct failing {
	struct job *job;
	char error[300];
	struct db_value values[4];
};

static void on_failed(void *context, const struct db_reply *reply)
{
	struct failing *f = context;
	struct worker *w = f->job->worker;
	struct queue *queue = f->job->queue;
	(void)reply; /* if even this did not arrive, the lease runs out and the job is rescued */
	job_free(f->job);
	free(f);
	metric_add(queue->failed, 1);
	leave(queue);
	worker_look_ahead(w); /* it may be tried again soon */
	worker_call_over(w);
}

void job_give_up(struct job *job, const char *error, bool final)
{
	struct failing *f = calloc(1, sizeof *f);
	INVARIANT(f);
	f->job = job;
	snprintf(f->error, sizeof f->error, "%s", error);
	log_line(LOG_WARN, "job_failed", LOG_TEXT("kind", job->kind->name), LOG_NUMBER("job", job->id));
	f->values[0] = job->lease[0];
	f->values[1] = job->lease[1];
	f->values[2] = db_text(f->error);
	f->values[3] = db_text(final ? "true" : "false");
	worker_submit(job->worker, &(struct db_step){ SQL_job_fail, 4, f->values }, on_failed, f);
}

void job_lease_lost(struct job *job)
{
	log_line(LOG_WARN, "job_lease_lost", LOG_TEXT("kind", job->kind->name), LOG_NUMBER("job", job->id));
	metric_add(job->queue->lost, 1);
	job_free(job);
}

void job_give_up_reply(struct job *job, const struct db_reply *reply)
{
	static const char *const outcomes[] = { "", "", "the database is not available",
						"the connection broke" };
	char error[300];
	if (reply->outcome == DB_FAILED && strcmp(reply->sqlstate, "TT002") == 0) {
		struct worker *w = job->worker;
		struct queue *queue = job->queue;
		job_lease_lost(job);
		leave(queue);
		worker_stop_if_idle(w);
		return;
	}
	if (reply->outcome == DB_FAILED)
		snprintf(error, sizeof error, "%s %s", reply->sqlstate, reply->message);
	else
		snprintf(error, sizeof error, "%s", outcomes[reply->outcome]);
	job_give_up(job, error, false);
}

void job_submit(const struct job *job, const struct db_step *steps, int count, db_done *done, void *context)
{
	struct db_scope system = db_scope_system();
	db_submit(job->options->db, &system, steps, count, done, context);
}
