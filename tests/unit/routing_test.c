/* SPDX-License-Identifier: Apache-2.0
 * The visit optimiser: on small random problems it finds what trying everything finds, whatever the problem
 * its plan passes the independent check, fixed visits stay, and the same seed gives the same plan. */
#include "unit.h"
#include "workers/routing/random.h"
#include "workers/routing/solomon.h"
#include <math.h>
#include <string.h>

enum { TASKS = 8, SHIFTS = 3, PLACES = TASKS + 2 };

struct small {
	struct routing_task tasks[TASKS];
	struct routing_window windows[TASKS][2];
	struct routing_shift shifts[SHIFTS];
	double minutes[PLACES * PLACES];
	struct routing_problem problem;
};

static double between(struct random *r, int from, int to)
{
	return from + random_below(r, to - from + 1);
}

static void draw(struct small *s, struct random *r, int tasks)
{
	double x[PLACES], y[PLACES];
	memset(s, 0, sizeof *s);
	for (int i = 0; i < PLACES; i++) {
		x[i] = between(r, 0, 40);
		y[i] = between(r, 0, 40);
	}
	for (int i = 0; i < PLACES; i++)
		for (int k = 0; k < PLACES; k++) /* not symmetric: uphill is slower */
			s->minutes[i * PLACES + k] =
				hypot(x[i] - x[k], y[i] - y[k]) * (x[k] > x[i] ? 1.2 : 1);
	for (int i = 0; i < tasks; i++) {
		struct routing_task *t = &s->tasks[i];
		*t = (struct routing_task){ .place = i + 2,
					    .duration = between(r, 10, 60),
					    .windows = s->windows[i],
					    .window_count = random_below(r, 3),
					    .earliest_day = random_below(r, 2),
					    .due_day = random_below(r, 3),
					    .weight = between(r, 1, 3),
					    .skills = (uint64_t)random_below(r, 3),
					    .load = 1,
					    .fixed_shift = ROUTING_NONE,
					    .current_shift = ROUTING_NONE };
		t->latest_day = t->earliest_day + random_below(r, 3);
		double begin = between(r, 0, 120);
		s->windows[i][0] = (struct routing_window){ begin, begin + between(r, 0, 90) };
		s->windows[i][1] = (struct routing_window){ s->windows[i][0].to + 20,
							    s->windows[i][0].to + between(r, 20, 120) };
	}
	for (int i = 0; i < SHIFTS; i++)
		s->shifts[i] = (struct routing_shift){ .day = i,
						       .begin_place = i % 2,
						       .end_place = i % 2,
						       .from = 0,
						       .to = between(r, 120, 300),
						       .skills = 1 + (uint64_t)random_below(r, 3),
						       .capacity = 100,
						       .most = random_below(r, 5) };
	s->problem = (struct routing_problem){ .tasks = s->tasks,
					       .task_count = tasks,
					       .shifts = s->shifts,
					       .shift_count = SHIFTS,
					       .place_count = PLACES,
					       .minutes = s->minutes };
}

/* --- trying everything --- */

struct value {
	double unplaced, late, travel;
};

static bool is_less(struct value a, struct value b)
{
	if (fabs(a.unplaced - b.unplaced) > 1e-6)
		return a.unplaced < b.unplaced;
	if (fabs(a.late - b.late) > 1e-6)
		return a.late < b.late;
	return a.travel < b.travel - 1e-6;
}

/* best[subset] of one shift: the least travel that serves exactly these, or INFINITY. By depth-first search
 * over orders. */
struct days {
	const struct small *s;
	int shift;
	double best[1 << TASKS];
};

static double begins(const struct routing_task *t, double at)
{
	if (t->window_count == 0)
		return at;
	for (int i = 0; i < t->window_count; i++)
		if (at <= t->windows[i].to)
			return fmax(at, t->windows[i].from);
	return INFINITY;
}

static void search(struct days *d, unsigned served, int place, double free_at, double travel, int count)
{
	const struct routing_shift *day = &d->s->shifts[d->shift];
	const double *m = d->s->minutes;
	double home = m[place * PLACES + day->end_place];
	if (free_at + home <= day->to + 1e-9)
		d->best[served] = fmin(d->best[served], served ? travel + home : 0);
	for (int i = 0; i < d->s->problem.task_count && (!day->most || count < day->most); i++) {
		const struct routing_task *t = &d->s->tasks[i];
		if ((served & (1u << i)) || (t->skills & ~day->skills) || day->day < t->earliest_day ||
		    day->day > t->latest_day)
			continue;
		double leg = m[place * PLACES + t->place], start = begins(t, free_at + leg);
		if (start + t->duration <= day->to)
			search(d, served | (1u << i), t->place, start + t->duration, travel + leg, count + 1);
	}
}

