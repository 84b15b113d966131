/* SPDX-License-Identifier: Apache-2.0
 * Settings: command-line options over TANTU_* variables over defaults. A wrong one stops the start with one
 * line. */
#ifndef SERVICE_CONFIG_H
#define SERVICE_CONFIG_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>

struct config {
	char listen[128];           /* TANTU_LISTEN, --listen: 127.0.0.1:8080 */
	char var[3072];             /* TANTU_VAR: ./var */
	char key_file[3200];        /* TANTU_KEY_FILE: $TANTU_VAR/keys/master.key */
	char uploads[3200];         /* TANTU_UPLOADS: $TANTU_VAR/uploads */
	const char *database;       /* TANTU_DATABASE: as tantu_app */
	const char *owner_database; /* TANTU_OWNER_DATABASE: as tantu_owner; for migrate only */
	const char *admin_password; /* TANTU_ADMIN_PASSWORD */
	int processes;              /* --processes, TANTU_PROCESSES: 1 */
	bool work;                  /* --no-work clears it */
	int session_seconds;        /* TANTU_SESSION_HOURS: 12 */
	int grace_ms;               /* TANTU_GRACE_SECONDS: 20 */
	/* import */
	const char *plan, *mode, *file;
};

/* argv after the command's name. False with one line in `why` that names the setting. */
MUST_USE bool config_read(struct config *config, int argc, char **argv, char *why, size_t why_size);

#endif
