/* SPDX-License-Identifier: Apache-2.0
 * For machines that watch: health, readiness, metrics, and the description of this interface. */
#include "api/engine.h"
#include "api/tables.h"
#include "service/process_metrics.h"

static enum step step_health(struct request *r)
{
	return answer_json(r, 200, SLICE("{\"status\":\"alive\"}"), NULL);
}

static enum step step_ready(struct request *r)
{
	if (r->api->stopping)
		return problem(r, 503, "stopping", NULL, NULL);
	if (!db_is_up(r->api->options.db))
		return problem(r, 503, "database_unavailable", NULL, NULL);
	return answer_json(r, 200, SLICE("{\"status\":\"ready\"}"), NULL);
}

static enum step step_metrics(struct request *r)
{
	struct buffer out;
	buffer_init(&out, http_arena(r->x), 65536);
	process_metrics_write(r->api->options.metrics, db_is_up(r->api->options.db), &out);
	struct http_response response = { .status = 200,
					  .content_type = METRICS_MEDIA,
					  .body = buffer_taken(&out) };
	return out.failed ? problem(r, 500, "answer_too_large", NULL, NULL) : answer_raw(r, &response);
}

static enum step step_openapi(struct request *r)
{
	return answer_json(r, 200, buffer_taken(&r->api->openapi), "Cache-Control: no-cache\r\n");
}

static enum step step_front(struct request *r)
{
	return answer_json(r, 200,
			   SLICE("{\"name\":\"Tantu 坦途\",\"version\":\"" TANTU_VERSION
				 "\",\"description\":\"/openapi.json\"}"),
			   NULL);
}

static request_step *const front_steps[] = { step_front, NULL };
static request_step *const health_steps[] = { step_health, NULL };
static request_step *const ready_steps[] = { step_ready, NULL };
static request_step *const metrics_steps[] = { step_metrics, NULL };
static request_step *const openapi_steps[] = { step_openapi, NULL };

static const char status_schema[] = "{\"type\":\"object\",\"required\":[\"status\"],\"properties\":{"
				    "\"status\":{\"type\":\"string\"}},\"additionalProperties\":false}";

const struct endpoint meta_endpoints[] = {
	{ HTTP_METHOD_GET, "/", ANYBODY, .steps = front_steps, .plain = true, .summary = "What this is",
	  .says = "{\"type\":\"object\"}" },
	{ HTTP_METHOD_GET, "/healthz", ANYBODY, .steps = health_steps, .plain = true,
	  .summary = "The process runs", .says = status_schema },
	{ HTTP_METHOD_GET, "/readyz", ANYBODY, .steps = ready_steps, .plain = true, .summary = "It can serve",
	  .says = status_schema },
	{ HTTP_METHOD_GET, "/metrics", ANYBODY, .steps = metrics_steps, .media = "text/plain", .plain = true,
	  .summary = "Prometheus metrics (text)" },
	{ HTTP_METHOD_GET, "/openapi.json", ANYBODY, .steps = openapi_steps, .plain = true,
	  .summary = "This description", .says = "{\"type\":\"object\"}" },
	{ 0 },
};
