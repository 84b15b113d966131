/* SPDX-License-Identifier: Apache-2.0
 * A view of bytes that somebody else owns; and the few text tests that every layer needs. */
#ifndef SERVICE_SLICE_H
#define SERVICE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *at; /* not terminated; may be NULL when len is 0 */
	size_t len;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
	return slice_equal(a, slice_of(text));
}

/* ASCII case only: header names, methods, media types. */
bool slice_equal_nocase(struct slice a, struct slice b);
struct slice slice_trim(struct slice s);

/* True for well-formed UTF-8: no overlong form, no surrogate, nothing past U+10FFFF. */
bool slice_is_utf8(struct slice s);

/* Number of code points of well-formed UTF-8. */
size_t slice_utf8_length(struct slice s);

/* A whole decimal number without sign, blanks or leading '+'; false when it is none or does not fit. */
bool slice_to_u64(struct slice s, uint64_t *out);
bool slice_to_i64(struct slice s, int64_t *out);

#endif
