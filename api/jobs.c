/* SPDX-License-Identifier: Apache-2.0
 * The queue as people see it, and what it has said to the outside. */
#include "api/tables.h"

static const char *const states[] = { "queued", "running", "done", "dead", "cancelled", NULL };
static const struct field list_query[] = {
	{ "state", F_ENUM, .of = states },
	{ "kind", F_TEXT, .max = 64 },
	{ 0 },
};
static const struct field outbox_query[] = {
	{ "kind", F_TEXT, .max = 64 },
	{ 0 },
};
enum { SEES_JOBS = ROLE_ADMIN | ROLE_COUNTY | ROLE_MANAGER | ROLE_AUDITOR };

const struct endpoint job_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/jobs", SEES_JOBS, list_query, .page = "id",
	  .way = { { NULL, SQL_jobs_list, "query.state query.kind page.after page.limit" } },
	  .summary = "Jobs" },
	{ HTTP_METHOD_GET, "/api/v1/jobs/{id}", SEES_JOBS, .way = { { NULL, SQL_job_get, "path.id" } },
	  .summary = "One job" },
	{ HTTP_METHOD_POST, "/api/v1/jobs/{id}/retry", ROLE_ADMIN | ROLE_MANAGER,
	  .way = { { NULL, SQL_job_retry, "path.id" } }, .summary = "Try a dead job again" },
	{ HTTP_METHOD_GET, "/api/v1/outbox", SEES_FIGURES, outbox_query, .page = "id",
	  .way = { { NULL, SQL_outbox_list, "query.kind page.after page.limit" } },
	  .summary = "Reminders and other messages" },
	{ 0 },
};
