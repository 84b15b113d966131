/* SPDX-License-Identifier: Apache-2.0
 * Is a plan what it says? Walks each shift minute by minute, by the problem alone. */
#include "workers/routing/routing.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double OFF_BY = 1e-6; /* minutes */

struct walk {
	const struct routing_problem *p;
	struct routing_figures *figures;
	int *shift_of; /* of each task */
	char *fault;
	size_t size;
};

static bool breaks(struct walk *w, const char *what, int task, int shift)
{
	snprintf(w->fault, w->size, "%s: task %d in shift %d", what, task, shift);
	return false;
}

static bool begins_in_window(const struct routing_task *t, double start)
{
	if (t->fixed_shift >= 0)
		return fabs(start - t->fixed_start) <= OFF_BY;
	for (int i = 0; i < t->window_count; i++)
		if (start >= t->windows[i].from - OFF_BY && start <= t->windows[i].to + OFF_BY)
			return true;
	return t->window_count == 0;
}

static bool is_allowed(struct walk *w, const struct routing_visit *v)
{
	const struct routing_task *t = &w->p->tasks[v->task];
	const struct routing_shift *s = &w->p->shifts[v->shift];
	if (w->shift_of[v->task] >= 0)
		return breaks(w, "visited twice", v->task, v->shift);
	w->shift_of[v->task] = v->shift;
	if ((t->skills & s->skills) != t->skills)
		return breaks(w, "a skill is missing", v->task, v->shift);
	if (s->day < t->earliest_day || s->day > t->latest_day)
		return breaks(w, "on a day that is not its own", v->task, v->shift);
	if (t->fixed_shift >= 0 && t->fixed_shift != v->shift)
		return breaks(w, "a fixed visit was moved", v->task, v->shift);
	if (!begins_in_window(t, v->start))
		return breaks(w, "outside of its windows", v->task, v->shift);
	return true;
}

/* The visits [from, to) of one shift. */
static bool walk_shift(struct walk *w, const struct routing_visit *visits, int from, int to)
{
	const struct routing_problem *p = w->p;
	const struct routing_shift *s = &p->shifts[visits[from].shift];
	const double *travel = p->travel ? p->travel : p->minutes;
	double free_at = s->from, load = 0;
	size_t place = (size_t)s->begin_place, places = (size_t)p->place_count;
	for (int i = from; i < to; i++) {
		const struct routing_task *t = &p->tasks[visits[i].task];
		size_t here = (size_t)t->place;
		if (!is_allowed(w, &visits[i]))
			return false;
		if (visits[i].start < free_at + p->minutes[place * places + here] - OFF_BY)
			return breaks(w, "begins before it is reached", visits[i].task, visits[i].shift);
		w->figures->travel += travel[place * places + here];
		w->figures->late_weight += s->day > t->due_day ? t->weight * (s->day - t->due_day) : 0;
		free_at = visits[i].start + t->duration;
		load += t->load;
		place = here;
	}
	w->figures->travel += travel[place * places + (size_t)s->end_place];
	w->figures->shifts_used++;
	w->figures->placed += to - from;
	if (free_at + p->minutes[place * places + (size_t)s->end_place] > s->to + OFF_BY)
		return breaks(w, "the day does not end in time", visits[to - 1].task, visits[from].shift);
	if (load > s->capacity + OFF_BY || (s->most && to - from > s->most))
		return breaks(w, "over the limit of the day", visits[to - 1].task, visits[from].shift);
	return true;
}

static bool walk_all(struct walk *w, const struct routing_visit *visits, int count)
{
	bool *seen = calloc((size_t)w->p->shift_count + 1, sizeof *seen);
	bool holds = seen != NULL;
	for (int from = 0, to; holds && from < count; from = to) {
		int shift = visits[from].shift;
		for (to = from; to < count && visits[to].shift == shift; to++)
			;
		holds = shift >= 0 && shift < w->p->shift_count && !seen[shift]
				? walk_shift(w, visits, from, to)
				: breaks(w, "a shift comes twice or is none", visits[from].task, shift);
		if (holds)
			seen[shift] = true;
	}
	free(seen);
	return holds;
}

bool routing_check(const struct routing_problem *problem, const struct routing_visit *visits, int visit_count,
		   struct routing_figures *figures, char *fault, size_t fault_size)
{
	struct walk w = { .p = problem, .figures = figures, .size = fault_size };
	w.shift_of = malloc(((size_t)problem->task_count + 1) * sizeof(int));
	w.fault = fault;
	*figures = (struct routing_figures){ 0 };
	if (!w.shift_of)
		return false;
	for (int i = 0; i < problem->task_count; i++)
		w.shift_of[i] = -1;
	bool holds = walk_all(&w, visits, visit_count);
	for (int i = 0; holds && i < problem->task_count; i++) {
		const struct routing_task *t = &problem->tasks[i];
		if (w.shift_of[i] < 0)
			figures->unplaced_weight += t->weight;
		if (t->current_shift >= 0 && w.shift_of[i] != t->current_shift)
			figures->moved++;
		if (t->fixed_shift >= 0 && w.shift_of[i] < 0)
			holds = breaks(&w, "a fixed visit was dropped", i, t->fixed_shift);
	}
	free(w.shift_of);
	return holds;
}
