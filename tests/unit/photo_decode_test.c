/* SPDX-License-Identifier: Apache-2.0
 * Pixels: the right ones in the right place, from every format that is taken; and of what is broken, too big
 * or made to hurt, none. */
#include "needs_help.h"
#include "photo_pixels_help.h"
#include "service/photo_copies.h"

static enum photo_decoded decode(struct slice bytes, uint32_t side, struct photo_picture *out,
				 enum photo_refusal *refusal)
{
	struct photo_header header;
	size_t need;
	*refusal = PHOTO_NOT_REFUSED;
	if (photo_header_read(bytes, true, &photo_most, &header, &need) != PHOTO_READ) {
		*refusal = header.refusal;
		return PHOTO_DECODE_REFUSED;
	}
	return photo_decode(bytes, &header, side, out, refusal);
}

static void expect_near(const struct photo_picture *p, uint32_t x, uint32_t y, const unsigned char wanted[3])
{
	const unsigned char *rgb = p->rgb + ((size_t)y * p->width + x) * 3;
	for (int c = 0; c < 3; c++)
		if (abs(rgb[c] - wanted[c]) > 12)
			fail_msg("at %u, %u: %d %d %d, not %d %d %d", x, y, rgb[0], rgb[1], rgb[2], wanted[0],
				 wanted[1], wanted[2]);
}

/* The middle of each quarter; grey: only its first channel is there. Frees the bytes. */
static void expect_quarters(struct slice bytes, uint32_t width, uint32_t height, uint32_t side, bool grey)
{
	struct photo_picture p;
	enum photo_refusal refusal;
	uint32_t to_width, to_height;
	assert_int_equal(decode(bytes, side, &p, &refusal), PHOTO_DECODED);
	photo_picture_fit(width, height, side, &to_width, &to_height);
	assert_int_equal(p.width, to_width);
	assert_int_equal(p.height, to_height);
	for (uint32_t i = 0; i < 4; i++) {
		unsigned char rgb[3];
		uint32_t x = (2 * (i % 2) + 1) * p.width / 4, y = (2 * (i / 2) + 1) * p.height / 4;
		pixels_at(p.width, p.height, x, y, rgb);
		if (grey)
			rgb[1] = rgb[2] = rgb[0];
		expect_near(&p, x, y, rgb);
	}
	photo_picture_free(&p);
	free((char *)(uintptr_t)bytes.at);
}

static void every_format(void **state)
{
	static const uint32_t sides[] = { 2048, 200, 100, 64, 20, 3 };
	(void)state;
	for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
		uint32_t s = sides[i];
		bool tiny = s < 20; /* the quarters of three pixels run into each other */
		for (int how = 0; how < 4 && !tiny; how++)
			expect_quarters(
				pixels_jpeg(240, 160, (struct pixels_jpeg){ how & 1, how & 2, false }), 240,
				160, s, how & 2);
		for (int how = 0; how < 8 && !tiny; how++) {
			static const int types[] = { PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB,
						     PNG_COLOR_TYPE_RGBA, PNG_COLOR_TYPE_RGB };
			struct pixels_png png = { types[how % 4], how % 4 == 3 ? 16 : 8, how >= 4, false };
			expect_quarters(pixels_png(240, 160, png), 240, 160, s, how % 4 == 0);
		}
		for (int lossless = 0; lossless < 2 && !tiny; lossless++)
			expect_quarters(pixels_webp(240, 160, lossless), 240, 160, s, false);
		struct slice bytes = pixels_webp(240, 160, false);
		struct photo_picture p;
		enum photo_refusal refusal;
		assert_int_equal(decode(bytes, s, &p, &refusal), PHOTO_DECODED);
		photo_picture_free(&p);
		free((char *)(uintptr_t)bytes.at);
	}
}

static void what_is_clear_is_white(void **state)
{
	static const unsigned char white[] = { 255, 255, 255 };
	struct photo_picture p;
	enum photo_refusal refusal;
	(void)state;
	for (int webp = 0; webp < 2; webp++) {
		struct slice bytes =
			webp ? pixels_webp_clear(10, 10)
			     : pixels_png(10, 10, (struct pixels_png){ PNG_COLOR_TYPE_RGBA, 8, false, true });
		assert_int_equal(decode(bytes, 100, &p, &refusal), PHOTO_DECODED);
		for (uint32_t i = 0; i < 10; i++)
			expect_near(&p, i, i, white);
		photo_picture_free(&p);
		free((char *)(uintptr_t)bytes.at);
	}
}

