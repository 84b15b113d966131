/* SPDX-License-Identifier: Apache-2.0
 * The words after a command's name: options, each with its value or a flag, and operands. */
#ifndef SERVICE_ARGUMENTS_H
#define SERVICE_ARGUMENTS_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>

struct argument_rule {
	const char *name;  /* "--plan"; without dashes an operand: "FILE"; NULL ends the list */
	const char *value; /* "CODE"; NULL: a flag, or an operand */
	const char *help;  /* one line */
	bool needed;
};

enum { ARGUMENTS_MOST = 32 };

struct arguments {
	int count;
	struct {
		const struct argument_rule *rule;
		const char *value;
	} given[ARGUMENTS_MOST];
};

/* "--plan tongxin", "--plan=tongxin", "--" before operands that begin with a dash. False with one line that
 * names what is wrong: not known, twice, without a value, or (`check`) missing. Values point into argv. */
MUST_USE bool arguments_read(struct arguments *arguments, const struct argument_rule *rules, int argc,
			     char **argv, char *why, size_t why_size);
MUST_USE bool arguments_check(const struct arguments *arguments, const struct argument_rule *rules, char *why,
			      size_t why_size);
/* Its value ("" for a flag), or NULL when it was not given. */
const char *argument(const struct arguments *arguments, const char *name);

#endif
