/* SPDX-License-Identifier: Apache-2.0
 * Symbols by libzint, whose own SVG has a size, colours and fonts.
 * Invariant: nothing of the text itself is written. */
#include "service/symbol.h"
#include <zint.h>

enum { TEXT_MOST = 64, QUIET_QR = 4, QUIET_BARS = 10, LEVEL_M = 2 };

static bool text_holds(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < 0x20 || text.at[i] > 0x7E)
			return false;
	return text.len > 0 && text.len <= TEXT_MOST;
}

static bool is_dark(const struct zint_symbol *z, int row, int column)
{
	return z->encoded_data[row][column >> 3] >> (column & 7) & 1;
}

/* One row of modules as strokes: "M4 4.5h7m1 0h1…". */
static void write_row(const struct zint_symbol *z, int row, int quiet, int top, struct buffer *out)
{
	int last = 0;
	bool begun = false;
	for (int from = 0; from < z->width;) {
		int to = from;
		while (to < z->width && is_dark(z, row, to) == is_dark(z, row, from))
			to++;
		if (is_dark(z, row, from)) {
			if (begun)
				buffer_printf(out, "m%d 0h%d", from - last, to - from);
			else
				buffer_printf(out, "M%d %d.5h%d", quiet + from, top + row, to - from);
			begun = true;
			last = to;
		}
		from = to;
	}
}

static void write_svg(const struct zint_symbol *z, enum symbol symbol, struct buffer *out)
{
	bool qr = symbol == SYMBOL_QR;
	int quiet = qr ? QUIET_QR : QUIET_BARS, top = qr ? QUIET_QR : 0;
	buffer_printf(
		out, "<svg viewBox=\"0 0 %d %d\"%s shape-rendering=\"crispEdges\"><path stroke=\"#000\" d=\"",
		z->width + 2 * quiet, z->rows + 2 * top, qr ? "" : " preserveAspectRatio=\"none\"");
	for (int row = 0; row < z->rows; row++)
		write_row(z, row, quiet, top, out);
	buffer_text(out, "\"/></svg>");
}

bool symbol_write(struct buffer *out, enum symbol symbol, struct slice text)
{
	struct zint_symbol *z = text_holds(text) ? ZBarcode_Create() : NULL;
	if (!z)
		return false;
	z->symbology = symbol == SYMBOL_QR ? BARCODE_QRCODE : BARCODE_CODE128;
	z->option_1 = symbol == SYMBOL_QR ? LEVEL_M : -1;
	z->show_hrt = 0;
	bool made = ZBarcode_Encode(z, (const unsigned char *)text.at, (int)text.len) < ZINT_ERROR;
	if (made)
		write_svg(z, symbol, out);
	ZBarcode_Delete(z);
	return made;
}
