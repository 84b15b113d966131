/* SPDX-License-Identifier: Apache-2.0
 * View and thumbnail are a cache: made when the photo came, and made again when they are not there or broken.
 * The database is asked each time, so who lost the case has lost its photos. */
#include "api/photo_serve.h"
#include "api/engine.h"
#include "service/photo_copies.h"
#include "service/photo_store.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { COPY_MOST = 32 << 20, TAG_DIGITS = 32 };

struct serving {
	char hex[PHOTO_HEX_BYTES];
	char tag[TAG_DIGITS + 16];
	enum photo_file file;
	struct slice bytes; /* from malloc */
	int error;          /* errno; 0: they are there */
};

static void serving_end(struct request *r)
{
	struct serving *s = r->own;
	free((char *)(uintptr_t)s->bytes.at);
	free(s);
	r->own = NULL;
}

static void read_in_pool(struct request *r)
{
	struct serving *s = r->own;
	const struct api_options *o = &r->api->options;
	s->error = photo_store_get(o->vault, o->photos, s->hex, s->file, COPY_MOST, &s->bytes) ? 0 : errno;
}

/* EBADMSG when the original is not what it was when it was taken. */
static int remake(const struct api_options *o, struct serving *s, struct slice original)
{
	struct photo_header header;
	struct photo_copies copies;
	enum photo_refusal refusal;
	size_t need;
	if (photo_header_read(original, true, &photo_most, &header, &need) != PHOTO_READ)
		return EBADMSG;
	enum photo_decoded decoded = photo_copies_make(original, &header, &copies, &refusal);
	if (decoded != PHOTO_DECODED)
		return decoded == PHOTO_DECODE_NO_MEMORY ? ENOMEM : EBADMSG;
	struct slice *wanted = s->file == PHOTO_VIEW ? &copies.view : &copies.thumb;
	/* That it cannot be kept does not keep it from being shown. */
	bool kept = photo_store_put(o->vault, o->photos, s->hex, PHOTO_VIEW, copies.view) &&
		    photo_store_put(o->vault, o->photos, s->hex, PHOTO_THUMB, copies.thumb);
	(void)kept;
	s->bytes = *wanted;
	*wanted = (struct slice){ 0 };
	photo_copies_free(&copies);
	return 0;
}

static void remake_in_pool(struct request *r)
{
	struct serving *s = r->own;
	const struct api_options *o = &r->api->options;
	struct slice original;
	if (!photo_store_get(o->vault, o->photos, s->hex, PHOTO_ORIGINAL, (size_t)o->photo_bytes * 4,
			     &original)) {
		s->error = errno;
		return;
	}
	s->error = remake(o, s, original);
	free((char *)(uintptr_t)original.at);
}

static const char *cache_headers(struct request *r, const struct serving *s)
{
	return arena_printf(http_arena(r->x), "ETag: %s\r\nCache-Control: private, max-age=3600\r\n", s->tag);
}

static bool path_is_thumb(const struct request *r)
{
	const char *path = r->route->endpoint->path, *last = strrchr(path, '/');
	return strcmp(last, "/thumb") == 0;
}

/* Columns of photo_file: hash, gone. */
static enum step step_found(struct request *r)
{
	const struct db_reply *reply = r->reply;
	if (reply->outcome != DB_OK)
		return problem_of_reply(r, reply);
	const struct db_rows *rows = &reply->rows[0];
	if (db_row_count(rows) == 0)
		return problem(r, 404, "not_found", NULL, NULL);
	if (db_get_bool(rows, 0, 1))
		return problem(r, 410, "file_gone", NULL, "The photo is not kept any more.");
	struct serving *s = calloc(1, sizeof *s);
	INVARIANT(s);
	r->own = s;
	r->own_end = serving_end;
	s->file = path_is_thumb(r) ? PHOTO_THUMB : PHOTO_VIEW;
	struct slice hex = db_get(rows, 0, 0);
	snprintf(s->hex, sizeof s->hex, "%.*s", (int)hex.len, hex.at);
	snprintf(s->tag, sizeof s->tag, "\"%.*s%s\"", TAG_DIGITS, s->hex, photo_file_endings[s->file]);
	if (request_has(r, slice_of(s->tag))) {
		struct http_response same = { .status = 304, .extra_headers = cache_headers(r, s) };
		return answer_raw(r, &same);
	}
	return engine_work(r, read_in_pool);
}

static enum step step_read(struct request *r)
{
	struct serving *s = r->own;
	if (s->error == ENOENT || s->error == EBADMSG)
		return engine_take_turn(r, TURN_PHOTO, remake_in_pool);
	return STEP_NEXT;
}

static enum step step_send(struct request *r)
{
	struct serving *s = r->own;
	if (s->error)
		return problem_of_storage(r, s->error, "photo_not_read");
	struct http_response response = { .status = 200,
					  .content_type = "image/jpeg",
					  .extra_headers = cache_headers(r, s),
					  .body = s->bytes };
	return answer_raw(r, &response);
}

request_step *const photo_serve_steps[] = { step_ask, step_found, step_read, step_send, NULL };
