/* SPDX-License-Identifier: Apache-2.0
 * Needs imports. Their files come in by import_upload.c, their refused rows leave by import_file.c. */
#include "api/engine.h"
#include "api/import_file.h"
#include "api/import_upload.h"
#include "api/tables.h"
#include "service/needs/needs_table.h"

static enum step step_begin(struct request *r)
{
	return import_upload_begin(r, &needs_table);
}

static enum step step_found(struct request *r)
{
	return import_file_found(r, &needs_table);
}

static request_step *const upload_steps[] = { step_begin, NULL };
static request_step *const rejected_steps[] = { step_ask, step_found, import_file_send, NULL };

static const char *const modes[] = { "dry_run", "good_rows", "all_or_nothing", NULL };
static const struct field upload_query[] = {
	{ "plan", F_TEXT, .required = true, .max = 32 },
	{ "mode", F_ENUM, .required = true, .of = modes },
	{ 0 },
};
static const struct field list_query[] = {
	{ "plan", F_TEXT, .max = 32 },
	{ 0 },
};

const struct endpoint import_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/imports", RUNS_CASES, upload_query, .status = 202, .steps = upload_steps,
	  .sink = &import_upload_sink, .takes = IMPORT_UPLOAD_TAKES,
	  .way = { { NULL, SQL_import_create, "query.plan query.mode step.1 step.2 step.3 step.4 step.5" } },
	  .summary = "Import a needs file: CSV in UTF-8 or GB18030, or XLSX, is the body" },
	{ HTTP_METHOD_GET, "/api/v1/imports", SEES_FIGURES, list_query, .page = "id",
	  .way = { { NULL, SQL_imports_list, "query.plan page.after page.limit" } }, .summary = "Imports" },
	{ HTTP_METHOD_GET, "/api/v1/imports/{id}", SEES_FIGURES,
	  .way = { { NULL, SQL_import_get, "path.id" } }, .summary = "An import: state, progress, figures" },
	{ HTTP_METHOD_GET, "/api/v1/imports/{id}/rejected", RUNS_CASES, .steps = rejected_steps,
	  .media = IMPORT_UPLOAD_TAKES, .plain = true, .way = { { NULL, SQL_import_file, "path.id" } },
	  .summary = "The refused rows as a file of the same format, with 错误代码 and 错误说明" },
	{ HTTP_METHOD_POST, "/api/v1/imports/{id}/cancel", RUNS_CASES,
	  .way = { { NULL, SQL_import_cancel, "path.id" } },
	  .summary = "Stop an import: nothing of it stays" },
	{ 0 },
};
