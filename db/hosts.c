/* SPDX-License-Identifier: Apache-2.0
 * Names are looked up in the thread pool, one lookup a name at a time, and remembered for a second; when the
 * lookup fails, the addresses known before serve on. Invariant: a link that waits is in exactly one list —
 * of a host's lookup, or of those that wait for the scout. */
#include "db/hosts.h"
#include "db/link.h"
#include "service/log.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOOKUP_FRESH_MS = 1000,
	PATIENCE_MS = 2000,
	PATIENCE_MOST_MS = 16000,   /* of a lone host: there is nothing else to try */
	PATIENCE_SEVERAL_MS = 4000, /* of one among several */
	REMIND_MS = 30000
};

struct lookup {
	uv_getaddrinfo_t request; /* first */
	struct db_hosts *hosts;   /* NULL: nobody waits any more */
	int host;
};

struct host {
	char address[HOST_ADDRESSES][HOST_ADDRESS_BYTES];
	int addresses;
	uint64_t looked_up_at;
	struct lookup *lookup;
	struct db_link *waiting;
};

struct db_hosts {
	uv_loop_t *loop;
	struct conninfo conninfo;
	enum db_server server;
	char fault[200]; /* of the connection string */
	struct host host[CONNINFO_HOSTS];
	int good; /* the host that let us in last */
	unsigned turn;
	unsigned patience_ms;
	int links, connected, settled;
	struct db_link *scout, *waiting;
	bool away;
	uint64_t away_since, said_at;
	struct metric *connections, *losses, *failures;
};

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

static const char *server_name(const struct db_hosts *hosts)
{
	return hosts->server == DB_PRIMARY ? "primary" : "replica";
}

struct db_hosts *db_hosts_new(uv_loop_t *loop, const char *conninfo, enum db_server server,
			      struct metrics *metrics)
{
	struct db_hosts *hosts = calloc(1, sizeof *hosts);
	char label[32];
	INVARIANT(hosts);
	hosts->loop = loop;
	hosts->server = server;
	if (!conninfo_parse(&hosts->conninfo, conninfo, server, hosts->fault, sizeof hosts->fault))
		hosts->conninfo.hosts = 0;
	hosts->patience_ms = hosts->conninfo.patience_ms ? hosts->conninfo.patience_ms : PATIENCE_MS;
	hosts->turn = (unsigned)(uv_hrtime() / 1000);
	snprintf(label, sizeof label, "server=\"%s\"", server_name(hosts));
	hosts->connections = metric_gauge(metrics, "tantu_db_connections", "Connections that stand", label);
	hosts->losses = metric_counter(metrics, "tantu_db_losses_total", "Connections that were lost", label);
	hosts->failures = metric_counter(metrics, "tantu_db_connect_failures_total",
					 "Rounds over all hosts without one that let us in", label);
	return hosts;
}

void db_hosts_free(struct db_hosts **hosts)
{
	struct db_hosts *h = *hosts;
	for (int i = 0; h && i < h->conninfo.hosts; i++) {
		struct lookup *lookup = h->host[i].lookup;
		INVARIANT(!h->host[i].waiting);
		if (lookup) {
			lookup->hosts = NULL;
			uv_cancel((uv_req_t *)&lookup->request);
		}
	}
	if (h)
		conninfo_free(&h->conninfo);
	free(h);
	*hosts = NULL;
}

int db_hosts_count(const struct db_hosts *hosts)
{
	return hosts->conninfo.hosts;
}

enum db_server db_hosts_server(const struct db_hosts *hosts)
{
	return hosts->server;
}

const struct conninfo *db_hosts_conninfo(const struct db_hosts *hosts)
{
	return &hosts->conninfo;
}

void db_hosts_name(const struct db_hosts *hosts, int host, char *out, size_t size)
{
	const struct conninfo_host *h = &hosts->conninfo.host[host];
	const char *name = *h->name ? h->name : h->address;
	snprintf(out, size, "%s%s%s", *name ? name : "the default socket", *h->port ? ":" : "", h->port);
}

int db_hosts_first(struct db_hosts *hosts)
{
	if (hosts->server == DB_REPLICA && hosts->conninfo.hosts)
		return (int)(hosts->turn++ % (unsigned)hosts->conninfo.hosts);
	return hosts->good;
}

unsigned db_hosts_patience_ms(const struct db_hosts *hosts)
{
	return hosts->patience_ms;
}

/* --- lists of links --- */

static void list_add(struct db_link **list, struct db_link *link)
{
	link->next = *list;
	*list = link;
}

static bool list_remove(struct db_link **list, struct db_link *link)
{
	for (; *list; list = &(*list)->next)
		if (*list == link) {
			*list = link->next;
			link->next = NULL;
			return true;
		}
	return false;
}

static struct db_link *list_take(struct db_link **list)
{
	struct db_link *link = *list;
	if (link)
		list_remove(list, link);
	return link;
}

/* --- lookups --- */

static bool is_literal(const char *name)
{
	unsigned char room[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, name, room) == 1 || inet_pton(AF_INET6, name, room) == 1;
}

static void keep_addresses(struct host *host, const struct addrinfo *found)
{
	host->addresses = 0;
	for (; found && host->addresses < HOST_ADDRESSES; found = found->ai_next)
		if (getnameinfo(found->ai_addr, found->ai_addrlen, host->address[host->addresses],
				HOST_ADDRESS_BYTES, NULL, 0, NI_NUMERICHOST) == 0)
			host->addresses++;
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct lookup *lookup = (struct lookup *)request;
	struct db_hosts *hosts = lookup->hosts;
	if (hosts) {
		struct host *host = &hosts->host[lookup->host];
		struct db_link *waiting = host->waiting;
		host->lookup = NULL;
		host->waiting = NULL;
		host->looked_up_at = now_ms();
		if (status == 0 && found)
			keep_addresses(host, found);
		for (struct db_link *link; (link = list_take(&waiting));)
			db_link_looked_up(link);
	}
	uv_freeaddrinfo(found);
	free(lookup);
}

