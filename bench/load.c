/* SPDX-License-Identifier: Apache-2.0
 * Load for bench/run: N keep-alive connections, one request at a time on each, epoll, one thread.
 *   load get  PORT CONNECTIONS SECONDS TOKENS PATHS    a path a line; each request takes a random one
 *   load move PORT CONNECTIONS SECONDS TOKENS CASES    "token id version suspended" a line
 * TOKENS: a session token a line; connection i takes token i (get), a case names its own (move).
 * `move` suspends and resumes: each request has its case's own If-Match and a fresh Idempotency-Key. A
 * connection owns every N-th case, so that no version is ever stale. Prints one line of JSON; any other
 * status than 200 is counted. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { IN_BYTES = 1 << 17, OUT_BYTES = 2048, EVENTS = 256 };

struct subject { /* a case to be moved */
	int token, version;
	long long id;
	bool suspended;
};

struct client {
	int socket, number;
	uint64_t sent_at;
	struct subject *subject;
	size_t in_len, out_len;
	char out[OUT_BYTES], in[IN_BYTES];
};

struct load {
	bool moves;
	int port, connections;
	double seconds;
	char **tokens, **paths;
	struct subject *subjects;
	size_t token_count, path_count, subject_count;
	struct client *clients;
	uint64_t random, first_at, end_at;
	uint32_t *latency; /* µs */
	size_t done, room, other;
	long long bytes;
	int other_status, waiting, epoll;
	char other_body[200];
};

