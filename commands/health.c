/* SPDX-License-Identifier: Apache-2.0
 * `tantu health`: asks the server on this machine whether it is ready; for containers and scripts. */
#include "commands/command.h"
#include "service/slice.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 3, SECONDS_MOST = 600, ANSWER = 1024 };

struct asking {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	socklen_t len;
	int64_t until_ms;
	const char *address;
};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What it listens on is not always where it can be asked: 0.0.0.0 and [::] stand for every address. */
static bool find_address(const char *listen, struct asking *a, char *why, size_t why_size)
{
	char host[INET6_ADDRSTRLEN] = "";
	uint64_t port = 0;
	const char *colon = strrchr(listen, ':');
	bool six = listen[0] == '[';
	snprintf(host, sizeof host, "%.*s", (int)(colon - listen) - 2 * six, listen + six);
	if (!slice_to_u64(slice_of(colon + 1), &port) || port == 0) {
		snprintf(why, why_size, "--listen: port 0 is not one that can be asked");
		return false;
	}
	if (six) {
		a->to.v6 =
			(struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
		inet_pton(AF_INET6, strcmp(host, "::") == 0 ? "::1" : host, &a->to.v6.sin6_addr);
		a->len = sizeof a->to.v6;
	} else {
		a->to.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
		inet_pton(AF_INET, strcmp(host, "0.0.0.0") == 0 ? "127.0.0.1" : host, &a->to.v4.sin_addr);
		a->len = sizeof a->to.v4;
	}
	a->address = listen;
	return true;
}

/* Until the socket can be read or written, or time is up. */
static bool wait_for(const struct asking *a, int fd, short events)
{
	struct pollfd one = { fd, events, 0 };
	for (;;) {
		int64_t left = a->until_ms - now_ms();
		int ready = left > 0 ? poll(&one, 1, (int)left) : 0;
		if (ready > 0)
			return true;
		if (ready == 0) {
			errno = ETIMEDOUT;
			return false;
		}
		if (errno != EINTR)
			return false;
	}
}

static bool connected(const struct asking *a, int fd)
{
	int error = 0;
	socklen_t len = sizeof error;
	if (connect(fd, &a->to.any, a->len) == 0)
		return true;
	if (errno != EINPROGRESS || !wait_for(a, fd, POLLOUT))
		return false;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	errno = error;
	return error == 0;
}

static bool exchange(const struct asking *a, int fd, char answer[ANSWER])
{
	static const char question[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	size_t got = 0;
	ssize_t n = 1;
	if (!connected(a, fd) || send(fd, question, sizeof question - 1, MSG_NOSIGNAL) < 0)
		return false;
	while (got < ANSWER - 1 && n > 0) {
		if (!wait_for(a, fd, POLLIN))
			return false;
		n = recv(fd, answer + got, ANSWER - 1 - got, 0);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			n = 1;
		else if (n > 0)
			got += (size_t)n;
	}
	answer[got] = '\0';
	return n >= 0;
}

static int ask(const struct asking *a)
{
	char answer[ANSWER] = "", why[200];
	int fd = socket(a->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool done = fd >= 0 && exchange(a, fd, answer);
	const char *trouble = strerror(errno), *code = strstr(answer, "\"code\":\"");
	if (fd >= 0)
		close(fd);
	if (done && strncmp(answer, "HTTP/1.1 200 ", 13) == 0) {
		printf("ready\n");
		return EXIT_DONE;
	}
	if (!done)
		snprintf(why, sizeof why, "%s: %s", a->address, trouble);
	else if (strncmp(answer, "HTTP/1.1 ", 9) != 0)
		snprintf(why, sizeof why, "%s: what answers is not Tantu", a->address);
	else
		snprintf(why, sizeof why, "%s: not ready: %.3s %.*s", a->address, answer + 9,
			 code ? (int)strcspn(code + 8, "\"") : 0, code ? code + 8 : "");
	return complain(why);
}

int run_health(const struct config *config, const struct arguments *arguments)
{
	struct asking a = { 0 };
	uint64_t seconds = SECONDS;
	char why[200];
	const char *given = argument(arguments, "--timeout");
	if (given && (!slice_to_u64(slice_of(given), &seconds) || seconds < 1 || seconds > SECONDS_MOST))
		return complain("--timeout: a number of seconds from 1 to 600");
	if (!find_address(config->listen, &a, why, sizeof why))
		return complain(why);
	a.until_ms = now_ms() + (int64_t)seconds * 1000;
	return ask(&a);
}
