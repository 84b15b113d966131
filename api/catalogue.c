/* SPDX-License-Identifier: Apache-2.0
 * The catalogue: rooms, problems of a home, and measures against them. Nothing of it is deleted: cases name
 * it.
 */
#include "api/tables.h"

const char *const room_codes[] = { "entrance", "living_room", "bathroom", "kitchen",
				   "bedroom",  "stairs",      "other",    NULL };
static const char *const kinds[] = { "retrofit", "device", NULL };
static const char *const clearable[] = { "price", "ceiling", NULL };

enum { ROOMS = 7, MOST_FEN = 100000000, MOST_WORDS = 50 };
#define ROOMS_SAY "Where it belongs; an empty list: everywhere."
#define WORDS_SAY "What needs files (改造需求, 辅具需求) call it."

const struct verdict catalogue_verdicts[] = {
	{ "measure_taken", 409, "The code of the measure is taken.", "/code" },
	{ "measure_unknown", 422, "There is no such measure.", NULL },
	{ "problem_taken", 409, "The code of the problem is taken.", "/code" },
	{ "need_item_taken", 409, "Another measure of this kind has this word of the needs files.",
	  "/need_items" },
	{ NULL, 0, NULL, NULL },
};

static const struct field measures_query[] = {
	{ "kind", F_ENUM, .of = kinds },
	{ "room", F_ENUM, .of = room_codes },
	{ "problem", F_TEXT, .max = 48, .says = "Only measures that answer it." },
	{ "retired", F_BOOL, .says = "Those out of use too." },
	{ 0 },
};

static const struct field measure_in[] = {
	{ "code", F_TEXT, .required = true, .min = 2, .max = 48,
	  .says = "Lower-case letters, digits and _; a letter first." },
	{ "kind", F_ENUM, .required = true, .of = kinds },
	{ "name_zh", F_TEXT, .required = true, .max = 100 },
	{ "name_ko", F_TEXT, .min = 1, .max = 100 },
	{ "name_en", F_TEXT, .min = 1, .max = 100 },
	{ "unit", F_TEXT, .required = true, .max = 100 },
	{ "price", F_INT, .min = 0, .max = MOST_FEN, .says = "分 a unit, for guidance" },
	{ "ceiling", F_INT, .min = 0, .max = MOST_FEN, .says = "分 a unit: the most that subsidies pay" },
	{ "rooms", F_TEXTS, .max = ROOMS, .of = room_codes, .says = ROOMS_SAY },
	{ "need_items", F_TEXTS, .max = MOST_WORDS, .says = WORDS_SAY },
	{ 0 },
};

static const struct field measure_change_in[] = {
	{ "name_zh", F_TEXT, .min = 1, .max = 100 },
	{ "name_ko", F_TEXT, .min = 1, .max = 100 },
	{ "name_en", F_TEXT, .min = 1, .max = 100 },
	{ "unit", F_TEXT, .min = 1, .max = 100 },
	{ "price", F_INT, .min = 0, .max = MOST_FEN },
	{ "ceiling", F_INT, .min = 0, .max = MOST_FEN },
	{ "rooms", F_TEXTS, .max = ROOMS, .of = room_codes, .says = ROOMS_SAY },
	{ "need_items", F_TEXTS, .max = MOST_WORDS, .says = WORDS_SAY },
	{ "retired", F_BOOL, .says = "true: no new survey or design may choose it." },
	{ "clear", F_TEXTS, .max = 2, .of = clearable, .says = "What the measure shall have none of." },
	{ 0 },
};

static const struct field problems_query[] = {
	{ "room", F_ENUM, .of = room_codes },
	{ "retired", F_BOOL, .says = "Those out of use too." },
	{ 0 },
};

static const struct field problem_in[] = {
	{ "code", F_TEXT, .required = true, .min = 2, .max = 48,
	  .says = "Lower-case letters, digits and _; a letter first." },
	{ "name_zh", F_TEXT, .required = true, .max = 100 },
	{ "name_ko", F_TEXT, .min = 1, .max = 100 },
	{ "name_en", F_TEXT, .min = 1, .max = 100 },
	{ "rooms", F_TEXTS, .max = ROOMS, .of = room_codes, .says = ROOMS_SAY },
	{ "measures", F_TEXTS, .max = MOST_WORDS, .says = "Codes of what answers it, the usual one first." },
	{ 0 },
};

static const struct field problem_change_in[] = {
	{ "name_zh", F_TEXT, .min = 1, .max = 100 },
	{ "name_ko", F_TEXT, .min = 1, .max = 100 },
	{ "name_en", F_TEXT, .min = 1, .max = 100 },
	{ "rooms", F_TEXTS, .max = ROOMS, .of = room_codes, .says = ROOMS_SAY },
	{ "measures", F_TEXTS, .max = MOST_WORDS, .says = "The whole list." },
	{ "retired", F_BOOL, .says = "true: no new survey may name it." },
	{ 0 },
};

const struct endpoint catalogue_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/rooms", SIGNED_IN, .way = { { NULL, SQL_rooms_list, "" } },
	  .summary = "The rooms of a survey, in its order" },
	{ HTTP_METHOD_GET, "/api/v1/measures", SIGNED_IN, measures_query, .page = "code",
	  .way = { { NULL, SQL_measures_list,
		     "query.kind query.room query.problem query.retired page.after page.limit" } },
	  .summary = "What can be done about a problem of a home" },
	{ HTTP_METHOD_GET, "/api/v1/measures/{code}", SIGNED_IN,
	  .way = { { NULL, SQL_measure_get, "path.code" } }, .summary = "One measure" },
	{ HTTP_METHOD_POST, "/api/v1/measures", ROLE_ADMIN, NULL, measure_in, .status = 201,
	  .way = { { NULL, SQL_measure_create,
		     "in.code in.kind in.name_zh in.name_ko in.name_en in.unit in.price in.ceiling in.rooms "
		     "in.need_items" } },
	  .summary = "A new measure" },
	{ HTTP_METHOD_PATCH, "/api/v1/measures/{code}", ROLE_ADMIN, NULL, measure_change_in,
	  .way = { { NULL, SQL_measure_change,
		     "path.code if_match in.name_zh in.name_ko in.name_en in.unit in.price in.ceiling "
		     "in.rooms "
		     "in.need_items in.retired in.clear" } },
	  .summary = "Change a measure, or take it out of use; what designs have taken from it stays" },
	{ HTTP_METHOD_GET, "/api/v1/problems", SIGNED_IN, problems_query, .page = "code",
	  .way = { { NULL, SQL_problems_list, "query.room query.retired page.after page.limit" } },
	  .summary = "What may be wrong in a home, and what answers it" },
	{ HTTP_METHOD_GET, "/api/v1/problems/{code}", SIGNED_IN,
	  .way = { { NULL, SQL_problem_get, "path.code" } }, .summary = "One problem" },
	{ HTTP_METHOD_POST, "/api/v1/problems", ROLE_ADMIN, NULL, problem_in, .status = 201,
	  .way = { { NULL, SQL_problem_create,
		     "in.code in.name_zh in.name_ko in.name_en in.rooms in.measures" } },
	  .summary = "A new problem" },
	{ HTTP_METHOD_PATCH, "/api/v1/problems/{code}", ROLE_ADMIN, NULL, problem_change_in,
	  .way = { { NULL, SQL_problem_change,
		     "path.code if_match in.name_zh in.name_ko in.name_en in.rooms in.measures "
		     "in.retired" } },
	  .summary = "Change a problem, or take it out of use" },
	{ 0 },
};
