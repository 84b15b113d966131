/* SPDX-License-Identifier: Apache-2.0
 * The refused rows as CSV: CRLF, quotes only where they are needed, in the encoding the file came in.
 * Invariant: cells are written as they were, formula look-alikes too: the file is to be mended and sent
 * again. After a failed write everything answers false. */
#include "service/needs/needs_writer_format.h"
#include <fcntl.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct csv_writer {
	FILE *file;
	iconv_t iconv; /* (iconv_t)-1: UTF-8 goes out as it is */
	bool failed;
};

static void put_bytes(struct csv_writer *csv, const char *bytes, size_t len)
{
	if (!csv->failed && len > 0)
		csv->failed = fwrite(bytes, 1, len, csv->file) != len;
}

/* Every character of Unicode has a place in GB18030, so only broken text or a broken disk can fail. */
static void put(struct csv_writer *csv, struct slice text)
{
	char out[4096], *from = (char *)(uintptr_t)text.at; /* iconv does not write there */
	size_t left = text.len;
	if (csv->iconv == (iconv_t)-1) {
		put_bytes(csv, text.at, text.len);
		return;
	}
	while (left > 0 && !csv->failed) {
		char *to = out;
		size_t room = sizeof out, before = left;
		size_t status = iconv(csv->iconv, &from, &left, &to, &room);
		put_bytes(csv, out, sizeof out - room);
		csv->failed |= status == (size_t)-1 && left == before;
	}
}

/* Blanks at the ends are quoted too: some readers drop them. */
static bool wants_quotes(struct slice text)
{
	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (strchr(",\"\r\n", text.at[i]))
			return true;
	return strchr(" \t", text.at[0]) || strchr(" \t", text.at[text.len - 1]);
}

static void put_quoted(struct csv_writer *csv, struct slice text)
{
	put(csv, SLICE("\""));
	while (text.len > 0) {
		const char *quote = memchr(text.at, '"', text.len);
		size_t len = quote ? (size_t)(quote - text.at) + 1 : text.len;
		put(csv, (struct slice){ text.at, len });
		if (quote)
			put(csv, SLICE("\""));
		text.at += len;
		text.len -= len;
	}
	put(csv, SLICE("\""));
}

bool csv_writer_row(struct csv_writer *csv, const struct slice *cells, int count)
{
	for (int i = 0; i < count; i++) {
		if (i > 0)
			put(csv, SLICE(","));
		if (wants_quotes(cells[i]))
			put_quoted(csv, cells[i]);
		else
			put(csv, cells[i]);
	}
	put(csv, SLICE("\r\n"));
	return !csv->failed;
}

static FILE *create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
	if (fd >= 0 && !file)
		close(fd);
	return file;
}

struct csv_writer *csv_writer_new(enum needs_format format, const char *path)
{
	struct csv_writer *csv = calloc(1, sizeof *csv);
	if (!csv)
		return NULL;
	bool gb18030 = format == NEEDS_CSV_GB18030;
	csv->iconv = gb18030 ? iconv_open("GB18030", "UTF-8") : (iconv_t)-1;
	if (!gb18030 || csv->iconv != (iconv_t)-1)
		csv->file = create(path);
	if (!csv->file)
		csv_writer_drop(&csv);
	else if (format == NEEDS_CSV_UTF8_BOM)
		put_bytes(csv, "\xEF\xBB\xBF", 3);
	return csv;
}

bool csv_writer_close(struct csv_writer **csv)
{
	struct csv_writer *c = *csv;
	bool ok = !c->failed && fflush(c->file) == 0 && (fsync(fileno(c->file)) == 0);
	ok = fclose(c->file) == 0 && ok;
	c->file = NULL;
	csv_writer_drop(csv);
	return ok;
}

void csv_writer_drop(struct csv_writer **csv)
{
	if ((*csv)->file)
		fclose((*csv)->file);
	if ((*csv)->iconv != (iconv_t)-1)
		iconv_close((*csv)->iconv);
	free(*csv);
	*csv = NULL;
}
