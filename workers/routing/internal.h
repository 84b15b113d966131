/* SPDX-License-Identifier: Apache-2.0
 * What the parts of the optimiser share. A state is a plan being worked on: the route of each shift and, for
 * each visit in it, the earliest and the latest start that its route allows. */
#ifndef WORKERS_ROUTING_INTERNAL_H
#define WORKERS_ROUTING_INTERNAL_H

#include "workers/routing/random.h"
#include "workers/routing/routing.h"

#define ROUTING_NEVER 1e18
#define ROUTING_SLACK 1e-9 /* what sums of minutes may be off by */

/* The problem made ready: rows beside each other, weights of the objective, neighbours. Read-only while
 * searching. */
struct routing_model {
	const struct routing_problem *problem;
	int tasks, shifts, places;
	const double *minutes, *travel;
	double *minutes_to, *travel_to; /* turned round: from a column's place to the row's */
	double unplaced_price,
		late_price; /* of one unit of weight, in travel: what the search pays just now (search.c) */
	int *neighbours;    /* tasks × tasks: of each, all others by travel, the nearest first */
	int *class_of;      /* of each shift: those with the same number are alike while empty */
	int classes;
};

/* The objective, the first that differs decides. */
struct routing_cost {
	double unplaced, late, travel;
};

struct routing_route {
	int length;
	double load, travel, late; /* late: weight × days */
	int *tasks;                /* room for all of them */
};
struct routing_state {
	const struct routing_model *model;
	struct routing_route *routes;
	int *shift_of, *position_of; /* of each task; ROUTING_NONE */
	double *earliest, *latest;   /* start of each task that is placed */
	struct routing_cost cost;
};

MUST_USE bool routing_model_make(struct routing_model *m, const struct routing_problem *p);
void routing_model_free(struct routing_model *m);
MUST_USE bool routing_problem_judge(const struct routing_problem *p, char *fault, size_t size);

MUST_USE bool routing_state_make(struct routing_state *s,
				 const struct routing_model *m); /* everything unplaced */
void routing_state_free(struct routing_state *s);
void routing_state_copy(struct routing_state *to, const struct routing_state *from);
/* One shift's route as it is in `from`; the tasks that `to` had there are not forgotten elsewhere: see
 * search.c. */
void routing_route_copy(struct routing_state *to, const struct routing_state *from, int shift);
/* Earliest, latest, load and travel of the route, anew. */
void routing_route_settle(struct routing_state *s, int shift);
void routing_insert(struct routing_state *s, int task, int shift, int position);
void routing_remove(struct routing_state *s, int shift, int position, int count);

/* Weight × days that the task is late in that shift; travel that it costs to be elsewhere than before. */
double routing_late(const struct routing_model *m, int task, int shift);
double routing_move_cost(const struct routing_model *m, int task, int shift);
bool routing_may_serve(const struct routing_model *m, int task,
		       int shift); /* by skill, day and being fixed */

/* The first moment not before `at` at which the task may begin: ROUTING_NEVER when there is none; and the
 * last not after `at`: -ROUTING_NEVER. */
double routing_start_after(const struct routing_task *t, double at);
double routing_start_before(const struct routing_task *t, double at);

static inline double routing_minutes(const struct routing_model *m, int from, int to)
{
	return m->minutes[(size_t)from * (size_t)m->places + (size_t)to];
}
/* [place]: from there to `to`. */
static inline const double *routing_row(const double *matrix, const struct routing_model *m, int place)
{
	return matrix + (size_t)place * (size_t)m->places;
}
static inline double routing_travel(const struct routing_model *m, int from, int to)
{
	return m->travel[(size_t)from * (size_t)m->places + (size_t)to];
}

/* One step: the tasks that it puts back, and the shifts that it has changed. An absent task fitted nowhere
 * when it was last tried, so of those only some are tried again, and only in the shifts that this step has
 * changed. */
struct routing_work {
	int *absent, absent_count;    /* to be put back; then: what could not be */
	int *retried, retried_count;  /* those of them that were absent before the step */
	bool *is_retried, *is_absent; /* is_absent: before the step */
	int *touched, touched_count;
	bool *is_touched;
	int *stamp, stamps; /* of classes: which look last saw an empty shift of them */
	int *absences;      /* of each task: how often it was left out */
	double *keys;       /* to sort by */
};
void routing_touch(struct routing_work *w, int shift);
void routing_retry(struct routing_work *w, int task);
void routing_ruin(struct routing_state *s, struct routing_work *w, struct random *random);
/* Puts back what it can; what it cannot stays in w->absent. */
void routing_recreate(struct routing_state *s, struct routing_work *w, struct random *random);

void routing_explain(const struct routing_state *s, enum routing_reason *reasons);

#endif
