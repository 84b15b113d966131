/* SPDX-License-Identifier: Apache-2.0
 * Refusals: problem details (RFC 9457) with a stable code. Verdicts of statements and errors of PostgreSQL
 * become HTTP here and nowhere else. */
#include "api/engine.h"
#include "service/json_write.h"
#include "service/log.h"
#include <errno.h>

const struct verdict verdicts[] = {
	{ "not_found", 404, "There is no such thing, or it is not yours to see.", NULL },
	{ "stale", 412, "It has changed since you read it.", NULL },
	{ "stage_not_allowed", 422, "The case cannot go to this stage from where it is.", "/to" },
	{ "role_not_allowed", 403, "Your role may not do this.", NULL },
	{ "note_required", 422, "This step needs a reason.", "/note" },
	{ "not_eligible", 422,
	  "The household does not fulfil the plan's rule; a plan manager may approve with a reason.", "/to" },
	{ "devices_only", 422,
	  "All that was done is hand out devices: that is no retrofit (杜绝以简单配发辅助器具代替改造).",
	  "/to" },
	{ "notice_not_over", 422, "The public notice (公示) is not over.", "/happened_at" },
	{ "happened_in_future", 422, "It cannot have happened in the future.", "/happened_at" },
	{ "happened_before_plan", 422, "It cannot have happened before the plan began.", "/happened_at" },
	{ "happened_before_last", 422, "It cannot have happened before the step before it.", "/happened_at" },
	{ "nothing_to_take_back", 422, "There is no action that could be taken back.", NULL },
	{ "not_your_action", 403, "Only who acted may take an action back, until the next one acts.", NULL },
	{ "contractor_unknown", 422, "There is no such contractor.", "/contractor" },
	{ "contractor_not_wanted", 422, "A contractor does not belong here.", "/contractor" },
	{ "contractor_required", 422, "A contractor is needed.", "/contractor" },
	{ "centre_required", 422, "This role needs a centre.", "/centre" },
	{ "centre_not_wanted", 422, "A centre does not belong here.", "/centre" },
	{ "assessor_unknown", 422, "There is no such assessor in this region.", "/assessor" },
	{ "region_unknown", 422, "There is no such region.", "/region" },
	{ "region_required", 422, "This role needs a region.", "/region" },
	{ "region_foreign", 403, "The region is not yours.", "/region" },
	{ "region_not_within", 422, "The region does not lie where it would have to.", "/region" },
	{ "region_taken", 409, "The region code is taken.", "/code" },
	{ "region_not_renumbered", 422, "Only counties and townships are renumbered.", "/code" },
	{ "parent_unknown", 422, "There is no such parent region.", "/parent" },
	{ "user_taken", 409, "The user name is taken.", "/user" },
	{ "plan_unknown", 422, "There is no such plan.", "/plan" },
	{ "plan_foreign", 403, "The plan is not in your region.", "/plan" },
	{ "code_invalid", 422, "Lower-case letters, digits, - and _; a letter first.", "/code" },
	{ "plan_taken", 409, "The plan code is taken.", "/code" },
	{ "period_backwards", 422, "The period ends before it begins.", "/ends_on" },
	{ "counts_by_year", 422, "Who is served is counted year by year.", "/counts" },
	{ "counts_no_kind", 422, "Only devices are counted by their kind.", "/measure" },
	{ "indicator_fixed", 422, "Unit and period of an indicator cannot change: make a new one.", "/unit" },
	{ "split_exceeds_target", 422, "The parts are more than the whole.", "/items" },
	{ "split_without_key", 422, "A part needs a region, a year, or both.", "/items" },
	{ "split_twice", 422, "The same part is given twice.", "/items" },
	{ "import_over", 409, "The import is over.", NULL },
	{ "job_not_dead", 409, "Only a dead job can be tried again.", NULL },
	{ "job_already_queued", 409, "The same job is already queued.", NULL },
	{ "upload_gone", 409, "The uploaded file is not kept any more: send it again.", NULL },
	{ "list_empty", 422, "The list is empty.", NULL },
	{ "items_refused", 409, "Some of the items cannot be dealt with; nothing was done. items says why.",
	  NULL },
	{ NULL, 0, NULL, NULL },
};

const struct verdict *verdict_of(struct slice name)
{
	for (int t = 0; verdict_tables[t]; t++)
		for (const struct verdict *v = verdict_tables[t]; v->name; v++)
			if (slice_is(name, v->name))
				return v;
	INVARIANT(false); /* a verdict that the table has */
	return NULL;
}

static const char *title_of_status(int status)
{
	switch (status) {
	case 400:
		return "The request cannot be read.";
	case 401:
		return "Sign in first.";
	case 403:
		return "You may not do this.";
	case 404:
		return "There is no such thing.";
	case 409:
		return "It conflicts with what is there.";
	case 413:
		return "The request is too large.";
	case 415:
		return "This content type is not understood.";
	case 422:
		return "A field is wrong.";
	case 429:
		return "Too many requests.";
	case 503:
		return "The service cannot answer now.";
	default:
		return status >= 500 ? "The service failed." : "The request was refused.";
	}
}

