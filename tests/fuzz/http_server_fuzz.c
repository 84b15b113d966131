/* SPDX-License-Identifier: Apache-2.0
 * The HTTP server itself, from the socket to the application and back. The first two bytes say where the rest
 * is split, and how the client ends: after its answers, with its last byte, or by going away. Read whole and
 * in pieces it must come to the same: the same requests with the same bodies, and, but for the date
 * and the reason of a refusal, the same bytes of answers. Checked besides: no more requests reach the
 * application than the guard alone takes from these bytes, each gets one well-formed answer at most, and none
 * follows a refusal. */
#include "service/http_internal.h"
#include "service/invariant.h"
#include "service/log.h"
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PIECES = 16, TURNS = 100000, SEEN = 512 * 1024 };
enum ending { AFTER_ANSWERS, WITH_LAST_BYTE, GONE };

/* What came of one reading. */
struct outcome {
	unsigned heads, requests, answers, messages;
	bool refused;
	size_t refusal; /* where its answer begins */
	uint64_t told;  /* hash of what the application was told of complete requests */
	size_t len;
	char bytes[SEEN]; /* of answers */
};

struct acted {
	uv_loop_t loop;
	struct http_server *server;
	struct metrics *metrics;
	struct outcome *outcome;
	struct http_exchange *waiting; /* answered or resumed on the next turn */
	uint64_t body;                 /* hash of the streamed body so far */
};

static uint64_t hash(uint64_t sum, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		sum = (sum ^ (unsigned char)bytes.at[i]) * UINT64_C(0x100000001b3);
	return (sum ^ bytes.len) * UINT64_C(0x100000001b3);
}

/* --- the application: the first letter of the path says how it behaves --- */

static char manner(const struct http_exchange *x)
{
	struct slice path = http_path(x);
	return path.len > 1 ? path.at[1] : ' ';
}

static void answer(struct http_exchange *x)
{
	static const struct http_response plain = { .status = 200,
						    .content_type = "text/plain",
						    .body = { "ok", 2 } };
	static const struct http_response last = { .status = 204, .close = true };
	http_respond(x, manner(x) == 'c' ? &last : &plain);
}

static void tell(struct acted *act, struct http_exchange *x, uint64_t body)
{
	uint64_t sum = act->outcome->told;
	sum = hash(sum, http_path(x));
	sum = hash(sum, http_query(x));
	sum = hash(sum, http_header(x, "host"));
	sum = hash(sum, http_header(x, "a"));
	act->outcome->told = (sum ^ body ^ (uint64_t)http_method(x)) * UINT64_C(0x100000001b3);
	act->outcome->requests++;
}

static void on_request(struct http_exchange *x, void *context)
{
	struct acted *act = context;
	tell(act, x, hash(0, http_body_bytes(x)));
	if (manner(x) == 'l')
		act->waiting = x;
	else
		answer(x);
}

static void on_chunk(struct http_exchange *x, struct slice chunk)
{
	struct acted *act = http_state(x);
	for (size_t i = 0; i < chunk.len; i++)
		act->body = (act->body ^ (unsigned char)chunk.at[i]) * UINT64_C(0x100000001b3);
	if (manner(x) == 'p') {
		http_pause(x);
		act->waiting = x;
	}
}

static void on_end(struct http_exchange *x)
{
	struct acted *act = http_state(x);
	tell(act, x, act->body);
	answer(x);
}

static void on_abort(struct http_exchange *x)
{
	struct acted *act = http_state(x);
	INVARIANT(http_gone(x));
	act->waiting = NULL;
}

static enum http_body on_headers(struct http_exchange *x, void *context)
{
	static const struct http_sink sink = { on_chunk, on_end, on_abort };
	struct acted *act = context;
	uint64_t length;
	act->outcome->heads++;
	act->body = 0;
	http_set_state(x, act);
	INVARIANT(!http_content_length(x, &length) || http_body_expected(x) == (length > 0));
	if (manner(x) == 'n') {
		answer(x);
		return HTTP_BODY_NONE;
	}
	if (manner(x) != 's' && manner(x) != 'p')
		return HTTP_BODY_BUFFER;
	http_stream_to(x, &sink);
	return HTTP_BODY_STREAM;
}

static void on_finished(struct http_exchange *x, void *context)
{
	struct acted *act = context;
	if (act->waiting == x)
		act->waiting = NULL;
}

static void write_refusal(int status, const char *reason, struct buffer *out)
{
	buffer_printf(out, "{\"status\":%d,\"code\":\"%s\"}", status, reason);
}

