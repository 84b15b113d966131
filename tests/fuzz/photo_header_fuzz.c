/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a photo. The first byte: 1 mends the check sum of a PNG's header, which no fuzzer would find;
 * the next two say where the bytes are cut. Checked: what is answered is within the limits and of its shape;
 * fed as it asks to be fed, or seen in part, it says the same as when it sees everything. */
#include "service/invariant.h"
#include "service/photo_header.h"
#include <stdlib.h>
#include <zlib.h>

static const struct photo_limits limits = { .side = 20000, .pixels = 50000000, .look_bytes = 8192 };

static enum photo_answer look(struct slice bytes, size_t len, bool whole, struct photo_header *out,
			      size_t *need)
{
	char *copy = malloc(len + !len); /* so that a look beyond is seen */
	if (len)
		memcpy(copy, bytes.at, len);
	enum photo_answer answer = photo_header_read((struct slice){ copy, len }, whole, &limits, out, need);
	free(copy);
	INVARIANT(answer == PHOTO_MORE ? *need > len && *need <= limits.look_bytes : *need == 0);
	INVARIANT((answer == PHOTO_REFUSED) == (out->refusal != PHOTO_NOT_REFUSED));
	INVARIANT(photo_refusal_code(out->refusal)[0]);
	return answer;
}

/* d stands for a digit, + for a sign. */
static void check_shape(const char *text, const char *shape)
{
	for (; *shape; shape++, text++) {
		bool digit = *text >= '0' && *text <= '9', sign = *text == '+' || *text == '-';
		INVARIANT(*shape == 'd' ? digit : *shape == '+' ? sign : *text == *shape);
	}
	INVARIANT(*text == '\0');
}

static void check_photo(const struct photo_header *out)
{
	INVARIANT(out->kind >= PHOTO_JPEG && out->kind <= PHOTO_WEBP);
	INVARIANT(out->width > 0 && out->width <= limits.side && out->height > 0 &&
		  out->height <= limits.side);
	INVARIANT((uint64_t)out->width * out->height <= limits.pixels);
	INVARIANT(out->orientation >= 1 && out->orientation <= 8);
	if (strlen(out->captured) == 19)
		check_shape(out->captured, "dddd-dd-ddTdd:dd:dd");
	else if (out->captured[0])
		check_shape(out->captured, "dddd-dd-ddTdd:dd:dd+dd:dd");
	INVARIANT(out->latitude >= -90 && out->latitude <= 90 && out->longitude >= -180 &&
		  out->longitude <= 180);
	INVARIANT(out->has_place || (out->latitude == 0 && out->longitude == 0));
}

/* Whether what was said of a part fits what is said of the whole. A length that lies is longer than is looked
 * at until the end of the file is seen; and only there a WebP is seen to be shorter than it says. */
static bool fits(enum photo_answer part, const struct photo_header *seen, enum photo_answer answer,
		 const struct photo_header *whole)
{
	if (whole->refusal == PHOTO_REFUSED_TRUNCATED)
		return whole->kind == PHOTO_WEBP || seen->refusal == PHOTO_REFUSED_TRUNCATED ||
		       seen->refusal == PHOTO_REFUSED_LONG;
	return part == answer && seen->refusal == whole->refusal &&
	       (part == PHOTO_REFUSED || memcmp(seen, whole, sizeof *seen) == 0);
}

static void check_fed(struct slice bytes, enum photo_answer answer, const struct photo_header *whole)
{
	struct photo_header out;
	enum photo_answer more;
	size_t need, len = 0;
	while ((more = look(bytes, len, len == bytes.len, &out, &need)) == PHOTO_MORE)
		len = need < bytes.len ? need : bytes.len;
	INVARIANT(fits(more, &out, answer, whole));
}

static void check_part(struct slice bytes, size_t len, enum photo_answer answer,
		       const struct photo_header *whole)
{
	struct photo_header out;
	size_t need;
	enum photo_answer part = look(bytes, len, false, &out, &need);
	INVARIANT(part == PHOTO_MORE || fits(part, &out, answer, whole));
}

static void mend_png(uint8_t *at, size_t len)
{
	if (len < 33)
		return;
	memcpy(at, "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR", 16);
	uint32_t sum = (uint32_t)crc32(0, at + 12, 17);
	for (int i = 0; i < 4; i++)
		at[29 + i] = (uint8_t)(sum >> (24 - 8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct photo_header out;
	size_t need;
	if (size < 4)
		return 0;
	size_t len = size - 3, cut = (data[1] | (size_t)data[2] << 8) % (len + 1);
	uint8_t *copy = malloc(len);
	memcpy(copy, data + 3, len);
	if (data[0] == 1)
		mend_png(copy, len);
	struct slice bytes = { (const char *)copy, len };
	enum photo_answer answer = look(bytes, len, true, &out, &need);
	INVARIANT(len > limits.look_bytes || answer != PHOTO_MORE);
	if (answer == PHOTO_READ)
		check_photo(&out);
	if (len <= limits.look_bytes) {
		check_fed(bytes, answer, &out);
		check_part(bytes, cut, answer, &out);
	}
	free(copy);
	return 0;
}
