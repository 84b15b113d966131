/* SPDX-License-Identifier: Apache-2.0
 * The zip under an XLSX file, held in memory as it came (packed), its parts inflated piece by piece.
 * One part is open at a time. */
#ifndef SERVICE_NEEDS_XLSX_ZIP_H
#define SERVICE_NEEDS_XLSX_ZIP_H

#include "service/needs/needs_file.h"

struct xlsx_zip;

/* Reads the whole source. NULL with *problem filled. */
struct xlsx_zip *xlsx_zip_open(const struct needs_source *source, const struct needs_limits *limits,
			       struct needs_problem *problem);
void xlsx_zip_close(struct xlsx_zip **zip);

bool xlsx_zip_has(struct xlsx_zip *zip, const char *part);

/* cap: inflated bytes at most; never over 200 × the packed size either. */
MUST_USE bool xlsx_zip_part_open(struct xlsx_zip *zip, const char *part, size_t cap,
				 struct needs_problem *problem);
/* Bytes; 0 at the end, when length and CRC were right; -1 with *problem filled. */
long xlsx_zip_part_read(struct xlsx_zip *zip, void *into, size_t room, struct needs_problem *problem);
/* Safe when none is open. */
void xlsx_zip_part_close(struct xlsx_zip *zip);

#endif
