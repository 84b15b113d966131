/* SPDX-License-Identifier: Apache-2.0
 * Rentals: signed, extended, brought back or lost, and settled. Return and close are two steps. */
#include "api/tables.h"

const struct verdict rental_verdicts[] = {
	{ "due_day_missing", 422, "Say for how many months, or until which day.", "/months" },
	{ "due_day_invalid", 422, "The due day must be later than that, and within ten years.", "/due_on" },
	{ "rental_ended", 409, "It was brought back, or is lost.", NULL },
	{ "rental_too_late", 409, "It is overdue for too long to be extended: ask for it back.", NULL },
	{ "rental_not_ended", 409, "It is settled once the item came back, or is lost.", NULL },
	{ "rental_closed", 409, "The rental is closed: its settlement is final.", NULL },
	{ "closed_day_invalid", 422, "It is closed between the day on which it ended and today.",
	  "/closed_on" },
	{ "rental_unsettled", 422, "What is received must be what the settlement leaves to be paid.",
	  "/received" },
	{ "nothing_to_waive", 422, "Nothing is left to be waived.", "/waive_reason" },
	{ "promise_day", 422, "A promise has its day, and nothing else has one.", "/promised_on" },
	{ "rental_payment_exceeds", 422, "More than can be paid of this.", "/amount" },
	{ NULL, 0, NULL, NULL },
};

enum { DEALS = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = DEALS | ROLE_AUDITOR };

static const char *const states[] = { "open", "overdue", "returned", "lost", "closed", NULL };
static const char *const conditions[] = { "good", "worn", "damaged", "incomplete", NULL };
static const char *const kinds[] = { "rent", "deposit", NULL };

