/* SPDX-License-Identifier: Apache-2.0
 * Kind and size out of the beginning of a photo, and what is refused. */
#include "photo_help.h"

static void sized(struct help_bytes b, enum photo_kind kind, uint32_t width, uint32_t height)
{
	struct photo_header out;
	assert_int_equal(photo_read_both(&b, &out), PHOTO_READ);
	assert_int_equal(out.kind, kind);
	assert_int_equal(out.width, width);
	assert_int_equal(out.height, height);
	assert_int_equal(out.orientation, 1);
	assert_string_equal(out.captured, "");
	assert_false(out.has_place);
	assert_false(out.exif_broken);
}

static void refused(struct help_bytes b, enum photo_refusal refusal)
{
	struct photo_header out;
	assert_int_equal(photo_read_both(&b, &out), PHOTO_REFUSED);
	assert_string_equal(photo_refusal_code(out.refusal), photo_refusal_code(refusal));
	assert_true(strlen(photo_refusal_hint(out.refusal)) > 10);
}

static struct help_bytes bytes_of(const char *at, size_t len)
{
	struct help_bytes b = { 0 };
	help_add(&b, at, len);
	return b;
}

static struct help_bytes vp8_file(unsigned width, unsigned height)
{
	struct help_bytes chunks = { 0 };
	photo_vp8(&chunks, width, height);
	return photo_webp(&chunks);
}

static struct help_bytes vp8l_file(unsigned width, unsigned height)
{
	struct help_bytes chunks = { 0 };
	photo_vp8l(&chunks, width, height);
	return photo_webp(&chunks);
}

static void test_size_of_each_kind(void **state)
{
	(void)state;
	struct slice none = { 0 };
	sized(photo_jpeg(4032, 3024, none), PHOTO_JPEG, 4032, 3024);
	sized(photo_png(1170, 2532, none), PHOTO_PNG, 1170, 2532);
	sized(vp8_file(640, 480), PHOTO_WEBP, 640, 480);
	sized(vp8l_file(16383, 1), PHOTO_WEBP, 16383, 1);
	struct help_bytes chunks = { 0 };
	photo_vp8x(&chunks, 0x30, 300, 200);
	photo_riff(&chunks, "ICCP", SLICE("odd"));
	photo_riff(&chunks, "ALPH", SLICE("plane"));
	photo_vp8(&chunks, 300, 200);
	sized(photo_webp(&chunks), PHOTO_WEBP, 300, 200);
}

/* One JPEG whose frame has this marker. */
static struct help_bytes jpeg_framed(unsigned marker, unsigned components)
{
	struct help_bytes b = { 0 };
	photo_jfif(&b);
	photo_frame(&b, marker, 30, 20, components);
	photo_scan(&b);
	return b;
}

static void test_frames_of_jpeg(void **state)
{
	(void)state;
	sized(jpeg_framed(0xC0, 1), PHOTO_JPEG, 30, 20);
	sized(jpeg_framed(0xC1, 3), PHOTO_JPEG, 30, 20);
	sized(jpeg_framed(0xC2, 4), PHOTO_JPEG, 30, 20); /* progressive, CMYK */
	refused(jpeg_framed(0xC2, 2), PHOTO_REFUSED_UNSUPPORTED);
	for (unsigned marker = 0xC3; marker <= 0xCF; marker++)
		if (marker != 0xC4)
			refused(jpeg_framed(marker, 3), PHOTO_REFUSED_UNSUPPORTED);
	refused(jpeg_framed(0xDE, 3), PHOTO_REFUSED_UNSUPPORTED);
	refused(jpeg_framed(0xF7, 3), PHOTO_REFUSED_UNSUPPORTED);
	for (unsigned marker = 0x02; marker < 0xC0; marker++)
		refused(jpeg_framed(marker, 3), PHOTO_REFUSED_MALFORMED);
	for (unsigned marker = 0xD0; marker <= 0xD9; marker++) /* RST, SOI, EOI */
		refused(jpeg_framed(marker, 3), PHOTO_REFUSED_MALFORMED);
	refused(jpeg_framed(0x00, 3), PHOTO_REFUSED_MALFORMED);
	refused(jpeg_framed(0xDC, 3), PHOTO_REFUSED_MALFORMED);
}

