/* SPDX-License-Identifier: Apache-2.0
 * Text tests on slices.
 * Invariant: nothing here reads past the slice, allocates, or depends on the locale. */
#include "service/slice.h"

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower((unsigned char)a.at[i]) != lower((unsigned char)b.at[i]))
			return false;
	return true;
}

struct slice slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

/* How many of the bytes at the front are ASCII, eight at a time. */
static size_t ascii_prefix(const unsigned char *at, size_t len)
{
	size_t i = 0;
	uint64_t word;
	for (; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < len && at[i] < 0x80)
		i++;
	return i;
}

static bool continues(unsigned char c)
{
	return (c & 0xC0) == 0x80;
}

/* Length of the well-formed sequence at `at` (Unicode table 3-7), 0 when there is none. */
static size_t utf8_sequence(const unsigned char *at, size_t len)
{
	unsigned char a = at[0];
	if (a < 0x80)
		return 1;
	if (a >= 0xC2 && a <= 0xDF)
		return len >= 2 && continues(at[1]) ? 2 : 0;
	if (a >= 0xE0 && a <= 0xEF) {
		if (len < 3 || !continues(at[1]) || !continues(at[2]))
			return 0;
		return (a == 0xE0 && at[1] < 0xA0) || (a == 0xED && at[1] > 0x9F) ? 0 : 3;
	}
	if (a >= 0xF0 && a <= 0xF4) {
		if (len < 4 || !continues(at[1]) || !continues(at[2]) || !continues(at[3]))
			return 0;
		return (a == 0xF0 && at[1] < 0x90) || (a == 0xF4 && at[1] > 0x8F) ? 0 : 4;
	}
	return 0;
}

bool slice_is_utf8(struct slice s)
{
	const unsigned char *at = (const unsigned char *)s.at;
	size_t i = 0;
	while (i < s.len) {
		i += ascii_prefix(at + i, s.len - i);
		if (i == s.len)
			break;
		size_t step = utf8_sequence(at + i, s.len - i);
		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

size_t slice_utf8_length(struct slice s)
{
	size_t points = 0;
	for (size_t i = 0; i < s.len; i++)
		points += !continues((unsigned char)s.at[i]);
	return points;
}

bool slice_to_u64(struct slice s, uint64_t *out)
{
	uint64_t n = 0;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
		    __builtin_add_overflow(n, (uint64_t)(s.at[i] - '0'), &n))
			return false;
	}
	*out = n;
	return true;
}

bool slice_to_i64(struct slice s, int64_t *out)
{
	uint64_t n;
	if (!slice_to_u64(s, &n) || n > INT64_MAX)
		return false;
	*out = (int64_t)n;
	return true;
}
