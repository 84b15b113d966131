/* SPDX-License-Identifier: Apache-2.0
 * An endpoint is data: one row routes, authorises, checks the input, binds it to a statement, and is the
 * source of /openapi.json. Tables of them stand in api/<resource>.c and are listed in api/tables.c. */
#ifndef API_ENDPOINT_H
#define API_ENDPOINT_H

#include "api/permission.h"
#include "db/db.h"
#include "service/http.h"

enum field_kind {
	F_TEXT,   /* min..max code points */
	F_SECRET, /* the same; never logged, never kept */
	F_ENUM,   /* one of `of` */
	F_INT,    /* min..max */
	F_NUMBER, /* at least min, at most max */
	F_BOOL,
	F_TIME,    /* RFC 3339 */
	F_DATE,    /* YYYY-MM-DD */
	F_REGION,  /* six or nine digits */
	F_CITIZEN, /* 18 characters; bound as its keyed hash */
	F_OBJECT,  /* any JSON object, at most max bytes as text */
	F_ITEMS,   /* an array of at most max objects with the fields `items` */
	F_TEXTS /* an array of at most max texts of 1..100 code points, each one of `of` if that is given */
};
struct field {
	const char *name; /* NULL ends a table */
	enum field_kind kind;
	bool required;
	int64_t min, max;
	const char *const *of;
	const struct field *items;
	const char *says; /* for /openapi.json; may be NULL */
};

struct request;
enum step { STEP_NEXT, STEP_PARKED, STEP_DONE };
typedef enum step request_step(struct request *r);

/* A statement and where its parameters come from, in order:
 *   path.NAME  query.NAME  in.NAME  if_match  page.after  page.limit  step.N (set by a step)
 * ($1 and $2 of a :write statement, the Idempotency-Key and fingerprint, are bound by themselves.)
 * `when`: query fields that must be given, or NAME=value, or @role of the caller; the first row that fits is
 * taken. */
struct way {
	const char *when; /* NULL: always */
	enum sql statement;
	const char *bind;
};
enum { WAYS = 10 };

struct endpoint {
	enum http_method method;
	const char *path; /* "/api/v1/cases/{id}"; NULL ends a table */
	unsigned roles;
	const struct field *query, *body;
	struct way way[WAYS];
	int status;       /* of success: 200 unless set */
	const char *page; /* lists: the column a page goes on after: a number, or the texts "code" and
			     "_cursor" */
	request_step *const *steps;   /* NULL ends; instead of ask + answer */
	const struct http_sink *sink; /* the body is not JSON: it is streamed here; steps answer */
	const char *takes;            /* of a streamed body: "text/csv" or several with blanks */
	const char *media; /* of a plain answer that is not JSON: "text/csv" or several with blanks */
	const char *sheet; /* the answer is printed on this template instead of JSON: see sheet.h */
	bool always;       /* its answer changes without its version: never 304 */
	bool plain;        /* the answer is not made of columns; `says` tells what it is */
	const char *summary, *says;
};

extern const struct endpoint *const endpoint_tables[];

/* What a statement says when it does not do what it was asked. A resource's verdicts stand beside its
 * endpoints; those of several resources in problem.c. */
struct verdict {
	const char *name;
	int status;
	const char *title;
	const char *field; /* NULL: the statement's _field */
};
extern const struct verdict verdicts[];              /* of several resources; name NULL ends */
extern const struct verdict *const verdict_tables[]; /* tables.c; NULL ends */

#endif
