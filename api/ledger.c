/* SPDX-License-Identifier: Apache-2.0
 * The ledger: payments, and balances by case, contractor, county and source. Entries are the database's to
 * write (migration 0028): nobody posts by himself.
 */
#include "api/tables.h"

const struct verdict ledger_verdicts[] = {
	{ "payment_source_unknown", 422, "Nothing of the case is paid from this source.", "/source" },
	{ "paid_in_future", 422, "The payment is not made yet.", "/paid_on" },
	{ "payment_twice", 409, "A payment of this source with this reference is there.", NULL },
	{ "nothing_payable", 409, "Nothing is payable to this contractor from this source.", NULL },
	{ "payment_exceeds_payable", 422, "More than is payable from this source.", "/amount" },
	{ "payment_reversed", 409, "The payment is reversed, or is itself a reversal.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const char *const groupings[] = { "source", "case", "contractor", "county", NULL };
static const struct field ledger_query[] = {
	{ "by", F_ENUM, .of = groupings, .says = "source, unless given" },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ 0 },
};
static const struct field payment_in[] = {
	{ "source", F_TEXT, .required = true, .min = 1, .max = 48,
	  .says = "household: the receipt of the self-paid part" },
	{ "contractor", F_TEXT, .max = 64, .says = "Whom it was paid to, if not the case's contractor." },
	{ "amount", F_INT, .required = true, .min = 1, .max = 100000000, .says = "分" },
	{ "paid_on", F_DATE, .required = true },
	{ "reference", F_TEXT, .required = true, .min = 1, .max = 100, .says = "Of the voucher" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};
static const struct field reversal_in[] = {
	{ "reason", F_TEXT, .required = true, .min = 1, .max = 2000 },
	{ 0 },
};

#define PLACE "path.code query.region page.after page.limit"

const struct endpoint ledger_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/ledger", SEES_FIGURES, ledger_query, .page = "code",
	  .way = { { "by=case", SQL_ledger_by_case, PLACE },
		   { "by=contractor", SQL_ledger_by_contractor, PLACE },
		   { "by=county", SQL_ledger_by_county, PLACE },
		   { "by=source", SQL_ledger_by_source, PLACE },
		   { NULL, SQL_ledger_by_source, PLACE } },
	  .summary = "What is committed, payable and paid, by source, case, contractor or county (分)" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/ledger", SEES_FIGURES, .page = "id",
	  .way = { { NULL, SQL_case_ledger, "path.id page.after page.limit" } },
	  .summary = "The ledger's transactions of a case" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/payments", SEES_CASES, .page = "id",
	  .way = { { NULL, SQL_payments_of_case, "path.id page.after page.limit" } },
	  .summary = "The payments of a case" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/payments", RUNS_CASES, NULL, payment_in, .status = 201,
	  .way = { { NULL, SQL_payment_record,
		     "path.id in.source in.contractor in.amount in.paid_on in.reference in.note" } },
	  .summary = "Record a payment of what is payable, or a receipt of the self-paid part" },
	{ HTTP_METHOD_POST, "/api/v1/payments/{id}/reversal", RUNS_CASES, NULL, reversal_in, .status = 201,
	  .way = { { NULL, SQL_payment_reverse, "path.id in.reason" } },
	  .summary = "Reverse a payment that was recorded in error" },
	{ 0 },
};
