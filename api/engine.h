/* SPDX-License-Identifier: Apache-2.0
 * The engine that walks a request through its steps. Private to api/.
 * Invariant: at any time a request runs a step, or waits for exactly one thing (database or thread pool), or
 * is answered. */
#ifndef API_ENGINE_H
#define API_ENGINE_H

#include "api/api.h"
#include "api/budget.h"
#include "api/endpoint.h"
#include "api/session_cache.h"
#include "api/sheet.h"
#include <jansson.h>

/* What the thread pool does only so often at once, so that threads are left for everything else. */
enum turn_kind { TURN_PASSWORD, TURN_PHOTO, TURNS };

enum { PATH_VALUES = 3, TRACES = 64, STEP_VALUES = 8 };

/* How a row of a statement is written: the text before each column's value, and the end. */
struct row_plan {
	int columns;
	struct slice *lead;                /* at NULL: the column speaks of a refusal and is not written */
	const char *tail;                  /* "}" or "}}" */
	int verdict, field, version, page; /* column numbers or -1 */
};

enum bind_source {
	BIND_PATH,
	BIND_FIELD,
	BIND_IF_MATCH,
	BIND_AFTER,
	BIND_LIMIT,
	BIND_STEP,
	BIND_KEY,
	BIND_PRINT
};
struct bind_op {
	enum bind_source source;
	int index;
};
struct bound_way {
	const struct way *way;
	int when_field[3];         /* value numbers that must be given; -1 ends */
	const char *when_value[3]; /* what it must be; NULL: anything */
	unsigned when_role;
	int count;
	struct bind_op op[DB_PARAMETERS];
};

/* An endpoint, checked and compiled at start. */
struct route {
	const struct endpoint *endpoint;
	const struct sheet *sheet; /* compiled, when the endpoint has one */
	int query_fields, body_fields;
	int ways;
	struct bound_way way[WAYS];
	struct metric *seconds;
	struct metric *answers[6]; /* by status / 100 */
};

struct api {
	struct api_options options;
	struct route *routes;
	int route_count;
	struct row_plan *plans; /* SQL_COUNT */
	struct session_cache *sessions;
	struct request *keyed; /* running requests that carry an Idempotency-Key */
	struct buffer openapi;
	struct arena *arena; /* lives as long as the api */
	bool stopping;
	struct budget *requests, *strangers, *sign_in_budget; /* guard.c */
	unsigned sign_ins;                                    /* under way */
	struct turns {
		unsigned running, most;
		struct request *first, *last; /* who waits for a thread */
	} turns[TURNS];                       /* work.c */
	struct metric *sign_in_failures, *refused_input, *unrouted;
	unsigned char traces[TRACES][16]; /* random, the last trace_left of them not used yet */
	int trace_left;
};

struct request {
	struct http_exchange *x;
	struct api *api;
	const struct route *route;
	struct slice path_value[PATH_VALUES];
	struct principal who;
	unsigned char token_hash[32];
	json_t *body;
	struct db_value *values; /* query fields, then body fields */
	struct db_value step_value[STEP_VALUES];
	const char *after;
	int limit;
	const char *if_match, *limit_text;
	const char *key; /* Idempotency-Key */
	unsigned char print[VAULT_INDEX_BYTES];
	struct request *keyed_next, **keyed_link;
	const struct bound_way *way;
	int64_t stale_ms;   /* how old the answer may be; 0: not at all */
	const char *read;   /* who answered a read that might be late: a header line, or NULL */
	const char *header; /* lines that its answer has besides, or NULL; arena or static memory */
	struct db_call *call;
	const struct db_reply *reply; /* during the step after a wait */
	struct http_pending pending;
	request_step *const *step;
	void *own; /* what the endpoint's steps keep */
	void (*own_end)(
		struct request *r); /* called once, when the exchange has ended and no thread uses it */
	bool answered, working, work_gone;
	struct request *turn_next;
	struct turns *turn; /* it waits for */
	void (*turn_run)(struct request *r);
	const char *allow;      /* no route: what the path does allow, or "" */
	const char *refused;    /* the code of the problem it was answered with */
	unsigned retry_after;   /* seconds, for a problem that passes; 0: one */
	uint64_t session_epoch; /* when the session was looked up */
	char trace[33];
};

