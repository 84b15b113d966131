/* SPDX-License-Identifier: Apache-2.0
 * Invariant: every column's array has as many items as there are staged rows. Identities are sealed here:
 * nothing behind this file sees them in clear. */
#include "workers/import_batch.h"
#include "workers/array_text.h"
#include <sodium.h>
#include <stdio.h>

/* The order of import_stage's parameters. */
enum column {
	C_NUMBER,
	C_HOUSEHOLD,
	C_REGION,
	C_VILLAGE,
	C_ADDRESS,
	C_LONGITUDE,
	C_LATITUDE,
	C_HARDSHIP,
	C_TRAITS,
	C_NAME,
	C_SEX,
	C_RELATION,
	C_CITIZEN_ID,
	C_CITIZEN_INDEX,
	C_CERTIFICATE,
	C_CERTIFICATE_INDEX,
	C_CATEGORY,
	C_LEVEL,
	C_PHONE,
	C_REGISTERED,
	C_REMARK,
	C_RETROFIT,
	C_DEVICES,
	C_BORN
};
_Static_assert(C_BORN == STAGE_COLUMNS - 1, "a column a parameter");

static void add_sealed(struct buffer *sealed_column, struct buffer *index_column, const struct vault *vault,
		       struct slice clear)
{
	unsigned char sealed[64 + VAULT_SEAL_OVERHEAD], index[VAULT_INDEX_BYTES];
	if (clear.len == 0 || clear.len > 64) {
		array_null(sealed_column);
		array_null(index_column);
		return;
	}
	array_bytes(sealed_column, sealed, vault_seal(vault, clear, sealed));
	vault_index(vault, clear, index);
	array_bytes(index_column, index, sizeof index);
}

static void stage(struct import_batch *b, uint32_t number, const struct needs_entry *e,
		  const struct vault *vault)
{
	struct buffer *c = b->column;
	array_int(&c[C_NUMBER], number);
	array_text(&c[C_HOUSEHOLD], e->household);
	array_int(&c[C_REGION], e->place);
	array_text(&c[C_VILLAGE], e->village);
	array_text(&c[C_ADDRESS], e->address);
	array_float(&c[C_LONGITUDE], e->has_location, e->longitude);
	array_float(&c[C_LATITUDE], e->has_location, e->latitude);
	array_text(&c[C_HARDSHIP], e->hardship);
	array_texts(&c[C_TRAITS], e->traits, e->trait_count);
	array_text(&c[C_NAME], e->name);
	array_text(&c[C_SEX], e->sex);
	array_text(&c[C_RELATION], e->relation);
	add_sealed(&c[C_CITIZEN_ID], &c[C_CITIZEN_INDEX], vault, e->citizen_id);
	add_sealed(&c[C_CERTIFICATE], &c[C_CERTIFICATE_INDEX], vault, e->certificate);
	array_int(&c[C_CATEGORY], e->category);
	array_int(&c[C_LEVEL], e->level);
	array_text(&c[C_PHONE], e->phone);
	if (e->registered.len)
		array_text(&c[C_REGISTERED], e->registered);
	else
		array_null(&c[C_REGISTERED]);
	array_text(&c[C_REMARK], e->remark);
	array_texts(&c[C_RETROFIT], e->retrofit, e->retrofit_count);
	array_texts(&c[C_DEVICES], e->devices, e->device_count);
	array_text(&c[C_BORN], citizen_id_birth(e->citizen_id));
	b->staged++;
}

static void refuse(struct import_batch *b, uint32_t number, enum needs_code code, enum needs_column field)
{
	array_int(&b->number, number);
	array_text(&b->code, slice_of(needs_code_names[code]));
	array_text(&b->field, slice_of(field < NEEDS_COLUMNS ? needs_column_names[field] : ""));
	b->refused++;
}

static void begin(struct import_batch *b)
{
	arena_reset(b->arena);
	b->staged = b->refused = 0;
	for (int i = 0; i < STAGE_COLUMNS; i++) {
		buffer_init(&b->column[i], b->arena, 8192);
		array_begin(&b->column[i]);
	}
	struct buffer *const refusals[] = { &b->number, &b->code, &b->field };
	for (int i = 0; i < 3; i++) {
		buffer_init(refusals[i], b->arena, 4096);
		array_begin(refusals[i]);
	}
}

static void end(struct import_batch *b)
{
	for (int i = 0; i < STAGE_COLUMNS; i++) {
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

void import_batch_fill(struct import_batch *b, struct needs_reader *reader,
		       const struct needs_regions *regions, struct needs_seen *seen,
		       const struct vault *vault)
{
	struct needs_row row;
	struct needs_entry entry;
	enum needs_column field;
	begin(b);
	for (int n = 0; n < BATCH_ROWS && !b->ended && !b->refused_whole; n++) {
		enum needs_next next = needs_reader_next(reader, &row, &b->trouble);
		b->ended = next == NEEDS_END;
		b->refused_whole = next == NEEDS_REFUSED;
		if (next != NEEDS_ROW)
			break;
		enum needs_code code = needs_check(&row, regions, seen, &entry, &field);
		if (code == NEEDS_ACCEPTED)
			stage(b, row.number, &entry, vault);
		else
			refuse(b, row.number, code, field);
		b->checked++;
	}
	b->failed = needs_seen_failed(seen); /* a duplicate may have slipped through */
	end(b);
}
