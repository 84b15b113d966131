/* SPDX-License-Identifier: Apache-2.0
 * Clients that leave at each moment, clients that close their half, exchanges that are held, answers that are
 * not taken, and the graceful stop. fixture_stop checks that every exchange was finished. */
#include "http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

static struct http_limits quick(void)
{
	struct http_limits limits = http_limits_default();
	limits.half_close_ms = 50;
	limits.write_ms = 50;
	limits.linger_ms = 50;
	return limits;
}

static double open_connections(struct fixture *f)
{
	struct arena *arena = arena_new(100000);
	struct buffer out;
	buffer_init(&out, arena, 0);
	metrics_write(f->metrics, &out);
	buffer_char(&out, '\0');
	double value = strtod(strstr(out.at, "\ntantu_http_connections ") + 24, NULL);
	arena_free(&arena);
	return value;
}

/* After every prefix of two requests, by reset and by close. */
static void a_client_may_leave_at_every_byte(void **state)
{
	static const char text[] = POST("/echo") "hello" POST("/stream") "hello" GET("/late") GET("/now");
	struct http_limits limits = quick();
	struct fixture f;
	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		for (int reset = 0; reset < 2; reset++) {
			fixture_start(&f, &limits);
			struct client c = client_open(&f);
			client_send_bytes(&f, &c, text, len);
			turn(&f);
			turn(&f);
			if (reset)
				client_reset(&c);
			else
				client_close(&c);
			UNTIL(&f, open_connections(&f) == 0);
			assert_int_equal(f.gone, f.kept_count);
			assert_int_equal(f.headers, f.finished);
			fixture_stop(&f);
		}
	}
}

static void pending_is_told_once(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/late"));
	UNTIL(&f, f.kept_count == 1);
	client_reset(&c);
	UNTIL(&f, f.gone == 1);
	assert_int_equal(f.finished, 1);
	assert_int_equal(f.last_status, 0);
	fixture_stop(&f);
	assert_int_equal(f.gone, 1);
}

static void pending_that_is_done_is_not_told(void **state)
{
	struct fixture f;
	struct http_pending more[3] = { { .on_gone = fixture_on_gone },
					{ .on_gone = fixture_on_gone },
					{ .on_gone = fixture_on_gone } };
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/late"));
	UNTIL(&f, f.kept_count == 1);
	for (int i = 0; i < 3; i++)
		http_pending_add(f.kept[0].x, &more[i]);
	http_pending_done(&more[1]);
	http_pending_done(&more[1]);
	http_pending_done(&more[2]);
	http_pending_done(&more[0]);
	client_reset(&c);
	UNTIL(&f, f.gone == 1);
	fixture_stop(&f);
}

static void an_answer_ends_what_is_pending(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/late"));
	UNTIL(&f, f.kept_count == 1);
	fixture_answer(f.kept[0].x, 200, SLICE("ok"));
	http_pending_done(&f.kept[0].pending);
	ASSERT_ANSWER(&f, &c, 200, "ok");
	client_reset(&c);
	fixture_stop(&f);
	assert_int_equal(f.gone, 0);
}

/* The exchange and its arena outlive the client; the answer is dropped. */
static void a_held_exchange_outlives_its_client(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/hold"));
	UNTIL(&f, f.kept_count == 1);
	struct http_exchange *x = f.kept[0].x;
	char *text = arena_text(http_arena(x), SLICE("still here"));
	assert_false(http_gone(x));
	http_hold(x);
	client_reset(&c);
	UNTIL(&f, f.gone == 1);
	assert_true(http_gone(x));
	assert_string_equal(text, "still here");
	assert_true(slice_is(http_path(x), "/hold"));
	fixture_answer(x, 200, SLICE("dropped"));
	http_resume(x);
	http_release(x);
	assert_string_equal(text, "still here");
	fixture_stop(&f);
	assert_int_equal(f.last_status, 0);
	http_release(x); /* even after the server */
}

static void a_held_exchange_is_answered(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/hold") GET("/now"));
	UNTIL(&f, f.kept_count == 1);
	fixture_answer(f.kept[0].x, 200, SLICE("held"));
	ASSERT_ANSWER(&f, &c, 200, "held");
	ASSERT_ANSWER(&f, &c, 200, "now");
	http_release(f.kept[0].x);
	client_close(&c);
	fixture_stop(&f);
}

/* Whoever has said all still gets the answers. */
static void a_half_closed_client_is_answered(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/now") GET("/late") GET("/late") GET("/now"));
	shutdown(c.fd, SHUT_WR);
	ASSERT_ANSWER(&f, &c, 200, "now");
	UNTIL(&f, f.kept_count == 1);
	fixture_answer(f.kept[0].x, 200, SLICE("1"));
	ASSERT_ANSWER(&f, &c, 200, "1");
	UNTIL(&f, f.kept_count == 2);
	fixture_answer(f.kept[1].x, 200, SLICE("2"));
	ASSERT_ANSWER(&f, &c, 200, "2");
	ASSERT_ANSWER(&f, &c, 200, "now");
	client_closed_cleanly(&f, &c);
	client_close(&c);
	fixture_stop(&f);
	assert_int_equal(f.gone, 0);
}

