/* SPDX-License-Identifier: Apache-2.0
 * Finds the parts of a workbook (ECMA-376 part 2: relationships).
 * Invariant: paths never leave the zip, and a relationship counts only by its type and id, not by a file's
 * usual name. */
#include "service/needs/xlsx_book.h"
#include "service/needs/needs_problem.h"
#include "service/needs/xlsx_xml.h"
#include <stdio.h>

enum { PART_CAP = 16 * 1024 * 1024, ID_BYTES = 128 };

/* One relationships part, read for the few that matter. */
struct relations {
	const char *base;     /* the part whose relationships these are */
	const char *sheet_id; /* of the sheet that is wanted, or NULL */
	char book[XLSX_PATH_BYTES];
	struct xlsx_book *found; /* may be NULL */
	bool sheet_is_worksheet;
};

struct workbook {
	struct xlsx_book *book;
	char sheet_id[ID_BYTES];
	bool has_sheet;
};

/* Takes the last step off a path: "xl/worksheets" → "xl"; "xl" → "". */
static void path_up(char *path, size_t *len)
{
	while (*len > 0 && path[*len - 1] != '/')
		--*len;
	if (*len > 0)
		--*len;
	path[*len] = '\0';
}

static bool path_add(char out[XLSX_PATH_BYTES], size_t *len, const char *step, size_t step_len)
{
	if (*len + step_len + 2 > XLSX_PATH_BYTES)
		return false;
	if (*len > 0)
		out[(*len)++] = '/';
	memcpy(out + *len, step, step_len);
	*len += step_len;
	out[*len] = '\0';
	return true;
}

bool xlsx_path_resolve(const char *base, const char *target, char out[XLSX_PATH_BYTES])
{
	size_t len = 0;
	out[0] = '\0';
	if (*target != '/') {
		if (!path_add(out, &len, base, strlen(base)))
			return false;
		path_up(out, &len);
	}
	while (*target) {
		size_t step = strcspn(target, "/");
		if (step == 2 && memcmp(target, "..", 2) == 0)
			path_up(out, &len);
		else if (step > 0 && !(step == 1 && *target == '.') && !path_add(out, &len, target, step))
			return false;
		target += step + (target[step] == '/');
	}
	return len > 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static void relation_keep(const struct relations *r, const char *target, char out[XLSX_PATH_BYTES])
{
	if (!xlsx_path_resolve(r->base, target, out))
		out[0] = '\0';
}

static void relation_start(void *context, const char *name, const char *const *attributes)
{
	struct relations *r = context;
	const char *id = xlsx_attribute(attributes, "Id");
	const char *type = xlsx_attribute(attributes, "Type");
	const char *target = xlsx_attribute(attributes, "Target");
	if (strcmp(name, "Relationship") != 0 || !id || !type || !target)
		return;
	if (ends_with(type, "/officeDocument"))
		relation_keep(r, target, r->book);
	if (!r->found)
		return;
	if (r->sheet_id && strcmp(id, r->sheet_id) == 0) {
		relation_keep(r, target, r->found->sheet);
		r->sheet_is_worksheet = ends_with(type, "/worksheet");
	}
	if (ends_with(type, "/sharedStrings"))
		relation_keep(r, target, r->found->strings);
	if (ends_with(type, "/styles"))
		relation_keep(r, target, r->found->styles);
}

static bool relations_read(struct xlsx_zip *zip, const char *part, struct relations *r,
			   struct needs_problem *problem)
{
	static const struct xlsx_handler handler = { .start = relation_start };
	return xlsx_xml_read(zip, part, PART_CAP, &handler, r, problem);
}

static void workbook_start(void *context, const char *name, const char *const *attributes)
{
	struct workbook *w = context;
	if (strcmp(name, "workbookPr") == 0) {
		const char *value = xlsx_attribute(attributes, "date1904");
		w->book->date1904 = value && (strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
	}
	if (strcmp(name, "sheet") != 0 || w->has_sheet)
		return;
	const char *id = xlsx_attribute(attributes, "id");
	w->has_sheet = true;
	snprintf(w->sheet_id, sizeof w->sheet_id, "%s", id ? id : "");
}

/* "xl/workbook.xml" → "xl/_rels/workbook.xml.rels". */
static bool relations_path(const char *part, char *out, size_t size)
{
	const char *slash = strrchr(part, '/');
	int folder = slash ? (int)(slash + 1 - part) : 0;
	int len = snprintf(out, size, "%.*s_rels/%s.rels", folder, part, part + folder);
	return len > 0 && (size_t)len < size;
}

/* Without package relationships the usual place is tried. */
static bool book_path(struct xlsx_zip *zip, char out[XLSX_PATH_BYTES], struct needs_problem *problem)
{
	struct relations r = { .base = "" };
	if (xlsx_zip_has(zip, "_rels/.rels") && !relations_read(zip, "_rels/.rels", &r, problem))
		return false;
	snprintf(out, XLSX_PATH_BYTES, "%s", r.book[0] ? r.book : "xl/workbook.xml");
	if (xlsx_zip_has(zip, out))
		return true;
	needs_problem_file(problem, "xlsx_broken", "a zip without a workbook");
	return false;
}

bool xlsx_book_read(struct xlsx_zip *zip, struct xlsx_book *book, struct needs_problem *problem)
{
	static const struct xlsx_handler handler = { .start = workbook_start };
	char path[XLSX_PATH_BYTES], relations[XLSX_PATH_BYTES + 16];
	*book = (struct xlsx_book){ 0 };
	struct workbook workbook = { .book = book };
	if (!book_path(zip, path, problem) ||
	    !xlsx_xml_read(zip, path, PART_CAP, &handler, &workbook, problem))
		return false;
	struct relations r = { .base = path, .sheet_id = workbook.sheet_id, .found = book };
	if (workbook.has_sheet && relations_path(path, relations, sizeof relations) &&
	    !relations_read(zip, relations, &r, problem))
		return false;
	if (r.sheet_is_worksheet && xlsx_zip_has(zip, book->sheet))
		return true;
	needs_problem_file(problem, "xlsx_sheet_missing", "the workbook has no first sheet with rows");
	return false;
}
