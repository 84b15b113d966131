/* SPDX-License-Identifier: Apache-2.0
 * A table a resource; each stands in its own file. */
#ifndef API_TABLES_H
#define API_TABLES_H

#include "api/endpoint.h"

extern const struct endpoint case_endpoints[], total_endpoints[], plan_endpoints[], region_endpoints[],
	import_endpoints[], person_endpoints[], job_endpoints[], session_endpoints[], account_endpoints[],
	meta_endpoints[], notice_endpoints[], survey_endpoints[], design_endpoints[], order_endpoints[],
	overdue_endpoints[], photo_endpoints[], photo_flag_endpoints[], inspection_endpoints[],
	sample_endpoints[], duplicate_endpoints[], catalogue_endpoints[], ledger_endpoints[],
	follow_up_endpoints[], waiting_endpoints[], centre_endpoints[], device_model_endpoints[],
	device_item_endpoints[], device_transfer_endpoints[], stock_taking_endpoints[],
	stock_minimum_endpoints[], device_intake_endpoints[], device_scan_endpoints[],
	device_label_endpoints[], device_request_endpoints[], walk_in_endpoints[], fitting_endpoints[],
	rental_endpoints[], device_ledger_endpoints[], device_loan_endpoints[], device_loop_endpoints[],
	device_repair_endpoints[], device_recall_endpoints[], device_figure_endpoints[],
	device_follow_up_endpoints[];

extern const struct verdict notice_verdicts[], survey_verdicts[], design_verdicts[], order_verdicts[],
	overdue_verdicts[], photo_verdicts[], photo_flag_verdicts[], inspection_verdicts[], sample_verdicts[],
	duplicate_verdicts[], catalogue_verdicts[], ledger_verdicts[], follow_up_verdicts[],
	waiting_verdicts[], centre_verdicts[], device_model_verdicts[], device_item_verdicts[],
	device_transfer_verdicts[], stock_taking_verdicts[], device_intake_verdicts[], device_scan_verdicts[],
	device_label_verdicts[], device_request_verdicts[], walk_in_verdicts[], fitting_verdicts[],
	rental_verdicts[], device_loan_verdicts[], device_loop_verdicts[], device_repair_verdicts[],
	device_recall_verdicts[], device_figure_verdicts[], device_follow_up_verdicts[];

extern const char *const stage_names[]; /* cases.c */
extern const char *const room_codes[];  /* catalogue.c */
extern const struct field account_in[]; /* accounts.c; `tantu user` checks by it too */

#endif
