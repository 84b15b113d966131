/* SPDX-License-Identifier: Apache-2.0
 * Identity numbers at rest: sealing, finding, masking; and the key file.
 * The master key is in memory only while the sub-keys are derived. The key file is 64 hexadecimal digits
 * and a newline, so that it can be copied by hand; it is never overwritten. */
#include "service/vault.h"
#include "service/durable.h"
#include "service/vault_keys.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_TEXT = VAULT_KEY_BYTES * 2 };
enum { IDENTITY_BODY = 17, MASK_FROM = 6, MASK_TO = 14, MASK_LEAST = 18 };

_Static_assert(VAULT_SEAL_OVERHEAD == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES +
					      crypto_aead_xchacha20poly1305_ietf_ABYTES,
	       "the header says what sealing adds");
_Static_assert(VAULT_KEY_BYTES == crypto_kdf_KEYBYTES, "master and sub-keys are of one length");

static bool key_fails(char *why, size_t why_size, const char *path, const char *reason)
{
	snprintf(why, why_size, "key file %s: %s", path, reason);
	return false;
}

/* The text of a new key, newline included, into a fresh file that nobody else can read. */
static bool key_file_fill(int fd)
{
	unsigned char key[VAULT_KEY_BYTES];
	char text[KEY_TEXT + 1];
	crypto_kdf_keygen(key);
	sodium_bin2hex(text, sizeof text, key, sizeof key);
	text[KEY_TEXT] = '\n';
	bool ok = durable_write(fd, text, sizeof text) && fsync(fd) == 0;
	sodium_memzero(key, sizeof key);
	sodium_memzero(text, sizeof text);
	return ok;
}

/* link() makes the name appear with its whole content or not at all; when two processes start at once, the
 * second finds the first one's key and uses that. */
static bool key_file_make(const char *path, char *why, size_t why_size)
{
	char *draft = NULL;
	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		return key_fails(why, why_size, path, "not enough memory");
	int fd = mkostemp(draft, O_CLOEXEC); /* 0600 */
	bool ok = fd >= 0 && key_file_fill(fd) && (link(draft, path) == 0 || errno == EEXIST) &&
		  durable_directory(path);
	if (!ok)
		key_fails(why, why_size, path, strerror(errno));
	if (fd >= 0) {
		unlink(draft);
		close(fd);
	}
	free(draft);
	return ok;
}

static bool key_file_private(int fd, const char *path, char *why, size_t why_size)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return key_fails(why, why_size, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return key_fails(why, why_size, path, "not a regular file");
	if (st.st_mode & 077)
		return key_fails(why, why_size, path, "others may read it; chmod 600 it");
	return true;
}

static bool key_file_read(int fd, const char *path, unsigned char key[VAULT_KEY_BYTES], char *why,
			  size_t why_size)
{
	if (!key_file_private(fd, path, why, why_size))
		return false;
	char text[KEY_TEXT + 2]; /* one more than a whole file, to see what is too long */
	ssize_t got = read(fd, text, sizeof text);
	size_t key_len = 0;
	bool whole = (got == KEY_TEXT || (got == KEY_TEXT + 1 && text[KEY_TEXT] == '\n')) &&
		     sodium_hex2bin(key, VAULT_KEY_BYTES, text, KEY_TEXT, NULL, &key_len, NULL) == 0 &&
		     key_len == VAULT_KEY_BYTES;
	sodium_memzero(text, sizeof text);
	return whole || key_fails(why, why_size, path, "not 64 hexadecimal digits");
}

static struct vault *vault_derive(const unsigned char master[VAULT_KEY_BYTES])
{
	static const char context[crypto_kdf_CONTEXTBYTES + 1] = "tantu-v1";
	struct vault *vault = sodium_malloc(sizeof *vault);
	if (!vault)
		return NULL;
	crypto_kdf_derive_from_key(vault->seal, sizeof vault->seal, 1, context, master);
	crypto_kdf_derive_from_key(vault->index, sizeof vault->index, 2, context, master);
	crypto_kdf_derive_from_key(vault->fingerprint, sizeof vault->fingerprint, 3, context, master);
	crypto_kdf_derive_from_key(vault->file, sizeof vault->file, 4, context, master);
	crypto_kdf_derive_from_key(vault->part, sizeof vault->part, 5, context, master);
	sodium_mprotect_readonly(vault);
	return vault;
}

struct vault *vault_open(const char *path, bool create, char *why, size_t why_size)
{
	INVARIANT(sodium_init() >= 0);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && create) {
		if (!key_file_make(path, why, why_size))
			return NULL;
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		key_fails(why, why_size, path, strerror(errno));
		return NULL;
	}
	unsigned char master[VAULT_KEY_BYTES];
	struct vault *vault = NULL;
	if (key_file_read(fd, path, master, why, why_size)) {
		vault = vault_derive(master);
		if (!vault)
			key_fails(why, why_size, path, "not enough memory");
	}
	sodium_memzero(master, sizeof master);
	close(fd);
	return vault;
}

void vault_free(struct vault **vault)
{
	sodium_free(*vault); /* wipes it */
	*vault = NULL;
}

size_t vault_seal(const struct vault *vault, struct slice plain, unsigned char *out)
{
	unsigned char *text = out + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
	unsigned long long len;
	randombytes_buf(out, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(text, &len, (const unsigned char *)plain.at, plain.len,
						   NULL, 0, NULL, out, vault->seal);
	return crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + (size_t)len;
}

bool vault_unseal(const struct vault *vault, struct slice sealed, char *out, size_t *out_len)
{
	if (sealed.len < VAULT_SEAL_OVERHEAD)
		return false;
	const unsigned char *nonce = (const unsigned char *)sealed.at;
	const unsigned char *text = nonce + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
	unsigned long long len;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)out, &len, NULL, text,
						       sealed.len -
							       crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
						       NULL, 0, nonce, vault->seal) != 0)
		return false;
	*out_len = (size_t)len;
	return true;
}

void vault_index(const struct vault *vault, struct slice identity, unsigned char out[VAULT_INDEX_BYTES])
{
	const unsigned char *at = (const unsigned char *)identity.at;
	crypto_generichash_state hash;
	crypto_generichash_init(&hash, vault->index, sizeof vault->index, VAULT_INDEX_BYTES);
	if (identity.len > IDENTITY_BODY && at[IDENTITY_BODY] == 'x') {
		crypto_generichash_update(&hash, at, IDENTITY_BODY);
		crypto_generichash_update(&hash, (const unsigned char *)"X", 1);
		crypto_generichash_update(&hash, at + IDENTITY_BODY + 1, identity.len - IDENTITY_BODY - 1);
	} else {
		crypto_generichash_update(&hash, at, identity.len);
	}
	crypto_generichash_final(&hash, out, VAULT_INDEX_BYTES);
}

void vault_fingerprint(const struct vault *vault, struct slice bytes, unsigned char out[VAULT_INDEX_BYTES])
{
	crypto_generichash(out, VAULT_INDEX_BYTES, (const unsigned char *)bytes.at, bytes.len,
			   vault->fingerprint, sizeof vault->fingerprint);
}

void vault_mask(struct slice identity, char *out)
{
	size_t from = identity.len >= MASK_LEAST ? MASK_FROM : 0;
	size_t to = identity.len >= MASK_LEAST ? MASK_TO : identity.len;
	for (size_t i = 0; i < identity.len; i++)
		out[i] = i >= from && i < to ? '*' : identity.at[i];
}
