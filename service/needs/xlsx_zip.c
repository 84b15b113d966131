/* SPDX-License-Identifier: Apache-2.0
 * The zip under an XLSX file, by minizip over memory.
 * Invariant: no more of a part is inflated than its directory entry declares, and that was held against the
 * limits first; so a bomb is refused before it goes off, and a lie about the size is found at the end. */
#include "service/needs/xlsx_zip.h"
#include "service/needs/needs_problem.h"
#include "service/needs/text_decode.h"
#include <minizip/unzip.h>
#include <stdlib.h>

enum { FIRST_ROOM = 256 * 1024, MANY_PARTS = 4096, SMALL_PART = 1024 * 1024, BOMB_FACTOR = 200 };
enum { ANY_CASE = 2 }; /* part names do not differ by case (ECMA-376 part 2) */

struct xlsx_zip {
	char *bytes;
	size_t len, at; /* at: minizip's file position */
	unzFile zip;
	bool part_open;
	uint64_t part_size, part_read;
};

static bool refuse(struct needs_problem *problem, const char *code, const char *text)
{
	needs_problem_file(problem, code, "%s", text);
	return false;
}

/* --- the file functions minizip asks for; the stream is the struct itself --- */

static voidpf memory_open(voidpf opaque, const void *name, int mode)
{
	(void)name;
	return mode == (ZLIB_FILEFUNC_MODE_READ | ZLIB_FILEFUNC_MODE_EXISTING) ? opaque : NULL;
}

static uLong memory_read(voidpf opaque, voidpf stream, void *into, uLong size)
{
	struct xlsx_zip *zip = opaque;
	(void)stream;
	size_t left = zip->len - zip->at;
	size_t take = size < left ? size : left;
	memcpy(into, zip->bytes + zip->at, take);
	zip->at += take;
	return take;
}

static ZPOS64_T memory_tell(voidpf opaque, voidpf stream)
{
	(void)stream;
	return ((struct xlsx_zip *)opaque)->at;
}

static long memory_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin)
{
	struct xlsx_zip *zip = opaque;
	(void)stream;
	size_t from = origin == ZLIB_FILEFUNC_SEEK_SET   ? 0
		      : origin == ZLIB_FILEFUNC_SEEK_CUR ? zip->at
							 : zip->len;
	if (offset > zip->len - from)
		return -1;
	zip->at = from + (size_t)offset;
	return 0;
}

static int memory_close(voidpf opaque, voidpf stream)
{
	(void)opaque;
	(void)stream;
	return 0;
}

static unzFile open_memory(struct xlsx_zip *zip)
{
	zlib_filefunc64_def functions = { .zopen64_file = memory_open,
					  .zread_file = memory_read,
					  .ztell64_file = memory_tell,
					  .zseek64_file = memory_seek,
					  .zclose_file = memory_close,
					  .zerror_file = memory_close,
					  .opaque = zip };
	return unzOpen2_64("", &functions);
}

/* --- the whole --- */

/* Twice the room, but never more than one byte over the limit: that byte tells that it is too large. */
static bool grow(struct xlsx_zip *zip, size_t *room, size_t limit)
{
	size_t wanted = *room ? *room * 2 : FIRST_ROOM;
	if (wanted > limit + 1)
		wanted = limit + 1;
	char *bytes = realloc(zip->bytes, wanted);
	if (!bytes)
		return false;
	zip->bytes = bytes;
	*room = wanted;
	return true;
}

static bool load(struct xlsx_zip *zip, const struct needs_source *source, size_t limit,
		 struct needs_problem *problem)
{
	size_t room = 0;
	do {
		if (!grow(zip, &room, limit))
			return refuse(problem, "try_again", "not enough memory");
		long got = needs_source_fill(source, zip->bytes + zip->len, room - zip->len);
		if (got < 0)
			return refuse(problem, "file_unreadable", "the file cannot be read");
		zip->len += (size_t)got;
	} while (zip->len == room && room <= limit);
	return zip->len <= limit || refuse(problem, "xlsx_too_large", "the file is over the size limit");
}

