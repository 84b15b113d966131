/* SPDX-License-Identifier: Apache-2.0
 * http.h acted for the input check: the request is bytes that a test gives, the answer is kept. A program
 * that includes it has no HTTP server. */
#ifndef TESTS_UNIT_INPUT_ACT_H
#define TESTS_UNIT_INPUT_ACT_H

#include "api/engine.h"
#include <stdlib.h>
#include <unistd.h>

struct http_exchange {
	struct arena *arena;
	struct slice query, body;
	struct http_response response;
	int responses;
};

struct arena *http_arena(struct http_exchange *x)
{
	return x->arena;
}

enum http_method http_method(const struct http_exchange *x)
{
	(void)x;
	return HTTP_METHOD_POST;
}

struct slice http_path(const struct http_exchange *x)
{
	(void)x;
	return SLICE("/fuzz");
}

struct slice http_query(const struct http_exchange *x)
{
	return x->query;
}

struct slice http_body_bytes(const struct http_exchange *x)
{
	return x->body;
}

struct slice http_header(const struct http_exchange *x, const char *lower_case_name)
{
	(void)x;
	return strcmp(lower_case_name, "content-type") == 0 ? SLICE("application/json") : (struct slice){ 0 };
}

/* Of the real tables each would draw in the rest of the service. */
const struct verdict *const verdict_tables[] = { verdicts, NULL };

void http_respond(struct http_exchange *x, const struct http_response *response)
{
	x->responses++;
	x->response = *response;
}

static inline struct api *input_act_api(void)
{
	static struct api api;
	char why[200], path[] = "/tmp/tantu-fuzz-XXXXXX";
	if (api.options.vault)
		return &api;
	close(mkstemp(path));
	unlink(path);
	api.options.metrics = metrics_new();
	api.refused_input = metric_counter(api.options.metrics, "refused", "Fuzz", "");
	api.options.vault = vault_open(path, true, why, sizeof why);
	unlink(path);
	INVARIANT(api.options.vault != NULL);
	return &api;
}

#endif
