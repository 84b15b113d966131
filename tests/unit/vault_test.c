/* SPDX-License-Identifier: Apache-2.0
 * The vault: key file, sealing, index, mask. Each test works in a folder of its own. */
#include "service/vault.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDENTITY "64032419600901354X"

struct place {
	char folder[64], key[96], why[256];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	snprintf(p->folder, sizeof p->folder, "/tmp/tantu-vault-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->key, sizeof p->key, "%s/key", p->folder);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	unlink(p->key);
	assert_int_equal(rmdir(p->folder), 0); /* nothing else was left behind */
	free(p);
	return 0;
}

static struct vault *make(struct place *p)
{
	struct vault *vault = vault_open(p->key, true, p->why, sizeof p->why);
	assert_non_null(vault);
	return vault;
}

static void write_key(struct place *p, const char *text, mode_t mode)
{
	FILE *file = fopen(p->key, "wb");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(p->key, mode);
}

static void refuses(struct place *p, const char *reason)
{
	assert_null(vault_open(p->key, true, p->why, sizeof p->why));
	assert_non_null(strstr(p->why, reason));
	assert_non_null(strstr(p->why, p->key));
}

static void key_file_is_made_private_and_whole(void **state)
{
	struct place *p = *state;
	struct vault *vault = make(p);
	struct stat st;
	assert_int_equal(stat(p->key, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 65);
	vault_free(&vault);
	assert_null(vault);
}

static void key_file_missing_is_refused_without_create(void **state)
{
	struct place *p = *state;
	assert_null(vault_open(p->key, false, p->why, sizeof p->why));
	assert_non_null(strstr(p->why, "No such file"));
}

static void key_file_in_no_folder_is_refused(void **state)
{
	struct place *p = *state;
	assert_null(vault_open("/nowhere/at/all/key", true, p->why, sizeof p->why));
	assert_non_null(strstr(p->why, "No such file"));
}

static void key_file_others_may_read_is_refused(void **state)
{
	struct place *p = *state;
	struct vault *vault = make(p);
	vault_free(&vault);
	chmod(p->key, 0640);
	refuses(p, "others may read it");
}

static void key_file_that_is_no_key_is_refused(void **state)
{
	struct place *p = *state;
	static const char *const bad[] = {
		"", "abc\n", "zz23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0\n"
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		write_key(p, bad[i], 0600);
		refuses(p, "not 64 hexadecimal digits");
	}
	unlink(p->key);
	assert_int_equal(mkdir(p->key, 0700), 0);
	refuses(p, "not a regular file");
	rmdir(p->key);
}

static void key_file_without_newline_will_do(void **state)
{
	struct place *p = *state;
	write_key(p, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 0400);
	struct vault *vault = make(p);
	vault_free(&vault);
}

/* Ten processes start at once: one key comes of it. */
static void key_file_race_makes_one_key(void **state)
{
	struct place *p = *state;
	int pipes[2];
	unsigned char first[VAULT_INDEX_BYTES], index[VAULT_INDEX_BYTES];
	assert_int_equal(pipe(pipes), 0);
	for (int i = 0; i < 10; i++) {
		if (fork() == 0) {
			struct vault *vault = vault_open(p->key, true, p->why, sizeof p->why);
			if (vault)
				vault_index(vault, SLICE(IDENTITY), index);
			_exit(!vault || write(pipes[1], index, sizeof index) != sizeof index);
		}
	}
	for (int i = 0; i < 10; i++) {
		int status = -1;
		wait(&status);
		assert_int_equal(status, 0);
		assert_int_equal(read(pipes[0], i == 0 ? first : index, sizeof index), sizeof index);
		if (i > 0)
			assert_memory_equal(first, index, sizeof index);
	}
	close(pipes[0]);
	close(pipes[1]);
}

static void sealed_opens_again(void **state)
{
	struct vault *vault = make(*state);
	unsigned char sealed[64], again[64];
	char plain[64];
	size_t len = 0;
	size_t sealed_len = vault_seal(vault, SLICE(IDENTITY), sealed);
	assert_int_equal(sealed_len, 18 + VAULT_SEAL_OVERHEAD);
	assert_true(vault_unseal(vault, (struct slice){ (char *)sealed, sealed_len }, plain, &len));
	assert_int_equal(len, 18);
	assert_memory_equal(plain, IDENTITY, 18);
	vault_seal(vault, SLICE(IDENTITY), again);
	assert_memory_not_equal(sealed, again, sealed_len); /* a fresh nonce each time */
	vault_free(&vault);
}

static void sealed_empty_opens_again(void **state)
{
	struct vault *vault = make(*state);
	unsigned char sealed[VAULT_SEAL_OVERHEAD];
	char plain[1];
	size_t len = 1;
	assert_int_equal(vault_seal(vault, (struct slice){ NULL, 0 }, sealed), VAULT_SEAL_OVERHEAD);
	assert_true(vault_unseal(vault, (struct slice){ (char *)sealed, sizeof sealed }, plain, &len));
	assert_int_equal(len, 0);
	vault_free(&vault);
}

static void sealed_and_changed_is_refused(void **state)
{
	struct vault *vault = make(*state);
	char sealed[64], plain[64];
	size_t len, sealed_len = vault_seal(vault, SLICE(IDENTITY), (unsigned char *)sealed);
	for (size_t i = 0; i < sealed_len; i++) {
		sealed[i] ^= 1;
		assert_false(vault_unseal(vault, (struct slice){ sealed, sealed_len }, plain, &len));
		sealed[i] ^= 1;
		assert_false(vault_unseal(vault, (struct slice){ sealed, i }, plain, &len));
	}
	assert_true(vault_unseal(vault, (struct slice){ sealed, sealed_len }, plain, &len));
	vault_free(&vault);
}

static void sealed_with_another_key_is_refused(void **state)
{
	struct place *p = *state;
	struct vault *one = make(p);
	unlink(p->key);
	struct vault *two = make(p);
	char sealed[64], plain[64];
	unsigned char index_one[VAULT_INDEX_BYTES], index_two[VAULT_INDEX_BYTES];
	size_t len, sealed_len = vault_seal(one, SLICE(IDENTITY), (unsigned char *)sealed);
	assert_false(vault_unseal(two, (struct slice){ sealed, sealed_len }, plain, &len));
	vault_index(one, SLICE(IDENTITY), index_one);
	vault_index(two, SLICE(IDENTITY), index_two);
	assert_memory_not_equal(index_one, index_two, sizeof index_one);
	vault_free(&one);
	vault_free(&two);
}

static void index_folds_the_check_x(void **state)
{
	struct vault *vault = make(*state);
	unsigned char upper[VAULT_INDEX_BYTES], lower[VAULT_INDEX_BYTES], other[VAULT_INDEX_BYTES];
	vault_index(vault, SLICE("64032419600901354X"), upper);
	vault_index(vault, SLICE("64032419600901354x"), lower);
	vault_index(vault, SLICE("640324196009013540"), other);
	assert_memory_equal(upper, lower, sizeof upper);
	assert_memory_not_equal(upper, other, sizeof upper);
	vault_index(vault, SLICE("64032419600901354X42B1"), upper);
	vault_index(vault, SLICE("64032419600901354x42B1"), lower);
	vault_index(vault, SLICE("64032419600901354X42B2"), other);
	assert_memory_equal(upper, lower, sizeof upper);
	assert_memory_not_equal(upper, other, sizeof upper);
	vault_free(&vault);
}

static void index_and_fingerprint_have_keys_of_their_own(void **state)
{
	struct vault *vault = make(*state);
	unsigned char index[VAULT_INDEX_BYTES], fingerprint[VAULT_INDEX_BYTES], empty[VAULT_INDEX_BYTES];
	vault_index(vault, SLICE(IDENTITY), index);
	vault_fingerprint(vault, SLICE(IDENTITY), fingerprint);
	vault_fingerprint(vault, (struct slice){ NULL, 0 }, empty);
	assert_memory_not_equal(index, fingerprint, sizeof index);
	assert_memory_not_equal(empty, fingerprint, sizeof empty);
	vault_free(&vault);
}

static void mask_keeps_place_and_tail(void **state)
{
	static const struct {
		const char *plain, *masked;
	} cases[] = { { "640324196009013542", "640324********3542" },
		      { "64032419551024574244", "640324********574244" },
		      { "22240419550604571144B3", "222404********571144B3" },
		      { "1234567890", "**********" },
		      { "", "" } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char out[32] = { 0 };
		vault_mask(slice_of(cases[i].plain), out);
		assert_string_equal(out, cases[i].masked);
	}
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(key_file_is_made_private_and_whole),
		IN_FOLDER(key_file_missing_is_refused_without_create),
		IN_FOLDER(key_file_in_no_folder_is_refused),
		IN_FOLDER(key_file_others_may_read_is_refused),
		IN_FOLDER(key_file_that_is_no_key_is_refused),
		IN_FOLDER(key_file_without_newline_will_do),
		IN_FOLDER(key_file_race_makes_one_key),
		IN_FOLDER(sealed_opens_again),
		IN_FOLDER(sealed_empty_opens_again),
		IN_FOLDER(sealed_and_changed_is_refused),
		IN_FOLDER(sealed_with_another_key_is_refused),
		IN_FOLDER(index_folds_the_check_x),
		IN_FOLDER(index_and_fingerprint_have_keys_of_their_own),
		cmocka_unit_test(mask_keeps_place_and_tail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
