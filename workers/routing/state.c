/* SPDX-License-Identifier: Apache-2.0
 * See internal.h. Invariant: of every route that is settled, earliest[t] ≤ latest[t] for each of its tasks,
 * so it can be driven as it stands. */
#include "workers/routing/internal.h"
#include <stdlib.h>
#include <string.h>

double routing_start_after(const struct routing_task *t, double at)
{
	if (t->fixed_shift != ROUTING_NONE)
		return at <= t->fixed_start + ROUTING_SLACK ? t->fixed_start : ROUTING_NEVER;
	if (t->window_count == 0)
		return at;
	for (int i = 0; i < t->window_count; i++)
		if (at <= t->windows[i].to + ROUTING_SLACK)
			return at > t->windows[i].from ? at : t->windows[i].from;
	return ROUTING_NEVER;
}

double routing_start_before(const struct routing_task *t, double at)
{
	if (t->fixed_shift != ROUTING_NONE)
		return at >= t->fixed_start - ROUTING_SLACK ? t->fixed_start : -ROUTING_NEVER;
	if (t->window_count == 0)
		return at;
	for (int i = t->window_count - 1; i >= 0; i--)
		if (at >= t->windows[i].from - ROUTING_SLACK)
			return at < t->windows[i].to ? at : t->windows[i].to;
	return -ROUTING_NEVER;
}

void routing_route_settle(struct routing_state *s, int shift)
{
	const struct routing_model *m = s->model;
	const struct routing_task *tasks = m->problem->tasks;
	const struct routing_shift *day = &m->problem->shifts[shift];
	struct routing_route *r = &s->routes[shift];
	double at = day->from, travel = 0, load = 0, late = 0;
	int place = day->begin_place;
	for (int i = 0; i < r->length; i++) {
		int t = r->tasks[i];
		at = routing_start_after(&tasks[t], at + routing_minutes(m, place, tasks[t].place));
		s->earliest[t] = at;
		at += tasks[t].duration;
		travel += routing_travel(m, place, tasks[t].place);
		travel += routing_move_cost(m, t, shift);
		load += tasks[t].load;
		late += routing_late(m, t, shift);
		place = tasks[t].place;
		s->shift_of[t] = shift;
		s->position_of[t] = i;
	}
	r->travel = r->length ? travel + routing_travel(m, place, day->end_place) : 0;
	r->load = load;
	r->late = late;
	at = day->to;
	place = day->end_place;
	for (int i = r->length - 1; i >= 0; i--) {
		int t = r->tasks[i];
		at = routing_start_before(&tasks[t],
					  at - routing_minutes(m, tasks[t].place, place) - tasks[t].duration);
		s->latest[t] = at;
		place = tasks[t].place;
	}
}

void routing_insert(struct routing_state *s, int task, int shift, int position)
{
	struct routing_route *r = &s->routes[shift];
	memmove(r->tasks + position + 1, r->tasks + position, (size_t)(r->length - position) * sizeof(int));
	r->tasks[position] = task;
	r->length++;
	routing_route_settle(s, shift);
}

void routing_remove(struct routing_state *s, int shift, int position, int count)
{
	struct routing_route *r = &s->routes[shift];
	for (int i = position; i < position + count; i++)
		s->shift_of[r->tasks[i]] = ROUTING_NONE;
	memmove(r->tasks + position, r->tasks + position + count,
		(size_t)(r->length - position - count) * sizeof(int));
	r->length -= count;
}

void routing_route_copy(struct routing_state *to, const struct routing_state *from, int shift)
{
	struct routing_route *r = &to->routes[shift];
	const struct routing_route *o = &from->routes[shift];
	r->length = o->length;
	r->load = o->load;
	r->late = o->late;
	r->travel = o->travel;
	for (int i = 0; i < o->length; i++) {
		int t = r->tasks[i] = o->tasks[i];
		to->shift_of[t] = shift;
		to->position_of[t] = i;
		to->earliest[t] = from->earliest[t];
		to->latest[t] = from->latest[t];
	}
}

void routing_state_copy(struct routing_state *to, const struct routing_state *from)
{
	memcpy(to->shift_of, from->shift_of, (size_t)from->model->tasks * sizeof(int));
	for (int i = 0; i < from->model->shifts; i++)
		routing_route_copy(to, from, i);
	to->cost = from->cost;
}

bool routing_state_make(struct routing_state *s, const struct routing_model *m)
{
	size_t n = (size_t)m->tasks + 1, k = (size_t)m->shifts + 1;
	*s = (struct routing_state){ .model = m };
	s->routes = calloc(k, sizeof *s->routes);
	s->shift_of = malloc(n * sizeof(int));
	s->position_of = malloc(n * sizeof(int));
	s->earliest = malloc(n * sizeof(double));
	s->latest = malloc(n * sizeof(double));
	int *room = malloc(k * n * sizeof(int));
	if (!s->routes || !s->shift_of || !s->position_of || !s->earliest || !s->latest || !room) {
		free(room);
		return false;
	}
	for (size_t i = 0; i < k; i++)
		s->routes[i].tasks = room + i * n;
	for (int i = 0; i < m->tasks; i++)
		s->shift_of[i] = ROUTING_NONE;
	return true;
}

void routing_state_free(struct routing_state *s)
{
	if (s->routes)
		free(s->routes[0].tasks);
	free(s->routes);
	free(s->shift_of);
	free(s->position_of);
	free(s->earliest);
	free(s->latest);
}
