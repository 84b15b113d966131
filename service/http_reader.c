/* SPDX-License-Identifier: Apache-2.0
 * The guard goes first; llhttp, the parser of record, must then see the same head, the same pieces of body
 * and the same end.
 * Invariant: where the two differ the request is refused; llhttp never sees a byte the guard did not take. */
#include "service/http_reader.h"

static struct http_reader *reader_of(llhttp_t *parser)
{
	return parser->data;
}

/* Adds a piece to a span; a span that does not hang together is odd. */
static void extend(struct http_reader *reader, struct slice *span, const char *at, size_t len)
{
	if (!span->at)
		*span = (struct slice){ at, len };
	else if (span->at + span->len == at)
		span->len += len;
	else
		reader->odd = true;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
	struct http_reader *reader = reader_of(parser);
	extend(reader, &reader->raw_target, at, len);
	return 0;
}

/* The field being read; NULL when there are more than the guard counted. Trailers are dropped. */
static struct http_field *current_field(struct http_reader *reader)
{
	if (reader->head_seen)
		return NULL;
	if (reader->field_count < reader->field_room)
		return &reader->fields[reader->field_count];
	reader->odd = true;
	return NULL;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
	struct http_reader *reader = reader_of(parser);
	struct http_field *field = current_field(reader);
	if (field)
		extend(reader, &field->name, at, len);
	return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
	struct http_reader *reader = reader_of(parser);
	struct http_field *field = current_field(reader);
	if (field)
		extend(reader, &field->value, at, len);
	return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
	struct http_reader *reader = reader_of(parser);
	struct http_field *field = current_field(reader);
	if (!field)
		return 0;
	/* The bytes are ours, in reader->head. */
	char *name = reader->head.at + (field->name.at - reader->head.at);
	for (size_t i = 0; i < field->name.len; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] |= 0x20;
	field->value = field->value.at ? slice_trim(field->value) : SLICE("");
	reader->field_count++;
	return 0;
}

static enum http_method method_of(unsigned method)
{
	switch (method) {
	case HTTP_GET:
		return HTTP_METHOD_GET;
	case HTTP_HEAD:
		return HTTP_METHOD_HEAD;
	case HTTP_POST:
		return HTTP_METHOD_POST;
	case HTTP_PUT:
		return HTTP_METHOD_PUT;
	case HTTP_PATCH:
		return HTTP_METHOD_PATCH;
	case HTTP_DELETE:
		return HTTP_METHOD_DELETE;
	case HTTP_OPTIONS:
		return HTTP_METHOD_OPTIONS;
	default:
		return HTTP_METHOD_OTHER;
	}
}

static int on_headers_complete(llhttp_t *parser)
{
	struct http_reader *reader = reader_of(parser);
	reader->head_seen = true;
	reader->method = method_of(parser->method);
	reader->old_version = parser->http_minor == 0;
	reader->keep_alive = llhttp_should_keep_alive(parser) && !(parser->flags & F_CONNECTION_CLOSE);
	reader->chunked = (parser->flags & F_CHUNKED) != 0;
	reader->content_length = parser->content_length;
	parser->upgrade = 0; /* no other protocol is spoken here: the request is answered as it is */
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct http_reader *reader = reader_of(parser);
	extend(reader, &reader->seen_data, at, len);
	return 0;
}

