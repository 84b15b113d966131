/* SPDX-License-Identifier: Apache-2.0
 * The bytes go, sealed, into a part (service/photo_part.h) as they come, and stay there when the line breaks.
 * When all have come: decoded in the thread pool, put into the store, then the row is committed, then the
 * part is deleted. Killed anywhere in between, the part is still there, or the row is: sending again ends it.
 * The store's shard is held until the row is committed (service/photo_store.h). */
#include "api/photo_upload.h"
#include "api/engine.h"
#include "api/photo_range.h"
#include "api/photo_take.h"
#include "service/folder.h"
#include "service/photo_part.h"
#include "service/photo_store.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOT_CASE = 1, SLOT_UUID, SLOT_MOST, SLOT_PRINT, SLOT_FACTS, SLOT_LOOKS };
enum { PARTS_MOST = 300 }; /* of one account, on their way */

struct sending {
	struct photo_part *part;
	char folder[PHOTO_PATH_BYTES], path[PHOTO_PATH_BYTES + 80];
	char name[100], uuid[PHOTO_UUID_BYTES], case_id[24], most[12];
	struct photo_range range;
	uint64_t end; /* behind the last byte that may come */
	bool has_digest, crowded;
	unsigned char digest[PHOTO_DIGEST_BYTES];
	int error; /* errno: our disk failed, not the photo */
	uint64_t kept;
	struct photo_taken taken;
};

/* What has come stays, unless it was discarded. */
static void sending_end(struct request *r)
{
	struct sending *s = r->own;
	photo_part_close(&s->part);
	photo_taken_end(&s->taken);
	free(s);
	r->own = NULL;
}

static struct sending *sending_new(struct request *r, const char uuid[PHOTO_UUID_BYTES])
{
	struct sending *s = calloc(1, sizeof *s);
	INVARIANT(s);
	r->own = s;
	r->own_end = sending_end;
	s->taken.held = -1;
	memcpy(s->uuid, uuid, PHOTO_UUID_BYTES);
	snprintf(s->case_id, sizeof s->case_id, "%.*s", (int)r->path_value[0].len, r->path_value[0].at);
	snprintf(s->most, sizeof s->most, "%d", r->api->options.photos_per_case);
	snprintf(s->name, sizeof s->name, "%lld.%s.%s", (long long)r->who.account, s->case_id, s->uuid);
	snprintf(s->folder, sizeof s->folder, "%s/parts/%lld", r->api->options.photos,
		 (long long)r->who.account);
	snprintf(s->path, sizeof s->path, "%s/%s.%s", s->folder, s->case_id, s->uuid);
	r->step_value[SLOT_CASE] = db_text(s->case_id);
	r->step_value[SLOT_UUID] = db_text(s->uuid);
	r->step_value[SLOT_MOST] = db_text(s->most);
	return s;
}

/* NULL: refused. */
static struct sending *sending_begin(struct request *r)
{
	char uuid[PHOTO_UUID_BYTES];
	uint64_t id;
	if (!slice_to_u64(r->path_value[0], &id) || id > INT64_MAX || r->path_value[0].len > 20)
		problem(r, 404, "not_found", NULL, NULL);
	else if (!photo_uuid_read(r->path_value[1], uuid))
		problem(r, 422, "not_a_uuid", "/photo", "A UUID made by the client names the photo.");
	else
		return sending_new(r, uuid);
	return NULL;
}

/* --- before the bytes --- */

static enum step take_digest(struct request *r, struct sending *s)
{
	struct slice field = http_header(r->x, "repr-digest");
	if (!field.at)
		field = http_header(r->x, "digest");
	return photo_digest_read(field, s->digest, &s->has_digest)
		       ? STEP_NEXT
		       : problem(r, 400, "digest_invalid", NULL, "sha-256=:BASE64:");
}

static enum step take_range(struct request *r, struct sending *s)
{
	uint64_t length = 0, most = (uint64_t)r->api->options.photo_bytes;
	bool sized = http_content_length(r->x, &length);
	struct photo_range *range = &s->range;
	if (!photo_range_read(http_header(r->x, "content-range"), range) ||
	    (range->asks && http_body_expected(r->x)) ||
	    (range->given && !range->asks && sized && length != range->to - range->from + 1))
		return problem(r, 400, "content_range_invalid", NULL, "bytes FIRST-LAST/ALL, or bytes */ALL");
	if ((range->given ? range->all : length) > most)
		return problem(
			r, 413, "photo_too_large", NULL,
			arena_printf(http_arena(r->x), "At most %llu bytes.", (unsigned long long)most));
	if (!range->asks && !http_body_expected(r->x))
		return problem(r, 422, "file_empty", NULL, "The body is the photo; it is empty.");
	s->end = range->given ? range->to + 1 : most;
	return take_digest(r, s);
}

