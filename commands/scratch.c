/* SPDX-License-Identifier: Apache-2.0
 * See scratch.h. Whoever holds the lock in the folder is alive; a folder whose lock is free is a killed
 * one's. */
#include "commands/scratch.h"
#include "db/owner.h"
#include "service/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX "tantu-prove-"
enum { START_SECONDS = 120, PAUSE_MS = 20, PATH_MOST = 1200 };

static bool told(char *why, size_t why_size, const char *what, const char *reason)
{
	snprintf(why, why_size, "%s: %s", what, reason);
	return false;
}

static int take_lock(const char *folder, int flags)
{
	char path[PATH_MOST];
	snprintf(path, sizeof path, "%s/lock", folder);
	int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void clear_killed(const char *below)
{
	char path[PATH_MOST];
	struct stat st;
	DIR *dir = opendir(below);
	struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", below, entry->d_name);
		int fd = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? take_lock(path, 0) : -1;
		if (fd < 0)
			continue;
		(void)!folder_remove(path);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

static bool make_folder(struct scratch *s, const char *below, char *why, size_t why_size)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
	snprintf(s->folder, sizeof s->folder, "%s/" PREFIX "XXXXXX", below);
	if (strlen(below) > 70) { /* a socket's path takes 107 bytes */
		*s->folder = 0;
		return told(why, why_size, below,
			    "its path is too long for PostgreSQL's socket; say --scratch /tmp");
	}
	if (!mkdtemp(s->folder)) {
		*s->folder = 0;
		return told(why, why_size, below, strerror(errno));
	}
	s->lock = take_lock(s->folder, O_CREAT);
	if (geteuid() == 0 && !user)
		return told(
			why, why_size, "postgres",
			"there is no such user, and PostgreSQL does not run as root: run it as another user");
	if (s->lock < 0 || (user && chown(s->folder, user->pw_uid, user->pw_gid) != 0))
		return told(why, why_size, s->folder, strerror(errno));
	return true;
}

static bool make_cluster(struct scratch *s, char *why, size_t why_size)
{
	char program[PATH_MOST], data[PATH_MOST];
	struct child initdb;
	child_postgresql_program(s->programs, "initdb", program, sizeof program);
	snprintf(data, sizeof data, "%s/data", s->folder);
	const char *const argv[] = { program,
				     "-D",
				     data,
				     "--username=postgres",
				     "--auth=trust",
				     "--encoding=UTF8",
				     "--locale=C.UTF-8",
				     "--no-sync",
				     "--no-instructions",
				     NULL };
	struct child_options options = { argv, NULL, CHILD_NO_PIPE, "postgres" };
	return child_start(&initdb, &options, why, why_size) && child_end(&initdb, why, why_size);
}

/* Fast and not durable: nothing of it is to last. */
static bool start_server(struct scratch *s, char *why, size_t why_size)
{
	char program[PATH_MOST], data[PATH_MOST], sockets[PATH_MOST];
	child_postgresql_program(s->programs, "postgres", program, sizeof program);
	snprintf(data, sizeof data, "%s/data", s->folder);
	snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", s->folder);
	const char *const argv[] = { program,
				     "-D",
				     data,
				     "-c",
				     sockets,
				     "-c",
				     "listen_addresses=",
				     "-c",
				     "unix_socket_permissions=0700",
				     "-c",
				     "fsync=off",
				     "-c",
				     "full_page_writes=off",
				     "-c",
				     "synchronous_commit=off",
				     "-c",
				     "max_wal_size=4GB",
				     "-c",
				     "maintenance_work_mem=128MB",
				     "-c",
				     "jit=off",
				     "-c",
				     "TimeZone=UTC",
				     "-c",
				     "log_min_messages=fatal",
				     NULL };
	struct child_options options = { argv, NULL, CHILD_NO_PIPE, "postgres" };
	if (child_start(&s->server, &options, why, why_size))
		return true;
	s->server.pid = -1;
	return false;
}

static bool await_server(struct scratch *s, const char *super, char *why, size_t why_size)
{
	for (int waited = 0; waited < START_SECONDS * 1000; waited += PAUSE_MS) {
		int status;
		if (PQping(super) == PQPING_OK)
			return true;
		if (waitpid(s->server.pid, &status, WNOHANG) == s->server.pid) {
			s->server.pid = -1;
			return told(why, why_size, "postgres", "the scratch server ended by itself");
		}
		usleep(PAUSE_MS * 1000);
	}
	return told(why, why_size, "postgres", "the scratch server did not start");
}

static bool make_database(const char *super, char *why, size_t why_size)
{
	static const enum sql steps[] = { SQL_scratch_owner, SQL_scratch_app, SQL_scratch_database };
	PGconn *pg = owner_connect(super, why, why_size);
	bool done = pg != NULL;
	for (size_t i = 0; done && i < sizeof steps / sizeof steps[0]; i++)
		done = owner_run(pg, sql_texts[steps[i]].name, sql_texts[steps[i]].text, why, why_size);
	PQfinish(pg);
	return done;
}

bool scratch_start(struct scratch *s, const char *below, const char *programs, char *why, size_t why_size)
{
	char super[1100];
	const char *otherwise = getenv("TMPDIR");
	*s = (struct scratch){ .lock = -1,
			       .programs = programs,
			       .server = { .pid = -1, .pipe = -1, .said = -1 } };
	below = below ? below : otherwise && *otherwise ? otherwise : "/tmp";
	clear_killed(below);
	if (!make_folder(s, below, why, why_size))
		return false;
	snprintf(super, sizeof super, "host='%s' user=postgres dbname=postgres", s->folder);
	snprintf(s->owner, sizeof s->owner, "host='%s' user=tantu_owner dbname=tantu", s->folder);
	snprintf(s->app, sizeof s->app, "host='%s' user=tantu_app dbname=tantu", s->folder);
	return make_cluster(s, why, why_size) && start_server(s, why, why_size) &&
	       await_server(s, super, why, why_size) && make_database(super, why, why_size);
}

void scratch_end(struct scratch *s)
{
	char ignored[400];
	if (s->server.pid > 0) {
		kill(s->server.pid, SIGQUIT); /* at once: nothing of it is to last */
		(void)!child_end(&s->server, ignored, sizeof ignored);
	} else if (s->server.said >= 0) {
		close(s->server.said);
	}
	if (*s->folder && !folder_remove(s->folder))
		fprintf(stderr, "tantu: %s could not be removed: %s\n", s->folder, strerror(errno));
	if (s->lock >= 0)
		close(s->lock);
}
