/* SPDX-License-Identifier: Apache-2.0
 * A request walks a table of named steps: each does its part at once (NEXT), waits (PARKED: the engine goes
 * on with the next step when what it waits for has come), or has answered (DONE). */
#include "api/engine.h"
#include "api/header.h"
#include "api/text.h"
#include "service/password.h"
#include <stdio.h>
#include <stdlib.h>

/* --- waiting --- */

void engine_run(struct request *r)
{
	while (*r->step) {
		request_step *step = *r->step++;
		if (step(r) != STEP_NEXT)
			return;
	}
	INVARIANT(r->answered);
}

static void on_gone(struct http_pending *pending)
{
	struct request *r = (struct request *)((char *)pending - offsetof(struct request, pending));
	if (r->call)
		db_cancel(r->call);
	r->call = NULL;
}

static void on_reply(void *context, const struct db_reply *reply)
{
	struct request *r = context;
	r->call = NULL;
	http_pending_done(&r->pending);
	r->reply = reply;
	engine_run(r);
}

enum step engine_ask(struct request *r, const struct db_scope *scope, enum sql statement,
		     const struct db_value *values, int count)
{
	struct db_step step = { statement, count, values };
	struct db *db = r->api->options.db;
	r->reply = NULL;
	r->call = r->stale_ms > 0 ? db_submit_stale(db, scope, &step, r->stale_ms, on_reply, r)
				  : db_submit(db, scope, &step, 1, on_reply, r);
	r->pending.on_gone = on_gone;
	http_pending_add(r->x, &r->pending);
	return STEP_PARKED;
}

/* --- who is it --- */

/* The database says how long a session has left; a clock that nobody sets counts it down. */
static int64_t micros_now(void)
{
	return (int64_t)(uv_hrtime() / 1000);
}

static enum step step_identify(struct request *r)
{
	struct db_scope system = db_scope_system();
	if (!permission_asks(r->route->endpoint->roles)) {
		r->step++; /* nothing to learn */
		return STEP_NEXT;
	}
	struct slice token = header_token(http_header(r->x, "authorization"), http_header(r->x, "cookie"));
	if (token.len == 0 || token.len > 100)
		return problem(r, 401, "sign_in_required", NULL, NULL);
	token_hash(token, r->token_hash);
	const struct principal *known = session_cache_find(r->api->sessions, r->token_hash, micros_now());
	if (known) {
		r->who = *known;
		r->step++;
		return guard_request(r);
	}
	if (guard_stranger(r) != STEP_NEXT)
		return STEP_DONE;
	r->session_epoch = session_cache_epoch(r->api->sessions);
	r->step_value[0] = db_bytes(r->token_hash, sizeof r->token_hash);
	return engine_ask(r, &system, SQL_session_find, r->step_value, 1);
}

static void put_id(char out[24], const struct db_rows *rows, int column)
{
	if (!db_is_null(rows, 0, column))
		snprintf(out, 24, "%lld", (long long)db_get_int(rows, 0, column));
}

/* Columns: id, name, role, low, high, contractor_id, centre_id, lives (microseconds left) */
static void fill_principal(struct principal *who, const struct db_rows *rows)
{
	struct slice name = db_get(rows, 0, 1), role = db_get(rows, 0, 2);
	memset(who, 0, sizeof *who);
	who->account = db_get_int(rows, 0, 0);
	who->role = role_bit(role);
	who->expires_at = micros_now() + db_get_int(rows, 0, 7);
	snprintf(who->name, sizeof who->name, "%.*s", (int)name.len, name.at);
	put_id(who->scope.part[0], rows, 3);
	put_id(who->scope.part[1], rows, 4);
	snprintf(who->scope.part[2], sizeof who->scope.part[2], "%.*s", (int)role.len, role.at);
	put_id(who->scope.part[3], rows, 0);
	put_id(who->scope.part[4], rows, 5);
	put_id(who->scope.part[5], rows, 6);
}

static enum step step_identified(struct request *r)
{
	if (r->reply->outcome != DB_OK)
		return problem_of_reply(r, r->reply);
	if (db_row_count(&r->reply->rows[0]) == 0) {
		guard_unknown_token(r);
		return problem(r, 401, "sign_in_required", NULL, NULL);
	}
	fill_principal(&r->who, &r->reply->rows[0]);
	if (db_hears(r->api->options.db)) /* else nobody would tell us that it ended */
		session_cache_put(r->api->sessions, r->token_hash, &r->who, r->session_epoch);
	return guard_request(r);
}

static enum step step_permit(struct request *r)
{
	if (!permission_admits(r->route->endpoint->roles, r->who.role))
		return problem(r, 403, "role_not_allowed", NULL, NULL);
	return STEP_NEXT;
}

