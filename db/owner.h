/* SPDX-License-Identifier: Apache-2.0
 * A blocking connection for commands, and the statements of lane `start` over it. */
#ifndef DB_OWNER_H
#define DB_OWNER_H

#include "db/embedded.h"
#include "service/invariant.h"
#include <libpq-fe.h>

/* NULL with one line that begins with the setting's name. PQfinish ends it. */
PGconn *owner_connect(const char *conninfo, char *why, size_t why_size);
/* Puts "DOING: what PostgreSQL said" into why, clears the result (may be NULL); answers false. */
bool owner_failed(PGconn *pg, PGresult *result, const char *doing, char *why, size_t why_size);
/* Rows as texts, or NULL with the reason. PQclear is the caller's. */
PGresult *owner_rows(PGconn *pg, enum sql statement, const char *const *values, int count, char *why,
		     size_t why_size);
/* The same for what answers exactly one row. */
PGresult *owner_row(PGconn *pg, enum sql statement, const char *const *values, int count, char *why,
		    size_t why_size);
/* SQL without parameters and rows: BEGIN, SET, a migration. */
MUST_USE bool owner_run(PGconn *pg, const char *doing, const char *sql, char *why, size_t why_size);

#endif
