/* SPDX-License-Identifier: Apache-2.0
 * Files at rest: magic, stream header, then frames of [4 bytes little-endian length][sealed bytes].
 * Every frame but the last holds FRAME_PLAIN bytes; the last carries the FINAL tag and nothing follows it, so
 * a file cut, extended or reordered anywhere never reads to its end. */
#include "service/durable.h"
#include "service/vault_keys.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAGIC = 8,
	HEADER = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
	LENGTH = 4,
	ADDED = crypto_secretstream_xchacha20poly1305_ABYTES,
	FRAME_PLAIN = 65536,
	FRAME_SEALED = FRAME_PLAIN + ADDED
};
_Static_assert(VAULT_KEY_BYTES == crypto_secretstream_xchacha20poly1305_KEYBYTES,
	       "the file key fits the stream");

static const unsigned char magic[MAGIC] = { 'T', 'A', 'N', 'T', 'U', 'S', 'F', '1' };

struct sealed_writer {
	crypto_generichash_state hash;
	crypto_secretstream_xchacha20poly1305_state stream;
	int fd;
	int error; /* errno of the first write that failed */
	uint64_t bytes;
	size_t pending;
	char *path;
	unsigned char plain[FRAME_PLAIN];
	unsigned char frame[LENGTH + FRAME_SEALED];
};

struct sealed_reader {
	crypto_secretstream_xchacha20poly1305_state stream;
	const struct vault *vault;
	int fd;
	int error; /* see sealed_reader_errno */
	bool final;
	size_t at, have;
	unsigned char plain[FRAME_PLAIN];
	unsigned char frame[FRAME_SEALED];
};

/* The hash state wants 64-byte alignment; malloc promises 16. */
static void *aligned_zalloc(size_t size)
{
	void *at = NULL;
	if (posix_memalign(&at, 64, size) != 0)
		return NULL;
	memset(at, 0, size);
	return at;
}

static void explain(char *why, size_t why_size, const char *path, const char *reason)
{
	snprintf(why, why_size, "%s: %s", path, reason);
}

static bool sealed_writer_begin(struct sealed_writer *writer, const struct vault *vault)
{
	unsigned char head[MAGIC + HEADER];
	memcpy(head, magic, MAGIC);
	crypto_secretstream_xchacha20poly1305_init_push(&writer->stream, head + MAGIC, vault->file);
	crypto_generichash_init(&writer->hash, vault->fingerprint, sizeof vault->fingerprint,
				VAULT_INDEX_BYTES);
	return durable_write(writer->fd, head, sizeof head);
}

/* Leaves errno as it is, for whoever is told of the failure. */
static void sealed_writer_free(struct sealed_writer **writer)
{
	struct sealed_writer *w = *writer;
	int error = errno;
	*writer = NULL;
	if (w->fd >= 0)
		close(w->fd);
	free(w->path);
	sodium_memzero(w, sizeof *w);
	free(w);
	errno = error;
}

struct sealed_writer *sealed_writer_new(const struct vault *vault, const char *path, char *why,
					size_t why_size)
{
	struct sealed_writer *writer = aligned_zalloc(sizeof *writer);
	if (!writer) {
		explain(why, why_size, path, "not enough memory");
		errno = ENOMEM;
		return NULL;
	}
	writer->path = strdup(path);
	writer->fd = writer->path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	if (writer->fd < 0) {
		explain(why, why_size, path, strerror(errno));
		sealed_writer_free(&writer);
	} else if (!sealed_writer_begin(writer, vault)) {
		explain(why, why_size, path, strerror(errno));
		sealed_writer_abandon(&writer);
	}
	return writer;
}

static bool sealed_writer_flush(struct sealed_writer *writer, unsigned char tag)
{
	unsigned long long sealed;
	crypto_secretstream_xchacha20poly1305_push(&writer->stream, writer->frame + LENGTH, &sealed,
						   writer->plain, writer->pending, NULL, 0, tag);
	for (int i = 0; i < LENGTH; i++)
		writer->frame[i] = (unsigned char)(sealed >> (8 * i));
	writer->pending = 0;
	return durable_write(writer->fd, writer->frame, LENGTH + (size_t)sealed);
}

bool sealed_writer_add(struct sealed_writer *writer, struct slice bytes)
{
	if (bytes.len > 0)
		crypto_generichash_update(&writer->hash, (const unsigned char *)bytes.at, bytes.len);
	writer->bytes += bytes.len;
	while (bytes.len > 0 && !writer->error) {
		if (writer->pending == FRAME_PLAIN && !sealed_writer_flush(writer, 0))
			writer->error = errno;
		size_t room = FRAME_PLAIN - writer->pending;
		size_t take = bytes.len < room ? bytes.len : room;
		memcpy(writer->plain + writer->pending, bytes.at, take);
		writer->pending += take;
		bytes.at += take;
		bytes.len -= take;
	}
	if (writer->error)
		errno = writer->error;
	return !writer->error;
}

bool sealed_writer_finish(struct sealed_writer **writer, unsigned char fingerprint[VAULT_INDEX_BYTES],
			  uint64_t *bytes)
{
	struct sealed_writer *w = *writer;
	bool ok = !w->error && sealed_writer_flush(w, crypto_secretstream_xchacha20poly1305_TAG_FINAL) &&
		  fsync(w->fd) == 0;
	if (w->error)
		errno = w->error;
	if (ok) {
		ok = close(w->fd) == 0 && durable_directory(w->path);
		w->fd = -1;
	}
	if (!ok) {
		sealed_writer_abandon(writer);
		return false;
	}
	crypto_generichash_final(&w->hash, fingerprint, VAULT_INDEX_BYTES);
	*bytes = w->bytes;
	sealed_writer_free(writer);
	return true;
}

