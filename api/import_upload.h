/* SPDX-License-Identifier: Apache-2.0
 * A file of rows is the body of an endpoint: sealed while it comes in, probed, and handed to the endpoint's
 * statement as step.1 its name below the uploads folder, step.2 format, step.3 keyed fingerprint, step.4
 * bytes, step.5 rows. The file stays when the statement says no `_verdict`. */
#ifndef API_IMPORT_UPLOAD_H
#define API_IMPORT_UPLOAD_H

#include "api/endpoint.h"
#include "service/needs/file_table.h"

/* The only step of an endpoint whose sink is this one. */
enum step import_upload_begin(struct request *r, const struct file_table *table);
extern const struct http_sink import_upload_sink;

#define IMPORT_UPLOAD_TAKES "text/csv application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

#endif
