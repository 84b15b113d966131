/* SPDX-License-Identifier: Apache-2.0
 * Photos that look like those of another household.
 */
#include "api/tables.h"

const struct verdict photo_flag_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint photo_flag_endpoints[] = {
	{ 0 },
};
