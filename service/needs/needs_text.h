/* SPDX-License-Identifier: Apache-2.0
 * Small tests on the text of cells. Everything takes well-formed UTF-8 and never cuts a character. */
#ifndef SERVICE_NEEDS_NEEDS_TEXT_H
#define SERVICE_NEEDS_NEEDS_TEXT_H

#include "service/slice.h"

/* Blanks at both ends off: ASCII ones, U+00A0, U+3000 (what a Chinese keyboard types) and U+FEFF. */
struct slice needs_text_trim(struct slice text);

/* A control character that no cell may hold: NUL above all. Tab and line ends are text. */
bool needs_text_has_control(struct slice text);

/* The longest length <= len at which text can be cut between two characters. */
size_t needs_text_cut(const char *text, size_t len);

static inline bool needs_text_digits(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] < '0' || at[i] > '9')
			return false;
	return true;
}

#endif
