/* SPDX-License-Identifier: Apache-2.0
 * What the files of the HTTP server share. A connection's state is its membership in one of the server's
 * lists and changes through http_connection_move alone; an exchange belongs to its connection until it is
 * finished, and then lives on only while it is held. */
#ifndef SERVICE_HTTP_INTERNAL_H
#define SERVICE_HTTP_INTERNAL_H

#include "service/http.h"
#include "service/http_address.h"
#include "service/http_forwarded.h"
#include "service/http_reader.h"
#include <time.h>

enum http_connection_state {
	HTTP_CONNECTION_IDLE, /* between requests */
	HTTP_CONNECTION_HEAD, /* a request has begun */
	HTTP_CONNECTION_BODY,
	HTTP_CONNECTION_PAUSED,      /* the application wants no more of the body now */
	HTTP_CONNECTION_WAITING,     /* for the application's answer */
	HTTP_CONNECTION_HALF_CLOSED, /* the same, and the client sends no more */
	HTTP_CONNECTION_WRITING,
	HTTP_CONNECTION_LINGERING, /* our half is closed; what still comes is thrown away */
	HTTP_CONNECTION_CLOSED,    /* until libuv lets go of the handle */
	HTTP_CONNECTION_STATES
};

enum { HTTP_PEER_SLOTS_LOG2 = 10, HTTP_READ_BUFFER = 64 * 1024, HTTP_DATE_LENGTH = 29 };

struct http_connection {
	uv_tcp_t tcp;
	struct http_server *server;
	struct http_exchange *exchange; /* the request being read, handled or answered */
	enum http_connection_state state;
	struct http_connection *next, *previous; /* in the list of its state */
	uint64_t deadline;
	uint64_t window; /* bytes of the body that had come when the deadline was set */
	struct http_connection *next_due;
	bool due;     /* on the server's list of those to look at */
	bool running; /* its bytes are being read: what changes is seen there */
	bool reading, eof, broken;
	char *rest; /* read, but not yet taken: the requests behind the one being handled */
	size_t rest_at, rest_len, rest_room;
	size_t unsent; /* of its answer, when that was last looked at */
	uint64_t linger_until;
	char *head_copy; /* the head of an answer that was not taken in one go */
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct http_address address;
	bool trusted; /* a reverse proxy: believed who its client is, and not bounded in connections */
	struct http_peer *peer; /* the connections of its address; NULL: not counted */
	struct http_connection *peer_next, *peer_previous;
};

struct http_exchange {
	struct arena *arena;
	struct http_connection *connection; /* NULL once it is finished or the client is gone */
	struct http_server *server;
	struct http_reader reader;
	struct buffer body;
	uint64_t body_taken;
	struct http_sink sink;
	struct http_pending *pending;
	void *state;
	uint64_t started;
	unsigned holds;
	int status;
	size_t response_bytes;
	bool known;     /* to the application: on_headers was called */
	bool streaming; /* the sink is set */
	bool paused;
	bool ended;                /* the message was read to its end */
	bool delivered;            /* and the application was told so */
	bool responded;            /* an answer was given, by the application or by us */
	bool refused;              /* by us */
	bool sent;                 /* the answer is in the kernel's hands */
	bool close;                /* the connection after it */
	bool secure;               /* a trusted proxy says that its client spoke TLS */
	enum http_refusal refusal; /* why, when refused */
	struct http_address client;
};

/* A flood of refusals is told in sums: see http_refused.c. */
struct http_refusal_log {
	uint64_t second; /* when it began, in the loop's ms */
	unsigned lines[HTTP_REFUSALS], untold[HTTP_REFUSALS];
};

struct http_list {
	struct http_connection *first, *last;
};

struct http_server {
	uv_loop_t *loop;
	struct http_limits limits;
	struct http_guard_limits guard_limits;
	struct http_application app;
	int listen_fd, port;
	uv_poll_t listener;
	uv_timer_t timer; /* the only one; see http_deadline.c */
	uv_idle_t idle;   /* idle and check run what is due, see http_due.c */
	uv_check_t check;
	unsigned open_handles;
	struct http_list lists[HTTP_CONNECTION_STATES];
	unsigned duration[HTTP_CONNECTION_STATES]; /* in ms; 0: no deadline */
	uint64_t timer_at, accept_at, stop_at, last_call_at,
		tell_at; /* in the loop's ms; UINT64_MAX: not set */
	struct http_connection *due, **due_end;
	size_t connections, closing; /* all that are not freed; those among them that are closed */
	bool stopping, told_stopped;
	void (*on_stopped)(void *context);
	void *stopped_context;
	struct metric *open_gauge, *accepted, *bytes_in, *bytes_out;
	struct metric *refused[HTTP_REFUSALS];
	struct http_refusal_log refusal_log;
	struct http_networks trusted;
	enum http_forwarded_by forwarded_by;
	struct http_peer *peers[1 << HTTP_PEER_SLOTS_LOG2];
	uint64_t peer_seed;
	int spare_fd; /* given up for a moment to tell a client that there is no other; -1: there is none */
	char *head;   /* where the head of an answer is put together */
	size_t head_room;
	time_t date_second;
	char date[64];
	char hsts[80]; /* a whole line, or empty */
	char read_buffer[HTTP_READ_BUFFER];
};