static void test_markers_of_jpeg(void **state)
{
	(void)state;
	struct help_bytes b = { 0 };
	photo_jfif(&b);
	photo_segment(&b, 0xFE, SLICE("a comment"));
	help_add(&b, "\xFF\xFF\xFF\xFF\x01", 5); /* fill bytes, then TEM */
	photo_segment(&b, 0xC4, SLICE("tables"));
	photo_segment(&b, 0xE1, SLICE("http://ns.adobe.com/xap/1.0/ and the rest"));
	photo_segment(&b, 0xE1, SLICE("short"));
	photo_frame(&b, 0xC0, 5, 6, 3);
	photo_segment(&b, 0xDB, SLICE("quantisation behind the frame"));
	photo_scan(&b);
	sized(b, PHOTO_JPEG, 5, 6);
}

static void test_jpeg_that_cannot_be(void **state)
{
	(void)state;
	struct help_bytes b = { 0 };
	photo_jfif(&b);
	photo_scan(&b);
	refused(b, PHOTO_REFUSED_MALFORMED); /* a scan without a frame */

	b = (struct help_bytes){ 0 };
	photo_jfif(&b);
	help_add_text(&b, "stray bytes, and some more of them to make up the length");
	refused(b, PHOTO_REFUSED_MALFORMED);

	b = (struct help_bytes){ 0 };
	photo_jfif(&b);
	photo_frame(&b, 0xC0, 30, 20, 3);
	photo_frame(&b, 0xC0, 60000, 60000, 3); /* which one does the decoder believe? */
	photo_scan(&b);
	refused(b, PHOTO_REFUSED_MALFORMED);

	b = (struct help_bytes){ 0 };
	photo_jfif(&b);
	photo_segment(&b, 0xC0, (struct slice){ "\x08\0\x14\0\x1E\x03 too short for three components", 36 });
	photo_scan(&b);
	refused(b, PHOTO_REFUSED_MALFORMED);

	b = (struct help_bytes){ 0 };
	photo_jfif(&b);
	photo_segment(&b, 0xC0, SLICE("\x08"));
	photo_scan(&b);
	refused(b, PHOTO_REFUSED_MALFORMED);

	b = (struct help_bytes){ 0 };
	photo_jfif(&b);
	help_add(&b, "\xFF\xE2\0\1", 4); /* a length that does not cover itself */
	photo_scan(&b);
	refused(b, PHOTO_REFUSED_MALFORMED);

	b = jpeg_framed(0xC0, 3);
	b.at[2 + 18 + 4] = 12; /* precision */
	refused(b, PHOTO_REFUSED_UNSUPPORTED);
	refused(photo_jpeg(30, 0, (struct slice){ 0 }), PHOTO_REFUSED_UNSUPPORTED); /* lines come in a DNL */
	refused(photo_jpeg(0, 30, (struct slice){ 0 }), PHOTO_REFUSED_MALFORMED);
}

