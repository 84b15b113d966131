/* SPDX-License-Identifier: Apache-2.0
 * The input check when memory ends, at each place where it may, and in the corners that no HTTP client of
 * input_test.c gets to. */
#include "alloc_fail.h"
#include "input_act.h"
#include "service/json_memory.h"
#include "unit.h"

static const char *const colours[] = { "red", "green", NULL };
static const struct field part[] = {
	{ "region", F_REGION },
	{ "value", F_INT, .required = true, .min = 0, .max = 100 },
	{ 0 },
};
static const struct field query[] = {
	{ "needed", F_TEXT, .required = true, .max = 100 },
	{ "e", F_ENUM, .of = colours },
	{ "i", F_INT, .min = 1, .max = 9 },
	{ 0 },
};
static const struct field body[] = {
	{ "text", F_TEXT, .max = 100 },
	{ "citizen", F_CITIZEN },
	{ "number", F_NUMBER, .min = 0, .max = 10 },
	{ "object", F_OBJECT, .max = 100 },
	{ "items", F_ITEMS, .max = 3, .items = part },
	{ "words", F_TEXTS, .max = 3 },
	{ 0 },
};
static const struct endpoint by_code = { HTTP_METHOD_POST, "/x", ANYBODY, query, body, .page = "code" };
enum { QUERY_FIELDS = 3, BODY_FIELDS = 6, PLENTY = 1 << 20 };

/* A request read with an arena of `cap` bytes; the answer's status and code, 0 and "" when all was taken. */
struct reading {
	struct http_exchange x;
	struct request r;
	struct route route;
	int status;
	char code[64], field[64];
};

static void note_answer(struct reading *reading)
{
	const struct http_response *response = &reading->x.response;
	if (reading->status == 0)
		return;
	json_t *json = json_loadb(response->body.at, response->body.len, 0, NULL);
	/* Without memory the answer may have no body, but it has a status. */
	const char *code = json_string_value(json_object_get(json, "code"));
	const char *field = json_string_value(json_object_get(json, "field"));
	snprintf(reading->code, sizeof reading->code, "%s", code ? code : "");
	snprintf(reading->field, sizeof reading->field, "%s", field ? field : "");
	json_decref(json);
}

static void read_in(struct arena *arena, struct reading *reading, const char *query_text,
		    const char *body_text)
{
	*reading = (struct reading){
		.x = { .arena = arena, .query = slice_of(query_text), .body = slice_of(body_text) },
		.route = { .endpoint = &by_code, .query_fields = QUERY_FIELDS, .body_fields = BODY_FIELDS }
	};
	reading->r = (struct request){ .x = &reading->x, .api = input_act_api(), .route = &reading->route };
	assert_non_null(reading->x.arena);
	enum step step = input_query(&reading->r);
	if (step == STEP_NEXT)
		step = input_body(&reading->r);
	assert_int_equal(step == STEP_DONE, reading->x.responses == 1);
	reading->status = step == STEP_DONE ? reading->x.response.status : 0;
}

static void read_with(struct reading *reading, size_t cap, const char *query_text, const char *body_text)
{
	read_in(arena_new(cap), reading, query_text, body_text);
	note_answer(reading);
}

static void end_reading(struct reading *reading)
{
	json_decref(reading->r.body);
	arena_free(&reading->x.arena);
}

static void refused_as(const char *query_text, const char *body_text, int status, const char *code,
		       const char *field)
{
	struct reading reading;
	read_with(&reading, PLENTY, query_text, body_text);
	assert_string_equal(reading.code, code);
	assert_string_equal(reading.field, field);
	assert_int_equal(reading.status, status);
	end_reading(&reading);
}

#define ITEMS "\"items\":[{\"value\":1,\"region\":\"640324\"},{\"value\":2}]"

/* With every size of arena up to one that is enough: an answer, or the same as with plenty. */
static void survives_every_cap(const char *query_text, const char *body_text)
{
	struct reading plenty, reading;
	read_with(&plenty, PLENTY, query_text, body_text);
	size_t enough = arena_used(plenty.x.arena);
	assert_true(enough > 0);
	for (size_t cap = 0; cap <= enough + 16; cap++) {
		read_with(&reading, cap, query_text, body_text);
		if (reading.status == 0)
			assert_int_equal(plenty.status, 0);
		else if (reading.status != plenty.status)
			assert_true(reading.status == 413 || reading.status == 422 || reading.status == 400);
		if (cap >= enough)
			assert_string_equal(reading.code, plenty.code);
		end_reading(&reading);
	}
	end_reading(&plenty);
}

