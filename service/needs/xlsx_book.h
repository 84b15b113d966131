/* SPDX-License-Identifier: Apache-2.0
 * Where in the zip the first sheet, the shared strings and the styles are: from the package's relationships
 * to the workbook's. */
#ifndef SERVICE_NEEDS_XLSX_BOOK_H
#define SERVICE_NEEDS_XLSX_BOOK_H

#include "service/needs/xlsx_zip.h"

enum { XLSX_PATH_BYTES = 256 };

struct xlsx_book {
	char sheet[XLSX_PATH_BYTES];
	char strings[XLSX_PATH_BYTES]; /* "" when the workbook has none */
	char styles[XLSX_PATH_BYTES];  /* the same */
	bool date1904;
};

MUST_USE bool xlsx_book_read(struct xlsx_zip *zip, struct xlsx_book *book, struct needs_problem *problem);

/* target as seen from the part base, "../" taken out, no slash in front. False when it does not fit. */
MUST_USE bool xlsx_path_resolve(const char *base, const char *target, char out[XLSX_PATH_BYTES]);

#endif