static void a_half_closed_client_is_not_waited_for_long(void **state)
{
	struct http_limits limits = quick();
	struct fixture f;
	(void)state;
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/late"));
	UNTIL(&f, f.kept_count == 1);
	shutdown(c.fd, SHUT_WR);
	UNTIL(&f, f.gone == 1);
	client_close(&c);
	fixture_stop(&f);
}

/* An answer that the kernel does not take at once goes on when the client reads. */
static void a_big_answer_is_written_in_pieces(void **state)
{
	struct fixture f;
	struct answer answer;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/big") GET("/now"));
	for (int i = 0; i < 20; i++)
		turn(&f);
	assert_int_equal(f.requests, 1); /* the next one waits for the write */
	client_answer(&f, &c, &answer);
	assert_int_equal(answer.body.len, BIG);
	ASSERT_ANSWER(&f, &c, 200, "now");
	client_close(&c);
	fixture_stop(&f);
}

static void an_answer_that_is_not_taken_is_given_up(void **state)
{
	struct http_limits limits = quick();
	struct fixture f;
	(void)state;
	fixture_start(&f, &limits);
	struct client c = client_open(&f), d = client_open(&f);
	client_send(&f, &c, GET("/big"));
	client_send(&f, &d, GET("/big"));
	UNTIL(&f, f.requests == 2);
	client_reset(&d); /* in the middle of the write */
	UNTIL(&f, f.finished == 2);
	assert_int_equal(f.last_status, 200);
	client_close(&c);
	fixture_stop(&f);
}

static void a_slow_reader_is_waited_for(void **state)
{
	struct http_limits limits = quick();
	struct fixture f;
	char piece[20000];
	(void)state;
	limits.write_ms = 400;
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/big"));
	UNTIL(&f, f.requests == 1);
	for (uint64_t end = fixture_ms() + 1000; fixture_ms() < end;) {
		uint64_t next = fixture_ms() + 3;
		assert_true(recv(c.fd, piece, sizeof(piece), MSG_DONTWAIT) > 0);
		UNTIL(&f, fixture_ms() >= next);
	}
	assert_int_equal(f.finished, 0);
	client_close(&c);
	fixture_stop(&f);
}

static void stops_gracefully(void **state)
{
	struct fixture f;
	struct answer answer;
	(void)state;
	fixture_start(&f, NULL);
	struct client idle = client_open(&f), late = client_open(&f), half = client_open(&f);
	client_send(&f, &idle, GET("/now"));
	ASSERT_ANSWER(&f, &idle, 200, "now");
	client_send(&f, &late, GET("/late"));
	client_send(&f, &half, "GET /now HTT");
	UNTIL(&f, f.kept_count == 1);
	turn(&f);
	http_server_stop(f.server, 5000, fixture_on_stopped, &f);
	client_closed_cleanly(&f, &idle);
	client_send(&f, &half, "P/1.1\r\nHost: a\r\n\r\n");
	client_answer(&f, &half, &answer);
	assert_non_null(strstr(answer.head, "Connection: close"));
	assert_false(f.stopped);
	fixture_answer(f.kept[0].x, 200, SLICE("late"));
	client_answer(&f, &late, &answer);
	assert_true(slice_is(answer.body, "late"));
	assert_non_null(strstr(answer.head, "Connection: close"));
	client_closed_cleanly(&f, &late);
	client_close(&idle);
	client_close(&late);
	client_close(&half);
	UNTIL(&f, f.stopped);
	fixture_stop(&f);
	assert_int_equal(f.gone, 0);
}

static void cuts_what_outlasts_the_grace(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL);
	struct client c = client_open(&f), d = client_open(&f);
	client_send(&f, &c, GET("/late"));
	client_send(&f, &d, "GET /n");
	UNTIL(&f, f.kept_count == 1);
	turn(&f);
	http_server_stop(f.server, 30, fixture_on_stopped, &f);
	UNTIL(&f, f.stopped);
	assert_int_equal(f.gone, 1);
	client_close(&c);
	client_close(&d);
	fixture_stop(&f);
}

/* A client that sends on and on after its last answer is not listened to for ever. */
static void lingers_for_a_while_only(void **state)
{
	struct http_limits limits = quick();
	struct fixture f;
	(void)state;
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	client_send(&f, &c, "\n");
	ASSERT_ANSWER(&f, &c, 400, "{\"status\":400,\"code\":\"bare_lf\"}");
	UNTIL(&f, (client_send(&f, &c, "x"), open_connections(&f) == 0));
	client_close(&c);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_may_leave_at_every_byte),
		cmocka_unit_test(pending_is_told_once),
		cmocka_unit_test(pending_that_is_done_is_not_told),
		cmocka_unit_test(an_answer_ends_what_is_pending),
		cmocka_unit_test(a_held_exchange_outlives_its_client),
		cmocka_unit_test(a_held_exchange_is_answered),
		cmocka_unit_test(a_half_closed_client_is_answered),
		cmocka_unit_test(a_half_closed_client_is_not_waited_for_long),
		cmocka_unit_test(a_big_answer_is_written_in_pieces),
		cmocka_unit_test(an_answer_that_is_not_taken_is_given_up),
		cmocka_unit_test(a_slow_reader_is_waited_for),
		cmocka_unit_test(stops_gracefully),
		cmocka_unit_test(cuts_what_outlasts_the_grace),
		cmocka_unit_test(lingers_for_a_while_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
