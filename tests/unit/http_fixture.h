/* SPDX-License-Identifier: Apache-2.0
 * A real server on a loop in the test, clients on raw sockets, and an application that does what the path
 * says:
 *   /now answers in on_request      /late and /hold wait for the test to answer     /echo sends the body back
 *   /early answers in on_headers    /stream counts a streamed body                  /big answers BIG bytes */
#ifndef TESTS_UNIT_HTTP_FIXTURE_H
#define TESTS_UNIT_HTTP_FIXTURE_H

#include "service/http.h"
#include "unit.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 64, BIG = 16 * 1024 * 1024 };

struct fixture;

struct kept {
	struct http_pending pending; /* first: on_gone casts back */
	struct fixture *fixture;
	struct http_exchange *x;
	bool gone;
};

struct fixture {
	uv_loop_t loop;
	struct metrics *metrics;
	struct http_server *server;
	struct http_limits limits;
	struct kept kept[KEPT];
	size_t kept_count;
	unsigned headers, requests, finished, gone, chunks, ended, aborted;
	size_t streamed;
	bool pause_each_chunk, respond_in_chunk;
	struct http_exchange *streaming;
	int last_status;
	bool stopped;
	char *big;
};

struct client {
	int fd;
	char *in;
	size_t len, room, taken;
	bool eof, reset;
};

struct answer {
	int status;
	char head[2048];
	struct slice body; /* in the client's memory until the next read */
};

static inline uint64_t fixture_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void turn(struct fixture *f)
{
	uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* Turns the loop until the condition holds; a test that waits over five seconds has failed. */
#define UNTIL(f, condition)                                                    \
	do {                                                                   \
		uint64_t until_ = fixture_ms() + 5000;                         \
		while (!(condition)) {                                         \
			turn(f);                                               \
			if (fixture_ms() > until_)                             \
				fail_msg("waited in vain for %s", #condition); \
		}                                                              \
	} while (0)

/* --- the application --- */

static inline void fixture_answer(struct http_exchange *x, int status, struct slice body)
{
	struct http_response response = { .status = status, .content_type = "text/plain", .body = body };
	http_respond(x, &response);
}

static inline void fixture_on_gone(struct http_pending *pending)
{
	struct kept *kept = (struct kept *)pending;
	assert_false(kept->gone);
	kept->gone = true;
	kept->fixture->gone++;
}

static inline void fixture_keep(struct fixture *f, struct http_exchange *x)
{
	struct kept *kept = &f->kept[f->kept_count++];
	assert_true(f->kept_count <= KEPT);
	*kept = (struct kept){ .fixture = f, .x = x, .pending.on_gone = fixture_on_gone };
	http_pending_add(x, &kept->pending);
}

static inline void fixture_on_chunk(struct http_exchange *x, struct slice chunk)
{
	struct fixture *f = http_state(x);
	f->chunks++;
	f->streamed += chunk.len;
	if (f->pause_each_chunk)
		http_pause(x);
	if (f->respond_in_chunk)
		fixture_answer(x, 422, SLICE("no"));
}

static inline void fixture_on_end(struct http_exchange *x)
{
	struct fixture *f = http_state(x);
	char *text = arena_printf(http_arena(x), "%zu", f->streamed);
	f->ended++;
	fixture_answer(x, 200, slice_of(text));
}

static inline void fixture_on_abort(struct http_exchange *x)
{
	struct fixture *f = http_state(x);
	f->aborted++;
	f->streaming = NULL;
}

static inline enum http_body fixture_on_headers(struct http_exchange *x, void *context)
{
	static const struct http_sink sink = { fixture_on_chunk, fixture_on_end, fixture_on_abort };
	struct fixture *f = context;
	f->headers++;
	http_set_state(x, f);
	if (slice_is(http_path(x), "/early")) {
		fixture_answer(x, 401, SLICE("who?"));
		return HTTP_BODY_NONE;
	}
	if (!slice_is(http_path(x), "/stream"))
		return HTTP_BODY_BUFFER;
	f->streaming = x;
	http_stream_to(x, &sink);
	return HTTP_BODY_STREAM;
}

static inline void fixture_on_request(struct http_exchange *x, void *context)
{
	struct fixture *f = context;
	struct slice path = http_path(x);
	f->requests++;
	if (slice_is(path, "/late") || slice_is(path, "/hold"))
		fixture_keep(f, x);
	if (slice_is(path, "/late"))
		return;
	if (slice_is(path, "/hold"))
		http_hold(x);
	else if (slice_is(path, "/echo"))
		fixture_answer(x, 200, http_body_bytes(x));
	else if (slice_is(path, "/big"))
		fixture_answer(x, 200, (struct slice){ f->big, BIG });
	else
		fixture_answer(x, 200, SLICE("now"));
}

static inline void fixture_on_finished(struct http_exchange *x, void *context)
{
	struct fixture *f = context;
	f->finished++;
	f->last_status = http_status(x);
}

static inline void fixture_write_refusal(int status, const char *reason, struct buffer *out)
{
	buffer_printf(out, "{\"status\":%d,\"code\":\"%s\"}", status, reason);
}

/* --- start and stop --- */

static inline void fixture_on_stopped(void *context)
{
	((struct fixture *)context)->stopped = true;
}

static inline void fixture_start_on(struct fixture *f, const struct http_limits *limits, const char *address)
{
	struct http_application app = { f, fixture_on_headers, fixture_on_request, fixture_on_finished,
					fixture_write_refusal };
	char why[200];
	memset(f, 0, sizeof(*f));
	f->limits = limits ? *limits : http_limits_default();
	f->big = calloc(1, BIG);
	f->metrics = metrics_new();
	uv_loop_init(&f->loop);
	f->server =
		http_server_start(&f->loop, address, false, &f->limits, &app, f->metrics, why, sizeof(why));
	assert_non_null(f->server);
}

static inline void fixture_start(struct fixture *f, const struct http_limits *limits)
{
	fixture_start_on(f, limits, "127.0.0.1:0");
}

/* Also checks that nothing is left behind: every exchange the application saw was finished. */
static inline void fixture_stop(struct fixture *f)
{
	if (!f->stopped)
		http_server_stop(f->server, 0, fixture_on_stopped, f);
	UNTIL(f, f->stopped);
	http_server_free(&f->server);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	assert_int_equal(f->finished, f->headers);
	metrics_free(&f->metrics);
	free(f->big);
}

/* --- clients --- */

static inline struct client client_open(struct fixture *f)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)http_server_port(f->server)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct client c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
	int on = 1;
	assert_int_equal(connect(c.fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return c;
}

static inline void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->in);
	*c = (struct client){ .fd = -1 };
}

