/* SPDX-License-Identifier: Apache-2.0
 * Every kind of job. A kind whose effect is SQL is a row. */
#include "workers/job.h"

const struct job_kind job_kinds[] = {
	{ "import", "imports", import_start },
	{ "device_intake", "imports", intake_start },
	{ "totals_fold", "totals", sql_job_start, SQL_totals_fold, "1000000" },
	{ "ledger_fold", "totals", sql_job_start, SQL_ledger_fold, "1000000" },
	{ "device_fold", "totals", sql_job_start, SQL_device_fold, "1000000" },
	{ "overdue_scan", "reminders", sql_job_start, SQL_overdue_scan, "" },
	{ "stage_overdue", "reminders", sql_job_start, SQL_stage_overdue, "case step" },
	{ "orders_silent_scan", "reminders", sql_job_start, SQL_orders_silent_scan, "" },
	{ "order_silent", "reminders", sql_job_start, SQL_order_silent, "order" },
	{ "follow_ups", "reminders", sql_job_start, SQL_follow_ups_make, "case version" },
	{ "follow_up_scan", "reminders", sql_job_start, SQL_follow_up_scan, "" },
	{ "stock_minimum_scan", "reminders", sql_job_start, SQL_stock_minimum_scan, "" },
	{ "rework_scan", "reminders", sql_job_start, SQL_rework_scan, "" },
	{ "recall_overdue_scan", "reminders", sql_job_start, SQL_recall_overdue_scan, "" },
	{ "rental_scan", "reminders", sql_job_start, SQL_rental_scan, "500" },
	{ "device_follow_up_scan", "reminders", sql_job_start, SQL_device_follow_up_scan, "" },
	{ "duplicates_scan", "upkeep", duplicates_start },
	{ "clean_up", "upkeep", sql_job_start, SQL_clean_up, "" },
	{ "photo_compare", "upkeep", sql_job_start, SQL_photo_compare, "use" },
	{ "priority_settle", "upkeep", sql_job_start, SQL_priority_settle, "2000" },
	{ "priority_fill", "upkeep", sql_job_start, SQL_priority_fill, "after" },
	{ "requests_settle", "upkeep", sql_job_start, SQL_requests_settle, "2000" },
	{ "requests_from_needs", "upkeep", sql_job_start, SQL_requests_from_needs_step, "batch" },
	{ "probe", "probe", probe_start },
	{ "uploads_sweep", "upkeep", uploads_start },
	{ "photos_sweep", "upkeep", photos_sweep_start },
	{ 0 },
};
