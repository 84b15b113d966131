/* SPDX-License-Identifier: Apache-2.0
 * See internal.h: is the problem one, and what of it is asked again and again. */
#include "workers/routing/internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool says(char *fault, size_t size, const char *what, int number)
{
	snprintf(fault, size, "%s (%d)", what, number);
	return false;
}

static bool is_time(double value)
{
	return isfinite(value) && fabs(value) < 1e9;
}

static bool windows_hold(const struct routing_task *t)
{
	for (int i = 0; i < t->window_count; i++)
		if (!is_time(t->windows[i].from) || !is_time(t->windows[i].to) ||
		    t->windows[i].from > t->windows[i].to ||
		    (i > 0 && t->windows[i].from <= t->windows[i - 1].to))
			return false;
	return true;
}

static const char *task_fault(const struct routing_problem *p, const struct routing_task *t)
{
	if (t->place < 0 || t->place >= p->place_count)
		return "a task's place is not in the matrix";
	if (!is_time(t->duration) || t->duration < 0)
		return "a task's duration is no time";
	if (!(t->weight > 0 && t->weight <= 1e6))
		return "a task's weight is not above 0 and at most 1,000,000";
	if (!(t->load >= 0 && t->load < 1e9))
		return "a task's load is below 0";
	if (!windows_hold(t))
		return "a task's windows overlap or end before they begin";
	if (t->fixed_shift != ROUTING_NONE &&
	    (t->fixed_shift < 0 || t->fixed_shift >= p->shift_count || !is_time(t->fixed_start)))
		return "a task is fixed to a shift that is not there";
	if (t->current_shift != ROUTING_NONE && (t->current_shift < 0 || t->current_shift >= p->shift_count))
		return "a task's current shift is not there";
	return NULL;
}

static const char *shift_fault(const struct routing_problem *p, const struct routing_shift *s)
{
	if (s->begin_place < 0 || s->begin_place >= p->place_count || s->end_place < 0 ||
	    s->end_place >= p->place_count)
		return "a shift's place is not in the matrix";
	if (!is_time(s->from) || !is_time(s->to) || s->from > s->to)
		return "a shift ends before it begins";
	if (!(s->capacity >= 0) || s->most < 0)
		return "a shift's limit is below 0";
	return NULL;
}

bool routing_problem_judge(const struct routing_problem *p, char *fault, size_t size)
{
	if (p->task_count < 0 || p->shift_count < 0 || p->place_count < 1 || p->place_count > 20000 ||
	    p->task_count > 20000)
		return says(fault, size, "too many tasks or places, or none", p->task_count);
	for (size_t i = 0; i < (size_t)p->place_count * (size_t)p->place_count; i++)
		if (!(p->minutes[i] >= 0 && p->minutes[i] < 1e9) ||
		    (p->travel && !(p->travel[i] >= 0 && p->travel[i] < 1e9)))
			return says(fault, size, "a cell of the matrix is below 0 or no number",
				    (int)(i % 1000000000));
	for (int i = 0; i < p->task_count; i++)
		if (task_fault(p, &p->tasks[i]))
			return says(fault, size, task_fault(p, &p->tasks[i]), i);
	for (int i = 0; i < p->shift_count; i++)
		if (shift_fault(p, &p->shifts[i]))
			return says(fault, size, shift_fault(p, &p->shifts[i]), i);
	return true;
}

double routing_late(const struct routing_model *m, int task, int shift)
{
	const struct routing_task *t = &m->problem->tasks[task];
	int days = m->problem->shifts[shift].day - t->due_day;
	return days > 0 ? t->weight * days : 0;
}

double routing_move_cost(const struct routing_model *m, int task, int shift)
{
	int before = m->problem->tasks[task].current_shift;
	return before != ROUTING_NONE && before != shift ? m->problem->move_cost : 0;
}

bool routing_may_serve(const struct routing_model *m, int task, int shift)
{
	const struct routing_task *t = &m->problem->tasks[task];
	const struct routing_shift *s = &m->problem->shifts[shift];
	return (t->skills & ~s->skills) == 0 && s->day >= t->earliest_day && s->day <= t->latest_day &&
	       (t->fixed_shift == ROUTING_NONE || t->fixed_shift == shift);
}

