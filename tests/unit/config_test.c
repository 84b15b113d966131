/* SPDX-License-Identifier: Apache-2.0
 * Settings: options over variables over credentials over the file over defaults; a wrong one is named by
 * where it was written; a secret is never repeated. */
#include "service/config.h"
#include "service/setting.h"
#include "service/slice.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct config config;
static char fault[600], note[600], folder[64], path[96];
static int faults, notes;

/* --- reading, with whatever the test has set --- */

static void on_word(void *context, enum config_word word, const char *line)
{
	(void)context;
	if (strchr(line, '\n'))
		fail_msg("two lines: %s", line);
	if (word == CONFIG_FAULT && faults++ == 0)
		snprintf(fault, sizeof fault, "%s", line);
	if (word == CONFIG_NOTE && notes++ == 0)
		snprintf(note, sizeof note, "%s", line);
}

static const struct argument_rule rules[] = {
	{ "--listen", "ADDRESS:PORT", "" }, { "--processes", "N", "" }, { "--no-work", NULL, "" },
	{ "--config", "FILE", "" },         { NULL, NULL, NULL },
};

static bool read_with(int argc, char **argv)
{
	struct arguments arguments;
	config_free(&config);
	fault[0] = note[0] = '\0';
	faults = notes = 0;
	assert_true(arguments_read(&arguments, rules, argc, argv, fault, sizeof fault));
	return config_read(&config, &arguments, on_word, NULL);
}

#define READ(...)                                                                    \
	read_with((int)(sizeof((char *[]){ "", __VA_ARGS__ }) / sizeof(char *)) - 1, \
		  ((char *[]){ "", __VA_ARGS__ }) + 1)

static void clear_variables(void)
{
	for (const struct setting *s = settings; s->name; s++) {
		char name[SETTING_NAME_BYTES + 5];
		setting_variable(s, name);
		unsetenv(name);
		strcat(name, "_FILE");
		if (s->type == SETTING_SECRET)
			unsetenv(name);
	}
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("TANTU_LISTN");
	setenv("TANTU_CONFIG", "", 1); /* not the one of this machine */
}

