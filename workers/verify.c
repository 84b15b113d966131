/* SPDX-License-Identifier: Apache-2.0
 * `tantu verify` of totals, samples, ledger and devices: each asks one statement for what differs, prints a
 * line for each difference, and ends with 3 when there is one. (Photos lie in files:
 * commands/verify_photos.c.) */
#include "workers/command_internal.h"
#include <inttypes.h>
#include <stdio.h>

/* --- verify totals --- */

static void on_counts(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!command_answered(c, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	if (c->status == 0)
		printf("totals agree: %" PRId64 " cases, %" PRId64 " events, %" PRId64 " not folded yet\n",
		       db_get_int(rows, 0, 0), db_get_int(rows, 0, 1), db_get_int(rows, 0, 2));
	command_end(c);
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
	if (!command_answered(c, reply))
		return;
	print_differences(c, &reply->rows[0], 5);
	command_submit(c, SQL_verify_counts, 0, on_counts);
}

static void begin_verify(struct command *c)
{
	command_submit(c, SQL_verify_totals, 0, on_differences);
}

int command_verify_totals(const struct config *config, const struct arguments *arguments)
{
	(void)arguments;
	struct command c = { .config = config, .begin = begin_verify };
	return command_run(&c, (const int[DB_LANES]){ 0, 0, 0, 1 });
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
	if (!command_answered(c, reply))
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
	command_end(c);
}

static void begin_redraw(struct command *c)
{
	command_submit(c, SQL_verify_samples, 0, on_redrawn);
}

int command_verify_samples(const struct config *config, const struct arguments *arguments)
{
	(void)arguments;
	struct command c = { .config = config, .begin = begin_redraw };
	return command_run(&c, (const int[DB_LANES]){ 0, 0, 0, 1 });
}

/* --- verify ledger --- */

static void on_ledger_counts(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!command_answered(c, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	if (c->status == 0)
		printf("the ledger agrees: %" PRId64 " cases, %" PRId64 " transactions, %" PRId64
		       " entries, %" PRId64 " not folded yet\n",
		       db_get_int(rows, 0, 2), db_get_int(rows, 0, 0), db_get_int(rows, 0, 1),
		       db_get_int(rows, 0, 3));
	command_end(c);
}

/* Columns: figure, plan, part, measure, kept, recounted. */
static void on_ledger_differences(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!command_answered(c, reply))
		return;
	print_differences(c, &reply->rows[0], 4);
	command_submit(c, SQL_verify_ledger_counts, 0, on_ledger_counts);
}

static void begin_verify_ledger(struct command *c)
{
	command_submit(c, SQL_verify_ledger, 0, on_ledger_differences);
}

int command_verify_ledger(const struct config *config, const struct arguments *arguments)
{
	(void)arguments;
	struct command c = { .config = config, .begin = begin_verify_ledger };
	return command_run(&c, (const int[DB_LANES]){ 0, 0, 0, 1 });
}

/* --- verify devices --- */

static void on_device_counts(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!command_answered(c, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	if (c->status == 0)
		printf("devices agree: %" PRId64 " rentals, %" PRId64 " transactions, %" PRId64
		       " entries, %" PRId64 " not folded yet\n",
		       db_get_int(rows, 0, 2), db_get_int(rows, 0, 0), db_get_int(rows, 0, 1),
		       db_get_int(rows, 0, 3));
	command_end(c);
}

/* Columns: figure, plan, part, measure, kept, recounted. */
static void on_device_differences(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!command_answered(c, reply))
		return;
	print_differences(c, &reply->rows[0], 4);
	command_submit(c, SQL_verify_devices_counts, 0, on_device_counts);
}

/* Columns: figure, region, part, measure, kept, recounted. */
static void on_figure_differences(void *context, const struct db_reply *reply)
{
	struct command *c = context;
	if (!command_answered(c, reply))
		return;
	print_differences(c, &reply->rows[0], 4);
	command_submit(c, SQL_verify_devices, 0, on_device_differences);
}

static void begin_verify_devices(struct command *c)
{
	command_submit(c, SQL_verify_device_figures, 0, on_figure_differences);
}

int command_verify_devices(const struct config *config, const struct arguments *arguments)
{
	(void)arguments;
	struct command c = { .config = config, .begin = begin_verify_devices };
	return command_run(&c, (const int[DB_LANES]){ 0, 0, 0, 1 });
}
