/* SPDX-License-Identifier: Apache-2.0
 * Requests for devices, their assessment, and who waits. */
#include "api/tables.h"

const struct verdict device_request_verdicts[] = {
	{ "request_person_unknown", 422, "There is no such person, or he is not yours to serve.", "/person" },
	{ "request_need_unknown", 422, "The person has no such need of a device.", "/need" },
	{ "need_kind_unknown", 422, "Name the kind of device: no kind goes by the words of the need.",
	  "/measure" },
	{ "request_open", 409, "There is an open request for that already; reasons name it.", NULL },
	{ "request_over", 409, "The request is fulfilled or cancelled.", NULL },
	{ "request_without_centre", 409, "The request is with no centre yet: an office gives it to one.",
	  NULL },
	{ "request_on_trial", 409, "An item is out on trial for it: it comes back first.", NULL },
	{ "centre_elsewhere", 422, "The centre serves another plan's region.", "/centre" },
	{ "assessed_for_missing", 422, "Say for what it passed: fitting or rental.", "/assessed_for" },
	{ "reassess_on_missing", 422, "Say when it is assessed again.", "/reassess_on" },
	{ "reassess_on_out_of_range", 422, "The day is before the assessment, or more than a year after.",
	  "/reassess_on" },
	{ "changes_missing", 422, "Say what is changed: another kind of device, or in words.", "/changes" },
	{ "changes_not_wanted", 422, "Only pass_with_changes changes anything.", "/outcome" },
	{ "measurement_unknown", 422, "Nothing of that name is measured for this kind.", NULL },
	{ "measurement_twice", 422, "The same is measured twice.", NULL },
	{ "measurement_out_of_range", 422, "The value cannot be right for what is measured.", NULL },
	{ "measurement_missing", 422, "Reasons say what is still to be measured for this kind.", NULL },
	{ "measurement_code_invalid", 422, "Lower-case letters, digits and _; a letter first.", NULL },
	{ "measurement_backwards", 422, "The least is not below the most.", NULL },
	{ "assessment_used", 409, "Something was handed out or is reserved by it.", NULL },
	{ "exception_there", 409, "An exception has been granted.", NULL },
	{ "exception_not_needed", 409, "Nothing stands against granting it.", NULL },
	{ "nothing_reserved", 409, "Nothing is reserved for the request.", NULL },
	{ "request_other_plan", 422, "The other request is of another plan.", "/before" },
	{ NULL, 0, NULL, NULL },
};

