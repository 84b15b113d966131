/* SPDX-License-Identifier: Apache-2.0
 * The shapes of texts and of header fields. Any bytes, as each of them. Checked: what is taken is of its
 * shape and stands within the bytes, and percent decoding gives back what was encoded. */
#include "api/header.h"
#include "api/text.h"
#include "service/http_target.h"
#include "service/invariant.h"
#include "service/json_write.h"
#include "workers/array_text.h"
#include <jansson.h>
#include <stdlib.h>

static bool within(struct slice part, struct slice whole)
{
	return part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

/* d: digit, anything else: itself or, for letters, its lower case. */
static bool begins_as(struct slice s, const char *shape)
{
	for (size_t i = 0; shape[i]; i++) {
		if (i >= s.len)
			return false;
		bool digit = s.at[i] >= '0' && s.at[i] <= '9';
		if (shape[i] == 'd' ? !digit : (s.at[i] | 0x20) != (shape[i] | 0x20))
			return false;
	}
	return true;
}

static void check_shapes(struct slice s)
{
	INVARIANT(!text_is_date(s) || (s.len == 10 && begins_as(s, "dddd-dd-dd")));
	INVARIANT(!text_is_time(s) || (s.len >= 20 && s.len <= 40 && begins_as(s, "dddd-dd-ddTdd:dd:dd")));
	INVARIANT(!text_is_region(s) || ((s.len == 6 || s.len == 9) && begins_as(s, "dddddd")));
	INVARIANT(!text_is_citizen_id(s) || (s.len == 18 && begins_as(s, "ddddddddddddddddd")));
	INVARIANT(!text_is_json_type(s) || s.len >= strlen("application/json"));
}

static void check_headers(struct slice s)
{
	struct slice version, none = { 0 };
	INVARIANT(within(header_token(s, none), s));
	struct slice token = header_token(none, s);
	INVARIANT(within(token, s) && (token.len == 0 || !memchr(token.at, ';', token.len)));
	if (header_version(s, &version) && version.at) {
		uint64_t n;
		INVARIANT(within(version, s) && slice_to_u64(version, &n) && n <= INT32_MAX);
	}
	INVARIANT(!header_key_is_sound(s) || (s.len <= HEADER_KEY_BYTES && slice_is_utf8(s)));
}

static void check_target(struct slice s)
{
	struct http_target target;
	if (!http_target_split(s, true, &target))
		return;
	INVARIANT(target.path.len > 0 && (target.path.at[0] == '/' || slice_is(target.path, "*") ||
					  !memchr(target.path.at, '?', target.path.len)));
	INVARIANT(within(target.query, s));
	INVARIANT(!target.authority.at ||
		  (within(target.authority, s) && http_authority_valid(target.authority)));
}

static void check_decoding(struct slice s)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	struct arena *arena = arena_new(1 << 20);
	struct slice out;
	INVARIANT(arena != NULL);
	if (text_percent_decode(arena, s, &out))
		INVARIANT(out.len <= s.len && out.at[out.len] == 0 && slice_is_utf8(out) &&
			  strlen(out.at) == out.len);
	char *encoded = arena_alloc(arena, 3 * s.len + 1);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		encoded[3 * i] = '%';
		encoded[3 * i + 1] = digits[c >> 4];
		encoded[3 * i + 2] = digits[(c & 15) > 9 && c & 1 ? (c & 15) + 6 : c & 15];
	}
	bool text = slice_is_utf8(s) && !(s.len && memchr(s.at, 0, s.len));
	INVARIANT(text_percent_decode(arena, (struct slice){ encoded, 3 * s.len }, &out) == text);
	INVARIANT(!text || slice_equal(out, s));
	arena_free(&arena);
}

