/* SPDX-License-Identifier: Apache-2.0
 * What is done to an item that came back: it is returned, disinfected in a batch, inspected point by point.
 * Repairs and recycling are in device_repairs.c. */
#include "api/tables.h"

const struct verdict device_loop_verdicts[] = {
	{ "device_not_out", 409, "Nobody has the item, and it is not lost.", NULL },
	{ "method_unknown", 422, "The installation has no such method with this agent.", "/method" },
	{ "ended_before_begin", 422, "The end lies before the beginning.", "/ended_at" },
	{ "disinfection_too_short", 422,
	  "The method must work longer: least_minutes, for the item that was put in last too.", "/ended_at" },
	{ "disinfection_over", 409, "The disinfection has ended.", NULL },
	{ "checklist_unknown", 422, "The checklist has no such point.", "/checklist" },
	{ "checklist_incomplete", 422, "Every point must be answered; points says which are not.",
	  "/checklist" },
	{ "essential_failed", 409, "An essential point is not in order: it cannot pass.", NULL },
	{ "grade_required", 422, "What passes has a grade.", "/grade" },
	{ "point_twice", 422, "The same point is given twice.", "/points" },
	{ NULL, 0, NULL, NULL },
};

enum {
	MOST_SCANS = 500,
	MOST_POINTS = 60,
	DOES = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER,
	SEES = DOES | ROLE_AUDITOR
};

#define ITEM_SAYS "Its label's code, or its id"
#define WHEN_SAYS "Now, unless given"

static const char *const conditions[] = { "good", "worn", "damaged", "incomplete", NULL };
static const char *const grades[] = { "A", "B", "C", "D", NULL };
static const char *const results[] = { "pass", "repair", "recycle", NULL };

static const struct field return_in[] = {
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = ITEM_SAYS },
	{ "condition", F_ENUM, .required = true, .of = conditions },
	{ "note", F_TEXT, .max = 2000 },
	{ "happened_at", F_TIME, .says = WHEN_SAYS },
	{ 0 },
};

static const struct field item_in[] = {
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = ITEM_SAYS },
	{ 0 },
};

static const struct field method_in[] = {
	{ "name_zh", F_TEXT, .required = true, .min = 1, .max = 200 },
	{ "name_ko", F_TEXT, .max = 200, .says = "As name_zh, unless given" },
	{ "name_en", F_TEXT, .max = 200, .says = "As name_zh, unless given" },
	{ "minutes", F_INT, .required = true, .min = 0, .max = 1440, .says = "That it must work at least" },
	{ "source", F_TEXT, .max = 500, .says = "Who says so" },
	{ "retired", F_BOOL, .says = "No new batch is begun with it." },
	{ 0 },
};

static const struct field list_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ "running", F_BOOL },
	{ 0 },
};

static const struct field begin_in[] = {
	{ "items", F_ITEMS, .required = true, .max = MOST_SCANS, .items = item_in },
	{ "method", F_TEXT, .required = true, .min = 1, .max = 32 },
	{ "agent", F_TEXT, .required = true, .min = 1, .max = 32 },
	{ "began_at", F_TIME, .says = WHEN_SAYS },
	{ "ended_at", F_TIME, .says = "When it is done already: the items wait for inspection then." },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field add_in[] = {
	{ "items", F_ITEMS, .required = true, .max = MOST_SCANS, .items = item_in },
	{ "happened_at", F_TIME, .says = WHEN_SAYS },
	{ 0 },
};

static const struct field failed_in[] = {
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = ITEM_SAYS },
	{ "reason", F_TEXT, .required = true, .min = 1, .max = 500 },
	{ 0 },
};

static const struct field end_in[] = {
	{ "ended_at", F_TIME, .says = WHEN_SAYS },
	{ "failed", F_ITEMS, .max = MOST_SCANS, .items = failed_in,
	  .says = "What was not disinfected after all; it is to be done again." },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field point_in[] = {
	{ "code", F_TEXT, .required = true, .min = 1, .max = 48 },
	{ "name_zh", F_TEXT, .required = true, .min = 1, .max = 200 },
	{ "name_ko", F_TEXT, .max = 200, .says = "As name_zh, unless given" },
	{ "name_en", F_TEXT, .max = 200, .says = "As name_zh, unless given" },
	{ "essential", F_BOOL, .required = true, .says = "Without it nothing passes." },
	{ 0 },
};

static const struct field checklist_in[] = {
	{ "points", F_ITEMS, .required = true, .max = MOST_POINTS, .items = point_in,
	  .says = "The whole list; what was answered before keeps what was asked then." },
	{ 0 },
};

static const struct field checked_in[] = {
	{ "code", F_TEXT, .required = true, .min = 1, .max = 48 },
	{ "ok", F_BOOL, .required = true },
	{ "note", F_TEXT, .max = 500 },
	{ 0 },
};

static const struct field inspection_in[] = {
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = ITEM_SAYS },
	{ "checklist", F_ITEMS, .max = MOST_POINTS, .items = checked_in },
	{ "all_ok", F_BOOL, .says = "Points that are not named are in order." },
	{ "grade", F_ENUM, .of = grades, .says = "Needed with result = pass." },
	{ "result", F_ENUM, .required = true, .of = results },
	{ "note", F_TEXT, .max = 2000, .says = "Needed when it does not pass and every point is in order." },
	{ "happened_at", F_TIME, .says = WHEN_SAYS },
	{ 0 },
};

