/* SPDX-License-Identifier: Apache-2.0
 * Photos made by hand, rightly and wrongly: only what stands in front of the pixels. The caller frees .at.
 * Each reading is of a copy that ends where the bytes end, so that AddressSanitizer sees a look beyond. */
#ifndef TESTS_UNIT_PHOTO_HELP_H
#define TESTS_UNIT_PHOTO_HELP_H

#include "needs_help.h"
#include "service/photo_header.h"
#include "unit.h"

static const struct photo_limits photo_limits = { .side = 20000, .pixels = 100000000, .look_bytes = 1 << 20 };

static inline void photo_big(struct help_bytes *b, uint32_t number, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--) {
		char byte = (char)(number >> (8 * i) & 0xFF);
		help_add(b, &byte, 1);
	}
}

/* --- EXIF --- */

struct photo_exif {
	bool big_endian;
	unsigned orientation;                     /* 0: none */
	const char *taken, *digitized, *offset;   /* NULL: none */
	uint32_t latitude[6], longitude[6];       /* fractions; all 0: none */
	const char *latitude_ref, *longitude_ref; /* NULL: none */
};

static inline void photo_number(const struct photo_exif *e, struct help_bytes *b, uint32_t number, int bytes)
{
	if (e->big_endian)
		photo_big(b, number, bytes);
	else
		help_number(b, number, bytes);
}

static inline void photo_entry(const struct photo_exif *e, struct help_bytes *b, unsigned tag, unsigned type,
			       uint32_t count, uint32_t value)
{
	photo_number(e, b, tag, 2);
	photo_number(e, b, type, 2);
	photo_number(e, b, count, 4);
	if (type == 3) { /* a short stands in front */
		photo_number(e, b, value, 2);
		value = 0;
	}
	photo_number(e, b, value, type == 3 ? 2 : 4);
}

enum { PHOTO_FIRST = 8, PHOTO_TIMES = 64, PHOTO_GPS = 192, PHOTO_VALUES = 256 };

static inline void photo_pad(struct help_bytes *b, size_t to)
{
	while (b->len < to)
		help_add(b, "\0", 1);
}

/* A text of `count` bytes at `at` of the values, which are put in once the directories stand. */
static inline void photo_text_entry(const struct photo_exif *e, struct help_bytes *b, unsigned tag,
				    const char *text, uint32_t at)
{
	if (text)
		photo_entry(e, b, tag, 2, (uint32_t)strlen(text) + 1, at);
	else
		photo_entry(e, b, 0xFFFE, 2, 1, 0);
}

static inline void photo_values(const struct photo_exif *e, struct help_bytes *b)
{
	const char *const texts[] = { e->taken, e->digitized, e->offset };
	for (uint32_t i = 0; i < 3; i++) {
		photo_pad(b, PHOTO_VALUES + 32 * i);
		help_add_text(b, texts[i] ? texts[i] : "");
	}
	photo_pad(b, PHOTO_VALUES + 96);
	for (int i = 0; i < 6; i++)
		photo_number(e, b, e->latitude[i], 4);
	for (int i = 0; i < 6; i++)
		photo_number(e, b, e->longitude[i], 4);
}

static inline void photo_gps(const struct photo_exif *e, struct help_bytes *b)
{
	const char *const refs[] = { e->latitude_ref, e->longitude_ref };
	photo_number(e, b, 4, 2);
	for (unsigned i = 0; i < 2; i++) {
		unsigned char letter = refs[i] ? (unsigned char)refs[i][0] : 0;
		photo_entry(e, b, 1 + 2 * i, refs[i] ? 2 : 3, 2,
			    e->big_endian ? (uint32_t)letter << 24 : letter);
		photo_entry(e, b, 2 + 2 * i, 5, 3, PHOTO_VALUES + 96 + 24 * i);
	}
}

