/* SPDX-License-Identifier: Apache-2.0
 * What is done to many leases in one statement: extended by the heartbeat, ended by completions, given back
 * by a worker that stops. Each lease is named by job and token: who lost it changes nothing. */
#include "service/log.h"
#include "workers/internal.h"
#include <stdio.h>
#include <stdlib.h>

/* Two arrays in PostgreSQL's text form, and the jobs they came from. */
struct leases {
	struct worker *worker;
	struct job_list jobs; /* for completions */
	size_t ids_len, tokens_len;
	char *ids, *tokens;
	struct db_value values[3];
	char text[];
};

static struct leases *leases_new(struct worker *w, int most)
{
	size_t room = 3 + (size_t)most * sizeof((struct job *)0)->id_text;
	struct leases *l = calloc(1, sizeof *l + 2 * room);
	INVARIANT(l);
	l->worker = w;
	l->ids = l->text;
	l->tokens = l->text + room;
	l->values[0] = db_text(l->ids);
	l->values[1] = db_text(l->tokens);
	l->values[2] = db_text(w->lease_text);
	l->ids[l->ids_len++] = l->tokens[l->tokens_len++] = '{';
	return l;
}

static void append(char *at, size_t *len, const char *number)
{
	size_t n = strlen(number);
	if (*len > 1)
		at[(*len)++] = ',';
	memcpy(at + *len, number, n);
	*len += n;
}

static void leases_add(struct leases *l, const struct job *job)
{
	append(l->ids, &l->ids_len, job->id_text);
	append(l->tokens, &l->tokens_len, job->token_text);
}

static void leases_submit(struct leases *l, enum sql statement, int values, db_done *done)
{
	l->ids[l->ids_len] = l->tokens[l->tokens_len] = '}';
	worker_submit(l->worker, &(struct db_step){ statement, values, l->values }, done, l);
}

/* --- the heartbeat --- */

static void on_extended(void *context, const struct db_reply *reply)
{
	struct leases *l = context;
	struct worker *w = l->worker;
	(void)reply; /* who lost its lease learns it when it ends */
	free(l);
	w->extending = false;
	worker_call_over(w);
}

void leases_extend(struct worker *w)
{
	int count = 0;
	for (struct job *job = w->held; job; job = job->next)
		count++;
	if (count == 0 || w->extending)
		return;
	w->extending = true;
	struct leases *l = leases_new(w, count);
	for (struct job *job = w->held; job; job = job->next)
		leases_add(l, job);
	leases_submit(l, SQL_job_extend, 3, on_extended);
}

/* --- completions --- */

/* Rows come in about the order of the list. */
static void mark_reported(const struct leases *l, const struct db_rows *rows)
{
	struct job *at = l->jobs.first;
	int count = db_row_count(rows);
	for (int i = 0; i < count; i++) {
		int64_t id = db_get_int(rows, i, 0);
		for (int tried = 0; tried < l->jobs.count; tried++) {
			bool found = at->id == id;
			at->reported = at->reported || found;
			at = at->following ? at->following : l->jobs.first;
			if (found)
				break;
		}
	}
}

static void reported(struct leases *l, const struct db_rows *rows)
{
	struct worker *w = l->worker;
	bool recurs = false;
	mark_reported(l, rows);
	for (struct job *job; (job = job_list_take(&l->jobs));) {
		recurs = recurs || job->recurs;
		if (!job->reported) {
			job_lease_lost(job);
			continue;
		}
		metric_add(job->queue->done, 1);
		job_free(job);
	}
	if (recurs)
		worker_look_ahead(w);
}

/* Nobody knows whether they were ended: what was not is found by its lease, and runs again. */
static void not_reported(struct leases *l, const struct db_reply *reply)
{
	log_line(LOG_WARN, "jobs_not_reported", LOG_NUMBER("count", l->jobs.count),
		 LOG_TEXT("sqlstate", reply->sqlstate));
	for (struct job *job; (job = job_list_take(&l->jobs));) {
		metric_add(job->queue->lost, 1);
		job_free(job);
	}
}

static void on_reported(void *context, const struct db_reply *reply)
{
	struct leases *l = context;
	struct worker *w = l->worker;
	w->reporting = false;
	if (reply->outcome == DB_OK)
		reported(l, &reply->rows[0]);
	else if (reply->outcome == DB_UNAVAILABLE && !w->stopping) { /* nothing was done: in its turn again */
		for (struct job *job; (job = job_list_take(&l->jobs));)
			job_list_add(&w->over, job);
		worker_try_later(w);
	} else
		not_reported(l, reply);
	free(l);
	if (reply->outcome == DB_OK)
		leases_report(w);
	for (int i = 0; i < QUEUES; i++)
		queue_go_on(&w->queue[i]);
	worker_call_over(w);
}

void leases_report(struct worker *w)
{
	int count = w->over.count < REPORT_MOST ? w->over.count : REPORT_MOST;
	if (count == 0 || w->reporting)
		return;
	w->reporting = true;
	struct leases *l = leases_new(w, count);
	for (int i = 0; i < count; i++) {
		struct job *job = job_list_take(&w->over);
		leases_add(l, job);
		job_list_add(&l->jobs, job);
	}
	leases_submit(l, SQL_job_complete, 2, on_reported);
}

/* --- giving back --- */

static void on_given_back(void *context, const struct db_reply *reply)
{
	struct leases *l = context;
	struct worker *w = l->worker;
	(void)reply; /* if it did not arrive, the leases run out */
	free(l);
	worker_call_over(w);
}

void leases_give_back(struct worker *w, struct job_list *list)
{
	if (list->count == 0)
		return;
	struct leases *l = leases_new(w, list->count);
	for (struct job *job; (job = job_list_take(list));) {
		leases_add(l, job);
		job_free(job);
	}
	leases_submit(l, SQL_job_give_back, 2, on_given_back);
}
