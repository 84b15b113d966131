/* SPDX-License-Identifier: Apache-2.0
 * The refused-rows file: in the format of what was sent, cells as they were, and fit to be sent again. */
#include "needs_help.h"
#include "service/needs/needs_check.h"
#include "unit.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CODE "phone_invalid"

static const enum needs_format formats[] = { NEEDS_CSV_UTF8, NEEDS_CSV_UTF8_BOM, NEEDS_CSV_GB18030,
					     NEEDS_XLSX };
enum { FORMATS = 4 };

struct place {
	char folder[64], path[96];
};

static int setup(void **state)
{
	struct place *p = test_calloc(1, sizeof *p);
	snprintf(p->folder, sizeof p->folder, "/tmp/tantu-writer-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof p->path, "%s/refused", p->folder);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	unlink(p->path);
	assert_int_equal(rmdir(p->folder), 0); /* no spool was left behind */
	test_free(p);
	return 0;
}

static struct needs_row row_of(const char *sequence, const char *name)
{
	struct needs_row row = { .number = 1 };
	for (int i = 0; i < NEEDS_COLUMNS; i++)
		row.cell[i] = (struct slice){ "", 0 };
	row.cell[NEEDS_SEQUENCE] = slice_of(sequence);
	row.cell[NEEDS_NAME] = slice_of(name);
	row.cell[NEEDS_REMARK] = SLICE("末");
	return row;
}

/* What readers of spreadsheets and of CSV trip over. */
static const char *const awkward[] = {
	"崔林",         "旦𠮷林 한글 é €",
	"a,b",          "\"quoted\"",
	"line\nbreak",  "line\r\nbreak",
	"=1+1",         "+86",
	"-1",           "@SUM(A1)",
	"0123",         "1e5",
	"2023-03-26",   "TRUE",
	"#N/A",         "_x0041_",
	"<a>&amp;</a>", "a\tb",
	"'x",           "中間\xE3\x80\x80空白",
};
enum { AWKWARD = sizeof awkward / sizeof *awkward };

static void write_awkward(const char *path, enum needs_format format)
{
	struct needs_writer *writer = needs_writer_new(&needs_table, format, path);
	assert_non_null(writer);
	for (int i = 0; i < AWKWARD; i++) {
		char sequence[16];
		snprintf(sequence, sizeof sequence, "%d", 1000 + i);
		struct needs_row row = row_of(sequence, awkward[i]);
		assert_true(needs_writer_add(writer, &row, CODE, "联系电话,\"无效\""));
	}
	assert_true(needs_writer_finish(&writer));
	assert_null(writer);
}

static struct help_file *read_path(const char *path)
{
	struct slice bytes = help_slurp(path);
	assert_non_null(bytes.at);
	struct help_file *file = help_read_bytes(bytes);
	free((char *)(uintptr_t)bytes.at);
	return file;
}

static void cells_come_back_as_they_were(void **state)
{
	struct place *p = *state;
	for (int f = 0; f < FORMATS; f++) {
		write_awkward(p->path, formats[f]);
		struct help_file *file = read_path(p->path);
		assert_string_equal(file->problem.detail, "");
		assert_int_equal(file->end, NEEDS_END);
		assert_int_equal(file->format, formats[f]);
		assert_int_equal(file->rows, AWKWARD);
		for (int i = 0; i < AWKWARD; i++) {
			assert_string_equal(file->cell[i][NEEDS_NAME], awkward[i]);
			assert_int_equal(atoi(file->cell[i][NEEDS_SEQUENCE]), 1000 + i);
			assert_string_equal(file->cell[i][NEEDS_REMARK], "末");
		}
		help_file_free(file);
	}
}

static void csv_is_written_to_the_byte(void **state)
{
	struct place *p = *state;
	struct needs_row row = row_of("7", "崔,林");
	struct needs_writer *writer = needs_writer_new(&needs_table, NEEDS_CSV_UTF8_BOM, p->path);
	assert_true(needs_writer_add(writer, &row, CODE, " 见\"说明\""));
	assert_true(needs_writer_finish(&writer));
	struct slice bytes = help_slurp(p->path);
	assert_string_equal(bytes.at, "\xEF\xBB\xBF" HELP_HEADER ",错误代码,错误说明\r\n"
				      "7,\"崔,林\",,,,,,,,,,,,,,,,,,末," CODE ",\" 见\"\"说明\"\"\"\r\n");
	free((char *)(uintptr_t)bytes.at);
}

static void formats_begin_as_they_should(void **state)
{
	static const char *const begins[FORMATS] = { "序号", "\xEF\xBB\xBF序号", "\xD0\xF2\xBA\xC5",
						     "PK\x03\x04" };
	struct place *p = *state;
	for (int f = 0; f < FORMATS; f++) {
		write_awkward(p->path, formats[f]);
		struct slice bytes = help_slurp(p->path);
		assert_memory_equal(bytes.at, begins[f], strlen(begins[f]));
		free((char *)(uintptr_t)bytes.at);
	}
}

/* Also in a workbook a cell that looks like a formula is text. */
static void workbook_holds_no_formula(void **state)
{
	struct place *p = *state;
	write_awkward(p->path, NEEDS_XLSX);
	struct help_file *file = read_path(p->path); /* which refuses formulas */
	assert_int_equal(file->end, NEEDS_END);
	assert_string_equal(file->cell[6][NEEDS_NAME], "=1+1");
	help_file_free(file);
}

static void file_is_private(void **state)
{
	struct place *p = *state;
	struct stat st;
	for (int f = 0; f < FORMATS; f++) {
		write_awkward(p->path, formats[f]);
		assert_int_equal(stat(p->path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		unlink(p->path);
	}
}

static void nothing_refused_is_a_header(void **state)
{
	struct place *p = *state;
	for (int f = 0; f < FORMATS; f++) {
		struct needs_writer *writer = needs_writer_new(&needs_table, formats[f], p->path);
		assert_true(needs_writer_finish(&writer));
		struct help_file *file = read_path(p->path);
		assert_int_equal(file->end, NEEDS_END);
		assert_int_equal(file->rows, 0);
		help_file_free(file);
	}
}

/* A blank row is refused, written, and blank again when it comes back. */
static void blank_rows_are_written(void **state)
{
	struct place *p = *state;
	struct needs_row blank = row_of("", ""), last = row_of("9", "x");
	blank.cell[NEEDS_REMARK] = (struct slice){ "", 0 };
	for (int f = 0; f < FORMATS; f++) {
		struct needs_writer *writer = needs_writer_new(&needs_table, formats[f], p->path);
		assert_true(needs_writer_add(writer, &blank, "required_missing", "必填项为空"));
		assert_true(needs_writer_add(writer, &last, CODE, ""));
		assert_true(needs_writer_add(writer, &blank, "required_missing", "必填项为空"));
		assert_true(needs_writer_finish(&writer));
		struct help_file *file = read_path(p->path);
		assert_int_equal(file->end, NEEDS_END);
		assert_int_equal(file->rows, 2);
		assert_string_equal(file->cell[0][NEEDS_REMARK], "");
		help_file_free(file);
	}
}

static int descriptors_open(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void abandoned_file_is_gone(void **state)
{
	struct place *p = *state;
	int before = descriptors_open();
	for (int f = 0; f < FORMATS; f++) {
		struct needs_row row = row_of("1", "x");
		struct needs_writer *writer = needs_writer_new(&needs_table, formats[f], p->path);
		assert_true(needs_writer_add(writer, &row, CODE, ""));
		needs_writer_abandon(&writer);
		assert_null(writer);
		assert_int_equal(access(p->path, F_OK), -1);
		needs_writer_abandon(&writer); /* of nothing */
	}
	assert_int_equal(descriptors_open(), before);
}

static void unwritable_path_is_refused(void **state)
{
	(void)state;
	for (int f = 0; f < FORMATS; f++)
		assert_null(needs_writer_new(&needs_table, formats[f], "/nowhere/at/all"));
}

static bool write_many(struct needs_writer **writer)
{
	for (int i = 0; i < 20000; i++) {
		char sequence[16], name[32];
		snprintf(sequence, sizeof sequence, "%d", i);
		snprintf(name, sizeof name, "%08x", (unsigned)i * 2654435761U);
		struct needs_row row = row_of(sequence, name);
		if (!needs_writer_add(*writer, &row, CODE, "x"))
			break; /* soon or only at the end: either will do */
	}
	return needs_writer_finish(writer);
}

/* The disk is full: a file may not grow, be it the target or the library's spool. */
static void full_disk_is_reported_and_leaves_nothing(void **state)
{
	static const rlim_t limits[] = { 10000, 100000, 300000 };
	struct place *p = *state;
	struct rlimit before;
	getrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_IGN);
	for (int i = 0; i < FORMATS * 3; i++) {
		struct rlimit small = { limits[i / FORMATS], before.rlim_max };
		struct needs_writer *writer = needs_writer_new(&needs_table, formats[i % FORMATS], p->path);
		assert_non_null(writer);
		setrlimit(RLIMIT_FSIZE, &small);
		bool finished = write_many(&writer);
		setrlimit(RLIMIT_FSIZE, &before);
		assert_false(finished);
		assert_null(writer);
		assert_int_equal(access(p->path, F_OK), -1);
	}
}

/* The device is full, and is still there afterwards. */
static void full_device_is_reported(void **state)
{
	struct stat st;
	(void)state;
	for (int f = 0; f < FORMATS - 1; f++) {
		struct needs_writer *writer = needs_writer_new(&needs_table, formats[f], "/dev/full");
		assert_non_null(writer);
		assert_false(write_many(&writer));
		assert_int_equal(stat("/dev/full", &st), 0);
	}
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(cells_come_back_as_they_were),
		IN_FOLDER(csv_is_written_to_the_byte),
		IN_FOLDER(formats_begin_as_they_should),
		IN_FOLDER(workbook_holds_no_formula),
		IN_FOLDER(file_is_private),
		IN_FOLDER(nothing_refused_is_a_header),
		IN_FOLDER(blank_rows_are_written),
		IN_FOLDER(abandoned_file_is_gone),
		IN_FOLDER(unwritable_path_is_refused),
		IN_FOLDER(full_disk_is_reported_and_leaves_nothing),
		IN_FOLDER(full_device_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
