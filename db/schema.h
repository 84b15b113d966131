/* SPDX-License-Identifier: Apache-2.0
 * Which programs and schemas can live together. A program is as new as its newest migration; a migration
 * names the oldest program that can live with it (`-- compatible_from: N`; without it, none but those that
 * have it). Additive migrations keep the number of the programs still running, so a rolling upgrade never
 * stops. */
#ifndef DB_SCHEMA_H
#define DB_SCHEMA_H

#include "db/embedded.h"
#include "service/invariant.h"

/* Servers until now said just "tantu" to PostgreSQL; this is what those knew. */
enum { SCHEMA_OF_UNNAMED_PROGRAMS = 7 };

/* The newest migration that this program has. */
int db_schema_version(void);
/* NNNN of NNNN_name.sql. */
int schema_migration_number(const struct embedded_file *migration);
int schema_migration_compatible_from(const struct embedded_file *migration);

/* May this program work on a database with this newest migration and this compatible_from? False with one
 * line that says what to do. */
MUST_USE bool schema_fits(int version, int compatible_from, char *why, size_t why_size);

#endif
