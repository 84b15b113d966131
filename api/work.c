/* SPDX-License-Identifier: Apache-2.0
 * What a request has done in the thread pool.
 * Invariant: a password is hashed in at most HASHING_AT_ONCE threads, so that the others are there for
 * uploads whoever tries to sign in; who waits for a turn and leaves loses it. */
#include "api/engine.h"
#include <stdlib.h>

enum { HASHING_AT_ONCE = 2 };

struct work {
	uv_work_t request; /* first */
	struct request *r;
	void (*run)(struct request *r);
	bool hashes;
};

static enum step start(struct request *r, void (*run)(struct request *r), bool hashes);

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
static void hashed(struct api *api)
{
	struct request *next = api->hash_first;
	api->hashing--;
	if (!next)
		return;
	api->hash_first = next->hash_next;
	if (!api->hash_first)
		api->hash_last = NULL;
	http_pending_done(&next->pending);
	start(next, next->hash_run, true);
}

static void work_done(uv_work_t *request, int status)
{
	struct work *work = (struct work *)request;
	struct request *r = work->r;
	struct api *api = r->api;
	bool hashes = work->hashes;
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
	if (hashes)
		hashed(api);
}

static void on_gone(struct http_pending *pending)
{
	struct request *r = (struct request *)((char *)pending - offsetof(struct request, pending));
	r->work_gone = true;
}

static enum step start(struct request *r, void (*run)(struct request *r), bool hashes)
{
	struct work *work = calloc(1, sizeof *work);
	INVARIANT(work);
	work->r = r;
	work->run = run;
	work->hashes = hashes;
	r->api->hashing += hashes;
	r->working = true;
	http_hold(r->x);
	r->pending.on_gone = on_gone;
	http_pending_add(r->x, &r->pending);
	INVARIANT(uv_queue_work(r->api->options.loop, &work->request, work_run, work_done) == 0);
	return STEP_PARKED;
}

enum step engine_work(struct request *r, void (*run)(struct request *r))
{
	return start(r, run, false);
}

static void on_gone_waiting(struct http_pending *pending)
{
	struct request *r = (struct request *)((char *)pending - offsetof(struct request, pending));
	struct request *before = NULL;
	for (struct request *other = r->api->hash_first; other != r; other = other->hash_next)
		before = other;
	*(before ? &before->hash_next : &r->api->hash_first) = r->hash_next;
	if (r->api->hash_last == r)
		r->api->hash_last = before;
}

enum step engine_hash(struct request *r, void (*run)(struct request *r))
{
	struct api *api = r->api;
	if (api->hashing < HASHING_AT_ONCE)
		return start(r, run, true);
	r->hash_run = run;
	r->hash_next = NULL;
	*(api->hash_last ? &api->hash_last->hash_next : &api->hash_first) = r;
	api->hash_last = r;
	r->pending.on_gone = on_gone_waiting;
	http_pending_add(r->x, &r->pending);
	return STEP_PARKED;
}
