/* SPDX-License-Identifier: Apache-2.0
 * Takes jobs from the queues and runs them, inside `serve` or as `tantu work`; any number of them. At least
 * once; effects exactly once, because a job completes in the transaction of its effect (db/sql/jobs.sql). */
#ifndef WORKERS_WORKER_H
#define WORKERS_WORKER_H

#include "db/db.h"
#include "service/vault.h"

struct worker;
enum { QUEUES = 5 };
struct worker_options {
	uv_loop_t *loop;
	struct db *db; /* with the lanes queue and work */
	struct metrics *metrics;
	const struct vault *vault;
	const char *uploads;
	const char *name; /* told in job.worker; copied */
	int uploads_days; /* how long the upload of an import that is over is kept */
	const char *photos;
	int photos_days; /* how long a photo is kept that nobody uses any more */
	/* How many jobs of each queue run at once; 0: this worker leaves the queue to others. */
	struct worker_places {
		const char *queue;
		int places;
	} places[QUEUES];
};
struct worker *worker_start(const struct worker_options *options);
/* A job came into this queue (NOTIFY); NULL: look at all, notifications may have been missed. */
void worker_wake(struct worker *worker, const char *queue);
/* Claims nothing more; on_stopped when the last running job has ended; then the memory is gone. */
void worker_stop(struct worker *worker, void (*on_stopped)(void *context), void *context);

#endif
