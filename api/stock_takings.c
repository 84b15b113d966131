/* SPDX-License-Identifier: Apache-2.0
 * Stock-takings: labels are scanned, differences with the book shown, kept when it is closed, and resolved.
 */
#include "api/tables.h"

const struct verdict stock_taking_verdicts[] = {
	{ "taking_open", 409, "This part of the stock is being counted already.", NULL },
	{ "taking_over", 409, "The stock-taking is closed or cancelled.", NULL },
	{ "taking_not_closed", 409, "Differences are resolved when the stock-taking is closed.", NULL },
	{ NULL, 0, NULL, NULL },
};

static const char *const states[] = { "open", "closed", "cancelled", NULL };
static const char *const results[] = { "counted", "missing", "surplus", "moved", NULL };
static const char *const resolutions[] = { "lost", "found", "explained", NULL };

static const struct field list_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ "state", F_ENUM, .of = states },
	{ 0 },
};

static const struct field lines_query[] = {
	{ "result", F_ENUM, .of = results,
	  .says = "moved: somebody had it in hand since the taking began, so it is no difference" },
	{ 0 },
};

static const struct field begin_in[] = {
	{ "shelf", F_TEXT, .max = 64, .says = "Only this shelf" },
	{ "model", F_TEXT, .max = 48, .says = "Only this model" },
	{ "note", F_TEXT, .max = 2000 },
	{ "centre", F_TEXT, .max = 64, .says = "Needed from an office" },
	{ 0 },
};

static const struct field scan_in[] = {
	{ "codes", F_TEXTS, .required = true, .max = 500,
	  .says = "As they were scanned; the same ones may come again" },
	{ 0 },
};

static const struct field end_in[] = {
	{ "note", F_TEXT, .max = 2000 },
	{ 0 },
};

static const struct field item[] = {
	{ "item", F_TEXT, .required = true, .max = 100, .says = "A line's code" },
	{ 0 },
};

static const struct field resolution_in[] = {
	{ "items", F_ITEMS, .required = true, .max = 500, .items = item },
	{ "as", F_ENUM, .required = true, .of = resolutions,
	  .says = "lost: what is missing. found: what the book said was lost. explained: anything." },
	{ "note", F_TEXT, .required = true, .max = 2000 },
	{ 0 },
};

enum { KEEPS = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = KEEPS | ROLE_AUDITOR };

const struct endpoint stock_taking_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/stock-takings", SEES, list_query, .page = "id",
	  .way = { { NULL, SQL_stock_takings_list, "query.centre query.state page.after page.limit" } },
	  .summary = "Stock-takings by centre and state" },
	{ HTTP_METHOD_POST, "/api/v1/stock-takings", KEEPS, NULL, begin_in, .status = 201,
	  .way = { { NULL, SQL_stock_taking_begin, "in.centre in.shelf in.model in.note" } },
	  .summary = "Begin to count a centre, one of its shelves, or one model there" },
	{ HTTP_METHOD_GET, "/api/v1/stock-takings/{id}", SEES, .always = true,
	  .way = { { NULL, SQL_stock_taking_get, "path.id" } },
	  .summary = "One stock-taking and how many are counted, missing, surplus" },
	{ HTTP_METHOD_GET, "/api/v1/stock-takings/{id}/lines", SEES, lines_query, .page = "_cursor",
	  .way = { { NULL, SQL_stock_taking_lines, "path.id query.result page.after page.limit" } },
	  .summary = "Its lines: each label with what the book says now or, when it is closed, said then" },
	{ HTTP_METHOD_POST, "/api/v1/stock-takings/{id}/scans", KEEPS, NULL, scan_in,
	  .way = { { NULL, SQL_stock_taking_scan, "path.id in.codes" } },
	  .summary = "Labels that were scanned: each counts once, however often it comes" },
	{ HTTP_METHOD_POST, "/api/v1/stock-takings/{id}/close", KEEPS, NULL, end_in,
	  .way = { { NULL, SQL_stock_taking_close, "path.id if_match in.note" } },
	  .summary = "Close it: its differences are kept for good" },
	{ HTTP_METHOD_POST, "/api/v1/stock-takings/{id}/cancel", KEEPS, NULL, end_in,
	  .way = { { NULL, SQL_stock_taking_cancel, "path.id if_match in.note" } },
	  .summary = "Cancel it: it found nothing" },
	{ HTTP_METHOD_POST, "/api/v1/stock-takings/{id}/resolutions", KEEPS, NULL, resolution_in,
	  .way = { { NULL, SQL_stock_taking_resolve, "path.id in.items in.as in.note" } },
	  .summary = "Resolve differences: missing ones are lost, lost ones found, others explained; all or "
		     "none" },
	{ 0 },
};
