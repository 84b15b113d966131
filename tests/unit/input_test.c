/* SPDX-License-Identifier: Apache-2.0
 * What the engine refuses before it asks the database, over a real server: paths, methods, sessions, content
 * types, queries and bodies. The endpoints are the test's own and say back what would be bound; where the
 * real tables are used their statement is replaced by that, too. There is no database: what asks it is told
 * so. */
#include "api/engine.h"
#include "http_fixture.h"
#include "service/json_write.h"
#include "service/log.h"
#include "service/password.h"

static const char *const colours[] = { "red", "green", NULL };
static const struct field part[] = {
	{ "region", F_REGION },
	{ "value", F_INT, .required = true, .min = 0, .max = 100 },
	{ 0 },
};
static const struct field query[] = {
	{ "text", F_TEXT, .min = 2, .max = 5 },
	{ "colour", F_ENUM, .of = colours },
	{ "count", F_INT, .min = 1, .max = 9 },
	{ "open", F_BOOL },
	{ "day", F_DATE },
	{ "region", F_REGION },
	{ 0 },
};
static const struct field needed_query[] = { { "by", F_ENUM, .required = true, .of = colours }, { 0 } };
static const struct field body[] = {
	{ "text", F_TEXT, .max = 5 },
	{ "secret", F_SECRET, .min = 3, .max = 8 },
	{ "colour", F_ENUM, .of = colours },
	{ "count", F_INT, .min = -3, .max = 9 },
	{ "number", F_NUMBER, .min = 0, .max = 10 },
	{ "open", F_BOOL },
	{ "at", F_TIME },
	{ "day", F_DATE },
	{ "region", F_REGION },
	{ "citizen", F_CITIZEN },
	{ "object", F_OBJECT, .max = 20 },
	{ "items", F_ITEMS, .max = 3, .items = part },
	{ 0 },
};
static const struct field needed_body[] = {
	{ "name", F_TEXT, .required = true, .max = 5 },
	{ 0 },
};

/* Says back the values in the order of the fields: {"values":["…",null,…],"limit":…,"after":…} */
static enum step step_echo(struct request *r)
{
	struct buffer out;
	int count = r->route->query_fields + r->route->body_fields;
	buffer_init(&out, http_arena(r->x), 1024);
	buffer_text(&out, "{\"values\":[");
	for (int i = 0; i < count; i++) {
		if (i)
			buffer_char(&out, ',');
		if (!r->values[i].at)
			buffer_text(&out, "null");
		else if (r->values[i].binary)
			buffer_printf(&out, "\"%d bytes\"", r->values[i].len);
		else
			json_write_text(&out, slice_of(r->values[i].at));
	}
	buffer_printf(&out, "],\"limit\":%d,\"after\":\"%s\",\"if_match\":\"%s\"}", r->limit,
		      r->after ? r->after : "", r->if_match ? r->if_match : "");
	return answer_json(r, 200, buffer_taken(&out), NULL);
}

static request_step *const echo_steps[] = { step_echo, NULL };
static request_step *const ask_steps[] = { step_ask, step_answer, NULL };

static struct endpoint endpoints[300] = {
	{ HTTP_METHOD_GET, "/query", ANYBODY, query, NULL, .page = "id", .steps = echo_steps },
	{ HTTP_METHOD_GET, "/codes", ANYBODY, NULL, NULL, .page = "code", .steps = echo_steps },
	{ HTTP_METHOD_GET, "/needed", ANYBODY, needed_query, NULL, .steps = echo_steps },
	{ HTTP_METHOD_POST, "/body", ANYBODY, NULL, body, .steps = echo_steps },
	{ HTTP_METHOD_POST, "/needed", ANYBODY, NULL, needed_body, .steps = echo_steps },
	{ HTTP_METHOD_POST, "/nothing", ANYBODY, NULL, NULL, .steps = echo_steps },
	{ HTTP_METHOD_GET, "/signed", SIGNED_IN, NULL, NULL, .steps = echo_steps },
	{ HTTP_METHOD_POST, "/admin", ROLE_ADMIN, NULL, body, .steps = echo_steps },
	{ HTTP_METHOD_GET, "/ask/{id}", ANYBODY, NULL, NULL, .steps = ask_steps },
};
enum { OWN = 9, ASKS = 8 };

