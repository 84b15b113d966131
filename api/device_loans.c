/* SPDX-License-Identifier: Apache-2.0
 * Short loans of shared devices at a community point: out and back by two scans. */
#include "api/tables.h"

const struct verdict device_loan_verdicts[] = {
	{ "loan_not_offered", 409, "This model is not lent for some hours.", "/item" },
	{ "loan_too_long", 422, "This model is not lent for so long.", "/hours" },
	{ "borrower_unknown", 422, "There is no such person, or he is not yours to see.", "/person" },
	{ "borrower_missing", 422, "Say who borrows it: a person, or a name and a phone.", "/borrower" },
	{ "borrower_twice", 422, "A person has a name and a phone already.", "/borrower" },
	{ "loan_not_out", 409, "The item is not lent for some hours.", "/item" },
	{ NULL, 0, NULL, NULL },
};

enum { DEALS = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = DEALS | ROLE_AUDITOR };

static const char *const states[] = { "open", "overdue", "returned", "lost", NULL };

static const struct field list_query[] = {
	{ "state", F_ENUM, .of = states, .says = "open and overdue: the longest overdue first" },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "centre", F_TEXT, .max = 64 },
	{ 0 },
};
static const struct field out_in[] = {
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = "Its label's code, or its id" },
	{ "person", F_INT, .min = 1, .max = 9999999999999999, .says = "Who is registered; or else:" },
	{ "borrower", F_TEXT, .min = 1, .max = 100, .says = "A name" },
	{ "phone", F_TEXT, .min = 1, .max = 32 },
	{ "hours", F_INT, .min = 1, .max = 2160,
	  .says = "As long as the model is lent at most, unless given" },
	{ "happened_at", F_TIME, .says = "Now, unless given" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field back_in[] = {
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = "Its label's code, or its id" },
	{ "happened_at", F_TIME, .says = "Now, unless given" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field loss_in[] = {
	{ "happened_at", F_TIME, .says = "When it was found to be lost" },
	{ "note", F_TEXT, .required = true, .max = 2000 },
	{ 0 },
};

#define WHICH "query.region query.centre query.state page.after page.limit"

const struct endpoint device_loan_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/device-loans", SEES, list_query, .page = "_cursor",
	  .way = { { "state=open", SQL_device_loans_out, WHICH },
		   { "state=overdue", SQL_device_loans_out, WHICH },
		   { NULL, SQL_device_loans_list, WHICH } },
	  .summary = "Short loans by state, region and centre; names and phones are masked" },
	{ HTTP_METHOD_POST, "/api/v1/device-loans", DEALS, NULL, out_in, .status = 201,
	  .way = { { NULL, SQL_device_loan_out,
		     "in.item in.person in.borrower in.phone in.hours in.happened_at in.note" } },
	  .summary = "Lend an item for some hours" },
	{ HTTP_METHOD_POST, "/api/v1/device-loans/return", DEALS, NULL, back_in,
	  .way = { { NULL, SQL_device_loan_back, "in.item in.happened_at in.note" } },
	  .summary = "A lent item came back: its code alone will do" },
	{ HTTP_METHOD_GET, "/api/v1/device-loans/{id}", SEES, .always = true,
	  .way = { { NULL, SQL_device_loan_get, "path.id" } },
	  .summary = "A loan, with the name and the phone of who borrowed" },
	{ HTTP_METHOD_POST, "/api/v1/device-loans/{id}/loss", DEALS, NULL, loss_in,
	  .way = { { NULL, SQL_device_loan_lose, "path.id in.happened_at in.note" } },
	  .summary = "Who borrowed the item has lost it" },
	{ 0 },
};
