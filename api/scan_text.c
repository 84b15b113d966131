/* SPDX-License-Identifier: Apache-2.0
 * What a barcode scanner types.
 * Invariant: a fold is never longer than what it is made of, so that it fits where the caller made room. */
#include "api/scan_text.h"
#include "api/text.h"

enum { FULL_WIDTH_FIRST = 0xFF01, FULL_WIDTH_LAST = 0xFF5E, FULL_WIDTH_OFFSET = 0xFEE0 };

/* The character at the front of well-formed UTF-8; answers its bytes. */
static size_t take_character(struct slice text, uint32_t *character)
{
	unsigned char first = (unsigned char)text.at[0];
	size_t len = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	*character = len == 1 ? first : first & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++)
		*character = *character << 6 | ((unsigned char)text.at[i] & 0x3Fu);
	return len;
}

/* Zero-width ones and byte order marks come along when a code is copied from a page. */
static bool is_unseen(uint32_t c)
{
	return c < 0x20 || c == 0x7F || (c >= 0x200B && c <= 0x200F) || c == 0x2060 || c == 0xFEFF;
}

/* 0: it stands for itself. */
static char ascii_of(uint32_t c)
{
	if (c >= FULL_WIDTH_FIRST && c <= FULL_WIDTH_LAST)
		return (char)(c - FULL_WIDTH_OFFSET);
	if (c == 0x3000 || c == 0xA0)
		return ' ';
	if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212)
		return '-';
	return c == 0x3002 ? '.' : 0;
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* ISO/IEC 15424: a bracket, a letter, a digit or letter. */
static size_t symbology_bytes(const char *text, size_t len)
{
	bool there = len > 3 && text[0] == ']' && is_letter(text[1]) &&
		     (is_letter(text[2]) || (text[2] >= '0' && text[2] <= '9'));
	return there ? 3 : 0;
}

size_t scan_fold(struct slice text, char *out)
{
	size_t len = 0, blanks = 0;
	while (text.len > 0) {
		uint32_t c;
		size_t bytes = take_character(text, &c);
		char ascii = ascii_of(c);
		if (c == '\t' || c == '\n' || c == '\r')
			ascii = ' ';
		if (ascii)
			out[len++] = ascii;
		else if (!is_unseen(c)) {
			memmove(out + len, text.at, bytes);
			len += bytes;
		}
		text.at += bytes;
		text.len -= bytes;
	}
	while (len > 0 && out[len - 1] == ' ')
		len--;
	while (blanks < len && out[blanks] == ' ')
		blanks++;
	blanks += symbology_bytes(out + blanks, len - blanks);
	memmove(out, out + blanks, len - blanks);
	return len - blanks;
}

/* 18, or with category and level 20, or reissued 22. */
bool scan_is_identity(struct slice folded, char out[SCAN_IDENTITY_BYTES])
{
	char close[23];
	size_t len = 0;
	for (size_t i = 0; i < folded.len; i++) {
		if (folded.at[i] == ' ')
			continue;
		if (len == sizeof close - 1)
			return false;
		close[len++] = folded.at[i];
	}
	if (len != 18 && len != 20 && len != 22)
		return false;
	if (!text_is_citizen_id((struct slice){ close, SCAN_IDENTITY_BYTES }))
		return false;
	for (size_t i = SCAN_IDENTITY_BYTES; i < len; i++)
		if ((close[i] < '0' || close[i] > '9') && !(i == 20 && (close[i] == 'B' || close[i] == 'b')))
			return false;
	memcpy(out, close, SCAN_IDENTITY_BYTES);
	out[17] = close[17] == 'x' ? 'X' : close[17];
	return true;
}
