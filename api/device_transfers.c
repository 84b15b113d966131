/* SPDX-License-Identifier: Apache-2.0
 * Transfers between centres: sent whole or not at all, received item by item, taken back, or lost on the way.
 */
#include "api/tables.h"

const struct verdict device_transfer_verdicts[] = {
	{ "destination_unknown", 422, "There is no such centre.", "/to" },
	{ "destination_is_origin", 422, "It is there already.", "/to" },
	{ "destination_outside", 422,
	  "Centres of one plan's region pass items on to each other, and to no others.", "/to" },
	{ "sent_in_future", 422, "It cannot have been sent in the future.", "/sent_at" },
	{ "transfer_of_another", 403,
	  "The destination receives; who sent takes back, or says what was lost on the way.", NULL },
	{ "transfer_over", 409, "Nothing of it is on the way any more.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const char *const yes_or_no[] = { "true", "false", NULL };
static const struct field list_query[] = {
	{ "from", F_TEXT, .max = 64 },
	{ "to", F_TEXT, .max = 64 },
	{ "open", F_ENUM, .of = yes_or_no, .says = "Whether something of it is on the way" },
	{ 0 },
};

static const struct field item[] = {
	{ "item", F_TEXT, .required = true, .max = 64, .says = "Its label's code, or its id" },
	{ 0 },
};

static const struct field send_in[] = {
	{ "to", F_TEXT, .required = true, .max = 64, .says = "A centre of the same plan's region" },
	{ "items", F_ITEMS, .required = true, .max = 500, .items = item },
	{ "note", F_TEXT, .max = 2000 },
	{ "sent_at", F_TIME, .says = "Now, unless given" },
	{ "centre", F_TEXT, .max = 64, .says = "From where; needed from an office" },
	{ 0 },
};

static const struct field end_in[] = {
	{ "items", F_ITEMS, .max = 500, .items = item, .says = "All that are on the way, unless given" },
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field loss_in[] = {
	{ "items", F_ITEMS, .required = true, .max = 500, .items = item },
	{ "note", F_TEXT, .required = true, .max = 2000 },
	{ 0 },
};

enum { KEEPS = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = KEEPS | ROLE_AUDITOR };

#define ENDS "path.id in.items if_match in.note"

const struct endpoint device_transfer_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/device-transfers", SEES, list_query, .page = "id",
	  .way = { { NULL, SQL_device_transfers_list,
		     "query.from query.to query.open page.after page.limit" } },
	  .summary = "Transfers that a centre sent or is sent; open: something is on the way" },
	{ HTTP_METHOD_POST, "/api/v1/device-transfers", KEEPS, NULL, send_in, .status = 201,
	  .way = { { NULL, SQL_device_transfer_send, "in.centre in.to in.items in.note in.sent_at" } },
	  .summary = "Send items to another centre: all of them, or none and the reason for each" },
	{ HTTP_METHOD_GET, "/api/v1/device-transfers/{id}", SEES,
	  .way = { { NULL, SQL_device_transfer_get, "path.id" } },
	  .summary = "One transfer with what became of each item" },
	{ HTTP_METHOD_POST, "/api/v1/device-transfers/{id}/receipt", KEEPS, NULL, end_in,
	  .way = { { NULL, SQL_device_transfer_receive, ENDS } },
	  .summary = "The destination has received these, or all; what is missing stays on the way" },
	{ HTTP_METHOD_POST, "/api/v1/device-transfers/{id}/cancel", KEEPS, NULL, end_in,
	  .way = { { NULL, SQL_device_transfer_cancel, ENDS } },
	  .summary = "The sender takes back what has not been received" },
	{ HTTP_METHOD_POST, "/api/v1/device-transfers/{id}/loss", KEEPS, NULL, loss_in,
	  .way = { { NULL, SQL_device_transfer_lose, ENDS } }, .summary = "What was lost on the way" },
	{ 0 },
};
