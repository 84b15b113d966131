/* SPDX-License-Identifier: Apache-2.0
 * `tantu user create|reset`: what the administrator does with /users, from a shell, also with the server
 * down. Invariant: what is refused there is refused here, by the same table of fields and the same
 * statements. */
#include "api/engine.h"
#include "api/tables.h"
#include "api/text.h"
#include "commands/command.h"
#include "commands/password_input.h"
#include "db/direct.h"
#include "service/log.h"
#include "service/password.h"
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { DATABASE_SECONDS = 10, LINE = 400 };

/* The option that a field of POST /users is here; the name stands alone, the password never on the command
 * line. */
static const char *option_of(const char *field, char out[32])
{
	if (strcmp(field, "user") == 0)
		return "NAME";
	snprintf(out, 32, strcmp(field, "password") == 0 ? "%s" : "--%s", field);
	return out;
}

static bool check_field(const struct field *f, const char *value, char *why, size_t why_size)
{
	char buffer[32];
	const char *option = option_of(f->name, buffer);
	size_t length = slice_utf8_length(slice_of(value)), least = f->min ? (size_t)f->min : f->required;
	why[0] = '\0';
	if (!slice_is_utf8(slice_of(value)))
		snprintf(why, why_size, "%s: not UTF-8", option);
	else if (f->kind == F_REGION && !text_is_region(slice_of(value)))
		snprintf(why, why_size, "%s: a region code of six or nine digits", option);
	else if (f->kind == F_ENUM && !role_bit(slice_of(value)))
		snprintf(why, why_size, "%s: there is no such role (tantu user create --help)", option);
	else if ((f->kind == F_TEXT || f->kind == F_SECRET) && (length < least || length > (size_t)f->max))
		snprintf(why, why_size, "%s: %zu to %d characters", option, least, (int)f->max);
	return !why[0];
}

/* What was given for each field, the password among it; NULL: not given. */
static const char *given(const struct arguments *arguments, const char *field, const char *password)
{
	char option[32];
	return strcmp(field, "password") == 0 ? password : argument(arguments, option_of(field, option));
}

static bool check_fields(const struct arguments *arguments, const char *password, char *why, size_t why_size)
{
	for (const struct field *f = account_in; f->name; f++) {
		const char *value = given(arguments, f->name, password);
		if (value && !check_field(f, value, why, why_size))
			return false;
	}
	return true;
}

static bool take_password(const struct arguments *arguments, char hash[PASSWORD_HASH_BYTES], char *why,
			  size_t why_size)
{
	char password[PASSWORD_INPUT_BYTES];
	bool done = password_input(argument(arguments, "--password-file"), password, why, why_size) &&
		    check_fields(arguments, password, why, why_size);
	if (done && !password_hash(slice_of(password), hash)) {
		snprintf(why, why_size, "not enough memory to hash the password");
		done = false;
	}
	sodium_memzero(password, sizeof password);
	return done;
}

static struct db_direct *open_database(const struct config *config, char *why, size_t why_size)
{
	if (config->database)
		return db_direct_open(config->database, DATABASE_SECONDS, why, why_size);
	snprintf(why, why_size, "TANTU_DATABASE: not set; it is the connection string of the role tantu_app");
	return NULL;
}

/* A verdict as one line: the field's option, and the words of the API. */
static bool accepted(const struct db_rows *rows, char *why, size_t why_size)
{
	char option[32];
	if (db_row_count(rows) == 1 && db_is_null(rows, 0, 0))
		return true;
	const struct verdict *v = verdict_of(db_row_count(rows) ? db_get(rows, 0, 0) : SLICE("not_found"));
	snprintf(why, why_size, "%s%s%s", v->field ? option_of(v->field + 1, option) : "",
		 v->field ? ": " : "", v->title);
	return false;
}

static struct db_value optional(const char *text)
{
	return text ? db_text(text) : DB_NULL;
}

static void tell(const char *event, const struct db_rows *rows)
{
	int64_t id = db_get_int(rows, 0, db_column_number(rows, "id"));
	struct slice role = db_get(rows, 0, db_column_number(rows, "role"));
	char name[32];
	snprintf(name, sizeof name, "%.*s", (int)role.len, role.at);
	log_line(LOG_INFO, event, LOG_NUMBER("account", id), LOG_TEXT("role", name));
	printf("{\"id\":%" PRId64 ",\"role\":\"%s\"}\n", id, name);
}

/* --- create --- */

static bool create(struct db_direct *db, const struct arguments *a, const char *hash, char *why,
		   size_t why_size)
{
	struct db_scope system = db_scope_system();
	struct db_rows rows;
	struct db_value values[] = { DB_NULL,
				     DB_NULL,
				     db_text(argument(a, "NAME")),
				     db_text(hash),
				     db_text(argument(a, "--role")),
				     optional(argument(a, "--region")),
				     optional(argument(a, "--contractor")),
				     optional(argument(a, "--centre")) };
	if (!db_direct_ask(db, &system, SQL_account_create, values, 8, &rows, why, why_size) ||
	    !accepted(&rows, why, why_size))
		return false;
	tell("account_made", &rows);
	return true;
}

int run_user_create(const struct config *config, const struct arguments *arguments)
{
	char why[LINE], hash[PASSWORD_HASH_BYTES];
	/* What can be refused without a password is, before one is asked for. */
	if (!check_fields(arguments, NULL, why, sizeof why))
		return complain(why);
	struct db_direct *db = open_database(config, why, sizeof why);
	bool done = db && take_password(arguments, hash, why, sizeof why) &&
		    create(db, arguments, hash, why, sizeof why);
	db_direct_close(&db);
	return done ? EXIT_DONE : complain(why);
}

/* --- reset --- */

static bool find(struct db_direct *db, const char *name, char id[24], char *why, size_t why_size)
{
	struct db_scope system = db_scope_system();
	struct db_rows rows;
	struct db_value values[] = { db_text(name) };
	if (!db_direct_ask(db, &system, SQL_account_named, values, 1, &rows, why, why_size))
		return false;
	if (db_row_count(&rows) == 0) {
		snprintf(why, why_size, "NAME: there is no such account");
		return false;
	}
	snprintf(id, 24, "%" PRId64, db_get_int(&rows, 0, 0));
	return true;
}

static bool reset(struct db_direct *db, const char *id, const char *hash, bool enable, char *why,
		  size_t why_size)
{
	struct db_scope system = db_scope_system();
	struct db_rows rows;
	struct db_value values[] = { DB_NULL, DB_NULL,       db_text(id),
				     DB_NULL, db_text(hash), enable ? db_text("false") : DB_NULL,
				     DB_NULL };
	if (!db_direct_ask(db, &system, SQL_account_change, values, 7, &rows, why, why_size) ||
	    !accepted(&rows, why, why_size))
		return false;
	tell("account_reset", &rows);
	if (!db_is_null(&rows, 0, db_column_number(&rows, "disabled_at")))
		fprintf(stderr, "tantu: note: the account is disabled; --enable lets it sign in again\n");
	return true;
}

int run_user_reset(const struct config *config, const struct arguments *arguments)
{
	char why[LINE], hash[PASSWORD_HASH_BYTES], id[24];
	struct db_direct *db = open_database(config, why, sizeof why);
	bool done = db && find(db, argument(arguments, "NAME"), id, why, sizeof why) &&
		    take_password(arguments, hash, why, sizeof why) &&
		    reset(db, id, hash, argument(arguments, "--enable") != NULL, why, sizeof why);
	db_direct_close(&db);
	return done ? EXIT_DONE : complain(why);
}
