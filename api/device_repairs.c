/* SPDX-License-Identifier: Apache-2.0
 * Repairs, in the loop and of what somebody has and keeps; recycling, with its certificate. */
#include "api/tables.h"

const struct verdict device_repair_verdicts[] = {
	{ "repair_open", 409, "A repair of the item is running: end it first.", NULL },
	{ "repair_over", 409, "The repair has ended.", NULL },
	{ "cost_differs", 422, "The cost is not the sum of the parts and the labour.", "/cost" },
	{ "warranty_backwards", 422, "The warranty is of what was mended, and ends after it.",
	  "/warranty_until" },
	{ "certificate_taken", 409, "Another certificate has this number.", NULL },
	{ NULL, 0, NULL, NULL },
};

enum {
	MOST_PARTS = 100,
	MOST_COST = 10000000,
	DOES = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER,
	SEES = DOES | ROLE_AUDITOR
};

#define ITEM_SAYS "Its label's code, or its id"
#define WHEN_SAYS "Now, unless given"

static const char *const outcomes[] = { "mended", "beyond_repair", NULL };
static const char *const reasons[] = { "beyond_repair", "service_life_over", "unsafe", "incomplete",
				       "uneconomic",    "recalled",          "other",  NULL };

static const struct field open_in[] = {
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = ITEM_SAYS },
	{ "fault", F_TEXT, .required = true, .min = 1, .max = 2000 },
	{ "in_warranty", F_BOOL, .says = "As the item's and its last repair's warranty say, unless given" },
	{ "repairer", F_TEXT, .max = 200 },
	{ "began_at", F_TIME, .says = WHEN_SAYS },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field part_in[] = {
	{ "name", F_TEXT, .required = true, .min = 1, .max = 200 },
	{ "quantity", F_INT, .required = true, .min = 1, .max = 1000 },
	{ "cost", F_INT, .required = true, .min = 0, .max = MOST_COST, .says = "Of all of them, in 分" },
	{ 0 },
};

static const struct field end_in[] = {
	{ "outcome", F_ENUM, .required = true, .of = outcomes },
	{ "ended_at", F_TIME, .says = WHEN_SAYS },
	{ "parts", F_ITEMS, .max = MOST_PARTS, .items = part_in },
	{ "labour", F_INT, .min = 0, .max = MOST_COST, .says = "In 分" },
	{ "cost", F_INT, .min = 0, .max = MOST_COST * 100, .says = "Checked: parts and labour together" },
	{ "repairer", F_TEXT, .max = 200 },
	{ "warranty_until", F_DATE, .says = "Of the repair" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field repairs_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ "running", F_BOOL },
	{ "item", F_TEXT, .min = 1, .max = 64, .says = ITEM_SAYS },
	{ 0 },
};

static const struct field recovered_in[] = {
	{ "name", F_TEXT, .required = true, .min = 1, .max = 200 },
	{ "quantity", F_INT, .required = true, .min = 1, .max = 1000 },
	{ 0 },
};

static const struct field recycling_in[] = {
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = ITEM_SAYS },
	{ "reason", F_ENUM, .required = true, .of = reasons },
	{ "parts", F_ITEMS, .max = MOST_PARTS, .items = recovered_in, .says = "Recovered from it" },
	{ "certificate", F_TEXT, .min = 1, .max = 64,
	  .says = "The next number of the centre's year, unless given" },
	{ "note", F_TEXT, .max = 2000, .says = "Needed with reason = other." },
	{ "happened_at", F_TIME, .says = WHEN_SAYS },
	{ 0 },
};

static const struct field recyclings_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ "waiting", F_BOOL, .says = "true: what was given up and is not recycled yet" },
	{ 0 },
};

static const struct field centre_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ 0 },
};

const struct endpoint device_repair_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/device-repairs", SEES, repairs_query,
	  .way = { { "item", SQL_device_repairs_of_item, "query.item page.after page.limit" },
		   { NULL, SQL_device_repairs_list, "query.centre query.running page.after page.limit" } },
	  .page = "id", .summary = "Repairs, of centres or of an item, the newest first" },
	{ HTTP_METHOD_POST, "/api/v1/device-repairs", DOES, NULL, open_in,
	  .way = { { NULL, SQL_device_repair_open,
		     "in.item in.fault in.in_warranty in.repairer in.began_at in.note" } },
	  .status = 201, .summary = "Open the repair of an item",
	  .says = "Of what somebody has: a service to him, whose it stays (handover says whose)." },
	{ HTTP_METHOD_GET, "/api/v1/device-repairs/{id}", SEES,
	  .way = { { NULL, SQL_device_repair_get, "path.id" } }, .summary = "A repair" },
	{ HTTP_METHOD_POST, "/api/v1/device-repairs/{id}/end", DOES, NULL, end_in,
	  .way = { { NULL, SQL_device_repair_end,
		     "path.id if_match in.outcome in.ended_at in.parts in.labour in.cost in.repairer "
		     "in.warranty_until in.note" } },
	  .summary = "End a repair: to inspection, or to be recycled" },
	{ HTTP_METHOD_GET, "/api/v1/device-recyclings", SEES, recyclings_query,
	  .way = { { "waiting=true", SQL_device_recyclings_waiting, "query.centre page.after page.limit" },
		   { NULL, SQL_device_recyclings_list, "query.centre page.after page.limit" } },
	  .page = "id", .summary = "What was recycled, the newest first; or what waits for it" },
	{ HTTP_METHOD_POST, "/api/v1/device-recyclings", DOES, NULL, recycling_in,
	  .way = { { NULL, SQL_device_recycle,
		     "in.item in.reason in.parts in.certificate in.note in.happened_at" } },
	  .status = 201, .summary = "Recycle an item, for good" },
	{ HTTP_METHOD_GET, "/api/v1/device-recyclings/{id}/certificate", SEES,
	  .sheet = "recycling_certificate", .way = { { NULL, SQL_device_certificate, "path.id" } },
	  .summary = "The certificate of a recycling, to print" },
	{ HTTP_METHOD_GET, "/api/v1/device-parts", SEES, centre_query,
	  .way = { { NULL, SQL_device_parts_list, "query.centre page.after page.limit" } }, .page = "_cursor",
	  .summary = "Parts recovered from what was recycled" },
	{ 0 },
};
