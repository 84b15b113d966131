/* SPDX-License-Identifier: Apache-2.0
 * Greedy insertion with blinks: each absent task is put where it costs least, in an order that is drawn; now
 * and then a place is not looked at, so that not always the same plan comes back. (Christiaens and Vanden
 * Berghe, section 5.2.) */
#include "workers/routing/internal.h"
#include <string.h>

enum { BLINKS_OF_256 = 3 };

enum order {
	BY_CHANCE,
	BY_LOAD,
	BY_FAR,
	BY_NEAR,
	BY_SHORT_WINDOW,
	BY_EARLY,
	BY_LATE,
	BY_WEIGHT,
	BY_ABSENCES,
	ORDERS
};
static const int how_often[ORDERS] = { 4, 4, 2, 1, 2, 2, 2, 2, 1 };

struct place {
	double cost;
	int shift, position;
};

static double first_start(const struct routing_task *t)
{
	return t->window_count ? t->windows[0].from : 0;
}

static double last_start(const struct routing_task *t)
{
	return t->window_count ? t->windows[t->window_count - 1].to : ROUTING_NEVER;
}

static double key_of(const struct routing_state *s, const struct routing_work *w, enum order order, int task)
{
	const struct routing_model *m = s->model;
	const struct routing_task *t = &m->problem->tasks[task];
	int base = m->problem->shifts[0].begin_place;
	switch (order) {
	case BY_LOAD:
		return -(t->load + t->duration * 1e-6);
	case BY_FAR:
		return -routing_travel(m, base, t->place);
	case BY_NEAR:
		return routing_travel(m, base, t->place);
	case BY_SHORT_WINDOW:
		return last_start(t) - first_start(t) + 1e4 * (t->latest_day - t->earliest_day);
	case BY_EARLY:
		return first_start(t) + 1e4 * t->earliest_day;
	case BY_LATE:
		return -last_start(t) - 1e4 * t->latest_day;
	case BY_WEIGHT:
		return -t->weight;
	default:
		return -w->absences[task];
	}
}

static enum order draw_order(struct random *random)
{
	int sum = 0, drawn, i;
	for (i = 0; i < ORDERS; i++)
		sum += how_often[i];
	drawn = random_below(random, sum);
	for (i = 0; drawn >= how_often[i]; i++)
		drawn -= how_often[i];
	return (enum order)i;
}

/* A dozen or so: by insertion, equal ones stay as they were. */
static void sort_absent(const struct routing_state *s, struct routing_work *w, struct random *random)
{
	for (int i = w->absent_count - 1; i > 0; i--) {
		int k = random_below(random, i + 1), task = w->absent[i];
		w->absent[i] = w->absent[k];
		w->absent[k] = task;
	}
	enum order order = draw_order(random);
	if (order == BY_CHANCE)
		return;
	for (int i = 0; i < w->absent_count; i++) {
		int task = w->absent[i], k = i;
		double key = key_of(s, w, order, task);
		for (; k > 0 && w->keys[k - 1] > key; k--) {
			w->keys[k] = w->keys[k - 1];
			w->absent[k] = w->absent[k - 1];
		}
		w->keys[k] = key;
		w->absent[k] = task;
	}
}

static bool blinks(struct random *random, uint64_t *bits)
{
	if (*bits <= 1)
		*bits = random_next(random) | (1ull << 63);
	bool yes = (*bits & 255) < BLINKS_OF_256;
	*bits >>= 8;
	return yes;
}

static void try_empty(const struct routing_state *s, int task, int shift, double extra, struct place *best)
{
	const struct routing_model *m = s->model;
	const struct routing_task *t = &m->problem->tasks[task];
	const struct routing_shift *day = &m->problem->shifts[shift];
	double cost = extra + routing_travel(m, day->begin_place, t->place) +
		      routing_travel(m, t->place, day->end_place);
	double at = routing_start_after(t, day->from + routing_minutes(m, day->begin_place, t->place));
	if (cost < best->cost &&
	    at + t->duration + routing_minutes(m, t->place, day->end_place) <= day->to + ROUTING_SLACK)
		*best = (struct place){ cost, shift, 0 };
}

static void try_route(const struct routing_state *s, int task, int shift, double extra, struct random *random,
		      uint64_t *bits, struct place *best)
{
	const struct routing_model *m = s->model;
	const struct routing_task *tasks = m->problem->tasks, *t = &tasks[task];
	const struct routing_shift *day = &m->problem->shifts[shift];
	const struct routing_route *r = &s->routes[shift];
	const double *to = routing_row(m->minutes_to, m, t->place),
		     *from = routing_row(m->minutes, m, t->place);
	const double *cost_to = routing_row(m->travel_to, m, t->place),
		     *cost_from = routing_row(m->travel, m, t->place);
	double last = t->fixed_shift != ROUTING_NONE ? t->fixed_start : last_start(t), free_at = day->from;
	int place = day->begin_place;
	for (int i = 0; i <= r->length && free_at + to[place] <= last + ROUTING_SLACK; i++) {
		int next = i < r->length ? tasks[r->tasks[i]].place : day->end_place;
		double cost = extra + cost_to[place] + cost_from[next] - routing_travel(m, place, next);
		if (cost < best->cost) {
			double limit = i < r->length ? s->latest[r->tasks[i]] : day->to;
			double at = routing_start_after(t, free_at + to[place]) + t->duration + from[next];
			if (at <= limit + ROUTING_SLACK && !blinks(random, bits))
				*best = (struct place){ cost, shift, i };
		}
		if (i < r->length) {
			place = next;
			free_at = s->earliest[r->tasks[i]] + tasks[r->tasks[i]].duration;
		}
	}
}

static struct place cheapest(const struct routing_state *s, struct routing_work *w, int task,
			     struct random *random)
{
	const struct routing_model *m = s->model;
	struct place best = { ROUTING_NEVER, ROUTING_NONE, 0 };
	uint64_t bits = 0;
	bool few = w->is_retried[task];
	w->stamps++;
	for (int i = 0; i < (few ? w->touched_count : m->shifts); i++) {
		int shift = few ? w->touched[i] : i;
		const struct routing_shift *day = &m->problem->shifts[shift];
		const struct routing_route *r = &s->routes[shift];
		if (r->length == 0 && w->stamp[m->class_of[shift]] == w->stamps)
			continue;
		if ((day->most && r->length >= day->most) ||
		    r->load + m->problem->tasks[task].load > day->capacity ||
		    !routing_may_serve(m, task, shift))
			continue;
		double extra =
			m->late_price * routing_late(m, task, shift) + routing_move_cost(m, task, shift);
		if (extra >= best.cost)
			continue;
		if (r->length == 0) {
			w->stamp[m->class_of[shift]] = w->stamps;
			try_empty(s, task, shift, extra, &best);
		} else {
			try_route(s, task, shift, extra, random, &bits, &best);
		}
	}
	return best;
}

void routing_recreate(struct routing_state *s, struct routing_work *w, struct random *random)
{
	int left = 0;
	sort_absent(s, w, random);
	for (int i = 0; i < w->absent_count; i++) {
		int task = w->absent[i];
		struct place best = cheapest(s, w, task, random);
		if (best.shift == ROUTING_NONE) {
			w->absences[task]++;
			w->absent[left++] = task;
			continue;
		}
		routing_insert(s, task, best.shift, best.position);
		routing_touch(w, best.shift);
	}
	w->absent_count = left;
}
