/* SPDX-License-Identifier: Apache-2.0
 * Checks what a client sent against its endpoint's fields, and turns it into statement parameters.
 * The first wrong field is named; nothing that is not in the table gets through. */
#include "api/engine.h"
#include "api/text.h"
#include "service/json_memory.h"
#include <stdio.h>
#include <stdlib.h>

static enum step wrong(struct request *r, const char *code, const char *name, const char *detail)
{
	const char *field = name ? arena_printf(http_arena(r->x), "/%s", name) : NULL;
	metric_add(r->api->refused_input, 1);
	return problem(r, 422, code, field, detail);
}

static enum step check_length(struct request *r, const struct field *f, struct slice text)
{
	size_t n = slice_utf8_length(text);
	int64_t min = f->min ? f->min : (f->required ? 1 : 0);
	if (text.len && memchr(text.at, 0, text.len))
		return wrong(r, "nul_in_text", f->name, "A NUL character cannot be kept.");
	if ((int64_t)n < min)
		return wrong(r, "too_short", f->name,
			     arena_printf(http_arena(r->x), "At least %d characters.", (int)min));
	if ((int64_t)n > f->max)
		return wrong(r, "too_long", f->name,
			     arena_printf(http_arena(r->x), "At most %d characters.", (int)f->max));
	return STEP_NEXT;
}

static enum step check_enum(struct request *r, const struct field *f, struct slice text)
{
	struct buffer list;
	for (int i = 0; f->of[i]; i++)
		if (slice_is(text, f->of[i]))
			return STEP_NEXT;
	buffer_init(&list, http_arena(r->x), 200);
	buffer_text(&list, "One of:");
	for (int i = 0; f->of[i]; i++)
		buffer_printf(&list, " %s", f->of[i]);
	buffer_char(&list, 0);
	return wrong(r, "not_allowed", f->name, list.failed ? NULL : list.at);
}

static enum step check_range(struct request *r, const struct field *f, double n)
{
	if (n < (double)f->min || n > (double)f->max)
		return wrong(r, "out_of_range", f->name,
			     arena_printf(http_arena(r->x), "From %lld to %lld.", (long long)f->min,
					  (long long)f->max));
	return STEP_NEXT;
}

static enum step take_citizen(struct request *r, const struct field *f, struct slice text,
			      struct db_value *out)
{
	unsigned char *index = arena_alloc(http_arena(r->x), VAULT_INDEX_BYTES);
	if (!text_is_citizen_id(text))
		return wrong(r, "citizen_id_invalid", f->name,
			     "Eighteen characters with a right check digit.");
	if (!index)
		return wrong(r, "too_long", f->name, NULL);
	vault_index(r->api->options.vault, text, index);
	*out = db_bytes(index, VAULT_INDEX_BYTES);
	return STEP_NEXT;
}

/* A value that came as text, in a body or in a query. */
static enum step take_text(struct request *r, const struct field *f, struct slice text, struct db_value *out)
{
	enum step checked = STEP_NEXT;
	switch (f->kind) {
	case F_TEXT:
	case F_SECRET:
		checked = check_length(r, f, text);
		break;
	case F_ENUM:
		checked = check_enum(r, f, text);
		break;
	case F_TIME:
		if (!text_is_time(text))
			return wrong(r, "not_a_time", f->name,
				     "A time as in RFC 3339, such as 2026-11-22T08:00:00Z.");
		break;
	case F_DATE:
		if (!text_is_date(text))
			return wrong(r, "not_a_date", f->name, "A date such as 2026-11-22.");
		break;
	case F_REGION:
		if (!text_is_region(text))
			return wrong(r, "not_a_region", f->name, "A region code of six or nine digits.");
		break;
	default:
		INVARIANT(f->kind == F_CITIZEN);
		return take_citizen(r, f, text, out);
	}
	const char *copy = checked == STEP_NEXT ? arena_text(http_arena(r->x), text) : NULL;
	if (checked == STEP_NEXT && !copy)
		return wrong(r, "too_long", f->name, NULL);
	*out = db_text(copy);
	return checked;
}

