/* SPDX-License-Identifier: Apache-2.0
 * The build tool tantu_embed: what it makes of good files, and that a mistake in one stops the build.
 * It is run as the build runs it; it stands in the folder above the tests. */
#include "unit.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/tantu-embed-XXXXXX";
static char embed[4096];
static char said[8192];

static int make_folder(void **state)
{
	char self[3800], path[200];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	(void)state;
	if (n <= 0 || !mkdtemp(folder))
		return -1;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	snprintf(embed, sizeof embed, "%s/../tantu_embed", self);
	static const char *const parts[] = { "/db", "/db/sql", "/db/migrations", "/db/data", "/out" };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		snprintf(path, sizeof path, "%s%s", folder, parts[i]);
		mkdir(path, 0700);
	}
	return access(embed, X_OK);
}

static int remove_folder(void **state)
{
	char command[200];
	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void write_file(const char *name, const char *text)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Runs it with these files (below the folder); answers its status, `said` is its standard error. */
static int run(const char *names)
{
	char command[8000];
	size_t len;
	len = (size_t)snprintf(command, sizeof command, "cd %s && %s %s/out", folder, embed, folder);
	for (const char *at = names; *at; at += strspn(at, " ")) {
		int n = (int)strcspn(at, " ");
		len += (size_t)snprintf(command + len, sizeof command - len, " %s/%.*s", folder, n, at);
		at += n;
	}
	snprintf(command + len, sizeof command - len, " 2>&1");
	FILE *out = popen(command, "r");
	assert_non_null(out);
	said[fread(said, 1, sizeof said - 1, out)] = 0;
	int status = pclose(out);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const char *made(const char *name)
{
	static char text[65536];
	char path[300];
	snprintf(path, sizeof path, "%s/out/%s", folder, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	return text;
}

static void stops(const char *names, const char *word)
{
	if (run(names) != 1)
		fail_msg("%s should stop the build", names);
	if (strncmp(said, "tantu_embed: ", 13) != 0 || !strstr(said, word))
		fail_msg("%s: '%s' does not name %s", names, said, word);
}

static void takes_good_files(void **state)
{
	(void)state;
	write_file("db/sql/a.sql", "-- a comment\n\n-- name: one_thing :one stale\nSELECT 1;\n\n"
				   "-- name: things :many queue public\n-- said\nSELECT 2\n  ;\n\n");
	write_file("db/sql/b.sql", "-- name: put :write\nWITH answer AS (\n    SELECT 1 AS id\n)\n");
	write_file("db/migrations/0001_a.sql", "CREATE TABLE a ();\n");
	write_file("db/migrations/0002_b.sql", "");
	write_file("db/data/x.csv", "a,b\n\xe6\xb9\x9f,2\n");
	assert_int_equal(run("db/sql/a.sql db/sql/b.sql db/migrations/0001_a.sql db/migrations/0002_b.sql "
			     "db/data/x.csv"),
			 0);
	assert_non_null(strstr(made("statements.h"),
			       "\tSQL_NONE,\n\tSQL_one_thing,\n\tSQL_things,\n\tSQL_put,\n\tSQL_COUNT\n"));
	const char *source = made("embedded.c");
	assert_non_null(
		strstr(source, "[SQL_one_thing] = { \"one_thing\", SQL_SHAPE_one, DB_LANE_read, 0, 1, 0, "));
	assert_non_null(
		strstr(source, "[SQL_things] = { \"things\", SQL_SHAPE_many, DB_LANE_queue, 1, 0, 0, "));
	assert_non_null(strstr(source, "[SQL_put] = { \"put\", SQL_SHAPE_write, DB_LANE_write, 0, 0, 0, "));
	assert_non_null(strstr(source, "{ \"0001_a.sql\", 19, "));
	assert_non_null(strstr(source, "{ \"0002_b.sql\", 0, "));
	assert_non_null(strstr(source, "{ \"x.csv\", 10, "));
	/* "SELECT 1" without its semicolon */
	assert_non_null(strstr(source, "\n83,69,76,69,67,84,32,49,0}"));
}

static void a_statement_needs_a_right_heading(void **state)
{
	static const char *const wrong[] = {
		"-- name: lonely\nSELECT 1;\n",
		"-- name: shapeless read\nSELECT 1;\n",
		"-- name: x :some\nSELECT 1;\n",
		"-- name: x :one somewhere\nSELECT 1;\n",
		"-- name: x :one read secret\nSELECT 1;\n",
		"-- name: x :one write stale\nSELECT 1;\n",
		"-- name: x :one stale queue\nSELECT 1;\n",
		"-- name: \nSELECT 1;\n",
		"-- name: x :one",
	};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		write_file("db/sql/wrong.sql", wrong[i]);
		stops("db/sql/wrong.sql", "");
	}
}

/* What stands before the first heading would be lost. */
static void a_statement_without_heading_is_seen(void **state)
{
	(void)state;
	write_file("db/sql/headless.sql", "-- a comment\nSELECT 1;\n");
	stops("db/sql/headless.sql", "headless.sql");
	write_file("db/sql/headless.sql", "--name: typo :one\nSELECT 1;\n-- name: x :one\nSELECT 2;\n");
	stops("db/sql/headless.sql", "headless.sql");
}

static void a_name_is_given_once(void **state)
{
	(void)state;
	write_file("db/sql/c.sql", "-- name: same :one\nSELECT 1;\n-- name: same :many\nSELECT 2;\n");
	stops("db/sql/c.sql", "same");
	write_file("db/sql/d.sql", "-- name: twin :one\nSELECT 1;\n");
	write_file("db/sql/e.sql", "-- name: twin :one\nSELECT 1;\n");
	stops("db/sql/d.sql db/sql/e.sql", "twin");
}

/* What statements of a file share is put where it is named; a part may name those before it. */
static void parts_are_put_where_they_are_named(void **state)
{
	(void)state;
	write_file("db/sql/g.sql", "-- a comment\n-- part: a\n1\n-- part: b\n{{a}},2\n"
				   "-- name: shares :one\nSELECT {{b}};\n");
	assert_int_equal(run("db/sql/g.sql"), 0);
	assert_non_null(strstr(made("statements.h"), "\tSQL_NONE,\n\tSQL_shares,\n\tSQL_COUNT\n"));
	assert_non_null(strstr(made("embedded.c"), "\n83,69,76,69,67,84,32,49,44,50,0}")); /* SELECT 1,2 */
	write_file("db/sql/h.sql", "-- name: foreign :one\nSELECT {{a}};\n");
	stops("db/sql/g.sql db/sql/h.sql", "foreign");
	write_file("db/sql/h.sql", "-- name: open :one\nSELECT {{a;\n");
	stops("db/sql/h.sql", "open");
	write_file("db/sql/h.sql", "-- part: self\n{{self}}\n-- name: x :one\nSELECT {{self}};\n");
	stops("db/sql/h.sql", "self");
	write_file("db/sql/h.sql", "-- name: early :one\nSELECT {{late}};\n-- part: late\n1\n");
	stops("db/sql/h.sql", "early");
}

static void a_part_is_given_once(void **state)
{
	(void)state;
	write_file("db/sql/i.sql", "-- part: a\n1\n-- part: a\n2\n-- name: x :one\nSELECT {{a}};\n");
	stops("db/sql/i.sql", "a");
}

static void a_write_answers(void **state)
{
	(void)state;
	write_file("db/sql/f.sql", "-- name: mute :write\nWITH made AS (\n    SELECT 1\n)\n");
	stops("db/sql/f.sql", "mute");
}

static void migrations_go_upward(void **state)
{
	(void)state;
	write_file("db/migrations/0001_a.sql", "SELECT 1;\n");
	write_file("db/migrations/0002_b.sql", "SELECT 1;\n");
	write_file("db/migrations/0002_c.sql", "SELECT 1;\n");
	write_file("db/migrations/0003_c.sql", "SELECT 1;\n");
	write_file("db/migrations/0007_lives_with_5.sql", "-- compatible_from: 5\nSELECT 1;\n");
	write_file("db/migrations/0008_lives_with_9.sql", "-- compatible_from: 9\nSELECT 1;\n");
	write_file("db/migrations/0008_lives_with_what.sql", "-- compatible_from: x\nSELECT 1;\n");
	write_file("db/migrations/0008_twice.sql",
		   "-- compatible_from: 5\n-- compatible_from: 6\nSELECT 1;\n");
	write_file("db/migrations/first.sql", "SELECT 1;\n");
	stops("db/migrations/0001_a.sql db/migrations/0002_b.sql db/migrations/0002_c.sql", "0002_c.sql");
	stops("db/migrations/0002_b.sql db/migrations/0001_a.sql", "0001_a.sql");
	stops("db/migrations/first.sql", "first.sql");
	stops("db/migrations/0008_lives_with_9.sql", "compatible_from");
	stops("db/migrations/0008_lives_with_what.sql", "compatible_from");
	stops("db/migrations/0008_twice.sql", "compatible_from");
	assert_int_equal(
		run("db/migrations/0001_a.sql db/migrations/0003_c.sql db/migrations/0007_lives_with_5.sql"),
		0);
}

static void what_cannot_be_read_or_written_stops(void **state)
{
	(void)state;
	stops("db/sql/nowhere.sql", "nowhere.sql");
	stops("", "usage");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_good_files),
		cmocka_unit_test(a_statement_needs_a_right_heading),
		cmocka_unit_test(a_statement_without_heading_is_seen),
		cmocka_unit_test(a_name_is_given_once),
		cmocka_unit_test(parts_are_put_where_they_are_named),
		cmocka_unit_test(a_part_is_given_once),
		cmocka_unit_test(a_write_answers),
		cmocka_unit_test(migrations_go_upward),
		cmocka_unit_test(what_cannot_be_read_or_written_stops),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
