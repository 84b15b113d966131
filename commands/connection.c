/* SPDX-License-Identifier: Apache-2.0
 * A connection string for PostgreSQL's own programs: as variables of their environment. */
#include "commands/backup.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

char **connection_environment(const char *conninfo)
{
	PQconninfoOption *parts = PQconninfoParse(conninfo, NULL);
	int count = 0, n = 0;
	if (!parts)
		return NULL;
	for (PQconninfoOption *p = parts; p->keyword; p++)
		count++;
	char **environment = calloc((size_t)count + 2, sizeof *environment);
	INVARIANT(environment);
	/* Of several hosts the primary, unless the string itself says otherwise further down. */
	INVARIANT(asprintf(&environment[n++], "PGTARGETSESSIONATTRS=read-write") > 0);
	for (PQconninfoOption *p = parts; p->keyword; p++)
		if (p->val && p->envvar)
			INVARIANT(asprintf(&environment[n++], "%s=%s", p->envvar, p->val) > 0);
	PQconninfoFree(parts);
	return environment;
}

void connection_environment_free(char **environment)
{
	for (char **e = environment; e && *e; e++)
		free(*e);
	free(environment);
}

void connection_database(char *const *environment, char *out, size_t room)
{
	const char *name = "";
	size_t len = (size_t)snprintf(out, room, "dbname='");
	for (char *const *e = environment; e && *e; e++)
		if (strncmp(*e, "PGDATABASE=", 11) == 0)
			name = *e + 11;
	for (; *name && len + 4 < room; name++) {
		if (*name == '\'' || *name == '\\')
			out[len++] = '\\';
		out[len++] = *name;
	}
	out[len++] = '\'';
	out[len] = 0;
}
