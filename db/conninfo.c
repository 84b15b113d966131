/* SPDX-License-Identifier: Apache-2.0
 * Lists of hosts are read as libpq reads them: as many names as addresses, one port or one each. What the
 * string leaves open comes from PGHOST and its like, again as libpq would have it. */
#include "db/conninfo.h"
#include "db/schema.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A host that is gone is noticed after eleven idle seconds, or ten with something under way. */
static const struct {
	const char *key, *value;
} defaults[] = {
	{ "keepalives_idle", "5" },
	{ "keepalives_interval", "2" },
	{ "keepalives_count", "3" },
	{ "tcp_user_timeout", "10000" },
};
enum { DEFAULTS = sizeof defaults / sizeof defaults[0] };

static bool say(char *why, size_t why_size, const char *text)
{
	snprintf(why, why_size, "%.*s", (int)strcspn(text, "\n"), text);
	return false;
}

/* "" for what is not there. */
static const char *value_of(const PQconninfoOption *options, const char *key)
{
	for (const PQconninfoOption *o = options; o && o->keyword; o++)
		if (strcmp(o->keyword, key) == 0)
			return o->val ? o->val : "";
	return "";
}

static int count_items(const char *list)
{
	int n = 1;
	for (; *list; list++)
		n += *list == ',';
	return n;
}

/* The n-th item of a list whose commas were made NULs. */
static const char *item(const char *list, int n)
{
	while (n-- > 0)
		list += strlen(list) + 1;
	return list;
}

static char *cut(const char *list)
{
	char *copy = strdup(list);
	INVARIANT(copy);
	for (char *at = copy; (at = strchr(at, ',')); at++)
		*at = 0;
	return copy;
}

static bool take_hosts(struct conninfo *c, const char *names, const char *addresses, const char *ports,
		       char *why, size_t why_size)
{
	int named = count_items(names), addressed = count_items(addresses), ported = count_items(ports);
	c->hosts = *addresses ? addressed : named;
	if (*names && *addresses && named != addressed)
		return say(why, why_size, "as many values for hostaddr as for host are needed");
	if (ported != 1 && ported != c->hosts)
		return say(why, why_size, "one port, or one for each host, is needed");
	if (c->hosts > CONNINFO_HOSTS)
		return say(why, why_size, "too many hosts: at most 16");
	c->lists[0] = cut(names);
	c->lists[1] = cut(addresses);
	c->lists[2] = cut(ports);
	for (int i = 0; i < c->hosts; i++)
		c->host[i] = (struct conninfo_host){ *names ? item(c->lists[0], i) : "",
						     *addresses ? item(c->lists[1], i) : "",
						     item(c->lists[2], ported == 1 ? 0 : i) };
	return true;
}

/* A replica may be asked for in several words; it is always a standby, as there is the primary to fall back
 * on. */
static bool take_attributes(struct conninfo *c, const char *said, enum db_server server, char *why,
			    size_t why_size)
{
	static const char *const primary[] = { "read-write", "primary", "any", NULL };
	static const char *const replica[] = { "standby", "prefer-standby", "read-only", NULL };
	const char *const *known = server == DB_PRIMARY ? primary : replica;
	if (!*said)
		said = known[0];
	for (int i = 0; known[i]; i++)
		if (strcmp(said, known[i]) == 0) {
			c->attributes = server == DB_PRIMARY ? known[i] : known[0];
			return true;
		}
	return say(why, why_size,
		   server == DB_PRIMARY
			   ? "target_session_attrs must lead to the primary: read-write, primary or any"
			   : "target_session_attrs must lead to replicas: standby or prefer-standby");
}

static bool take_timeout(struct conninfo *c, const char *said, char *why, size_t why_size)
{
	char *end;
	long seconds = strtol(said, &end, 10);
	if (*end)
		return say(why, why_size, "connect_timeout is not a number of seconds");
	c->patience_ms = seconds <= 0 ? 0 : seconds > 600 ? 600000 : (unsigned)seconds * 1000;
	return true;
}

