/* SPDX-License-Identifier: Apache-2.0
 * The file: magic, operations and memory of argon2id (8 bytes each, little endian), salt, nonce, sealed key
 * text. What stands before the sealed text is authenticated with it. */
#include "service/sealed_key.h"
#include "service/durable.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAGIC = 8,
	NUMBER = 8,
	SALT = crypto_pwhash_SALTBYTES,
	NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	HEAD = MAGIC + NUMBER + NUMBER + SALT + NONCE,
	TEXT = 64 + 1, /* as in the key file */
	WHOLE = HEAD + TEXT + crypto_aead_xchacha20poly1305_ietf_ABYTES,
	KEY = crypto_aead_xchacha20poly1305_ietf_KEYBYTES
};
/* What a stranger's file may ask of this machine. */
static const uint64_t operations_most = 20, memory_most = 1ull << 30;
static const unsigned char magic[MAGIC] = { 'T', 'A', 'N', 'T', 'U', 'K', 'Y', '1' };

static bool fails(char *why, size_t why_size, const char *path, const char *reason)
{
	snprintf(why, why_size, "%s: %s", path, reason);
	return false;
}

static void put_number(unsigned char *at, uint64_t n)
{
	for (int i = 0; i < NUMBER; i++)
		at[i] = (unsigned char)(n >> (8 * i));
}

static uint64_t get_number(const unsigned char *at)
{
	uint64_t n = 0;
	for (int i = NUMBER - 1; i >= 0; i--)
		n = n << 8 | at[i];
	return n;
}

/* All of a small file; its length, or -1 with errno. */
static ssize_t read_whole(const char *path, void *into, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, into, room);
	close(fd);
	return n;
}

static bool write_whole(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool done = durable_write(fd, bytes, len) && fsync(fd) == 0;
	done = close(fd) == 0 && done && durable_directory(path);
	int kept = errno;
	if (!done)
		unlink(path);
	errno = kept;
	return done;
}

static bool derive(unsigned char key[KEY], const char *passphrase, const unsigned char *file)
{
	const unsigned char *salt = file + MAGIC + NUMBER + NUMBER;
	return crypto_pwhash(key, KEY, passphrase, strlen(passphrase), salt, get_number(file + MAGIC),
			     (size_t)get_number(file + MAGIC + NUMBER), crypto_pwhash_ALG_ARGON2ID13) == 0;
}

bool sealed_key_write(const char *key_file, const char *passphrase, const char *path, char *why,
		      size_t why_size)
{
	unsigned char file[WHOLE], key[KEY];
	char text[TEXT + 1] = "";
	ssize_t n = read_whole(key_file, text, sizeof text);
	if (n < TEXT - 1 || n > TEXT)
		return fails(why, why_size, key_file, n < 0 ? strerror(errno) : "not a key file");
	text[TEXT - 1] = '\n';
	memcpy(file, magic, MAGIC);
	put_number(file + MAGIC, crypto_pwhash_OPSLIMIT_MODERATE);
	put_number(file + MAGIC + NUMBER, crypto_pwhash_MEMLIMIT_MODERATE);
	randombytes_buf(file + MAGIC + NUMBER + NUMBER, SALT + NONCE);
	bool done = derive(key, passphrase, file);
	if (!done)
		fails(why, why_size, path, "argon2id wants 256 MB of memory");
	else
		crypto_aead_xchacha20poly1305_ietf_encrypt(file + HEAD, NULL, (unsigned char *)text, TEXT,
							   file, HEAD, NULL, file + HEAD - NONCE, key);
	sodium_memzero(text, sizeof text);
	sodium_memzero(key, sizeof key);
	if (done && !(done = write_whole(path, file, sizeof file)))
		fails(why, why_size, path, strerror(errno));
	return done;
}

bool sealed_key_open(const char *path, const char *passphrase, const char *key_file, char *why,
		     size_t why_size)
{
	unsigned char file[WHOLE + 1], key[KEY];
	char text[TEXT];
	ssize_t n = read_whole(path, file, sizeof file);
	if (n != WHOLE || memcmp(file, magic, MAGIC) != 0 || get_number(file + MAGIC) > operations_most ||
	    get_number(file + MAGIC + NUMBER) > memory_most)
		return fails(why, why_size, path, n < 0 ? strerror(errno) : "not a sealed key");
	if (!derive(key, passphrase, file))
		return fails(why, why_size, path, "not enough memory for argon2id");
	bool done = crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)text, NULL, NULL, file + HEAD,
							       WHOLE - HEAD, file, HEAD, file + HEAD - NONCE,
							       key) == 0;
	sodium_memzero(key, sizeof key);
	if (!done)
		return fails(why, why_size, path, "the passphrase is not the one it was sealed with");
	if (!(done = write_whole(key_file, text, sizeof text)))
		fails(why, why_size, key_file, strerror(errno));
	sodium_memzero(text, sizeof text);
	return done;
}
