/* SPDX-License-Identifier: Apache-2.0
 * A connection string, taken apart: which hosts it names and what is asked of them. libpq knows how to try
 * several hosts, but its timeout and its name lookups only suit callers that may wait; so each host is tried
 * on its own, with addresses looked up elsewhere (db/hosts.h). */
#ifndef DB_CONNINFO_H
#define DB_CONNINFO_H

#include "service/invariant.h"
#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

enum { CONNINFO_HOSTS = 16 };

/* Which kind of server is looked for. */
enum db_server { DB_PRIMARY, DB_REPLICA };

/* As libpq takes them; "" or NULL: not said. */
struct conninfo_host {
	const char *name;    /* a host name, an address, or the folder of a socket */
	const char *address; /* hostaddr: no lookup is wanted */
	const char *port;
};

struct conninfo {
	PQconninfoOption *options;
	char *lists[3]; /* what the hosts point into */
	struct conninfo_host host[CONNINFO_HOSTS];
	int hosts;
	const char *attributes; /* target_session_attrs of every attempt */
	unsigned patience_ms;   /* connect_timeout, a host; 0: not said */
};

/* False with one line in `why` (no setting's name, no password). A primary is looked for with read-write
 * unless the string says otherwise; a replica always with standby. */
MUST_USE bool conninfo_parse(struct conninfo *c, const char *text, enum db_server server, char *why,
			     size_t why_size);
void conninfo_free(struct conninfo *c);
/* Starts to connect to one host of it. address: where the host's name leads, NULL: the name is enough.
 * options: PostgreSQL's command-line options, after the string's own. NULL: no memory. */
PGconn *conninfo_start(const struct conninfo *c, int host, const char *address, const char *options);

/* The same check, for settings. */
MUST_USE bool db_conninfo_check(const char *text, enum db_server server, char *why, size_t why_size);
/* For commands, which may wait: a connection to the primary, the string's own settings first, else ten
 * seconds a host. NULL with one line in `why`. */
PGconn *db_connect(const char *text, char *why, size_t why_size);

#endif
