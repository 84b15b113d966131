/* SPDX-License-Identifier: Apache-2.0
 * `tantu manual`: see manual.c. */
#ifndef COMMANDS_MANUAL_H
#define COMMANDS_MANUAL_H

#include "service/arguments.h"
#include "service/config.h"

int run_manual(const struct config *config, const struct arguments *arguments);

#endif
