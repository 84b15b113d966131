/* SPDX-License-Identifier: Apache-2.0
 * For the tests of needs files: a source over memory that can trickle and fail, a zip and a workbook made by
 * hand (also wrongly), and a reader's rows kept.
 * Invariant: what it hands out lives until the test program ends or its free function is called. */
#ifndef TESTS_UNIT_NEEDS_HELP_H
#define TESTS_UNIT_NEEDS_HELP_H

#include "service/needs/needs_file.h"
#include "service/needs/needs_table.h"
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define HELP_HEADER                                                                                                                                    \
	"序号,姓名,性别,残疾人证号,残疾类别,残疾等级,户编号,与户主关系,联系电话,区划代码,村(社区),详细地址," \
	"经度,纬度,经济状况,家庭特征,改造需求,辅具需求,登记日期,备注"

/* --- a source over memory --- */

struct help_memory {
	struct slice bytes;
	size_t at, step; /* step: bytes a read gives at most; 0: as many as asked */
	int reads_left;  /* reads that go well; -1: all of them */
	bool rewind_fails;
};

static inline long help_read(void *context, void *into, size_t room)
{
	struct help_memory *m = context;
	size_t take = m->bytes.len - m->at;
	if (m->reads_left == 0)
		return -1;
	if (m->reads_left > 0)
		m->reads_left--;
	take = take < room ? take : room;
	if (m->step > 0 && take > m->step)
		take = m->step;
	if (take > 0)
		memcpy(into, m->bytes.at + m->at, take);
	m->at += take;
	return (long)take;
}

static inline bool help_rewind(void *context)
{
	struct help_memory *m = context;
	m->at = 0;
	return !m->rewind_fails;
}

static inline struct help_memory help_memory_of(struct slice bytes)
{
	return (struct help_memory){ .bytes = bytes, .reads_left = -1 };
}

static inline struct needs_source help_source(struct help_memory *memory)
{
	return (struct needs_source){ memory, help_read, help_rewind };
}

/* --- the rows of a file, kept --- */

enum { HELP_ROWS = 64 };

struct help_file {
	bool opened;
	enum needs_format format;
	enum needs_next end; /* NEEDS_END or NEEDS_REFUSED */
	struct needs_problem problem;
	uint32_t rows; /* answered; the first HELP_ROWS are kept */
	char *cell[HELP_ROWS][NEEDS_COLUMNS];
};

static inline void help_keep(struct help_file *file, const struct needs_row *row)
{
	for (int i = 0; i < NEEDS_COLUMNS && file->rows < HELP_ROWS; i++)
		file->cell[file->rows][i] = strndup(row->cell[i].at, row->cell[i].len);
	file->rows++;
}

static inline struct help_file *help_read_source(const struct needs_source *source,
						 const struct needs_limits *limits)
{
	struct help_file *file = calloc(1, sizeof *file);
	struct needs_row row;
	struct needs_reader *reader = needs_reader_open(source, &needs_table, limits, &file->problem);
	file->end = NEEDS_REFUSED;
	if (!reader)
		return file;
	file->opened = true;
	file->format = needs_reader_format(reader);
	while ((file->end = needs_reader_next(reader, &row, &file->problem)) == NEEDS_ROW)
		help_keep(file, &row);
	needs_reader_close(&reader);
	return file;
}

static inline struct help_file *help_read_bytes(struct slice bytes)
{
	struct help_memory memory = help_memory_of(bytes);
	struct needs_source source = help_source(&memory);
	struct needs_limits limits = needs_limits_default();
	return help_read_source(&source, &limits);
}

static inline void help_file_free(struct help_file *file)
{
	for (int i = 0; i < HELP_ROWS; i++)
		for (int j = 0; j < NEEDS_COLUMNS; j++)
			free(file->cell[i][j]);
	free(file);
}