static enum step take_number(struct request *r, const struct field *f, const json_t *v, struct db_value *out)
{
	struct arena *arena = http_arena(r->x);
	if (f->kind == F_INT && !json_is_integer(v))
		return wrong(r, "wrong_type", f->name, "A whole number.");
	if (!json_is_number(v))
		return wrong(r, "wrong_type", f->name, "A number.");
	*out = db_text(json_is_integer(v) ? arena_printf(arena, "%lld", (long long)json_integer_value(v))
					  : arena_printf(arena, "%.17g", json_real_value(v)));
	return check_range(r, f, json_number_value(v));
}

/* A NUL anywhere in it: PostgreSQL could keep the document but never read it. */
static bool has_nul(const json_t *v)
{
	const char *key;
	json_t *inner;
	size_t i;
	if (json_is_string(v))
		return memchr(json_string_value(v), 0, json_string_length(v)) != NULL;
	json_object_foreach ((json_t *)(uintptr_t)v, key, inner)
		if (has_nul(inner))
			return true;
	json_array_foreach ((json_t *)(uintptr_t)v, i, inner)
		if (has_nul(inner))
			return true;
	return false;
}

static enum step take_dump(struct request *r, const struct field *f, const json_t *v, struct db_value *out)
{
	char *text = json_dumps(v, JSON_COMPACT);
	if (has_nul(v)) {
		free(text);
		return wrong(r, "nul_in_text", f->name, "A NUL character cannot be kept.");
	}
	if (!text || (f->kind == F_OBJECT && (int64_t)strlen(text) > f->max)) {
		free(text);
		return wrong(r, "too_long", f->name,
			     arena_printf(http_arena(r->x), "At most %d bytes.", (int)f->max));
	}
	*out = db_text(arena_text(http_arena(r->x), slice_of(text)));
	free(text);
	return out->at ? STEP_NEXT : wrong(r, "too_long", f->name, NULL);
}

static enum step take_value(struct request *r, const struct field *f, const json_t *v, struct db_value *out);

static bool known_field(const struct field *fields, const char *name)
{
	for (; fields && fields->name; fields++)
		if (strcmp(fields->name, name) == 0)
			return true;
	return false;
}

/* A key as part of a JSON pointer (RFC 6901). */
static const char *pointer_part(struct request *r, const char *key)
{
	struct buffer out;
	buffer_init(&out, http_arena(r->x), strlen(key) + 16);
	for (; *key; key++)
		if (*key == '~' || *key == '/')
			buffer_text(&out, *key == '~' ? "~0" : "~1");
		else
			buffer_char(&out, *key);
	buffer_char(&out, 0);
	return out.failed ? "" : out.at;
}

static enum step check_item(struct request *r, const struct field *f, const json_t *item, size_t number)
{
	const char *key;
	json_t *value;
	struct db_value ignored;
	if (!json_is_object(item))
		return wrong(r, "wrong_type", arena_printf(http_arena(r->x), "%s/%zu", f->name, number),
			     "An object.");
	json_object_foreach ((json_t *)(uintptr_t)item, key, value)
		if (!known_field(f->items, key))
			return wrong(r, "unknown_field",
				     arena_printf(http_arena(r->x), "%s/%zu/%s", f->name, number,
						  pointer_part(r, key)),
				     NULL);
	for (const struct field *inner = f->items; inner->name; inner++) {
		struct field named = *inner;
		named.name = arena_printf(http_arena(r->x), "%s/%zu/%s", f->name, number, inner->name);
		if (!named.name ||
		    take_value(r, &named, json_object_get(item, inner->name), &ignored) != STEP_NEXT)
			return r->answered ? STEP_DONE : wrong(r, "too_long", f->name, NULL);
	}
	return STEP_NEXT;
}

static enum step check_entry(struct request *r, const struct field *f, const json_t *entry, size_t number)
{
	struct db_value ignored;
	struct field named = { .name = arena_printf(http_arena(r->x), "%s/%zu", f->name, number),
			       .kind = f->of ? F_ENUM : F_TEXT,
			       .required = true,
			       .max = 100,
			       .of = f->of };
	if (f->kind == F_ITEMS)
		return check_item(r, f, entry, number);
	return named.name ? take_value(r, &named, entry, &ignored) : wrong(r, "too_long", f->name, NULL);
}

