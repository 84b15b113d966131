/* SPDX-License-Identifier: Apache-2.0
 * Sampling inspection (抽查): freeze a list, draw from it, go there, say what was found. The rules of
 * freezing and drawing are the database's (migration 0022); the bounds of a rate are computed here. */
#include "api/engine.h"
#include "api/tables.h"
#include "service/json_write.h"
#include "service/rate_interval.h"

const struct verdict sample_verdicts[] = {
	{ "sample_size_unclear", 422, "Give either per_stratum, or share and perhaps minimum.",
	  "/per_stratum" },
	{ "seed_known_already", 422,
	  "The seed must be a number that becomes known only after the list is frozen.", "/seed_at" },
	{ "sample_again", 422, "There is a sample of these households already: say why another is needed.",
	  "/note" },
	{ "sample_empty", 422, "No household counts there in that time.", "/accepted_from" },
	{ "sample_too_large", 422, "More than 200,000 households: take a shorter time or a smaller region.",
	  "/accepted_from" },
	{ "sample_drawn", 409, "It is drawn: another seed would need a new sample.", NULL },
	{ "seed_not_due", 422, "The seed is not known before the time that was named.", "/seed" },
	{ "assessor_involved", 422, "Who had a hand in the case does not inspect it.", "/assessor" },
	{ "visit_before_draw", 422, "A visit before the draw is none of this sample.", "/visited_at" },
	{ "error_kind_unfit", 422, "An error has a kind, and nothing else has one.", "/kind" },
	{ NULL, 0, NULL, NULL },
};

static const double confidence = 0.95;

static const struct field sample_in[] = {
	{ "accepted_from", F_DATE, .required = true },
	{ "accepted_to", F_DATE, .required = true },
	{ "region", F_REGION, .says = "With everything below it; the whole plan unless given." },
	{ "per_stratum", F_INT, .min = 1, .max = 100000,
	  .says = "How many of each county and contractor; all where there are fewer." },
	{ "share", F_INT, .min = 1, .max = 100,
	  .says = "Instead: percent of each county and contractor, rounded up." },
	{ "minimum", F_INT, .min = 1, .max = 100000, .says = "With share: at least so many of each." },
	{ "seed_source", F_TEXT, .required = true, .min = 1, .max = 500,
	  .says = "Which public number will be the seed, such as that of a lottery." },
	{ "seed_at", F_TIME, .required = true, .says = "When that number becomes known: in the future." },
	{ "note", F_TEXT, .max = 2000, .says = "Why; required when these households were sampled before." },
	{ 0 },
};

static const struct field draw_in[] = {
	{ "seed", F_TEXT, .required = true, .min = 1, .max = 200,
	  .says = "The public number as text, byte for byte what anybody redraws with." },
	{ 0 },
};

static const struct field list_query[] = {
	{ "plan", F_TEXT, .required = true, .max = 32 },
	{ 0 },
};

static const char *const results[] = { "ok", "error", "not_met", "not_visited", NULL };
static const struct field cases_query[] = {
	{ "result", F_ENUM, .of = results },
	{ 0 },
};

static const struct field assign_in[] = {
	{ "assessor", F_TEXT, .required = true, .max = 64, .says = "The assessor's user name." },
	{ 0 },
};

static const char *const found[] = { "ok", "error", "not_met", NULL };
static const char *const kinds[] = { "work_missing", "work_differs", "quality", "devices_only",
				     "household",    "money",        "other",   NULL };
static const struct field finding_in[] = {
	{ "visited_at", F_TIME, .required = true },
	{ "result", F_ENUM, .required = true, .of = found,
	  .says = "not_met: nobody was at home, and the case still counts as not visited." },
	{ "kind", F_ENUM, .of = kinds, .says = "Of an error." },
	{ "note", F_TEXT, .max = 2000, .says = "Required with an error." },
	{ 0 },
};

static const char *const groups[] = { "whole", "county", "contractor", "stratum", NULL };
static const struct field rates_query[] = {
	{ "by", F_ENUM, .required = true, .of = groups },
	{ 0 },
};

/* Columns of sample_rates. */
enum { R_COUNTY, R_CONTRACTOR, R_HOUSEHOLDS, R_DRAWN, R_VISITED, R_ERRORS, R_WEIGHTED };

static void write_name(struct buffer *out, const char *name, const struct db_rows *rows, int row, int column)
{
	if (db_is_null(rows, row, column))
		return;
	buffer_printf(out, "\"%s\":", name);
	json_write_text(out, db_get(rows, row, column));
	buffer_char(out, ',');
}

static void write_rate(struct buffer *out, const struct db_rows *rows, int row)
{
	long long drawn = db_get_int(rows, row, R_DRAWN), visited = db_get_int(rows, row, R_VISITED),
		  errors = db_get_int(rows, row, R_ERRORS);
	struct rate_interval bounds = rate_interval_exact(errors, visited, confidence);
	buffer_char(out, '{');
	write_name(out, "county", rows, row, R_COUNTY);
	write_name(out, "contractor", rows, row, R_CONTRACTOR);
	buffer_printf(out,
		      "\"households\":%lld,\"drawn\":%lld,\"not_visited\":%lld,\"visited\":%lld,"
		      "\"errors\":%lld,\"confidence\":%g,",
		      (long long)db_get_int(rows, row, R_HOUSEHOLDS), drawn, drawn - visited, visited, errors,
		      confidence);
	if (visited == 0)
		buffer_text(out, "\"rate\":null,\"low\":null,\"high\":null,\"weighted\":null}");
	else
		buffer_printf(out, "\"rate\":%.6f,\"low\":%.6f,\"high\":%.6f,\"weighted\":%.6f}",
			      (double)errors / (double)visited, bounds.low, bounds.high,
			      db_get_float(rows, row, R_WEIGHTED));
}

