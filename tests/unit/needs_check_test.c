/* SPDX-License-Identifier: Apache-2.0
 * The row rules: every code, their order, and what an accepted row is taken apart into. All people invented.
 */
#include "service/needs/needs_check.h"
#include "service/needs/needs_date.h"
#include "unit.h"
#include <stdio.h>

/* A region that never was, so nobody's; with its check digit. Limb (4), first level (1). */
#define ID "990101199003070015"
#define CERT ID "41"

static const struct needs_region region_items[] = {
	{ 222404000, 222404000 }, { 630122000, 630106000 }, { 640324000, 640324000 }, { 640324201, 640324201 }
};
static const struct needs_regions regions = { region_items, 4, 640324000, 640324999 };

struct fixture {
	struct needs_row row;
	struct needs_seen *seen;
	struct needs_entry entry;
	enum needs_column field;
};

static void cell_set(struct fixture *f, enum needs_column column, const char *text)
{
	f->row.cell[column] = slice_of(text);
}

/* A row that every rule lets through. */
static void row_reset(struct fixture *f)
{
	for (int i = 0; i < NEEDS_COLUMNS; i++)
		cell_set(f, (enum needs_column)i, "");
	cell_set(f, NEEDS_NAME, "某人");
	cell_set(f, NEEDS_CERTIFICATE, CERT);
	cell_set(f, NEEDS_CATEGORY, "肢体");
	cell_set(f, NEEDS_LEVEL, "一级");
	cell_set(f, NEEDS_HOUSEHOLD, "H1");
	cell_set(f, NEEDS_REGION, "640324201");
	cell_set(f, NEEDS_RETROFIT, "扶手");
}

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof *f);
	f->seen = needs_seen_new();
	assert_non_null(f->seen);
	row_reset(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	assert_false(needs_seen_failed(f->seen));
	needs_seen_free(&f->seen);
	assert_null(f->seen);
	test_free(f);
	return 0;
}

static enum needs_code check(struct fixture *f)
{
	return needs_check(&f->row, &regions, f->seen, &f->entry, &f->field);
}

static void accepts(struct fixture *f)
{
	enum needs_code code = check(f);
	if (code != NEEDS_ACCEPTED)
		fail_msg("refused: %s", needs_code_names[code]);
	assert_int_equal(f->field, NEEDS_COLUMNS);
}

static void refuses(struct fixture *f, enum needs_code expected, enum needs_column field)
{
	enum needs_code code = check(f);
	if (code != expected)
		fail_msg("%s, not %s", needs_code_names[code], needs_code_names[expected]);
	assert_int_equal(f->field, field);
}

/* With this text in this column the row is refused; everything else is as it should be. */
static void refuses_with(struct fixture *f, enum needs_column column, const char *text, enum needs_code code)
{
	row_reset(f);
	cell_set(f, column, text);
	refuses(f, code, column);
}

static void accepts_with(struct fixture *f, enum needs_column column, const char *text)
{
	row_reset(f);
	needs_seen_free(&f->seen);
	f->seen = needs_seen_new();
	cell_set(f, column, text);
	accepts(f);
}

/* --- the codes --- */

static void good_row_is_accepted(void **state)
{
	struct fixture *f = *state;
	accepts(f);
	assert_true(slice_is(f->entry.name, "某人"));
	assert_true(slice_is(f->entry.certificate, CERT));
	assert_true(slice_is(f->entry.citizen_id, ID));
	assert_int_equal(f->entry.category, 4);
	assert_int_equal(f->entry.level, 1);
	assert_int_equal(f->entry.place, 640324201);
	assert_int_equal(f->entry.retrofit_count, 1);
	assert_int_equal(f->entry.device_count, 0);
	assert_int_equal(f->entry.registered.len, 0);
	assert_false(f->entry.has_location);
}

static void required_missing(void **state)
{
	static const enum needs_column required[] = { NEEDS_NAME, NEEDS_CERTIFICATE, NEEDS_HOUSEHOLD,
						      NEEDS_REGION };
	static const enum needs_column optional[] = { NEEDS_SEQUENCE, NEEDS_SEX, NEEDS_PHONE, NEEDS_ADDRESS };
	struct fixture *f = *state;
	for (size_t i = 0; i < 4; i++)
		refuses_with(f, required[i], "", NEEDS_REQUIRED_MISSING);
	for (size_t i = 0; i < 4; i++)
		accepts_with(f, optional[i], "");
}

