/* SPDX-License-Identifier: Apache-2.0
 * The steps that make an import's refused-rows file. */
#ifndef API_IMPORT_FILE_H
#define API_IMPORT_FILE_H

#include "api/endpoint.h"

extern request_step *const import_file_steps[];

#endif
