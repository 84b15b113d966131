/* SPDX-License-Identifier: Apache-2.0
 * See doctor_watch.h. Invariant: at most one round is under way: a look in the pool (`looking`), then a
 * question
 * (`asking`); freed only when neither is, and the timer is closed. */
#include "commands/doctor_watch.h"
#include "commands/doctor.h"
#include "service/log.h"
#include <stdio.h>
#include <stdlib.h>

struct doctor_watch {
	uv_loop_t *loop;
	const struct config *config;
	const struct vault *vault;
	struct db *db;
	uv_timer_t timer;
	uv_work_t work;
	struct db_call *asking;
	bool looking, closed;
	struct doctor_facts facts;
	struct metric *gauge[DOCTOR_CHECKS_MOST];
	enum doctor_level last[DOCTOR_CHECKS_MOST];
};

static void free_when_idle(struct doctor_watch *w)
{
	if (w->closed && !w->looking)
		free(w);
}

static void tell(struct doctor_watch *w)
{
	for (int i = 0; doctor_checks[i].name; i++) {
		struct doctor_finding finding = { 0 };
		if (!doctor_can_judge(&doctor_checks[i], &w->facts))
			continue; /* its last value stays */
		doctor_checks[i].judge(&w->facts, &finding);
		metric_set(w->gauge[i], (double)finding.level);
		if (finding.level != w->last[i])
			log_line(finding.level == DOCTOR_OK ? LOG_INFO : LOG_WARN, "doctor_finding",
				 LOG_TEXT("check", doctor_checks[i].name),
				 LOG_TEXT("level", doctor_levels[finding.level]),
				 LOG_TEXT("says", finding.says));
		w->last[i] = finding.level;
	}
}

static void on_answer(void *context, const struct db_reply *reply)
{
	struct doctor_watch *w = context;
	w->asking = NULL;
	w->facts.waited_us = doctor_now_us() - w->facts.asked_at_us;
	if (reply->outcome == DB_OK)
		doctor_take(&reply->rows[0], w->vault, &w->facts);
	else
		snprintf(w->facts.database_trouble, sizeof w->facts.database_trouble, "%s",
			 reply->outcome == DB_FAILED ? reply->message : "the database does not answer");
	tell(w);
}

static void look_in_pool(uv_work_t *work)
{
	struct doctor_watch *w = work->data;
	doctor_look(w->config, true, &w->facts);
}

static void on_looked(uv_work_t *work, int status)
{
	struct doctor_watch *w = work->data;
	struct db_scope system = db_scope_system();
	struct db_step step = { SQL_doctor, 0, NULL };
	(void)status;
	w->looking = false;
	if (w->closed) {
		free_when_idle(w);
		return;
	}
	if (!w->db) /* stopping; the timer's end is to come */
		return;
	w->facts.asked_at_us = doctor_now_us();
	w->asking = db_submit(w->db, &system, &step, 1, on_answer, w);
}

static void on_timer(uv_timer_t *timer)
{
	struct doctor_watch *w = timer->data;
	if (w->looking || w->asking)
		return;
	w->facts = (struct doctor_facts){ 0 };
	w->looking = uv_queue_work(w->loop, &w->work, look_in_pool, on_looked) == 0;
}

struct doctor_watch *doctor_watch_start(uv_loop_t *loop, const struct config *config,
					const struct vault *vault, struct db *db, struct metrics *metrics)
{
	struct doctor_watch *w = calloc(1, sizeof *w);
	char labels[64];
	INVARIANT(w);
	*w = (struct doctor_watch){ .loop = loop, .config = config, .vault = vault, .db = db };
	for (int i = 0; doctor_checks[i].name; i++) {
		INVARIANT(i < DOCTOR_CHECKS_MOST);
		snprintf(labels, sizeof labels, "check=\"%s\"", doctor_checks[i].name);
		w->gauge[i] = metric_gauge(metrics, "tantu_doctor_finding",
					   "What `tantu doctor` finds: 0 ok, 1 warn, 2 fail", labels);
	}
	w->work.data = w->timer.data = w;
	uv_timer_init(loop, &w->timer);
	uv_timer_start(&w->timer, on_timer, 0, (uint64_t)config->doctor_seconds * 1000);
	return w;
}

static void on_closed(uv_handle_t *timer)
{
	struct doctor_watch *w = timer->data;
	w->closed = true;
	free_when_idle(w);
}

void doctor_watch_stop(struct doctor_watch **watch)
{
	struct doctor_watch *w = *watch;
	if (!w)
		return;
	*watch = NULL;
	if (w->asking)
		db_cancel(w->asking);
	w->db = NULL;
	uv_close((uv_handle_t *)&w->timer, on_closed);
}