/* engine.c */
void engine_run(struct request *r);
enum step engine_ask(struct request *r, const struct db_scope *scope, enum sql statement,
		     const struct db_value *values,
		     int count); /* STEP_PARKED; the next step finds r->reply */
/* Runs it in the thread pool; the next step follows. The exchange is held meanwhile. */
enum step engine_work(struct request *r, void (*run)(struct request *r));
/* The same for what is dear: only so many at once, the others wait. */
enum step engine_take_turn(struct request *r, enum turn_kind kind, void (*run)(struct request *r));
/* Takes the Idempotency-Key, if there is one; `body` is what the request is told from another by. */
enum step engine_take_key(struct request *r, struct slice body);
request_step step_ask, step_answer;

/* stale.c: reads that may be late, when who asks allows it */
void stale_allow(struct request *r, enum sql statement); /* sets r->stale_ms */
void stale_note(struct request *r);                      /* the answer has come: who gave it */

/* Steps that every endpoint but a streamed one begins with. */
extern request_step *const engine_common_steps[];
extern request_step *const engine_stream_steps[];

/* Lets go of what the steps kept, once no thread uses it; and of the Idempotency-Key. For application.c. */
void engine_own_end(struct request *r);
void engine_key_done(struct request *r);

/* guard.c: what is refused because there is too much of it */
void guard_start(struct api *api);
void guard_end(struct api *api);
enum step guard_request(struct request *r);  /* takes from the budget of the token that was let in */
enum step guard_stranger(struct request *r); /* before a token nobody knows is looked up */
void guard_unknown_token(struct request *r); /* it was none */
enum step guard_sign_in(struct request *r);  /* by address; and only so many under way */
void guard_sign_in_end(struct request *r);
/* What a waiting client would learn only after its body: without waiting for anything. */
enum step guard_expectation(struct request *r);

/* answer.c: each ends the request and returns STEP_DONE */
enum step answer_rows(struct request *r, const struct db_rows *rows);
enum step answer_sheet(struct request *r, const struct db_rows *rows); /* the same, printed */
enum step answer_kept(struct request *r, struct slice json); /* an answer kept under the Idempotency-Key */
enum step answer_json(struct request *r, int status, struct slice body, const char *headers);
enum step answer_raw(struct request *r, const struct http_response *response);
const char *request_headers(struct request *r, const char *more);
/* The client has what has this tag (with its quotes) already. */
bool request_has(struct request *r, struct slice tag);

/* problem.c */
enum step problem(struct request *r, int status, const char *code, const char *field, const char *detail);
enum step problem_of_reply(struct request *r, const struct db_reply *reply);
/* field: NULL, or what the statement said of it, for verdicts that name none of themselves */
enum step problem_of_verdict(struct request *r, const struct verdict *verdict, const char *field);
/* A file of ours could not be written or read: errno, and what is told in the log. */
enum step problem_of_storage(struct request *r, int error, const char *event);
const struct verdict *verdict_of(struct slice name);
void problem_begin(struct buffer *out, int status, const char *code, const char *title, struct slice field,
		   const char *detail);

/* input.c */
enum step input_query(struct request *r);
enum step input_body(struct request *r);
const struct db_value *input_value(const struct request *r, const char *name); /* of a query or body field */

/* router.c */
const struct route *router_match(const struct api *api, enum http_method method, struct slice path,
				 struct slice values[PATH_VALUES], char allow[64]);

/* compile.c */
MUST_USE bool compile_routes(struct api *api, char *why, size_t why_size);

/* openapi.c */
MUST_USE bool openapi_write(struct api *api);

#endif
