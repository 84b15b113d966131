/* SPDX-License-Identifier: Apache-2.0
 * Home surveys (入户评估): a draft that is saved many times, its signatures, its history. The rules are the
 * database's (migration 0017). */
#include "api/tables.h"

enum {
	SURVEYS_CASES = ROLE_ASSESSOR | ROLE_COUNTY | ROLE_MANAGER,
	SEES_SURVEYS = SURVEYS_CASES | ROLE_AUDITOR,
	MOST_FINDINGS = 200,
	MOST_NUMBER = 9999,
	MOST_DEVICES = 100,
	MOST_QUANTITY = 1000000
};

static const char *const consents[] = { "open", "agreed", "declined", NULL };
static const char *const signers[] = { "household", "assessor", NULL };

const struct verdict survey_verdicts[] = {
	{ "survey_missing", 422, "The home has not been surveyed.", NULL },
	{ "survey_incomplete", 422, "The survey lacks when and where it was, or what was found.", NULL },
	{ "consent_open", 422, "The household has not said yes or no to everything.", NULL },
	{ "nothing_agreed", 422, "The household has agreed to nothing that could be done.", NULL },
	{ "before_photo_missing", 422, "There is no photo of how it was before.", "/to" },
	{ "survey_too_early", 409, "The case has not been approved.", NULL },
	{ "survey_frozen", 409, "The survey is over: it changes only if the case goes back to approved.",
	  NULL },
	{ "visited_in_future", 422, "The visit cannot have been in the future.", "/visited_at" },
	{ "place_incomplete", 422, "A place is a longitude and a latitude.", "/longitude" },
	{ "number_twice", 422, "Two findings have the same number.", NULL },
	{ "problem_unknown", 422, "There is no such problem in the catalogue.", NULL },
	{ "problem_retired", 422, "The problem is out of use.", NULL },
	{ "problem_not_in_room", 422, "The catalogue does not know this problem in this room.", NULL },
	{ "measure_retired", 422, "The measure is out of use.", NULL },
	{ "measure_not_in_room", 422, "The measure does not belong into this room.", NULL },
	{ "measure_required", 422, "Without a measure there is nothing to count or to agree to.", NULL },
	{ "quantity_invalid", 422, "More than nothing, with two decimals at most.", NULL },
	{ "finding_photographed", 422,
	  "There are photos of this finding: it stays, and in its room, unless they are removed.", NULL },
	{ "person_unknown", 422, "There is no such person in the household.", NULL },
	{ "person_required", 422, "A device is for somebody: say for whom of the household.", NULL },
	{ "device_wanted", 422, "This measure is no device.", NULL },
	{ "device_twice", 422, "The same device for the same person twice.", NULL },
	{ "version_required", 428, "Say with If-Match which version was signed.", NULL },
	{ "not_your_survey", 403, "The assessor of the case signs it, or who saved it.", NULL },
	{ "signature_there", 409, "This version has that signature.", NULL },
	{ "signature_kept", 409, "What was signed by it is no draft any more: the signature stays.", NULL },
	{ "signed_in_future", 422, "It cannot have been signed in the future.", "/signed_at" },
	{ NULL, 0, NULL, NULL },
};

static const struct field finding_in[] = {
	{ "number", F_INT, .required = true, .min = 1, .max = MOST_NUMBER,
	  .says = "What photos and the design refer to; keep it." },
	{ "room", F_ENUM, .required = true, .of = room_codes },
	{ "problem", F_TEXT, .required = true, .max = 48 },
	{ "measure", F_TEXT, .min = 1, .max = 48 },
	{ "quantity", F_NUMBER, .min = 0, .max = MOST_QUANTITY, .says = "1 unless given" },
	{ "person", F_INT, .min = 1, .max = INT64_MAX,
	  .says = "For whom; a device needs one where more than one person is registered." },
	{ "consent", F_ENUM, .required = true, .of = consents },
	{ "consent_by", F_TEXT, .max = 100, .says = "Who of the household said so" },
	{ "note", F_TEXT, .max = 1000 },
	{ 0 },
};

static const struct field device_in[] = {
	{ "person", F_INT, .required = true, .min = 1, .max = INT64_MAX },
	{ "item", F_TEXT, .required = true, .max = 48, .says = "A measure of kind device" },
	{ 0 },
};

static const struct field survey_in[] = {
	{ "visited_at", F_TIME },
	{ "longitude", F_NUMBER, .min = -180, .max = 180 },
	{ "latitude", F_NUMBER, .min = -90, .max = 90 },
	{ "findings", F_ITEMS, .max = MOST_FINDINGS, .items = finding_in,
	  .says = "All of them, every time." },
	{ "device_needs", F_ITEMS, .max = MOST_DEVICES, .items = device_in,
	  .says = "What a person needs besides; a need of the person when both have signed." },
	{ "remark", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field signature_in[] = {
	{ "by", F_ENUM, .required = true, .of = signers },
	{ "name", F_TEXT, .required = true, .max = 100 },
	{ "relation", F_TEXT, .max = 100, .says = "To the householder" },
	{ "signature", F_INT, .required = true, .min = 1, .max = INT64_MAX,
	  .says = "A photo of the case in the slot signature" },
	{ "signed_at", F_TIME, .says = "If not now" },
	{ 0 },
};

const struct endpoint survey_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/survey", SEES_SURVEYS,
	  .way = { { NULL, SQL_survey_get, "path.id" } }, .always = true, /* a signature is no new version */
	  .summary = "The survey of a home; the reading is recorded" },
	{ HTTP_METHOD_PUT, "/api/v1/cases/{id}/survey", SURVEYS_CASES, NULL, survey_in,
	  .way = { { NULL, SQL_survey_put,
		     "path.id if_match in.visited_at in.longitude in.latitude in.findings in.device_needs "
		     "in.remark" } },
	  .summary = "Save the survey, whole: the first time without If-Match, then with it" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/survey/signatures", SURVEYS_CASES, NULL, signature_in,
	  .status = 201,
	  .way = { { NULL, SQL_survey_signature_add,
		     "path.id if_match in.by in.name in.relation in.signature in.signed_at" } },
	  .summary = "Sign the version that If-Match names; a later change voids it" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/survey/versions", SEES_SURVEYS, .page = "id",
	  .way = { { NULL, SQL_survey_versions, "path.id page.after page.limit" } },
	  .summary = "Every version of the survey, and what was signed of it; the reading is recorded" },
	{ 0 },
};
