/* SPDX-License-Identifier: Apache-2.0
 * Orders: cases given to contractors, accepted or declined in time, reassigned. An order is addressed by its
 * case, which has at most one that is not over.
 */
#include "api/engine.h"
#include "api/tables.h"

const struct verdict order_verdicts[] = {
	{ "order_not_accepted", 422, "The contractor has not accepted the order.", "/to" },
	{ "order_answered", 409, "The order has been answered.", NULL },
	{ "order_over", 409, "The order is over.", NULL },
	{ "order_given", 422, "The case is with a contractor: another one needs a reassignment.",
	  "/contractor" },
	{ "orders_refused", 422, "Some cases cannot be given, so that none was.", "/cases" },
	{ "nothing_given", 422, "There is no case to give.", "/cases" },
	{ "answer_by_passed", 422, "The time to answer is over already.", "/answer_by" },
	{ "not_with_contractor", 422, "Only what is assigned, being built or reworked is reassigned.", NULL },
	{ "contractor_same", 422, "The case is with this contractor.", "/contractor" },
	{ NULL, 0, NULL, NULL },
};

static const char *const order_states[] = { "open", "silent", "accepted", "declined", "closed", NULL };

static const struct field orders_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ "region", F_REGION, .says = "Any code the region ever had; with everything below it." },
	{ "contractor", F_TEXT, .max = 64 },
	{ "state", F_ENUM, .of = order_states, .says = "silent: open, and past its time to answer." },
	{ 0 },
};

static const struct field given_case[] = {
	{ "id", F_INT, .required = true, .min = 1, .max = INT64_MAX },
	{ "version", F_INT, .min = 1, .max = INT32_MAX, .says = "Only if the case still has it." },
	{ 0 },
};
static const struct field give_in[] = {
	{ "contractor", F_TEXT, .required = true, .max = 64, .says = "The contractor's code." },
	{ "cases", F_ITEMS, .required = true, .max = 200, .items = given_case },
	{ "answer_by", F_TIME, .says = "If not when the plan says." },
	{ "note", F_TEXT, .max = 2000 },
	{ "all_or_nothing", F_BOOL, .says = "Give none when one cannot be given." },
	{ 0 },
};

static const struct field accept_in[] = {
	{ "note", F_TEXT, .max = 2000, .says = "Needed of who records it for the contractor." },
	{ 0 },
};
static const struct field decline_in[] = {
	{ "reason", F_TEXT, .required = true, .max = 2000 },
	{ 0 },
};
static const struct field reassign_in[] = {
	{ "contractor", F_TEXT, .required = true, .max = 64, .says = "The other contractor's code." },
	{ "reason", F_TEXT, .required = true, .max = 2000 },
	{ "answer_by", F_TIME, .says = "If not when the plan says." },
	{ 0 },
};

enum {
	SEES_ORDERS = ROLE_CONTRACTOR | ROLE_COUNTY | ROLE_MANAGER | ROLE_AUDITOR,
	ANSWERS_ORDERS = ROLE_CONTRACTOR | ROLE_COUNTY | ROLE_MANAGER
};

#define FILTERS "query.plan query.region query.contractor query.state page.after page.limit"

const struct endpoint order_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/orders", SEES_ORDERS, orders_query,
	  .way = { { "@contractor", SQL_orders_of_contractor, FILTERS },
		   { "contractor", SQL_orders_given_to, FILTERS },
		   { "state=open", SQL_orders_waiting, FILTERS },
		   { "state=silent", SQL_orders_waiting, FILTERS },
		   { NULL, SQL_orders_of_region, FILTERS } },
	  .page = "id", .summary = "Orders by state, plan, region, contractor" },
	{ HTTP_METHOD_POST, "/api/v1/orders", RUNS_CASES, NULL, give_in,
	  .way = { { NULL, SQL_orders_give,
		     "in.contractor in.cases in.answer_by in.note in.all_or_nothing" } },
	  .summary = "Give designed cases to a contractor; says of each what came of it" },
	{ HTTP_METHOD_GET, "/api/v1/orders/{id}", SEES_ORDERS, .way = { { NULL, SQL_order_get, "path.id" } },
	  .summary = "One order" },
	{ HTTP_METHOD_GET, "/api/v1/cases/{id}/orders", SEES_ORDERS, .page = "id",
	  .way = { { NULL, SQL_orders_of_case, "path.id page.after page.limit" } },
	  .summary = "Every order that a case had" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/order/accept", ANSWERS_ORDERS, NULL, accept_in,
	  .way = { { NULL, SQL_order_accept, "path.id in.note if_match" } },
	  .summary = "Accept the order of a case; county and manager record it for the contractor" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/order/decline", ANSWERS_ORDERS, NULL, decline_in,
	  .way = { { NULL, SQL_order_decline, "path.id in.reason if_match" } },
	  .summary = "Decline the order of a case, or give it back before building begins" },
	{ HTTP_METHOD_POST, "/api/v1/cases/{id}/reassignment", RUNS_CASES, NULL, reassign_in,
	  .way = { { NULL, SQL_order_reassign, "path.id in.contractor in.reason in.answer_by if_match" } },
	  .summary = "Another contractor: a new order, to be accepted anew" },
	{ 0 },
};
