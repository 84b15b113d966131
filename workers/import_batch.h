/* SPDX-License-Identifier: Apache-2.0
 * Reads and checks the next rows of a needs file and lays them out as arrays, one a column, for the
 * statements import_stage and import_refuse. Blocking: for the thread pool. */
#ifndef WORKERS_IMPORT_BATCH_H
#define WORKERS_IMPORT_BATCH_H

#include "db/db.h"
#include "service/needs/needs_check.h"
#include "service/vault.h"

enum { BATCH_ROWS = 1000, STAGE_COLUMNS = 24 };

struct import_batch {
	struct arena *arena; /* of this batch */
	struct buffer column[STAGE_COLUMNS], number, code, field;
	struct db_value stage[STAGE_COLUMNS + 1]; /* [0], the import's id, is the caller's */
	struct db_value refuse[5];                /* [0] as well */
	char checked_text[16];
	uint32_t checked; /* rows so far, over all batches */
	int staged, refused;
	bool ended, failed; /* failed: out of memory */
	bool refused_whole; /* the file cannot be read on: trouble tells */
	struct needs_problem trouble;
};

void import_batch_fill(struct import_batch *batch, struct needs_reader *reader,
		       const struct needs_regions *regions, struct needs_seen *seen,
		       const struct vault *vault);

#endif
