/* SPDX-License-Identifier: Apache-2.0
 * Passwords and tokens. */
#include "service/password.h"
#include "unit.h"
#include <time.h>

static void hash_verifies_its_password_only(void **state)
{
	char hash[PASSWORD_HASH_BYTES];
	(void)state;
	assert_true(password_hash(SLICE("坦途 level road"), hash));
	assert_true(password_verify(hash, SLICE("坦途 level road")));
	assert_false(password_verify(hash, SLICE("坦途 level roaD")));
	assert_false(password_verify(hash, SLICE("")));
	assert_false(password_verify(hash, (struct slice){ NULL, 0 }));
}

static void hash_is_argon2id_with_the_limits_chosen(void **state)
{
	char one[PASSWORD_HASH_BYTES], two[PASSWORD_HASH_BYTES];
	(void)state;
	assert_true(password_hash(SLICE("same"), one));
	assert_true(password_hash(SLICE("same"), two));
	assert_memory_equal(one, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
	assert_string_not_equal(one, two); /* salted */
}

static void hash_takes_every_byte(void **state)
{
	char hash[PASSWORD_HASH_BYTES];
	(void)state;
	assert_true(password_hash((struct slice){ "a\0b", 3 }, hash));
	assert_true(password_verify(hash, (struct slice){ "a\0b", 3 }));
	assert_false(password_verify(hash, (struct slice){ "a\0c", 3 }));
	assert_true(password_hash((struct slice){ NULL, 0 }, hash));
	assert_true(password_verify(hash, SLICE("")));
}

static void hash_that_is_none_is_refused(void **state)
{
	(void)state;
	assert_false(password_verify("", SLICE("a")));
	assert_false(password_verify("$argon2id$v=19$m=19456,t=2,p=1$x", SLICE("a")));
	assert_false(password_verify("plain", SLICE("plain")));
}

static double best_of_five(const char *hash)
{
	double best = 1e9;
	for (int i = 0; i < 5; i++) {
		struct timespec from, to;
		clock_gettime(CLOCK_MONOTONIC, &from);
		assert_false(password_verify(hash, SLICE("wrong")));
		clock_gettime(CLOCK_MONOTONIC, &to);
		double took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
		best = took < best ? took : best;
	}
	return best;
}

static void unknown_user_costs_what_a_wrong_password_costs(void **state)
{
	char hash[PASSWORD_HASH_BYTES];
	(void)state;
	assert_true(password_hash(SLICE("right"), hash));
	double wrong = best_of_five(hash), unknown = best_of_five(NULL);
	assert_true(unknown > wrong * 0.5 && unknown < wrong * 2);
}

static void tokens_are_base64url_and_differ(void **state)
{
	char one[TOKEN_TEXT_BYTES], two[TOKEN_TEXT_BYTES];
	(void)state;
	token_new(one);
	token_new(two);
	assert_int_equal(strlen(one), 43);
	assert_int_equal(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
	assert_string_not_equal(one, two);
}

/* BLAKE2b-256 of "abc", as other implementations give it. */
static void token_hash_is_blake2b_256(void **state)
{
	static const unsigned char expected[] = { 0xBD, 0xDD, 0x81, 0x3C, 0x63, 0x42, 0x39, 0x72 };
	unsigned char hash[TOKEN_HASH_BYTES];
	(void)state;
	token_hash(SLICE("abc"), hash);
	assert_memory_equal(hash, expected, sizeof expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_verifies_its_password_only),
		cmocka_unit_test(hash_is_argon2id_with_the_limits_chosen),
		cmocka_unit_test(hash_takes_every_byte),
		cmocka_unit_test(hash_that_is_none_is_refused),
		cmocka_unit_test(unknown_user_costs_what_a_wrong_password_costs),
		cmocka_unit_test(tokens_are_base64url_and_differ),
		cmocka_unit_test(token_hash_is_blake2b_256),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
