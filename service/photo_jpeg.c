/* SPDX-License-Identifier: Apache-2.0
 * JPEG by libjpeg-turbo: scaled by 1/2, 1/4 or 1/8 while it is decoded, then row by row to its size. A
 * warning that says that pixels are missing or wrong ends it: the library would paint them grey. All that
 * must outlive a longjmp is in the struct. */
#include "service/photo_decoders.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
/* after stdio.h */
#include <jerror.h>
#include <jpeglib.h>

enum { SCANS_MOST = 100 }; /* an encoder makes some ten; thousands of empty ones would take hours */

struct jpeg {
	struct jpeg_error_mgr errors; /* first: cinfo.err */
	struct jpeg_progress_mgr progress;
	jmp_buf out;
	struct jpeg_decompress_struct from;
	struct photo_decoding *d;
	struct photo_shrink *shrink;
	unsigned char *row;
	enum photo_decoded end;
};

_Noreturn static void leave(struct jpeg *j, enum photo_decoded end, enum photo_refusal refusal)
{
	j->end = end;
	j->d->refusal = refusal;
	longjmp(j->out, 1);
}

static void on_error(j_common_ptr info)
{
	struct jpeg *j = (struct jpeg *)info->err;
	switch (info->err->msg_code) {
	case JERR_OUT_OF_MEMORY:
		leave(j, PHOTO_DECODE_NO_MEMORY, PHOTO_NOT_REFUSED);
	case JERR_NO_BACKING_STORE: /* over the budget */
		leave(j, PHOTO_DECODE_REFUSED, PHOTO_REFUSED_PIXELS);
	case JERR_ARITH_NOTIMPL:
	case JERR_BAD_PRECISION:
	case JERR_CONVERSION_NOTIMPL:
	case JERR_CCIR601_NOTIMPL:
	case JERR_FRACT_SAMPLE_NOTIMPL:
	case JERR_NOTIMPL:
	case JERR_NOT_COMPILED:
	case JERR_SOF_UNSUPPORTED:
		leave(j, PHOTO_DECODE_REFUSED, PHOTO_REFUSED_UNSUPPORTED);
	default:
		leave(j, PHOTO_DECODE_REFUSED, PHOTO_REFUSED_MALFORMED);
	}
}

/* level -1: a warning. Bytes between segments and odd parameters do no harm. */
static void on_message(j_common_ptr info, int level)
{
	struct jpeg *j = (struct jpeg *)info->err;
	if (level >= 0)
		return;
	switch (info->err->msg_code) {
	case JWRN_ADOBE_XFORM:
	case JWRN_BOGUS_PROGRESSION:
	case JWRN_EXTRANEOUS_DATA:
	case JWRN_JFIF_MAJOR:
	case JWRN_TOO_MUCH_DATA:
		return;
	case JWRN_JPEG_EOF:
		leave(j, PHOTO_DECODE_REFUSED, PHOTO_REFUSED_TRUNCATED);
	default:
		leave(j, PHOTO_DECODE_REFUSED, PHOTO_REFUSED_MALFORMED);
	}
}

static void on_progress(j_common_ptr info)
{
	struct jpeg *j = (struct jpeg *)info->err;
	if (j->from.input_scan_number > SCANS_MOST)
		leave(j, PHOTO_DECODE_REFUSED, PHOTO_REFUSED_UNSUPPORTED);
}

/* The smallest of 8/8, 4/8, 2/8, 1/8 that is not smaller than what is wanted. */
static void choose_scale(struct jpeg *j)
{
	j->from.scale_denom = 8;
	for (unsigned num = 1; num <= 8; num *= 2) {
		j->from.scale_num = num;
		jpeg_calc_output_dimensions(&j->from);
		if (j->from.output_width >= j->d->to.width && j->from.output_height >= j->d->to.height)
			return;
	}
}

/* Adobe writes its inks inverted, and nobody else writes them. */
static void ink_to_rgb(unsigned char *row, size_t count)
{
	unsigned char *rgb = row;
	for (size_t i = 0; i < count; i++, row += 4, rgb += 3)
		for (int c = 0; c < 3; c++)
			rgb[c] = (unsigned char)(row[c] * row[3] / 255);
}