/* A TIFF structure: the first directory, the times, the place, the values. */
static inline struct help_bytes photo_tiff(const struct photo_exif *e)
{
	struct help_bytes b = { 0 };
	help_add(&b, e->big_endian ? "MM" : "II", 2);
	photo_number(e, &b, 42, 2);
	photo_number(e, &b, PHOTO_FIRST, 4);
	photo_number(e, &b, 4, 2);
	photo_entry(e, &b, 0x0100, 1, 1, 7); /* of a type nobody asks for */
	photo_entry(e, &b, e->orientation ? 0x0112 : 0xFFFE, 3, 1, e->orientation);
	photo_entry(e, &b, 0x8769, 4, 1, PHOTO_TIMES);
	photo_entry(e, &b, 0x8825, 4, 1, PHOTO_GPS);
	photo_pad(&b, PHOTO_TIMES);
	photo_number(e, &b, 3, 2);
	photo_text_entry(e, &b, 0x9003, e->taken, PHOTO_VALUES);
	photo_text_entry(e, &b, 0x9004, e->digitized, PHOTO_VALUES + 32);
	photo_text_entry(e, &b, 0x9011, e->offset, PHOTO_VALUES + 64);
	photo_pad(&b, PHOTO_GPS);
	photo_gps(e, &b);
	photo_pad(&b, PHOTO_VALUES);
	photo_values(e, &b);
	return b;
}

/* --- JPEG --- */

static inline void photo_segment(struct help_bytes *b, unsigned marker, struct slice content)
{
	photo_big(b, 0xFF00 | marker, 2);
	photo_big(b, (uint32_t)content.len + 2, 2);
	help_add(b, content.at, content.len);
}

static inline void photo_app1(struct help_bytes *b, struct slice tiff)
{
	struct help_bytes content = { 0 };
	help_add(&content, "Exif\0\0", 6);
	help_add(&content, tiff.at, tiff.len);
	photo_segment(b, 0xE1, help_taken(&content));
	free(content.at);
}

static inline void photo_frame(struct help_bytes *b, unsigned marker, unsigned width, unsigned height,
			       unsigned components)
{
	struct help_bytes content = { 0 };
	photo_big(&content, 8, 1);
	photo_big(&content, height, 2);
	photo_big(&content, width, 2);
	photo_big(&content, components, 1);
	for (unsigned i = 0; i < components; i++)
		photo_big(&content, (i + 1) << 16 | 0x1100, 3);
	photo_segment(b, marker, help_taken(&content));
	free(content.at);
}

static inline void photo_jfif(struct help_bytes *b)
{
	help_add(b, "\xFF\xD8", 2);
	photo_segment(b, 0xE0, (struct slice){ "JFIF\0\1\1\0\0\1\0\1\0\0", 14 });
}

/* From the frame to the first bytes of the scan. */
static inline void photo_scan(struct help_bytes *b)
{
	photo_segment(b, 0xDA, (struct slice){ "\3\1\0\2\x11\3\x11\0\x3F\0", 10 });
	help_add_text(b, "the scan goes on for a while, longer than the file type box is looked at");
}

static inline struct help_bytes photo_jpeg(unsigned width, unsigned height, struct slice tiff)
{
	struct help_bytes b = { 0 };
	photo_jfif(&b);
	if (tiff.at)
		photo_app1(&b, tiff);
	photo_frame(&b, 0xC0, width, height, 3);
	photo_scan(&b);
	return b;
}

/* --- PNG --- */

static inline void photo_chunk(struct help_bytes *b, const char *name, struct slice content)
{
	photo_big(b, (uint32_t)content.len, 4);
	size_t start = b->len;
	help_add(b, name, 4);
	help_add(b, content.at, content.len);
	photo_big(b, (uint32_t)crc32(0, (const Bytef *)b->at + start, (uInt)(b->len - start)), 4);
}

/* depth, colour type, compression, filter, interlacing */
static inline void photo_png_header(struct help_bytes *b, uint32_t width, uint32_t height, const char rest[5])
{
	struct help_bytes content = { 0 };
	help_add(b, "\x89PNG\r\n\x1A\n", 8);
	photo_big(&content, width, 4);
	photo_big(&content, height, 4);
	help_add(&content, rest, 5);
	photo_chunk(b, "IHDR", help_taken(&content));
	free(content.at);
}

