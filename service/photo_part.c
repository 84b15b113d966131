/* SPDX-License-Identifier: Apache-2.0
 * Frames: [4 bytes little-endian length of the plain bytes][nonce][sealed bytes], at most PHOTO_FRAME plain.
 * Each is sealed with the part's name and the offset of its first plain byte, so none can be moved.
 * A lock on the file is worth something only while the file still has its name: who had it before may have
 * deleted it. */
#include "service/photo_part.h"
#include "service/durable.h"
#include "service/vault_keys.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LENGTH = 4,
	NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	ADDED = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	NAME_MOST = 120
};
_Static_assert(VAULT_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the part key fits");

struct photo_part {
	const struct vault *vault;
	int fd;
	char *path;
	char bound[NAME_MOST + 24]; /* the name, a blank, the offset */
	size_t name_len;
	uint64_t written; /* plain bytes in whole frames */
	size_t waiting;
	unsigned char plain[PHOTO_FRAME];
	unsigned char frame[LENGTH + NONCE + PHOTO_FRAME + ADDED];
};

static size_t bind_at(struct photo_part *part, uint64_t offset)
{
	int len = snprintf(part->bound + part->name_len, sizeof part->bound - part->name_len, " %llu",
			   (unsigned long long)offset);
	return part->name_len + (size_t)len;
}

/* len, or less at the end of the file; -1 with errno. */
static ssize_t read_whole(int fd, void *into, size_t len)
{
	size_t have = 0;
	while (have < len) {
		ssize_t n = read(fd, (char *)into + have, len - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/* The next frame into part->plain. Its plain length; 0: there is no whole one; -1 with errno. */
static ssize_t next_frame(struct photo_part *part, uint64_t offset)
{
	unsigned long long plain;
	ssize_t n = read_whole(part->fd, part->frame, LENGTH + NONCE);
	if (n != LENGTH + NONCE)
		return n < 0 ? -1 : 0;
	size_t len = 0;
	for (int i = 0; i < LENGTH; i++)
		len |= (size_t)part->frame[i] << (8 * i);
	if (len == 0 || len > PHOTO_FRAME)
		return 0;
	n = read_whole(part->fd, part->frame + LENGTH + NONCE, len + ADDED);
	if (n != (ssize_t)(len + ADDED))
		return n < 0 ? -1 : 0;
	size_t bound = bind_at(part, offset);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    part->plain, &plain, NULL, part->frame + LENGTH + NONCE, len + ADDED,
		    (const unsigned char *)part->bound, bound, part->frame + LENGTH, part->vault->part) != 0)
		return 0;
	return (ssize_t)plain;
}

/* Goes over the whole frames. */
static bool measure(struct photo_part *part, off_t *end)
{
	ssize_t n;
	*end = 0;
	part->written = 0;
	if (lseek(part->fd, 0, SEEK_SET) != 0)
		return false;
	while ((n = next_frame(part, part->written)) > 0) {
		part->written += (uint64_t)n;
		*end += LENGTH + NONCE + n + ADDED;
	}
	return n == 0;
}

static bool cut_to(struct photo_part *part, off_t end)
{
	return ftruncate(part->fd, end) == 0 && lseek(part->fd, end, SEEK_SET) == end;
}

/* Whether the locked file is still the one of that name. */
static bool has_its_name(int fd, const char *path)
{
	struct stat ours, named;
	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
	       ours.st_dev == named.st_dev;
}

static int open_locked(const char *path)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			int error = errno;
			close(fd);
			errno = error;
			return -1;
		}
		if (has_its_name(fd, path))
			return fd;
		close(fd);
	}
}

static void part_free(struct photo_part **part)
{
	int error = errno;
	if ((*part)->fd >= 0)
		close((*part)->fd);
	free((*part)->path);
	sodium_memzero(*part, sizeof **part);
	free(*part);
	*part = NULL;
	errno = error;
}

