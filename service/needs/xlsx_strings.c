/* SPDX-License-Identifier: Apache-2.0
 * The shared strings of a workbook.
 * Invariant: text and start together never take more than the limit; start has count + 1 entries, so the
 * n-th string is start[n]..start[n + 1]. */
#include "service/needs/xlsx_strings.h"
#include "service/needs/needs_problem.h"
#include "service/needs/xlsx_xml.h"
#include <stdlib.h>

struct xlsx_strings {
	char *text;
	uint32_t *start;
	size_t len, room, count, start_room;
};

struct strings_reading {
	struct xlsx_strings *strings;
	struct xlsx_xml *xml;
	struct needs_problem *problem;
	size_t limit, cell_bytes;
	bool in_string, in_text;
	int phonetic;
};

static void refuse(struct strings_reading *r, const char *code, const char *text)
{
	needs_problem_file(r->problem, code, "%s", text);
	xlsx_xml_refused(r->xml);
}

static bool within_limit(struct strings_reading *r)
{
	size_t held = r->strings->len + r->strings->count * sizeof(uint32_t);
	if (held <= r->limit && r->strings->len < UINT32_MAX)
		return true;
	refuse(r, "xlsx_too_large", "the shared strings are over the limit");
	return false;
}

static bool grow(void **at, size_t *room, size_t wanted, size_t size)
{
	size_t next = *room ? *room : 4096;
	while (next < wanted)
		next *= 2;
	if (next == *room)
		return true;
	void *grown = realloc(*at, next * size);
	if (!grown)
		return false;
	*at = grown;
	*room = next;
	return true;
}

static void string_begin(struct strings_reading *r)
{
	struct xlsx_strings *s = r->strings;
	r->in_string = true;
	if (!within_limit(r))
		return;
	if (!grow((void **)&s->start, &s->start_room, s->count + 2, sizeof *s->start)) {
		refuse(r, "try_again", "not enough memory");
		return;
	}
	s->start[s->count++] = (uint32_t)s->len;
	s->start[s->count] = (uint32_t)s->len;
}

static void on_start(void *context, const char *name, const char *const *attributes)
{
	struct strings_reading *r = context;
	(void)attributes;
	if (strcmp(name, "si") == 0 && !r->in_string)
		string_begin(r);
	else if (strcmp(name, "rPh") == 0)
		r->phonetic++;
	else if (strcmp(name, "t") == 0)
		r->in_text = r->in_string && r->phonetic == 0;
}

static void on_end(void *context, const char *name)
{
	struct strings_reading *r = context;
	if (strcmp(name, "si") == 0)
		r->in_string = false;
	else if (strcmp(name, "rPh") == 0)
		r->phonetic--;
	else if (strcmp(name, "t") == 0)
		r->in_text = false;
}

static void on_text(void *context, const char *bytes, size_t len)
{
	struct strings_reading *r = context;
	struct xlsx_strings *s = r->strings;
	if (!r->in_text)
		return;
	size_t room = r->cell_bytes + 1 - (s->len - s->start[s->count - 1]);
	size_t take = len < room ? len : room;
	if (take == 0)
		return;
	if (!grow((void **)&s->text, &s->room, s->len + take, 1)) {
		refuse(r, "try_again", "not enough memory");
		return;
	}
	memcpy(s->text + s->len, bytes, take);
	s->len += take;
	if (within_limit(r))
		s->start[s->count] = (uint32_t)s->len;
}

static bool run(struct xlsx_zip *zip, const char *part, const struct needs_limits *limits,
		struct strings_reading *reading)
{
	static const struct xlsx_handler handler = { .start = on_start, .end = on_end, .text = on_text };
	reading->xml =
		xlsx_xml_open(zip, part, limits->xlsx_sheet_bytes, &handler, reading, reading->problem);
	if (!reading->xml)
		return false;
	enum needs_next next = xlsx_xml_run(reading->xml);
	xlsx_xml_close(&reading->xml);
	return next == NEEDS_END;
}

struct xlsx_strings *xlsx_strings_read(struct xlsx_zip *zip, const char *part,
				       const struct needs_limits *limits, struct needs_problem *problem)
{
	struct xlsx_strings *strings = calloc(1, sizeof *strings);
	if (!strings) {
		needs_problem_file(problem, "try_again", "not enough memory");
		return NULL;
	}
	struct strings_reading reading = { .strings = strings,
					   .problem = problem,
					   .limit = limits->xlsx_string_bytes,
					   .cell_bytes = limits->cell_bytes };
	if (!run(zip, part, limits, &reading))
		xlsx_strings_free(&strings);
	return strings;
}

void xlsx_strings_free(struct xlsx_strings **strings)
{
	if (!*strings)
		return;
	free((*strings)->text);
	free((*strings)->start);
	free(*strings);
	*strings = NULL;
}

bool xlsx_strings_get(const struct xlsx_strings *strings, size_t number, struct slice *out)
{
	if (number >= strings->count)
		return false;
	uint32_t from = strings->start[number];
	size_t len = strings->start[number + 1] - from;
	*out = (struct slice){ len > 0 ? strings->text + from : "", len };
	return true;
}
