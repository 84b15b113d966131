/* SPDX-License-Identifier: Apache-2.0
 * The header fields of a photo that comes in parts. */
#include "api/photo_range.h"
#include "unit.h"

static void ranges(void **state)
{
	struct photo_range r;
	(void)state;
	assert_true(photo_range_read((struct slice){ 0 }, &r) && !r.given);
	assert_true(photo_range_read(SLICE("bytes 0-0/1"), &r) && r.given && !r.asks && r.to == 0 &&
		    r.all == 1);
	assert_true(photo_range_read(SLICE("Bytes 5-9/20"), &r) && r.from == 5 && r.to == 9 && r.all == 20);
	assert_true(photo_range_read(SLICE("bytes */7"), &r) && r.given && r.asks && r.all == 7);
	static const char *const wrong[] = { "",
					     "bytes",
					     "bytes 0-1",
					     "bytes 0-1/",
					     "bytes 0-1/*",
					     "bytes 0-2/2",
					     "bytes 2-1/3",
					     "bytes -1/3",
					     "bytes 0-/3",
					     "bytes 0/3",
					     "bytes  0-1/3",
					     "octets 0-1/3",
					     "bytes 0-1/3 ",
					     "bytes */0",
					     "bytes 0-1/3/4",
					     "bytes +0-1/3",
					     "bytes 0-1/99999999999999999999" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (photo_range_read(slice_of(wrong[i]), &r))
			fail_msg("taken: %s", wrong[i]);
}

#define SUM "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static void digests(void **state)
{
	static const unsigned char empty[4] = { 0xE3, 0xB0, 0xC4,
						0x42 }; /* of nothing: SHA-256's e3b0c442… */
	static const char *const right[] = { "sha-256=:" SUM ":", "SHA-256=" SUM,
					     "md5=:abc:, sha-256=:" SUM ":",
					     "sha-512=x,sha-256=" SUM ",md5=y" };
	static const char *const none[] = { "", "md5=abc", "sha-512=:abc:", "sha-256", "," };
	static const char *const wrong[] = { "sha-256=", "sha-256=:abc:", "sha-256=:" SUM,
					     "sha-256=" SUM "AA==",
					     "sha-256=:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=:" };
	unsigned char out[PHOTO_DIGEST_BYTES];
	bool given;
	(void)state;
	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		assert_true(photo_digest_read(slice_of(right[i]), out, &given) && given);
		assert_memory_equal(out, empty, sizeof empty);
	}
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_true(photo_digest_read(slice_of(none[i]), out, &given) && !given);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (photo_digest_read(slice_of(wrong[i]), out, &given))
			fail_msg("taken: %s", wrong[i]);
}

static void uuids(void **state)
{
	char out[PHOTO_UUID_BYTES];
	static const char *const wrong[] = { "",
					     "6f9619ff-8b86-d011-b42d-00c04fc964f",
					     "6f9619ff-8b86-d011-b42d-00c04fc964fff",
					     "6f9619ff08b86-d011-b42d-00c04fc964ff",
					     "6f9619fg-8b86-d011-b42d-00c04fc964ff",
					     "../../..-8b86-d011-b42d-00c04fc964ff" };
	(void)state;
	assert_true(photo_uuid_read(SLICE("6F9619FF-8B86-D011-B42D-00c04fc964ff"), out));
	assert_string_equal(out, "6f9619ff-8b86-d011-b42d-00c04fc964ff");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_false(photo_uuid_read(slice_of(wrong[i]), out));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(ranges), cmocka_unit_test(digests),
					    cmocka_unit_test(uuids) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
