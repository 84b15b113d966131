/* SPDX-License-Identifier: Apache-2.0
 * See solomon.h. A file: a name, VEHICLE with NUMBER and CAPACITY, CUSTOMER with seven columns of which the
 * first line is the depot. */
#include "workers/routing/solomon.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS_MOST = 5000, COLUMNS = 7 };
enum { NUMBER, X, Y, DEMAND, READY, DUE, SERVICE };

/* All the text's numbers after `word`, up to a word again or `most`; how many. */
static int numbers_after(const char *text, const char *word, double *numbers, int most)
{
	const char *at = strstr(text, word);
	int count = 0;
	if (!at)
		return 0;
	for (at = strchr(at, '\n'); at && count < most;) {
		char *end;
		double value = strtod(at, &end);
		if (end != at) {
			if (!isfinite(value) || fabs(value) >= 1e9)
				return count;
			numbers[count++] = value;
			at = end;
		} else if (*at && (isspace((unsigned char)*at) || count == 0)) {
			at++;
		} else {
			break;
		}
	}
	return count;
}

static void read_name(struct solomon *s, const char *text)
{
	size_t length = strcspn(text, "\r\n");
	if (length >= sizeof s->name)
		length = sizeof s->name - 1;
	memcpy(s->name, text, length);
	s->name[length] = '\0';
}

static void fill(const double *rows, int customers, int vehicles, double capacity, struct routing_task *tasks,
		 struct routing_window *windows, struct routing_shift *shifts, double *minutes)
{
	size_t places = (size_t)customers + 1;
	for (size_t i = 0; i < places; i++)
		for (size_t k = 0; k < places; k++)
			minutes[i * places + k] = hypot(rows[i * COLUMNS + X] - rows[k * COLUMNS + X],
							rows[i * COLUMNS + Y] - rows[k * COLUMNS + Y]);
	for (int i = 0; i < customers; i++) {
		const double *row = rows + (size_t)(i + 1) * COLUMNS;
		windows[i] = (struct routing_window){ row[READY], row[DUE] };
		tasks[i] = (struct routing_task){ .place = i + 1,
						  .duration = row[SERVICE],
						  .windows = &windows[i],
						  .window_count = 1,
						  .weight = 1,
						  .load = row[DEMAND],
						  .fixed_shift = ROUTING_NONE,
						  .current_shift = ROUTING_NONE };
	}
	for (int i = 0; i < vehicles; i++)
		shifts[i] =
			(struct routing_shift){ .from = rows[READY], .to = rows[DUE], .capacity = capacity };
}

static bool make(struct solomon *s, const double *rows, int customers, int vehicles, double capacity)
{
	size_t n = (size_t)customers, k = (size_t)vehicles;
	struct routing_task *tasks = calloc(n + 1, sizeof *tasks);
	struct routing_window *windows = calloc(n + 1, sizeof *windows);
	struct routing_shift *shifts = calloc(k + 1, sizeof *shifts);
	double *minutes = calloc((n + 1) * (n + 1), sizeof *minutes);
	if (!tasks || !windows || !shifts || !minutes) {
		free(tasks);
		free(windows);
		free(shifts);
		free(minutes);
		return false;
	}
	fill(rows, customers, vehicles, capacity, tasks, windows, shifts, minutes);
	tasks[n].windows = windows; /* for solomon_free, also when there is no customer */
	s->problem = (struct routing_problem){ .tasks = tasks,
					       .task_count = customers,
					       .shifts = shifts,
					       .shift_count = vehicles,
					       .place_count = customers + 1,
					       .minutes = minutes };
	return true;
}

bool solomon_read(struct solomon *s, const char *text, char *why, size_t why_size)
{
	double head[2];
	bool made = false;
	double *rows = malloc(sizeof *rows * COLUMNS * (CUSTOMERS_MOST + 1));
	*s = (struct solomon){ 0 };
	read_name(s, text);
	snprintf(why, why_size, "out of memory");
	if (rows) {
		int heads = numbers_after(text, "CAPACITY", head, 2);
		int cells = numbers_after(text, "CUST NO", rows, COLUMNS * (CUSTOMERS_MOST + 1));
		if (heads < 2 || head[0] < 1 || head[0] > CUSTOMERS_MOST || head[1] < 0)
			snprintf(why, why_size, "VEHICLE: no NUMBER and CAPACITY");
		else if (cells < COLUMNS || cells % COLUMNS != 0)
			snprintf(why, why_size, "CUSTOMER: %d numbers are not %d a line", cells, COLUMNS);
		else
			made = make(s, rows, cells / COLUMNS - 1, (int)head[0], head[1]);
	}
	free(rows);
	return made;
}

void solomon_free(struct solomon *s)
{
	if (s->problem.tasks)
		free((void *)s->problem.tasks[s->problem.task_count].windows);
	free((void *)s->problem.tasks);
	free((void *)s->problem.shifts);
	free((void *)s->problem.minutes);
	*s = (struct solomon){ 0 };
}