/* A whole file from the disk; .at is NULL when it is not there. The caller frees .at. */
static inline struct slice help_slurp(const char *path)
{
	struct slice bytes = { NULL, 0 };
	FILE *file = fopen(path, "rb");
	if (!file)
		return bytes;
	fseek(file, 0, SEEK_END);
	bytes.len = (size_t)ftell(file);
	rewind(file);
	char *at = malloc(bytes.len + 1);
	bytes.len = fread(at, 1, bytes.len, file);
	at[bytes.len] = '\0';
	bytes.at = at;
	fclose(file);
	return bytes;
}

/* --- bytes that grow --- */

struct help_bytes {
	char *at;
	size_t len, room;
};

static inline void help_add(struct help_bytes *b, const void *bytes, size_t len)
{
	if (b->len + len + 1 > b->room) {
		b->room = (b->len + len + 1) * 2;
		b->at = realloc(b->at, b->room);
	}
	if (len > 0)
		memcpy(b->at + b->len, bytes, len);
	b->len += len;
	b->at[b->len] = '\0';
}

static inline void help_add_text(struct help_bytes *b, const char *text)
{
	help_add(b, text, strlen(text));
}

static inline struct slice help_taken(const struct help_bytes *b)
{
	return (struct slice){ b->at, b->len };
}

/* --- a zip by hand --- */

enum { HELP_PARTS = 16 };

struct help_part {
	const char *name;
	uint32_t crc, packed, size, offset;
	uint16_t method, flags;
};

struct help_zip {
	struct help_bytes bytes;
	struct help_part part[HELP_PARTS];
	int count;
};

static inline void help_number(struct help_bytes *b, uint64_t number, int bytes)
{
	for (int i = 0; i < bytes; i++) {
		char byte = (char)(number >> (8 * i) & 0xFF);
		help_add(b, &byte, 1);
	}
}

/* What local header and directory entry have in common. */
static inline void help_part_fields(struct help_bytes *b, const struct help_part *part)
{
	help_number(b, 20, 2);
	help_number(b, part->flags, 2);
	help_number(b, part->method, 2);
	help_number(b, 0x5A210000, 4);
	help_number(b, part->crc, 4);
	help_number(b, part->packed, 4);
	help_number(b, part->size, 4);
	help_number(b, strlen(part->name), 2);
	help_number(b, 0, 2);
}

static inline struct help_bytes help_deflate(struct slice plain)
{
	struct help_bytes out = { 0 };
	z_stream z = { .next_in = (Bytef *)(uintptr_t)plain.at, .avail_in = (uInt)plain.len };
	deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
	out.room = deflateBound(&z, plain.len) + 16;
	out.at = malloc(out.room);
	z.next_out = (Bytef *)out.at;
	z.avail_out = (uInt)out.room;
	deflate(&z, Z_FINISH);
	out.len = z.total_out;
	deflateEnd(&z);
	return out;
}

/* Answers the part; help_zip_falsified after its fields were changed makes the local header say the same. */
static inline struct help_part *help_zip_add(struct help_zip *zip, const char *name, struct slice plain,
					     bool pack)
{
	struct help_part *part = &zip->part[zip->count++];
	struct help_bytes packed = { 0 };
	if (pack)
		packed = help_deflate(plain);
	struct slice stored = pack ? help_taken(&packed) : plain;
	*part = (struct help_part){ .name = name,
				    .crc = (uint32_t)crc32(0, (const Bytef *)(plain.at ? plain.at : ""),
							   (uInt)plain.len),
				    .packed = (uint32_t)stored.len,
				    .size = (uint32_t)plain.len,
				    .offset = (uint32_t)zip->bytes.len,
				    .method = pack ? 8 : 0 };
	help_number(&zip->bytes, 0x04034B50, 4);
	help_part_fields(&zip->bytes, part);
	help_add(&zip->bytes, name, strlen(name));
	help_add(&zip->bytes, stored.at, stored.len);
	free(packed.at);
	return part;
}

static inline void help_zip_falsified(struct help_zip *zip, const struct help_part *part)
{
	struct help_bytes fields = { 0 };
	help_part_fields(&fields, part);
	memcpy(zip->bytes.at + part->offset + 4, fields.at, fields.len);
	free(fields.at);
}

