/* SPDX-License-Identifier: Apache-2.0
 * A job that has no effect, for trying a queue out: bench/queue, tests, an operator with psql. It holds its
 * place for the milliseconds of its payload, {"ms": 500}; no request can queue one. */
#include "workers/job.h"
#include <stdlib.h>

enum { MOST_MS = 600000 };

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void on_over(uv_timer_t *timer)
{
	struct job *job = timer->data;
	uv_close((uv_handle_t *)timer, on_closed);
	job_done(job);
}

void probe_start(struct job *job)
{
	json_int_t ms = json_integer_value(json_object_get(job->payload, "ms"));
	if (ms <= 0) {
		job_done(job);
		return;
	}
	if (ms > MOST_MS) {
		job_give_up(job, "ms: at most 600000", true);
		return;
	}
	uv_timer_t *timer = malloc(sizeof *timer);
	INVARIANT(timer);
	uv_timer_init(job->options->loop, timer);
	timer->data = job;
	uv_timer_start(timer, on_over, (uint64_t)ms, 0);
}
