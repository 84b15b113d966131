/* SPDX-License-Identifier: Apache-2.0
 * Sealed files: what goes in comes out, and nothing else ever does. */
#include "service/vault.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FRAME = 65536, HEAD = 8 + 24 };

struct place {
	char folder[64], key[96], path[96], why[256];
	struct vault *vault;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	snprintf(p->folder, sizeof p->folder, "/tmp/tantu-sealed-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->key, sizeof p->key, "%s/key", p->folder);
	snprintf(p->path, sizeof p->path, "%s/file", p->folder);
	p->vault = vault_open(p->key, true, p->why, sizeof p->why);
	assert_non_null(p->vault);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	vault_free(&p->vault);
	unlink(p->key);
	unlink(p->path);
	assert_int_equal(rmdir(p->folder), 0);
	free(p);
	return 0;
}

static char *invented(size_t len)
{
	char *bytes = malloc(len + 1);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 2654435761U >> 13);
	return bytes;
}

static void seal(struct place *p, struct slice bytes, size_t step)
{
	unsigned char fingerprint[VAULT_INDEX_BYTES], expected[VAULT_INDEX_BYTES];
	uint64_t count = 1;
	struct sealed_writer *writer = sealed_writer_new(p->vault, p->path, p->why, sizeof p->why);
	assert_non_null(writer);
	for (size_t at = 0; at < bytes.len; at += step) {
		size_t take = bytes.len - at < step ? bytes.len - at : step;
		assert_true(sealed_writer_add(writer, (struct slice){ bytes.at + at, take }));
	}
	assert_true(sealed_writer_add(writer, (struct slice){ NULL, 0 }));
	assert_true(sealed_writer_finish(&writer, fingerprint, &count));
	assert_null(writer);
	assert_int_equal(count, bytes.len);
	vault_fingerprint(p->vault, bytes, expected);
	assert_memory_equal(fingerprint, expected, sizeof expected);
}

/* Reads it to the end; answers the length, or -1. */
static long drain(struct sealed_reader *reader, char *into, size_t step)
{
	long got, all = 0;
	while ((got = sealed_reader_read(reader, into + all, step)) > 0)
		all += got;
	return got < 0 ? got : all;
}

static void reads_back(struct place *p, struct slice bytes, size_t step)
{
	char *into = malloc(bytes.len + step + 1);
	struct sealed_reader *reader = sealed_reader_open(p->vault, p->path, p->why, sizeof p->why);
	assert_non_null(reader);
	for (int pass = 0; pass < 2; pass++) {
		assert_int_equal(drain(reader, into, step), bytes.len);
		assert_memory_equal(into, bytes.at, bytes.len);
		assert_int_equal(sealed_reader_read(reader, into, step), 0);
		assert_int_equal(sealed_reader_errno(reader), 0);
		assert_true(sealed_reader_rewind(reader));
	}
	sealed_reader_close(&reader);
	assert_null(reader);
	free(into);
}

static void every_length_comes_back(void **state)
{
	static const size_t lengths[] = { 0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME + 17 };
	static const size_t steps[] = { 777, FRAME, 1000000 };
	struct place *p = *state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		char *bytes = invented(lengths[i]);
		seal(p, (struct slice){ bytes, lengths[i] }, steps[i % 3]);
		reads_back(p, (struct slice){ bytes, lengths[i] }, steps[(i + 1) % 3]);
		unlink(p->path);
		free(bytes);
	}
}

static void file_is_private_and_not_plain(void **state)
{
	struct place *p = *state;
	struct stat st;
	char raw[256] = { 0 };
	seal(p, SLICE("64032419600901354X"), 5);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	FILE *file = fopen(p->path, "rb");
	size_t len = fread(raw, 1, sizeof raw, file);
	fclose(file);
	assert_memory_equal(raw, "TANTUSF1", 8);
	assert_null(memmem(raw, len, "640324", 6));
}

static void existing_file_is_never_overwritten(void **state)
{
	struct place *p = *state;
	seal(p, SLICE("first"), 5);
	assert_null(sealed_writer_new(p->vault, p->path, p->why, sizeof p->why));
	assert_non_null(strstr(p->why, "File exists"));
	reads_back(p, SLICE("first"), 5);
}

static void abandoned_file_is_gone(void **state)
{
	struct place *p = *state;
	struct sealed_writer *writer = sealed_writer_new(p->vault, p->path, p->why, sizeof p->why);
	assert_true(sealed_writer_add(writer, SLICE("half")));
	sealed_writer_abandon(&writer);
	assert_null(writer);
	assert_int_equal(access(p->path, F_OK), -1);
	sealed_writer_abandon(&writer); /* of nothing */
}

