/* SPDX-License-Identifier: Apache-2.0
 * The target of a request line (RFC 9112, 3.2) taken apart, and what may stand in Host. */
#ifndef SERVICE_HTTP_TARGET_H
#define SERVICE_HTTP_TARGET_H

#include "service/slice.h"

struct http_target {
	struct slice path;      /* "/" when an absolute target has none, "*" for the server as a whole */
	struct slice query;     /* without '?'; .at NULL when there is none */
	struct slice authority; /* of an absolute target, without user and password; else .at NULL */
};

/* False when it is none of origin-form, absolute-form (http, https) and, for OPTIONS, "*". */
bool http_target_split(struct slice raw, bool options, struct http_target *target);
/* host[:port] with a name, an IPv4 address or an address in brackets. */
bool http_authority_valid(struct slice authority);

#endif
