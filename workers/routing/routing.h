/* SPDX-License-Identifier: Apache-2.0
 * Plans visits: which staff-day (shift) serves which task, in which order, when. Knows no database and no
 * HTTP.
 *
 * Method: ruin and recreate with slack induction by string removals (Christiaens and Vanden Berghe, "Slack
 * Induction by String Removals for Vehicle Routing Problems", Transportation Science 54(2), 2020), under
 * simulated annealing. Whether a task fits between two others is asked of the earliest and the latest start
 * that are kept for each visit (Savelsbergh's slack), so it costs a few operations.
 *
 * Times and durations are minutes, on each shift's own clock; travel costs are in any unit. Hard constraints
 * are never broken: skills, days, windows, hours of the shift, its limits, fixed visits. What cannot be kept
 * leaves a task unplaced. The objective, in this order: weight of unplaced tasks, lateness, travel. */
#ifndef WORKERS_ROUTING_ROUTING_H
#define WORKERS_ROUTING_ROUTING_H

#include "service/invariant.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUTING_NONE = -1 };

struct routing_window {
	double from, to; /* a visit may begin in here, both ends included */
};

struct routing_task {
	int place;       /* row of the matrices */
	double duration; /* minutes; ≥ 0 */
	const struct routing_window
		*windows; /* in order, apart from each other; none: any time of the shift */
	int window_count;
	int earliest_day, latest_day; /* hard */
	int due_day;                  /* each day later costs its weight once more */
	double weight;                /* priority: > 0 */
	uint64_t skills;              /* whoever comes needs all of these */
	double load;                  /* ≥ 0; against the shift's capacity */
	int fixed_shift;              /* confirmed: this shift and fixed_start, or ROUTING_NONE */
	double fixed_start;
	int current_shift; /* where the plan of before has it, or ROUTING_NONE */
};

/* A day of somebody's work. */
struct routing_shift {
	int day;
	int begin_place, end_place;
	double from, to; /* leaves begin_place not before, is at end_place not after */
	uint64_t skills;
	double capacity; /* of loads */
	int most;        /* visits; 0: no limit */
};

struct routing_problem {
	const struct routing_task *tasks;
	int task_count;
	const struct routing_shift *shifts;
	int shift_count;
	int place_count;
	const double *minutes; /* place_count × place_count, from row to column; need not be symmetric */
	const double *travel;  /* the same, what is to be kept small; NULL: the minutes */
	double move_cost; /* in travel, for each task that is not where it currently is: keeps plans stable */
};

struct routing_options {
	uint64_t seed;
	double seconds;  /* of processor time; 0: no limit */
	long iterations; /* 0: no limit. With iterations alone the answer depends on nothing but the seed */
	bool (*stop)(void *context); /* asked now and then; may be NULL */
	void *context;
};

enum routing_reason {
	ROUTING_PLACED,
	ROUTING_NO_SKILL,  /* nobody has the skills */
	ROUTING_NO_DAY,    /* who has them works on none of its days */
	ROUTING_NO_WINDOW, /* not reached in its hours, and back in time, even as the only visit */
	ROUTING_NO_LIMIT,  /* the shifts that could are at their limit of visits or load */
	ROUTING_NO_TIME    /* they have no room between their other visits */
};

struct routing_visit {
	int task, shift;
	double start; /* arrival or the opening of its window, whichever is later */
};

struct routing_figures {
	double unplaced_weight, late_weight, travel;
	int placed, shifts_used,
		moved; /* moved: of tasks that had a current shift, those elsewhere or nowhere */
	long iterations;
};

struct routing_plan {
	struct routing_visit *visits; /* by shift, then in order */
	int visit_count;
	enum routing_reason *reasons; /* of each task */
	struct routing_figures figures;
};

enum routing_result { ROUTING_OK, ROUTING_BAD_PROBLEM, ROUTING_NO_MEMORY };

/* The best plan found. On ROUTING_BAD_PROBLEM `fault` says which rule of the input is broken (fixed visits
 * that contradict each other among them). The plan is the caller's: routing_plan_free. */
MUST_USE enum routing_result routing_solve(const struct routing_problem *problem,
					   const struct routing_options *options, struct routing_plan *plan,
					   char *fault, size_t fault_size);
void routing_plan_free(struct routing_plan *plan);

/* Says of a plan, by nothing but the problem's own words, whether it keeps every hard constraint and what it
 * costs; shares no code with the search. False: `fault` names the first break. */
MUST_USE bool routing_check(const struct routing_problem *problem, const struct routing_visit *visits,
			    int visit_count, struct routing_figures *figures, char *fault, size_t fault_size);

#endif
