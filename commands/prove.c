/* SPDX-License-Identifier: Apache-2.0
 * `tantu backup prove`: a backup is worth what can be restored from it, so this restores it, into a
 * PostgreSQL of its own, and looks: figures, totals, sealed numbers, uploads. A line each, up to the first
 * break. */
#include "commands/backup.h"
#include "commands/backup_photos.h"
#include "commands/scratch.h"
#include "db/migrate.h"
#include "db/snapshot.h"
#include "workers/command.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { WHY = 600 };

struct proof {
	const struct config *config;
	struct config there; /* the same, over the scratch cluster */
	struct backup_set set;
	struct scratch scratch;
	struct vault *vault;
	char uploads[BACKUP_PATH_BYTES];
	int64_t identities, files;
	char why[WHY];
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout); /* it takes a while, and somebody may watch */
}

static bool prove_files(struct proof *p, const char *given)
{
	if (!backup_open(&p->set, given, p->why, sizeof p->why) ||
	    !backup_check_files(&p->set, p->why, sizeof p->why))
		return false;
	say("files: %zu, each as the manifest says",
	    json_object_size(json_object_get(p->set.manifest, "files")));
	return true;
}

static bool start_scratch(struct proof *p, const char *below)
{
	if (!scratch_start(&p->scratch, below, p->config->postgresql_bin, p->why, sizeof p->why))
		return false;
	snprintf(p->uploads, sizeof p->uploads, "%s/uploads", p->scratch.folder);
	p->there = *p->config;
	p->there.database = p->scratch.app;
	p->there.owner_database = p->scratch.owner;
	p->there.uploads = p->uploads;
	return true;
}

static bool prove_key(struct proof *p)
{
	p->vault = backup_vault(&p->set, p->config, p->why, sizeof p->why);
	if (!p->vault || !backup_check_seal(&p->set, p->vault, p->why, sizeof p->why))
		return false;
	say("key: %s opens it", backup_key_is_inside(&p->set, p->config)
					? "the one inside, under the passphrase,"
					: p->config->key_file);
	return true;
}

static bool prove_database(struct proof *p)
{
	if (!restore_uploads(&p->set, &p->there, p->why, sizeof p->why) ||
	    !restore_database(&p->set, &p->there, p->vault, p->why, sizeof p->why) ||
	    !restore_figures_agree(&p->set, &p->there, p->why, sizeof p->why))
		return false;
	say("database: restored, schema %" PRId64 ", %zu figures agree", backup_number(&p->set, "schema"),
	    json_object_size(json_object_get(p->set.manifest, "figures")));
	if (backup_number(&p->set, "schema") >= db_schema_version())
		return true;
	if (!db_migrate(p->there.owner_database, p->why, sizeof p->why))
		return false;
	say("migrated: schema %d", db_schema_version());
	return true;
}

static bool prove_totals(struct proof *p)
{
	static const struct arguments none;
	fflush(stdout);
	if (command_verify_totals(&p->there, &none) == 0)
		return true;
	snprintf(p->why, sizeof p->why, "totals differ from the events");
	return false;
}

/* The number itself stays in this function. */
static bool prove_identity(void *context, const void *sealed, size_t sealed_len, const void *index,
			   size_t index_len)
{
	struct proof *p = context;
	char clear[256];
	unsigned char found[VAULT_INDEX_BYTES];
	size_t len = 0;
	bool good = sealed_len <= sizeof clear && index_len == sizeof found &&
		    vault_unseal(p->vault, (struct slice){ sealed, sealed_len }, clear, &len);
	if (good)
		vault_index(p->vault, (struct slice){ clear, len }, found);
	good = good && sodium_memcmp(found, index, sizeof found) == 0;
	sodium_memzero(clear, sizeof clear);
	p->identities += good;
	if (!good)
		snprintf(p->why, sizeof p->why,
			 "a sealed number (the %" PRId64 ". read) does not open with the key",
			 p->identities + 1);
	return good;
}

