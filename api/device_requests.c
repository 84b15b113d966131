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

enum { SERVES = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = SERVES | ROLE_AUDITOR };

const struct endpoint device_request_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/device-requests", SERVES, NULL, open_in, .status = 201,
	  .way = { { NULL, SQL_device_request_open, "in.person in.need in.measure in.centre in.note" } },
	  .summary = "Ask for a device: of a need, or of a person and a kind" },
	{ HTTP_METHOD_GET, "/api/v1/device-requests/{id}", SEES, .always = true,
	  .way = { { NULL, SQL_device_request_get, "path.id" } },
	  .summary = "A request whole: the person, priority, assessments, items; the reading is recorded" },
	{ HTTP_METHOD_POST, "/api/v1/device-requests/{id}/assessment", SERVES, NULL, assessment_in,
	  .way = { { NULL, SQL_device_assess,
		     "path.id if_match in.happened_at in.outcome in.assessed_for in.measure in.changes "
		     "in.reason in.reassess_on in.measurements in.note" } },
	  .summary = "Assess a request: pass, pass with changes, or assess again" },
	{ 0 },
};
