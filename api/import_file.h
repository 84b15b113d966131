/* SPDX-License-Identifier: Apache-2.0
 * The steps that make an import's refused-rows file. The endpoint's statement says its columns: file, format,
 * state, refusals (how many), refused (texts "NUMBER CODE", in order). */
#ifndef API_IMPORT_FILE_H
#define API_IMPORT_FILE_H

#include "api/endpoint.h"
#include "service/needs/file_table.h"

/* After step_ask and before import_file_send. */
enum step import_file_found(struct request *r, const struct file_table *table);
request_step import_file_send;

#endif
