/* SPDX-License-Identifier: Apache-2.0
 * HTTP/1.1 on a libuv loop. One struct http_exchange is one request and its one answer. It lives in its
 * connection's hands from the first byte of the request until the answer is written or the client is gone.
 * Requests of one connection are handled one after the other, in order (pipelining waits its turn). */
#ifndef SERVICE_HTTP_H
#define SERVICE_HTTP_H

#include "service/arena.h"
#include "service/buffer.h"
#include "service/http_address.h"
#include "service/metrics.h"
#include <uv.h>

enum http_method {
	HTTP_METHOD_GET,
	HTTP_METHOD_HEAD, /* handled as GET; the connection drops the body */
	HTTP_METHOD_POST,
	HTTP_METHOD_PUT,
	HTTP_METHOD_PATCH,
	HTTP_METHOD_DELETE,
	HTTP_METHOD_OPTIONS,
	HTTP_METHOD_OTHER
};

struct http_exchange;
struct http_server;

/* What the application wants with the body, said when the header block is complete. */
enum http_body {
	HTTP_BODY_BUFFER, /* collect it, at most the limit, then call on_request */
	HTTP_BODY_STREAM, /* hand over each piece: http_stream_to was called */
	HTTP_BODY_NONE    /* already answered (http_respond was called): read no further */
};

struct http_application {
	void *context;
	/* Header block complete. May answer at once (and return HTTP_BODY_NONE), may call http_stream_to. */
	enum http_body (*on_headers)(struct http_exchange *x, void *context);
	/* Request complete; answer now or later, once. */
	void (*on_request)(struct http_exchange *x, void *context);
	/* The answer is on its way, or the client is gone (status 0): for logs and metrics. x is still whole.
	 */
	void (*on_finished)(struct http_exchange *x, void *context);
	/* A request that was refused before it had an exchange a client could see (bad syntax, too long, too
	 * slow): the body of the answer for `status`. May be NULL. */
	void (*write_refusal)(int status, const char *reason, struct buffer *out);
};

struct http_limits {
	size_t header_bytes;           /* request line and header block together: 16 KiB */
	size_t headers;                /* how many header lines: 100 */
	size_t body_bytes;             /* of a buffered body: 1 MiB */
	size_t stream_bytes;           /* of a streamed body: 64 MiB */
	size_t arena_bytes;            /* of one request's arena: 8 MiB */
	size_t connections;            /* open at once: 12,000; for one more an idle or slow one is closed */
	size_t connections_of_address; /* of one IPv4 address or IPv6 /64 that is no trusted proxy: 1,000 */
	unsigned idle_ms;              /* keep-alive without a request: 60 s */
	unsigned header_ms;            /* first byte to end of header block: 10 s */
	unsigned body_ms;              /* in this time a body has to come on at the slowest rate: 20 s */
	unsigned write_ms;             /* and an answer has to be taken at it: 20 s */
	unsigned slowest_rate;         /* bytes a second: 500 */
	unsigned
		half_close_ms; /* the client closed its half and waits for the answer: 1 s, then it is gone */
	unsigned linger_ms;    /* after the last answer, for the client to read it and close: 1 s */
	/* Reverse proxies ("127.0.0.1 10.0.0.0/8"): what they say of their client is believed. "": nobody is
	 */
	const char *trusted_proxies;
	bool forwarded;        /* they say it in Forwarded; else in X-Forwarded-For and -Proto */
	unsigned hsts_seconds; /* of Strict-Transport-Security, sent when the client spoke TLS; 0: never */
};
struct http_limits http_limits_default(void);

