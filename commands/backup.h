/* SPDX-License-Identifier: Apache-2.0
 * What `tantu backup`, `tantu restore` and `tantu backup prove` share. */
#ifndef COMMANDS_BACKUP_H
#define COMMANDS_BACKUP_H

#include "commands/backup_set.h"
#include "commands/command.h"
#include "service/child.h"

int run_backup(const struct config *config, const struct arguments *arguments);
int run_restore(const struct config *config, const struct arguments *arguments);
int run_prove(const struct config *config, const struct arguments *arguments);

/* The connection string as PG* variables, so that no password stands on a command line. Free with
 * connection_environment_free. NULL when it cannot be read. */
char **connection_environment(const char *conninfo);
void connection_environment_free(char **environment);
/* The database's name in it, as an argument that is no connection string whatever it holds. */
void connection_database(char *const *environment, char *out, size_t room);

/* Is the key inside, and the passphrase given? */
bool backup_key_is_inside(const struct backup_set *set, const struct config *config);
/* The key of a backup: the one inside, else the configured key file as it is. NULL with one line. */
struct vault *backup_vault(const struct backup_set *set, const struct config *config, char *why,
			   size_t why_size);

/* Fills the empty database of config->owner_database in one transaction, and config->uploads with the files;
 * checks the figures against the manifest. The set has been checked. */
MUST_USE bool restore_database(const struct backup_set *set, const struct config *config,
			       const struct vault *vault, char *why, size_t why_size);
MUST_USE bool restore_uploads(const struct backup_set *set, const struct config *config, char *why,
			      size_t why_size);
/* Copies a file in so that whoever looks sees all of it or nothing, and gives it to whom the folder belongs.
 */
MUST_USE bool restore_put_file(const char *from, const char *to, char *why, size_t why_size);
MUST_USE bool restore_hand_over(const char *path);
/* Is the database of config->owner_database there, empty, and ours to fill? */
MUST_USE bool restore_target_is_empty(const struct config *config, char *why, size_t why_size);
MUST_USE bool restore_figures_agree(const struct backup_set *set, const struct config *config, char *why,
				    size_t why_size);

#endif
