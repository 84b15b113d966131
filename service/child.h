/* SPDX-License-Identifier: Apache-2.0
 * Another program run to its end: no shell, its own environment, one pipe to or from it. Blocking; for
 * commands. It dies with us. What it says on standard error is kept, and told when it fails. */
#ifndef SERVICE_CHILD_H
#define SERVICE_CHILD_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum child_pipe { CHILD_NO_PIPE, CHILD_READS_US, CHILD_WRITES_US };

struct child_options {
	const char *const *argv;  /* argv[0]: a path, or a name to be looked for in PATH */
	char *const *environment; /* "NAME=value", set over ours; NULL: none */
	enum child_pipe pipe;
	const char *user; /* whom root runs it as; NULL: ourselves */
};

struct child {
	pid_t pid;
	int pipe;      /* our end: close it (child_close) so that a reader sees the end; -1: none */
	int said;      /* its standard error */
	char name[32]; /* of the program, without its folder */
};

/* False with the reason; then there is nothing to end. */
MUST_USE bool child_start(struct child *child, const struct child_options *options, char *why,
			  size_t why_size);
void child_close(struct child *child);
/* Closes the pipe and waits. False when it did not end well, with its name and its first line of error. */
MUST_USE bool child_end(struct child *child, char *why, size_t why_size);
/* Ends it with SIGTERM and waits. */
void child_abandon(struct child *child);

/* A program of PostgreSQL's ("pg_dump") in `folder`, or where Debian keeps them, or by its bare name. */
void child_postgresql_program(const char *folder, const char *name, char *out, size_t room);

#endif
