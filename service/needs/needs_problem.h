/* SPDX-License-Identifier: Apache-2.0
 * How every part of the reader says that a file is refused. */
#ifndef SERVICE_NEEDS_NEEDS_PROBLEM_H
#define SERVICE_NEEDS_NEEDS_PROBLEM_H

#include "service/needs/needs_file.h"

/* row 0 and column "" when the file as a whole is meant. The detail is "row R, column C: " and the format. */
void needs_problem_set(struct needs_problem *problem, const char *code, uint32_t row, struct slice column,
		       const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A file-wide problem. */
#define needs_problem_file(problem, code, ...) \
	needs_problem_set((problem), (code), 0, (struct slice){ 0 }, __VA_ARGS__)

#endif
