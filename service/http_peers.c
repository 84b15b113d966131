/* SPDX-License-Identifier: Apache-2.0
 * How many connections each client address holds, and whom to close for a newcomer.
 * Invariant: a connection of an address that is bounded is on its list from opening to closing, oldest first;
 * an address without a connection has no entry. A connection that is being worked for is never the victim. */
#include "service/http_internal.h"
#include <stdlib.h>

enum { LOOKED_AT = 256 };

struct http_peer {
	struct http_address prefix;
	size_t count;
	struct http_connection *first, *last;
	struct http_peer *next;
};

static struct http_peer **slot_of(struct http_server *server, const struct http_address *prefix)
{
	uint64_t high, low;
	memcpy(&high, prefix->bytes, sizeof high);
	memcpy(&low, prefix->bytes + 8, sizeof low);
	uint64_t mixed = (high ^ (low * UINT64_C(0x9e3779b97f4a7c15)) ^ server->peer_seed) *
			 UINT64_C(0xff51afd7ed558ccd);
	return &server->peers[mixed >> (64 - HTTP_PEER_SLOTS_LOG2)];
}

static struct http_peer *find(struct http_server *server, const struct http_address *prefix)
{
	struct http_peer *peer = *slot_of(server, prefix);
	while (peer && !http_address_equal(&peer->prefix, prefix))
		peer = peer->next;
	return peer;
}

static struct http_peer *make(struct http_server *server, const struct http_address *prefix)
{
	struct http_peer **slot = slot_of(server, prefix), *peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->prefix = *prefix;
	peer->next = *slot;
	*slot = peer;
	return peer;
}

bool http_peers_join(struct http_connection *c)
{
	struct http_address prefix = http_address_prefix(&c->address);
	struct http_peer *peer = find(c->server, &prefix);
	if (!peer)
		peer = make(c->server, &prefix);
	if (!peer)
		return false;
	c->peer = peer;
	c->peer_previous = peer->last;
	*(peer->last ? &peer->last->peer_next : &peer->first) = c;
	peer->last = c;
	peer->count++;
	return true;
}

void http_peers_leave(struct http_connection *c)
{
	struct http_peer *peer = c->peer;
	if (!peer)
		return;
	*(c->peer_previous ? &c->peer_previous->peer_next : &peer->first) = c->peer_next;
	*(c->peer_next ? &c->peer_next->peer_previous : &peer->last) = c->peer_previous;
	c->peer = NULL;
	c->peer_next = c->peer_previous = NULL;
	if (--peer->count > 0)
		return;
	struct http_peer **link = slot_of(c->server, &peer->prefix);
	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	free(peer);
}

/* Who is missed least goes first; 0: is being worked for. */
static int dispensable(const struct http_connection *c)
{
	switch (c->state) {
	case HTTP_CONNECTION_LINGERING:
		return 5;
	case HTTP_CONNECTION_IDLE:
		return 4;
	case HTTP_CONNECTION_HEAD:
		return 3;
	case HTTP_CONNECTION_BODY:
		return 2;
	case HTTP_CONNECTION_WRITING:
		return 1;
	default:
		return 0;
	}
}

bool http_peers_make_room(struct http_server *server, const struct http_address *address, size_t most)
{
	struct http_address prefix = http_address_prefix(address);
	struct http_peer *peer = find(server, &prefix);
	struct http_connection *victim = NULL;
	int looked = 0;
	if (!peer || peer->count < most)
		return true;
	for (struct http_connection *c = peer->first; c && looked < LOOKED_AT; c = c->peer_next, looked++)
		if (dispensable(c) > (victim ? dispensable(victim) : 0))
			victim = c;
	if (!victim)
		return false;
	http_server_refused(server, HTTP_REFUSED_ADDRESS_FULL);
	http_connection_cut(victim);
	return true;
}

bool http_server_make_room(struct http_server *server)
{
	static const enum http_connection_state order[] = { HTTP_CONNECTION_LINGERING, HTTP_CONNECTION_IDLE,
							    HTTP_CONNECTION_HEAD, HTTP_CONNECTION_BODY,
							    HTTP_CONNECTION_WRITING };
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct http_connection *victim = server->lists[order[i]].first;
		if (victim) {
			http_connection_cut(victim);
			return true;
		}
	}
	return false;
}
