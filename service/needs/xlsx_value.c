/* SPDX-License-Identifier: Apache-2.0
 * What a cell of a sheet reads as text.
 * Invariant: no digit is shown that the file does not vouch for. Needs the "C" numeric locale, which the
 * server never leaves. */
#include "service/needs/xlsx_value.h"
#include "service/needs/needs_date.h"
#include "service/needs/needs_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MOST = 16384 };

/* strtod takes "inf", "nan", hexadecimal and blanks; a cell's number is none of these. */
static bool number_parse(struct slice written, double *value)
{
	char copy[XLSX_NUMBER_BYTES], *end;
	if (written.len == 0 || written.len >= sizeof copy)
		return false;
	for (size_t i = 0; i < written.len; i++)
		if (!strchr("0123456789+-.eE", written.at[i]) || written.at[i] == '\0')
			return false;
	memcpy(copy, written.at, written.len);
	copy[written.len] = '\0';
	*value = strtod(copy, &end);
	return *end == '\0' && isfinite(*value);
}

struct slice xlsx_number_text(struct slice written, char room[XLSX_NUMBER_BYTES])
{
	double value;
	if (needs_text_digits(written.at, written.len) || !number_parse(written, &value))
		return written;
	bool whole = value == floor(value);
	if (whole && fabs(value) >= 1e15)
		return written;
	int len = snprintf(room, XLSX_NUMBER_BYTES, whole ? "%.0f" : "%.15g", value + 0.0); /* no "-0" */
	return (struct slice){ room, (size_t)len };
}

bool xlsx_number_date(struct slice written, bool date1904, char *out)
{
	double value;
	return number_parse(written, &value) && needs_date_of_serial(value, date1904, out);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character that "_xHHHH_" at text stands for; -1 when there is no escape, or half a surrogate pair. */
static int escape_at(const char *text, size_t len)
{
	int c = 0;
	if (len < 7 || text[0] != '_' || text[1] != 'x' || text[6] != '_')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(text[i]);
		if (digit < 0)
			return -1;
		c = c * 16 + digit;
	}
	return c >= 0xD800 && c <= 0xDFFF ? -1 : c;
}

static size_t utf8_put(char *to, int c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xC0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	to[0] = (char)(0xE0 | c >> 12);
	to[1] = (char)(0x80 | (c >> 6 & 0x3F));
	to[2] = (char)(0x80 | (c & 0x3F));
	return 3;
}

size_t xlsx_unescape(char *text, size_t len)
{
	size_t from = 0, to = 0;
	if (!memchr(text, '_', len))
		return len;
	while (from < len) {
		int c = escape_at(text + from, len - from);
		if (c >= 0) {
			to += utf8_put(text + to, c);
			from += 7;
		} else {
			text[to++] = text[from++];
		}
	}
	return to;
}

size_t xlsx_escape(struct slice text, char *out)
{
	size_t to = 0;
	for (size_t i = 0; i < text.len; i++) {
		out[to++] = text.at[i];
		if (escape_at(text.at + i, text.len - i) < 0)
			continue;
		memcpy(out + to, "x005F_", 6);
		to += 6;
	}
	return to;
}

bool xlsx_reference_column(const char *reference, size_t *column)
{
	size_t value = 0;
	const char *at = reference;
	for (; *at >= 'A' && *at <= 'Z' && at - reference < 3; at++)
		value = value * 26 + (size_t)(*at - 'A' + 1);
	*column = value - 1;
	return value > 0 && value <= COLUMNS_MOST && *at >= '1' && *at <= '9';
}

void xlsx_reference_write(size_t column, uint32_t row, char out[XLSX_REFERENCE_BYTES])
{
	char letters[4] = { 0 };
	size_t len = 0, rest = column + 1;
	for (size_t value = rest; value > 0 && len < 3; value = (value - 1) / 26)
		len++;
	for (size_t i = len; i > 0; i--) {
		letters[i - 1] = (char)('A' + (rest - 1) % 26);
		rest = (rest - 1) / 26;
	}
	snprintf(out, XLSX_REFERENCE_BYTES, "%s%u", letters, row);
}
