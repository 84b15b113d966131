/* SPDX-License-Identifier: Apache-2.0
 * All the bytes of a photo, looked at and put into the store. Blocking (up to seconds): thread pool. */
#ifndef API_PHOTO_TAKE_H
#define API_PHOTO_TAKE_H

#include "service/photo_header.h"
#include "service/vault.h"

struct photo_taken {
	/* Why it was not taken; none of them: it is in the store, on disk. */
	int error;         /* errno: our disk failed, not the photo */
	bool memory_lacks; /* nothing is said about the photo */
	bool digest_wrong; /* it is not what was sent */
	enum photo_refusal refusal;
	/* What its row needs. */
	unsigned char print[VAULT_INDEX_BYTES];
	char facts[400]; /* JSON: what photo_keep takes */
	char looks[24];  /* the perceptual hash; "": nothing to be told from it */
	int held;        /* its shard of the store, until the row is committed; -1 before it is held */
};

/* digest: the SHA-256 of the bytes as the client says it, or NULL. out is zero but for held, which is -1. */
void photo_take(const struct vault *vault, const char *folder, struct slice bytes,
		const unsigned char *digest, struct photo_taken *out);
/* The row is committed, or will not be. */
void photo_taken_end(struct photo_taken *taken);

#endif
