/* SPDX-License-Identifier: Apache-2.0
 * Needs files when memory ends: the n-th allocation of ours fails, for n = 0, 1, 2, … until all go well. A
 * file is then read whole, or refused for want of memory, and nothing is lost or leaked (LeakSanitizer
 * looks). */
#include "alloc_fail.h"
#include "needs_xlsx_help.h"
#include "service/needs/needs_seen.h"

/* Reads the bytes with each allocation failing once; expects `rows` when none does. */
static void survives(struct slice bytes, uint32_t rows)
{
	bool failed = true;
	for (int n = 0; failed; n++) {
		assert_true(n < 10000);
		struct help_memory memory = help_memory_of(bytes);
		struct needs_source source = help_source(&memory);
		struct needs_limits limits = needs_limits_default();
		struct needs_problem problem = { .code = "" };
		struct needs_row row;
		enum needs_next next = NEEDS_REFUSED;
		uint32_t count = 0;
		alloc_fail_at(n);
		struct needs_reader *reader = needs_reader_open(&source, &needs_table, &limits, &problem);
		while (reader && (next = needs_reader_next(reader, &row, &problem)) == NEEDS_ROW)
			count++;
		needs_reader_close(&reader);
		failed = alloc_fail_end();
		if (next == NEEDS_REFUSED) {
			assert_true(failed);
			assert_true(problem.code[0] && problem.detail[0]);
		} else {
			assert_int_equal(count, rows);
		}
	}
}

static void csv_files(void **state)
{
	static const char utf8[] = HELP_HEADER "\r\n1,\"a \"\"b\"\"\"\r\n2\r\n";
	struct help_bytes file = { 0 };
	(void)state;
	survives(SLICE(utf8), 2);
	help_add_text(&file, HELP_HEADER "\n");
	for (int i = 0; i < 50; i++) {
		help_add_text(&file, "1,\"");
		for (int j = 0; j < 100 * (i % 10); j++)
			help_add_text(&file, "long");
		help_add_text(&file, "\"\n");
	}
	survives(help_taken(&file), 50);
	free(file.at);
}

static void xlsx_files(void **state)
{
	struct help_bytes strings = { 0 };
	(void)state;
	help_add_text(&strings, "<sst>");
	for (int i = 0; i < 3000; i++)
		help_add_text(&strings, "<si><t>a string that is shared</t></si>");
	help_add_text(&strings, "</sst>");
	char *sheet = help_sheet_of("<row><c t=\"s\"><v>2999</v></c><c s=\"1\"><v>45011</v></c></row>"
				    "<row><c t=\"inlineStr\"><is><t>a</t></is></c></row>");
	struct help_book book = help_book_of(sheet);
	struct help_zip zip = { 0 };
	book.strings = strings.at;
	book.styles = "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"yyyy\"/></numFmts>"
		      "<cellXfs><xf/><xf numFmtId=\"164\"/></cellXfs></styleSheet>";
	survives(help_book_zip(&zip, &book), 2);
	free(zip.bytes.at);
	free(sheet);
	free(strings.at);
}

/* Without memory it cannot be said that an ID was not met: needs_seen_failed tells. */
static void what_was_seen(void **state)
{
	bool failed = true;
	char id[19];
	(void)state;
	for (int n = 0; failed; n++) {
		assert_true(n < 100);
		alloc_fail_at(n);
		struct needs_seen *seen = needs_seen_new();
		for (int i = 0; seen && i < 5000; i++) {
			snprintf(id, sizeof id, "%018d", i);
			needs_seen_add(seen, id);
		}
		failed = alloc_fail_end();
		assert_true(seen || failed);
		assert_int_equal(seen && needs_seen_failed(seen), seen && failed);
		for (int i = 0; seen && !failed && i < 5000; i++) {
			snprintf(id, sizeof id, "%018d", i);
			assert_true(needs_seen_has(seen, id));
		}
		needs_seen_free(&seen);
		needs_seen_free(&seen); /* nothing, twice */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_files),
		cmocka_unit_test(xlsx_files),
		cmocka_unit_test(what_was_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
