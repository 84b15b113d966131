/* SPDX-License-Identifier: Apache-2.0
 * What each column of a file means. Order is free; 错误代码 and 错误说明 may be there (a refused-rows file
 * that comes back) and are not read; anything else is refused. */
#ifndef SERVICE_NEEDS_NEEDS_HEADER_H
#define SERVICE_NEEDS_NEEDS_HEADER_H

#include "service/needs/needs_file.h"

enum { NEEDS_ERROR_COLUMNS = 2, NEEDS_HEADER_MAX = FILE_COLUMNS + NEEDS_ERROR_COLUMNS };
extern const char *const needs_error_column_names[NEEDS_ERROR_COLUMNS]; /* 错误代码 错误说明 */

struct needs_header {
	const struct file_table *table;
	size_t count;                  /* columns up to the last heading */
	int meaning[NEEDS_HEADER_MAX]; /* column of the table, or its count and more: not read */
};

struct raw_row;
/* By header->table, which the caller has set. */
MUST_USE bool needs_header_read(struct needs_header *header, const struct raw_row *row,
				struct needs_problem *problem);
/* The heading over a column of the file; "" when there is none. */
const char *needs_header_name(const struct needs_header *header, size_t column);

#endif
