/* SPDX-License-Identifier: Apache-2.0
 * Acceptance inspections and follow-ups.
 */
#include "api/tables.h"

const struct verdict inspection_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint inspection_endpoints[] = {
	{ 0 },
};
