/* SPDX-License-Identifier: Apache-2.0
 * Bodies: buffered in pieces, streamed, paused and resumed, refused half-way, announced with Expect. */
#include "http_fixture.h"

#define CHUNKED(path) "POST " path " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void send_head(struct fixture *f, struct client *c, const char *path, size_t length, const char *more)
{
	char head[256];
	snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n%s\r\n", path,
		 length, more);
	client_send(f, c, head);
}

static void fill(char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)('a' + i * 7 % 26);
}

static void buffers_a_body_in_pieces(void **state)
{
	enum { LEN = 300000 };
	struct fixture f;
	struct answer answer;
	char *body = malloc(LEN);
	(void)state;
	fill(body, LEN);
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	send_head(&f, &c, "/echo", LEN, "");
	for (size_t at = 0; at < LEN; at += 12345)
		client_send_bytes(&f, &c, body + at, LEN - at < 12345 ? LEN - at : 12345);
	client_answer(&f, &c, &answer);
	assert_int_equal(answer.body.len, LEN);
	assert_memory_equal(answer.body.at, body, LEN);
	client_send(&f, &c, GET("/now"));
	ASSERT_ANSWER(&f, &c, 200, "now");
	client_close(&c);
	free(body);
	fixture_stop(&f);
}

static void streams_a_body(void **state)
{
	enum { LEN = 3000000 };
	struct fixture f;
	char *body = malloc(LEN);
	(void)state;
	fill(body, LEN);
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	send_head(&f, &c, "/stream", LEN, "");
	client_send_bytes(&f, &c, body, LEN);
	client_send(&f, &c, GET("/now"));
	ASSERT_ANSWER(&f, &c, 200, "3000000");
	ASSERT_ANSWER(&f, &c, 200, "now");
	assert_int_equal(f.ended, 1);
	assert_int_equal(f.aborted, 0);
	client_close(&c);
	free(body);
	fixture_stop(&f);
}

static void streams_nothing(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	send_head(&f, &c, "/stream", 0, "");
	ASSERT_ANSWER(&f, &c, 200, "0");
	client_send(&f, &c, CHUNKED("/stream") "0\r\n\r\n");
	ASSERT_ANSWER(&f, &c, 200, "0");
	assert_int_equal(f.chunks, 0);
	client_close(&c);
	fixture_stop(&f);
}

/* No chunk while paused, the end neither, and what the client sent stays where it is. */
static void pauses_and_resumes(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	f.pause_each_chunk = true;
	struct client c = client_open(&f);
	client_send(&f, &c, CHUNKED("/stream") "3\r\nabc\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n" GET("/now"));
	for (unsigned i = 1; i <= 3; i++) {
		UNTIL(&f, f.chunks == i);
		for (int j = 0; j < 3; j++)
			turn(&f);
		assert_int_equal(f.chunks, i);
		assert_int_equal(f.ended, 0);
		http_resume(f.streaming);
		assert_int_equal(f.chunks, i); /* never from inside http_resume */
	}
	ASSERT_ANSWER(&f, &c, 200, "6");
	ASSERT_ANSWER(&f, &c, 200, "now");
	client_close(&c);
	fixture_stop(&f);
}

/* The last piece of a body of known length is paused at its very end. */
static void holds_the_end_back_while_paused(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	f.pause_each_chunk = true;
	struct client c = client_open(&f);
	send_head(&f, &c, "/stream", 3, "");
	client_send(&f, &c, "abc" GET("/now"));
	UNTIL(&f, f.chunks == 1);
	for (int i = 0; i < 3; i++)
		turn(&f);
	assert_int_equal(f.ended, 0);
	http_resume(f.streaming);
	ASSERT_ANSWER(&f, &c, 200, "3");
	ASSERT_ANSWER(&f, &c, 200, "now");
	client_close(&c);
	fixture_stop(&f);
}