static enum step step_begin(struct request *r)
{
	struct sending *s = sending_begin(r);
	struct db_value *values = arena_zalloc(http_arena(r->x), 6 * sizeof *values);
	if (!s || take_range(r, s) != STEP_NEXT)
		return STEP_DONE;
	if (!values)
		return problem(r, 413, "too_long", NULL, NULL);
	values[0] = r->step_value[SLOT_CASE];
	values[1] = r->step_value[SLOT_UUID];
	values[2] = *input_value(r, "slot");
	values[3] = *input_value(r, "item");
	values[4] = *input_value(r, "finding");
	values[5] = r->step_value[SLOT_MOST];
	return engine_ask(r, &r->who.scope, SQL_photo_may, values, 6);
}

static bool is_crowded(const struct sending *s)
{
	int count = 0;
	DIR *dir = access(s->path, F_OK) != 0 ? opendir(s->folder) : NULL;
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count > PARTS_MOST + 2;
}

static void open_in_pool(struct request *r)
{
	struct sending *s = r->own;
	s->crowded = is_crowded(s);
	if (s->crowded)
		return;
	if (folder_make(s->folder))
		s->part = photo_part_open(r->api->options.vault, s->path, s->name, !s->range.given);
	if (!s->part)
		s->error = errno;
}

static enum step ask_known(struct request *r);

/* Columns of photo_may: _verdict, _field. No row: it was sent before. */
static enum step step_may(struct request *r)
{
	const struct db_reply *reply = r->reply;
	if (reply->outcome != DB_OK)
		return problem_of_reply(r, reply);
	const struct db_rows *rows = &reply->rows[0];
	const struct sending *s = r->own;
	if (db_row_count(rows) == 0 && (s->range.asks || s->range.from > 0))
		return ask_known(r);
	if (db_row_count(rows) == 1 && !db_is_null(rows, 0, 0)) {
		const char *field =
			db_is_null(rows, 0, 1) ? NULL : arena_text(http_arena(r->x), db_get(rows, 0, 1));
		return problem_of_verdict(r, verdict_of(db_get(rows, 0, 0)), field);
	}
	return engine_work(r, open_in_pool);
}

static const char *offset_header(struct request *r, uint64_t kept)
{
	return arena_printf(http_arena(r->x), "Upload-Offset: %llu\r\n", (unsigned long long)kept);
}

static request_step *const received_steps[];

static enum step step_opened(struct request *r)
{
	struct sending *s = r->own;
	if (s->crowded)
		return problem(r, 409, "photos_on_their_way", NULL, "Send the others to their end first.");
	if (s->error == EWOULDBLOCK)
		return problem(r, 409, "request_in_progress", NULL,
			       "The same photo is coming by another request.");
	if (s->error)
		return problem_of_storage(r, s->error, "photo_not_kept");
	s->kept = photo_part_bytes(s->part);
	r->header = offset_header(r, s->kept);
	if (s->range.given && !s->range.asks && s->range.from != s->kept)
		return problem(r, 409, "photo_offset_wrong", NULL,
			       arena_printf(http_arena(r->x), "%llu bytes are kept: go on there.",
					    (unsigned long long)s->kept));
	if (!s->range.asks) {
		http_resume(r->x);
		return STEP_PARKED;
	}
	r->step = received_steps;
	return STEP_NEXT;
}

/* --- the bytes --- */

/* On the loop: 64 KiB at a time are sealed into the page cache. */
static void on_chunk(struct http_exchange *x, struct slice chunk)
{
	struct request *r = http_state(x);
	struct sending *s = r->own;
	if (r->answered || !s || s->error)
		return;
	if (photo_part_bytes(s->part) + chunk.len > s->end) {
		photo_part_discard(&s->part);
		r->header = NULL;
		if (s->range.given)
			problem(r, 400, "content_range_invalid", NULL, "More came than the range says.");
		else
			problem(r, 413, "photo_too_large", NULL, NULL);
	} else if (!photo_part_add(s->part, chunk)) {
		s->error = errno;
	}
}

static void on_end(struct http_exchange *x)
{
	struct request *r = http_state(x);
	if (r->answered)
		return;
	r->step = received_steps;
	engine_run(r);
}

static void on_abort(struct http_exchange *x)
{
	(void)x; /* own_end keeps what has come */
}

const struct http_sink photo_sink = { on_chunk, on_end, on_abort };

/* --- all of them --- */

static void take_in_pool(struct request *r)
{
	struct sending *s = r->own;
	const struct api_options *o = &r->api->options;
	unsigned char *bytes = malloc(s->kept + !s->kept);
	s->taken.memory_lacks = !bytes;
	if (bytes && !photo_part_read(s->part, bytes))
		s->taken.error = errno;
	else if (bytes)
		photo_take(o->vault, o->photos, (struct slice){ (char *)bytes, s->kept },
			   s->has_digest ? s->digest : NULL, &s->taken);
	free(bytes);
}

/* As photo_sent says of what has not come whole. */
static enum step answer_partial(struct request *r, const struct sending *s)
{
	const char *body = arena_printf(
		http_arena(r->x),
		"{\"id\":null,\"sent_as\":\"%s\",\"kept\":%llu,\"complete\":false,\"slot\":null,\"item\":"
		"null,"
		"\"finding\":null,\"taken_at\":null,\"note\":null,\"width\":null,\"height\":null}",
		s->uuid, (unsigned long long)s->kept);
	r->header = offset_header(r, s->kept);
	return body ? answer_json(r, 200, slice_of(body), NULL) : problem(r, 413, "too_long", NULL, NULL);
}

