/* SPDX-License-Identifier: Apache-2.0
 * Dates of cells: as people write them, and as spreadsheets number them. */
#ifndef SERVICE_NEEDS_NEEDS_DATE_H
#define SERVICE_NEEDS_NEEDS_DATE_H

#include "service/slice.h"

enum { NEEDS_DATE_BYTES = 11 }; /* YYYY-MM-DD, terminated */

/* YYYY-MM-DD or YYYY/M/D (month and day of one or two digits either way), a day of the calendar; years
 * from 1. */
bool needs_date_parse(struct slice text, char out[NEEDS_DATE_BYTES]);

/* A spreadsheet's day number. 1900: 1 is 1900-01-01, and 60 is the 1900-02-29 that never was; 1904: 0 is
 * 1904-01-01. A time of day is dropped. False when it is no day up to 9999-12-31. */
bool needs_date_of_serial(double serial, bool date1904, char out[NEEDS_DATE_BYTES]);

#endif
