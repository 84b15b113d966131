/* SPDX-License-Identifier: Apache-2.0
 * The ledger of devices: what rentals brought in, what is owed and held, and the entries behind each figure.
 * Nobody posts by himself: entries follow from what happens to a rental (migration 0042). */
#include "api/tables.h"

enum { SEES = ROLE_CENTRE | SEES_FIGURES };

static const char *const groupings[] = { "plan", "centre", "region", "month", NULL };
static const char *const accounts[] = { "cash",        "deposits_held", "rent_due", "subsidy",
					"rent_income", "charges",       "waived",   NULL };

static const struct field ledger_query[] = {
	{ "by", F_ENUM, .of = groupings, .says = "plan, unless given; region: counties" },
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "centre", F_TEXT, .max = 64 },
	{ "year", F_INT, .min = 2000, .max = 2999 },
	{ "month", F_INT, .min = 1, .max = 12, .says = "Of the year" },
	{ 0 },
};
static const struct field entries_query[] = {
	{ "rental", F_INT, .min = 1, .max = 9999999999999999, .says = "Its entries; nothing else is asked" },
	{ "account", F_ENUM, .of = accounts },
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "centre", F_TEXT, .max = 64 },
	{ "year", F_INT, .min = 2000, .max = 2999 },
	{ "month", F_INT, .min = 1, .max = 12, .says = "Of the year" },
	{ 0 },
};

#define WHICH "query.plan query.region query.centre query.year query.month "

const struct endpoint device_ledger_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/device-ledger", SEES, ledger_query, .page = "code",
	  .way = { { "by=centre", SQL_device_ledger_by_centre, WHICH "page.after page.limit" },
		   { "by=region", SQL_device_ledger_by_county, WHICH "page.after page.limit" },
		   { "by=month", SQL_device_ledger_by_month, WHICH "page.after page.limit" },
		   { "by=plan", SQL_device_ledger_by_plan, WHICH "page.after page.limit" },
		   { NULL, SQL_device_ledger_by_plan, WHICH "page.after page.limit" } },
	  .summary = "The money of rentals by plan, centre, county or month (分): cash, deposits held, rent "
		     "due, income" },
	{ HTTP_METHOD_GET, "/api/v1/device-ledger/entries", SEES, entries_query, .page = "_cursor",
	  .way = { { "rental", SQL_device_entries_of_rental, "query.rental page.after page.limit" },
		   { NULL, SQL_device_entries, WHICH "query.account page.after page.limit" } },
	  .summary = "The entries that a figure is made of: positive where money arrives, negative where it "
		     "leaves" },
	{ 0 },
};
