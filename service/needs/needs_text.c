/* SPDX-License-Identifier: Apache-2.0
 * Small tests on the text of cells.
 * Invariant: a slice that was well-formed UTF-8 stays so. */
#include "service/needs/needs_text.h"

static const struct slice wide_blanks[] = { SLICE("\xC2\xA0"), SLICE("\xE3\x80\x80"), SLICE("\xEF\xBB\xBF") };

static bool is_ascii_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Length of the blank that text begins with, 0 when there is none. */
static size_t blank_at_front(struct slice text)
{
	if (is_ascii_blank(text.at[0]))
		return 1;
	for (size_t i = 0; i < sizeof wide_blanks / sizeof *wide_blanks; i++)
		if (text.len >= wide_blanks[i].len &&
		    memcmp(text.at, wide_blanks[i].at, wide_blanks[i].len) == 0)
			return wide_blanks[i].len;
	return 0;
}

/* All blanks begin with a lead byte, so their bytes at the end of well-formed text are that blank. */
static size_t blank_at_back(struct slice text)
{
	if (is_ascii_blank(text.at[text.len - 1]))
		return 1;
	for (size_t i = 0; i < sizeof wide_blanks / sizeof *wide_blanks; i++) {
		size_t len = wide_blanks[i].len;
		if (text.len >= len && memcmp(text.at + text.len - len, wide_blanks[i].at, len) == 0)
			return len;
	}
	return 0;
}

struct slice needs_text_trim(struct slice text)
{
	size_t blank;
	while (text.len > 0 && (blank = blank_at_front(text)) > 0) {
		text.at += blank;
		text.len -= blank;
	}
	while (text.len > 0 && (blank = blank_at_back(text)) > 0)
		text.len -= blank;
	return text;
}

bool needs_text_has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F)
			return true;
	}
	return false;
}

size_t needs_text_cut(const char *text, size_t len)
{
	size_t lead = len;
	while (lead > 0 && len - lead < 3 && ((unsigned char)text[lead - 1] & 0xC0) == 0x80)
		lead--;
	if (lead == 0)
		return 0;
	unsigned char c = (unsigned char)text[lead - 1];
	size_t needs = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
	return len - (lead - 1) >= needs ? len : lead - 1;
}
