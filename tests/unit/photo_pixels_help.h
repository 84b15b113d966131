/* SPDX-License-Identifier: Apache-2.0
 * Photos with pixels in them, written by the libraries that also read them. Each answers malloc'ed bytes. */
#ifndef TESTS_UNIT_PHOTO_PIXELS_HELP_H
#define TESTS_UNIT_PHOTO_PIXELS_HELP_H

#include "service/photo_decode.h"
#include "unit.h"
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
/* after stdio.h */
#include <jpeglib.h>
#include <webp/encode.h>

/* Four quarters: red, green / blue, white. */
static inline void pixels_at(uint32_t width, uint32_t height, uint32_t x, uint32_t y, unsigned char rgb[3])
{
	bool right = 2 * x >= width, below = 2 * y >= height;
	rgb[0] = (right == below) * 255;
	rgb[1] = right * 255;
	rgb[2] = below * 255;
}

static inline unsigned char *pixels_make(uint32_t width, uint32_t height, int channels)
{
	unsigned char *all = malloc((size_t)width * height * (size_t)channels), *at = all, rgb[3];
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++, at += channels) {
			pixels_at(width, height, x, y, rgb);
			memcpy(at, rgb, channels < 3 ? 1 : 3);
			if (channels == 4)
				at[3] = 255;
		}
	return all;
}

struct pixels_jpeg {
	bool progressive, grey, inks;
};

static inline struct slice pixels_jpeg(uint32_t width, uint32_t height, struct pixels_jpeg how)
{
	struct jpeg_compress_struct to;
	struct jpeg_error_mgr errors;
	unsigned char *bytes = NULL;
	unsigned long len = 0;
	int channels = how.grey ? 1 : how.inks ? 4 : 3;
	unsigned char *all = pixels_make(width, height, channels);
	to.err = jpeg_std_error(&errors);
	jpeg_create_compress(&to);
	jpeg_mem_dest(&to, &bytes, &len);
	to.image_width = width;
	to.image_height = height;
	to.input_components = channels;
	to.in_color_space = how.grey ? JCS_GRAYSCALE : how.inks ? JCS_CMYK : JCS_RGB;
	jpeg_set_defaults(&to);
	jpeg_set_quality(&to, 95, TRUE);
	if (how.progressive)
		jpeg_simple_progression(&to);
	jpeg_start_compress(&to, TRUE);
	while (to.next_scanline < height) {
		JSAMPROW row = all + (size_t)to.next_scanline * width * (size_t)channels;
		jpeg_write_scanlines(&to, &row, 1);
	}
	jpeg_finish_compress(&to);
	jpeg_destroy_compress(&to);
	free(all);
	return (struct slice){ (char *)bytes, len };
}

struct pixels_png {
	int type, depth;        /* PNG_COLOR_TYPE_…; 8 or 16 */
	bool interlaced, clear; /* clear: all of it transparent */
};

struct pixels_file {
	char *at;
	size_t len;
};

static inline void pixels_write(png_structp to, png_bytep bytes, size_t len)
{
	struct pixels_file *file = png_get_io_ptr(to);
	file->at = realloc(file->at, file->len + len);
	memcpy(file->at + file->len, bytes, len);
	file->len += len;
}

static inline struct slice pixels_png(uint32_t width, uint32_t height, struct pixels_png how)
{
	struct pixels_file file = { 0 };
	bool alpha = (how.type & PNG_COLOR_MASK_ALPHA) != 0;
	int channels = how.type == PNG_COLOR_TYPE_GRAY ? 1 : alpha ? 4 : 3;
	unsigned char *all = pixels_make(width, height, channels);
	png_structp to = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(to);
	png_set_write_fn(to, &file, pixels_write, NULL);
	png_set_IHDR(to, info, width, height, how.depth, how.type,
		     how.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 0, 0);
	png_write_info(to, info);
	png_bytep *rows = calloc(height, sizeof *rows);
	for (uint32_t y = 0; y < height; y++) {
		size_t bytes = (size_t)width * (size_t)channels;
		rows[y] = malloc(bytes * 2);
		for (size_t i = 0; i < bytes; i++) {
			unsigned char value = all[y * bytes + i];
			value = how.clear && i % 4 == 3 ? 0 : value;
			rows[y][how.depth == 16 ? 2 * i : i] = value;
			if (how.depth == 16)
				rows[y][2 * i + 1] = value;
		}
	}
	png_write_image(to, rows);
	png_write_end(to, NULL);
	for (uint32_t y = 0; y < height; y++)
		free(rows[y]);
	free(rows);
	png_destroy_write_struct(&to, &info);
	free(all);
	return (struct slice){ file.at, file.len };
}

static inline struct slice pixels_webp_taken(uint8_t *bytes, size_t len)
{
	char *copy = malloc(len);
	memcpy(copy, bytes, len);
	WebPFree(bytes);
	return (struct slice){ copy, len };
}

static inline struct slice pixels_webp(uint32_t width, uint32_t height, bool lossless)
{
	uint8_t *bytes = NULL;
	unsigned char *all = pixels_make(width, height, 3);
	int w = (int)width, h = (int)height;
	size_t len = lossless ? WebPEncodeLosslessRGB(all, w, h, w * 3, &bytes)
			      : WebPEncodeRGB(all, w, h, w * 3, 95, &bytes);
	free(all);
	return pixels_webp_taken(bytes, len);
}

/* With loss, and all of it transparent: VP8X, ALPH, VP8. */
static inline struct slice pixels_webp_clear(uint32_t width, uint32_t height)
{
	uint8_t *bytes = NULL;
	unsigned char *all = pixels_make(width, height, 4);
	for (size_t i = 0; i < (size_t)width * height; i++)
		all[4 * i + 3] = 0;
	size_t len = WebPEncodeRGBA(all, (int)width, (int)height, (int)width * 4, 95, &bytes);
	free(all);
	return pixels_webp_taken(bytes, len);
}

#endif
