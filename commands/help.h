/* SPDX-License-Identifier: Apache-2.0
 * What the program says about itself; all of it comes from the tables of commands and settings. */
#ifndef COMMANDS_HELP_H
#define COMMANDS_HELP_H

#include "commands/command.h"
#include <stdio.h>

void help_all(FILE *out);
void help_of(const struct command *command, FILE *out);
int run_help(const struct config *config, const struct arguments *arguments);

#endif
