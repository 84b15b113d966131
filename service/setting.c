/* SPDX-License-Identifier: Apache-2.0
 * See setting.h. Knows the types of settings, none by name. */
#include "service/setting.h"
#include "service/slice.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static bool say(char *why, size_t why_size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool say(char *why, size_t why_size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, why_size, format, args);
	va_end(args);
	return false;
}

/* --- names --- */

const struct setting *setting_named(const char *name)
{
	for (const struct setting *s = settings; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

enum { LIKE_MOST = 31 };

/* Levenshtein's distance; names longer than LIKE_MOST are like nothing. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[LIKE_MOST + 1];
	size_t a_len = strlen(a), b_len = strlen(b);
	if (a_len > LIKE_MOST || b_len > LIKE_MOST)
		return LIKE_MOST;
	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned corner = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned change = corner + (a[i - 1] != b[j - 1]);
			corner = row[j];
			unsigned shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			row[j] = change < shift ? change : shift;
		}
	}
	return row[b_len];
}

const struct setting *setting_like(const char *name)
{
	const struct setting *best = NULL;
	unsigned least = 3;
	for (const struct setting *s = settings; s->name; s++) {
		unsigned far = distance(name, s->name);
		if (far < least) {
			least = far;
			best = s;
		}
	}
	return best;
}

void setting_variable(const struct setting *setting, char out[SETTING_NAME_BYTES])
{
	snprintf(out, SETTING_NAME_BYTES, "TANTU_%s", setting->name);
	for (char *at = out; *at; at++)
		*at = (char)toupper((unsigned char)*at);
}

void setting_option(const struct setting *setting, char out[SETTING_NAME_BYTES])
{
	bool negated = setting->type == SETTING_BOOLEAN && strcmp(setting->otherwise, "yes") == 0;
	snprintf(out, SETTING_NAME_BYTES, "--%s%s", negated ? "no-" : "", setting->name);
	for (char *at = out; *at; at++)
		*at = *at == '_' ? '-' : *at;
}

void setting_placeholder(const struct setting *setting, char *out, size_t room)
{
	static const char *const of_type[] = {
		[SETTING_TEXT] = "TEXT",      [SETTING_PATH] = "PATH",
		[SETTING_NUMBER] = "N",       [SETTING_ADDRESS] = "ADDRESS:PORT",
		[SETTING_BOOLEAN] = "yes|no", [SETTING_CHOICE] = "",
		[SETTING_SECRET] = "SECRET"
	};
	snprintf(out, room, "%s", of_type[setting->type]);
	for (int i = 0; setting->type == SETTING_CHOICE && setting->choices[i]; i++) {
		size_t used = strlen(out);
		snprintf(out + used, room - used, "%s%s", i ? "|" : "", setting->choices[i]);
	}
}

/* --- values --- */

/* How many bytes of a wrong value to repeat: some, and no part of a character. */
static int shown(const char *value)
{
	size_t n = strnlen(value, 61);
	if (n > 60)
		for (n = 60; n > 0 && ((unsigned char)value[n] & 0xC0) == 0x80;)
			n--;
	return (int)n;
}

static bool take_number(const struct setting *s, const char *value, int *out, char *why, size_t why_size)
{
	uint64_t n;
	if (!slice_to_u64(slice_of(value), &n) || n > (uint64_t)s->high || n < (uint64_t)s->low)
		return say(why, why_size, "'%.*s' is not a number from %d to %d%s%s", shown(value), value,
			   s->low, s->high, s->unit ? " " : "", s->unit ? s->unit : "");
	*out = (int)n * s->times;
	return true;
}

static bool take_boolean(const char *value, bool *out, char *why, size_t why_size)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false", "true", "0", "1" };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(value, words[i]) == 0) {
			*out = i % 2 == 1;
			return true;
		}
	}
	return say(why, why_size, "'%.*s' is neither yes nor no", shown(value), value);
}

static bool take_choice(const struct setting *s, const char *value, int *out, char *why, size_t why_size)
{
	char all[200];
	for (int i = 0; s->choices[i]; i++) {
		if (strcmp(value, s->choices[i]) == 0) {
			*out = i;
			return true;
		}
	}
	setting_placeholder(s, all, sizeof all);
	return say(why, why_size, "'%.*s' is none of %s", shown(value), value, all);
}

/* An IPv4 address, or an IPv6 one in brackets, and a port. */
static bool is_address(const char *value)
{
	char host[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	uint64_t port;
	const char *colon = strrchr(value, ':');
	if (!colon || !slice_to_u64(slice_of(colon + 1), &port) || port > UINT16_MAX)
		return false;
	size_t len = (size_t)(colon - value);
	bool six = len > 2 && value[0] == '[' && value[len - 1] == ']';
	if (six) {
		value++;
		len -= 2;
	}
	if (len >= sizeof host)
		return false;
	memcpy(host, value, len);
	host[len] = '\0';
	return inet_pton(six ? AF_INET6 : AF_INET, host, bytes) == 1;
}

static bool take_text(const struct setting *s, const char *value, const char **out, char *why,
		      size_t why_size)
{
	if (s->type == SETTING_ADDRESS && !is_address(value))
		return say(why, why_size,
			   "'%.*s' is not an address with a port, such as 127.0.0.1:8080 or [::1]:8080",
			   shown(value), value);
	if (s->sound && !s->sound(value))
		return s->type == SETTING_SECRET
			       ? say(why, why_size, "is not %s", s->wants)
			       : say(why, why_size, "'%.*s' is not %s", shown(value), value, s->wants);
	*out = value;
	return true;
}

bool setting_take(const struct setting *setting, const char *value, struct config *config, char *why,
		  size_t why_size)
{
	union {
		const char *text;
		int number;
		bool truth;
	} unused;
	void *at = config ? (char *)config + setting->at : (char *)&unused;
	if (!slice_is_utf8(slice_of(value)) || strpbrk(value, "\r\n"))
		return say(why, why_size, "not one line of UTF-8");
	switch (setting->type) {
	case SETTING_NUMBER:
		return take_number(setting, value, at, why, why_size);
	case SETTING_CHOICE:
		return take_choice(setting, value, at, why, why_size);
	case SETTING_BOOLEAN:
		return take_boolean(value, at, why, why_size);
	default:
		return take_text(setting, value, at, why, why_size);
	}
}
