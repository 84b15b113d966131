/* SPDX-License-Identifier: Apache-2.0
 * Photos when memory ends: the n-th allocation of ours fails, for n = 0, 1, 2, … until all go well. Then
 * nothing is said about the photo, and nothing is lost or leaked (LeakSanitizer looks). */
#include "alloc_fail.h"
#include "photo_pixels_help.h"
#include "service/photo_copies.h"

static void survives(struct slice bytes)
{
	struct photo_header header;
	struct photo_copies made;
	enum photo_refusal refusal;
	size_t need;
	bool failed = true;
	assert_int_equal(photo_header_read(bytes, true, &photo_most, &header, &need), PHOTO_READ);
	header.orientation = 3;
	for (int n = 0; failed; n++) {
		assert_true(n < 1000);
		alloc_fail_at(n);
		enum photo_decoded decoded = photo_copies_make(bytes, &header, &made, &refusal);
		failed = alloc_fail_end();
		assert_int_equal(decoded, failed ? PHOTO_DECODE_NO_MEMORY : PHOTO_DECODED);
		if (decoded == PHOTO_DECODED)
			photo_copies_free(&made);
	}
	free((char *)(uintptr_t)bytes.at);
}

static void every_format(void **state)
{
	(void)state;
	survives(pixels_jpeg(60, 40, (struct pixels_jpeg){ 0 }));
	survives(pixels_png(60, 40, (struct pixels_png){ PNG_COLOR_TYPE_RGBA, 8, true, false }));
	survives(pixels_webp(60, 40, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_format) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