static struct value exact(const struct small *s)
{
	static struct days days[SHIFTS];
	unsigned all = (1u << s->problem.task_count) - 1;
	struct value best = { INFINITY, 0, 0 };
	for (int i = 0; i < SHIFTS; i++) {
		days[i].s = s;
		days[i].shift = i;
		for (unsigned set = 0; set <= all; set++)
			days[i].best[set] = INFINITY;
		search(&days[i], 0, s->shifts[i].begin_place, s->shifts[i].from, 0, 0);
	}
	for (unsigned a = 0; a <= all; a++)
		for (unsigned b = 0; isfinite(days[0].best[a]) && b <= all; b++)
			for (unsigned c = all & ~(a | b); !(a & b) && isfinite(days[1].best[b]);
			     c = (c - 1) & all & ~(a | b)) {
				struct value v = { 0, 0,
						   days[0].best[a] + days[1].best[b] + days[2].best[c] };
				for (int i = 0; i < s->problem.task_count; i++) {
					int day = a >> i & 1 ? 0 : b >> i & 1 ? 1 : c >> i & 1 ? 2 : -1;
					if (day < 0)
						v.unplaced += s->tasks[i].weight;
					else if (day > s->tasks[i].due_day)
						v.late += s->tasks[i].weight * (day - s->tasks[i].due_day);
				}
				if (isfinite(v.travel) && is_less(v, best))
					best = v;
				if (c == 0)
					break;
			}
	return best;
}

static void test_small_problems_are_solved_exactly(void **state)
{
	struct random r = random_begin(20261122);
	(void)state;
	for (int round = 0; round < 120; round++) {
		struct small s;
		struct routing_plan plan;
		char fault[200];
		draw(&s, &r, 1 + random_below(&r, TASKS - 1));
		struct routing_options options = { .seed = (uint64_t)round, .iterations = 4000 };
		assert_int_equal(routing_solve(&s.problem, &options, &plan, fault, sizeof fault), ROUTING_OK);
		struct value want = exact(&s), got = { plan.figures.unplaced_weight, plan.figures.late_weight,
						       plan.figures.travel };
		if (is_less(want, got) || is_less(got, want))
			fail_msg("round %d of %d tasks: unplaced %g late %g travel %g, exact %g %g %g", round,
				 s.problem.task_count, got.unplaced, got.late, got.travel, want.unplaced,
				 want.late, want.travel);
		routing_plan_free(&plan);
	}
}

/* --- what holds of every plan --- */

static struct routing_plan solved(const struct small *s, uint64_t seed, long iterations)
{
	struct routing_options options = { .seed = seed, .iterations = iterations };
	struct routing_plan plan;
	char fault[200] = "";
	if (routing_solve(&s->problem, &options, &plan, fault, sizeof fault) != ROUTING_OK)
		fail_msg("not solved: %s", fault);
	return plan;
}

static void test_the_same_seed_gives_the_same_plan(void **state)
{
	struct random r = random_begin(1);
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct small s;
		draw(&s, &r, TASKS);
		struct routing_plan a = solved(&s, 7, 500), b = solved(&s, 7, 500);
		assert_int_equal(a.visit_count, b.visit_count);
		for (int i = 0; i < a.visit_count; i++) {
			assert_int_equal(a.visits[i].task, b.visits[i].task);
			assert_int_equal(a.visits[i].shift, b.visits[i].shift);
			assert_true(a.visits[i].start == b.visits[i].start);
		}
		routing_plan_free(&a);
		routing_plan_free(&b);
	}
}

/* Confirms every other visit of a plan, and makes the rest of the world worse. */
static void test_a_fixed_visit_stays(void **state)
{
	struct random r = random_begin(2);
	int fixed = 0;
	(void)state;
	for (int round = 0; round < 60; round++) {
		struct small s;
		draw(&s, &r, TASKS);
		struct routing_plan before = solved(&s, 1, 300);
		for (int i = 0; i < before.visit_count; i += 2) {
			s.tasks[before.visits[i].task].fixed_shift = before.visits[i].shift;
			s.tasks[before.visits[i].task].fixed_start = before.visits[i].start;
		}
		for (int i = 0; i < TASKS; i++)
			if (s.tasks[i].fixed_shift == ROUTING_NONE)
				s.tasks[i].weight = 1000;
		struct routing_plan after = solved(&s, 2, 500);
		for (int i = 0; i < before.visit_count; i += 2, fixed++) {
			int found = 0;
			for (int k = 0; k < after.visit_count; k++)
				found += after.visits[k].task == before.visits[i].task &&
					 after.visits[k].shift == before.visits[i].shift &&
					 fabs(after.visits[k].start - before.visits[i].start) < 1e-6;
			assert_int_equal(found, 1);
		}
		routing_plan_free(&before);
		routing_plan_free(&after);
	}
	assert_true(fixed > 60);
}

