/* SPDX-License-Identifier: Apache-2.0
 * Templates: what they may say, what they refuse, and that nothing of the data becomes markup. */
#include "api/sheet.h"
#include "db/embedded.h"
#include "unit.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define STYLE "<style>p { margin: 0; }</style>"

static struct arena *arena;
static char why[200];

static const char *written(const char *template, const char *json)
{
	char *text = arena_printf(arena, "%s%s", STYLE, template);
	struct sheet *sheet = sheet_compile_text(arena, slice_of(text), why, sizeof why);
	json_t *data = json_loads(json, 0, NULL);
	struct buffer out;
	if (!sheet)
		fail_msg("%s: %s", template, why);
	assert_non_null(data);
	buffer_init(&out, arena, 16);
	sheet_write(sheet, data, &out);
	buffer_char(&out, 0);
	assert_false(out.failed);
	json_decref(data);
	return out.at + strlen(STYLE);
}

static void values_are_escaped(void **state)
{
	(void)state;
	assert_string_equal(written("<p title=\"{{a}}\">{{a}}</p>", "{\"a\": \"<b onload='x()'>\\\"&amp;\"}"),
			    "<p title=\"&lt;b onload=&#39;x()&#39;&gt;&quot;&amp;amp;\">"
			    "&lt;b onload=&#39;x()&#39;&gt;&quot;&amp;amp;</p>");
	/* what looks like a tag in the data stays what it is */
	assert_string_equal(written("{{a}}", "{\"a\": \"{{b}}\", \"b\": 1}"), "{{b}}");
	assert_string_equal(written("{{a}}|{{b}}|{{c}}|{{d}}|{{e}}",
				    "{\"a\": null, \"b\": 12, \"c\": 1.25, \"d\": true, \"e\": []}"),
			    "|12|1.25|true|");
}

static void money_is_shown_in_yuan(void **state)
{
	(void)state;
	assert_string_equal(written("{{a|yuan}} {{b|yuan}} {{c|yuan}} {{d|yuan}} {{e|yuan}}",
				    "{\"a\": 0, \"b\": 5, \"c\": 123456789, \"d\": -100000, \"e\": null}"),
			    "0.00 0.05 1,234,567.89 -1,000.00 ");
	assert_string_equal(written("{{a|yuan}}", "{\"a\": -9223372036854775808}"),
			    "-92,233,720,368,547,758.08");
}

static void sections(void **state)
{
	static const char rows[] =
		"{{#rows}}[{{n}}{{all}}{{#in}}({{.}}{{n}}){{/in}}]{{/rows}}{{^rows}}none{{/rows}}";
	(void)state;
	assert_string_equal(
		written(rows, "{\"all\": \"!\", \"rows\": [{\"n\": 1, \"in\": [7, 8]}, {\"n\": 2}]}"),
		"[1!(71)(81)][2!]");
	assert_string_equal(written(rows, "{\"rows\": []}"), "none");
	assert_string_equal(written(rows, "{}"), "none");
	static const char *const false_ones[] = { "null", "false", "\"\"", "0", "0.0", "[]", NULL };
	for (int i = 0; false_ones[i]; i++)
		assert_string_equal(written("{{#a}}yes{{/a}}{{^a}}no{{/a}}",
					    arena_printf(arena, "{\"a\": %s}", false_ones[i])),
				    "no");
	static const char *const true_ones[] = { "true", "\"x\"", "-1", "0.5", "{}", "[0]", NULL };
	for (int i = 0; true_ones[i]; i++)
		assert_string_equal(written("{{#a}}yes{{/a}}{{^a}}no{{/a}}",
					    arena_printf(arena, "{\"a\": %s}", true_ones[i])),
				    "yes");
	assert_string_equal(
		written("{{a.b}}{{#a}}{{b}}{{c.d}}{{/a}}", "{\"a\": {\"b\": 1}, \"c\": {\"d\": 2}}"), "112");
}

