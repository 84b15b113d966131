/* SPDX-License-Identifier: Apache-2.0
 * Metrics: one per name and labels, and the text format. */
#include "service/metrics.h"
#include "unit.h"
#include <stdio.h>

static const char *text_of(const struct metrics *metrics, struct arena *arena)
{
	struct buffer out;
	buffer_init(&out, arena, 0);
	metrics_write(metrics, &out);
	buffer_char(&out, '\0');
	assert_false(out.failed);
	return out.at;
}

static void same_name_and_labels_are_one(void **state)
{
	struct metrics *metrics = metrics_new();
	struct metric *a = metric_counter(metrics, "requests_total", "Requests.", "route=\"/a\"");
	char labels[] = "route=\"/b\"";
	struct metric *b = metric_counter(metrics, "requests_total", "Requests.", labels);
	(void)state;
	labels[8] = 'x'; /* they were copied */
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(a, metric_counter(metrics, "requests_total", "Requests.", "route=\"/a\""));
	assert_ptr_equal(b, metric_counter(metrics, "requests_total", "Requests.", "route=\"/b\""));
	metrics_free(&metrics);
	assert_null(metrics);
	metrics_free(&metrics);
}

static void writes_counters_and_gauges(void **state)
{
	struct arena *arena = arena_new(100000);
	struct metrics *metrics = metrics_new();
	(void)state;
	metric_add(metric_counter(metrics, "requests_total", "Requests.", "route=\"/a\""), 2);
	metric_set(metric_gauge(metrics, "open", "Open.", ""), 3.5);
	metric_add(metric_counter(metrics, "requests_total", "Requests.", "route=\"/b\""), 1e12);
	assert_string_equal(text_of(metrics, arena), "# HELP requests_total Requests.\n"
						     "# TYPE requests_total counter\n"
						     "requests_total{route=\"/a\"} 2\n"
						     "requests_total{route=\"/b\"} 1000000000000\n"
						     "# HELP open Open.\n"
						     "# TYPE open gauge\n"
						     "open 3.5\n");
	metrics_free(&metrics);
	arena_free(&arena);
}

static void writes_histograms(void **state)
{
	struct arena *arena = arena_new(100000);
	struct metrics *metrics = metrics_new();
	struct metric *plain = metric_histogram(metrics, "seconds", "Time.", "");
	(void)state;
	metric_observe(plain, 0.0005); /* a bound belongs to its bucket */
	metric_observe(plain, 0.25);
	metric_observe(plain, 60);
	const char *text = text_of(metrics, arena);
	assert_non_null(strstr(text, "# TYPE seconds histogram\n"));
	assert_non_null(strstr(text, "seconds_bucket{le=\"0.0005\"} 1\nseconds_bucket{le=\"0.001\"} 1\n"));
	assert_non_null(strstr(text, "seconds_bucket{le=\"0.1\"} 1\nseconds_bucket{le=\"0.25\"} 2\n"));
	assert_non_null(strstr(text, "seconds_bucket{le=\"10\"} 2\nseconds_bucket{le=\"+Inf\"} 3\n"
				     "seconds_sum 60.2505\nseconds_count 3\n"));
	metric_observe(metric_histogram(metrics, "seconds", "Time.", "route=\"/\""), 2);
	assert_non_null(strstr(text_of(metrics, arena), "seconds_bucket{route=\"/\",le=\"2.5\"} 1\n"));
	metrics_free(&metrics);
	arena_free(&arena);
}

static void many_stay_apart(void **state)
{
	struct metrics *metrics = metrics_new();
	struct metric *all[2000];
	char labels[32];
	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2000; i++) {
			snprintf(labels, sizeof(labels), "n=\"%d\"", i);
			struct metric *metric = metric_counter(metrics, "many", "Many.", labels);
			if (round == 0)
				all[i] = metric;
			else
				assert_ptr_equal(all[i], metric);
		}
	}
	metrics_free(&metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_name_and_labels_are_one),
		cmocka_unit_test(writes_counters_and_gauges),
		cmocka_unit_test(writes_histograms),
		cmocka_unit_test(many_stay_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
