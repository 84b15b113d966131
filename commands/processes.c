/* SPDX-License-Identifier: Apache-2.0
 * Several processes on one port: a parent that only watches its children.
 * Invariant: the parent's signals stay blocked from its first step to its end, so that none kills it before
 * its children have ended; a child gets back what was before. */
#include "commands/process.h"
#include "service/log.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AGAIN_MS = 200, CHILDREN_MOST = 64 };

struct parent {
	const struct config *config;
	pid_t children[CHILDREN_MOST]; /* 0: to be started */
	sigset_t signals, before;
};

static void start_missing(struct parent *p)
{
	pid_t self = getpid();
	for (int i = 0; i < p->config->processes; i++) {
		if (p->children[i] > 0)
			continue;
		pid_t pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody is left behind */
			sigprocmask(SIG_SETMASK, &p->before, NULL);
			exit(getppid() == self ? process_run(p->config, true) : 0);
		}
		p->children[i] = pid > 0 ? pid : 0;
	}
}

static bool some_missing(const struct parent *p)
{
	for (int i = 0; i < p->config->processes; i++)
		if (p->children[i] == 0)
			return true;
	return false;
}

/* The next signal; 0 when it is time to start who is missing. */
static int next_signal(const struct parent *p)
{
	static const struct timespec again = { 0, AGAIN_MS * 1000000 };
	for (;;) {
		int number = some_missing(p) ? sigtimedwait(&p->signals, NULL, &again)
					     : sigwaitinfo(&p->signals, NULL);
		if (number > 0)
			return number;
		if (errno == EAGAIN)
			return 0;
	}
}

/* Notes who has died. The status of one that ended because it could not do its work, or 0. */
static int reap(struct parent *p)
{
	int status, failed = 0;
	pid_t dead;
	while ((dead = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < p->config->processes; i++)
			p->children[i] = p->children[i] == dead ? 0 : p->children[i];
		if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
			failed = WEXITSTATUS(status);
		else
			log_line(LOG_ERROR, "process_died", LOG_NUMBER("pid", dead));
	}
	return failed;
}

static int stop_children(const struct parent *p)
{
	int status = 0, one;
	for (int i = 0; i < p->config->processes; i++)
		if (p->children[i] > 0)
			kill(p->children[i], SIGTERM);
	while (wait(&one) > 0 || errno == EINTR)
		status = status || !WIFEXITED(one) ? status : WEXITSTATUS(one);
	return status;
}

/* The parent starts children, starts one again that died, and passes the end on. */
int processes_run(const struct config *config)
{
	struct parent p = { .config = config };
	sigemptyset(&p.signals);
	sigaddset(&p.signals, SIGTERM);
	sigaddset(&p.signals, SIGINT);
	sigaddset(&p.signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &p.signals, &p.before);
	start_missing(&p);
	for (;;) {
		int number = next_signal(&p), failed = 0;
		if (number == SIGTERM || number == SIGINT)
			return stop_children(&p);
		if (number == SIGCHLD && (failed = reap(&p)) != 0) {
			stop_children(&p);
			return failed;
		}
		if (number == 0)
			start_missing(&p);
	}
}
