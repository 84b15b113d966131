/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a photo, down to its pixels. The first byte: 1 mends the check sums of a PNG's chunks, which
 * no fuzzer would find. Checked: it is decoded or refused for a reason; what is made of it is a JPEG of the
 * size it should have, and decodes; a second time everything is the same. */
#include "service/invariant.h"
#include "service/photo_copies.h"
#include <stdlib.h>
#include <zlib.h>

static const struct photo_limits small = { .side = 3000, .pixels = 250000, .look_bytes = 1 << 20 };

static uint32_t big32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void mend_png(uint8_t *at, size_t len)
{
	size_t pos = 8;
	while (pos + 12 <= len) {
		size_t size = big32(at + pos);
		if (size > len - pos - 12)
			return;
		uint32_t sum = (uint32_t)crc32(0, at + pos + 4, (uInt)(size + 4));
		for (size_t i = 0; i < 4; i++)
			at[pos + 8 + size + i] = (uint8_t)(sum >> (24 - 8 * i));
		pos += size + 12;
	}
}

static void check_copy(struct slice bytes, uint32_t width, uint32_t height, uint32_t side)
{
	struct photo_header header;
	struct photo_picture picture;
	enum photo_refusal refusal;
	uint32_t to_width, to_height;
	size_t need;
	photo_picture_fit(width, height, side, &to_width, &to_height);
	INVARIANT(photo_header_read(bytes, true, &small, &header, &need) == PHOTO_READ);
	INVARIANT(header.kind == PHOTO_JPEG && header.orientation == 1 && !header.captured[0] &&
		  !header.has_place);
	INVARIANT(header.width == to_width && header.height == to_height);
	INVARIANT(photo_decode(bytes, &header, 8, &picture, &refusal) == PHOTO_DECODED);
	photo_picture_free(&picture);
}

static void check_copies(const struct photo_copies *made, const struct photo_header *header)
{
	bool lies = header->orientation >= 5;
	uint32_t width = lies ? header->height : header->width,
		 height = lies ? header->width : header->height;
	uint32_t view_width, view_height;
	photo_picture_fit(width, height, PHOTO_VIEW_SIDE, &view_width, &view_height);
	check_copy(made->view, view_width, view_height, PHOTO_VIEW_SIDE);
	check_copy(made->thumb, view_width, view_height, PHOTO_THUMB_SIDE);
}

static bool same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static void try_photo(struct slice bytes, const struct photo_header *header)
{
	struct photo_copies made, again;
	enum photo_refusal refusal = PHOTO_NOT_REFUSED, refused_again = PHOTO_NOT_REFUSED;
	enum photo_decoded decoded = photo_copies_make(bytes, header, &made, &refusal);
	INVARIANT(decoded != PHOTO_DECODE_REFUSED || refusal != PHOTO_NOT_REFUSED);
	enum photo_decoded second = photo_copies_make(bytes, header, &again, &refused_again);
	INVARIANT(decoded == second && (decoded != PHOTO_DECODE_REFUSED || refusal == refused_again));
	if (decoded != PHOTO_DECODED)
		return;
	check_copies(&made, header);
	INVARIANT(same(made.view, again.view) && same(made.thumb, again.thumb));
	INVARIANT(memcmp(made.grey, again.grey, sizeof made.grey) == 0);
	photo_copies_free(&made);
	photo_copies_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct photo_header header;
	size_t need;
	if (size < 2)
		return 0;
	uint8_t *copy = malloc(size - 1); /* so that a look beyond is seen */
	memcpy(copy, data + 1, size - 1);
	if (data[0] == 1)
		mend_png(copy, size - 1);
	struct slice bytes = { (const char *)copy, size - 1 };
	if (photo_header_read(bytes, true, &small, &header, &need) == PHOTO_READ)
		try_photo(bytes, &header);
	free(copy);
	return 0;
}