static int begin(void **state)
{
	(void)state;
	clear_variables();
	snprintf(folder, sizeof folder, "/tmp/tantu-config-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int end(void **state)
{
	char command[100];
	(void)state;
	config_free(&config);
	clear_variables();
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	return system(command);
}

static const char *write_bytes(const char *name, const void *bytes, size_t len)
{
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	return path;
}

static const char *write_text(const char *name, const char *text)
{
	return write_bytes(name, text, strlen(text));
}

/* Reads with this configuration file. */
static bool read_file(const char *text)
{
	setenv("TANTU_CONFIG", write_text("tantu.conf", text), 1);
	return read_with(0, NULL);
}

static bool read_env(const char *name, const char *value)
{
	setenv(name, value, 1);
	bool done = read_with(0, NULL);
	unsetenv(name);
	return done;
}

static void must_begin(const char *line, const char *beginning)
{
	if (strncmp(line, beginning, strlen(beginning)) != 0)
		fail_msg("'%s' should begin with '%s'", line, beginning);
}

static void refused(const char *name, const char *value)
{
	char beginning[80];
	if (read_env(name, value))
		fail_msg("%s='%s' should be refused", name, value);
	snprintf(beginning, sizeof beginning, "%s: ", name);
	must_begin(fault, beginning);
}

static void came_from(const char *name, const char *where)
{
	const char *said = config_value_of(&config, setting_named(name))->where;
	if (strncmp(said, where, strlen(where)) != 0) /* the path of a secret's file follows */
		fail_msg("%s came from %s, not from %s", name, said, where);
}

/* --- defaults and variables --- */

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
	assert_int_equal(config.log, 0);
	assert_int_equal(config.log_level, 1);
	assert_null(config_path(&config));
	came_from("listen", "default");
}

/* Whatever row is added: its default is one that it takes, and its names are its own. */
/* Found by config_fuzz: the value was cut at 60 bytes, in the middle of a character. */
static void what_is_said_of_a_long_value_is_utf8(void **state)
{
	char value[100], why[200];
	(void)state;
	for (size_t lead = 0; lead < 6; lead++) {
		memset(value, 'x', lead);
		for (size_t at = lead; at < 90; at += 3)
			memcpy(value + at, "\xe6\xae\x8b", 4);
		assert_false(setting_take(setting_named("listen"), value, NULL, why, sizeof why));
		assert_true(slice_is_utf8(slice_of(why)));
		assert_true(strlen(why) > 60);
	}
	for (const struct setting *s = settings; s->name; s++) {
		assert_false(setting_take(s, "1\n2", NULL, why, sizeof why));
		assert_string_equal(why, "not one line of UTF-8");
		assert_false(setting_take(s, "\xff", NULL, why, sizeof why));
		assert_string_equal(why, "not one line of UTF-8");
	}
}

static void every_setting_takes_its_default(void **state)
{
	(void)state;
	int count = 0;
	for (const struct setting *s = settings; s->name; s++, count++) {
		char why[300];
		assert_ptr_equal(setting_named(s->name), s);
		assert_true(s->help && s->help[0]);
		assert_true(s->type != SETTING_NUMBER || (s->times > 0 && s->high <= 2147483647 / s->times));
		if (s->otherwise && !setting_take(s, s->otherwise, NULL, why, sizeof why))
			fail_msg("%s: %s", s->name, why);
	}
	assert_true(count < SETTINGS_MOST);
}

static void variables(void **state)
{
	(void)state;
	assert_true(read_env("TANTU_LISTEN", "[::1]:0"));
	assert_string_equal(config.listen, "[::1]:0");
	came_from("listen", "TANTU_LISTEN");
	assert_true(read_env("TANTU_LISTEN", "0.0.0.0:65535"));
	assert_true(read_env("TANTU_VAR", "/srv/tantu"));
	assert_string_equal(config.key_file, "/srv/tantu/keys/master.key");
	assert_string_equal(config.uploads, "/srv/tantu/uploads");
	setenv("TANTU_VAR", "/srv", 1);
	assert_true(read_env("TANTU_UPLOADS", "$var/in"));
	assert_string_equal(config.uploads, "/srv/in");
	unsetenv("TANTU_VAR");
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
	assert_true(read_env("TANTU_LOG", "json"));
	assert_int_equal(config.log, 2);
	setenv("TANTU_DATABASE", "host=a", 1);
	setenv("TANTU_OWNER_DATABASE", "postgresql://b/c", 1);
	assert_true(read_env("TANTU_ADMIN_PASSWORD", "eight ch"));
	assert_string_equal(config.database, "host=a");
	assert_string_equal(config.owner_database, "postgresql://b/c");
	assert_string_equal(config.admin_password, "eight ch");
}

static void booleans(void **state)
{
	static const char *const yes[] = { "yes", "on", "true", "1", "YES", "True" };
	static const char *const no[] = { "no", "off", "false", "0", "No" };
	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		assert_true(read_env("TANTU_WORK", yes[i]));
		assert_true(config.work);
	}
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
		assert_true(read_env("TANTU_WORK", no[i]));
		assert_false(config.work);
	}
	refused("TANTU_WORK", "maybe");
	refused("TANTU_WORK", "2");
}

static void wrong_variables_are_named(void **state)
{
	static const char *const numbers[] = { "TANTU_PROCESSES", "TANTU_SESSION_HOURS",
					       "TANTU_GRACE_SECONDS" };
	static const char *const wrong[] = { "0",  "-1", "1000", "two", "1x",  "1.5",
					     "1 ", " 1", "+1",   "0x2", "1\n", "99999999999999999999" };
	static const char *const listens[] = {
		"8080",   ":8080",    "127.0.0.1",       "127.0.0.1:",   "host:x",
		"host:1", "host:80x", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1",
		"::1:80", "[::1]",    "[::g]:1",         "[]:1",         "localhost:80"
	};
	(void)state;
	for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
		for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
			refused(numbers[n], wrong[i]);
	for (size_t i = 0; i < sizeof listens / sizeof listens[0]; i++)
		refused("TANTU_LISTEN", listens[i]);
	refused("TANTU_LOG", "xml");
	refused("TANTU_LOG_LEVEL", "loud");
	refused("TANTU_VAR", "a\nb");
	refused("TANTU_VAR", "\xff");
}

