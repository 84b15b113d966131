/* SPDX-License-Identifier: Apache-2.0
 * See header.h. */
#include "api/header.h"

static struct slice cookie_token(struct slice cookies)
{
	static const char name[] = "tantu_session=";
	const size_t len = sizeof name - 1;
	while (cookies.len) {
		const char *end = memchr(cookies.at, ';', cookies.len);
		struct slice one = slice_trim(
			(struct slice){ cookies.at, end ? (size_t)(end - cookies.at) : cookies.len });
		if (one.len > len && memcmp(one.at, name, len) == 0)
			return (struct slice){ one.at + len, one.len - len };
		cookies = end ? (struct slice){ end + 1, cookies.len - (size_t)(end + 1 - cookies.at) }
			      : (struct slice){ 0 };
	}
	return (struct slice){ 0 };
}

struct slice header_token(struct slice authorization, struct slice cookies)
{
	struct slice bearer = SLICE("Bearer ");
	if (authorization.len > bearer.len &&
	    slice_equal_nocase((struct slice){ authorization.at, bearer.len }, bearer))
		return slice_trim(
			(struct slice){ authorization.at + bearer.len, authorization.len - bearer.len });
	return cookie_token(cookies);
}

bool header_version(struct slice if_match, struct slice *version)
{
	uint64_t n;
	*version = (struct slice){ 0 };
	if (!if_match.at || slice_is(if_match, "*"))
		return true;
	if (if_match.len < 3 || if_match.at[0] != '"' || if_match.at[if_match.len - 1] != '"')
		return false;
	struct slice digits = { if_match.at + 1, if_match.len - 2 };
	if (!slice_to_u64(digits, &n) || n > INT32_MAX)
		return false;
	*version = digits;
	return true;
}

bool header_key_is_sound(struct slice key)
{
	for (size_t i = 0; i < key.len; i++)
		if (key.at[i] < 0x21 || key.at[i] > 0x7e)
			return false;
	return key.len >= 1 && key.len <= HEADER_KEY_BYTES;
}
