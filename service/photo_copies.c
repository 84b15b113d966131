/* SPDX-License-Identifier: Apache-2.0
 * See photo_copies.h. The photo is decoded once; everything smaller is made of the view's pixels. */
#include "service/photo_copies.h"
#include <stdlib.h>

enum { VIEW_QUALITY = 85, THUMB_QUALITY = 80 };

/* to has its size and its memory. */
static bool resize(const struct photo_picture *from, struct photo_picture *to)
{
	struct photo_shrink *shrink = photo_shrink_new(from->width, from->height, to);
	if (!shrink)
		return false;
	for (uint32_t y = 0; y < from->height; y++)
		photo_shrink_row(shrink, from->rgb + (size_t)y * from->width * 3);
	photo_shrink_free(&shrink);
	return true;
}

static bool make_thumb(const struct photo_picture *view, struct slice *out)
{
	struct photo_picture small = { 0 };
	uint32_t width, height;
	photo_picture_fit(view->width, view->height, PHOTO_THUMB_SIDE, &width, &height);
	bool made = photo_picture_make(&small, width, height) && resize(view, &small) &&
		    photo_encode(&small, THUMB_QUALITY, out);
	photo_picture_free(&small);
	return made;
}

/* ITU-R BT.601, as JPEG has it. */
static bool make_grey(const struct photo_picture *view, unsigned char *grey)
{
	unsigned char rgb[PHOTO_GREY_SIDE * PHOTO_GREY_SIDE * 3];
	struct photo_picture square = { PHOTO_GREY_SIDE, PHOTO_GREY_SIDE, rgb };
	if (!resize(view, &square))
		return false;
	for (size_t i = 0; i < (size_t)PHOTO_GREY_SIDE * PHOTO_GREY_SIDE; i++)
		grey[i] = (unsigned char)((299 * rgb[3 * i] + 587 * rgb[3 * i + 1] + 114 * rgb[3 * i + 2] +
					   500) /
					  1000);
	return true;
}

enum photo_decoded photo_copies_make(struct slice bytes, const struct photo_header *header,
				     struct photo_copies *out, enum photo_refusal *refusal)
{
	struct photo_picture picture;
	*out = (struct photo_copies){ 0 };
	enum photo_decoded decoded = photo_decode(bytes, header, PHOTO_VIEW_SIDE, &picture, refusal);
	if (decoded != PHOTO_DECODED)
		return decoded;
	bool made = photo_picture_turn(&picture, header->orientation) &&
		    photo_encode(&picture, VIEW_QUALITY, &out->view) && make_thumb(&picture, &out->thumb) &&
		    make_grey(&picture, out->grey);
	photo_picture_free(&picture);
	if (!made)
		photo_copies_free(out);
	return made ? PHOTO_DECODED : PHOTO_DECODE_NO_MEMORY;
}

void photo_copies_free(struct photo_copies *copies)
{
	free((char *)(uintptr_t)copies->view.at);
	free((char *)(uintptr_t)copies->thumb.at);
	copies->view = copies->thumb = (struct slice){ 0 };
}
