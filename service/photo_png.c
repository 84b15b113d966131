/* SPDX-License-Identifier: Apache-2.0
 * PNG by libpng: row by row; an interlaced one as a whole, if it fits into the budget. Nothing but what the
 * pixels need is read. All that must outlive a longjmp is in the struct. */
#include "service/photo_decoders.h"
#include <png.h>
#include <stdlib.h>

struct png {
	struct photo_decoding *d;
	png_structp from;
	png_infop info;
	size_t at; /* in the bytes */
	struct photo_shrink *shrink;
	unsigned char *rows;
	bool short_of_memory, cut;
};

_Noreturn static void on_error(png_structp from, png_const_charp message)
{
	(void)message;
	png_longjmp(from, 1);
}

static void on_warning(png_structp from, png_const_charp message)
{
	(void)from;
	(void)message;
}

static void on_read(png_structp from, png_bytep into, size_t len)
{
	struct png *p = png_get_io_ptr(from);
	if (p->d->bytes.len - p->at < len) {
		p->cut = true;
		png_error(from, "cut");
	}
	memcpy(into, p->d->bytes.at + p->at, len);
	p->at += len;
}

static png_voidp on_malloc(png_structp from, png_alloc_size_t size)
{
	struct png *p = png_get_mem_ptr(from);
	void *memory = malloc(size);
	if (!memory)
		p->short_of_memory = true;
	return memory;
}

static void on_free(png_structp from, png_voidp memory)
{
	(void)from;
	free(memory);
}

/* All that comes is eight bits of red, green, blue and opacity. */
static void choose_form(struct png *p)
{
	static const png_byte unread[] =
		"bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL"
		"\0sPLT\0sRGB\0tEXt\0tIME\0zTXt";
	png_set_keep_unknown_chunks(p->from, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
	png_set_keep_unknown_chunks(p->from, PNG_HANDLE_CHUNK_NEVER, unread, (int)(sizeof unread / 5));
	png_set_user_limits(p->from, photo_most.side, photo_most.side);
	png_set_chunk_malloc_max(p->from, 1 << 20);
}

static void choose_pixels(struct png *p)
{
	png_set_expand(p->from);
	png_set_scale_16(p->from);
	png_set_gray_to_rgb(p->from);
	png_set_add_alpha(p->from, 0xFF, PNG_FILLER_AFTER);
}

static void take_row(struct png *p, unsigned char *rgba)
{
	photo_flatten(rgba, p->d->header->width, rgba);
	photo_shrink_row(p->shrink, rgba);
}

/* Seven passes over all rows; the last leaves them whole. */
static void read_interlaced(struct png *p, int passes, size_t row_bytes)
{
	uint32_t height = p->d->header->height;
	for (int pass = 0; pass < passes; pass++)
		for (uint32_t y = 0; y < height; y++)
			png_read_row(p->from, p->rows + y * row_bytes, NULL);
	for (uint32_t y = 0; y < height; y++)
		take_row(p, p->rows + y * row_bytes);
}

static void read_pixels(struct png *p)
{
	uint32_t width = p->d->header->width, height = p->d->header->height;
	size_t row_bytes = (size_t)width * 4;
	int passes = png_set_interlace_handling(p->from);
	size_t rows = passes > 1 ? height : 1;
	if (rows * row_bytes > PHOTO_DECODER_BYTES) {
		p->d->refusal = PHOTO_REFUSED_PIXELS;
		png_error(p->from, "budget");
	}
	png_read_update_info(p->from, p->info);
	INVARIANT(png_get_rowbytes(p->from, p->info) == row_bytes);
	p->rows = malloc(rows * row_bytes);
	p->shrink = photo_shrink_new(width, height, &p->d->to);
	if (!p->rows || !p->shrink) {
		p->short_of_memory = true;
		png_error(p->from, "memory");
	}
	if (passes > 1) {
		read_interlaced(p, passes, row_bytes);
		return;
	}
	for (uint32_t y = 0; y < height; y++) {
		png_read_row(p->from, p->rows, NULL);
		take_row(p, p->rows);
	}
}

static bool read_png(struct png *p)
{
	if (setjmp(png_jmpbuf(p->from)) != 0)
		return false;
	png_set_read_fn(p->from, p, on_read);
	choose_form(p);
	png_read_info(p->from, p->info);
	if (png_get_image_width(p->from, p->info) != p->d->header->width ||
	    png_get_image_height(p->from, p->info) != p->d->header->height)
		png_error(p->from, "two readers, two sizes");
	choose_pixels(p);
	read_pixels(p);
	png_read_end(p->from, NULL); /* the end must be there */
	return true;
}

enum photo_decoded photo_decode_png(struct photo_decoding *d)
{
	struct png p = { .d = d };
	p.from = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning, &p, on_malloc,
					  on_free);
	if (!p.from)
		return PHOTO_DECODE_NO_MEMORY;
	p.info = png_create_info_struct(p.from);
	bool read = p.info && read_png(&p);
	if (!p.info)
		p.short_of_memory = true;
	png_destroy_read_struct(&p.from, &p.info, NULL);
	photo_shrink_free(&p.shrink);
	free(p.rows);
	if (read)
		return PHOTO_DECODED;
	if (p.short_of_memory)
		return PHOTO_DECODE_NO_MEMORY;
	if (d->refusal == PHOTO_NOT_REFUSED)
		d->refusal = p.cut ? PHOTO_REFUSED_TRUNCATED : PHOTO_REFUSED_MALFORMED;
	return PHOTO_DECODE_REFUSED;
}
