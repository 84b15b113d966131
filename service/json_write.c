/* SPDX-License-Identifier: Apache-2.0
 * JSON values written by hand: no printf, one pass to find what must be escaped, one copy.
 * Invariant: for well-formed UTF-8 the output is well-formed JSON, whatever the values. */
#include "service/json_write.h"

/* The 0x80 bit of each byte that is below 0x20, a quote or a backslash. Bytes at or over 0x80 never match. */
static uint64_t needs_escape(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	uint64_t control = word - ones * 0x20;
	uint64_t quote = (word ^ (ones * '"')) - ones;
	uint64_t backslash = (word ^ (ones * '\\')) - ones;
	return (control | quote | backslash) & ~word & tops;
}

/* How many bytes at the front can be copied as they are. The word test may name a byte too early after a
 * true hit (a borrow), never too late: the byte loop settles it. */
static size_t plain_prefix(const char *at, size_t len)
{
	size_t i = 0;
	uint64_t word;
	for (; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		if (needs_escape(word))
			break;
	}
	while (i < len && (unsigned char)at[i] >= 0x20 && at[i] != '"' && at[i] != '\\')
		i++;
	return i;
}

static void write_escape(struct buffer *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	size_t len = 2;
	switch (c) {
	case '\b':
		text[1] = 'b';
		break;
	case '\f':
		text[1] = 'f';
		break;
	case '\n':
		text[1] = 'n';
		break;
	case '\r':
		text[1] = 'r';
		break;
	case '\t':
		text[1] = 't';
		break;
	case '"':
	case '\\':
		text[1] = (char)c;
		break;
	default:
		len = sizeof(text);
	}
	buffer_add(out, text, len);
}

/* The rest of a text whose first `plain` bytes need no escape. */
static void write_escaped(struct buffer *out, struct slice text, size_t plain)
{
	buffer_char(out, '"');
	for (;;) {
		buffer_add(out, text.at, plain);
		text.at += plain;
		text.len -= plain;
		if (text.len == 0)
			break;
		write_escape(out, (unsigned char)*text.at++);
		text.len--;
		plain = plain_prefix(text.at, text.len);
	}
	buffer_char(out, '"');
}

void json_write_text(struct buffer *out, struct slice text)
{
	size_t plain = plain_prefix(text.at, text.len);
	if (plain != text.len) {
		write_escaped(out, text, plain);
		return;
	}
	char *to = buffer_reserve(out, text.len + 2);
	if (!to)
		return;
	to[0] = '"';
	if (text.len > 0)
		memcpy(to + 1, text.at, text.len);
	to[text.len + 1] = '"';
	out->len += text.len + 2;
}

void json_write_key(struct buffer *out, const char *key, bool *first)
{
	if (!*first)
		buffer_char(out, ',');
	*first = false;
	json_write_text(out, slice_of(key));
	buffer_char(out, ':');
}

void json_write_bool(struct buffer *out, bool value)
{
	buffer_slice(out, value ? SLICE("true") : SLICE("false"));
}

void json_write_null(struct buffer *out)
{
	buffer_slice(out, SLICE("null"));
}

static char *two_digits(char *at, unsigned n)
{
	at[0] = (char)('0' + n / 10);
	at[1] = (char)('0' + n % 10);
	return at + 2;
}

/* Days of 0001-01-01 and 9999-12-31 counted from 2000-01-01. */
enum { FIRST_DAY = -730119, LAST_DAY = 2921939 };

/* YYYY-MM-DD by the proleptic Gregorian calendar, eras of 400 years starting on 1 March (H. Hinnant,
 * "chrono-compatible low-level date algorithms", civil_from_days). */
static char *write_day(char *at, int32_t days_since_2000)
{
	unsigned day = (unsigned)(days_since_2000 + 730425); /* since 0000-03-01 */
	unsigned era = day / 146097, of_era = day % 146097;
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned shifted = (5 * of_year + 2) / 153; /* 0 is March */
	unsigned of_month = of_year - (153 * shifted + 2) / 5 + 1;
	unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
	year += era * 400 + (month <= 2);
	at = two_digits(two_digits(at, year / 100), year % 100);
	*at++ = '-';
	at = two_digits(at, month);
	*at++ = '-';
	return two_digits(at, of_month);
}

static char *write_fraction(char *at, unsigned micros)
{
	if (micros == 0)
		return at;
	*at++ = '.';
	for (unsigned unit = 100000; micros > 0; unit /= 10) {
		*at++ = (char)('0' + micros / unit);
		micros %= unit;
	}
	return at;
}

void json_write_time(struct buffer *out, int64_t micros_since_2000)
{
	const int64_t day_micros = INT64_C(86400000000);
	int64_t day = micros_since_2000 / day_micros, within = micros_since_2000 % day_micros;
	if (within < 0) {
		within += day_micros;
		day--;
	}
	if (day < FIRST_DAY || day > LAST_DAY) { /* infinity is far outside as well */
		json_write_null(out);
		return;
	}
	char text[32], *at = text;
	unsigned seconds = (unsigned)(within / 1000000);
	*at++ = '"';
	at = write_day(at, (int32_t)day);
	*at++ = 'T';
	at = two_digits(at, seconds / 3600);
	*at++ = ':';
	at = two_digits(at, seconds / 60 % 60);
	*at++ = ':';
	at = two_digits(at, seconds % 60);
	at = write_fraction(at, (unsigned)(within % 1000000));
	*at++ = 'Z';
	*at++ = '"';
	buffer_add(out, text, (size_t)(at - text));
}

void json_write_date(struct buffer *out, int32_t days_since_2000)
{
	if (days_since_2000 < FIRST_DAY || days_since_2000 > LAST_DAY) {
		json_write_null(out);
		return;
	}
	char text[12] = { '"' };
	*write_day(text + 1, days_since_2000) = '"';
	buffer_add(out, text, sizeof(text));
}
