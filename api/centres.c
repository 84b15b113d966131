/* SPDX-License-Identifier: Apache-2.0
 * Rehabilitation centres: where they are, and whose people they serve. */
#include "api/tables.h"

const struct verdict centre_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint centre_endpoints[] = {
	{ 0 },
};
