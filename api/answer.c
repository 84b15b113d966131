/* SPDX-License-Identifier: Apache-2.0
 * Writes answers: columns as JSON by the names and types that PostgreSQL described. A row comes from the
 * database, or from the JSON that was kept under an Idempotency-Key; both are written by the same code. */
#include "api/engine.h"
#include "service/json_write.h"
#include <stdio.h>

struct source {
	const struct db_rows *rows;
	int row;
	const json_t *kept; /* instead of rows */
	const struct db_shape *shape;
};

static const json_t *kept_value(const struct source *s, int column)
{
	return json_object_get(s->kept, s->shape->column[column].name);
}

static bool is_null(const struct source *s, int column)
{
	if (column < 0)
		return true;
	if (s->kept)
		return !kept_value(s, column) || json_is_null(kept_value(s, column));
	return db_is_null(s->rows, s->row, column);
}

static struct slice get_text(const struct source *s, int column)
{
	if (!s->kept)
		return db_get(s->rows, s->row, column);
	const json_t *v = kept_value(s, column);
	return (struct slice){ json_string_value(v), json_string_length(v) };
}

/* A sealed identity: opened, masked, and the clear text wiped from the stack. */
static void write_sealed(const struct vault *vault, struct slice sealed, struct buffer *out)
{
	char clear[64], masked[64];
	size_t len = 0;
	if (sealed.len < VAULT_SEAL_OVERHEAD || sealed.len - VAULT_SEAL_OVERHEAD > sizeof clear ||
	    !vault_unseal(vault, sealed, clear, &len)) {
		json_write_null(out);
		return;
	}
	vault_mask((struct slice){ clear, len }, masked);
	explicit_bzero(clear, sizeof clear);
	json_write_text(out, (struct slice){ masked, len });
}

static void write_texts(const struct source *s, int column, struct buffer *out)
{
	struct slice items[256];
	int n = db_get_texts(s->rows, s->row, column, items, 256);
	buffer_char(out, '[');
	for (int i = 0; i < n; i++) {
		if (i)
			buffer_char(out, ',');
		json_write_text(out, items[i]);
	}
	buffer_char(out, ']');
}

static void write_float(struct buffer *out, double value)
{
	buffer_printf(out,
		      value == (double)(int64_t)value && value < 1e15 && value > -1e15 ? "%.0f" : "%.15g",
		      value);
}

static void write_stored(const struct vault *vault, const struct source *s, int column, struct buffer *out)
{
	switch (s->shape->column[column].type) {
	case DB_BOOL:
		json_write_bool(out, db_get_bool(s->rows, s->row, column));
		break;
	case DB_INT2:
	case DB_INT4:
	case DB_INT8:
		buffer_i64(out, db_get_int(s->rows, s->row, column));
		break;
	case DB_FLOAT8:
		write_float(out, db_get_float(s->rows, s->row, column));
		break;
	case DB_TEXTS:
		write_texts(s, column, out);
		break;
	case DB_DATE:
		json_write_date(out, (int32_t)db_get_int(s->rows, s->row, column));
		break;
	case DB_TIME:
		json_write_time(out, db_get_int(s->rows, s->row, column));
		break;
	case DB_JSON:
		buffer_slice(out, db_get(s->rows, s->row, column));
		break;
	case DB_BYTES:
		write_sealed(vault, db_get(s->rows, s->row, column), out);
		break;
	default:
		json_write_text(out, db_get(s->rows, s->row, column));
	}
}

/* PostgreSQL's to_json writes times as …+00:00 where the fast path writes …Z. */
static void write_kept(const struct source *s, int column, struct buffer *out)
{
	const json_t *v = kept_value(s, column);
	if (s->shape->column[column].type == DB_TIME && json_is_string(v)) {
		size_t len = json_string_length(v);
		const char *text = json_string_value(v);
		bool utc = len > 6 && strcmp(text + len - 6, "+00:00") == 0;
		buffer_printf(out, "\"%.*s%s\"", (int)(utc ? len - 6 : len), text, utc ? "Z" : "");
		return;
	}
	if (json_is_string(v)) { /* as written the first time: jansson escapes in another way */
		json_write_text(out, (struct slice){ json_string_value(v), json_string_length(v) });
		return;
	}
	if (s->shape->column[column].type == DB_FLOAT8) {
		write_float(out, json_number_value(v));
		return;
	}
	char *dumped = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	if (dumped)
		buffer_text(out, dumped);
	else
		out->failed = true;
	free(dumped);
}

static void write_value(struct request *r, const struct source *s, int column, struct buffer *out)
{
	if (is_null(s, column))
		json_write_null(out);
	else if (s->kept)
		write_kept(s, column, out);
	else
		write_stored(r->api->options.vault, s, column, out);
}

static void write_row(struct request *r, const struct row_plan *plan, const struct source *s,
		      struct buffer *out)
{
	for (int i = 0; i < plan->columns; i++) {
		if (!plan->lead[i].at)
			continue;
		buffer_slice(out, plan->lead[i]);
		write_value(r, s, i, out);
	}
	buffer_text(out, plan->tail);
}

