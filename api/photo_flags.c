/* SPDX-License-Identifier: Apache-2.0
 * Photos that look like those of another household.
 */
#include "api/tables.h"

const struct verdict photo_flag_verdicts[] = {
	{ "photo_flag_closed", 409, "The photo has been removed; there is nothing to answer any more.",
	  NULL },
	{ "after_photo_missing", 422, "Items without a photo of how it is now.", "/to" },
	{ "items_missing", 422, "The case has no items to photograph.", "/to" },
	{ NULL, 0, NULL, NULL },
};

static const char *const states[] = { "open", "explained", "fraud", "removed", NULL };
static const char *const answers[] = { "explained", "fraud", NULL };

static const struct field list_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "state", F_ENUM, .of = states },
	{ 0 },
};

static const struct field resolution_in[] = {
	{ "resolution", F_ENUM, .required = true, .of = answers },
	{ "note", F_TEXT, .required = true, .min = 1, .max = 2000, .says = "What was found" },
	{ 0 },
};

#define SEES_FLAGS (ROLE_COUNTY | ROLE_MANAGER | ROLE_AUDITOR)

const struct endpoint photo_flag_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/photo-flags", SEES_FLAGS, list_query,
	  .way = { { NULL, SQL_photo_flags_list,
		     "query.plan query.region query.state page.after page.limit" } },
	  .page = "id", .summary = "Photos that look like one of another household" },
	{ HTTP_METHOD_GET, "/api/v1/photo-flags/{id}", SEES_FLAGS,
	  .way = { { NULL, SQL_photo_flag_get, "path.id" } },
	  .summary = "Two photos that look alike: the sides the caller may see" },
	{ HTTP_METHOD_POST, "/api/v1/photo-flags/{id}/resolution", RUNS_CASES, NULL, resolution_in,
	  .way = { { NULL, SQL_photo_flag_resolve, "path.id if_match in.resolution in.note" } },
	  .summary = "Say why the caller's sides of a flag look alike" },
	{ 0 },
};