/* http_connection.c: one client. */
void http_connection_open(struct http_server *server, int fd, const struct http_address *address);
void http_connection_move(struct http_connection *c, enum http_connection_state state);
void http_connection_close(struct http_connection *c);
/* The client cannot be answered any more: tells the application, closes. */
void http_connection_gone(struct http_connection *c);
/* The same without a farewell: what the kernel still holds for it is dropped. */
void http_connection_cut(struct http_connection *c);
/* Looks at what has changed: an answer sent, a resumed body, bytes that waited. Not from application code. */
void http_connection_continue(struct http_connection *c);
/* Its deadline has passed. */
void http_connection_expired(struct http_connection *c);

/* http_input.c: reading, and keeping what cannot be taken yet. */
/* Takes on what waits in c->rest, and starts or stops reading as the state asks. */
void http_input_continue(struct http_connection *c);

/* http_request.c: bytes become requests, requests go to the application. */
/* Whether bytes can be taken now. */
bool http_request_wanted(const struct http_connection *c);
/* Answers how many bytes were taken: all, or up to where the application has something to do first. */
size_t http_request_take(struct http_connection *c, const char *bytes, size_t len);
/* Tells the application of the end of a body, which waited for http_resume. */
void http_request_end(struct http_connection *c);
void http_request_refuse(struct http_connection *c, enum http_refusal refusal);

/* http_exchange.c: one request and its answer. */
struct http_exchange *http_exchange_new(struct http_connection *c);
/* No more to come: forgets what is pending, tells the application, frees unless it is held. */
void http_exchange_finish(struct http_exchange *x);
/* Calls on_abort and on_gone as far as they apply. */
void http_exchange_abort(struct http_exchange *x);

/* http_answer.c */
void http_answer_send(struct http_exchange *x, const struct http_response *response);
void http_answer_continue(struct http_exchange *x); /* 100 Continue */
size_t http_answer_unsent(const struct http_connection *c);

/* http_due.c: connections to look at once the application's code has returned. */
void http_due_start(struct http_server *server);
void http_due_add(struct http_connection *c);
void http_due_remove(struct http_connection *c);

/* http_deadline.c: ordered lists by state, one timer. */
void http_deadline_start(struct http_server *server);
void http_deadline_arm(struct http_server *server, uint64_t at);

/* http_peers.c */
/* False without memory: the connection is then not counted. */
bool http_peers_join(struct http_connection *c);
void http_peers_leave(struct http_connection *c);
/* True when the address has less than `most` connections, or one of its own was closed for the new one. */
bool http_peers_make_room(struct http_server *server, const struct http_address *address, size_t most);
/* Closes whoever is missed least; false when all are being worked for. */
bool http_server_make_room(struct http_server *server);

/* http_refused.c: every refusal is counted, and told in a log line. */
void http_refused_start(struct http_server *server, struct metrics *metrics);
void http_server_refused(struct http_server *server, enum http_refusal refusal);
/* Counts only: the application tells of it in its line about the request. */
void http_server_refused_known(struct http_server *server, enum http_refusal refusal);
/* Tells of what was counted and not told. */
void http_refused_tell(struct http_server *server);

/* http_accept.c */
int http_listen(const char *address, bool reuse_port, int *port, char *why, size_t why_size);
void http_accept_start(struct http_server *server);
void http_accept_resume(struct http_server *server);
void http_accept_stop(struct http_server *server);
int http_spare_fd(void); /* -1: there is none */

/* http_server.c */
void http_server_connection_closed(struct http_server *server);
void http_server_handle_closed(struct http_server *server);
void http_server_cut(struct http_server *server);
void http_server_last_call(struct http_server *server);
const char *http_server_date(struct http_server *server);

#endif
