/* SPDX-License-Identifier: Apache-2.0
 * `tantu route`: the visit optimiser on a published problem. Prints each route, then distance, vehicles and
 * what an independent check says. */
#include "commands/command.h"
#include "workers/routing/solomon.h"
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MOST = 4 << 20 };

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = f ? calloc(1, FILE_MOST + 1) : NULL;
	if (text && fread(text, 1, FILE_MOST, f) == 0) {
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

static void print_routes(const struct routing_plan *plan)
{
	for (int i = 0, route = 0; i < plan->visit_count; i++) {
		if (i == 0 || plan->visits[i].shift != plan->visits[i - 1].shift)
			printf("%sroute %d:", i ? "\n" : "", ++route);
		printf(" %d", plan->visits[i].task + 1);
	}
	printf("\n");
}

static int solve(const struct solomon *s, double seconds, uint64_t seed)
{
	struct routing_options options = { .seed = seed, .seconds = seconds };
	struct routing_plan plan;
	struct routing_figures figures;
	char why[256];
	if (routing_solve(&s->problem, &options, &plan, why, sizeof why) != ROUTING_OK)
		return complain(why);
	bool holds = routing_check(&s->problem, plan.visits, plan.visit_count, &figures, why, sizeof why);
	print_routes(&plan);
	printf("instance %s\ndistance %.2f\nvehicles %d\nserved %d of %d\niterations %ld\n", s->name,
	       figures.travel, figures.shifts_used, figures.placed, s->problem.task_count,
	       plan.figures.iterations);
	bool whole = holds && figures.placed == s->problem.task_count;
	printf("%s%s%s\n", whole ? "feasible" : "not feasible", holds ? "" : ": ", holds ? "" : why);
	routing_plan_free(&plan);
	return whole ? EXIT_DONE : EXIT_DIFFERS;
}

static bool seed_read(const char *text, uint64_t *seed)
{
	char *end;
	*seed = 1;
	if (!text)
		return true;
	*seed = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

int run_route(const struct config *none, const struct arguments *arguments)
{
	const char *seconds = argument(arguments, "--seconds");
	double limit = seconds ? strtod(seconds, NULL) : 2;
	uint64_t seed;
	struct solomon s;
	char why[256];
	(void)none;
	if (!(limit > 0 && limit <= 3600))
		return complain("--seconds: above 0 and at most 3600");
	if (!seed_read(argument(arguments, "--seed"), &seed))
		return complain("--seed: a number");
	char *text = read_file(argument(arguments, "--solomon"));
	if (!text)
		return complain("the file cannot be read");
	bool read = solomon_read(&s, text, why, sizeof why);
	free(text);
	if (!read)
		return complain(why);
	int status = solve(&s, limit, seed);
	solomon_free(&s);
	return status;
}
