/* SPDX-License-Identifier: Apache-2.0
 * What a file is, by its first bytes: a CSV to be tried, a zip, or something that is refused by name. */
#ifndef SERVICE_NEEDS_NEEDS_KIND_H
#define SERVICE_NEEDS_NEEDS_KIND_H

#include "service/needs/needs_file.h"

/* The source is rewound. False with *problem filled: an empty file, an old .xls, an encrypted .xlsx. */
MUST_USE bool needs_kind_find(const struct needs_source *source, bool *is_xlsx,
			      struct needs_problem *problem);

#endif
