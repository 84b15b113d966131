/* SPDX-License-Identifier: Apache-2.0
 * The registry: families in the order they were made, each with its metrics; a small hash finds a metric by
 * name and labels, so looking one up per request is cheap.
 * Invariant: a metric handed out stays where it is until the registry is freed. */
#include "service/metrics.h"
#include "service/invariant.h"
#include <math.h>
#include <stdlib.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
static const char *const kind_names[] = { "counter", "gauge", "histogram" };

static const double bounds[] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
				 0.1,    0.25,  0.5,    1,     2.5,  5,     10 };
enum { BOUNDS = sizeof(bounds) / sizeof(bounds[0]), SLOTS = 512 };

struct metric {
	struct metric *next_in_family, *next_in_slot;
	struct metric_family *family;
	char *labels;
	double value;     /* a histogram's sum */
	uint64_t *counts; /* a histogram's buckets, the last for all that is over 10 s; else NULL */
};

struct metric_family {
	struct metric_family *next;
	const char *name, *help;
	enum metric_kind kind;
	struct metric *first, **end;
};

struct metrics {
	struct metric_family *first, **end;
	struct metric *slots[SLOTS];
};

static void *must(void *memory)
{
	INVARIANT(memory != NULL);
	return memory;
}

struct metrics *metrics_new(void)
{
	struct metrics *metrics = must(calloc(1, sizeof(*metrics)));
	metrics->end = &metrics->first;
	return metrics;
}

static void family_free(struct metric_family *family)
{
	while (family->first) {
		struct metric *metric = family->first;
		family->first = metric->next_in_family;
		free(metric->labels);
		free(metric->counts);
		free(metric);
	}
	free(family);
}

void metrics_free(struct metrics **metrics)
{
	if (!*metrics)
		return;
	while ((*metrics)->first) {
		struct metric_family *family = (*metrics)->first;
		(*metrics)->first = family->next;
		family_free(family);
	}
	free(*metrics);
	*metrics = NULL;
}

/* FNV-1a over both texts. */
static size_t slot_of(const char *name, const char *labels)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	for (; *labels; labels++)
		hash = (hash ^ (unsigned char)*labels) * UINT64_C(0x100000001b3);
	return (size_t)(hash % SLOTS);
}

static struct metric_family *family_of(struct metrics *metrics, enum metric_kind kind, const char *name,
				       const char *help)
{
	for (struct metric_family *family = metrics->first; family; family = family->next) {
		if (strcmp(family->name, name) == 0) {
			INVARIANT(family->kind == kind);
			return family;
		}
	}
	struct metric_family *family = must(calloc(1, sizeof(*family)));
	*family = (struct metric_family){ .name = name, .help = help, .kind = kind, .end = &family->first };
	*metrics->end = family;
	metrics->end = &family->next;
	return family;
}

static struct metric *metric_new(struct metric_family *family, const char *labels)
{
	struct metric *metric = must(calloc(1, sizeof(*metric)));
	metric->family = family;
	metric->labels = must(strdup(labels));
	if (family->kind == METRIC_HISTOGRAM)
		metric->counts = must(calloc(BOUNDS + 1, sizeof(*metric->counts)));
	*family->end = metric;
	family->end = &metric->next_in_family;
	return metric;
}

static struct metric *metric_get(struct metrics *metrics, enum metric_kind kind, const char *name,
				 const char *help, const char *labels)
{
	struct metric **slot = &metrics->slots[slot_of(name, labels)];
	for (struct metric *metric = *slot; metric; metric = metric->next_in_slot) {
		if (strcmp(metric->family->name, name) == 0 && strcmp(metric->labels, labels) == 0) {
			INVARIANT(metric->family->kind == kind);
			return metric;
		}
	}
	struct metric *metric = metric_new(family_of(metrics, kind, name, help), labels);
	metric->next_in_slot = *slot;
	*slot = metric;
	return metric;
}

struct metric *metric_counter(struct metrics *metrics, const char *name, const char *help, const char *labels)
{
	return metric_get(metrics, METRIC_COUNTER, name, help, labels);
}

struct metric *metric_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels)
{
	return metric_get(metrics, METRIC_GAUGE, name, help, labels);
}

struct metric *metric_histogram(struct metrics *metrics, const char *name, const char *help,
				const char *labels)
{
	return metric_get(metrics, METRIC_HISTOGRAM, name, help, labels);
}

void metric_add(struct metric *metric, double amount)
{
	metric->value += amount;
}

void metric_set(struct metric *metric, double value)
{
	metric->value = value;
}

double metric_value(const struct metric *metric)
{
	return metric->value;
}

void metric_observe(struct metric *metric, double seconds)
{
	size_t bucket = 0;
	while (bucket < BOUNDS && seconds > bounds[bucket])
		bucket++;
	metric->counts[bucket]++;
	metric->value += seconds;
}

static void write_value(struct buffer *out, double value)
{
	if (fabs(value) < 9e15 && value == trunc(value))
		buffer_i64(out, (int64_t)value);
	else
		buffer_printf(out, "%.10g", value);
}

/* name_suffix{labels,le="…"} value; `le` is NULL but for a bucket. */
static void write_sample(struct buffer *out, const struct metric *metric, const char *suffix, const char *le,
			 double value)
{
	bool labelled = metric->labels[0] != '\0';
	buffer_text(out, metric->family->name);
	buffer_text(out, suffix);
	if (labelled || le) {
		buffer_char(out, '{');
		buffer_text(out, metric->labels);
		if (le)
			buffer_printf(out, "%sle=\"%s\"", labelled ? "," : "", le);
		buffer_char(out, '}');
	}
	buffer_char(out, ' ');
	write_value(out, value);
	buffer_char(out, '\n');
}

static void write_histogram(struct buffer *out, const struct metric *metric)
{
	uint64_t below = 0;
	for (size_t i = 0; i < BOUNDS; i++) {
		char le[32];
		struct buffer text = { .at = le, .room = sizeof(le) };
		buffer_printf(&text, "%g", bounds[i]);
		below += metric->counts[i];
		write_sample(out, metric, "_bucket", le, (double)below);
	}
	below += metric->counts[BOUNDS];
	write_sample(out, metric, "_bucket", "+Inf", (double)below);
	write_sample(out, metric, "_sum", NULL, metric->value);
	write_sample(out, metric, "_count", NULL, (double)below);
}

void metrics_write(const struct metrics *metrics, struct buffer *out)
{
	for (const struct metric_family *family = metrics->first; family; family = family->next) {
		buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
			      kind_names[family->kind]);
		for (const struct metric *metric = family->first; metric; metric = metric->next_in_family) {
			if (family->kind == METRIC_HISTOGRAM)
				write_histogram(out, metric);
			else
				write_sample(out, metric, "", NULL, metric->value);
		}
	}
}
