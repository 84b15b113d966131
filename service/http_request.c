/* SPDX-License-Identifier: Apache-2.0
 * The steps of a request: head, body, end, each handed to the application as it comes.
 * Invariant: what the application's callbacks cause (an answer, a pause, a lost client) is acted on after
 * they have returned, and no byte behind a request is looked at before its answer is sent. */
#include "service/http_internal.h"
#include "service/invariant.h"

enum { BODY_ROOM_AT_FIRST = 64 * 1024 };

bool http_request_wanted(const struct http_connection *c)
{
	return c->state <= HTTP_CONNECTION_BODY && !(c->exchange && c->exchange->ended);
}

static struct http_response refusal_response(struct http_exchange *x, enum http_refusal refusal)
{
	int status = http_refusal_status(refusal);
	struct http_response response = { .status = status, .close = true };
	struct buffer body = { .arena = x->arena };
	if (x->server->app.write_refusal)
		x->server->app.write_refusal(status, http_refusal_code(refusal), &body);
	if (body.len > 0 && !body.failed) {
		response.content_type = "application/problem+json";
		response.body = buffer_taken(&body);
	}
	return response;
}

void http_request_refuse(struct http_connection *c, enum http_refusal refusal)
{
	struct http_exchange *x = c->exchange;
	x->refused = true;
	x->refusal = refusal;
	if (x->known) {
		http_server_refused_known(c->server, refusal);
		http_exchange_abort(x);
	} else {
		http_server_refused(c->server, refusal);
	}
	struct http_response response = refusal_response(x, refusal);
	http_answer_send(x, &response);
}

static uint64_t body_limit(const struct http_exchange *x)
{
	const struct http_limits *limits = &x->server->limits;
	return x->streaming ? limits->stream_bytes : limits->body_bytes;
}

static void deliver_end(struct http_connection *c, struct http_exchange *x)
{
	const struct http_application *app = &c->server->app;
	x->delivered = true;
	http_connection_move(c, c->eof ? HTTP_CONNECTION_HALF_CLOSED : HTTP_CONNECTION_WAITING);
	if (x->streaming)
		x->sink.on_end(x);
	else
		app->on_request(x, app->context);
}

/* The state after the head or a piece of the body, when nobody has answered yet. */
static void proceed(struct http_connection *c, struct http_exchange *x)
{
	if (x->responded || c->broken)
		return;
	if (x->paused)
		http_connection_move(c, HTTP_CONNECTION_PAUSED);
	else if (x->ended)
		deliver_end(c, x);
	else
		http_connection_move(c, HTTP_CONNECTION_BODY);
}

/* "100-continue", something we do not know, or nothing; HTTP/1.0 has no expectations. */
static bool expectation_known(const struct http_exchange *x, bool *expects)
{
	*expects = http_expects_continue(x);
	return !*expects || slice_equal_nocase(http_header(x, "expect"), SLICE("100-continue"));
}

static void take_head(struct http_connection *c, struct http_exchange *x)
{
	const struct http_application *app = &c->server->app;
	bool expects;
	if (!expectation_known(x, &expects)) {
		http_request_refuse(c, HTTP_REFUSED_EXPECTATION);
		return;
	}
	if (c->trusted)
		http_forwarded_read(&x->reader, c->server->forwarded_by, &c->server->trusted, &x->client,
				    &x->secure);
	x->known = true;
	x->ended = http_guard_ended(&x->reader.guard);
	enum http_body body = app->on_headers(x, app->context);
	if (x->responded)
		return;
	INVARIANT(body != HTTP_BODY_NONE && (body == HTTP_BODY_STREAM) == x->streaming);
	if (x->reader.content_length > body_limit(x)) {
		http_request_refuse(c, HTTP_REFUSED_BODY_LONG);
		return;
	}
	if (expects && !x->ended)
		http_answer_continue(x);
	proceed(c, x);
}

/* Room for what was announced, but not on the word of a client that has sent little yet. */
static void make_room(struct http_exchange *x, size_t len)
{
	struct buffer *body = &x->body;
	uint64_t announced = x->reader.content_length;
	if (len <= body->room - body->len || announced == 0)
		return;
	if (!body->at && announced > BODY_ROOM_AT_FIRST)
		announced = len > BODY_ROOM_AT_FIRST ? len : BODY_ROOM_AT_FIRST;
	buffer_reserve(body, (size_t)announced - body->len);
}

static void take_data(struct http_connection *c, struct http_exchange *x, struct slice data)
{
	x->body_taken += data.len;
	if (x->body_taken > body_limit(x)) {
		http_request_refuse(c, HTTP_REFUSED_BODY_LONG);
	} else if (x->streaming) {
		x->sink.on_chunk(x, data);
	} else {
		make_room(x, data.len);
		buffer_slice(&x->body, data);
		if (x->body.failed)
			http_request_refuse(c, HTTP_REFUSED_MEMORY);
	}
}

/* An empty line after a request is not the start of another. */
static void forget_untouched(struct http_connection *c, struct http_exchange *x)
{
	c->exchange = NULL;
	http_connection_move(c, HTTP_CONNECTION_IDLE);
	http_exchange_finish(x);
}

static size_t take_step(struct http_connection *c, struct http_exchange *x, const char *bytes, size_t len)
{
	struct http_guard_step step;
	enum http_guard_event event = http_reader_read(&x->reader, bytes, len, &step);
	if (event == HTTP_GUARD_REFUSED) {
		http_request_refuse(c, x->reader.refusal);
		return step.used;
	}
	if (event == HTTP_GUARD_HEAD) {
		take_head(c, x);
		return step.used;
	}
	if (http_guard_untouched(&x->reader.guard)) {
		forget_untouched(c, x);
		return step.used;
	}
	if (step.data.len > 0)
		take_data(c, x, step.data);
	if (event == HTTP_GUARD_END) {
		x->ended = true;
		proceed(c, x);
	}
	return step.used;
}

static struct http_exchange *begin(struct http_connection *c)
{
	c->exchange = http_exchange_new(c);
	if (c->exchange) {
		http_connection_move(c, HTTP_CONNECTION_HEAD);
	} else {
		http_server_refused(c->server, HTTP_REFUSED_MEMORY);
		http_connection_close(c);
	}
	return c->exchange;
}

size_t http_request_take(struct http_connection *c, const char *bytes, size_t len)
{
	size_t used = 0;
	c->running = true;
	while (used < len && http_request_wanted(c)) {
		struct http_exchange *x = c->exchange ? c->exchange : begin(c);
		if (!x)
			break;
		used += take_step(c, x, bytes + used, len - used);
		http_connection_continue(c);
	}
	c->running = false;
	return used;
}

void http_request_end(struct http_connection *c)
{
	struct http_exchange *x = c->exchange;
	if (!x || c->state != HTTP_CONNECTION_BODY || !x->ended)
		return;
	c->running = true;
	deliver_end(c, x);
	http_connection_continue(c);
	c->running = false;
}