/* Nothing has changed but one more task: the others stay where they are when moving them costs more than it
 * can save. */
static void test_what_is_planned_is_not_moved_about(void **state)
{
	struct random r = random_begin(3);
	(void)state;
	for (int round = 0; round < 30; round++) {
		struct small s;
		draw(&s, &r, TASKS);
		s.problem.task_count = TASKS - 1;
		struct routing_plan before = solved(&s, 1, 500);
		for (int i = 0; i < before.visit_count; i++)
			s.tasks[before.visits[i].task].current_shift = before.visits[i].shift;
		s.problem.move_cost = 10000;
		struct routing_plan same = solved(&s, 9, 500);
		assert_int_equal(same.figures.moved, 0);
		assert_true(same.figures.unplaced_weight == before.figures.unplaced_weight);
		routing_plan_free(&before);
		routing_plan_free(&same);
	}
}

/* --- the check that stands beside the search --- */

static void says(const struct small *s, const struct routing_visit *visits, int count, const char *what)
{
	struct routing_figures figures;
	char fault[200] = "";
	assert_false(routing_check(&s->problem, visits, count, &figures, fault, sizeof fault));
	if (!strstr(fault, what))
		fail_msg("wanted '%s', it says '%s'", what, fault);
}

/* One shift from 0 to 100 at place 0, two tasks at places 10 minutes apart, the second after 50. */
static void two_tasks(struct small *s)
{
	memset(s, 0, sizeof *s);
	for (int i = 0; i < PLACES; i++)
		for (int k = 0; k < PLACES; k++)
			s->minutes[i * PLACES + k] = i == k ? 0 : 10;
	for (int i = 0; i < 2; i++)
		s->tasks[i] = (struct routing_task){ .place = i + 1,
						     .duration = 10,
						     .latest_day = 5,
						     .due_day = 5,
						     .weight = 1,
						     .load = 1,
						     .fixed_shift = ROUTING_NONE,
						     .current_shift = ROUTING_NONE };
	s->windows[1][0] = (struct routing_window){ 50, 60 };
	s->tasks[1].windows = s->windows[1];
	s->tasks[1].window_count = 1;
	s->shifts[0] = (struct routing_shift){ .day = 3, .to = 100, .skills = 1, .capacity = 2, .most = 2 };
	s->problem = (struct routing_problem){ .tasks = s->tasks,
					       .task_count = 2,
					       .shifts = s->shifts,
					       .shift_count = 1,
					       .place_count = PLACES,
					       .minutes = s->minutes };
}

static void test_the_check_names_every_break(void **state)
{
	struct small s;
	struct routing_figures figures;
	char fault[200];
	const struct routing_visit good[] = { { 0, 0, 10 }, { 1, 0, 50 } }, early[] = { { 0, 0, 9 } },
				   twice[] = { { 0, 0, 10 }, { 0, 0, 30 } }, outside[] = { { 1, 0, 61 } },
				   late[] = { { 0, 0, 85 } }, nowhere[] = { { 0, 3, 10 } };
	(void)state;
	two_tasks(&s);
	assert_true(routing_check(&s.problem, good, 2, &figures, fault, sizeof fault));
	assert_true(figures.travel == 30 && figures.placed == 2 && figures.shifts_used == 1 &&
		    figures.unplaced_weight == 0);
	assert_true(routing_check(&s.problem, good, 0, &figures, fault, sizeof fault));
	assert_true(figures.unplaced_weight == 2 && figures.travel == 0);
	says(&s, early, 1, "before it is reached");
	says(&s, twice, 2, "visited twice");
	says(&s, outside, 1, "outside of its windows");
	says(&s, late, 1, "does not end in time");
	says(&s, nowhere, 1, "a shift comes twice or is none");
	s.tasks[0].skills = 2;
	says(&s, good, 2, "a skill is missing");
	s.tasks[0].skills = 0;
	s.tasks[0].latest_day = 2;
	says(&s, good, 2, "on a day that is not its own");
	s.tasks[0].latest_day = 5;
	s.shifts[0].most = 1;
	says(&s, good, 2, "over the limit");
	s.shifts[0].most = 0;
	s.shifts[0].capacity = 1;
	says(&s, good, 2, "over the limit");
	s.shifts[0].capacity = 2;
	s.tasks[0].fixed_shift = 0;
	s.tasks[0].fixed_start = 20;
	says(&s, good, 2, "outside of its windows");
	says(&s, good + 1, 1, "was dropped");
}

