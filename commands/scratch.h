/* SPDX-License-Identifier: Apache-2.0
 * A PostgreSQL for a moment: made in a folder of its own, without TCP, reachable by its maker only, gone
 * afterwards with all it held. As root it runs as `postgres`, since PostgreSQL refuses root. Blocking. */
#ifndef COMMANDS_SCRATCH_H
#define COMMANDS_SCRATCH_H

#include "service/child.h"

struct scratch {
	char folder[1024];
	char owner[1100], app[1100]; /* connection strings */
	struct child server;
	const char *programs; /* folder of PostgreSQL's programs, or NULL */
	int lock;
};

/* below: an existing folder with room for the database; NULL: TMPDIR, or /tmp. Removes first what a killed
 * one left there. False with one line; scratch_end is due in any case. */
MUST_USE bool scratch_start(struct scratch *scratch, const char *below, const char *programs, char *why,
			    size_t why_size);
void scratch_end(struct scratch *scratch);

#endif
