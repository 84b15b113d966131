/* SPDX-License-Identifier: Apache-2.0
 * See photo_store.h. A name for now ends in .new-RANDOM; the sweep deletes those that a crash has left. */
#include "service/photo_store.h"
#include "service/durable.h"
#include "service/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEX = PHOTO_HEX_BYTES - 1 };

const char *const photo_file_endings[PHOTO_FILES] = { ".photo", ".view", ".thumb" };

void photo_hex(const unsigned char hash[VAULT_INDEX_BYTES], char out[PHOTO_HEX_BYTES])
{
	sodium_bin2hex(out, PHOTO_HEX_BYTES, hash, VAULT_INDEX_BYTES);
}

void photo_store_path(const char *folder, const char *hex, enum photo_file file, char out[PHOTO_PATH_BYTES])
{
	snprintf(out, PHOTO_PATH_BYTES, "%s/%.2s/%s%s", folder, hex, hex, photo_file_endings[file]);
}

bool photo_store_prepare(const char *folder)
{
	char path[PHOTO_PATH_BYTES];
	snprintf(path, sizeof path, "%s/parts", folder);
	return folder_make(folder) && folder_make(path);
}

bool photo_store_name(const char *name, char hex[PHOTO_HEX_BYTES], enum photo_file *file)
{
	if (strspn(name, "0123456789abcdef") != HEX)
		return false;
	memcpy(hex, name, HEX);
	hex[HEX] = 0;
	for (int i = 0; i < PHOTO_FILES; i++) {
		*file = (enum photo_file)i;
		if (strcmp(name + HEX, photo_file_endings[i]) == 0)
			return true;
	}
	return false;
}

/* The shard's lock; made with the shard, which stays. */
static int open_shard(const char *folder, const char *hex)
{
	char path[PHOTO_PATH_BYTES];
	snprintf(path, sizeof path, "%s/%.2s", folder, hex);
	struct stat st;
	if (stat(path, &st) != 0 && (!folder_make(path) || !durable_directory(path)))
		return -1;
	snprintf(path, sizeof path, "%s/%.2s/.lock", folder, hex);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int lock_shard(const char *folder, const char *hex, int how)
{
	int fd = open_shard(folder, hex);
	while (fd >= 0 && flock(fd, how) != 0) {
		int error = errno;
		if (error == EINTR)
			continue;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int photo_store_hold(const char *folder, const char *hex)
{
	return lock_shard(folder, hex, LOCK_SH);
}

/* Sealed under a name for now. False with errno, and nothing is left. */
static bool write_new(const struct vault *vault, const char *path, struct slice bytes)
{
	char why[200];
	unsigned char print[VAULT_INDEX_BYTES];
	uint64_t len;
	struct sealed_writer *writer = sealed_writer_new(vault, path, why, sizeof why);
	if (!writer)
		return false;
	if (sealed_writer_add(writer, bytes))
		return sealed_writer_finish(&writer, print, &len);
	sealed_writer_abandon(&writer);
	return false;
}

bool photo_store_put(const struct vault *vault, const char *folder, const char *hex, enum photo_file file,
		     struct slice bytes)
{
	char path[PHOTO_PATH_BYTES], now[PHOTO_PATH_BYTES + 16];
	photo_store_path(folder, hex, file, path);
	snprintf(now, sizeof now, "%s.new-%08x", path, randombytes_random());
	if (!write_new(vault, now, bytes))
		return false;
	if (rename(now, path) == 0)
		return durable_directory(path);
	int error = errno;
	unlink(now);
	errno = error;
	return false;
}

static bool read_to_end(struct sealed_reader *reader, unsigned char *into, size_t room, size_t *len)
{
	long n = 1;
	*len = 0;
	while (*len < room && (n = sealed_reader_read(reader, into + *len, room - *len)) > 0)
		*len += (size_t)n;
	if (n < 0)
		errno = sealed_reader_errno(reader);
	else if (n > 0)
		errno = EFBIG;
	return n == 0;
}

bool photo_store_get(const struct vault *vault, const char *folder, const char *hex, enum photo_file file,
		     size_t most, struct slice *out)
{
	char path[PHOTO_PATH_BYTES], why[200];
	struct stat st;
	photo_store_path(folder, hex, file, path);
	if (stat(path, &st) != 0)
		return false;
	size_t room = (size_t)st.st_size < most ? (size_t)st.st_size : most; /* sealed is longer than plain */
	struct sealed_reader *reader = sealed_reader_open(vault, path, why, sizeof why);
	if (!reader)
		return false;
	unsigned char *bytes = malloc(room + 1);
	bool whole = bytes && read_to_end(reader, bytes, room + 1, &out->len);
	int error = bytes ? errno : ENOMEM;
	sealed_reader_close(&reader);
	if (whole) {
		out->at = (char *)bytes;
		return true;
	}
	free(bytes);
	errno = error;
	return false;
}

/* What was made of it first, so that an original without them is the worst that a crash leaves. */
static int delete_held(const char *folder, const char *hex, int64_t seconds)
{
	char path[PHOTO_PATH_BYTES];
	struct stat st;
	photo_store_path(folder, hex, PHOTO_ORIGINAL, path);
	if (stat(path, &st) == 0 && time(NULL) - st.st_mtime < seconds)
		return 0;
	for (int i = PHOTO_FILES - 1; i >= 0; i--) {
		photo_store_path(folder, hex, (enum photo_file)i, path);
		if (unlink(path) != 0 && errno != ENOENT)
			return -1;
	}
	return 1;
}

int photo_store_delete(const char *folder, const char *hex, int64_t seconds)
{
	int fd = lock_shard(folder, hex, LOCK_EX | LOCK_NB);
	if (fd < 0)
		return errno == EWOULDBLOCK ? 0 : -1;
	int gone = delete_held(folder, hex, seconds);
	int error = errno;
	close(fd);
	errno = error;
	return gone;
}