static void test_png_that_cannot_be(void **state)
{
	(void)state;
	static const char *const wrong[] = { "\x08\x01\0\0\0", "\x08\x05\0\0\0", "\x08\x07\0\0\0",
					     "\x03\0\0\0\0",   "\x10\x03\0\0\0", "\x08\x02\1\0\0",
					     "\x08\x02\0\1\0", "\x08\x02\0\0\2" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct help_bytes b = { 0 };
		photo_png_header(&b, 3, 3, wrong[i]);
		photo_chunk(&b, "IDAT", SLICE("pixels, and some more of them to make up the length"));
		refused(b, PHOTO_REFUSED_MALFORMED);
	}
	refused(photo_png(0, 3, (struct slice){ 0 }), PHOTO_REFUSED_MALFORMED);
	refused(photo_png(3, 0x80000001, (struct slice){ 0 }), PHOTO_REFUSED_MALFORMED);
	struct help_bytes b = photo_png(3, 3, (struct slice){ 0 });
	b.at[30] ^= 1; /* the check sum of IHDR */
	refused(b, PHOTO_REFUSED_MALFORMED);
	b = photo_png(3, 3, (struct slice){ 0 });
	b.at[11] ^= 1; /* its length */
	refused(b, PHOTO_REFUSED_MALFORMED);
	b = photo_png(3, 3, (struct slice){ 0 });
	b.at[12] = 'i';
	refused(b, PHOTO_REFUSED_MALFORMED);
	static const char *const chunks[] = { "IHDR", "IEND", "a1bc", "ab{c" };
	for (size_t i = 0; i < 4; i++) {
		b = (struct help_bytes){ 0 };
		photo_png_header(&b, 3, 3, "\x08\x02\0\0\1");
		photo_chunk(&b, chunks[i], SLICE("some bytes to make up the length that is looked at"));
		refused(b, PHOTO_REFUSED_MALFORMED);
	}
	b = (struct help_bytes){ 0 };
	photo_png_header(&b, 3, 3, "\x08\x02\0\0\0");
	photo_big(&b, 0x80000000, 4);
	help_add_text(&b, "tEXt with a length that is none, and some bytes more");
	refused(b, PHOTO_REFUSED_MALFORMED);
}

static void test_webp_that_cannot_be(void **state)
{
	(void)state;
	struct help_bytes chunks = { 0 };
	photo_vp8x(&chunks, 0, 300, 200);
	photo_vp8(&chunks, 16000, 16000); /* a small canvas over a big picture */
	refused(photo_webp(&chunks), PHOTO_REFUSED_MALFORMED);
	chunks = (struct help_bytes){ 0 };
	photo_vp8x(&chunks, 0, 300, 200);
	photo_vp8l(&chunks, 300, 201);
	refused(photo_webp(&chunks), PHOTO_REFUSED_MALFORMED);
	chunks = (struct help_bytes){ 0 };
	photo_vp8x(&chunks, 0, 300, 200);
	photo_riff(&chunks, "ICCP", SLICE("and no picture at all, though the file ends here"));
	refused(photo_webp(&chunks), PHOTO_REFUSED_MALFORMED);
	chunks = (struct help_bytes){ 0 };
	photo_riff(&chunks, "ICCP", SLICE("what cannot stand first, as long as it may be"));
	photo_vp8(&chunks, 3, 3);
	refused(photo_webp(&chunks), PHOTO_REFUSED_MALFORMED);
	chunks = (struct help_bytes){ 0 };
	photo_riff(&chunks, "VP8X", SLICE("short"));
	photo_vp8(&chunks, 3, 3);
	refused(photo_webp(&chunks), PHOTO_REFUSED_MALFORMED);
	chunks = (struct help_bytes){ 0 };
	photo_riff(&chunks, "VP8L", SLICE("\x2F"));
	photo_vp8(&chunks, 3, 3);
	refused(photo_webp(&chunks), PHOTO_REFUSED_MALFORMED);
	chunks = (struct help_bytes){ 0 };
	photo_riff(&chunks, "VP8 ", SLICE("\x10"));
	photo_vp8(&chunks, 3, 3);
	refused(photo_webp(&chunks), PHOTO_REFUSED_MALFORMED);
	refused(vp8_file(0, 3), PHOTO_REFUSED_MALFORMED);
	static const size_t wrong[] = { 20, 23, 24, 25 }; /* key frame, start code */
	for (size_t i = 0; i < 4; i++) {
		struct help_bytes b = vp8_file(3, 3);
		b.at[wrong[i]] ^= 1;
		refused(b, PHOTO_REFUSED_MALFORMED);
	}
	struct help_bytes b = vp8l_file(3, 3);
	b.at[20] ^= 1;
	refused(b, PHOTO_REFUSED_MALFORMED);
	b = vp8l_file(3, 3);
	b.at[24] |= (char)0x80; /* version */
	refused(b, PHOTO_REFUSED_MALFORMED);
	b = vp8_file(3, 3);
	b.at[18] = 1; /* a chunk that is longer than the file */
	refused(b, PHOTO_REFUSED_MALFORMED);
}

