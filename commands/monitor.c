/* SPDX-License-Identifier: Apache-2.0
 * See monitor.h. */
#include "commands/monitor.h"
#include "service/http.h"
#include "service/log.h"
#include "service/process_metrics.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONNECTIONS = 64, BODY_BYTES = 1024, GRACE_MS = 1000 };

struct monitor {
	const struct db *db;
	struct metrics *metrics;
	struct metrics *own; /* of this listener: not to be mistaken for those of the server */
	struct http_application application;
	struct http_server *server;
	bool stopping;
};

static void answer(struct http_exchange *x, int status, const char *type, struct slice body)
{
	struct http_response response = { .status = status, .content_type = type, .body = body };
	http_respond(x, &response);
}

static void answer_metrics(struct http_exchange *x, const struct monitor *m)
{
	struct buffer out;
	buffer_init(&out, http_arena(x), 65536);
	process_metrics_write(m->metrics, !m->stopping && db_is_up(m->db), &out);
	if (out.failed)
		answer(x, 500, "text/plain", SLICE("too long\n"));
	else
		answer(x, 200, METRICS_MEDIA, buffer_taken(&out));
}

static void on_request(struct http_exchange *x, void *context)
{
	const struct monitor *m = context;
	enum http_method method = http_method(x);
	struct slice path = http_path(x);
	bool ready = !m->stopping && db_is_up(m->db);
	if (method != HTTP_METHOD_GET && method != HTTP_METHOD_HEAD)
		answer(x, 405, "text/plain", SLICE("GET only\n"));
	else if (slice_is(path, "/metrics"))
		answer_metrics(x, m);
	else if (slice_is(path, "/healthz"))
		answer(x, 200, "application/json", SLICE("{\"status\":\"alive\"}"));
	else if (slice_is(path, "/readyz"))
		answer(x, ready ? 200 : 503, "application/json",
		       ready ? SLICE("{\"status\":\"ready\"}") : SLICE("{\"status\":\"not ready\"}"));
	else
		answer(x, 404, "text/plain", SLICE("/metrics /healthz /readyz\n"));
}

static enum http_body on_headers(struct http_exchange *x, void *context)
{
	(void)x;
	(void)context;
	return HTTP_BODY_BUFFER;
}

static void on_finished(struct http_exchange *x, void *context)
{
	(void)x;
	(void)context;
}

/* "127.0.0.1:8081" and 2: "127.0.0.1:8083". False when there is no such port. */
static bool shift_port(const char *address, int number, char *out, size_t room)
{
	const char *colon = strrchr(address, ':');
	long port = strtol(colon + 1, NULL, 10);
	if (port > 0)
		port += number;
	snprintf(out, room, "%.*s:%ld", (int)(colon - address), address, port);
	return port <= 65535;
}

static bool start_listening(struct monitor *m, uv_loop_t *loop, const char *address, char *why,
			    size_t why_size)
{
	struct http_limits limits = http_limits_default();
	limits.connections = CONNECTIONS;
	limits.body_bytes = BODY_BYTES;
	m->application = (struct http_application){ m, on_headers, on_request, on_finished, NULL };
	m->server = http_server_start(loop, address, false, &limits, &m->application, m->own, why, why_size);
	return m->server != NULL;
}

struct monitor *monitor_start(uv_loop_t *loop, const char *address, int number, const struct db *db,
			      struct metrics *metrics, char *why, size_t why_size)
{
	char shifted[128], reason[200] = "there is no such port";
	struct monitor *m = calloc(1, sizeof *m);
	INVARIANT(m);
	*m = (struct monitor){ .db = db, .metrics = metrics, .own = metrics_new() };
	if (!shift_port(address, number, shifted, sizeof shifted) ||
	    !start_listening(m, loop, shifted, reason, sizeof reason)) {
		snprintf(why, why_size, "TANTU_METRICS_LISTEN: %s: %s", shifted, reason);
		metrics_free(&m->own);
		free(m);
		return NULL;
	}
	snprintf(shifted, sizeof shifted, "%.*s:%d", (int)(strrchr(address, ':') - address), address,
		 http_server_port(m->server));
	log_line(LOG_INFO, "telling_metrics", LOG_TEXT("address", shifted), LOG_NUMBER("pid", getpid()));
	return m;
}

void monitor_stopping(struct monitor *monitor)
{
	if (monitor)
		monitor->stopping = true;
}

static void on_stopped(void *context)
{
	struct monitor *m = context;
	http_server_free(&m->server);
	metrics_free(&m->own);
	free(m);
}

void monitor_stop(struct monitor **monitor)
{
	struct monitor *m = *monitor;
	if (!m)
		return;
	*monitor = NULL;
	m->stopping = true;
	http_server_stop(m->server, GRACE_MS, on_stopped, m);
}