static void memory_ends_anywhere(void **state)
{
	(void)state;
	survives_every_cap("needed=a+name&e=red&i=5&limit=7&after=qinghai",
			   "{\"text\":\"some text\",\"citizen\":\"11010519491231002X\",\"number\":1.5,"
			   "\"object\":{\"a\":[1,{}]}," ITEMS ",\"words\":[\"a\",\"b\"]}");
	survives_every_cap("needed=a&e=blue", "");
	survives_every_cap("needed=a&i=10", "");
	survives_every_cap("wanted=a", "");
	survives_every_cap("", "");
	survives_every_cap("needed=%zz", "");
	survives_every_cap("needed=a", "{\"some~unknown/field\":1}");
	survives_every_cap("needed=a", "{\"items\":[{\"value\":1},{\"value\":101}]}");
	survives_every_cap("needed=a", "{\"items\":[{\"un~known\":1}]}");
	survives_every_cap("needed=a", "{\"items\":[3]}");
	survives_every_cap("needed=a", "{\"items\":[1,2,3,4]}");
	survives_every_cap("needed=a", "[1");
}

/* Jansson's memory ends too: that is never said to be wrong JSON. */
static void json_cannot_be_read_or_written(void **state)
{
	struct reading reading;
	bool failed = true, starved = false;
	(void)state;
	json_memory_watch();
	for (int n = 0; failed; n++) {
		assert_true(n < 1000);
		struct arena *arena = arena_new(PLENTY);
		alloc_fail_at(n);
		read_in(arena, &reading, "needed=a", "{\"object\":{\"a\":\"b\"}," ITEMS "}");
		failed = alloc_fail_end();
		assert_true(failed || reading.status == 0);
		note_answer(&reading);
		starved = starved || reading.status == 503;
		assert_string_not_equal(reading.code, "json_invalid");
		end_reading(&reading);
	}
	assert_true(starved);
	json_set_alloc_funcs(malloc, free);
	refused_as("needed=a", "{", 400, "json_invalid", "");
}

static void nul_is_refused_wherever_it_hides(void **state)
{
	(void)state;
	refused_as("needed=a", "{\"text\":\"a\\u0000b\"}", 422, "nul_in_text", "/text");
	refused_as("needed=a", "{\"object\":{\"a\":\"\\u0000\"}}", 422, "nul_in_text", "/object");
	refused_as("needed=a", "{\"object\":{\"a\":{\"b\":[1,\"\\u0000\"]}}}", 422, "nul_in_text", "/object");
	refused_as("needed=%00", "", 400, "query_invalid", "");
}

static void what_is_needed(void **state)
{
	(void)state;
	refused_as("", "", 422, "required", "/needed");
	refused_as("needed=", "", 422, "required", "/needed");
	refused_as("needed=a&needed=b", "", 422, "given_twice", "/needed");
	refused_as("needed=a&limit=5&limit=5", "", 422, "given_twice", "/limit");
	refused_as("needed=a&after=x&after=y", "", 422, "given_twice", "/after");
}

static void values_by_their_names(void **state)
{
	struct reading reading;
	(void)state;
	read_with(&reading, PLENTY, "needed=first&i=7", "{\"text\":\"second\",\"number\":3}");
	assert_int_equal(reading.status, 0);
	assert_string_equal(input_value(&reading.r, "needed")->at, "first");
	assert_null(input_value(&reading.r, "e")->at);
	assert_string_equal(input_value(&reading.r, "i")->at, "7");
	assert_string_equal(input_value(&reading.r, "text")->at, "second");
	assert_string_equal(input_value(&reading.r, "number")->at, "3");
	end_reading(&reading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_ends_anywhere),
		cmocka_unit_test(json_cannot_be_read_or_written),
		cmocka_unit_test(nul_is_refused_wherever_it_hides),
		cmocka_unit_test(what_is_needed),
		cmocka_unit_test(values_by_their_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