static struct fixture f;
static struct client c;
static struct db *db;
static bool db_closed;
static struct api api;
static struct route routes[300];
static struct vault *vault;
static char key_path[] = "/tmp/tantu-key-XXXXXX";
static const struct way ask_way = { NULL, SQL_account_get, "path.id" };

static void add_route(struct endpoint *e)
{
	struct route *route = &routes[api.route_count++];
	route->endpoint = e;
	while (e->query && e->query[route->query_fields].name)
		route->query_fields++;
	while (e->body && e->body[route->body_fields].name)
		route->body_fields++;
	route->seconds = metric_histogram(f.metrics, "seconds", "Test", e->path);
	for (int i = 1; i < 6; i++)
		route->answers[i] = metric_counter(f.metrics, "answers", "Test", e->path);
}

/* The real tables after our own; they say back instead of asking. */
static void add_routes(void)
{
	int n = OWN;
	for (int t = 0; endpoint_tables[t]; t++)
		for (const struct endpoint *e = endpoint_tables[t]; e->path; e++) {
			endpoints[n] = *e;
			endpoints[n].steps = e->sink ? e->steps : echo_steps;
			n++;
		}
	for (int i = 0; i < n; i++)
		add_route(&endpoints[i]);
	routes[ASKS].ways = 1;
	routes[ASKS].way[0] = (struct bound_way){
		.way = &ask_way, .when_field = { -1 }, .count = 1, .op = { { BIND_PATH, 0 } }
	};
}

static int start(void **state)
{
	char why[200];
	(void)state;
	log_set_level(LOG_ERROR + 1);
	close(mkstemp(key_path));
	unlink(key_path);
	vault = vault_open(key_path, true, why, sizeof why);
	f.limits = http_limits_default();
	f.metrics = metrics_new();
	uv_loop_init(&f.loop);
	struct db_options options = { .conninfo = "host=/nowhere",
				      .connections = { 1, 1, 0, 0 },
				      .waiting_most = 100 };
	db = db_open(&f.loop, &options, f.metrics);
	api = (struct api){ .options = { .loop = &f.loop,
					 .db = db,
					 .metrics = f.metrics,
					 .vault = vault,
					 .uploads = "/nowhere",
					 .session_seconds = 60 },
			    .routes = routes };
	api.sessions = session_cache_new(10);
	api.refused_input = metric_counter(f.metrics, "refused", "Test", "");
	api.sign_in_failures = metric_counter(f.metrics, "failures", "Test", "");
	add_routes();
	struct http_application application = api_application(&api);
	f.server = http_server_start(&f.loop, "127.0.0.1:0", false, &f.limits, &application, f.metrics, why,
				     sizeof why);
	return vault && f.server ? 0 : -1;
}

static void on_db_closed(void *context)
{
	*(bool *)context = true;
}

static int stop(void **state)
{
	(void)state;
	http_server_stop(f.server, 0, fixture_on_stopped, &f);
	UNTIL(&f, f.stopped);
	http_server_free(&f.server);
	db_close(db, on_db_closed, &db_closed);
	UNTIL(&f, db_closed);
	turn(&f);
	assert_int_equal(uv_loop_close(&f.loop), 0);
	session_cache_free(&api.sessions);
	metrics_free(&f.metrics);
	vault_free(&vault);
	unlink(key_path);
	return 0;
}

static int open_client(void **state)
{
	(void)state;
	c = client_open(&f);
	return 0;
}

static int close_client(void **state)
{
	(void)state;
	client_close(&c);
	return 0;
}

/* --- asking --- */

static json_t *answer_body;
static struct answer answer;