/* --- empty and unknown ones --- */

static void an_empty_variable_is_not_set_and_that_is_told(void **state)
{
	(void)state;
	setenv("TANTU_ADMIN_PASSWORD", "", 1);
	assert_true(read_env("TANTU_PROCESSES", ""));
	assert_int_equal(config.processes, 1);
	assert_null(config.admin_password);
	assert_int_equal(notes, 2);
	assert_non_null(strstr(note, "TANTU_ADMIN_PASSWORD: empty"));
	unsetenv("TANTU_ADMIN_PASSWORD");
	assert_true(read_file("processes =\n"));
	assert_int_equal(config.processes, 1);
	assert_non_null(strstr(note, "tantu.conf:1: processes: empty"));
}

static void a_variable_that_is_no_setting_is_told(void **state)
{
	(void)state;
	assert_true(read_env("TANTU_LISTN", "127.0.0.1:1"));
	assert_string_equal(note, "TANTU_LISTN: no such setting; is listen meant?");
	assert_true(read_env("TANTU_QWERTYUIOP", "x"));
	assert_string_equal(note, "TANTU_QWERTYUIOP: no such setting");
	assert_true(read_env("TANTU_LISTEN_FILE", "x")); /* no secret */
	assert_int_equal(notes, 1);
}

/* --- long ones --- */

/* As long as fits, then one byte more. */
static void too_long(const char *name, const char *const *got)
{
	char *text = malloc(SETTING_TEXT_MOST + 2);
	assert_non_null(text);
	memset(text, 'a', SETTING_TEXT_MOST + 1);
	text[SETTING_TEXT_MOST + 1] = 0;
	refused(name, text);
	assert_true(read_env(name, text + 1));
	assert_string_equal(*got, text + 1);
	free(text);
}

static void too_long_texts_are_named(void **state)
{
	(void)state;
	too_long("TANTU_VAR", &config.var);
	too_long("TANTU_KEY_FILE", &config.key_file);
	too_long("TANTU_UPLOADS", &config.uploads);
}

/* The longest TANTU_VAR leaves the paths made of it whole. */
static void paths_of_the_longest_folder_are_whole(void **state)
{
	char var[SETTING_TEXT_MOST + 1];
	(void)state;
	memset(var, 'v', sizeof var);
	var[sizeof var - 1] = 0;
	assert_true(read_env("TANTU_VAR", var));
	assert_non_null(strstr(config.key_file, "v/keys/master.key"));
	assert_non_null(strstr(config.uploads, "v/uploads"));
}

/* --- options --- */

static void options_stand_over_variables(void **state)
{
	(void)state;
	setenv("TANTU_LISTEN", "127.0.0.1:1", 1);
	setenv("TANTU_PROCESSES", "3", 1);
	assert_true(READ("--listen", "127.0.0.1:2", "--no-work", "--processes=4"));
	assert_string_equal(config.listen, "127.0.0.1:2");
	assert_int_equal(config.processes, 4);
	assert_false(config.work);
	came_from("listen", "--listen");
	assert_true(READ("--no-work"));
	assert_int_equal(config.processes, 3);
	came_from("work", "--no-work");
}

static void option_refused(bool read, const char *name)
{
	if (read)
		fail_msg("%s should be refused", name);
	must_begin(fault, name);
}

