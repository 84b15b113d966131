/* SPDX-License-Identifier: Apache-2.0
 * The refused-rows file: the table's columns, 错误代码, 错误说明, in the format of what was sent.
 * Invariant: a file that is not finished is deleted; one that is finished can be sent again as it is. */
#include "service/needs/needs_writer_format.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct needs_writer {
	const struct file_table *table;
	char *path;
	struct csv_writer *csv; /* one of the two */
	struct xlsx_writer *xlsx;
};

static bool write_cells(struct needs_writer *writer, const struct slice *cells, int count)
{
	return writer->xlsx ? xlsx_writer_row(writer->xlsx, cells, count)
			    : csv_writer_row(writer->csv, cells, count);
}

static bool write_header(struct needs_writer *writer, int errors)
{
	struct slice cells[NEEDS_HEADER_MAX];
	int count = writer->table->count;
	for (int i = 0; i < count; i++)
		cells[i] = slice_of(writer->table->columns[i]);
	for (int i = 0; i < errors; i++)
		cells[count + i] = slice_of(needs_error_column_names[i]);
	return write_cells(writer, cells, count + errors);
}

static struct needs_writer *writer_new(const struct file_table *table, enum needs_format format,
				       const char *path, int errors)
{
	struct needs_writer *writer = calloc(1, sizeof *writer);
	if (!writer)
		return NULL;
	writer->table = table;
	writer->path = strdup(path);
	if (writer->path && format == NEEDS_XLSX)
		writer->xlsx = xlsx_writer_new(path);
	else if (writer->path)
		writer->csv = csv_writer_new(format, path);
	if ((!writer->csv && !writer->xlsx) || !write_header(writer, errors))
		needs_writer_abandon(&writer);
	return writer;
}

struct needs_writer *needs_writer_new(const struct file_table *table, enum needs_format format,
				      const char *path)
{
	return writer_new(table, format, path, NEEDS_ERROR_COLUMNS);
}

bool needs_template_write(const struct file_table *table, enum needs_format format, const char *path)
{
	struct needs_writer *writer = writer_new(table, format, path, 0);
	return writer && needs_writer_finish(&writer);
}

bool needs_writer_add(struct needs_writer *writer, const struct needs_row *row, const char *code,
		      const char *explanation)
{
	struct slice cells[NEEDS_HEADER_MAX];
	int count = writer->table->count;
	memcpy(cells, row->cell, (size_t)count * sizeof *cells);
	cells[count] = slice_of(code);
	cells[count + 1] = slice_of(explanation);
	return write_cells(writer, cells, count + NEEDS_ERROR_COLUMNS);
}

static void writer_free(struct needs_writer **writer)
{
	free((*writer)->path);
	free(*writer);
	*writer = NULL;
}

/* Only a regular file: a device or a pipe that a caller gave as path is not ours to remove. */
static void remove_file(const char *path)
{
	struct stat st;
	if (path && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path);
}

bool needs_writer_finish(struct needs_writer **writer)
{
	struct needs_writer *w = *writer;
	bool ok = w->xlsx ? xlsx_writer_close(&w->xlsx) : csv_writer_close(&w->csv);
	if (!ok)
		remove_file(w->path);
	writer_free(writer);
	return ok;
}

void needs_writer_abandon(struct needs_writer **writer)
{
	if (!*writer)
		return;
	if ((*writer)->xlsx)
		xlsx_writer_drop(&(*writer)->xlsx);
	if ((*writer)->csv)
		csv_writer_drop(&(*writer)->csv);
	remove_file((*writer)->path);
	writer_free(writer);
}
