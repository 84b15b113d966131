/* SPDX-License-Identifier: Apache-2.0
 * What the engine refuses before it asks the database, over a real server: paths, methods, sessions, content
 * types, queries and bodies. The endpoints are the test's own and say back what would be bound; where the
 * real tables are used their statement is replaced by that, too. There is no database: what asks it is told
 * so. */
#include "input_rig.h"

static void paths_and_methods(void **state)
{
	(void)state;
	refused("GET", "/nowhere", 404, "no_such_path", NULL);
	refused("GET", "/query/", 404, "no_such_path", NULL);
	refused("GET", "/api/v1/cases//events", 404, "no_such_path", NULL);
	refused("POST", "/query", 405, "method_not_allowed", NULL);
	assert_non_null(strstr(answer.head, "\r\nAllow: GET, HEAD, OPTIONS\r\n"));
	refused("DELETE", "/needed", 405, "method_not_allowed", NULL);
	assert_non_null(strstr(answer.head, "\r\nAllow: GET, HEAD, POST, OPTIONS\r\n"));
	assert_int_equal(ask("OPTIONS", "/needed", "", "", 0), 204);
	assert_non_null(strstr(answer.head, "\r\nAllow: GET, HEAD, POST, OPTIONS\r\n"));
	assert_int_equal(ask("HEAD", "/query", "", "", 0), 200);
}

static void sessions(void **state)
{
	struct principal county = { .account = 5, .role = ROLE_COUNTY, .expires_at = INT64_MAX };
	unsigned char hash[32];
	(void)state;
	token_hash(SLICE("the-token"), hash);
	session_cache_put(api.sessions, hash, &county, session_cache_epoch(api.sessions));
	refused("GET", "/signed", 401, "sign_in_required", NULL);
	assert_non_null(strstr(answer.head, "\r\nWWW-Authenticate: Bearer\r\n"));
	assert_int_equal(ask("GET", "/signed", "Authorization: Bearer the-token\r\n", "", 0), 200);
	assert_int_equal(ask("GET", "/signed", "Authorization: bearer  the-token \r\n", "", 0), 200);
	assert_int_equal(ask("GET", "/signed", "Cookie: a=b; tantu_session=the-token; c=d\r\n", "", 0), 200);
	static const char *const wrong[] = { "Authorization: Basic dGhlOnRva2Vu\r\n",
					     "Authorization: Bearer \r\n",
					     "Authorization: Bearer\r\n",
					     "Cookie: xtantu_session=the-token\r\n",
					     "Cookie: tantu_session=\r\n",
					     "Cookie: ;;;=; \r\n" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		ask("GET", "/signed", wrong[i], "", 0);
		is_problem(wrong[i], 401, "sign_in_required", NULL);
	}
	ask("POST", "/admin", "Authorization: Bearer the-token\r\n", "nonsense", 8);
	is_problem("another role", 403, "role_not_allowed", NULL); /* before the body is looked at */
	api_session_ended(&api, "0123");
	api_forget_sessions(&api);
}

static void content_types(void **state)
{
	(void)state;
	ask("POST", "/body", "Content-Type: text/plain\r\n", "{}", 2);
	is_problem("text/plain", 415, "content_type_unsupported", NULL);
	ask("POST", "/body", "", "{}", 2);
	is_problem("no type", 415, "content_type_unsupported", NULL);
	ask("POST", "/body", "Content-Type: application/json; charset=gb18030\r\n", "{}", 2);
	is_problem("gb18030", 415, "content_type_unsupported", NULL);
	assert_int_equal(ask("POST", "/body", "Content-Type: application/json; charset=utf-8\r\n", "{}", 2),
			 200);
	assert_int_equal(ask("POST", "/body", "", "", 0), 200); /* no body, no type */
}

