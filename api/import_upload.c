/* SPDX-License-Identifier: Apache-2.0
 * An upload is sealed onto disk while it streams in, then read once to its end in the thread pool: a file
 * that cannot be read is refused here, naming row and column, and nothing of it is kept. What is accepted
 * becomes a job (workers/import.c). */
#include "api/import_upload.h"
#include "api/engine.h"
#include "service/needs/needs_sealed.h"
#include "service/password.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOT_FILE = 1, SLOT_FORMAT, SLOT_PRINT, SLOT_BYTES, SLOT_ROWS };

struct upload {
	const struct file_table *table;
	char name[72], path[4096], why[200];
	struct sealed_writer *writer;
	int error; /* errno: our disk failed, not the file */
	bool kept;
	unsigned char print[VAULT_INDEX_BYTES];
	char bytes[24], rows[16];
	enum needs_format format;
	struct needs_problem trouble;
	bool readable;
};

/* malloc'ed: the exchange's arena has a cap that requests share with it. */
static void upload_end(struct request *r)
{
	struct upload *u = r->own;
	if (!u)
		return;
	sealed_writer_abandon(&u->writer);
	if (u->path[0] && !u->kept)
		unlink(u->path);
	free(u);
	r->own = NULL;
}

static bool type_is_welcome(struct slice type)
{
	/* The content decides; the last is what curl says when it is told nothing. */
	static const char *const welcome[] = {
		"text/csv",
		"text/plain",
		"application/octet-stream",
		"application/vnd.ms-excel",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"application/x-www-form-urlencoded",
		NULL
	};
	const char *semicolon = type.len ? memchr(type.at, ';', type.len) : NULL;
	struct slice media =
		slice_trim((struct slice){ type.at, semicolon ? (size_t)(semicolon - type.at) : type.len });
	if (!type.at)
		return true;
	for (int i = 0; welcome[i]; i++)
		if (slice_equal_nocase(media, slice_of(welcome[i])))
			return true;
	return false;
}

enum step import_upload_begin(struct request *r, const struct file_table *table)
{
	char token[TOKEN_TEXT_BYTES];
	if (!type_is_welcome(http_header(r->x, "content-type")))
		return problem(r, 415, "content_type_unsupported", NULL, "The file is text/csv or XLSX.");
	if (!http_body_expected(r->x))
		return problem(r, 422, "file_empty", NULL, "The body is the file; it is empty.");
	struct upload *u = calloc(1, sizeof *u);
	INVARIANT(u);
	r->own = u;
	r->own_end = upload_end;
	u->table = table;
	token_new(token);
	snprintf(u->name, sizeof u->name, "%s-%s.sealed", table->name, token);
	snprintf(u->path, sizeof u->path, "%s/%s", r->api->options.uploads, u->name);
	u->writer = sealed_writer_new(r->api->options.vault, u->path, u->why, sizeof u->why);
	if (!u->writer)
		return problem_of_storage(r, errno, "upload_not_kept");
	http_resume(r->x);
	return STEP_PARKED;
}

/* Reads what has been sealed to its end: can it be imported at all? */
static void finish_in_pool(struct request *r)
{
	struct upload *u = r->own;
	uint64_t bytes = 0;
	uint32_t rows = 0;
	struct needs_limits limits = needs_limits_default();
	if (u->error)
		return;
	struct sealed_reader *reader = NULL;
	if (sealed_writer_finish(&u->writer, u->print, &bytes))
		reader = sealed_reader_open(r->api->options.vault, u->path, u->why, sizeof u->why);
	if (!reader) {
		u->error = errno;
		return;
	}
	struct needs_source source = needs_source_of_sealed(reader);
	u->readable = needs_probe(&source, u->table, &limits, &u->format, &rows, &u->trouble);
	u->error = sealed_reader_errno(reader);
	sealed_reader_close(&reader);
	snprintf(u->bytes, sizeof u->bytes, "%llu", (unsigned long long)bytes);
	snprintf(u->rows, sizeof u->rows, "%u", rows);
}

static enum step step_checked(struct request *r);
static enum step step_created(struct request *r);
static request_step *const finish_steps[] = { step_checked, step_ask, step_created, step_answer, NULL };

/* On the loop: the writer seals 64 KiB at a time into the page cache. */
static void on_chunk(struct http_exchange *x, struct slice chunk)
{
	struct request *r = http_state(x);
	struct upload *u = r->own;
	if (u && u->writer && !r->answered && !u->error && !sealed_writer_add(u->writer, chunk))
		u->error = errno;
}

static void on_end(struct http_exchange *x)
{
	struct request *r = http_state(x);
	if (r->answered)
		return;
	r->step = finish_steps;
	engine_work(r, finish_in_pool);
}

static void on_abort(struct http_exchange *x)
{
	(void)x; /* own_end lets go of the file */
}

const struct http_sink import_upload_sink = { on_chunk, on_end, on_abort };

static enum step refuse_file(struct request *r, const struct needs_problem *trouble)
{
	struct arena *arena = http_arena(r->x);
	const char *field = trouble->row ? arena_printf(arena, "/rows/%u/%s", trouble->row, trouble->column)
			    : trouble->column[0] ? arena_printf(arena, "/columns/%s", trouble->column)
						 : NULL;
	if (strcmp(trouble->code, "try_again") == 0) /* it is not the file's fault */
		return problem(r, 503, trouble->code, NULL, trouble->detail);
	return problem(r, 422, trouble->code, field, trouble->detail[0] ? trouble->detail : NULL);
}

static enum step step_checked(struct request *r)
{
	struct upload *u = r->own;
	if (u->error)
		return problem_of_storage(r, u->error, "upload_not_kept");
	if (!u->readable)
		return refuse_file(r, &u->trouble);
	r->step_value[SLOT_FILE] = db_text(u->name);
	r->step_value[SLOT_FORMAT] = db_text(needs_format_names[u->format]);
	r->step_value[SLOT_PRINT] = db_bytes(u->print, sizeof u->print);
	r->step_value[SLOT_BYTES] = db_text(u->bytes);
	r->step_value[SLOT_ROWS] = db_text(u->rows);
	return engine_take_key(r, (struct slice){ (const char *)u->print, sizeof u->print });
}

/* The file stays when its row does, or may. */
static enum step step_created(struct request *r)
{
	struct upload *u = r->own;
	const struct db_reply *reply = r->reply;
	u->kept = reply->outcome == DB_UNKNOWN ||
		  (reply->outcome == DB_OK && db_row_count(&reply->rows[0]) == 1 &&
		   db_is_null(&reply->rows[0], 0, db_column_number(&reply->rows[0], "_verdict")));
	return STEP_NEXT;
}
