/* SPDX-License-Identifier: Apache-2.0
 * The first sheet of an XLSX file, a row at a time, as text. */
#ifndef SERVICE_NEEDS_XLSX_READER_H
#define SERVICE_NEEDS_XLSX_READER_H

#include "service/needs/raw_row.h"

struct xlsx_reader;

/* Holds the whole file in memory (packed), so the source is not needed afterwards; limits are copied.
 * NULL with *problem filled. */
struct xlsx_reader *xlsx_reader_open(const struct needs_source *source, const struct needs_limits *limits,
				     struct needs_problem *problem);
void xlsx_reader_close(struct xlsx_reader **xlsx);
/* Rows that the sheet leaves out are left out here too; their place shows in the ordinals. row is the same
 * at every call. */
MUST_USE enum needs_next xlsx_reader_next(struct xlsx_reader *xlsx, struct raw_row *row,
					  struct needs_problem *problem);

#endif