static void test_it_says_why_a_task_is_left_out(void **state)
{
	struct small s;
	const enum routing_reason wanted[] = { ROUTING_NO_SKILL, ROUTING_NO_DAY, ROUTING_NO_WINDOW,
					       ROUTING_NO_LIMIT, ROUTING_NO_TIME };
	(void)state;
	for (int i = 0; i < 5; i++) {
		two_tasks(&s);
		s.tasks[1].weight = 5; /* this one is placed */
		if (i == 0)
			s.tasks[0].skills = 4;
		else if (i == 1)
			s.tasks[0].earliest_day = 4;
		else if (i == 2)
			s.tasks[0].duration = 90;
		else if (i == 3)
			s.shifts[0].most = 1;
		else
			s.tasks[0].duration = 70;
		struct routing_plan plan = solved(&s, 1, 200);
		assert_int_equal(plan.reasons[1], ROUTING_PLACED);
		assert_int_equal(plan.reasons[0], wanted[i]);
		routing_plan_free(&plan);
	}
}

static void test_a_problem_that_is_none_is_refused(void **state)
{
	struct small s;
	struct routing_plan plan;
	struct routing_options options = { .seed = 1, .iterations = 10 };
	char fault[200];
	(void)state;
	for (int i = 0; i < 9; i++) {
		two_tasks(&s);
		if (i == 0)
			s.tasks[0].place = PLACES;
		else if (i == 1)
			s.tasks[0].duration = -1;
		else if (i == 2)
			s.tasks[0].weight = 0;
		else if (i == 3)
			s.windows[1][0].to = 40;
		else if (i == 4)
			s.tasks[0].fixed_shift = 1;
		else if (i == 5)
			s.shifts[0].to = -1;
		else if (i == 6)
			s.minutes[3] = NAN;
		else if (i == 7)
			s.tasks[0].current_shift = 7;
		else
			s.tasks[0].fixed_shift = 0, s.tasks[0].fixed_start = 95; /* not back in time */
		fault[0] = '\0';
		assert_int_equal(routing_solve(&s.problem, &options, &plan, fault, sizeof fault),
				 ROUTING_BAD_PROBLEM);
		assert_true(fault[0]);
	}
}

static bool after_three(void *context)
{
	return ++*(int *)context > 3;
}

static void test_it_stops_when_asked_with_the_best_so_far(void **state)
{
	struct small s;
	struct random r = random_begin(5);
	struct routing_plan plan;
	char fault[200];
	int asked = 0;
	struct routing_options options = { .seed = 1, .stop = after_three, .context = &asked };
	(void)state;
	draw(&s, &r, TASKS);
	assert_int_equal(routing_solve(&s.problem, &options, &plan, fault, sizeof fault), ROUTING_OK);
	assert_int_equal(asked, 4);
	assert_true(plan.visit_count > 0 && plan.figures.iterations < 1000);
	routing_plan_free(&plan);
}

/* --- Solomon's files --- */

static const char small_file[] =
	"T1\r\n\r\nVEHICLE\r\nNUMBER     CAPACITY\r\n  2         20\r\n\r\nCUSTOMER\r\nCUST NO.  XCOORD.  "
	"YCOORD.  DEMAND  READY TIME  DUE "
	"DATE  SERVICE TIME\r\n\r\n 0 0 0 0 0 100 0\r\n 1 3 4 10 0 50 5\r\n 2 6 8 15 20 60 5\r\n";

static void test_solomons_files_are_read(void **state)
{
	struct solomon s;
	char why[200], broken[sizeof small_file];
	(void)state;
	assert_true(solomon_read(&s, small_file, why, sizeof why));
	assert_string_equal(s.name, "T1");
	assert_int_equal(s.problem.task_count, 2);
	assert_int_equal(s.problem.shift_count, 2);
	assert_true(s.problem.minutes[1] == 5 && s.problem.minutes[5] == 5 && s.problem.tasks[1].load == 15 &&
		    s.problem.shifts[0].to == 100);
	solomon_free(&s);
	for (size_t cut = 0; cut + 4 < sizeof small_file;
	     cut++) { /* cut anywhere: read as far as it goes, or refused */
		memcpy(broken, small_file, sizeof broken);
		broken[cut] = '\0';
		if (solomon_read(&s, broken, why, sizeof why))
			solomon_free(&s);
		else
			assert_true(why[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_problems_are_solved_exactly),
		cmocka_unit_test(test_the_same_seed_gives_the_same_plan),
		cmocka_unit_test(test_a_fixed_visit_stays),
		cmocka_unit_test(test_what_is_planned_is_not_moved_about),
		cmocka_unit_test(test_the_check_names_every_break),
		cmocka_unit_test(test_it_says_why_a_task_is_left_out),
		cmocka_unit_test(test_a_problem_that_is_none_is_refused),
		cmocka_unit_test(test_it_stops_when_asked_with_the_best_so_far),
		cmocka_unit_test(test_solomons_files_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