static void queries(void **state)
{
	(void)state;
	query_taken("/query", "[null,null,null,null,null,null]");
	query_taken("/query?", "[null,null,null,null,null,null]");
	query_taken("/query?&&text=abc&", "[\"abc\",null,null,null,null,null]");
	query_taken("/query?text=a%20b&colour=red&count=9&open=false&day=2026-11-22&region=640324",
		    "[\"a b\",\"red\",\"9\",\"false\",\"2026-11-22\",\"640324\"]");
	query_taken("/query?t%65xt=%E6%B9%9F%E4%B8%AD", "[\"湟中\",null,null,null,null,null]");
	query_taken("/query?text=&count=&open=&region=", "[null,null,null,null,null,null]");
	query_taken("/query?text", "[null,null,null,null,null,null]");
	query_taken("/numbers", "[null]");
	query_taken("/numbers?number=2.5", "[\"2.5\"]");
	query_taken("/numbers?number=1e1", "[\"10\"]");
	refused("GET", "/numbers?number=x", 422, "wrong_type", "/number");
	refused("GET", "/numbers?number=%222%22", 422, "wrong_type", "/number");
	refused("GET", "/numbers?number=10.5", 422, "out_of_range", "/number");
	query_taken("/query?text=a=b", "[\"a=b\",null,null,null,null,null]");
	refused("GET", "/query?text=a", 422, "too_short", "/text");
	refused("GET", "/query?text=abcdef", 422, "too_long", "/text");
	refused("GET", "/query?colour=blue", 422, "not_allowed", "/colour");
	refused("GET", "/query?colour=Red", 422, "not_allowed", "/colour");
	refused("GET", "/query?count=0", 422, "out_of_range", "/count");
	refused("GET", "/query?count=10", 422, "out_of_range", "/count");
	refused("GET", "/query?count=x", 422, "wrong_type", "/count");
	refused("GET", "/query?count=1.5", 422, "wrong_type", "/count");
	refused("GET", "/query?count=99999999999999999999", 422, "wrong_type", "/count");
	refused("GET", "/query?open=yes", 422, "wrong_type", "/open");
	refused("GET", "/query?day=2026-02-30", 422, "not_a_date", "/day");
	refused("GET", "/query?region=6403", 422, "not_a_region", "/region");
	refused("GET", "/query?text=abc&text=abc", 422, "given_twice", "/text");
	refused("GET", "/query?other=1", 422, "unknown_parameter", "/other");
	refused("GET", "/query?=1", 422, "unknown_parameter", "/");
	refused("GET", "/query?text=%", 400, "query_invalid", NULL);
	refused("GET", "/query?text=%zz", 400, "query_invalid", NULL);
	refused("GET", "/query?%ff=1", 400, "query_invalid", NULL);
	refused("GET", "/query?text=a%00b", 400, "query_invalid", NULL);
	refused("GET", "/query?text=%c3", 400, "query_invalid", NULL);
	refused("GET", "/needed", 422, "required", "/by");
	refused("GET", "/needed?by=", 422, "required", "/by");
	refused("GET", "/needed?by=blue", 422, "not_allowed", "/by");
}

static void pages(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/query", "", "", 0), 200);
	assert_int_equal(json_integer_value(json_object_get(answer_body, "limit")), 50);
	assert_int_equal(ask("GET", "/query?limit=200&after=17", "", "", 0), 200);
	assert_int_equal(json_integer_value(json_object_get(answer_body, "limit")), 200);
	assert_string_equal(json_string_value(json_object_get(answer_body, "after")), "17");
	refused("GET", "/query?limit=0", 422, "out_of_range", "/limit");
	refused("GET", "/query?limit=201", 422, "out_of_range", "/limit");
	refused("GET", "/query?limit=-1", 422, "out_of_range", "/limit");
	refused("GET", "/query?limit=x", 422, "out_of_range", "/limit");
	refused("GET", "/query?after=x", 422, "cursor_invalid", "/after");
	refused("GET", "/query?after=-1", 422, "cursor_invalid", "/after");
	refused("GET", "/query?after=9223372036854775808", 422, "cursor_invalid", "/after");
	refused("GET", "/query?limit=5&limit=6", 422, "given_twice", "/limit");
	refused("GET", "/query?after=5&after=6", 422, "given_twice", "/after");
	assert_int_equal(ask("GET", "/query?limit=&after=", "", "", 0),
			 200); /* not given, as for any other */
	assert_int_equal(json_integer_value(json_object_get(answer_body, "limit")), 50);
	assert_int_equal(ask("GET", "/codes?after=yanchi-2026", "", "", 0), 200);
	assert_string_equal(json_string_value(json_object_get(answer_body, "after")), "yanchi-2026");
	assert_int_equal(ask("GET", "/cursors?after=2026-11-22.17.1.2", "", "", 0), 200);
	assert_string_equal(json_string_value(json_object_get(answer_body, "after")), "2026-11-22.17.1.2");
	refused("GET", "/cursors?after=1&after=2", 422, "given_twice", "/after");
	refused("GET", "/needed?by=red&limit=5", 422, "unknown_parameter", "/limit"); /* no list */
}

