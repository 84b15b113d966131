/* SPDX-License-Identifier: Apache-2.0
 * Home surveys (入户评估) and the catalogue of problems and measures.
 */
#include "api/tables.h"

const struct verdict survey_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint survey_endpoints[] = {
	{ 0 },
};
