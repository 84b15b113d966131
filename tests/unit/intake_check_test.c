/* SPDX-License-Identifier: Apache-2.0
 * Rows of devices: each code for its reason, the first that applies, and what is made of a good row. And that
 * the reader of needs files reads another table: columns that may be missing, and its own words. */
#include "needs_help.h"
#include "service/intake/intake_check.h"
#include "unit.h"

static struct intake_model models[] = { { "cane", false },
					{ "wheelchair.a", false },
					{ "wheelchair.old", true } };

static struct intake_known known(void)
{
	return (struct intake_known){ .models = models, .count = 3, .today = "2026-11-22" };
}

struct judged {
	enum intake_code code;
	enum intake_column field;
	struct intake_entry entry;
};

/* A good row but for one cell. */
static struct judged judge(enum intake_column column, const char *text)
{
	struct needs_row row = { .number = 1 };
	struct intake_known k = known();
	struct judged j;
	for (int i = 0; i < INTAKE_COLUMNS; i++)
		row.cell[i] = slice_of("");
	row.cell[INTAKE_MODEL] = slice_of("wheelchair.a");
	row.cell[column] = slice_of(text);
	j.code = intake_check(&row, &k, &j.entry, &j.field);
	return j;
}

static void is(enum intake_column column, const char *text, enum intake_code wanted)
{
	struct judged j = judge(column, text);
	if (j.code != wanted)
		fail_msg("%s '%s': %s, not %s", intake_table.columns[column], text,
			 intake_table.codes[j.code], intake_table.codes[wanted]);
	assert_int_equal(j.field, wanted == INTAKE_ACCEPTED ? INTAKE_COLUMNS : column);
}

static void each_code_for_its_reason(void **state)
{
	(void)state;
	is(INTAKE_MODEL, "", INTAKE_REQUIRED_MISSING);
	is(INTAKE_MODEL, "CANE", INTAKE_ACCEPTED);
	is(INTAKE_MODEL, "can", INTAKE_MODEL_UNKNOWN);
	is(INTAKE_MODEL, "zzz", INTAKE_MODEL_UNKNOWN);
	is(INTAKE_MODEL, "a123456789012345678901234567890123456789012345678", INTAKE_MODEL_UNKNOWN);
	is(INTAKE_MODEL, "wheelchair.old", INTAKE_MODEL_RETIRED);
	is(INTAKE_QUANTITY, "1000", INTAKE_ACCEPTED);
	is(INTAKE_QUANTITY, "1001", INTAKE_QUANTITY_INVALID);
	is(INTAKE_QUANTITY, "0", INTAKE_QUANTITY_INVALID);
	is(INTAKE_QUANTITY, "-1", INTAKE_QUANTITY_INVALID);
	is(INTAKE_QUANTITY, "99999999999999999999", INTAKE_QUANTITY_INVALID);
	is(INTAKE_SOURCE, "捐赠", INTAKE_ACCEPTED);
	is(INTAKE_SOURCE, "购买", INTAKE_ACCEPTED);
	is(INTAKE_SOURCE, "其他", INTAKE_SOURCE_INVALID);
	is(INTAKE_DONOR, "李", INTAKE_DONOR_NOT_WANTED);
	is(INTAKE_ACQUIRED, "2026-11-22", INTAKE_ACCEPTED);
	is(INTAKE_ACQUIRED, "2026-11-23", INTAKE_DATE_INVALID);
	is(INTAKE_ACQUIRED, "2026-02-30", INTAKE_DATE_INVALID);
	is(INTAKE_WARRANTY, "2026-11-22", INTAKE_ACCEPTED);
	is(INTAKE_WARRANTY, "2026-11-21", INTAKE_DATE_INVALID);
	is(INTAKE_WARRANTY, "三年", INTAKE_DATE_INVALID);
	is(INTAKE_PRICE, "面议", INTAKE_PRICE_INVALID);
	is(INTAKE_CODE, "A-1._", INTAKE_ACCEPTED);
	is(INTAKE_CODE, "A", INTAKE_CODE_INVALID);
	is(INTAKE_CODE, "甲乙丙", INTAKE_CODE_INVALID);
	is(INTAKE_CODE, "123456789012345", INTAKE_ACCEPTED);
	is(INTAKE_CODE, "1234567890123456", INTAKE_CODE_INVALID);
	is(INTAKE_CODE, "A1234567890123456789012345678901234567890123456789012345678901234",
	   INTAKE_CODE_INVALID);
	is(INTAKE_SHELF, "架架架架架架架架架架架架架架架架架架架架架架架架架架架架架架架架", INTAKE_ACCEPTED);
	is(INTAKE_SERIAL, "12345678901234567890123456789012345678901234567890123456789012345",
	   INTAKE_TEXT_TOO_LONG);
}

static void what_is_made_of_a_row(void **state)
{
	(void)state;
	struct judged j = judge(INTAKE_MODEL, "WheelChair.A");
	assert_string_equal(j.entry.model, "wheelchair.a");
	assert_string_equal(j.entry.acquired, "2026-11-22");
	assert_string_equal(j.entry.warranty, "");
	assert_int_equal(j.entry.quantity, 1);
	assert_int_equal(j.entry.price, -1);
	assert_false(j.entry.donated);
	j = judge(INTAKE_ACQUIRED, "2024/3/1");
	assert_string_equal(j.entry.acquired, "2024-03-01");
}

