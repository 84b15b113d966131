/* SPDX-License-Identifier: Apache-2.0
 * See sheet.h. A compiled template is a row of pieces; sections know where they end.
 * Invariant: whatever comes from the data passes write_escaped, or is drawn by symbol_write. */
#include "api/sheet.h"
#include "db/embedded.h"
#include "service/invariant.h"
#include "service/symbol.h"
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIECES = 1024, DEPTH = 8, NAME_BYTES = 64 };

enum piece_kind {
	PIECE_TEXT,
	PIECE_VALUE,
	PIECE_YUAN,
	PIECE_QR,
	PIECE_CODE128,
	PIECE_SECTION,
	PIECE_UNLESS,
	PIECE_END
};

struct piece {
	enum piece_kind kind;
	struct slice text; /* or the name */
	int end;           /* of a section: the number of its end */
	int depth;         /* sections around it */
};

struct sheet {
	struct piece *piece;
	int count;
	const char *headers;
};

struct compiling {
	struct arena *arena;
	struct sheet *sheet;
	int open[DEPTH], depth;
	char *why;
	size_t why_size;
};

static bool wrong(const struct compiling *c, const char *what, struct slice which)
{
	snprintf(c->why, c->why_size, "%s %.*s", what, (int)which.len, which.at ? which.at : "");
	return false;
}

/* --- compiling --- */

static bool add(struct compiling *c, enum piece_kind kind, struct slice text)
{
	struct sheet *s = c->sheet;
	if (s->count == PIECES)
		return wrong(c, "too many pieces before", text);
	s->piece[s->count++] = (struct piece){ kind, text, 0, c->depth };
	return true;
}

static bool is_name(struct slice name)
{
	if (name.len == 0 || name.len >= NAME_BYTES)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!islower((unsigned char)name.at[i]) && !isdigit((unsigned char)name.at[i]) &&
		    name.at[i] != '_' && name.at[i] != '.')
			return false;
	return true;
}

static bool open_section(struct compiling *c, enum piece_kind kind, struct slice name)
{
	if (c->depth == DEPTH - 1)
		return wrong(c, "too deep:", name);
	c->open[c->depth] = c->sheet->count;
	bool added = add(c, kind, name);
	c->depth++;
	return added;
}

static bool close_section(struct compiling *c, struct slice name)
{
	if (c->depth == 0 || !slice_equal(c->sheet->piece[c->open[c->depth - 1]].text, name))
		return wrong(c, "closes what is not open:", name);
	c->sheet->piece[c->open[--c->depth]].end = c->sheet->count;
	return add(c, PIECE_END, name);
}

/* Takes off what stands behind a name: how its value is written. */
static enum piece_kind take_filter(struct slice *tag)
{
	static const struct {
		const char *text;
		enum piece_kind kind;
	} filters[] = { { "|yuan", PIECE_YUAN }, { "|qr", PIECE_QR }, { "|code128", PIECE_CODE128 } };
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
		size_t len = strlen(filters[i].text);
		if (tag->len > len && memcmp(tag->at + tag->len - len, filters[i].text, len) == 0) {
			tag->len -= len;
			return filters[i].kind;
		}
	}
	return PIECE_VALUE;
}

static bool compile_tag(struct compiling *c, struct slice tag)
{
	struct slice rest = { tag.at + 1, tag.len ? tag.len - 1 : 0 };
	char sign = tag.len ? tag.at[0] : 0;
	if (sign == '#' || sign == '^' || sign == '/') {
		if (!is_name(rest))
			return wrong(c, "no name:", tag);
		return sign == '/' ? close_section(c, rest)
				   : open_section(c, sign == '#' ? PIECE_SECTION : PIECE_UNLESS, rest);
	}
	enum piece_kind kind = take_filter(&tag);
	return is_name(tag) ? add(c, kind, tag) : wrong(c, "no name:", tag);
}

static bool compile_pieces(struct compiling *c, struct slice text)
{
	const char *at = text.at;
	while (*at) {
		const char *tag = strstr(at, "{{"), *close = tag ? strstr(tag, "}}") : NULL;
		size_t plain = tag ? (size_t)(tag - at) : strlen(at);
		if (tag && !close)
			return wrong(c, "a tag without end:", (struct slice){ tag, strcspn(tag, "\n") });
		if (plain && !add(c, PIECE_TEXT, (struct slice){ at, plain }))
			return false;
		if (!tag)
			break;
		if (!compile_tag(c, (struct slice){ tag + 2, (size_t)(close - tag - 2) }))
			return false;
		at = close + 2;
	}
	return c->depth == 0 || wrong(c, "is not closed:", c->sheet->piece[c->open[c->depth - 1]].text);
}

