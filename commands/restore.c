/* SPDX-License-Identifier: Apache-2.0
 * `tantu restore`: into an empty database only, and never over a file that holds something else. Everything
 * is checked before anything changes; the database is filled in one transaction. */
#include "commands/backup.h"
#include "commands/backup_photos.h"
#include "db/migrate.h"
#include "db/snapshot.h"
#include "service/sealed_key.h"
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHY = 600 };

static bool told(char *why, size_t why_size, const char *what, const char *reason)
{
	snprintf(why, why_size, "%s: %s", what, reason);
	return false;
}

/* The key is in the clear in memory only, and for a moment. */
static struct vault *unseal(const struct backup_set *set, const char *passphrase, char *why, size_t why_size)
{
	char folder[] = "/dev/shm/tantu-key-XXXXXX", key[64], path[BACKUP_PATH_BYTES];
	struct vault *vault = NULL;
	if (!mkdtemp(folder)) {
		told(why, why_size, folder, strerror(errno));
		return NULL;
	}
	snprintf(key, sizeof key, "%s/key", folder);
	backup_path(path, set->path, BACKUP_KEY);
	if (sealed_key_open(path, passphrase, key, why, why_size))
		vault = vault_open(key, false, why, why_size);
	unlink(key);
	rmdir(folder);
	return vault;
}

bool backup_key_is_inside(const struct backup_set *set, const struct config *config)
{
	return backup_has_key(set) && config->backup_passphrase;
}

struct vault *backup_vault(const struct backup_set *set, const struct config *config, char *why,
			   size_t why_size)
{
	if (backup_key_is_inside(set, config))
		return unseal(set, config->backup_passphrase, why, why_size);
	if (access(config->key_file, F_OK) == 0)
		return vault_open(config->key_file, false, why, why_size);
	snprintf(why, why_size, "%s: its master key is needed: %s put it at %s", set->path,
		 backup_has_key(set) ? "set TANTU_BACKUP_PASSPHRASE (the key is in the backup), or" : "",
		 config->key_file);
	return NULL;
}

/* --- the database --- */

bool restore_target_is_empty(const struct config *config, char *why, size_t why_size)
{
	PGconn *pg = owner_connect(config->owner_database, why, why_size);
	PGresult *row = pg ? owner_row(pg, SQL_restore_target, NULL, 0, why, why_size) : NULL;
	bool empty = false;
	if (row && strtol(PQgetvalue(row, 0, 0), NULL, 10) > 0)
		snprintf(why, why_size,
			 "the database %s is not empty: a backup is restored into an empty one only; make a "
			 "new one, "
			 "owned by tantu_owner, and let TANTU_OWNER_DATABASE name it",
			 PQgetvalue(row, 0, 3));
	else if (row && *PQgetvalue(row, 0, 1) != 't')
		snprintf(why, why_size,
			 "there is no role tantu_app: run scripts/roles.sql as the superuser first");
	else if (row && *PQgetvalue(row, 0, 2) != 't')
		snprintf(why, why_size,
			 "TANTU_OWNER_DATABASE: its role may not make tables in the database %s",
			 PQgetvalue(row, 0, 3));
	else
		empty = row != NULL;
	PQclear(row);
	PQfinish(pg);
	return empty;
}

/* *cut: the sealed file did not read to its end. */
static void pour(struct sealed_reader *reader, struct child *child, bool *cut)
{
	static char chunk[65536];
	long n;
	while ((n = sealed_reader_read(reader, chunk, sizeof chunk)) > 0) {
		for (long at = 0; at < n;) {
			ssize_t wrote = write(child->pipe, chunk + at, (size_t)(n - at));
			if (wrote < 0 && errno != EINTR)
				return; /* it has ended: child_end tells why */
			at += wrote > 0 ? wrote : 0;
		}
	}
	*cut = n < 0;
}

static bool start_restore(const struct config *config, struct child *child, char *why, size_t why_size)
{
	char program[BACKUP_PATH_BYTES], database[600], named[640];
	char **environment = connection_environment(config->owner_database);
	connection_database(environment, database, sizeof database);
	snprintf(named, sizeof named, "--dbname=%s", database);
	child_postgresql_program(config->postgresql_bin, "pg_restore", program, sizeof program);
	const char *const argv[] = { program,
				     "--format=custom",
				     "--single-transaction",
				     "--exit-on-error",
				     "--no-owner",
				     "--no-password",
				     named,
				     NULL };
	struct child_options options = { argv, environment, CHILD_READS_US, NULL };
	bool started = child_start(child, &options, why, why_size);
	connection_environment_free(environment);
	return started;
}

