/* SPDX-License-Identifier: Apache-2.0
 * Log lines on standard error.
 * Invariant: a line leaves in one write(2), so lines of several threads and processes do not mix, and is at
 * most LINE bytes. Level and form are one mutable variable: logging happens before and after everything else.
 */
#include "service/log.h"
#include "service/json_write.h"
#include <math.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 4096, IS_TEXT = 16, IS_COLOURED = 32 };

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static atomic_int manner = LOG_INFO; /* the least level, with IS_TEXT and IS_COLOURED */

static int manner_now(void)
{
	return atomic_load_explicit(&manner, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&manner, (manner_now() & (IS_TEXT | IS_COLOURED)) | (int)level,
			      memory_order_relaxed);
}

void log_set_form(enum log_form form)
{
	bool terminal = isatty(STDERR_FILENO),
	     text = form == LOG_FORM_TEXT || (form == LOG_FORM_AUTO && terminal);
	int level = manner_now() & ~(IS_TEXT | IS_COLOURED);
	atomic_store_explicit(&manner, level | (text ? IS_TEXT : 0) | (text && terminal ? IS_COLOURED : 0),
			      memory_order_relaxed);
}

bool log_is_text(void)
{
	return manner_now() & IS_TEXT;
}

/* Durations, mostly: printf of a double costs as much as all the rest of a line. */
static void write_thousandths(struct buffer *out, int64_t n)
{
	int64_t size = n < 0 ? -n : n;
	char rest[3] = { (char)('0' + size / 100 % 10), (char)('0' + size / 10 % 10),
			 (char)('0' + size % 10) };
	size_t digits = size % 10 ? 3u : size % 100 ? 2u : size % 1000 ? 1u : 0u;
	if (n < 0)
		buffer_char(out, '-');
	buffer_i64(out, size / 1000);
	if (digits > 0)
		buffer_char(out, '.');
	buffer_add(out, rest, digits);
}

static void write_number(struct buffer *out, double number)
{
	if (!isfinite(number))
		json_write_null(out);
	else if (fabs(number) < 9e15 && number == trunc(number))
		buffer_i64(out, (int64_t)number);
	else if (fabs(number) < 9e12)
		write_thousandths(out, llround(number * 1000));
	else
		buffer_printf(out, "%.9g", number);
}

static void write_text(struct buffer *out, const char *text)
{
	struct slice s = slice_of(text);
	json_write_text(out, slice_is_utf8(s) ? s : SLICE("(not UTF-8)"));
}

static int64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return ((int64_t)now.tv_sec - 946684800) * 1000000 + now.tv_nsec / 1000;
}

static void write_head(struct buffer *out, enum log_level level, const char *event)
{
	bool first = true;
	buffer_char(out, '{');
	json_write_key(out, "time", &first);
	json_write_time(out, now_us());
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

/* --- text: 2026-11-22T06:19:03.123Z WARN  event key=value key="a value" --- */

static void write_text_head(struct buffer *out, enum log_level level, const char *event)
{
	static const char *const names[] = { "DEBUG", "INFO ", "WARN ", "ERROR" };
	static const char *const colours[] = { "\033[2m", "\033[36m", "\033[33m", "\033[31m" };
	bool coloured = manner_now() & IS_COLOURED;
	time_t now = time(NULL);
	struct tm day;
	gmtime_r(&now, &day);
	buffer_printf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ %s%s%s %s", day.tm_year + 1900, day.tm_mon + 1,
		      day.tm_mday, day.tm_hour, day.tm_min, day.tm_sec, coloured ? colours[level] : "",
		      names[level], coloured ? "\033[0m" : "", event);
}

/* As it is when that is clear, else as JSON would have it: no value can forge a line or another key. */
static void write_plain(struct buffer *out, const char *text)
{
	bool clear = *text != '\0';
	for (const char *at = text; *at; at++)
		clear = clear && (unsigned char)*at > ' ' && *at != '"' && *at != '=' && *at != '\\' &&
			*at != 127;
	if (clear && slice_is_utf8(slice_of(text)))
		buffer_text(out, text);
	else
		write_text(out, text);
}

static void write_text_pairs(struct buffer *out, const struct log_pair *pairs)
{
	for (; pairs->key; pairs++) {
		size_t before = out->len;
		buffer_char(out, ' ');
		buffer_text(out, pairs->key);
		buffer_char(out, '=');
		if (pairs->text)
			write_plain(out, pairs->text);
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
	int now = manner_now();
	if ((int)level < (now & ~(IS_TEXT | IS_COLOURED)))
		return;
	char line[LINE];
	struct buffer out = { .at = line, .room = sizeof(line) - 2 };
	(now & IS_TEXT ? write_text_head : write_head)(&out, level, event);
	if (out.failed)
		return;
	(now & IS_TEXT ? write_text_pairs : write_pairs)(&out, pairs);
	if (!(now & IS_TEXT))
		line[out.len++] = '}';
	line[out.len++] = '\n';
	/* Nobody can be told when standard error is gone. */
	if (write(STDERR_FILENO, line, out.len) < 0)
		return;
}
