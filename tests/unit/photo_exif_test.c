/* SPDX-License-Identifier: Apache-2.0
 * Orientation, time and place out of EXIF in each kind of photo; and EXIF that lies, which costs the photo
 * nothing but what it would have said. */
#include "photo_help.h"
#include "service/photo_exif.h"
#include <math.h>

static const struct photo_exif tongxin = { .orientation = 6,
					   .taken = "2026:11:22 08:05:09",
					   .digitized = "2001:01:01 00:00:00",
					   .offset = "+08:00",
					   .latitude = { 36, 1, 58, 1, 3540, 100 },
					   .longitude = { 105, 1, 54, 1, 0, 1 },
					   .latitude_ref = "N",
					   .longitude_ref = "E" };

static struct photo_header read_tiff(struct slice bytes)
{
	struct photo_header out = { .orientation = 1 };
	char *copy = malloc(bytes.len + !bytes.len);
	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	photo_exif_read((struct slice){ copy, bytes.len }, &out);
	free(copy);
	assert_true(out.orientation >= 1 && out.orientation <= 8);
	return out;
}

static struct photo_header read_exif(const struct photo_exif *exif)
{
	struct help_bytes tiff = photo_tiff(exif);
	struct photo_header out = read_tiff(help_taken(&tiff));
	free(tiff.at);
	assert_false(out.exif_broken);
	return out;
}

static void is_tongxin(const struct photo_header *out)
{
	assert_int_equal(out->orientation, 6);
	assert_string_equal(out->captured, "2026-11-22T08:05:09+08:00");
	assert_true(out->has_place);
	assert_true(fabs(out->latitude - 36.9765) < 1e-9);
	assert_true(fabs(out->longitude - 105.9) < 1e-9);
	assert_false(out->exif_broken);
}

static void photo_is_tongxin(struct help_bytes b)
{
	struct photo_header out;
	assert_int_equal(photo_read_both(&b, &out), PHOTO_READ);
	is_tongxin(&out);
}

static void test_exif_of_each_kind(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct photo_exif exif = tongxin;
		exif.big_endian = big;
		struct help_bytes tiff = photo_tiff(&exif), chunks = { 0 }, marked = { 0 };
		photo_is_tongxin(photo_jpeg(30, 20, help_taken(&tiff)));
		photo_is_tongxin(photo_png(30, 20, help_taken(&tiff)));
		photo_vp8x(&chunks, 0x08, 3, 3);
		photo_vp8(&chunks, 3, 3);
		photo_riff(&chunks, "EXIF", help_taken(&tiff));
		photo_is_tongxin(photo_webp(&chunks));
		chunks = (struct help_bytes){ 0 }; /* in front of the picture, and with the mark of JPEG */
		help_add(&marked, "Exif\0\0", 6);
		help_add(&marked, tiff.at, tiff.len);
		photo_vp8x(&chunks, 0x08, 3, 3);
		photo_riff(&chunks, "EXIF", help_taken(&marked));
		photo_vp8l(&chunks, 3, 3);
		photo_is_tongxin(photo_webp(&chunks));
		free(tiff.at);
		free(marked.at);
	}
}

static void test_the_first_exif_of_a_jpeg_counts(void **state)
{
	(void)state;
	struct photo_exif other = { .orientation = 3 };
	struct help_bytes first = photo_tiff(&tongxin), second = photo_tiff(&other), b = { 0 };
	photo_jfif(&b);
	photo_app1(&b, help_taken(&first));
	photo_app1(&b, help_taken(&second));
	photo_frame(&b, 0xC2, 3, 3, 3);
	photo_scan(&b);
	photo_is_tongxin(b);
	free(first.at);
	free(second.at);
}

static void test_exif_announced_in_webp_but_not_there(void **state)
{
	(void)state;
	struct help_bytes chunks = { 0 };
	struct photo_header out;
	photo_vp8x(&chunks, 0x08, 3, 3);
	photo_vp8(&chunks, 3, 3);
	struct help_bytes b = photo_webp(&chunks);
	assert_int_equal(photo_read_both(&b, &out), PHOTO_READ);
	assert_string_equal(out.captured, "");
}

static void taken_is(const char *taken, const char *digitized, const char *offset, const char *captured)
{
	struct photo_exif exif = { .taken = taken, .digitized = digitized, .offset = offset };
	struct photo_header out = read_exif(&exif);
	assert_string_equal(out.captured, captured);
}

