/* SPDX-License-Identifier: Apache-2.0
 * One request and its answer, as the application sees it.
 * Invariant: an exchange and everything in its arena live until it is finished and no longer held; what is
 * pending is told of a client that left once, and of an answered request never. */
#include "service/http_internal.h"
#include "service/invariant.h"

struct http_exchange *http_exchange_new(struct http_connection *c)
{
	struct http_server *server = c->server;
	struct arena *arena = arena_new(server->limits.arena_bytes);
	struct http_exchange *x = arena ? arena_zalloc(arena, sizeof(*x)) : NULL;
	if (!x) {
		arena_free(&arena);
		return NULL;
	}
	x->arena = arena;
	x->connection = c;
	x->server = server;
	x->started = uv_hrtime();
	x->body.arena = arena;
	x->client = c->address;
	http_reader_init(&x->reader, arena, &server->guard_limits);
	return x;
}

static void free_unless_held(struct http_exchange *x)
{
	struct arena *arena = x->arena;
	if (x->holds == 0)
		arena_free(&arena);
}

void http_exchange_finish(struct http_exchange *x)
{
	x->connection = NULL;
	while (x->pending)
		http_pending_done(x->pending);
	x->holds++;
	if (x->known)
		x->server->app.on_finished(x, x->server->app.context);
	x->holds--;
	free_unless_held(x);
}

void http_exchange_abort(struct http_exchange *x)
{
	x->holds++;
	if (x->streaming && !x->delivered)
		x->sink.on_abort(x);
	while (x->pending) {
		struct http_pending *pending = x->pending;
		http_pending_done(pending);
		pending->on_gone(pending);
	}
	x->holds--;
}

enum http_method http_method(const struct http_exchange *x)
{
	return x->reader.method;
}

struct slice http_path(const struct http_exchange *x)
{
	return x->reader.target.path;
}

struct slice http_query(const struct http_exchange *x)
{
	return x->reader.target.query;
}

struct slice http_header(const struct http_exchange *x, const char *lower_case_name)
{
	return http_reader_field(&x->reader, lower_case_name);
}

struct slice http_body_bytes(const struct http_exchange *x)
{
	return buffer_taken(&x->body);
}

struct slice http_peer(const struct http_exchange *x)
{
	char *text = arena_alloc(x->arena, HTTP_ADDRESS_TEXT);
	if (!text)
		return (struct slice){ NULL, 0 };
	http_address_write(&x->client, text);
	return slice_of(text);
}

struct http_address http_client_prefix(const struct http_exchange *x)
{
	return http_address_prefix(&x->client);
}

bool http_secure(const struct http_exchange *x)
{
	return x->secure;
}

bool http_expects_continue(const struct http_exchange *x)
{
	return http_header(x, "expect").at && !x->reader.old_version;
}

const char *http_refused(const struct http_exchange *x)
{
	return x->refused ? http_refusal_code(x->refusal) : NULL;
}

struct arena *http_arena(struct http_exchange *x)
{
	return x->arena;
}

uint64_t http_started(const struct http_exchange *x)
{
	return x->started;
}

bool http_body_expected(const struct http_exchange *x)
{
	return x->reader.chunked || x->reader.content_length > 0;
}

bool http_content_length(const struct http_exchange *x, uint64_t *length)
{
	if (x->reader.guard.has_length)
		*length = x->reader.content_length;
	return x->reader.guard.has_length;
}

void http_set_state(struct http_exchange *x, void *state)
{
	x->state = state;
}

void *http_state(const struct http_exchange *x)
{
	return x->state;
}

void http_stream_to(struct http_exchange *x, const struct http_sink *sink)
{
	INVARIANT(x->connection && x->connection->state == HTTP_CONNECTION_HEAD);
	x->sink = *sink;
	x->streaming = true;
}

void http_pause(struct http_exchange *x)
{
	struct http_connection *c = x->connection;
	x->paused = true;
	if (!c || c->state != HTTP_CONNECTION_BODY)
		return;
	http_connection_move(c, HTTP_CONNECTION_PAUSED);
	http_due_add(c);
}

void http_resume(struct http_exchange *x)
{
	struct http_connection *c = x->connection;
	x->paused = false;
	if (!c || c->state != HTTP_CONNECTION_PAUSED)
		return;
	http_connection_move(c, HTTP_CONNECTION_BODY);
	http_due_add(c);
}

void http_respond(struct http_exchange *x, const struct http_response *response)
{
	if (!x->connection || x->refused)
		return;
	INVARIANT(x->known && !x->responded);
	http_answer_send(x, response);
}

bool http_responded(const struct http_exchange *x)
{
	return x->responded;
}

bool http_gone(const struct http_exchange *x)
{
	return !x->connection || x->refused;
}

int http_status(const struct http_exchange *x)
{
	return x->status;
}

size_t http_response_bytes(const struct http_exchange *x)
{
	return x->response_bytes;
}

void http_pending_add(struct http_exchange *x, struct http_pending *pending)
{
	pending->next = NULL;
	pending->link = NULL;
	if (http_gone(x) || x->responded)
		return;
	pending->next = x->pending;
	if (pending->next)
		pending->next->link = &pending->next;
	pending->link = &x->pending;
	x->pending = pending;
}

void http_pending_done(struct http_pending *pending)
{
	if (!pending->link)
		return;
	*pending->link = pending->next;
	if (pending->next)
		pending->next->link = pending->link;
	pending->link = NULL;
	pending->next = NULL;
}

void http_hold(struct http_exchange *x)
{
	x->holds++;
}

void http_release(struct http_exchange *x)
{
	INVARIANT(x->holds > 0);
	x->holds--;
	if (!x->connection)
		free_unless_held(x);
}