static void blank_row_misses_its_name(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < NEEDS_COLUMNS; i++)
		f->row.cell[i] = (struct slice){ NULL, 0 };
	refuses(f, NEEDS_REQUIRED_MISSING, NEEDS_NAME);
}

static void cert_format(void **state)
{
	static const char *const bad[] = { ID,
					   "无证",
					   ID "4",
					   ID "411",
					   ID "41B",
					   ID "41B12",
					   ID "41C1",
					   ID "41b1",
					   ID "41BX",
					   ID "81",
					   ID "01",
					   ID "40",
					   ID "45",
					   "99O101199003070012"
					   "41",
					   "X90101199003070012"
					   "41",
					   "99010119900307001A41",
					   "99010119900307001x",
					   "９９0101199003070012" };
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuses_with(f, NEEDS_CERTIFICATE, bad[i], NEEDS_CERT_FORMAT);
	accepts_with(f, NEEDS_CERTIFICATE, CERT "B0");
	assert_true(slice_is(f->entry.certificate, CERT "B0"));
	assert_true(slice_is(f->entry.citizen_id, ID));
}

static void cert_check_digit(void **state)
{
	struct fixture *f = *state;
	for (char c = '0'; c <= '9'; c++) {
		char cert[] = CERT;
		cert[17] = c;
		if (c != ID[17])
			refuses_with(f, NEEDS_CERTIFICATE, cert, NEEDS_CERT_CHECK_DIGIT);
	}
	refuses_with(f, NEEDS_CERTIFICATE, "99010119900307001X41", NEEDS_CERT_CHECK_DIGIT);
}

static void lower_x_is_folded(void **state)
{
	struct fixture *f = *state;
	accepts_with(f, NEEDS_CERTIFICATE, "99010119900307004x41");
	assert_true(slice_is(f->entry.certificate, "99010119900307004X41"));
	cell_set(f, NEEDS_CERTIFICATE, "99010119900307004X41");
	refuses(f, NEEDS_DUPLICATE_IN_FILE, NEEDS_CERTIFICATE);
}

static void finds_the_day_of_birth_in_a_citizen_id(void **state)
{
	(void)state;
	assert_true(slice_is(citizen_id_birth(SLICE("99010119900307004X")), "19900307"));
	assert_true(slice_is(citizen_id_birth(SLICE("990101199O0307004X")), ""));
	assert_true(slice_is(citizen_id_birth(SLICE("99010119900307004")), ""));
	assert_true(slice_is(citizen_id_birth((struct slice){ NULL, 0 }), ""));
}

static void check_digits_hold_or_not(void **state)
{
	(void)state;
	assert_true(citizen_id_check_digit_holds(SLICE(ID)));
	assert_true(citizen_id_check_digit_holds(SLICE("99010119900307004X")));
	assert_true(citizen_id_check_digit_holds(SLICE("99010119900307004x")));
	assert_false(citizen_id_check_digit_holds(SLICE("990101199003070041")));
	assert_false(citizen_id_check_digit_holds(SLICE("99010119900307001")));
	assert_false(citizen_id_check_digit_holds(SLICE(ID "1")));
	assert_false(citizen_id_check_digit_holds(SLICE("9901O1199003070012")));
	assert_false(citizen_id_check_digit_holds(SLICE("")));
}

static void category_mismatch(void **state)
{
	static const char *const names[] = { "视力", "听力", "言语", "肢体", "智力", "精神", "多重" };
	struct fixture *f = *state;
	for (int i = 0; i < 7; i++) {
		char cert[] = CERT;
		if (i != 3)
			refuses_with(f, NEEDS_CATEGORY, names[i], NEEDS_CATEGORY_MISMATCH);
		cert[18] = (char)('1' + i);
		row_reset(f);
		cell_set(f, NEEDS_CATEGORY, names[i]);
		accepts_with(f, NEEDS_CERTIFICATE, CERT);
		cell_set(f, NEEDS_CERTIFICATE, cert);
		cell_set(f, NEEDS_CATEGORY, names[i]);
		needs_seen_free(&f->seen);
		f->seen = needs_seen_new();
		accepts(f);
		assert_int_equal(f->entry.category, i + 1);
	}
	refuses_with(f, NEEDS_CATEGORY, "", NEEDS_CATEGORY_MISMATCH);
	refuses_with(f, NEEDS_CATEGORY, "肢", NEEDS_CATEGORY_MISMATCH);
}

