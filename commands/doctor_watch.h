/* SPDX-License-Identifier: Apache-2.0
 * The doctor's checks in a running server, now and then: gauges tantu_doctor_finding{check="…"} (0 ok, 1
 * warn, 2 fail), and a log line when one changes. Files are looked at in the thread pool, the database is
 * asked by one statement; the loop waits for nothing. */
#ifndef COMMANDS_DOCTOR_WATCH_H
#define COMMANDS_DOCTOR_WATCH_H

#include "db/db.h"
#include "service/config.h"
#include "service/vault.h"

struct doctor_watch;

/* The database has its lane read. config, vault and metrics outlive the watch. */
struct doctor_watch *doctor_watch_start(uv_loop_t *loop, const struct config *config,
					const struct vault *vault, struct db *db, struct metrics *metrics);
/* Asks no more; frees itself on the loop. Before db_close. */
void doctor_watch_stop(struct doctor_watch **watch);

#endif
