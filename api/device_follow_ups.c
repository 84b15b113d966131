/* SPDX-License-Identifier: Apache-2.0
 * Follow-ups of what was handed out. */
#include "api/tables.h"

const struct verdict device_follow_up_verdicts[] = {
	{ "device_follow_up_over", 409, "The follow-up is done, or the item came back.", NULL },
	{ "follow_up_answer_unknown", 422, "This was not asked.", NULL },
	{ "follow_up_answer_invalid", 422, "The question cannot be answered so.", NULL },
	{ "follow_up_answer_missing", 422, "This question needs an answer.", NULL },
	{ "question_code_invalid", 422, "At most 32 small letters, digits and _; a letter first.", NULL },
	{ "question_given_twice", 422, "The same code stands here twice.", NULL },
	{ "choices_missing", 422, "A question of kind choice needs two choices at least.", NULL },
	{ "choices_not_wanted", 422, "Only a question of kind choice has choices.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const char *const states[] = { "open", "done", "cancelled", NULL };
static const char *const outcomes[] = { "in_use", "not_used", "broken", "moved",
					"died",   "returned", "other",  NULL };
static const char *const question_kinds[] = { "yes_no", "choice", "scale", "text", NULL };
enum { MOST_QUESTIONS = 30, MOST_CHOICES = 12, MOST_MONTHS = 60, ANSWER_BYTES = 16384 };

static const struct field list_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ "handover", F_TEXT, .max = 16,
	  .says = "Of one fitting or rental; the other filters are not asked." },
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "state", F_ENUM, .of = states },
	{ "due_before", F_DATE },
	{ 0 },
};

static const struct field result_in[] = {
	{ "happened_at", F_TIME, .required = true, .says = "When somebody asked" },
	{ "outcome", F_ENUM, .required = true, .of = outcomes },
	{ "answers", F_OBJECT, .max = ANSWER_BYTES,
	  .says = "{code of a question: true or false, the code of a choice, 1 to 5, or a text}. What is "
		  "required must be there with in_use and broken." },
	{ "note", F_TEXT, .max = 2000, .says = "Needed with outcome = other." },
	{ 0 },
};

static const struct field interval[] = {
	{ "months", F_INT, .required = true, .min = 1, .max = MOST_MONTHS,
	  .says = "After the day of the hand-over" },
	{ 0 },
};
static const struct field choice[] = {
	{ "code", F_TEXT, .required = true, .max = 32 },
	{ "name_zh", F_TEXT, .required = true, .max = 200 },
	{ "name_ko", F_TEXT, .min = 1, .max = 200 },
	{ "name_en", F_TEXT, .min = 1, .max = 200 },
	{ 0 },
};
static const struct field question[] = {
	{ "code", F_TEXT, .required = true, .max = 32 },
	{ "kind", F_ENUM, .required = true, .of = question_kinds, .says = "scale: 1 to 5" },
	{ "required", F_BOOL },
	{ "name_zh", F_TEXT, .required = true, .max = 200 },
	{ "name_ko", F_TEXT, .min = 1, .max = 200 },
	{ "name_en", F_TEXT, .min = 1, .max = 200 },
	{ "choices", F_ITEMS, .max = MOST_CHOICES, .items = choice },
	{ 0 },
};
static const struct field rule_in[] = {
	{ "follow_ups", F_ITEMS, .required = true, .max = 12, .items = interval },
	{ "questions", F_ITEMS, .max = MOST_QUESTIONS, .items = question, .says = "Left out: as they are" },
	{ 0 },
};

enum { ASKS = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = ASKS | ROLE_AUDITOR };

#define FILTERS "query.plan query.region query.state query.due_before page.after page.limit"

const struct endpoint device_follow_up_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/device-follow-ups", SEES, list_query,
	  .way = { { "handover", SQL_device_follow_ups_of_handover, "query.handover" },
		   { "@centre", SQL_device_follow_ups_of_centre, FILTERS " query.centre" },
		   { "centre", SQL_device_follow_ups_of_centre, FILTERS " query.centre" },
		   { NULL, SQL_device_follow_ups_list, FILTERS } },
	  .page = "_cursor",
	  .summary = "Follow-ups of fittings and rentals by centre, plan, region, state and day; the first "
		     "due first" },
	{ HTTP_METHOD_GET, "/api/v1/device-follow-ups/{id}", SEES,
	  .way = { { NULL, SQL_device_follow_up_get, "path.id" } },
	  .summary = "One follow-up, whom to call, and what to ask", .says = "The reading is recorded." },
	{ HTTP_METHOD_POST, "/api/v1/device-follow-ups/{id}/result", ASKS, NULL, result_in,
	  .way = { { NULL, SQL_device_follow_up_end,
		     "path.id if_match in.happened_at in.outcome in.answers in.note" } },
	  .summary = "What was found at a follow-up" },
	{ HTTP_METHOD_POST, "/api/v1/device-follow-ups/{id}/take-back", ASKS,
	  .way = { { NULL, SQL_device_follow_up_take_back, "path.id if_match" } },
	  .summary = "Take one's own result of a follow-up back" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/device-follow-up-rule", SIGNED_IN,
	  .way = { { NULL, SQL_device_follow_up_rule_get, "path.code" } },
	  .summary = "When a plan follows up what was handed over, and what it asks" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/device-follow-up-rule", RUNS_PLANS, NULL, rule_in,
	  .way = { { NULL, SQL_device_follow_up_rule_put, "path.code if_match in.follow_ups in.questions" } },
	  .summary = "Set when follow-ups are due and what they ask, of what is handed over from now on" },
	{ 0 },
};
