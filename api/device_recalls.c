/* SPDX-License-Identifier: Apache-2.0
 * Recalls by model, batch or serials: what one would mean, opening it, chasing who has an item, and what
 * became of each. */
#include "api/tables.h"

const struct verdict device_recall_verdicts[] = {
	{ "serials_backwards", 422, "Both ends of a range of serials, the first not behind the last.",
	  "/serial_to" },
	{ "recall_due_past", 422, "The day is over already.", "/due_on" },
	{ "recall_over", 409, "The recall has ended.", NULL },
	{ "recall_unresolved", 409, "Not all of its items are resolved; open says how many are not.", NULL },
	{ "recall_item_resolved", 409, "It is resolved already.", NULL },
	{ "resolution_unproved", 409, "The item was not repaired since the recall, or is not lost.", NULL },
	{ NULL, 0, NULL, NULL },
};

enum { RECALLS = ROLE_COUNTY | ROLE_MANAGER, CHASES = RECALLS | ROLE_CENTRE, SEES = CHASES | ROLE_AUDITOR };

static const char *const ways_to_reach[] = { "phone", "visit", "message", "letter", NULL };
static const char *const resolutions[] = { "repaired", "harmless", "lost", NULL };

#define SERIALS_SAY "Both ends or none; shorter ones come first, as numbers do."
#define REGION_SAYS "One's own, unless given"

static const struct field preview_query[] = {
	{ "model", F_TEXT, .required = true, .min = 1, .max = 48 },
	{ "batch", F_TEXT, .min = 1, .max = 64 },
	{ "serial_from", F_TEXT, .min = 1, .max = 64, .says = SERIALS_SAY },
	{ "serial_to", F_TEXT, .min = 1, .max = 64 },
	{ "region", F_REGION, .says = REGION_SAYS },
	{ 0 },
};

static const struct field begin_in[] = {
	{ "model", F_TEXT, .required = true, .min = 1, .max = 48 },
	{ "batch", F_TEXT, .min = 1, .max = 64 },
	{ "serial_from", F_TEXT, .min = 1, .max = 64, .says = SERIALS_SAY },
	{ "serial_to", F_TEXT, .min = 1, .max = 64 },
	{ "reason", F_TEXT, .required = true, .min = 1, .max = 2000 },
	{ "due_on", F_DATE, .required = true, .says = "By when all of them are dealt with" },
	{ "region", F_REGION, .says = REGION_SAYS },
	{ 0 },
};

static const struct field list_query[] = {
	{ "running", F_BOOL },
	{ 0 },
};

static const struct field change_in[] = {
	{ "due_on", F_DATE, .required = true },
	{ 0 },
};

static const struct field note_in[] = {
	{ "note", F_TEXT, .required = true, .min = 1, .max = 2000 },
	{ 0 },
};

static const struct field items_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ "open", F_BOOL },
	{ "with_holder", F_BOOL },
	{ 0 },
};

static const struct field attempt_in[] = {
	{ "how", F_ENUM, .required = true, .of = ways_to_reach },
	{ "reached", F_BOOL, .required = true },
	{ "happened_at", F_TIME, .says = "Now, unless given" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field resolution_in[] = {
	{ "resolution", F_ENUM, .required = true, .of = resolutions,
	  .says = "What is recycled is resolved by that." },
	{ "note", F_TEXT, .max = 2000, .says = "Needed with harmless." },
	{ 0 },
};

const struct endpoint device_recall_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/device-recalls/preview", RECALLS, preview_query,
	  .way = { { NULL, SQL_device_recall_preview,
		     "query.model query.batch query.serial_from query.serial_to query.region" } },
	  .summary = "What a recall would mean: items by state and by centre, and who has some" },
	{ HTTP_METHOD_GET, "/api/v1/device-recalls", SEES, list_query,
	  .way = { { NULL, SQL_device_recalls_list, "query.running page.after page.limit" } }, .page = "id",
	  .summary = "Recalls and how far they are, the newest first" },
	{ HTTP_METHOD_POST, "/api/v1/device-recalls", RECALLS, NULL, begin_in,
	  .way = { { NULL, SQL_device_recall_begin,
		     "in.model in.batch in.serial_from in.serial_to in.reason in.due_on in.region" } },
	  .status = 201, .summary = "Recall a model, a batch or a range of serials",
	  .says = "From this moment none of them is handed to anybody; each is a task of its centre." },
	{ HTTP_METHOD_GET, "/api/v1/device-recalls/{id}", SEES,
	  .way = { { NULL, SQL_device_recall_get, "path.id" } }, .always = true,
	  .summary = "A recall and how far it is, of what who asks may see" },
	{ HTTP_METHOD_PATCH, "/api/v1/device-recalls/{id}", RECALLS, NULL, change_in,
	  .way = { { NULL, SQL_device_recall_change, "path.id if_match in.due_on" } },
	  .summary = "Set another day by which all are dealt with" },
	{ HTTP_METHOD_POST, "/api/v1/device-recalls/{id}/withdrawal", RECALLS, NULL, note_in,
	  .way = { { NULL, SQL_device_recall_withdraw, "path.id if_match in.note" } },
	  .summary = "Withdraw a recall: all that are open are lifted" },
	{ HTTP_METHOD_POST, "/api/v1/device-recalls/{id}/end", RECALLS, NULL, note_in,
	  .way = { { NULL, SQL_device_recall_end, "path.id if_match in.note" } },
	  .summary = "End a recall all of whose items are resolved" },
	{ HTTP_METHOD_GET, "/api/v1/device-recalls/{id}/items", SEES, items_query,
	  .way = { { NULL, SQL_device_recall_items,
		     "path.id query.centre query.open query.with_holder page.after page.limit" } },
	  .page = "id", .summary = "Items of a recall, and who has them" },
	{ HTTP_METHOD_GET, "/api/v1/device-recalls/{id}/items/{item}", SEES,
	  .way = { { NULL, SQL_device_recall_item_get, "path.id path.item" } }, .always = true,
	  .summary = "An item of a recall with the name of who has it; the reading is recorded" },
	{ HTTP_METHOD_GET, "/api/v1/device-recalls/{id}/items/{item}/attempts", SEES,
	  .way = { { NULL, SQL_device_recall_attempts, "path.id path.item" } },
	  .summary = "Attempts to reach who has it" },
	{ HTTP_METHOD_POST, "/api/v1/device-recalls/{id}/items/{item}/attempts", CHASES, NULL, attempt_in,
	  .way = { { NULL, SQL_device_recall_attempt,
		     "path.id path.item in.how in.reached in.happened_at in.note" } },
	  .status = 201, .summary = "Log an attempt to reach who has it" },
	{ HTTP_METHOD_POST, "/api/v1/device-recalls/{id}/items/{item}/resolution", RECALLS, NULL,
	  resolution_in,
	  .way = { { NULL, SQL_device_recall_resolve, "path.id path.item if_match in.resolution in.note" } },
	  .summary = "Say what became of an item; it is lifted out of the recall" },
	{ 0 },
};
