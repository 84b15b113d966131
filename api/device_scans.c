/* SPDX-License-Identifier: Apache-2.0
 * A scan answers in one request: what it is, where it is, what may be done now. */
#include "api/tables.h"

const struct verdict device_scan_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_scan_endpoints[] = {
	{ 0 },
};