bool conninfo_parse(struct conninfo *c, const char *text, enum db_server server, char *why, size_t why_size)
{
	char *error = NULL;
	*c = (struct conninfo){ 0 };
	c->options = PQconninfoParse(text, &error);
	if (!c->options) {
		/* libpq would quote what it stumbled over, which may be a part of the password */
		bool quotes = error && strstr(error, "missing \"=\"");
		say(why, why_size,
		    quotes  ? "not keyword=value pairs; a value with a blank needs quotes"
		    : error ? error
			    : "no memory");
		PQfreemem(error);
		return false;
	}
	PQconninfoOption *open = *value_of(c->options, "service") ? NULL : PQconndefaults();
	const char *key[] = { "host", "hostaddr", "port", "connect_timeout" };
	char said[4][1024];
	for (int i = 0; i < 4; i++) {
		const char *own = value_of(c->options, key[i]);
		/* an address of its own leaves no room for the environment's host name, and the reverse */
		bool whole = i < 2 && (*value_of(c->options, "host") || *value_of(c->options, "hostaddr"));
		snprintf(said[i], sizeof said[i], "%s", *own || whole ? own : value_of(open, key[i]));
	}
	const char *attributes = value_of(c->options, "target_session_attrs");
	PQconninfoFree(open);
	if (!take_hosts(c, said[0], said[1], said[2], why, why_size) ||
	    !take_attributes(c, attributes, server, why, why_size) ||
	    !take_timeout(c, said[3], why, why_size)) {
		conninfo_free(c);
		return false;
	}
	return true;
}

void conninfo_free(struct conninfo *c)
{
	PQconninfoFree(c->options);
	for (int i = 0; i < 3; i++)
		free(c->lists[i]);
	*c = (struct conninfo){ 0 };
}

/* --- connecting --- */

enum { KEYS = 80 };
struct settings {
	const char *key[KEYS], *value[KEYS];
	int count;
};

static void set(struct settings *s, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	INVARIANT(s->count < KEYS - 1);
	s->key[s->count] = key;
	s->value[s->count++] = value;
}

static bool is_ours(const char *key)
{
	static const char *const ours[] = {
		"host", "hostaddr", "port", "target_session_attrs", "connect_timeout", "options", NULL
	};
	for (int i = 0; ours[i]; i++)
		if (strcmp(key, ours[i]) == 0)
			return true;
	return false;
}

/* What comes later in the list wins. */
PGconn *conninfo_start(const struct conninfo *c, int host, const char *address, const char *options)
{
	struct settings s = { .count = 0 };
	char both[2048], program[32]; /* tells `tantu migrate` which programs are there */
	const struct conninfo_host *h = &c->host[host];
	snprintf(both, sizeof both, "%s %s", value_of(c->options, "options"), options ? options : "");
	snprintf(program, sizeof program, "tantu/%d", db_schema_version());
	for (int i = 0; i < DEFAULTS; i++)
		set(&s, defaults[i].key, defaults[i].value);
	for (const PQconninfoOption *o = c->options; o && o->keyword; o++)
		if (!is_ours(o->keyword))
			set(&s, o->keyword, o->val);
	set(&s, "host", h->name);
	set(&s, "hostaddr", address ? address : h->address);
	set(&s, "port", h->port);
	set(&s, "target_session_attrs", c->attributes);
	set(&s, "client_encoding", "UTF8");
	set(&s, "application_name", program);
	set(&s, "options", both);
	return PQconnectStartParams(s.key, s.value, 0);
}

bool db_conninfo_check(const char *text, enum db_server server, char *why, size_t why_size)
{
	struct conninfo c;
	if (!conninfo_parse(&c, text, server, why, why_size))
		return false;
	conninfo_free(&c);
	return true;
}

PGconn *db_connect(const char *text, char *why, size_t why_size)
{
	struct settings s = { .count = 0 };
	if (!db_conninfo_check(text, DB_PRIMARY, why, why_size))
		return NULL;
	for (int i = 0; i < DEFAULTS; i++)
		set(&s, defaults[i].key, defaults[i].value);
	set(&s, "connect_timeout", "10");
	set(&s, "target_session_attrs", "read-write");
	set(&s, "dbname", text);
	PGconn *pg = PQconnectdbParams(s.key, s.value, 1);
	if (PQstatus(pg) == CONNECTION_OK)
		return pg;
	say(why, why_size, pg ? PQerrorMessage(pg) : "no memory");
	PQfinish(pg);
	return NULL;
}
