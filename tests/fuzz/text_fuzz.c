/* SPDX-License-Identifier: Apache-2.0
 * The shapes of texts and of header fields. Any bytes, as each of them. Checked: what is taken is of its
 * shape and stands within the bytes, and percent decoding gives back what was encoded. */
#include "api/header.h"
#include "api/text.h"
#include "service/http_target.h"
#include "service/invariant.h"
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
	return 0;
}
