/* SPDX-License-Identifier: Apache-2.0
 * The door between HTTP and the engine: a request is routed when its header block is complete, walks its
 * steps, and is counted and logged when it ends. */
#include "api/engine.h"
#include "service/json_memory.h"
#include "service/log.h"
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static bool hex_only(const char *at, size_t len)
{
	bool any = false;
	for (size_t i = 0; i < len; i++) {
		if (!strchr("0123456789abcdef", at[i]) || !at[i])
			return false;
		any = any || at[i] != '0';
	}
	return any;
}

/* W3C Trace Context: 00-<32 hex>-<16 hex>-<2 hex>; else a random id of the same form. */
static void make_trace(struct request *r)
{
	struct slice parent = http_header(r->x, "traceparent");
	if (parent.len == 55 && memcmp(parent.at, "00-", 3) == 0 && parent.at[35] == '-' &&
	    parent.at[52] == '-' && hex_only(parent.at + 3, 32) && hex_only(parent.at + 36, 16)) {
		memcpy(r->trace, parent.at + 3, 32);
		return;
	}
	struct api *api = r->api;
	if (api->trace_left == 0) { /* a system call for many, not for each */
		randombytes_buf(api->traces, sizeof api->traces);
		api->trace_left = TRACES;
	}
	sodium_bin2hex(r->trace, sizeof r->trace, api->traces[--api->trace_left], sizeof api->traces[0]);
}

static struct request *request_new(struct http_exchange *x, struct api *api)
{
	struct request *r = arena_zalloc(http_arena(x), sizeof *r);
	if (!r)
		return NULL;
	r->x = x;
	r->api = api;
	make_trace(r);
	http_set_state(x, r);
	return r;
}

static enum step no_route(struct request *r)
{
	const char *allow = r->allow ? r->allow : "";
	struct http_response response = { .status = 204 };
	bool asks = http_method(r->x) == HTTP_METHOD_OPTIONS;
	if (slice_is(http_path(r->x), "*")) /* OPTIONS alone has this target: the server as a whole */
		allow = "GET, HEAD, POST, PUT, PATCH, DELETE";
	if (!allow[0])
		return problem(r, 404, "no_such_path", NULL, NULL);
	response.extra_headers = arena_printf(http_arena(r->x), "Allow: %s, OPTIONS\r\n", allow);
	if (asks)
		return answer_raw(r, &response);
	r->refused = "method_not_allowed";
	response.status = 405;
	response.content_type = "application/problem+json";
	response.body = SLICE("{\"type\":\"about:blank\",\"title\":\"This method is not for this "
			      "path.\",\"status\":405,\"code\":\"method_not_allowed\"}");
	return answer_raw(r, &response);
}

static enum http_body on_headers(struct http_exchange *x, void *context)
{
	struct api *api = context;
	char allow[64];
	struct request *r = request_new(x, api);
	if (!r) {
		http_respond(x, &(struct http_response){ .status = 503, .close = true });
		return HTTP_BODY_NONE;
	}
	r->route = router_match(api, http_method(x), http_path(x), r->path_value, allow);
	if (!r->route) {
		r->allow = arena_text(http_arena(x), slice_of(allow));
		if (http_body_expected(x) && !http_expects_continue(x))
			return HTTP_BODY_BUFFER; /* a request is answered when it is whole */
		no_route(r);
		return HTTP_BODY_NONE;
	}
	if (!r->route->endpoint->sink) {
		if (http_expects_continue(x))
			guard_expectation(r);
		return r->answered ? HTTP_BODY_NONE : HTTP_BODY_BUFFER;
	}
	http_stream_to(x, r->route->endpoint->sink);
	http_pause(x); /* until a step wants the body */
	r->step = engine_stream_steps;
	engine_run(r);
	return r->answered ? HTTP_BODY_NONE : HTTP_BODY_STREAM;
}

static void on_request(struct http_exchange *x, void *context)
{
	struct request *r = http_state(x);
	(void)context;
	if (!r->route) {
		no_route(r);
		return;
	}
	r->step = engine_common_steps;
	engine_run(r);
}