static void bodies_are_objects(void **state)
{
	(void)state;
	body_refused("/body", "{", 400, "json_invalid", NULL);
	body_refused("/body", "{\"text\":\"a\",\"text\":\"b\"}", 400, "json_invalid", NULL);
	body_refused("/body", "{} {}", 400, "json_invalid", NULL);
	body_refused("/body", "{\"text\":\"\xff\"}", 400, "json_invalid", NULL);
	body_refused("/body", "{\"text\":\"\\ud800\"}", 400, "json_invalid", NULL);
	body_refused("/body", "{\"count\":99999999999999999999}", 400, "json_invalid", NULL);
	body_refused("/body", "{\"number\":1e999}", 400, "json_invalid", NULL);
	body_refused("/body", "{'text':1}", 400, "json_invalid", NULL);
	body_refused("/body", "null", 400, "json_invalid", NULL);
	static const char nul[] = "{\"count\":1\0}"; /* Jansson would pass over it */
	ask("POST", "/body", JSON, nul, sizeof nul - 1);
	is_problem("a NUL behind a number", 400, "json_invalid", NULL);
	body_refused("/body", "[]", 422, "wrong_type", "/");
	body_refused("/body", "{\"other\":1}", 422, "unknown_field", "/other");
	body_refused("/body", "{\"a/b~c\":1}", 422, "unknown_field", "/a~1b~0c"); /* a JSON pointer */
	body_refused("/nothing", "{\"text\":\"a\"}", 422, "unknown_field", "/text");
	assert_int_equal(ask("POST", "/nothing", JSON, "{}", 2), 200);
	body_refused("/needed", "{}", 422, "required", "/name");
	body_refused("/needed", "{\"name\":null}", 422, "required", "/name");
	body_refused("/needed", "{\"name\":\"\"}", 422, "too_short", "/name");
	body_refused("/needed", "", 422, "required", "/name");
}

/* Deep nesting is refused, not followed. */
static void a_deep_body(void **state)
{
	enum { DEEP = 100000 };
	char *text = malloc(DEEP * 2 + 20);
	(void)state;
	assert_non_null(text);
	size_t len = (size_t)sprintf(text, "{\"object\":");
	memset(text + len, '[', DEEP);
	ask("POST", "/body", JSON, text, len + DEEP);
	is_problem("deep", 400, "json_invalid", NULL);
	free(text);
}

#define EMPTY "null,null,null,null,null,null,null,null,null,null,null"

static void texts_in_bodies(void **state)
{
	(void)state;
	body_taken("{}", "[null," EMPTY "]");
	body_taken("{\"text\":\"湟中县的人\"}",
		   "[\"湟中县的人\"," EMPTY "]"); /* five characters, fifteen bytes */
	body_taken("{\"text\":\"\"}", "[\"\"," EMPTY "]");
	body_taken("{\"text\":null}", "[null," EMPTY "]");
	body_taken("{\"text\":\"\\u6e5f\\n\"}", "[\"湟\\n\"," EMPTY "]");
	body_refused("/body", "{\"text\":\"湟中县的人家\"}", 422, "too_long", "/text");
	body_refused("/body", "{\"text\":1}", 422, "wrong_type", "/text");
	body_refused("/body", "{\"text\":[\"a\"]}", 422, "wrong_type", "/text");
	body_refused("/body", "{\"secret\":\"ab\"}", 422, "too_short", "/secret");
	body_refused("/body", "{\"secret\":\"abcdefghi\"}", 422, "too_long", "/secret");
	body_refused("/body", "{\"colour\":\"blue\"}", 422, "not_allowed", "/colour");
	body_refused("/body", "{\"colour\":\"\"}", 422, "not_allowed", "/colour");
	body_refused("/body", "{\"at\":\"2026-11-22\"}", 422, "not_a_time", "/at");
	body_refused("/body", "{\"at\":\"\"}", 422, "not_a_time", "/at");
	body_refused("/body", "{\"day\":\"22.11.2026\"}", 422, "not_a_date", "/day");
	body_refused("/body", "{\"region\":640324}", 422, "wrong_type", "/region");
	body_refused("/body", "{\"region\":\"64032\"}", 422, "not_a_region", "/region");
	body_refused("/body", "{\"citizen\":\"110105194912310021\"}", 422, "citizen_id_invalid", "/citizen");
	body_refused("/body", "{\"citizen\":\"\"}", 422, "citizen_id_invalid", "/citizen");
	body_taken(
		"{\"citizen\":\"11010519491231002x\",\"at\":\"2026-11-22T08:00:00Z\"}",
		"[null,null,null,null,null,null,\"2026-11-22T08:00:00Z\",null,null,\"32 bytes\",null,null]");
}