static void level_mismatch(void **state)
{
	static const char *const names[] = { "一级", "二级", "三级", "四级" };
	struct fixture *f = *state;
	for (int i = 1; i < 4; i++)
		refuses_with(f, NEEDS_LEVEL, names[i], NEEDS_LEVEL_MISMATCH);
	refuses_with(f, NEEDS_LEVEL, "", NEEDS_LEVEL_MISMATCH);
	refuses_with(f, NEEDS_LEVEL, "五级", NEEDS_LEVEL_MISMATCH);
	row_reset(f);
	cell_set(f, NEEDS_CERTIFICATE, ID "44");
	cell_set(f, NEEDS_LEVEL, "四级");
	accepts(f);
	assert_int_equal(f->entry.level, 4);
}

static void region_unknown(void **state)
{
	static const char *const bad[] = { "999999999",    "640399", "64032", "6403242011",
					   "640324201001", "同心县", "0",     "000000" };
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuses_with(f, NEEDS_REGION, bad[i], NEEDS_REGION_UNKNOWN);
}

static void region_unknown_when_there_are_none(void **state)
{
	struct fixture *f = *state;
	static const struct needs_regions none = { NULL, 0, 0, INT32_MAX };
	assert_int_equal(needs_check(&f->row, &none, f->seen, &f->entry, &f->field), NEEDS_REGION_UNKNOWN);
}

static void region_outside_plan(void **state)
{
	struct fixture *f = *state;
	refuses_with(f, NEEDS_REGION, "222404", NEEDS_REGION_OUTSIDE_PLAN);
	refuses_with(f, NEEDS_REGION, "630122", NEEDS_REGION_OUTSIDE_PLAN);
	accepts_with(f, NEEDS_REGION, "640324");
	assert_int_equal(f->entry.place, 640324000);
}

static void old_region_code_resolves(void **state)
{
	struct fixture *f = *state;
	static const struct needs_regions qinghai = { region_items, 4, 630000000, 639999999 };
	cell_set(f, NEEDS_REGION, "630122");
	assert_int_equal(needs_check(&f->row, &qinghai, f->seen, &f->entry, &f->field), NEEDS_ACCEPTED);
	assert_int_equal(f->entry.place, 630106000);
}

static void phone_invalid(void **state)
{
	static const char *const bad[] = { "12345",           "99999999999",   "1380013800a",
					   "138001380001",    "12800138000",   "0953",
					   "0953-12345",      "0053-2234567",  "09531-2234567",
					   "0953-1234567890", "0953--2234567", "2234567" };
	static const char *const good[] = { "",
					    "13800138000",
					    "19912345678",
					    "0953-1234567",
					    "010-62345678",
					    "01062345678",
					    "09532234567",
					    "0431-82345678" };
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuses_with(f, NEEDS_PHONE, bad[i], NEEDS_PHONE_INVALID);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		accepts_with(f, NEEDS_PHONE, good[i]);
}

static void date_invalid(void **state)
{
	static const char *const bad[] = { "20230",       "明年",        "2024/13/01", "2023-02-30",
					   "2023-02-29",  "1900-02-29",  "2023-04-31", "2023-00-10",
					   "2023-01-00",  "2023-01-32",  "2023/01-02", "2023-01-02 ",
					   "23-01-02",    "2023-01",     "2023-1-",    "0000-01-01",
					   "2023-001-01", "2023年1月2日" };
	static const char *const good[][2] = { { "2023-03-26", "2023-03-26" },
					       { "2023/3/6", "2023-03-06" },
					       { "2023-3-6", "2023-03-06" },
					       { "2024-02-29", "2024-02-29" },
					       { "2000/2/29", "2000-02-29" },
					       { "2099-12-31", "2099-12-31" },
					       { "", "" } };
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuses_with(f, NEEDS_REGISTERED, bad[i], NEEDS_DATE_INVALID);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		accepts_with(f, NEEDS_REGISTERED, good[i][0]);
		assert_true(slice_is(f->entry.registered, good[i][1]));
	}
}

