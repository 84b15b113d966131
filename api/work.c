/* SPDX-License-Identifier: Apache-2.0
 * What a request has done in the thread pool.
 * Invariant: passwords are hashed and photos decoded in only so many threads (api->turns), so that the others
 * are there for uploads whoever tries to sign in; who waits for a turn and leaves loses it. */
#include "api/engine.h"
#include <stdlib.h>

struct work {
	uv_work_t request; /* first */
	struct request *r;
	void (*run)(struct request *r);
	struct turns *turns; /* whose turn it takes; NULL */
};

static enum step start(struct request *r, void (*run)(struct request *r), struct turns *turns);

static void work_run(uv_work_t *request)
{
	struct work *work = (struct work *)request;
	work->run(work->r);
}

void engine_own_end(struct request *r)
{
	if (r->own_end && !r->working)
		r->own_end(r);
}

/* The next one's turn. */
static void turn_over(struct turns *turns)
{
	struct request *next = turns->first;
	turns->running--;
	if (!next)
		return;
	turns->first = next->turn_next;
	if (!turns->first)
		turns->last = NULL;
	http_pending_done(&next->pending);
	start(next, next->turn_run, turns);
}

static void work_done(uv_work_t *request, int status)
{
	struct work *work = (struct work *)request;
	struct request *r = work->r;
	struct turns *turns = work->turns;
	(void)status; /* never cancelled */
	free(work);
	r->working = false;
	if (r->work_gone) {
		engine_own_end(r);
	} else {
		http_pending_done(&r->pending);
		engine_run(r);
	}
	http_release(r->x);
	if (turns)
		turn_over(turns);
}

static void on_gone(struct http_pending *pending)
{
	struct request *r = (struct request *)((char *)pending - offsetof(struct request, pending));
	r->work_gone = true;
}

static enum step start(struct request *r, void (*run)(struct request *r), struct turns *turns)
{
	struct work *work = calloc(1, sizeof *work);
	INVARIANT(work);
	work->r = r;
	work->run = run;
	work->turns = turns;
	if (turns)
		turns->running++;
	r->working = true;
	http_hold(r->x);
	r->pending.on_gone = on_gone;
	http_pending_add(r->x, &r->pending);
	INVARIANT(uv_queue_work(r->api->options.loop, &work->request, work_run, work_done) == 0);
	return STEP_PARKED;
}

enum step engine_work(struct request *r, void (*run)(struct request *r))
{
	return start(r, run, NULL);
}

static void on_gone_waiting(struct http_pending *pending)
{
	struct request *r = (struct request *)((char *)pending - offsetof(struct request, pending));
	struct turns *turns = r->turn;
	struct request *before = NULL;
	for (struct request *other = turns->first; other != r; other = other->turn_next)
		before = other;
	*(before ? &before->turn_next : &turns->first) = r->turn_next;
	if (turns->last == r)
		turns->last = before;
}

enum step engine_take_turn(struct request *r, enum turn_kind kind, void (*run)(struct request *r))
{
	struct turns *turns = &r->api->turns[kind];
	if (turns->running < turns->most)
		return start(r, run, turns);
	r->turn = turns;
	r->turn_run = run;
	r->turn_next = NULL;
	*(turns->last ? &turns->last->turn_next : &turns->first) = r;
	turns->last = r;
	r->pending.on_gone = on_gone_waiting;
	http_pending_add(r->x, &r->pending);
	return STEP_PARKED;
}
