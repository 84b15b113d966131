/* SPDX-License-Identifier: Apache-2.0
 * A scan answers in one request: what it is, where it is, what may be done now. A POST, because a person's
 * certificate is scanned too, and no identity number may stand in a URL. */
#include "api/engine.h"
#include "api/scan_text.h"
#include "api/tables.h"

enum { SLOT_TEXT = 1, SLOT_INDEX };
enum { WAY_ANYTHING, WAY_PERSON };

/* What reads like a citizen ID is looked for among people first, where that is recorded: a write. Everything
 * else only reads. */
static enum step step_fold(struct request *r)
{
	struct arena *arena = http_arena(r->x);
	struct slice given = slice_of(input_value(r, "code")->at);
	char *folded = arena_alloc(arena, given.len + 1), identity[SCAN_IDENTITY_BYTES];
	unsigned char *index = arena_alloc(arena, VAULT_INDEX_BYTES);
	if (!folded || !index)
		return problem(r, 413, "too_long", NULL, NULL);
	size_t len = scan_fold(given, folded);
	folded[len] = '\0';
	if (len == 0)
		return problem(r, 422, "too_short", "/code", "Nothing was scanned but blanks.");
	bool person = scan_is_identity((struct slice){ folded, len }, identity);
	if (person)
		vault_index(r->api->options.vault, (struct slice){ identity, sizeof identity }, index);
	explicit_bzero(identity, sizeof identity);
	r->way = &r->route->way[person ? WAY_PERSON : WAY_ANYTHING];
	r->step_value[SLOT_TEXT] = db_text(folded);
	r->step_value[SLOT_INDEX] = db_bytes(index, VAULT_INDEX_BYTES);
	return STEP_NEXT;
}

static request_step *const scan_steps[] = { step_fold, step_ask, step_answer, NULL };

static const struct field scan_in[] = {
	{ "code", F_TEXT, .required = true, .max = 200,
	  .says = "As the scanner gave it; blanks, a trailing Enter and full-width characters do no harm" },
	{ 0 },
};

const struct verdict device_scan_verdicts[] = {
	{ NULL, 0, NULL, NULL },
};

const struct endpoint device_scan_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/scans", ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER | ROLE_AUDITOR, NULL,
	  scan_in, .steps = scan_steps,
	  .way = { [WAY_ANYTHING] = { NULL, SQL_device_scan, "step.1" },
		   [WAY_PERSON] = { NULL, SQL_device_scan_person, "step.1 step.2" } },
	  .summary = "What was scanned: what it is, where it is, and what may be done now",
	  .says = "`kind`: item, person, request, handover, transfer, disinfection, stock_taking, elsewhere "
		  "(an "
		  "item of another centre: whose it is, and no more), several or unknown. Of a number that "
		  "several "
		  "things have, REQ-, OUT-, TRF-, DIS- or STK- in front says which is meant." },
	{ 0 },
};
