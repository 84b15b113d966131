/* SPDX-License-Identifier: Apache-2.0
 * A query and a JSON body against every kind of field. The first line is the query, the rest the body. Either
 * all is taken, then every value is a text the statement can have; or one problem is answered, which is
 * well-formed JSON. */
#include "api/text.h"
#include "tests/unit/input_act.h"

static const char *const colours[] = { "red", "green", NULL };
static const struct field part[] = {
	{ "region", F_REGION },
	{ "value", F_INT, .required = true, .min = 0, .max = 100 },
	{ 0 },
};
static const struct field query[] = {
	{ "t", F_TEXT, .min = 2, .max = 5 },
	{ "e", F_ENUM, .of = colours },
	{ "i", F_INT, .min = 1, .max = 9 },
	{ "b", F_BOOL },
	{ "d", F_DATE },
	{ "r", F_REGION },
	{ 0 },
};
static const struct field body[] = {
	{ "t", F_TEXT, .max = 5 },
	{ "s", F_SECRET, .min = 3, .max = 8 },
	{ "e", F_ENUM, .of = colours },
	{ "i", F_INT, .min = -3, .max = 9 },
	{ "n", F_NUMBER, .min = 0, .max = 10 },
	{ "b", F_BOOL },
	{ "w", F_TIME },
	{ "d", F_DATE },
	{ "r", F_REGION },
	{ "c", F_CITIZEN },
	{ "o", F_OBJECT, .max = 100 },
	{ "l", F_ITEMS, .max = 3, .items = part },
	{ "x", F_TEXTS, .max = 3 },
	{ "y", F_TEXTS, .max = 3, .of = colours },
	{ 0 },
};
enum { QUERY_FIELDS = sizeof query / sizeof query[0] - 1, BODY_FIELDS = sizeof body / sizeof body[0] - 1 };
static const struct endpoint endpoint = { HTTP_METHOD_POST, "/fuzz", ANYBODY, query, body, .page = "id" };

static void check_value(const struct field *f, const struct db_value *value)
{
	if (!value->at) {
		INVARIANT(!f->required);
		return;
	}
	struct slice text = { value->at, value->binary ? (size_t)value->len : strlen(value->at) };
	INVARIANT(value->binary == (f->kind == F_CITIZEN));
	INVARIANT(value->binary ? value->len == VAULT_INDEX_BYTES : slice_is_utf8(text));
	INVARIANT(f->kind != F_DATE || text_is_date(text));
	INVARIANT(f->kind != F_TIME || text_is_time(text));
	INVARIANT(f->kind != F_REGION || text_is_region(text));
	INVARIANT(f->kind != F_BOOL || slice_is(text, "true") || slice_is(text, "false"));
	INVARIANT(f->kind != F_ENUM || slice_is(text, "red") || slice_is(text, "green"));
	INVARIANT((f->kind != F_TEXT && f->kind != F_SECRET) ||
		  (slice_utf8_length(text) <= (size_t)f->max && slice_utf8_length(text) >= (size_t)f->min));
	if (f->kind == F_INT || f->kind == F_NUMBER) {
		char *end;
		double n = strtod(text.at, &end);
		INVARIANT(*end == 0 && n >= (double)f->min && n <= (double)f->max);
	}
	if (f->kind == F_OBJECT || f->kind == F_ITEMS || f->kind == F_TEXTS) {
		json_t *json = json_loadb(text.at, text.len, 0, NULL);
		INVARIANT(json_is_object(json) || json_is_array(json));
		json_decref(json);
	}
}

static void check_problem(const struct http_exchange *x, const struct request *r)
{
	const struct http_response *response = &x->response;
	INVARIANT(r->answered && x->responses == 1);
	INVARIANT(response->status == 400 || response->status == 413 || response->status == 422);
	json_t *json = json_loadb(response->body.at, response->body.len, 0, NULL);
	INVARIANT(json_is_object(json) && json_is_string(json_object_get(json, "code")));
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct route route = { .endpoint = &endpoint,
			       .query_fields = QUERY_FIELDS,
			       .body_fields = BODY_FIELDS };
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	size_t split = line ? (size_t)(line - data) : size;
	struct http_exchange x = { .arena = arena_new(1 << 20),
				   .query = { (const char *)data, split },
				   .body = { line ? (const char *)line + 1 : NULL,
					     line ? size - split - 1 : 0 } };
	struct request r = { .x = &x, .api = input_act_api(), .route = &route };
	INVARIANT(x.arena != NULL);
	enum step step = input_query(&r);
	if (step == STEP_NEXT)
		step = input_body(&r);
	INVARIANT(step == STEP_NEXT || step == STEP_DONE);
	if (step == STEP_DONE)
		check_problem(&x, &r);
	for (int i = 0; step == STEP_NEXT && i < QUERY_FIELDS + BODY_FIELDS; i++)
		check_value(i < QUERY_FIELDS ? &query[i] : &body[i - QUERY_FIELDS], &r.values[i]);
	INVARIANT(step == STEP_DONE || (x.responses == 0 && r.limit >= 1 && r.limit <= 200));
	json_decref(r.body);
	arena_free(&x.arena);
	return 0;
}
