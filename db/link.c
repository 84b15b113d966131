/* SPDX-License-Identifier: Apache-2.0
 * Invariant: a poll handle watches exactly link->socket, or does not exist; libpq may change the socket
 * while it tries hosts, so every step looks again. */
#include "db/link.h"
#include "db/schema.h"
#include "service/invariant.h"
#include "service/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKOFF_FIRST_MS = 20, BACKOFF_MOST_MS = 1000, CONNECT_TIMEOUT_MS = 5000 };

static void connect_start(struct db_link *link);
static void connect_step(struct db_link *link);

static void free_poll(uv_handle_t *handle)
{
	free(handle);
}

static void unwatch(struct db_link *link)
{
	if (!link->poll)
		return;
	uv_poll_stop(link->poll);
	uv_close((uv_handle_t *)link->poll, free_poll);
	link->poll = NULL;
	link->socket = -1;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct db_link *link, int events)
{
	int now = PQsocket(link->pg);
	if (link->poll && link->socket != now)
		unwatch(link);
	if (!link->poll) {
		if (now < 0)
			return;
		link->poll = malloc(sizeof *link->poll);
		INVARIANT(link->poll);
		if (uv_poll_init(link->loop, link->poll, now) != 0) {
			free(link->poll);
			link->poll = NULL;
			return;
		}
		link->poll->data = link;
		link->socket = now;
		link->polled = 0;
	}
	if (link->polled != events) {
		uv_poll_start(link->poll, events, on_poll);
		link->polled = events;
	}
}

static void on_retry(uv_timer_t *timer)
{
	connect_start(timer->data);
}

static void finish(struct db_link *link)
{
	unwatch(link);
	if (link->pg)
		PQfinish(link->pg);
	link->pg = NULL;
	link->connected = false;
}

static void retry_later(struct db_link *link)
{
	finish(link);
	if (link->closing)
		return;
	uv_timer_start(&link->timer, on_retry, link->backoff_ms, 0);
	link->backoff_ms = link->backoff_ms * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : link->backoff_ms * 2;
}

static void log_reason(struct db_link *link, const char *event)
{
	char reason[200];
	const char *said = link->pg ? PQerrorMessage(link->pg) : "no memory";
	size_t len = strcspn(said, "\n");
	if (len >= sizeof reason)
		len = sizeof reason - 1;
	memcpy(reason, said, len);
	reason[len] = 0;
	log_line(LOG_WARN, event, LOG_TEXT("reason", reason));
}

static void on_connect_timeout(uv_timer_t *timer)
{
	struct db_link *link = timer->data;
	log_line(LOG_WARN, "db_connect_timeout", LOG_NUMBER("after_ms", CONNECT_TIMEOUT_MS));
	retry_later(link);
}

static void connect_start(struct db_link *link)
{
	char name[32]; /* tells `tantu migrate` which programs are there */
	snprintf(name, sizeof name, "tantu/%d", db_schema_version());
	const char *keys[] = {
		"dbname",           "options", "application_name", "client_encoding", "keepalives_idle",
		"tcp_user_timeout", NULL
	};
	const char *values[] = { link->conninfo, link->options, name, "UTF8", "30", "20000", NULL };
	link->pg = PQconnectStartParams(keys, values, 1);
	if (!link->pg || PQstatus(link->pg) == CONNECTION_BAD) {
		log_reason(link, "db_connect_failed");
		retry_later(link);
		return;
	}
	PQsetnonblocking(link->pg, 1);
	uv_timer_start(&link->timer, on_connect_timeout, CONNECT_TIMEOUT_MS, 0);
	watch(link, UV_WRITABLE);
}

static void connect_step(struct db_link *link)
{
	link->polled =
		0; /* the next host's socket may have the number of the last one's: it is watched anew */
	switch (PQconnectPoll(link->pg)) {
	case PGRES_POLLING_READING:
		watch(link, UV_READABLE);
		return;
	case PGRES_POLLING_WRITING:
		watch(link, UV_WRITABLE);
		return;
	case PGRES_POLLING_OK:
		uv_timer_stop(&link->timer);
		link->connected = true;
		link->backoff_ms = BACKOFF_FIRST_MS;
		watch(link, UV_READABLE);
		link->events->on_connected(link);
		return;
	default:
		log_reason(link, "db_connect_failed");
		uv_timer_stop(&link->timer);
		retry_later(link);
	}
}

static void lost(struct db_link *link, const char *event)
{
	if (!link->closing)
		log_reason(link, event);
	link->connected = false;
	link->events->on_lost(link);
	retry_later(link);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct db_link *link = poll->data;
	if (!link->connected) {
		connect_step(link);
		return;
	}
	if (status < 0 || ((events & UV_READABLE) && !PQconsumeInput(link->pg))) {
		link->events->on_input(link); /* what came before the end still counts */
		if (link->connected)
			lost(link, "db_connection_lost");
		return;
	}
	if (events & UV_WRITABLE)
		db_link_flush(link);
	if (link->connected && (events & UV_READABLE))
		link->events->on_input(link);
}

void db_link_flush(struct db_link *link)
{
	int left = PQflush(link->pg);
	if (left < 0)
		return; /* the socket's end is seen by the next read */
	watch(link, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

void db_link_drop(struct db_link *link, const char *why)
{
	log_line(LOG_WARN, "db_connection_dropped", LOG_TEXT("reason", why));
	if (link->connected) {
		link->connected = false;
		link->events->on_lost(link);
	}
	uv_timer_stop(&link->timer);
	retry_later(link);
}

void db_link_open(struct db_link *link)
{
	link->backoff_ms = BACKOFF_FIRST_MS;
	link->socket = -1;
	uv_timer_init(link->loop, &link->timer);
	link->timer.data = link;
	connect_start(link);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct db_link *link = handle->data;
	link->events->on_closed(link);
}

void db_link_close(struct db_link *link)
{
	link->closing = true;
	if (link->connected) {
		link->connected = false;
		link->events->on_lost(link);
	}
	finish(link);
	uv_close((uv_handle_t *)&link->timer, on_timer_closed);
}