/* One pixel wide, which scaling leaves alone. */
static void a_strip_shrinks_in_its_length_only(void **state)
{
	(void)state;
	for (int lossless = 0; lossless < 2; lossless++) {
		struct photo_picture p;
		enum photo_refusal refusal;
		struct slice bytes = pixels_webp(1, 400, lossless);
		assert_int_equal(decode(bytes, 100, &p, &refusal), PHOTO_DECODED);
		assert_int_equal(p.width, 1);
		assert_int_equal(p.height, 100);
		expect_near(&p, 0, 25, (const unsigned char[]){ 255, 0, 0 });
		expect_near(&p, 0, 75, (const unsigned char[]){ 0, 0, 255 });
		photo_picture_free(&p);
		free((char *)(uintptr_t)bytes.at);
	}
}

static void inks(void **state)
{
	/* As Adobe has them: 255 is no ink; the first three are red, green, blue without black. */
	struct slice bytes = pixels_jpeg(64, 64, (struct pixels_jpeg){ .inks = true });
	(void)state;
	expect_quarters(bytes, 64, 64, 64, false);
}

/* --- means --- */

static void means_are_exact(void **state)
{
	struct photo_picture to;
	unsigned char row[4 * 3];
	(void)state;
	assert_true(photo_picture_make(&to, 3, 1)); /* of 4 × 2: each covers 4/3 × 2 pixels */
	struct photo_shrink *s = photo_shrink_new(4, 2, &to);
	for (int y = 0; y < 2; y++) {
		for (int x = 0; x < 4; x++)
			memset(row + 3 * x, 10 * x + 100 * y, 3);
		assert_false(photo_shrink_full(s));
		photo_shrink_row(s, row);
	}
	assert_true(photo_shrink_full(s));
	/* (0 + 10/3) / (4/3) = 2.5, (10·2/3 + 20·2/3) / (4/3) = 15, 27.5; and 50 more */
	assert_int_equal(to.rgb[0], 53);
	assert_int_equal(to.rgb[3], 65);
	assert_int_equal(to.rgb[8], 78);
	photo_shrink_free(&s);
	photo_picture_free(&to);
	assert_true(photo_picture_make(&to, 5, 3)); /* and larger: of 2 × 1 */
	s = photo_shrink_new(2, 1, &to);
	photo_shrink_row(s, (const unsigned char[]){ 0, 0, 0, 100, 100, 100 });
	static const unsigned char wanted[] = { 0, 0, 50, 100, 100 };
	for (int y = 0; y < 3; y++)
		for (int x = 0; x < 5; x++)
			assert_int_equal(to.rgb[(y * 5 + x) * 3], wanted[x]);
	photo_shrink_free(&s);
	photo_picture_free(&to);
}

static void fits(void **state)
{
	static const uint32_t wanted[][5] = {
		{ 100, 50, 200, 100, 50 },   { 400, 100, 200, 200, 50 }, { 100, 400, 200, 50, 200 },
		{ 20000, 1, 2048, 2048, 1 }, { 1, 20000, 320, 1, 320 },  { 2049, 2048, 2048, 2048, 2047 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		uint32_t width, height;
		photo_picture_fit(wanted[i][0], wanted[i][1], wanted[i][2], &width, &height);
		assert_int_equal(width, wanted[i][3]);
		assert_int_equal(height, wanted[i][4]);
	}
}

/* EXIF 2.32, 4.6.4: orientation 6 has the first row on the right: what is stored as  ab / cd / ef  is seen as
 * eca / fdb. */
static void turns(void **state)
{
	static const char *const wanted[] = { "",        "ab/cd/ef", "ba/dc/fe", "fe/dc/ba", "ef/cd/ab",
					      "ace/bdf", "eca/fdb",  "fdb/eca",  "bdf/ace" };
	(void)state;
	for (unsigned orientation = 1; orientation <= 8; orientation++) {
		struct photo_picture p;
		char seen[16], *at = seen;
		assert_true(photo_picture_make(&p, 2, 3));
		for (int i = 0; i < 6; i++)
			memset(p.rgb + 3 * i, 'a' + i, 3);
		assert_true(photo_picture_turn(&p, orientation));
		for (uint32_t y = 0; y < p.height; y++) {
			for (uint32_t x = 0; x < p.width; x++)
				*at++ = (char)p.rgb[(y * p.width + x) * 3];
			*at++ = '/';
		}
		at[-1] = 0;
		assert_string_equal(seen, wanted[orientation]);
		photo_picture_free(&p);
	}
}

/* --- what is refused --- */

/* A copy that ends where it ends, so that AddressSanitizer sees a look beyond. */
static enum photo_decoded decode_copy(struct slice bytes, size_t len, enum photo_refusal *refusal)
{
	struct photo_picture p;
	char *copy = malloc(len + !len);
	memcpy(copy, bytes.at, len);
	enum photo_decoded decoded = decode((struct slice){ copy, len }, 16, &p, refusal);
	if (decoded == PHOTO_DECODED)
		photo_picture_free(&p);
	free(copy);
	return decoded;
}

/* Cut anywhere it is refused, but behind its end there may be anything; changed anywhere it may not crash. */
static void survives(struct slice bytes, size_t picture)
{
	enum photo_refusal refusal;
	assert_int_equal(decode_copy(bytes, bytes.len, &refusal), PHOTO_DECODED);
	for (size_t len = 0; len < picture; len++) {
		assert_int_equal(decode_copy(bytes, len, &refusal), PHOTO_DECODE_REFUSED);
		if (refusal == PHOTO_NOT_REFUSED)
			fail_msg("cut at %zu: no reason", len);
	}
	for (size_t i = 0; i < bytes.len; i++) {
		char *at = (char *)(uintptr_t)bytes.at + i, was = *at;
		*at = (char)(was ^ (1 << i % 8));
		enum photo_decoded decoded = decode_copy(bytes, bytes.len, &refusal);
		assert_true(decoded == PHOTO_DECODED || (decoded == PHOTO_DECODE_REFUSED && refusal));
		*at = was;
	}
	free((char *)(uintptr_t)bytes.at);
}

static void cut_or_changed_anywhere(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		struct slice jpeg = pixels_jpeg(20, 20, (struct pixels_jpeg){ .progressive = how });
		survives(jpeg, jpeg.len);
		struct slice png =
			pixels_png(20, 20, (struct pixels_png){ PNG_COLOR_TYPE_RGB, 8, how, false });
		survives(png, png.len);
		struct slice webp = pixels_webp(20, 20, how);
		survives(webp, webp.len);
	}
}

