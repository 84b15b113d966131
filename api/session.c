/* SPDX-License-Identifier: Apache-2.0
 * Signing in and out. The same token goes out as an HttpOnly SameSite cookie and in the body, for Bearer.
 * An unknown user costs the same time as a wrong password, and is held up after the same number of failures.
 */
#include "api/engine.h"
#include "api/tables.h"
#include "service/json_write.h"
#include "service/log.h"
#include "service/password.h"
#include <errno.h>
#include <stdio.h>

struct sign_in {
	struct slice password;
	char hash[PASSWORD_HASH_BYTES];
	bool known, right, starved;
	char account[24], attempt[24], seconds[16], tries[3][16];
	char token[TOKEN_TEXT_BYTES];
	unsigned char token_hash[TOKEN_HASH_BYTES];
	unsigned char account_key[VAULT_INDEX_BYTES], address_key[VAULT_INDEX_BYTES];
	struct db_value values[6];
};

/* What is counted is found again by these, and says nothing to who reads the table. */
static void make_keys(struct request *r, struct sign_in *s, struct slice user)
{
	struct http_address address = http_client_prefix(r->x);
	vault_fingerprint(r->api->options.vault, user, s->account_key);
	vault_fingerprint(r->api->options.vault, (struct slice){ (const char *)address.bytes, 16 },
			  s->address_key);
}

static enum step step_begin(struct request *r)
{
	const struct api_options *options = &r->api->options;
	struct db_scope system = db_scope_system();
	struct sign_in *s = arena_zalloc(http_arena(r->x), sizeof *s);
	const struct db_value *user = input_value(r, "user");
	if (!s)
		return problem(r, 413, "too_long", NULL, NULL);
	r->own = s;
	s->password = slice_of(input_value(r, "password")->at);
	make_keys(r, s, slice_of(user->at));
	snprintf(s->tries[0], sizeof s->tries[0], "%d", options->sign_in_tries);
	snprintf(s->tries[1], sizeof s->tries[1], "%d", options->sign_in_tries_address);
	snprintf(s->tries[2], sizeof s->tries[2], "%d", options->sign_in_tries_account);
	s->values[0] = *user;
	s->values[1] = db_bytes(s->account_key, sizeof s->account_key);
	s->values[2] = db_bytes(s->address_key, sizeof s->address_key);
	for (int i = 0; i < 3; i++)
		s->values[3 + i] = db_text(s->tries[i]);
	return engine_ask(r, &system, SQL_sign_in_begin, s->values, 6);
}

static void verify_in_pool(struct request *r)
{
	struct sign_in *s = r->own;
	s->right = password_verify(s->known ? s->hash : NULL, s->password);
	s->starved = !s->right && errno == ENOMEM;
}

/* Columns: attempt (NULL: not now), wait, account, password_hash. */
static enum step step_verify(struct request *r)
{
	struct sign_in *s = r->own;
	if (r->reply->outcome != DB_OK)
		return problem_of_reply(r, r->reply);
	const struct db_rows *rows = &r->reply->rows[0];
	if (db_is_null(rows, 0, 0)) {
		r->retry_after = (unsigned)db_get_int(rows, 0, 1);
		return problem(r, 429, "too_many_failed_sign_ins", NULL,
			       "Wait as long as Retry-After says, or ask an administrator.");
	}
	snprintf(s->attempt, sizeof s->attempt, "%lld", (long long)db_get_int(rows, 0, 0));
	if (!db_is_null(rows, 0, 2)) {
		struct slice hash = db_get(rows, 0, 3);
		s->known = hash.len < sizeof s->hash;
		snprintf(s->hash, sizeof s->hash, "%.*s", (int)hash.len, hash.at);
		snprintf(s->account, sizeof s->account, "%lld", (long long)db_get_int(rows, 0, 2));
	}
	return engine_take_turn(r, TURN_PASSWORD, verify_in_pool);
}

static enum step step_failed(struct request *r)
{
	const struct sign_in *s = r->own;
	if (r->reply->outcome != DB_OK)
		return problem_of_reply(r, r->reply);
	if (db_row_count(&r->reply->rows[0]) == 1 && db_get_bool(&r->reply->rows[0], 0, 0))
		log_line(LOG_WARN, "account_locked_out", LOG_TEXT("trace", r->trace),
			 LOG_TEXT("account", s->account));
	return problem(r, 401, "wrong_user_or_password", NULL, NULL);
}

static request_step *const failed_steps[] = { step_failed, NULL };

