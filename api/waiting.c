/* SPDX-License-Identifier: Apache-2.0
 * Who may be approved and who comes first: eligibility with its reasons, exceptions, priority, the waiting
 * list. */
#include "api/tables.h"

const struct verdict waiting_verdicts[] = {
	{ "done_as_unknown", 422, "There is no other case of the plan of that number that is accepted.",
	  "/done_as" },
	{ "priority_unknown", 422, "There is no such criterion.", "/items" },
	{ "priority_twice", 422, "The same criterion is given twice.", "/items" },
	{ "priority_once", 422, "This criterion counts once at the most.", "/items" },
	{ "priority_too_heavy", 422, "All parts together may come to 9000 points at the most.", "/items" },
	{ "priority_other_plan", 422, "The other case is of another plan.", "/before" },
	{ NULL, 0, NULL, NULL },
};

static const char *const waiting_stages[] = { "registered", "approved", NULL };

static const struct field list_query[] = {
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "stage", F_ENUM, .required = true, .of = waiting_stages },
	{ 0 },
};

static const struct field part_in[] = {
	{ "code", F_TEXT, .required = true, .max = 48 },
	{ "points", F_INT, .required = true, .min = 1, .max = 5000 },
	{ "most", F_INT, .min = 1, .max = 120, .says = "How often it counts at the most." },
	{ 0 },
};

static const struct field rule_in[] = {
	{ "items", F_ITEMS, .required = true, .max = 100, .items = part_in, .says = "The whole rule." },
	{ 0 },
};

static const struct field compare_query[] = {
	{ "before", F_INT, .min = 1, .max = 9999999999999999,
	  .says = "Another case: why is it before or after?" },
	{ 0 },
};

static const struct field exceptions_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ 0 },
};

const struct endpoint waiting_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/eligibility", SEES_FIGURES,
	  .way = { { NULL, SQL_case_eligibility, "path.id" } },
	  .summary = "Each criterion of eligibility, and the fact behind it" },
	{ HTTP_METHOD_GET, "/api/v1/exceptions", SEES_FIGURES, exceptions_query, .page = "id",
	  .way = { { NULL, SQL_exceptions_list, "query.plan page.after page.limit" } },
	  .summary = "Approvals by exception: who, when, why" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/priority", SIGNED_IN,
	  .way = { { NULL, SQL_priority_get, "path.code" } },
	  .summary = "What the score of a case is made of, in this plan" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/priority", RUNS_PLANS, NULL, rule_in,
	  .way = { { NULL, SQL_priority_put, "path.code if_match in.items" } },
	  .summary = "Change the priority rule; a job scores the waiting cases again" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/waiting-list", SEES_FIGURES, list_query, .page = "turn",
	  .way = { { NULL, SQL_waiting_list, "path.code query.region query.stage page.after page.limit" } },
	  .summary = "Who waits, the first first, with score and parts" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/priority", SEES_FIGURES, compare_query,
	  .way = { { "before", SQL_priority_compared, "path.id query.before" },
		   { NULL, SQL_priority_of_case, "path.id" } },
	  .summary = "The score of a case and its parts; beside another, why it is before or after" },
	{ 0 },
};
