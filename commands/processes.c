/* SPDX-License-Identifier: Apache-2.0
 * Several processes on one port: a parent that only watches its children.
 * Invariant: the parent's signals stay blocked from its first step to its end, so that none kills it before
 * its children have ended; a child gets back what was before. */
#include "commands/process.h"
#include "service/invariant.h"
#include "service/log.h"
#include "service/notify.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AGAIN_MS = 200, CHILDREN_MOST = 64 };

struct parent {
	const struct config *config;
	pid_t children[CHILDREN_MOST]; /* 0: to be started */
	sigset_t signals, before;
	struct beat_slot *slots; /* shared with the children */
	unsigned seen[CHILDREN_MOST];
	struct timespec looked_at;
	uint64_t watchdog_ms; /* 0: nobody asks */
	bool ready;
};

static void start_missing(struct parent *p)
{
	pid_t self = getpid();
	for (int i = 0; i < p->config->processes; i++) {
		if (p->children[i] > 0)
			continue;
		p->slots[i].ready = false;
		pid_t pid = fork();
		if (pid == 0) {
			notify_leave_to_parent();
			prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody is left behind */
			sigprocmask(SIG_SETMASK, &p->before, NULL);
			exit(getppid() == self ? process_run(p->config, true, i, &p->slots[i]) : 0);
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

/* --- what systemd is told --- */

static bool all_ready(const struct parent *p)
{
	for (int i = 0; i < p->config->processes; i++)
		if (!p->slots[i].ready)
			return false;
	return true;
}

/* Has every child's loop turned since the last look? One that is being started again has no time to. */
static bool all_alive(struct parent *p)
{
	bool alive = true;
	for (int i = 0; i < p->config->processes; i++) {
		unsigned beats = p->slots[i].beats;
		alive = alive && (beats != p->seen[i] || !p->slots[i].ready);
		p->seen[i] = beats;
	}
	return alive;
}

static void tell(struct parent *p)
{
	struct timespec now;
	char lines[100];
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!p->ready && all_ready(p)) {
		p->ready = true;
		snprintf(lines, sizeof lines, "READY=1\nSTATUS=%d processes serve", p->config->processes);
		notify(lines);
	}
	int64_t passed =
		(now.tv_sec - p->looked_at.tv_sec) * 1000 + (now.tv_nsec - p->looked_at.tv_nsec) / 1000000;
	if (p->watchdog_ms == 0 || passed < (int64_t)p->watchdog_ms)
		return;
	p->looked_at = now;
	if (all_alive(p))
		notify("WATCHDOG=1");
}

/* --- waiting --- */

/* How long to sleep at most: until somebody is to be started again, looked at, or told of. -1: for ever. */
static int64_t patience_ms(const struct parent *p)
{
	if (some_missing(p) || !p->ready)
		return AGAIN_MS;
	return p->watchdog_ms ? (int64_t)p->watchdog_ms : -1;
}

/* The next signal; 0 when there is none, but time has passed. */
static int next_signal(const struct parent *p)
{
	int64_t ms = patience_ms(p);
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
	for (;;) {
		int number = sigtimedwait(&p->signals, NULL, ms < 0 ? NULL : &time);
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
	notify("STOPPING=1\nSTATUS=stopping: what was begun is finished");
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
	struct parent p = { .config = config, .watchdog_ms = notify_watchdog_ms() };
	p.slots = mmap(NULL, CHILDREN_MOST * sizeof *p.slots, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	INVARIANT(p.slots != MAP_FAILED);
	notify("STATUS=waiting for the database");
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
		tell(&p);
	}
}
