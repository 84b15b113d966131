/* SPDX-License-Identifier: Apache-2.0
 * Settings: options over variables over defaults; a wrong one is named. */
#include "service/config.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config config;
static char why[300];

static int clear(void **state)
{
	static const char *const names[] = { "TANTU_LISTEN",        "TANTU_VAR",       "TANTU_KEY_FILE",
					     "TANTU_UPLOADS",       "TANTU_PROCESSES", "TANTU_SESSION_HOURS",
					     "TANTU_GRACE_SECONDS", "TANTU_DATABASE",  "TANTU_OWNER_DATABASE",
					     "TANTU_ADMIN_PASSWORD" };
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unsetenv(names[i]);
	why[0] = 0;
	return 0;
}

static bool read_with(int argc, char **argv)
{
	why[0] = 0;
	return config_read(&config, argc, argv, why, sizeof why);
}

#define READ(...)                                                                    \
	read_with((int)(sizeof((char *[]){ "", __VA_ARGS__ }) / sizeof(char *)) - 1, \
		  ((char *[]){ "", __VA_ARGS__ }) + 1)

static bool read_env(const char *name, const char *value)
{
	setenv(name, value, 1);
	bool done = read_with(0, NULL);
	unsetenv(name);
	return done;
}

static void refused(const char *name, const char *value)
{
	if (read_env(name, value))
		fail_msg("%s='%s' should be refused", name, value);
	if (strncmp(why, name, strlen(name)) != 0 || strchr(why, '\n'))
		fail_msg("%s='%s' is refused as: %s", name, value, why);
}

static void defaults(void **state)
{
	(void)state;
	assert_true(read_with(0, NULL));
	assert_string_equal(config.listen, "127.0.0.1:8080");
	assert_string_equal(config.var, "var");
	assert_string_equal(config.key_file, "var/keys/master.key");
	assert_string_equal(config.uploads, "var/uploads");
	assert_null(config.database);
	assert_null(config.owner_database);
	assert_null(config.admin_password);
	assert_int_equal(config.processes, 1);
	assert_true(config.work);
	assert_int_equal(config.session_seconds, 12 * 3600);
	assert_int_equal(config.grace_ms, 20000);
	assert_null(config.plan);
	assert_null(config.file);
	assert_string_equal(config.mode, "good_rows");
}

static void variables(void **state)
{
	(void)state;
	assert_true(read_env("TANTU_LISTEN", "[::1]:0"));
	assert_string_equal(config.listen, "[::1]:0");
	assert_true(read_env("TANTU_LISTEN", "0.0.0.0:65535"));
	assert_true(read_env("TANTU_VAR", "/srv/tantu"));
	assert_string_equal(config.key_file, "/srv/tantu/keys/master.key");
	assert_string_equal(config.uploads, "/srv/tantu/uploads");
	assert_true(read_env("TANTU_KEY_FILE", "/etc/tantu.key"));
	assert_string_equal(config.key_file, "/etc/tantu.key");
	assert_true(read_env("TANTU_UPLOADS", "/srv/up"));
	assert_string_equal(config.uploads, "/srv/up");
	assert_true(read_env("TANTU_PROCESSES", "64"));
	assert_int_equal(config.processes, 64);
	assert_true(read_env("TANTU_SESSION_HOURS", "720"));
	assert_int_equal(config.session_seconds, 720 * 3600);
	assert_true(read_env("TANTU_GRACE_SECONDS", "600"));
	assert_int_equal(config.grace_ms, 600000);
	setenv("TANTU_DATABASE", "a", 1);
	setenv("TANTU_OWNER_DATABASE", "b", 1);
	assert_true(read_env("TANTU_ADMIN_PASSWORD", "c"));
	assert_string_equal(config.database, "a");
	assert_string_equal(config.owner_database, "b");
}