static void read_pixels(struct jpeg *j)
{
	struct jpeg_decompress_struct *from = &j->from;
	bool inks = from->jpeg_color_space == JCS_CMYK || from->jpeg_color_space == JCS_YCCK;
	from->out_color_space = inks ? JCS_CMYK : JCS_RGB;
	from->dct_method = JDCT_ISLOW;
	choose_scale(j);
	jpeg_start_decompress(from);
	j->row = malloc((size_t)from->output_width * 4);
	j->shrink = photo_shrink_new(from->output_width, from->output_height, &j->d->to);
	if (!j->row || !j->shrink)
		leave(j, PHOTO_DECODE_NO_MEMORY, PHOTO_NOT_REFUSED);
	while (from->output_scanline < from->output_height) {
		jpeg_read_scanlines(from, &j->row, 1);
		if (inks)
			ink_to_rgb(j->row, from->output_width);
		photo_shrink_row(j->shrink, j->row);
	}
	jpeg_finish_decompress(from); /* to the end of the image, which must be there */
}

static void read_jpeg(struct jpeg *j)
{
	if (setjmp(j->out) != 0)
		return;
	jpeg_create_decompress(&j->from);
	j->from.mem->max_memory_to_use = PHOTO_DECODER_BYTES;
	j->from.progress = &j->progress;
	jpeg_mem_src(&j->from, (const unsigned char *)j->d->bytes.at, j->d->bytes.len);
	jpeg_read_header(&j->from, TRUE);
	if (j->from.image_width != j->d->header->width || j->from.image_height != j->d->header->height)
		leave(j, PHOTO_DECODE_REFUSED, PHOTO_REFUSED_MALFORMED); /* two readers, two sizes */
	read_pixels(j);
	j->end = PHOTO_DECODED;
}

enum photo_decoded photo_decode_jpeg(struct photo_decoding *d)
{
	struct jpeg j = { .d = d, .end = PHOTO_DECODE_REFUSED };
	j.from.err = jpeg_std_error(&j.errors);
	j.errors.error_exit = on_error;
	j.errors.emit_message = on_message;
	j.progress.progress_monitor = on_progress;
	read_jpeg(&j);
	jpeg_destroy_decompress(&j.from);
	photo_shrink_free(&j.shrink);
	free(j.row);
	return j.end;
}

/* --- writing --- */

struct encoding {
	struct jpeg_error_mgr errors; /* first */
	jmp_buf out;
	struct jpeg_compress_struct to;
	unsigned char *bytes;
	unsigned long len;
	bool done;
};

_Noreturn static void on_encoding_error(j_common_ptr info)
{
	struct encoding *e = (struct encoding *)info->err;
	longjmp(e->out, 1);
}

static void write_jpeg(struct encoding *e, const struct photo_picture *picture, int quality)
{
	if (setjmp(e->out) != 0)
		return;
	jpeg_create_compress(&e->to);
	jpeg_mem_dest(&e->to, &e->bytes, &e->len);
	e->to.image_width = picture->width;
	e->to.image_height = picture->height;
	e->to.input_components = 3;
	e->to.in_color_space = JCS_RGB;
	jpeg_set_defaults(&e->to);
	jpeg_set_quality(&e->to, quality, TRUE);
	jpeg_start_compress(&e->to, TRUE);
	while (e->to.next_scanline < picture->height) {
		JSAMPROW row = picture->rgb + (size_t)e->to.next_scanline * picture->width * 3;
		jpeg_write_scanlines(&e->to, &row, 1);
	}
	jpeg_finish_compress(&e->to);
	e->done = true;
}

bool photo_encode(const struct photo_picture *picture, int quality, struct slice *out)
{
	struct encoding e = { .done = false };
	e.to.err = jpeg_std_error(&e.errors);
	e.errors.error_exit = on_encoding_error;
	write_jpeg(&e, picture, quality);
	jpeg_destroy_compress(&e.to);
	if (!e.done)
		free(e.bytes);
	else
		*out = (struct slice){ (char *)e.bytes, e.len };
	return e.done;
}
