/* SPDX-License-Identifier: Apache-2.0
 * Who has to go when there is no room, who is too slow, and what is said about it. */
#include "http_fixture.h"
#include <fcntl.h>
#include <sys/resource.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static int saved_stderr = -1, log_fd = -1;

/* Log lines go to a file until log_read. */
static void log_catch(void)
{
	log_fd = fileno(tmpfile());
	saved_stderr = dup(STDERR_FILENO);
	assert_true(dup2(log_fd, STDERR_FILENO) >= 0);
}

static const char *log_read(char *room, size_t size)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	ssize_t len = pread(log_fd, room, size - 1, 0);
	assert_true(len >= 0);
	room[len] = '\0';
	return room;
}

static double counted(struct fixture *f, const char *reason)
{
	char labels[64];
	struct arena *arena = arena_new(100000);
	struct buffer out;
	snprintf(labels, sizeof(labels), "\ntantu_refused_total{reason=\"%s\"} ", reason);
	buffer_init(&out, arena, 0);
	metrics_write(f->metrics, &out);
	buffer_char(&out, '\0');
	const char *at = strstr(out.at, labels);
	assert_non_null(at);
	double n = strtod(at + strlen(labels), NULL);
	arena_free(&arena);
	return n;
}

static struct client client_from(struct fixture *f, const char *address)
{
	struct sockaddr_in from = { .sin_family = AF_INET },
			   to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)http_server_port(f->server)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
	assert_int_equal(uv_inet_pton(AF_INET, address, &from.sin_addr), 0);
	assert_int_equal(bind(c.fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(c.fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return c;
}

/* Opened, and known to the server. */
static struct client client_taken(struct fixture *f, const char *address)
{
	struct client c = client_from(f, address);
	for (int i = 0; i < 3; i++)
		turn(f);
	return c;
}

static void ask_now(struct fixture *f, struct client *c)
{
	client_send(f, c, GET("/now"));
	ASSERT_ANSWER(f, c, 200, "now");
}

/* --- room --- */

static void an_idle_client_makes_room(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	(void)state;
	limits.connections = 3;
	fixture_start(&f, &limits);
	struct client working = client_taken(&f, "127.0.0.1"), old = client_taken(&f, "127.0.0.1"),
		      young = client_taken(&f, "127.0.0.1");
	client_send(&f, &working, GET("/late"));
	UNTIL(&f, f.kept_count == 1);
	struct client next = client_open(&f);
	ask_now(&f, &next);
	assert_true(client_at_end(&old));
	ask_now(&f, &young);
	fixture_answer(f.kept[0].x, 200, SLICE("late"));
	ASSERT_ANSWER(&f, &working, 200, "late");
	assert_int_equal((int)counted(&f, "connections"), 1);
	client_close(&working);
	client_close(&old);
	client_close(&young);
	client_close(&next);
	fixture_stop(&f);
}

/* In the order in which they are missed: idle, in the head, in the body. */
static void slow_clients_make_room_after_idle_ones(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	(void)state;
	limits.connections = 3;
	fixture_start(&f, &limits);
	struct client body = client_taken(&f, "127.0.0.1"), head = client_taken(&f, "127.0.0.1"),
		      idle = client_taken(&f, "127.0.0.1"), next[3];
	client_send(&f, &body, "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na");
	client_send(&f, &head, "GET /now HT");
	UNTIL(&f, f.chunks == 1);
	struct client *const order[] = { &idle, &head, &body };
	for (int i = 0; i < 3; i++) {
		next[i] = client_taken(&f, "127.0.0.1");
		client_send(&f, &next[i], GET("/late"));
		UNTIL(&f, f.kept_count == (size_t)i + 1);
		for (int k = 0; k < 3; k++)
			assert_int_equal(client_at_end(order[k]), k <= i);
	}
	assert_int_equal(f.aborted, 1);
	/* Now all three are being worked for: one more is told so. */
	struct client more = client_taken(&f, "127.0.0.1");
	struct answer answer;
	client_answer(&f, &more, &answer);
	assert_int_equal(answer.status, 503);
	assert_non_null(strstr(answer.head, "\r\nRetry-After: 1\r\n"));
	assert_int_equal((int)counted(&f, "connections"), 4);
	for (int i = 0; i < 3; i++) {
		fixture_answer(f.kept[i].x, 200, SLICE("late"));
		ASSERT_ANSWER(&f, &next[i], 200, "late");
		client_close(&next[i]);
	}
	client_close(&body);
	client_close(&head);
	client_close(&idle);
	client_close(&more);
	fixture_stop(&f);
}

static void an_address_makes_room_for_itself(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	(void)state;
	limits.connections_of_address = 2;
	fixture_start(&f, &limits);
	struct client other = client_taken(&f, "127.0.0.2"), first = client_taken(&f, "127.0.0.1"),
		      second = client_taken(&f, "127.0.0.1"), third = client_taken(&f, "127.0.0.1");
	UNTIL(&f, client_at_end(&first));
	ask_now(&f, &other);
	ask_now(&f, &second);
	ask_now(&f, &third);
	assert_int_equal((int)counted(&f, "connections_of_address"), 1);
	client_send(&f, &second, GET("/late"));
	client_send(&f, &third, GET("/late"));
	UNTIL(&f, f.kept_count == 2);
	struct client fourth = client_open(&f);
	struct answer answer;
	client_answer(&f, &fourth, &answer);
	assert_int_equal(answer.status, 503);
	assert_int_equal((int)counted(&f, "connections_of_address"), 2);
	client_close(&second); /* its place is free again */
	UNTIL(&f, f.gone == 1);
	client_close(&fourth);
	fourth = client_open(&f);
	ask_now(&f, &fourth);
	client_close(&other);
	client_close(&first);
	client_close(&third);
	client_close(&fourth);
	fixture_stop(&f);
}

static void a_trusted_proxy_is_not_bounded(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	(void)state;
	limits.connections_of_address = 1;
	limits.trusted_proxies = "127.0.0.2";
	fixture_start(&f, &limits);
	struct client a = client_taken(&f, "127.0.0.2"), b = client_taken(&f, "127.0.0.2"),
		      c = client_taken(&f, "127.0.0.1"), d = client_taken(&f, "127.0.0.1");
	ask_now(&f, &a);
	ask_now(&f, &b);
	ask_now(&f, &d);
	UNTIL(&f, client_at_end(&c));
	client_close(&a);
	client_close(&b);
	client_close(&c);
	client_close(&d);
	fixture_stop(&f);
}

/* Many addresses in few slots, coming and going in any order: nobody is forgotten or counted twice. */
static void many_addresses(void **state)
{
	enum { ADDRESSES = 100, EACH = 3 };
	struct http_limits limits = http_limits_default();
	struct fixture f;
	struct client clients[ADDRESSES][EACH];
	char address[32];
	(void)state;
	limits.connections_of_address = 2;
	fixture_start(&f, &limits);
	for (int i = 0; i < ADDRESSES; i++) {
		snprintf(address, sizeof(address), "127.0.%d.%d", i % 7, 10 + i);
		for (int k = 0; k < EACH; k++)
			clients[i][k] = client_taken(&f, address);
	}
	for (int i = 0; i < ADDRESSES; i++)
		for (int k = 0; k < EACH; k++)
			assert_int_equal(client_at_end(&clients[i][k]), k == 0);
	for (int i = ADDRESSES - 1; i >= 0; i--)
		for (int k = 0; k < EACH; k++)
			client_close(&clients[i][k]);
	assert_int_equal((int)counted(&f, "connections_of_address"), ADDRESSES);
	fixture_stop(&f);
}

/* --- descriptors --- */

static void limit_descriptors(rlim_t most, struct rlimit *before)
{
	getrlimit(RLIMIT_NOFILE, before);
	struct rlimit low = { most, before->rlim_max };
	setrlimit(RLIMIT_NOFILE, &low);
}

static void survives_running_out_of_descriptors(void **state)
{
	struct fixture f;
	struct rlimit before;
	struct answer answer;
	(void)state;
	fixture_start(&f, NULL);
	struct client working = client_taken(&f, "127.0.0.1"), idle = client_taken(&f, "127.0.0.1");
	client_send(&f, &working, GET("/late"));
	UNTIL(&f, f.kept_count == 1);
	struct client next = client_open(&f), last = client_open(&f);
	limit_descriptors((rlim_t)last.fd + 1, &before);
	usleep(2000);                         /* who has just come is not idle yet */
	client_send(&f, &next, GET("/late")); /* the idle one's descriptor */
	UNTIL(&f, client_at_end(&idle));
	client_answer(&f, &last, &answer); /* the spare one: nobody is left to hang */
	assert_int_equal(answer.status, 503);
	UNTIL(&f, f.kept_count == 2);
	assert_int_equal((int)counted(&f, "out_of_descriptors"), 2);
	setrlimit(RLIMIT_NOFILE, &before);
	for (size_t i = 0; i < 2; i++)
		fixture_answer(f.kept[i].x, 200, SLICE("late"));
	ASSERT_ANSWER(&f, &working, 200, "late");
	ASSERT_ANSWER(&f, &next, 200, "late");
	client_close(&last);
	last = client_open(&f);
	ask_now(&f, &last);
	client_close(&working);
	client_close(&idle);
	client_close(&next);
	client_close(&last);
	fixture_stop(&f);
}

/* Not even the spare one can be had: those who knock wait in the backlog and are served later. */
static void waits_when_nothing_helps(void **state)
{
	struct fixture f;
	struct rlimit before;
	(void)state;
	fixture_start(&f, NULL);
	struct client working = client_taken(&f, "127.0.0.1");
	client_send(&f, &working, GET("/late"));
	UNTIL(&f, f.kept_count == 1);
	struct client next = client_open(&f);
	limit_descriptors(3, &before);
	client_send(&f, &next, GET("/now"));
	UNTIL(&f, counted(&f, "accept_failed") >= 2);
	client_read(&next);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(next.len, 0);
	ASSERT_ANSWER(&f, &next, 200, "now");
	client_close(&working);
	client_close(&next);
	fixture_stop(&f);
}

/* --- too slow --- */

/* A byte now and then keeps nobody alive: what counts is the rate. */
static void a_trickled_body_is_refused(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	(void)state;
	limits.body_ms = 60;
	limits.slowest_rate = 1000;
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	struct answer answer = { 0 };
	client_send(&f, &c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");
	while (!client_take(&c, &answer, false)) {
		client_send(&f, &c, "x");
		turn(&f);
		usleep(5000);
	}
	assert_int_equal(answer.status, 408);
	assert_true(slice_is(answer.body, "{\"status\":408,\"code\":\"body_too_slow\"}"));
	assert_int_equal((int)counted(&f, "body_too_slow"), 1);
	client_close(&c);
	fixture_stop(&f);
}

/* As slow as is allowed, over many windows. */
static void a_body_in_time_is_taken(void **state)
{
	enum { PIECES = 40, PIECE = 1000 };
	struct http_limits limits = http_limits_default();
	struct fixture f;
	char piece[PIECE + 1] = "";
	(void)state;
	limits.body_ms = 50;
	limits.slowest_rate = 1000; /* fifty bytes a window */
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	memset(piece, 'x', PIECE);
	client_send(&f, &c, "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n");
	for (int i = 0; i < PIECES; i++) {
		client_send(&f, &c, piece);
		uint64_t until = fixture_ms() + 10;
		UNTIL(&f, f.streamed == (size_t)(i + 1) * PIECE && fixture_ms() >= until);
	}
	ASSERT_ANSWER(&f, &c, 200, "40000");
	client_close(&c);
	fixture_stop(&f);
}

/* Reads a little now and then: is cut off, and the kernel keeps nothing for it either. */
static void a_trickling_reader_is_cut_off(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	char some[16];
	(void)state;
	limits.write_ms = 100;
	limits.slowest_rate = 10 * 1000 * 1000;
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	client_send(&f, &c, GET("/big"));
	UNTIL(&f, f.requests == 1);
	while (f.finished == 0) {
		(void)recv(c.fd, some, sizeof(some), MSG_DONTWAIT);
		turn(&f);
		usleep(1000);
	}
	assert_int_equal((int)counted(&f, "answer_not_taken"), 1);
	UNTIL(&f, client_at_end(&c));
	assert_true(c.reset);
	client_close(&c);
	fixture_stop(&f);
}

/* --- proxies --- */

static void believes_a_trusted_proxy(void **state)
{
	static const struct {
		const char *trusted;
		bool forwarded;
		const char *fields, *client;
		bool secure;
	} rows[] = {
		{ "", false, "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n", "127.0.0.1",
		  false },
		{ "10.0.0.0/8", false, "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1", false },
		{ "127.0.0.1", false, "", "127.0.0.1", false },
		{ "127.0.0.1", false, "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n",
		  "192.0.2.1", true },
		{ "127.0.0.0/8", false, "X-Forwarded-For: 198.51.100.7, 192.0.2.1\r\n", "192.0.2.1", false },
		{ "127.0.0.0/8", false, "X-Forwarded-For: 198.51.100.7, 192.0.2.1, 127.0.0.9\r\n",
		  "192.0.2.1", false },
		{ "127.0.0.0/8", false,
		  "X-Forwarded-For: 192.0.2.1\r\nX: y\r\nX-Forwarded-For: 127.0.0.9\r\n", "192.0.2.1",
		  false },
		{ "127.0.0.1", false, "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1", false },
		{ "127.0.0.1", false, "X-Forwarded-For: [2001:db8::1]:4711\r\n", "2001:db8::1", false },
		{ "127.0.0.1", false, "X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1", false },
		{ "127.0.0.1", false, "X-Forwarded-For: unknown\r\n", "127.0.0.1", false },
		{ "127.0.0.1", false, "X-Forwarded-For: 192.0.2.1, unknown\r\n", "127.0.0.1", false },
		{ "127.0.0.1", false, "X-Forwarded-For:\r\n", "127.0.0.1", false },
		{ "127.0.0.1", false, "X-Forwarded-For: ,,\r\n", "127.0.0.1", false },
		{ "127.0.0.1", false, "X-Forwarded-Proto: http\r\n", "127.0.0.1", false },
		{ "127.0.0.1", false, "X-Forwarded-Proto: http, HTTPS\r\n", "127.0.0.1", true },
		{ "127.0.0.1", false, "X-Forwarded-Proto: https, http\r\n", "127.0.0.1", false },
		/* the header that the proxy does not write is the client's own */
		{ "127.0.0.1", false, "Forwarded: for=192.0.2.1;proto=https\r\n", "127.0.0.1", false },
		{ "127.0.0.1", true, "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n",
		  "127.0.0.1", false },
		{ "127.0.0.1", true, "Forwarded: for=192.0.2.1;proto=https\r\n", "192.0.2.1", true },
		{ "127.0.0.1", true, "Forwarded: For=\"[2001:db8::1]:80\"; Proto=HTTPS\r\n", "2001:db8::1",
		  true },
		{ "127.0.0.1", true, "Forwarded: for=198.51.100.7, proto=http;for=\"192.0.2.1\"\r\n",
		  "192.0.2.1", false },
		{ "127.0.0.1", true, "Forwarded: for=_hidden\r\n", "127.0.0.1", false },
		{ "127.0.0.1", true, "Forwarded: proto=https\r\n", "127.0.0.1", true },
		{ "127.0.0.1", true, "Forwarded: for=\r\n", "127.0.0.1", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_limits limits = http_limits_default();
		struct fixture f;
		struct answer answer;
		char request[512];
		limits.trusted_proxies = rows[i].trusted;
		limits.forwarded = rows[i].forwarded;
		fixture_start(&f, &limits);
		struct client c = client_open(&f);
		snprintf(request, sizeof(request), "GET /late HTTP/1.1\r\nHost: a\r\n%s\r\n", rows[i].fields);
		client_send(&f, &c, request);
		UNTIL(&f, f.kept_count == 1);
		if (!slice_is(http_peer(f.kept[0].x), rows[i].client))
			fail_msg("row %zu: %s", i, http_peer(f.kept[0].x).at);
		assert_int_equal(http_secure(f.kept[0].x), rows[i].secure);
		fixture_answer(f.kept[0].x, 200, SLICE("x"));
		client_answer(&f, &c, &answer);
		assert_int_equal(strstr(answer.head, "\r\nStrict-Transport-Security: max-age=31536000; "
						     "includeSubDomains\r\n") != NULL,
				 rows[i].secure);
		client_close(&c);
		fixture_stop(&f);
	}
}

/* A chain as long as a head may be, of addresses that are all trusted: read only so far. */
static void a_long_chain_ends(void **state)
{
	struct http_limits limits = http_limits_default();
	struct fixture f;
	char room[16 * 1024];
	struct buffer text = { .at = room, .room = sizeof(room) };
	(void)state;
	limits.trusted_proxies = "127.0.0.0/8";
	fixture_start(&f, &limits);
	struct client c = client_open(&f);
	buffer_text(&text, "GET /late HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1");
	for (int i = 0; i < 1000; i++)
		buffer_printf(&text, ",127.0.0.%d", i % 9);
	buffer_text(&text, "\r\n\r\n");
	client_send_bytes(&f, &c, text.at, text.len);
	UNTIL(&f, f.kept_count == 1);
	assert_memory_equal(http_peer(f.kept[0].x).at, "127.0.0.", 8);
	client_close(&c);
	fixture_stop(&f);
}

static void says_which_proxy_is_wrong(void **state)
{
	static const char *const wrong[] = { "proxy",      "127.0.0.1/33", "::1/129", "10.0.0.0/",
					     "10.0.0.0/x", "127.0.0.1:80", "[::1]",   "1.2.3",
					     "/8",         "::1/-1" };
	struct http_limits limits = http_limits_default();
	struct http_application app = { 0 };
	struct metrics *metrics = metrics_new();
	uv_loop_t loop;
	char why[200], list[80];
	(void)state;
	uv_loop_init(&loop);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(list, sizeof(list), "127.0.0.1, ::1 %s", wrong[i]);
		limits.trusted_proxies = list;
		assert_null(http_server_start(&loop, "127.0.0.1:0", false, &limits, &app, metrics, why,
					      sizeof(why)));
		assert_non_null(strstr(why, wrong[i]));
	}
	uv_loop_close(&loop);
	metrics_free(&metrics);
}

static void networks(void **state)
{
	static const struct {
		const char *list, *address;
		bool inside;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "192.0.2.128/25", "192.0.2.129", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "2001:db8::/32", "2001:db8:1::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "::1", "::1", true },
		{ "::1", "127.0.0.1", false },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
		{ "", "127.0.0.1", false },
		{ "::/0", "10.1.2.3", true },
		{ "10.0.0.1\t,10.0.0.2", "10.0.0.2", true },
	};
	struct http_networks list;
	struct http_address address, prefix;
	struct slice wrong;
	char text[HTTP_ADDRESS_TEXT];
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(http_networks_read(rows[i].list, &list, &wrong));
		assert_true(http_address_read(slice_of(rows[i].address), &address));
		if (http_networks_hold(&list, &address) != rows[i].inside)
			fail_msg("%s in %s", rows[i].address, rows[i].list);
	}
	assert_true(http_address_read(SLICE("2001:db8:1:2:3:4:5:6"), &address));
	prefix = http_address_prefix(&address);
	http_address_write(&prefix, text);
	assert_string_equal(text, "2001:db8:1:2::");
	assert_true(http_address_read(SLICE("192.0.2.1"), &address));
	prefix = http_address_prefix(&address);
	assert_true(http_address_equal(&prefix, &address));
}

/* --- what is said --- */

static void a_flood_is_told_in_sums(void **state)
{
	enum { TIMES = 100 };
	struct fixture f;
	char room[65536], wanted[64];
	unsigned lines = 0;
	double told = 0;
	(void)state;
	log_catch();
	fixture_start(&f, NULL);
	for (int i = 0; i < TIMES; i++) {
		struct client c = client_open(&f);
		client_send(&f, &c, "\n");
		UNTIL(&f, client_at_end(&c));
		client_close(&c);
	}
	double metric = counted(&f, "bare_lf");
	fixture_stop(&f);
	for (char *at = (char *)(uintptr_t)log_read(room, sizeof(room));
	     (at = strstr(at, "\"event\":\"refused\"")); at++, lines++) {
		assert_memory_equal(strstr(at, "\"reason\""), "\"reason\":\"bare_lf\",\"status\":400,", 31);
		told += strtod(strstr(at, "\"times\":") + 8, NULL);
	}
	snprintf(wanted, sizeof(wanted), "%d %d", TIMES, TIMES);
	snprintf(room, sizeof(room), "%d %d", (int)metric, (int)told);
	assert_string_equal(room, wanted);
	assert_true(lines >= 3 && lines < TIMES);
	assert_null(strstr(room, "127.0.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_client_makes_room),
		cmocka_unit_test(slow_clients_make_room_after_idle_ones),
		cmocka_unit_test(an_address_makes_room_for_itself),
		cmocka_unit_test(a_trusted_proxy_is_not_bounded),
		cmocka_unit_test(many_addresses),
		cmocka_unit_test(survives_running_out_of_descriptors),
		cmocka_unit_test(waits_when_nothing_helps),
		cmocka_unit_test(a_trickled_body_is_refused),
		cmocka_unit_test(a_body_in_time_is_taken),
		cmocka_unit_test(a_trickling_reader_is_cut_off),
		cmocka_unit_test(believes_a_trusted_proxy),
		cmocka_unit_test(a_long_chain_ends),
		cmocka_unit_test(says_which_proxy_is_wrong),
		cmocka_unit_test(networks),
		cmocka_unit_test(a_flood_is_told_in_sums),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
