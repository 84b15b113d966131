/* SPDX-License-Identifier: Apache-2.0
 * One blocking connection, for commands: a statement, its rows, the next one. Never on the loop's thread. */
#ifndef DB_DIRECT_H
#define DB_DIRECT_H

#include "db/db.h"

struct db_direct;

/* NULL with one line, as PostgreSQL says it. Of several hosts the one that can be
 * written to. seconds: how long to try a host, and a statement may take. */
struct db_direct *db_direct_open(const char *conninfo, int seconds, char *why, size_t why_size);
void db_direct_close(struct db_direct **direct);

/* Alone in a transaction of its own, for this scope. The rows are good until the next call. False with one
 * line, and nothing done. */
MUST_USE bool db_direct_ask(struct db_direct *direct, const struct db_scope *scope, enum sql statement,
			    const struct db_value *values, int count, struct db_rows *rows, char *why,
			    size_t why_size);
/* Whether the statement could be run: it is planned with NULLs for its parameters, by which PostgreSQL checks
 * that the schema and the rights fit it; nothing of it is done. */
MUST_USE bool db_direct_try(struct db_direct *direct, enum sql statement, char *why, size_t why_size);

#endif