static void expect_refused(struct slice bytes, enum photo_refusal wanted)
{
	struct photo_picture p;
	enum photo_refusal refusal;
	assert_int_equal(decode(bytes, 2048, &p, &refusal), PHOTO_DECODE_REFUSED);
	assert_string_equal(photo_refusal_code(refusal), photo_refusal_code(wanted));
}

static void add_big(struct help_bytes *b, unsigned number, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--) {
		char byte = (char)(number >> (8 * i) & 0xFF);
		help_add(b, &byte, 1);
	}
}

/* Progressive, grey, of nothing but scans of DC coefficients with one code: the picture is one flat grey. */
static struct slice flat_scans(unsigned width, unsigned height, int scans, size_t scan_bytes)
{
	struct help_bytes b = { 0 };
	help_add(&b, "\xFF\xD8\xFF\xDB\0\x43\0", 7);
	for (int i = 0; i < 64; i++)
		help_add(&b, "\1", 1);
	help_add(&b, "\xFF\xC2\0\x0B\x08", 5);
	add_big(&b, height, 2);
	add_big(&b, width, 2);
	help_add(&b, "\1\1\x11\0\xFF\xC4\0\x14\0\1", 10);
	for (int i = 0; i < 15; i++)
		help_add(&b, "\0", 1);
	help_add(&b, "\0", 1); /* category 0 is the code 0 */
	for (int i = 0; i < scans; i++) {
		help_add(&b, "\xFF\xDA\0\x08\1\1\0\0\0\0", 10);
		for (size_t k = 0; k < scan_bytes; k++)
			help_add(&b, "\0", 1);
	}
	help_add(&b, "\xFF\xD9", 2);
	return help_taken(&b);
}

static void bombs(void **state)
{
	(void)state;
	/* A progressive JPEG is kept whole while it is decoded, two bytes a value. */
	struct slice bytes = flat_scans(9200, 9200, 1, 0);
	expect_refused(bytes, PHOTO_REFUSED_PIXELS);
	free((char *)(uintptr_t)bytes.at);
	bytes = flat_scans(16, 16, 90, 1);
	struct photo_picture p;
	enum photo_refusal refusal;
	assert_int_equal(decode(bytes, 2048, &p, &refusal), PHOTO_DECODED);
	photo_picture_free(&p);
	free((char *)(uintptr_t)bytes.at);
	bytes = flat_scans(16, 16, 200, 1);
	expect_refused(bytes, PHOTO_REFUSED_UNSUPPORTED);
	free((char *)(uintptr_t)bytes.at);
}

/* The budget of an interlaced PNG: 6476 × 6476 pixels of four bytes are within 160 MiB, 6477 × 6476 are not.
 */
static void one_pixel_over(void **state)
{
	(void)state;
	struct slice bytes = pixels_png(8, 8, (struct pixels_png){ PNG_COLOR_TYPE_GRAY, 8, true, false });
	for (unsigned over = 0; over < 2; over++) {
		unsigned char *at = (unsigned char *)(uintptr_t)bytes.at;
		uint32_t size[] = { 6476 + over, 6476 };
		for (int i = 0; i < 2; i++)
			for (int k = 0; k < 4; k++)
				at[16 + 4 * i + k] = (unsigned char)(size[i] >> (24 - 8 * k));
		uint32_t sum = (uint32_t)crc32(0, at + 12, 17);
		for (int k = 0; k < 4; k++)
			at[29 + k] = (unsigned char)(sum >> (24 - 8 * k));
		expect_refused(bytes, over ? PHOTO_REFUSED_PIXELS : PHOTO_REFUSED_MALFORMED);
	}
	free((char *)(uintptr_t)bytes.at);
}

