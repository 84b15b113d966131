/* SPDX-License-Identifier: Apache-2.0
 * Sampling inspection (抽查).
 */
#include "api/tables.h"

const struct verdict sample_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint sample_endpoints[] = {
	{ 0 },
};
