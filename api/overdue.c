/* SPDX-License-Identifier: Apache-2.0
 * Time limits in working days: what a plan allows, what is past it, how old cases are, and China's holidays.
 */
#include "api/engine.h"
#include "api/tables.h"

const struct verdict overdue_verdicts[] = {
	{ "limit_twice", 422, "The same stage is given twice.", "/limits" },
	{ "step_twice", 422, "Two steps of the escalation are on the same day.", "/escalation" },
	{ NULL, 0, NULL, NULL },
};

static const char *const limited_stages[] = { "registered", "approved", "surveyed", "designed", "assigned",
					      "building",   "built",    "accepted", "rework",   NULL };
static const char *const told[] = { "county", "manager", NULL };
static const char *const ages[] = { "within", "over_1_5", "over_6_15", "over_16", NULL };

static const struct field limit[] = {
	{ "stage", F_ENUM, .required = true, .of = limited_stages },
	{ "days", F_INT, .required = true, .min = 1, .max = 1000, .says = "Working days in the stage." },
	{ 0 },
};
static const struct field escalation_step[] = {
	{ "to", F_ENUM, .required = true, .of = told },
	{ "after", F_INT, .required = true, .min = 1, .max = 1000, .says = "Working days past the limit." },
	{ 0 },
};
static const struct field limits_in[] = {
	{ "limits", F_ITEMS, .required = true, .max = 20, .items = limit,
	  .says = "The whole of it: a stage that is missing has no limit." },
	{ "escalation", F_ITEMS, .required = true, .max = 5, .items = escalation_step },
	{ "answer_hours", F_INT, .min = 1, .max = 2000,
	  .says = "Hours of working days for a contractor's answer; none: no limit." },
	{ "note", F_TEXT, .required = true, .max = 500, .says = "Why" },
	{ 0 },
};

static const struct field overdue_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "stage", F_ENUM, .of = limited_stages },
	{ "aged", F_ENUM, .of = ages,
	  .says = "A figure of the ageing; none: all that are past their limit." },
	{ 0 },
};
static const struct field ageing_query[] = {
	{ "region", F_REGION },
	{ 0 },
};

static const struct field holidays_query[] = {
	{ "year", F_INT, .min = 2000, .max = 2049 },
	{ 0 },
};
static const struct field holiday_in[] = {
	{ "works", F_BOOL, .required = true, .says = "false: a day off; true: worked, though a weekend." },
	{ "name", F_TEXT, .required = true, .max = 100 },
	{ "source", F_TEXT, .max = 200, .says = "The number of the notice." },
	{ 0 },
};

const struct endpoint overdue_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/cases/overdue", SEES_FIGURES, overdue_query,
	  .way = { { NULL, SQL_cases_overdue,
		     "query.plan query.region query.stage query.aged page.after page.limit" } },
	  .page = "id", .summary = "Cases past the time limit of their stage" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/ageing", SEES_FIGURES, ageing_query,
	  .way = { { NULL, SQL_cases_ageing, "path.code query.region" } },
	  .summary = "How many cases of each stage are how many working days past its limit" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/limits", SIGNED_IN,
	  .way = { { NULL, SQL_limits_get, "path.code" } },
	  .summary = "How long a case may stay in each stage, and who is told when" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/limits", RUNS_PLANS, NULL, limits_in,
	  .way = { { NULL, SQL_limits_put,
		     "path.code if_match in.limits in.escalation in.answer_hours in.note" } },
	  .summary = "Set the time limits of a plan, all of them" },
	{ HTTP_METHOD_GET, "/api/v1/holidays", SIGNED_IN, holidays_query,
	  .way = { { NULL, SQL_holidays_list, "query.year page.after page.limit" } }, .page = "id",
	  .summary = "Days off, and days worked instead" },
	{ HTTP_METHOD_PUT, "/api/v1/holidays/{day}", ROLE_ADMIN, NULL, holiday_in,
	  .way = { { NULL, SQL_holiday_put, "path.day in.works in.name in.source if_match" } },
	  .summary = "Make a day a day off, or a weekend a working day" },
	{ HTTP_METHOD_DELETE, "/api/v1/holidays/{day}", ROLE_ADMIN,
	  .way = { { NULL, SQL_holiday_remove, "path.day if_match" } },
	  .summary = "A day is again what its day of the week says" },
	{ 0 },
};