static bool renew(const struct config *config, char *why, size_t why_size)
{
	PGconn *pg = owner_connect(config->owner_database, why, why_size);
	PGresult *row = pg ? owner_row(pg, SQL_restore_renew, NULL, 0, why, why_size) : NULL;
	bool done = row != NULL;
	PQclear(row);
	PQfinish(pg);
	return done;
}

bool restore_database(const struct backup_set *set, const struct config *config, const struct vault *vault,
		      char *why, size_t why_size)
{
	char path[BACKUP_PATH_BYTES];
	struct child child;
	bool cut = false;
	backup_path(path, set->path, BACKUP_DATABASE);
	struct sealed_reader *reader = sealed_reader_open(vault, path, why, why_size);
	if (!reader)
		return false;
	if (!start_restore(config, &child, why, why_size)) {
		sealed_reader_close(&reader);
		return false;
	}
	pour(reader, &child, &cut);
	sealed_reader_close(&reader);
	if (cut) { /* its end must not come: the transaction is not to be committed */
		child_abandon(&child);
		return told(why, why_size, path, "was cut or changed; nothing was restored");
	}
	return child_end(&child, why, why_size) &&
	       (!*backup_text(set, "installation") || renew(config, why, why_size));
}

struct comparison {
	const json_t *wanted;
	int agree;
	char differs[200];
};

static void compare_figure(void *context, const char *name, int64_t n)
{
	struct comparison *c = context;
	const json_t *wanted = json_object_get(c->wanted, name);
	if (wanted && json_integer_value(wanted) == n)
		c->agree++;
	else if (wanted && !*c->differs)
		snprintf(c->differs, sizeof c->differs, "%s is %" PRId64 ", in the backup it was %" PRId64,
			 name, n, (int64_t)json_integer_value(wanted));
}

bool restore_figures_agree(const struct backup_set *set, const struct config *config, char *why,
			   size_t why_size)
{
	struct comparison c = { .wanted = json_object_get(set->manifest, "figures") };
	PGconn *pg = owner_connect(config->owner_database, why, why_size);
	bool asked = pg && snapshot_figures(pg, compare_figure, &c, why, why_size);
	PQfinish(pg);
	if (!asked)
		return false;
	if (*c.differs)
		return told(why, why_size, "figures", c.differs);
	if (c.agree != (int)json_object_size(c.wanted))
		return told(why, why_size, "figures", "a table of the backup is not there");
	return true;
}

/* --- the files --- */

/* What root puts there belongs to whom the folder belongs to: the server's user. */
bool restore_hand_over(const char *path)
{
	char copy[BACKUP_PATH_BYTES];
	struct stat folder;
	snprintf(copy, sizeof copy, "%s", path);
	return geteuid() != 0 ||
	       (stat(dirname(copy), &folder) == 0 && chown(path, folder.st_uid, folder.st_gid) == 0);
}

/* Under another name first: whoever looks sees all of it or nothing. */
bool restore_put_file(const char *from, const char *to, char *why, size_t why_size)
{
	char draft[BACKUP_PATH_BYTES + 16];
	struct file_print print;
	snprintf(draft, sizeof draft, "%s.restoring", to);
	unlink(draft);
	if (file_copy(from, draft, &print) && restore_hand_over(draft) && rename(draft, to) == 0)
		return true;
	told(why, why_size, to, strerror(errno));
	unlink(draft);
	return false;
}

/* *there: it holds the same already. False when it holds something else. */
static bool may_put(const char *to, const json_t *file, bool *there, char *why, size_t why_size)
{
	struct file_print print;
	*there = file_print(to, &print);
	if (!*there)
		return errno == ENOENT || told(why, why_size, to, strerror(errno));
	return strcmp(print.sha256, json_string_value(json_object_get(file, "sha256"))) == 0 ||
	       told(why, why_size, to, "is there already and holds something else");
}