static enum step step_rates(struct request *r)
{
	struct buffer out;
	if (r->reply->outcome != DB_OK)
		return problem_of_reply(r, r->reply);
	const struct db_rows *rows = &r->reply->rows[0];
	buffer_init(&out, http_arena(r->x), 1024);
	buffer_text(&out, "{\"items\":[");
	for (int i = 0; i < db_row_count(rows); i++) {
		if (i)
			buffer_char(&out, ',');
		write_rate(&out, rows, i);
	}
	buffer_text(&out, "]}");
	if (out.failed)
		return problem(r, 500, "answer_too_large", NULL, NULL);
	return answer_json(r, 200, buffer_taken(&out), NULL);
}

static request_step *const rates_steps[] = { step_ask, step_rates, NULL };

#define NUMBER "{\"type\":\"integer\"}"
#define RATE "{\"type\":[\"number\",\"null\"],\"minimum\":0,\"maximum\":1}"
#define RATES_SCHEMA                                                                                     \
	"{\"type\":\"object\",\"required\":[\"items\"],\"properties\":{\"items\":{\"type\":\"array\","   \
	"\"items\":"                                                                                     \
	"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"households\",\"drawn\","    \
	"\"not_visited\",\"visited\",\"errors\",\"confidence\",\"rate\",\"low\",\"high\",\"weighted\"]," \
	"\"properties\":{\"county\":{\"type\":\"string\"},\"contractor\":{\"type\":\"string\"},"         \
	"\"households\":" NUMBER ",\"drawn\":" NUMBER ",\"not_visited\":" NUMBER ",\"visited\":" NUMBER  \
	",\"errors\":" NUMBER ",\"confidence\":{\"type\":\"number\"},\"rate\":" RATE ",\"low\":" RATE    \
	",\"high\":" RATE ",\"weighted\":" RATE "}}}}}"

enum { SEES_SAMPLES = SEES_FIGURES | ROLE_ASSESSOR, INSPECTS = ROLE_MANAGER | ROLE_ASSESSOR };

const struct endpoint sample_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/plans/{code}/samples", ROLE_MANAGER, NULL, sample_in, .status = 201,
	  .way = { { NULL, SQL_sample_freeze,
		     "path.code in.region in.accepted_from in.accepted_to in.per_stratum in.share in.minimum "
		     "in.seed_source in.seed_at in.note" } },
	  .summary = "Freeze the list of the households that count, before the seed is known" },
	{ HTTP_METHOD_GET, "/api/v1/samples", SEES_SAMPLES, list_query, .page = "id",
	  .way = { { NULL, SQL_samples_list, "query.plan page.after page.limit" } },
	  .summary = "Samples of a plan" },
	{ HTTP_METHOD_GET, "/api/v1/samples/{id}", SEES_SAMPLES,
	  .way = { { NULL, SQL_sample_get, "path.id" } },
	  .summary = "One sample: its rule, its digest, its seed" },
	{ HTTP_METHOD_POST, "/api/v1/samples/{id}/draw", ROLE_MANAGER, NULL, draw_in,
	  .way = { { NULL, SQL_sample_draw, "path.id if_match in.seed" } },
	  .summary = "Give the seed: it alone says who is drawn, once and for all" },
	{ HTTP_METHOD_GET, "/api/v1/samples/{id}/strata", SEES_FIGURES, .page = "id",
	  .way = { { NULL, SQL_sample_strata, "path.id page.after page.limit" } },
	  .summary = "Counties and contractors, how many each has and gives" },
	{ HTTP_METHOD_GET, "/api/v1/samples/{id}/frame", SEES_FIGURES, .page = "id",
	  .way = { { NULL, SQL_sample_frame, "path.id page.after page.limit" } },
	  .summary = "The frozen list, by case id: with the seed, all that is needed to redraw" },
	{ HTTP_METHOD_GET, "/api/v1/samples/{id}/cases", SEES_SAMPLES, cases_query, .page = "id",
	  .way = { { NULL, SQL_sample_cases, "path.id query.result page.after page.limit" } },
	  .summary = "Who is drawn, and what was found" },
	{ HTTP_METHOD_GET, "/api/v1/samples/{id}/cases/{case}", SEES_SAMPLES,
	  .way = { { NULL, SQL_sample_case_get, "path.id path.case" } },
	  .summary = "One who is drawn, with the address; the reading is recorded" },
	{ HTTP_METHOD_POST, "/api/v1/samples/{id}/cases/{case}/assignment", ROLE_MANAGER, NULL, assign_in,
	  .way = { { NULL, SQL_sample_assign, "path.id path.case in.assessor" } },
	  .summary = "Send an assessor who had no hand in the case" },
	{ HTTP_METHOD_POST, "/api/v1/samples/{id}/cases/{case}/findings", INSPECTS, NULL, finding_in,
	  .status = 201,
	  .way = { { NULL, SQL_sample_find, "path.id path.case in.visited_at in.result in.kind in.note" } },
	  .summary = "What was found; a later finding corrects an earlier one, and both stay" },
	{ HTTP_METHOD_GET, "/api/v1/samples/{id}/cases/{case}/findings", SEES_SAMPLES, .page = "id",
	  .way = { { NULL, SQL_sample_findings, "path.id path.case page.after page.limit" } },
	  .summary = "All findings of one case" },
	{ HTTP_METHOD_GET, "/api/v1/samples/{id}/rates", SEES_FIGURES, rates_query,
	  .way = { { NULL, SQL_sample_rates, "path.id query.by" } }, .steps = rates_steps, .plain = true,
	  .says = RATES_SCHEMA,
	  .summary = "Error rates with their 95 % confidence interval; what is not visited is in none" },
	{ 0 },
};
