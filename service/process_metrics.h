/* SPDX-License-Identifier: Apache-2.0
 * What the kernel says of this process, under the names that every Prometheus client gives them (process_*).
 */
#ifndef SERVICE_PROCESS_METRICS_H
#define SERVICE_PROCESS_METRICS_H

#include "service/metrics.h"

#define METRICS_MEDIA "text/plain; version=0.0.4; charset=utf-8"

/* All metrics, these among them and as they are now. Reads /proc/self (some 50 µs). What cannot be read keeps
 * its last value. */
void process_metrics_write(struct metrics *metrics, bool database_up, struct buffer *out);

#endif
