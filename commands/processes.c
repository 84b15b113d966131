/* SPDX-License-Identifier: Apache-2.0
 * Several processes on one port: a parent that only watches its children. */
#include "commands/process.h"
#include "service/log.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start_child(const struct config *config)
{
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody is left behind */
	exit(getppid() == parent ? process_run(config, true) : 0);
}

static void wait_for_signal(sigset_t *set, siginfo_t *info)
{
	while (sigwaitinfo(set, info) < 0 && errno == EINTR)
		;
}

static int stop_children(const pid_t *children, int count)
{
	int status = 0, one;
	for (int i = 0; i < count; i++)
		if (children[i] > 0)
			kill(children[i], SIGTERM);
	while (wait(&one) > 0 || errno == EINTR)
		status = status || !WIFEXITED(one) ? status : WEXITSTATUS(one);
	return status;
}

/* The parent starts children, starts one again that died, and passes the end on. */
int processes_run(const struct config *config)
{
	pid_t children[64];
	sigset_t set, old;
	siginfo_t info;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (int i = 0; i < config->processes; i++) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		children[i] = start_child(config);
		sigprocmask(SIG_BLOCK, &set, NULL);
	}
	for (;;) {
		int status;
		pid_t dead;
		wait_for_signal(&set, &info);
		if (info.si_signo != SIGCHLD)
			return stop_children(children, config->processes);
		while ((dead = waitpid(-1, &status, WNOHANG)) > 0) {
			if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
				return stop_children(children, config->processes), WEXITSTATUS(status);
			log_line(LOG_ERROR, "process_died", LOG_NUMBER("pid", dead));
			usleep(200000);
			sigprocmask(SIG_SETMASK, &old, NULL);
			for (int i = 0; i < config->processes; i++)
				children[i] = children[i] == dead ? start_child(config) : children[i];
			sigprocmask(SIG_BLOCK, &set, NULL);
		}
	}
}
