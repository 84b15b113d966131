/* SPDX-License-Identifier: Apache-2.0
 * The refused-rows file: the sealed upload is read again and the refused rows are written with their codes.
 * Or an empty file, to be filled in. Invariant: clear text exists in memory only (a file in /dev/shm without
 * a name), never on a disk. */
#include "api/import_file.h"
#include "api/engine.h"
#include "service/log.h"
#include "service/needs/needs_sealed.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct refusal {
	uint32_t number;
	int code;
};

struct refused_file {
	const struct file_table *table;
	const char *name; /* what it is called by who keeps it */
	char path[4096];  /* of the upload; "": an empty file is made */
	enum needs_format format;
	struct refusal *refusals;
	int count;
	int memory; /* file descriptor, -1 */
	int error;  /* errno: why there is no file; EIO also when the writer does not say */
	void *mapped;
	size_t len;
};

static void refused_end(struct request *r)
{
	struct refused_file *f = r->own;
	if (f->mapped)
		munmap(f->mapped, f->len);
	if (f->memory >= 0)
		close(f->memory);
	free(f->refusals);
	free(f);
	r->own = NULL;
}

static bool write_refused(struct refused_file *f, struct needs_reader *reader, struct needs_writer *writer)
{
	struct needs_row row;
	struct needs_problem trouble;
	int at = 0;
	while (at < f->count) {
		if (needs_reader_next(reader, &row, &trouble) != NEEDS_ROW)
			return false;
		if (row.number != f->refusals[at].number)
			continue;
		int code = f->refusals[at++].code;
		if (!needs_writer_add(writer, &row, f->table->codes[code], f->table->explanations[code]))
			return false;
	}
	return true;
}

static bool read_and_write(struct refused_file *f, struct sealed_reader *sealed, const char *into)
{
	struct needs_problem trouble;
	struct needs_limits limits = needs_limits_default();
	struct needs_source source = needs_source_of_sealed(sealed);
	struct needs_reader *reader = needs_reader_open(&source, f->table, &limits, &trouble);
	struct needs_writer *writer = reader ? needs_writer_new(f->table, f->format, into) : NULL;
	bool written = writer && write_refused(f, reader, writer);
	if (written)
		written = needs_writer_finish(&writer);
	else if (writer)
		needs_writer_abandon(&writer);
	needs_reader_close(&reader);
	return written;
}

/* False with f->error. sealed: NULL for an empty file. */
static bool make_in_memory(struct refused_file *f, struct sealed_reader *sealed)
{
	char folder[] = "/dev/shm/tantu-refused-XXXXXX", into[64];
	bool made = mkdtemp(folder); /* a folder of ours: the XLSX writer spools beside its target */
	f->error = errno;
	if (!made)
		return false;
	snprintf(into, sizeof into, "%s/file", folder);
	made = sealed ? read_and_write(f, sealed, into) : needs_template_write(f->table, f->format, into);
	f->error = sealed && sealed_reader_errno(sealed) ? sealed_reader_errno(sealed) : EIO;
	f->memory = open(into, O_RDONLY | O_CLOEXEC);
	unlink(into);
	rmdir(folder);
	return made;
}

/* False with f->error. */
static bool make_file(struct refused_file *f, const struct vault *vault)
{
	char why[200];
	if (!f->path[0])
		return make_in_memory(f, NULL);
	struct sealed_reader *sealed = sealed_reader_open(vault, f->path, why, sizeof why);
	f->error = errno;
	bool made = sealed && make_in_memory(f, sealed);
	sealed_reader_close(&sealed);
	return made;
}

static void make_in_pool(struct request *r)
{
	struct refused_file *f = r->own;
	struct stat st;
	if (!make_file(f, r->api->options.vault) || f->memory < 0 || fstat(f->memory, &st) != 0 ||
	    st.st_size == 0)
		return;
	f->len = (size_t)st.st_size;
	f->mapped = mmap(NULL, f->len, PROT_READ, MAP_PRIVATE, f->memory, 0);
	if (f->mapped == MAP_FAILED)
		f->mapped = NULL;
}

