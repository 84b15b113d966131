/* SPDX-License-Identifier: Apache-2.0
 * Follow-ups of what was accepted, and what a plan sets about acceptance. */
#include "api/tables.h"

const struct verdict follow_up_verdicts[] = {
	{ "follow_up_over", 409, "The follow-up is done or cancelled.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const char *const states[] = { "open", "done", "cancelled", NULL };
static const char *const outcomes[] = { "in_use", "broken", "not_used", "moved", "other", NULL };

static const struct field list_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "state", F_ENUM, .of = states },
	{ "due_before", F_DATE },
	{ 0 },
};

static const struct field result_in[] = {
	{ "happened_at", F_TIME, .required = true, .says = "When somebody asked" },
	{ "outcome", F_ENUM, .required = true, .of = outcomes },
	{ "note", F_TEXT, .max = 2000, .says = "Needed with outcome = other." },
	{ 0 },
};

static const struct field interval[] = {
	{ "months", F_INT, .required = true, .min = 1, .max = 60, .says = "After the day of the acceptance" },
	{ 0 },
};

static const struct field rule_in[] = {
	{ "rework_days", F_INT, .required = true, .min = 1, .max = 365,
	  .says = "The longest that a rework may be given" },
	{ "follow_ups", F_ITEMS, .required = true, .max = 12, .items = interval,
	  .says = "Of what is accepted from now on" },
	{ 0 },
};

enum { ASKS = ROLE_ASSESSOR | ROLE_COUNTY | ROLE_MANAGER, SEES = ASKS | ROLE_AUDITOR };

#define FILTERS "query.plan query.region query.state query.due_before page.after page.limit"

const struct endpoint follow_up_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/follow-ups", SEES, list_query,
	  .way = { { "@assessor", SQL_follow_ups_of_assessor, FILTERS },
		   { NULL, SQL_follow_ups_list, FILTERS } },
	  .page = "_cursor", .summary = "Follow-ups by plan, region, state and day; the first due first" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/follow-ups", SEES,
	  .way = { { NULL, SQL_follow_ups_of_case, "path.id" } },
	  .summary = "Follow-ups of a case, with those of acceptances that were revoked" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/follow-ups/{number}/result", ASKS, NULL, result_in,
	  .way = { { NULL, SQL_follow_up_end,
		     "path.id path.number if_match in.happened_at in.outcome in.note" } },
	  .summary = "What was found at a follow-up" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/follow-ups/{number}/take-back", ASKS,
	  .way = { { NULL, SQL_follow_up_take_back, "path.id path.number if_match" } },
	  .summary = "Take one's own result of a follow-up back" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/acceptance-rule", SIGNED_IN,
	  .way = { { NULL, SQL_acceptance_rule_get, "path.code" } },
	  .summary = "What a plan sets about acceptance" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/acceptance-rule", RUNS_PLANS, NULL, rule_in,
	  .way = { { NULL, SQL_acceptance_rule_put, "path.code if_match in.rework_days in.follow_ups" } },
	  .summary = "Set how long a rework may take, and when follow-ups are due" },
	{ 0 },
};
