/* SPDX-License-Identifier: Apache-2.0
 * Bytes that grow, in an arena. After a failed growth the buffer stays as it was, and `failed` stays set:
 * write everything, ask once at the end. */
#ifndef SERVICE_BUFFER_H
#define SERVICE_BUFFER_H

#include "service/arena.h"

struct buffer {
	struct arena *arena;
	char *at;
	size_t len, room;
	bool failed;
};

void buffer_init(struct buffer *buffer, struct arena *arena, size_t room);
/* Makes room for `more` bytes, or sets `failed`. */
bool buffer_grow(struct buffer *buffer, size_t more);

/* Room for `more` bytes at the end, or NULL with `failed` set. The caller adds to len what it used. */
static inline char *buffer_reserve(struct buffer *buffer, size_t more)
{
	bool fits = buffer->at && !buffer->failed && more <= buffer->room - buffer->len;
	return fits || buffer_grow(buffer, more) ? buffer->at + buffer->len : NULL;
}

static inline void buffer_add(struct buffer *buffer, const void *bytes, size_t len)
{
	char *to = len > 0 ? buffer_reserve(buffer, len) : NULL;
	if (!to)
		return;
	memcpy(to, bytes, len);
	buffer->len += len;
}

static inline void buffer_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

static inline void buffer_slice(struct buffer *buffer, struct slice s)
{
	buffer_add(buffer, s.at, s.len);
}

static inline void buffer_char(struct buffer *buffer, char c)
{
	buffer_add(buffer, &c, 1);
}

void buffer_i64(struct buffer *buffer, int64_t n);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline struct slice buffer_taken(const struct buffer *buffer)
{
	return (struct slice){ buffer->at, buffer->len };
}

#endif
