/* SPDX-License-Identifier: Apache-2.0
 * Gauges of every queue and of the fold, of the whole service and not of this process: asked of the database
 * every few seconds, so that a scrape never waits for it. */
#ifndef WORKERS_FIGURES_H
#define WORKERS_FIGURES_H

#include "db/db.h"

struct figures;

/* The database has its lane read. Metrics: tantu_queue_jobs{queue,state}, tantu_queue_oldest_seconds{queue},
 * tantu_totals_unfolded, tantu_totals_fold_age_seconds, tantu_backup_made_timestamp_seconds,
 * tantu_backup_proved_timestamp_seconds, tantu_uploads_missing, tantu_photos_missing. While the database is
 * away they keep their values. */
struct figures *figures_start(uv_loop_t *loop, struct db *db, struct metrics *metrics);
/* Asks no more, answers nobody; frees itself on the loop. */
void figures_stop(struct figures **figures);

#endif
