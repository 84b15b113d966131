/* SPDX-License-Identifier: Apache-2.0
 * Addresses of clients and networks of trusted proxies. Pure: no socket, no memory of its own. */
#ifndef SERVICE_HTTP_ADDRESS_H
#define SERVICE_HTTP_ADDRESS_H

#include "service/slice.h"
#include <sys/socket.h>

/* IPv6 as it is, IPv4 as ::ffff:a.b.c.d. */
struct http_address {
	unsigned char bytes[16];
};
enum { HTTP_ADDRESS_TEXT = 46, HTTP_NETWORKS = 32 };

struct http_networks {
	size_t count;
	struct {
		struct http_address address;
		unsigned bits;
	} at[HTTP_NETWORKS];
};

/* All zero when it is neither IPv4 nor IPv6. */
struct http_address http_address_of(const struct sockaddr *from);
/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
bool http_address_read(struct slice text, struct http_address *out);
void http_address_write(const struct http_address *address, char out[HTTP_ADDRESS_TEXT]);
/* What one customer is given and can change at will: an IPv4 address, an IPv6 network of 64 bits. */
struct http_address http_address_prefix(const struct http_address *address);
bool http_address_equal(const struct http_address *a, const struct http_address *b);

/* Addresses and networks ("10.0.0.0/8", "::1") with blanks or commas between. False: `wrong` is the first
 * that is none, or one too many. */
bool http_networks_read(const char *text, struct http_networks *out, struct slice *wrong);
bool http_networks_hold(const struct http_networks *networks, const struct http_address *address);

#endif
