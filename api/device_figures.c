/* SPDX-License-Identifier: Apache-2.0
 * Device-fitting rate, people served, and how the stock is used. */
#include "api/tables.h"

const struct verdict device_figure_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_figure_endpoints[] = {
	{ 0 },
};