static void wrong_variables_are_named(void **state)
{
	static const char *const numbers[] = { "TANTU_PROCESSES", "TANTU_SESSION_HOURS",
					       "TANTU_GRACE_SECONDS" };
	static const char *const wrong[] = { "0",   "-1",  "1000",
					     "two", "1x",  "1.5",
					     "1 ",  "0x2", "99999999999999999999" };
	static const char *const listens[] = { "8080",   ":8080",    "127.0.0.1",       "127.0.0.1:",
					       "host:x", "host:80x", "127.0.0.1:65536", "127.0.0.1:-1" };
	(void)state;
	for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
		for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
			refused(numbers[n], wrong[i]);
	for (size_t i = 0; i < sizeof listens / sizeof listens[0]; i++)
		refused("TANTU_LISTEN", listens[i]);
}

/* As long as fits, then one byte more. */
static void too_long(const char *name, const char *got, size_t room, const char *end)
{
	char *text = malloc(room + 1);
	assert_non_null(text);
	memset(text, 'a', room);
	text[room] = 0;
	memcpy(text + room - strlen(end), end, strlen(end) + 1);
	refused(name, text);
	assert_true(read_env(name, text + 1));
	assert_string_equal(got, text + 1);
	free(text);
}

static void too_long_texts_are_named(void **state)
{
	(void)state;
	too_long("TANTU_LISTEN", config.listen, sizeof config.listen, ":80");
	too_long("TANTU_VAR", config.var, sizeof config.var, "a");
	too_long("TANTU_KEY_FILE", config.key_file, sizeof config.key_file, "a");
	too_long("TANTU_UPLOADS", config.uploads, sizeof config.uploads, "a");
}

/* The longest TANTU_VAR leaves the paths made of it whole. */
static void paths_of_the_longest_folder_are_whole(void **state)
{
	char var[sizeof config.var];
	(void)state;
	memset(var, 'v', sizeof var);
	var[sizeof var - 1] = 0;
	assert_true(read_env("TANTU_VAR", var));
	assert_non_null(strstr(config.key_file, "v/keys/master.key"));
	assert_non_null(strstr(config.uploads, "v/uploads"));
}

static void options(void **state)
{
	(void)state;
	setenv("TANTU_LISTEN", "127.0.0.1:1", 1);
	setenv("TANTU_PROCESSES", "3", 1);
	assert_true(READ("--listen", "127.0.0.1:2", "--no-work", "--processes", "4"));
	assert_string_equal(config.listen, "127.0.0.1:2");
	assert_int_equal(config.processes, 4);
	assert_false(config.work);
	assert_true(READ("--plan", "yanchi-2026", "--mode", "dry_run", "needs.csv"));
	assert_string_equal(config.plan, "yanchi-2026");
	assert_string_equal(config.mode, "dry_run");
	assert_string_equal(config.file, "needs.csv");
	assert_int_equal(config.processes, 3);
	assert_true(READ("needs.csv", "--plan", "x"));
	assert_true(READ("-"));
	assert_string_equal(config.file, "-");
}

static void option_refused(bool read, const char *name)
{
	if (read || !strstr(why, name))
		fail_msg("%s: %s", name, read ? "should be refused" : why);
}

static void wrong_options_are_named(void **state)
{
	char long_one[200];
	(void)state;
	memset(long_one, 'a', sizeof long_one);
	memcpy(long_one + sizeof long_one - 4, ":80", 4);
	option_refused(READ("--listen"), "--listen");
	option_refused(READ("--listen", long_one), "--listen");
	option_refused(READ("--listen", "nowhere"), "nowhere");
	option_refused(READ("--processes", "0"), "--processes");
	option_refused(READ("--processes", "65"), "--processes");
	option_refused(READ("--processes", ""), "--processes");
	option_refused(READ("--processes"), "--processes");
	option_refused(READ("--colour", "blue"), "--colour");
	option_refused(READ("--plan"), "--plan");
	option_refused(READ("one.csv", "two.csv"), "two.csv");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(defaults, clear, clear),
		cmocka_unit_test_setup_teardown(variables, clear, clear),
		cmocka_unit_test_setup_teardown(wrong_variables_are_named, clear, clear),
		cmocka_unit_test_setup_teardown(too_long_texts_are_named, clear, clear),
		cmocka_unit_test_setup_teardown(paths_of_the_longest_folder_are_whole, clear, clear),
		cmocka_unit_test_setup_teardown(options, clear, clear),
		cmocka_unit_test_setup_teardown(wrong_options_are_named, clear, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
