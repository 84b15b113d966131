/* SPDX-License-Identifier: Apache-2.0
 * Request targets and authorities. Invariant: the slices of a target point into the raw one or at literals.
 */
#include "service/http_target.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* unreserved, sub-delims, and '%' for what is escaped (RFC 3986, 3.2.2) */
static bool is_name_char(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c != '\0' && strchr("-._~!$&'()*+,;=%", c));
}

static bool is_port(const char *at, size_t len)
{
	if (len == 0)
		return true;
	if (at[0] != ':')
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_digit(at[i]))
			return false;
	return true;
}

bool http_authority_valid(struct slice authority)
{
	size_t i = 0;
	if (authority.len > 0 && authority.at[0] == '[') {
		for (i = 1; i < authority.len &&
			    (is_hex(authority.at[i]) || authority.at[i] == ':' || authority.at[i] == '.');)
			i++;
		if (i < 3 || i == authority.len || authority.at[i] != ']')
			return false;
		i++;
	} else {
		while (i < authority.len && is_name_char(authority.at[i]))
			i++;
	}
	return i > 0 && is_port(authority.at + i, authority.len - i);
}

/* How long the scheme with its "://" is, 0 when it is not one of ours. */
static size_t scheme_length(struct slice raw)
{
	static const char *const schemes[] = { "http://", "https://" };
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct slice scheme = slice_of(schemes[i]);
		if (raw.len > scheme.len && slice_equal_nocase((struct slice){ raw.at, scheme.len }, scheme))
			return scheme.len;
	}
	return 0;
}

static void split_query(struct slice rest, struct http_target *target)
{
	const char *mark = rest.len > 0 ? memchr(rest.at, '?', rest.len) : NULL;
	target->path = rest;
	if (mark) {
		target->path.len = (size_t)(mark - rest.at);
		target->query = (struct slice){ mark + 1, rest.len - target->path.len - 1 };
	}
	if (target->path.len == 0)
		target->path = SLICE("/");
}

static bool split_absolute(struct slice raw, struct http_target *target)
{
	size_t start = scheme_length(raw), end = start;
	if (start == 0)
		return false;
	while (end < raw.len && raw.at[end] != '/' && raw.at[end] != '?')
		end++;
	target->authority = (struct slice){ raw.at + start, end - start };
	const char *user =
		target->authority.len ? memrchr(target->authority.at, '@', target->authority.len) : NULL;
	if (user) {
		target->authority.len -= (size_t)(user + 1 - target->authority.at);
		target->authority.at = user + 1;
	}
	split_query((struct slice){ raw.at + end, raw.len - end }, target);
	return http_authority_valid(target->authority);
}

bool http_target_split(struct slice raw, bool options, struct http_target *target)
{
	*target = (struct http_target){ 0 };
	if (raw.len == 0)
		return false;
	if (raw.at[0] == '/') {
		split_query(raw, target);
		return true;
	}
	if (raw.len == 1 && raw.at[0] == '*') {
		target->path = raw;
		return options;
	}
	return split_absolute(raw, target);
}
