/* SPDX-License-Identifier: Apache-2.0
 * Retrofit cases: lists, one case, its moves and its history. The rules are the database's (migration 0004).
 */
#include "api/tables.h"

const char *const stage_names[] = { "registered", "approved",  "surveyed", "designed", "assigned",
				    "building",   "built",     "accepted", "closed",   "rejected",
				    "withdrawn",  "suspended", "rework",   NULL };

static const struct field list_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ "stage", F_ENUM, .of = stage_names },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "contractor", F_TEXT, .max = 64 },
	{ "q", F_TEXT, .max = 100,
	  .says = "The beginning of a household number, part of a village or address, or a whole name." },
	{ "counted", F_BOOL, .says = "Only households that a total counts." },
	{ "accepted_from", F_DATE },
	{ "accepted_to", F_DATE },
	{ 0 },
};

static const struct field transition_in[] = {
	{ "to", F_ENUM, .required = true, .of = stage_names },
	{ "happened_at", F_TIME, .says = "When it was done, if not now." },
	{ "note", F_TEXT, .max = 2000 },
	{ "contractor", F_TEXT, .max = 64, .says = "With to = assigned: the contractor's code." },
	{ "satisfaction", F_INT, .min = 1, .max = 5 },
	{ "evidence", F_OBJECT, .max = 8192 },
	{ 0 },
};

static const struct field take_back_in[] = {
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field change_in[] = {
	{ "contractor", F_TEXT, .max = 64, .says = "The contractor's code." },
	{ "assessor", F_TEXT, .max = 64, .says = "The assessor's user name." },
	{ "elder_retrofit", F_BOOL,
	  .says = "The household had an elder-friendly retrofit: not eligible again." },
	{ "done_as", F_INT, .min = 0, .max = 9999999999999999,
	  .says = "The case of this plan by which the household was done already, under another number; 0: "
		  "none." },
	{ 0 },
};

static const struct field relocation_in[] = {
	{ "region", F_REGION, .required = true },
	{ "village", F_TEXT, .required = true, .max = 200 },
	{ "address", F_TEXT, .required = true, .max = 500 },
	{ 0 },
};

#define FILTERS "query.plan query.stage query.region query.contractor page.after page.limit"

const struct endpoint case_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}", SEES_CASES, .way = { { NULL, SQL_case_get, "path.id" } },
	  .summary = "One case" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/transitions", MOVES_CASES, NULL, transition_in,
	  .way = { { NULL, SQL_case_transition,
		     "path.id in.to in.happened_at in.note if_match in.contractor in.satisfaction "
		     "in.evidence" } },
	  .summary = "Move a case to another stage" },
	{ HTTP_METHOD_GET, "/api/v1/cases", SEES_CASES, list_query,
	  .way = { { "q", SQL_cases_search, FILTERS " query.q" },
		   { "@contractor", SQL_cases_of_contractor, FILTERS },
		   { "@assessor", SQL_cases_of_assessor, FILTERS },
		   { "plan counted=true", SQL_cases_counted,
		     FILTERS " query.accepted_from query.accepted_to" },
		   { "contractor", SQL_cases_given_to, FILTERS },
		   { "region", SQL_cases_of_region, FILTERS },
		   { "plan stage", SQL_cases_of_stage, FILTERS },
		   { "plan", SQL_cases_of_plan, FILTERS },
		   { NULL, SQL_cases_of_region, FILTERS } },
	  .page = "id", .summary = "Cases by plan, stage, region, contractor, text" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/take-back", MOVES_CASES, NULL, take_back_in,
	  .way = { { NULL, SQL_case_take_back, "path.id in.note if_match" } },
	  .summary = "Take one's own last move back, until the next one acts" },
	{ HTTP_METHOD_PATCH, "/api/v1/cases/{id}", RUNS_CASES, NULL, change_in,
	  .way = { { NULL, SQL_case_change,
		     "path.id if_match in.contractor in.assessor in.elder_retrofit in.done_as" } },
	  .summary = "Set contractor, assessor, or what stands against doing the household again" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/relocation", RUNS_CASES, NULL, relocation_in,
	  .way = { { NULL, SQL_case_relocate, "path.id if_match in.region in.village in.address" } },
	  .summary = "The household moved: its figures move with it" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/events", SEES_CASES, .page = "id",
	  .way = { { NULL, SQL_case_events, "path.id page.after page.limit" } },
	  .summary = "The history of a case" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/persons", SEES_CASES, .page = "id",
	  .way = { { NULL, SQL_case_persons, "path.id page.after page.limit" } },
	  .summary = "The people of the household; the reading is recorded" },
	{ HTTP_METHOD_GET, "/api/v1/transition-rules", SIGNED_IN,
	  .way = { { NULL, SQL_transition_rules, "" } }, .summary = "Which stage may follow which, by whom" },
	{ 0 },
};

static const struct field find_in[] = {
	{ "citizen_id", F_CITIZEN, .required = true },
	{ 0 },
};

const struct endpoint person_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/persons/find", ROLE_COUNTY | ROLE_MANAGER | ROLE_AUDITOR, NULL, find_in,
	  .way = { { NULL, SQL_person_find, "in.citizen_id" } },
	  .summary = "Find a person by citizen ID; the reading is recorded" },
	{ 0 },
};