const char *request_headers(struct request *r, const char *more)
{
	struct buffer out;
	buffer_init(&out, http_arena(r->x), 256);
	buffer_slice(&out, SLICE("X-Request-Id: "));
	buffer_text(&out, r->trace);
	buffer_slice(&out, SLICE("\r\n"));
	if (r->read)
		buffer_text(&out, r->read);
	if (r->header)
		buffer_text(&out, r->header);
	buffer_text(&out, more ? more : "");
	buffer_char(&out, 0);
	return out.failed ? NULL : out.at;
}

enum step answer_raw(struct request *r, const struct http_response *response)
{
	struct http_response full = *response;
	full.extra_headers = request_headers(r, response->extra_headers);
	r->answered = true;
	http_respond(r->x, &full);
	return STEP_DONE;
}

enum step answer_json(struct request *r, int status, struct slice body, const char *headers)
{
	struct http_response response = {
		.status = status, .content_type = "application/json", .extra_headers = headers, .body = body
	};
	return answer_raw(r, &response);
}

static enum step send_buffer(struct request *r, int status, const char *type, const char *headers,
			     struct buffer *out)
{
	struct http_response response = {
		.status = status, .content_type = type, .extra_headers = headers, .body = buffer_taken(out)
	};
	if (out->failed)
		return problem(r, 500, "answer_too_large", NULL, NULL);
	return answer_raw(r, &response);
}

/* The verdict's problem with what the statement says of it: its `_` columns, and of a lost race the current
 * state. */
static enum step answer_verdict(struct request *r, const struct row_plan *plan, const struct source *s)
{
	const struct verdict *v = verdict_of(get_text(s, plan->verdict));
	struct buffer out;
	struct slice field = v->field ? slice_of(v->field) : (struct slice){ 0 };
	if (!is_null(s, plan->field) && v->status == 422)
		field = get_text(s, plan->field);
	buffer_init(&out, http_arena(r->x), 512);
	r->refused = v->name;
	problem_begin(&out, v->status, v->name, v->title, field, NULL);
	for (int i = 0; i < plan->columns; i++) {
		const char *name = s->shape->column[i].name;
		if (name[0] != '_' || i == plan->verdict || i == plan->field || is_null(s, i))
			continue;
		buffer_printf(&out, ",\"%s\":", name + 1);
		write_value(r, s, i, &out);
	}
	if (v->status == 412) {
		buffer_text(&out, ",\"current\":");
		write_row(r, plan, s, &out);
	}
	buffer_char(&out, '}');
	return send_buffer(r, v->status, "application/problem+json", NULL, &out);
}

/* If-None-Match is a list, or *, and compares weakly (RFC 9110, 13.1.2). */
bool request_has(struct request *r, struct slice tag)
{
	struct slice given = http_header(r->x, "if-none-match");
	if (!given.at || http_method(r->x) > HTTP_METHOD_HEAD || r->route->endpoint->always)
		return false;
	while (given.len) {
		const char *end = memchr(given.at, ',', given.len);
		struct slice one =
			slice_trim((struct slice){ given.at, end ? (size_t)(end - given.at) : given.len });
		given = end ? (struct slice){ end + 1, given.len - (size_t)(end + 1 - given.at) }
			    : (struct slice){ 0 };
		if (one.len > 2 && memcmp(one.at, "W/", 2) == 0)
			one = (struct slice){ one.at + 2, one.len - 2 };
		if (slice_equal(one, tag) || slice_is(one, "*"))
			return true;
	}
	return false;
}

/* Writes the row's version as a header line; answers the tag within it, empty when the row has none. */
static struct slice write_etag(const struct source *s, const struct row_plan *plan, struct buffer *header)
{
	static const char name[] = "ETag: ";
	if (is_null(s, plan->version))
		return (struct slice){ 0 };
	buffer_text(header, name);
	buffer_char(header, '"');
	buffer_i64(header, s->kept ? json_integer_value(kept_value(s, plan->version))
				   : db_get_int(s->rows, s->row, plan->version));
	buffer_char(header, '"');
	struct slice tag = { header->at + sizeof name - 1, header->len - (sizeof name - 1) };
	buffer_add(header, "\r\n", 3); /* terminated */
	INVARIANT(!header->failed);
	return tag;
}

static enum step print_json(struct request *r, const struct buffer *json)
{
	const struct sheet *sheet = r->route->sheet;
	struct buffer page;
	json_t *data = json->failed ? NULL : json_loadb(json->at, json->len, 0, NULL);
	if (!data)
		return problem(r, 500, "answer_too_large", NULL, NULL);
	buffer_init(&page, http_arena(r->x), 16384);
	sheet_write(sheet, data, &page);
	json_decref(data);
	return send_buffer(r, 200, "text/html; charset=utf-8", sheet_headers(sheet), &page);
}

