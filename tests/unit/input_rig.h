/* SPDX-License-Identifier: Apache-2.0
 * What input_test.c runs on: endpoints that say back what would be bound, a real server, no database. */
#ifndef TESTS_UNIT_INPUT_RIG_H
#define TESTS_UNIT_INPUT_RIG_H

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
static const struct field number_query[] = {
	{ "number", F_NUMBER, .min = 0, .max = 10 },
	{ 0 },
};
static const struct field texts_body[] = {
	{ "words", F_TEXTS, .max = 3 },
	{ "colours", F_TEXTS, .max = 3, .of = colours },
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

enum { ENDPOINTS_MOST = 1000 };
static struct endpoint endpoints[ENDPOINTS_MOST] = {
	{ HTTP_METHOD_GET, "/query", ANYBODY, query, NULL, .page = "id", .steps = echo_steps },
	{ HTTP_METHOD_GET, "/codes", ANYBODY, NULL, NULL, .page = "code", .steps = echo_steps },
	{ HTTP_METHOD_GET, "/needed", ANYBODY, needed_query, NULL, .steps = echo_steps },
	{ HTTP_METHOD_POST, "/body", ANYBODY, NULL, body, .steps = echo_steps },
	{ HTTP_METHOD_POST, "/needed", ANYBODY, NULL, needed_body, .steps = echo_steps },
	{ HTTP_METHOD_POST, "/nothing", ANYBODY, NULL, NULL, .steps = echo_steps },
	{ HTTP_METHOD_GET, "/signed", SIGNED_IN, NULL, NULL, .steps = echo_steps },
	{ HTTP_METHOD_POST, "/admin", ROLE_ADMIN, NULL, body, .steps = echo_steps },
	{ HTTP_METHOD_GET, "/ask/{id}", ANYBODY, NULL, NULL, .steps = ask_steps },
	{ HTTP_METHOD_POST, "/texts", ANYBODY, NULL, texts_body, .steps = echo_steps },
	{ HTTP_METHOD_GET, "/cursors", ANYBODY, NULL, NULL, .page = "_cursor", .steps = echo_steps },
	{ HTTP_METHOD_GET, "/numbers", ANYBODY, number_query, NULL, .steps = echo_steps },
};
enum { OWN = 12, ASKS = 8 };

static struct fixture f;
static struct client c;
static struct db *db;
static bool db_closed;
static struct api api;
static struct route routes[ENDPOINTS_MOST];
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
			assert_in_range(n, 0, ENDPOINTS_MOST - 1);
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
					 .session_seconds = 60,
					 .token_rate = 1000,
					 .token_burst = 1000 },
			    .routes = routes };
	api.sessions = session_cache_new(10);
	guard_start(&api);
	api.refused_input = metric_counter(f.metrics, "refused", "Test", "");
	api.unrouted = metric_counter(f.metrics, "unrouted", "Test", "");
	api.sign_in_failures = metric_counter(f.metrics, "failures", "Test", "");
	api.unrouted = metric_counter(f.metrics, "unrouted", "Test", "");
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
	guard_end(&api);
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

static void taken_by(const char *target, const char *text, const char *wanted)
{
	char *got;
	if (ask("POST", target, JSON, text, strlen(text)) != 200)
		fail_msg("%s: %.*s", text, (int)answer.body.len, answer.body.at);
	got = json_dumps(json_object_get(answer_body, "values"), JSON_COMPACT);
	if (strcmp(got, wanted) != 0)
		fail_msg("%s: %s, not %s", text, got, wanted);
	free(got);
}

static void body_taken(const char *text, const char *wanted)
{
	taken_by("/body", text, wanted);
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

#endif