static void needs_empty(void **state)
{
	struct fixture *f = *state;
	refuses_with(f, NEEDS_RETROFIT, "", NEEDS_NEEDS_EMPTY);
	refuses_with(f, NEEDS_RETROFIT, " ; ；;", NEEDS_NEEDS_EMPTY);
	row_reset(f);
	cell_set(f, NEEDS_RETROFIT, "");
	cell_set(f, NEEDS_DEVICES, "拐杖");
	accepts(f);
	assert_int_equal(f->entry.retrofit_count, 0);
	assert_int_equal(f->entry.device_count, 1);
}

static void lists_are_split(void **state)
{
	struct fixture *f = *state;
	cell_set(f, NEEDS_RETROFIT, "扶手; 坡道；扶手;;\xE3\x80\x80门加宽 ;");
	cell_set(f, NEEDS_DEVICES, "拐杖、助行器;扶手");
	cell_set(f, NEEDS_TRAITS, "一户多残;老残一体");
	accepts(f);
	assert_int_equal(f->entry.retrofit_count, 3);
	assert_true(slice_is(f->entry.retrofit[0], "扶手"));
	assert_true(slice_is(f->entry.retrofit[1], "坡道"));
	assert_true(slice_is(f->entry.retrofit[2], "门加宽"));
	assert_int_equal(f->entry.device_count, 2);
	assert_true(slice_is(f->entry.devices[0], "拐杖、助行器")); /* only ; and ； divide */
	assert_int_equal(f->entry.trait_count, 2);
}

/* No item is dropped in silence. */
static void lists_too_long_are_refused(void **state)
{
	static const enum needs_column lists[] = { NEEDS_TRAITS, NEEDS_RETROFIT, NEEDS_DEVICES };
	struct fixture *f = *state;
	char list[512];
	size_t len = 0;
	for (int i = 0; i < NEEDS_LIST_MAX; i++)
		len += (size_t)snprintf(list + len, sizeof list - len, "item%d;", i);
	accepts_with(f, NEEDS_RETROFIT, list);
	assert_int_equal(f->entry.retrofit_count, NEEDS_LIST_MAX);
	snprintf(list + len, sizeof list - len, "one more");
	for (int i = 0; i < 3; i++)
		refuses_with(f, lists[i], list, NEEDS_NEEDS_EMPTY);
}

static void duplicate_in_file(void **state)
{
	struct fixture *f = *state;
	accepts(f);
	refuses(f, NEEDS_DUPLICATE_IN_FILE, NEEDS_CERTIFICATE);
	cell_set(f, NEEDS_CERTIFICATE, ID "42B3"); /* another level, the same person */
	cell_set(f, NEEDS_LEVEL, "二级");
	refuses(f, NEEDS_DUPLICATE_IN_FILE, NEEDS_CERTIFICATE);
}

static void refused_row_is_not_remembered(void **state)
{
	struct fixture *f = *state;
	cell_set(f, NEEDS_PHONE, "12345");
	refuses(f, NEEDS_PHONE_INVALID, NEEDS_PHONE);
	cell_set(f, NEEDS_PHONE, "");
	accepts(f);
}

/* The row breaks all rules; mending one after the other shows the codes in the order of the SPEC. */
static void codes_come_in_their_order(void **state)
{
	static const struct {
		enum needs_code code;
		enum needs_column column;
		const char *mended;
	} steps[] = { { NEEDS_REQUIRED_MISSING, NEEDS_NAME, "某人" },
		      { NEEDS_CERT_FORMAT, NEEDS_CERTIFICATE, "99010119900307001041" },
		      { NEEDS_CERT_CHECK_DIGIT, NEEDS_CERTIFICATE, CERT },
		      { NEEDS_CATEGORY_MISMATCH, NEEDS_CATEGORY, "肢体" },
		      { NEEDS_LEVEL_MISMATCH, NEEDS_LEVEL, "一级" },
		      { NEEDS_REGION_UNKNOWN, NEEDS_REGION, "222404" },
		      { NEEDS_REGION_OUTSIDE_PLAN, NEEDS_REGION, "640324" },
		      { NEEDS_PHONE_INVALID, NEEDS_PHONE, "" },
		      { NEEDS_DATE_INVALID, NEEDS_REGISTERED, "" },
		      { NEEDS_NEEDS_EMPTY, NEEDS_RETROFIT, "扶手" } };
	struct fixture *f = *state;
	accepts(f); /* so that the last code is there too */
	for (int i = 0; i < NEEDS_COLUMNS; i++)
		cell_set(f, (enum needs_column)i, i == NEEDS_NAME || i == NEEDS_RETROFIT ? "" : "x");
	cell_set(f, NEEDS_DEVICES, "");
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		refuses(f, steps[i].code, steps[i].column);
		cell_set(f, steps[i].column, steps[i].mended);
	}
	refuses(f, NEEDS_DUPLICATE_IN_FILE, NEEDS_CERTIFICATE);
}