static enum step answer_row(struct request *r, const struct row_plan *plan, const struct source *s)
{
	struct buffer out;
	char room[48];
	struct buffer header = { .at = room, .room = sizeof room };
	if (!is_null(s, plan->verdict))
		return answer_verdict(r, plan, s);
	struct slice tag = write_etag(s, plan, &header);
	const char *headers = tag.len ? room : NULL; /* copied before this returns */
	if (tag.at && request_has(r, tag)) {
		struct http_response same = { .status = 304, .extra_headers = headers };
		return answer_raw(r, &same);
	}
	buffer_init(&out, http_arena(r->x), 1024);
	write_row(r, plan, s, &out);
	int status = r->route->endpoint->status;
	return send_buffer(r, status ? status : 200, "application/json", headers, &out);
}

/* Link: rel="next" carries every parameter of this page but `after`. */
static const char *next_link(struct request *r, const struct row_plan *plan, const struct source *s)
{
	struct slice path = http_path(r->x), query = http_query(r->x);
	struct buffer out;
	buffer_init(&out, http_arena(r->x), path.len + query.len + 128);
	buffer_printf(&out, "Link: <%.*s?", (int)path.len, path.at);
	while (query.len) {
		const char *end = memchr(query.at, '&', query.len);
		struct slice pair = { query.at, end ? (size_t)(end - query.at) : query.len };
		query = end ? (struct slice){ end + 1, query.len - pair.len - 1 } : (struct slice){ 0 };
		if (pair.len && !(pair.len >= 6 && memcmp(pair.at, "after=", 6) == 0))
			buffer_printf(&out, "%.*s&", (int)pair.len, pair.at);
	}
	enum db_type type = s->shape->column[plan->page].type;
	buffer_text(&out, "after=");
	if (type == DB_TEXT)
		buffer_slice(&out, get_text(s, plan->page));
	else
		buffer_i64(&out, db_get_int(s->rows, s->row, plan->page));
	buffer_text(&out, ">; rel=\"next\"\r\n");
	buffer_char(&out, 0);
	return out.failed ? NULL : out.at;
}

/* "items" of the first rows. */
static void write_items(struct request *r, const struct row_plan *plan, struct source *s, int count,
			struct buffer *out)
{
	buffer_init(out, http_arena(r->x), 256 + (size_t)count * 400);
	buffer_text(out, "{\"items\":[");
	for (s->row = 0; s->row < count; s->row++) {
		if (s->row)
			buffer_char(out, ',');
		write_row(r, plan, s, out);
	}
	buffer_text(out, "]}");
}

static enum step answer_many(struct request *r, const struct row_plan *plan, struct source *s)
{
	struct buffer out;
	const char *link = NULL;
	int count = db_row_count(s->rows);
	if (r->route->endpoint->page && count > r->limit) {
		count = r->limit;
		s->row = count - 1;
		link = next_link(r, plan, s);
	}
	write_items(r, plan, s, count, &out);
	int status = r->route->endpoint->status;
	return send_buffer(r, status ? status : 200, "application/json", link, &out);
}

enum step answer_rows(struct request *r, const struct db_rows *rows)
{
	enum sql statement = r->way->way->statement;
	const struct row_plan *plan = &r->api->plans[statement];
	struct source source = { .rows = rows, .shape = db_shape_of(r->api->options.db, statement) };
	if (sql_texts[statement].shape == SQL_SHAPE_many)
		return answer_many(r, plan, &source);
	if (db_row_count(rows) == 0)
		return problem(r, 404, "not_found", NULL, NULL);
	return answer_row(r, plan, &source);
}

enum step answer_sheet(struct request *r, const struct db_rows *rows)
{
	enum sql statement = r->way->way->statement;
	const struct row_plan *plan = &r->api->plans[statement];
	struct source source = { .rows = rows, .shape = db_shape_of(r->api->options.db, statement) };
	struct buffer json;
	if (sql_texts[statement].shape == SQL_SHAPE_many) {
		write_items(r, plan, &source, db_row_count(rows), &json);
		return print_json(r, &json);
	}
	if (db_row_count(rows) == 0)
		return problem(r, 404, "not_found", NULL, NULL);
	if (!is_null(&source, plan->verdict))
		return answer_verdict(r, plan, &source);
	buffer_init(&json, http_arena(r->x), 4096);
	write_row(r, plan, &source, &json);
	return print_json(r, &json);
}

enum step answer_kept(struct request *r, struct slice json)
{
	enum sql statement = r->way->way->statement;
	json_t *kept = json_loadb(json.at, json.len, 0, NULL);
	struct source source = { .kept = kept, .shape = db_shape_of(r->api->options.db, statement) };
	if (!json_is_object(kept)) {
		json_decref(kept);
		return problem(r, 500, "internal_error", NULL, NULL);
	}
	enum step step = answer_row(r, &r->api->plans[statement], &source);
	json_decref(kept);
	return step;
}
