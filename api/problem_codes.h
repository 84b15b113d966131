/* SPDX-License-Identifier: Apache-2.0
 * Every code that a refusal may carry besides the verdicts (api/engine.h), with what it means and what the
 * client should do: the source of docs/errors.md. A code that is not here fails the tests. */
#ifndef API_PROBLEM_CODES_H
#define API_PROBLEM_CODES_H

struct problem_code {
	const char *code; /* NULL ends a table */
	const char *status;
	const char *means, *todo;
};

extern const struct problem_code request_codes[]; /* the request itself, before anybody looked into it */
extern const struct problem_code input_codes[];   /* what it holds, who asks, and when */
extern const struct problem_code file_codes[];    /* a needs file as a whole */
extern const struct problem_code photo_codes[];   /* a photo, and the way it comes */
/* What to do about a verdict with this status, where the verdict does not say it itself. */
const char *problem_todo_of_status(int status);

#endif
