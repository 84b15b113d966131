/* SPDX-License-Identifier: Apache-2.0
 * See permission.h. Invariant: a role that is not known has no bit, and no bit is admitted nowhere but by
 * endpoints for anybody. */
#include "api/permission.h"

const char *const role_names[] = { "contractor", "assessor", "centre", "county",
				   "manager",    "auditor",  "admin",  NULL };

unsigned role_bit(struct slice name)
{
	for (int i = 0; role_names[i]; i++)
		if (slice_is(name, role_names[i]))
			return 1u << i;
	return 0;
}

bool permission_asks(unsigned roles)
{
	return roles != ANYBODY;
}

bool permission_admits(unsigned roles, unsigned role)
{
	return !permission_asks(roles) || (roles & role) != 0;
}