static void wrong_templates_are_refused(void **state)
{
	static const struct {
		const char *text, *word;
	} wrong[] = {
		{ STYLE "{{#a}}", "not closed" },
		{ STYLE "{{/a}}", "not open" },
		{ STYLE "{{#a}}{{/b}}", "not open" },
		{ STYLE "{{#a}}{{#b}}{{/a}}{{/b}}", "not open" },
		{ STYLE "{{a", "without end" },
		{ STYLE "{{}}", "no name" },
		{ STYLE "{{A}}", "no name" },
		{ STYLE "{{ a }}", "no name" },
		{ STYLE "{{a|euro}}", "no name" },
		{ STYLE "{{#}}", "no name" },
		{ STYLE "{{>nowhere}}", "no such part" },
		{ STYLE "{{>../paper}}", "no such part" },
		{ STYLE "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}", "too deep" },
		{ "<p></p>", "has no" },
		{ "<style>{{a}}</style>", "a tag within" },
		{ STYLE STYLE, "a second" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_null(sheet_compile_text(arena, slice_of(wrong[i].text), why, sizeof why));
		if (!strstr(why, wrong[i].word))
			fail_msg("%s: '%s' does not say %s", wrong[i].text, why, wrong[i].word);
	}
	assert_null(sheet_compile(arena, "nowhere", why, sizeof why));
	assert_non_null(strstr(why, "nowhere"));
}

static void names_are_those_of_the_statement(void **state)
{
	struct db_column columns[] = { { "a", DB_TEXT }, { "b.c", DB_INT4 }, { "_d", DB_TEXT } };
	struct db_shape shape = { 0, 3, columns };
	(void)state;
	static const struct {
		const char *text, *stranger;
	} tried[] = {
		{ STYLE "{{a}}{{b.c}}{{#b}}{{c}}{{/b}}{{#a}}{{anything}}{{/a}}", NULL },
		{ STYLE "{{a}}{{z}}", "z" },
		{ STYLE "{{_d}}", "_d" },
		{ STYLE "{{#z}}{{/z}}", "z" },
		{ STYLE "{{b.z}}", "b.z" },
	};
	for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
		struct sheet *sheet = sheet_compile_text(arena, slice_of(tried[i].text), why, sizeof why);
		assert_non_null(sheet);
		const char *stranger = sheet_stranger(sheet, &shape, false);
		if (tried[i].stranger)
			assert_string_equal(stranger, tried[i].stranger);
		else
			assert_null(stranger);
	}
	struct sheet *list =
		sheet_compile_text(arena, SLICE(STYLE "{{#items}}{{x}}{{/items}}"), why, sizeof why);
	assert_null(sheet_stranger(list, &shape, true));
	assert_string_equal(sheet_stranger(list, &shape, false), "items");
}

/* Every page that the program carries can be read; its policy names the style that it has. */
static void embedded_sheets_are_sound(void **state)
{
	int found = 0;
	(void)state;
	for (const struct embedded_file *f = embedded_data; f->name; f++) {
		const char *dot = strstr(f->name, ".html");
		if (!dot || !strstr(f->text, "<!doctype html>"))
			continue;
		char *name = arena_text(arena, (struct slice){ f->name, (size_t)(dot - f->name) });
		struct sheet *sheet = sheet_compile(arena, name, why, sizeof why);
		if (!sheet)
			fail_msg("%s: %s", name, why);
		assert_non_null(strstr(sheet_headers(sheet), "style-src 'sha256-"));
		assert_null(strstr(f->text, "<script"));
		assert_null(strstr(f->text, "style="));
		assert_non_null(strstr(f->text, "<html lang=\"zh-CN\">"));
		found++;
	}
	assert_true(found > 0);
	struct sheet *known = sheet_compile_text(arena, SLICE("<style></style>"), why, sizeof why);
	assert_non_null(
		strstr(sheet_headers(known), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"));
}

static int begin(void **state)
{
	(void)state;
	if (sodium_init() < 0)
		return 1;
	arena = arena_new(1 << 24);
	return arena ? 0 : 1;
}

static int finish(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_escaped),
		cmocka_unit_test(money_is_shown_in_yuan),
		cmocka_unit_test(sections),
		cmocka_unit_test(wrong_templates_are_refused),
		cmocka_unit_test(names_are_those_of_the_statement),
		cmocka_unit_test(embedded_sheets_are_sound),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
