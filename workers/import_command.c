/* SPDX-License-Identifier: Apache-2.0
 * `tantu import` seals the file as an upload would be, makes the same job, and works the queue until it is
 * done (a running server may take it as well: whoever claims it first). */
#include "service/log.h"
#include "service/needs/needs_sealed.h"
#include "service/needs/needs_table.h"
#include "service/password.h"
#include "workers/command_internal.h"
#include "workers/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* False with a reason when the file cannot be read; that it cannot be written is said by the writer's end. */
static bool seal_bytes(const struct command *c, struct sealed_writer *writer, int fd, char *why,
		       size_t why_size)
{
	static char buffer[65536];
	ssize_t n;
	while ((n = read(fd, buffer, sizeof buffer)) > 0)
		if (!sealed_writer_add(writer, (struct slice){ buffer, (size_t)n }))
			break;
	if (n < 0)
		snprintf(why, why_size, "%s: %s", c->file, strerror(errno));
	return n >= 0;
}

/* The server that may take the job runs as whom the folder belongs to; root gives him the file. */
static bool hand_over(const struct command *c, char *why, size_t why_size)
{
	struct stat folder;
	if (geteuid() != 0)
		return true;
	if (stat(c->config->uploads, &folder) == 0 && chown(c->path, folder.st_uid, folder.st_gid) == 0)
		return true;
	snprintf(why, why_size, "%s: %s", c->name, strerror(errno));
	return false;
}

static bool seal(struct command *c, char *why, size_t why_size)
{
	char token[TOKEN_TEXT_BYTES];
	uint64_t bytes = 0;
	int fd = open(c->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(why, why_size, "%s: %s", c->file, strerror(errno));
		return false;
	}
	token_new(token);
	snprintf(c->name, sizeof c->name, "needs-%s.sealed", token);
	snprintf(c->path, sizeof c->path, "%s/%s", c->config->uploads, c->name);
	struct sealed_writer *writer = sealed_writer_new(c->vault, c->path, why, why_size);
	bool done = writer && seal_bytes(c, writer, fd, why, why_size);
	if (done && !(done = sealed_writer_finish(&writer, c->print, &bytes)))
		snprintf(why, why_size, "%s: %s", c->name, strerror(errno));
	done = done && hand_over(c, why, why_size);
	sealed_writer_abandon(&writer);
	close(fd);
	snprintf(c->bytes, sizeof c->bytes, "%" PRIu64, bytes);
	return done;
}

static bool probe(struct command *c, char *why, size_t why_size)
{
	uint32_t rows = 0;
	struct needs_problem trouble = { "", "", 0, "" };
	struct needs_limits limits = needs_limits_default();
	struct sealed_reader *reader = sealed_reader_open(c->vault, c->path, why, why_size);
	if (!reader)
		return false;
	struct needs_source source = needs_source_of_sealed(reader);
	bool readable = needs_probe(&source, &needs_table, &limits, &c->format, &rows, &trouble);
	sealed_reader_close(&reader);
	snprintf(c->rows, sizeof c->rows, "%u", rows);
	if (!readable)
		snprintf(why, why_size, "%s: %s", trouble.code, trouble.detail);
	return readable;
}

static void print_figure(const struct db_rows *rows, int column, const char *name, bool first)
{
	struct slice s = db_get(rows, 0, column);
	printf("%s\"%s\":", first ? "{" : ",", name);
	if (db_is_null(rows, 0, column))
		printf("null");
	else if (strcmp(name, "rejected_by_code") == 0)
		printf("%.*s", (int)s.len, s.at);
	else if (strcmp(name, "plan") == 0 || strcmp(name, "state") == 0 || strncmp(name, "error", 5) == 0)
		printf("\"%.*s\"", (int)s.len, s.at);
	else if (s.len == 1)
		printf("%s", db_get_bool(rows, 0, column) ? "true" : "false");
	else
		printf("%" PRId64, db_get_int(rows, 0, column));
}

