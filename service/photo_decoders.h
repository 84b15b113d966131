/* SPDX-License-Identifier: Apache-2.0
 * Private to service/photo_decode.c and the decoders. Each fills to.rgb, which is there. */
#ifndef SERVICE_PHOTO_DECODERS_H
#define SERVICE_PHOTO_DECODERS_H

#include "service/photo_decode.h"

struct photo_decoding {
	struct slice bytes;
	const struct photo_header *header;
	struct photo_picture to;
	enum photo_refusal refusal;
};

enum photo_decoded photo_decode_jpeg(struct photo_decoding *d);
enum photo_decoded photo_decode_png(struct photo_decoding *d);
enum photo_decoded photo_decode_webp(struct photo_decoding *d);

/* Over white: rgba has count × 4 bytes, rgb takes count × 3 and may be the same memory. */
void photo_flatten(const unsigned char *rgba, size_t count, unsigned char *rgb);

#endif
