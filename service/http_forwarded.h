/* SPDX-License-Identifier: Apache-2.0
 * Who the client is when a trusted reverse proxy stands in between. Only one header is believed, the one that
 * the proxy is known to write: the other may come from anybody. */
#ifndef SERVICE_HTTP_FORWARDED_H
#define SERVICE_HTTP_FORWARDED_H

#include "service/http_address.h"
#include "service/http_reader.h"

enum http_forwarded_by {
	HTTP_BY_X_FORWARDED, /* X-Forwarded-For and X-Forwarded-Proto */
	HTTP_BY_FORWARDED    /* Forwarded (RFC 7239) */
};

/* For a request that came from a trusted peer, whose address `client` holds before: the nearest address in
 * the chain that is not a trusted proxy's; what is no address ends the chain. secure: the nearest proxy was
 * spoken to by TLS. */
void http_forwarded_read(const struct http_reader *reader, enum http_forwarded_by by,
			 const struct http_networks *trusted, struct http_address *client, bool *secure);

#endif
