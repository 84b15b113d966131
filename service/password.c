/* SPDX-License-Identifier: Apache-2.0
 * Passwords (argon2id) and random tokens, by libsodium.
 * Limits: 19 MiB, 2 passes, 1 lane — the second configuration of the OWASP Password Storage Cheat Sheet
 * (https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id). */
#include "service/password.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { PASSES = 2, MEMORY = 19 * 1024 * 1024, KEY = 32 };

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
	unsigned char out[KEY];
	int spent = crypto_pwhash(out, sizeof out, password.at ? password.at : "", password.len, salt, PASSES,
				  MEMORY, crypto_pwhash_ALG_ARGON2ID13);
	errno = spent == 0 ? 0 : ENOMEM;
	sodium_memzero(out, sizeof out);
}

struct encoded {
	unsigned passes, kib;
	unsigned char salt[crypto_pwhash_SALTBYTES], key[KEY];
};

static bool from_base64(unsigned char *out, size_t size, const char *text)
{
	size_t len;
	return sodium_base642bin(out, size, text, strlen(text), NULL, &len, NULL,
				 sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
	       len == size;
}

/* What password_hash writes: $argon2id$v=19$m=KIB,t=PASSES,p=1$SALT$KEY */
static bool decode(const char *hash, struct encoded *e)
{
	char salt[64], key[64];
	/* NOLINTNEXTLINE(cert-err34-c): nine digits fit */
	return sscanf(hash, "$argon2id$v=19$m=%9u,t=%9u,p=1$%63[^$]$%63[^$]", &e->kib, &e->passes, salt,
		      key) == 4 &&
	       from_base64(e->salt, sizeof e->salt, salt) && from_base64(e->key, sizeof e->key, key);
}

/* crypto_pwhash_str_verify answers the same for a wrong password as for want of memory. */
bool password_verify(const char *hash, struct slice password)
{
	struct encoded e;
	unsigned char key[KEY];
	INVARIANT(sodium_init() >= 0);
	errno = 0;
	if (!hash || !decode(hash, &e)) {
		password_spend(password);
		return false;
	}
	int made = crypto_pwhash(key, sizeof key, password.at ? password.at : "", password.len, e.salt,
				 e.passes, (size_t)e.kib * 1024, crypto_pwhash_ALG_ARGON2ID13);
	bool right = made == 0 && sodium_memcmp(key, e.key, sizeof key) == 0;
	sodium_memzero(key, sizeof key);
	errno = made == 0 ? 0 : ENOMEM;
	return right;
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
