/* SPDX-License-Identifier: Apache-2.0
 * See array_text.h; the form is in PostgreSQL's manual, 8.15.6. */
#include "workers/array_text.h"

void array_begin(struct buffer *out)
{
	out->len = 0;
	buffer_char(out, '{');
}

static void comma(struct buffer *out)
{
	if (out->len > 1)
		buffer_char(out, ',');
}

static void add_escaped(struct buffer *out, struct slice s)
{
	char *to = buffer_reserve(out, s.len * 2);
	size_t n = 0;
	if (!to)
		return;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '"' || s.at[i] == '\\')
			to[n++] = '\\';
		to[n++] = s.at[i];
	}
	out->len += n;
}

void array_text(struct buffer *out, struct slice item)
{
	comma(out);
	buffer_char(out, '"');
	add_escaped(out, item);
	buffer_char(out, '"');
}

void array_texts(struct buffer *out, const struct slice *items, int count)
{
	comma(out);
	buffer_char(out, '"');
	for (int i = 0; i < count; i++) {
		if (i)
			buffer_char(out, '\x1f');
		add_escaped(out, items[i]);
	}
	buffer_char(out, '"');
}

void array_bytes(struct buffer *out, const unsigned char *bytes, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	if (len == 0) {
		array_null(out);
		return;
	}
	comma(out);
	buffer_text(out, "\"\\\\x");
	char *to = buffer_reserve(out, len * 2);
	for (size_t i = 0; to && i < len; i++) {
		to[i * 2] = hex[bytes[i] >> 4];
		to[i * 2 + 1] = hex[bytes[i] & 15];
	}
	out->len += to ? len * 2 : 0;
	buffer_char(out, '"');
}

void array_int(struct buffer *out, int64_t n)
{
	comma(out);
	buffer_i64(out, n);
}

void array_float(struct buffer *out, bool given, double value)
{
	if (!given) {
		array_null(out);
		return;
	}
	comma(out);
	buffer_printf(out, "%.8f", value);
}

void array_null(struct buffer *out)
{
	comma(out);
	buffer_text(out, "NULL");
}

const char *array_end(struct buffer *out)
{
	buffer_char(out, '}');
	buffer_char(out, 0);
	return out->failed ? NULL : out->at;
}
