/* SPDX-License-Identifier: Apache-2.0
 * Labels to print: which items, and where on the sheet. */
#include "api/tables.h"

enum { SEES = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER | ROLE_AUDITOR };

static const struct field labels_query[] = {
	{ "items", F_TEXT, .min = 1, .max = 4000, .says = "Codes of labels or ids, with commas between" },
	{ "intake", F_INT, .min = 1, .max = INT64_MAX, .says = "What an intake has taken in" },
	{ "centre", F_TEXT, .max = 64, .says = "With a day; a centre's own unless given" },
	{ "day", F_DATE, .says = "What the centre has taken in on that day" },
	{ "after", F_INT, .min = 0, .max = INT64_MAX, .says = "Go on after this item: 240 labels a time" },
	{ "columns", F_INT, .min = 1, .max = 8, .says = "3 unless given" },
	{ "rows", F_INT, .min = 1, .max = 20, .says = "8 unless given" },
	{ "margin_x", F_NUMBER, .min = 0, .max = 50, .says = "mm at either side; 0 unless given" },
	{ "margin_y", F_NUMBER, .min = 0, .max = 50, .says = "mm above and below; 0 unless given" },
	{ "gap_x", F_NUMBER, .min = 0, .max = 20, .says = "mm between columns; 0 unless given" },
	{ "gap_y", F_NUMBER, .min = 0, .max = 20, .says = "mm between rows; 0 unless given" },
	{ "first", F_INT, .min = 1, .max = 160,
	  .says = "Where the first label goes on a half-used sheet, counted along the rows; 1 unless given" },
	{ 0 },
};

const struct verdict device_label_verdicts[] = {
	{ "labels_of_what", 422, "Labels are of items, or of an intake, or of a day: of one of them.", NULL },
	{ "label_unknown", 422, "One of these is no item of yours.", "/items" },
	{ "labels_none", 422, "There is no item to print a label of.", NULL },
	{ "labels_too_small", 422,
	  "With these columns, rows, margins and gaps a label is under 25 mm wide or 12 mm high.",
	  "/columns" },
	{ "label_place", 422, "The sheet has no such place.", "/first" },
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_label_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/device-labels", SEES, labels_query, .sheet = "device_labels",
	  .way = { { NULL, SQL_device_labels,
		     "query.items query.intake query.centre query.day query.after query.columns query.rows "
		     "query.margin_x query.margin_y query.gap_x query.gap_y query.first" } },
	  .summary = "A4 sheets of labels: model, code in digits, Code 128 and QR",
	  .says = "Labels of 70 × 37 mm, 24 a sheet, unless the query says otherwise" },
	{ 0 },
};