static void test_moving_pictures(void **state)
{
	(void)state;
	struct help_bytes b = { 0 };
	photo_vp8x(&b, 0x02, 300, 200);
	photo_riff(&b, "ANIM", SLICE("frames, and some more of them to make up the length"));
	refused(photo_webp(&b), PHOTO_REFUSED_ANIMATED);
	b = (struct help_bytes){ 0 };
	photo_png_header(&b, 3, 3, "\x08\x02\0\0\0");
	photo_chunk(&b, "acTL", SLICE("\0\0\0\2\0\0\0\0"));
	photo_chunk(&b, "IDAT", SLICE("pixels"));
	refused(b, PHOTO_REFUSED_ANIMATED);
}

static void test_pixel_bombs(void **state)
{
	(void)state;
	struct slice none = { 0 };
	sized(photo_jpeg(20000, 5000, none), PHOTO_JPEG, 20000, 5000);
	refused(photo_jpeg(20000, 5001, none), PHOTO_REFUSED_PIXELS);
	refused(photo_jpeg(20001, 1, none), PHOTO_REFUSED_PIXELS);
	refused(photo_jpeg(1, 20001, none), PHOTO_REFUSED_PIXELS);
	refused(photo_png(0x7FFFFFFF, 0x7FFFFFFF, none), PHOTO_REFUSED_PIXELS);
	refused(vp8l_file(16384, 16384), PHOTO_REFUSED_PIXELS);
	struct help_bytes chunks = { 0 };
	photo_vp8x(&chunks, 0, 1 << 24, 1 << 24);
	photo_vp8(&chunks, 3, 3);
	refused(photo_webp(&chunks), PHOTO_REFUSED_PIXELS);
}

static void test_what_is_no_photo(void **state)
{
	(void)state;
	static const char heic[] =
		"\0\0\0\x18"
		"ftypheic\0\0\0\0mif1heic and what a camera would have put here, at length";
	static const char mif1[] = "\0\0\0\x1C"
				   "ftypmif1\0\0\0\0mif1avifmiaf and what else there is in a file like this";
	static const char mp4[] = "\0\0\0\x18"
				  "ftypisom\0\0\0\0isommp42 and a film that nobody has asked for, at length";
	struct photo_header out;
	struct help_bytes b = bytes_of(heic, sizeof heic);
	assert_int_equal(photo_read_both(&b, &out), PHOTO_REFUSED);
	assert_int_equal(out.kind, PHOTO_HEIC);
	assert_int_equal(out.refusal, PHOTO_REFUSED_HEIC);
	b = bytes_of(mif1, sizeof mif1);
	assert_int_equal(photo_read_both(&b, &out), PHOTO_REFUSED);
	assert_int_equal(out.kind, PHOTO_AVIF);
	assert_int_equal(out.refusal, PHOTO_REFUSED_HEIC);
	b = bytes_of(heic, 24); /* a box and nothing behind it */
	refused(b, PHOTO_REFUSED_HEIC);
	refused(bytes_of(mp4, sizeof mp4), PHOTO_REFUSED_KIND);
	refused(bytes_of("GIF89a, a moving picture of the last century", 40), PHOTO_REFUSED_KIND);
	refused(bytes_of("RIFF\0\0\0\0WAVEfmt ", 16), PHOTO_REFUSED_KIND);
	refused(bytes_of("\xFF\xD8 almost a JPEG", 12), PHOTO_REFUSED_KIND);
	refused(bytes_of("\xFF\xD8\xFF", 3), PHOTO_REFUSED_TRUNCATED);
	refused(bytes_of("", 0), PHOTO_REFUSED_TRUNCATED);
}

