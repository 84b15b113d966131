/* SPDX-License-Identifier: Apache-2.0
 * The inside of needs_seen, for needs_check.c: a set of citizen IDs as numbers. */
#ifndef SERVICE_NEEDS_NEEDS_SEEN_H
#define SERVICE_NEEDS_NEEDS_SEEN_H

#include "service/needs/needs_check.h"

/* id18: 17 digits and a digit or X, checked by the caller. */
bool needs_seen_has(const struct needs_seen *seen, const char *id18);
void needs_seen_add(struct needs_seen *seen, const char *id18);

#endif
