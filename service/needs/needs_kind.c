/* SPDX-License-Identifier: Apache-2.0
 * What a file is, by its first bytes.
 * Invariant: the name of a file plays no part. An encrypted XLSX is an OLE container with a stream called
 * EncryptedPackage (MS-OFFCRYPTO 2.3); any other OLE container is taken for a .xls of before 2007. */
#include "service/needs/needs_kind.h"
#include "service/needs/needs_problem.h"
#include "service/needs/text_decode.h"

enum { PIECE = 4096, NAME = 32 };

/* "EncryptedPackage" in UTF-16, as an OLE directory holds it. */
static const char encrypted_name[NAME] = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e";

static bool refuse(struct needs_problem *problem, const char *code, const char *text)
{
	needs_problem_file(problem, code, "%s", text);
	return false;
}

static bool begins_with(struct slice head, struct slice magic)
{
	return head.len >= magic.len && memcmp(head.at, magic.at, magic.len) == 0;
}

/* Reads on to the end, keeping enough of each piece to see a name that lies across two. */
static bool ole_is_encrypted(const struct needs_source *source)
{
	char bytes[NAME + PIECE];
	size_t kept = 0;
	long got;
	while ((got = needs_source_fill(source, bytes + kept, PIECE)) > 0) {
		size_t have = kept + (size_t)got;
		if (memmem(bytes, have, encrypted_name, NAME))
			return true;
		kept = have < NAME ? have : NAME;
		memmove(bytes, bytes + have - kept, kept);
	}
	return false;
}

bool needs_kind_find(const struct needs_source *source, bool *is_xlsx, struct needs_problem *problem)
{
	char head[8];
	long got = needs_source_fill(source, head, sizeof head);
	if (got < 0)
		return refuse(problem, "file_unreadable", "the file cannot be read");
	struct slice begin = { head, (size_t)got };
	if (got == 0)
		return refuse(problem, "file_empty", "the file is empty");
	if (begins_with(begin, SLICE("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"))) {
		if (ole_is_encrypted(source))
			return refuse(problem, "xlsx_encrypted",
				      "protected by a password; save it without one");
		return refuse(problem, "xls_old", "a workbook of before 2007 (.xls); save it as .xlsx");
	}
	*is_xlsx = begins_with(begin, SLICE("PK\x03\x04")) || begins_with(begin, SLICE("PK\x05\x06"));
	return source->rewind(source->context) ||
	       refuse(problem, "file_unreadable", "the file cannot be read again");
}
