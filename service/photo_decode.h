/* SPDX-License-Identifier: Apache-2.0
 * From the bytes of a photo to a picture of bounded size, in bounded memory: scaled while it is decoded, row
 * by row where the format allows it. What would need more than the budget is refused before a pixel is
 * decoded. Blocking (up to seconds): thread pool. */
#ifndef SERVICE_PHOTO_DECODE_H
#define SERVICE_PHOTO_DECODE_H

#include "service/photo_header.h"
#include "service/photo_picture.h"

/* What is taken: 100 megapixels, 20,000 a side; a decoder may have 160 MiB besides the bytes and the picture.
 * JPEG that is not progressive and PNG that is not interlaced need next to nothing of it. */
extern const struct photo_limits photo_most;
enum { PHOTO_DECODER_BYTES = 160 << 20 };

enum photo_decoded {
	PHOTO_DECODED,
	PHOTO_DECODE_REFUSED,  /* *refusal says why: the pixels are broken, cut off, or too many */
	PHOTO_DECODE_NO_MEMORY /* nothing is said about the photo */
};

/* bytes: the whole file, whose header was read without refusal. The picture fits into side × side pixels and
 * is as stored (not turned); transparent parts are white. The caller frees it when it is decoded. */
enum photo_decoded photo_decode(struct slice bytes, const struct photo_header *header, uint32_t side,
				struct photo_picture *out, enum photo_refusal *refusal);

/* A baseline JPEG without any metadata; from malloc. False: no memory. */
MUST_USE bool photo_encode(const struct photo_picture *picture, int quality, struct slice *out);

#endif
