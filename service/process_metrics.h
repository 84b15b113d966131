/* SPDX-License-Identifier: Apache-2.0
 * What the kernel says of this process, under the names that every Prometheus client gives them (process_*).
 */
#ifndef SERVICE_PROCESS_METRICS_H
#define SERVICE_PROCESS_METRICS_H

#include "service/metrics.h"

/* Reads /proc/self (some 50 µs): to be called when somebody asks, not on a hot path. What cannot be read
 * keeps its last value. */
void process_metrics_refresh(struct metrics *metrics);

#endif
