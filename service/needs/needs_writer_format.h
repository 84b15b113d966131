/* SPDX-License-Identifier: Apache-2.0
 * The two writers behind needs_writer: a row is some cells, the header's or a refused row's. */
#ifndef SERVICE_NEEDS_NEEDS_WRITER_FORMAT_H
#define SERVICE_NEEDS_NEEDS_WRITER_FORMAT_H

#include "service/needs/needs_header.h"

struct csv_writer;
struct csv_writer *csv_writer_new(enum needs_format format, const char *path);
MUST_USE bool csv_writer_row(struct csv_writer *csv, const struct slice *cells, int count);
/* Both free it; close answers whether everything is on the disk. */
MUST_USE bool csv_writer_close(struct csv_writer **csv);
void csv_writer_drop(struct csv_writer **csv);

struct xlsx_writer;
struct xlsx_writer *xlsx_writer_new(const char *path);
MUST_USE bool xlsx_writer_row(struct xlsx_writer *xlsx, const struct slice *cells, int count);
MUST_USE bool xlsx_writer_close(struct xlsx_writer **xlsx);
void xlsx_writer_drop(struct xlsx_writer **xlsx);

#endif
