/* SPDX-License-Identifier: Apache-2.0
 * Every table of endpoints. */
#include "api/tables.h"

const struct endpoint *const endpoint_tables[] = {
	case_endpoints,    total_endpoints,  plan_endpoints, region_endpoints,
	import_endpoints,  person_endpoints, job_endpoints,  session_endpoints,
	account_endpoints, meta_endpoints,   NULL,
};