static struct photo_part *part_new(const struct vault *vault, const char *path, const char *name)
{
	struct photo_part *part = calloc(1, sizeof *part);
	if (!part)
		return NULL;
	INVARIANT(strlen(name) < NAME_MOST);
	part->vault = vault;
	part->fd = -1;
	part->name_len = strlen(name);
	memcpy(part->bound, name, part->name_len);
	part->path = strdup(path);
	if (!part->path)
		part_free(&part);
	return part;
}

struct photo_part *photo_part_open(const struct vault *vault, const char *path, const char *name, bool anew)
{
	off_t end = 0;
	struct photo_part *part = part_new(vault, path, name);
	if (!part)
		return NULL;
	part->fd = open_locked(path);
	bool opened = part->fd >= 0 && (anew || measure(part, &end)) && cut_to(part, end);
	if (!opened)
		part_free(&part);
	return part;
}

uint64_t photo_part_bytes(const struct photo_part *part)
{
	return part->written + part->waiting;
}

/* A frame that could not be written whole is cut off again, so that the next one is found behind it. */
bool photo_part_flush(struct photo_part *part)
{
	unsigned long long sealed;
	unsigned char *nonce = part->frame + LENGTH;
	if (part->waiting == 0)
		return true;
	off_t start = lseek(part->fd, 0, SEEK_CUR);
	for (int i = 0; i < LENGTH; i++)
		part->frame[i] = (unsigned char)(part->waiting >> (8 * i));
	randombytes_buf(nonce, NONCE);
	size_t bound = bind_at(part, part->written);
	crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE, &sealed, part->plain, part->waiting,
						   (const unsigned char *)part->bound, bound, NULL, nonce,
						   part->vault->part);
	if (!durable_write(part->fd, part->frame, LENGTH + NONCE + (size_t)sealed)) {
		int error = errno;
		bool cut = start >= 0 && cut_to(part, start);
		errno = cut ? error : EIO;
		return false;
	}
	part->written += part->waiting;
	part->waiting = 0;
	return true;
}

bool photo_part_add(struct photo_part *part, struct slice bytes)
{
	while (bytes.len > 0) {
		if (part->waiting == PHOTO_FRAME && !photo_part_flush(part))
			return false;
		size_t room = PHOTO_FRAME - part->waiting, take = bytes.len < room ? bytes.len : room;
		memcpy(part->plain + part->waiting, bytes.at, take);
		part->waiting += take;
		bytes = (struct slice){ bytes.at + take, bytes.len - take };
	}
	return true;
}

bool photo_part_read(struct photo_part *part, unsigned char *out)
{
	uint64_t have = 0;
	ssize_t n = 1;
	INVARIANT(part->waiting == 0);
	if (lseek(part->fd, 0, SEEK_SET) != 0)
		return false;
	while (have < part->written && (n = next_frame(part, have)) > 0) {
		memcpy(out + have, part->plain, (size_t)n);
		have += (uint64_t)n;
	}
	if (n == 0)
		errno = EBADMSG;
	return n > 0;
}

void photo_part_close(struct photo_part **part)
{
	if (!*part)
		return;
	if (!photo_part_flush(*part))
		(*part)->waiting = 0; /* whoever goes on is told what is there */
	part_free(part);
}

void photo_part_discard(struct photo_part **part)
{
	if (!*part)
		return;
	unlink((*part)->path);
	part_free(part);
}

bool photo_part_kept(const struct vault *vault, const char *path, const char *name, uint64_t *bytes)
{
	off_t end;
	struct photo_part *part = part_new(vault, path, name);
	if (!part)
		return false;
	part->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool measured = part->fd >= 0 && measure(part, &end);
	*bytes = part->written;
	part_free(&part);
	return measured;
}

bool photo_part_expire(const char *path, int64_t seconds)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool gone = flock(fd, LOCK_EX | LOCK_NB) == 0 && has_its_name(fd, path) && fstat(fd, &st) == 0 &&
		    time(NULL) - st.st_mtime >= seconds && unlink(path) == 0;
	close(fd);
	return gone;
}
