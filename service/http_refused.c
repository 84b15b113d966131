/* SPDX-License-Identifier: Apache-2.0
 * Every refusal raises tantu_refused_total{reason=…} and is told in a log line. No address, no path, no byte
 * of the request: a refused request may hold anything. Invariant: the "times" of all lines of a reason add up
 * to its metric, at the latest a second later. */
#include "service/http_internal.h"
#include "service/log.h"
#include <stdio.h>

/* So many of a reason and a second alone; the others in one line when the second is over. */
enum { LINES_A_SECOND = 3, SECOND = 1000 };

void http_refused_start(struct http_server *server, struct metrics *metrics)
{
	char labels[64];
	for (int refusal = HTTP_NOT_REFUSED + 1; refusal < HTTP_REFUSALS; refusal++) {
		snprintf(labels, sizeof(labels), "reason=\"%s\"",
			 http_refusal_code((enum http_refusal)refusal));
		server->refused[refusal] = metric_counter(metrics, "tantu_refused_total",
							  "Requests and connections refused.", labels);
	}
	server->tell_at = UINT64_MAX;
}

static void tell(enum http_refusal refusal, unsigned times)
{
	log_line(LOG_WARN, "refused", LOG_TEXT("reason", http_refusal_code(refusal)),
		 LOG_NUMBER("status", http_refusal_status(refusal)), LOG_NUMBER("times", times));
}

void http_refused_tell(struct http_server *server)
{
	struct http_refusal_log *log = &server->refusal_log;
	server->tell_at = UINT64_MAX;
	for (int refusal = 0; refusal < HTTP_REFUSALS; refusal++) {
		if (log->untold[refusal] > 0)
			tell((enum http_refusal)refusal, log->untold[refusal]);
		log->untold[refusal] = 0;
	}
}

void http_server_refused_known(struct http_server *server, enum http_refusal refusal)
{
	metric_add(server->refused[refusal], 1);
}

void http_server_refused(struct http_server *server, enum http_refusal refusal)
{
	struct http_refusal_log *log = &server->refusal_log;
	uint64_t now = uv_now(server->loop);
	http_server_refused_known(server, refusal);
	if (now - log->second >= SECOND) {
		http_refused_tell(server);
		log->second = now;
		memset(log->lines, 0, sizeof(log->lines));
	}
	if (log->lines[refusal] < LINES_A_SECOND) {
		log->lines[refusal]++;
		tell(refusal, 1);
		return;
	}
	log->untold[refusal]++;
	if (server->tell_at != UINT64_MAX)
		return;
	server->tell_at = log->second + SECOND;
	http_deadline_arm(server, server->tell_at);
}
