/* SPDX-License-Identifier: Apache-2.0
 * JPEG (ITU-T T.81, annex B), PNG (ISO/IEC 15948), WebP (RFC 9649, VP8: RFC 6386, 9.1) and the file type box
 * of HEIC and AVIF (ISO/IEC 14496-12, 4.3).
 * Invariant: no byte is read that `have` was not asked for; each turn of a loop goes forward. */
#include "service/photo_exif.h"
#include <zlib.h>

struct look {
	const unsigned char *at;
	size_t len, need;   /* need: not 0 once `have` answered false */
	bool whole, enough; /* enough: what is still looked for may stay unknown */
	const struct photo_limits *limits;
	struct photo_header *out;
};

static const struct {
	const char *code, *hint;
} refusals[PHOTO_REFUSALS] = {
	[PHOTO_NOT_REFUSED] = { "none", "" },
	[PHOTO_REFUSED_KIND] = { "photo_kind", "Only JPEG, PNG and WebP photos are taken." },
	[PHOTO_REFUSED_HEIC] = { "photo_heic",
				 "This is a HEIC or AVIF photo. Set the camera to \"most compatible\" "
				 "(JPEG), or send it as JPEG." },
	[PHOTO_REFUSED_TRUNCATED] = { "photo_truncated", "The photo is not whole. Send it again." },
	[PHOTO_REFUSED_MALFORMED] = { "photo_malformed", "The photo is damaged." },
	[PHOTO_REFUSED_UNSUPPORTED] = { "photo_unsupported", "The photo is coded in a way that cannot be "
							     "read. Save it as an ordinary "
							     "JPEG." },
	[PHOTO_REFUSED_ANIMATED] = { "photo_animated", "A moving picture is not taken. Send a still one." },
	[PHOTO_REFUSED_PIXELS] = { "photo_too_many_pixels",
				   "The photo has too many pixels. Send a smaller one." },
	[PHOTO_REFUSED_LONG] = { "photo_header_too_long", "The photo carries too much besides the picture." },
};

const char *photo_refusal_code(enum photo_refusal refusal)
{
	return refusals[refusal].code;
}

const char *photo_refusal_hint(enum photo_refusal refusal)
{
	return refusals[refusal].hint;
}

static enum photo_answer refuse(struct look *l, enum photo_refusal refusal)
{
	l->out->refusal = refusal;
	return PHOTO_REFUSED;
}

/* Whether the bytes before `end` are there; if not, short_of says what that means. */
static bool have(struct look *l, uint64_t end)
{
	if (end <= l->len)
		return true;
	l->need = end <= l->limits->look_bytes ? (size_t)end : SIZE_MAX;
	return false;
}

/* A header that goes on too far away is refused; a mere EXIF there stays unknown. */
static enum photo_answer short_of(struct look *l)
{
	if (l->whole)
		return refuse(l, PHOTO_REFUSED_TRUNCATED);
	if (l->need != SIZE_MAX)
		return PHOTO_MORE;
	return l->enough ? PHOTO_READ : refuse(l, PHOTO_REFUSED_LONG);
}

