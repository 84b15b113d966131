/* SPDX-License-Identifier: Apache-2.0
 * See photo_take.h. */
#include "api/photo_take.h"
#include "service/photo_copies.h"
#include "service/photo_looks.h"
#include "service/photo_store.h"
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

static void write_facts(struct photo_taken *t, const struct photo_header *h, size_t bytes)
{
	static const char *const kinds[] = {
		[PHOTO_JPEG] = "jpeg", [PHOTO_PNG] = "png", [PHOTO_WEBP] = "webp"
	};
	bool lies = h->orientation >= 5; /* width and height are those of the upright picture */
	char place[100] = "";
	if (h->has_place)
		snprintf(place, sizeof place, ",\"longitude\":%.8f,\"latitude\":%.8f", h->longitude,
			 h->latitude);
	snprintf(t->facts, sizeof t->facts,
		 "{\"kind\":\"%s\",\"bytes\":%zu,\"width\":%u,\"height\":%u,\"captured\":\"%s\"%s}",
		 kinds[h->kind], bytes, lies ? h->height : h->width, lies ? h->width : h->height, h->captured,
		 place);
}

/* The original last: while it is not there, nothing of it counts. */
static bool put_files(const struct vault *vault, const char *folder, const char *hex, struct slice bytes,
		      const struct photo_copies *copies)
{
	return photo_store_put(vault, folder, hex, PHOTO_THUMB, copies->thumb) &&
	       photo_store_put(vault, folder, hex, PHOTO_VIEW, copies->view) &&
	       photo_store_put(vault, folder, hex, PHOTO_ORIGINAL, bytes);
}

static void keep(const struct vault *vault, const char *folder, struct slice bytes,
		 const struct photo_copies *copies, struct photo_taken *t)
{
	char hex[PHOTO_HEX_BYTES];
	int64_t looks = 0;
	vault_fingerprint(vault, bytes, t->print);
	photo_hex(t->print, hex);
	if (photo_looks(copies->grey, &looks))
		snprintf(t->looks, sizeof t->looks, "%lld", (long long)looks);
	t->held = photo_store_hold(folder, hex);
	if (t->held < 0 || !put_files(vault, folder, hex, bytes, copies))
		t->error = errno;
}

static bool digest_fits(struct slice bytes, const unsigned char *wanted)
{
	unsigned char found[crypto_hash_sha256_BYTES];
	crypto_hash_sha256(found, (const unsigned char *)bytes.at, bytes.len);
	return memcmp(found, wanted, sizeof found) == 0;
}

void photo_take(const struct vault *vault, const char *folder, struct slice bytes,
		const unsigned char *digest, struct photo_taken *out)
{
	struct photo_header header;
	struct photo_copies copies;
	size_t need;
	out->digest_wrong = digest && !digest_fits(bytes, digest);
	if (out->digest_wrong)
		return;
	if (photo_header_read(bytes, true, &photo_most, &header, &need) != PHOTO_READ) {
		out->refusal = header.refusal;
		return;
	}
	enum photo_decoded decoded = photo_copies_make(bytes, &header, &copies, &out->refusal);
	out->memory_lacks = decoded == PHOTO_DECODE_NO_MEMORY;
	if (decoded != PHOTO_DECODED)
		return;
	write_facts(out, &header, bytes.len);
	keep(vault, folder, bytes, &copies, out);
	photo_copies_free(&copies);
}

void photo_taken_end(struct photo_taken *taken)
{
	if (taken->held >= 0)
		close(taken->held);
	taken->held = -1;
}
