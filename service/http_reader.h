/* SPDX-License-Identifier: Apache-2.0
 * Reads one request through the guard and llhttp together. The head is collected in an arena and parsed in
 * one go, so names and values stay where they are as long as the arena. */
#ifndef SERVICE_HTTP_READER_H
#define SERVICE_HTTP_READER_H

#include "service/buffer.h"
#include "service/http.h"
#include "service/http_guard.h"
#include "service/http_target.h"
#include <llhttp.h>

struct http_field {
	struct slice name, value; /* the name in lower case; the value without blanks around it */
};

struct http_reader {
	struct http_guard guard;
	llhttp_t parser;
	struct arena *arena;
	struct buffer head;
	struct http_field *fields;
	size_t field_count, field_room;
	struct slice raw_target, seen_data; /* as llhttp reports them */
	struct http_target target;
	enum http_method method;
	enum http_refusal refusal;
	bool head_seen, end_seen, odd; /* llhttp's callbacks; odd: not what the guard let through */
	bool old_version, keep_alive, chunked;
	uint64_t content_length;
};

void http_reader_init(struct http_reader *reader, struct arena *arena,
		      const struct http_guard_limits *limits);
/* As http_guard_read; what the request is can be read from the struct after HTTP_GUARD_HEAD. */
enum http_guard_event http_reader_read(struct http_reader *reader, const char *bytes, size_t len,
				       struct http_guard_step *step);
/* .at is NULL when there is no such field. */
struct slice http_reader_field(const struct http_reader *reader, const char *lower_case_name);

#endif