static const struct embedded_file *template_named(struct slice name)
{
	char file[NAME_BYTES + 8];
	snprintf(file, sizeof file, "%.*s.html", (int)name.len, name.at);
	for (const struct embedded_file *f = embedded_data; f->name; f++)
		if (strcmp(f->name, file) == 0)
			return f;
	return NULL;
}

/* Puts the parts where they are named; a part has no parts of its own. NULL with a reason. */
static const char *expand(const struct compiling *c, struct slice text)
{
	struct buffer out;
	const char *at = text.at, *tag;
	buffer_init(&out, c->arena, text.len + 1);
	while ((tag = strstr(at, "{{>"))) {
		struct slice name = { tag + 3, strcspn(tag + 3, "}") };
		const struct embedded_file *part = is_name(name) ? template_named(name) : NULL;
		if (!part || strncmp(name.at + name.len, "}}", 2) != 0 || strstr(part->text, "{{>")) {
			wrong(c, "no such part:", name);
			return NULL;
		}
		buffer_add(&out, at, (size_t)(tag - at));
		buffer_add(&out, part->text, part->len);
		at = name.at + name.len + 2;
	}
	buffer_text(&out, at);
	buffer_char(&out, 0);
	INVARIANT(!out.failed);
	return out.at;
}

/* The hash of what stands between <style> and </style>, which is to be the same in every page. */
static bool write_headers(const struct compiling *c, const char *text)
{
	static const char open[] = "<style>";
	unsigned char hash[crypto_hash_sha256_BYTES];
	char base64[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL)];
	const char *style = strstr(text, open), *end = style ? strstr(style, "</style>") : NULL;
	if (!end)
		return wrong(c, "has no", SLICE("<style>"));
	style += sizeof open - 1;
	const char *tag = strstr(style, "{{");
	if (tag && tag < end)
		return wrong(c, "a tag within", SLICE("<style>"));
	if (strstr(end, open))
		return wrong(c, "a second", SLICE("<style>"));
	crypto_hash_sha256(hash, (const unsigned char *)style, (size_t)(end - style));
	sodium_bin2base64(base64, sizeof base64, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
	c->sheet->headers = arena_printf(
		c->arena,
		"Content-Security-Policy: default-src 'none'; style-src 'sha256-%s'; "
		"img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n",
		base64);
	INVARIANT(c->sheet->headers);
	return true;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): written through c.why */
struct sheet *sheet_compile_text(struct arena *arena, struct slice text, char *why, size_t why_size)
{
	struct sheet *sheet = arena_zalloc(arena, sizeof *sheet);
	struct compiling c = { .arena = arena, .sheet = sheet, .why = why, .why_size = why_size };
	INVARIANT(sheet);
	sheet->piece = arena_alloc(arena, PIECES * sizeof *sheet->piece);
	INVARIANT(sheet->piece);
	const char *whole = expand(&c, text);
	if (!whole || !write_headers(&c, whole) || !compile_pieces(&c, slice_of(whole)))
		return NULL;
	return sheet;
}

struct sheet *sheet_compile(struct arena *arena, const char *name, char *why, size_t why_size)
{
	const struct embedded_file *f = template_named(slice_of(name));
	if (f)
		return sheet_compile_text(arena, (struct slice){ f->text, f->len }, why, why_size);
	snprintf(why, why_size, "there is no template %s", name);
	return NULL;
}

static bool is_column(const struct db_shape *shape, struct slice name)
{
	for (int i = 0; i < shape->columns; i++) {
		const char *column = shape->column[i].name;
		if (column[0] != '_' && strncmp(column, name.at, name.len) == 0 &&
		    (column[name.len] == 0 || column[name.len] == '.'))
			return true;
	}
	return false;
}

const char *sheet_stranger(const struct sheet *sheet, const struct db_shape *shape, bool many)
{
	static _Thread_local char name[NAME_BYTES];
	for (int i = 0; i < sheet->count; i++) {
		const struct piece *p = &sheet->piece[i];
		if (p->kind == PIECE_TEXT || p->depth > 0)
			continue;
		if (many ? !slice_is(p->text, "items") : !is_column(shape, p->text)) {
			snprintf(name, sizeof name, "%.*s", (int)p->text.len, p->text.at);
			return name;
		}
	}
	return NULL;
}

const char *sheet_headers(const struct sheet *sheet)
{
	return sheet->headers;
}

/* --- writing --- */

struct writing {
	const struct sheet *sheet;
	const json_t *context[DEPTH + 1];
	int depth;
	struct buffer *out;
};