static const struct field open_in[] = {
	{ "person", F_INT, .min = 0, .max = 9999999999999999 },
	{ "need", F_INT, .min = 0, .max = 9999999999999999, .says = "A need of a device, or a person." },
	{ "measure", F_TEXT, .max = 48, .says = "The kind of device, when the need does not tell it." },
	{ "centre", F_TEXT, .max = 64,
	  .says = "Who deals with it; a centre's own account may leave it out." },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const char *const outcomes[] = { "pass", "pass_with_changes", "reassess", NULL };
static const char *const purposes[] = { "fitting", "rental", NULL };
static const struct field measurement[] = {
	{ "code", F_TEXT, .required = true, .max = 48 },
	{ "value", F_NUMBER, .required = true, .min = -1000000, .max = 1000000 },
	{ 0 },
};
static const struct field assessment_in[] = {
	{ "outcome", F_ENUM, .required = true, .of = outcomes, .says = "通过, 修改后通过, 重新评估" },
	{ "assessed_for", F_ENUM, .of = purposes, .says = "Needed unless it is assessed again." },
	{ "happened_at", F_TIME, .says = "When it was done, if not now." },
	{ "measure", F_TEXT, .max = 48, .says = "With pass_with_changes: another kind." },
	{ "changes", F_TEXT, .max = 2000, .says = "With pass_with_changes: what is changed." },
	{ "reason", F_TEXT, .max = 2000, .says = "With reassess: why." },
	{ "reassess_on", F_DATE, .says = "With reassess: when." },
	{ "measurements", F_ITEMS, .max = 50, .items = measurement, .says = "What the kind's list asks for" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field reason_in[] = {
	{ "reason", F_TEXT, .required = true, .max = 2000 },
	{ 0 },
};
static const struct field give_in[] = {
	{ "centre", F_TEXT, .required = true, .max = 64 },
	{ 0 },
};
static const struct field reserve_in[] = {
	{ "item", F_TEXT, .required = true, .max = 64, .says = "Its label's code, or its id" },
	{ 0 },
};
static const struct field from_needs_in[] = {
	{ "region", F_REGION, .says = "With everything below it; left out: all that the account sees." },
	{ "measure", F_TEXT, .max = 48, .says = "The kind of device; left out: all kinds." },
	{ "centre", F_TEXT, .required = true, .max = 64, .says = "Who deals with them" },
	{ 0 },
};

static const struct field to_measure[] = {
	{ "code", F_TEXT, .required = true, .max = 48 },
	{ "name_zh", F_TEXT, .required = true, .max = 100 },
	{ "name_ko", F_TEXT, .max = 100 },
	{ "name_en", F_TEXT, .max = 100 },
	{ "unit", F_TEXT, .max = 20 },
	{ "min", F_NUMBER, .required = true, .min = -1000000, .max = 1000000 },
	{ "max", F_NUMBER, .required = true, .min = -1000000, .max = 1000000 },
	{ "required", F_BOOL },
	{ 0 },
};
static const struct field measurements_in[] = {
	{ "items", F_ITEMS, .required = true, .max = 50, .items = to_measure },
	{ 0 },
};

static const char *const states[] = { "waiting", "assessed", "fulfilled", "cancelled", NULL };
static const struct field list_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "state", F_ENUM, .of = states },
	{ "measure", F_TEXT, .max = 48 },
	{ "centre", F_TEXT, .max = 64 },
	{ 0 },
};
static const char *const waits[] = { "waiting", "assessed", NULL };
static const struct field waiting_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "state", F_ENUM, .required = true, .of = waits,
	  .says = "waiting: to be assessed; assessed: to be given what was found right" },
	{ "measure", F_TEXT, .max = 48 },
	{ "centre", F_TEXT, .max = 64 },
	{ 0 },
};
static const struct field compared_query[] = {
	{ "before", F_INT, .required = true, .min = 0, .max = 9999999999999999,
	  .says = "Another request of the plan" },
	{ 0 },
};

enum { OFFICE = ROLE_COUNTY | ROLE_MANAGER, SERVES = ROLE_CENTRE | OFFICE, SEES = SERVES | ROLE_AUDITOR };

#define FILTERS "query.plan query.region query.state query.measure page.after page.limit"
#define OF_CENTRE FILTERS " query.centre"

