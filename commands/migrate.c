/* SPDX-License-Identifier: Apache-2.0
 * `tantu migrate`: schema, plans, regions, the first administrator. */
#include "db/migrate.h"
#include "commands/command.h"
#include "service/log.h"
#include "service/password.h"

int run_migrate(const struct config *config, const struct arguments *arguments)
{
	char why[400], hash[PASSWORD_HASH_BYTES];
	const char *owner = config->owner_database;
	bool wanted = false;
	(void)arguments;
	if (!owner)
		return complain(
			"TANTU_OWNER_DATABASE: not set; it is the connection string of the role tantu_owner");
	if (!db_migrate_within(owner, config->migrate_seconds, why, sizeof why) ||
	    !db_load(owner, why, sizeof why) || !db_administrator_wanted(owner, &wanted, why, sizeof why))
		return complain(why);
	if (!wanted)
		return 0;
	if (!config->admin_password)
		return complain("TANTU_ADMIN_PASSWORD: the first administrator needs a password of at least "
				"8 characters");
	if (!password_hash(slice_of(config->admin_password), hash) ||
	    !db_administrator_make(owner, "admin", hash, why, sizeof why))
		return complain(why);
	log_line(LOG_INFO, "administrator_made", LOG_TEXT("user", "admin"));
	return 0;
}
