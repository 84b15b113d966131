/* SPDX-License-Identifier: Apache-2.0
 * What scanners and hurried people type. */
#include "api/scan_text.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>

/* Both sides on the heap, exactly as long as they may be. */
static void folds(const char *text, const char *wanted)
{
	size_t len = strlen(text);
	char *copy = malloc(len ? len : 1), *out = malloc(len ? len : 1);
	assert_non_null(copy);
	assert_non_null(out);
	memcpy(copy, text, len);
	size_t got = scan_fold((struct slice){ copy, len }, out);
	if (!slice_is((struct slice){ out, got }, wanted))
		fail_msg("'%s' became '%.*s', not '%s'", text, (int)got, out, wanted);
	free(copy);
	free(out);
}

static void as_it_was_meant(void **state)
{
	(void)state;
	folds("A-1", "A-1");
	folds("", "");
	folds(" \t\r\n ", "");
	folds("6403240000000017\r\n", "6403240000000017");
	folds("\xE3\x80\x80 A-1\xC2\xA0\t", "A-1");
	folds("６４０３２４－Ａｘ．＿", "640324-Ax._");
	folds("a\xE2\x80\x94"
	      "b\xE2\x88\x92"
	      "c\xE3\x80\x82"
	      "d",
	      "a-b-c.d");
	folds("\xEF\xBB\xBFwc\xE2\x80\x8B"
	      "01\x1D",
	      "wc01");
	folds("SN 轮椅 9\xF0\x9F\x98\x80", "SN 轮椅 9\xF0\x9F\x98\x80");
	folds("]C1A-1", "A-1");
	folds(" ]Q3A-1", "A-1");
	folds("]C1", "]C1");
	folds("]11A", "]11A");
}

static void is(const char *text, const char *wanted)
{
	char out[SCAN_IDENTITY_BYTES + 1] = { 0 };
	bool found = scan_is_identity(slice_of(text), out);
	if (found != (wanted != NULL) || (wanted && strcmp(out, wanted) != 0))
		fail_msg("'%s': %s", text, found ? out : "not taken");
}

static void identities(void **state)
{
	(void)state;
	is("11010519491231002X", "11010519491231002X");
	is("11010519491231002x", "11010519491231002X");
	is("110105 19491231 002x", "11010519491231002X");
	is("11010519491231002X44", "11010519491231002X");
	is("11010519491231002X44B1", "11010519491231002X");
	is("11010519491231002x44b1", "11010519491231002X");
	is("110105194912310021", NULL);
	is("11010519491231002", NULL);
	is("11010519491231002X4", NULL);
	is("11010519491231002X4A", NULL);
	is("11010519491231002X44C1", NULL);
	is("11010519491231002X44B", NULL);
	is("11010519491231002X44B12", NULL);
	is("", NULL);
	is("6403240000000017", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_was_meant),
		cmocka_unit_test(identities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
