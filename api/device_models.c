/* SPDX-License-Identifier: Apache-2.0
 * The catalogue of assistive devices: classes and what they are in other editions, models, and what a plan
 * grants of them. */
#include "api/tables.h"

const struct verdict device_model_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_model_endpoints[] = {
	{ 0 },
};
