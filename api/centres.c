/* SPDX-License-Identifier: Apache-2.0
 * Rehabilitation centres: where they are, and whose people they serve. */
#include "api/tables.h"

const struct verdict centre_verdicts[] = {
	{ "centre_code_invalid", 422, "Letters, digits, dots, - and _; a letter or digit first.", "/code" },
	{ "centre_in_use", 409,
	  "The centre has items, requests or hand-overs: its place cannot change any more.", "/region" },
	{ NULL, 0, NULL, NULL },
};

static const struct field list_query[] = {
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ 0 },
};

static const struct field centre_in[] = {
	{ "plan", F_TEXT, .required = true, .max = 32, .says = "Whose people it serves" },
	{ "region", F_REGION, .required = true, .says = "Where it lies, within the plan's region" },
	{ "name", F_TEXT, .required = true, .max = 100 },
	{ "address", F_TEXT, .max = 200 },
	{ "phone", F_TEXT, .max = 100 },
	{ 0 },
};

const struct endpoint centre_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/centres", SIGNED_IN, list_query, .page = "id",
	  .way = { { NULL, SQL_centres_list, "query.region page.after page.limit" } },
	  .summary = "Rehabilitation centres" },
	{ HTTP_METHOD_GET, "/api/v1/centres/{code}", SIGNED_IN,
	  .way = { { NULL, SQL_centre_get, "path.code" } }, .summary = "One centre" },
	{ HTTP_METHOD_PUT, "/api/v1/centres/{code}", ROLE_COUNTY | ROLE_MANAGER | ROLE_ADMIN, NULL, centre_in,
	  .way = { { NULL, SQL_centre_put,
		     "path.code if_match in.plan in.region in.name in.address in.phone" } },
	  .summary = "A new centre, or another place, name, address and telephone of one",
	  .says = "An office does this for centres in its region; one that was made with its account and "
		  "has no place yet is placed by an administrator." },
	{ 0 },
};
