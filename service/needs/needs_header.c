/* SPDX-License-Identifier: Apache-2.0
 * What each column of a file means.
 * Invariant: a header that was read names each of the twenty columns exactly once. */
#include "service/needs/needs_header.h"
#include "service/needs/needs_problem.h"
#include "service/needs/needs_text.h"
#include "service/needs/raw_row.h"

const char *const needs_column_names[NEEDS_COLUMNS] = { "序号",     "姓名",     "性别",     "残疾人证号",
							"残疾类别", "残疾等级", "户编号",   "与户主关系",
							"联系电话", "区划代码", "村(社区)", "详细地址",
							"经度",     "纬度",     "经济状况", "家庭特征",
							"改造需求", "辅具需求", "登记日期", "备注" };
const char *const needs_error_column_names[NEEDS_ERROR_COLUMNS] = { "错误代码", "错误说明" };

static const char *meaning_name(int meaning)
{
	return meaning < NEEDS_COLUMNS ? needs_column_names[meaning]
				       : needs_error_column_names[meaning - NEEDS_COLUMNS];
}

/* -1 when no column is called so. */
static int meaning_of(struct slice heading)
{
	for (int i = 0; i < NEEDS_HEADER_MAX; i++)
		if (slice_is(heading, meaning_name(i)))
			return i;
	return -1;
}

static bool any_heading_known(const struct raw_row *row)
{
	for (size_t i = 0; i < raw_row_count(row); i++)
		if (meaning_of(raw_row_cell(row, i)) >= 0)
			return true;
	return false;
}

static bool heading_refused(struct needs_problem *problem, const char *code, struct slice heading,
			    size_t column)
{
	needs_problem_set(problem, code, 0, heading, "%s (column %zu of the file)",
			  strcmp(code, "column_twice") == 0 ? "given twice"
							    : "not a column of the needs database",
			  column + 1);
	return false;
}

static bool headings_take(struct needs_header *header, const struct raw_row *row, bool seen[NEEDS_HEADER_MAX],
			  struct needs_problem *problem)
{
	for (size_t i = 0; i < raw_row_count(row); i++) {
		struct slice heading = raw_row_cell(row, i);
		int meaning = meaning_of(heading);
		if (meaning < 0)
			return heading_refused(problem, "column_unknown", heading, i);
		if (seen[meaning])
			return heading_refused(problem, "column_twice", heading, i);
		seen[meaning] = true;
		header->meaning[header->count++] = meaning;
	}
	return true;
}

bool needs_header_read(struct needs_header *header, const struct raw_row *row, struct needs_problem *problem)
{
	bool seen[NEEDS_HEADER_MAX] = { false };
	header->count = 0;
	if (!any_heading_known(row)) {
		needs_problem_file(problem, "header_missing",
				   "the first row names no column of the needs database");
		return false;
	}
	if (!headings_take(header, row, seen, problem))
		return false;
	for (int i = 0; i < NEEDS_COLUMNS; i++) {
		if (!seen[i]) {
			needs_problem_set(problem, "column_missing", 0, slice_of(needs_column_names[i]),
					  "not in the header");
			return false;
		}
	}
	return true;
}

const char *needs_header_name(const struct needs_header *header, size_t column)
{
	return column < header->count ? meaning_name(header->meaning[column]) : "";
}
