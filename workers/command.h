/* SPDX-License-Identifier: Apache-2.0
 * Commands that ask the database and end: `tantu import`, and `tantu verify` of totals, samples, ledger and
 * devices.
 */
#ifndef WORKERS_COMMAND_H
#define WORKERS_COMMAND_H

#include "service/config.h"

/* Exit statuses: 0 done, 1 cannot be done (one line on standard error), 3 a figure differs / rows were
 * refused. */
int command_verify_totals(const struct config *config, const struct arguments *arguments);
int command_verify_samples(const struct config *config, const struct arguments *arguments);
int command_verify_ledger(const struct config *config, const struct arguments *arguments);
int command_verify_devices(const struct config *config, const struct arguments *arguments);
/* Prints the import's figures as JSON on standard output. */
int command_import(const struct config *config, const struct arguments *arguments);

#endif
