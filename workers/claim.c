/* SPDX-License-Identifier: Apache-2.0
 * Claims jobs, up to CLAIM_MOST at a time, and starts them. Invariant: a queue has at most one claim under
 * way; running never passes concurrency, and running + waiting + wanted never pass concurrency + ahead. */
#include "workers/internal.h"
#include <sodium.h>
#include <stdio.h>

/* A kind may end within its start: the loop here starts the next one, not a deeper call. */
static void queue_start_waiting(struct queue *queue)
{
	if (queue->starting)
		return;
	queue->starting = true;
	while (queue->running < queue->concurrency && queue->waiting.count > 0) {
		queue->running++;
		job_start(job_list_take(&queue->waiting));
	}
	queue->starting = false;
}

static void take_claimed(struct queue *queue, const struct db_rows *rows)
{
	struct worker *w = queue->worker;
	int found = db_row_count(rows);
	for (int i = 0; i < found; i++)
		job_list_add(&queue->waiting, job_new(queue, rows, i));
	queue->more = queue->again || found == queue->wanted;
	if (w->stopping) {
		leases_give_back(w, &queue->waiting);
		return;
	}
	w->gathering = true;
	queue_start_waiting(queue);
	w->gathering = false;
	leases_report(w);
	metric_set(queue->running_gauge, queue->running);
	if (queue->more)
		queue_claim(queue);
	else
		worker_look_ahead(w);
}

static void on_claimed(void *context, const struct db_reply *reply)
{
	struct queue *queue = context;
	queue->claiming = false;
	if (reply->outcome == DB_OK)
		take_claimed(queue, &reply->rows[0]);
	else
		worker_try_later(queue->worker);
	worker_call_over(queue->worker);
}

/* Jobs claimed together share a token: it is the job and the token that name a lease. */
static void write_token(struct queue *queue)
{
	uint64_t token;
	randombytes_buf(&token, sizeof token);
	snprintf(queue->token_text, sizeof queue->token_text, "%lld", (long long)(token >> 1));
}

void queue_claim(struct queue *queue)
{
	struct worker *w = queue->worker;
	int room = queue->concurrency + queue->ahead - queue->running - queue->waiting.count;
	bool enough = queue->waiting.count > queue->ahead / 2 || w->over.count >= REPORT_MOST;
	queue->more = true;
	queue->again = queue->claiming;
	if (w->stopping || queue->claiming || enough || room <= 0)
		return;
	queue->claiming = true;
	queue->wanted = room < CLAIM_MOST ? room : CLAIM_MOST;
	snprintf(queue->count_text, sizeof queue->count_text, "%d", queue->wanted);
	write_token(queue);
	worker_submit(w, &(struct db_step){ SQL_job_claim, 5, queue->values }, on_claimed, queue);
}

void queue_go_on(struct queue *queue)
{
	if (queue->starting)
		return;
	queue_start_waiting(queue);
	if (queue->more && !queue->claiming) /* a claim under way finds out by itself whether there is more */
		queue_claim(queue);
}