static const struct field inspections_query[] = {
	{ "item", F_TEXT, .required = true, .min = 1, .max = 64, .says = ITEM_SAYS },
	{ 0 },
};

const struct endpoint device_loop_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/device-returns", DOES, NULL, return_in,
	  .way = { { NULL, SQL_device_return, "in.item in.condition in.note in.happened_at" } },
	  .status = 201, .summary = "An item came back, from whomever it was with",
	  .says = "Ends the hand-over; the contract of a rental is closed in a step of its own. next: what "
		  "it "
		  "waits for." },
	{ HTTP_METHOD_POST, "/api/v1/device-returns/undo", DOES, NULL, item_in,
	  .way = { { NULL, SQL_device_unreturn, "in.item" } },
	  .summary = "Take one's own return back, while nothing else has happened to the item" },
	{ HTTP_METHOD_GET, "/api/v1/disinfection-methods", SIGNED_IN,
	  .way = { { NULL, SQL_disinfection_methods, "" } },
	  .summary = "What this installation disinfects with, and how long it must work" },
	{ HTTP_METHOD_PUT, "/api/v1/disinfection-methods/{method}/{agent}", ROLE_ADMIN, NULL, method_in,
	  .way = { { NULL, SQL_disinfection_method_put,
		     "path.method path.agent if_match in.name_zh in.name_ko in.name_en in.minutes in.source "
		     "in.retired" } },
	  .summary = "Add or change a method of disinfection" },
	{ HTTP_METHOD_GET, "/api/v1/device-disinfections", SEES, list_query,
	  .way = { { NULL, SQL_disinfections_list, "query.centre query.running page.after page.limit" } },
	  .page = "id", .summary = "Disinfections, the newest first" },
	{ HTTP_METHOD_POST, "/api/v1/device-disinfections", DOES, NULL, begin_in,
	  .way = { { NULL, SQL_disinfection_begin,
		     "in.items in.method in.agent in.began_at in.ended_at in.note" } },
	  .status = 201, .summary = "Disinfect a batch of items: all of them, or none and why",
	  .says = "With ended_at it is done already." },
	{ HTTP_METHOD_GET, "/api/v1/device-disinfections/{id}", SEES,
	  .way = { { NULL, SQL_disinfection_get, "path.id" } },
	  .summary = "A disinfection and where each of its items stands" },
	{ HTTP_METHOD_POST, "/api/v1/device-disinfections/{id}/items", DOES, NULL, add_in,
	  .way = { { NULL, SQL_disinfection_add, "path.id in.items in.happened_at" } },
	  .summary = "Put more items into a running disinfection" },
	{ HTTP_METHOD_POST, "/api/v1/device-disinfections/{id}/end", DOES, NULL, end_in,
	  .way = { { NULL, SQL_disinfection_end, "path.id if_match in.ended_at in.failed in.note" } },
	  .summary = "End a disinfection" },
	{ HTTP_METHOD_GET, "/api/v1/device-checklists", SIGNED_IN,
	  .way = { { NULL, SQL_device_checklists, "" } },
	  .summary = "The points of an inspection, by kind of device" },
	{ HTTP_METHOD_GET, "/api/v1/device-checklists/{measure}", SIGNED_IN,
	  .way = { { NULL, SQL_device_checklist_get, "path.measure" } },
	  .summary = "What an inspection asks of a kind of device now" },
	{ HTTP_METHOD_PUT, "/api/v1/device-checklists/{measure}", ROLE_ADMIN, NULL, checklist_in,
	  .way = { { NULL, SQL_device_checklist_put, "path.measure if_match in.points" } },
	  .summary = "Change what an inspection asks of a kind of device, or of all others (default)" },
	{ HTTP_METHOD_POST, "/api/v1/device-inspections", DOES, NULL, inspection_in,
	  .way = { { NULL, SQL_device_inspect,
		     "in.item in.checklist in.all_ok in.grade in.result in.note in.happened_at" } },
	  .status = 201, .summary = "Inspect an item: back into stock, to repair, or to be recycled" },
	{ HTTP_METHOD_GET, "/api/v1/device-inspections", SEES, inspections_query,
	  .way = { { NULL, SQL_device_inspections_of_item, "query.item page.after page.limit" } },
	  .page = "id", .summary = "Inspections of an item with what was asked then, the last first" },
	{ 0 },
};
