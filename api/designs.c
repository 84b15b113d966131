/* SPDX-License-Identifier: Apache-2.0
 * Design (一户一方案), subsidies and change orders. The rules are the database's (migration 0018); the money
 * that follows from them is in ledger.c.
 */
#include "api/tables.h"

enum { MONEY_MOST = 100000000 }; /* 分: a million yuan */

const struct verdict design_verdicts[] = {
	{ "design_missing", 422, "The case has no design.", NULL },
	{ "design_empty", 422, "The design has no items.", NULL },
	{ "design_decided", 409,
	  "The design is made between survey and decision; then it changes by change orders.", NULL },
	{ "design_unbalanced", 422, "The design's amounts are not those of its items and subsidies.", NULL },
	{ "finding_unanswered", 422, "The household agreed to what neither an item nor a reason answers.",
	  NULL },
	{ "finding_not_there", 422, "The survey has no such finding, or the household declined it.", NULL },
	{ "item_twice", 422, "An item's number is given twice.", NULL },
	{ "item_not_there", 422, "The design has no item of this number.", NULL },
	{ "item_number_used", 422, "The number was an item's that is removed; numbers are not used again.",
	  NULL },
	{ "item_measure_unknown", 422, "There is no such measure.", NULL },
	{ "item_measure_retired", 422, "The measure is not offered any more.", NULL },
	{ "item_measure_fixed", 422, "An item keeps its measure: remove it and add another.", NULL },
	{ "item_incomplete", 422, "A new item has room, measure, quantity and price, and no number.", NULL },
	{ "item_quantity_invalid", 422, "A quantity is more than nothing, with two decimals at most.", NULL },
	{ "source_twice", 422, "A source is given twice.", NULL },
	{ "source_unknown", 422, "The plan has no such source of subsidies.", NULL },
	{ "source_retired", 422, "The source gives no subsidies any more.", NULL },
	{ "source_taken", 409, "The plan has a source with this code.", NULL },
	{ "subsidy_exceeds_total", 422, "The subsidies are more than the whole.", NULL },
	{ "subsidy_ceiling_exceeded", 422, "The subsidies are above the plan's ceiling for a household.",
	  NULL },
	{ "source_ceiling_exceeded", 422, "A subsidy is above its source's ceiling for a household.", NULL },
	{ "measure_ceiling_exceeded", 422, "The subsidies are above the ceilings of the items' measures.",
	  NULL },
	{ "budget_exceeded", 409, "The county's budget of a source does not suffice this year.", NULL },
	{ "budget_twice", 422, "A county's year is given twice.", NULL },
	{ "change_not_now", 409, "A change order is for a design that is decided, before the work is done.",
	  NULL },
	{ "change_empty", 422, "The change order changes nothing.", NULL },
	{ "change_pending", 409, "Another change order of the case is not decided yet.", NULL },
	{ "change_decided", 409, "The change order is decided.", NULL },
	{ "own_proposal", 409, "Whoever proposed a change does not decide it.", NULL },
	{ "below_paid", 409, "More was paid of a source than it would give.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const struct field item[] = {
	{ "number", F_INT, .min = 1, .max = 9999,
	  .says = "Of an item that is there; a new one gets the next." },
	{ "finding", F_INT, .min = 1, .max = 9999, .says = "Of the survey, which the item answers." },
	{ "room", F_ENUM, .required = true, .of = room_codes },
	{ "measure", F_TEXT, .required = true, .max = 48 },
	{ "quantity", F_NUMBER, .required = true, .min = 0, .max = 100000, .says = "Two decimals at most" },
	{ "price", F_INT, .required = true, .min = 0, .max = MONEY_MOST, .says = "分 a unit" },
	{ 0 },
};
static const struct field source[] = {
	{ "source", F_TEXT, .required = true, .max = 48 },
	{ "amount", F_INT, .required = true, .min = 0, .max = MONEY_MOST, .says = "分" },
	{ 0 },
};
static const struct field dropped[] = {
	{ "finding", F_INT, .required = true, .min = 1, .max = 9999 },
	{ "reason", F_TEXT, .required = true, .min = 1, .max = 500 },
	{ 0 },
};
static const struct field design_in[] = {
	{ "items", F_ITEMS, .required = true, .max = 100, .items = item },
	{ "sources", F_ITEMS, .max = 20, .items = source,
	  .says = "Subsidies by source; what they leave is paid by the household." },
	{ "dropped", F_ITEMS, .max = 100, .items = dropped,
	  .says = "What the household agreed to and is not done, and why." },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const char *const change_ops[] = { "add", "change", "remove", NULL };
static const struct field change[] = {
	{ "op", F_ENUM, .required = true, .of = change_ops },
	{ "number", F_INT, .min = 1, .max = 9999 },
	{ "finding", F_INT, .min = 1, .max = 9999 },
	{ "room", F_ENUM, .of = room_codes },
	{ "measure", F_TEXT, .max = 48 },
	{ "quantity", F_NUMBER, .min = 0, .max = 100000 },
	{ "price", F_INT, .min = 0, .max = MONEY_MOST },
	{ 0 },
};
static const struct field change_order_in[] = {
	{ "reason", F_TEXT, .required = true, .min = 1, .max = 2000 },
	{ "items", F_ITEMS, .max = 100, .items = change },
	{ "sources", F_ITEMS, .max = 20, .items = source,
	  .says = "The whole of them; not given: as before." },
	{ "dropped", F_ITEMS, .max = 100, .items = dropped, .says = "In addition to those before." },
	{ 0 },
};

static const char *const decisions[] = { "approve", "reject", NULL };
static const struct field decision_in[] = {
	{ "decision", F_ENUM, .required = true, .of = decisions },
	{ "note", F_TEXT, .max = 2000, .says = "Needed to reject" },
	{ 0 },
};

static const struct field source_in[] = {
	{ "code", F_TEXT, .required = true, .min = 2, .max = 48,
	  .says = "Lower-case letters, digits and _; a letter first; not household." },
	{ "name_zh", F_TEXT, .required = true, .min = 1, .max = 200 },
	{ "name_ko", F_TEXT, .min = 1, .max = 200 },
	{ "name_en", F_TEXT, .min = 1, .max = 200 },
	{ "ceiling", F_INT, .min = 0, .max = MONEY_MOST, .says = "分 a household" },
	{ 0 },
};
static const struct field source_change_in[] = {
	{ "name_zh", F_TEXT, .min = 1, .max = 200 },
	{ "name_ko", F_TEXT, .min = 1, .max = 200 },
	{ "name_en", F_TEXT, .min = 1, .max = 200 },
	{ "ceiling", F_INT, .min = 0, .max = MONEY_MOST },
	{ "retired", F_BOOL },
	{ 0 },
};
static const struct field budget[] = {
	{ "region", F_REGION, .required = true, .says = "A county" },
	{ "year", F_INT, .required = true, .min = 2000, .max = 2100 },
	{ "amount", F_INT, .required = true, .min = 0, .max = 100000000000, .says = "分" },
	{ 0 },
};
static const struct field budgets_in[] = {
	{ "items", F_ITEMS, .required = true, .max = 2000, .items = budget,
	  .says = "All of them; a county's year that is missing has no budget of its own." },
	{ 0 },
};

enum { DESIGNS = ROLE_ASSESSOR | RUNS_CASES };

const struct endpoint design_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/design", SEES_CASES,
	  .way = { { NULL, SQL_case_design_get, "path.id" } },
	  .summary = "Items, subsidies, and what the household pays itself" },
	{ HTTP_METHOD_PUT, "/api/v1/cases/{id}/design", DESIGNS, NULL, design_in,
	  .way = { { NULL, SQL_case_design_put, "path.id if_match in.items in.sources in.dropped in.note" } },
	  .summary = "The whole design, before it is decided" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/change-orders", MOVES_CASES, NULL, change_order_in,
	  .status = 201,
	  .way = { { NULL, SQL_change_order_propose, "path.id in.reason in.items in.sources in.dropped" } },
	  .summary = "Propose a change of a decided design" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/change-orders", SEES_CASES, .page = "id",
	  .way = { { NULL, SQL_change_orders_of_case, "path.id page.after page.limit" } },
	  .summary = "The change orders of a case" },
	{ HTTP_METHOD_GET, "/api/v1/change-orders", SEES_CASES, .page = "id",
	  .way = { { NULL, SQL_change_orders_pending, "page.after page.limit" } },
	  .summary = "Change orders that nobody has decided yet" },
	{ HTTP_METHOD_POST, "/api/v1/change-orders/{id}/approval", RUNS_CASES, NULL, decision_in,
	  .way = { { NULL, SQL_change_order_decide, "path.id if_match in.decision in.note" } },
	  .summary = "Approve or reject a change order of somebody else" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/subsidy-sources", SIGNED_IN, .page = "code",
	  .way = { { NULL, SQL_subsidy_sources_list, "path.code page.after page.limit" } },
	  .summary = "Where a plan's subsidies come from, and their budgets" },
	{ HTTP_METHOD_POST, "/api/v1/plans/{code}/subsidy-sources", RUNS_PLANS, NULL, source_in,
	  .status = 201,
	  .way = { { NULL, SQL_subsidy_source_create,
		     "path.code in.code in.name_zh in.name_ko in.name_en in.ceiling" } },
	  .summary = "A new source of subsidies" },
	{ HTTP_METHOD_PATCH, "/api/v1/plans/{code}/subsidy-sources/{source}", RUNS_PLANS, NULL,
	  source_change_in,
	  .way = { { NULL, SQL_subsidy_source_change,
		     "path.code path.source if_match in.name_zh in.name_ko in.name_en in.ceiling "
		     "in.retired" } },
	  .summary = "Change or retire a source of subsidies" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/subsidy-sources/{source}/budgets", RUNS_PLANS, NULL,
	  budgets_in, .way = { { NULL, SQL_subsidy_budgets_put, "path.code path.source if_match in.items" } },
	  .summary = "What counties may commit of a source in a year" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/plan-sheet", SEES_CASES, .sheet = "plan_sheet",
	  .way = { { NULL, SQL_case_plan_sheet, "path.id" } },
	  .summary = "The one-page plan (一户一方案) on A4, with name and address; the reading is recorded" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/acceptance-sheet", SEES_CASES, .sheet = "acceptance_sheet",
	  .way = { { NULL, SQL_case_acceptance_sheet, "path.id" } },
	  .summary =
		  "The acceptance sheet (验收单) on A4, filled from the last inspection or to be filled by "
		  "hand; the reading is recorded" },
	{ 0 },
};
