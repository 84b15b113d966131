/* SPDX-License-Identifier: Apache-2.0
 * Log lines on standard error.
 * Invariant: a line leaves in one write(2), so lines of several threads and processes do not mix, and is at
 * most LINE bytes. The level is the one mutable variable: logging happens before and after everything else.
 */
#include "service/log.h"
#include "service/json_write.h"
#include <math.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 4096 };

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static atomic_int threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

static void write_number(struct buffer *out, double number)
{
	if (!isfinite(number))
		json_write_null(out);
	else if (fabs(number) < 9e15 && number == trunc(number))
		buffer_i64(out, (int64_t)number);
	else
		buffer_printf(out, "%.9g", number);
}

static void write_text(struct buffer *out, const char *text)
{
	struct slice s = slice_of(text);
	json_write_text(out, slice_is_utf8(s) ? s : SLICE("(not UTF-8)"));
}

static void write_head(struct buffer *out, enum log_level level, const char *event)
{
	struct timespec now;
	bool first = true;
	clock_gettime(CLOCK_REALTIME, &now);
	buffer_char(out, '{');
	json_write_key(out, "time", &first);
	json_write_time(out, ((int64_t)now.tv_sec - 946684800) * 1000000 + now.tv_nsec / 1000);
	json_write_key(out, "level", &first);
	write_text(out, level_names[level]);
	json_write_key(out, "event", &first);
	write_text(out, event);
}

/* Where the line stood before a pair that did not fit is where it ends. */
static void write_pairs(struct buffer *out, const struct log_pair *pairs)
{
	bool first = false;
	for (; pairs->key; pairs++) {
		size_t before = out->len;
		json_write_key(out, pairs->key, &first);
		if (pairs->text)
			write_text(out, pairs->text);
		else
			write_number(out, pairs->number);
		if (out->failed) {
			out->failed = false;
			out->len = before;
			return;
		}
	}
}

void log_pairs(enum log_level level, const char *event, const struct log_pair *pairs)
{
	if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed))
		return;
	char line[LINE];
	struct buffer out = { .at = line, .room = sizeof(line) - 2 };
	write_head(&out, level, event);
	if (out.failed)
		return;
	write_pairs(&out, pairs);
	line[out.len++] = '}';
	line[out.len++] = '\n';
	/* Nobody can be told when standard error is gone. */
	if (write(STDERR_FILENO, line, out.len) < 0)
		return;
}
