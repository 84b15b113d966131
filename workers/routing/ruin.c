/* SPDX-License-Identifier: Apache-2.0
 * Adjacent string removal: strings of visits are taken out of several routes near one place, so that there is
 * room to put them back differently. (Christiaens and Vanden Berghe, section 5.1; names as there.) */
#include "workers/routing/internal.h"
#include <math.h>

static const double AVERAGE_REMOVED = 10; /* c̄ */
static const double LONGEST_STRING = 10;  /* L max */
static const double SPLIT = 0.5;          /* α: how often a string keeps some of its middle */
static const double SPLIT_END = 0.01;     /* β */

enum { NEAR_RETRIED = 24 }; /* absent tasks beside the ruin that are tried again */

static double mean_length(const struct routing_state *s)
{
	int visits = 0, used = 0;
	for (int i = 0; i < s->model->shifts; i++) {
		visits += s->routes[i].length;
		used += s->routes[i].length > 0;
	}
	return used ? (double)visits / used : 0;
}

/* Takes out what is not fixed of the stretch. */
static void remove_stretch(struct routing_state *s, struct routing_work *w, int shift, int from, int count)
{
	for (int i = from + count - 1; i >= from; i--) {
		int task = s->routes[shift].tasks[i];
		if (s->model->problem->tasks[task].fixed_shift != ROUTING_NONE)
			continue;
		w->absent[w->absent_count++] = task;
		routing_remove(s, shift, i, 1);
	}
}

/* Where a stretch of `count` that holds `position` may begin in a route of `length`. */
static int stretch_from(struct random *random, int length, int position, int count)
{
	int first = position - count + 1 > 0 ? position - count + 1 : 0;
	int last = position < length - count ? position : length - count;
	return first + random_below(random, last - first + 1);
}

static void remove_string(struct routing_state *s, struct routing_work *w, struct random *random, int task,
			  double longest)
{
	int shift = s->shift_of[task], position = s->position_of[task], length = s->routes[shift].length;
	int count = (int)(random_unit(random) * fmin(length, longest) + 1), kept = 0;
	if (count > length)
		count = length;
	if (count > 1 && count < length && random_unit(random) < SPLIT)
		for (kept = 1; count + kept < length && random_unit(random) > SPLIT_END;)
			kept++;
	int from = stretch_from(random, length, position, count + kept);
	int before = kept ? random_below(random, count + 1) : count;
	remove_stretch(s, w, shift, from + before + kept, count - before);
	remove_stretch(s, w, shift, from, before);
	routing_route_settle(s, shift);
	routing_touch(w, shift);
}

void routing_ruin(struct routing_state *s, struct routing_work *w, struct random *random)
{
	const struct routing_model *m = s->model;
	double longest = fmin(LONGEST_STRING, mean_length(s));
	double most = 4 * AVERAGE_REMOVED / (1 + longest) - 1;
	int strings = (int)(random_unit(random) * most + 1);
	const int *near = m->neighbours + (size_t)random_below(random, m->tasks) * (size_t)m->tasks;
	for (int i = 0; i < m->tasks && w->touched_count < strings; i++) {
		int shift = s->shift_of[near[i]];
		if (shift == ROUTING_NONE && w->retried_count < NEAR_RETRIED && w->is_absent[near[i]])
			routing_retry(w, near[i]);
		else if (shift != ROUTING_NONE && !w->is_touched[shift] &&
			 m->problem->tasks[near[i]].fixed_shift == ROUTING_NONE)
			remove_string(s, w, random, near[i], longest);
	}
}