void sealed_writer_abandon(struct sealed_writer **writer)
{
	int error = errno;
	if (!*writer)
		return;
	unlink((*writer)->path);
	errno = error;
	sealed_writer_free(writer);
}

/* As much as there is up to len; fewer only at the end of the file. -1 on failure. */
static long read_whole(int fd, unsigned char *into, size_t len)
{
	size_t have = 0;
	while (have < len) {
		ssize_t got = read(fd, into + have, len - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (long)have;
}

/* False with reader->error: what the disk said, or the file ends before that. */
static bool read_exactly(struct sealed_reader *reader, unsigned char *into, size_t len)
{
	long got = read_whole(reader->fd, into, len);
	if (got == (long)len)
		return true;
	reader->error = got < 0 ? errno : EBADMSG;
	return false;
}

static bool sealed_reader_begin(struct sealed_reader *reader)
{
	unsigned char head[MAGIC + HEADER];
	reader->at = reader->have = 0;
	reader->final = false;
	reader->error = 0;
	if (lseek(reader->fd, 0, SEEK_SET) != 0)
		reader->error = errno;
	else if (!read_exactly(reader, head, sizeof head))
		return false;
	else if (memcmp(head, magic, MAGIC) != 0 ||
		 crypto_secretstream_xchacha20poly1305_init_pull(&reader->stream, head + MAGIC,
								 reader->vault->file) != 0)
		reader->error = EBADMSG;
	return !reader->error;
}

struct sealed_reader *sealed_reader_open(const struct vault *vault, const char *path, char *why,
					 size_t why_size)
{
	struct sealed_reader *reader = aligned_zalloc(sizeof *reader);
	if (!reader) {
		explain(why, why_size, path, "not enough memory");
		errno = ENOMEM;
		return NULL;
	}
	reader->vault = vault;
	reader->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reader->fd < 0)
		reader->error = errno;
	else if (sealed_reader_begin(reader))
		return reader;
	int error = reader->error;
	explain(why, why_size, path, error == EBADMSG ? "not a sealed file" : strerror(error));
	sealed_reader_close(&reader);
	errno = error;
	return NULL;
}

/* Every failure of the content is EBADMSG until it is known to be none. */
static bool sealed_reader_frame(struct sealed_reader *reader)
{
	unsigned char prefix[LENGTH], tag, more;
	unsigned long long plain;
	if (!read_exactly(reader, prefix, LENGTH))
		return false;
	size_t len = 0;
	for (int i = 0; i < LENGTH; i++)
		len |= (size_t)prefix[i] << (8 * i);
	reader->error = EBADMSG;
	if (len < ADDED || len > FRAME_SEALED || !read_exactly(reader, reader->frame, len))
		return false;
	if (crypto_secretstream_xchacha20poly1305_pull(&reader->stream, reader->plain, &plain, &tag,
						       reader->frame, len, NULL, 0) != 0)
		return false;
	reader->at = 0;
	reader->have = (size_t)plain;
	reader->final = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
	long rest = reader->final ? read_whole(reader->fd, &more, 1) : 0;
	reader->error = rest < 0 ? errno : rest > 0 ? EBADMSG : 0;
	return !reader->error;
}

long sealed_reader_read(struct sealed_reader *reader, void *into, size_t room)
{
	while (!reader->error && reader->at == reader->have && !reader->final)
		if (!sealed_reader_frame(reader))
			break;
	if (reader->error)
		return -1;
	size_t left = reader->have - reader->at;
	size_t take = left < room ? left : room;
	memcpy(into, reader->plain + reader->at, take);
	reader->at += take;
	return (long)take;
}

int sealed_reader_errno(const struct sealed_reader *reader)
{
	return reader->error;
}

bool sealed_reader_rewind(struct sealed_reader *reader)
{
	return sealed_reader_begin(reader);
}

void sealed_reader_close(struct sealed_reader **reader)
{
	if (!*reader)
		return;
	if ((*reader)->fd >= 0)
		close((*reader)->fd);
	sodium_memzero(*reader, sizeof **reader);
	free(*reader);
	*reader = NULL;
}

bool sealed_file_fingerprint(const struct vault *vault, const char *path,
			     unsigned char fingerprint[VAULT_INDEX_BYTES], char *why, size_t why_size)
{
	unsigned char chunk[16384];
	crypto_generichash_state hash;
	struct sealed_reader *reader = sealed_reader_open(vault, path, why, why_size);
	long n;
	if (!reader)
		return false;
	crypto_generichash_init(&hash, vault->fingerprint, sizeof vault->fingerprint, VAULT_INDEX_BYTES);
	while ((n = sealed_reader_read(reader, chunk, sizeof chunk)) > 0)
		crypto_generichash_update(&hash, chunk, (unsigned long long)n);
	int error = sealed_reader_errno(reader);
	sealed_reader_close(&reader);
	sodium_memzero(chunk, sizeof chunk);
	crypto_generichash_final(&hash, fingerprint, VAULT_INDEX_BYTES);
	if (n < 0)
		explain(why, why_size, path,
			error == EBADMSG ? "cut, changed, or sealed with another key" : strerror(error));
	return n == 0;
}