/* --- neighbours and classes --- */

struct nearness {
	double travel;
	int task;
};

static int nearer(const void *one, const void *other)
{
	const struct nearness *a = one, *b = other;
	if (a->travel != b->travel)
		return a->travel < b->travel ? -1 : 1;
	return a->task - b->task;
}

static void find_neighbours(struct routing_model *m, struct nearness *row)
{
	const struct routing_task *tasks = m->problem->tasks;
	for (int i = 0; i < m->tasks; i++) {
		for (int k = 0; k < m->tasks; k++)
			row[k] = (struct nearness){ routing_travel(m, tasks[i].place, tasks[k].place) +
							    routing_travel(m, tasks[k].place, tasks[i].place),
						    k };
		row[i].travel = -1; /* itself first */
		qsort(row, (size_t)m->tasks, sizeof *row, nearer);
		for (int k = 0; k < m->tasks; k++)
			m->neighbours[(size_t)i * (size_t)m->tasks + (size_t)k] = row[k].task;
	}
}

static bool is_alike(const struct routing_shift *a, const struct routing_shift *b)
{
	return a->day == b->day && a->begin_place == b->begin_place && a->end_place == b->end_place &&
	       a->from == b->from && a->to == b->to && a->skills == b->skills && a->capacity == b->capacity &&
	       a->most == b->most;
}

/* A shift that a task is fixed to, or is in now, is like no other. */
static void mark_named(const struct routing_model *m, bool *named)
{
	for (int i = 0; i < m->tasks; i++) {
		const struct routing_task *t = &m->problem->tasks[i];
		if (t->fixed_shift != ROUTING_NONE)
			named[t->fixed_shift] = true;
		if (t->current_shift != ROUTING_NONE)
			named[t->current_shift] = true;
	}
}

static void find_classes(struct routing_model *m, bool *named)
{
	const struct routing_shift *shifts = m->problem->shifts;
	mark_named(m, named);
	for (int i = 0; i < m->shifts; i++) {
		m->class_of[i] = ROUTING_NONE;
		for (int k = i - 1; k >= 0 && !named[i] && m->class_of[i] == ROUTING_NONE; k--)
			if (!named[k] && is_alike(&shifts[i], &shifts[k]))
				m->class_of[i] = m->class_of[k];
		if (m->class_of[i] == ROUTING_NONE)
			m->class_of[i] = m->classes++;
	}
}

static double *turned_round(const double *matrix, int places)
{
	size_t n = (size_t)places;
	double *turned = malloc(n * n * sizeof *turned);
	for (size_t i = 0; turned && i < n; i++)
		for (size_t k = 0; k < n; k++)
			turned[k * n + i] = matrix[i * n + k];
	return turned;
}

bool routing_model_make(struct routing_model *m, const struct routing_problem *p)
{
	*m = (struct routing_model){ .problem = p,
				     .tasks = p->task_count,
				     .shifts = p->shift_count,
				     .places = p->place_count,
				     .minutes = p->minutes,
				     .travel = p->travel ? p->travel : p->minutes };
	size_t n = (size_t)p->task_count;
	struct nearness *row = malloc((n + 1) * sizeof *row);
	bool *named = calloc((size_t)p->shift_count + 1, sizeof *named);
	m->neighbours = malloc((n * n + 1) * sizeof(int));
	m->class_of = malloc(((size_t)p->shift_count + 1) * sizeof(int));
	m->minutes_to = turned_round(m->minutes, m->places);
	m->travel_to = turned_round(m->travel, m->places);
	bool made = row && named && m->neighbours && m->class_of && m->minutes_to && m->travel_to;
	if (made) {
		find_neighbours(m, row);
		find_classes(m, named);
	}
	free(row);
	free(named);
	return made;
}

void routing_model_free(struct routing_model *m)
{
	free(m->neighbours);
	free(m->class_of);
	free(m->minutes_to);
	free(m->travel_to);
}
