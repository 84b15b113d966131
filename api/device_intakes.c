/* SPDX-License-Identifier: Apache-2.0
 * Many items taken in by a file. It comes in by import_upload.c, its refused rows leave by import_file.c;
 * what its columns are is service/intake's to say. */
#include "api/engine.h"
#include "api/import_file.h"
#include "api/import_upload.h"
#include "api/tables.h"
#include "service/intake/intake_check.h"

enum { KEEPS = ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, SEES = KEEPS | ROLE_AUDITOR };

static enum step step_begin(struct request *r)
{
	return import_upload_begin(r, &intake_table);
}

static enum step step_found(struct request *r)
{
	return import_file_found(r, &intake_table);
}

static enum step step_template(struct request *r)
{
	const char *format = input_value(r, "format")->at;
	return import_file_empty(r, &intake_table,
				 format && strcmp(format, "csv") == 0 ? NEEDS_CSV_UTF8_BOM : NEEDS_XLSX);
}

static request_step *const upload_steps[] = { step_begin, NULL };
static request_step *const rejected_steps[] = { step_ask, step_found, import_file_send, NULL };
static request_step *const template_steps[] = { step_template, import_file_send, NULL };

static const char *const modes[] = { "dry_run", "good_rows", "all_or_nothing", NULL };
static const char *const formats[] = { "xlsx", "csv", NULL };
static const struct field upload_query[] = {
	{ "centre", F_TEXT, .max = 64, .says = "Needed from an office; a centre takes in for itself" },
	{ "mode", F_ENUM, .required = true, .of = modes },
	{ 0 },
};
static const struct field list_query[] = {
	{ "centre", F_TEXT, .max = 64 },
	{ 0 },
};
static const struct field template_query[] = {
	{ "format", F_ENUM, .of = formats, .says = "xlsx unless given" },
	{ 0 },
};

const struct verdict device_intake_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_intake_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/device-intakes", KEEPS, upload_query, .status = 202,
	  .steps = upload_steps, .sink = &import_upload_sink, .takes = IMPORT_UPLOAD_TAKES,
	  .way = { { NULL, SQL_device_intake_create,
		     "query.centre query.mode step.1 step.2 step.3 step.4 step.5" } },
	  .summary = "Take in the devices of a file: CSV in UTF-8 or GB18030, or XLSX, is the body",
	  .says = "Columns: 型号编码, and as far as they are wanted 数量 序列号 批号 条码 来源 捐赠人 "
		  "购置日期 "
		  "价格(元) 保修至 存放位置 备注, in any order" },
	{ HTTP_METHOD_GET, "/api/v1/device-intakes", SEES, list_query, .page = "id",
	  .way = { { NULL, SQL_device_intakes_list, "query.centre page.after page.limit" } },
	  .summary = "Intakes" },
	{ HTTP_METHOD_GET, "/api/v1/device-intakes/template", SEES, template_query, .steps = template_steps,
	  .media = IMPORT_UPLOAD_TAKES, .plain = true,
	  .summary = "An empty file with the headings of an intake" },
	{ HTTP_METHOD_GET, "/api/v1/device-intakes/{id}", SEES,
	  .way = { { NULL, SQL_device_intake_get, "path.id" } },
	  .summary = "An intake: state, progress, figures" },
	{ HTTP_METHOD_GET, "/api/v1/device-intakes/{id}/items", SEES, .page = "id",
	  .way = { { NULL, SQL_device_intake_items, "path.id page.after page.limit" } },
	  .summary = "What an intake took in, each item with the number of its row" },
	{ HTTP_METHOD_GET, "/api/v1/device-intakes/{id}/rejected", KEEPS, .steps = rejected_steps,
	  .media = IMPORT_UPLOAD_TAKES, .plain = true, .way = { { NULL, SQL_device_intake_file, "path.id" } },
	  .summary = "The refused rows as a file of the same format, with 错误代码 and 错误说明" },
	{ HTTP_METHOD_POST, "/api/v1/device-intakes/{id}/cancel", KEEPS,
	  .way = { { NULL, SQL_device_intake_cancel, "path.id" } },
	  .summary = "Stop an intake: nothing of it stays" },
	{ 0 },
};
