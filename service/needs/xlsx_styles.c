/* SPDX-License-Identifier: Apache-2.0
 * Which cell styles show a number as a date.
 * Invariant: is_date has a bit for each of the first `count` styles, and no more than STYLES are kept
 * (a workbook may have 65,490); those past it are no dates. */
#include "service/needs/xlsx_styles.h"
#include "service/needs/needs_problem.h"
#include "service/needs/xlsx_xml.h"
#include <stdlib.h>

enum { PART_CAP = 64 * 1024 * 1024, STYLES = 65536, CUSTOM_FORMATS = 1024 };

struct xlsx_styles {
	size_t count, custom_count;
	bool in_cell_styles;
	unsigned long custom[CUSTOM_FORMATS]; /* ids of the workbook's own formats that are dates */
	unsigned char is_date[STYLES / 8];
};

/* Past a quoted text, a bracket or an escaped character; the format itself when none begins here. */
static const char *skip_literal(const char *at)
{
	char close = *at == '"' ? '"' : *at == '[' ? ']' : '\0';
	if (close) {
		const char *end = strchr(at + 1, close);
		return end ? end + 1 : at + strlen(at);
	}
	if ((*at == '\\' || *at == '_' || *at == '*') && at[1])
		return at + 2;
	return at;
}

bool xlsx_format_is_date(const char *format)
{
	while (*format) {
		const char *after = skip_literal(format);
		if (after == format) {
			if (strchr("yYdD", *format))
				return true;
			after++;
		}
		format = after;
	}
	return false;
}

/* The formats every spreadsheet knows by number (ECMA-376 part 1, 18.8.30), those of zh-CN and ko included.
 */
static bool builtin_is_date(unsigned long id)
{
	return (id >= 14 && id <= 17) || id == 22 || (id >= 27 && id <= 31) || id == 36 ||
	       (id >= 50 && id <= 54) || id == 57 || id == 58;
}

static bool format_is_date(const struct xlsx_styles *styles, unsigned long id)
{
	for (size_t i = 0; i < styles->custom_count; i++)
		if (styles->custom[i] == id)
			return true;
	return builtin_is_date(id);
}

static void format_add(struct xlsx_styles *styles, const char *const *attributes)
{
	const char *id = xlsx_attribute(attributes, "numFmtId");
	const char *code = xlsx_attribute(attributes, "formatCode");
	if (id && code && styles->custom_count < CUSTOM_FORMATS && xlsx_format_is_date(code))
		styles->custom[styles->custom_count++] = strtoul(id, NULL, 10);
}

static void style_add(struct xlsx_styles *styles, const char *const *attributes)
{
	const char *id = xlsx_attribute(attributes, "numFmtId");
	size_t style = styles->count;
	if (style >= STYLES)
		return;
	if (id && format_is_date(styles, strtoul(id, NULL, 10)))
		styles->is_date[style / 8] |= (unsigned char)(1U << (style % 8));
	styles->count++;
}

static void on_start(void *context, const char *name, const char *const *attributes)
{
	struct xlsx_styles *styles = context;
	if (strcmp(name, "cellXfs") == 0)
		styles->in_cell_styles = true;
	else if (strcmp(name, "numFmt") == 0)
		format_add(styles, attributes);
	else if (strcmp(name, "xf") == 0 && styles->in_cell_styles)
		style_add(styles, attributes);
}

static void on_end(void *context, const char *name)
{
	struct xlsx_styles *styles = context;
	if (strcmp(name, "cellXfs") == 0)
		styles->in_cell_styles = false;
}

struct xlsx_styles *xlsx_styles_read(struct xlsx_zip *zip, const char *part, struct needs_problem *problem)
{
	static const struct xlsx_handler handler = { .start = on_start, .end = on_end };
	struct xlsx_styles *styles = calloc(1, sizeof *styles);
	if (!styles)
		needs_problem_file(problem, "try_again", "not enough memory");
	else if (!xlsx_xml_read(zip, part, PART_CAP, &handler, styles, problem))
		xlsx_styles_free(&styles);
	return styles;
}

void xlsx_styles_free(struct xlsx_styles **styles)
{
	free(*styles);
	*styles = NULL;
}

bool xlsx_styles_is_date(const struct xlsx_styles *styles, size_t style)
{
	return style < styles->count && (styles->is_date[style / 8] >> (style % 8)) & 1;
}
