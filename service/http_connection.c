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
	c->window = c->exchange ? c->exchange->body_taken : 0;
	c->deadline = uv_now(server->loop) + server->duration[state];
	http_deadline_arm(server, c->deadline);
}

void http_connection_open(struct http_server *server, int fd, const struct http_address *address)
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
	c->address = *address;
	c->trusted = http_networks_hold(&server->trusted, address);
	list_append(&server->lists[c->state], c);
	server->connections++;
	metric_set(server->open_gauge, (double)server->connections);
	metric_add(server->accepted, 1);
	if (uv_tcp_open(&c->tcp, fd) < 0 || (!c->trusted && !http_peers_join(c))) {
		if (uv_fileno((uv_handle_t *)&c->tcp, &(uv_os_fd_t){ 0 }) != 0)
			close(fd);
		http_connection_close(c);
		return;
	}
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
	server->closing--;
	http_server_connection_closed(server);
}

void http_connection_close(struct http_connection *c)
{
	if (c->state == HTTP_CONNECTION_CLOSED)
		return;
	http_due_remove(c);
	http_peers_leave(c);
	http_connection_move(c, HTTP_CONNECTION_CLOSED);
	c->server->closing++;
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

void http_connection_cut(struct http_connection *c)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	uv_os_fd_t fd;
	if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	http_connection_gone(c);
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

/* What has to come or go within the time of a state: at least a byte, at least at the slowest rate. */
static size_t least(const struct http_connection *c)
{
	size_t bytes = c->server->limits.slowest_rate * c->server->duration[c->state] / 1000;
	return bytes > 0 ? bytes : 1;
}

/* As long as the client takes enough of it, the answer is being taken. Else it is dropped, in the kernel too.
 */
static void write_expired(struct http_connection *c)
{
	size_t unsent = http_answer_unsent(c);
	if (unsent + least(c) > c->unsent) {
		http_server_refused(c->server, HTTP_REFUSED_ANSWER_SLOW);
		http_connection_cut(c);
		return;
	}
	c->unsent = unsent;
	http_connection_move(c, HTTP_CONNECTION_WRITING);
}

static void body_expired(struct http_connection *c)
{
	if (c->exchange->body_taken - c->window >= least(c))
		http_connection_move(c, HTTP_CONNECTION_BODY);
	else
		http_request_refuse(c, HTTP_REFUSED_BODY_SLOW);
}

void http_connection_expired(struct http_connection *c)
{
	switch (c->state) {
	case HTTP_CONNECTION_HEAD:
		http_request_refuse(c, HTTP_REFUSED_HEADER_SLOW);
		break;
	case HTTP_CONNECTION_BODY:
		body_expired(c);
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
