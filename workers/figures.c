/* SPDX-License-Identifier: Apache-2.0
 * See figures.h. Invariant: `asking` is the one call under way, or NULL; it is cancelled before the end. */
#include "workers/figures.h"
#include "workers/job.h"
#include <stdio.h>
#include <stdlib.h>

enum { EVERY_MS = 2000, QUEUES_MOST = 32, STATES = 4 };

static const char *const states[STATES] = { "due", "later", "running",
					    "dead" }; /* as queue_figures has them */

struct queue_gauges {
	const char *queue;
	struct metric *state[STATES], *oldest;
};

struct figures {
	struct db *db;
	uv_timer_t timer;
	struct db_call *asking;
	struct queue_gauges queue[QUEUES_MOST];
	int queues;
	char names[QUEUES_MOST * 32]; /* as an array's text */
	struct db_value parameter;
	struct metric *unfolded, *fold_age, *backed_up, *proved, *uploads_missing, *photos_missing;
};

static const struct queue_gauges *gauges_of(const struct figures *f, struct slice queue)
{
	for (int i = 0; i < f->queues; i++)
		if (slice_is(queue, f->queue[i].queue))
			return &f->queue[i];
	return NULL;
}

static void tell(const struct figures *f, const struct db_rows *rows, const struct db_rows *fold,
		 const struct db_rows *kept)
{
	for (int row = 0; row < db_row_count(rows); row++) {
		const struct queue_gauges *gauges = gauges_of(f, db_get(rows, row, 0));
		for (int i = 0; gauges && i < STATES; i++)
			metric_set(gauges->state[i], (double)db_get_int(rows, row, 1 + i));
		if (gauges)
			metric_set(gauges->oldest, db_get_float(rows, row, 1 + STATES));
	}
	metric_set(f->unfolded, (double)db_get_int(fold, 0, 0));
	metric_set(f->fold_age, db_get_float(fold, 0, 1));
	metric_set(f->backed_up, db_get_float(kept, 0, 0));
	metric_set(f->proved, db_get_float(kept, 0, 1));
	metric_set(f->uploads_missing, (double)db_get_int(kept, 0, 2));
	metric_set(f->photos_missing, (double)db_get_int(kept, 0, 3));
}

static void on_told(void *context, const struct db_reply *reply)
{
	struct figures *f = context;
	f->asking = NULL;
	if (reply->outcome == DB_OK)
		tell(f, &reply->rows[0], &reply->rows[1], &reply->rows[2]);
}

static void on_timer(uv_timer_t *timer)
{
	struct figures *f = timer->data;
	struct db_scope system = db_scope_system();
	struct db_step steps[] = { { SQL_queue_figures, 1, &f->parameter },
				   { SQL_fold_figures, 0, NULL },
				   { SQL_installation_figures, 0, NULL } };
	if (!f->asking)
		f->asking = db_submit(f->db, &system, steps, 3, on_told, f);
}

static void add_queue(struct figures *f, struct metrics *metrics, const char *queue)
{
	struct queue_gauges *gauges = &f->queue[f->queues];
	char labels[96];
	if (gauges_of(f, slice_of(queue)))
		return;
	INVARIANT(f->queues++ < QUEUES_MOST);
	gauges->queue = queue;
	for (int i = 0; i < STATES; i++) {
		snprintf(labels, sizeof labels, "queue=\"%s\",state=\"%s\"", queue, states[i]);
		gauges->state[i] = metric_gauge(metrics, "tantu_queue_jobs",
						"Jobs of the whole service (10,000 means: or more)", labels);
	}
	snprintf(labels, sizeof labels, "queue=\"%s\"", queue);
	gauges->oldest = metric_gauge(metrics, "tantu_queue_oldest_seconds",
				      "How long the oldest job that may run has waited", labels);
}

static void join_names(struct figures *f)
{
	size_t at = 0;
	for (int i = 0; i < f->queues; i++)
		at += (size_t)snprintf(f->names + at, sizeof f->names - at, "%c%s", i ? ',' : '{',
				       f->queue[i].queue);
	INVARIANT(at + 1 < sizeof f->names);
	f->names[at] = '}';
	f->parameter = db_text(f->names);
}

static void add_kept(struct figures *f, struct metrics *metrics)
{
	f->backed_up = metric_gauge(metrics, "tantu_backup_made_timestamp_seconds",
				    "When the newest backup was made (0: never)", "");
	f->proved = metric_gauge(metrics, "tantu_backup_proved_timestamp_seconds",
				 "When a backup was last restored and found whole (0: never)", "");
	f->photos_missing =
		metric_gauge(metrics, "tantu_photos_missing",
			     "Photos whose file was not there when the job photos_sweep last looked", "");
	f->uploads_missing = metric_gauge(metrics, "tantu_uploads_missing",
					  "Imports whose sealed upload is not where it ought to be", "");
}

struct figures *figures_start(uv_loop_t *loop, struct db *db, struct metrics *metrics)
{
	struct figures *f = calloc(1, sizeof *f);
	INVARIANT(f);
	f->db = db;
	for (const struct job_kind *kind = job_kinds; kind->name; kind++)
		add_queue(f, metrics, kind->queue);
	join_names(f);
	f->unfolded = metric_gauge(
		metrics, "tantu_totals_unfolded",
		"Moves the totals do not hold yet; readers add them (10,000 means: or more)", "");
	f->fold_age = metric_gauge(metrics, "tantu_totals_fold_age_seconds",
				   "Since moves were last folded into totals", "");
	add_kept(f, metrics);
	uv_timer_init(loop, &f->timer);
	f->timer.data = f;
	uv_timer_start(&f->timer, on_timer, 0, EVERY_MS);
	return f;
}

static void on_closed(uv_handle_t *timer)
{
	free(timer->data);
}

void figures_stop(struct figures **figures)
{
	struct figures *f = *figures;
	if (!f)
		return;
	*figures = NULL;
	if (f->asking)
		db_cancel(f->asking);
	uv_close((uv_handle_t *)&f->timer, on_closed);
}