/* The disk is full: here, the file may not grow. */
static void full_disk_is_reported_and_leaves_nothing(void **state)
{
	struct place *p = *state;
	struct rlimit before, small;
	unsigned char fingerprint[VAULT_INDEX_BYTES];
	uint64_t bytes;
	char *plain = invented(4 * FRAME);
	struct sealed_writer *writer = sealed_writer_new(p->vault, p->path, p->why, sizeof p->why);
	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){ 2 * FRAME, before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	bool added = sealed_writer_add(writer, (struct slice){ plain, 4 * FRAME });
	errno = 0;
	bool finished = sealed_writer_finish(&writer, fingerprint, &bytes);
	assert_int_equal(errno, EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_false(added);
	assert_false(finished);
	assert_null(writer);
	assert_int_equal(access(p->path, F_OK), -1);
	free(plain);
}

static struct slice slurp(const char *path, char *into, size_t room)
{
	FILE *file = fopen(path, "rb");
	size_t len = fread(into, 1, room, file);
	fclose(file);
	return (struct slice){ into, len };
}

static void spill(const char *path, struct slice bytes)
{
	FILE *file = fopen(path, "wb");
	assert_int_equal(fwrite(bytes.at, 1, bytes.len, file), bytes.len);
	fclose(file);
}

/* Refused at opening, or before its end is reached; and refused again when asked again. */
static void never_reads_to_its_end(struct place *p, struct slice raw)
{
	char *into = malloc(raw.len + 4096);
	spill(p->path, raw);
	struct sealed_reader *reader = sealed_reader_open(p->vault, p->path, p->why, sizeof p->why);
	if (reader) {
		assert_int_equal(drain(reader, into, 4096), -1);
		assert_int_equal(sealed_reader_read(reader, into, 4096), -1);
		assert_int_equal(sealed_reader_errno(reader), EBADMSG);
	} else {
		assert_int_equal(errno, EBADMSG);
		assert_non_null(strstr(p->why, "not a sealed file"));
	}
	sealed_reader_close(&reader);
	free(into);
}

static void cut_changed_or_longer_is_refused(void **state)
{
	struct place *p = *state;
	char raw[256], bad[257];
	seal(p, SLICE("坦途 level road"), 99);
	struct slice whole = slurp(p->path, raw, sizeof raw);
	for (size_t i = 0; i < whole.len; i++) {
		never_reads_to_its_end(p, (struct slice){ raw, i });
		memcpy(bad, raw, whole.len);
		bad[i] ^= 0x10;
		never_reads_to_its_end(p, (struct slice){ bad, whole.len });
	}
	memcpy(bad, raw, whole.len);
	bad[whole.len] = 0;
	never_reads_to_its_end(p, (struct slice){ bad, whole.len + 1 });
}

static void frames_swapped_or_left_out_are_refused(void **state)
{
	struct place *p = *state;
	enum { SEALED = 4 + FRAME + 17 };
	char *plain = invented(3 * FRAME), *raw = malloc(4 * SEALED), *bad = malloc(4 * SEALED);
	seal(p, (struct slice){ plain, 3 * FRAME }, FRAME);
	struct slice whole = slurp(p->path, raw, 4 * SEALED);
	assert_int_equal(whole.len, HEAD + 3 * SEALED);
	memcpy(bad, raw, whole.len);
	memcpy(bad + HEAD, raw + HEAD + SEALED, SEALED);
	memcpy(bad + HEAD + SEALED, raw + HEAD, SEALED);
	never_reads_to_its_end(p, (struct slice){ bad, whole.len });
	never_reads_to_its_end(p, (struct slice){ raw, HEAD + 2 * SEALED });
	memcpy(bad, raw, HEAD + SEALED);
	memcpy(bad + HEAD + SEALED, raw + HEAD + 2 * SEALED, SEALED);
	never_reads_to_its_end(p, (struct slice){ bad, HEAD + 2 * SEALED });
	free(plain);
	free(raw);
	free(bad);
}

static void another_key_does_not_open_it(void **state)
{
	struct place *p = *state;
	char into[64];
	seal(p, SLICE("secret"), 9);
	unlink(p->key);
	struct vault *other = vault_open(p->key, true, p->why, sizeof p->why);
	struct sealed_reader *reader = sealed_reader_open(other, p->path, p->why, sizeof p->why);
	assert_non_null(reader); /* the header holds no secret */
	assert_int_equal(sealed_reader_read(reader, into, sizeof into), -1);
	sealed_reader_close(&reader);
	vault_free(&other);
}

static int descriptor_of(const char *path)
{
	char link[32], found[128];
	for (int fd = 3; fd < 64; fd++) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t len = readlink(link, found, sizeof found - 1);
		if (len < 0)
			continue;
		found[len] = '\0';
		if (strcmp(found, path) == 0)
			return fd;
	}
	return -1;
}

static void missing_file_is_refused(void **state)
{
	struct place *p = *state;
	assert_null(sealed_reader_open(p->vault, p->path, p->why, sizeof p->why));
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(p->why, "No such file"));
	assert_null(sealed_writer_new(p->vault, "/nowhere/at/all", p->why, sizeof p->why));
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(p->why, "No such file"));
}

/* A read that the disk refuses is told from a file that was changed: it may pass. */
static void the_disks_fault_is_not_the_files(void **state)
{
	struct place *p = *state;
	char into[64];
	seal(p, SLICE("as it was"), 9);
	struct sealed_reader *reader = sealed_reader_open(p->vault, p->path, p->why, sizeof p->why);
	int folder = open(p->folder, O_RDONLY | O_DIRECTORY), fd = descriptor_of(p->path);
	int file = dup(fd);
	assert_int_equal(dup2(folder, fd), fd); /* whose reading fails */
	assert_int_equal(sealed_reader_read(reader, into, sizeof into), -1);
	assert_int_equal(sealed_reader_errno(reader), EISDIR);
	assert_int_equal(dup2(file, fd), fd);
	assert_true(sealed_reader_rewind(reader));
	assert_int_equal(drain(reader, into, sizeof into - 10), 9);
	assert_memory_equal(into, "as it was", 9);
	sealed_reader_close(&reader);
	close(folder);
	close(file);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(every_length_comes_back),
		IN_FOLDER(file_is_private_and_not_plain),
		IN_FOLDER(existing_file_is_never_overwritten),
		IN_FOLDER(abandoned_file_is_gone),
		IN_FOLDER(full_disk_is_reported_and_leaves_nothing),
		IN_FOLDER(cut_changed_or_longer_is_refused),
		IN_FOLDER(frames_swapped_or_left_out_are_refused),
		IN_FOLDER(another_key_does_not_open_it),
		IN_FOLDER(missing_file_is_refused),
		IN_FOLDER(the_disks_fault_is_not_the_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
