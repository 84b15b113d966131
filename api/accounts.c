/* SPDX-License-Identifier: Apache-2.0
 * Accounts, by the administrator. The password is hashed in the thread pool before the statement is asked. */
#include "api/engine.h"
#include "api/tables.h"
#include "service/password.h"

enum { SLOT_HASH = 1 };

struct hashing {
	struct slice password;
	char hash[PASSWORD_HASH_BYTES];
	bool done;
};

static void hash_in_pool(struct request *r)
{
	struct hashing *h = r->own;
	h->done = password_hash(h->password, h->hash);
}

static enum step step_hash(struct request *r)
{
	const struct db_value *password = input_value(r, "password");
	struct hashing *h = arena_zalloc(http_arena(r->x), sizeof *h);
	r->step_value[SLOT_HASH] = DB_NULL;
	if (!h)
		return problem(r, 413, "too_long", NULL, NULL);
	r->own = h;
	if (!password->at) {
		h->done = true;
		return STEP_NEXT;
	}
	h->password = slice_of(password->at);
	return engine_take_turn(r, TURN_PASSWORD, hash_in_pool);
}

static enum step step_hashed(struct request *r)
{
	struct hashing *h = r->own;
	if (!h->done)
		return problem(r, 503, "try_again", NULL, NULL);
	if (h->password.at)
		r->step_value[SLOT_HASH] = db_text(h->hash);
	return STEP_NEXT;
}

/* Its sessions have ended. The database tells every server so, but this one has to know before it answers. */
static enum step step_forget(struct request *r)
{
	session_cache_clear(r->api->sessions);
	return STEP_NEXT;
}

static request_step *const hashing_steps[] = { step_hash, step_hashed, step_ask, step_answer, NULL };
static request_step *const changing_steps[] = { step_hash,   step_hashed, step_ask,
						step_forget, step_answer, NULL };

const struct field account_in[] = {
	{ "user", F_TEXT, .required = true, .max = 64 },
	{ "password", F_SECRET, .required = true, .min = 8, .max = 200 },
	{ "role", F_ENUM, .required = true, .of = role_names },
	{ "region", F_REGION, .says = "What the account sees; needed for county, manager and auditor." },
	{ "contractor", F_TEXT, .min = 1, .max = 64,
	  .says = "With role contractor: its code; a new code makes the contractor." },
	{ "centre", F_TEXT, .min = 1, .max = 64,
	  .says = "With role centre: its code; a new code makes the centre." },
	{ 0 },
};
static const struct field change_in[] = {
	{ "password", F_SECRET, .min = 8, .max = 200 },
	{ "disabled", F_BOOL },
	{ "region", F_REGION },
	{ 0 },
};

const struct endpoint account_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/users", ROLE_ADMIN, NULL, account_in, .status = 201,
	  .steps = hashing_steps,
	  .way = { { NULL, SQL_account_create, "in.user step.1 in.role in.region in.contractor in.centre" } },
	  .summary = "A new account" },
	{ HTTP_METHOD_GET, "/api/v1/users", ROLE_ADMIN, .page = "id",
	  .way = { { NULL, SQL_accounts_list, "page.after page.limit" } }, .summary = "Accounts" },
	{ HTTP_METHOD_GET, "/api/v1/users/{id}", ROLE_ADMIN, .way = { { NULL, SQL_account_get, "path.id" } },
	  .summary = "One account" },
	{ HTTP_METHOD_PATCH, "/api/v1/users/{id}", ROLE_ADMIN, NULL, change_in, .steps = changing_steps,
	  .way = { { NULL, SQL_account_change, "path.id if_match step.1 in.disabled in.region" } },
	  .summary = "New password, disable or enable, other region; the account's sessions end" },
	{ HTTP_METHOD_POST, "/api/v1/users/{id}/unlock", ROLE_ADMIN,
	  .way = { { NULL, SQL_account_unlock, "path.id" } },
	  .summary = "Forget the account's failed attempts to sign in" },
	{ HTTP_METHOD_GET, "/api/v1/users/{id}/events", ROLE_ADMIN, .page = "id",
	  .way = { { NULL, SQL_account_events, "path.id page.after page.limit" } },
	  .summary = "When the account was locked out and unlocked" },
	{ HTTP_METHOD_GET, "/api/v1/contractors", SIGNED_IN, .page = "id",
	  .way = { { NULL, SQL_contractors_list, "page.after page.limit" } }, .summary = "Contractors" },
	{ 0 },
};
