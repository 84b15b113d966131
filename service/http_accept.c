/* SPDX-License-Identifier: Apache-2.0
 * The listening socket. accept is called here rather than by libuv, so that being full is a matter of who is
 * missed least: the newcomer gets the place of an idle or slow client, of its own address first.
 * Invariant: a failure to accept never stops the server. Without a descriptor a spare one is given up for a
 * moment to turn the newcomer away, so that nobody hangs in the backlog. */
#include "service/http_internal.h"
#include "service/invariant.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG = 1024, ACCEPT_AT_ONCE = 64, ACCEPT_PAUSE_MS = 100, SEND_BUFFER = 64 * 1024, HOST_TEXT = 64 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* "127.0.0.1:80", "[::1]:80" */
static bool parse_address(const char *text, union address *address)
{
	char host[HOST_TEXT];
	uint64_t port;
	const char *colon = strrchr(text, ':');
	if (!colon || !slice_to_u64(slice_of(colon + 1), &port) || port > UINT16_MAX)
		return false;
	size_t len = (size_t)(colon - text);
	bool v6 = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (v6) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return (v6 ? uv_ip6_addr(host, (int)port, &address->v6)
		   : uv_ip4_addr(host, (int)port, &address->v4)) == 0;
}

/* TCP_NODELAY and the buffer are inherited by what is accepted. Left to itself the kernel takes megabytes of
 * an answer that nobody reads, and thousands of such clients its memory for all of TCP. */
static bool set_options(int fd, bool reuse_port)
{
	int on = 1, send_buffer = SEND_BUFFER;
	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer)) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
	       (!reuse_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0);
}

static int bound_port(int fd)
{
	union address address = { .v6 = { 0 } };
	socklen_t len = sizeof(address);
	if (getsockname(fd, &address.any, &len) != 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

int http_listen(const char *address_text, bool reuse_port, int *port, char *why, size_t why_size)
{
	union address address = { .v6 = { 0 } };
	if (!parse_address(address_text, &address)) {
		snprintf(why, why_size, "not an address and a port: %s", address_text);
		return -1;
	}
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = address.any.sa_family == AF_INET6 ? sizeof(address.v6) : sizeof(address.v4);
	if (fd < 0 || !set_options(fd, reuse_port) || bind(fd, &address.any, len) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		snprintf(why, why_size, "cannot listen on %s: %s", address_text, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*port = bound_port(fd);
	return fd;
}

static void pause_accepting(struct http_server *server)
{
	http_server_refused(server, HTTP_REFUSED_ACCEPT);
	uv_poll_stop(&server->listener);
	server->accept_at = uv_now(server->loop) + ACCEPT_PAUSE_MS;
	http_deadline_arm(server, server->accept_at);
}

/* Best effort: who is not told in time sees a reset. */
static void turn_away(struct http_server *server, int fd, enum http_refusal refusal)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
				     "Retry-After: 1\r\nConnection: close\r\n\r\n";
	http_server_refused(server, refusal);
	/* What the client has sent is read first: bytes left over would turn the close into a reset. */
	(void)recv(fd, server->read_buffer, sizeof(server->read_buffer), MSG_DONTWAIT);
	(void)send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void admit(struct http_server *server, int fd, const struct sockaddr *peer)
{
	const struct http_limits *limits = &server->limits;
	struct http_address address = http_address_of(peer);
	if (!http_networks_hold(&server->trusted, &address) &&
	    !http_peers_make_room(server, &address, limits->connections_of_address)) {
		turn_away(server, fd, HTTP_REFUSED_ADDRESS_FULL);
		return;
	}
	if (server->connections - server->closing >= limits->connections) {
		if (!http_server_make_room(server)) {
			turn_away(server, fd, HTTP_REFUSED_FULL);
			return;
		}
		http_server_refused(server, HTTP_REFUSED_FULL);
	}
	http_connection_open(server, fd, &address);
}

static int accept_fd(const struct http_server *server, union address *peer)
{
	socklen_t len = sizeof(*peer);
	return accept4(server->listen_fd, &peer->any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* The oldest idle client; not one that has only just come, before it could say anything. */
static struct http_connection *oldest_idle(const struct http_server *server)
{
	struct http_connection *c = server->lists[HTTP_CONNECTION_IDLE].first;
	bool fresh = c && c->deadline >= uv_now(server->loop) + server->duration[HTTP_CONNECTION_IDLE];
	return fresh ? NULL : c;
}

/* There is no descriptor left, here or in the whole system: somebody idle gives his up, or the spare one does
 * to turn one newcomer away. False when that did not help either. */
static bool without_descriptor(struct http_server *server)
{
	union address peer = { .v6 = { 0 } };
	struct http_connection *idle = oldest_idle(server);
	if (idle) {
		http_server_refused(server, HTTP_REFUSED_DESCRIPTORS);
		http_connection_cut(idle);
		return true;
	}
	if (server->spare_fd < 0)
		return false;
	close(server->spare_fd);
	int fd = accept_fd(server, &peer);
	if (fd >= 0)
		turn_away(server, fd, HTTP_REFUSED_DESCRIPTORS);
	server->spare_fd = http_spare_fd();
	return fd >= 0;
}

/* False when there is nobody left, or it cannot be helped now. */
static bool accept_one(struct http_server *server)
{
	union address peer = { .v6 = { 0 } };
	int fd = accept_fd(server, &peer);
	if (fd >= 0) {
		admit(server, fd, &peer.any);
		return true;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return false;
	/* What befell that one client before we came to it (accept(2), "Error handling"). */
	if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO || errno == ENETDOWN ||
	    errno == EHOSTUNREACH || errno == ENETUNREACH)
		return true;
	if ((errno == EMFILE || errno == ENFILE) && without_descriptor(server))
		return true;
	pause_accepting(server);
	return false;
}

static void on_readable(uv_poll_t *listener, int status, int events)
{
	struct http_server *server = listener->data;
	(void)events;
	for (int i = 0; i < ACCEPT_AT_ONCE && status == 0; i++)
		if (!accept_one(server))
			break;
}

int http_spare_fd(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void http_accept_resume(struct http_server *server)
{
	server->accept_at = UINT64_MAX;
	if (server->spare_fd < 0)
		server->spare_fd = http_spare_fd();
	if (!server->stopping)
		uv_poll_start(&server->listener, UV_READABLE, on_readable);
}

void http_accept_start(struct http_server *server)
{
	int error = uv_poll_init(server->loop, &server->listener, server->listen_fd);
	INVARIANT(error == 0);
	server->listener.data = server;
	server->open_handles++;
	http_accept_resume(server);
}

static void on_listener_closed(uv_handle_t *handle)
{
	http_server_handle_closed(handle->data);
}

/* Those who have knocked already are let in: closing the door would cut off what they sent. */
void http_accept_stop(struct http_server *server)
{
	while (accept_one(server))
		;
	server->accept_at = UINT64_MAX;
	uv_close((uv_handle_t *)&server->listener, on_listener_closed);
	close(server->listen_fd);
	server->listen_fd = -1;
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	server->spare_fd = -1;
}