static bool lookup_start(struct db_hosts *hosts, int number)
{
	static const struct addrinfo hints = { .ai_flags = AI_ADDRCONFIG,
					       .ai_family = AF_UNSPEC,
					       .ai_socktype = SOCK_STREAM };
	struct lookup *lookup = calloc(1, sizeof *lookup);
	INVARIANT(lookup);
	lookup->hosts = hosts;
	lookup->host = number;
	if (uv_getaddrinfo(hosts->loop, &lookup->request, on_looked_up, hosts->conninfo.host[number].name,
			   NULL, &hints) != 0) {
		free(lookup);
		return false;
	}
	hosts->host[number].lookup = lookup;
	return true;
}

enum hosts_lookup db_hosts_lookup(struct db_hosts *hosts, struct db_link *link, int host, int number,
				  const char **address)
{
	const struct conninfo_host *named = &hosts->conninfo.host[host];
	struct host *known = &hosts->host[host];
	*address = NULL;
	if (*named->address || !*named->name || *named->name == '/' || *named->name == '@' ||
	    is_literal(named->name))
		return number == 0 ? HOSTS_AT : HOSTS_NOWHERE;
	bool fresh = known->looked_up_at && now_ms() - known->looked_up_at < LOOKUP_FRESH_MS;
	if (number == 0 && !fresh && (known->lookup || lookup_start(hosts, host))) {
		list_add(&known->waiting, link);
		return HOSTS_WAIT;
	}
	if (number >= known->addresses)
		return HOSTS_NOWHERE;
	*address = known->address[number];
	return HOSTS_AT;
}

void db_hosts_forget_waiter(struct db_hosts *hosts, struct db_link *link)
{
	if (list_remove(&hosts->waiting, link))
		return;
	for (int i = 0; i < hosts->conninfo.hosts; i++)
		if (list_remove(&hosts->host[i].waiting, link))
			return;
}

/* --- away and back --- */

static void say_away(struct db_hosts *hosts, const char *event, const char *reason)
{
	hosts->said_at = now_ms();
	log_line(LOG_WARN, event, LOG_TEXT("server", server_name(hosts)), LOG_TEXT("reason", reason),
		 LOG_NUMBER("seconds", (double)(hosts->said_at - hosts->away_since) / 1000));
}

/* The scout has found the way, or is gone: all others try now. */
static void wake_waiting(struct db_hosts *hosts)
{
	hosts->scout = NULL;
	for (struct db_link *link; (link = list_take(&hosts->waiting));)
		db_link_try_again(link);
}

void db_hosts_joined(struct db_hosts *hosts)
{
	hosts->links++;
}

void db_hosts_left(struct db_hosts *hosts, struct db_link *link)
{
	hosts->links--;
	db_hosts_forget_waiter(hosts, link);
	if (hosts->scout == link)
		wake_waiting(hosts);
}

void db_hosts_connected(struct db_hosts *hosts, int host)
{
	hosts->connected++;
	hosts->good = host;
	hosts->patience_ms = hosts->conninfo.patience_ms ? hosts->conninfo.patience_ms : PATIENCE_MS;
	metric_set(hosts->connections, hosts->connected);
	wake_waiting(hosts);
}

void db_hosts_settled(struct db_hosts *hosts)
{
	char name[120];
	hosts->settled++;
	if (!hosts->away || hosts->settled < hosts->links)
		return;
	hosts->away = false;
	db_hosts_name(hosts, hosts->good, name, sizeof name);
	log_line(LOG_INFO, "database_back", LOG_TEXT("server", server_name(hosts)), LOG_TEXT("host", name),
		 LOG_NUMBER("seconds", (double)(now_ms() - hosts->away_since) / 1000));
}

void db_hosts_lost(struct db_hosts *hosts, bool was_settled, const char *reason)
{
	hosts->connected--;
	hosts->settled -= was_settled;
	metric_set(hosts->connections, hosts->connected);
	metric_add(hosts->losses, 1);
	if (hosts->away)
		return;
	hosts->away = true;
	hosts->away_since = now_ms();
	say_away(hosts, "database_lost", reason);
}

static void grow_patience(struct db_hosts *hosts)
{
	unsigned most = hosts->conninfo.hosts > 1 ? PATIENCE_SEVERAL_MS : PATIENCE_MOST_MS;
	unsigned next = hosts->patience_ms * 2 < most ? hosts->patience_ms * 2 : most;
	if (hosts->conninfo.patience_ms == 0)
		hosts->patience_ms = next;
}

bool db_hosts_round_failed(struct db_hosts *hosts, struct db_link *link, bool silent, const char *reasons)
{
	const char *reason = hosts->fault[0] ? hosts->fault : reasons;
	metric_add(hosts->failures, 1);
	if (silent)
		grow_patience(hosts);
	if (!hosts->away) {
		hosts->away = true;
		hosts->away_since = now_ms();
		say_away(hosts, "database_away", reason);
	} else if (now_ms() - hosts->said_at > REMIND_MS) {
		say_away(hosts, "database_away", reason);
	}
	if (hosts->scout && hosts->scout != link) {
		list_add(&hosts->waiting, link);
		return false;
	}
	hosts->scout = link;
	return true;
}