static void write_escaped(struct buffer *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		switch (text.at[i]) {
		case '&':
			buffer_slice(out, SLICE("&amp;"));
			break;
		case '<':
			buffer_slice(out, SLICE("&lt;"));
			break;
		case '>':
			buffer_slice(out, SLICE("&gt;"));
			break;
		case '"':
			buffer_slice(out, SLICE("&quot;"));
			break;
		case '\'':
			buffer_slice(out, SLICE("&#39;"));
			break;
		default:
			buffer_char(out, text.at[i]);
		}
	}
}

/* a.b within one context; NULL: it has no such name. */
static const json_t *within(const json_t *context, struct slice name)
{
	const json_t *at = context;
	while (at && name.len) {
		const char *dot = memchr(name.at, '.', name.len);
		size_t len = dot ? (size_t)(dot - name.at) : name.len;
		char key[NAME_BYTES];
		snprintf(key, sizeof key, "%.*s", (int)len, name.at);
		at = json_object_get(at, key);
		name = dot ? (struct slice){ dot + 1, name.len - len - 1 } : (struct slice){ 0 };
	}
	return at;
}

static const json_t *look_up(const struct writing *w, struct slice name)
{
	if (slice_is(name, "."))
		return w->context[w->depth];
	for (int i = w->depth; i >= 0; i--) {
		const json_t *found = within(w->context[i], name);
		if (found)
			return found;
	}
	return NULL;
}

/* 1,234.56 of 123456 分. */
static void write_yuan(struct buffer *out, int64_t amount)
{
	char digits[24];
	uint64_t all = amount < 0 ? 0 - (uint64_t)amount : (uint64_t)amount;
	int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)(all / 100));
	if (amount < 0)
		buffer_char(out, '-');
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buffer_char(out, ',');
		buffer_char(out, digits[i]);
	}
	buffer_printf(out, ".%02u", (unsigned)(all % 100));
}

static void write_value(struct buffer *out, const json_t *v, enum piece_kind kind)
{
	if (kind == PIECE_QR || kind == PIECE_CODE128)
		symbol_write(out, kind == PIECE_QR ? SYMBOL_QR : SYMBOL_CODE128,
			     (struct slice){ json_string_value(v), json_string_length(v) });
	else if (json_is_string(v))
		write_escaped(out, (struct slice){ json_string_value(v), json_string_length(v) });
	else if (json_is_number(v) && kind == PIECE_YUAN)
		write_yuan(out, json_is_integer(v) ? json_integer_value(v) : (int64_t)json_real_value(v));
	else if (json_is_integer(v))
		buffer_i64(out, json_integer_value(v));
	else if (json_is_real(v))
		buffer_printf(out, "%.15g", json_real_value(v));
	else if (json_is_boolean(v))
		buffer_text(out, json_is_true(v) ? "true" : "false");
}

static bool holds(const json_t *v)
{
	if (json_is_array(v))
		return json_array_size(v) > 0;
	if (json_is_string(v))
		return json_string_length(v) > 0;
	if (json_is_number(v))
		return json_number_value(v) < 0 || json_number_value(v) > 0;
	return json_is_object(v) || json_is_true(v);
}

static void write_pieces(struct writing *w, int from, int to);

static void write_section(struct writing *w, int number)
{
	const struct piece *p = &w->sheet->piece[number];
	const json_t *v = look_up(w, p->text);
	bool list = p->kind == PIECE_SECTION && json_is_array(v);
	size_t times = list ? json_array_size(v) : holds(v) == (p->kind == PIECE_SECTION);
	for (size_t i = 0; i < times; i++) {
		w->context[w->depth + 1] = list ? json_array_get(v, i) : v;
		w->depth += p->kind == PIECE_SECTION;
		write_pieces(w, number + 1, p->end);
		w->depth -= p->kind == PIECE_SECTION;
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the template's sections, which are DEPTH at most */
static void write_pieces(struct writing *w, int from, int to)
{
	for (int i = from; i < to; i++) {
		const struct piece *p = &w->sheet->piece[i];
		if (p->kind == PIECE_TEXT) {
			buffer_slice(w->out, p->text);
		} else if (p->kind >= PIECE_VALUE && p->kind <= PIECE_CODE128) {
			write_value(w->out, look_up(w, p->text), p->kind);
		} else if (p->kind != PIECE_END) {
			write_section(w, i);
			i = p->end;
		}
	}
}

void sheet_write(const struct sheet *sheet, const json_t *data, struct buffer *out)
{
	struct writing w = { .sheet = sheet, .context = { data }, .out = out };
	write_pieces(&w, 0, sheet->count);
}
