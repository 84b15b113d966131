/* SPDX-License-Identifier: Apache-2.0
 * The HTTP application: give api_application() to http_server_start. */
#ifndef API_API_H
#define API_API_H

#include "db/db.h"
#include "service/http.h"
#include "service/vault.h"

struct api;
struct api_options {
	uv_loop_t *loop;
	struct db *db;
	struct metrics *metrics;
	const struct vault *vault;
	const char *uploads; /* folder for sealed uploads */
	const char *photos;  /* folder of photos: service/photo_store.h */
	int photo_bytes;     /* the longest that is taken */
	int photos_per_case; /* how many a case may have */
	int photo_decoders;  /* how many are decoded at once, in this process */
	int session_seconds;
	int token_rate, token_burst; /* requests of one token, a second and at once */
	int sign_in_tries;           /* failures from one address for one account before it has to wait */
	int sign_in_tries_address, sign_in_tries_account; /* the same from an address, for an account */
};
/* db must be ready (db_options.on_ready): tables are checked against what PostgreSQL described.
 * NULL and one line in `why` when a table and its statement disagree. */
struct api *api_new(const struct api_options *options, char *why, size_t why_size);
void api_free(struct api **api);
struct http_application api_application(struct api *api);
/* From db_options: what the database notified. */
void api_session_ended(struct api *api, const char *token_hash_hex);
void api_forget_sessions(struct api *api);
/* /readyz answers 503 from now on. */
void api_stopping(struct api *api);
/* For requests refused before they had an exchange. */
void api_write_refusal(int status, const char *reason, struct buffer *out);

#endif
