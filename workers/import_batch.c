/* SPDX-License-Identifier: Apache-2.0
 * Invariant: every column's array has as many items as there are staged rows. */
#include "workers/import_batch.h"
#include "workers/array_text.h"
#include <stdio.h>

static void refuse(struct import_batch *b, const struct file_table *table, uint32_t number, int code,
		   int field)
{
	array_int(&b->number, number);
	array_text(&b->code, slice_of(table->codes[code]));
	array_text(&b->field, slice_of(field < table->count ? table->columns[field] : ""));
	b->refused++;
}

static void begin(struct import_batch *b, int columns)
{
	arena_reset(b->arena);
	b->staged = b->refused = 0;
	for (int i = 0; i < columns; i++) {
		buffer_init(&b->column[i], b->arena, 8192);
		array_begin(&b->column[i]);
	}
	struct buffer *const refusals[] = { &b->number, &b->code, &b->field };
	for (int i = 0; i < 3; i++) {
		buffer_init(refusals[i], b->arena, 4096);
		array_begin(refusals[i]);
	}
}

static void end(struct import_batch *b, int columns)
{
	for (int i = 0; i < columns; i++) {
		b->stage[i + 1] = db_text(array_end(&b->column[i]));
		b->failed = b->failed || !b->stage[i + 1].at;
	}
	b->refuse[1] = db_text(array_end(&b->number));
	b->refuse[2] = db_text(array_end(&b->code));
	b->refuse[3] = db_text(array_end(&b->field));
	b->failed = b->failed || !b->refuse[1].at || !b->refuse[2].at || !b->refuse[3].at;
	snprintf(b->checked_text, sizeof b->checked_text, "%u", b->checked);
	b->refuse[4] = db_text(b->checked_text);
}

void import_batch_fill(struct import_batch *b, struct needs_reader *reader, const struct import_kind *kind,
		       void *own, const struct vault *vault)
{
	struct needs_row row;
	int field;
	begin(b, kind->columns);
	for (int n = 0; n < BATCH_ROWS && !b->ended && !b->refused_whole; n++) {
		enum needs_next next = needs_reader_next(reader, &row, &b->trouble);
		b->ended = next == NEEDS_END;
		b->refused_whole = next == NEEDS_REFUSED;
		if (next != NEEDS_ROW)
			break;
		int code = kind->check(b->column, &row, own, vault, &field);
		if (code == 0)
			b->staged++;
		else
			refuse(b, kind->table, row.number, code, field);
		b->checked++;
	}
	b->failed = kind->failed && kind->failed(own);
	end(b, kind->columns);
}
