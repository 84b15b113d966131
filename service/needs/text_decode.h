/* SPDX-License-Identifier: Apache-2.0
 * The bytes of a CSV file as well-formed UTF-8, piece by piece. Which encoding it is takes a pass over the
 * source (to the first byte that is no UTF-8), then a rewind. */
#ifndef SERVICE_NEEDS_TEXT_DECODE_H
#define SERVICE_NEEDS_TEXT_DECODE_H

#include "service/needs/needs_file.h"

struct text_decoder;

/* The source outlives the decoder. NULL with *problem filled. */
struct text_decoder *text_decoder_open(const struct needs_source *source, struct needs_problem *problem);
void text_decoder_close(struct text_decoder **decoder);
enum needs_format text_decoder_format(const struct text_decoder *decoder);

/* The next piece, without a byte order mark; valid until the next call; may cut a character in two.
 * NEEDS_ROW: there is one (never empty); NEEDS_END; NEEDS_REFUSED: *problem is filled. */
MUST_USE enum needs_next text_decoder_next(struct text_decoder *decoder, struct slice *piece,
					   struct needs_problem *problem);

/* Reads until `room` is full or the source ends. -1 when it fails. */
long needs_source_fill(const struct needs_source *source, char *into, size_t room);

#endif