static bool prove_upload(void *context, const char *file, const char *fingerprint)
{
	struct proof *p = context;
	char path[BACKUP_PATH_BYTES], found[VAULT_INDEX_BYTES * 2 + 1];
	unsigned char print[VAULT_INDEX_BYTES];
	backup_path(path, p->uploads, file);
	if (access(path, F_OK) != 0) {
		snprintf(p->why, sizeof p->why, "upload %s: an import refers to it and the backup has it not",
			 file);
		return false;
	}
	if (!sealed_file_fingerprint(p->vault, path, print, p->why, sizeof p->why))
		return false;
	sodium_bin2hex(found, sizeof found, print, sizeof print);
	if (strcmp(found, fingerprint) != 0) {
		snprintf(p->why, sizeof p->why, "upload %s: not what was uploaded (its fingerprint differs)",
			 file);
		return false;
	}
	p->files++;
	return true;
}

static bool prove_contents(struct proof *p)
{
	int64_t photos = 0;
	PGconn *pg = owner_connect(p->there.owner_database, p->why, sizeof p->why);
	bool good = pg && snapshot_identities(pg, prove_identity, p, p->why, sizeof p->why);
	if (good)
		say("identities: %" PRId64 " sealed numbers open and match their hash", p->identities);
	good = good && snapshot_uploads(pg, prove_upload, p, p->why, sizeof p->why);
	if (good)
		say("uploads: %" PRId64 " there and as they were uploaded", p->files);
	good = good && backup_photos_prove(&p->set, p->vault, pg, &photos, p->why, sizeof p->why);
	if (good)
		say("photos: %" PRId64 " there and as they were sent", photos);
	PQfinish(pg);
	return good;
}

/* Beside the manifest, for who looks at the backup; and in the live database, for doctor and metrics. */
static void note(const struct proof *p)
{
	char path[BACKUP_PATH_BYTES], at[40], text[200], bytes[24], why[WHY] = "";
	const char *base = strrchr(p->set.path, '/');
	time_t now = time(NULL);
	struct tm utc;
	gmtime_r(&now, &utc);
	strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc);
	snprintf(text, sizeof text, "{\"proved_at\":\"%s\",\"program\":\"%s\"}\n", at, TANTU_VERSION);
	backup_path(path, p->set.path, "proved.json");
	unlink(path);
	if (!file_write(path, text, strlen(text)))
		fprintf(stderr, "tantu: %s: %s\n", path, strerror(errno));
	if (!p->config->owner_database)
		return;
	snprintf(bytes, sizeof bytes, "%" PRIu64, backup_bytes(&p->set));
	const char *values[] = { base ? base + 1 : p->set.path, backup_text(&p->set, "made_at"), bytes };
	PGconn *pg = owner_connect(p->config->owner_database, why, sizeof why);
	PGresult *row = pg ? owner_row(pg, SQL_backup_proved, values, 3, why, sizeof why) : NULL;
	if (!row)
		fprintf(stderr, "tantu: proved, but the database did not note it: %s\n", why);
	PQclear(row);
	PQfinish(pg);
}

int run_prove(const struct config *config, const struct arguments *arguments)
{
	struct proof p = { .config = config, .scratch = { .lock = -1, .server = { .pid = -1, .said = -1 } } };
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* Ctrl-C ends the scratch server, and we go on to remove it */
	bool proved = prove_files(&p, argument(arguments, "BACKUP")) &&
		      start_scratch(&p, argument(arguments, "--scratch")) && prove_key(&p) &&
		      prove_database(&p) && prove_totals(&p) && prove_contents(&p);
	scratch_end(&p.scratch);
	if (proved) {
		note(&p);
		say("proved: %s, made at %s", p.set.path, backup_text(&p.set, "made_at"));
	} else {
		fflush(stdout);
		fprintf(stderr, "tantu: not proved: %s\n", p.why);
	}
	if (p.vault)
		vault_free(&p.vault);
	backup_close(&p.set);
	return proved ? EXIT_DONE : EXIT_FAILED;
}
