/* SPDX-License-Identifier: Apache-2.0
 * Rentals and short community loans, and their money. */
#include "api/tables.h"

const struct verdict rental_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint rental_endpoints[] = {
	{ 0 },
};
