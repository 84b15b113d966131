/* SPDX-License-Identifier: Apache-2.0
 * See schema.h. */
#include "db/schema.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int schema_migration_number(const struct embedded_file *migration)
{
	return (int)strtol(migration->name, NULL, 10);
}

int schema_migration_compatible_from(const struct embedded_file *migration)
{
	static const char mark[] = "-- compatible_from: ";
	const char *line = strstr(migration->text, mark);
	return line ? (int)strtol(line + sizeof mark - 1, NULL, 10) : schema_migration_number(migration);
}

int db_schema_version(void)
{
	int newest = 0;
	for (const struct embedded_file *m = embedded_migrations; m->name; m++)
		newest = schema_migration_number(m);
	return newest;
}

bool schema_fits(int version, int compatible_from, char *why, size_t why_size)
{
	int mine = db_schema_version();
	if (version < mine)
		snprintf(why, why_size,
			 "the database has schema %d, this program needs %d: run `tantu migrate` of this "
			 "program first",
			 version, mine);
	else if (compatible_from > mine)
		snprintf(why, why_size,
			 "the database has schema %d, which works with programs of schema %d and newer; this "
			 "program "
			 "knows only %d: use the newer program",
			 version, compatible_from, mine);
	else
		return true;
	return false;
}