static uint32_t big16(const unsigned char *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t big32(const unsigned char *at)
{
	return big16(at) << 16 | big16(at + 2);
}

static uint32_t little16(const unsigned char *at)
{
	return (uint32_t)at[1] << 8 | at[0];
}

static uint32_t little24(const unsigned char *at)
{
	return (uint32_t)at[2] << 16 | little16(at);
}

static uint32_t little32(const unsigned char *at)
{
	return little16(at + 2) << 16 | little16(at);
}

static bool is_tag(const unsigned char *at, const char *tag)
{
	return memcmp(at, tag, 4) == 0;
}

static struct slice slice_at(const struct look *l, size_t at, size_t len)
{
	return (struct slice){ (const char *)l->at + at, len };
}

/* PHOTO_READ when the size is within the limits. */
static enum photo_answer take_size(struct look *l, uint32_t width, uint32_t height)
{
	if (width == 0 || height == 0)
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	if (width > l->limits->side || height > l->limits->side ||
	    (uint64_t)width * height > l->limits->pixels)
		return refuse(l, PHOTO_REFUSED_PIXELS);
	l->out->width = width;
	l->out->height = height;
	return PHOTO_READ;
}

/* The bytes that some writers put in front of the TIFF structure, though only JPEG has them. */
static void take_exif(struct look *l, struct slice bytes)
{
	static const struct slice mark = { "Exif\0\0", 6 };
	if (bytes.len >= mark.len && memcmp(bytes.at, mark.at, mark.len) == 0)
		bytes = (struct slice){ bytes.at + mark.len, bytes.len - mark.len };
	photo_exif_read(bytes, l->out);
}

/* --- JPEG --- */

enum jpeg_meaning {
	JPEG_WRONG,
	JPEG_ALONE,
	JPEG_SKIPPED,
	JPEG_FRAME,
	JPEG_SCAN,
	JPEG_EXIF,
	JPEG_UNSUPPORTED
};

/* T.81, table B.1. Baseline, extended and progressive Huffman frames are read by everything; lossless,
 * hierarchical and arithmetic ones, and the later JPEG-LS, by hardly anything. */
static enum jpeg_meaning jpeg_meaning_of(unsigned marker)
{
	switch (marker) {
	case 0x01: /* TEM */
		return JPEG_ALONE;
	case 0xC0 ... 0xC2:
		return JPEG_FRAME;
	case 0xC4: /* DHT */
	case 0xDB: /* DQT */
	case 0xDD: /* DRI */
	case 0xE0: /* APP0, APP2 to APP15, COM */
	case 0xE2 ... 0xEF:
	case 0xFE:
		return JPEG_SKIPPED;
	case 0xE1:
		return JPEG_EXIF;
	case 0xDA:
		return JPEG_SCAN;
	case 0xC3:
	case 0xC5 ... 0xCF:
	case 0xDE ... 0xDF: /* DHP, EXP */
	case 0xF0 ... 0xFD:
		return JPEG_UNSUPPORTED;
	default: /* reserved; RST, SOI, EOI and DNL, which cannot stand in front of the first scan */
		return JPEG_WRONG;
	}
}

/* B.2.2: length, precision, lines, samples a line, components. Lines 0 would come in a DNL after the scan. */
static enum photo_answer read_frame(struct look *l, size_t at, size_t len)
{
	const unsigned char *frame = l->at + at;
	if (l->out->width)
		return refuse(l, PHOTO_REFUSED_MALFORMED); /* two sizes: who reads which? */
	if (len < 8 || len != 8 + 3 * (size_t)frame[7])
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	unsigned components = frame[7];
	if (frame[2] != 8 || (components != 1 && components != 3 && components != 4) || big16(frame + 3) == 0)
		return refuse(l, PHOTO_REFUSED_UNSUPPORTED);
	return take_size(l, big16(frame + 5), big16(frame + 3));
}

/* An APP1 that is not EXIF is XMP mostly; of several the first counts (EXIF 2.32, 4.7.2). */
static void read_app1(struct look *l, size_t at, size_t len, bool *seen)
{
	if (*seen || len < 8 || memcmp(l->at + at + 2, "Exif\0\0", 6) != 0)
		return;
	*seen = true;
	take_exif(l, slice_at(l, at + 2, len - 2));
}

/* The segment whose length stands at `at`; PHOTO_READ: on to the next one. */
static enum photo_answer read_segment(struct look *l, enum jpeg_meaning meaning, size_t at, size_t *len,
				      bool *exif_seen)
{
	if (!have(l, at + 2))
		return short_of(l);
	*len = big16(l->at + at);
	if (*len < 2)
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	if (meaning == JPEG_SKIPPED)
		return PHOTO_READ;
	if (!have(l, at + *len))
		return short_of(l);
	if (meaning == JPEG_FRAME)
		return read_frame(l, at, *len);
	read_app1(l, at, *len, exif_seen);
	return PHOTO_READ;
}

static enum photo_answer read_jpeg(struct look *l)
{
	bool exif_seen = false;
	for (size_t at = 2, len = 0;; at += len) {
		if (!have(l, at + 2))
			return short_of(l);
		if (l->at[at] != 0xFF)
			return refuse(l, PHOTO_REFUSED_MALFORMED);
		unsigned marker = l->at[at + 1];
		len = 1; /* a fill byte, B.1.1.2 */
		if (marker == 0xFF)
			continue;
		at += 2;
		len = 0;
		enum jpeg_meaning meaning = jpeg_meaning_of(marker);
		if (meaning == JPEG_ALONE)
			continue;
		if (meaning == JPEG_SCAN && l->out->width)
			return PHOTO_READ;
		if (meaning == JPEG_WRONG || meaning == JPEG_SCAN)
			return refuse(l, PHOTO_REFUSED_MALFORMED);
		if (meaning == JPEG_UNSUPPORTED)
			return refuse(l, PHOTO_REFUSED_UNSUPPORTED);
		enum photo_answer answer = read_segment(l, meaning, at, &len, &exif_seen);
		if (answer != PHOTO_READ || l->need)
			return answer;
	}
}

/* --- PNG --- */

enum { PNG_SIGNATURE = 8, PNG_CHUNK = 8, PNG_HEADER = 13, PNG_CRC = 4 };

/* 11.2.2, table 11.1: which bit depths each colour type takes, as a set of bits. */
static bool png_depth_fits(unsigned depth, unsigned colour)
{
	static const unsigned depths[7] = {
		[0] = 1 | 2 | 4 | 8 | 16, [2] = 8 | 16, [3] = 1 | 2 | 4 | 8, [4] = 8 | 16, [6] = 8 | 16
	};
	bool power = depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
	return power && colour < 7 && (depths[colour] & depth) != 0;
}

static enum photo_answer read_png_header(struct look *l, size_t at)
{
	const unsigned char *chunk = l->at + at, *header = chunk + PNG_CHUNK;
	if (big32(chunk) != PNG_HEADER || !is_tag(chunk + 4, "IHDR"))
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	if (crc32(0, chunk + 4, 4 + PNG_HEADER) != big32(header + PNG_HEADER))
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	/* compression 0, filter 0, interlaced or not; a length of 2³¹ and more is none (7.1) */
	if (!png_depth_fits(header[8], header[9]) || header[10] != 0 || header[11] != 0 || header[12] > 1 ||
	    (big32(header) | big32(header + 4)) >> 31)
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	return take_size(l, big32(header), big32(header + 4));
}

static bool is_chunk_name(const unsigned char *at)
{
	for (int i = 0; i < 4; i++)
		if ((at[i] | 0x20) < 'a' || (at[i] | 0x20) > 'z')
			return false;
	return true;
}

static enum photo_answer read_png(struct look *l)
{
	uint64_t at = PNG_SIGNATURE;
	if (!have(l, at + PNG_CHUNK + PNG_HEADER + PNG_CRC))
		return short_of(l);
	enum photo_answer answer = read_png_header(l, (size_t)at);
	if (answer != PHOTO_READ)
		return answer;
	for (at += PNG_CHUNK + PNG_HEADER + PNG_CRC;;) {
		if (!have(l, at + PNG_CHUNK))
			return short_of(l);
		const unsigned char *chunk = l->at + at;
		uint32_t len = big32(chunk);
		if (len >> 31 || !is_chunk_name(chunk + 4) || is_tag(chunk + 4, "IHDR") ||
		    is_tag(chunk + 4, "IEND"))
			return refuse(l, PHOTO_REFUSED_MALFORMED);
		if (is_tag(chunk + 4, "acTL"))
			return refuse(l, PHOTO_REFUSED_ANIMATED);
		if (is_tag(chunk + 4, "IDAT"))
			return PHOTO_READ;
		if (is_tag(chunk + 4, "eXIf")) {
			if (!have(l, at + PNG_CHUNK + len))
				return short_of(l);
			take_exif(l, slice_at(l, (size_t)at + PNG_CHUNK, len));
		}
		at += (uint64_t)PNG_CHUNK + len + PNG_CRC;
	}
}

/* --- WebP --- */

enum { RIFF_HEADER = 12, RIFF_CHUNK = 8, WEBP_EXIF = 0x08, WEBP_ANIMATED = 0x02 };

struct webp {
	uint64_t end; /* of the file, as it says itself */
	bool extended, wants_exif;
};

/* One size: where the canvas and the picture say different ones, the file is wrong (RFC 9649, 2.7). */
static enum photo_answer take_webp_size(struct look *l, const struct webp *w, uint32_t width, uint32_t height)
{
	if (w->extended && (width != l->out->width || height != l->out->height))
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	return take_size(l, width, height);
}

/* RFC 6386, 9.1: a key frame's tag, its start code, and two times 14 bits with 2 bits of scaling above. */
static enum photo_answer read_vp8(struct look *l, struct webp *w, const unsigned char *data, uint32_t len)
{
	if (len < 10 || (data[0] & 1) != 0 || data[3] != 0x9D || data[4] != 0x01 || data[5] != 0x2A)
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	l->enough = true;
	return take_webp_size(l, w, little16(data + 6) & 0x3FFF, little16(data + 8) & 0x3FFF);
}

/* RFC 9649, 3.4: signature, 14 bits of width - 1, 14 of height - 1, alpha, 3 bits of version 0. */
static enum photo_answer read_vp8l(struct look *l, struct webp *w, const unsigned char *data, uint32_t len)
{
	if (len < 5 || data[0] != 0x2F || data[4] >> 5 != 0)
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	uint32_t bits = little32(data + 1);
	l->enough = true;
	return take_webp_size(l, w, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1);
}

/* RFC 9649, 2.7: flags, three bytes reserved, 24 bits each of canvas width - 1 and height - 1. */
static enum photo_answer read_vp8x(struct look *l, struct webp *w, const unsigned char *data, uint32_t len)
{
	if (len < 10)
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	if (data[0] & WEBP_ANIMATED)
		return refuse(l, PHOTO_REFUSED_ANIMATED);
	w->extended = true;
	w->wants_exif = (data[0] & WEBP_EXIF) != 0;
	return take_size(l, little24(data + 4) + 1, little24(data + 7) + 1);
}

/* The chunk at `at`, whose header is there and whose end is within the file. */
static enum photo_answer read_webp_chunk(struct look *l, struct webp *w, uint64_t at)
{
	enum { VP8X = 10, PICTURE = 10 }; /* as many bytes as are looked at */
	const unsigned char *chunk = l->at + at, *data = chunk + RIFF_CHUNK;
	uint32_t len = little32(chunk + 4);
	bool first = at == RIFF_HEADER, exif = w->extended && is_tag(chunk, "EXIF");
	bool vp8 = is_tag(chunk, "VP8 ") && !l->enough, vp8l = is_tag(chunk, "VP8L") && !l->enough;
	bool vp8x = first && is_tag(chunk, "VP8X");
	uint64_t part = exif ? len : len < PICTURE ? len : PICTURE;
	if (first && !vp8 && !vp8l && !vp8x)
		return refuse(l, PHOTO_REFUSED_MALFORMED);
	if ((vp8 || vp8l || vp8x || exif) && !have(l, at + RIFF_CHUNK + part))
		return short_of(l);
	if (vp8)
		return read_vp8(l, w, data, len);
	if (vp8l)
		return read_vp8l(l, w, data, len);
	if (vp8x)
		return read_vp8x(l, w, data, len);
	if (exif) {
		w->wants_exif = false;
		take_exif(l, slice_at(l, (size_t)at + RIFF_CHUNK, len));
	}
	return PHOTO_READ;
}

static enum photo_answer read_webp(struct look *l)
{
	struct webp w = { .end = (uint64_t)little32(l->at + 4) + RIFF_CHUNK };
	if (l->whole && w.end > l->len)
		return refuse(l, PHOTO_REFUSED_TRUNCATED);
	for (uint64_t at = RIFF_HEADER; !l->enough || w.wants_exif;) {
		if (at + RIFF_CHUNK > w.end)
			return l->enough ? PHOTO_READ : refuse(l, PHOTO_REFUSED_MALFORMED);
		if (!have(l, at + RIFF_CHUNK))
			return short_of(l);
		uint32_t len = little32(l->at + at + 4);
		if (at + RIFF_CHUNK + len > w.end)
			return refuse(l, PHOTO_REFUSED_MALFORMED);
		enum photo_answer answer = read_webp_chunk(l, &w, at);
		if (answer != PHOTO_READ || l->need)
			return answer;
		at += (uint64_t)RIFF_CHUNK + len + (len & 1);
	}
	return PHOTO_READ;
}

/* --- which of them --- */

enum { BRAND_BYTES = 64 }; /* the brands that count come first */

/* The file type box: a major brand, a version, and brands that the file is also of. */
static enum photo_kind kind_of_brands(const struct look *l)
{
	static const char heic[][5] = { "heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1" };
	size_t end = big32(l->at) < BRAND_BYTES ? big32(l->at) : BRAND_BYTES;
	enum photo_kind kind = PHOTO_UNKNOWN;
	for (size_t at = 8; at + 4 <= end && at + 4 <= l->len; at += at == 8 ? 8 : 4) {
		if (is_tag(l->at + at, "avif") || is_tag(l->at + at, "avis"))
			return PHOTO_AVIF;
		for (size_t i = 0; i < sizeof(heic) / sizeof(heic[0]); i++)
			if (is_tag(l->at + at, heic[i]))
				kind = PHOTO_HEIC;
	}
	return kind;
}

static enum photo_kind kind_of(const struct look *l)
{
	static const unsigned char png[PNG_SIGNATURE] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n' };
	if (l->at[0] == 0xFF && l->at[1] == 0xD8 && l->at[2] == 0xFF)
		return PHOTO_JPEG;
	if (memcmp(l->at, png, sizeof(png)) == 0)
		return PHOTO_PNG;
	if (is_tag(l->at, "RIFF") && is_tag(l->at + 8, "WEBP"))
		return PHOTO_WEBP;
	return is_tag(l->at + 4, "ftyp") ? kind_of_brands(l) : PHOTO_UNKNOWN;
}

static enum photo_answer read_kind(struct look *l)
{
	l->out->kind = kind_of(l);
	switch (l->out->kind) {
	case PHOTO_JPEG:
		return read_jpeg(l);
	case PHOTO_PNG:
		return read_png(l);
	case PHOTO_WEBP:
		return read_webp(l);
	case PHOTO_HEIC:
	case PHOTO_AVIF:
		return refuse(l, PHOTO_REFUSED_HEIC);
	default:
		return refuse(l, PHOTO_REFUSED_KIND);
	}
}

enum photo_answer photo_header_read(struct slice bytes, bool whole, const struct photo_limits *limits,
				    struct photo_header *out, size_t *need)
{
	struct look l = { .at = (const unsigned char *)bytes.at,
			  .len = bytes.len < limits->look_bytes ? bytes.len : limits->look_bytes,
			  .whole = whole && bytes.len <= limits->look_bytes,
			  .limits = limits,
			  .out = out };
	memset(out, 0, sizeof(*out)); /* also what lies between the members, so that two can be compared */
	out->orientation = 1;
	*need = 0;
	/* Twelve bytes tell the kinds apart but for HEIC and AVIF; nothing as short is a photo. */
	bool told = l.len >= BRAND_BYTES || (l.whole && l.len >= RIFF_HEADER);
	enum photo_answer answer = told || have(&l, BRAND_BYTES) ? read_kind(&l) : short_of(&l);
	*need = answer == PHOTO_MORE ? l.need : 0;
	return answer;
}
