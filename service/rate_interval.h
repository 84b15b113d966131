/* SPDX-License-Identifier: Apache-2.0
 * Between which bounds the true rate lies, when `hits` of `tried` were hit. Pure. */
#ifndef SERVICE_RATE_INTERVAL_H
#define SERVICE_RATE_INTERVAL_H

#include <stdint.h>

struct rate_interval {
	double low, high; /* 0 to 1 */
};

/* The exact binomial interval of Clopper and Pearson (Biometrika 26, 1934): it holds the true rate with at
 * least `confidence` (0 to 1, both excluded), whatever that rate is. Nothing tried, or counts that cannot be
 * (hits outside 0..tried): 0 to 1, nothing is known. */
struct rate_interval rate_interval_exact(int64_t hits, int64_t tried, double confidence);

#endif
