/* SPDX-License-Identifier: Apache-2.0
 * A table a resource; each stands in its own file. */
#ifndef API_TABLES_H
#define API_TABLES_H

#include "api/endpoint.h"

extern const struct endpoint case_endpoints[], total_endpoints[], plan_endpoints[], region_endpoints[],
	import_endpoints[], person_endpoints[], job_endpoints[], session_endpoints[], account_endpoints[],
	meta_endpoints[];

extern const char *const stage_names[]; /* cases.c */
extern const struct field account_in[]; /* accounts.c; `tantu user` checks by it too */

#endif
