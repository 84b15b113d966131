/* SPDX-License-Identifier: Apache-2.0
 * Token, ETag and key out of header fields. */
#include "api/header.h"
#include "unit.h"

static void token_is(const char *authorization, const char *cookies, const char *token)
{
	struct slice none = { 0 };
	struct slice found = header_token(authorization ? slice_of(authorization) : none,
					  cookies ? slice_of(cookies) : none);
	assert_int_equal(found.len, strlen(token));
	assert_memory_equal(found.len ? found.at : "", token, found.len);
}

static void test_token_of_a_bearer(void **state)
{
	(void)state;
	token_is("Bearer abc", NULL, "abc");
	token_is("bearer   abc  ", NULL, "abc");
	token_is("Bearer abc", "tantu_session=def", "abc");
	token_is("Bearer ", "tantu_session=def", "def"); /* nothing given is no other token */
	token_is("Basic abc", NULL, "");
	token_is(NULL, NULL, "");
}

static void test_token_of_a_cookie(void **state)
{
	(void)state;
	token_is(NULL, "tantu_session=def", "def");
	token_is("Basic x", "a=b; tantu_session=def; c=d", "def");
	token_is(NULL, ";; ;tantu_session=d=e;", "d=e");
	token_is(NULL, "tantu_session=", "");
	token_is(NULL, "xtantu_session=def", "");
	token_is(NULL, "TANTU_SESSION=def", "");
	token_is(NULL, "a=tantu_session=def", "");
}

static void version_is(const char *tag, bool taken, const char *digits)
{
	struct slice version;
	assert_int_equal(header_version(tag ? slice_of(tag) : (struct slice){ 0 }, &version), taken);
	assert_int_equal(version.at != NULL, digits != NULL);
	if (digits)
		assert_true(slice_is(version, digits));
}

static void test_version_of_if_match(void **state)
{
	(void)state;
	version_is(NULL, true, NULL);
	version_is("*", true, NULL);
	version_is("\"7\"", true, "7");
	version_is("\"2147483647\"", true, "2147483647");
	version_is("\"2147483648\"", false, NULL);
	version_is("\"99999999999999999999\"", false, NULL);
	version_is("", false, NULL);
	version_is("7", false, NULL);
	version_is("777", false, NULL);
	version_is("\"\"", false, NULL);
	version_is("\"7", false, NULL);
	version_is("7\"", false, NULL);
	version_is("\"77", false, NULL);
	version_is("W/\"7\"", false, NULL);
	version_is("\"7\", \"8\"", false, NULL);
	version_is("\"-7\"", false, NULL);
}

static void test_sound_keys(void **state)
{
	(void)state;
	char key[HEADER_KEY_BYTES + 1];
	memset(key, '~', sizeof key);
	assert_true(header_key_is_sound(SLICE("!")));
	assert_true(header_key_is_sound((struct slice){ key, HEADER_KEY_BYTES }));
	assert_false(header_key_is_sound((struct slice){ key, HEADER_KEY_BYTES + 1 }));
	assert_false(header_key_is_sound(SLICE("")));
	assert_false(header_key_is_sound(SLICE("a b")));
	assert_false(header_key_is_sound(SLICE("a\x7f")));
	assert_false(header_key_is_sound(SLICE("\xe9")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_of_a_bearer),
		cmocka_unit_test(test_token_of_a_cookie),
		cmocka_unit_test(test_version_of_if_match),
		cmocka_unit_test(test_sound_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
