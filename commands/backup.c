/* SPDX-License-Identifier: Apache-2.0
 * `tantu backup`: beside a live server. The snapshot comes first and holds the schema and the uploads still;
 * the dump and the figures are of that snapshot, and every upload it speaks of was on disk before it. The
 * backup gets its name last, when all of it is on disk. */
#include "commands/backup.h"
#include "commands/backup_photos.h"
#include "db/snapshot.h"
#include "service/durable.h"
#include "service/sealed_key.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { WHY = 600, KEEP_MOST = 10000 };

struct making {
	const struct config *config;
	const char *folder;
	bool with_key;
	int keep, lock;
	char name[BACKUP_NAME_BYTES], made_at[40], partial[BACKUP_PATH_BYTES], whole[BACKUP_PATH_BYTES];
	struct vault *vault;
	struct snapshot snapshot;
	json_t *manifest;
	int missing;
	char why[WHY];
};

static bool failed(struct making *m, const char *path)
{
	snprintf(m->why, sizeof m->why, "%.400s: %s", path, strerror(errno));
	return false;
}

/* --- what it is told --- */

static bool take_arguments(struct making *m, const struct arguments *arguments)
{
	const char *keep = argument(arguments, "--keep"), *passphrase = m->config->backup_passphrase;
	bool without = argument(arguments, "--without-key") != NULL;
	m->folder = argument(arguments, "DIR");
	m->with_key = passphrase && !without;
	if (keep) {
		char *end;
		long n = strtol(keep, &end, 10);
		if (!*keep || *end || n < 1 || n > KEEP_MOST) {
			snprintf(m->why, sizeof m->why, "--keep: '%s' is not a number from 1 to %d", keep,
				 KEEP_MOST);
			return false;
		}
		m->keep = (int)n;
	}
	if (!m->config->owner_database)
		snprintf(
			m->why, sizeof m->why,
			"TANTU_OWNER_DATABASE: not set; it is the connection string of the role tantu_owner");
	else if (!passphrase && !without)
		snprintf(m->why, sizeof m->why,
			 "a backup cannot be read without the master key: set TANTU_BACKUP_PASSPHRASE, and "
			 "the key goes with "
			 "it sealed, or say --without-key and keep a copy of %s elsewhere",
			 m->config->key_file);
	else
		return true;
	return false;
}

/* --- the folder --- */

static bool open_folder(struct making *m)
{
	char path[BACKUP_PATH_BYTES];
	if (strlen(m->folder) > BACKUP_PATH_BYTES / 2) {
		snprintf(m->why, sizeof m->why, "the folder's path is too long");
		return false;
	}
	if (!folder_make(m->folder))
		return failed(m, m->folder);
	backup_path(path, m->folder, ".lock");
	m->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (m->lock < 0)
		return failed(m, path);
	if (flock(m->lock, LOCK_EX | LOCK_NB) != 0) {
		snprintf(m->why, sizeof m->why, "%s: another backup into it is under way", m->folder);
		return false;
	}
	return backup_clear_partial(m->folder, m->why, sizeof m->why);
}

/* Names go up by the second; the second of two within one waits for the next. */
static bool choose_name(struct making *m)
{
	char partial[BACKUP_NAME_BYTES + 16];
	for (;; usleep(50000)) {
		time_t now = time(NULL);
		struct tm utc;
		gmtime_r(&now, &utc);
		strftime(m->name, sizeof m->name, "tantu-%Y%m%dT%H%M%SZ", &utc);
		strftime(m->made_at, sizeof m->made_at, "%Y-%m-%dT%H:%M:%SZ", &utc);
		backup_path(m->whole, m->folder, m->name);
		if (access(m->whole, F_OK) != 0)
			break;
	}
	snprintf(partial, sizeof partial, ".partial-%s", m->name);
	backup_path(m->partial, m->folder, partial);
	return folder_make(m->partial) || failed(m, m->partial);
}

/* --- its parts --- */