/* --- conditions and keys --- */

static enum step step_if_match(struct request *r)
{
	struct slice version;
	if (!header_version(http_header(r->x, "if-match"), &version))
		return problem(r, 400, "if_match_invalid", NULL, "If-Match takes one ETag as it was given.");
	r->if_match = version.at ? arena_text(http_arena(r->x), version) : NULL;
	if (version.at && !r->if_match) /* never to be taken for "any version" */
		return problem(r, 413, "too_long", NULL, NULL);
	return STEP_NEXT;
}

static bool key_is_running(struct request *r)
{
	for (struct request *other = r->api->keyed; other; other = other->keyed_next)
		if (other->who.account == r->who.account && strcmp(other->key, r->key) == 0)
			return true;
	return false;
}

static bool make_print(struct request *r, struct slice body)
{
	struct buffer all;
	buffer_init(&all, http_arena(r->x), 128 + body.len);
	buffer_i64(&all, http_method(r->x));
	buffer_char(&all, ' ');
	buffer_slice(&all, http_path(r->x));
	buffer_char(&all, '?');
	buffer_slice(&all, http_query(r->x));
	buffer_char(&all, '\n');
	buffer_slice(&all, body);
	if (!all.failed)
		vault_fingerprint(r->api->options.vault, buffer_taken(&all), r->print);
	return !all.failed;
}

enum step engine_take_key(struct request *r, struct slice body)
{
	struct slice key = http_header(r->x, "idempotency-key");
	if (!key.at || http_method(r->x) <= HTTP_METHOD_HEAD || r->who.account == 0)
		return STEP_NEXT;
	if (!header_key_is_sound(key))
		return problem(r, 400, "idempotency_key_invalid", NULL, "1 to 200 visible ASCII characters.");
	r->key = arena_text(http_arena(r->x), key);
	if (!r->key || !make_print(r, body))
		return problem(r, 413, "too_long", NULL, NULL);
	if (key_is_running(r)) {
		r->key = NULL;
		return problem(r, 409, "request_in_progress", NULL,
			       "The same Idempotency-Key is being worked on.");
	}
	r->keyed_next = r->api->keyed;
	r->keyed_link = &r->api->keyed;
	if (r->keyed_next)
		r->keyed_next->keyed_link = &r->keyed_next;
	r->api->keyed = r;
	return STEP_NEXT;
}

static enum step step_key(struct request *r)
{
	return engine_take_key(r, http_body_bytes(r->x));
}

void engine_key_done(struct request *r)
{
	if (!r->keyed_link)
		return;
	*r->keyed_link = r->keyed_next;
	if (r->keyed_next)
		r->keyed_next->keyed_link = r->keyed_link;
	r->keyed_link = NULL;
}

/* --- the statement --- */

static bool way_fits(const struct request *r, const struct bound_way *way)
{
	if (way->when_role && way->when_role != r->who.role)
		return false;
	for (int i = 0; way->when_field[i] >= 0; i++) {
		const char *given = r->values[way->when_field[i]].at;
		if (!given || (way->when_value[i] && strcmp(given, way->when_value[i]) != 0))
			return false;
	}
	return true;
}

static const struct bound_way *pick_way(const struct request *r)
{
	for (int i = 0; i < r->route->ways; i++)
		if (way_fits(r, &r->route->way[i]))
			return &r->route->way[i];
	INVARIANT(false); /* the last way of an endpoint has no condition */
	return NULL;
}

static bool way_uses(const struct bound_way *way, int field)
{
	for (int i = 0; way->when_field[i] >= 0; i++)
		if (way->when_field[i] == field)
			return true;
	for (int i = 0; i < way->count; i++)
		if (way->op[i].source == BIND_FIELD && way->op[i].index == field)
			return true;
	return false;
}

/* A filter that the way taken does not know must not be passed over in silence. NULL: there is none. */
static const char *field_left_over(const struct request *r)
{
	const struct field *fields = r->route->endpoint->query;
	for (int i = 0; i < r->route->query_fields; i++)
		if (r->values[i].at && !fields[i].required && !way_uses(r->way, i))
			return arena_printf(http_arena(r->x), "/%s", fields[i].name);
	return NULL;
}

/* Path values: decimal ids, codes and names; decoded once. */
static bool path_text(struct request *r, int index, struct db_value *out)
{
	struct slice raw = r->path_value[index], plain;
	bool plus = memchr(raw.at, '+', raw.len) != NULL; /* '+' is itself in a path */
	if (plus || raw.len > 200 || !text_percent_decode(http_arena(r->x), raw, &plain))
		return false;
	*out = db_text(plain.at);
	return true;
}

