/* SPDX-License-Identifier: Apache-2.0
 * Solomon's problems (vehicle routing with time windows, 1987) as problems of the optimiser: customers are
 * tasks, vehicles are shifts of one day that begin and end at the depot; minutes and travel are the
 * straight-line distance, not rounded. */
#ifndef WORKERS_ROUTING_SOLOMON_H
#define WORKERS_ROUTING_SOLOMON_H

#include "workers/routing/routing.h"

struct solomon {
	char name[64];
	struct routing_problem problem; /* everything in it belongs to this */
};

/* The text of a file. False with one line in `why`; then there is nothing to free. */
MUST_USE bool solomon_read(struct solomon *s, const char *text, char *why, size_t why_size);
void solomon_free(struct solomon *s);

#endif
