/* SPDX-License-Identifier: Apache-2.0
 * What backups are put together from: other programs run to their end, files told by their SHA-256, a key
 * under a passphrase. */
#include "service/child.h"
#include "service/folder.h"
#include "service/sealed_key.h"
#include "service/vault.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/tantu-parts-XXXXXX";
static char why[400];

static const char *in(const char *name)
{
	static char paths[4][200];
	static int turn;
	char *path = paths[turn++ % 4];
	snprintf(path, 200, "%s/%s", folder, name);
	return path;
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return folder_remove(folder) && access(folder, F_OK) != 0 ? 0 : -1;
}

/* --- other programs --- */

static bool shell(const char *script, enum child_pipe pipe, char *const *environment, struct child *child)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct child_options options = { argv, environment, pipe, NULL };
	return child_start(child, &options, why, sizeof why);
}

static bool ends_well(const char *script)
{
	struct child child;
	assert_true(shell(script, CHILD_NO_PIPE, NULL, &child));
	return child_end(&child, why, sizeof why);
}

static void how_a_program_ended_is_told(void **state)
{
	(void)state;
	assert_true(ends_well("echo a warning >&2; exit 0"));
	assert_false(ends_well("exit 3"));
	assert_string_equal(why, "sh: failed without a word");
	assert_false(ends_well("printf 'x: warning: a\\nx: error: it hurts\\nmore\\n' >&2; exit 1"));
	assert_string_equal(why, "sh: it hurts");
	assert_false(ends_well("kill -9 $$"));
	assert_string_equal(why, "sh: ended by signal 9");
	const char *const argv[] = { "/nowhere/pg_dump", NULL };
	struct child_options options = { argv, NULL, CHILD_WRITES_US, NULL };
	struct child child;
	char end;
	assert_true(child_start(&child, &options, why, sizeof why));
	assert_int_equal(read(child.pipe, &end, 1), 0);
	assert_false(child_end(&child, why, sizeof why));
	assert_non_null(strstr(why, "pg_dump: "));
	assert_non_null(strstr(why, "No such file"));
}

static void a_pipe_in_and_a_pipe_out(void **state)
{
	char variable[] = "TANTU_X=seen", said[64] = "";
	char *const environment[] = { variable, NULL };
	struct child child;
	(void)state;
	assert_true(shell("printf %s \"$TANTU_X\"", CHILD_WRITES_US, environment, &child));
	assert_int_equal(read(child.pipe, said, sizeof said), 4);
	assert_memory_equal(said, "seen", 4);
	assert_true(child_end(&child, why, sizeof why));
	assert_null(getenv("TANTU_X"));
	assert_true(shell("test \"$(cat)\" = told", CHILD_READS_US, NULL, &child));
	assert_int_equal(write(child.pipe, "told", 4), 4);
	assert_true(child_end(&child, why, sizeof why)); /* it closes the pipe: cat sees the end */
}

static void a_program_is_given_up(void **state)
{
	struct child child;
	(void)state;
	assert_true(shell("exec sleep 600", CHILD_READS_US, NULL, &child));
	pid_t pid = child.pid;
	child_abandon(&child);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(child.pipe, -1);
}

static void where_postgresql_keeps_its_programs(void **state)
{
	char path[200];
	(void)state;
	child_postgresql_program("/opt/pg", "pg_dump", path, sizeof path);
	assert_string_equal(path, "/opt/pg/pg_dump");
	child_postgresql_program(NULL, "no-such-program", path, sizeof path);
	assert_string_equal(path, "no-such-program");
}

/* --- files --- */

