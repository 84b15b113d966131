/* SPDX-License-Identifier: Apache-2.0
 * See http_address.h. Invariant: two texts of the same address give the same bytes. */
#include "service/http_address.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

static struct http_address of_v4(const void *four)
{
	struct http_address address;
	memcpy(address.bytes, mapped, sizeof mapped);
	memcpy(address.bytes + sizeof mapped, four, 4);
	return address;
}

static bool is_v4(const struct http_address *address)
{
	return memcmp(address->bytes, mapped, sizeof mapped) == 0;
}

struct http_address http_address_of(const struct sockaddr *from)
{
	struct http_address address = { { 0 } };
	if (from->sa_family == AF_INET)
		return of_v4(&((const struct sockaddr_in *)(const void *)from)->sin_addr);
	if (from->sa_family == AF_INET6)
		memcpy(address.bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	return address;
}

/* A colon and digits behind an address are a port. */
static bool port_or_nothing(struct slice rest)
{
	if (rest.len == 0)
		return true;
	uint64_t port;
	return rest.at[0] == ':' && slice_to_u64((struct slice){ rest.at + 1, rest.len - 1 }, &port) &&
	       port <= UINT16_MAX;
}

/* Takes the port and the brackets off; false when what is around the address is not that. */
static bool host_of(struct slice text, struct slice *host)
{
	const char *colon = text.len ? memchr(text.at, ':', text.len) : NULL;
	*host = text;
	if (text.len && text.at[0] == '[') {
		const char *end = memchr(text.at, ']', text.len);
		if (!end)
			return false;
		*host = (struct slice){ text.at + 1, (size_t)(end - text.at) - 1 };
		return memchr(host->at, ':', host->len) &&
		       port_or_nothing((struct slice){ end + 1, text.len - (size_t)(end + 1 - text.at) });
	}
	if (!colon || memchr(colon + 1, ':', text.len - (size_t)(colon + 1 - text.at)))
		return true;
	host->len = (size_t)(colon - text.at);
	return port_or_nothing((struct slice){ colon, text.len - host->len });
}

bool http_address_read(struct slice text, struct http_address *out)
{
	char host[HTTP_ADDRESS_TEXT];
	unsigned char four[4];
	struct slice s;
	if (!host_of(text, &s) || s.len == 0 || s.len >= sizeof host || memchr(s.at, 0, s.len))
		return false;
	memcpy(host, s.at, s.len);
	host[s.len] = 0;
	if (inet_pton(AF_INET, host, four) == 1) {
		*out = of_v4(four);
		return true;
	}
	return inet_pton(AF_INET6, host, out->bytes) == 1;
}

void http_address_write(const struct http_address *address, char out[HTTP_ADDRESS_TEXT])
{
	if (is_v4(address))
		inet_ntop(AF_INET, address->bytes + sizeof mapped, out, HTTP_ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, address->bytes, out, HTTP_ADDRESS_TEXT);
}

struct http_address http_address_prefix(const struct http_address *address)
{
	struct http_address prefix = *address;
	if (!is_v4(address))
		memset(prefix.bytes + 8, 0, 8);
	return prefix;
}

bool http_address_equal(const struct http_address *a, const struct http_address *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static bool read_network(struct slice text, struct http_address *address, unsigned *bits)
{
	const char *slash = memchr(text.at, '/', text.len);
	struct slice host = { text.at, slash ? (size_t)(slash - text.at) : text.len };
	uint64_t given = 128;
	/* A port says nothing here, and "[" is for where one follows. */
	if (!http_address_read(host, address) || host.at[0] == '[' ||
	    (is_v4(address) && memchr(host.at, ':', host.len) && host.at[0] != ':'))
		return false;
	bool v4 = is_v4(address) && !memchr(host.at, ':', host.len);
	if (slash && (!slice_to_u64((struct slice){ slash + 1, text.len - host.len - 1 }, &given) ||
		      given > (v4 ? 32 : 128)))
		return false;
	*bits = (unsigned)given + (v4 && slash ? 96 : 0);
	return true;
}

static bool is_gap(char c)
{
	return c == ' ' || c == ',' || c == '\t';
}

bool http_networks_read(const char *text, struct http_networks *out, struct slice *wrong)
{
	out->count = 0;
	while (*text) {
		size_t len = 0;
		while (text[len] && !is_gap(text[len]))
			len++;
		if (len > 0) {
			*wrong = (struct slice){ text, len };
			if (out->count == HTTP_NETWORKS ||
			    !read_network(*wrong, &out->at[out->count].address, &out->at[out->count].bits))
				return false;
			out->count++;
		}
		text += len + (text[len] ? 1 : 0);
	}
	return true;
}

static bool in_network(const struct http_address *network, unsigned bits, const struct http_address *address)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(network->bytes, address->bytes, whole) != 0)
		return false;
	return rest == 0 || (network->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

bool http_networks_hold(const struct http_networks *networks, const struct http_address *address)
{
	for (size_t i = 0; i < networks->count; i++)
		if (in_network(&networks->at[i].address, networks->at[i].bits, address))
			return true;
	return false;
}
