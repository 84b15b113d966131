/* SPDX-License-Identifier: Apache-2.0
 * Writes an answer: the head put together by copying, head and body in one write.
 * Invariant: one answer an exchange, one write at a time on a connection; a body is announced by its length
 * and sent but for HEAD, 204 and 304. */
#include "service/http_internal.h"
#include "service/http_status.h"
#include "service/invariant.h"
#include <linux/sockios.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>

static const char fixed_fields[] = "X-Content-Type-Options: nosniff\r\n"
				   "Referrer-Policy: no-referrer\r\n"
				   "Cross-Origin-Opener-Policy: same-origin\r\n"
				   "Cross-Origin-Resource-Policy: same-origin\r\n";
/* What is no page of its own: a browser that shows it shall load, run, frame and send nothing. */
static const char no_content[] = "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; "
				 "base-uri 'none'; form-action 'none'\r\n";
static const char no_store[] = "Cache-Control: no-store\r\n";
static const char continue_line[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* More than everything in a head but the content type and the extra fields. */
enum { HEAD_ROOM = 768 };

static bool sets(const char *lines, const char *name)
{
	size_t len = strlen(name);
	while (lines && *lines) {
		if (strncasecmp(lines, name, len) == 0 && lines[len] == ':')
			return true;
		lines = strchr(lines, '\n');
		lines = lines ? lines + 1 : NULL;
	}
	return false;
}

static void write_status(struct buffer *head, int status)
{
	buffer_slice(head, SLICE("HTTP/1.1 "));
	buffer_i64(head, status);
	buffer_char(head, ' ');
	buffer_text(head, http_status_phrase(status));
	buffer_slice(head, SLICE("\r\n"));
}

static bool has_body(int status)
{
	return status != 204 && status != 304;
}

static void write_connection(struct buffer *head, const struct http_exchange *x)
{
	if (x->close)
		buffer_slice(head, SLICE("Connection: close\r\n"));
	else if (x->reader.old_version)
		buffer_slice(head, SLICE("Connection: keep-alive\r\n"));
}

static void write_head(struct buffer *head, const struct http_exchange *x,
		       const struct http_response *response)
{
	write_status(head, response->status);
	buffer_slice(head, SLICE("Date: "));
	buffer_add(head, http_server_date(x->server), HTTP_DATE_LENGTH);
	buffer_slice(head, SLICE("\r\n"));
	if (response->content_type) {
		buffer_slice(head, SLICE("Content-Type: "));
		buffer_text(head, response->content_type);
		buffer_slice(head, SLICE("\r\n"));
	}
	if (has_body(response->status)) {
		buffer_slice(head, SLICE("Content-Length: "));
		buffer_i64(head, (int64_t)response->body.len);
		buffer_slice(head, SLICE("\r\n"));
	}
	write_connection(head, x);
	buffer_add(head, fixed_fields, sizeof(fixed_fields) - 1);
	if (x->secure)
		buffer_text(head, x->server->hsts);
	if (!sets(response->extra_headers, "cache-control"))
		buffer_add(head, no_store, sizeof(no_store) - 1);
	if (!sets(response->extra_headers, "content-security-policy"))
		buffer_add(head, no_content, sizeof(no_content) - 1);
	if (response->extra_headers)
		buffer_text(head, response->extra_headers);
	buffer_slice(head, SLICE("\r\n"));
}

/* In the server's own memory, which the next answer uses again. */
static struct slice make_head(const struct http_exchange *x, const struct http_response *response)
{
	struct http_server *server = x->server;
	size_t need = HEAD_ROOM;
	need += response->content_type ? strlen(response->content_type) : 0;
	need += response->extra_headers ? strlen(response->extra_headers) : 0;
	if (need > server->head_room) {
		char *head = realloc(server->head, need);
		if (!head)
			return (struct slice){ NULL, 0 };
		server->head = head;
		server->head_room = need;
	}
	struct buffer head = { .at = server->head, .room = server->head_room };
	write_head(&head, x, response);
	INVARIANT(!head.failed);
	return buffer_taken(&head);
}

static void on_written(uv_write_t *write, int status)
{
	struct http_connection *c = write->data;
	if (c->state == HTTP_CONNECTION_CLOSED)
		return;
	if (status < 0) {
		http_connection_gone(c);
		return;
	}
	c->exchange->sent = true;
	http_connection_continue(c);
}

/* The kernel's own queue counts too: it is deep, and asks for more only when much of it has gone. */
size_t http_answer_unsent(const struct http_connection *c)
{
	uv_os_fd_t fd;
	int in_kernel = 0;
	if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 || ioctl(fd, SIOCOUTQ, &in_kernel) != 0)
		in_kernel = 0;
	return uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) + (size_t)in_kernel;
}

