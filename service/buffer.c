/* SPDX-License-Identifier: Apache-2.0
 * Growing bytes in an arena.
 * Invariant: len <= room; a buffer without an arena never grows past the room it was given; once `failed`
 * is set nothing more is added, so what is there is a true beginning. */
#include "service/buffer.h"
#include <stdarg.h>
#include <stdio.h>

enum { SMALLEST = 64 };

void buffer_init(struct buffer *buffer, struct arena *arena, size_t room)
{
	*buffer = (struct buffer){ .arena = arena };
	if (room > 0)
		buffer_reserve(buffer, room);
}

static bool grow(struct buffer *buffer, size_t need)
{
	size_t room = buffer->room < SMALLEST ? SMALLEST : buffer->room * 2;
	if (room < need)
		room = need;
	if (buffer->at && arena_extend(buffer->arena, buffer->at, buffer->room, room - buffer->room)) {
		buffer->room = room;
		return true;
	}
	char *at = arena_alloc(buffer->arena, room);
	if (!at && room > need) { /* near the cap: just what is needed */
		room = need;
		at = arena_alloc(buffer->arena, room);
	}
	if (!at)
		return false;
	if (buffer->at && buffer->len > 0)
		memcpy(at, buffer->at, buffer->len);
	buffer->at = at;
	buffer->room = room;
	return true;
}

bool buffer_grow(struct buffer *buffer, size_t more)
{
	if (!buffer->failed && buffer->arena && more <= SIZE_MAX / 4 - buffer->len &&
	    grow(buffer, buffer->len + more))
		return true;
	buffer->failed = true;
	return false;
}

void buffer_i64(struct buffer *buffer, int64_t n)
{
	char digits[20], *end = digits + sizeof(digits), *at = end;
	uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (n < 0)
		*--at = '-';
	buffer_add(buffer, at, (size_t)(end - at));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	/* One more for the NUL that vsnprintf insists on; it is not counted. */
	char *to = len < 0 ? NULL : buffer_reserve(buffer, (size_t)len + 1);
	if (to) {
		vsnprintf(to, (size_t)len + 1, format, again);
		buffer->len += (size_t)len;
	}
	va_end(again);
	va_end(args);
}
