/* SPDX-License-Identifier: Apache-2.0
 * The three sample files, through reader and check, must give every figure of their *.expected.json.
 * They lie outside the tree (TANTU_SHARED, else ../shared); without them the tests are skipped. */
#include "needs_help.h"
#include "service/needs/needs_check.h"
#include "unit.h"
#include <jansson.h>

enum { REGIONS = 2000, PEOPLE = 4000, TEXT = 64 };
enum eligibility { SEVERE_AND_POOR, POOR, ANY };

struct sample {
	const char *file;
	int32_t plan_low, plan_high;
	enum eligibility eligibility;
};
static const struct sample samples[] = {
	{ "tongxin.csv", 640324000, 640324999, SEVERE_AND_POOR },
	{ "yanbian.gbk.csv", 222400000, 222499999, POOR },
	{ "daqing.xlsx", 230600000, 230699999, ANY },
};

/* What the figures need of an accepted row. */
struct person {
	char household[TEXT];
	bool severe, poor;
	int retrofit, devices;
};

struct figures {
	int64_t rows, rejected_by_code[NEEDS_CODES];
	int64_t households, with_retrofit, eligible, with_device, devices;
	size_t people;
	struct person person[PEOPLE];
};

static char *shared_path(const char *name, char *out, size_t size)
{
	const char *shared = getenv("TANTU_SHARED");
	if (shared)
		snprintf(out, size, "%s/data/needs/%s", shared, name);
	else
		snprintf(out, size, "%s/../shared/data/needs/%s", TANTU_SOURCE_DIR, name);
	return out;
}

static int region_order(const void *a, const void *b)
{
	int32_t x = ((const struct needs_region *)a)->code_number,
		y = ((const struct needs_region *)b)->code_number;
	return (x > y) - (x < y);
}

/* Those of db/data/regions.csv, and two old codes with where they are now. */
static size_t regions_load(struct needs_region *items)
{
	char path[512], line[512], code[16];
	size_t count = 0;
	snprintf(path, sizeof path, "%s/db/data/regions.csv", TANTU_SOURCE_DIR);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) && count < REGIONS - 2) {
		if (sscanf(line, "%15[0-9],", code) != 1)
			continue;
		int32_t number = (int32_t)atol(code) * (strlen(code) == 6 ? 1000 : 1);
		items[count++] = (struct needs_region){ number, number };
	}
	fclose(file);
	items[count++] = (struct needs_region){ 630122000, 630106000 };
	items[count++] = (struct needs_region){ 632321000, 632301000 };
	qsort(items, count, sizeof *items, region_order);
	return count;
}

static bool is_hardship(struct slice status)
{
	return slice_is(status, "低保") || slice_is(status, "低保边缘") || slice_is(status, "特困") ||
	       slice_is(status, "防返贫监测");
}

static void person_add(struct figures *figures, const struct needs_entry *entry)
{
	struct person *person = &figures->person[figures->people++];
	assert_true(figures->people <= PEOPLE && entry->household.len < TEXT);
	memcpy(person->household, entry->household.at, entry->household.len);
	person->severe = entry->level <= 2;
	person->poor = is_hardship(entry->hardship);
	person->retrofit = entry->retrofit_count;
	person->devices = entry->device_count;
	figures->with_device += entry->device_count > 0;
	figures->devices += entry->device_count;
}

static int household_order(const void *a, const void *b)
{
	return strcmp(((const struct person *)a)->household, ((const struct person *)b)->household);
}

/* A household is its accepted members: severe, poor and in need when any of them is. */
static void households_count(struct figures *figures, enum eligibility eligibility)
{
	qsort(figures->person, figures->people, sizeof *figures->person, household_order);
	for (size_t i = 0; i < figures->people;) {
		const struct person *first = &figures->person[i];
		bool severe = false, poor = false, retrofit = false;
		for (; i < figures->people && household_order(first, &figures->person[i]) == 0; i++) {
			severe |= figures->person[i].severe;
			poor |= figures->person[i].poor;
			retrofit |= figures->person[i].retrofit > 0;
		}
		bool meets = eligibility == ANY || (poor && (severe || eligibility == POOR));
		figures->households++;
		figures->with_retrofit += retrofit;
		figures->eligible += retrofit && meets;
	}
}

