/* SPDX-License-Identifier: Apache-2.0
 * The life of one connection: opened, moved between the lists of the server, closed.
 * Invariant: the handle is freed in its close callback only; the application hears of each exchange it knows
 * exactly once that it is finished, and never from inside a call it made itself. */
#include "service/http_internal.h"
#include "service/invariant.h"
#include <stdlib.h>
#include <unistd.h>

/* How many times the linger time a client may go on sending. */
enum { LINGER_ROUNDS = 10 };

static void list_remove(struct http_list *list, struct http_connection *c)
{
	*(c->previous ? &c->previous->next : &list->first) = c->next;
	*(c->next ? &c->next->previous : &list->last) = c->previous;
	c->next = c->previous = NULL;
}

static void list_append(struct http_list *list, struct http_connection *c)
{
	c->previous = list->last;
	*(list->last ? &list->last->next : &list->first) = c;
	list->last = c;
}

/* Also to the state it is in: that renews the deadline. */
void http_connection_move(struct http_connection *c, enum http_connection_state state)
{
	struct http_server *server = c->server;
	INVARIANT(c->state != HTTP_CONNECTION_CLOSED);
	list_remove(&server->lists[c->state], c);
	c->state = state;
	list_append(&server->lists[state], c);
	if (server->duration[state] == 0)
		return;
	c->deadline = uv_now(server->loop) + server->duration[state];
	http_deadline_arm(server, c->deadline);
}

static void name_peer(struct http_connection *c, const struct sockaddr *peer)
{
	if (peer->sa_family == AF_INET)
		uv_ip4_name((const struct sockaddr_in *)(const void *)peer, c->peer, sizeof(c->peer));
	else if (peer->sa_family == AF_INET6)
		uv_ip6_name((const struct sockaddr_in6 *)(const void *)peer, c->peer, sizeof(c->peer));
	/* An IPv4 client of a socket that takes both is still an IPv4 client. */
	size_t mapped = strlen("::ffff:");
	if (strncmp(c->peer, "::ffff:", mapped) == 0 && strchr(c->peer, '.'))
		memmove(c->peer, c->peer + mapped, strlen(c->peer) - mapped + 1);
}

void http_connection_open(struct http_server *server, int fd, const struct sockaddr *peer)
{
	struct http_connection *c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	uv_tcp_init(server->loop, &c->tcp);
	c->tcp.data = c;
	c->server = server;
	c->state = HTTP_CONNECTION_IDLE;
	list_append(&server->lists[c->state], c);
	server->connections++;
	metric_set(server->open_gauge, (double)server->connections);
	metric_add(server->accepted, 1);
	if (uv_tcp_open(&c->tcp, fd) < 0) {
		close(fd);
		http_connection_close(c);
		return;
	}
	name_peer(c, peer);
	http_connection_move(c, HTTP_CONNECTION_IDLE);
	http_input_continue(c);
}

static void on_closed(uv_handle_t *handle)
{
	struct http_connection *c = handle->data;
	struct http_server *server = c->server;
	list_remove(&server->lists[HTTP_CONNECTION_CLOSED], c);
	free(c->rest);
	free(c->head_copy);
	free(c);
	http_server_connection_closed(server);
}

void http_connection_close(struct http_connection *c)
{
	if (c->state == HTTP_CONNECTION_CLOSED)
		return;
	http_due_remove(c);
	http_connection_move(c, HTTP_CONNECTION_CLOSED);
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void http_connection_gone(struct http_connection *c)
{
	struct http_exchange *x = c->exchange;
	if (c->state == HTTP_CONNECTION_CLOSED)
		return;
	http_connection_close(c);
	if (!x)
		return;
	c->exchange = NULL;
	x->connection = NULL;
	if (!x->responded)
		http_exchange_abort(x);
	http_exchange_finish(x);
}

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
	struct http_connection *c = shutdown->data;
	if (status < 0 && c->state == HTTP_CONNECTION_LINGERING)
		http_connection_close(c);
}

/* Closes our half and reads on for a moment: a close with unread bytes would be a reset, and the client might
 * lose the answer. */
static void linger(struct http_connection *c)
{
	c->shutdown.data = c;
	if (c->eof || uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) < 0) {
		http_connection_close(c);
		return;
	}
	c->linger_until = uv_now(c->server->loop) + (uint64_t)LINGER_ROUNDS * c->server->limits.linger_ms;
	http_connection_move(c, HTTP_CONNECTION_LINGERING);
}

/* The answer is out: on to the next request, or to the end. */
static void answered(struct http_connection *c)
{
	struct http_exchange *x = c->exchange;
	bool over = c->server->stopping && c->server->last_call_at == UINT64_MAX;
	bool close = x->close || over; /* who was not told that we close may be sending already */
	c->exchange = NULL;
	free(c->head_copy);
	c->head_copy = NULL;
	if (close)
		linger(c);
	else
		http_connection_move(c, HTTP_CONNECTION_IDLE);
	http_exchange_finish(x);
}

void http_connection_continue(struct http_connection *c)
{
	if (c->state == HTTP_CONNECTION_CLOSED)
		return;
	if (c->broken) {
		http_connection_gone(c);
		return;
	}
	if (c->exchange && c->exchange->sent)
		answered(c);
	if (c->state != HTTP_CONNECTION_CLOSED && !c->running)
		http_input_continue(c);
}

/* As long as the client acknowledges anything, the answer is being taken. */
static void write_expired(struct http_connection *c)
{
	size_t unsent = http_answer_unsent(c);
	if (unsent >= c->unsent) {
		http_connection_gone(c);
		return;
	}
	c->unsent = unsent;
	http_connection_move(c, HTTP_CONNECTION_WRITING);
}

void http_connection_expired(struct http_connection *c)
{
	switch (c->state) {
	case HTTP_CONNECTION_HEAD:
		http_request_refuse(c, HTTP_REFUSED_HEADER_SLOW);
		break;
	case HTTP_CONNECTION_BODY:
		http_request_refuse(c, HTTP_REFUSED_BODY_SLOW);
		break;
	case HTTP_CONNECTION_WRITING:
		write_expired(c);
		break;
	case HTTP_CONNECTION_HALF_CLOSED:
		http_connection_gone(c);
		break;
	default:
		http_connection_close(c);
	}
}