static void wrong_options_are_named_as_options(void **state)
{
	(void)state;
	setenv("TANTU_LISTEN", "127.0.0.1:1", 1);
	option_refused(READ("--listen", "nowhere"), "--listen: 'nowhere' is not an address");
	option_refused(READ("--listen", ""), "--listen: needs a value");
	option_refused(READ("--processes", "0"), "--processes: '0'");
	option_refused(READ("--processes", "65"), "--processes: '65'");
	option_refused(READ("--config", ""), "--config: needs a value");
	option_refused(READ("--config", "/nowhere.conf"), "--config: /nowhere.conf: cannot be read");
}

/* --- the file --- */

static void the_file_says_what_variables_do_not(void **state)
{
	(void)state;
	assert_true(read_file("\xef\xbb\xbf# all of it\r\n\r\n  listen=127.0.0.1:5  \r\n"
			      "var = \"/srv/with # and  \"\nprocesses\t=\t7\nwork = off\n"
			      "database = host=/run user=tantu_app password='a=b'"));
	assert_string_equal(config.listen, "127.0.0.1:5");
	assert_string_equal(config.var, "/srv/with # and  ");
	assert_int_equal(config.processes, 7);
	assert_false(config.work);
	assert_string_equal(config.database, "host=/run user=tantu_app password='a=b'");
	assert_non_null(
		strstr(config_value_of(&config, setting_named("listen"))->where, "tantu.conf:3: listen"));
	assert_string_equal(config_path(&config), path);
	assert_true(read_env("TANTU_PROCESSES", "2"));
	assert_int_equal(config.processes, 2);
	assert_true(READ("--config", path, "--listen", "127.0.0.1:6"));
	assert_string_equal(config.listen, "127.0.0.1:6");
	assert_int_equal(config.processes, 7);
}

static void a_named_file_stands_over_the_variable(void **state)
{
	char other[96];
	(void)state;
	snprintf(other, sizeof other, "%s", write_text("other.conf", "processes = 9\n"));
	assert_true(read_file("processes = 8\n"));
	assert_int_equal(config.processes, 8);
	assert_true(READ("--config", other));
	assert_int_equal(config.processes, 9);
}

static void file_refused(const char *text, const char *beginning)
{
	char whole[300];
	if (read_file(text))
		fail_msg("should be refused: %s", text);
	snprintf(whole, sizeof whole, "%s:%s", path, beginning);
	must_begin(fault, whole);
}

static void a_bad_line_is_named(void **state)
{
	(void)state;
	file_refused("listen = nowhere\n", "1: listen: 'nowhere' is not an address");
	file_refused("\n\nlistn = x\n", "3: listn: no such setting; is listen meant?");
	file_refused("TANTU_LISTEN = 127.0.0.1:1\n", "1: TANTU_LISTEN: no such setting; is listen meant?");
	file_refused("processes = 1\n#\nprocesses = 1\n", "3: processes: given twice, first in line 1");
	file_refused("hello\n", "1: not \"key = value\"");
	file_refused("[server]\n", "1: not \"key = value\"");
	file_refused("= 3\n", "1: not \"key = value\"");
	file_refused("a b = 3\n", "1: not \"key = value\"");
	file_refused("var = \"open\n", "1: var: the double quote does not end");
	file_refused("var = \"a\" b\n", "1: var: something follows");
	file_refused("var = /srv # here\n", "1: var: a # within a value");
	file_refused("var = \xff\n", "1: not UTF-8");
	file_refused("listen_file = x\n", "1: listen_file: no such setting");
	assert_false(read_file("listen = nowhere\nprocesses = many\nhello\n"));
	assert_int_equal(faults, 3); /* all of them are told */
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	char *big = malloc(70001);
	(void)state;
	assert_non_null(big);
	assert_false(read_env("TANTU_CONFIG", "/nowhere.conf"));
	must_begin(fault, "TANTU_CONFIG: /nowhere.conf: cannot be read");
	assert_false(read_env("TANTU_CONFIG", folder));
	assert_non_null(strstr(fault, "it is a folder"));
	memset(big, '#', 70001);
	setenv("TANTU_CONFIG", write_bytes("big.conf", big, 70001), 1);
	assert_false(read_with(0, NULL));
	assert_non_null(strstr(fault, "longer than 65536 bytes"));
	setenv("TANTU_CONFIG", write_bytes("nul.conf", "var = a\0b\nwork = no\n", 19), 1);
	assert_false(read_with(0, NULL));
	assert_non_null(strstr(fault, "nul.conf:1: not UTF-8"));
	assert_int_equal(faults, 1);
	free(big);
}

