/* SPDX-License-Identifier: Apache-2.0
 * Brings a database to this program's schema and loads plans and regions. Blocking; for `tantu migrate`. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include "db/schema.h"
#include <stdbool.h>
#include <stddef.h>

/* conninfo: as the owner. Forward only; any number may run at once (advisory lock). Never waits for a table's
 * lock longer than a moment at a time, so that a live server is not held up behind it; gives up after
 * patience_s seconds of trying (a minute). False with one line; what was finished before stays. */
MUST_USE bool db_migrate(const char *conninfo, char *why, size_t why_size);
MUST_USE bool db_migrate_within(const char *conninfo, int patience_s, char *why, size_t why_size);
/* A session advisory lock: held shared, it keeps the schema as it is. */
enum { DB_MIGRATION_LOCK = 730117 };
/* Plans, regions, lineage: adds what is missing. */
MUST_USE bool db_load(const char *conninfo, char *why, size_t why_size);
/* The first administrator, while there is no account at all. *wanted tells whether there is none. */
MUST_USE bool db_administrator_wanted(const char *conninfo, bool *wanted, char *why, size_t why_size);
MUST_USE bool db_administrator_make(const char *conninfo, const char *name, const char *password_hash,
				    char *why, size_t why_size);

#endif
