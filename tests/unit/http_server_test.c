/* SPDX-License-Identifier: Apache-2.0
 * The server on the wire: order, framing, refusals, limits, timeouts, stopping. */
#include "http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void keeps_alive(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	for (int i = 0; i < 5; i++) {
		client_send(&f, &c, GET("/now"));
		ASSERT_ANSWER(&f, &c, 200, "now");
	}
	client_send(&f, &c, "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	ASSERT_ANSWER(&f, &c, 200, "now");
	client_closed_cleanly(&f, &c);
	client_close(&c);
	fixture_stop(&f);
	assert_int_equal(f.requests, 6);
}

static void sends_the_fixed_headers(void **state)
{
	static const char *const wanted[] = {
		"HTTP/1.1 200 OK\r\n",
		"\r\nDate: ",
		" GMT\r\n",
		"\r\nContent-Length: 3\r\n",
		"\r\nContent-Type: text/plain\r\n",
		"\r\nX-Content-Type-Options: nosniff\r\n",
		"\r\nReferrer-Policy: no-referrer\r\n",
		"\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'; ",
		" base-uri 'none'; form-action 'none'\r\n",
		"\r\nCross-Origin-Opener-Policy: same-origin\r\n",
		"\r\nCross-Origin-Resource-Policy: same-origin\r\n",
		"\r\nCache-Control: no-store\r\n",
	};
	struct fixture f;
	struct answer answer;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/now"));
	client_answer(&f, &c, &answer);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_non_null(strstr(answer.head, wanted[i]));
	assert_null(strstr(answer.head, "Connection:"));
	client_close(&c);
	fixture_stop(&f);
}

static void respects_what_the_application_says(void **state)
{
	struct fixture f;
	struct answer answer;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/late") GET("/late") GET("/late"));
	UNTIL(&f, f.kept_count == 1);
	http_respond(f.kept[0].x,
		     &(struct http_response){ .status = 200,
					      .extra_headers = "ETag: \"1\"\r\ncache-control: max-age=1\r\n",
					      .body = SLICE("b") });
	client_answer(&f, &c, &answer);
	assert_non_null(strstr(answer.head, "\r\nETag: \"1\"\r\ncache-control: max-age=1\r\n\r\n"));
	assert_null(strstr(answer.head, "no-store"));
	assert_null(strstr(answer.head, "Content-Type:"));
	UNTIL(&f, f.kept_count == 2);
	http_respond(f.kept[1].x, &(struct http_response){ .status = 204, .body = SLICE("not sent") });
	client_answer(&f, &c, &answer);
	assert_null(strstr(answer.head, "Content-Length"));
	UNTIL(&f, f.kept_count == 3);
	http_respond(f.kept[2].x, &(struct http_response){ .status = 404, .close = true });
	client_answer(&f, &c, &answer);
	assert_non_null(strstr(answer.head, "HTTP/1.1 404 Not Found\r\n"));
	assert_non_null(strstr(answer.head, "\r\nConnection: close\r\n"));
	client_closed_cleanly(&f, &c);
	client_close(&c);
	fixture_stop(&f);
}

static void head_has_the_length_and_no_body(void **state)
{
	struct fixture f;
	struct answer answer;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, "HEAD /now HTTP/1.1\r\nHost: a\r\n\r\n" GET("/now"));
	UNTIL(&f, client_take(&c, &answer, true));
	assert_non_null(strstr(answer.head, "\r\nContent-Length: 3\r\n"));
	ASSERT_ANSWER(&f, &c, 200, "now");
	client_close(&c);
	fixture_stop(&f);
}

static void speaks_http_1_0(void **state)
{
	struct fixture f;
	struct answer answer;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	client_answer(&f, &c, &answer);
	assert_non_null(strstr(answer.head, "\r\nConnection: keep-alive\r\n"));
	client_send(&f, &c, "GET /now HTTP/1.0\r\n\r\n" GET("/now"));
	client_answer(&f, &c, &answer);
	assert_non_null(strstr(answer.head, "\r\nConnection: close\r\n"));
	client_closed_cleanly(&f, &c);
	client_close(&c);
	fixture_stop(&f);
	assert_int_equal(f.requests, 2);
}

/* Twenty requests in one packet; each is begun when the one before is answered, late. */
static void answers_pipelined_requests_in_order(void **state)
{
	struct fixture f;
	char room[4096], body[8];
	struct buffer all = { .at = room, .room = sizeof(room) };
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	for (int i = 0; i < 20; i++)
		buffer_text(&all, i % 2 ? GET("/now") : GET("/late"));
	client_send_bytes(&f, &c, all.at, all.len);
	for (int i = 0; i < 10; i++) {
		UNTIL(&f, f.kept_count == (size_t)i + 1);
		turn(&f);
		assert_int_equal(f.requests, 2 * i + 1);
		snprintf(body, sizeof(body), "%d", i);
		fixture_answer(f.kept[i].x, 200, slice_of(body));
		assert_int_equal(f.requests, 2 * i + 1); /* never from inside http_respond */
		ASSERT_ANSWER(&f, &c, 200, body);
		ASSERT_ANSWER(&f, &c, 200, "now");
	}
	client_close(&c);
	fixture_stop(&f);
	assert_int_equal(f.gone, 0);
}