static void pausing_holds_the_client_back(void **state)
{
	enum { LEN = 32 * 1024 * 1024 };
	struct fixture f;
	char *body = calloc(1, LEN);
	size_t sent = 0;
	(void)state;
	fixture_start(&f, NULL);
	f.pause_each_chunk = true;
	struct client c = client_open(&f);
	send_head(&f, &c, "/stream", LEN, "");
	for (int still = 0; still < 20;) {
		ssize_t n = send(c.fd, body, LEN - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		still = n > 0 ? 0 : still + 1;
		sent += n > 0 ? (size_t)n : 0;
		turn(&f);
	}
	assert_true(sent < LEN);
	assert_int_equal(f.chunks, 1);
	f.pause_each_chunk = false;
	http_resume(f.streaming);
	client_send_bytes(&f, &c, body, LEN - sent);
	ASSERT_ANSWER(&f, &c, 200, "33554432");
	client_close(&c);
	free(body);
	fixture_stop(&f);
}

static void aborts_a_stream_that_grows_too_long(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	(void)state;
	limits.stream_bytes = 10;
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	client_send(&f, &c, CHUNKED("/stream") "5\r\nabcde\r\n6\r\nabcdef\r\n0\r\n\r\n" GET("/now"));
	ASSERT_ANSWER(&f, &c, 413, "{\"status\":413,\"code\":\"body_too_long\"}");
	client_closed_cleanly(&f, &c);
	assert_int_equal(f.aborted, 1);
	assert_int_equal(f.last_status, 413);
	client_close(&c);
	fixture_stop(&f);
	assert_int_equal(f.requests, 0);
}

static void aborts_a_stream_that_stalls_or_breaks(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	(void)state;
	limits.body_ms = 30;
	fixture_start(&f, &limits);
	struct client c = client_open(&f), d = client_open(&f);
	client_send(&f, &c, CHUNKED("/stream") "5\r\nabc");
	ASSERT_ANSWER(&f, &c, 408, "{\"status\":408,\"code\":\"body_too_slow\"}");
	assert_int_equal(f.aborted, 1);
	client_send(&f, &d, CHUNKED("/stream") "5\r\nabcdeX");
	ASSERT_ANSWER(&f, &d, 400, "{\"status\":400,\"code\":\"chunk_end\"}");
	assert_int_equal(f.aborted, 2);
	client_close(&c);
	client_close(&d);
	fixture_stop(&f);
}

/* A stalled body counts from its last byte, and an application that pauses is given all the time it wants. */
static void is_patient_with_a_trickle_and_a_pause(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	(void)state;
	limits.body_ms = 250;
	limits.slowest_rate = 4; /* a byte in that time */
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	send_head(&f, &c, "/stream", 5, "");
	for (int i = 0; i < 4; i++) {
		uint64_t until = fixture_ms() + 100;
		client_send(&f, &c, "x");
		UNTIL(&f, fixture_ms() >= until);
	}
	f.pause_each_chunk = true;
	client_send(&f, &c, "x");
	uint64_t until = fixture_ms() + 300;
	UNTIL(&f, fixture_ms() >= until);
	http_resume(f.streaming);
	ASSERT_ANSWER(&f, &c, 200, "5");
	client_close(&c);
	fixture_stop(&f);
}

static void an_early_answer_closes(void **state)
{
	struct fixture f;
	struct answer answer;
	char body[100000] = { 0 };
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f), d = client_open(&f), e = client_open(&f);
	send_head(&f, &c, "/early", sizeof(body), "");
	client_send_bytes(&f, &c, body, sizeof(body));
	client_answer(&f, &c, &answer);
	assert_int_equal(answer.status, 401);
	assert_non_null(strstr(answer.head, "Connection: close"));
	client_send(&f, &c, GET("/now"));
	client_closed_cleanly(&f, &c);
	f.respond_in_chunk = true;
	client_send(&f, &d, CHUNKED("/stream") "1\r\na\r\n1\r\nb\r\n0\r\n\r\n" GET("/now"));
	ASSERT_ANSWER(&f, &d, 422, "no");
	client_closed_cleanly(&f, &d);
	assert_int_equal(f.chunks, 1);
	assert_int_equal(f.aborted, 0);                 /* who answers knows */
	client_send(&f, &e, GET("/early") GET("/now")); /* no body: nothing to close for */
	ASSERT_ANSWER(&f, &e, 401, "who?");
	ASSERT_ANSWER(&f, &e, 200, "now");
	client_close(&c);
	client_close(&d);
	client_close(&e);
	fixture_stop(&f);
}

static void continues_whoever_asks(void **state)
{
	struct fixture f;
	struct answer answer;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	send_head(&f, &c, "/echo", 2, "Expect: 100-Continue\r\n");
	UNTIL(&f, client_take(&c, &answer, true));
	assert_int_equal(answer.status, 100);
	client_send(&f, &c, "hi");
	ASSERT_ANSWER(&f, &c, 200, "hi");
	send_head(&f, &c, "/stream", 2, "Expect: 100-continue\r\n");
	UNTIL(&f, client_take(&c, &answer, true));
	assert_int_equal(answer.status, 100);
	client_send(&f, &c, "hi");
	ASSERT_ANSWER(&f, &c, 200, "2");
	send_head(&f, &c, "/echo", 0, "Expect: 100-continue\r\n");
	ASSERT_ANSWER(&f, &c, 200, ""); /* nothing to wait for */
	send_head(&f, &c, "/echo", 9999999, "Expect: 100-continue\r\n");
	ASSERT_ANSWER(&f, &c, 413, "{\"status\":413,\"code\":\"body_too_long\"}");
	client_close(&c);
	c = client_open(&f);
	send_head(&f, &c, "/early", 5, "Expect: 100-continue\r\n");
	ASSERT_ANSWER(&f, &c, 401, "who?");
	client_close(&c);
	fixture_stop(&f);
}

/* The body of a request whose arena is full is refused, and the answer still goes out. */
static void a_full_arena_is_refused(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	char body[8000] = { 0 };
	(void)state;
	limits.arena_bytes = 6000;
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	send_head(&f, &c, "/echo", sizeof(body), "");
	client_send_bytes(&f, &c, body, sizeof(body));
	ASSERT_ANSWER(&f, &c, 503, "{\"status\":503,\"code\":\"out_of_memory\"}");
	client_close(&c);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_a_body_in_pieces),
		cmocka_unit_test(streams_a_body),
		cmocka_unit_test(streams_nothing),
		cmocka_unit_test(pauses_and_resumes),
		cmocka_unit_test(holds_the_end_back_while_paused),
		cmocka_unit_test(pausing_holds_the_client_back),
		cmocka_unit_test(aborts_a_stream_that_grows_too_long),
		cmocka_unit_test(aborts_a_stream_that_stalls_or_breaks),
		cmocka_unit_test(is_patient_with_a_trickle_and_a_pause),
		cmocka_unit_test(an_early_answer_closes),
		cmocka_unit_test(continues_whoever_asks),
		cmocka_unit_test(a_full_arena_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