/* --- the request; slices are valid until the exchange ends --- */
enum http_method http_method(const struct http_exchange *x);
struct slice http_path(const struct http_exchange *x);  /* raw: before '?', not percent-decoded */
struct slice http_query(const struct http_exchange *x); /* raw: after '?', without it */
/* The first of that name; .at NULL: absent. "host" is the target's authority when the target has one. */
struct slice http_header(const struct http_exchange *x, const char *lower_case_name);
struct slice http_body_bytes(const struct http_exchange *x);
/* The client's numeric address, as a trusted proxy tells it or as we see it; in the arena. */
struct slice http_peer(const struct http_exchange *x);
struct http_address http_client_prefix(const struct http_exchange *x); /* what limits are kept by */
bool http_secure(const struct http_exchange *x);           /* the client spoke TLS, to a trusted proxy */
bool http_expects_continue(const struct http_exchange *x); /* it waits for 100 before it sends the body */
/* Why the server itself refused it after on_headers, in the middle of its body; NULL: it did not. */
const char *http_refused(const struct http_exchange *x);
struct arena *http_arena(struct http_exchange *x);
uint64_t http_started(const struct http_exchange *x);   /* uv_hrtime of its first byte */
bool http_body_expected(const struct http_exchange *x); /* Content-Length > 0 or chunked */
/* Whether the client sent Content-Length, and how much. */
bool http_content_length(const struct http_exchange *x, uint64_t *length);
/* A place for the application's own per-request state (from the arena). */
void http_set_state(struct http_exchange *x, void *state);
void *http_state(const struct http_exchange *x);

/* --- a streamed body (call from on_headers) ---
 * None of these is called while paused, nor after http_respond, nor from inside http_resume. */
struct http_sink {
	void (*on_chunk)(struct http_exchange *x,
			 struct slice chunk); /* the chunk is valid only during the call */
	/* The whole body came; answer now or later. (on_request is not called.) */
	void (*on_end)(struct http_exchange *x);
	/* Too long, too slow, or the client is gone: let go of what is half done. An answer is made by the
	 * server. */
	void (*on_abort)(struct http_exchange *x);
};
void http_stream_to(struct http_exchange *x, const struct http_sink *sink);
/* Back-pressure: stop reading from / read again from this client. */
void http_pause(struct http_exchange *x);
void http_resume(struct http_exchange *x);

/* --- the answer --- */
struct http_response {
	int status;
	const char *content_type;  /* NULL: none */
	const char *extra_headers; /* whole lines each ending in "\r\n", or NULL; arena or static memory */
	struct slice body;         /* arena or static memory, valid until the exchange ends */
	bool close;                /* close the connection after it */
};
/* Exactly once an exchange; dropped when http_gone. Nothing is called back from inside it, and x stays whole
 * until the caller has returned to the loop. Adds Date, Content-Length, Connection and the fixed security
 * headers (Cache-Control: no-store and the strictest Content-Security-Policy unless extra_headers has one).
 * If the body of the request was not read to its end, the connection closes after the answer. */
void http_respond(struct http_exchange *x, const struct http_response *response);
bool http_responded(const struct http_exchange *x);
/* Nobody waits for an answer any more (the client left, or was refused): http_respond would do nothing. */
bool http_gone(const struct http_exchange *x);
int http_status(const struct http_exchange *x); /* 0 before the answer and for a client that left */
size_t http_response_bytes(const struct http_exchange *x);

/* --- whatever is pending for a request ends with it ---
 * While linked, `on_gone` is called once when the client leaves before the answer, or is refused in the
 * middle of its body. It must not answer. A client that only closed its half gets half_close_ms for its
 * answer. Adding to an exchange that is gone or answered links nothing. An answer unlinks without a call.
 * After http_pending_done nothing is called. The struct is the caller's (usually in the arena). */
struct http_pending {
	void (*on_gone)(struct http_pending *pending);
	struct http_pending *next, **link;
};
void http_pending_add(struct http_exchange *x, struct http_pending *pending);
void http_pending_done(struct http_pending *pending);

/* The thread pool may still use the arena when the client leaves: hold keeps arena and exchange alive
 * (answers are then dropped silently) until release. Counted. */
void http_hold(struct http_exchange *x);
void http_release(struct http_exchange *x);

/* --- the server --- */
/* address "127.0.0.1:8080" or "[::1]:8080"; port 0 lets the kernel choose. reuse_port sets SO_REUSEPORT.
 * NULL and a one-line reason in `why` when it cannot listen. Ignores SIGPIPE for the whole process. */
struct http_server *http_server_start(uv_loop_t *loop, const char *address, bool reuse_port,
				      const struct http_limits *limits, const struct http_application *app,
				      struct metrics *metrics, char *why, size_t why_size);
int http_server_port(const struct http_server *server);
/* No new connections; idle ones close; requests already begun are answered with Connection: close; then
 * on_stopped. After grace_ms the rest is cut. */
void http_server_stop(struct http_server *server, unsigned grace_ms, void (*on_stopped)(void *context),
		      void *context);
/* After on_stopped only. */
void http_server_free(struct http_server **server);

#endif
