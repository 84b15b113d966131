/* SPDX-License-Identifier: Apache-2.0
 * The needs database as a file. Every column must be there: a file that lacks one is not of this kind. */
#include "service/needs/needs_table.h"
#include "service/needs/needs_check.h"

_Static_assert((int)NEEDS_COLUMNS <= (int)FILE_COLUMNS, "a cell a column");

const char *const needs_column_names[NEEDS_COLUMNS] = { "序号",     "姓名",     "性别",     "残疾人证号",
							"残疾类别", "残疾等级", "户编号",   "与户主关系",
							"联系电话", "区划代码", "村(社区)", "详细地址",
							"经度",     "纬度",     "经济状况", "家庭特征",
							"改造需求", "辅具需求", "登记日期", "备注" };

const struct file_table needs_table = {
	.name = "needs",
	.what = "the needs database",
	.columns = needs_column_names,
	.count = NEEDS_COLUMNS,
	.codes = needs_code_names,
	.explanations = needs_code_explanations,
	.code_count = NEEDS_CODES,
};