static void stop(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(struct load *l)
{
	uint64_t x = l->random;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return l->random = x;
}

static char **read_lines(const char *path, size_t *count)
{
	FILE *f = fopen(path, "r");
	char **lines = NULL, *line = NULL;
	size_t room = 0, n = 0, used = 0;
	if (!f)
		stop(path);
	while (getline(&line, &room, f) > 0) {
		if ((n & (n - 1)) == 0)
			lines = realloc(lines, (n ? n * 2 : 1) * sizeof *lines);
		line[strcspn(line, "\n")] = 0;
		lines[n++] = strdup(line);
		used += strlen(line);
	}
	free(line);
	fclose(f);
	if (n == 0 || used == 0)
		stop("an empty file");
	*count = n;
	return lines;
}

static void read_subjects(struct load *l, const char *path)
{
	char **lines = read_lines(path, &l->subject_count);
	l->subjects = calloc(l->subject_count, sizeof *l->subjects);
	for (size_t i = 0; i < l->subject_count; i++) {
		struct subject *s = &l->subjects[i];
		int suspended = 0;
		if (sscanf(lines[i], "%d %lld %d %d", &s->token, &s->id, &s->version, &suspended) != 4)
			stop(lines[i]);
		s->suspended = suspended;
	}
}

static void write_get(struct load *l, struct client *c)
{
	const char *path = l->paths[next_random(l) % l->path_count];
	c->out_len = (size_t)snprintf(c->out, sizeof c->out,
				      "GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n",
				      path, l->tokens[(size_t)c->number % l->token_count]);
}

static void write_move(struct load *l, struct client *c)
{
	size_t own = (l->subject_count - (size_t)c->number - 1) / (size_t)l->connections + 1;
	struct subject *s = &l->subjects[(size_t)c->number + next_random(l) % own * (size_t)l->connections];
	const char *body = s->suspended ? "{\"to\":\"registered\"}"
					: "{\"to\":\"suspended\",\"note\":\"the family is away\"}";
	c->subject = s;
	c->out_len = (size_t)snprintf(
		c->out, sizeof c->out,
		"POST /api/v1/cases/%lld/transitions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
		"Content-Type: application/json\r\nIf-Match: \"%d\"\r\nIdempotency-Key: %016llx%08x\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		s->id, l->tokens[(size_t)s->token], s->version, (unsigned long long)next_random(l),
		(unsigned)getpid(), strlen(body), body);
}

static void send_next(struct load *l, struct client *c)
{
	(l->moves ? write_move : write_get)(l, c);
	c->sent_at = now_ns();
	c->in_len = 0;
	if (send(c->socket, c->out, c->out_len, MSG_NOSIGNAL) != (ssize_t)c->out_len)
		stop("send");
}

/* The whole answer's length once its head is here, 0 before. */
static size_t answer_length(struct client *c, size_t *head)
{
	char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
	if (!end)
		return 0;
	*head = (size_t)(end - c->in) + 4;
	*end = 0;
	char *length = strcasestr(c->in, "\r\ncontent-length:");
	*end = '\r';
	if (!length)
		stop("an answer without Content-Length");
	return *head + strtoul(length + 17, NULL, 10);
}

static void take_answer(struct load *l, struct client *c, size_t head, size_t length)
{
	int status = atoi(c->in + 9);
	uint64_t now = now_ns();
	l->bytes += (long long)length;
	if (status == 200 && c->subject) {
		c->subject->version++;
		c->subject->suspended = !c->subject->suspended;
	}
	if (status != 200) {
		l->other++;
		l->other_status = status;
		snprintf(l->other_body, sizeof l->other_body, "%.*s", (int)(length - head), c->in + head);
	}
	if (l->done == l->room) {
		l->room = l->room ? l->room * 2 : 1 << 18;
		l->latency = realloc(l->latency, l->room * sizeof *l->latency);
	}
	l->latency[l->done++] = (uint32_t)((now - c->sent_at) / 1000);
	if (now < l->end_at)
		send_next(l, c);
	else
		l->waiting--;
}

static void on_readable(struct load *l, struct client *c)
{
	size_t head, length;
	ssize_t n = recv(c->socket, c->in + c->in_len, sizeof c->in - c->in_len, 0);
	if (n <= 0)
		stop("a connection ended");
	c->in_len += (size_t)n;
	length = answer_length(c, &head);
	if (length > sizeof c->in)
		stop("too long an answer");
	if (length && c->in_len >= length)
		take_answer(l, c, head, length);
}

static void open_client(struct load *l, int i)
{
	struct client *c = &l->clients[i];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	c->number = i;
	c->socket = socket(AF_INET, SOCK_STREAM, 0);
	if (c->socket < 0 || connect(c->socket, (struct sockaddr *)&to, sizeof to) != 0)
		stop("connect");
	setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->socket, &event) != 0)
		stop("epoll");
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS];
	l->epoll = epoll_create1(0);
	l->clients = calloc((size_t)l->connections, sizeof *l->clients);
	for (int i = 0; i < l->connections; i++)
		open_client(l, i);
	l->first_at = now_ns();
	l->end_at = l->first_at + (uint64_t)(l->seconds * 1e9);
	l->waiting = l->connections;
	for (int i = 0; i < l->connections; i++)
		send_next(l, &l->clients[i]);
	while (l->waiting > 0) {
		int n = epoll_wait(l->epoll, events, EVENTS, 20000);
		if (n <= 0)
			stop("nothing came for 20 s");
		for (int i = 0; i < n; i++)
			on_readable(l, events[i].data.ptr);
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void print(struct load *l)
{
	struct rusage used;
	double took = (double)(now_ns() - l->first_at) / 1e9;
	getrusage(RUSAGE_SELF, &used);
	qsort(l->latency, l->done, sizeof *l->latency, by_size);
	double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	printf("{\"requests\":%zu,\"seconds\":%.3f,\"rate\":%.1f,\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u,"
	       "\"bytes\":%.0f,"
	       "\"load_cpu_us\":%.2f,\"other\":%zu}\n",
	       l->done, took, (double)l->done / took, l->latency[l->done / 2], l->latency[l->done * 99 / 100],
	       l->latency[l->done - 1], (double)l->bytes / (double)l->done, cpu * 1e6 / (double)l->done,
	       l->other);
	if (l->other)
		fprintf(stderr, "load: %zu answers were not 200; the last %d: %s\n", l->other,
			l->other_status, l->other_body);
}

int main(int argc, char **argv)
{
	struct load l = { .random = now_ns() | 1 };
	if (argc != 7) {
		fputs("usage: load get|move PORT CONNECTIONS SECONDS TOKENS PATHS|CASES\n", stderr);
		return 2;
	}
	l.moves = strcmp(argv[1], "move") == 0;
	l.port = atoi(argv[2]);
	l.connections = atoi(argv[3]);
	l.seconds = atof(argv[4]);
	l.tokens = read_lines(argv[5], &l.token_count);
	if (l.moves)
		read_subjects(&l, argv[6]);
	else
		l.paths = read_lines(argv[6], &l.path_count);
	if (l.moves && l.subject_count < (size_t)l.connections)
		stop("fewer cases than connections");
	run(&l);
	print(&l);
	return 0;
}