/* Without the closing brace, so that more members can follow. */
void problem_begin(struct buffer *out, int status, const char *code, const char *title, struct slice field,
		   const char *detail)
{
	buffer_printf(out, "{\"type\":\"about:blank\",\"title\":");
	json_write_text(out, slice_of(title ? title : title_of_status(status)));
	buffer_printf(out, ",\"status\":%d,\"code\":\"%s\"", status, code);
	if (field.len) {
		buffer_text(out, ",\"field\":");
		json_write_text(out, field);
	}
	if (detail) {
		buffer_text(out, ",\"detail\":");
		json_write_text(out, slice_of(detail));
	}
}

enum step problem(struct request *r, int status, const char *code, const char *field, const char *detail)
{
	struct buffer out;
	bool passes = status == 503 || status == 429;
	r->refused = code;
	buffer_init(&out, http_arena(r->x), 256);
	problem_begin(&out, status, code, NULL, field ? slice_of(field) : (struct slice){ 0 }, detail);
	buffer_char(&out, '}');
	struct http_response response = {
		.status = status,
		.content_type = "application/problem+json",
		.extra_headers = status == 401 ? "WWW-Authenticate: Bearer\r\n"
				 : passes      ? arena_printf(http_arena(r->x), "Retry-After: %u\r\n",
                                                         r->retry_after ? r->retry_after : 1)
					       : NULL,
		.body = out.failed ? SLICE("{\"type\":\"about:blank\",\"title\":\"Too "
					   "large\",\"status\":413,\"code\":\"too_long\"}")
				   : buffer_taken(&out),
	};
	return answer_raw(r, &response);
}

/* What PostgreSQL refuses on its own, by SQLSTATE: what a client can cause is 4xx, what passes by is 503. */
static const struct {
	const char *sqlstate; /* whole, or a class of two */
	int status;
	const char *code;
} errors[] = {
	{ "23505", 409, "already_there" },
	{ "23503", 422, "refers_to_nothing" },
	{ "23514", 422, "not_allowed" },
	{ "22", 422, "not_allowed" },
	{ "42501", 403, "outside_your_scope" },
	{ "40001", 503, "try_again" },
	{ "40P01", 503, "try_again" },
	{ "57014", 503, "took_too_long" },
	{ "53", 503, "database_full" },
	{ "57", 503, "database_unavailable" },
	{ "25006", 503, "database_unavailable" }, /* read-only: a replica, for the moment */
	{ "TT001", 422, "stage_not_allowed" },
};

static enum step problem_of_sqlstate(struct request *r, const struct db_reply *reply)
{
	log_line(LOG_WARN, "statement_failed", LOG_TEXT("trace", r->trace),
		 LOG_TEXT("sqlstate", reply->sqlstate), LOG_TEXT("constraint", reply->constraint));
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (strncmp(reply->sqlstate, errors[i].sqlstate, strlen(errors[i].sqlstate)) == 0)
			return problem(r, errors[i].status, errors[i].code, NULL, NULL);
	return problem(r, 500, "internal_error", NULL, NULL);
}

enum step problem_of_reply(struct request *r, const struct db_reply *reply)
{
	switch (reply->outcome) {
	case DB_UNAVAILABLE:
		return problem(r, 503, "database_unavailable", NULL, NULL);
	case DB_UNKNOWN:
		return problem(r, 503, "outcome_unknown", NULL,
			       "The connection to the database broke while this was written. Send it again "
			       "with the same Idempotency-Key.");
	default:
		return problem_of_sqlstate(r, reply);
	}
}

enum step problem_of_verdict(struct request *r, const struct verdict *verdict, const char *field)
{
	struct buffer out;
	field = verdict->field ? verdict->field : verdict->status == 422 ? field : NULL;
	r->refused = verdict->name;
	buffer_init(&out, http_arena(r->x), 256);
	problem_begin(&out, verdict->status, verdict->name, verdict->title,
		      field ? slice_of(field) : (struct slice){ 0 }, NULL);
	buffer_char(&out, '}');
	if (out.failed)
		return problem(r, 413, "too_long", NULL, NULL);
	struct http_response response = { .status = verdict->status,
					  .content_type = "application/problem+json",
					  .body = buffer_taken(&out) };
	return answer_raw(r, &response);
}

enum step problem_of_storage(struct request *r, int error, const char *event)
{
	bool full = error == ENOSPC || error == EDQUOT;
	log_line(LOG_ERROR, event, LOG_TEXT("trace", r->trace), LOG_TEXT("reason", strerror(error)));
	return full ? problem(r, 507, "storage_full", NULL, NULL)
		    : problem(r, 503, "storage_unavailable", NULL, NULL);
}

void api_write_refusal(int status, const char *reason, struct buffer *out)
{
	problem_begin(out, status, reason, NULL, (struct slice){ 0 }, NULL);
	buffer_char(out, '}');
}
