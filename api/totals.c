/* SPDX-License-Identifier: Apache-2.0
 * Figures. Each is exact at the moment of reading and opens into the list it is made of:
 *   accepted → /cases?plan=&region=&counted=true   a stage → /cases?plan=&region=&stage=
 *   a year or month → …&accepted_from=&accepted_to=   any day, as known on any day → /progress/cases */
#include "api/tables.h"

static const struct field progress_query[] = {
	{ "region", F_REGION,
	  .says = "Any code the region ever had; without it the plan's region, or yours within it." },
	{ "as_of", F_DATE, .says = "The figures on that day" },
	{ "known_at", F_DATE, .says = "by what was known on this day." },
	{ 0 },
};

static const char *const dimensions[] = { "county", "year", "month", "stage", NULL };
static const struct field totals_query[] = {
	{ "by", F_ENUM, .required = true, .of = dimensions },
	{ "region", F_REGION },
	{ 0 },
};

static const char *const measures[] = { "counted",      "in_registered", "in_approved", "in_surveyed",
					"in_designed",  "in_assigned",   "in_building", "in_built",
					"in_accepted",  "in_closed",     "in_rejected", "in_withdrawn",
					"in_suspended", "in_rework",     NULL };
static const struct field cases_query[] = {
	{ "measure", F_ENUM, .required = true, .of = measures },
	{ "region", F_REGION },
	{ "as_of", F_DATE },
	{ "known_at", F_DATE },
	{ 0 },
};

const struct endpoint total_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/progress", SEES_FIGURES, progress_query,
	  .way = { { "as_of", SQL_progress_as_of, "path.code query.region query.as_of query.known_at" },
		   { "known_at", SQL_progress_as_of, "path.code query.region query.as_of query.known_at" },
		   { NULL, SQL_progress, "path.code query.region" } },
	  .summary = "A plan's total against its target" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/progress/cases", SEES_FIGURES, cases_query, .page = "id",
	  .way = { { NULL, SQL_progress_cases,
		     "path.code query.region query.measure query.as_of query.known_at page.after "
		     "page.limit" } },
	  .summary = "The households a figure is made of" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/totals", SEES_FIGURES, totals_query,
	  .way = { { "by=county", SQL_totals_by_county, "path.code query.region" },
		   { "by=year", SQL_totals_by_year, "path.code query.region" },
		   { "by=month", SQL_totals_by_month, "path.code query.region" },
		   { NULL, SQL_totals_by_stage, "path.code query.region" } },
	  .summary = "Figures by county, year, month or stage" },
	{ 0 },
};
