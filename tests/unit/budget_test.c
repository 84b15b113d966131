/* SPDX-License-Identifier: Apache-2.0
 * Buckets empty, fill again, and are nobody else's. */
#include "api/budget.h"
#include "unit.h"
#include <stdlib.h>

#define SECOND UINT64_C(1000000000)

static int taken(struct budget *budget, uint64_t key, uint64_t now, int most)
{
	unsigned seconds;
	int n = 0;
	while (n < most && budget_take(budget, key, now, &seconds))
		n++;
	return n;
}

static void a_burst_and_then_the_rate(void **state)
{
	struct budget *budget = budget_new(10, 25);
	unsigned seconds = 0;
	(void)state;
	assert_int_equal(taken(budget, 7, 1, 100), 25);
	assert_false(budget_take(budget, 7, 1, &seconds));
	assert_int_equal(seconds, 1);
	assert_int_equal(taken(budget, 7, 1 + SECOND / 2, 100), 5);
	assert_int_equal(taken(budget, 7, 1 + SECOND, 100), 5);
	assert_int_equal(taken(budget, 7, 1 + 3600 * SECOND, 100), 25); /* never more than the burst */
	budget_free(&budget);
	assert_null(budget);
}

static void many_small_rests_add_up(void **state)
{
	struct budget *budget = budget_new(3, 1);
	int n = 0;
	(void)state;
	for (uint64_t now = SECOND; now <= 11 * SECOND; now += SECOND / 1000)
		n += taken(budget, 1, now, 100);
	assert_in_range(n, 30, 31);
	budget_free(&budget);
}

static void asking_takes_nothing(void **state)
{
	struct budget *budget = budget_new(1, 2);
	unsigned seconds;
	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(budget_has(budget, 5, SECOND, &seconds));
	assert_int_equal(taken(budget, 5, SECOND, 10), 2);
	assert_false(budget_has(budget, 5, SECOND, &seconds));
	budget_free(&budget);
}

static void one_key_is_not_another(void **state)
{
	struct budget *budget = budget_new(1, 3);
	(void)state;
	for (uint64_t key = 0; key < 5000; key++)
		assert_int_equal(taken(budget, key * UINT64_C(0x9e3779b97f4a7c15), SECOND, 10), 3);
	budget_free(&budget);
}

/* Keys that all fall into one set: the emptied bucket is the last to be forgotten. */
static void a_flood_does_not_fill_an_empty_bucket(void **state)
{
	struct budget *budget = budget_new(1, 100);
	unsigned seconds;
	(void)state;
	assert_int_equal(taken(budget, 42, SECOND, 1000), 100);
	for (uint64_t i = 1; i < 10000; i++)
		assert_true(budget_take(budget, 42 + i * 2048, SECOND, &seconds));
	assert_false(budget_take(budget, 42, SECOND, &seconds));
	budget_free(&budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_and_then_the_rate),
		cmocka_unit_test(many_small_rests_add_up),
		cmocka_unit_test(asking_takes_nothing),
		cmocka_unit_test(one_key_is_not_another),
		cmocka_unit_test(a_flood_does_not_fill_an_empty_bucket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
