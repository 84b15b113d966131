/* SPDX-License-Identifier: Apache-2.0
 * Plans, their indicators, and how a target is split. */
#include "api/tables.h"

static const char *const eligibilities[] = { "severe_and_poor", "poor", "any", NULL };
static const char *const units[] = { "household", "percent", "person", "piece", NULL };
static const char *const directions[] = { "at_least", "more_than", NULL };
static const char *const notice_befores[] = { "approved", "surveyed", NULL };
static const char *const counted[] = {
	"households",    "device_rate",   "served",      "served_assessment", "served_fitting",
	"served_repair", "served_rental", "served_loan", "devices",           NULL
};
static const char *const pers[] = { "period", "year", NULL };

static const struct field plan_in[] = {
	{ "code", F_TEXT, .required = true, .min = 2, .max = 32,
	  .says = "Lower-case letters, digits, - and _; a letter first." },
	{ "name_zh", F_TEXT, .required = true, .max = 200 },
	{ "name_ko", F_TEXT, .max = 200 },
	{ "name_en", F_TEXT, .max = 200 },
	{ "region", F_REGION, .required = true },
	{ "begins_on", F_DATE, .required = true },
	{ "ends_on", F_DATE, .required = true },
	{ "who_counts", F_TEXT, .required = true, .max = 500 },
	{ "eligibility", F_ENUM, .required = true, .of = eligibilities },
	{ "notice_days", F_INT, .min = 0, .max = 365 },
	{ "subsidy_ceiling", F_INT, .min = 0, .max = 100000000, .says = "分 a household" },
	{ "notice_before", F_ENUM, .of = notice_befores,
	  .says = "The stage that waits for the public notice (公示): surveyed, unless given." },
	{ 0 },
};

static const struct field plan_change_in[] = {
	{ "name_zh", F_TEXT, .min = 1, .max = 200 },
	{ "name_ko", F_TEXT, .min = 1, .max = 200 },
	{ "name_en", F_TEXT, .min = 1, .max = 200 },
	{ "begins_on", F_DATE },
	{ "ends_on", F_DATE },
	{ "who_counts", F_TEXT, .min = 1, .max = 500 },
	{ "eligibility", F_ENUM, .of = eligibilities },
	{ "notice_days", F_INT, .min = 0, .max = 365 },
	{ "subsidy_ceiling", F_INT, .min = 0, .max = 100000000 },
	{ "notice_before", F_ENUM, .of = notice_befores },
	{ "looks_within", F_INT, .min = 0, .max = 7,
	  .says = "Photos of two households are flagged when they differ in at most so many of 64 bits." },
	{ 0 },
};

static const struct field indicator_in[] = {
	{ "name_zh", F_TEXT, .required = true, .max = 200 },
	{ "name_ko", F_TEXT, .max = 200 },
	{ "name_en", F_TEXT, .max = 200 },
	{ "unit", F_ENUM, .required = true, .of = units },
	{ "target", F_NUMBER, .required = true, .min = 0, .max = 100000000 },
	{ "direction", F_ENUM, .required = true, .of = directions },
	{ "per", F_ENUM, .required = true, .of = pers },
	{ "binding", F_BOOL },
	{ "counts", F_ENUM, .of = counted,
	  .says = "Out of what the service knows its progress; unless given, as it is, or as its code "
		  "means." },
	{ "measure", F_TEXT, .max = 48,
	  .says = "With counts = devices: of which kind; without it all kinds" },
	{ 0 },
};

static const struct field part[] = {
	{ "region", F_REGION, .says = "A county" },
	{ "year", F_INT, .min = 2000, .max = 2100 },
	{ "value", F_INT, .required = true, .min = 0, .max = 100000000 },
	{ 0 },
};
static const struct field split_in[] = {
	{ "items", F_ITEMS, .required = true, .max = 2000, .items = part,
	  .says = "The whole split; what is missing is the remainder." },
	{ 0 },
};

static const struct field gate_in[] = {
	{ "closed", F_BOOL, .required = true },
	{ "note", F_TEXT, .required = true, .min = 1, .max = 500, .says = "Why" },
	{ 0 },
};

const struct endpoint plan_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/plans", SIGNED_IN, .page = "code",
	  .way = { { NULL, SQL_plans_list, "page.after page.limit" } }, .summary = "Plans" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}", SIGNED_IN, .way = { { NULL, SQL_plan_get, "path.code" } },
	  .summary = "One plan" },
	{ HTTP_METHOD_POST, "/api/v1/plans", RUNS_PLANS, NULL, plan_in, .status = 201,
	  .way = { { NULL, SQL_plan_create,
		     "in.code in.name_zh in.name_ko in.name_en in.region in.begins_on in.ends_on "
		     "in.who_counts in.eligibility "
		     "in.notice_days in.subsidy_ceiling in.notice_before" } },
	  .summary = "A new plan, or the next period of one" },
	{ HTTP_METHOD_PATCH, "/api/v1/plans/{code}", RUNS_PLANS, NULL, plan_change_in,
	  .way = { { NULL, SQL_plan_change,
		     "path.code if_match in.name_zh in.name_ko in.name_en in.begins_on in.ends_on "
		     "in.who_counts in.eligibility "
		     "in.notice_days in.subsidy_ceiling in.notice_before in.looks_within" } },
	  .summary = "Change a plan" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/indicators/{indicator}", RUNS_PLANS, NULL, indicator_in,
	  .way = { { NULL, SQL_indicator_put,
		     "path.code path.indicator in.name_zh in.name_ko in.name_en in.unit in.target "
		     "in.direction in.per in.binding "
		     "if_match in.counts in.measure" } },
	  .summary = "Make or change an indicator" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/targets", SIGNED_IN,
	  .way = { { NULL, SQL_targets_get, "path.code" } },
	  .summary = "Targets, their split, and what remains" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/targets/{indicator}", RUNS_PLANS, NULL, split_in,
	  .way = { { NULL, SQL_targets_put, "path.code path.indicator if_match in.items" } },
	  .summary = "Split a target by county and year" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/gates", SIGNED_IN,
	  .way = { { NULL, SQL_plan_gates, "path.code" } },
	  .summary = "What a case of the plan must have behind it before it enters a stage" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/gates/{gate}", ROLE_ADMIN, NULL, gate_in,
	  .way = { { NULL, SQL_plan_gate_put, "path.code path.gate in.closed in.note" } },
	  .summary = "Open or close a gate of a plan; it is recorded" },
	{ 0 },
};
