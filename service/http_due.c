/* SPDX-License-Identifier: Apache-2.0
 * Connections to look at once the application's code has returned to the loop. The check handle runs them
 * right after the callbacks that made them due, without another poll; the idle handle, active only while the
 * list is not empty, keeps the loop from sleeping on them.
 * Invariant: a connection is on the list once, and never after it was closed. */
#include "service/http_internal.h"

static struct http_connection *pop(struct http_server *server)
{
	struct http_connection *c = server->due;
	server->due = c->next_due;
	if (!server->due)
		server->due_end = &server->due;
	c->next_due = NULL;
	c->due = false;
	return c;
}

/* As many as are due now: who becomes due meanwhile has its turn in the next round. */
static void run_due(struct http_server *server)
{
	size_t turns = 0;
	for (struct http_connection *c = server->due; c; c = c->next_due)
		turns++;
	for (; turns > 0 && server->due; turns--)
		http_connection_continue(pop(server));
	if (!server->due)
		uv_idle_stop(&server->idle);
}

static void on_idle(uv_idle_t *idle)
{
	run_due(idle->data);
}

static void on_check(uv_check_t *check)
{
	struct http_server *server = check->data;
	if (server->due)
		run_due(server);
}

void http_due_start(struct http_server *server)
{
	server->due_end = &server->due;
	uv_idle_init(server->loop, &server->idle);
	uv_check_init(server->loop, &server->check);
	server->idle.data = server;
	server->check.data = server;
	server->open_handles += 2;
	uv_check_start(&server->check, on_check);
}

void http_due_add(struct http_connection *c)
{
	struct http_server *server = c->server;
	if (c->due || c->running || c->state == HTTP_CONNECTION_CLOSED)
		return;
	c->due = true;
	*server->due_end = c;
	server->due_end = &c->next_due;
	uv_idle_start(&server->idle, on_idle);
}

void http_due_remove(struct http_connection *c)
{
	struct http_connection **link = &c->server->due;
	if (!c->due)
		return;
	while (*link != c)
		link = &(*link)->next_due;
	*link = c->next_due;
	if (c->server->due_end == &c->next_due)
		c->server->due_end = link;
	c->due = false;
	c->next_due = NULL;
}
