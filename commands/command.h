/* SPDX-License-Identifier: Apache-2.0
 * The commands as a table: what `tantu` dispatches on, its help, its manual and its completion. */
#ifndef COMMANDS_COMMAND_H
#define COMMANDS_COMMAND_H

#include "service/arguments.h"
#include "service/config.h"

enum { COMMAND_ARGUMENTS_MOST = 12, COMMAND_EXAMPLES_MOST = 6 };

/* A new command: a row in commands.c, its function in a file of its own. */
struct command {
	const char *name;     /* "serve", "verify totals" */
	const char *summary;  /* one line, after "tantu NAME " */
	const char *about;    /* more of it, for its help and the manual; NULL: nothing more to say */
	const char *settings; /* those it takes as options: "listen processes work" */
	struct argument_rule arguments[COMMAND_ARGUMENTS_MOST];
	struct {
		const char *line, *says;
	} examples[COMMAND_EXAMPLES_MOST];
	/* Exit status: EXIT_DONE … or its own, said in `about`. config is NULL unless READS_SETTINGS. */
	int (*run)(const struct config *config, const struct arguments *arguments);
	enum { READS_SETTINGS, READS_THEM_ITSELF, READS_NONE } reads;
};
enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_DIFFERS };

extern const struct command commands[]; /* ends with a NULL name */

/* Its own arguments, its settings as options, --config and --help. */
enum { COMMAND_RULES_MOST = 32 };
struct command_rules {
	struct argument_rule rule[COMMAND_RULES_MOST];
	char option[COMMAND_RULES_MOST][64], placeholder[COMMAND_RULES_MOST][64];
};
void command_rules(const struct command *command, struct command_rules *rules);

/* Are the hosts of all connection strings sound? False with one line that names the setting. */
MUST_USE bool connections_check(const struct config *config, char *why, size_t why_size);

/* One line on standard error; answers EXIT_FAILED. */
int complain(const char *why);

int run_serve(const struct config *config, const struct arguments *arguments);
int run_work(const struct config *config, const struct arguments *arguments);
int run_config_check(const struct config *none, const struct arguments *arguments);
int run_config_show(const struct config *none, const struct arguments *arguments);
int run_config_example(const struct config *none, const struct arguments *arguments);
int run_health(const struct config *config, const struct arguments *arguments);
int run_doctor(const struct config *config, const struct arguments *arguments);
int run_user_create(const struct config *config, const struct arguments *arguments);
int run_user_reset(const struct config *config, const struct arguments *arguments);
int run_verify_photos(const struct config *config, const struct arguments *arguments);
int run_route(const struct config *none, const struct arguments *arguments);
int run_migrate(const struct config *config, const struct arguments *arguments);

#endif