/* A photo cut short anywhere is refused, as truncated, as long as its header is not whole. */
static void cut_anywhere(struct help_bytes b, size_t header)
{
	struct photo_header out;
	size_t need;
	for (size_t len = 12; len < b.len; len++) {
		enum photo_answer answer =
			photo_read((struct slice){ b.at, len }, true, &photo_limits, &out, &need);
		assert_int_equal(answer, len < header ? PHOTO_REFUSED : PHOTO_READ);
		if (len < header)
			assert_int_equal(out.refusal, PHOTO_REFUSED_TRUNCATED);
		answer = photo_read((struct slice){ b.at, len }, false, &photo_limits, &out, &need);
		assert_int_not_equal(answer, PHOTO_REFUSED);
	}
	free(b.at);
}

static void test_photos_cut_short(void **state)
{
	(void)state;
	struct photo_exif exif = { .orientation = 6, .taken = "2026:11:22 08:00:00" };
	struct help_bytes tiff = photo_tiff(&exif);
	struct slice t = help_taken(&tiff);
	cut_anywhere(photo_jpeg(30, 20, t), 2 + 18 + 4 + 6 + t.len + 2 + 17 + 2);
	cut_anywhere(photo_png(30, 20, t), 8 + 25 + 13 + 12 + t.len + 8);
	struct help_bytes vp8 = vp8_file(3, 3);
	cut_anywhere(vp8, vp8.len); /* the file says how long it is */
	free(tiff.at);
}

static void test_how_far_it_looks(void **state)
{
	(void)state;
	static const struct photo_limits near_limits = { 20000, 100000000, 100 };
	struct photo_header out;
	size_t need;
	struct help_bytes b = { 0 };
	photo_jfif(&b);
	photo_segment(&b, 0xFE,
		      SLICE("a long comment, and the size of the picture stands behind it, too far "
			    "away to be seen from here"));
	photo_frame(&b, 0xC0, 3, 3, 3);
	photo_scan(&b);
	assert_int_equal(photo_read(help_taken(&b), true, &near_limits, &out, &need), PHOTO_REFUSED);
	assert_int_equal(out.refusal, PHOTO_REFUSED_LONG);
	free(b.at);
	b = (struct help_bytes){ 0 };
	photo_vp8x(&b, 0x08, 3, 3);
	photo_vp8(&b, 3, 3);
	photo_riff(&b, "EXIF", SLICE("not looked at"));
	b = photo_webp(&b);
	assert_int_equal(photo_read(help_taken(&b), true, &near_limits, &out, &need), PHOTO_READ);
	assert_int_equal(out.width, 3);
	assert_false(out.exif_broken);
	assert_int_equal(photo_read(help_taken(&b), true, &photo_limits, &out, &need), PHOTO_READ);
	assert_true(out.exif_broken);
	free(b.at);
	static const struct photo_limits blind = { 20000, 100000000, 10 };
	assert_int_equal(photo_read(SLICE("anything at all"), false, &blind, &out, &need), PHOTO_REFUSED);
	assert_int_equal(out.refusal, PHOTO_REFUSED_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_of_each_kind),  cmocka_unit_test(test_frames_of_jpeg),
		cmocka_unit_test(test_markers_of_jpeg),    cmocka_unit_test(test_jpeg_that_cannot_be),
		cmocka_unit_test(test_png_that_cannot_be), cmocka_unit_test(test_webp_that_cannot_be),
		cmocka_unit_test(test_moving_pictures),    cmocka_unit_test(test_pixel_bombs),
		cmocka_unit_test(test_what_is_no_photo),   cmocka_unit_test(test_photos_cut_short),
		cmocka_unit_test(test_how_far_it_looks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
