/* SPDX-License-Identifier: Apache-2.0
 * Ruin and recreate under simulated annealing; see routing.h. Invariant: `tried` equals `current` at the
 * start of each step, so that a step costs only the routes that it touches. */
#include "workers/routing/internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Temperatures, in travel that one visit costs on the average. */
static const double HOT = 10, COLD = 0.1;
/* Prices of a mean weight unplaced, and of one that is a day late at first and in the end, in the same. */
static const double UNPLACED = 1e5, LATE_FIRST = 0.1, LATE_LAST = 50;
enum { STEPS_BETWEEN_LOOKS = 64, ANY_RETRIED = 8 };

struct search {
	struct routing_model model;
	struct routing_state current, tried, best;
	struct routing_work work;
	int *absent, absent_count,
		*absent_at; /* of `current`; absent_at: where a task stands in it, or ROUTING_NONE */
	struct random random;
	double temperature, unit, mean_weight, began;
	long iterations;
};

void routing_touch(struct routing_work *w, int shift)
{
	if (w->is_touched[shift])
		return;
	w->is_touched[shift] = true;
	w->touched[w->touched_count++] = shift;
}

void routing_retry(struct routing_work *w, int task)
{
	if (w->is_retried[task])
		return;
	w->is_retried[task] = true;
	w->retried[w->retried_count++] = task;
	w->absent[w->absent_count++] = task;
}

static double processor_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool work_make(struct routing_work *w, const struct routing_model *m)
{
	size_t n = (size_t)m->tasks + 1, k = (size_t)m->shifts + 1;
	w->absent = malloc(n * sizeof(int));
	w->absences = calloc(n, sizeof(int));
	w->retried = malloc(n * sizeof(int));
	w->is_retried = calloc(n, sizeof(bool));
	w->is_absent = calloc(n, sizeof(bool));
	w->keys = malloc(n * sizeof(double));
	w->touched = malloc(k * sizeof(int));
	w->is_touched = calloc(k, sizeof(bool));
	w->stamp = calloc(k, sizeof(int));
	return w->absent && w->absences && w->retried && w->is_retried && w->is_absent && w->keys &&
	       w->touched && w->is_touched && w->stamp;
}

static void search_free(struct search *s)
{
	routing_state_free(&s->current);
	routing_state_free(&s->tried);
	routing_state_free(&s->best);
	free(s->work.absent);
	free(s->work.absences);
	free(s->work.retried);
	free(s->work.is_retried);
	free(s->work.is_absent);
	free(s->work.keys);
	free(s->work.touched);
	free(s->work.is_touched);
	free(s->work.stamp);
	free(s->absent);
	free(s->absent_at);
	routing_model_free(&s->model);
}

static bool search_make(struct search *s, const struct routing_problem *problem, uint64_t seed)
{
	*s = (struct search){ .random = random_begin(seed), .began = processor_seconds() };
	if (!routing_model_make(&s->model, problem) || !work_make(&s->work, &s->model) ||
	    !routing_state_make(&s->current, &s->model) || !routing_state_make(&s->tried, &s->model) ||
	    !routing_state_make(&s->best, &s->model))
		return false;
	s->absent = malloc(((size_t)s->model.tasks + 1) * sizeof(int));
	s->absent_at = malloc(((size_t)s->model.tasks + 1) * sizeof(int));
	return s->absent && s->absent_at;
}

static struct routing_cost state_cost(const struct routing_state *s)
{
	struct routing_cost cost = { 0 };
	for (int i = 0; i < s->model->shifts; i++) {
		cost.travel += s->routes[i].travel;
		cost.late += s->routes[i].late;
	}
	for (int t = 0; t < s->model->tasks; t++)
		if (s->shift_of[t] == ROUTING_NONE)
			cost.unplaced += s->model->problem->tasks[t].weight;
	return cost;
}

static double absent_weight(const struct routing_model *m, const int *absent, int count)
{
	double weight = 0;
	for (int i = 0; i < count; i++)
		weight += m->problem->tasks[absent[i]].weight;
	return weight;
}

static double price_of(const struct routing_model *m, struct routing_cost c)
{
	return m->unplaced_price * c.unplaced + m->late_price * c.late + c.travel;
}

static bool is_better(struct routing_cost a, struct routing_cost b)
{
	const double same = 1e-7;
	if (fabs(a.unplaced - b.unplaced) > same)
		return a.unplaced < b.unplaced;
	if (fabs(a.late - b.late) > same)
		return a.late < b.late;
	return a.travel < b.travel - same;
}