static inline struct help_bytes photo_png(uint32_t width, uint32_t height, struct slice tiff)
{
	struct help_bytes b = { 0 };
	photo_png_header(&b, width, height, "\x08\x06\0\0\0");
	photo_chunk(&b, "sRGB", SLICE("\0"));
	if (tiff.at)
		photo_chunk(&b, "eXIf", tiff);
	photo_chunk(&b, "IDAT", SLICE("pixels"));
	photo_chunk(&b, "IEND", (struct slice){ 0 });
	return b;
}

/* --- WebP --- */

static inline void photo_riff(struct help_bytes *b, const char *name, struct slice content)
{
	help_add(b, name, 4);
	help_number(b, content.len, 4);
	help_add(b, content.at, content.len);
	if (content.len & 1)
		help_add(b, "\0", 1);
}

/* Puts the header in front, so `chunks` is freed. */
static inline struct help_bytes photo_webp(struct help_bytes *chunks)
{
	struct help_bytes b = { 0 };
	help_add(&b, "RIFF", 4);
	help_number(&b, chunks->len + 4, 4);
	help_add(&b, "WEBP", 4);
	help_add(&b, chunks->at, chunks->len);
	free(chunks->at);
	return b;
}

static inline void photo_vp8(struct help_bytes *b, unsigned width, unsigned height)
{
	struct help_bytes frame = { 0 };
	help_add(&frame, "\x10\x00\x00\x9D\x01\x2A", 6);
	help_number(&frame, width, 2);
	help_number(&frame, height, 2);
	help_add_text(&frame, "what would be decoded, longer than the file type box is looked at");
	photo_riff(b, "VP8 ", help_taken(&frame));
	free(frame.at);
}

static inline void photo_vp8l(struct help_bytes *b, unsigned width, unsigned height)
{
	struct help_bytes frame = { 0 };
	help_add(&frame, "\x2F", 1);
	help_number(&frame, (height - 1) << 14 | (width - 1), 4);
	help_add_text(&frame, "what would be decoded, longer than the file type box is looked at");
	photo_riff(b, "VP8L", help_taken(&frame));
	free(frame.at);
}

static inline void photo_vp8x(struct help_bytes *b, unsigned flags, uint32_t width, uint32_t height)
{
	struct help_bytes canvas = { 0 };
	help_number(&canvas, flags, 4);
	help_number(&canvas, width - 1, 3);
	help_number(&canvas, height - 1, 3);
	photo_riff(b, "VP8X", help_taken(&canvas));
	free(canvas.at);
}

/* --- reading --- */

static inline enum photo_answer photo_read(struct slice bytes, bool whole, const struct photo_limits *limits,
					   struct photo_header *out, size_t *need)
{
	char *copy = malloc(bytes.len + !bytes.len);
	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	enum photo_answer answer =
		photo_header_read((struct slice){ copy, bytes.len }, whole, limits, out, need);
	free(copy);
	assert_true(answer == PHOTO_MORE ? *need > bytes.len && *need <= limits->look_bytes : *need == 0);
	assert_int_equal(answer == PHOTO_REFUSED, out->refusal != PHOTO_NOT_REFUSED);
	return answer;
}

/* Whole, and then again fed only as much as is asked for: the same. */
static inline enum photo_answer photo_read_both(struct help_bytes *b, struct photo_header *out)
{
	struct photo_header fed;
	size_t need, len = 0;
	enum photo_answer answer = photo_read(help_taken(b), true, &photo_limits, out, &need), more;
	while ((more = photo_read((struct slice){ b->at, len }, len == b->len, &photo_limits, &fed, &need)) ==
	       PHOTO_MORE)
		len = need < b->len ? need : b->len;
	assert_int_equal(more, answer);
	assert_int_equal(fed.refusal, out->refusal);
	if (answer == PHOTO_READ)
		assert_memory_equal(&fed, out, sizeof fed);
	free(b->at);
	*b = (struct help_bytes){ 0 };
	return answer;
}

#endif