const struct endpoint device_request_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/device-requests", SERVES, NULL, open_in, .status = 201,
	  .way = { { NULL, SQL_device_request_open, "in.person in.need in.measure in.centre in.note" } },
	  .summary = "Ask for a device: of a need, or of a person and a kind" },
	{ HTTP_METHOD_GET, "/api/v1/device-requests", SEES, list_query, .page = "id",
	  .way = { { "@centre", SQL_device_requests_of_centre, OF_CENTRE },
		   { "centre", SQL_device_requests_of_centre, OF_CENTRE },
		   { NULL, SQL_device_requests_list, FILTERS } },
	  .summary = "Requests by plan, region, state, kind and centre; names masked" },
	{ HTTP_METHOD_GET, "/api/v1/device-requests/waiting", SEES, waiting_query, .page = "turn",
	  .way = { { "@centre", SQL_device_requests_waiting_of_centre, OF_CENTRE },
		   { "centre", SQL_device_requests_waiting_of_centre, OF_CENTRE },
		   { NULL, SQL_device_requests_waiting, FILTERS } },
	  .summary =
		  "Who waits, by the plan's rule of priority: the first first, with the parts of the score" },
	{ HTTP_METHOD_POST, "/api/v1/device-requests/from-needs", OFFICE, NULL, from_needs_in, .status = 201,
	  .way = { { NULL, SQL_requests_from_needs, "in.region in.measure in.centre" } },
	  .summary =
		  "Requests of all open needs of a region, for a centre; a job goes on when they are many" },
	{ HTTP_METHOD_GET, "/api/v1/device-requests/from-needs/{id}", OFFICE | ROLE_AUDITOR,
	  .way = { { NULL, SQL_requests_from_needs_get, "path.id" } }, .summary = "How far that is" },
	{ HTTP_METHOD_GET, "/api/v1/device-requests/{id}", SEES, .always = true,
	  .way = { { NULL, SQL_device_request_get, "path.id" } },
	  .summary = "A request whole: the person, priority, assessments, items; the reading is recorded" },
	{ HTTP_METHOD_POST, "/api/v1/device-requests/{id}/assessment", SERVES, NULL, assessment_in,
	  .way = { { NULL, SQL_device_assess,
		     "path.id if_match in.happened_at in.outcome in.assessed_for in.measure in.changes "
		     "in.reason in.reassess_on in.measurements in.note" } },
	  .summary = "Assess a request: pass, pass with changes, or assess again" },
	{ HTTP_METHOD_POST, "/api/v1/device-requests/{id}/assessment/take-back", SERVES,
	  .way = { { NULL, SQL_device_unassess, "path.id if_match" } },
	  .summary = "Take one's own assessment back, until it is used" },
	{ HTTP_METHOD_POST, "/api/v1/device-requests/{id}/cancellation", SERVES, NULL, reason_in,
	  .way = { { NULL, SQL_device_request_cancel, "path.id if_match in.reason" } },
	  .summary = "Cancel a request" },
	{ HTTP_METHOD_POST, "/api/v1/device-requests/{id}/centre", OFFICE, NULL, give_in,
	  .way = { { NULL, SQL_device_request_give, "path.id if_match in.centre" } },
	  .summary = "Give a request to another centre" },
	{ HTTP_METHOD_POST, "/api/v1/device-requests/{id}/exception", OFFICE, NULL, reason_in,
	  .way = { { NULL, SQL_device_request_except, "path.id if_match in.reason" } },
	  .summary = "Grant the kind again within the service life of an earlier one, with the reason" },
	{ HTTP_METHOD_POST, "/api/v1/device-requests/{id}/reservation", SERVES, NULL, reserve_in,
	  .way = { { NULL, SQL_device_request_reserve, "path.id if_match in.item" } },
	  .summary = "Keep an item back for a request, instead of another that was" },
	{ HTTP_METHOD_POST, "/api/v1/device-requests/{id}/reservation/release", SERVES,
	  .way = { { NULL, SQL_device_request_release, "path.id if_match" } },
	  .summary = "Let go of the item that is reserved" },
	{ HTTP_METHOD_GET, "/api/v1/device-requests/{id}/items", SEES,
	  .way = { { NULL, SQL_device_request_items, "path.id" } },
	  .summary = "Items in stock at its centre that fit a request, the best first" },
	{ HTTP_METHOD_GET, "/api/v1/device-requests/{id}/priority", SEES, compared_query,
	  .way = { { NULL, SQL_device_requests_compared, "path.id query.before" } },
	  .summary = "Why one request comes before another" },
	{ HTTP_METHOD_GET, "/api/v1/device-kinds/{code}/measurements", SIGNED_IN,
	  .way = { { NULL, SQL_device_measurements_get, "path.code" } },
	  .summary = "What an assessment measures for a kind of device" },
	{ HTTP_METHOD_PUT, "/api/v1/device-kinds/{code}/measurements", ROLE_ADMIN, NULL, measurements_in,
	  .way = { { NULL, SQL_device_measurements_put, "path.code if_match in.items" } },
	  .summary = "Set that list" },
	{ 0 },
};
