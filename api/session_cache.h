/* SPDX-License-Identifier: Apache-2.0
 * Who is signed in, in memory, so that no request pays for it. Entries go when their session ends (NOTIFY),
 * expires, or when notifications may have been missed (all of them). */
#ifndef API_SESSION_CACHE_H
#define API_SESSION_CACHE_H

#include "db/db.h"

struct principal {
	int64_t account;
	unsigned role; /* one bit, see api/endpoint.h; 0: nobody */
	struct db_scope scope;
	char name[200];
	int64_t expires_at; /* microseconds of uv_hrtime's clock */
};

struct session_cache;
struct session_cache *session_cache_new(size_t most);
void session_cache_free(struct session_cache **cache);
/* NULL when it is not known or has expired. Valid until the next call. */
const struct principal *session_cache_find(struct session_cache *cache, const unsigned char hash[32],
					   int64_t now);
/* epoch: what session_cache_epoch said when the lookup began; an entry that was looked up before a
 * revocation was heard is not kept. */
void session_cache_put(struct session_cache *cache, const unsigned char hash[32], const struct principal *who,
		       uint64_t epoch);
uint64_t session_cache_epoch(const struct session_cache *cache);
void session_cache_drop(struct session_cache *cache, const unsigned char hash[32]);
void session_cache_clear(struct session_cache *cache);

#endif