static void takes_bytes_one_at_a_time(void **state)
{
	static const char text[] = "\r\nPOST /echo?q HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
				   "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n" GET("/now");
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		client_send_bytes(&f, &c, text + i, 1);
		turn(&f);
	}
	ASSERT_ANSWER(&f, &c, 200, "hello");
	ASSERT_ANSWER(&f, &c, 200, "abcde");
	ASSERT_ANSWER(&f, &c, 200, "now");
	client_close(&c);
	fixture_stop(&f);
}

static void shows_the_request(void **state)
{
	struct fixture f;
	uint64_t length = 0;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c,
		    "PATCH http://u@b:80/late?x=1&y HTTP/1.1\r\nHost: a\r\nX-One:  1 \r\n"
		    "x-one: 2\r\nContent-Length: 2\r\nX-Empty:\r\n\r\nhi");
	UNTIL(&f, f.kept_count == 1);
	struct http_exchange *x = f.kept[0].x;
	assert_int_equal(http_method(x), HTTP_METHOD_PATCH);
	assert_true(slice_is(http_path(x), "/late"));
	assert_true(slice_is(http_query(x), "x=1&y"));
	assert_true(slice_is(http_header(x, "host"), "b:80")); /* the target's, not the header's */
	assert_true(slice_is(http_header(x, "x-one"), "1"));
	assert_true(http_header(x, "x-empty").at && http_header(x, "x-empty").len == 0);
	assert_null(http_header(x, "x-two").at);
	assert_true(slice_is(http_body_bytes(x), "hi"));
	assert_true(slice_is(http_peer(x), "127.0.0.1"));
	assert_true(http_body_expected(x));
	assert_true(http_content_length(x, &length) && length == 2);
	assert_true(http_started(x) > 0 && http_started(x) <= uv_hrtime());
	assert_false(http_responded(x));
	fixture_answer(x, 200, SLICE("ok"));
	assert_true(http_responded(x));
	ASSERT_ANSWER(&f, &c, 200, "ok");
	client_close(&c);
	fixture_stop(&f);
}

static const struct {
	const char *request;
	int status;
} refusals[] = {
	{ "GET /\r\n\r\n", 400 },
	{ "GET / HTTP/2.0\r\n\r\n", 505 },
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501 },
	{ "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413 },
	{ "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 67108865\r\n\r\n", 413 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n", 400 },
};

/* One answer, then the end, whatever follows in the same packet. */
static void refuses_and_reads_no_further(void **state)
{
	struct fixture f;
	struct answer answer;
	char text[1024];
	(void)state;
	fixture_start(&f, NULL);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct client c = client_open(&f);
		snprintf(text, sizeof(text), "%s%s", refusals[i].request, GET("/now"));
		client_send(&f, &c, text);
		client_answer(&f, &c, &answer);
		assert_int_equal(answer.status, refusals[i].status);
		assert_non_null(strstr(answer.head, "\r\nConnection: close\r\n"));
		assert_non_null(strstr(answer.head, "\r\nContent-Type: application/problem+json\r\n"));
		client_send(&f, &c, GET("/now"));
		client_closed_cleanly(&f, &c);
		client_close(&c);
	}
	fixture_stop(&f);
	assert_int_equal(f.requests, 0);
}

static void refuses_what_is_too_long(void **state)
{
	static const struct {
		const char *before, *after;
		size_t fill;
		int status;
	} rows[] = {
		{ "GET /", " HTTP/1.1\r\nHost: a\r\n\r\n", 8192, 414 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n", 16384, 431 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n", 16000, 200 },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", "", 1048577,
		  413 },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n",
		  "\r\n0\r\n\r\n", 1048576, 200 },
	};
	struct fixture f;
	struct answer answer;
	char *fill = malloc(2 * 1048576);
	(void)state;
	memset(fill, 'x', 2 * 1048576);
	fixture_start(&f, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client c = client_open(&f);
		client_send(&f, &c, rows[i].before);
		client_send_bytes(&f, &c, fill, rows[i].fill);
		client_send(&f, &c, rows[i].after);
		client_answer(&f, &c, &answer);
		assert_int_equal(answer.status, rows[i].status);
		client_close(&c);
	}
	free(fill);
	fixture_stop(&f);
}

