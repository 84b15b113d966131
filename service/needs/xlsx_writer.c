/* SPDX-License-Identifier: Apache-2.0
 * The refused rows as XLSX, by libxlsxwriter with constant memory: every cell is text, so nothing turns into
 * a number, a date or a formula.
 * Invariant: what is on the disk on the way (the library's spool too) lies in the folder of the target, never
 * in /tmp; the target is 0600 before its first byte; and it was read back before it is called written,
 * because the library does not notice that its spool hit a full disk. */
#include "service/needs/needs_problem.h"
#include "service/needs/needs_writer_format.h"
#include "service/needs/xlsx_reader.h"
#include "service/needs/xlsx_value.h"
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>
#include <xlsxwriter.h>

enum { CELL_MOST = 32767 }; /* characters, Excel's own limit */

struct xlsx_writer {
	lxw_workbook *book;
	lxw_worksheet *sheet;
	char *path, *folder; /* folder points into folder_copy */
	char *folder_copy;
	char *text; /* one cell, escaped and terminated */
	size_t room;
	uint32_t rows;
	bool failed;
};

/* The library keeps its spool open when a workbook is freed without being closed. */
static void book_drop(struct xlsx_writer *xlsx)
{
	if (xlsx->sheet && xlsx->sheet->optimize_tmpfile) {
		fclose(xlsx->sheet->optimize_tmpfile);
		xlsx->sheet->optimize_tmpfile = NULL;
	}
	if (xlsx->book)
		lxw_workbook_free(xlsx->book);
	xlsx->book = NULL;
	xlsx->sheet = NULL;
}

static bool create_private(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool writer_open(struct xlsx_writer *xlsx, const char *path)
{
	xlsx->path = strdup(path);
	xlsx->folder_copy = strdup(path);
	if (!xlsx->path || !xlsx->folder_copy || !create_private(path))
		return false;
	xlsx->folder = dirname(xlsx->folder_copy);
	lxw_workbook_options options = { .constant_memory = LXW_TRUE, .tmpdir = xlsx->folder };
	xlsx->book = workbook_new_opt(xlsx->path, &options);
	xlsx->sheet = xlsx->book ? workbook_add_worksheet(xlsx->book, NULL) : NULL;
	return xlsx->sheet && xlsx->sheet->optimize_tmpfile;
}

struct xlsx_writer *xlsx_writer_new(const char *path)
{
	struct xlsx_writer *xlsx = calloc(1, sizeof *xlsx);
	if (xlsx && !writer_open(xlsx, path))
		xlsx_writer_drop(&xlsx);
	return xlsx;
}

void xlsx_writer_drop(struct xlsx_writer **xlsx)
{
	book_drop(*xlsx);
	free((*xlsx)->path);
	free((*xlsx)->folder_copy);
	free((*xlsx)->text);
	free(*xlsx);
	*xlsx = NULL;
}

static bool cell_room(struct xlsx_writer *xlsx, size_t len)
{
	size_t wanted = XLSX_ESCAPED_MOST(len) + 1;
	if (wanted <= xlsx->room)
		return true;
	char *text = realloc(xlsx->text, wanted);
	if (!text)
		return false;
	xlsx->text = text;
	xlsx->room = wanted;
	return true;
}

static bool cell_write(struct xlsx_writer *xlsx, lxw_col_t column, struct slice cell)
{
	if (cell.len == 0)
		return true;
	if (!cell_room(xlsx, cell.len))
		return false;
	xlsx->text[xlsx_escape(cell, xlsx->text)] = '\0';
	return slice_utf8_length(slice_of(xlsx->text)) <= CELL_MOST &&
	       worksheet_write_string(xlsx->sheet, xlsx->rows, column, xlsx->text, NULL) == LXW_NO_ERROR;
}

bool xlsx_writer_row(struct xlsx_writer *xlsx, const struct slice *cells, int count)
{
	for (int i = 0; i < count && !xlsx->failed; i++)
		xlsx->failed = !cell_write(xlsx, (lxw_col_t)i, cells[i]);
	xlsx->rows++;
	return !xlsx->failed;
}

/* --- reading it back --- */

static long file_read(void *context, void *into, size_t room)
{
	size_t got = fread(into, 1, room, context);
	return ferror(context) ? -1 : (long)got;
}

static bool file_rewind(void *context)
{
	return fseek(context, 0, SEEK_SET) == 0;
}

/* Rows the sheet has, the header's too; -1 when it cannot be read to its end. */
static int64_t rows_of(const struct needs_source *source, const struct needs_limits *limits)
{
	struct needs_problem problem;
	struct xlsx_reader *reader = xlsx_reader_open(source, limits, &problem);
	struct raw_row *row = reader ? raw_row_new(limits) : NULL;
	enum needs_next next = NEEDS_REFUSED;
	int64_t rows = 0;
	while (row && (next = xlsx_reader_next(reader, row, &problem)) == NEEDS_ROW)
		rows++;
	raw_row_free(&row);
	xlsx_reader_close(&reader);
	return next == NEEDS_END ? rows : -1;
}

static bool is_whole(const struct xlsx_writer *xlsx)
{
	struct needs_limits limits = needs_limits_default();
	limits.cell_bytes = (size_t)CELL_MOST * 4;
	limits.xlsx_bytes = (size_t)1 << 30;
	FILE *file = fopen(xlsx->path, "rbe");
	if (!file)
		return false;
	struct needs_source source = { file, file_read, file_rewind };
	bool whole = fsync(fileno(file)) == 0 && rows_of(&source, &limits) == xlsx->rows;
	fclose(file);
	return whole;
}

bool xlsx_writer_close(struct xlsx_writer **xlsx)
{
	struct xlsx_writer *x = *xlsx;
	bool ok = !x->failed;
	if (ok) {
		ok = workbook_close(x->book) == LXW_NO_ERROR; /* frees it either way */
		x->book = NULL;
		x->sheet = NULL;
	}
	ok = ok && is_whole(x);
	xlsx_writer_drop(xlsx);
	return ok;
}
