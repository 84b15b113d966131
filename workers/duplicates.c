/* SPDX-License-Identifier: Apache-2.0
 * The search for possible duplicates, part after part, each in a transaction of its own that holds the lease:
 * first days of birth that are still only within the sealed number (people of before migration 0025) are
 * taken from it, then whoever is new is compared. Killed anywhere, it goes on where it was. */
#include "service/needs/needs_check.h"
#include "service/vault.h"
#include "workers/array_text.h"
#include "workers/job.h"
#include <stdlib.h>

#define BIRTHS_AT_ONCE "1000"
#define COMPARED_AT_ONCE "2000"

enum { TURN_MS = 10000 }; /* then others of the queue have theirs, and the search goes on at its next time */

struct search {
	struct job *job;
	uint64_t begun; /* ms, by the loop's clock */
	struct arena *arena;
	struct db_value values[2];
};

static void search_free(struct search *s)
{
	arena_free(&s->arena);
	free(s);
}

static void give_up(struct search *s, const struct db_reply *reply)
{
	job_give_up_reply(s->job, reply);
	search_free(s);
}

static void on_finished(void *context, const struct db_reply *reply)
{
	struct search *s = context;
	if (reply->outcome != DB_OK) {
		give_up(s, reply);
		return;
	}
	job_ended(s->job);
	search_free(s);
}

static void finish(struct search *s)
{
	struct db_step steps[] = { job_finish_step(s->job) };
	job_submit(s->job, steps, 1, on_finished, s);
}

static bool is_over(const struct search *s)
{
	return job_should_stop(s->job) || uv_now(s->job->options->loop) - s->begun > TURN_MS;
}

static void compare(struct search *s);

static void on_compared(void *context, const struct db_reply *reply)
{
	struct search *s = context;
	if (reply->outcome != DB_OK)
		give_up(s, reply);
	else if (db_get_int(&reply->rows[0], 0, 0) > 0 && !is_over(s))
		compare(s);
	else
		finish(s);
}

static void compare(struct search *s)
{
	s->values[0] = db_text(COMPARED_AT_ONCE);
	struct db_step steps[] = { { SQL_duplicates_scan, 1, s->values }, job_hold_step(s->job) };
	job_submit(s->job, steps, 2, on_compared, s);
}

/* A number that cannot be opened has no day: it is not asked for again. */
static void add_birth(struct buffer *out, const struct vault *vault, struct slice sealed)
{
	char clear[64];
	size_t len = 0;
	bool opened = sealed.len >= VAULT_SEAL_OVERHEAD && sealed.len - VAULT_SEAL_OVERHEAD <= sizeof clear &&
		      vault_unseal(vault, sealed, clear, &len);
	array_text(out, citizen_id_birth((struct slice){ clear, opened ? len : 0 }));
	explicit_bzero(clear, sizeof clear);
}

static void take_births(struct search *s);

static void on_stored(void *context, const struct db_reply *reply)
{
	struct search *s = context;
	if (reply->outcome != DB_OK)
		give_up(s, reply);
	else if (is_over(s))
		finish(s);
	else
		take_births(s);
}

/* Columns of births_wanted: id, citizen_id. */
static void on_births(void *context, const struct db_reply *reply)
{
	struct search *s = context;
	struct buffer ids, days;
	if (reply->outcome != DB_OK) {
		give_up(s, reply);
		return;
	}
	const struct db_rows *rows = &reply->rows[0];
	if (db_row_count(rows) == 0) {
		compare(s);
		return;
	}
	arena_reset(s->arena);
	buffer_init(&ids, s->arena, 32768);
	buffer_init(&days, s->arena, 32768);
	array_begin(&ids);
	array_begin(&days);
	for (int i = 0; i < db_row_count(rows); i++) {
		array_int(&ids, db_get_int(rows, i, 0));
		add_birth(&days, s->job->options->vault, db_get(rows, i, 1));
	}
	s->values[0] = db_text(array_end(&ids));
	s->values[1] = db_text(array_end(&days));
	if (!s->values[0].at || !s->values[1].at) {
		job_give_up(s->job, "a thousand days of birth did not fit into memory", false);
		search_free(s);
		return;
	}
	struct db_step steps[] = { { SQL_births_store, 2, s->values }, job_hold_step(s->job) };
	job_submit(s->job, steps, 2, on_stored, s);
}

static void take_births(struct search *s)
{
	s->values[0] = db_text(BIRTHS_AT_ONCE);
	struct db_step steps[] = { { SQL_births_wanted, 1, s->values }, job_hold_step(s->job) };
	job_submit(s->job, steps, 2, on_births, s);
}

void duplicates_start(struct job *job)
{
	struct search *s = calloc(1, sizeof *s);
	INVARIANT(s);
	s->job = job;
	s->begun = uv_now(job->options->loop);
	s->arena = arena_new(1u << 20);
	INVARIANT(s->arena);
	take_births(s);
}
