/* SPDX-License-Identifier: Apache-2.0
 * Many items taken in by a file. */
#include "api/tables.h"

const struct verdict device_intake_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_intake_endpoints[] = {
	{ 0 },
};
