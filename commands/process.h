/* SPDX-License-Identifier: Apache-2.0
 * A process that serves or works until it is told to stop, and several of them on one port. */
#ifndef COMMANDS_PROCESS_H
#define COMMANDS_PROCESS_H

#include "commands/beat.h"
#include "service/config.h"

/* Both answer the exit status. number: which of several processes it is, from 0. slot: of one among several;
 * NULL: it is alone. */
int process_run(const struct config *config, bool serves, int number, struct beat_slot *slot);
int processes_run(const struct config *config);

#endif
