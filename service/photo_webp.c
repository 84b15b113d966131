/* SPDX-License-Identifier: Apache-2.0
 * WebP by libwebp, which scales while it decodes. Without loss, or with transparency, it needs the whole
 * picture in memory. */
#include "service/photo_decoders.h"
#include <stdlib.h>
#include <webp/decode.h>

enum { WHOLE_BYTES = 5 }; /* a pixel of such a picture */

static enum photo_decoded refuse(struct photo_decoding *d, enum photo_refusal refusal)
{
	d->refusal = refusal;
	return PHOTO_DECODE_REFUSED;
}

static enum photo_decoded judge(struct photo_decoding *d, VP8StatusCode status)
{
	switch (status) {
	case VP8_STATUS_OK:
		return PHOTO_DECODED;
	case VP8_STATUS_OUT_OF_MEMORY:
		return PHOTO_DECODE_NO_MEMORY;
	case VP8_STATUS_NOT_ENOUGH_DATA:
	case VP8_STATUS_SUSPENDED:
		return refuse(d, PHOTO_REFUSED_TRUNCATED);
	case VP8_STATUS_UNSUPPORTED_FEATURE:
		return refuse(d, PHOTO_REFUSED_UNSUPPORTED);
	default:
		return refuse(d, PHOTO_REFUSED_MALFORMED);
	}
}

static enum photo_decoded decode_into(struct photo_decoding *d, WebPDecoderConfig *config,
				      unsigned char *rgba)
{
	size_t pixels = (size_t)d->to.width * d->to.height;
	config->options.use_scaling = d->to.width != d->header->width || d->to.height != d->header->height;
	config->options.scaled_width = (int)d->to.width;
	config->options.scaled_height = (int)d->to.height;
	config->output.colorspace = MODE_RGBA;
	config->output.is_external_memory = 1;
	config->output.u.RGBA.rgba = rgba;
	config->output.u.RGBA.stride = (int)d->to.width * 4;
	config->output.u.RGBA.size = pixels * 4;
	enum photo_decoded decoded = judge(d, WebPDecode((const uint8_t *)d->bytes.at, d->bytes.len, config));
	WebPFreeDecBuffer(&config->output);
	if (decoded == PHOTO_DECODED)
		photo_flatten(rgba, pixels, d->to.rgb);
	return decoded;
}

enum photo_decoded photo_decode_webp(struct photo_decoding *d)
{
	WebPDecoderConfig config;
	INVARIANT(WebPInitDecoderConfig(&config)); /* the library is of the version of its header */
	VP8StatusCode status = WebPGetFeatures((const uint8_t *)d->bytes.at, d->bytes.len, &config.input);
	if (status != VP8_STATUS_OK)
		return judge(d, status);
	if (config.input.width != (int)d->header->width || config.input.height != (int)d->header->height)
		return refuse(d, PHOTO_REFUSED_MALFORMED);
	if (config.input.has_animation)
		return refuse(d, PHOTO_REFUSED_ANIMATED);
	bool whole = config.input.format != 1 || config.input.has_alpha;
	if (whole && (uint64_t)d->header->width * d->header->height * WHOLE_BYTES > PHOTO_DECODER_BYTES)
		return refuse(d, PHOTO_REFUSED_PIXELS);
	unsigned char *rgba = malloc((size_t)d->to.width * d->to.height * 4);
	if (!rgba)
		return PHOTO_DECODE_NO_MEMORY;
	enum photo_decoded decoded = decode_into(d, &config, rgba);
	free(rgba);
	return decoded;
}
