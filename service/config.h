/* SPDX-License-Identifier: Apache-2.0
 * What the program is set to, and where each setting came from: a command's option, else a TANTU_* variable,
 * else a file of systemd's credentials, else the configuration file, else the default (setting.h has the
 * table).
 * The configuration file: --config, else TANTU_CONFIG (empty: none), else /etc/tantu/tantu.conf if there. */
#ifndef SERVICE_CONFIG_H
#define SERVICE_CONFIG_H

#include "service/arguments.h"
#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>

#define CONFIG_FILE "/etc/tantu/tantu.conf"

struct setting;

struct config_value {
	const char *text; /* as it was written; NULL: not set */
	char *where;      /* "--listen", "TANTU_LISTEN", "/etc/tantu/tantu.conf:3", "default" */
};

/* Texts belong to the config, and those without a default are NULL when they are not set. */
struct config {
	const char *listen, *metrics_listen, *var, *key_file, *uploads, *photos;
	const char *database, *owner_database, *replica_database, *admin_password;
	int replica_lag_ms;
	int processes;
	bool work;
	int jobs_imports, jobs_totals, jobs_reminders, jobs_upkeep, jobs_probe; /* places of each queue */
	int session_seconds, grace_ms;
	int connections, connections_per_address, slowest_rate;
	const char *trusted_proxies;
	int forwarded, hsts_seconds;
	int token_rate, token_burst;
	int sign_in_tries, sign_in_tries_per_address, sign_in_tries_per_account;
	int doctor_seconds;
	int log, log_level;
	int photo_bytes, photos_per_case, photo_decoders, photos_days;
	int uploads_days, migrate_seconds;
	const char *backup_passphrase, *postgresql_bin;
	struct config_store *store; /* private */
};

/* One line a note (an empty variable, a name that is no setting) or a fault; no newline, no secret. */
enum config_word { CONFIG_NOTE, CONFIG_FAULT };
typedef void config_tell(void *context, enum config_word word, const char *line);

/* Reads everything and tells everything. False when there was a fault. config_free is due in any case.
 * arguments: those of the command; its settings among them. */
MUST_USE bool config_read(struct config *config, const struct arguments *arguments, config_tell *tell,
			  void *context);
void config_free(struct config *config);

/* Where a setting's value came from. NULL path: no configuration file was read. */
const struct config_value *config_value_of(const struct config *config, const struct setting *setting);
const char *config_path(const struct config *config);

#endif
