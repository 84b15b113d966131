/* SPDX-License-Identifier: Apache-2.0
 * The job of an import, of whatever kind: begin → (read and check a batch in the pool → stage it) … → settle,
 * enter and finish in one transaction. Every transaction holds the job's lease, so a worker that lost it
 * changes nothing any more. Killed anywhere before the last transaction, nothing is entered and the next
 * worker starts over.
 */
#include "service/log.h"
#include "service/needs/needs_problem.h"
#include "service/needs/needs_sealed.h"
#include "workers/import_batch.h"
#include "workers/job.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct import {
	uv_work_t work; /* first */
	struct job *job;
	const struct import_kind *kind;
	void *own; /* what the kind checks rows against */
	char id[24];
	struct db_value id_value;
	struct db_scope scope; /* the uploader's reach, role system */
	char path[4096];
	int32_t low, high; /* what it may write to: a county manager imports into his county only */
	struct sealed_reader *sealed;
	struct needs_source source;
	struct needs_reader *reader;
	struct import_batch batch;
	struct db_value stop[4];
};

static void import_free(struct import *im)
{
	needs_reader_close(&im->reader);
	sealed_reader_close(&im->sealed);
	if (im->own)
		im->kind->forget(im->own);
	arena_free(&im->batch.arena);
	free(im);
}

static void submit(struct import *im, const struct db_step *steps, int count, db_done *done)
{
	db_submit(im->job->options->db, &im->scope, steps, count, done, im);
}

/* Ends the job after its completing transaction, or gives it up. */
static void on_finished(void *context, const struct db_reply *reply)
{
	struct import *im = context;
	struct job *job = im->job;
	if (reply->outcome == DB_OK)
		job_ended(job);
	else
		job_give_up_reply(job, reply);
	import_free(im);
}

static void stop(struct import *im, const char *state, const char *code, const char *reason)
{
	im->stop[0] = im->id_value;
	im->stop[1] = db_text(state);
	im->stop[2] = db_text(code);
	im->stop[3] = db_text(reason);
	struct db_step steps[] = { { im->kind->stop, 4, im->stop }, job_finish_step(im->job) };
	submit(im, steps, 2, on_finished);
}

static void enter(struct import *im)
{
	const struct db_value *id = &im->id_value;
	struct db_step steps[] = { { im->kind->settle, 1, id },
				   { im->kind->enter, 1, id },
				   job_finish_step(im->job) };
	submit(im, steps, 3, on_finished);
}

static void read_batch(struct import *im);

static void on_staged(void *context, const struct db_reply *reply)
{
	struct import *im = context;
	if (reply->outcome != DB_OK)
		on_finished(im, reply);
	else if (db_row_count(&reply->rows[1]) == 0 || db_get_bool(&reply->rows[1], 0, 0))
		stop(im, "cancelled", NULL, NULL);
	else if (im->batch.ended)
		enter(im);
	else
		read_batch(im);
}

/* The disk's fault may pass; the file's does not. */
static void unreadable(struct import *im, int error, bool for_good)
{
	im->batch.refused_whole = true;
	needs_problem_file(&im->batch.trouble, for_good ? "file_unreadable" : "try_again",
			   "the upload cannot be read: %s", strerror(error));
}

static void batch_in_pool(uv_work_t *work)
{
	struct import *im = (struct import *)work;
	char why[200];
	struct needs_limits limits = needs_limits_default();
	if (!im->reader) {
		im->sealed = sealed_reader_open(im->job->options->vault, im->path, why, sizeof why);
		if (!im->sealed) { /* for good only when it is not there */
			unreadable(im, errno, errno == ENOENT);
			return;
		}
		im->source = needs_source_of_sealed(im->sealed);
		im->reader = needs_reader_open(&im->source, im->kind->table, &limits, &im->batch.trouble);
		im->batch.refused_whole = !im->reader;
	}
	if (im->reader)
		import_batch_fill(&im->batch, im->reader, im->kind, im->own, im->job->options->vault);
	int error = sealed_reader_errno(im->sealed);
	if (im->batch.refused_whole && error && error != EBADMSG)
		unreadable(im, error, false);
}

static void batch_done(uv_work_t *work, int status)
{
	struct import *im = (struct import *)work;
	(void)status;
	if (im->batch.refused_whole && strcmp(im->batch.trouble.code, "try_again") == 0) {
		job_give_up(im->job, im->batch.trouble.detail, false);
		import_free(im);
		return;
	}
	if (im->batch.refused_whole) {
		stop(im, "failed", im->batch.trouble.code, im->batch.trouble.detail);
		return;
	}
	if (im->batch.failed) { /* in a moment there may be some; at last the import has been given up */
		job_give_up(im->job, "a batch of rows did not fit into memory", false);
		import_free(im);
		return;
	}
	im->batch.stage[0] = im->batch.refuse[0] = im->id_value;
	struct db_step steps[] = { { im->kind->stage, im->kind->columns + 1, im->batch.stage },
				   { im->kind->refuse, 5, im->batch.refuse },
				   job_hold_step(im->job) };
	submit(im, steps, 3, on_staged);
}

static void read_batch(struct import *im)
{
	INVARIANT(uv_queue_work(im->job->options->loop, &im->work, batch_in_pool, batch_done) == 0);
}

static void on_known(void *context, const struct db_reply *reply)
{
	struct import *im = context;
	if (reply->outcome != DB_OK) {
		on_finished(im, reply);
		return;
	}
	im->own = im->kind->learn(&reply->rows[0], im->low, im->high);
	INVARIANT(im->own);
	read_batch(im);
}

static void put_number(char out[24], int64_t n)
{
	snprintf(out, 24, "%lld", (long long)n);
}

static void on_begun(void *context, const struct db_reply *reply)
{
	struct import *im = context;
	struct db_step finish = job_finish_step(im->job), known = { im->kind->known, 0, NULL };
	if (reply->outcome != DB_OK) {
		on_finished(im, reply);
		return;
	}
	const struct db_rows *rows = &reply->rows[0];
	if (db_row_count(rows) == 0) { /* over already: only the job is left to finish */
		submit(im, &finish, 1, on_finished);
		return;
	}
	struct slice file = db_get(rows, 0, 0);
	snprintf(im->path, sizeof im->path, "%s/%.*s", im->job->options->uploads, (int)file.len, file.at);
	put_number(im->scope.part[0], db_get_int(rows, 0, 1));
	put_number(im->scope.part[1], db_get_int(rows, 0, 2));
	if (!db_is_null(rows, 0, 3))
		put_number(im->scope.part[3], db_get_int(rows, 0, 3));
	im->low = (int32_t)db_get_int(rows, 0, 1);
	im->high = (int32_t)db_get_int(rows, 0, 2);
	if (db_get_bool(rows, 0, 4))
		stop(im, "cancelled", NULL, NULL);
	else
		submit(im, &known, 1, on_known);
}

void import_run(struct job *job, const struct import_kind *kind)
{
	struct import *im = calloc(1, sizeof *im);
	INVARIANT(im);
	im->job = job;
	im->kind = kind;
	im->scope = db_scope_system();
	put_number(im->id, json_integer_value(json_object_get(job->payload, kind->payload)));
	im->id_value = db_text(im->id);
	im->batch.arena = arena_new(64u << 20);
	INVARIANT(im->batch.arena);
	struct db_step steps[] = { { kind->begin, 1, &im->id_value }, job_hold_step(job) };
	submit(im, steps, 2, on_begun);
}