static bool pour(struct child *dump, struct sealed_writer *writer)
{
	static char chunk[65536];
	ssize_t n;
	while ((n = read(dump->pipe, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !sealed_writer_add(writer, (struct slice){ chunk, (size_t)n }))
			return false;
	}
	return true;
}

static bool start_dump(struct making *m, struct child *dump)
{
	char program[BACKUP_PATH_BYTES], snapshot[96];
	snprintf(snapshot, sizeof snapshot, "--snapshot=%s", m->snapshot.name);
	child_postgresql_program(m->config->postgresql_bin, "pg_dump", program, sizeof program);
	const char *const argv[] = { program,           "--format=custom", "--compress=3",
				     "--no-owner",      "--no-password",   "--lock-wait-timeout=60s",
				     "--encoding=UTF8", snapshot,          NULL };
	char **environment = connection_environment(m->config->owner_database);
	struct child_options options = { argv, environment, CHILD_WRITES_US, NULL };
	bool started = child_start(dump, &options, m->why, sizeof m->why);
	connection_environment_free(environment);
	return started;
}

/* The dump never touches a disk in clear. */
static bool save_database(struct making *m)
{
	char path[BACKUP_PATH_BYTES];
	unsigned char print[VAULT_INDEX_BYTES];
	uint64_t plain = 0;
	struct child dump;
	struct file_print file;
	backup_path(path, m->partial, BACKUP_DATABASE);
	struct sealed_writer *writer = sealed_writer_new(m->vault, path, m->why, sizeof m->why);
	if (!writer)
		return false;
	if (!start_dump(m, &dump)) {
		sealed_writer_abandon(&writer);
		return false;
	}
	errno = 0;
	if (!pour(&dump, writer)) {
		failed(m, path);
		sealed_writer_abandon(&writer);
		child_abandon(&dump);
		return false;
	}
	if (!child_end(&dump, m->why, sizeof m->why)) {
		sealed_writer_abandon(&writer);
		return false;
	}
	if (!sealed_writer_finish(&writer, print, &plain) || !file_print(path, &file))
		return failed(m, path);
	backup_add_file(m->manifest, BACKUP_DATABASE, &file);
	return true;
}

static bool save_upload(void *context, const char *file, const char *fingerprint)
{
	struct making *m = context;
	char from[BACKUP_PATH_BYTES], to[BACKUP_PATH_BYTES], name[300];
	struct file_print print;
	(void)fingerprint;
	snprintf(name, sizeof name, BACKUP_UPLOADS "/%s", file);
	backup_path(from, m->config->uploads, file);
	backup_path(to, m->partial, name);
	if (file_copy(from, to, &print)) {
		backup_add_file(m->manifest, name, &print);
		return true;
	}
	if (errno != ENOENT)
		return failed(m, file);
	/* The rest is worth having all the same. */
	fprintf(stderr, "tantu: %s: missing; the backup is made without it\n", from);
	m->missing++;
	return true;
}

static bool save_uploads(struct making *m)
{
	char path[BACKUP_PATH_BYTES];
	backup_path(path, m->partial, BACKUP_UPLOADS);
	if (!folder_make(path))
		return failed(m, path);
	return snapshot_uploads(m->snapshot.pg, save_upload, m, m->why, sizeof m->why);
}

static bool save_photos(struct making *m)
{
	char path[BACKUP_PATH_BYTES], previous[BACKUP_PATH_BYTES];
	struct backup_photos_tally tally;
	struct file_print print;
	if (m->snapshot.schema < BACKUP_PHOTOS_SCHEMA)
		return true;
	bool linked = backup_newest_like(m->folder, m->manifest, previous);
	if (!backup_photos_save(m->snapshot.pg, m->config->photos, m->partial, linked ? previous : NULL,
				&tally, m->why, sizeof m->why))
		return false;
	backup_path(path, m->partial, BACKUP_PHOTOS_LIST);
	if (!file_print(path, &print))
		return failed(m, path);
	backup_add_file(m->manifest, BACKUP_PHOTOS_LIST, &print);
	INVARIANT(json_object_set_new(m->manifest, "photos", json_integer(tally.saved)) == 0 &&
		  json_object_set_new(m->manifest, "photo_bytes", json_integer((json_int_t)tally.bytes)) ==
			  0);
	m->missing += (int)tally.missing;
	return true;
}

static bool save_key(struct making *m)
{
	char path[BACKUP_PATH_BYTES];
	struct file_print print;
	if (!m->with_key)
		return true;
	backup_path(path, m->partial, BACKUP_KEY);
	if (!sealed_key_write(m->config->key_file, m->config->backup_passphrase, path, m->why, sizeof m->why))
		return false;
	if (!file_print(path, &print))
		return failed(m, path);
	backup_add_file(m->manifest, BACKUP_KEY, &print);
	return true;
}

static void add_figure(void *context, const char *name, int64_t n)
{
	INVARIANT(json_object_set_new(context, name, json_integer(n)) == 0);
}

static bool describe(struct making *m)
{
	char check[KEY_CHECK_BYTES];
	backup_key_check(m->vault, check);
	m->manifest = json_pack("{s:i, s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:{}, s:{}}", "tantu_backup",
				BACKUP_FORMAT, "program", TANTU_VERSION, "made_at", m->made_at, "schema",
				m->snapshot.schema, "compatible_from", m->snapshot.compatible_from,
				"postgresql", m->snapshot.server, "installation", m->snapshot.installation,
				"key", check, "figures", "files");
	INVARIANT(m->manifest);
	return snapshot_figures(m->snapshot.pg, add_figure, json_object_get(m->manifest, "figures"), m->why,
				sizeof m->why);
}

static bool sync_folder(struct making *m, const char *name)
{
	char path[BACKUP_PATH_BYTES];
	backup_path(path, m->partial, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = fd >= 0 && fsync(fd) == 0;
	if (!done)
		failed(m, path);
	if (fd >= 0)
		close(fd);
	return done;
}

static bool name_it(struct making *m)
{
	if (!sync_folder(m, BACKUP_UPLOADS) || !sync_folder(m, ".") ||
	    !backup_write_manifest(m->partial, m->manifest, m->vault, m->why, sizeof m->why))
		return false;
	if (rename(m->partial, m->whole) != 0)
		return failed(m, m->whole);
	return durable_directory(m->whole) || failed(m, m->whole);
}

static bool make(struct making *m)
{
	return describe(m) && save_database(m) && save_uploads(m) && save_photos(m) && save_key(m) &&
	       name_it(m);
}

/* --- afterwards --- */

/* For doctor and metrics; the backup is whole without it. */
static void note(const struct making *m, const struct backup_set *set)
{
	char bytes[24], why[WHY];
	snprintf(bytes, sizeof bytes, "%" PRIu64, backup_bytes(set));
	const char *values[] = { m->name, m->made_at, bytes };
	PGconn *pg = owner_connect(m->config->owner_database, why, sizeof why);
	PGresult *row = pg ? owner_row(pg, SQL_backup_made, values, 3, why, sizeof why) : NULL;
	if (!row)
		fprintf(stderr, "tantu: the backup is whole, but the database did not note it: %s\n", why);
	PQclear(row);
	PQfinish(pg);
}

static int conclude(struct making *m)
{
	struct backup_set set;
	int deleted = 0;
	if (!backup_open(&set, m->whole, m->why, sizeof m->why))
		return complain(m->why);
	note(m, &set);
	bool pruned = !m->keep || backup_prune(m->folder, &set, m->keep, &deleted, m->why, sizeof m->why);
	printf("%s: %" PRIu64 " bytes, %zu files, %" PRId64 " photos, schema %d, key %s", m->whole,
	       backup_bytes(&set), json_object_size(json_object_get(set.manifest, "files")),
	       backup_number(&set, "photos"), m->snapshot.schema,
	       m->with_key ? "inside, under the passphrase" : "not inside");
	printf(deleted ? "; %d older deleted\n" : "\n", deleted);
	backup_close(&set);
	if (!pruned)
		return complain(m->why);
	return m->missing ? EXIT_DIFFERS : EXIT_DONE;
}

int run_backup(const struct config *config, const struct arguments *arguments)
{
	struct making m = { .config = config, .lock = -1 };
	signal(SIGXFSZ, SIG_IGN); /* a full disk is told by write */
	bool done = take_arguments(&m, arguments) &&
		    (m.vault = vault_open(config->key_file, false, m.why, sizeof m.why)) && open_folder(&m) &&
		    snapshot_open(&m.snapshot, config->owner_database, m.why, sizeof m.why);
	if (done) {
		done = choose_name(&m) && make(&m);
		if (!done && *m.partial)
			(void)!folder_remove(m.partial);
	}
	snapshot_close(&m.snapshot);
	int status = done ? conclude(&m) : complain(m.why);
	json_decref(m.manifest);
	if (m.vault)
		vault_free(&m.vault);
	if (m.lock >= 0)
		close(m.lock);
	return status;
}
