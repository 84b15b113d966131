/* SPDX-License-Identifier: Apache-2.0
 * Possible duplicates: the review list, merge or not a duplicate, and the way back. What may be merged, and
 * what moves, is the database's (migration 0025). */
#include "api/tables.h"

const struct verdict duplicate_verdicts[] = {
	{ "duplicate_resolved", 409, "It is judged already.", NULL },
	{ "duplicate_keep_unknown", 422, "Name the one of the two who is kept.", "/keep" },
	{ "duplicate_one_household", 422, "The two are of one household already.", "/is" },
	{ "duplicate_counted", 409,
	  "The case that would be withdrawn counts: keep that household, or revoke its acceptance first.",
	  NULL },
	{ "duplicate_keep_other", 409,
	  "The case that would be kept is over, and the other is not: keep that one.", NULL },
	{ "duplicate_objected", 409,
	  "An objection stands against the household that would be merged away: keep that one.", NULL },
	{ "duplicate_built_upon", 409,
	  "What was merged has changed since: put that back first, or set it right by hand.", NULL },
	{ "nothing_to_undo", 409, "There is nothing to undo.", NULL },
	{ "import_commits", 409, "An import into this plan is being committed: try again.", NULL },
	{ "case_merged", 409,
	  "The household is registered twice and was merged: its other case goes on; undo the merge first.",
	  NULL },
	{ NULL, 0, NULL, NULL },
};

static const char *const states[] = { "open", "not_duplicate", "merged", "moot", NULL };
static const struct field list_query[] = {
	{ "plan", F_TEXT, .required = true, .max = 32 },
	{ "region", F_REGION, .says = "Of either side; with everything below it." },
	{ "state", F_ENUM, .of = states, .says = "open unless given; moot: settled by another merge." },
	{ "min_score", F_INT, .min = 0, .max = 1000 },
	{ 0 },
};

static const char *const judgements[] = { "not_duplicate", "person", "household", "both", NULL };
static const struct field resolution_in[] = {
	{ "is", F_ENUM, .required = true, .of = judgements,
	  .says = "person: the two are one person. household: two people of one household. both: one person, "
		  "one household." },
	{ "keep", F_INT, .min = 1, .max = INT64_MAX, .says = "The person who stays, with his household." },
	{ "note", F_TEXT, .max = 500 },
	{ 0 },
};

static const struct field undo_in[] = {
	{ "note", F_TEXT, .max = 500 },
	{ 0 },
};

const struct endpoint duplicate_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/duplicates", SEES_FIGURES, list_query, .page = "id",
	  .way = { { NULL, SQL_duplicates_list,
		     "query.plan query.state query.region query.min_score page.after page.limit" } },
	  .summary = "People who may be registered twice, masked, with what speaks for it" },
	{ HTTP_METHOD_GET, "/api/v1/duplicates/{id}", SEES_FIGURES,
	  .way = { { NULL, SQL_duplicate_get, "path.id" } },
	  .summary = "One pair in full; the reading is recorded" },
	{ HTTP_METHOD_POST, "/api/v1/duplicates/{id}/resolution", RUNS_CASES, NULL, resolution_in,
	  .way = { { NULL, SQL_duplicate_resolve, "path.id if_match in.is in.keep in.note" } },
	  .summary = "Merge the two, or never ask again" },
	{ HTTP_METHOD_POST, "/api/v1/duplicates/{id}/undo", RUNS_CASES, NULL, undo_in,
	  .way = { { NULL, SQL_duplicate_undo, "path.id if_match in.note" } },
	  .summary = "Put back what a merge moved, or ask again" },
	{ HTTP_METHOD_GET, "/api/v1/persons/{id}", SEES_FIGURES,
	  .way = { { NULL, SQL_person_get, "path.id" } },
	  .summary = "One person, also one who was merged away; the reading is recorded" },
	{ 0 },
};
