/* SPDX-License-Identifier: Apache-2.0
 * Deadlines of all connections on one timer. Every state has one duration, so a list to whose end
 * connections are moved is ordered by deadline, and a move costs nothing but pointers.
 * Invariant: the timer fires no later than the earliest deadline; it may fire early, and then looks again. */
#include "service/http_internal.h"

static void on_timer(uv_timer_t *timer);

void http_deadline_arm(struct http_server *server, uint64_t at)
{
	uint64_t now = uv_now(server->loop);
	if (at >= server->timer_at)
		return;
	server->timer_at = at;
	uv_timer_start(&server->timer, on_timer, at > now ? at - now : 0, 0);
}

static void expire(struct http_server *server, enum http_connection_state state, uint64_t now)
{
	struct http_connection *c;
	if (server->duration[state] == 0)
		return;
	while ((c = server->lists[state].first) && c->deadline <= now)
		http_connection_expired(c);
	if (c)
		http_deadline_arm(server, c->deadline);
}

static void on_timer(uv_timer_t *timer)
{
	struct http_server *server = timer->data;
	uint64_t now = uv_now(server->loop);
	server->timer_at = UINT64_MAX;
	if (server->accept_at <= now)
		http_accept_resume(server);
	if (server->last_call_at <= now)
		http_server_last_call(server);
	if (server->tell_at <= now)
		http_refused_tell(server);
	if (server->stop_at <= now)
		http_server_cut(server);
	for (int state = 0; state < HTTP_CONNECTION_CLOSED; state++)
		expire(server, (enum http_connection_state)state, now);
	if (!uv_is_closing((uv_handle_t *)&server->timer)) {
		http_deadline_arm(server, server->accept_at);
		http_deadline_arm(server, server->last_call_at);
		http_deadline_arm(server, server->stop_at);
		http_deadline_arm(server, server->tell_at);
	}
}

void http_deadline_start(struct http_server *server)
{
	const struct http_limits *limits = &server->limits;
	server->duration[HTTP_CONNECTION_IDLE] = limits->idle_ms;
	server->duration[HTTP_CONNECTION_HEAD] = limits->header_ms;
	server->duration[HTTP_CONNECTION_BODY] = limits->body_ms;
	server->duration[HTTP_CONNECTION_HALF_CLOSED] = limits->half_close_ms;
	server->duration[HTTP_CONNECTION_WRITING] = limits->write_ms;
	server->duration[HTTP_CONNECTION_LINGERING] = limits->linger_ms;
	server->timer_at = server->accept_at = UINT64_MAX;
	server->stop_at = server->last_call_at = UINT64_MAX;
	uv_timer_init(server->loop, &server->timer);
	server->timer.data = server;
	server->open_handles++;
}
