/* SPDX-License-Identifier: Apache-2.0
 * One line an event on standard error: a JSON object, or text for people. No personal data, no query strings,
 * no bodies: callers pass only names, counts and codes. */
#ifndef SERVICE_LOG_H
#define SERVICE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level);
/* Text, or JSON (the form at start). auto: text when standard error is a terminal. */
enum log_form { LOG_FORM_AUTO, LOG_FORM_TEXT, LOG_FORM_JSON };
void log_set_form(enum log_form form);
bool log_is_text(void);

/* A line {"time":…,"level":…,"event":EVENT, then the pairs}. Pairs are made with the macros below and end
 * with LOG_END:  log_line(LOG_INFO, "listening", LOG_TEXT("address", a), LOG_NUMBER("port", 8080), LOG_END);
 */
struct log_pair {
	const char *key;  /* NULL ends the list */
	const char *text; /* NULL: the number is meant */
	double number;
};
void log_pairs(enum log_level level, const char *event, const struct log_pair *pairs);

static inline const char *log_text_or_empty(const char *text)
{
	return text ? text : "";
}

#define LOG_TEXT(k, v)                       \
	{                                    \
		(k), log_text_or_empty(v), 0 \
	}
#define LOG_NUMBER(k, v)            \
	{                           \
		(k), 0, (double)(v) \
	}
#define log_line(level, event, ...) \
	log_pairs((level), (event), (const struct log_pair[]){ __VA_ARGS__ __VA_OPT__(, ){ 0, 0, 0 } })

#endif
