/* SPDX-License-Identifier: Apache-2.0
 * Brings a database to this program's schema and loads plans and regions. Blocking; for `tantu migrate`. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>

/* conninfo: as the owner. Forward only; any number may run at once (advisory lock). False with one line. */
MUST_USE bool db_migrate(const char *conninfo, char *why, size_t why_size);
/* Plans, regions, lineage: adds what is missing. */
MUST_USE bool db_load(const char *conninfo, char *why, size_t why_size);
/* The first administrator, while there is no account at all. *wanted tells whether there is none. */
MUST_USE bool db_administrator_wanted(const char *conninfo, bool *wanted, char *why, size_t why_size);
MUST_USE bool db_administrator_make(const char *conninfo, const char *name, const char *password_hash,
				    char *why, size_t why_size);
/* The newest migration that this program has. */
int db_schema_version(void);

#endif