static const struct field list_query[] = {
	{ "state", F_ENUM, .of = states, .says = "overdue: open and past the due day, the longest first" },
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "centre", F_TEXT, .max = 64 },
	{ 0 },
};
static const struct field open_in[] = {
	{ "request", F_INT, .required = true, .min = 1, .max = 9999999999999999 },
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = "Its label's code, or its id" },
	{ "months", F_INT, .min = 1, .max = 120 },
	{ "due_on", F_DATE, .says = "Instead of months" },
	{ "happened_at", F_TIME, .says = "Now, unless given" },
	{ "signature", F_OBJECT, .max = 16384, .says = "{\"strokes\": [[x, y, …], …]}" },
	{ "signer", F_TEXT, .max = 100, .says = "Who signed, if not the person" },
	{ "deposit_paid", F_BOOL, .says = "The whole deposit was paid in at once" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field return_in[] = {
	{ "happened_at", F_TIME, .says = "Now, unless given" },
	{ "condition", F_ENUM, .of = conditions },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field loss_in[] = {
	{ "happened_at", F_TIME, .says = "When it was found to be lost" },
	{ "note", F_TEXT, .required = true, .max = 2000 },
	{ 0 },
};
static const struct field extension_in[] = {
	{ "months", F_INT, .min = 1, .max = 120, .says = "From the due day on" },
	{ "due_on", F_DATE, .says = "Instead of months" },
	{ "agreed_by", F_TEXT, .required = true, .min = 1, .max = 100, .says = "Of the renter's side" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field settlement_query[] = {
	{ "charges", F_INT, .min = 0, .max = 1000000000, .says = "分: if so much were charged" },
	{ 0 },
};
static const struct field charge[] = {
	{ "reason", F_TEXT, .required = true, .min = 1, .max = 500 },
	{ "amount", F_INT, .required = true, .min = 1, .max = 100000000, .says = "分" },
	{ 0 },
};
static const struct field close_in[] = {
	{ "closed_on", F_DATE, .says = "Today, unless given" },
	{ "charges", F_ITEMS, .max = 20, .items = charge, .says = "For what is damaged, missing or lost" },
	{ "received", F_INT, .min = 0, .max = 1000000000,
	  .says = "分: what the settlement leaves to be paid; nothing, unless given" },
	{ "waive_reason", F_TEXT, .max = 500, .says = "Why what is not received is not asked for" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field payment_in[] = {
	{ "kind", F_ENUM, .required = true, .of = kinds },
	{ "amount", F_INT, .required = true, .min = 1, .max = 100000000, .says = "分" },
	{ "paid_on", F_DATE, .says = "Today, unless given" },
	{ "reference", F_TEXT, .max = 100, .says = "Of the voucher" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field reversal_in[] = {
	{ "reason", F_TEXT, .required = true, .min = 1, .max = 2000 },
	{ 0 },
};
static const char *const ways[] = { "phone", "visit", "message", "letter", NULL };
static const char *const outcomes[] = { "promised", "refused", "not_reached", "other", NULL };
static const struct field chase_in[] = {
	{ "happened_at", F_TIME, .says = "Now, unless given" },
	{ "how", F_ENUM, .required = true, .of = ways },
	{ "whom", F_TEXT, .required = true, .min = 1, .max = 100 },
	{ "outcome", F_ENUM, .required = true, .of = outcomes },
	{ "promised_on", F_DATE, .says = "By when it is to be brought, with outcome = promised" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field days[] = {
	{ "days", F_INT, .required = true, .min = 0, .max = 365 },
	{ 0 },
};
static const struct field days_after[] = {
	{ "days", F_INT, .required = true, .min = 1, .max = 3650 },
	{ 0 },
};
static const struct field rule_in[] = {
	{ "before", F_ITEMS, .required = true, .max = 8, .items = days,
	  .says = "Reminders before the due day" },
	{ "after", F_ITEMS, .required = true, .max = 8, .items = days_after,
	  .says = "And when it is overdue for so long" },
	{ "extend_within", F_INT, .required = true, .min = 0, .max = 3650,
	  .says = "What is overdue for more days is not extended" },
	{ "loan_keep_days", F_INT, .required = true, .min = 0, .max = 3650,
	  .says = "Who borrowed is erased so long after the return of a loan" },
	{ 0 },
};

#define PLACE "query.plan query.region query.centre"

const struct endpoint rental_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/rentals", SEES, list_query, .page = "_cursor",
	  .way = { { "state=overdue", SQL_rentals_overdue, PLACE " page.after page.limit" },
		   { NULL, SQL_rentals_list, PLACE " query.state page.after page.limit" } },
	  .summary = "Rentals by state, plan, region and centre; names are masked" },
	{ HTTP_METHOD_GET, "/api/v1/rentals/{id}", SEES, .way = { { NULL, SQL_rental_get, "path.id" } },
	  .always = true, .summary = "A rental, with its extensions and the name of who has it" },
	{ HTTP_METHOD_POST, "/api/v1/rentals", DEALS, NULL, open_in, .status = 201,
	  .way = { { NULL, SQL_rental_open,
		     "in.request in.item in.months in.due_on in.happened_at in.signature in.signer "
		     "in.deposit_paid in.note" } },
	  .summary = "Rent an item to whom a request says: hands it over and signs the contract" },
	{ HTTP_METHOD_POST, "/api/v1/rentals/{id}/return", DEALS, NULL, return_in,
	  .way = { { NULL, SQL_rental_return, "path.id if_match in.happened_at in.condition in.note" } },
	  .summary = "The item came back: rent and reminders stop" },
	{ HTTP_METHOD_POST, "/api/v1/rentals/{id}/loss", DEALS, NULL, loss_in,
	  .way = { { NULL, SQL_rental_lose, "path.id if_match in.happened_at in.note" } },
	  .summary = "Who has the item has lost it" },
	{ HTTP_METHOD_POST, "/api/v1/rentals/{id}/extension", DEALS, NULL, extension_in,
	  .way = { { NULL, SQL_rental_extend, "path.id if_match in.months in.due_on in.agreed_by in.note" } },
	  .summary = "Agree on a later due day" },
	{ HTTP_METHOD_GET, "/api/v1/rentals/{id}/settlement", SEES, settlement_query,
	  .way = { { NULL, SQL_rental_settlement, "path.id query.charges" } }, .always = true,
	  .summary = "What closing comes to: rent, charges, deposit, refund and what is left to be paid" },
	{ HTTP_METHOD_POST, "/api/v1/rentals/{id}/close", DEALS, NULL, close_in,
	  .way = { { NULL, SQL_rental_close,
		     "path.id if_match in.closed_on in.charges in.received in.waive_reason in.note" } },
	  .summary = "Settle what came back or is lost: the deposit is given back less what is owed" },
	{ HTTP_METHOD_GET, "/api/v1/rentals/{id}/payments", SEES, .page = "id",
	  .way = { { NULL, SQL_rental_payments, "path.id page.after page.limit" } },
	  .summary = "What was paid of a rental" },
	{ HTTP_METHOD_POST, "/api/v1/rentals/{id}/payments", DEALS, NULL, payment_in, .status = 201,
	  .way = { { NULL, SQL_rental_pay, "path.id in.kind in.amount in.paid_on in.reference in.note" } },
	  .summary = "Record a payment of rent or deposit" },
	{ HTTP_METHOD_POST, "/api/v1/rentals/{id}/payments/{payment}/reversal", DEALS, NULL, reversal_in,
	  .status = 201, .way = { { NULL, SQL_rental_unpay, "path.id path.payment in.reason" } },
	  .summary = "Reverse a payment that was recorded in error" },
	{ HTTP_METHOD_GET, "/api/v1/rentals/{id}/chases", SEES, .page = "number",
	  .way = { { NULL, SQL_rental_chases, "path.id page.after page.limit" } },
	  .summary = "Each time that somebody was asked for the item" },
	{ HTTP_METHOD_POST, "/api/v1/rentals/{id}/chases", DEALS, NULL, chase_in, .status = 201,
	  .way = { { NULL, SQL_rental_chase,
		     "path.id in.happened_at in.how in.whom in.outcome in.promised_on in.note" } },
	  .summary = "Write down that somebody was asked for the item" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/rental-rule", SIGNED_IN,
	  .way = { { NULL, SQL_rental_rule_get, "path.code" } },
	  .summary = "What a plan sets about rentals and loans" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/rental-rule", RUNS_PLANS, NULL, rule_in,
	  .way = { { NULL, SQL_rental_rule_put,
		     "path.code if_match in.before in.after in.extend_within in.loan_keep_days" } },
	  .summary = "Set when reminders are due, how late a rental may be extended, and how long loans are "
		     "known" },
	{ 0 },
};
