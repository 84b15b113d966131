/* SPDX-License-Identifier: Apache-2.0
 * Photos on their way, and where they lie: what was written stays, what was cut short is cut off, nothing
 * that was changed is read, one at a time; who deletes and who adds do not miss each other. */
#include "service/folder.h"
#include "service/photo_part.h"
#include "service/photo_store.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SEALED = 4 + 24 + 16, BYTES = 3 * PHOTO_FRAME + 100 };
#define NAME "7.6403240000000001.6f9619ff-8b86-d011-b42d-00c04fc964ff"

struct place {
	char folder[64], path[160], why[200];
	struct vault *vault;
	char *bytes;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	char key[100];
	snprintf(p->folder, sizeof p->folder, "/tmp/tantu-photo-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(key, sizeof key, "%s/key", p->folder);
	snprintf(p->path, sizeof p->path, "%s/part", p->folder);
	p->vault = vault_open(key, true, p->why, sizeof p->why);
	assert_non_null(p->vault);
	p->bytes = malloc(BYTES);
	for (size_t i = 0; i < BYTES; i++)
		p->bytes[i] = (char)(i * 2654435761U >> 13);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	vault_free(&p->vault);
	assert_true(folder_remove(p->folder));
	free(p->bytes);
	free(p);
	return 0;
}

/* --- parts --- */

static void send_some(struct place *p, bool anew, size_t from, size_t to, size_t step)
{
	struct photo_part *part = photo_part_open(p->vault, p->path, NAME, anew);
	assert_non_null(part);
	assert_int_equal(photo_part_bytes(part), anew ? 0 : from);
	for (size_t at = from; at < to; at += step) {
		size_t take = to - at < step ? to - at : step;
		assert_true(photo_part_add(part, (struct slice){ p->bytes + at, take }));
	}
	assert_int_equal(photo_part_bytes(part), to);
	photo_part_close(&part);
}

static void expect_kept(struct place *p, uint64_t wanted)
{
	uint64_t kept = 1;
	assert_true(photo_part_kept(p->vault, p->path, NAME, &kept));
	assert_int_equal(kept, wanted);
	struct photo_part *part = photo_part_open(p->vault, p->path, NAME, false);
	assert_non_null(part);
	assert_int_equal(photo_part_bytes(part), wanted);
	unsigned char *out = malloc(wanted + 1);
	assert_true(photo_part_read(part, out));
	assert_memory_equal(out, p->bytes, wanted);
	free(out);
	photo_part_close(&part);
}

static void goes_on(void **state)
{
	struct place *p = *state;
	static const size_t stops[] = { 1, 70000, 70000, PHOTO_FRAME * 2, BYTES };
	size_t at = 0;
	send_some(p, true, 0, 0, 1);
	for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
		send_some(p, false, at, stops[i], 1000);
		at = stops[i];
		expect_kept(p, at);
	}
	send_some(p, true, 0, 10, 3);
	expect_kept(p, 10);
}

static size_t size_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

/* A crash may leave the file cut at any byte; frames of 100 bytes here. */
static void cut_anywhere(void **state)
{
	struct place *p = *state;
	char copy[200];
	struct file_print print;
	enum { FRAMES = 3, FRAME = 100 };
	for (size_t i = 0; i < FRAMES; i++)
		send_some(p, i == 0, i * FRAME, (i + 1) * FRAME, 7);
	snprintf(copy, sizeof copy, "%s/copy", p->folder);
	assert_true(file_copy(p->path, copy, &print));
	size_t size = size_of(copy);
	assert_int_equal(size, FRAMES * (SEALED + FRAME));
	for (size_t len = 0; len < size; len++) {
		unlink(p->path);
		assert_true(file_copy(copy, p->path, &print));
		assert_int_equal(truncate(p->path, (off_t)len), 0);
		size_t whole = len / (SEALED + FRAME);
		expect_kept(p, whole * FRAME);
		assert_int_equal(size_of(p->path), whole * (SEALED + FRAME));
		send_some(p, false, whole * FRAME, 300, 50);
		expect_kept(p, 300);
	}
}

