/* SPDX-License-Identifier: Apache-2.0
 * Requests for devices, their assessment, and who waits. */
#include "api/tables.h"

const struct verdict device_request_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_request_endpoints[] = {
	{ 0 },
};
