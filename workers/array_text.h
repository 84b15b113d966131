/* SPDX-License-Identifier: Apache-2.0
 * One-dimensional arrays in PostgreSQL's text form: {"a","b\"c",NULL}. */
#ifndef WORKERS_ARRAY_TEXT_H
#define WORKERS_ARRAY_TEXT_H

#include "service/buffer.h"

void array_begin(struct buffer *out);
void array_text(struct buffer *out, struct slice item);
void array_texts(struct buffer *out, const struct slice *items, int count);   /* one item, joined by U+001F */
void array_bytes(struct buffer *out, const unsigned char *bytes, size_t len); /* bytea; len 0: NULL */
void array_int(struct buffer *out, int64_t n);
void array_float(struct buffer *out, bool given, double value);
void array_null(struct buffer *out);
/* Closes and terminates; NULL when the buffer had failed. */
const char *array_end(struct buffer *out);

#endif