static enum step take_items(struct request *r, const struct field *f, const json_t *v, struct db_value *out)
{
	size_t i;
	json_t *item;
	if (!json_is_array(v))
		return wrong(r, "wrong_type", f->name, "A list.");
	if ((int64_t)json_array_size(v) > f->max)
		return wrong(r, "too_long", f->name,
			     arena_printf(http_arena(r->x), "At most %d entries.", (int)f->max));
	json_array_foreach ((json_t *)(uintptr_t)v, i, item)
		if (check_entry(r, f, item, i) != STEP_NEXT)
			return STEP_DONE;
	return take_dump(r, f, v, out);
}

static enum step take_value(struct request *r, const struct field *f, const json_t *v, struct db_value *out)
{
	*out = DB_NULL;
	if (!v || json_is_null(v))
		return f->required ? wrong(r, "required", f->name, "This field is needed.") : STEP_NEXT;
	switch (f->kind) {
	case F_INT:
	case F_NUMBER:
		return take_number(r, f, v, out);
	case F_BOOL:
		if (!json_is_boolean(v))
			return wrong(r, "wrong_type", f->name, "true or false.");
		*out = db_text(json_is_true(v) ? "true" : "false");
		return STEP_NEXT;
	case F_OBJECT:
		if (!json_is_object(v))
			return wrong(r, "wrong_type", f->name, "An object.");
		return take_dump(r, f, v, out);
	case F_ITEMS:
	case F_TEXTS:
		return take_items(r, f, v, out);
	default:
		if (!json_is_string(v))
			return wrong(r, "wrong_type", f->name, "A text.");
		return take_text(r, f, (struct slice){ json_string_value(v), json_string_length(v) }, out);
	}
}

