/* SPDX-License-Identifier: Apache-2.0
 * What the connections to the same servers know together: at which addresses they are, which one was good
 * last, and whether they are away. One line in the log when they are lost and one when they are back; while
 * they are away one connection looks for them and the others wait for it. */
#ifndef DB_HOSTS_H
#define DB_HOSTS_H

#include "db/conninfo.h"
#include "service/metrics.h"
#include <uv.h>

enum { HOST_ADDRESSES = 8, HOST_ADDRESS_BYTES = 64 };

struct db_hosts;
struct db_link;

/* Never NULL: a string that cannot be read has no hosts, and every attempt fails with its reason. */
struct db_hosts *db_hosts_new(uv_loop_t *loop, const char *conninfo, enum db_server server,
			      struct metrics *metrics);
/* When no link uses it any more. A lookup under way is left to end by itself. */
void db_hosts_free(struct db_hosts **hosts);

int db_hosts_count(const struct db_hosts *hosts);
enum db_server db_hosts_server(const struct db_hosts *hosts);
const struct conninfo *db_hosts_conninfo(const struct db_hosts *hosts);
/* "name:port" or the socket's folder, for the log. */
void db_hosts_name(const struct db_hosts *hosts, int host, char *out, size_t size);
/* Where a round of attempts begins: at the primary that was good last; replicas are shared out. */
int db_hosts_first(struct db_hosts *hosts);
/* How long an attempt may take: grows while nothing but silence comes back. */
unsigned db_hosts_patience_ms(const struct db_hosts *hosts);

enum hosts_lookup {
	HOSTS_AT,     /* its address number `number`; NULL: the host's name is enough */
	HOSTS_WAIT,   /* db_link_looked_up follows, never at once */
	HOSTS_NOWHERE /* no such address */
};
enum hosts_lookup db_hosts_lookup(struct db_hosts *hosts, struct db_link *link, int host, int number,
				  const char **address);
void db_hosts_forget_waiter(struct db_hosts *hosts, struct db_link *link);

/* What happens to links. */
void db_hosts_joined(struct db_hosts *hosts); /* one more link */
void db_hosts_left(struct db_hosts *hosts, struct db_link *link);
void db_hosts_connected(struct db_hosts *hosts, int host);
void db_hosts_settled(struct db_hosts *hosts); /* it is of use; when all are, the database is back */
void db_hosts_lost(struct db_hosts *hosts, bool was_settled, const char *reason);
/* All hosts failed it, or nothing but silence came. True: it is the one that tries again by itself. */
bool db_hosts_round_failed(struct db_hosts *hosts, struct db_link *link, bool silent, const char *reasons);

#endif
