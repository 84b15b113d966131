/* SPDX-License-Identifier: Apache-2.0
 * What is drawn of a text; that it can be read again is tests/scenario/test_device_labels.py's to show. */
#include "service/symbol.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>

struct drawn {
	struct arena *arena;
	struct buffer out;
	bool made;
};

static struct drawn draw(enum symbol symbol, const char *text, size_t len)
{
	struct drawn d = { .arena = arena_new(1u << 20) };
	assert_non_null(d.arena);
	buffer_init(&d.out, d.arena, 64);
	buffer_char(&d.out, '!');
	d.made = symbol_write(&d.out, symbol, (struct slice){ text, len });
	buffer_char(&d.out, 0);
	return d;
}

static void is(enum symbol symbol, const char *text, const char *begins)
{
	struct drawn d = draw(symbol, text, strlen(text));
	assert_true(d.made);
	assert_false(d.out.failed);
	if (strncmp(d.out.at + 1, begins, strlen(begins)) != 0)
		fail_msg("%.200s", d.out.at);
	assert_non_null(strstr(d.out.at, "\"/></svg>"));
	arena_free(&d.arena);
}

/* The finder pattern's first row is seven dark modules; a Code 128 begins with a bar of two. */
static void as_they_begin(void **state)
{
	(void)state;
	is(SYMBOL_QR, "6403240000000017",
	   "<svg viewBox=\"0 0 29 29\" shape-rendering=\"crispEdges\"><path stroke=\"#000\" d=\"M4 4.5h7m");
	is(SYMBOL_CODE128, "6403240000000017",
	   "<svg viewBox=\"0 0 143 1\" preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\"><path "
	   "stroke=\"#000\" d=\"M10 0.5h2m");
}

enum { SIDE = 21, QUIET = 4 };

/* The number behind `word`; what stands behind both. */
static char *number(char *at, const char *word, int *out)
{
	size_t len = strlen(word);
	if (strncmp(at, word, len) != 0)
		fail_msg("no %s at %.20s", word, at);
	*out = (int)strtol(at + len, &at, 10);
	return at;
}

/* Walks the path as a renderer does, and notes which modules it darkens. */
static void walk(char *at, bool dark[SIDE][SIDE])
{
	int x = 0, y = 0, n = 0, step = 0;
	while (*at != '"') {
		if (*at == 'M') {
			at = number(number(at, "M", &x), " ", &y);
			at = number(at, ".5h", &n);
		} else {
			at = number(number(at, "m", &step), " 0h", &n);
			assert_true(step > 0);
			x += step;
		}
		for (; n > 0; n--, x++) {
			assert_in_range(x, QUIET, QUIET + SIDE - 1);
			assert_in_range(y, QUIET, QUIET + SIDE - 1);
			dark[y - QUIET][x - QUIET] = true;
		}
	}
}

/* Three corners have a finder pattern: seven by seven, a ring and a core of three by three. */
static void corner(bool dark[SIDE][SIDE], int top, int left)
{
	for (int y = 0; y < 7; y++)
		for (int x = 0; x < 7; x++) {
			bool ring = x == 0 || x == 6 || y == 0 || y == 6;
			bool core = x > 1 && x < 5 && y > 1 && y < 5;
			assert_int_equal(dark[top + y][left + x], ring || core);
		}
}

static void modules_are_where_they_belong(void **state)
{
	bool dark[SIDE][SIDE] = { 0 };
	struct drawn d = draw(SYMBOL_QR, "A-1", 3);
	(void)state;
	assert_true(d.made);
	walk(strchr(d.out.at, 'M'), dark);
	corner(dark, 0, 0);
	corner(dark, 0, SIDE - 7);
	corner(dark, SIDE - 7, 0);
	for (int i = 8; i < SIDE - 8; i++) /* the timing patterns */
		assert_true(dark[6][i] == (i % 2 == 0) && dark[i][6] == (i % 2 == 0));
	arena_free(&d.arena);
}

static void what_is_not_drawn(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} none[] = { { "", 0 }, { "轮椅", 6 }, { "a\0b", 3 }, { "a\n", 2 }, { "\x7F", 1 } };
	char long_text[65];
	(void)state;
	memset(long_text, 'a', sizeof long_text);
	for (enum symbol s = SYMBOL_QR; s <= SYMBOL_CODE128; s++) {
		for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
			struct drawn d = draw(s, none[i].text, none[i].len);
			assert_false(d.made);
			assert_string_equal(d.out.at, "!");
			arena_free(&d.arena);
		}
		struct drawn d = draw(s, long_text, sizeof long_text);
		assert_false(d.made);
		assert_string_equal(d.out.at, "!");
		arena_free(&d.arena);
		d = draw(s, long_text, s == SYMBOL_QR ? sizeof long_text - 1 : 60);
		assert_true(d.made);
		arena_free(&d.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_they_begin),
		cmocka_unit_test(modules_are_where_they_belong),
		cmocka_unit_test(what_is_not_drawn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