static bool each_upload(const struct backup_set *set, const struct config *config, bool put, char *why,
			size_t why_size)
{
	const char *name;
	json_t *file;
	char from[BACKUP_PATH_BYTES], to[BACKUP_PATH_BYTES];
	bool there;
	json_object_foreach (json_object_get(set->manifest, "files"), name, file) {
		if (strncmp(name, BACKUP_UPLOADS "/", sizeof BACKUP_UPLOADS) != 0)
			continue;
		backup_path(from, set->path, name);
		backup_path(to, config->uploads, name + sizeof BACKUP_UPLOADS);
		if (!may_put(to, file, &there, why, why_size) ||
		    (put && !there && !restore_put_file(from, to, why, why_size)))
			return false;
	}
	return true;
}

bool restore_uploads(const struct backup_set *set, const struct config *config, char *why, size_t why_size)
{
	if (!folder_make(config->uploads))
		return told(why, why_size, config->uploads, strerror(errno));
	return each_upload(set, config, true, why, why_size);
}

/* --- the command --- */

struct restoring {
	const struct config *config;
	struct backup_set set;
	struct vault *vault;
	char why[WHY];
};

/* A master key that is in place already must be the backup's. */
static bool key_in_place_agrees(struct restoring *r)
{
	if (access(r->config->key_file, F_OK) != 0)
		return true;
	struct vault *there = vault_open(r->config->key_file, false, r->why, sizeof r->why);
	bool agrees = there && backup_check_seal(&r->set, there, r->why, sizeof r->why);
	if (there && !agrees)
		told(r->why, sizeof r->why, r->config->key_file,
		     "is there already and is not the backup's key");
	if (there)
		vault_free(&there);
	return agrees;
}

static bool check(struct restoring *r, const char *given)
{
	if (!r->config->owner_database)
		return told(r->why, sizeof r->why, "TANTU_OWNER_DATABASE",
			    "not set; it is the connection string of the role tantu_owner");
	if (!backup_open(&r->set, given, r->why, sizeof r->why) ||
	    !backup_check_files(&r->set, r->why, sizeof r->why))
		return false;
	r->vault = backup_vault(&r->set, r->config, r->why, sizeof r->why);
	return r->vault && backup_check_seal(&r->set, r->vault, r->why, sizeof r->why) &&
	       key_in_place_agrees(r) && restore_target_is_empty(r->config, r->why, sizeof r->why) &&
	       each_upload(&r->set, r->config, false, r->why, sizeof r->why) &&
	       backup_photos_restore(&r->set, r->config, r->vault, false, r->why, sizeof r->why);
}

/* Not there yet: then it came out of the backup. */
static bool place_key(struct restoring *r)
{
	char folder[BACKUP_PATH_BYTES], sealed[BACKUP_PATH_BYTES];
	const char *key = r->config->key_file;
	if (access(key, F_OK) == 0)
		return true;
	snprintf(folder, sizeof folder, "%s", key);
	if (!folder_make(r->config->var) || !folder_make(dirname(folder)))
		return told(r->why, sizeof r->why, key, strerror(errno));
	backup_path(sealed, r->set.path, BACKUP_KEY);
	return sealed_key_open(sealed, r->config->backup_passphrase, key, r->why, sizeof r->why) &&
	       (restore_hand_over(key) || told(r->why, sizeof r->why, key, strerror(errno)));
}

static bool change(struct restoring *r)
{
	return place_key(r) && restore_uploads(&r->set, r->config, r->why, sizeof r->why) &&
	       backup_photos_restore(&r->set, r->config, r->vault, true, r->why, sizeof r->why) &&
	       restore_database(&r->set, r->config, r->vault, r->why, sizeof r->why) &&
	       restore_figures_agree(&r->set, r->config, r->why, sizeof r->why);
}

static int conclude(struct restoring *r)
{
	int64_t schema = backup_number(&r->set, "schema");
	printf("%s: restored, %zu figures agree, schema %" PRId64 "\n", r->set.path,
	       json_object_size(json_object_get(r->set.manifest, "figures")), schema);
	if (schema < db_schema_version())
		printf("the program is newer (schema %d): run `tantu migrate` before `tantu serve`\n",
		       db_schema_version());
	return EXIT_DONE;
}

int run_restore(const struct config *config, const struct arguments *arguments)
{
	struct restoring r = { .config = config };
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	bool done = check(&r, argument(arguments, "BACKUP")) && change(&r);
	int status = done ? conclude(&r) : complain(r.why);
	if (r.vault)
		vault_free(&r.vault);
	backup_close(&r.set);
	return status;
}
