/* SPDX-License-Identifier: Apache-2.0
 * A round tries each host's addresses one after the other; when none lets us in, it waits and begins anew.
 * Invariant: a poll handle watches exactly link->socket, or does not exist; libpq may change the socket
 * while it connects, so every step looks again. */
#include "db/link.h"
#include "service/invariant.h"
#include "service/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKOFF_FIRST_MS = 20, BACKOFF_MOST_MS = 1000, APART_MS = 50 };

static void advance(struct db_link *link);

/* --- the socket --- */

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

static void finish(struct db_link *link)
{
	unwatch(link);
	if (link->pg)
		PQfinish(link->pg);
	link->pg = NULL;
	link->connected = false;
}

/* --- a round of attempts --- */

static int current_host(const struct db_link *link)
{
	return (link->first + link->tried) % db_hosts_count(link->hosts);
}

/* The first line of what libpq says, with the host's name; kept until the round is over. */
static void note_reason(struct db_link *link, const char *said)
{
	char name[120];
	size_t used = strlen(link->reasons);
	db_hosts_name(link->hosts, current_host(link), name, sizeof name);
	snprintf(link->reasons + used, sizeof link->reasons - used, "%s%s: %.*s", used ? "; " : "", name,
		 (int)strcspn(said, "\n"), said);
}

static void round_start(struct db_link *link)
{
	link->first = db_hosts_first(link->hosts);
	link->tried = link->address = link->silent = 0;
	link->reasons[0] = 0;
	advance(link);
}

static void on_retry(uv_timer_t *timer)
{
	round_start(timer->data);
}

/* A quarter of it by chance, so that processes do not come in step. */
static void retry_later(struct db_link *link)
{
	unsigned wait = link->backoff_ms;
	wait -= (unsigned)(uv_hrtime() / 64 % (wait / 4 + 1));
	uv_timer_start(&link->timer, on_retry, wait, 0);
	link->backoff_ms = link->backoff_ms * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : link->backoff_ms * 2;
}

static void next_host(struct db_link *link)
{
	link->tried++;
	link->address = 0;
}

static void attempt_failed(struct db_link *link, const char *reason)
{
	uv_timer_stop(&link->timer);
	note_reason(link, reason);
	finish(link);
	advance(link);
}

static void on_deadline(uv_timer_t *timer)
{
	struct db_link *link = timer->data;
	link->silent++;
	bool looked_up = link->pg != NULL;
	db_hosts_forget_waiter(link->hosts, link);
	note_reason(link, looked_up ? "no answer in time" : "its name was not looked up in time");
	finish(link);
	if (!looked_up)
		next_host(link);
	advance(link);
}

static bool attempt(struct db_link *link, const char *address)
{
	link->pg = conninfo_start(db_hosts_conninfo(link->hosts), current_host(link), address, link->options);
	if (!link->pg || PQstatus(link->pg) == CONNECTION_BAD) {
		note_reason(link, link->pg ? PQerrorMessage(link->pg) : "no memory");
		finish(link);
		return false;
	}
	PQsetnonblocking(link->pg, 1);
	uv_timer_start(&link->timer, on_deadline, db_hosts_patience_ms(link->hosts), 0);
	watch(link, UV_WRITABLE);
	return true;
}

/* Goes on with the round, until something is under way or nothing is left. */
static void advance(struct db_link *link)
{
	const char *address;
	while (link->tried < db_hosts_count(link->hosts)) {
		switch (db_hosts_lookup(link->hosts, link, current_host(link), link->address, &address)) {
		case HOSTS_WAIT:
			uv_timer_start(&link->timer, on_deadline, db_hosts_patience_ms(link->hosts), 0);
			return;
		case HOSTS_AT:
			link->address++;
			if (attempt(link, address))
				return;
			break;
		case HOSTS_NOWHERE:
			if (link->address == 0)
				note_reason(link, "no such host");
			next_host(link);
		}
	}
	if (db_hosts_round_failed(link->hosts, link, link->silent > 0, link->reasons))
		retry_later(link);
}

static void connect_step(struct db_link *link)
{
	link->polled = 0; /* another socket may have the number of the last one: it is watched anew */
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
		watch(link, UV_READABLE);
		db_hosts_connected(link->hosts, current_host(link));
		link->events->on_connected(link);
		return;
	default:
		attempt_failed(link, PQerrorMessage(link->pg));
	}
}

void db_link_looked_up(struct db_link *link)
{
	uv_timer_stop(&link->timer);
	advance(link);
}

/* Not all at the same instant. */
void db_link_try_again(struct db_link *link)
{
	if (!link->closing)
		uv_timer_start(&link->timer, on_retry, uv_hrtime() / 64 % APART_MS, 0);
}

void db_link_settled(struct db_link *link)
{
	link->backoff_ms = BACKOFF_FIRST_MS;
	link->settled = true;
	db_hosts_settled(link->hosts);
}

/* --- a connection that stands --- */

static void lost(struct db_link *link, const char *reason)
{
	char line[200];
	snprintf(line, sizeof line, "%.*s", (int)strcspn(reason, "\n"), reason);
	link->connected = false;
	db_hosts_lost(link->hosts, link->settled, line);
	link->settled = false;
	link->events->on_lost(link);
	finish(link);
	if (!link->closing)
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
			lost(link, PQerrorMessage(link->pg));
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

bool db_link_suits(const struct db_link *link)
{
	const char *wanted = db_hosts_conninfo(link->hosts)->attributes;
	const char *standby = PQparameterStatus(link->pg, "in_hot_standby");
	const char *read_only = PQparameterStatus(link->pg, "default_transaction_read_only");
	bool is_standby = standby && strcmp(standby, "on") == 0;
	bool writes = !is_standby && !(read_only && strcmp(read_only, "on") == 0);
	if (strcmp(wanted, "standby") == 0)
		return is_standby;
	return strcmp(wanted, "any") == 0 || (strcmp(wanted, "primary") == 0 ? !is_standby : writes);
}

void db_link_drop(struct db_link *link, const char *why)
{
	if (link->connected)
		lost(link, why);
}

void db_link_open(struct db_link *link)
{
	link->backoff_ms = BACKOFF_FIRST_MS;
	link->socket = -1;
	uv_timer_init(link->loop, &link->timer);
	link->timer.data = link;
	db_hosts_joined(link->hosts);
	round_start(link);
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
	db_hosts_left(link->hosts, link);
	finish(link);
	uv_close((uv_handle_t *)&link->timer, on_timer_closed);
}
