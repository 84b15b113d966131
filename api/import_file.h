/* SPDX-License-Identifier: Apache-2.0
 * The steps that make an import's refused-rows file. The endpoint's statement says its columns: file, format,
 * state, refusals (how many), refused (texts "NUMBER CODE", in order). */
#ifndef API_IMPORT_FILE_H
#define API_IMPORT_FILE_H

#include "api/endpoint.h"
#include "service/needs/needs_file.h"

/* After step_ask and before import_file_send. */
enum step import_file_found(struct request *r, const struct file_table *table);
/* An empty file with the table's headings, instead of both. */
enum step import_file_empty(struct request *r, const struct file_table *table, enum needs_format format);
request_step import_file_send;

#endif
