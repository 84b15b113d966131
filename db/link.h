/* SPDX-License-Identifier: Apache-2.0
 * One libpq connection on the loop: connects, reconnects by itself, says when there is something to read.
 * Used by the pool's connections and by the listener. */
#ifndef DB_LINK_H
#define DB_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

struct db_link;
struct db_link_events {
	void (*on_connected)(struct db_link *link);
	void (*on_input)(struct db_link *link); /* PQconsumeInput was called and went well */
	void (*on_lost)(struct db_link *link);  /* once for each on_connected; link->pg is still there */
	void (*on_closed)(struct db_link *link);
};

/* Public so that it can be a member; its owner frees it after on_closed. Fields are private to link.c but pg.
 */
struct db_link {
	PGconn *pg;
	uv_loop_t *loop;
	const char *conninfo;
	const char *options; /* e.g. "-c statement_timeout=15000", added to the conninfo's own */
	const struct db_link_events *events;
	uv_poll_t *poll; /* on the heap: a closed handle outlives the reconnect */
	uv_timer_t timer;
	int socket;
	int polled;
	unsigned backoff_ms;
	bool connected, closing;
};

void db_link_open(struct db_link *link);
/* Sends what libpq holds back; watches for room to write when the socket is full. */
void db_link_flush(struct db_link *link);
/* Give the connection up (it misbehaves); on_lost follows at once, then a reconnect. */
void db_link_drop(struct db_link *link, const char *why);
void db_link_close(struct db_link *link);

#endif
