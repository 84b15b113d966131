/* SPDX-License-Identifier: Apache-2.0
 * Orders: given to contractors, accepted or declined in time.
 */
#include "api/tables.h"

const struct verdict order_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint order_endpoints[] = {
	{ 0 },
};
