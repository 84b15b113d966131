/* SPDX-License-Identifier: Apache-2.0
 * The claim loop. Wakes by NOTIFY, by its timer for the next run_at, and when a job ends; never polls.
 * Invariant: every struct job is in worker->running from its claim to job_ended; a queue has at most one
 * claim under way; running + wanted of a queue never pass its concurrency. */
#include "service/log.h"
#include "workers/job.h"
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MS = 1000, LOOK_AGAIN_MS = 60000, HEARTBEAT_MS = LEASE_SECONDS * 1000 / 3, CLAIM_MOST = 50 };

struct queue {
	const char *name;
	int concurrency, running, wanted;
	bool claiming, again;
	struct worker *worker;
	char count_text[12];
	struct db_value values[4];
	struct metric *running_gauge;
};

struct worker {
	struct worker_options options;
	char name[100], lease_text[12];
	char queues_text[80]; /* those with room, for look_ahead */
	struct db_value queues_value;
	struct queue queue[4];
	struct job *running;
	uv_timer_t timer, heartbeat;
	bool looking, look_again, extending, stopping;
	int calls, handles;
	struct db_value extend_values[3];
	char *extend_ids, *extend_tokens;
	void (*on_stopped)(void *);
	void *stopped_context;
	struct metric *done, *failed, *lost;
};

static const struct {
	const char *name;
	int concurrency;
} queue_settings[4] = { { "imports", 1 }, { "totals", 1 }, { "reminders", 20 }, { "upkeep", 1 } };

static void queue_claim(struct queue *queue);
static void look_ahead(struct worker *w);
static void on_timer(uv_timer_t *timer);

/* --- the end of the worker --- */

static void on_handle_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;
	void (*on_stopped)(void *) = w->on_stopped;
	void *context = w->stopped_context;
	if (--w->handles > 0)
		return;
	free(w->extend_ids);
	free(w->extend_tokens);
	free(w);
	on_stopped(context);
}

static void stop_if_idle(struct worker *w)
{
	if (!w->stopping || w->running || w->calls || uv_is_closing((uv_handle_t *)&w->timer))
		return;
	uv_close((uv_handle_t *)&w->timer, on_handle_closed);
	uv_close((uv_handle_t *)&w->heartbeat, on_handle_closed);
}

static void submit(struct worker *w, const struct db_step *step, db_done *done, void *context)
{
	struct db_scope system = db_scope_system();
	w->calls++;
	db_submit(w->options.db, &system, step, 1, done, context);
}

static void call_over(struct worker *w)
{
	w->calls--;
	stop_if_idle(w);
}

/* --- jobs --- */

struct db_step job_finish_step(const struct job *job)
{
	return (struct db_step){ SQL_job_finish, 2, job->lease };
}

struct db_step job_hold_step(const struct job *job)
{
	return (struct db_step){ SQL_job_hold, 3, job->lease };
}

static void job_free(struct job *job)
{
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	json_decref(job->payload);
	free(job);
}

void job_ended(struct job *job)
{
	struct worker *w = job->worker;
	struct queue *queue = job->queue;
	job_free(job);
	queue->running--;
	metric_set(queue->running_gauge, queue->running);
	metric_add(w->done, 1);
	queue_claim(queue);
	stop_if_idle(w);
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
	(void)reply; /* if even this did not arrive, the lease runs out and the job is rescued */
	metric_add(w->failed, 1);
	job_ended(f->job);
	free(f);
	call_over(w);
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
	submit(job->worker, &(struct db_step){ SQL_job_fail, 4, f->values }, on_failed, f);
}

void job_give_up_reply(struct job *job, const struct db_reply *reply)
{
	static const char *const outcomes[] = { "", "", "the database is not available",
						"the connection broke" };
	char error[300];
	if (reply->outcome == DB_FAILED && strcmp(reply->sqlstate, "TT002") == 0) {
		log_line(LOG_WARN, "job_lease_lost", LOG_TEXT("kind", job->kind->name),
			 LOG_NUMBER("job", job->id));
		metric_add(job->worker->lost, 1);
		job_ended(job);
		return;
	}
	if (reply->outcome == DB_FAILED)
		snprintf(error, sizeof error, "%s %s", reply->sqlstate, reply->message);
	else
		snprintf(error, sizeof error, "%s", outcomes[reply->outcome]);
	job_give_up(job, error, false);
}

static const struct job_kind *kind_named(struct slice name)
{
	for (const struct job_kind *kind = job_kinds; kind->name; kind++)
		if (slice_is(name, kind->name))
			return kind;
	return NULL;
}

