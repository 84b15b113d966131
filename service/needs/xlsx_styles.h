/* SPDX-License-Identifier: Apache-2.0
 * Which cell styles show a number as a date: without them 45000 and 2023-03-15 are the same cell. */
#ifndef SERVICE_NEEDS_XLSX_STYLES_H
#define SERVICE_NEEDS_XLSX_STYLES_H

#include "service/needs/xlsx_zip.h"

struct xlsx_styles;

/* NULL with *problem filled. */
struct xlsx_styles *xlsx_styles_read(struct xlsx_zip *zip, const char *part, struct needs_problem *problem);
void xlsx_styles_free(struct xlsx_styles **styles);
/* style: the s attribute of a cell. */
bool xlsx_styles_is_date(const struct xlsx_styles *styles, size_t style);

/* A number format that shows year or day: "yyyy\-mm\-dd", "yyyy\"年\"m\"月\"d\"日\"", "[$-804]d". */
bool xlsx_format_is_date(const char *format);

#endif