static void location_needs_both_halves(void **state)
{
	static const struct {
		const char *longitude, *latitude;
		bool taken;
	} cases[] = { { "106.190156", "36.760507", true },
		      { "-180", "90", true },
		      { "106", "", false },
		      { "", "36", false },
		      { "181", "36", false },
		      { "106", "91", false },
		      { "1e2", "36", false },
		      { "nan", "36", false },
		      { "0x10", "36", false },
		      { "106.1.2", "36", false },
		      { "-", "36", false },
		      { "1-", "36", false },
		      { "111111111111111111111111", "36", false } };
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		accepts_with(f, NEEDS_LONGITUDE, cases[i].longitude);
		cell_set(f, NEEDS_LATITUDE, cases[i].latitude);
		needs_seen_free(&f->seen);
		f->seen = needs_seen_new();
		accepts(f);
		assert_int_equal(f->entry.has_location, cases[i].taken);
	}
	accepts_with(f, NEEDS_LONGITUDE, "");
}

/* Every code has a name of its own and an explanation. */
static void codes_are_named_and_explained(void **state)
{
	(void)state;
	for (int i = 0; i < NEEDS_CODES; i++) {
		assert_true(needs_code_names[i][0] && needs_code_explanations[i][0]);
		assert_true(slice_is_utf8(slice_of(needs_code_explanations[i])));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(needs_code_names[i], needs_code_names[j]);
	}
	assert_string_equal(needs_code_names[NEEDS_DUPLICATE_REGISTERED], "duplicate_registered");
}

/* Enough people for the table to grow several times. */
static void many_people_are_told_apart(void **state)
{
	struct fixture *f = *state;
	static const int weights[] = { 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2 };
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < 50000; i++) {
			char cert[24];
			int sum = 0;
			snprintf(cert, sizeof cert, "990101%08d%03d041", 19500101 + i / 1000, i % 1000);
			for (int j = 0; j < 17; j++)
				sum += weights[j] * (cert[j] - '0');
			cert[17] = "10X98765432"[sum % 11];
			cell_set(f, NEEDS_CERTIFICATE, cert);
			enum needs_code code = check(f);
			assert_int_equal(code, pass == 0 ? NEEDS_ACCEPTED : NEEDS_DUPLICATE_IN_FILE);
		}
	}
}

int main(void)
{
#define WITH_ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_ROW(good_row_is_accepted),
		WITH_ROW(required_missing),
		WITH_ROW(blank_row_misses_its_name),
		WITH_ROW(cert_format),
		WITH_ROW(cert_check_digit),
		WITH_ROW(lower_x_is_folded),
		WITH_ROW(check_digits_hold_or_not),
		cmocka_unit_test(finds_the_day_of_birth_in_a_citizen_id),
		WITH_ROW(category_mismatch),
		WITH_ROW(level_mismatch),
		WITH_ROW(region_unknown),
		WITH_ROW(region_unknown_when_there_are_none),
		WITH_ROW(region_outside_plan),
		WITH_ROW(old_region_code_resolves),
		WITH_ROW(phone_invalid),
		WITH_ROW(date_invalid),
		WITH_ROW(needs_empty),
		WITH_ROW(lists_are_split),
		WITH_ROW(lists_too_long_are_refused),
		WITH_ROW(duplicate_in_file),
		WITH_ROW(refused_row_is_not_remembered),
		WITH_ROW(codes_come_in_their_order),
		WITH_ROW(location_needs_both_halves),
		WITH_ROW(codes_are_named_and_explained),
		WITH_ROW(many_people_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
