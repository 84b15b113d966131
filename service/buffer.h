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
/* Room for `more` bytes at the end, or NULL with `failed` set. The caller adds to len what it used. */
char *buffer_reserve(struct buffer *buffer, size_t more);
void buffer_add(struct buffer *buffer, const void *bytes, size_t len);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_slice(struct buffer *buffer, struct slice s);
void buffer_char(struct buffer *buffer, char c);
void buffer_i64(struct buffer *buffer, int64_t n);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline struct slice buffer_taken(const struct buffer *buffer)
{
	return (struct slice){ buffer->at, buffer->len };
}

#endif
