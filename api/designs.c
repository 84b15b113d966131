/* SPDX-License-Identifier: Apache-2.0
 * Design (一户一方案), subsidies, change orders, the ledger.
 */
#include "api/tables.h"

const struct verdict design_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint design_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/plan-sheet", SEES_CASES, .sheet = "plan_sheet",
	  .way = { { NULL, SQL_case_plan_sheet, "path.id" } },
	  .summary = "The one-page plan (一户一方案) on A4, with name and address; the reading is recorded" },
	{ 0 },
};
