/* SPDX-License-Identifier: Apache-2.0
 * See text.h. Nothing here allocates but text_percent_decode. */
#include "api/text.h"
#include "service/needs/needs_check.h"
#include <ctype.h>

static int digits(struct slice s, size_t at, size_t count)
{
	int n = 0;
	for (size_t i = at; i < at + count; i++) {
		if (i >= s.len || s.at[i] < '0' || s.at[i] > '9')
			return -1;
		n = n * 10 + (s.at[i] - '0');
	}
	return n;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

bool text_is_date(struct slice s)
{
	int year = digits(s, 0, 4), month = digits(s, 5, 2), day = digits(s, 8, 2);
	return s.len == 10 && s.at[4] == '-' && s.at[7] == '-' && year >= 1 && month >= 1 && month <= 12 &&
	       day >= 1 && day <= days_in_month(year, month);
}

static bool is_offset(struct slice s)
{
	if (s.len == 1)
		return s.at[0] == 'Z' || s.at[0] == 'z';
	int hours = digits(s, 1, 2), minutes = digits(s, 4, 2);
	return s.len == 6 && (s.at[0] == '+' || s.at[0] == '-') && s.at[3] == ':' && hours >= 0 &&
	       hours <= 15 && minutes >= 0 && minutes <= 59;
}

bool text_is_time(struct slice s)
{
	if (s.len < 20 || s.len > 40 || !text_is_date((struct slice){ s.at, 10 }) ||
	    (s.at[10] != 'T' && s.at[10] != 't'))
		return false;
	int hour = digits(s, 11, 2), minute = digits(s, 14, 2), second = digits(s, 17, 2);
	size_t at = 19;
	if (s.at[13] != ':' || s.at[16] != ':' || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
	    second < 0 || second > 60)
		return false;
	if (at < s.len && s.at[at] == '.') {
		size_t start = ++at;
		while (at < s.len && isdigit((unsigned char)s.at[at]))
			at++;
		if (at == start)
			return false;
	}
	return is_offset((struct slice){ s.at + at, s.len - at });
}

bool text_is_region(struct slice s)
{
	return (s.len == 6 || s.len == 9) && s.at[0] != '0' && digits(s, 0, s.len) > 0;
}

bool text_is_citizen_id(struct slice s)
{
	char folded[18];
	if (s.len != 18 || digits(s, 0, 9) < 0 || digits(s, 9, 8) < 0)
		return false;
	memcpy(folded, s.at, sizeof folded);
	folded[17] = (char)toupper((unsigned char)folded[17]);
	return citizen_id_check_digit_holds((struct slice){ folded, sizeof folded });
}

bool text_is_json_type(struct slice type)
{
	const char *semicolon = type.len ? memchr(type.at, ';', type.len) : NULL;
	struct slice media =
		slice_trim((struct slice){ type.at, semicolon ? (size_t)(semicolon - type.at) : type.len });
	if (!slice_equal_nocase(media, SLICE("application/json")))
		return false;
	if (!semicolon)
		return true;
	struct slice rest =
		slice_trim((struct slice){ semicolon + 1, type.len - (size_t)(semicolon + 1 - type.at) });
	return rest.len == 0 || slice_equal_nocase(rest, SLICE("charset=utf-8")) ||
	       slice_equal_nocase(rest, SLICE("charset=\"utf-8\""));
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_percent_decode(struct arena *arena, struct slice from, struct slice *out)
{
	char *to = arena_alloc(arena, from.len + 1);
	size_t n = 0;
	if (!to)
		return false;
	for (size_t i = 0; i < from.len; i++) {
		char c = from.at[i] == '+' ? ' ' : from.at[i];
		if (c == '%') {
			bool whole = from.len - i > 2;
			int high = whole ? hex(from.at[i + 1]) : -1, low = whole ? hex(from.at[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == 0)
			return false;
		to[n++] = c;
	}
	to[n] = 0;
	*out = (struct slice){ to, n };
	return slice_is_utf8(*out);
}
