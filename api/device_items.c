/* SPDX-License-Identifier: Apache-2.0
 * Items of assistive devices, and what may be refused about any of them. */
#include "api/tables.h"

const struct verdict device_item_verdicts[] = {
	{ "device_on_its_way", 409, "The item is on its way to another centre.", NULL },
	{ "device_not_on_its_way", 409, "The item is not on its way anywhere.", NULL },
	{ "device_recalled", 409, "The item is recalled: it is handed to nobody.", NULL },
	{ "device_out", 409, "Somebody has the item.", NULL },
	{ "device_retired", 409, "The item is lost or was recycled.", NULL },
	{ "device_not_ready", 409, "The item has not been disinfected and inspected since it came back.",
	  NULL },
	{ "device_reserved", 409, "The item is reserved for another request.", NULL },
	{ "device_state", 409, "The item is not in a state for that.", NULL },
	{ "device_unproved", 409, "What should lie behind this is missing, or is of another item or moment.",
	  NULL },
	{ "centre_unknown", 422, "There is no such centre, or it is not yours.", "/centre" },
	{ "centre_without_region", 409, "The centre has no region yet: an administrator sets it.",
	  "/centre" },
	{ "model_unknown", 422, "There is no such model.", "/model" },
	{ "model_retired", 422, "The model is retired: it is not taken in any more.", "/model" },
	{ "label_invalid", 422,
	  "Three to 64 letters, digits, . _ and -; what reads like an id is the server's own label.",
	  "/code" },
	{ "code_taken", 409, "Another item has this label.", "/code" },
	{ "serial_taken", 409, "There is an item of this model with this serial number.", "/serial" },
	{ "donor_not_wanted", 422, "Only what was donated has a donor.", "/donor" },
	{ "taken_in_future", 422, "It cannot have been taken in in the future.", "/taken_in_on" },
	{ "taken_before_acquired", 422, "It cannot have been taken in before it was acquired.",
	  "/taken_in_on" },
	{ "acquired_in_future", 422, "It cannot have been acquired in the future.", "/acquired_on" },
	{ "warranty_before_acquired", 422, "The warranty ends before it was acquired.", "/warranty_until" },
	{ "device_lost_by_holder", 409,
	  "Its holder lost it: when it is brought after all, that is the return of what he had.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const char *const states[] = { "in_stock", "reserved",     "lent",       "fitted",
				      "returned", "disinfecting", "inspecting", "repairing",
				      "recycled", "lost",         "recalled",   NULL };
static const char *const sources[] = { "purchased", "donated", NULL };

static const struct field list_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "state", F_ENUM, .of = states },
	{ "model", F_TEXT, .max = 48 },
	{ "measure", F_TEXT, .max = 48, .says = "The kind of device that a need names" },
	{ "q", F_TEXT, .min = 1, .max = 64, .says = "The beginning of a label's code or of a serial number" },
	{ 0 },
};

static const struct field take_in[] = {
	{ "model", F_TEXT, .required = true, .max = 48 },
	{ "source", F_ENUM, .of = sources,
	  .says = "purchased unless given; donated: it enters the loop as returned" },
	{ "serial", F_TEXT, .max = 64 },
	{ "batch", F_TEXT, .max = 64 },
	{ "code", F_TEXT, .max = 64, .says = "Of a label it has already; else it gets its id as one" },
	{ "donor", F_TEXT, .max = 200 },
	{ "acquired_on", F_DATE, .says = "The day it was taken in unless given" },
	{ "taken_in_on", F_DATE,
	  .says = "Today unless given: an earlier day for what stands in older books" },
	{ "price", F_INT, .min = 0, .max = 100000000000, .says = "分" },
	{ "warranty_until", F_DATE },
	{ "shelf", F_TEXT, .max = 64 },
	{ "note", F_TEXT, .max = 2000 },
	{ "centre", F_TEXT, .max = 64, .says = "Needed from an office; a centre takes in for itself" },
	{ 0 },
};

static const struct field amend_in[] = {
	{ "shelf", F_TEXT, .max = 64 },  { "note", F_TEXT, .max = 2000 },
	{ "donor", F_TEXT, .max = 200 }, { "price", F_INT, .min = 0, .max = 100000000000, .says = "分" },
	{ "warranty_until", F_DATE },    { 0 },
};

static const struct field reason_in[] = {
	{ "note", F_TEXT, .required = true, .max = 2000 },
	{ 0 },
};

enum { KEEPS = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = KEEPS | ROLE_AUDITOR };

#define FILTERS "query.centre query.region query.state query.model query.measure "

const struct endpoint device_item_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/device-items", SEES, list_query, .page = "_cursor",
	  .way = { { "q", SQL_device_items_search, FILTERS "query.q page.after page.limit" },
		   { NULL, SQL_device_items_list, FILTERS "page.after page.limit" } },
	  .summary =
		  "Items by centre, region, state, model and kind, or by the beginning of a code or serial" },
	{ HTTP_METHOD_POST, "/api/v1/device-items", KEEPS, NULL, take_in, .status = 201,
	  .way = { { NULL, SQL_device_item_take,
		     "in.centre in.source in.model in.serial in.batch in.code in.donor in.acquired_on "
		     "in.price in.warranty_until in.shelf in.note in.taken_in_on" } },
	  .summary = "Take an item in that was bought, or given by somebody (爱心传递)" },
	{ HTTP_METHOD_GET, "/api/v1/device-items/{item}", SEES, .always = true,
	  .way = { { NULL, SQL_device_item_get, "path.item" } },
	  .summary = "One item by its label's code or its id: where it is, with whom, what may be done now; "
		     "the reading of a holder is recorded" },
	{ HTTP_METHOD_PATCH, "/api/v1/device-items/{item}", KEEPS, NULL, amend_in,
	  .way = { { NULL, SQL_device_item_amend,
		     "path.item if_match in.shelf in.note in.donor in.price in.warranty_until" } },
	  .summary = "Change what is said of an item: shelf, note, donor, price, warranty" },
	{ HTTP_METHOD_GET, "/api/v1/device-items/{item}/events", SEES, .page = "id",
	  .way = { { NULL, SQL_device_item_events, "path.item page.after page.limit" } },
	  .summary = "The life of an item in its order, each event with its proof; names are masked, the "
		     "reading is recorded" },
	{ HTTP_METHOD_GET, "/api/v1/device-items/{item}/life", SEES, .sheet = "device_life",
	  .way = { { NULL, SQL_device_item_life, "path.item" } },
	  .summary = "The life of an item for print (A4), from intake to recycling; names are masked" },
	{ HTTP_METHOD_POST, "/api/v1/device-items/{item}/loss", KEEPS, NULL, reason_in,
	  .way = { { NULL, SQL_device_item_lose, "path.item if_match in.note" } },
	  .summary = "It is lost: at the centre, or on its way to another" },
	{ HTTP_METHOD_POST, "/api/v1/device-items/{item}/finding", KEEPS, NULL, reason_in,
	  .way = { { NULL, SQL_device_item_find, "path.item if_match in.note" } },
	  .summary = "What the centre had lost is found: it goes through the loop" },
	{ 0 },
};
