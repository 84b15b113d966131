/* SPDX-License-Identifier: Apache-2.0
 * Regions and their lineage: an old code still resolves. */
#include "api/tables.h"

static const struct field list_query[] = {
	{ "parent", F_REGION },
	{ 0 },
};
static const struct field region_in[] = {
	{ "code", F_REGION, .required = true },
	{ "name", F_TEXT, .required = true, .max = 100 },
	{ "parent", F_REGION, .required = true },
	{ 0 },
};
static const struct field recode_in[] = {
	{ "code", F_REGION, .required = true },
	{ "name", F_TEXT, .min = 1, .max = 100 },
	{ 0 },
};

const struct endpoint region_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/regions", SIGNED_IN, list_query, .page = "code",
	  .way = { { NULL, SQL_regions_list, "query.parent page.after page.limit" } }, .summary = "Regions" },
	{ HTTP_METHOD_GET, "/api/v1/regions/{code}", SIGNED_IN,
	  .way = { { NULL, SQL_region_get, "path.code" } }, .summary = "A region, by any code it ever had" },
	{ HTTP_METHOD_POST, "/api/v1/regions", RUNS_PLANS, NULL, region_in, .status = 201,
	  .way = { { NULL, SQL_region_create, "in.code in.name in.parent" } }, .summary = "A new region" },
	{ HTTP_METHOD_POST, "/api/v1/regions/{code}/recode", RUNS_PLANS, NULL, recode_in,
	  .way = { { NULL, SQL_region_recode, "path.code if_match in.code in.name" } },
	  .summary = "A region is renumbered: all its figures follow" },
	{ 0 },
};
