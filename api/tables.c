/* SPDX-License-Identifier: Apache-2.0
 * Every table of endpoints and of verdicts. */
#include "api/tables.h"
#include "api/engine.h"

/* The first that fits is taken: /cases/overdue stands before /cases/{id}. */
const struct endpoint *const endpoint_tables[] = {
	overdue_endpoints,
	case_endpoints,
	total_endpoints,
	plan_endpoints,
	region_endpoints,
	import_endpoints,
	person_endpoints,
	job_endpoints,
	session_endpoints,
	account_endpoints,
	meta_endpoints,
	notice_endpoints,
	survey_endpoints,
	design_endpoints,
	order_endpoints,
	photo_endpoints,
	photo_flag_endpoints,
	inspection_endpoints,
	sample_endpoints,
	duplicate_endpoints,
	catalogue_endpoints,
	ledger_endpoints,
	follow_up_endpoints,
	waiting_endpoints,
	NULL,
};

const struct verdict *const verdict_tables[] = {
	verdicts,
	notice_verdicts,
	survey_verdicts,
	design_verdicts,
	order_verdicts,
	overdue_verdicts,
	photo_verdicts,
	photo_flag_verdicts,
	inspection_verdicts,
	sample_verdicts,
	duplicate_verdicts,
	follow_up_verdicts,
	catalogue_verdicts,
	ledger_verdicts,
	waiting_verdicts,
	NULL,
};
