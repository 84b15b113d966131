/* SPDX-License-Identifier: Apache-2.0
 * A small client of the database layer: one loop, one question after the other, then the end.
 * `tantu import` seals the file as an upload would be, makes the same job, and works the queue until it is
 * done (a running server may take it as well: whoever claims it first). */
#include "workers/command.h"
#include "service/log.h"
#include "service/needs/needs_sealed.h"
#include "service/password.h"
#include "workers/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct command {
	const struct config *config;
	const char *plan, *mode, *file;
	uv_loop_t loop;
	struct db *db;
	struct metrics *metrics;
	struct vault *vault;
	struct worker *worker;
	uv_timer_t poll;
	void (*begin)(struct command *c);
	int status;
	char name[72], path[4096], bytes[24], rows[16], id[24];
	unsigned char print[VAULT_INDEX_BYTES];
	enum needs_format format;
	struct db_value values[9];
	int64_t checked;
};

static int complain(struct command *c, const char *why)
{
	fprintf(stderr, "tantu: %s\n", why);
	c->status = 1;
	return 1;
}

static void on_closed(void *context)
{
	struct command *c = context;
	c->db = NULL;
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct command *c = handle->data;
	db_close(c->db, on_closed, c);
}

static void on_worker_stopped(void *context)
{
	struct command *c = context;
	c->worker = NULL;
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
}

static void end(struct command *c)
{
	if (c->worker)
		worker_stop(c->worker, on_worker_stopped, c);
	else
		uv_close((uv_handle_t *)&c->poll, on_poll_closed);
}

static void on_ready(void *context)
{
	struct command *c = context;
	c->begin(c);
}

static void on_unfit(void *context, const char *why)
{
	struct command *c = context;
	if (c->status == 0) {
		complain(c, why);
		end(c);
	}
}

static void on_notify(void *context, const char *channel, const char *payload)
{
	struct command *c = context;
	if (c->worker && strcmp(channel, "job") == 0)
		worker_wake(c->worker, payload);
}

static void submit(struct command *c, enum sql statement, int count, db_done *done)
{
	struct db_scope system = db_scope_system();
	struct db_step step = { statement, count, c->values };
	db_submit(c->db, &system, &step, 1, done, c);
}

static bool answered(struct command *c, const struct db_reply *reply)
{
	if (reply->outcome == DB_OK)
		return true;
	complain(c, reply->outcome == DB_FAILED ? reply->message : "the database does not answer");
	end(c);
	return false;
}

static int run(struct command *c, const int connections[DB_LANES])
{
	struct db_options options = { .conninfo = c->config->database,
				      .waiting_most = 100,
				      .listen = connections[DB_LANE_queue] > 0,
				      .on_notify = on_notify,
				      .on_ready = on_ready,
				      .on_unfit = on_unfit,
				      .context = c };
	memcpy(options.connections, connections, sizeof options.connections);
	if (!c->config->database)
		return complain(c,
				"TANTU_DATABASE: not set; it is the connection string of the role tantu_app");
	log_set_level(LOG_WARN);
	uv_loop_init(&c->loop);
	uv_timer_init(&c->loop, &c->poll);
	c->poll.data = c;
	c->metrics = metrics_new();
	c->db = db_open(&c->loop, &options, c->metrics);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	metrics_free(&c->metrics);
	vault_free(&c->vault);
	uv_loop_close(&c->loop);
	return c->status;
}

/* --- verify totals --- */

static void on_counts(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!answered(c, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	if (c->status == 0)
		printf("totals agree: %" PRId64 " cases, %" PRId64 " events, %" PRId64 " not folded yet\n",
		       db_get_int(rows, 0, 0), db_get_int(rows, 0, 1), db_get_int(rows, 0, 2));
	end(c);
}

static void print_text(const struct db_rows *rows, int row, int column)
{
	struct slice s = db_get(rows, row, column);
	printf("%.*s ", (int)s.len, s.at);
}

/* So many columns of words, then kept and recounted. */
static void print_differences(struct command *c, const struct db_rows *rows, int words)
{
	for (int i = 0; i < db_row_count(rows); i++) {
		printf("differs: ");
		for (int column = 0; column < words; column++)
			print_text(rows, i, column);
		printf("kept %" PRId64 ", recounted %" PRId64 "\n", db_get_int(rows, i, words),
		       db_get_int(rows, i, words + 1));
		c->status = 3;
	}
}

/* Columns: figure, plan, region, part, measure, kept, recounted. */
static void on_differences(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!answered(c, reply))
		return;
	print_differences(c, &reply->rows[0], 5);
	submit(c, SQL_verify_counts, 0, on_counts);
}

