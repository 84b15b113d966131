/* SPDX-License-Identifier: Apache-2.0
 * A worker's begin, waits and end. It wakes by NOTIFY, by its timer for the next run_at, and when a job ends;
 * it never polls. */
#include "service/json_memory.h"
#include "service/log.h"
#include "workers/internal.h"
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_AGAIN_MS = 60000, HEARTBEAT_MS = LEASE_SECONDS * 1000 / 3 };

/* How many jobs of a queue are claimed ahead of a place: where they are short, so that they come in batches.
 */
static int ahead_of(const char *queue)
{
	return strcmp(queue, "probe") == 0 ? 90 : strcmp(queue, "reminders") == 0 ? 30 : 0;
}

/* --- the end of the worker --- */

static void on_handle_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;
	void (*on_stopped)(void *) = w->on_stopped;
	void *context = w->stopped_context;
	if (--w->handles > 0)
		return;
	free(w);
	on_stopped(context);
}

void worker_stop_if_idle(struct worker *w)
{
	if (!w->stopping || w->held || w->calls || uv_is_closing((uv_handle_t *)&w->timer))
		return;
	uv_close((uv_handle_t *)&w->timer, on_handle_closed);
	uv_close((uv_handle_t *)&w->heartbeat, on_handle_closed);
}

void worker_submit(struct worker *w, const struct db_step *step, db_done *done, void *context)
{
	struct db_scope system = db_scope_system();
	w->calls++;
	db_submit(w->options.db, &system, step, 1, done, context);
}

void worker_call_over(struct worker *w)
{
	w->calls--;
	worker_stop_if_idle(w);
}

/* --- the timer --- */

static void on_rescued(void *context, const struct db_reply *reply)
{
	struct worker *w = context;
	if (reply->outcome == DB_OK && db_get_int(&reply->rows[0], 0, 0) > 0)
		log_line(LOG_WARN, "jobs_rescued", LOG_NUMBER("count", db_get_int(&reply->rows[0], 0, 0)));
	leases_report(w);
	worker_wake(w, NULL);
	worker_call_over(w);
}

static void on_timer(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	if (!w->stopping)
		worker_submit(w, &(struct db_step){ SQL_job_rescue, 0, NULL }, on_rescued, w);
}

static void on_heartbeat(uv_timer_t *timer)
{
	leases_extend(timer->data);
}

void worker_try_later(struct worker *w)
{
	if (!w->stopping)
		uv_timer_start(&w->timer, on_timer, RETRY_MS, 0);
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
		worker_look_ahead(w);
	worker_call_over(w);
}

/* When may the next job run? The timer waits for it. A queue that is full, or whose last claim found all it
 * wanted, looks by itself: its jobs that are due already would keep the timer at zero. */
void worker_look_ahead(struct worker *w)
{
	size_t at = 1;
	w->look_again = w->looking; /* what came meanwhile may be due sooner */
	if (w->looking || w->stopping)
		return;
	w->looking = true;
	w->queues_text[0] = '{';
	for (int i = 0; i < QUEUES; i++)
		if (!w->queue[i].more && w->queue[i].concurrency > 0)
			at += (size_t)snprintf(w->queues_text + at, sizeof w->queues_text - at, "%s%s",
					       at > 1 ? "," : "", w->queue[i].name);
	snprintf(w->queues_text + at, sizeof w->queues_text - at, "}");
	w->queues_value = db_text(w->queues_text);
	worker_submit(w, &(struct db_step){ SQL_job_next, 1, &w->queues_value }, on_looked, w);
}

/* --- from outside --- */

static void queue_init(struct worker *w, int i)
{
	struct queue *queue = &w->queue[i];
	struct metrics *metrics = w->options.metrics;
	char label[64];
	queue->name = w->options.places[i].queue;
	queue->concurrency = w->options.places[i].places;
	queue->ahead = queue->concurrency ? ahead_of(queue->name) : 0;
	snprintf(label, sizeof label, "queue=\"%s\"", queue->name);
	queue->worker = w;
	queue->values[0] = db_text(queue->name);
	queue->values[1] = db_text(queue->count_text);
	queue->values[2] = db_text(w->name);
	queue->values[3] = db_text(w->lease_text);
	queue->values[4] = db_text(queue->token_text);
	queue->running_gauge = metric_gauge(metrics, "tantu_jobs_running", "Jobs running here", label);
	queue->done = metric_counter(metrics, "tantu_jobs_ended_total", "Jobs that ended well here", label);
	queue->failed = metric_counter(metrics, "tantu_jobs_failed_total", "Jobs that failed here", label);
	queue->lost = metric_counter(metrics, "tantu_job_leases_lost_total",
				     "Leases lost to another worker, or to a broken connection", label);
	queue->pickup = metric_histogram(metrics, "tantu_job_pickup_seconds",
					 "From when a job might run to its start", label);
}

struct worker *worker_start(const struct worker_options *options)
{
	struct worker *w = calloc(1, sizeof *w);
	INVARIANT(w);
	json_memory_watch();
	w->options = *options;
	snprintf(w->name, sizeof w->name, "%s", options->name);
	snprintf(w->lease_text, sizeof w->lease_text, "%d", LEASE_SECONDS);
	for (int i = 0; i < QUEUES; i++)
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
	for (int i = 0; i < QUEUES; i++)
		if (!queue || strcmp(worker->queue[i].name, queue) == 0)
			queue_claim(&worker->queue[i]);
}

void worker_stop(struct worker *worker, void (*on_stopped)(void *context), void *context)
{
	worker->stopping = true;
	worker->on_stopped = on_stopped;
	worker->stopped_context = context;
	for (int i = 0; i < QUEUES; i++)
		leases_give_back(worker, &worker->queue[i].waiting);
	worker_stop_if_idle(worker);
}
