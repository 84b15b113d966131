/* SPDX-License-Identifier: Apache-2.0
 * Acceptance inspections: what was measured, what is at fault, what the household says. The rules are the
 * database's (migration 0023). */
#include "api/tables.h"

enum { MOST_ITEMS = 200, MOST_ID = 9999999999999999 };

const struct verdict inspection_verdicts[] = {
	{ "case_not_built", 422, "Only what is built can be inspected.", NULL },
	{ "inspector_not_independent", 403,
	  "Who did the work, or reported that it was done, does not inspect it.", NULL },
	{ "item_unknown", 422, "The case has no such item.", NULL },
	{ "item_given_twice", 422, "The same item is given twice.", NULL },
	{ "items_not_measured", 422, "Every item is measured; these are not.", NULL },
	{ "pass_with_faults", 422, "What has a fault does not pass.", NULL },
	{ "pass_unbuilt", 422, "What is not there does not pass.", NULL },
	{ "faults_missing", 422, "A rework needs to know what is at fault.", NULL },
	{ "deadline_missing", 422, "A rework needs a day until when it is done.", "/deadline" },
	{ "deadline_not_wanted", 422, "What passes has no deadline.", "/deadline" },
	{ "deadline_out_of_range", 422, "The deadline is too early, or later than the plan allows.",
	  "/deadline" },
	{ "signature_unknown", 422, "The case has no such signature.", "/signature" },
	{ "signature_used", 422, "This signature was given for something else.", "/signature" },
	{ "inspection_missing", 422, "Nobody has inspected what is built now.", "/to" },
	{ "inspection_failed", 422, "The last inspection found faults.", "/to" },
	{ "inspection_passed", 422, "The last inspection found no fault.", "/to" },
	{ "signature_missing", 422, "A signature is missing.", "/to" },
	{ "satisfaction_missing", 422, "The inspection does not say how satisfied the household is.", "/to" },
	{ NULL, 0, NULL, NULL },
};

static const char *const results[] = { "pass", "rework", NULL };

static const struct field entry[] = {
	{ "item", F_INT, .required = true, .min = 1, .max = INT32_MAX, .says = "Its number in the design" },
	{ "measured", F_NUMBER, .required = true, .min = 0, .max = 99999999,
	  .says = "In the item's unit, to two decimals; of a device: how many were handed over" },
	{ "fault", F_TEXT, .max = 500 },
	{ 0 },
};

static const struct field inspection_in[] = {
	{ "inspected_at", F_TIME, .required = true },
	{ "items", F_ITEMS, .required = true, .max = MOST_ITEMS, .items = entry,
	  .says = "Every item of the case" },
	{ "satisfaction", F_INT, .min = 1, .max = 5 },
	{ "signature", F_INT, .min = 1, .max = MOST_ID,
	  .says = "Of the household: a photo of slot signature" },
	{ "result", F_ENUM, .required = true, .of = results },
	{ "deadline", F_DATE, .says = "Of a rework" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

const struct endpoint inspection_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/inspections", ROLE_ASSESSOR | RUNS_CASES, NULL, inspection_in,
	  .way = { { NULL, SQL_inspection_create,
		     "path.id if_match in.inspected_at in.items in.satisfaction in.signature in.result "
		     "in.deadline in.note" } },
	  .status = 201, .summary = "Write down an inspection of what is built; If-Match is of the case" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/inspections", SEES_CASES, .page = "id",
	  .way = { { NULL, SQL_inspections_of_case, "path.id page.after page.limit" } },
	  .summary = "Inspections of a case" },
	{ 0 },
};
