/* SPDX-License-Identifier: Apache-2.0
 * Reading from a client through the server's one buffer. While an answer is awaited reading goes on, so that
 * a client that leaves is noticed; what it sends meanwhile waits in c->rest.
 * Invariant: c->rest holds at most one read beyond REST; an idle connection holds none. */
#include "service/http_internal.h"
#include <stdlib.h>

enum { HEAD_READ = 16 * 1024, REST = 16 * 1024 };

/* A body of known length is read to its end and no further, so nothing of what follows must be kept. */
static size_t read_size(const struct http_connection *c)
{
	const struct http_exchange *x = c->exchange;
	switch (c->state) {
	case HTTP_CONNECTION_IDLE:
	case HTTP_CONNECTION_HEAD:
		return HEAD_READ;
	case HTTP_CONNECTION_BODY:
		if (x->reader.chunked || x->ended)
			return HEAD_READ;
		return x->reader.guard.length < HTTP_READ_BUFFER ? (size_t)x->reader.guard.length
								 : HTTP_READ_BUFFER;
	case HTTP_CONNECTION_LINGERING:
		return HTTP_READ_BUFFER;
	default:
		return c->rest_len < REST ? REST - c->rest_len : 1;
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct http_connection *c = handle->data;
	(void)suggested;
	*buf = uv_buf_init(c->server->read_buffer, (unsigned)read_size(c));
}

static bool make_room(struct http_connection *c, size_t more)
{
	if (c->rest_at > 0 && c->rest_len > 0)
		memmove(c->rest, c->rest + c->rest_at, c->rest_len);
	c->rest_at = 0;
	if (c->rest_len + more <= c->rest_room)
		return true;
	size_t room = c->rest_len + more;
	char *rest = realloc(c->rest, room);
	if (!rest)
		return false;
	c->rest = rest;
	c->rest_room = room;
	return true;
}

static void keep(struct http_connection *c, const char *bytes, size_t len)
{
	if (len == 0 || c->state >= HTTP_CONNECTION_LINGERING)
		return;
	if (!make_room(c, len)) {
		c->broken = true;
		http_due_add(c);
		return;
	}
	memcpy(c->rest + c->rest_len, bytes, len);
	c->rest_len += len;
}

static void drop_rest(struct http_connection *c)
{
	free(c->rest);
	c->rest = NULL;
	c->rest_at = c->rest_len = c->rest_room = 0;
}

static void take_rest(struct http_connection *c)
{
	if (c->rest_len > 0 && http_request_wanted(c)) {
		size_t used = http_request_take(c, c->rest + c->rest_at, c->rest_len);
		c->rest_at += used;
		c->rest_len -= used;
	}
	if (c->rest && (c->rest_len == 0 || c->state >= HTTP_CONNECTION_LINGERING))
		drop_rest(c);
}

/* A client in the middle of a long body reads our answer only when it is done, or sees it in time: as long as
 * it sends it is listened to, within reason. */
static void throw_away(struct http_connection *c)
{
	if (uv_now(c->server->loop) < c->linger_until)
		http_connection_move(c, HTTP_CONNECTION_LINGERING);
	else
		http_connection_close(c);
}

static void on_eof(struct http_connection *c)
{
	c->eof = true;
	c->reading = false;
	if (c->state == HTTP_CONNECTION_LINGERING)
		http_connection_close(c);
	else if (c->state == HTTP_CONNECTION_WAITING)
		http_connection_move(c, HTTP_CONNECTION_HALF_CLOSED);
	http_input_continue(c);
}

static void take(struct http_connection *c, const char *bytes, size_t len)
{
	size_t used = 0;
	if (c->rest_len == 0 && http_request_wanted(c))
		used = http_request_take(c, bytes, len);
	keep(c, bytes + used, len - used);
	http_input_continue(c);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
	struct http_connection *c = stream->data;
	if (count == UV_EOF) {
		on_eof(c);
	} else if (count < 0) {
		http_connection_gone(c);
	} else if (count > 0) {
		metric_add(c->server->bytes_in, (double)count);
		if (c->state == HTTP_CONNECTION_LINGERING)
			throw_away(c);
		else
			take(c, buf->base, (size_t)count);
	}
}

/* The client has closed its half: what it left is taken, then there is nothing to wait for. */
static void end_of_input(struct http_connection *c)
{
	if (c->eof && c->rest_len == 0 && http_request_wanted(c))
		http_connection_gone(c);
}

static bool reading_wanted(const struct http_connection *c)
{
	switch (c->state) {
	case HTTP_CONNECTION_PAUSED:
	case HTTP_CONNECTION_CLOSED:
		return false;
	case HTTP_CONNECTION_WAITING:
	case HTTP_CONNECTION_WRITING:
		return !c->eof && c->rest_len < REST;
	default:
		return !c->eof;
	}
}

static void update_reading(struct http_connection *c)
{
	bool wanted = reading_wanted(c);
	if (wanted == c->reading || c->state == HTTP_CONNECTION_CLOSED)
		return;
	c->reading = wanted;
	if (!wanted)
		uv_read_stop((uv_stream_t *)&c->tcp);
	else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		http_connection_gone(c);
}

void http_input_continue(struct http_connection *c)
{
	http_request_end(c);
	take_rest(c);
	end_of_input(c);
	update_reading(c);
}
