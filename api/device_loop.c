/* SPDX-License-Identifier: Apache-2.0
 * What is done to an item that came back: disinfection, inspection, repair, recycling. */
#include "api/tables.h"

const struct verdict device_loop_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_loop_endpoints[] = {
	{ 0 },
};
