/* SPDX-License-Identifier: Apache-2.0
 * Symbols that a scanner reads, as SVG: one path of strokes, a unit a module, the quiet zone around it, no
 * size of its own (it fills what it is put into) and no style (a page's policy admits none). */
#ifndef SERVICE_SYMBOL_H
#define SERVICE_SYMBOL_H

#include "service/buffer.h"

enum symbol { SYMBOL_QR, SYMBOL_CODE128 };

/* Appends <svg>…</svg>: a QR code (15 % of it may be damaged), or the bars of a Code 128, stretched to the
 * height there is. Some 40 µs. text is 1 to 64 bytes of ASCII. False with nothing appended when it is not,
 * or without memory. */
bool symbol_write(struct buffer *out, enum symbol symbol, struct slice text);

#endif