static void begin_verify(struct command *c)
{
	submit(c, SQL_verify_totals, 0, on_differences);
}

int command_verify_totals(const struct config *config, const struct arguments *arguments)
{
	(void)arguments;
	struct command c = { .config = config, .begin = begin_verify };
	return run(&c, (const int[DB_LANES]){ 0, 0, 0, 1 });
}

/* --- verify samples --- */

static void print_column(const struct db_rows *rows, int row, int column, const char *before)
{
	struct slice s = db_get(rows, row, column);
	printf("%s%.*s", before, (int)s.len, s.at);
}

/* Columns: sample, part, kept, recounted. */
static void on_redrawn(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!answered(c, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	for (int i = 0; i < db_row_count(rows); i++) {
		printf("differs: sample %" PRId64 " ", db_get_int(rows, i, 0));
		print_column(rows, i, 1, "");
		print_column(rows, i, 2, ": kept ");
		print_column(rows, i, 3, ", drawn again ");
		printf("\n");
		c->status = 3;
	}
	if (c->status == 0)
		printf("samples agree\n");
	end(c);
}

static void begin_redraw(struct command *c)
{
	submit(c, SQL_verify_samples, 0, on_redrawn);
}

int command_verify_samples(const struct config *config, const struct arguments *arguments)
{
	(void)arguments;
	struct command c = { .config = config, .begin = begin_redraw };
	return run(&c, (const int[DB_LANES]){ 0, 0, 0, 1 });
}

/* --- verify ledger --- */

static void on_ledger_counts(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!answered(c, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	if (c->status == 0)
		printf("the ledger agrees: %" PRId64 " cases, %" PRId64 " transactions, %" PRId64
		       " entries, %" PRId64 " not folded yet\n",
		       db_get_int(rows, 0, 2), db_get_int(rows, 0, 0), db_get_int(rows, 0, 1),
		       db_get_int(rows, 0, 3));
	end(c);
}

/* Columns: figure, plan, part, measure, kept, recounted. */
static void on_ledger_differences(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!answered(c, reply))
		return;
	print_differences(c, &reply->rows[0], 4);
	submit(c, SQL_verify_ledger_counts, 0, on_ledger_counts);
}

static void begin_verify_ledger(struct command *c)
{
	submit(c, SQL_verify_ledger, 0, on_ledger_differences);
}

int command_verify_ledger(const struct config *config, const struct arguments *arguments)
{
	(void)arguments;
	struct command c = { .config = config, .begin = begin_verify_ledger };
	return run(&c, (const int[DB_LANES]){ 0, 0, 0, 1 });
}

/* --- import --- */

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
	bool readable = needs_probe(&source, &limits, &c->format, &rows, &trouble);
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
	submit(c, SQL_import_get, 1, on_progress);
}

static void on_progress(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!answered(c, reply))
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
	end(c);
}

static void on_created(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!answered(c, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	if (!db_is_null(rows, 0, 0)) {
		unlink(c->path);
		complain(c, "--plan: there is no such plan");
		end(c);
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
	submit(c, SQL_import_create, 9, on_created);
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
		return complain(&c, "--mode: dry_run, good_rows or all_or_nothing");
	c.vault = vault_open(config->key_file, false, why, sizeof why);
	if (!c.vault || !seal(&c, why, sizeof why))
		return complain(&c, why);
	if (!probe(&c, why, sizeof why)) {
		unlink(c.path);
		return complain(&c, why);
	}
	return run(&c, (const int[DB_LANES]){ 1, 1, 1, 2 });
}
