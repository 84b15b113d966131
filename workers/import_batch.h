/* SPDX-License-Identifier: Apache-2.0
 * Imports of files of rows: what every kind of file has in common, and what each brings. A batch reads and
 * checks the next rows and lays them out as arrays, one a column, for the kind's statements `stage` and
 * `refuse`. Filling it blocks: for the thread pool. */
#ifndef WORKERS_IMPORT_BATCH_H
#define WORKERS_IMPORT_BATCH_H

#include "db/db.h"
#include "service/needs/needs_file.h"
#include "service/vault.h"
#include "workers/job.h"

enum { BATCH_ROWS = 1000, STAGE_MOST = 24 };

struct import_kind;

struct import_batch {
	struct arena *arena; /* of this batch */
	struct buffer column[STAGE_MOST], number, code, field;
	struct db_value stage[STAGE_MOST + 1]; /* [0], the import's id, is the caller's */
	struct db_value refuse[5];             /* [0] as well */
	char checked_text[16];
	uint32_t checked; /* rows so far, over all batches */
	int staged, refused;
	bool ended, failed; /* failed: out of memory */
	bool refused_whole; /* the file cannot be read on: trouble tells */
	struct needs_problem trouble;
};

/* Columns of `begin`: file, low, high, account_id, stop_wanted. Of `refuse`: stop_wanted. */
struct import_kind {
	const struct file_table *table;
	const char *payload; /* names the import in its job's payload */
	enum sql begin, known, stage, refuse, settle, enter, stop;
	int columns; /* arrays of `stage`, behind the import's id */
	/* What rows are checked against, from the rows of `known`; low..high: what the import may write to.
	 * Freed by forget. NULL without memory. */
	void *(*learn)(const struct db_rows *known, int32_t low, int32_t high);
	void (*forget)(void *own);
	/* Lays the row out in `column`, an item each; or answers the code and the column of its refusal. */
	int (*check)(struct buffer *column, const struct needs_row *row, void *own, const struct vault *vault,
		     int *field);
	bool (*failed)(const void *own); /* memory ran out on the way; NULL: it keeps nothing */
};

void import_batch_fill(struct import_batch *batch, struct needs_reader *reader,
		       const struct import_kind *kind, void *own, const struct vault *vault);

/* The kind's job. */
void import_run(struct job *job, const struct import_kind *kind);

#endif
