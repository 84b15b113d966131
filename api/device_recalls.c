/* SPDX-License-Identifier: Apache-2.0
 * Recalls by model, batch or serials. */
#include "api/tables.h"

const struct verdict device_recall_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_recall_endpoints[] = {
	{ 0 },
};