static void many_are_of_what_has_no_name(void **state)
{
	(void)state;
	static const enum intake_column named[] = { INTAKE_SERIAL, INTAKE_CODE };
	struct needs_row row = { .number = 1 };
	struct intake_entry entry;
	enum intake_column field;
	for (int n = 0; n < 2; n++) {
		struct intake_known k = known();
		for (int i = 0; i < INTAKE_COLUMNS; i++)
			row.cell[i] = slice_of("");
		row.cell[INTAKE_MODEL] = slice_of("cane");
		row.cell[INTAKE_QUANTITY] = slice_of("2");
		assert_int_equal(intake_check(&row, &k, &entry, &field), INTAKE_ACCEPTED);
		assert_int_equal(k.items, 2);
		row.cell[named[n]] = slice_of("X-1");
		assert_int_equal(intake_check(&row, &k, &entry, &field), INTAKE_QUANTITY_INVALID);
		row.cell[named[n]] = slice_of("");
		k.items = INTAKE_ITEMS_MOST - 2;
		assert_int_equal(intake_check(&row, &k, &entry, &field), INTAKE_ACCEPTED);
		assert_int_equal(intake_check(&row, &k, &entry, &field), INTAKE_TOO_MANY);
	}
}

static void no_model_at_all(void **state)
{
	(void)state;
	struct needs_row row = { .number = 1 };
	struct intake_known k = { 0 };
	struct intake_entry entry;
	enum intake_column field;
	for (int i = 0; i < INTAKE_COLUMNS; i++)
		row.cell[i] = slice_of("");
	row.cell[INTAKE_MODEL] = slice_of("cane");
	assert_int_equal(intake_check(&row, &k, &entry, &field), INTAKE_MODEL_UNKNOWN);
}

static void prices(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t price; /* -1: none */
	} all[] = { { "0", 0 },
		    { "1280", 128000 },
		    { "1280.5", 128050 },
		    { "1,280.05", 128005 },
		    { "¥12", 1200 },
		    { "￥1,234,567.89", 123456789 },
		    { "1000000000", 100000000000 },
		    { "1000000001", -1 },
		    { "99999999999999999999", -1 },
		    { "", -1 },
		    { ".", -1 },
		    { ".5", -1 },
		    { "5.", -1 },
		    { "1.234", -1 },
		    { "12,34", -1 },
		    { "1234,567", -1 },
		    { ",123", -1 },
		    { "1,", -1 },
		    { "1,,000", -1 },
		    { "-1", -1 },
		    { "+1", -1 },
		    { "1e3", -1 },
		    { "¥", -1 },
		    { "12元", -1 } };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		int64_t price = -1;
		bool parsed = intake_price_parse(slice_of(all[i].text), &price);
		if (parsed != (all[i].price >= 0) || (parsed && price != all[i].price))
			fail_msg("'%s': %lld", all[i].text, (long long)price);
	}
}

/* Every code has a name and an explanation of its own. */
static void codes_are_told_apart(void **state)
{
	(void)state;
	for (int i = 0; i < intake_table.code_count; i++) {
		assert_non_null(intake_table.codes[i]);
		assert_true(strlen(intake_table.explanations[i]) > 3);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(intake_table.codes[i], intake_table.codes[j]);
	}
}

static enum needs_next read_one(const char *text, struct needs_row *row, struct needs_problem *problem,
				struct needs_reader **reader)
{
	static struct help_memory memory;
	struct needs_limits limits = needs_limits_default();
	memory = help_memory_of(slice_of(text));
	struct needs_source source = help_source(&memory);
	*reader = needs_reader_open(&source, &intake_table, &limits, problem);
	return *reader ? needs_reader_next(*reader, row, problem) : NEEDS_REFUSED;
}

static void the_reader_takes_the_table(void **state)
{
	(void)state;
	struct needs_row row = { 0 };
	struct needs_problem problem;
	struct needs_reader *reader;
	assert_int_equal(read_one("备注,型号编码,错误代码\n展厅,cane,x\n", &row, &problem, &reader),
			 NEEDS_ROW);
	assert_true(slice_is(row.cell[INTAKE_MODEL], "cane") && slice_is(row.cell[INTAKE_NOTE], "展厅"));
	for (int i = 1; i < INTAKE_NOTE; i++)
		assert_int_equal(row.cell[i].len, 0);
	needs_reader_close(&reader);
	assert_int_equal(read_one("备注,序列号\na,b\n", &row, &problem, &reader), NEEDS_REFUSED);
	assert_string_equal(problem.code, "column_missing");
	assert_string_equal(problem.column, "型号编码");
	assert_int_equal(read_one("型号编码,户编号\na,b\n", &row, &problem, &reader), NEEDS_REFUSED);
	assert_string_equal(problem.code, "column_unknown");
	assert_non_null(strstr(problem.detail, "a file of devices"));
	assert_int_equal(read_one("姓名,户编号\na,b\n", &row, &problem, &reader), NEEDS_REFUSED);
	assert_string_equal(problem.code, "header_missing");
	assert_int_equal(read_one("型号编码,备注\n\"a\001\",b\n", &row, &problem, &reader), NEEDS_REFUSED);
	assert_string_equal(problem.code, "cell_control");
	assert_string_equal(problem.column, "型号编码");
	needs_reader_close(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_for_its_reason),
		cmocka_unit_test(what_is_made_of_a_row),
		cmocka_unit_test(many_are_of_what_has_no_name),
		cmocka_unit_test(no_model_at_all),
		cmocka_unit_test(prices),
		cmocka_unit_test(codes_are_told_apart),
		cmocka_unit_test(the_reader_takes_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