static void numbers_in_bodies(void **state)
{
	(void)state;
	body_taken("{\"count\":-3,\"number\":0.5,\"open\":true}",
		   "[null,null,null,\"-3\",\"0.5\",\"true\",null,null,null,null,null,null]");
	body_taken("{\"number\":10,\"open\":false}",
		   "[null,null,null,null,\"10\",\"false\",null,null,null,null,null,null]");
	body_refused("/body", "{\"count\":-4}", 422, "out_of_range", "/count");
	body_refused("/body", "{\"count\":10}", 422, "out_of_range", "/count");
	body_refused("/body", "{\"count\":1.0}", 422, "wrong_type", "/count");
	body_refused("/body", "{\"count\":\"1\"}", 422, "wrong_type", "/count");
	body_refused("/body", "{\"count\":true}", 422, "wrong_type", "/count");
	body_refused("/body", "{\"number\":-0.1}", 422, "out_of_range", "/number");
	body_refused("/body", "{\"number\":10.0001}", 422, "out_of_range", "/number");
	body_refused("/body", "{\"number\":\"5\"}", 422, "wrong_type", "/number");
	body_refused("/body", "{\"open\":1}", 422, "wrong_type", "/open");
	body_refused("/body", "{\"open\":\"true\"}", 422, "wrong_type", "/open");
}

static void objects_and_lists_in_bodies(void **state)
{
	(void)state;
	body_taken("{\"object\":{\"a\":[1,{}]}}",
		   "[null,null,null,null,null,null,null,null,null,null,\"{\\\"a\\\":[1,{}]}\",null]");
	body_taken("{\"items\":[]}", "[" EMPTY ",\"[]\"]");
	body_taken("{\"items\":[{\"value\":1},{\"region\":null,\"value\":100}]}",
		   "[" EMPTY ",\"[{\\\"value\\\":1},{\\\"region\\\":null,\\\"value\\\":100}]\"]");
	body_refused("/body", "{\"object\":[]}", 422, "wrong_type", "/object");
	body_refused("/body", "{\"object\":\"{}\"}", 422, "wrong_type", "/object");
	body_refused("/body", "{\"object\":{\"a\":\"0123456789012345\"}}", 422, "too_long", "/object");
	body_refused("/body", "{\"items\":{}}", 422, "wrong_type", "/items");
	body_refused("/body", "{\"items\":[1]}", 422, "wrong_type", "/items/0");
	body_refused("/body", "{\"items\":[{\"value\":1},{}]}", 422, "required", "/items/1/value");
	body_refused("/body", "{\"items\":[{\"value\":101}]}", 422, "out_of_range", "/items/0/value");
	body_refused("/body", "{\"items\":[{\"value\":1,\"x\":1}]}", 422, "unknown_field", "/items/0/x");
	body_refused("/body", "{\"items\":[{\"value\":1,\"region\":\"1\"}]}", 422, "not_a_region",
		     "/items/0/region");
	body_refused("/body", "{\"items\":[{\"value\":1},{\"value\":1},{\"value\":1},{\"value\":1}]}", 422,
		     "too_long", "/items");
}