static bool is_id(const struct endpoint *e)
{
	return strstr(e->path, "{id}") != NULL;
}

static bool bind_value(struct request *r, const struct bind_op *op, struct db_value *out)
{
	uint64_t id;
	switch (op->source) {
	case BIND_PATH:
		if (is_id(r->route->endpoint) && op->index == 0 &&
		    (!slice_to_u64(r->path_value[0], &id) || id > INT64_MAX))
			return false;
		return path_text(r, op->index, out);
	case BIND_FIELD:
		*out = r->values[op->index];
		return true;
	case BIND_IF_MATCH:
		*out = db_text(r->if_match);
		return true;
	case BIND_AFTER:
		*out = db_text(r->after);
		return true;
	case BIND_LIMIT:
		*out = db_text(r->limit_text);
		return true;
	case BIND_STEP:
		*out = r->step_value[op->index];
		return true;
	case BIND_KEY:
		*out = db_text(r->key);
		return true;
	case BIND_PRINT:
		*out = r->key ? db_bytes(r->print, sizeof r->print) : DB_NULL;
		return true;
	}
	return false;
}

enum step step_ask(struct request *r)
{
	struct buffer limit;
	buffer_init(&limit, http_arena(r->x), 16);
	buffer_i64(&limit, r->limit + 1); /* one more tells whether there is a next page */
	buffer_char(&limit, 0);
	if (!r->way) /* else a step of the endpoint has picked */
		r->way = pick_way(r);
	struct db_value *values =
		arena_zalloc(http_arena(r->x), sizeof *values * (size_t)(r->way->count + 1));
	if (limit.failed || !values)
		return problem(r, 413, "too_long", NULL, NULL);
	r->limit_text = limit.at;
	const char *left_over = field_left_over(r);
	if (left_over)
		return problem(r, 422, "not_combined", left_over,
			       "It does not go together with the other parameters.");
	for (int i = 0; i < r->way->count; i++)
		if (!bind_value(r, &r->way->op[i], &values[i]))
			return problem(r, 404, "not_found", NULL, NULL);
	stale_allow(r, r->way->way->statement);
	return engine_ask(r, &r->who.scope, r->way->way->statement, values, r->way->count);
}

static enum step step_replay(struct request *r)
{
	const struct db_rows *rows = r->reply->rows;
	if (r->reply->outcome != DB_OK)
		return problem_of_reply(r, r->reply);
	if (db_row_count(&rows[0]) == 0)
		return problem(r, 503, "try_again", NULL, NULL); /* expired between the two */
	struct slice print = db_get(&rows[0], 0, 0);
	if (!slice_equal(print, (struct slice){ (const char *)r->print, sizeof r->print }))
		return problem(r, 422, "idempotency_key_reused", NULL,
			       "The key was used for another request.");
	return answer_kept(r, db_get(&rows[0], 0, 1));
}

static request_step *const replay_steps[] = { step_replay, NULL };

enum step step_answer(struct request *r)
{
	const struct db_reply *reply = r->reply;
	stale_note(r);
	if (reply->outcome == DB_OK)
		return answer_rows(r, &reply->rows[0]);
	if (reply->outcome == DB_FAILED && r->key && strcmp(reply->constraint, "idempotency_pkey") == 0) {
		struct db_value *key = arena_alloc(http_arena(r->x), sizeof *key);
		if (!key)
			return problem(r, 413, "too_long", NULL, NULL);
		*key = db_text(r->key);
		r->step = replay_steps;
		return engine_ask(r, &r->who.scope, SQL_idempotency_find, key, 1);
	}
	return problem_of_reply(r, reply);
}

static enum step step_print(struct request *r)
{
	if (r->reply->outcome != DB_OK)
		return problem_of_reply(r, r->reply);
	return answer_sheet(r, &r->reply->rows[0]);
}

/* Goes on with what the endpoint has of its own, or with its statement. */
static enum step step_own(struct request *r)
{
	static request_step *const ordinary[] = { step_ask, step_answer, NULL };
	static request_step *const printed[] = { step_ask, step_print, NULL };
	request_step *const *own = r->route->endpoint->steps;
	r->step = own ? own : r->route->sheet ? printed : ordinary;
	return STEP_NEXT;
}

request_step *const engine_common_steps[] = { step_identify, step_identified, step_permit,
					      input_query,   input_body,      step_if_match,
					      step_key,      step_own,        NULL };
request_step *const engine_stream_steps[] = { step_identify, step_identified, step_permit,
					      input_query,   step_own,        NULL };
