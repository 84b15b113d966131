/* SPDX-License-Identifier: Apache-2.0
 * Fittings and trials: the person keeps the device, or tries it. */
#include "api/tables.h"

const struct verdict fitting_verdicts[] = {
	{ "request_unknown", 422, "There is no such request.", "/request" },
	{ "request_of_another", 409, "The request is another person's.", "/request" },
	{ "request_elsewhere", 409, "Another centre deals with the request.", "/request" },
	{ "request_not_assessed", 409, "The request has not passed an assessment, or was dealt with already.",
	  "/request" },
	{ "device_kind_differs", 409, "The item is of another kind than the request asks for.", "/item" },
	{ "assessed_otherwise", 409, "The assessment says otherwise: a fitting or a rental.", "/request" },
	{ "due_before_begin", 422, "The due time is not after the beginning.", "/due_at" },
	{ "handover_over", 409, "It has ended.", NULL },
	{ "device_unknown", 422, "There is no such item, or it is not yours.", "/item" },
	{ "within_service_life", 409,
	  "The person was granted one of this kind within its service life; reasons say until when.", NULL },
	{ "signature_unreadable", 422, "A signature is lists of strokes: x, y, x, y, and so on.",
	  "/signature" },
	{ "handover_signed", 409, "It is signed already.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const struct field fitting_in[] = {
	{ "request", F_INT, .required = true, .min = 0, .max = 9999999999999999 },
	{ "item", F_TEXT, .required = true, .max = 64, .says = "Its label's code, or its id" },
	{ "happened_at", F_TIME, .says = "When it was done, if not now." },
	{ "signature", F_OBJECT, .max = 16384, .says = "{\"strokes\": [[x, y, x, y], ...]}" },
	{ "signer", F_TEXT, .max = 100, .says = "Who signed, if not the person himself." },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field trial_in[] = {
	{ "request", F_INT, .required = true, .min = 0, .max = 9999999999999999 },
	{ "item", F_TEXT, .required = true, .max = 64, .says = "Its label's code, or its id" },
	{ "due_at", F_TIME, .required = true, .says = "When it comes back unless it is kept" },
	{ "happened_at", F_TIME, .says = "When it was done, if not now." },
	{ "signature", F_OBJECT, .max = 16384, .says = "{\"strokes\": [[x, y, x, y], ...]}" },
	{ "signer", F_TEXT, .max = 100, .says = "Who signed, if not the person himself." },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field keep_in[] = {
	{ "signature", F_OBJECT, .max = 16384, .says = "{\"strokes\": [[x, y, x, y], ...]}" },
	{ "signer", F_TEXT, .max = 100, .says = "Who signed, if not the person himself." },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field sign_in[] = {
	{ "signature", F_OBJECT, .required = true, .max = 16384,
	  .says = "{\"strokes\": [[x, y, x, y], ...]}" },
	{ "signer", F_TEXT, .max = 100, .says = "Who signed, if not the person himself." },
	{ 0 },
};
static const struct field list_query[] = {
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "measure", F_TEXT, .max = 48 },
	{ "signed", F_BOOL },
	{ "centre", F_TEXT, .max = 64 },
	{ 0 },
};
static const struct field trials_query[] = {
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "measure", F_TEXT, .max = 48 },
	{ "overdue", F_BOOL, .says = "Only what should be back and is not, or only what should not" },
	{ "centre", F_TEXT, .max = 64 },
	{ 0 },
};

enum { SERVES = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = SERVES | ROLE_AUDITOR };

#define FITTINGS "query.region query.measure query.signed page.after page.limit query.centre"
#define TRIALS "query.region query.measure query.overdue page.after page.limit query.centre"

const struct endpoint fitting_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/fittings", SERVES, NULL, fitting_in, .status = 201,
	  .way = { { NULL, SQL_fitting_make,
		     "in.request in.item in.happened_at in.signature in.signer in.note" } },
	  .summary = "Fit: hand an item over for good, for an assessed request" },
	{ HTTP_METHOD_GET, "/api/v1/fittings/{id}", SEES, .way = { { NULL, SQL_fitting_get, "path.id" } },
	  .summary = "A fitting or a trial whole, with the signature; the reading is recorded" },
	{ HTTP_METHOD_GET, "/api/v1/fittings", SEES, list_query, .page = "id",
	  .way = { { "@centre", SQL_fittings_of_centre, FITTINGS },
		   { "centre", SQL_fittings_of_centre, FITTINGS },
		   { NULL, SQL_fittings_list, FITTINGS } },
	  .summary = "Fittings by region, kind, centre, and whether they are signed; names masked" },
	{ HTTP_METHOD_POST, "/api/v1/fittings/{id}/signature", SERVES, NULL, sign_in,
	  .way = { { NULL, SQL_fitting_sign, "path.id in.signature in.signer" } },
	  .summary = "Sign for a fitting, or a trial, afterwards; once" },
	{ HTTP_METHOD_GET, "/api/v1/fittings/{id}/receipt", SEES, .sheet = "fitting_receipt",
	  .way = { { NULL, SQL_fitting_receipt, "path.id" } },
	  .summary = "A4 to sign on paper: the device, its service life, who pays what; the reading is "
		     "recorded" },
	{ HTTP_METHOD_POST, "/api/v1/trials", SERVES, NULL, trial_in, .status = 201,
	  .way = { { NULL, SQL_trial_make,
		     "in.request in.item in.due_at in.happened_at in.signature in.signer in.note" } },
	  .summary = "Hand an item out on trial, for an assessed request" },
	{ HTTP_METHOD_GET, "/api/v1/trials", SEES, trials_query, .page = "id",
	  .way = { { "@centre", SQL_trials_of_centre, TRIALS },
		   { "centre", SQL_trials_of_centre, TRIALS },
		   { NULL, SQL_trials_list, TRIALS } },
	  .summary = "Trials by region, kind, centre, and whether they are overdue; names masked" },
	{ HTTP_METHOD_POST, "/api/v1/trials/{id}/keep", SERVES, NULL, keep_in,
	  .way = { { NULL, SQL_trial_keep, "path.id if_match in.signature in.signer in.note" } },
	  .summary = "What was tried is kept: the trial becomes a fitting" },
	{ 0 },
};