static void refuses_too_many_header_lines(void **state)
{
	struct fixture f;
	char room[4096];
	struct buffer text = { .at = room, .room = sizeof(room) };
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	buffer_text(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < 100; i++)
		buffer_text(&text, "X: y\r\n");
	client_send_bytes(&f, &c, text.at, text.len);
	ASSERT_ANSWER(&f, &c, 431, "{\"status\":431,\"code\":\"header_too_many\"}");
	client_close(&c);
	fixture_stop(&f);
}

static void times_out(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	(void)state;
	limits.idle_ms = 40;
	limits.header_ms = 30;
	limits.body_ms = 30;
	fixture_start(&f, &limits);
	struct client idle = client_open(&f), head = client_open(&f), body = client_open(&f),
		      blank = client_open(&f);
	client_send(&f, &head, "GET / HT");
	client_send(&f, &body, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
	client_send(&f, &blank, "\r\n");
	ASSERT_ANSWER(&f, &head, 408, "{\"status\":408,\"code\":\"header_too_slow\"}");
	ASSERT_ANSWER(&f, &body, 408, "{\"status\":408,\"code\":\"body_too_slow\"}");
	client_closed_cleanly(&f, &head);
	client_closed_cleanly(&f, &body);
	client_closed_cleanly(&f, &idle);
	client_closed_cleanly(&f, &blank);
	client_close(&head);
	client_close(&body);
	client_close(&idle);
	client_close(&blank);
	fixture_stop(&f);
}

static void says_why_it_cannot_listen(void **state)
{
	static const char *const wrong[] = { "",           "8080",    "localhost:80", "127.0.0.1:65536",
					     "127.0.0.1:", "[::1:80", "::1:80",       "300.0.0.1:80" };
	struct fixture f;
	struct http_application app = { 0 };
	char why[200], address[32];
	(void)state;
	fixture_start(&f, NULL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		why[0] = '\0';
		assert_null(http_server_start(&f.loop, wrong[i], false, &f.limits, &app, f.metrics, why,
					      sizeof(why)));
		assert_non_null(strstr(why, "not an address"));
	}
	snprintf(address, sizeof(address), "127.0.0.1:%d", http_server_port(f.server));
	assert_null(http_server_start(&f.loop, address, false, &f.limits, &app, f.metrics, why, sizeof(why)));
	assert_non_null(strstr(why, "in use"));
	fixture_stop(&f);
}

static void names_an_ipv4_client_of_both_stacks(void **state)
{
	struct fixture f;
	int probe = socket(AF_INET6, SOCK_STREAM, 0);
	(void)state;
	if (probe < 0)
		skip();
	close(probe);
	fixture_start_on(&f, NULL, "[::]:0");
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/late"));
	UNTIL(&f, f.kept_count == 1);
	assert_true(slice_is(http_peer(f.kept[0].x), "127.0.0.1"));
	client_close(&c);
	fixture_stop(&f);
}

static void counts(void **state)
{
	struct fixture f;
	struct arena *arena = arena_new(100000);
	struct buffer out;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f), d = client_open(&f);
	client_send(&f, &c, GET("/now"));
	ASSERT_ANSWER(&f, &c, 200, "now");
	client_send(&f, &d, "\n");
	ASSERT_ANSWER(&f, &d, 400, "{\"status\":400,\"code\":\"bare_lf\"}");
	buffer_init(&out, arena, 0);
	metrics_write(f.metrics, &out);
	buffer_char(&out, '\0');
	assert_non_null(strstr(out.at, "\ntantu_http_connections 2\n"));
	assert_non_null(strstr(out.at, "\ntantu_http_accepted_total 2\n"));
	assert_non_null(strstr(out.at, "\ntantu_http_bytes_in_total 31\n"));
	assert_non_null(strstr(out.at, "\ntantu_refused_total{reason=\"bare_lf\"} 1\n"));
	client_close(&c);
	client_close(&d);
	arena_free(&arena);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_alive),
		cmocka_unit_test(sends_the_fixed_headers),
		cmocka_unit_test(respects_what_the_application_says),
		cmocka_unit_test(head_has_the_length_and_no_body),
		cmocka_unit_test(speaks_http_1_0),
		cmocka_unit_test(answers_pipelined_requests_in_order),
		cmocka_unit_test(takes_bytes_one_at_a_time),
		cmocka_unit_test(shows_the_request),
		cmocka_unit_test(refuses_and_reads_no_further),
		cmocka_unit_test(refuses_what_is_too_long),
		cmocka_unit_test(refuses_too_many_header_lines),
		cmocka_unit_test(times_out),
		cmocka_unit_test(says_why_it_cannot_listen),
		cmocka_unit_test(names_an_ipv4_client_of_both_stacks),
		cmocka_unit_test(counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
