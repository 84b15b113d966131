/* SPDX-License-Identifier: Apache-2.0
 * Any bytes, read whole and split by the first byte of the input: the same requests, the same body, the same
 * verdict; and whatever guard and llhttp let through has a head of the right shape. */
#include "service/http_reader.h"
#include "service/invariant.h"
#include <stdlib.h>

static const struct http_guard_limits limits = { .head_bytes = 2048, .target_bytes = 256, .fields = 16 };

struct outcome {
	unsigned ended;
	bool refused;
	size_t body_len;
	uint64_t body_hash;
};

static void note_data(struct outcome *out, struct slice data)
{
	for (size_t i = 0; i < data.len; i++)
		out->body_hash = (out->body_hash ^ (unsigned char)data.at[i]) * UINT64_C(0x100000001b3);
	out->body_len += data.len;
}

static void check_head(const struct http_reader *reader)
{
	INVARIANT(reader->target.path.len > 0);
	INVARIANT(reader->field_count == reader->guard.fields);
	INVARIANT(reader->old_version || http_reader_field(reader, "host").at);
	for (size_t i = 0; i < reader->field_count; i++) {
		struct slice value = reader->fields[i].value;
		INVARIANT(reader->fields[i].name.len > 0);
		INVARIANT(value.len == 0 ||
			  (!memchr(value.at, '\r', value.len) && !memchr(value.at, '\0', value.len)));
	}
}

struct reading {
	struct arena *arena;
	struct http_reader *reader;
	struct outcome out;
};

static void feed(struct reading *r, const char *bytes, size_t len)
{
	struct http_guard_step step;
	for (size_t at = 0; at < len && !r->out.refused; at += step.used) {
		if (!r->reader) {
			r->reader = arena_alloc(r->arena, sizeof(*r->reader));
			INVARIANT(r->reader != NULL);
			http_reader_init(r->reader, r->arena, &limits);
		}
		enum http_guard_event event = http_reader_read(r->reader, bytes + at, len - at, &step);
		INVARIANT(step.used <= len - at);
		if (event == HTTP_GUARD_REFUSED) {
			r->out.refused = true;
			break;
		}
		INVARIANT(step.used > 0 && step.data.len <= step.used);
		note_data(&r->out, step.data);
		if (event == HTTP_GUARD_HEAD)
			check_head(r->reader);
		if (http_guard_ended(&r->reader->guard)) {
			r->out.ended++;
			r->reader = NULL;
		}
	}
}

static struct outcome run(const char *bytes, size_t len, size_t piece)
{
	struct reading r = { .arena = arena_new(64 * 1024 * 1024) };
	INVARIANT(r.arena != NULL);
	for (size_t at = 0; at < len; at += piece)
		feed(&r, bytes + at, len - at < piece ? len - at : piece);
	arena_free(&r.arena);
	return r.out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const char *bytes = (const char *)data + 1;
	struct outcome whole = run(bytes, size - 1, size - 1),
		       split = run(bytes, size - 1, data[0] % 32 + 1U);
	INVARIANT(whole.ended == split.ended && whole.refused == split.refused);
	/* What came before a refusal in the same step is not handed on, so it depends on the split. */
	INVARIANT(whole.refused || (whole.body_len == split.body_len && whole.body_hash == split.body_hash));
	return 0;
}