static bool open_directory(struct xlsx_zip *zip, struct needs_problem *problem)
{
	unz_global_info64 info;
	zip->zip = open_memory(zip);
	if (!zip->zip || unzGetGlobalInfo64(zip->zip, &info) != UNZ_OK)
		return refuse(problem, "xlsx_broken", "the zip has no directory; the file may have been cut");
	return info.number_entry <= MANY_PARTS || refuse(problem, "xlsx_broken", "far too many parts");
}

struct xlsx_zip *xlsx_zip_open(const struct needs_source *source, const struct needs_limits *limits,
			       struct needs_problem *problem)
{
	struct xlsx_zip *zip = calloc(1, sizeof *zip);
	if (!zip) {
		refuse(problem, "try_again", "not enough memory");
		return NULL;
	}
	if (!load(zip, source, limits->xlsx_bytes, problem) || !open_directory(zip, problem))
		xlsx_zip_close(&zip);
	return zip;
}

void xlsx_zip_close(struct xlsx_zip **zip)
{
	if (!*zip)
		return;
	xlsx_zip_part_close(*zip);
	if ((*zip)->zip)
		unzClose((*zip)->zip);
	free((*zip)->bytes);
	free(*zip);
	*zip = NULL;
}

/* --- a part --- */

bool xlsx_zip_has(struct xlsx_zip *zip, const char *part)
{
	return unzLocateFile(zip->zip, part, ANY_CASE) == UNZ_OK;
}

static bool part_allowed(const struct xlsx_zip *zip, const unz_file_info64 *info, size_t cap,
			 struct needs_problem *problem)
{
	uint64_t packed = info->compressed_size < zip->len ? info->compressed_size : zip->len;
	if (info->flag & 1)
		return refuse(problem, "xlsx_encrypted", "protected by a password");
	if (info->uncompressed_size > cap)
		return refuse(problem, "xlsx_too_large", "inflated, a part is over its limit");
	if (info->uncompressed_size > SMALL_PART && info->uncompressed_size / BOMB_FACTOR > packed)
		return refuse(problem, "xlsx_too_large", "a part inflates to over 200 times its size");
	return true;
}

/* minizip's own word for it, and zlib's. */
static bool out_of_memory(int status)
{
	return status == UNZ_INTERNALERROR || status == Z_MEM_ERROR;
}

bool xlsx_zip_part_open(struct xlsx_zip *zip, const char *part, size_t cap, struct needs_problem *problem)
{
	unz_file_info64 info;
	INVARIANT(!zip->part_open);
	if (!xlsx_zip_has(zip, part) ||
	    unzGetCurrentFileInfo64(zip->zip, &info, NULL, 0, NULL, 0, NULL, 0) != UNZ_OK) {
		needs_problem_file(problem, "xlsx_broken", "the part %s is missing", part);
		return false;
	}
	if (!part_allowed(zip, &info, cap, problem))
		return false;
	int status = unzOpenCurrentFile(zip->zip);
	if (out_of_memory(status))
		return refuse(problem, "try_again", "not enough memory");
	if (status != UNZ_OK) {
		needs_problem_file(problem, "xlsx_broken", "the part %s cannot be opened", part);
		return false;
	}
	zip->part_open = true;
	zip->part_size = info.uncompressed_size;
	zip->part_read = 0;
	return true;
}

long xlsx_zip_part_read(struct xlsx_zip *zip, void *into, size_t room, struct needs_problem *problem)
{
	INVARIANT(zip->part_open && room <= INT_MAX);
	int got = unzReadCurrentFile(zip->zip, into, (unsigned)room);
	if (got > 0) {
		zip->part_read += (uint64_t)got;
		return got;
	}
	zip->part_open = false;
	if (unzCloseCurrentFile(zip->zip) == UNZ_OK && got == 0 && zip->part_read == zip->part_size)
		return 0;
	if (out_of_memory(got))
		refuse(problem, "try_again", "not enough memory");
	else
		refuse(problem, "xlsx_broken", "the zip is damaged (length or check sum)");
	return -1;
}

void xlsx_zip_part_close(struct xlsx_zip *zip)
{
	if (zip->part_open)
		unzCloseCurrentFile(zip->zip);
	zip->part_open = false;
}
