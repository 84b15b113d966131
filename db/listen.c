/* SPDX-License-Identifier: Apache-2.0
 * A connection of its own that hears NOTIFY. While it is away notifications are missed, so on_deaf tells the
 * listeners to trust nothing they remember. */
#include "db/internal.h"
#include <stdlib.h>

struct db_listener {
	struct db_link link; /* first */
	struct db *db;
	bool hears; /* LISTEN is through */
	bool refused;
	int quiet, unanswered; /* seconds since the last word; calls since a sign of life was asked for */
};

/* Only what is asked after LISTEN is through cannot be missed, so only then the others look again. */
static void listening(struct db_listener *listener)
{
	struct db_options *options = &listener->db->options;
	if (listener->refused) {
		db_link_drop(&listener->link, "LISTEN was refused");
		return;
	}
	if (listener->hears || PQstatus(listener->link.pg) != CONNECTION_OK)
		return;
	listener->hears = true;
	db_link_settled(&listener->link);
	if (options->on_deaf)
		options->on_deaf(options->context);
}

static void drain_results(struct db_listener *listener)
{
	while (!PQisBusy(listener->link.pg)) {
		PGresult *result = PQgetResult(listener->link.pg);
		if (!result) {
			listening(listener);
			return;
		}
		listener->refused = listener->refused || PQresultStatus(result) == PGRES_FATAL_ERROR;
		PQclear(result);
	}
}

static void on_connected(struct db_link *link)
{
	struct db_listener *listener = (struct db_listener *)link;
	if (PQsendQuery(link->pg, "LISTEN job; LISTEN session_ended") != 1) {
		db_link_drop(link, "cannot listen");
		return;
	}
	listener->hears = listener->refused = false;
	listener->quiet = listener->unanswered = 0;
	db_link_flush(link);
}

static void on_input(struct db_link *link)
{
	struct db_listener *listener = (struct db_listener *)link;
	struct db_options *options = &listener->db->options;
	PGnotify *heard;
	listener->quiet = listener->unanswered = 0;
	drain_results(listener);
	if (!listener->link.connected)
		return;
	while ((heard = PQnotifies(link->pg))) {
		options->on_notify(options->context, heard->relname, heard->extra);
		PQfreemem(heard);
	}
}

static void on_lost(struct db_link *link)
{
	struct db_listener *listener = (struct db_listener *)link;
	listener->hears = false;
	listener->unanswered = 0;
	if (listener->db->options.on_deaf)
		listener->db->options.on_deaf(listener->db->options.context);
}

static void on_closed(struct db_link *link)
{
	struct db_listener *listener = (struct db_listener *)link;
	struct db *db = listener->db;
	free(listener);
	pool_handle_closed(db);
}

/* Calls are counted, not time: a process that was itself asleep must not blame PostgreSQL. */
int listener_watch(struct db_listener *listener, bool busy)
{
	if (!listener->hears)
		return 0;
	if (listener->unanswered > 0)
		return ++listener->unanswered;
	if (++listener->quiet < (busy ? 2 : 10))
		return 0;
	if (PQsendQuery(listener->link.pg, "") == 1) {
		listener->unanswered = 1;
		db_link_flush(&listener->link);
	}
	return listener->unanswered;
}

void listener_drop(struct db_listener *listener, const char *why)
{
	db_link_drop(&listener->link, why);
}

bool db_hears(const struct db *db)
{
	return db->listener && db->listener->hears;
}

struct db_listener *listener_new(struct db *db)
{
	static const struct db_link_events events = { on_connected, on_input, on_lost, on_closed };
	struct db_listener *listener = calloc(1, sizeof *listener);
	INVARIANT(listener);
	listener->db = db;
	listener->link.loop = db->loop;
	listener->link.hosts = db->hosts;
	listener->link.options = "-c TimeZone=UTC";
	listener->link.events = &events;
	db_link_open(&listener->link);
	return listener;
}

void listener_close(struct db_listener *listener)
{
	db_link_close(&listener->link);
}