/* --- secrets --- */

static void secrets_come_from_files(void **state)
{
	(void)state;
	setenv("TANTU_DATABASE_FILE", write_text("one", "host=one password=x\n"), 1);
	assert_true(read_with(0, NULL));
	assert_string_equal(config.database, "host=one password=x");
	came_from("database", "TANTU_DATABASE_FILE");
	write_text("two", "host=two\r\n");
	char text[200];
	snprintf(text, sizeof text, "owner_database_file = %s/two\n", folder);
	assert_true(read_file(text));
	assert_string_equal(config.owner_database, "host=two");
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	write_text("admin_password", "a long password");
	write_text("key", "0");
	assert_true(read_with(0, NULL));
	assert_string_equal(config.admin_password, "a long password");
	came_from("admin_password", "credential admin_password");
	came_from("key_file", "credential key");
	assert_true(read_env("TANTU_KEY_FILE", "/k"));
	assert_string_equal(config.key_file, "/k");
}

static void never_repeated(const char *secret)
{
	if (strstr(fault, secret) || strstr(note, secret))
		fail_msg("the secret is repeated: %s", fault);
}

static void a_wrong_secret_is_named_and_not_repeated(void **state)
{
	(void)state;
	refused("TANTU_DATABASE", "host=a password=Geheim stray");
	never_repeated("Geheim");
	never_repeated("stray");
	refused("TANTU_ADMIN_PASSWORD", "Geheim7");
	never_repeated("Geheim7");
	refused("TANTU_DATABASE_FILE", "/nowhere");
	refused("TANTU_DATABASE_FILE", write_text("empty", ""));
	refused("TANTU_DATABASE_FILE", write_text("blank", "\n"));
	refused("TANTU_DATABASE_FILE", write_text("two", "host=a\nhost=b\n"));
	refused("TANTU_DATABASE_FILE", write_bytes("nul", "a\0b", 3));
	assert_true(read_file(""));
	file_refused("admin_password = Geheim7\n", "1: admin_password: is not 8 to 200 characters");
	never_repeated("Geheim7");
}

static void a_secret_given_twice_is_refused(void **state)
{
	(void)state;
	setenv("TANTU_DATABASE", "host=a", 1);
	assert_false(read_env("TANTU_DATABASE_FILE", "/x"));
	assert_string_equal(fault, "TANTU_DATABASE and TANTU_DATABASE_FILE are both set: keep one");
	unsetenv("TANTU_DATABASE");
	file_refused("database = host=a\ndatabase_file = /x\n",
		     "2: database_file: line 1 gives database as well");
	/* One over the other is no contradiction. */
	setenv("TANTU_CONFIG", write_text("c", "database_file = /nowhere\n"), 1);
	assert_true(read_env("TANTU_DATABASE", "host=a"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults),
		TEST(what_is_said_of_a_long_value_is_utf8),
		TEST(every_setting_takes_its_default),
		TEST(variables),
		TEST(booleans),
		TEST(wrong_variables_are_named),
		TEST(an_empty_variable_is_not_set_and_that_is_told),
		TEST(a_variable_that_is_no_setting_is_told),
		TEST(too_long_texts_are_named),
		TEST(paths_of_the_longest_folder_are_whole),
		TEST(options_stand_over_variables),
		TEST(wrong_options_are_named_as_options),
		TEST(the_file_says_what_variables_do_not),
		TEST(a_named_file_stands_over_the_variable),
		TEST(a_bad_line_is_named),
		TEST(a_file_that_cannot_be_read_is_named),
		TEST(secrets_come_from_files),
		TEST(a_wrong_secret_is_named_and_not_repeated),
		TEST(a_secret_given_twice_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