static void test_times(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"0000:11:22 08:00:00", "2026:00:22 08:00:00", "2026:13:22 08:00:00", "2026:11:00 08:00:00",
		"2026:11:31 08:00:00", "2026:02:29 08:00:00", "1900:02:29 08:00:00", "2026:11:22 24:00:00",
		"2026:11:22 08:60:00", "2026:11:22 08:00:60", "2026-11:22 08:00:00", "2026:11-22 08:00:00",
		"2026:11:22T08:00:00", "2026:11:22 08.00:00", "2026:11:22 08:00.00", "    :  :     :  :  ",
		"2026:11:22 xx:00:00", "2026:11:22 08:xx:00", "2026:11:22 08:00:xx", "2026:11:22",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		taken_is(wrong[i], NULL, "+08:00", "");
	taken_is("2024:02:29 23:59:59", NULL, NULL, "2024-02-29T23:59:59");
	taken_is("2000:02:29 00:00:00", NULL, NULL, "2000-02-29T00:00:00");
	taken_is(NULL, "2024:02:28 23:59:59", "+08:00",
		 "2024-02-28T23:59:59"); /* the offset is of the other */
	taken_is("9999:12:31 00:00:00", NULL, "-14:59", "9999-12-31T00:00:00-14:59");
	static const char *const offsets[] = { "08:00",  " 08:00", "+15:00", "+08:60",
					       "+08.00", "+xx:00", "+08:xx" };
	for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
		taken_is("2026:11:22 08:00:00", NULL, offsets[i], "2026-11-22T08:00:00");
}

static void place_is(struct photo_exif exif, bool has_place, double latitude, double longitude)
{
	struct photo_header out = read_exif(&exif);
	assert_int_equal(out.has_place, has_place);
	assert_true(fabs(out.latitude - latitude) < 1e-9 && fabs(out.longitude - longitude) < 1e-9);
}

static void test_places(void **state)
{
	(void)state;
	struct photo_exif exif = tongxin;
	exif.latitude_ref = "S";
	exif.longitude_ref = "W";
	place_is(exif, true, -36.9765, -105.9);
	exif.latitude_ref = "x";
	place_is(exif, false, 0, 0);
	exif.latitude_ref = NULL;
	place_is(exif, false, 0, 0);
	exif = tongxin;
	exif.longitude_ref = "?";
	place_is(exif, false, 0, 0);
	exif = tongxin;
	exif.latitude[1] = 0; /* a fraction over nothing */
	place_is(exif, false, 0, 0);
	exif = tongxin;
	exif.latitude[0] = 91;
	place_is(exif, false, 0, 0);
	exif = tongxin;
	exif.longitude[0] = 4294967295;
	place_is(exif, false, 0, 0);
	exif = (struct photo_exif){ .latitude = { 0, 1, 0, 1, 0, 1 },
				    .longitude = { 0, 1, 0, 1, 0, 1 },
				    .latitude_ref = "N",
				    .longitude_ref = "E" };
	place_is(exif, false, 0, 0); /* what telephones write that do not know */
	exif.longitude[0] = 6;
	place_is(exif, true, 0, 6);
	exif = (struct photo_exif){ .orientation = 9 };
	assert_int_equal(read_exif(&exif).orientation, 1);
}

/* Whatever is cut off or wrong, nothing beyond the bytes is read and no nonsense comes out. */
static void test_exif_cut_and_falsified(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct photo_exif exif = tongxin;
		exif.big_endian = big;
		struct help_bytes tiff = photo_tiff(&exif);
		for (size_t len = 0; len < tiff.len; len++)
			assert_true(read_tiff((struct slice){ tiff.at, len }).exif_broken);
		for (size_t at = 0; at < tiff.len; at++) {
			char kept = tiff.at[at];
			tiff.at[at] = (char)0xFF;
			read_tiff(help_taken(&tiff));
			tiff.at[at] = 0;
			read_tiff(help_taken(&tiff));
			tiff.at[at] = kept;
		}
		free(tiff.at);
	}
}

static void test_what_is_no_exif(void **state)
{
	(void)state;
	assert_true(read_tiff(SLICE("")).exif_broken);
	assert_true(read_tiff(SLICE("IM*\0\x08\0\0\0\0\0")).exif_broken);
	assert_true(read_tiff(SLICE("XX*\0\x08\0\0\0\0\0")).exif_broken);
	assert_true(read_tiff(SLICE("II+\0\x08\0\0\0\0\0")).exif_broken);
	assert_false(read_tiff(SLICE("II*\0\x08\0\0\0\0\0")).exif_broken);
	/* A directory that points at itself is read once. */
	static const char loop[] =
		"II*\0\x08\0\0\0\2\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x25\x88\4\0\1\0\0\0\x08\0\0\0";
	assert_false(read_tiff((struct slice){ loop, sizeof loop }).exif_broken);
	/* A photo keeps its size. */
	struct help_bytes b = photo_jpeg(30, 20, SLICE("nonsense"));
	struct photo_header out;
	assert_int_equal(photo_read_both(&b, &out), PHOTO_READ);
	assert_true(out.exif_broken);
	assert_int_equal(out.width, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exif_of_each_kind),
		cmocka_unit_test(test_the_first_exif_of_a_jpeg_counts),
		cmocka_unit_test(test_exif_announced_in_webp_but_not_there),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_exif_cut_and_falsified),
		cmocka_unit_test(test_what_is_no_exif),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
