/* SPDX-License-Identifier: Apache-2.0
 * See photo_range.h. */
#include "api/photo_range.h"
#include <sodium.h>

/* What stands before `end`, which is taken too. False: there is no such end. */
static bool cut(struct slice *rest, char end, struct slice *part)
{
	const char *at = rest->len ? memchr(rest->at, end, rest->len) : NULL;
	if (!at)
		return false;
	*part = (struct slice){ rest->at, (size_t)(at - rest->at) };
	*rest = (struct slice){ at + 1, rest->len - part->len - 1 };
	return true;
}

bool photo_range_read(struct slice content_range, struct photo_range *out)
{
	struct slice rest = content_range, unit, range, from;
	*out = (struct photo_range){ 0 };
	if (!rest.at)
		return true;
	if (!cut(&rest, ' ', &unit) || !slice_equal_nocase(unit, SLICE("bytes")) ||
	    !cut(&rest, '/', &range) || !slice_to_u64(rest, &out->all) || out->all == 0)
		return false;
	out->given = true;
	out->asks = slice_is(range, "*");
	if (out->asks)
		return true;
	return cut(&range, '-', &from) && slice_to_u64(from, &out->from) && slice_to_u64(range, &out->to) &&
	       out->from <= out->to && out->to < out->all;
}

bool photo_digest_read(struct slice field, unsigned char out[PHOTO_DIGEST_BYTES], bool *given)
{
	struct slice rest = field, name;
	size_t len = 0;
	*given = false;
	while (rest.len) {
		struct slice one = rest;
		if (!cut(&rest, ',', &one))
			rest.len = 0;
		one = slice_trim(one);
		if (!cut(&one, '=', &name) || !slice_equal_nocase(name, SLICE("sha-256")))
			continue;
		*given = true;
		if (one.len >= 2 && one.at[0] == ':' && one.at[one.len - 1] == ':')
			one = (struct slice){ one.at + 1, one.len - 2 };
		return sodium_base642bin(out, PHOTO_DIGEST_BYTES, one.at, one.len, NULL, &len, NULL,
					 sodium_base64_VARIANT_ORIGINAL) == 0 &&
		       len == PHOTO_DIGEST_BYTES;
	}
	return true;
}

bool photo_uuid_read(struct slice text, char out[PHOTO_UUID_BYTES])
{
	if (text.len != PHOTO_UUID_BYTES - 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		out[i] = c;
	}
	out[text.len] = 0;
	return true;
}