static const char *const method_names[] = { "GET",   "HEAD",   "POST",    "PUT",
					    "PATCH", "DELETE", "OPTIONS", "OTHER" };

/* One line a request: no path values, no query, no body, no names; of a refused one, why. */
static void log_request(struct http_exchange *x, const struct request *r, double seconds, const char *reason)
{
	log_line(LOG_INFO, "request", LOG_TEXT("trace", r->trace),
		 LOG_TEXT("method", method_names[http_method(x)]),
		 LOG_TEXT("route", r->route ? r->route->endpoint->path : ""),
		 LOG_NUMBER("status", http_status(x)), LOG_NUMBER("account", r->who.account),
		 LOG_NUMBER("ms", (double)(int64_t)(seconds * 1e6) / 1e3),
		 LOG_NUMBER("bytes", http_response_bytes(x)), { reason ? "reason" : NULL, reason, 0 });
}

/* What the server refused itself, in the middle of the body, it has counted. */
static const char *count_refusal(struct http_exchange *x, const struct request *r)
{
	char labels[96];
	if (http_refused(x) || !r->refused || http_status(x) == 0)
		return http_refused(x);
	snprintf(labels, sizeof labels, "reason=\"%s\"", r->refused);
	metric_add(metric_counter(r->api->options.metrics, "tantu_refused_total",
				  "Requests and connections refused.", labels),
		   1);
	return r->refused;
}

static void on_finished(struct http_exchange *x, void *context)
{
	struct request *r = http_state(x);
	double seconds = (double)(uv_hrtime() - http_started(x)) / 1e9;
	(void)context;
	if (!r)
		return;
	engine_key_done(r);
	json_decref(r->body);
	r->body = NULL;
	int class = http_status(x) / 100;
	if (r->route && class >= 1 && class <= 5) {
		metric_observe(r->route->seconds, seconds);
		metric_add(r->route->answers[class], 1);
	} else if (!r->route) {
		metric_add(r->api->unrouted, 1);
	}
	log_request(x, r, seconds, count_refusal(x, r)); /* the code may be part of what ends now */
	engine_own_end(r); /* while the thread pool works for it: when that is done */
}

struct http_application api_application(struct api *api)
{
	return (struct http_application){ api, on_headers, on_request, on_finished, api_write_refusal };
}

struct api *api_new(const struct api_options *options, char *why, size_t why_size)
{
	struct api *api = calloc(1, sizeof *api);
	INVARIANT(api);
	json_memory_watch();
	api->options = *options;
	api->arena = arena_new(16u << 20);
	INVARIANT(api->arena);
	api->sessions = session_cache_new(8000);
	api->turns[TURN_PASSWORD].most = 2;
	api->turns[TURN_PHOTO].most = (unsigned)options->photo_decoders;
	guard_start(api);
	api->refused_input = metric_counter(options->metrics, "tantu_input_refused_total",
					    "Requests whose input was refused", "");
	api->sign_in_failures =
		metric_counter(options->metrics, "tantu_sign_in_failures_total", "Sign-ins refused", "");
	api->unrouted = metric_counter(options->metrics, "tantu_requests_unrouted_total",
				       "Requests for a path or method that is not there", "");
	if (!compile_routes(api, why, why_size) || !openapi_write(api)) {
		api_free(&api);
		return NULL;
	}
	return api;
}

void api_free(struct api **api)
{
	if (!*api)
		return;
	session_cache_free(&(*api)->sessions);
	guard_end(*api);
	arena_free(&(*api)->arena);
	free(*api);
	*api = NULL;
}

void api_session_ended(struct api *api, const char *token_hash_hex)
{
	unsigned char hash[32];
	size_t len;
	if (strlen(token_hash_hex) != 64)
		return;
	if (sodium_hex2bin(hash, sizeof hash, token_hash_hex, 64, NULL, &len, NULL) != 0 ||
	    len != sizeof hash)
		return;
	session_cache_drop(api->sessions, hash);
}

void api_forget_sessions(struct api *api)
{
	session_cache_clear(api->sessions);
}

void api_stopping(struct api *api)
{
	api->stopping = true;
}