static void check_json(struct arena *arena, struct slice text)
{
	struct buffer out;
	buffer_init(&out, arena, 0);
	json_write_text(&out, text);
	INVARIANT(!out.failed);
	json_t *value = json_loadb(out.at, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	INVARIANT(value != NULL);
	INVARIANT(slice_equal(text, (struct slice){ json_string_value(value), json_string_length(value) }));
	json_decref(value);
}

/* d stands for a digit. */
static bool has_shape(struct slice text, const char *shape)
{
	if (text.len < strlen(shape))
		return false;
	for (size_t i = 0; shape[i]; i++) {
		bool digit = text.at[i] >= '0' && text.at[i] <= '9';
		if (shape[i] == 'd' ? !digit : text.at[i] != shape[i])
			return false;
	}
	return true;
}

static void check_time(struct arena *arena, int64_t micros)
{
	struct buffer out;
	buffer_init(&out, arena, 64);
	json_write_time(&out, micros);
	struct slice text = buffer_taken(&out);
	INVARIANT(slice_is(text, "null") || has_shape(text, "\"dddd-dd-ddTdd:dd:dd"));
	INVARIANT(slice_is(text, "null") ||
		  (text.len <= 29 && has_shape((struct slice){ text.at + text.len - 2, 2 }, "Z\"")));
	out.len = 0;
	json_write_date(&out, (int32_t)(micros >> 32));
	INVARIANT(slice_is(buffer_taken(&out), "null") || has_shape(buffer_taken(&out), "\"dddd-dd-dd\""));
}

/* The elements by PostgreSQL's manual, 8.15.6: all are quoted here, a backslash quotes the next byte. */
static struct slice next_element(char *to, const char **at)
{
	size_t n = 0;
	INVARIANT((**at == '{' || **at == ',') && (*at)[1] == '"');
	for (*at += 2; **at != '"'; ++*at) {
		*at += **at == '\\';
		INVARIANT(**at != '\0');
		to[n++] = **at;
	}
	++*at;
	return (struct slice){ to, n };
}

/* The bytes, divided at 0x1F, as an array. */
static void check_array(struct arena *arena, struct slice s)
{
	struct buffer out;
	struct slice rest = s;
	buffer_init(&out, arena, 16);
	array_begin(&out);
	do {
		const char *end = rest.len ? memchr(rest.at, 0x1F, rest.len) : NULL;
		size_t len = end ? (size_t)(end - rest.at) : rest.len;
		array_text(&out, (struct slice){ rest.at, len });
		rest = (struct slice){ rest.at + len + (end ? 1 : 0), rest.len - len - (end ? 1 : 0) };
	} while (rest.len > 0);
	const char *at = array_end(&out);
	INVARIANT(at != NULL);
	char *room = arena_alloc(arena, strlen(at) + 1);
	for (rest = s; *at != '}';) {
		struct slice element = next_element(room, &at);
		INVARIANT(element.len <= rest.len && memcmp(element.at, rest.at, element.len) == 0);
		rest = (struct slice){ rest.at + element.len, rest.len - element.len };
		INVARIANT(rest.len == 0 || rest.at[0] == 0x1F);
		rest = rest.len ? (struct slice){ rest.at + 1, rest.len - 1 } : rest;
	}
	INVARIANT(room && rest.len == 0 && at[1] == '\0');
}

static void check_written(struct slice s)
{
	struct arena *arena = arena_new(16 * 1024 * 1024);
	int64_t micros = 0;
	INVARIANT(arena != NULL);
	if (slice_is_utf8(s))
		check_json(arena, s);
	if (!memchr(s.at, 0, s.len))
		check_array(arena, s);
	memcpy(&micros, s.at, s.len < sizeof(micros) ? s.len : sizeof(micros));
	check_time(arena, micros);
	check_time(arena, micros % INT64_C(300000000000000000));
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = { (const char *)data, size };
	if (size == 0)
		return 0;
	check_shapes(s);
	check_headers(s);
	check_target(s);
	check_decoding(s);
	check_written(s);
	return 0;
}
