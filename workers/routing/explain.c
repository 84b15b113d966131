/* SPDX-License-Identifier: Apache-2.0
 * Why a task is in no shift: the first constraint that leaves no shift over, asked in the order of enum
 * routing_reason. */
#include "workers/routing/internal.h"

static bool fits_alone(const struct routing_model *m, int task, int shift)
{
	const struct routing_task *t = &m->problem->tasks[task];
	const struct routing_shift *day = &m->problem->shifts[shift];
	double at = routing_start_after(t, day->from + routing_minutes(m, day->begin_place, t->place));
	return at + t->duration + routing_minutes(m, t->place, day->end_place) <= day->to + ROUTING_SLACK &&
	       t->load <= day->capacity;
}

static enum routing_reason reason_of(const struct routing_state *s, int task)
{
	const struct routing_model *m = s->model;
	const struct routing_task *t = &m->problem->tasks[task];
	enum routing_reason furthest = ROUTING_NO_SKILL;
	for (int i = 0; i < m->shifts; i++) {
		const struct routing_shift *day = &m->problem->shifts[i];
		enum routing_reason here = ROUTING_NO_TIME;
		if (t->skills & ~day->skills)
			here = ROUTING_NO_SKILL;
		else if (day->day < t->earliest_day || day->day > t->latest_day)
			here = ROUTING_NO_DAY;
		else if (!fits_alone(m, task, i))
			here = ROUTING_NO_WINDOW;
		else if ((day->most && s->routes[i].length >= day->most) ||
			 s->routes[i].load + t->load > day->capacity)
			here = ROUTING_NO_LIMIT;
		if (here > furthest)
			furthest = here;
	}
	return furthest;
}

void routing_explain(const struct routing_state *s, enum routing_reason *reasons)
{
	for (int t = 0; t < s->model->tasks; t++)
		reasons[t] = s->shift_of[t] != ROUTING_NONE ? ROUTING_PLACED : reason_of(s, t);
}