/* Any byte of it: what stands before the frame stays, the rest is nothing. */
static void changed_anywhere(void **state)
{
	struct place *p = *state;
	send_some(p, true, 0, 50, 50);
	send_some(p, false, 50, 100, 50);
	size_t size = size_of(p->path);
	for (size_t i = 0; i < size; i++) {
		uint64_t kept = 1;
		char byte;
		int fd = open(p->path, O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, &byte, 1, (off_t)i), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
		assert_true(photo_part_kept(p->vault, p->path, NAME, &kept));
		assert_int_equal(kept, i < size / 2 ? 0 : 50);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
		close(fd);
	}
	expect_kept(p, 100);
}

static void is_bound_to_its_name(void **state)
{
	struct place *p = *state;
	uint64_t kept = 1;
	send_some(p, true, 0, 50, 50);
	assert_true(photo_part_kept(p->vault, p->path, "8" NAME, &kept));
	assert_int_equal(kept, 0);
	/* Changed under who reads it. */
	struct photo_part *part = photo_part_open(p->vault, p->path, NAME, false);
	unsigned char out[50];
	assert_int_equal(truncate(p->path, 60), 0);
	assert_false(photo_part_read(part, out));
	assert_int_equal(errno, EBADMSG);
	photo_part_discard(&part);
	assert_int_not_equal(access(p->path, F_OK), 0);
	assert_false(photo_part_kept(p->vault, p->path, NAME, &kept));
	assert_int_equal(errno, ENOENT);
	assert_null(photo_part_open(p->vault, "/nowhere/part", NAME, true));
	assert_int_equal(errno, ENOENT);
}

static void one_at_a_time(void **state)
{
	struct place *p = *state;
	uint64_t kept;
	struct photo_part *part = photo_part_open(p->vault, p->path, NAME, true);
	assert_true(photo_part_add(part, (struct slice){ p->bytes, 80 }) && photo_part_flush(part));
	assert_null(photo_part_open(p->vault, p->path, NAME, false));
	assert_int_equal(errno, EWOULDBLOCK);
	assert_true(photo_part_kept(p->vault, p->path, NAME, &kept)); /* looking waits for nobody */
	assert_int_equal(kept, 80);
	assert_false(photo_part_expire(p->path, 0));
	photo_part_close(&part);
	assert_false(photo_part_expire(p->path, 3600));
	assert_true(photo_part_expire(p->path, 0));
	assert_false(photo_part_expire(p->path, 0));
}