static void print_figures(const struct db_rows *rows)
{
	static const char *const names[] = { "plan",
					     "state",
					     "rows",
					     "accepted",
					     "rejected",
					     "rejected_by_code",
					     "persons",
					     "households",
					     "households_with_retrofit_need",
					     "eligible_households",
					     "persons_with_device_need",
					     "device_needs",
					     "cases_opened",
					     "committed",
					     "nothing_new",
					     "error_code",
					     NULL };
	for (int i = 0; names[i]; i++)
		print_figure(rows, db_column_number(rows, names[i]), names[i], i == 0);
	printf("}\n");
}

static void on_progress(void *context, const struct db_reply *reply);

static void on_poll(uv_timer_t *timer)
{
	struct command *c = timer->data;
	c->values[0] = db_text(c->id);
	command_submit(c, SQL_import_get, 1, on_progress);
}

static void on_progress(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!command_answered(c, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	struct slice state = db_get(rows, 0, db_column_number(rows, "state"));
	int64_t checked = db_get_int(rows, 0, db_column_number(rows, "checked"));
	if (checked != c->checked && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%" PRId64 " of %s rows", checked, c->rows);
	c->checked = checked;
	if (slice_is(state, "queued") || slice_is(state, "running")) {
		uv_timer_start(&c->poll, on_poll, 100, 0);
		return;
	}
	print_figures(rows);
	if (!slice_is(state, "done"))
		c->status = 1;
	else if (db_get_int(rows, 0, db_column_number(rows, "rejected")) > 0)
		c->status = 3;
	command_end(c);
}

static void on_created(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!command_answered(c, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	if (!db_is_null(rows, 0, 0)) {
		unlink(c->path);
		command_complain(c, "--plan: there is no such plan");
		command_end(c);
		return;
	}
	snprintf(c->id, sizeof c->id, "%" PRId64, db_get_int(rows, 0, db_column_number(rows, "id")));
	/* Imports only: whatever else waits is the servers'. */
	struct worker_options options = { .loop = &c->loop,
					  .db = c->db,
					  .metrics = c->metrics,
					  .vault = c->vault,
					  .uploads = c->config->uploads,
					  .name = "tantu import",
					  .uploads_days = c->config->uploads_days,
					  .places = { { "imports", 1 },
						      { "totals", 0 },
						      { "reminders", 0 },
						      { "upkeep", 0 },
						      { "probe", 0 } } };
	c->worker = worker_start(&options);
	on_poll(&c->poll);
}

static void begin_import(struct command *c)
{
	c->values[0] = c->values[1] = DB_NULL; /* no Idempotency-Key */
	c->values[2] = db_text(c->plan);
	c->values[3] = db_text(c->mode);
	c->values[4] = db_text(c->name);
	c->values[5] = db_text(needs_format_names[c->format]);
	c->values[6] = db_bytes(c->print, sizeof c->print);
	c->values[7] = db_text(c->bytes);
	c->values[8] = db_text(c->rows);
	command_submit(c, SQL_import_create, 9, on_created);
}

int command_import(const struct config *config, const struct arguments *arguments)
{
	const char *mode = argument(arguments, "--mode");
	struct command c = { .config = config,
			     .begin = begin_import,
			     .plan = argument(arguments, "--plan"),
			     .mode = mode ? mode : "good_rows",
			     .file = argument(arguments, "FILE") };
	char why[400] = "cannot be read";
	if (strcmp(c.mode, "dry_run") != 0 && strcmp(c.mode, "good_rows") != 0 &&
	    strcmp(c.mode, "all_or_nothing") != 0)
		return command_complain(&c, "--mode: dry_run, good_rows or all_or_nothing");
	c.vault = vault_open(config->key_file, false, why, sizeof why);
	if (!c.vault || !seal(&c, why, sizeof why))
		return command_complain(&c, why);
	if (!probe(&c, why, sizeof why)) {
		unlink(c.path);
		return command_complain(&c, why);
	}
	return command_run(&c, (const int[DB_LANES]){ 1, 1, 1, 2 });
}
