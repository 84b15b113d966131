/* SPDX-License-Identifier: Apache-2.0
 * UTF-8 or GB18030, found out by content.
 * Invariant: a file is UTF-8 when all of it is; one that begins with a byte order mark is UTF-8 or refused;
 * anything else is GB18030 as long as it decodes. */
#include "service/needs/text_decode.h"
#include "service/needs/needs_problem.h"
#include "service/needs/needs_text.h"
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

enum { PIECE = 65536, MARK = 3, OUT = 2 * PIECE };

struct text_decoder {
	const struct needs_source *source;
	enum needs_format format;
	iconv_t iconv; /* (iconv_t)-1 for UTF-8 */
	bool begun, ended;
	size_t carried; /* bytes of a character that the last piece cut, at the front of in */
	char in[PIECE];
	char out[OUT];
};

long needs_source_fill(const struct needs_source *source, char *into, size_t room)
{
	size_t have = 0;
	while (have < room) {
		long got = source->read(source->context, into + have, room - have);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (long)have;
}

static bool refuse(struct needs_problem *problem, const char *code, const char *text)
{
	needs_problem_file(problem, code, "%s", text);
	return false;
}

/* Fills `in` behind what was carried. -1 when the source fails; else the bytes in `in`. */
static long refill(struct text_decoder *d)
{
	long got = needs_source_fill(d->source, d->in + d->carried, PIECE - d->carried);
	if (got < 0)
		return -1;
	d->ended = (size_t)got < PIECE - d->carried;
	size_t have = d->carried + (size_t)got;
	d->carried = 0;
	return (long)have;
}

/* One piece of the first pass. *is_utf8 is cleared by the first byte that is none. */
static bool detect_piece(struct text_decoder *d, bool *is_utf8, struct needs_problem *problem)
{
	long got = refill(d);
	if (got < 0)
		return refuse(problem, "file_unreadable", "the file cannot be read");
	size_t have = (size_t)got;
	if (!d->begun) {
		d->begun = true;
		if (have >= MARK && memcmp(d->in, "\xEF\xBB\xBF", MARK) == 0)
			d->format = NEEDS_CSV_UTF8_BOM;
		if (memchr(d->in, '\0', have))
			return refuse(problem, "encoding_unknown",
				      "neither UTF-8 nor GB18030: it holds NUL bytes");
	}
	size_t whole = d->ended ? have : needs_text_cut(d->in, have);
	*is_utf8 = slice_is_utf8((struct slice){ d->in, whole });
	d->carried = have - whole;
	memmove(d->in, d->in + whole, d->carried);
	return true;
}

static bool detect(struct text_decoder *d, struct needs_problem *problem)
{
	bool is_utf8 = true;
	while (is_utf8 && !d->ended)
		if (!detect_piece(d, &is_utf8, problem))
			return false;
	if (!is_utf8 && d->format == NEEDS_CSV_UTF8_BOM)
		return refuse(problem, "encoding_unknown", "begins with a UTF-8 mark but is not UTF-8");
	if (!is_utf8)
		d->format = NEEDS_CSV_GB18030;
	d->begun = d->ended = false;
	d->carried = 0;
	return d->source->rewind(d->source->context) ||
	       refuse(problem, "file_unreadable", "cannot read it again");
}

static bool begin(struct text_decoder *d, struct needs_problem *problem)
{
	if (!detect(d, problem))
		return false;
	if (d->format != NEEDS_CSV_GB18030)
		return true;
	d->iconv = iconv_open("UTF-8", "GB18030");
	return d->iconv != (iconv_t)-1 || refuse(problem, errno == EINVAL ? "file_unreadable" : "try_again",
						 "GB18030 is not to be had here (iconv)");
}

struct text_decoder *text_decoder_open(const struct needs_source *source, struct needs_problem *problem)
{
	struct text_decoder *decoder = malloc(sizeof *decoder);
	if (!decoder) {
		refuse(problem, "try_again", "not enough memory");
		return NULL;
	}
	decoder->source = source;
	decoder->format = NEEDS_CSV_UTF8;
	decoder->iconv = (iconv_t)-1;
	decoder->begun = decoder->ended = false;
	decoder->carried = 0;
	if (!begin(decoder, problem))
		text_decoder_close(&decoder);
	return decoder;
}

void text_decoder_close(struct text_decoder **decoder)
{
	if (!*decoder)
		return;
	if ((*decoder)->iconv != (iconv_t)-1)
		iconv_close((*decoder)->iconv);
	free(*decoder);
	*decoder = NULL;
}

enum needs_format text_decoder_format(const struct text_decoder *decoder)
{
	return decoder->format;
}

/* GB18030 in `in` to UTF-8 in `out`; no character grows over twice its bytes (2 → 3, 4 → 4). */
static bool convert(struct text_decoder *d, size_t have, struct slice *piece, struct needs_problem *problem)
{
	char *from = d->in, *to = d->out;
	size_t left = have, room = OUT;
	size_t status = iconv(d->iconv, &from, &left, &to, &room);
	bool cut = status == (size_t)-1 && errno == EINVAL && !d->ended;
	if (status == (size_t)-1 && !cut)
		return refuse(problem, "encoding_unknown", "neither UTF-8 nor GB18030");
	memmove(d->in, from, left);
	d->carried = left;
	*piece = (struct slice){ d->out, OUT - room };
	return true;
}

enum needs_next text_decoder_next(struct text_decoder *d, struct slice *piece, struct needs_problem *problem)
{
	if (d->ended)
		return NEEDS_END;
	long have = refill(d);
	if (have < 0) {
		refuse(problem, "file_unreadable", "the file cannot be read");
		return NEEDS_REFUSED;
	}
	*piece = (struct slice){ d->in, (size_t)have };
	if (d->iconv != (iconv_t)-1 && !convert(d, (size_t)have, piece, problem))
		return NEEDS_REFUSED;
	if (!d->begun && d->format == NEEDS_CSV_UTF8_BOM) {
		piece->at += MARK;
		piece->len -= MARK;
	}
	d->begun = true;
	return piece->len > 0 ? NEEDS_ROW : NEEDS_END;
}