/* What does not fit leaves what was there. */
static void a_full_disk(void **state)
{
	struct place *p = *state;
	struct rlimit kept, small;
	send_some(p, true, 0, 100, 100);
	struct photo_part *part = photo_part_open(p->vault, p->path, NAME, false);
	getrlimit(RLIMIT_FSIZE, &kept);
	small = (struct rlimit){ PHOTO_FRAME + 1000, kept.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_true(photo_part_add(part, (struct slice){ p->bytes + 100, PHOTO_FRAME }));
	bool written = photo_part_flush(part);
	bool more = written && photo_part_add(part, (struct slice){ p->bytes + 100, PHOTO_FRAME }) &&
		    photo_part_flush(part);
	int error = errno;
	photo_part_close(&part);
	setrlimit(RLIMIT_FSIZE, &kept);
	assert_false(more);
	assert_int_equal(error, EFBIG);
	uint64_t bytes;
	assert_true(photo_part_kept(p->vault, p->path, NAME, &bytes));
	assert_int_equal(bytes, written ? 100 + PHOTO_FRAME : 100);
}

/* --- the store --- */

static void hex_of(struct place *p, struct slice bytes, char hex[PHOTO_HEX_BYTES])
{
	unsigned char print[VAULT_INDEX_BYTES];
	vault_fingerprint(p->vault, bytes, print);
	photo_hex(print, hex);
}

static void make_old(struct place *p, const char *hex)
{
	char path[PHOTO_PATH_BYTES];
	struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	photo_store_path(p->folder, hex, PHOTO_ORIGINAL, path);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void comes_back_as_it_was_put(void **state)
{
	struct place *p = *state;
	char hex[PHOTO_HEX_BYTES], path[PHOTO_PATH_BYTES];
	struct slice bytes = { p->bytes, BYTES }, out;
	hex_of(p, bytes, hex);
	assert_true(photo_store_prepare(p->folder) && photo_store_prepare(p->folder));
	assert_false(photo_store_get(p->vault, p->folder, hex, PHOTO_ORIGINAL, BYTES, &out));
	assert_int_equal(errno, ENOENT);
	int held = photo_store_hold(p->folder, hex);
	assert_true(held >= 0);
	for (int i = 0; i < 2; i++) { /* the second time over the first */
		assert_true(photo_store_put(p->vault, p->folder, hex, PHOTO_ORIGINAL, bytes));
		assert_true(photo_store_get(p->vault, p->folder, hex, PHOTO_ORIGINAL, BYTES, &out));
		assert_int_equal(out.len, BYTES);
		assert_memory_equal(out.at, p->bytes, BYTES);
		free((char *)(uintptr_t)out.at);
	}
	assert_false(photo_store_get(p->vault, p->folder, hex, PHOTO_ORIGINAL, BYTES - 1, &out));
	assert_int_equal(errno, EFBIG);
	photo_store_path(p->folder, hex, PHOTO_ORIGINAL, path);
	assert_int_equal(truncate(path, 1000), 0);
	assert_false(photo_store_get(p->vault, p->folder, hex, PHOTO_ORIGINAL, BYTES, &out));
	assert_int_equal(errno, EBADMSG);
	assert_false(photo_store_put(p->vault, "/nowhere", hex, PHOTO_ORIGINAL, bytes));
	close(held);
}

static void who_deletes_and_who_adds(void **state)
{
	struct place *p = *state;
	char hex[PHOTO_HEX_BYTES], path[PHOTO_PATH_BYTES];
	struct slice bytes = { p->bytes, 100 }, out;
	hex_of(p, bytes, hex);
	int held = photo_store_hold(p->folder, hex), second = photo_store_hold(p->folder, hex);
	assert_true(held >= 0 && second >= 0); /* two may add */
	for (int i = 0; i < PHOTO_FILES; i++)
		assert_true(photo_store_put(p->vault, p->folder, hex, (enum photo_file)i, bytes));
	make_old(p, hex);
	assert_int_equal(photo_store_delete(p->folder, hex, 3600), 0); /* somebody is adding it */
	close(held);
	assert_int_equal(photo_store_delete(p->folder, hex, 3600), 0);
	assert_true(photo_store_put(p->vault, p->folder, hex, PHOTO_ORIGINAL, bytes));
	close(second);
	assert_int_equal(photo_store_delete(p->folder, hex, 3600), 0); /* it was added again: it is young */
	assert_true(photo_store_get(p->vault, p->folder, hex, PHOTO_ORIGINAL, 1000, &out));
	free((char *)(uintptr_t)out.at);
	make_old(p, hex);
	assert_int_equal(photo_store_delete(p->folder, hex, 3600), 1);
	for (int i = 0; i < PHOTO_FILES; i++) {
		photo_store_path(p->folder, hex, (enum photo_file)i, path);
		assert_int_not_equal(access(path, F_OK), 0);
	}
	assert_int_equal(photo_store_delete("/nowhere", hex, 0), -1);
}

static void names(void **state)
{
	char name[100], hex[PHOTO_HEX_BYTES], found[PHOTO_HEX_BYTES];
	enum photo_file file;
	(void)state;
	memset(hex, 'a', sizeof hex - 1);
	hex[sizeof hex - 1] = 0;
	static const char *const others[] = { "",      ".photo.new-12345678", ".photos", "0.photo", ".lock",
					      "A.view" };
	for (int i = 0; i < PHOTO_FILES; i++) {
		snprintf(name, sizeof name, "%s%s", hex, photo_file_endings[i]);
		assert_true(photo_store_name(name, found, &file));
		assert_int_equal(file, i);
		assert_string_equal(found, hex);
		assert_false(photo_store_name(name + 1, found, &file));
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		snprintf(name, sizeof name, "%s%s", hex, others[i]);
		assert_false(photo_store_name(name, found, &file));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(is_bound_to_its_name, setup, teardown),
		cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(comes_back_as_it_was_put, setup, teardown),
		cmocka_unit_test_setup_teardown(who_deletes_and_who_adds, setup, teardown),
		cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