static void lists_of_texts_in_bodies(void **state)
{
	(void)state;
	taken_by("/texts", "{}", "[null,null]");
	taken_by("/texts", "{\"words\":[],\"colours\":null}", "[\"[]\",null]");
	taken_by("/texts", "{\"words\":[\"坡道\",\"a\"],\"colours\":[\"red\",\"green\",\"red\"]}",
		 "[\"[\\\"坡道\\\",\\\"a\\\"]\",\"[\\\"red\\\",\\\"green\\\",\\\"red\\\"]\"]");
	body_refused("/texts", "{\"words\":\"a\"}", 422, "wrong_type", "/words");
	body_refused("/texts", "{\"words\":{}}", 422, "wrong_type", "/words");
	body_refused("/texts", "{\"words\":[\"a\",1]}", 422, "wrong_type", "/words/1");
	body_refused("/texts", "{\"words\":[null]}", 422, "required", "/words/0");
	body_refused("/texts", "{\"words\":[\"\"]}", 422, "too_short", "/words/0");
	body_refused("/texts", "{\"words\":[\"a\\u0000\"]}", 422, "nul_in_text", "/words/0");
	body_refused("/texts", "{\"words\":[\"a\",\"b\",\"c\",\"d\"]}", 422, "too_long", "/words");
	body_refused("/texts", "{\"colours\":[\"red\",\"blue\"]}", 422, "not_allowed", "/colours/1");
}

static void conditions_and_keys(void **state)
{
	struct principal admin = { .account = 6, .role = ROLE_ADMIN, .expires_at = INT64_MAX };
	unsigned char hash[32];
	char headers[600], long_key[202];
	(void)state;
	token_hash(SLICE("admin"), hash);
	session_cache_put(api.sessions, hash, &admin, session_cache_epoch(api.sessions));
	assert_int_equal(ask("GET", "/query", "If-Match: \"17\"\r\n", "", 0), 200);
	assert_string_equal(json_string_value(json_object_get(answer_body, "if_match")), "17");
	assert_int_equal(ask("GET", "/query", "If-Match: *\r\n", "", 0), 200);
	static const char *const tags[] = { "17",    "\"\"",   "W/\"17\"",       "\"17\", \"18\"",
					    "\"x\"", "\"-1\"", "\"2147483648\"", "\"",
					    "" };
	for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
		snprintf(headers, sizeof headers, "If-Match: %s\r\n", tags[i]);
		ask("GET", "/query", headers, "", 0);
		is_problem(tags[i], 400, "if_match_invalid", NULL);
	}
	memset(long_key, 'k', sizeof long_key);
	long_key[201] = 0;
	const char *const keys[] = { "", "a b", "schl\xc3\xbcssel", long_key };
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		snprintf(headers, sizeof headers, "Authorization: Bearer admin\r\nIdempotency-Key: %s\r\n",
			 keys[i]);
		ask("POST", "/admin", headers, "", 0);
		is_problem(keys[i], 400, "idempotency_key_invalid", NULL);
	}
	snprintf(headers, sizeof headers, "Authorization: Bearer admin\r\nIdempotency-Key: %s\r\n",
		 long_key + 1);
	assert_int_equal(ask("POST", "/admin", headers, "", 0), 200);
	assert_int_equal(ask("POST", "/admin", headers, "", 0), 200); /* let go when the first had ended */
	api_forget_sessions(&api);
}