static enum step parse_body(struct request *r)
{
	struct slice bytes = http_body_bytes(r->x);
	json_error_t error;
	if (bytes.len == 0)
		return STEP_NEXT;
	if (!text_is_json_type(http_header(r->x, "content-type")))
		return problem(r, 415, "content_type_unsupported", NULL,
			       "The body must be application/json in UTF-8.");
	/* Jansson passes over a NUL behind a number or a word. */
	if (memchr(bytes.at, 0, bytes.len))
		return problem(r, 400, "json_invalid", NULL, "There is a NUL byte in it.");
	json_memory_clear();
	r->body = json_loadb(bytes.at, bytes.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (json_memory_lacked())
		return problem(r, 503, "try_again", NULL, NULL);
	if (!r->body)
		return problem(
			r, 400, "json_invalid", NULL,
			arena_printf(http_arena(r->x), "Line %d, column %d.", error.line, error.column));
	if (!json_is_object(r->body))
		return problem(r, 422, "wrong_type", "/", "The body must be an object.");
	return STEP_NEXT;
}

enum step input_body(struct request *r)
{
	const struct field *fields = r->route->endpoint->body;
	const char *key;
	json_t *value;
	enum step step = parse_body(r);
	if (step != STEP_NEXT)
		return step;
	json_object_foreach (r->body, key, value)
		if (!known_field(fields, key))
			return wrong(r, "unknown_field", pointer_part(r, key), NULL);
	for (int i = 0; i < r->route->body_fields; i++) {
		step = take_value(r, &fields[i], json_object_get(r->body, fields[i].name),
				  &r->values[r->route->query_fields + i]);
		if (step != STEP_NEXT)
			return step;
	}
	return STEP_NEXT;
}

/* As JSON has numbers. */
static enum step take_query_number(struct request *r, const struct field *f, struct slice text,
				   struct db_value *out)
{
	json_t *v = json_loadb(text.at, text.len, JSON_DECODE_ANY, NULL);
	enum step step = v ? take_number(r, f, v, out) : wrong(r, "wrong_type", f->name, "A number.");
	json_decref(v);
	return step;
}

static enum step take_query_value(struct request *r, const struct field *f, struct slice text,
				  struct db_value *out)
{
	int64_t n;
	switch (f->kind) {
	case F_INT:
		if (!slice_to_i64(text, &n))
			return wrong(r, "wrong_type", f->name, "A whole number.");
		*out = db_text(arena_text(http_arena(r->x), text));
		return check_range(r, f, (double)n);
	case F_NUMBER:
		return take_query_number(r, f, text, out);
	case F_BOOL:
		if (!slice_is(text, "true") && !slice_is(text, "false"))
			return wrong(r, "wrong_type", f->name, "true or false.");
		*out = db_text(slice_is(text, "true") ? "true" : "false");
		return STEP_NEXT;
	default:
		return take_text(r, f, text, out);
	}
}

static enum step take_page(struct request *r, struct slice name, struct slice text)
{
	uint64_t n = 0;
	if (slice_is(name, "limit") ? r->limit != 0 : r->after != NULL)
		return wrong(r, "given_twice", slice_is(name, "limit") ? "limit" : "after", NULL);
	if (text.len == 0)
		return STEP_NEXT;
	if (slice_is(name, "limit")) {
		if (!slice_to_u64(text, &n) || n < 1 || n > 200)
			return wrong(r, "out_of_range", "limit", "From 1 to 200.");
		r->limit = (int)n;
		return STEP_NEXT;
	}
	const char *page = r->route->endpoint->page;
	bool by_number = strcmp(page, "code") != 0 && strcmp(page, "_cursor") != 0;
	if (by_number && (!slice_to_u64(text, &n) || n > INT64_MAX))
		return wrong(r, "cursor_invalid", "after", "Take it from a Link header.");
	r->after = arena_text(http_arena(r->x), text);
	return r->after ? STEP_NEXT : wrong(r, "too_long", "after", NULL);
}

static enum step take_parameter(struct request *r, struct slice name, struct slice text)
{
	const struct field *fields = r->route->endpoint->query;
	if (r->route->endpoint->page && (slice_is(name, "limit") || slice_is(name, "after")))
		return take_page(r, name, text);
	for (int i = 0; i < r->route->query_fields; i++) {
		if (!slice_is(name, fields[i].name))
			continue;
		if (r->values[i].at)
			return wrong(r, "given_twice", fields[i].name, NULL);
		return text.len ? take_query_value(r, &fields[i], text, &r->values[i]) : STEP_NEXT;
	}
	return wrong(r, "unknown_parameter", arena_text(http_arena(r->x), name), NULL);
}

static enum step split_query(struct request *r, struct slice query)
{
	struct arena *arena = http_arena(r->x);
	while (query.len) {
		const char *end = memchr(query.at, '&', query.len);
		struct slice pair = { query.at, end ? (size_t)(end - query.at) : query.len };
		query = end ? (struct slice){ end + 1, query.len - pair.len - 1 } : (struct slice){ 0 };
		const char *equals = pair.len ? memchr(pair.at, '=', pair.len) : NULL;
		struct slice name = { pair.at, equals ? (size_t)(equals - pair.at) : pair.len };
		struct slice value =
			equals ? (struct slice){ equals + 1, pair.len - name.len - 1 } : (struct slice){ 0 };
		if (pair.len == 0)
			continue;
		if (!text_percent_decode(arena, name, &name) || !text_percent_decode(arena, value, &value))
			return problem(r, 400, "query_invalid", NULL,
				       "The query is not well-formed UTF-8 in percent encoding.");
		enum step step = take_parameter(r, name, value);
		if (step != STEP_NEXT)
			return step;
	}
	return STEP_NEXT;
}

enum step input_query(struct request *r)
{
	const struct field *fields = r->route->endpoint->query;
	size_t count = (size_t)r->route->query_fields + (size_t)r->route->body_fields;
	r->values = arena_zalloc(http_arena(r->x), (count + 1) * sizeof *r->values);
	if (!r->values)
		return problem(r, 413, "too_long", NULL, NULL);
	enum step step = split_query(r, http_query(r->x));
	r->limit = r->limit ? r->limit : 50;
	for (int i = 0; step == STEP_NEXT && i < r->route->query_fields; i++)
		if (fields[i].required && !r->values[i].at)
			step = wrong(r, "required", fields[i].name, "This parameter is needed.");
	return step;
}

const struct db_value *input_value(const struct request *r, const char *name)
{
	const struct endpoint *e = r->route->endpoint;
	int query_fields = r->route->query_fields;
	for (int i = 0;; i++) {
		INVARIANT(i < query_fields + r->route->body_fields); /* a field that the table has */
		const struct field *f = i < query_fields ? &e->query[i] : &e->body[i - query_fields];
		if (strcmp(f->name, name) == 0)
			return &r->values[i];
	}
}
