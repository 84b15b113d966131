/* SPDX-License-Identifier: Apache-2.0
 * Device-fitting rate, people served, what indicators have reached, and how the stock is used. Each figure of
 * people or devices opens into as many rows as it says. */
#include "api/tables.h"

const struct verdict device_figure_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

static const char *const measures[] = { "needing", "fitted", "waiting", "rented", NULL };
static const char *const services[] = { "all", "assessment", "fitting", "repair", "rental", "loan", NULL };
static const char *const groups[] = { "model", "kind", "centre", NULL };
static const char *const states[] = { "in_stock",     "reserved",   "lent",      "fitted",   "returned",
				      "disinfecting", "inspecting", "repairing", "recalled", NULL };

#define REGION                                                                                          \
	{                                                                                               \
		"region", F_REGION,                                                                     \
			.says = "Any code the region ever had; without it the plan's region, or yours " \
				"within it."                                                            \
	}
#define YEAR                                                                                \
	{                                                                                   \
		"year", F_INT, .min = 2000, .max = 2100, .says = "This year, unless given." \
	}
#define AS_OF                                                   \
	{                                                       \
		"as_of", F_DATE, .says = "Today, unless given." \
	}

static const struct field rate_query[] = { REGION, AS_OF, { 0 } };
static const struct field people_query[] = {
	{ "measure", F_ENUM, .required = true, .of = measures,
	  .says = "waiting: who needs and is not fitted." },
	REGION,
	AS_OF,
	{ 0 },
};
static const struct field year_query[] = { REGION, YEAR, { 0 } };
static const struct field progress_query[] = {
	REGION,
	{ "year", F_INT, .min = 2000, .max = 2100,
	  .says = "What is due every year: of this one, unless given. What is due in the whole period: until "
		  "its end, "
		  "or until now." },
	{ 0 },
};
static const struct field served_query[] = {
	{ "service", F_ENUM, .required = true, .of = services },
	REGION,
	YEAR,
	{ 0 },
};
static const struct field devices_query[] = {
	{ "measure", F_TEXT, .max = 48, .says = "A kind of device; without it all kinds" },
	REGION,
	{ "year", F_INT, .min = 2000, .max = 2100, .says = "Without it all years" },
	{ 0 },
};

#define PLACE                                                                                                \
	{ "centre", F_TEXT, .max = 64 },                                                                     \
	{                                                                                                    \
		"region", F_REGION,                                                                          \
			.says = "Any code the region ever had; the centres in it, with everything below it." \
	}
#define TIME                                                                  \
	{ "from", F_DATE, .says = "The first day; 1 January unless given." }, \
	{                                                                     \
		"until", F_DATE, .says = "The last day; today unless given."  \
	}

static const struct field use_query[] = {
	{ "by", F_ENUM, .required = true, .of = groups },
	PLACE,
	TIME,
	{ 0 },
};
static const struct field states_query[] = { PLACE, TIME, { 0 } };
static const struct field waits_query[] = {
	{ "state", F_ENUM, .of = states,
	  .says = "Without it returned, disinfecting, inspecting, repairing and recalled: where somebody is "
		  "to do something." },
	{ "days", F_INT, .min = 0, .max = 36500, .says = "At least so long" },
	{ "never_issued", F_BOOL, .says = "Only what was never handed to anybody" },
	{ "measure", F_TEXT, .max = 48, .says = "A kind of device" },
	PLACE,
	{ 0 },
};

enum { SEES_STOCK = SEES_FIGURES | ROLE_CENTRE };

#define PEOPLE "path.code query.region query.measure query.as_of page.after page.limit"
#define PLACES "query.centre query.region query.from query.until"

const struct endpoint device_figure_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/device-rate", SEES_FIGURES, rate_query,
	  .way = { { NULL, SQL_device_rate, "path.code query.region query.as_of" } },
	  .summary = "The device-fitting rate on any day",
	  .says = "Of the people with a device need, how many were fitted. rented: who has a rental open, "
		  "counted apart." },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/device-rate/counties", SEES_FIGURES, rate_query,
	  .way = { { NULL, SQL_device_rate_by_county, "path.code query.region query.as_of" } },
	  .summary = "The device-fitting rate county by county" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/device-rate/people", SEES_FIGURES, people_query,
	  .page = "id",
	  .way = { { "measure=needing", SQL_device_needing, PEOPLE },
		   { "measure=waiting", SQL_device_needing, PEOPLE },
		   { NULL, SQL_device_people, PEOPLE } },
	  .summary = "The people a device-fitting rate is made of" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/device-services", SEES_FIGURES, year_query,
	  .way = { { NULL, SQL_device_services, "path.code query.region query.year" } },
	  .summary = "People served in a year, by service and in all" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/device-services/people", SEES_FIGURES, served_query,
	  .page = "id",
	  .way = { { NULL, SQL_device_served,
		     "path.code query.region query.year query.service page.after page.limit" } },
	  .summary = "The people served in a year" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/device-services/devices", SEES_FIGURES, devices_query,
	  .page = "id",
	  .way = { { NULL, SQL_device_pieces,
		     "path.code query.region query.year query.measure page.after page.limit" } },
	  .summary = "The devices fitted in a year" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/indicators/progress", SEES_FIGURES, progress_query,
	  .way = { { NULL, SQL_indicators_progress, "path.code query.region query.year" } },
	  .summary = "What each indicator of a plan has reached",
	  .says = "opening: the list that the figure is made of." },
	{ HTTP_METHOD_GET, "/api/v1/device-use", SEES_STOCK, use_query, .page = "code",
	  .way = { { NULL, SQL_device_use, PLACES " query.by page.after page.limit" } },
	  .summary = "Item-days of a time, and the share of them that items were lent" },
	{ HTTP_METHOD_GET, "/api/v1/device-states", SEES_STOCK, states_query,
	  .way = { { NULL, SQL_device_states, PLACES } },
	  .summary = "How long items are in which state, and how long they were" },
	{ HTTP_METHOD_GET, "/api/v1/device-waits", SEES_STOCK, waits_query, .page = "_cursor",
	  .way = { { NULL, SQL_device_waits,
		     "query.centre query.region query.state query.days query.never_issued "
		     "query.measure page.after page.limit" } },
	  .summary = "Items by how long they have been where they are, the longest first" },
	{ 0 },
};
