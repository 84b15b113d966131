/* SPDX-License-Identifier: Apache-2.0
 * The rows of one worksheet part. */
#ifndef SERVICE_NEEDS_XLSX_SHEET_H
#define SERVICE_NEEDS_XLSX_SHEET_H

#include "service/needs/raw_row.h"
#include "service/needs/xlsx_strings.h"
#include "service/needs/xlsx_styles.h"
#include "service/needs/xlsx_zip.h"

struct xlsx_sheet;

/* What the cells refer to; either may be NULL. */
struct xlsx_context {
	const struct xlsx_strings *strings;
	const struct xlsx_styles *styles;
	bool date1904;
};

/* zip and what the context points to outlive it. NULL with *problem filled. */
struct xlsx_sheet *xlsx_sheet_open(struct xlsx_zip *zip, const char *part, size_t cap,
				   const struct xlsx_context *context, struct needs_problem *problem);
void xlsx_sheet_close(struct xlsx_sheet **sheet);
MUST_USE enum needs_next xlsx_sheet_next(struct xlsx_sheet *sheet, struct raw_row *row,
					 struct needs_problem *problem);

#endif
