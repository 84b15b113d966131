/* SPDX-License-Identifier: Apache-2.0
 * See beat.h. */
#include "commands/beat.h"
#include "service/notify.h"
#include <stdio.h>

static void on_tick(uv_timer_t *timer)
{
	struct beat *beat = timer->data;
	if (beat->slot)
		atomic_fetch_add_explicit(&beat->slot->beats, 1, memory_order_relaxed);
	else
		notify("WATCHDOG=1");
}

void beat_start(struct beat *beat, uv_loop_t *loop, struct beat_slot *slot)
{
	uint64_t every = notify_watchdog_ms();
	*beat = (struct beat){ .slot = slot, .ticking = every > 0 };
	if (!slot)
		notify("STATUS=waiting for the database");
	if (!every)
		return;
	uv_timer_init(loop, &beat->timer);
	beat->timer.data = beat;
	/* A parent looks as often as it has to speak: its children must be faster than it. */
	uv_timer_start(&beat->timer, on_tick, 0, slot ? (every + 1) / 2 : every);
	uv_unref((uv_handle_t *)&beat->timer);
}

void beat_ready(struct beat *beat, const char *status)
{
	char lines[256];
	if (beat->slot) {
		atomic_store_explicit(&beat->slot->ready, true, memory_order_relaxed);
		return;
	}
	snprintf(lines, sizeof lines, "READY=1\nSTATUS=%s", status);
	notify(lines);
}

void beat_stopping(struct beat *beat)
{
	if (!beat->slot)
		notify("STOPPING=1\nSTATUS=stopping: what was begun is finished");
}

void beat_end(struct beat *beat)
{
	if (beat->ticking)
		uv_close((uv_handle_t *)&beat->timer, NULL);
	beat->ticking = false;
}