/* The fields of the real tables. */
static void real_endpoints(void **state)
{
	static const char *const roles[] = { "contractor", "assessor", "centre", "county",
					     "manager",    "auditor",  "admin" };
	struct principal all = { .account = 7, .role = SIGNED_IN, .expires_at = INT64_MAX };
	unsigned char hash[32];
	(void)state;
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(role_bit(slice_of(roles[i])), 1u << i);
	assert_int_equal(role_bit(SLICE("root")), 0);
	refused("GET", "/api/v1/cases", 401, "sign_in_required", NULL);
	refused("POST", "/api/v1/imports", 401, "sign_in_required", NULL);
	refused("PUT", "/api/v1/cases/1", 405, "method_not_allowed", NULL);
	token_hash(SLICE("all"), hash);
	session_cache_put(api.sessions, hash, &all, session_cache_epoch(api.sessions));
#define ALL "Authorization: Bearer all\r\n"
	static const struct {
		const char *method, *target, *text;
		int status;
		const char *code, *field;
	} cases[] = {
		{ "GET", "/api/v1/cases?stage=finished", "", 422, "not_allowed", "/stage" },
		{ "GET", "/api/v1/cases?limit=1000", "", 422, "out_of_range", "/limit" },
		{ "POST", "/api/v1/cases/1/transitions", "{}", 422, "required", "/to" },
		{ "POST", "/api/v1/cases/1/transitions", "{\"to\":\"built\",\"satisfaction\":6}", 422,
		  "out_of_range", "/satisfaction" },
		{ "POST", "/api/v1/persons/find", "{\"citizen_id\":\"1\"}", 422, "citizen_id_invalid",
		  "/citizen_id" },
		{ "POST", "/api/v1/users", "{\"user\":\"a\",\"password\":\"short\",\"role\":\"admin\"}", 422,
		  "too_short", "/password" },
		{ "PUT", "/api/v1/plans/x/targets/households", "{\"items\":[{\"year\":1999,\"value\":1}]}",
		  422, "out_of_range", "/items/0/year" },
		{ "GET", "/api/v1/plans/x/totals", "", 422, "required", "/by" },
		{ "POST", "/api/v1/imports", "x", 422, "required", "/plan" },
		{ "POST", "/api/v1/imports?plan=x&mode=maybe", "x", 422, "not_allowed", "/mode" },
		{ "POST", "/api/v1/session", "{\"user\":\"a\"}", 422, "required", "/password" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ask(cases[i].method, cases[i].target, ALL JSON, cases[i].text, strlen(cases[i].text));
		is_problem(cases[i].target, cases[i].status, cases[i].code, cases[i].field);
	}
	ask("POST", "/api/v1/imports?plan=x&mode=dry_run", ALL "Content-Type: image/png\r\n", "x", 1);
	is_problem("image", 415, "content_type_unsupported", NULL);
	ask("POST", "/api/v1/imports?plan=x&mode=dry_run", ALL "Content-Type: text/csv\r\n", "", 0);
	is_problem("empty", 422, "file_empty", NULL);
	ask("POST", "/api/v1/imports?plan=x&mode=dry_run", ALL "Content-Type: text/csv\r\n", "x", 1);
	is_problem("no folder", 503, "storage_unavailable", NULL);
	api_forget_sessions(&api);
}

static void what_asks_the_database_is_told(void **state)
{
	static const char *const none[] = { "/ask/x",   "/ask/-1", "/ask/1.5", "/ask/9223372036854775808",
					    "/ask/%31", "/ask/1+1" };
	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		refused("GET", none[i], 404, "not_found", NULL);
	refused("GET", "/ask/17", 503, "database_unavailable", NULL);
	assert_non_null(strstr(answer.head, "\r\nRetry-After: 1\r\n"));
	ask("GET", "/signed", "Authorization: Bearer unknown-token\r\n", "", 0);
	is_problem("a session to look up", 503, "database_unavailable", NULL);
}

static void traces(void **state)
{
	(void)state;
	ask("GET", "/query", "traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\n", "",
	    0);
	assert_non_null(strstr(answer.head, "\r\nX-Request-Id: 0123456789abcdef0123456789abcdef\r\n"));
	ask("GET", "/query", "traceparent: 00-00000000000000000000000000000000-0123456789abcdef-01\r\n", "",
	    0);
	assert_null(strstr(answer.head, "X-Request-Id: 00000000000000000000000000000000"));
	assert_non_null(strstr(answer.head, "\r\nX-Request-Id: "));
}

static int drop_answer(void **state)
{
	json_decref(answer_body);
	return stop(state);
}

#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, open_client, close_client)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(paths_and_methods),
		WITH_CLIENT(sessions),
		WITH_CLIENT(content_types),
		WITH_CLIENT(queries),
		WITH_CLIENT(pages),
		WITH_CLIENT(bodies_are_objects),
		WITH_CLIENT(a_deep_body),
		WITH_CLIENT(texts_in_bodies),
		WITH_CLIENT(numbers_in_bodies),
		WITH_CLIENT(objects_and_lists_in_bodies),
		WITH_CLIENT(lists_of_texts_in_bodies),
		WITH_CLIENT(conditions_and_keys),
		WITH_CLIENT(real_endpoints),
		WITH_CLIENT(what_asks_the_database_is_told),
		WITH_CLIENT(traces),
	};
	return cmocka_run_group_tests(tests, start, drop_answer);
}
