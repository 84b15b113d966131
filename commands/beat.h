/* SPDX-License-Identifier: Apache-2.0
 * Readiness and life of a process, told to systemd; of one among several, to their parent, which tells
 * systemd of all of them: ready when all are, alive while every one's loop turns. */
#ifndef COMMANDS_BEAT_H
#define COMMANDS_BEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

/* In memory that parent and child share. */
struct beat_slot {
	atomic_bool ready;
	atomic_uint beats;
};

struct beat {
	struct beat_slot *slot; /* NULL: alone, tells systemd itself */
	uv_timer_t timer;
	bool ticking;
};

/* The loop runs. With a watchdog it beats twice as often as that wants. */
void beat_start(struct beat *beat, uv_loop_t *loop, struct beat_slot *slot);
/* status: what `systemctl status` shows. */
void beat_ready(struct beat *beat, const char *status);
void beat_stopping(struct beat *beat);
/* Before the loop ends. */
void beat_end(struct beat *beat);

#endif
