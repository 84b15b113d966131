/* SPDX-License-Identifier: Apache-2.0
 * Counters, gauges and histograms of one process, written in the Prometheus text format (0.0.4).
 * One registry, owned by main and handed to whoever counts. Not for use from other threads. */
#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

#include "service/buffer.h"

struct metrics;
struct metric;

struct metrics *metrics_new(void);
void metrics_free(struct metrics **metrics);

/* name and help live as long as the registry (literals). labels: `route="/x",status="200"` or "" — copied.
 * The same name and labels answer the same metric. NULL is never answered: without memory the process ends.
 */
struct metric *metric_counter(struct metrics *metrics, const char *name, const char *help,
			      const char *labels);
struct metric *metric_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels);
/* Buckets in seconds from 0.5 ms to 10 s. */
struct metric *metric_histogram(struct metrics *metrics, const char *name, const char *help,
				const char *labels);

void metric_add(struct metric *metric, double amount);
void metric_set(struct metric *metric, double value);
double metric_value(const struct metric *metric); /* of a counter or gauge */
void metric_observe(struct metric *metric, double seconds);

void metrics_write(const struct metrics *metrics, struct buffer *out);

#endif
