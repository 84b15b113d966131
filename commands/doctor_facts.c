/* SPDX-License-Identifier: Apache-2.0
 * Gathers what doctor_judge.c judges. See doctor.h. */
#include "commands/doctor.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { POSTGRES_EPOCH = 946684800, SEALED_MOST = 512 };

int64_t doctor_now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return ((int64_t)now.tv_sec - POSTGRES_EPOCH) * 1000000 + now.tv_nsec / 1000;
}

/* vault_open says what is wrong with the file: gone, readable by others, not a key. */
static void look_at_key(const struct config *config, struct doctor_facts *facts)
{
	struct vault *vault =
		vault_open(config->key_file, false, facts->key_trouble, sizeof facts->key_trouble);
	if (vault)
		facts->key_trouble[0] = '\0';
	facts->key_missing = access(config->key_file, F_OK) != 0 && errno == ENOENT;
	vault_free(&vault);
}

/* A file is really made: rights, a read-only mount and a full disk all show in that alone. */
static void look_at_uploads(const struct config *config, struct doctor_facts *facts)
{
	char path[4096];
	struct statvfs disk;
	FILE *file = NULL;
	facts->uploads_missing = access(config->uploads, F_OK) != 0 && errno == ENOENT;
	snprintf(path, sizeof path, "%s/doctor-%d.try", config->uploads, (int)getpid());
	bool written = (file = fopen(path, "wx")) && fputs("tantu", file) >= 0 && fflush(file) == 0;
	if (!written || statvfs(config->uploads, &disk) != 0)
		snprintf(facts->uploads_trouble, sizeof facts->uploads_trouble, "%.200s: %s", config->uploads,
			 strerror(errno));
	else {
		facts->uploads_free = (int64_t)(disk.f_bavail * disk.f_frsize);
		facts->uploads_size = (int64_t)(disk.f_blocks * disk.f_frsize);
	}
	if (file) {
		fclose(file);
		unlink(path);
	}
}

static int64_t open_descriptors(void)
{
	int64_t count = -3; /* the folder's own two entries, and the descriptor that reads it */
	DIR *folder = opendir("/proc/self/fd");
	if (!folder)
		return -1;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

void doctor_look(const struct config *config, bool serves, struct doctor_facts *facts)
{
	struct rlimit limit = { 0 };
	look_at_key(config, facts);
	look_at_uploads(config, facts);
	getrlimit(RLIMIT_NOFILE, &limit);
	facts->descriptors_open = serves ? open_descriptors() : -1;
	/* The server raises its own limit to the hard one. */
	facts->descriptors_most = limit.rlim_max == RLIM_INFINITY ? INT64_MAX : (int64_t)limit.rlim_max;
}

/* --- the database --- */

static const struct {
	const char *column;
	size_t at;
	bool truth;
} columns[] = {
#define NUMBER(name)                                              \
	{                                                         \
#name, offsetof(struct doctor_facts, name), false \
	}
#define TRUTH(name)                                              \
	{                                                        \
#name, offsetof(struct doctor_facts, name), true \
	}
	NUMBER(server_version), NUMBER(connections),     NUMBER(connections_most), NUMBER(transaction_age),
	TRUTH(too_strong),      TRUTH(may_write_events), TRUTH(unguarded),         TRUTH(standby),
	TRUTH(durable),         TRUTH(checksums),        NUMBER(dead_jobs),        NUMBER(waiting_seconds),
	NUMBER(lost_leases),    NUMBER(unfolded),        NUMBER(fold_seconds),     NUMBER(wal_kept),
	NUMBER(database_bytes), NUMBER(idle_seconds),    TRUTH(archive_fails),     NUMBER(holiday_days),
};

static void try_sample(struct slice sealed, const struct vault *vault, struct doctor_facts *facts)
{
	char plain[SEALED_MOST];
	size_t len;
	if (sealed.len < VAULT_SEAL_OVERHEAD || sealed.len > SEALED_MOST)
		facts->sample = SAMPLE_FOREIGN;
	else
		facts->sample = vault_unseal(vault, sealed, plain, &len) ? SAMPLE_OPENS : SAMPLE_FOREIGN;
	explicit_bzero(plain, sizeof plain);
}

void doctor_take(const struct db_rows *rows, const struct vault *vault, struct doctor_facts *facts)
{
	int sample = db_column_number(rows, "sample");
	facts->reached = facts->answered = true;
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		int column = db_column_number(rows, columns[i].column);
		void *at = (char *)facts + columns[i].at;
		INVARIANT(column >= 0);
		if (columns[i].truth)
			*(bool *)at = db_get_bool(rows, 0, column);
		else
			*(int64_t *)at = db_get_int(rows, 0, column);
	}
	facts->server_now_us = db_get_int(rows, 0, db_column_number(rows, "server_now"));
	if (db_is_null(rows, 0, sample))
		facts->sample = SAMPLE_NONE;
	else if (!vault)
		facts->sample = SAMPLE_UNTRIED;
	else
		try_sample(db_get(rows, 0, sample), vault, facts);
}