static inline struct slice help_zip_end(struct help_zip *zip)
{
	size_t start = zip->bytes.len;
	for (int i = 0; i < zip->count; i++) {
		help_number(&zip->bytes, 0x02014B50, 4);
		help_number(&zip->bytes, 20, 2);
		help_part_fields(&zip->bytes, &zip->part[i]);
		help_number(&zip->bytes, 0, 2 + 2 + 2); /* comment, disk, kind of content */
		help_number(&zip->bytes, 0, 4);
		help_number(&zip->bytes, zip->part[i].offset, 4);
		help_add(&zip->bytes, zip->part[i].name, strlen(zip->part[i].name));
	}
	size_t size = zip->bytes.len - start;
	help_number(&zip->bytes, 0x06054B50, 4);
	help_number(&zip->bytes, 0, 4);
	help_number(&zip->bytes, (uint64_t)zip->count, 2);
	help_number(&zip->bytes, (uint64_t)zip->count, 2);
	help_number(&zip->bytes, size, 4);
	help_number(&zip->bytes, start, 4);
	help_number(&zip->bytes, 0, 2);
	return help_taken(&zip->bytes);
}

/* --- a workbook by hand --- */

#define HELP_XML "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
#define HELP_TYPE "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
#define HELP_SHEET(rows) "<worksheet><sheetData>" rows "</sheetData></worksheet>"

/* The parts of a workbook; NULL leaves one out. */
struct help_book {
	const char *relations, *book, *book_relations, *sheet, *strings, *styles;
	bool stored; /* the parts are not packed */
};

static inline struct help_book help_book_of(const char *sheet)
{
	return (struct help_book){
		.relations = HELP_XML "<Relationships><Relationship Id=\"rId1\" Type=\"" HELP_TYPE
				      "officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>",
		.book = HELP_XML
		"<workbook xmlns:r=\"r\"><sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"rId7\"/>"
		"<sheet name=\"b\" sheetId=\"2\" r:id=\"rId8\"/></sheets></workbook>",
		.book_relations = HELP_XML
		"<Relationships><Relationship Id=\"rId8\" Type=\"" HELP_TYPE
		"worksheet\" Target=\"worksheets/second.xml\"/><Relationship Id=\"rId7\" Type=\"" HELP_TYPE
		"worksheet\" Target=\"worksheets/first.xml\"/><Relationship Id=\"rId1\" Type=\"" HELP_TYPE
		"sharedStrings\" Target=\"/xl/sharedStrings.xml\"/><Relationship Id=\"rId2\" "
		"Type=\"" HELP_TYPE "styles\" Target=\"../xl/./styles.xml\"/></Relationships>",
		.sheet = sheet,
		.strings = HELP_XML "<sst/>",
		.styles = HELP_XML "<styleSheet/>"
	};
}

static inline void help_book_part(struct help_zip *zip, const char *name, const char *text, bool stored)
{
	if (text)
		help_zip_add(zip, name, slice_of(text), !stored);
}

static inline struct slice help_book_zip(struct help_zip *zip, const struct help_book *book)
{
	help_book_part(zip, "_rels/.rels", book->relations, book->stored);
	help_book_part(zip, "xl/workbook.xml", book->book, book->stored);
	help_book_part(zip, "xl/_rels/workbook.xml.rels", book->book_relations, book->stored);
	help_book_part(zip, "xl/worksheets/second.xml", HELP_SHEET(""), book->stored);
	help_book_part(zip, "xl/worksheets/first.xml", book->sheet, book->stored);
	help_book_part(zip, "xl/sharedStrings.xml", book->strings, book->stored);
	help_book_part(zip, "xl/styles.xml", book->styles, book->stored);
	return help_zip_end(zip);
}

/* The header row of the sheet, of inline strings and without references. */
static inline void help_sheet_header(struct help_bytes *sheet)
{
	help_add_text(sheet, "<row>");
	for (int i = 0; i < NEEDS_COLUMNS; i++) {
		help_add_text(sheet, "<c t=\"inlineStr\"><is><t>");
		help_add_text(sheet, needs_column_names[i]);
		help_add_text(sheet, "</t></is></c>");
	}
	help_add_text(sheet, "</row>");
}

#endif
