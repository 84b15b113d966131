/* SPDX-License-Identifier: Apache-2.0
 * Design (一户一方案), subsidies, change orders, the ledger.
 */
#include "api/tables.h"

const struct verdict design_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint design_endpoints[] = {
	{ 0 },
};
