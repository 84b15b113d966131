/* SPDX-License-Identifier: Apache-2.0
 * Public notices (公示) before the survey or the approval, and objections to them.
 */
#include "api/tables.h"

const struct verdict notice_verdicts[] = {
	{ "notice_missing", 422, "The case has not been on a public notice (公示) yet.", "/to" },
	{ "notice_running", 422, "The public notice (公示) is not over; reasons say until when.",
	  "/happened_at" },
	{ "objection_open", 422, "There is an objection to the case that nobody has decided.", "/to" },
	{ "objection_upheld", 422,
	  "An objection to the case was upheld: it is rejected, or approved again by a manager.", "/to" },
	{ "notice_too_short", 422, "A notice lasts a day at least, and as long as its plan says.", "/days" },
	{ "notice_start_invalid", 422,
	  "A notice begins within the plan, and within 90 days from now at the latest.", "/starts_on" },
	{ "notice_case_unfit", 422,
	  "These cases do not wait for a notice in this region, did not on that day, or are on one.",
	  "/cases" },
	{ "notice_empty", 422, "No case waits for a notice in this region.", "/region" },
	{ "notice_too_large", 422, "A notice lists 5000 cases at most: publish by smaller regions.",
	  "/region" },
	{ "notice_cancelled", 409, "The notice was cancelled.", NULL },
	{ "objection_case_unknown", 422, "The case is not on this notice.", "/case" },
	{ "objection_time_invalid", 422, "An objection comes after the notice began, and not in the future.",
	  "/received_at" },
	{ "objection_resolved", 409, "The objection was decided already.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const char *const notice_states[] = { "planned", "running", "over", "cancelled", NULL };
static const char *const outcomes[] = { "upheld", "dismissed", NULL };

static const struct field listed_case[] = {
	{ "case", F_INT, .required = true, .min = 1, .max = 9999999999999999 },
	{ 0 },
};

static const struct field notice_in[] = {
	{ "region", F_REGION, .required = true },
	{ "days", F_INT, .min = 1, .max = 365, .says = "The plan's notice_days, unless longer." },
	{ "starts_on", F_DATE, .says = "Today, unless given; both days belong to the notice." },
	{ "cases", F_ITEMS, .max = 5000, .items = listed_case,
	  .says = "Without it: all of the region that wait for a notice and are on none." },
	{ 0 },
};

static const struct field notices_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Notices that touch it." },
	{ "state", F_ENUM, .of = notice_states },
	{ 0 },
};

static const struct field cancel_in[] = {
	{ "note", F_TEXT, .required = true, .max = 500, .says = "Why" },
	{ 0 },
};

static const struct field objection_in[] = {
	{ "case", F_INT, .required = true, .min = 1, .max = 9999999999999999 },
	{ "objector", F_TEXT, .max = 200, .says = "Who objects; nobody when it is anonymous." },
	{ "content", F_TEXT, .required = true, .max = 2000 },
	{ "received_at", F_TIME, .says = "When it came, if not now." },
	{ 0 },
};

static const struct field resolution_in[] = {
	{ "outcome", F_ENUM, .required = true, .of = outcomes },
	{ "note", F_TEXT, .required = true, .max = 2000, .says = "Why" },
	{ 0 },
};

const struct endpoint notice_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/plans/{code}/notices", RUNS_CASES, NULL, notice_in, .status = 201,
	  .way = { { NULL, SQL_notice_publish, "path.code in.region in.days in.cases in.starts_on" } },
	  .summary = "Publish a notice (公示): its list is frozen" },
	{ HTTP_METHOD_GET, "/api/v1/notices", SEES_FIGURES, notices_query, .page = "id",
	  .way = { { NULL, SQL_notices_list, "query.plan query.region query.state page.after page.limit" } },
	  .summary = "Notices by plan, region, state" },
	{ HTTP_METHOD_GET, "/api/v1/notices/{id}", SEES_FIGURES,
	  .way = { { NULL, SQL_notice_get, "path.id" } }, .summary = "One notice" },
	{ HTTP_METHOD_GET, "/api/v1/notices/{id}/cases", SEES_FIGURES, .page = "id",
	  .way = { { NULL, SQL_notice_cases, "path.id page.after page.limit" } },
	  .summary = "The list of a notice, as it was posted: masked" },
	{ HTTP_METHOD_GET, "/api/v1/notices/{id}/sheet", SEES_FIGURES, .sheet = "notice_sheet",
	  .way = { { NULL, SQL_notice_sheet, "path.id" } },
	  .summary = "The notice to print (A4) and to post" },
	{ HTTP_METHOD_POST, "/api/v1/notices/{id}/cancel", RUNS_CASES, NULL, cancel_in,
	  .way = { { NULL, SQL_notice_cancel, "path.id if_match in.note" } },
	  .summary = "Cancel a notice; objections to it stay" },
	{ HTTP_METHOD_POST, "/api/v1/notices/{id}/objections", RUNS_CASES, NULL, objection_in, .status = 201,
	  .way = { { NULL, SQL_objection_add, "path.id in.case in.objector in.content in.received_at" } },
	  .summary = "Record an objection to a case of a notice" },
	{ HTTP_METHOD_GET, "/api/v1/notices/{id}/objections", SEES_FIGURES, .page = "id",
	  .way = { { NULL, SQL_objections_of_notice, "path.id page.after page.limit" } },
	  .summary = "Objections to cases of a notice; who objected is masked" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/objections", SEES_FIGURES, .page = "id",
	  .way = { { NULL, SQL_objections_of_case, "path.id page.after page.limit" } },
	  .summary = "Objections to a case; who objected is masked" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/objections/{objection}", SEES_FIGURES,
	  .way = { { NULL, SQL_objection_get, "path.id path.objection" } },
	  .summary = "One objection with who objected; the reading is recorded" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/objections/{objection}/resolution", RUNS_CASES, NULL,
	  resolution_in,
	  .way = { { NULL, SQL_objection_resolve, "path.id path.objection if_match in.outcome in.note" } },
	  .summary = "Uphold or dismiss an objection" },
	{ 0 },
};
