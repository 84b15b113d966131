/* SPDX-License-Identifier: Apache-2.0
 * Private to workers/: what the commands that ask the database and end have in common.
 *   command.c  the client itself      verify.c  `tantu verify`      import_command.c  `tantu import` */
#ifndef WORKERS_COMMAND_INTERNAL_H
#define WORKERS_COMMAND_INTERNAL_H

#include "db/db.h"
#include "service/needs/needs_file.h"
#include "service/vault.h"
#include "workers/command.h"

struct command {
	const struct config *config;
	const char *plan, *mode, *file;
	uv_loop_t loop;
	struct db *db;
	struct metrics *metrics;
	struct vault *vault;
	struct worker *worker;
	uv_timer_t poll;
	void (*begin)(struct command *c);
	int status;
	char name[72], path[4096], bytes[24], rows[16], id[24];
	unsigned char print[VAULT_INDEX_BYTES];
	enum needs_format format;
	struct db_value values[9];
	int64_t checked;
};

/* Opens the database, calls c->begin when it is ready, and answers the exit status after command_end.
 * `connections`: how many of each lane. */
int command_run(struct command *c, const int connections[DB_LANES]);
/* Asks for the system, with the first `count` of c->values. */
void command_submit(struct command *c, enum sql statement, int count, db_done *done);
/* False: it has complained and ended. */
bool command_answered(struct command *c, const struct db_reply *reply);
void command_end(struct command *c);
/* One line on standard error; 1. */
int command_complain(struct command *c, const char *why);

#endif
