/* SPDX-License-Identifier: Apache-2.0
 * The shared strings of a workbook, in one block of memory. Rich text is joined, phonetic hints are left out.
 */
#ifndef SERVICE_NEEDS_XLSX_STRINGS_H
#define SERVICE_NEEDS_XLSX_STRINGS_H

#include "service/needs/xlsx_zip.h"

struct xlsx_strings;

/* NULL with *problem filled. */
struct xlsx_strings *xlsx_strings_read(struct xlsx_zip *zip, const char *part,
				       const struct needs_limits *limits, struct needs_problem *problem);
void xlsx_strings_free(struct xlsx_strings **strings);
/* False when there is none with this number. A string over cell_bytes comes cut, one byte too long. */
bool xlsx_strings_get(const struct xlsx_strings *strings, size_t number, struct slice *out);

#endif