static enum step step_received(struct request *r)
{
	struct sending *s = r->own;
	if (!s->error && !photo_part_flush(s->part))
		s->error = errno;
	if (s->error)
		return problem_of_storage(r, s->error, "photo_not_kept");
	s->kept = photo_part_bytes(s->part);
	if (s->range.given && s->kept != s->range.all)
		return answer_partial(r, s);
	return engine_take_turn(r, TURN_PHOTO, take_in_pool);
}

/* What came is not what is wanted: it is forgotten, so that it can be sent anew. */
static enum step refuse_photo(struct request *r, struct sending *s)
{
	photo_part_discard(&s->part);
	r->header = NULL;
	if (s->taken.digest_wrong)
		return problem(r, 422, "photo_digest_wrong", NULL,
			       "It did not come as it was sent: send it again.");
	return problem(r, s->taken.refusal == PHOTO_REFUSED_HEIC ? 415 : 422,
		       photo_refusal_code(s->taken.refusal), NULL, photo_refusal_hint(s->taken.refusal));
}

static enum step step_checked(struct request *r)
{
	struct sending *s = r->own;
	const struct photo_taken *t = &s->taken;
	if (t->error)
		return problem_of_storage(r, t->error, "photo_not_kept");
	if (t->memory_lacks)
		return problem(r, 503, "try_again", NULL, NULL);
	if (t->digest_wrong || t->refusal != PHOTO_NOT_REFUSED)
		return refuse_photo(r, s);
	r->header = offset_header(r, s->kept);
	r->step_value[SLOT_PRINT] = db_bytes(t->print, sizeof t->print);
	r->step_value[SLOT_FACTS] = db_text(t->facts);
	r->step_value[SLOT_LOOKS] = t->looks[0] ? db_text(t->looks) : DB_NULL;
	return engine_take_key(r, (struct slice){ (const char *)t->print, sizeof t->print });
}

/* Done, or never to be done. When nobody knows, the part stays: "bytes * /ALL" asks again. */
static enum step step_created(struct request *r)
{
	struct sending *s = r->own;
	if (r->reply->outcome == DB_OK)
		photo_part_discard(&s->part);
	return STEP_NEXT;
}

static request_step *const received_steps[] = { step_received, step_checked, step_ask,
						step_created,  step_answer,  NULL };
request_step *const photo_upload_steps[] = { step_begin, step_may, step_opened, NULL };

/* --- how much has come --- */

static void measure_in_pool(struct request *r)
{
	struct sending *s = r->own;
	if (!photo_part_kept(r->api->options.vault, s->path, s->name, &s->kept))
		s->error = errno == ENOENT ? 0 : errno;
}

static enum step step_which(struct request *r)
{
	return sending_begin(r) ? STEP_NEXT : STEP_DONE;
}

/* Columns of photo_sent: id, … */
static enum step step_sent(struct request *r)
{
	const struct db_reply *reply = r->reply;
	if (reply->outcome != DB_OK)
		return problem_of_reply(r, reply);
	const struct db_rows *rows = &reply->rows[0];
	if (db_row_count(rows) == 1 && db_is_null(rows, 0, 0))
		return engine_work(r, measure_in_pool);
	if (db_row_count(rows) == 1)
		r->header = offset_header(r, (uint64_t)db_get_int(rows, 0, 2));
	return answer_rows(r, rows);
}

static enum step step_measured(struct request *r)
{
	struct sending *s = r->own;
	return s->error ? problem_of_storage(r, s->error, "photo_not_read") : answer_partial(r, s);
}

/* Who goes on with a photo that is there has missed our answer: here it is. (One that begins anew is
 * compared, byte for byte.) */
static enum step step_known(struct request *r)
{
	static const struct way way = { NULL, SQL_photo_sent, "" };
	static const struct bound_way known = { .way = &way };
	const struct sending *s = r->own;
	const struct db_reply *reply = r->reply;
	if (reply->outcome != DB_OK)
		return problem_of_reply(r, reply);
	const struct db_rows *rows = &reply->rows[0];
	if (db_row_count(rows) == 0 || db_is_null(rows, 0, 0))
		return problem(r, 503, "try_again", NULL, NULL); /* gone between the two */
	if ((uint64_t)db_get_int(rows, 0, 2) != s->range.all)
		return problem_of_verdict(r, verdict_of(SLICE("photo_sent_otherwise")), NULL);
	r->header = offset_header(r, s->range.all);
	r->way = &known;
	return answer_rows(r, rows);
}

static enum step ask_known(struct request *r)
{
	static request_step *const known_steps[] = { step_known, NULL };
	r->step = known_steps;
	return engine_ask(r, &r->who.scope, SQL_photo_sent, &r->step_value[SLOT_CASE], 2);
}

request_step *const photo_sent_steps[] = { step_which, step_ask, step_sent, step_measured, NULL };