static int on_message_complete(llhttp_t *parser)
{
	reader_of(parser)->end_seen = true;
	return 0;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_header_value_complete = on_header_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

void http_reader_init(struct http_reader *reader, struct arena *arena, const struct http_guard_limits *limits)
{
	memset(reader, 0, sizeof(*reader));
	reader->arena = arena;
	http_guard_init(&reader->guard, limits);
	llhttp_init(&reader->parser, HTTP_REQUEST, &settings);
	reader->parser.data = reader;
	reader->head.arena = arena;
}

struct slice http_reader_field(const struct http_reader *reader, const char *lower_case_name)
{
	size_t len = strlen(lower_case_name);
	for (size_t i = 0; i < reader->field_count; i++) {
		const struct http_field *field = &reader->fields[i];
		if (field->name.len == len && memcmp(field->name.at, lower_case_name, len) == 0)
			return field->value;
	}
	return (struct slice){ NULL, 0 };
}

static enum http_guard_event refuse(struct http_reader *reader, enum http_refusal refusal)
{
	reader->refusal = refusal;
	return HTTP_GUARD_REFUSED;
}

/* Whether llhttp saw in these bytes what the guard saw. */
static bool agreed(struct http_reader *reader, const char *bytes, size_t len, struct slice data)
{
	reader->seen_data = (struct slice){ NULL, 0 };
	if (llhttp_execute(&reader->parser, bytes, len) != HPE_OK || reader->odd)
		return false;
	return reader->seen_data.len == data.len && (data.len == 0 || reader->seen_data.at == data.at) &&
	       reader->end_seen == http_guard_ended(&reader->guard);
}

static bool head_agreed(struct http_reader *reader)
{
	const struct http_guard *guard = &reader->guard;
	return agreed(reader, reader->head.at, reader->head.len, (struct slice){ NULL, 0 }) &&
	       reader->head_seen && reader->field_count == guard->fields &&
	       reader->chunked == guard->has_coding && reader->content_length == guard->length &&
	       reader->old_version == (guard->minor == 0);
}

/* In a request with an absolute target, the target's authority stands for Host (RFC 9112, 3.2.2). */
static void replace_host(struct http_reader *reader)
{
	for (size_t i = 0; i < reader->field_count; i++)
		if (slice_is(reader->fields[i].name, "host"))
			reader->fields[i].value = reader->target.authority;
}

static enum http_guard_event read_head(struct http_reader *reader)
{
	reader->field_room = reader->guard.fields;
	reader->fields = arena_zalloc(reader->arena, (reader->field_room + 1) * sizeof(*reader->fields));
	if (!reader->fields)
		return refuse(reader, HTTP_REFUSED_MEMORY);
	if (!head_agreed(reader)) {
		bool unknown = llhttp_get_errno(&reader->parser) == HPE_INVALID_METHOD;
		return refuse(reader, unknown ? HTTP_REFUSED_METHOD : HTTP_REFUSED_DISAGREED);
	}
	struct slice host = http_reader_field(reader, "host");
	if (host.at && !http_authority_valid(host))
		return refuse(reader, HTTP_REFUSED_HOST_VALUE);
	if (!http_target_split(reader->raw_target, reader->method == HTTP_METHOD_OPTIONS, &reader->target))
		return refuse(reader, HTTP_REFUSED_TARGET);
	if (reader->target.authority.at)
		replace_host(reader);
	return HTTP_GUARD_HEAD;
}

/* A refused HEAD is answered without a body as well, though its head was never parsed. */
static void note_method(struct http_reader *reader, const char *bytes, size_t len)
{
	size_t at = 0;
	buffer_add(&reader->head, bytes, len);
	while (at < reader->head.len && (reader->head.at[at] == '\r' || reader->head.at[at] == '\n'))
		at++;
	if (reader->head.len - at >= 5 && memcmp(reader->head.at + at, "HEAD ", 5) == 0)
		reader->method = HTTP_METHOD_HEAD;
}

enum http_guard_event http_reader_read(struct http_reader *reader, const char *bytes, size_t len,
				       struct http_guard_step *step)
{
	enum http_guard_event event = http_guard_read(&reader->guard, bytes, len, step);
	if (event == HTTP_GUARD_REFUSED) {
		if (!reader->head_seen)
			note_method(reader, bytes, step->used);
		return refuse(reader, reader->guard.refusal);
	}
	if (!reader->head_seen) {
		buffer_add(&reader->head, bytes, step->used);
		if (reader->head.failed)
			return refuse(reader, HTTP_REFUSED_MEMORY);
		return event == HTTP_GUARD_HEAD ? read_head(reader) : event;
	}
	if (!agreed(reader, bytes, step->used, step->data))
		return refuse(reader, HTTP_REFUSED_DISAGREED);
	return event;
}
