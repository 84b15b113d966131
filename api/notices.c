/* SPDX-License-Identifier: Apache-2.0
 * Approval: eligibility, the waiting list and its order, public notices (公示) and objections.
 */
#include "api/tables.h"

const struct verdict notice_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint notice_endpoints[] = {
	{ 0 },
};
