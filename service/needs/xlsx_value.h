/* SPDX-License-Identifier: Apache-2.0
 * What a cell of a sheet reads as text. */
#ifndef SERVICE_NEEDS_XLSX_VALUE_H
#define SERVICE_NEEDS_XLSX_VALUE_H

#include "service/slice.h"

enum { XLSX_NUMBER_BYTES = 40 };

/* A number as the spreadsheet shows it: digits stay as they are; 1.3566778899E10 becomes 13566778899;
 * 106.19015599999999 becomes 106.190156. A whole number past 15 digits written with an exponent has lost its
 * last digits and stays as written, so that no certificate is made up. Longer than 39 bytes: as written. */
struct slice xlsx_number_text(struct slice written, char room[XLSX_NUMBER_BYTES]);

/* The day that a number with a date style means; false when it means none. */
bool xlsx_number_date(struct slice written, bool date1904, char *out);

/* Takes out the _xHHHH_ escapes (ECMA-376 part 1, 22.9.2.19) in place; answers the new length. */
size_t xlsx_unescape(char *text, size_t len);
/* Puts them in where the text would be taken for one; out takes XLSX_ESCAPED_MOST(text.len) bytes. */
#define XLSX_ESCAPED_MOST(len) (2 * (len))
size_t xlsx_escape(struct slice text, char *out);

/* The columns of "AB12" from 0: 27. False when no reference begins so. Columns go to XFD. */
bool xlsx_reference_column(const char *reference, size_t *column);
/* Column 27 of row 12 as "AB12". */
enum { XLSX_REFERENCE_BYTES = 16 };
void xlsx_reference_write(size_t column, uint32_t row, char out[XLSX_REFERENCE_BYTES]);

#endif
