/* SPDX-License-Identifier: Apache-2.0
 * See photo_picture.h. A pixel of w × h, of which W × H are made, is taken to be W wide and H high, one that
 * is made w wide and h high: so all that covers anything is whole numbers. */
#include "service/photo_picture.h"
#include <stdlib.h>
#include <string.h>

bool photo_picture_make(struct photo_picture *picture, uint32_t width, uint32_t height)
{
	*picture = (struct photo_picture){ width, height, malloc((size_t)width * height * 3) };
	return picture->rgb != NULL;
}

void photo_picture_free(struct photo_picture *picture)
{
	free(picture->rgb);
	picture->rgb = NULL;
}

static uint32_t scaled(uint32_t length, uint32_t side, uint32_t longer)
{
	uint64_t to = ((uint64_t)length * side + longer / 2) / longer;
	return to ? (uint32_t)to : 1;
}

void photo_picture_fit(uint32_t width, uint32_t height, uint32_t side, uint32_t *to_width,
		       uint32_t *to_height)
{
	uint32_t longer = width > height ? width : height;
	*to_width = longer > side ? scaled(width, side, longer) : width;
	*to_height = longer > side ? scaled(height, side, longer) : height;
}

struct photo_shrink {
	uint32_t width, height, row; /* of what comes */
	struct photo_picture *to;
	uint32_t to_row;
	uint64_t *sum;    /* of the row that is being made */
	uint32_t *across; /* the row that came, made to->width wide: at most 255 × width each */
};

void photo_shrink_free(struct photo_shrink **shrink)
{
	if (!*shrink)
		return;
	free((*shrink)->sum);
	free((*shrink)->across);
	free(*shrink);
	*shrink = NULL;
}

struct photo_shrink *photo_shrink_new(uint32_t width, uint32_t height, struct photo_picture *to)
{
	struct photo_shrink *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	size_t values = (size_t)to->width * 3;
	*s = (struct photo_shrink){ .width = width, .height = height, .to = to };
	s->sum = calloc(values, sizeof *s->sum);
	s->across = calloc(values, sizeof *s->across);
	if (!s->sum || !s->across)
		photo_shrink_free(&s);
	return s;
}

static uint64_t overlap(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end)
{
	uint64_t from = a > b ? a : b, to = a_end < b_end ? a_end : b_end;
	return to > from ? to - from : 0;
}

static void narrow(struct photo_shrink *s, const unsigned char *rgb)
{
	uint64_t width = s->width, to_width = s->to->width;
	uint32_t to = 0;
	memset(s->across, 0, (size_t)to_width * 3 * sizeof *s->across);
	for (uint64_t x = 0; x < width; x++, rgb += 3) {
		uint64_t start = x * to_width, end = start + to_width;
		while (to < to_width && to * width < end) {
			uint32_t weight = (uint32_t)overlap(start, end, to * width, (to + 1) * width);
			uint32_t *sum = s->across + (size_t)to * 3;
			for (int c = 0; c < 3; c++)
				sum[c] += rgb[c] * weight;
			if ((to + 1) * width > end)
				break; /* the next pixel covers it too */
			to++;
		}
	}
}

static void finish_row(struct photo_shrink *s)
{
	uint64_t whole = (uint64_t)s->width * s->height;
	INVARIANT(whole > 0);
	size_t values = (size_t)s->to->width * 3;
	unsigned char *out = s->to->rgb + (size_t)s->to_row * values;
	for (size_t i = 0; i < values; i++)
		out[i] = (unsigned char)((s->sum[i] + whole / 2) / whole);
	memset(s->sum, 0, values * sizeof *s->sum);
	s->to_row++;
}

void photo_shrink_row(struct photo_shrink *s, const unsigned char *rgb)
{
	uint64_t height = s->height, to_height = s->to->height;
	uint64_t start = s->row * to_height, end = start + to_height;
	size_t values = (size_t)s->to->width * 3;
	INVARIANT(s->row < s->height);
	narrow(s, rgb);
	while (s->to_row < to_height && s->to_row * height < end) {
		uint64_t weight = overlap(start, end, s->to_row * height, (s->to_row + 1) * height);
		for (size_t i = 0; i < values; i++)
			s->sum[i] += s->across[i] * weight;
		if ((s->to_row + 1) * height > end)
			break;
		finish_row(s);
	}
	s->row++;
}

bool photo_shrink_full(const struct photo_shrink *s)
{
	return s->row == s->height;
}

/* Where the pixel at x, y of the turned picture comes from. EXIF 2.32, 4.6.4: what row 0 and column 0 are. */
static size_t source_of(const struct photo_picture *p, unsigned orientation, uint32_t x, uint32_t y)
{
	bool swapped = orientation >= 5;
	uint32_t across = swapped ? y : x, down = swapped ? x : y;
	bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
	bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
	if (from_right)
		across = p->width - 1 - across;
	if (from_below)
		down = p->height - 1 - down;
	return ((size_t)down * p->width + across) * 3;
}

bool photo_picture_turn(struct photo_picture *picture, unsigned orientation)
{
	struct photo_picture turned;
	bool swapped = orientation >= 5;
	if (orientation <= 1)
		return true;
	if (!photo_picture_make(&turned, swapped ? picture->height : picture->width,
				swapped ? picture->width : picture->height))
		return false;
	unsigned char *out = turned.rgb;
	for (uint32_t y = 0; y < turned.height; y++)
		for (uint32_t x = 0; x < turned.width; x++, out += 3)
			memcpy(out, picture->rgb + source_of(picture, orientation, x, y), 3);
	photo_picture_free(picture);
	*picture = turned;
	return true;
}
