/* SPDX-License-Identifier: Apache-2.0
 * The least that should be in stock of a model or kind; what is below it. */
#include "api/tables.h"

static const char *const yes_or_no[] = { "true", "false", NULL };
static const struct field list_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "below", F_ENUM, .of = yes_or_no,
	  .says = "true: only those with less in stock than there should be" },
	{ 0 },
};

static const struct field put_in[] = {
	{ "minimum", F_INT, .required = true, .min = 1, .max = 100000 },
	{ "centre", F_TEXT, .max = 64, .says = "Needed from an office" },
	{ 0 },
};

static const struct field remove_query[] = {
	{ "centre", F_TEXT, .max = 64, .says = "Needed from an office" },
	{ 0 },
};

enum { KEEPS = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = KEEPS | ROLE_AUDITOR };

#define KIND_SAYS "{kind} is model or measure"

const struct endpoint stock_minimum_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/stock-minimums", SEES, list_query, .page = "id",
	  .way = { { NULL, SQL_stock_minimums_list,
		     "query.centre query.region query.below page.after page.limit" } },
	  .summary = "How many are in stock of how many there should be" },
	{ HTTP_METHOD_PUT, "/api/v1/stock-minimums/{kind}/{code}", KEEPS, NULL, put_in,
	  .way = { { NULL, SQL_stock_minimum_put, "in.centre path.kind path.code in.minimum if_match" } },
	  .summary = "Set the least that should be in stock of a model or a kind", .says = KIND_SAYS },
	{ HTTP_METHOD_DELETE, "/api/v1/stock-minimums/{kind}/{code}", KEEPS, remove_query,
	  .way = { { NULL, SQL_stock_minimum_remove, "query.centre path.kind path.code if_match" } },
	  .summary = "No longer watch it", .says = KIND_SAYS },
	{ 0 },
};
