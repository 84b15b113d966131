/* SPDX-License-Identifier: Apache-2.0
 * Possible duplicates: merge, or not a duplicate.
 */
#include "api/tables.h"

const struct verdict duplicate_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint duplicate_endpoints[] = {
	{ 0 },
};