/* Columns of job_claim: id, kind, payload, lease_token, attempts. */
static void job_begin(struct queue *queue, const struct db_rows *rows, int row)
{
	static const struct job_kind unknown = { .name = "unknown" };
	struct worker *w = queue->worker;
	struct job *job = calloc(1, sizeof *job);
	struct slice payload = db_get(rows, row, 2);
	INVARIANT(job);
	job->worker = w;
	job->options = &w->options;
	job->queue = queue;
	job->id = db_get_int(rows, row, 0);
	snprintf(job->id_text, sizeof job->id_text, "%lld", (long long)job->id);
	snprintf(job->token_text, sizeof job->token_text, "%lld", (long long)db_get_int(rows, row, 3));
	job->lease[0] = db_text(job->id_text);
	job->lease[1] = db_text(job->token_text);
	job->lease[2] = db_text(w->lease_text);
	job->payload = json_loadb(payload.at, payload.len, 0, NULL);
	job->next = w->running;
	job->link = &w->running;
	if (job->next)
		job->next->link = &job->next;
	w->running = job;
	queue->running++;
	job->kind = kind_named(db_get(rows, row, 1));
	if (!job->kind) {
		job->kind = &unknown;
		job_give_up(job, "this version of the program does not know this kind", false);
		return;
	}
	job->kind->start(job);
}

/* --- claiming --- */

static void on_claimed(void *context, const struct db_reply *reply)
{
	struct queue *queue = context;
	struct worker *w = queue->worker;
	int wanted = queue->wanted, found = 0;
	bool again = queue->again;
	queue->claiming = queue->again = false;
	if (reply->outcome == DB_OK)
		found = db_row_count(&reply->rows[0]);
	for (int i = 0; i < found; i++)
		job_begin(queue, &reply->rows[0], i);
	metric_set(queue->running_gauge, queue->running);
	if (reply->outcome != DB_OK)
		uv_timer_start(&w->timer, on_timer, RETRY_MS, 0);
	else if (again || found == wanted)
		queue_claim(queue);
	else
		look_ahead(w);
	call_over(w);
}

static void queue_claim(struct queue *queue)
{
	struct worker *w = queue->worker;
	int room = queue->concurrency - queue->running;
	if (w->stopping || room <= 0)
		return;
	if (queue->claiming) {
		queue->again = true;
		return;
	}
	queue->claiming = true;
	queue->wanted = room < CLAIM_MOST ? room : CLAIM_MOST;
	snprintf(queue->count_text, sizeof queue->count_text, "%d", queue->wanted);
	submit(w, &(struct db_step){ SQL_job_claim, 4, queue->values }, on_claimed, queue);
}

static void claim_all(struct worker *w)
{
	for (size_t i = 0; i < sizeof w->queue / sizeof w->queue[0]; i++)
		queue_claim(&w->queue[i]);
}

static void on_rescued(void *context, const struct db_reply *reply)
{
	struct worker *w = context;
	if (reply->outcome == DB_OK && db_get_int(&reply->rows[0], 0, 0) > 0)
		log_line(LOG_WARN, "jobs_rescued", LOG_NUMBER("count", db_get_int(&reply->rows[0], 0, 0)));
	claim_all(w);
	call_over(w);
}

static void on_timer(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	if (!w->stopping)
		submit(w, &(struct db_step){ SQL_job_rescue, 0, NULL }, on_rescued, w);
}

static double sooner(const struct db_rows *rows, int column, double ms)
{
	double at = db_is_null(rows, 0, column) ? ms : db_get_float(rows, 0, column) + 1;
	return at < ms ? at : ms;
}

static void on_looked(void *context, const struct db_reply *reply)
{
	struct worker *w = context;
	double ms = RETRY_MS;
	w->looking = false;
	if (reply->outcome == DB_OK)
		ms = sooner(&reply->rows[0], 1, sooner(&reply->rows[0], 0, LOOK_AGAIN_MS));
	if (!w->stopping)
		uv_timer_start(&w->timer, on_timer, ms < 5 ? 5 : (uint64_t)ms, 0);
	if (w->look_again)
		look_ahead(w);
	call_over(w);
}

/* When may the next job run? The timer waits for it. A full queue looks by itself when one of its jobs ends:
 * its jobs that are due already would keep the timer at zero. */
