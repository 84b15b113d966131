/* SPDX-License-Identifier: Apache-2.0
 * See folder.h. */
#include "service/folder.h"
#include "service/durable.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 18, FOLDERS_OPEN = 16, ID_MOST = 100 };

/* into: -1 to read only. */
static bool pass(int from, int into, struct file_print *print)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	char *chunk = malloc(CHUNK);
	ssize_t n = -1;
	bool written = true;
	*print = (struct file_print){ 0 };
	crypto_hash_sha256_init(&state);
	while (chunk && written && (n = read(from, chunk, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		crypto_hash_sha256_update(&state, (unsigned char *)chunk, (unsigned long long)n);
		print->bytes += (uint64_t)n;
		written = into < 0 || durable_write(into, chunk, (size_t)n);
	}
	crypto_hash_sha256_final(&state, digest);
	sodium_bin2hex(print->sha256, sizeof print->sha256, digest, sizeof digest);
	free(chunk);
	return n == 0 && written;
}

bool file_print(const char *path, struct file_print *print)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool done = pass(fd, -1, print);
	close(fd);
	return done;
}

/* Closes it; what was not done leaves no file. Keeps errno of the first failure. */
static bool settle(int fd, const char *path, bool done)
{
	done = done && fsync(fd) == 0;
	int kept = errno;
	if (close(fd) != 0 && done) {
		done = false;
		kept = errno;
	}
	done = done && durable_directory(path);
	if (!done)
		unlink(path);
	errno = kept;
	return done;
}

bool file_copy(const char *from, const char *to, struct file_print *print)
{
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0)
		return false;
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool done = out >= 0 && pass(in, out, print);
	if (out >= 0)
		done = settle(out, to, done);
	int kept = errno;
	close(in);
	errno = kept;
	return done;
}

bool file_write(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd >= 0 && settle(fd, path, durable_write(fd, bytes, len));
}

char *file_text(const char *path, size_t most, size_t *len)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return NULL;
	char *text = malloc(most + 1);
	*len = text ? fread(text, 1, most + 1, f) : 0;
	int trouble = ferror(f) ? EIO : *len > most ? EFBIG : 0;
	fclose(f);
	if (!text || trouble) {
		free(text);
		errno = trouble ? trouble : ENOMEM;
		return NULL;
	}
	text[*len] = 0;
	return text;
}

/* What root writes belongs to whom the folder belongs to. */
static bool claim(const char *folder, const char *file, const char *id)
{
	struct stat st;
	if (!file_write(file, id, strlen(id)))
		return errno == EEXIST;
	return geteuid() != 0 || (stat(folder, &st) == 0 && chown(file, st.st_uid, st.st_gid) == 0);
}

enum folder_claim folder_claim(const char *path, const char *id)
{
	char file[4096];
	size_t len = 0;
	snprintf(file, sizeof file, "%s/" FOLDER_OWNER_FILE, path);
	char *text = file_text(file, ID_MOST, &len);
	if (!text && errno == ENOENT && claim(path, file, id))
		text = file_text(file, ID_MOST, &len);
	if (!text)
		return FOLDER_TROUBLE;
	enum folder_claim said = strcmp(text, id) == 0 ? FOLDER_OURS : FOLDER_FOREIGN;
	free(text);
	return said;
}

bool folder_make(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

bool folder_remove(const char *path)
{
	return nftw(path, remove_one, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT;
}