/* Leaves with a reset. */
static inline void client_reset(struct client *c)
{
	struct linger linger = { 1, 0 };
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	client_close(c);
}

static inline void client_send_bytes(struct fixture *f, struct client *c, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(c->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return; /* the server has closed */
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
		if (len > 0)
			turn(f);
	}
}

static inline void client_send(struct fixture *f, struct client *c, const char *text)
{
	client_send_bytes(f, c, text, strlen(text));
}

static inline void client_read(struct client *c)
{
	for (;;) {
		if (c->room - c->len < 65536) {
			c->room = c->room ? c->room * 2 : 131072;
			c->in = realloc(c->in, c->room);
			assert_non_null(c->in);
		}
		ssize_t n = recv(c->fd, c->in + c->len, c->room - c->len, MSG_DONTWAIT);
		if (n > 0) {
			c->len += (size_t)n;
			continue;
		}
		c->eof |= n == 0;
		c->reset |= n < 0 && errno != EAGAIN;
		return;
	}
}

/* Takes one complete answer off what was read. */
static inline bool client_take(struct client *c, struct answer *answer, bool head_only)
{
	client_read(c);
	char *at = c->in + c->taken;
	char *end = c->len > c->taken ? memmem(at, c->len - c->taken, "\r\n\r\n", 4) : NULL;
	if (!end)
		return false;
	size_t head = (size_t)(end + 4 - at);
	assert_true(head < sizeof(answer->head));
	memcpy(answer->head, at, head);
	answer->head[head] = '\0';
	assert_memory_equal(answer->head, "HTTP/1.1 ", 9);
	answer->status = (int)strtol(answer->head + 9, NULL, 10);
	const char *length = strstr(answer->head, "\r\nContent-Length: ");
	answer->body.len = length && !head_only ? strtoul(length + 18, NULL, 10) : 0;
	answer->body.at = at + head;
	if (c->len - c->taken < head + answer->body.len)
		return false;
	c->taken += head + answer->body.len;
	return true;
}

static inline void client_answer(struct fixture *f, struct client *c, struct answer *answer)
{
	UNTIL(f, client_take(c, answer, false));
}

#define ASSERT_ANSWER(f, c, wanted_status, wanted_body)             \
	do {                                                        \
		struct answer answer_ = { 0 };                      \
		client_answer((f), (c), &answer_);                  \
		assert_int_equal(answer_.status, (wanted_status));  \
		assert_true(slice_is(answer_.body, (wanted_body))); \
	} while (0)

static inline bool client_at_end(struct client *c)
{
	client_read(c);
	return c->eof || c->reset;
}

/* The server has closed its half, without a reset and without another byte. */
static inline void client_closed_cleanly(struct fixture *f, struct client *c)
{
	UNTIL(f, client_at_end(c));
	assert_false(c->reset);
	assert_int_equal(c->len, c->taken);
}

#endif
