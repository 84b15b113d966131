/* SPDX-License-Identifier: Apache-2.0
 * What an import of needs has of its own. Invariant: identities are sealed here; nothing behind this file
 * sees them in clear. */
#include "service/needs/needs_check.h"
#include "workers/array_text.h"
#include "workers/import_batch.h"
#include <stdlib.h>

struct known {
	struct needs_region *regions;
	struct needs_regions checked_against;
	struct needs_seen *seen;
};

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
	C_BORN,
	C_COLUMNS
};
_Static_assert((int)C_COLUMNS <= (int)STAGE_MOST, "a column a parameter");

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

static void lay_out(struct buffer *c, uint32_t number, const struct needs_entry *e, const struct vault *vault)
{
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
}

static void forget(void *own)
{
	struct known *k = own;
	needs_seen_free(&k->seen);
	free(k->regions);
	free(k);
}

/* Columns of import_regions: code, place. */
static void *learn(const struct db_rows *rows, int32_t low, int32_t high)
{
	struct known *k = calloc(1, sizeof *k);
	size_t count = (size_t)db_row_count(rows);
	if (!k)
		return NULL;
	k->seen = needs_seen_new();
	k->regions = calloc(count + 1, sizeof *k->regions);
	if (!k->seen || !k->regions) {
		forget(k);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		k->regions[i] = (struct needs_region){ (int32_t)db_get_int(rows, (int)i, 0),
						       (int32_t)db_get_int(rows, (int)i, 1) };
	k->checked_against = (struct needs_regions){ k->regions, count, low, high };
	return k;
}

static int check(struct buffer *column, const struct needs_row *row, void *own, const struct vault *vault,
		 int *field)
{
	struct known *k = own;
	struct needs_entry entry;
	enum needs_column at;
	enum needs_code code = needs_check(row, &k->checked_against, k->seen, &entry, &at);
	*field = (int)at;
	if (code == NEEDS_ACCEPTED)
		lay_out(column, row->number, &entry, vault);
	return (int)code;
}

static bool failed(const void *own)
{
	return needs_seen_failed(
		((const struct known *)own)->seen); /* a duplicate may have slipped through */
}

static const struct import_kind needs_import = {
	.table = &needs_table,
	.payload = "import",
	.begin = SQL_import_begin,
	.known = SQL_import_regions,
	.stage = SQL_import_stage,
	.refuse = SQL_import_refuse,
	.settle = SQL_import_settle,
	.enter = SQL_import_register,
	.stop = SQL_import_stop,
	.columns = C_COLUMNS,
	.learn = learn,
	.forget = forget,
	.check = check,
	.failed = failed,
};

void import_start(struct job *job)
{
	import_run(job, &needs_import);
}
