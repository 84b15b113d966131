/* SPDX-License-Identifier: Apache-2.0
 * Any well-formed text comes back from Jansson byte for byte; any time and date is null or of the one shape.
 */
#include "service/invariant.h"
#include "service/json_write.h"
#include <jansson.h>

static void check_text(struct arena *arena, struct slice text)
{
	struct buffer out;
	buffer_init(&out, arena, 0);
	json_write_text(&out, text);
	INVARIANT(!out.failed);
	json_t *value = json_loadb(out.at, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	INVARIANT(value != NULL);
	INVARIANT(slice_equal(text, (struct slice){ json_string_value(value), json_string_length(value) }));
	json_decref(value);
}

/* d stands for a digit. */
static bool has_shape(struct slice text, const char *shape)
{
	if (text.len < strlen(shape))
		return false;
	for (size_t i = 0; shape[i]; i++) {
		bool digit = text.at[i] >= '0' && text.at[i] <= '9';
		if (shape[i] == 'd' ? !digit : text.at[i] != shape[i])
			return false;
	}
	return true;
}

static void check_time(struct arena *arena, int64_t micros)
{
	struct buffer out;
	buffer_init(&out, arena, 64);
	json_write_time(&out, micros);
	struct slice text = buffer_taken(&out);
	INVARIANT(slice_is(text, "null") || has_shape(text, "\"dddd-dd-ddTdd:dd:dd"));
	INVARIANT(slice_is(text, "null") ||
		  (text.len <= 29 && has_shape((struct slice){ text.at + text.len - 2, 2 }, "Z\"")));
	out.len = 0;
	json_write_date(&out, (int32_t)(micros >> 32));
	INVARIANT(slice_is(buffer_taken(&out), "null") || has_shape(buffer_taken(&out), "\"dddd-dd-dd\""));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(16 * 1024 * 1024);
	struct slice text = { (const char *)data, size };
	int64_t micros = 0;
	INVARIANT(arena != NULL);
	if (slice_is_utf8(text))
		check_text(arena, text);
	memcpy(&micros, data, size < sizeof(micros) ? size : sizeof(micros));
	check_time(arena, micros);
	check_time(arena, micros % INT64_C(300000000000000000));
	arena_free(&arena);
	return 0;
}
