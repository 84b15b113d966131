/* SPDX-License-Identifier: Apache-2.0
 * See child.h. Between fork and exec only what is safe there is called; what fails there is told by the
 * status 127 and a line on the child's own standard error. */
#include "service/child.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_RUN = 127, SERVER_OLDEST = 15, SERVER_NEWEST = 30 };

static bool fails(char *why, size_t why_size, const char *name, const char *reason)
{
	snprintf(why, why_size, "%s: %s", name, reason);
	return false;
}

static _Noreturn void cannot(const char *what)
{
	dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(errno));
	_exit(CANNOT_RUN);
}

static void become(const struct passwd *user)
{
	if (user && (setgid(user->pw_gid) != 0 || initgroups(user->pw_name, user->pw_gid) != 0 ||
		     setuid(user->pw_uid) != 0))
		cannot(user->pw_name);
}

/* Runs in the child. ends: the pipe's, reading and writing. */
static _Noreturn void exec_child(const struct child_options *o, const struct passwd *user, const int ends[2],
				 int said, pid_t parent)
{
	int nothing = open("/dev/null", O_RDWR);
	int in = o->pipe == CHILD_READS_US ? ends[0] : nothing;
	int out = o->pipe == CHILD_WRITES_US ? ends[1] : nothing;
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
		_exit(CANNOT_RUN);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	become(user);
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* after the change of user, which clears it */
	if (getppid() != parent)
		_exit(CANNOT_RUN);
	if (user && chdir("/") != 0)
		cannot("/");
	for (char *const *e = o->environment; e && *e; e++)
		putenv(*e);
	execvp(o->argv[0], (char *const *)(void *)o->argv);
	cannot(o->argv[0]);
}

bool child_start(struct child *child, const struct child_options *o, char *why, size_t why_size)
{
	int ends[2] = { -1, -1 };
	const char *slash = strrchr(o->argv[0], '/');
	const struct passwd *user = o->user && geteuid() == 0 ? getpwnam(o->user) : NULL;
	*child = (struct child){ .pid = -1, .pipe = -1, .said = -1 };
	snprintf(child->name, sizeof child->name, "%s", slash ? slash + 1 : o->argv[0]);
	if (o->user && geteuid() == 0 && !user)
		return fails(why, why_size, o->user, "there is no such user");
	child->said = memfd_create("said", MFD_CLOEXEC);
	if (child->said < 0 || (o->pipe != CHILD_NO_PIPE && pipe2(ends, O_CLOEXEC) != 0))
		return fails(why, why_size, child->name, strerror(errno));
	pid_t parent = getpid();
	child->pid = fork();
	if (child->pid == 0)
		exec_child(o, user, ends, child->said, parent);
	if (o->pipe != CHILD_NO_PIPE) {
		child->pipe = o->pipe == CHILD_READS_US ? ends[1] : ends[0];
		close(o->pipe == CHILD_READS_US ? ends[0] : ends[1]);
	}
	if (child->pid > 0)
		return true;
	fails(why, why_size, child->name, strerror(errno));
	child_close(child);
	close(child->said);
	return false;
}

void child_close(struct child *child)
{
	if (child->pipe >= 0)
		close(child->pipe);
	child->pipe = -1;
}

/* The first line that speaks of an error, else the first. PostgreSQL's programs put their name in front. */
static void take_said(const struct child *child, char *out, size_t room)
{
	char text[4096];
	ssize_t n = pread(child->said, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = 0;
	const char *at = strstr(text, "error: ");
	at = at ? at + strlen("error: ") : text;
	snprintf(out, room, "%.*s", (int)strcspn(at, "\n"), at);
}

static int wait_for(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

bool child_end(struct child *child, char *why, size_t why_size)
{
	char said[300];
	INVARIANT(child->pid > 0);
	child_close(child);
	int status = wait_for(child->pid);
	bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	take_said(child, said, sizeof said);
	if (!well && WIFSIGNALED(status))
		snprintf(why, why_size, "%s: ended by signal %d", child->name, WTERMSIG(status));
	else if (!well)
		fails(why, why_size, child->name, *said ? said : "failed without a word");
	close(child->said);
	child->pid = -1;
	return well;
}

void child_abandon(struct child *child)
{
	char ignored[8];
	INVARIANT(child->pid > 0); /* -1 would be everybody */
	kill(child->pid, SIGTERM);
	(void)!child_end(child, ignored, sizeof ignored);
}

void child_postgresql_program(const char *folder, const char *name, char *out, size_t room)
{
	if (folder) {
		snprintf(out, room, "%s/%s", folder, name);
		return;
	}
	for (int version = SERVER_OLDEST; version <= SERVER_NEWEST; version++) {
		snprintf(out, room, "/usr/lib/postgresql/%d/bin/%s", version, name);
		if (access(out, X_OK) == 0)
			return;
	}
	snprintf(out, room, "%s", name);
}
