/* SPDX-License-Identifier: Apache-2.0
 * Passwords (argon2id) and random tokens, by libsodium.
 * Limits: 19 MiB, 2 passes, 1 lane — the second configuration of the OWASP Password Storage Cheat Sheet
 * (https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id). */
#include "service/password.h"
#include <errno.h>
#include <sodium.h>

enum { PASSES = 2, MEMORY = 19 * 1024 * 1024 };

_Static_assert(PASSWORD_HASH_BYTES == crypto_pwhash_STRBYTES, "the header says how long a hash is");
_Static_assert(TOKEN_TEXT_BYTES ==
		       sodium_base64_ENCODED_LEN(TOKEN_HASH_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
	       "the header says how long a token is");

bool password_hash(struct slice password, char out[PASSWORD_HASH_BYTES])
{
	INVARIANT(sodium_init() >= 0);
	return crypto_pwhash_str_alg(out, password.at ? password.at : "", password.len, PASSES, MEMORY,
				     crypto_pwhash_ALG_ARGON2ID13) == 0;
}

/* The work of a verification against a hash made today, and nothing else. */
static void password_spend(struct slice password)
{
	static const unsigned char salt[crypto_pwhash_SALTBYTES] = "nobody has this";
	unsigned char out[32];
	int spent = crypto_pwhash(out, sizeof out, password.at ? password.at : "", password.len, salt, PASSES,
				  MEMORY, crypto_pwhash_ALG_ARGON2ID13);
	errno = spent == 0 ? 0 : ENOMEM;
	sodium_memzero(out, sizeof out);
}

bool password_verify(const char *hash, struct slice password)
{
	INVARIANT(sodium_init() >= 0);
	errno = 0; /* a password that differs leaves EINVAL */
	if (hash)
		return crypto_pwhash_str_verify(hash, password.at ? password.at : "", password.len) == 0;
	password_spend(password);
	return false;
}

void token_new(char out[TOKEN_TEXT_BYTES])
{
	unsigned char bytes[32];
	INVARIANT(sodium_init() >= 0);
	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2base64(out, TOKEN_TEXT_BYTES, bytes, sizeof bytes,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof bytes);
}

void token_hash(struct slice token, unsigned char out[TOKEN_HASH_BYTES])
{
	crypto_generichash(out, TOKEN_HASH_BYTES, (const unsigned char *)token.at, token.len, NULL, 0);
}