static void look_ahead(struct worker *w)
{
	size_t at = 1;
	w->look_again = w->looking; /* what came meanwhile may be due sooner */
	if (w->looking || w->stopping)
		return;
	w->looking = true;
	w->queues_text[0] = '{';
	for (size_t i = 0; i < sizeof w->queue / sizeof w->queue[0]; i++)
		if (w->queue[i].running < w->queue[i].concurrency)
			at += (size_t)snprintf(w->queues_text + at, sizeof w->queues_text - at, "%s%s",
					       at > 1 ? "," : "", w->queue[i].name);
	snprintf(w->queues_text + at, sizeof w->queues_text - at, "}");
	w->queues_value = db_text(w->queues_text);
	submit(w, &(struct db_step){ SQL_job_next, 1, &w->queues_value }, on_looked, w);
}

/* --- the heartbeat --- */

static void on_extended(void *context, const struct db_reply *reply)
{
	struct worker *w = context;
	(void)reply; /* who lost its lease learns it in its transaction */
	w->extending = false;
	call_over(w);
}

static void on_heartbeat(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	size_t room = 3, ids = 1, tokens = 1;
	for (struct job *job = w->running; job; job = job->next)
		room += sizeof job->id_text;
	if (!w->running || w->extending)
		return;
	w->extending = true;
	w->extend_ids = realloc(w->extend_ids, room);
	w->extend_tokens = realloc(w->extend_tokens, room);
	INVARIANT(w->extend_ids && w->extend_tokens);
	w->extend_ids[0] = w->extend_tokens[0] = '{';
	for (struct job *job = w->running; job; job = job->next) {
		ids += (size_t)snprintf(w->extend_ids + ids, room - ids, "%s%s", job->id_text,
					job->next ? "," : "}");
		tokens += (size_t)snprintf(w->extend_tokens + tokens, room - tokens, "%s%s", job->token_text,
					   job->next ? "," : "}");
	}
	w->extend_values[0] = db_text(w->extend_ids);
	w->extend_values[1] = db_text(w->extend_tokens);
	w->extend_values[2] = db_text(w->lease_text);
	submit(w, &(struct db_step){ SQL_job_extend, 3, w->extend_values }, on_extended, w);
}

/* --- from outside --- */

static void queue_init(struct worker *w, size_t i)
{
	struct queue *queue = &w->queue[i];
	char label[64];
	snprintf(label, sizeof label, "queue=\"%s\"", queue_settings[i].name);
	queue->name = queue_settings[i].name;
	queue->concurrency = queue_settings[i].concurrency;
	queue->worker = w;
	queue->values[0] = db_text(queue->name);
	queue->values[1] = db_text(queue->count_text);
	queue->values[2] = db_text(w->name);
	queue->values[3] = db_text(w->lease_text);
	queue->running_gauge =
		metric_gauge(w->options.metrics, "tantu_jobs_running", "Jobs running here", label);
}

struct worker *worker_start(const struct worker_options *options)
{
	struct worker *w = calloc(1, sizeof *w);
	INVARIANT(w);
	w->options = *options;
	snprintf(w->name, sizeof w->name, "%s", options->name);
	snprintf(w->lease_text, sizeof w->lease_text, "%d", LEASE_SECONDS);
	w->done = metric_counter(options->metrics, "tantu_jobs_ended_total", "Jobs that ended here", "");
	w->failed = metric_counter(options->metrics, "tantu_jobs_failed_total", "Jobs that failed here", "");
	w->lost = metric_counter(options->metrics, "tantu_job_leases_lost_total",
				 "Leases lost to another worker", "");
	for (size_t i = 0; i < sizeof w->queue / sizeof w->queue[0]; i++)
		queue_init(w, i);
	uv_timer_init(options->loop, &w->timer);
	uv_timer_init(options->loop, &w->heartbeat);
	w->timer.data = w->heartbeat.data = w;
	w->handles = 2;
	uv_timer_start(&w->timer, on_timer, 0, 0);
	uv_timer_start(&w->heartbeat, on_heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
	return w;
}

void worker_wake(struct worker *worker, const char *queue)
{
	for (size_t i = 0; i < sizeof worker->queue / sizeof worker->queue[0]; i++)
		if (!queue || strcmp(worker->queue[i].name, queue) == 0)
			queue_claim(&worker->queue[i]);
}

void worker_stop(struct worker *worker, void (*on_stopped)(void *context), void *context)
{
	worker->stopping = true;
	worker->on_stopped = on_stopped;
	worker->stopped_context = context;
	stop_if_idle(worker);
}