/* What the kernel did not take at once: the head is copied, the body stays in the exchange's memory. */
static bool queue(struct http_connection *c, struct slice head, struct slice body, size_t taken)
{
	uv_buf_t bufs[2];
	unsigned count = 0;
	if (taken < head.len) {
		size_t len = head.len - taken;
		c->head_copy = malloc(len);
		if (!c->head_copy)
			return false;
		memcpy(c->head_copy, head.at + taken, len);
		bufs[count++] = uv_buf_init(c->head_copy, (unsigned)len);
		taken = 0;
	} else {
		taken -= head.len;
	}
	if (taken < body.len)
		bufs[count++] =
			uv_buf_init((char *)(uintptr_t)(body.at + taken), (unsigned)(body.len - taken));
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, bufs, count, on_written) != 0)
		return false;
	c->unsent = http_answer_unsent(c);
	return true;
}

static void send_both(struct http_connection *c, struct slice head, struct slice body)
{
	uv_buf_t bufs[2] = { uv_buf_init((char *)(uintptr_t)head.at, (unsigned)head.len),
			     uv_buf_init((char *)(uintptr_t)body.at, (unsigned)body.len) };
	int taken = uv_try_write((uv_stream_t *)&c->tcp, bufs, body.len > 0 ? 2 : 1);
	if (taken == UV_EAGAIN)
		taken = 0;
	if (taken >= 0 && (size_t)taken == head.len + body.len)
		c->exchange->sent = true;
	else if (taken < 0 || !queue(c, head, body, (size_t)taken))
		c->broken = true;
	http_due_add(c);
}

/* Kept open only when both sides want it and the whole request was read. */
static bool must_close(const struct http_exchange *x, const struct http_response *response)
{
	const struct http_connection *c = x->connection;
	return response->close || x->refused || !x->ended || !x->reader.keep_alive || x->server->stopping ||
	       (c->eof && c->rest_len == 0);
}

void http_answer_send(struct http_exchange *x, const struct http_response *response)
{
	struct http_connection *c = x->connection;
	bool send_body = has_body(response->status) && x->reader.method != HTTP_METHOD_HEAD;
	x->responded = true;
	x->status = response->status;
	x->close = must_close(x, response);
	while (x->pending)
		http_pending_done(x->pending);
	http_connection_move(c, HTTP_CONNECTION_WRITING);
	struct slice head = make_head(x, response);
	struct slice body = send_body ? response->body : (struct slice){ NULL, 0 };
	if (!head.at || body.len > INT32_MAX) {
		c->broken = true;
		http_due_add(c);
		return;
	}
	x->response_bytes = head.len + body.len;
	metric_add(x->server->bytes_out, (double)x->response_bytes);
	send_both(c, head, body);
}

void http_answer_continue(struct http_exchange *x)
{
	struct http_connection *c = x->connection;
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)continue_line, sizeof(continue_line) - 1);
	int taken = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
	/* A client that is not told goes on by itself after a while; half a line would spoil the answer. */
	if (taken != UV_EAGAIN && taken != (int)buf.len)
		c->broken = true;
}
