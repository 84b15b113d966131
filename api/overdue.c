/* SPDX-License-Identifier: Apache-2.0
 * Time limits in working days, holidays, what is overdue, ageing.
 */
#include "api/tables.h"

const struct verdict overdue_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint overdue_endpoints[] = {
	{ 0 },
};
