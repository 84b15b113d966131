/* SPDX-License-Identifier: Apache-2.0
 * A strict reader of RFC 9112 requests, byte by byte, in front of llhttp: it lets through only what has one
 * reading. It knows where the head, each piece of the body and the message end, so that llhttp can be asked
 * whether it sees the same. It keeps no bytes. One guard reads one request. */
#ifndef SERVICE_HTTP_GUARD_H
#define SERVICE_HTTP_GUARD_H

#include "service/http_refusal.h"
#include "service/slice.h"

struct http_guard_limits {
	size_t head_bytes;   /* request line and fields; the trailers of a chunked body again as much */
	size_t target_bytes; /* of the request line */
	size_t fields;
};

enum { HTTP_GUARD_NAME = 24 }; /* no name that matters is longer */

struct http_guard {
	const struct http_guard_limits *limits;
	unsigned char state, field, matched, digits, minor;
	bool trailer, has_host, has_length, has_coding;
	size_t section_bytes, target_bytes,
		line_bytes; /* so far: of the head or trailers, target, chunk line */
	size_t fields;
	uint64_t length; /* Content-Length; while a body is read, what is left of it or of its chunk */
	enum http_refusal refusal;
	unsigned char name_len;
	char name[HTTP_GUARD_NAME];
};

enum http_guard_event {
	HTTP_GUARD_MORE, /* took `used` bytes, data among them perhaps */
	HTTP_GUARD_HEAD, /* the head ends at `used`; the message too when it has no body */
	HTTP_GUARD_END,  /* the message ends at `used`, data before it perhaps */
	HTTP_GUARD_REFUSED
};

struct http_guard_step {
	size_t used;
	struct slice data; /* at most one piece of the body a step; points into the bytes given */
};

/* limits must outlive the guard. */
void http_guard_init(struct http_guard *guard, const struct http_guard_limits *limits);
/* Takes from 1 to len bytes (len > 0); not to be called after the end or a refusal. */
enum http_guard_event http_guard_read(struct http_guard *guard, const char *bytes, size_t len,
				      struct http_guard_step *step);

/* True before the first byte of the request line (empty lines before it are skipped). */
bool http_guard_untouched(const struct http_guard *guard);
bool http_guard_ended(const struct http_guard *guard);

#endif