static struct acted *act_once(void)
{
	static struct acted act;
	char why[200];
	if (act.server)
		return &act;
	struct http_application app = { &act, on_headers, on_request, on_finished, write_refusal };
	struct http_limits limits = http_limits_default();
	limits.header_bytes = 1024;
	limits.headers = 12;
	limits.body_bytes = 600;
	limits.stream_bytes = 900;
	limits.trusted_proxies = "::, 127.0.0.0/8";
	log_set_level(LOG_ERROR);
	uv_loop_init(&act.loop);
	act.metrics = metrics_new();
	act.server = http_server_start(&act.loop, "127.0.0.1:0", false, &limits, &app, act.metrics, why,
				       sizeof why);
	INVARIANT(act.server != NULL);
	return &act;
}

/* --- the client --- */

static void collect(int client, struct outcome *out)
{
	ssize_t n;
	while ((n = recv(client, out->bytes + out->len, sizeof out->bytes - 1 - out->len, MSG_DONTWAIT)) > 0)
		out->len += (size_t)n;
	out->bytes[out->len] = '\0';
}

/* What the application put off happens now. */
static void next_turn(struct acted *act)
{
	struct http_exchange *x = act->waiting;
	act->waiting = NULL;
	if (x && manner(x) == 'p')
		http_resume(x);
	else if (x)
		answer(x);
	uv_run(&act->loop, UV_RUN_NOWAIT);
}

/* Until the server has done all it can with what it was given, or with `closed`, has let go of the client. */
static void settle(struct acted *act, int server_end, bool closed)
{
	for (int turn = 0, unread = 0;; turn++) {
		INVARIANT(turn < TURNS);
		next_turn(act);
		if (act->server->connections == 0)
			return;
		if (closed || act->waiting || act->server->due)
			continue;
		if (ioctl(server_end, FIONREAD, &unread) != 0 || unread == 0)
			return;
	}
}

static void send_pieces(struct acted *act, const int ends[2], struct slice bytes, unsigned seed,
			unsigned pieces, enum ending ending)
{
	for (unsigned i = 0; bytes.len > 0 && act->server->connections > 0; i++) {
		seed = seed * 1103515245U + 12345U;
		size_t n = i + 1 < pieces ? 1 + (seed >> 16) % (2 * bytes.len / (pieces - i) + 1) : bytes.len;
		n = n < bytes.len ? n : bytes.len;
		if (send(ends[1], bytes.at, n, MSG_NOSIGNAL) != (ssize_t)n)
			return;
		bytes = (struct slice){ bytes.at + n, bytes.len - n };
		if (bytes.len > 0 || ending == AFTER_ANSWERS)
			settle(act, ends[0], false);
		if (ending != GONE)
			collect(ends[1], act->outcome);
	}
}

static void read_pieces(struct slice bytes, unsigned seed, unsigned pieces, enum ending ending,
			struct outcome *out)
{
	static const struct http_address proxy = {
		{ 0 }
	}; /* trusted, so that what it forwards is read too */
	struct acted *act = act_once();
	int ends[2];
	memset(out, 0, offsetof(struct outcome, bytes));
	act->outcome = out;
	INVARIANT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
	uv_update_time(&act->loop);
	http_connection_open(act->server, ends[0], &proxy);
	send_pieces(act, ends, bytes, seed, pieces, ending);
	if (ending == GONE)
		close(ends[1]);
	else
		shutdown(ends[1], SHUT_WR);
	settle(act, ends[0], true);
	if (ending != GONE) {
		collect(ends[1], out);
		close(ends[1]);
	}
	INVARIANT(!act->waiting && !act->server->due);
}

/* --- what must hold --- */

/* One answer: its status line, its fields, and its body or (for HEAD) none. Blanks the date. */
static char *check_answer(struct outcome *out, char *at)
{
	int status = atoi(at + 9);
	char *end = strstr(at, "\r\n\r\n"), *date = strstr(at, "\r\nDate: "), *length;
	INVARIANT(end && memcmp(at + 12, " ", 1) == 0);
	end += 4;
	if (status == 100)
		return end;
	INVARIANT(date && date < end && date[8 + HTTP_DATE_LENGTH] == '\r');
	memset(date + 8, ' ', HTTP_DATE_LENGTH);
	INVARIANT(!out->refused);
	out->answers++;
	out->refused = status >= 400;
	out->refusal = (size_t)(at - out->bytes);
	length = strstr(at, "\r\nContent-Length: ");
	INVARIANT(status == 204 || (length && length < end));
	size_t body = status == 204 ? 0 : (size_t)atoi(length + 18);
	size_t left = (size_t)(out->bytes + out->len - end);
	return left >= body && strncmp(end, "HTTP/1.1 ", 9) != 0 ? end + body : end;
}

