/* SPDX-License-Identifier: Apache-2.0
 * Any twenty cells, divided by the byte 0x1F, through the row rules, twice.
 * Invariant checked: an accepted row has what the SPEC promises of it and is a duplicate the second time; a
 * refused one names a column and is refused with the same code again. */
#include "service/needs/needs_check.h"
#include "service/needs/needs_date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct needs_region region_items[] = {
	{ 222404000, 222404000 }, { 630122000, 630106000 }, { 640324000, 640324000 }, { 640324201, 640324201 }
};
static const struct needs_regions regions = { region_items, 4, 630000000, 640324999 };

static struct needs_row row_of(const uint8_t *data, size_t size)
{
	struct needs_row row = { .number = 1 };
	struct slice rest = { (const char *)data, size };
	for (int i = 0; i < NEEDS_COLUMNS; i++) {
		const char *end = rest.len > 0 ? memchr(rest.at, 0x1F, rest.len) : NULL;
		size_t len = end ? (size_t)(end - rest.at) : rest.len;
		row.cell[i] = (struct slice){ rest.at, len };
		rest.at += len + (end ? 1 : 0);
		rest.len -= len + (end ? 1 : 0);
	}
	return row;
}

static void list_check(const struct slice *items, int count)
{
	INVARIANT(count >= 0 && count <= NEEDS_LIST_MAX);
	for (int i = 0; i < count; i++)
		INVARIANT(items[i].len > 0 && !memchr(items[i].at, ';', items[i].len));
}

static void entry_check(const struct needs_entry *e)
{
	char day[NEEDS_DATE_BYTES];
	INVARIANT(e->name.len > 0 && e->household.len > 0);
	INVARIANT(e->certificate.len == 20 || e->certificate.len == 22);
	INVARIANT(e->citizen_id.len == 18 && citizen_id_check_digit_holds(e->citizen_id));
	INVARIANT(e->citizen_id.at[17] != 'x');
	INVARIANT(e->category >= 1 && e->category <= 7 && e->level >= 1 && e->level <= 4);
	INVARIANT(e->place >= regions.plan_low && e->place <= regions.plan_high);
	INVARIANT(e->registered.len == 0 || needs_date_parse(e->registered, day));
	INVARIANT(!e->has_location || (e->longitude >= -180 && e->longitude <= 180 && e->latitude <= 90));
	INVARIANT(e->retrofit_count + e->device_count > 0);
	list_check(e->traits, e->trait_count);
	list_check(e->retrofit, e->retrofit_count);
	list_check(e->devices, e->device_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct needs_row row = row_of(data, size);
	struct needs_seen *seen = needs_seen_new();
	struct needs_entry entry;
	enum needs_column field;
	enum needs_code code = needs_check(&row, &regions, seen, &entry, &field);
	if (code == NEEDS_ACCEPTED) {
		entry_check(&entry);
		INVARIANT(needs_check(&row, &regions, seen, &entry, &field) == NEEDS_DUPLICATE_IN_FILE);
	} else {
		INVARIANT(code < NEEDS_DUPLICATE_IN_FILE && field < NEEDS_COLUMNS);
		INVARIANT(needs_check(&row, &regions, seen, &entry, &field) == code);
	}
	needs_seen_free(&seen);
	return 0;
}