static int code_named(const struct file_table *table, struct slice name)
{
	for (int i = 0; i < table->code_count; i++)
		if (slice_is(name, table->codes[i]))
			return i;
	return 0;
}

/* Elements are "NUMBER CODE". */
static bool take_refusals(struct refused_file *f, const struct db_rows *rows, int column, int count)
{
	struct slice *texts = calloc((size_t)count + 1, sizeof *texts);
	f->refusals = calloc((size_t)count + 1, sizeof *f->refusals);
	if (!texts || !f->refusals) {
		free(texts);
		return false;
	}
	f->count = db_get_texts(rows, 0, column, texts, count);
	for (int i = 0; i < f->count; i++) {
		const char *blank = memchr(texts[i].at, ' ', texts[i].len);
		size_t digits = blank ? (size_t)(blank - texts[i].at) : texts[i].len;
		uint64_t number = 0;
		if (!slice_to_u64((struct slice){ texts[i].at, digits }, &number))
			continue;
		f->refusals[i].number = (uint32_t)number;
		f->refusals[i].code =
			code_named(f->table, (struct slice){ blank + 1, texts[i].len - digits - 1 });
	}
	free(texts);
	return true;
}

static enum needs_format format_named(struct slice name)
{
	for (int i = NEEDS_CSV_UTF8; i <= NEEDS_XLSX; i++)
		if (slice_is(name, needs_format_names[i]))
			return (enum needs_format)i;
	return NEEDS_CSV_UTF8;
}

static struct refused_file *begin(struct request *r, const struct file_table *table, const char *name)
{
	struct refused_file *f = calloc(1, sizeof *f);
	INVARIANT(f);
	f->memory = -1;
	f->table = table;
	f->name = name;
	r->own = f;
	r->own_end = refused_end;
	return f;
}

enum step import_file_found(struct request *r, const struct file_table *table)
{
	if (r->reply->outcome != DB_OK)
		return problem_of_reply(r, r->reply);
	const struct db_rows *rows = &r->reply->rows[0];
	if (db_row_count(rows) == 0)
		return problem(r, 404, "not_found", NULL, NULL);
	if (!slice_is(db_get(rows, 0, 2), "done"))
		return problem(r, 409, "import_not_done", NULL, NULL);
	struct refused_file *f = begin(r, table, "rejected");
	struct slice name = db_get(rows, 0, 0);
	snprintf(f->path, sizeof f->path, "%s/%.*s", r->api->options.uploads, (int)name.len, name.at);
	f->format = format_named(db_get(rows, 0, 1));
	if (!take_refusals(f, rows, 4, (int)db_get_int(rows, 0, 3)))
		return problem(r, 503, "try_again", NULL, NULL);
	return engine_work(r, make_in_pool);
}

enum step import_file_empty(struct request *r, const struct file_table *table, enum needs_format format)
{
	begin(r, table, "template")->format = format;
	return engine_work(r, make_in_pool);
}

enum step import_file_send(struct request *r)
{
	struct refused_file *f = r->own;
	bool xlsx = f->format == NEEDS_XLSX;
	if (!f->mapped && f->error == ENOENT)
		return problem(r, 410, "file_gone", NULL, "The uploaded file is not kept any more.");
	if (!f->mapped) {
		log_line(LOG_ERROR, "refused_rows_not_made", LOG_TEXT("trace", r->trace),
			 LOG_TEXT("reason", strerror(f->error)));
		return problem(r, 503, "storage_unavailable", NULL, NULL);
	}
	struct http_response response = {
		.status = 200,
		.content_type = xlsx ? "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
				: f->format == NEEDS_CSV_GB18030 ? "text/csv; charset=gb18030"
								 : "text/csv; charset=utf-8",
		.extra_headers = arena_printf(http_arena(r->x),
					      "Content-Disposition: attachment; filename=\"%s.%s\"\r\n",
					      f->name, xlsx ? "xlsx" : "csv"),
		.body = { f->mapped, f->len },
	};
	return answer_raw(r, &response);
}