static void check_answers(struct outcome *out)
{
	char *at = out->bytes;
	while (at < out->bytes + out->len) {
		INVARIANT(strncmp(at, "HTTP/1.1 ", 9) == 0);
		at = check_answer(out, at);
	}
	INVARIANT(at == out->bytes + out->len);
	INVARIANT(out->requests <= out->heads && out->answers <= out->heads + 1);
}

/* Where guard and llhttp both have something against the same line, who sees it first depends on where it is
 * split, and so does the reason that is given; what came before does not. */
static bool same_answers(const struct outcome *a, const struct outcome *b)
{
	if (a->refused != b->refused)
		return false;
	size_t len = a->refused ? a->refusal : a->len, other = b->refused ? b->refusal : b->len;
	return len == other && memcmp(a->bytes, b->bytes, len) == 0;
}

/* How many messages, and how many heads, the guard alone takes. */
static void count_alone(struct slice bytes, unsigned *heads, unsigned *messages)
{
	struct http_guard guard;
	struct http_guard_step step;
	*heads = *messages = 0;
	http_guard_init(&guard, &act_once()->server->guard_limits);
	for (size_t at = 0; at < bytes.len; at += step.used) {
		enum http_guard_event event = http_guard_read(&guard, bytes.at + at, bytes.len - at, &step);
		if (event == HTTP_GUARD_REFUSED)
			return;
		*heads += event == HTTP_GUARD_HEAD;
		if (!http_guard_ended(&guard))
			continue;
		++*messages;
		http_guard_init(&guard, guard.limits);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, split;
	unsigned heads, messages;
	if (size < 3)
		return 0;
	struct slice bytes = { (const char *)data + 2, size - 2 };
	enum ending ending = data[1] < 0x80 ? AFTER_ANSWERS : data[1] < 0xC0 ? WITH_LAST_BYTE : GONE;
	read_pieces(bytes, 0, 1, ending, &whole);
	read_pieces(bytes, data[0] | (unsigned)data[1] << 8, 2 + data[0] % (PIECES - 1), ending, &split);
	count_alone(bytes, &heads, &messages);
	INVARIANT(whole.requests <= messages && whole.heads <= heads);
	INVARIANT(split.requests <= messages && split.heads <= heads);
	if (ending == GONE)
		return 0;
	check_answers(&whole);
	check_answers(&split);
	INVARIANT(whole.requests == split.requests && whole.told == split.told);
	/* Which answers say that the connection closes depends on when the end is seen. */
	INVARIANT(ending == WITH_LAST_BYTE || same_answers(&whole, &split));
	return 0;
}

/* --- a mutator that knows what a request is --- */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

static const char *pick(unsigned *seed, const char *const *of, size_t count)
{
	*seed = *seed * 1103515245U + 12345U;
	return of[(*seed >> 16) % count];
}
#define PICK(seed, ...)                                  \
	pick(seed, (const char *const[]){ __VA_ARGS__ }, \
	     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static size_t make_request(char *out, size_t room, unsigned seed)
{
	const char *method = PICK(&seed, "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW");
	const char *target =
		PICK(&seed, "/", "/l", "/n", "/s", "/p?a=b", "/c", "*", "http://h:1/l?x", "http://u@h");
	const char *version = PICK(&seed, "1.1", "1.1", "1.1", "1.0", "1.2", "2.0");
	const char *host =
		PICK(&seed, "Host: h\r\n", "Host: h\r\n", "host:\t[::1]:80 \r\n", "Host: a b\r\n", "");
	const char *extra = PICK(&seed, "", "", "A: b\r\n", "A:\r\n", "Expect: 100-continue\r\n",
				 "Expect: 1\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n");
	const char *framing = PICK(
		&seed, "\r\n", "Content-Length: 5\r\n\r\nhello", "Content-Length: 0\r\n\r\n",
		"Content-Length: 900\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n1;a=\"b\\\"\";c\r\nx\r\n00\r\nA: b\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n3e9\r\n",
		"Transfer-Encoding: chunked\r\n\r\n0\r\nHost: h\r\n\r\n");
	int n = snprintf(out, room, "%s %s HTTP/%s\r\n%s%s%s", method, target, version, host, extra, framing);
	return (size_t)n < room ? (size_t)n : 0;
}

/* Half the time what libFuzzer does by itself; else a request is put in at a line's end, or at the end. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	char request[512];
	size_t at = size, len = make_request(request, sizeof request, seed);
	if (seed % 2 == 0 || len == 0 || size < 2 || size + len > room)
		return LLVMFuzzerMutate(data, size, room);
	if (seed % 4 == 1)
		for (at = 2 + (seed >> 8) % (size - 1); at < size && data[at - 1] != '\n';)
			at++;
	memmove(data + at + len, data + at, size - at);
	memcpy(data + at, request, len);
	return size + len;
}
