/* SPDX-License-Identifier: Apache-2.0
 * /metrics, /healthz and /readyz of one process alone, on an address of its own: `tantu work` has no other,
 * and processes that share a port cannot be told apart there. Asks nobody who he is: for machines that watch.
 */
#ifndef COMMANDS_MONITOR_H
#define COMMANDS_MONITOR_H

#include "db/db.h"

struct monitor;

/* address: its port goes up by `number` (the second process of `serve` is number 1); port 0 stays 0. NULL
 * with a reason when it cannot listen. */
struct monitor *monitor_start(uv_loop_t *loop, const char *address, int number, const struct db *db,
			      struct metrics *metrics, char *why, size_t why_size);
/* Before the database is closed: from now on it is not ready. */
void monitor_stopping(struct monitor *monitor);
/* Answers what was asked, frees itself on the loop. NULL is fine. */
void monitor_stop(struct monitor **monitor);

#endif