/* Without loss a WebP is decoded as a whole, five bytes a pixel: 8192 × 4096 pixels are 160 MiB. */
static void one_pixel_over_in_webp(void **state)
{
	(void)state;
	struct slice bytes = pixels_webp(8, 8, true);
	unsigned char *size = (unsigned char *)(uintptr_t)bytes.at + 21; /* RIFF, its chunk's header, 0x2F */
	assert_memory_equal(bytes.at + 12, "VP8L", 4);
	for (unsigned over = 0; over < 2; over++) {
		uint32_t bits = 4095U << 14 | (8191 + over);
		for (int i = 0; i < 4; i++)
			size[i] = (unsigned char)(bits >> (8 * i));
		expect_refused(bytes, over ? PHOTO_REFUSED_PIXELS : PHOTO_REFUSED_MALFORMED);
	}
	free((char *)(uintptr_t)bytes.at);
}

static void expect_refused_as(struct slice bytes, const struct photo_header *header,
			      enum photo_refusal wanted)
{
	struct photo_picture p;
	enum photo_refusal refusal;
	assert_int_equal(photo_decode(bytes, header, 2048, &p, &refusal), PHOTO_DECODE_REFUSED);
	assert_string_equal(photo_refusal_code(refusal), photo_refusal_code(wanted));
}

/* The budget was reckoned with the header's size: were the two readers of one file to differ, no pixel would
 * be decoded. They do not, so the header here is another file's. */
static void a_header_of_another_webp(void **state)
{
	struct photo_header header, other;
	size_t need;
	struct slice bytes = pixels_webp_clear(20, 10);
	unsigned char *flags = (unsigned char *)(uintptr_t)bytes.at + 20;
	(void)state;
	assert_memory_equal(bytes.at + 12, "VP8X", 4);
	assert_int_equal(photo_header_read(bytes, true, &photo_most, &header, &need), PHOTO_READ);
	other = header;
	other.width++;
	expect_refused_as(bytes, &other, PHOTO_REFUSED_MALFORMED);
	other = header;
	other.height--;
	expect_refused_as(bytes, &other, PHOTO_REFUSED_MALFORMED);
	*flags |= 2; /* RFC 9649, 2.7: animation */
	expect_refused_as(bytes, &header, PHOTO_REFUSED_ANIMATED);
	expect_refused(bytes, PHOTO_REFUSED_ANIMATED);
	free((char *)(uintptr_t)bytes.at);
}

/* --- what is made of it --- */

static void copies(void **state)
{
	struct photo_copies made;
	struct photo_header header, of_view;
	enum photo_refusal refusal;
	size_t need;
	struct slice bytes = pixels_jpeg(3000, 1000, (struct pixels_jpeg){ 0 });
	(void)state;
	assert_int_equal(photo_header_read(bytes, true, &photo_most, &header, &need), PHOTO_READ);
	header.orientation = 6;
	assert_int_equal(photo_copies_make(bytes, &header, &made, &refusal), PHOTO_DECODED);
	assert_int_equal(photo_header_read(made.view, true, &photo_most, &of_view, &need), PHOTO_READ);
	assert_int_equal(of_view.width, 683);
	assert_int_equal(of_view.height, 2048);
	assert_int_equal(photo_header_read(made.thumb, true, &photo_most, &of_view, &need), PHOTO_READ);
	assert_int_equal(of_view.width, 107);
	assert_int_equal(of_view.height, 320);
	/* Turned: blue red / white green. */
	static const int wanted[] = { 29, 76, 255, 150 };
	for (int i = 0; i < 4; i++)
		assert_in_range(made.grey[(8 + 16 * (i / 2)) * 32 + 8 + 16 * (i % 2)],
				wanted[i] > 4 ? wanted[i] - 4 : 0, wanted[i] + 4);
	photo_copies_free(&made);
	free((char *)(uintptr_t)bytes.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format),
		cmocka_unit_test(what_is_clear_is_white),
		cmocka_unit_test(a_strip_shrinks_in_its_length_only),
		cmocka_unit_test(inks),
		cmocka_unit_test(means_are_exact),
		cmocka_unit_test(fits),
		cmocka_unit_test(turns),
		cmocka_unit_test(cut_or_changed_anywhere),
		cmocka_unit_test(bombs),
		cmocka_unit_test(one_pixel_over),
		cmocka_unit_test(one_pixel_over_in_webp),
		cmocka_unit_test(a_header_of_another_webp),
		cmocka_unit_test(copies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
