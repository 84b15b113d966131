/* SPDX-License-Identifier: Apache-2.0
 * See photo_decode.h. */
#include "service/photo_decoders.h"

const struct photo_limits photo_most = { .side = 20000, .pixels = 100000000, .look_bytes = 64 << 20 };

void photo_flatten(const unsigned char *rgba, size_t count, unsigned char *rgb)
{
	for (size_t i = 0; i < count; i++, rgba += 4, rgb += 3) {
		unsigned alpha = rgba[3];
		for (int c = 0; c < 3; c++)
			rgb[c] = (unsigned char)((rgba[c] * alpha + 255 * (255 - alpha) + 127) / 255);
	}
}

enum photo_decoded photo_decode(struct slice bytes, const struct photo_header *header, uint32_t side,
				struct photo_picture *out, enum photo_refusal *refusal)
{
	struct photo_decoding d = { .bytes = bytes, .header = header };
	uint32_t width, height;
	photo_picture_fit(header->width, header->height, side, &width, &height);
	if (!photo_picture_make(&d.to, width, height))
		return PHOTO_DECODE_NO_MEMORY;
	enum photo_decoded decoded = header->kind == PHOTO_JPEG  ? photo_decode_jpeg(&d)
				     : header->kind == PHOTO_PNG ? photo_decode_png(&d)
								 : photo_decode_webp(&d);
	*refusal = d.refusal;
	if (decoded == PHOTO_DECODED)
		*out = d.to;
	else
		photo_picture_free(&d.to);
	return decoded;
}