/* What a unit of mean weight costs: little at first, so that the search can go through plans that leave
 * something out; in the end more than any travel that it could save. */
static void set_prices(struct search *s, double share)
{
	double mean = s->mean_weight > 0 ? s->mean_weight : 1;
	s->model.late_price = s->unit * LATE_FIRST * pow(LATE_LAST / LATE_FIRST, share) / mean;
	s->model.unplaced_price = s->unit * UNPLACED / mean;
}

/* --- beginning: fixed visits in the order of their starts, then everything else greedily --- */

static bool begin_fixed(struct search *s, char *fault, size_t size)
{
	const struct routing_task *tasks = s->model.problem->tasks;
	for (int t = 0; t < s->model.tasks; t++) {
		int shift = tasks[t].fixed_shift, at = 0;
		if (shift == ROUTING_NONE)
			continue;
		struct routing_route *r = &s->tried.routes[shift];
		while (at < r->length && tasks[r->tasks[at]].fixed_start <= tasks[t].fixed_start)
			at++;
		routing_insert(&s->tried, t, shift, at);
	}
	for (int i = 0; i < s->model.shifts; i++) {
		const struct routing_route *r = &s->tried.routes[i];
		const struct routing_shift *day = &s->model.problem->shifts[i];
		bool holds = r->load <= day->capacity && (!day->most || r->length <= day->most);
		for (int k = 0; k < r->length; k++)
			holds = holds && routing_may_serve(&s->model, r->tasks[k], i) &&
				s->tried.earliest[r->tasks[k]] <=
					s->tried.latest[r->tasks[k]] + ROUTING_SLACK;
		if (!holds) {
			snprintf(fault, size, "the fixed visits of a shift contradict it or each other (%d)",
				 i);
			return false;
		}
	}
	return true;
}

static void absent_add(struct search *s, int task)
{
	if (s->absent_at[task] != ROUTING_NONE)
		return;
	s->absent_at[task] = s->absent_count;
	s->absent[s->absent_count++] = task;
	s->work.is_absent[task] = true;
}

static void absent_take(struct search *s, int task)
{
	int at = s->absent_at[task], last = s->absent[s->absent_count - 1];
	if (at == ROUTING_NONE)
		return;
	s->absent[at] = last;
	s->absent_at[last] = at;
	s->absent_count--;
	s->absent_at[task] = ROUTING_NONE;
	s->work.is_absent[task] = false;
}

static void step_ends(struct routing_work *w)
{
	for (int i = 0; i < w->touched_count; i++)
		w->is_touched[w->touched[i]] = false;
	for (int i = 0; i < w->retried_count; i++)
		w->is_retried[w->retried[i]] = false;
	w->touched_count = w->retried_count = w->absent_count = 0;
}

static void begin_rest(struct search *s)
{
	s->unit = 1e3;
	for (int t = 0; t < s->model.tasks; t++) {
		s->mean_weight += s->model.problem->tasks[t].weight / s->model.tasks;
		s->absent_at[t] = ROUTING_NONE;
		if (s->tried.shift_of[t] == ROUTING_NONE)
			s->work.absent[s->work.absent_count++] = t;
	}
	set_prices(s, 1);
	routing_recreate(&s->tried, &s->work, &s->random);
	for (int i = 0; i < s->work.absent_count; i++)
		absent_add(s, s->work.absent[i]);
	s->tried.cost = state_cost(&s->tried);
	routing_state_copy(&s->current, &s->tried);
	routing_state_copy(&s->best, &s->tried);
	int placed = s->model.tasks - s->absent_count;
	s->unit = placed ? s->tried.cost.travel / placed : 0;
	step_ends(&s->work);
}

/* --- a step --- */

static void step_keep(struct search *s)
{
	struct routing_work *w = &s->work;
	for (int i = 0; i < w->absent_count; i++) {
		s->current.shift_of[w->absent[i]] = ROUTING_NONE;
		absent_add(s, w->absent[i]);
	}
	for (int i = 0; i < w->retried_count; i++)
		if (s->tried.shift_of[w->retried[i]] != ROUTING_NONE)
			absent_take(s, w->retried[i]);
	for (int i = 0; i < w->touched_count; i++)
		routing_route_copy(&s->current, &s->tried, w->touched[i]);
	s->current.cost = s->tried.cost;
	if (is_better(s->current.cost, s->best.cost))
		routing_state_copy(&s->best, &s->current);
}

