/* SPDX-License-Identifier: Apache-2.0
 * Roles, and which of them an endpoint admits. What a role sees of the data is row-level security's to say.
 */
#ifndef API_PERMISSION_H
#define API_PERMISSION_H

#include "service/slice.h"

enum role {
	ROLE_CONTRACTOR = 1,
	ROLE_ASSESSOR = 2,
	ROLE_CENTRE = 4,
	ROLE_COUNTY = 8,
	ROLE_MANAGER = 16,
	ROLE_AUDITOR = 32,
	ROLE_ADMIN = 64
};
enum {
	ANYBODY = 0, /* without signing in */
	SIGNED_IN = 127,
	SEES_CASES = ROLE_CONTRACTOR | ROLE_ASSESSOR | ROLE_COUNTY | ROLE_MANAGER | ROLE_AUDITOR,
	SEES_FIGURES = ROLE_COUNTY | ROLE_MANAGER | ROLE_AUDITOR,
	MOVES_CASES = ROLE_CONTRACTOR | ROLE_ASSESSOR | ROLE_COUNTY | ROLE_MANAGER,
	RUNS_CASES = ROLE_COUNTY | ROLE_MANAGER,
	RUNS_PLANS = ROLE_MANAGER | ROLE_ADMIN
};
/* The bit of a role's name, 0 when there is no such role; and the names, NULL at the end. */
unsigned role_bit(struct slice name);
extern const char *const role_names[];

/* Whether an endpoint for `roles` wants to know who asks, and whether it admits `role` (0: nobody known). */
bool permission_asks(unsigned roles);
bool permission_admits(unsigned roles, unsigned role);

#endif
