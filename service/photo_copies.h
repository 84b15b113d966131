/* SPDX-License-Identifier: Apache-2.0
 * What is made of a photo: the view that people see, the thumbnail, and the small grey square by which
 * photos are compared. Nothing of the file but its pixels goes into them. Blocking: thread pool. */
#ifndef SERVICE_PHOTO_COPIES_H
#define SERVICE_PHOTO_COPIES_H

#include "service/photo_decode.h"

enum { PHOTO_VIEW_SIDE = 2048, PHOTO_THUMB_SIDE = 320, PHOTO_GREY_SIDE = 32 };

struct photo_copies {
	struct slice view, thumb; /* JPEG, turned upright; from malloc */
	unsigned char grey[PHOTO_GREY_SIDE * PHOTO_GREY_SIDE];
};

/* As photo_decode; the caller frees the copies when it is decoded. */
enum photo_decoded photo_copies_make(struct slice bytes, const struct photo_header *header,
				     struct photo_copies *out, enum photo_refusal *refusal);
void photo_copies_free(struct photo_copies *copies);

#endif
