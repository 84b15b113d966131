/* SPDX-License-Identifier: Apache-2.0
 * Follow-ups of what was handed out. */
#include "api/tables.h"

const struct verdict device_follow_up_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_follow_up_endpoints[] = {
	{ 0 },
};
