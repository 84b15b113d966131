/* SPDX-License-Identifier: Apache-2.0
 * What is refused before it costs anything, because there is too much of it: 429 with the time to wait.
 * The token's budget is a setting; the others bound what strangers can make the database do. */
#include "api/engine.h"
#include "api/header.h"
#include "api/text.h"

/* Of one address (IPv6: /64), a second and at once: tokens that nobody knows, sign-ins. */
enum { STRANGERS_RATE = 20, STRANGERS_BURST = 500, SIGN_IN_RATE = 10, SIGN_IN_BURST = 200 };
/* Each waits for a thread and 19 MiB: the last of so many waits for about a second. */
enum { SIGN_INS_MOST = 64 };

void guard_start(struct api *api)
{
	api->requests = budget_new(api->options.token_rate, api->options.token_burst);
	api->strangers = budget_new(STRANGERS_RATE, STRANGERS_BURST);
	api->sign_in_budget = budget_new(SIGN_IN_RATE, SIGN_IN_BURST);
}

void guard_end(struct api *api)
{
	budget_free(&api->requests);
	budget_free(&api->strangers);
	budget_free(&api->sign_in_budget);
}

static enum step too_many(struct request *r, const char *code, unsigned seconds)
{
	r->retry_after = seconds;
	return problem(r, 429, code, NULL, NULL);
}

static uint64_t address_key(const struct request *r)
{
	struct http_address prefix = http_client_prefix(r->x);
	unsigned char hash[VAULT_INDEX_BYTES];
	uint64_t key;
	/* Keyed, so that nobody can choose addresses that fall together. */
	vault_fingerprint(r->api->options.vault, (struct slice){ (const char *)prefix.bytes, 16 }, hash);
	memcpy(&key, hash, sizeof key);
	return key;
}

enum step guard_request(struct request *r)
{
	uint64_t key;
	unsigned seconds;
	memcpy(&key, r->token_hash, sizeof key);
	if (budget_take(r->api->requests, key, http_started(r->x), &seconds))
		return STEP_NEXT;
	return too_many(r, "token_budget_spent", seconds);
}

enum step guard_stranger(struct request *r)
{
	unsigned seconds;
	if (budget_has(r->api->strangers, address_key(r), http_started(r->x), &seconds))
		return STEP_NEXT;
	return too_many(r, "too_many_unknown_tokens", seconds);
}

void guard_unknown_token(struct request *r)
{
	unsigned seconds;
	(void)budget_take(r->api->strangers, address_key(r), http_started(r->x), &seconds);
}

enum step guard_sign_in(struct request *r)
{
	unsigned seconds;
	if (!budget_take(r->api->sign_in_budget, address_key(r), http_started(r->x), &seconds))
		return too_many(r, "too_many_sign_ins", seconds);
	if (r->api->sign_ins >= SIGN_INS_MOST)
		return problem(r, 503, "sign_in_busy", NULL, "Too many sign in at this moment.");
	r->api->sign_ins++;
	r->own_end = guard_sign_in_end;
	return STEP_NEXT;
}

void guard_sign_in_end(struct request *r)
{
	r->api->sign_ins--;
}

enum step guard_expectation(struct request *r)
{
	const struct endpoint *e = r->route->endpoint;
	if (permission_asks(e->roles) &&
	    header_token(http_header(r->x, "authorization"), http_header(r->x, "cookie")).len == 0)
		return problem(r, 401, "sign_in_required", NULL, NULL);
	if (http_body_expected(r->x) && !text_is_json_type(http_header(r->x, "content-type")))
		return problem(r, 415, "content_type_unsupported", NULL,
			       "The body must be application/json in UTF-8.");
	return STEP_NEXT;
}