static void step_undo(struct search *s)
{
	struct routing_work *w = &s->work;
	for (int i = 0; i < w->touched_count; i++)
		routing_route_copy(&s->tried, &s->current, w->touched[i]);
	for (int i = 0; i < w->retried_count; i++)
		s->tried.shift_of[w->retried[i]] = ROUTING_NONE;
	s->tried.cost = s->current.cost;
}

static void step(struct search *s)
{
	struct routing_work *w = &s->work;
	for (int i = 0; i < ANY_RETRIED && s->absent_count > 0; i++)
		routing_retry(w, s->absent[random_below(&s->random, s->absent_count)]);
	routing_ruin(&s->tried, w, &s->random);
	struct routing_cost change = { 0 };
	change.unplaced = -absent_weight(&s->model, w->retried, w->retried_count);
	routing_recreate(&s->tried, w, &s->random);
	for (int i = 0; i < w->touched_count; i++) {
		const struct routing_route *was = &s->current.routes[w->touched[i]],
					   *is = &s->tried.routes[w->touched[i]];
		change.travel += is->travel - was->travel;
		change.late += is->late - was->late;
	}
	change.unplaced += absent_weight(&s->model, w->absent, w->absent_count);
	if (price_of(&s->model, change) < -s->temperature * log(1 - random_unit(&s->random))) {
		s->tried.cost.unplaced += change.unplaced;
		s->tried.cost.late += change.late;
		s->tried.cost.travel += change.travel;
		step_keep(s);
	} else {
		step_undo(s);
	}
	step_ends(w);
}

/* How much of what is allowed has been used: 1 ends. */
static double used(const struct search *s, const struct routing_options *o)
{
	double time = o->seconds > 0 ? (processor_seconds() - s->began) / o->seconds : 0;
	double steps = o->iterations > 0 ? (double)s->iterations / (double)o->iterations : 0;
	return fmax(time, steps);
}

static void anneal(struct search *s, const struct routing_options *o)
{
	double share;
	while ((share = used(s, o)) < 1 && !(o->stop && o->stop(o->context))) {
		s->temperature = s->unit * HOT * pow(COLD / HOT, share);
		set_prices(s, share);
		for (int i = 0; i < STEPS_BETWEEN_LOOKS && (!o->iterations || s->iterations < o->iterations);
		     i++, s->iterations++)
			step(s);
	}
}

/* --- the answer --- */

static bool answer(const struct search *s, struct routing_plan *plan)
{
	const struct routing_model *m = &s->model;
	const struct routing_state *b = &s->best;
	plan->visits = malloc(((size_t)m->tasks + 1) * sizeof *plan->visits);
	plan->reasons = malloc(((size_t)m->tasks + 1) * sizeof *plan->reasons);
	if (!plan->visits || !plan->reasons)
		return false;
	for (int i = 0; i < m->shifts; i++)
		for (int k = 0; k < b->routes[i].length; k++) {
			int t = b->routes[i].tasks[k];
			plan->visits[plan->visit_count++] = (struct routing_visit){ t, i, b->earliest[t] };
		}
	routing_explain(b, plan->reasons);
	return true;
}

enum routing_result routing_solve(const struct routing_problem *problem,
				  const struct routing_options *options, struct routing_plan *plan,
				  char *fault, size_t fault_size)
{
	struct search s = { 0 };
	*plan = (struct routing_plan){ 0 };
	if (!routing_problem_judge(problem, fault, fault_size))
		return ROUTING_BAD_PROBLEM;
	enum routing_result result = ROUTING_NO_MEMORY;
	if (search_make(&s, problem, options->seed)) {
		result = ROUTING_BAD_PROBLEM;
		if (begin_fixed(&s, fault, fault_size)) {
			begin_rest(&s);
			if (s.model.tasks > 0 && s.model.shifts > 0)
				anneal(&s, options);
			result = answer(&s, plan) ? ROUTING_OK : ROUTING_NO_MEMORY;
		}
	}
	if (result == ROUTING_OK) {
		bool plan_holds = routing_check(problem, plan->visits, plan->visit_count, &plan->figures,
						fault, fault_size);
		INVARIANT(plan_holds);
	}
	plan->figures.iterations = s.iterations;
	search_free(&s);
	if (result != ROUTING_OK)
		routing_plan_free(plan);
	return result;
}

void routing_plan_free(struct routing_plan *plan)
{
	free(plan->visits);
	free(plan->reasons);
	*plan = (struct routing_plan){ 0 };
}