static void a_file_is_told_by_its_sha256(void **state)
{
	struct file_print print, copied;
	size_t len = 0;
	(void)state;
	assert_true(file_write(in("abc"), "abc", 3));
	assert_true(file_print(in("abc"), &print));
	assert_int_equal(print.bytes, 3);
	assert_string_equal(print.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_false(file_write(in("abc"), "x", 1));
	assert_int_equal(errno, EEXIST);
	assert_true(file_copy(in("abc"), in("copy"), &copied));
	assert_string_equal(copied.sha256, print.sha256);
	assert_false(file_copy(in("abc"), in("copy"), &copied)); /* never over another */
	assert_false(file_copy(in("nothing"), in("other"), &copied));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(access(in("other"), F_OK), -1);
	struct stat st;
	assert_int_equal(stat(in("copy"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	char *text = file_text(in("abc"), 3, &len);
	assert_non_null(text);
	assert_string_equal(text, "abc");
	free(text);
	assert_null(file_text(in("abc"), 2, &len));
	assert_int_equal(errno, EFBIG);
	assert_int_equal(symlink("/etc/passwd", in("link")), 0);
	assert_false(file_print(in("link"), &print));
}

static void a_folder_goes_with_all_that_is_in_it_and_nothing_else(void **state)
{
	(void)state;
	assert_true(file_write(in("kept"), "x", 1));
	assert_true(folder_make(in("tree")) && folder_make(in("tree")) && folder_make(in("tree/below")));
	assert_true(file_write(in("tree/below/file"), "x", 1));
	assert_int_equal(symlink("../kept", in("tree/link")), 0);
	assert_true(folder_remove(in("tree")));
	assert_int_equal(access(in("tree"), F_OK), -1);
	assert_int_equal(access(in("kept"), F_OK), 0);
	assert_true(folder_remove(in("tree"))); /* gone already */
}

/* --- the key --- */

static void the_key_comes_back_under_its_passphrase_only(void **state)
{
	char before[100], after[100];
	unsigned char file[400];
	(void)state;
	struct vault *vault = vault_open(in("master.key"), true, why, sizeof why);
	assert_non_null(vault);
	vault_free(&vault);
	assert_true(
		sealed_key_write(in("master.key"), "a good passphrase", in("key.sealed"), why, sizeof why));
	assert_false(sealed_key_write(in("nokey"), "a good passphrase", in("other.sealed"), why, sizeof why));
	assert_false(sealed_key_open(in("key.sealed"), "a bad passphrase", in("back.key"), why, sizeof why));
	assert_non_null(strstr(why, "the passphrase is not the one"));
	assert_int_equal(access(in("back.key"), F_OK), -1);
	assert_true(sealed_key_open(in("key.sealed"), "a good passphrase", in("back.key"), why, sizeof why));
	assert_false(sealed_key_open(in("key.sealed"), "a good passphrase", in("back.key"), why, sizeof why));

	int one = open(in("master.key"), O_RDONLY), two = open(in("back.key"), O_RDONLY);
	assert_int_equal(read(one, before, sizeof before), 65);
	assert_int_equal(read(two, after, sizeof after), 65);
	assert_memory_equal(before, after, 65);
	close(one);
	close(two);

	/* What a stranger's file asks of this machine is looked at before it is done. */
	int fd = open(in("key.sealed"), O_RDWR);
	ssize_t len = read(fd, file, sizeof file);
	assert_true(len > 24);
	static const int numbers[] = { 8, 16 }; /* operations, memory */
	for (int i = 0; i < 2; i++) {
		unsigned char huge = 0xff;
		assert_int_equal(pwrite(fd, &huge, 1, numbers[i] + 5), 1);
		assert_false(
			sealed_key_open(in("key.sealed"), "a good passphrase", in("x"), why, sizeof why));
		assert_non_null(strstr(why, "not a sealed key"));
		assert_int_equal(pwrite(fd, &file[numbers[i] + 5], 1, numbers[i] + 5), 1);
	}
	assert_int_equal(ftruncate(fd, len - 1), 0);
	assert_false(sealed_key_open(in("key.sealed"), "a good passphrase", in("x"), why, sizeof why));
	assert_non_null(strstr(why, "not a sealed key"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_a_program_ended_is_told),
		cmocka_unit_test(a_pipe_in_and_a_pipe_out),
		cmocka_unit_test(a_program_is_given_up),
		cmocka_unit_test(where_postgresql_keeps_its_programs),
		cmocka_unit_test(a_file_is_told_by_its_sha256),
		cmocka_unit_test(a_folder_goes_with_all_that_is_in_it_and_nothing_else),
		cmocka_unit_test(the_key_comes_back_under_its_passphrase_only),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
