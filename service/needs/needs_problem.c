/* SPDX-License-Identifier: Apache-2.0
 * Fills a struct needs_problem.
 * Invariant: its texts are terminated, well-formed UTF-8 without control characters, whatever the file holds.
 */
#include "service/needs/needs_problem.h"
#include "service/needs/needs_text.h"
#include <stdarg.h>
#include <stdio.h>

static void copy_cut(char *out, size_t size, struct slice from)
{
	size_t len = from.len < size ? from.len : needs_text_cut(from.at, size - 1);
	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)from.at[i] < 0x20 || from.at[i] == 0x7F ? ' ' : from.at[i];
	out[len] = '\0';
}

/* Where, as people read it; answers its length. */
static size_t write_place(char *out, size_t size, uint32_t row, const char *column)
{
	int len = 0;
	if (row > 0 && *column)
		len = snprintf(out, size, "row %u, column %s: ", row, column);
	else if (row > 0)
		len = snprintf(out, size, "row %u: ", row);
	else if (*column)
		len = snprintf(out, size, "column %s: ", column);
	INVARIANT(len >= 0 && (size_t)len < size);
	return (size_t)len;
}

void needs_problem_set(struct needs_problem *problem, const char *code, uint32_t row, struct slice column,
		       const char *format, ...)
{
	va_list arguments;
	*problem = (struct needs_problem){ .row = row };
	copy_cut(problem->code, sizeof problem->code, slice_of(code));
	copy_cut(problem->column, sizeof problem->column, column);
	size_t at = write_place(problem->detail, sizeof problem->detail, row, problem->column);
	va_start(arguments, format);
	vsnprintf(problem->detail + at, sizeof problem->detail - at, format, arguments);
	va_end(arguments);
	problem->detail[needs_text_cut(problem->detail, strlen(problem->detail))] = '\0';
}