static int ask(const char *method, const char *target, const char *headers, const char *text, size_t len)
{
	char head[8192];
	snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %zu\r\n\r\n", method,
		 target, headers, len);
	if (client_at_end(&c)) { /* it had refused to read on */
		client_close(&c);
		c = client_open(&f);
	}
	client_send(&f, &c, head);
	client_send_bytes(&f, &c, text, len);
	UNTIL(&f, client_take(&c, &answer, strcmp(method, "HEAD") == 0));
	json_decref(answer_body);
	answer_body = answer.body.len ? json_loadb(answer.body.at, answer.body.len, 0, NULL) : NULL;
	assert_true(!answer.body.len || json_is_object(answer_body));
	return answer.status;
}

static void is_problem(const char *what, int status, const char *code, const char *field)
{
	const char *said_code = json_string_value(json_object_get(answer_body, "code"));
	const char *said_field = json_string_value(json_object_get(answer_body, "field"));
	if (answer.status != status || !said_code || strcmp(said_code, code) != 0 ||
	    (field ? !said_field || strcmp(said_field, field) != 0 : said_field != NULL))
		fail_msg("%s: %d %s %s, not %d %s %s", what, answer.status, said_code ? said_code : "-",
			 said_field ? said_field : "-", status, code, field ? field : "-");
	assert_non_null(strstr(answer.head, "\r\nContent-Type: application/problem+json\r\n"));
	assert_int_equal(json_integer_value(json_object_get(answer_body, "status")), status);
	assert_true(json_string_length(json_object_get(answer_body, "title")) > 0);
}

static void refused(const char *method, const char *target, int status, const char *code, const char *field)
{
	ask(method, target, "", "", 0);
	is_problem(target, status, code, field);
}

#define JSON "Content-Type: application/json\r\n"

static void body_refused(const char *target, const char *text, int status, const char *code,
			 const char *field)
{
	ask("POST", target, JSON, text, strlen(text));
	is_problem(text, status, code, field);
}

static void body_taken(const char *text, const char *wanted)
{
	char *got;
	if (ask("POST", "/body", JSON, text, strlen(text)) != 200)
		fail_msg("%s: %.*s", text, (int)answer.body.len, answer.body.at);
	got = json_dumps(json_object_get(answer_body, "values"), JSON_COMPACT);
	if (strcmp(got, wanted) != 0)
		fail_msg("%s: %s, not %s", text, got, wanted);
	free(got);
}

static void query_taken(const char *target, const char *wanted)
{
	char *got;
	if (ask("GET", target, "", "", 0) != 200)
		fail_msg("%s: %.*s", target, (int)answer.body.len, answer.body.at);
	got = json_dumps(json_object_get(answer_body, "values"), JSON_COMPACT);
	if (strcmp(got, wanted) != 0)
		fail_msg("%s: %s, not %s", target, got, wanted);
	free(got);
}

/* --- tests --- */

static void paths_and_methods(void **state)
{
	(void)state;
	refused("GET", "/nowhere", 404, "no_such_path", NULL);
	refused("GET", "/query/", 404, "no_such_path", NULL);
	refused("GET", "/api/v1/cases//events", 404, "no_such_path", NULL);
	refused("POST", "/query", 405, "method_not_allowed", NULL);
	assert_non_null(strstr(answer.head, "\r\nAllow: GET, HEAD\r\n"));
	refused("DELETE", "/needed", 405, "method_not_allowed", NULL);
	assert_non_null(strstr(answer.head, "\r\nAllow: GET, HEAD, POST\r\n"));
	assert_int_equal(ask("OPTIONS", "/needed", "", "", 0), 204);
	assert_non_null(strstr(answer.head, "\r\nAllow: GET, HEAD, POST\r\n"));
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
		WITH_CLIENT(conditions_and_keys),
		WITH_CLIENT(real_endpoints),
		WITH_CLIENT(what_asks_the_database_is_told),
		WITH_CLIENT(traces),
	};
	return cmocka_run_group_tests(tests, start, drop_answer);
}
