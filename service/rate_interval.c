/* SPDX-License-Identifier: Apache-2.0
 * See rate_interval.h. P(X >= k) of a binomial is the regularised incomplete beta function I_p(k, n - k + 1)
 * (DLMF 8.17.5); its continued fraction is DLMF 8.17.22, summed by Lentz' method; bounds come by halving. */
#include "service/rate_interval.h"
#include <float.h>
#include <math.h>

enum { TERMS_MOST = 10000, HALVINGS = 60 };

static double away_from_zero(double x)
{
	return fabs(x) < DBL_MIN ? DBL_MIN : x;
}

static double log_gamma(double x)
{
	int sign; /* lgamma() would keep it in a variable that threads share */
	return lgamma_r(x, &sign);
}

/* The fraction converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), sum = d;
	for (int m = 1; m < TERMS_MOST; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		d = 1 / away_from_zero(1 + even * d);
		c = away_from_zero(1 + even / c);
		sum *= d * c;
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		d = 1 / away_from_zero(1 + odd * d);
		c = away_from_zero(1 + odd / c);
		sum *= d * c;
		if (fabs(d * c - 1) < DBL_EPSILON)
			break;
	}
	return sum;
}

/* I_x(a, b), for 0 < x < 1 */
static double incomplete_beta(double a, double b, double x)
{
	double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
	return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
					 : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* The rate at which k or more of n have the given probability, which rises with the rate. */
static double rate_where(int64_t k, int64_t n, double probability)
{
	double low = 0, high = 1;
	for (int i = 0; i < HALVINGS; i++) {
		double middle = (low + high) / 2;
		if (incomplete_beta((double)k, (double)(n - k + 1), middle) < probability)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

struct rate_interval rate_interval_exact(int64_t hits, int64_t tried, double confidence)
{
	struct rate_interval all = { 0, 1 };
	double tail = (1 - confidence) / 2;
	if (tried <= 0 || hits < 0 || hits > tried)
		return all;
	return (struct rate_interval){ hits == 0 ? 0 : rate_where(hits, tried, tail),
				       hits == tried ? 1 : rate_where(hits + 1, tried, 1 - tail) };
}
