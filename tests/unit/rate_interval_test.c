/* SPDX-License-Identifier: Apache-2.0
 * The exact interval against published values: R. G. Newcombe, Statistics in Medicine 17 (1998), table I,
 * method 5; and against the sums of the binomial distribution themselves. */
#include "service/rate_interval.h"
#include "unit.h"
#include <math.h>

static void assert_close(double is, double wanted, double within)
{
	if (!(fabs(is - wanted) <= within))
		fail_msg("%.17g is not %.17g within %g", is, wanted, within);
}

static void fits_published_values(void **state)
{
	static const struct {
		int64_t hits, tried;
		double low, high;
	} known[] = {
		{ 81, 263, 0.2527, 0.3676 },
		{ 15, 148, 0.0578, 0.1617 },
		{ 0, 20, 0.0000, 0.1684 },
		{ 1, 29, 0.0009, 0.1776 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		struct rate_interval r = rate_interval_exact(known[i].hits, known[i].tried, 0.95);
		assert_close(r.low, known[i].low, 0.00005);
		assert_close(r.high, known[i].high, 0.00005);
	}
}

/* Where nothing or all was hit there is a closed form: the n-th root of half of what may be missed. */
static void has_the_closed_forms_at_both_ends(void **state)
{
	(void)state;
	for (int64_t n = 1; n <= 100000; n = n * 3 + 1) {
		double root = pow(0.025, 1.0 / (double)n);
		struct rate_interval none = rate_interval_exact(0, n, 0.95);
		struct rate_interval all = rate_interval_exact(n, n, 0.95);
		assert_true(none.low == 0 && all.high == 1);
		assert_close(none.high, 1 - root, 1e-12);
		assert_close(all.low, root, 1e-12);
	}
}

/* The probability of k or more hits, summed. */
static double tail(int k, int n, double p)
{
	double sum = 0, term = pow(1 - p, n);
	for (int i = 0; i <= n; i++) {
		sum += i >= k ? term : 0;
		term *= (double)(n - i) / (i + 1) * p / (1 - p);
	}
	return sum;
}

static void bounds_are_where_the_tails_are(void **state)
{
	(void)state;
	for (int n = 2; n <= 60; n += 7)
		for (int k = 1; k < n; k++) {
			struct rate_interval r = rate_interval_exact(k, n, 0.9);
			assert_close(tail(k, n, r.low), 0.05, 1e-9);
			assert_close(1 - tail(k + 1, n, r.high), 0.05, 1e-9);
			assert_true(r.low < (double)k / n && r.high > (double)k / n);
		}
}

static void mirrors_what_was_not_hit(void **state)
{
	(void)state;
	struct rate_interval r = rate_interval_exact(130, 20000, 0.95);
	struct rate_interval other = rate_interval_exact(20000 - 130, 20000, 0.95);
	assert_close(r.low, 1 - other.high, 1e-12);
	assert_close(r.high, 1 - other.low, 1e-12);
	assert_true(r.high - r.low < 0.0025);
}

static void knows_nothing_of_nothing(void **state)
{
	static const int64_t odd[][2] = { { 0, 0 }, { 1, 0 }, { -1, 5 }, { 6, 5 }, { 0, -1 } };
	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		struct rate_interval r = rate_interval_exact(odd[i][0], odd[i][1], 0.95);
		assert_true(r.low == 0 && r.high == 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fits_published_values),
		cmocka_unit_test(has_the_closed_forms_at_both_ends),
		cmocka_unit_test(bounds_are_where_the_tails_are),
		cmocka_unit_test(mirrors_what_was_not_hit),
		cmocka_unit_test(knows_nothing_of_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
