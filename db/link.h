/* SPDX-License-Identifier: Apache-2.0
 * One libpq connection on the loop: finds a server that is the right one, connects, reconnects by itself,
 * says when there is something to read. Used by the pool's connections and by the listener.
 * Nothing here waits: a host that keeps silent costs its own deadline, a name is looked up elsewhere. */
#ifndef DB_LINK_H
#define DB_LINK_H

#include "db/hosts.h"
#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

struct db_link_events {
	void (*on_connected)(struct db_link *link);
	void (*on_input)(struct db_link *link); /* PQconsumeInput was called and went well */
	void (*on_lost)(struct db_link *link);  /* once for each on_connected; link->pg is still there */
	void (*on_closed)(struct db_link *link);
};

/* Public so that it can be a member; its owner frees it after on_closed. The owner sets the first four
 * fields; all but pg and connected are private to link.c and hosts.c. */
struct db_link {
	uv_loop_t *loop;
	struct db_hosts *hosts;
	const char *options; /* e.g. "-c statement_timeout=15000", added to the connection string's own */
	const struct db_link_events *events;
	PGconn *pg;
	bool connected, settled, closing;
	struct db_link *next; /* in a list of those that wait */
	uv_poll_t *poll;      /* on the heap: a closed handle outlives the reconnect */
	uv_timer_t timer;
	int socket, polled;
	int first, tried,
		address; /* this round: hosts from `first` on, the next address of the current one */
	int silent;      /* attempts of this round that met nothing but silence */
	unsigned backoff_ms;
	char reasons[400];
};

void db_link_open(struct db_link *link);
/* Sends what libpq holds back; watches for room to write when the socket is full. */
void db_link_flush(struct db_link *link);
/* It is of use: the next loss is followed by a first attempt almost at once. */
void db_link_settled(struct db_link *link);
/* The server is still what was looked for; PostgreSQL tells when it changes. */
bool db_link_suits(const struct db_link *link);
/* Give the connection up (it misbehaves); on_lost follows at once, then a reconnect. */
void db_link_drop(struct db_link *link, const char *why);
void db_link_close(struct db_link *link);

/* For hosts.c: the lookup it waited for is through; its turn to try again. */
void db_link_looked_up(struct db_link *link);
void db_link_try_again(struct db_link *link);

#endif
