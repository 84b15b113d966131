/* SPDX-License-Identifier: Apache-2.0
 * The server as a whole: start, graceful stop, and what all connections share.
 * Invariant: on_stopped comes once, after the last connection and the last handle are closed. */
#include "service/http_internal.h"
#include "service/invariant.h"
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* What idle clients sent just before the end was known is still taken. */
enum { LAST_CALL_MS = 100 };

struct http_limits http_limits_default(void)
{
	return (struct http_limits){
		.header_bytes = 16 * 1024,
		.headers = 100,
		.body_bytes = 1024 * 1024,
		.stream_bytes = 64 * 1024 * 1024,
		.arena_bytes = 8 * 1024 * 1024,
		.connections = 12000,
		.connections_of_address = 1000,
		.idle_ms = 60 * 1000,
		.header_ms = 10 * 1000,
		.body_ms = 20 * 1000,
		.write_ms = 20 * 1000,
		.slowest_rate = 500,
		.half_close_ms = 1000,
		.linger_ms = 1000,
		.trusted_proxies = "",
		.hsts_seconds = 365 * 24 * 3600,
	};
}

static void make_metrics(struct http_server *server, struct metrics *metrics)
{
	server->open_gauge = metric_gauge(metrics, "tantu_http_connections", "Open connections.", "");
	server->accepted = metric_counter(metrics, "tantu_http_accepted_total", "Connections accepted.", "");
	server->bytes_in = metric_counter(metrics, "tantu_http_bytes_in_total", "Bytes received.", "");
	server->bytes_out = metric_counter(metrics, "tantu_http_bytes_out_total", "Bytes of answers.", "");
	http_refused_start(server, metrics);
}

static bool trusted_are_sound(const struct http_limits *limits, char *why, size_t why_size)
{
	struct http_networks networks;
	struct slice wrong;
	if (http_networks_read(limits->trusted_proxies, &networks, &wrong))
		return true;
	snprintf(why, why_size, "not an address or network, or one of more than %d: %.*s", HTTP_NETWORKS,
		 (int)wrong.len, wrong.at);
	return false;
}

static void take_limits(struct http_server *server, const struct http_limits *limits)
{
	enum { TARGET_BYTES = 8 * 1024 };
	struct slice wrong;
	server->limits = *limits;
	server->guard_limits =
		(struct http_guard_limits){ limits->header_bytes, TARGET_BYTES, limits->headers };
	INVARIANT(http_networks_read(limits->trusted_proxies, &server->trusted, &wrong));
	server->limits.trusted_proxies = NULL; /* the caller's, and read */
	server->forwarded_by = limits->forwarded ? HTTP_BY_FORWARDED : HTTP_BY_X_FORWARDED;
	/* Nobody shall be able to choose addresses that share a slot. */
	randombytes_buf(&server->peer_seed, sizeof(server->peer_seed));
	if (limits->hsts_seconds > 0)
		snprintf(server->hsts, sizeof(server->hsts),
			 "Strict-Transport-Security: max-age=%u; includeSubDomains\r\n",
			 limits->hsts_seconds);
}

struct http_server *http_server_start(uv_loop_t *loop, const char *address, bool reuse_port,
				      const struct http_limits *limits, const struct http_application *app,
				      struct metrics *metrics, char *why, size_t why_size)
{
	int port;
	if (!trusted_are_sound(limits, why, why_size))
		return NULL;
	int fd = http_listen(address, reuse_port, &port, why, why_size);
	if (fd < 0)
		return NULL;
	struct http_server *server = calloc(1, sizeof(*server));
	INVARIANT(server != NULL);
	server->loop = loop;
	take_limits(server, limits);
	server->app = *app;
	server->listen_fd = fd;
	server->spare_fd = -1;
	server->port = port;
	make_metrics(server, metrics);
	signal(SIGPIPE, SIG_IGN); /* a client that left is an error of its write, not of the process */
	http_deadline_start(server);
	http_due_start(server);
	http_accept_start(server);
	return server;
}

int http_server_port(const struct http_server *server)
{
	return server->port;
}

/* IMF-fixdate (RFC 9110, 5.6.7), made anew once a second. */
const char *http_server_date(struct http_server *server)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec == server->date_second)
		return server->date;
	server->date_second = now.tv_sec;
	gmtime_r(&now.tv_sec, &tm);
	snprintf(server->date, sizeof(server->date), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
		 tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return server->date;
}

void http_server_handle_closed(struct http_server *server)
{
	if (--server->open_handles > 0)
		return;
	server->told_stopped = true;
	server->on_stopped(server->stopped_context);
}

static void on_handle_closed(uv_handle_t *handle)
{
	http_server_handle_closed(handle->data);
}

static void close_if_empty(struct http_server *server)
{
	if (!server->stopping || server->connections > 0)
		return;
	uv_close((uv_handle_t *)&server->timer, on_handle_closed);
	uv_close((uv_handle_t *)&server->idle, on_handle_closed);
	uv_close((uv_handle_t *)&server->check, on_handle_closed);
}

void http_server_connection_closed(struct http_server *server)
{
	server->connections--;
	metric_set(server->open_gauge, (double)server->connections);
	close_if_empty(server);
}

void http_server_cut(struct http_server *server)
{
	server->stop_at = UINT64_MAX;
	for (int state = 0; state < HTTP_CONNECTION_CLOSED; state++)
		while (server->lists[state].first)
			http_connection_gone(server->lists[state].first);
}

/* Who has said nothing until now has nothing to be answered. */
void http_server_last_call(struct http_server *server)
{
	server->last_call_at = UINT64_MAX;
	while (server->lists[HTTP_CONNECTION_IDLE].first)
		http_connection_close(server->lists[HTTP_CONNECTION_IDLE].first);
}

void http_server_stop(struct http_server *server, unsigned grace_ms, void (*on_stopped)(void *context),
		      void *context)
{
	INVARIANT(!server->stopping);
	server->stopping = true;
	server->on_stopped = on_stopped;
	server->stopped_context = context;
	http_accept_stop(server);
	server->last_call_at = uv_now(server->loop) + LAST_CALL_MS;
	http_deadline_arm(server, server->last_call_at);
	server->stop_at = uv_now(server->loop) + grace_ms;
	http_deadline_arm(server, server->stop_at);
	close_if_empty(server);
}

void http_server_free(struct http_server **server)
{
	if (!*server)
		return;
	INVARIANT((*server)->told_stopped);
	http_refused_tell(*server);
	free((*server)->head);
	free(*server);
	*server = NULL;
}
