/* SPDX-License-Identifier: Apache-2.0
 * argon2id (libsodium, interactive limits: 64 MiB would be too much for 2 cores × many; see password.c for
 * the limits chosen and their source). Slow on purpose: call from the thread pool only. */
#ifndef SERVICE_PASSWORD_H
#define SERVICE_PASSWORD_H

#include "service/invariant.h"
#include "service/slice.h"

enum { PASSWORD_HASH_BYTES = 128 }; /* crypto_pwhash_STRBYTES, terminated */

MUST_USE bool password_hash(struct slice password, char out[PASSWORD_HASH_BYTES]);
/* hash NULL: spends the same time and answers false, so that an unknown user is not told from a wrong
 * password. False with errno ENOMEM: nothing was found out. */
MUST_USE bool password_verify(const char *hash, struct slice password);

/* 32 random bytes as 43 characters of base64url, terminated. */
enum { TOKEN_TEXT_BYTES = 44, TOKEN_HASH_BYTES = 32 };
void token_new(char out[TOKEN_TEXT_BYTES]);
/* What the database keeps of a token: BLAKE2b-256. */
void token_hash(struct slice token, unsigned char out[TOKEN_HASH_BYTES]);

#endif
