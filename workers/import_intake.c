/* SPDX-License-Identifier: Apache-2.0
 * What an intake of devices has of its own. */
#include "service/intake/intake_check.h"
#include "workers/array_text.h"
#include "workers/import_batch.h"
#include <stdio.h>
#include <stdlib.h>

/* The order of device_intake_stage's parameters. */
enum column {
	C_NUMBER,
	C_MODEL,
	C_QUANTITY,
	C_SERIAL,
	C_BATCH,
	C_CODE,
	C_SOURCE,
	C_DONOR,
	C_ACQUIRED,
	C_PRICE,
	C_WARRANTY,
	C_SHELF,
	C_NOTE,
	C_COLUMNS
};
_Static_assert((int)C_COLUMNS <= (int)STAGE_MOST, "a column a parameter");

static void text_or_null(struct buffer *column, struct slice text)
{
	if (text.len)
		array_text(column, text);
	else
		array_null(column);
}

static void lay_out(struct buffer *c, const struct needs_row *row, const struct intake_entry *e)
{
	array_int(&c[C_NUMBER], row->number);
	array_text(&c[C_MODEL], slice_of(e->model));
	array_int(&c[C_QUANTITY], e->quantity);
	array_text(&c[C_SERIAL], row->cell[INTAKE_SERIAL]);
	array_text(&c[C_BATCH], row->cell[INTAKE_BATCH]);
	text_or_null(&c[C_CODE], row->cell[INTAKE_CODE]);
	array_text(&c[C_SOURCE], slice_of(e->donated ? "donated" : "purchased"));
	array_text(&c[C_DONOR], row->cell[INTAKE_DONOR]);
	array_text(&c[C_ACQUIRED], slice_of(e->acquired));
	if (e->price >= 0)
		array_int(&c[C_PRICE], e->price);
	else
		array_null(&c[C_PRICE]);
	text_or_null(&c[C_WARRANTY], slice_of(e->warranty));
	array_text(&c[C_SHELF], row->cell[INTAKE_SHELF]);
	array_text(&c[C_NOTE], row->cell[INTAKE_NOTE]);
}

static void forget(void *own)
{
	struct intake_known *k = own;
	free(k->models);
	free(k);
}

static void copy_text(char *out, size_t room, struct slice text)
{
	snprintf(out, room, "%.*s", (int)text.len, text.at);
}

/* Columns of device_intake_models: code, retired, today. */
static void *learn(const struct db_rows *rows, int32_t low, int32_t high)
{
	struct intake_known *k = calloc(1, sizeof *k);
	(void)low;
	(void)high;
	if (!k)
		return NULL;
	k->count = (size_t)db_row_count(rows);
	k->models = calloc(k->count + 1, sizeof *k->models);
	if (!k->models) {
		forget(k);
		return NULL;
	}
	for (size_t i = 0; i < k->count; i++) {
		copy_text(k->models[i].code, sizeof k->models[i].code, db_get(rows, (int)i, 0));
		k->models[i].retired = db_get_bool(rows, (int)i, 1);
		copy_text(k->today, sizeof k->today, db_get(rows, (int)i, 2));
	}
	return k;
}

static int check(struct buffer *column, const struct needs_row *row, void *own, const struct vault *vault,
		 int *field)
{
	struct intake_entry entry;
	enum intake_column at;
	enum intake_code code = intake_check(row, own, &entry, &at);
	(void)vault;
	*field = (int)at;
	if (code == INTAKE_ACCEPTED)
		lay_out(column, row, &entry);
	return (int)code;
}

static const struct import_kind intake = {
	.table = &intake_table,
	.payload = "intake",
	.begin = SQL_device_intake_begin,
	.known = SQL_device_intake_models,
	.stage = SQL_device_intake_stage,
	.refuse = SQL_device_intake_refuse,
	.settle = SQL_device_intake_settle,
	.enter = SQL_device_intake_enter,
	.stop = SQL_device_intake_stop,
	.columns = C_COLUMNS,
	.learn = learn,
	.forget = forget,
	.check = check,
};

void intake_start(struct job *job)
{
	import_run(job, &intake);
}
