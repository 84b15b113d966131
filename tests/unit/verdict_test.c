/* SPDX-License-Identifier: Apache-2.0
 * Statements speak verdicts, api/problem.c turns them into answers: neither knows one that the other does
 * not. A verdict in SQL is a literal after THEN or ELSE of a CASE whose END is named verdict or _verdict, or
 * that is assigned to `verdict` (case_refusal). */
#include "api/engine.h"
#include "unit.h"
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1000, DEPTH = 20 };

struct found {
	char name[MOST][64], file[MOST][64];
	int count;
};

/* Literals of the CASEs that are open, inside out. */
struct reading {
	char pending[MOST][64];
	int first[DEPTH]; /* of this CASE in pending */
	bool assigned[DEPTH];
	int depth, pending_count;
	bool after_then, after_verdict, was_assigned;
};

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);
	if (!f)
		fail_msg("%s cannot be read", path);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool is_named_verdict(const char *at)
{
	at += strspn(at, " \n\t)");
	if (strncmp(at, "AS ", 3) != 0)
		return false;
	at += 3 + strspn(at + 3, " \n\t_");
	return strncmp(at, "verdict", 7) == 0 && !is_word(at[7]);
}

static void end_case(struct reading *r, struct found *found, const char *file, const char *after)
{
	if (r->depth == 0)
		return; /* of a plpgsql block */
	r->depth--;
	if (r->assigned[r->depth] || is_named_verdict(after))
		for (int i = r->first[r->depth]; i < r->pending_count; i++) {
			assert_true(found->count < MOST);
			memcpy(found->name[found->count], r->pending[i], 64);
			snprintf(found->file[found->count++], 64, "%s", file);
		}
	r->pending_count = r->first[r->depth];
}

static void take_word(struct reading *r, struct found *found, const char *file, const char *word, size_t len)
{
	struct slice s = { word, len };
	if (slice_is(s, "CASE")) {
		assert_true(r->depth < DEPTH);
		r->first[r->depth] = r->pending_count;
		r->assigned[r->depth++] = r->was_assigned;
	} else if (slice_is(s, "END")) {
		end_case(r, found, file, word + len);
	}
	r->after_then = slice_is(s, "THEN") || slice_is(s, "ELSE");
	r->after_verdict = slice_is(s, "verdict");
	r->was_assigned = false;
}

static void take_literal(struct reading *r, const char *text, size_t len)
{
	if (r->after_then && r->depth > 0) {
		assert_true(len < 64 && r->pending_count < MOST);
		snprintf(r->pending[r->pending_count++], 64, "%.*s", (int)len, text);
	}
	r->after_then = false;
}

static void read_verdicts(struct found *found, const char *path)
{
	char *text = read_text(path);
	const char *file = strrchr(path, '/') + 1;
	struct reading r = { .depth = 0 };
	for (const char *at = text; *at;) {
		size_t len = 1;
		if (at[0] == '-' && at[1] == '-') {
			len = strcspn(at, "\n");
		} else if (at[0] == '\'') {
			len = strcspn(at + 1, "'") + 2;
			take_literal(&r, at + 1, len - 2);
		} else if (is_word(*at)) {
			while (is_word(at[len]))
				len++;
			take_word(&r, found, file, at, len);
		} else if (at[0] == ':' && at[1] == '=') {
			r.was_assigned = r.after_verdict;
		} else if (!isspace((unsigned char)*at)) {
			r.after_then = r.after_verdict = false;
		}
		at += len;
	}
	assert_int_equal(r.depth, 0);
	free(text);
}

static void read_all(struct found *found, const char *pattern)
{
	glob_t paths;
	assert_int_equal(glob(pattern, 0, NULL, &paths), 0);
	for (size_t i = 0; i < paths.gl_pathc; i++)
		read_verdicts(found, paths.gl_pathv[i]);
	globfree(&paths);
}

static struct found *spoken(void)
{
	static struct found all;
	struct found *found = &all;
	found->count = 0;
	read_all(found, TANTU_SOURCE_DIR "/db/sql/*.sql");
	read_all(found, TANTU_SOURCE_DIR "/db/migrations/*.sql");
	return found;
}

static bool is_known(const char *name)
{
	for (int t = 0; verdict_tables[t]; t++)
		for (const struct verdict *v = verdict_tables[t]; v->name; v++)
			if (strcmp(v->name, name) == 0)
				return true;
	return false;
}

static bool is_spoken(const struct found *found, const char *name)
{
	for (int i = 0; i < found->count; i++)
		if (strcmp(found->name[i], name) == 0)
			return true;
	return false;
}

/* The reading itself, by what is known to be there. */
static void finds_verdicts_in_sql(void **state)
{
	struct found *found = spoken();
	(void)state;
	assert_true(found->count > 60);
	assert_true(is_spoken(found, "not_found"));
	assert_true(is_spoken(found, "nothing_to_take_back")); /* case_refusal, and a statement */
	assert_true(is_spoken(found, "notice_not_over"));      /* case_refusal only */
	assert_false(is_spoken(found, "township"));
	assert_false(is_spoken(found, "/contractor"));
}

static void every_spoken_verdict_is_known(void **state)
{
	struct found *found = spoken();
	(void)state;
	for (int i = 0; i < found->count; i++)
		if (!is_known(found->name[i]))
			fail_msg("%s says '%s', which no table of verdicts knows", found->file[i],
				 found->name[i]);
}

static void every_known_verdict_is_spoken(void **state)
{
	struct found *found = spoken();
	(void)state;
	for (int t = 0; verdict_tables[t]; t++)
		for (const struct verdict *v = verdict_tables[t]; v->name; v++)
			if (!is_spoken(found, v->name))
				fail_msg("no statement says '%s'", v->name);
}

static void the_table_is_sound(void **state)
{
	(void)state;
	for (int t = 0; verdict_tables[t]; t++)
		for (const struct verdict *v = verdict_tables[t]; v->name; v++) {
			assert_in_range(v->status, 400, 499);
			assert_true(v->title && v->title[0]);
			assert_true(!v->field || v->field[0] == '/');
			assert_ptr_equal(verdict_of(slice_of(v->name)), v); /* none is there twice */
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_verdicts_in_sql),
		cmocka_unit_test(every_spoken_verdict_is_known),
		cmocka_unit_test(every_known_verdict_is_spoken),
		cmocka_unit_test(the_table_is_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