static void sample_run(struct needs_reader *reader, const struct needs_regions *regions,
		       struct figures *figures)
{
	struct needs_seen *seen = needs_seen_new();
	struct needs_problem problem;
	struct needs_row row;
	enum needs_next next;
	while ((next = needs_reader_next(reader, &row, &problem)) == NEEDS_ROW) {
		struct needs_entry entry;
		enum needs_column field;
		enum needs_code code = needs_check(&row, regions, seen, &entry, &field);
		figures->rows++;
		figures->rejected_by_code[code]++;
		if (code == NEEDS_ACCEPTED)
			person_add(figures, &entry);
	}
	assert_int_equal(next, NEEDS_END);
	assert_false(needs_seen_failed(seen));
	needs_seen_free(&seen);
}

static void figure_is(const json_t *expected, const char *name, int64_t value)
{
	const json_t *figure = json_object_get(expected, name);
	if (!json_is_integer(figure) || json_integer_value(figure) != value)
		fail_msg("%s: %lld, not %lld", name, (long long)value, (long long)json_integer_value(figure));
}

static void figures_are(const struct figures *figures, const json_t *expected)
{
	const json_t *codes = json_object_get(expected, "rejected_by_code");
	size_t codes_found = 0;
	for (int i = NEEDS_ACCEPTED + 1; i < NEEDS_CODES; i++) {
		if (figures->rejected_by_code[i] > 0 || json_object_get(codes, needs_code_names[i])) {
			figure_is(codes, needs_code_names[i], figures->rejected_by_code[i]);
			codes_found++;
		}
	}
	assert_int_equal(json_object_size(codes), codes_found);
	figure_is(expected, "rows", figures->rows);
	figure_is(expected, "accepted", (int64_t)figures->people);
	figure_is(expected, "rejected", figures->rows - (int64_t)figures->people);
	figure_is(expected, "persons", (int64_t)figures->people);
	figure_is(expected, "households", figures->households);
	figure_is(expected, "households_with_retrofit_need", figures->with_retrofit);
	figure_is(expected, "eligible_households", figures->eligible);
	figure_is(expected, "persons_with_device_need", figures->with_device);
	figure_is(expected, "device_needs", figures->devices);
	assert_int_equal(json_object_size(expected), 11); /* and the plan's code: every field was looked at */
}

static void sample_gives_its_figures(void **state)
{
	static struct needs_region items[REGIONS];
	const struct sample *sample = *state;
	char path[512], name[128];
	struct slice bytes = help_slurp(shared_path(sample->file, path, sizeof path));
	if (!bytes.at) {
		print_message("no %s: skipped\n", path);
		skip();
	}
	snprintf(name, sizeof name, "%s.expected.json", sample->file);
	json_t *expected = json_load_file(shared_path(name, path, sizeof path), 0, NULL);
	assert_non_null(expected);
	struct needs_regions regions = { items, regions_load(items), sample->plan_low, sample->plan_high };
	struct help_memory memory = help_memory_of(bytes);
	struct needs_source source = help_source(&memory);
	struct needs_limits limits = needs_limits_default();
	struct needs_problem problem;
	struct figures *figures = test_calloc(1, sizeof *figures);
	struct needs_reader *reader = needs_reader_open(&source, &needs_table, &limits, &problem);
	assert_non_null(reader);
	sample_run(reader, &regions, figures);
	households_count(figures, sample->eligibility);
	figures_are(figures, expected);
	needs_reader_close(&reader);
	test_free(figures);
	json_decref(expected);
	free((char *)(uintptr_t)bytes.at);
}

int main(void)
{
#define SAMPLE(i)                                                                                     \
	{                                                                                             \
		samples[i].file, sample_gives_its_figures, NULL, NULL, (void *)(uintptr_t)&samples[i] \
	}
	const struct CMUnitTest tests[] = { SAMPLE(0), SAMPLE(1), SAMPLE(2) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
