/* SPDX-License-Identifier: Apache-2.0
 * A line an event, whole and of its form, whatever is in it. */
#include "service/log.h"
#include "unit.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char said[16384];

/* What the program writes to standard error between the two. */
static int real_stderr, pipe_ends[2];
static void begin(void)
{
	real_stderr = dup(STDERR_FILENO);
	assert_true(real_stderr >= 0 && pipe(pipe_ends) == 0);
	dup2(pipe_ends[1], STDERR_FILENO);
	close(pipe_ends[1]);
}
static const char *end(void)
{
	size_t len = 0;
	ssize_t n;
	dup2(real_stderr, STDERR_FILENO); /* the pipe's last writer goes */
	close(real_stderr);
	while ((n = read(pipe_ends[0], said + len, sizeof said - 1 - len)) > 0)
		len += (size_t)n;
	close(pipe_ends[0]);
	said[len] = '\0';
	return said;
}

static void begin_form(enum log_form form)
{
	begin();
	log_set_level(LOG_INFO);
	log_set_form(form);
}

static void json_is_an_object_a_line(void **state)
{
	(void)state;
	begin_form(LOG_FORM_JSON);
	log_line(LOG_WARN, "event", LOG_TEXT("text", "a \"b\"\n\033[31m"), LOG_NUMBER("whole", 12),
		 LOG_NUMBER("part", 1.5), LOG_TEXT("none", NULL), LOG_TEXT("bad", "\xff"));
	json_t *line = json_loads(end(), 0, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "level")), "warn");
	assert_string_equal(json_string_value(json_object_get(line, "event")), "event");
	assert_string_equal(json_string_value(json_object_get(line, "text")), "a \"b\"\n\033[31m");
	assert_int_equal(json_integer_value(json_object_get(line, "whole")), 12);
	assert_string_equal(json_string_value(json_object_get(line, "none")), "");
	assert_string_equal(json_string_value(json_object_get(line, "bad")), "(not UTF-8)");
	assert_int_equal(strcspn(said, "\n"), strlen(said) - 1);
	json_decref(line);
}

static void text_is_for_people(void **state)
{
	(void)state;
	begin_form(LOG_FORM_TEXT);
	assert_true(log_is_text());
	log_line(LOG_ERROR, "event", LOG_TEXT("clear", "/a/b:1"), LOG_TEXT("two", "a b"),
		 LOG_TEXT("empty", ""), LOG_TEXT("forged", "x level=info\n2026 INFO nothing"),
		 LOG_TEXT("sign", "a=b"), LOG_NUMBER("n", 3), LOG_TEXT("bad", "\xff"),
		 LOG_TEXT("word", "残联"));
	end();
	/* 2026-11-22T06:19:03Z, then what follows */
	assert_true(strlen(said) > 21 && said[10] == 'T' && said[19] == 'Z');
	assert_string_equal(
		said + 20,
		" ERROR event clear=/a/b:1 two=\"a b\" empty=\"\" forged=\"x level=info\\n2026 INFO "
		"nothing\" sign=\"a=b\" n=3 bad=\"(not UTF-8)\" word=残联\n");
	begin_form(LOG_FORM_TEXT);
	log_line(LOG_INFO, "bare");
	end();
	assert_string_equal(said + 20, " INFO  bare\n");
}

/* Standard error is a pipe here: no terminal. */
static void auto_is_json_where_no_terminal_is(void **state)
{
	(void)state;
	begin_form(LOG_FORM_AUTO);
	assert_false(log_is_text());
	log_line(LOG_INFO, "event");
	assert_int_equal(end()[0], '{');
}

static void less_than_the_level_is_not_said(void **state)
{
	(void)state;
	begin_form(LOG_FORM_TEXT);
	log_set_level(LOG_WARN);
	assert_true(log_is_text()); /* the form stays */
	log_line(LOG_INFO, "less");
	log_line(LOG_WARN, "enough");
	log_set_level(LOG_DEBUG);
	log_set_form(LOG_FORM_JSON); /* the level stays */
	log_line(LOG_DEBUG, "least");
	end();
	assert_null(strstr(said, "less"));
	assert_non_null(strstr(said, "enough"));
	assert_non_null(strstr(said, "\"least\""));
}

/* A pair that does not fit is left out with all that follow; the line stays whole. */
static void a_long_line_is_cut_between_pairs(void **state)
{
	(void)state;
	char *big = malloc(5001);
	assert_non_null(big);
	memset(big, 'x', 5000);
	big[5000] = '\0';
	for (int form = LOG_FORM_TEXT; form <= LOG_FORM_JSON; form++) {
		begin_form((enum log_form)form);
		log_line(LOG_INFO, "event", LOG_TEXT("small", "1"), LOG_TEXT("big", big),
			 LOG_TEXT("after", "2"));
		end();
		assert_non_null(strstr(said, "small"));
		assert_null(strstr(said, "xxx"));
		assert_null(strstr(said, "after"));
		assert_int_equal(said[strlen(said) - 1], '\n');
		json_t *line = json_loads(said, 0, NULL);
		assert_true((line != NULL) == (form == LOG_FORM_JSON));
		json_decref(line);
	}
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_an_object_a_line),
		cmocka_unit_test(text_is_for_people),
		cmocka_unit_test(auto_is_json_where_no_terminal_is),
		cmocka_unit_test(less_than_the_level_is_not_said),
		cmocka_unit_test(a_long_line_is_cut_between_pairs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