static enum step step_open(struct request *r)
{
	struct sign_in *s = r->own;
	struct db_scope system = db_scope_system();
	if (s->starved)
		return problem(r, 503, "try_again", NULL, NULL);
	if (!s->known || !s->right) {
		metric_add(r->api->sign_in_failures, 1);
		s->values[0] = db_text(s->attempt);
		s->values[1] = db_text(s->tries[0]);
		s->values[2] = db_text(s->tries[2]);
		r->step = failed_steps;
		return engine_ask(r, &system, SQL_sign_in_failed, s->values, 3);
	}
	token_new(s->token);
	token_hash(slice_of(s->token), s->token_hash);
	snprintf(s->seconds, sizeof s->seconds, "%d", r->api->options.session_seconds);
	s->values[0] = db_bytes(s->token_hash, sizeof s->token_hash);
	s->values[1] = db_text(s->account);
	s->values[2] = db_text(s->seconds);
	s->values[3] = db_text(s->attempt);
	return engine_ask(r, &system, SQL_session_open, s->values, 4);
}

static enum step step_opened(struct request *r)
{
	struct sign_in *s = r->own;
	struct buffer out;
	if (r->reply->outcome != DB_OK)
		return problem_of_reply(r, r->reply);
	const struct db_rows *rows = &r->reply->rows[0];
	if (db_row_count(rows) == 0)
		return problem(r, 401, "wrong_user_or_password", NULL, NULL);
	buffer_init(&out, http_arena(r->x), 256);
	buffer_printf(&out, "{\"token\":\"%s\",\"role\":", s->token);
	json_write_text(&out, db_get(rows, 0, 0));
	buffer_text(&out, ",\"user\":");
	json_write_text(&out, db_get(rows, 0, 2));
	buffer_text(&out, ",\"region\":");
	if (db_is_null(rows, 0, 3))
		json_write_null(&out);
	else
		json_write_text(&out, db_get(rows, 0, 3));
	buffer_text(&out, ",\"expires_at\":");
	json_write_time(&out, db_get_int(rows, 0, 1));
	buffer_char(&out, '}');
	const char *cookie = arena_printf(
		http_arena(r->x),
		"Set-Cookie: tantu_session=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s\r\n", s->token,
		r->api->options.session_seconds, http_secure(r->x) ? "; Secure" : "");
	return answer_json(r, 201, buffer_taken(&out), cookie);
}

static request_step *const sign_in_steps[] = { guard_sign_in, step_begin,  step_verify,
					       step_open,     step_opened, NULL };

static enum step step_close(struct request *r)
{
	r->step_value[0] = db_bytes(r->token_hash, sizeof r->token_hash);
	return engine_ask(r, &r->who.scope, SQL_session_close, r->step_value, 1);
}

static enum step step_closed(struct request *r)
{
	struct http_response gone = {
		.status = 204,
		.extra_headers =
			"Set-Cookie: tantu_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0\r\n"
	};
	if (r->reply->outcome != DB_OK)
		return problem_of_reply(r, r->reply);
	session_cache_drop(r->api->sessions, r->token_hash);
	return answer_raw(r, &gone);
}

static request_step *const sign_out_steps[] = { step_close, step_closed, NULL };

static enum step step_who(struct request *r)
{
	r->step_value[0] = db_text(r->who.scope.part[3]);
	return STEP_NEXT;
}

static request_step *const who_steps[] = { step_who, step_ask, step_answer, NULL };

static const struct field sign_in_in[] = {
	{ "user", F_TEXT, .required = true, .max = 64 },
	{ "password", F_SECRET, .required = true, .max = 200 },
	{ 0 },
};

const struct endpoint session_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/session", ANYBODY, NULL, sign_in_in, .status = 201,
	  .steps = sign_in_steps, .plain = true,
	  .summary = "Sign in (no Idempotency-Key: the answer holds a secret that is not kept)",
	  .says = "{\"type\":\"object\",\"required\":[\"token\",\"role\",\"user\",\"region\",\"expires_at\"],"
		  "\"properties\":{"
		  "\"token\":{\"type\":\"string\"},\"role\":{\"type\":\"string\"},\"user\":{\"type\":"
		  "\"string\"},"
		  "\"region\":{\"type\":[\"string\",\"null\"]},\"expires_at\":{\"type\":\"string\","
		  "\"format\":\"date-time\"}}}" },
	{ HTTP_METHOD_GET, "/api/v1/session", SIGNED_IN, .steps = who_steps,
	  .way = { { NULL, SQL_account_get, "step.0" } }, .summary = "Who am I" },
	{ HTTP_METHOD_DELETE, "/api/v1/session", SIGNED_IN, .status = 204, .steps = sign_out_steps,
	  .plain = true, .summary = "Sign out" },
	{ 0 },
};
