/* SPDX-License-Identifier: Apache-2.0
 * The catalogue of assistive devices: classes and what they are in other editions, models, and what a plan
 * grants of them. */
#include "api/tables.h"

const struct verdict device_model_verdicts[] = {
	{ "class_invalid", 422,
	  "A class is a scheme (iso9999), the year of its edition, and two to eight digits.", NULL },
	{ "class_unknown", 422, "There is no such class.", NULL },
	{ "model_code_invalid", 422,
	  "At most 48 small letters, digits, dots, - and _; a letter or digit first.", "/code" },
	{ "measure_not_device", 422, "The measure is no kind of device.", NULL },
	{ "rent_subsidy_exceeds_rent", 422, "The subsidy of a month's rent is more than the rent.",
	  "/rent_subsidy" },
	{ "model_in_use", 409, "There are items of the model: its kind cannot change any more.", "/measure" },
	{ "link_within_edition", 422, "Classes of one edition are not linked: their numbers say it.", NULL },
	{ "catalogue_faulty", 422,
	  "Nothing was imported: `reasons` names each place and what is wrong there.", NULL },
	{ NULL, 0, NULL, NULL },
};

enum { MOST_ENTRIES = 3000, MOST_FEN = 100000000, MOST_MONTHS = 600, MOST_LOAN_HOURS = 2160 };
#define CLASS_SAYS "scheme/edition/code, such as iso9999/2016/122203"

static const struct field classes_query[] = {
	{ "scheme", F_TEXT, .max = 32 },
	{ "edition", F_TEXT, .max = 4 },
	{ "under", F_TEXT, .max = 8, .says = "What the code begins with: 1222 with all below it" },
	{ "q", F_TEXT, .max = 100, .says = "In one of the names" },
	{ 0 },
};

static const struct field models_query[] = {
	{ "measure", F_TEXT, .max = 48, .says = "The kind of device" },
	{ "class", F_TEXT, .max = 50, .says = CLASS_SAYS " Finds what another edition codes, too." },
	{ "q", F_TEXT, .max = 100, .says = "In code, names or maker" },
	{ "retired", F_BOOL, .says = "Those out of use too." },
	{ 0 },
};

static const char *const relations[] = { "same", "narrower", "wider", "overlaps", NULL };
#define RELATION_SAYS "What `to` is to the class"

/* Entries of a document; what an entry is of stands first, and is the path where one is put by itself. */
static const struct field class_entry[] = {
	{ "class", F_TEXT, .required = true, .max = 50, .says = CLASS_SAYS },
	{ "name_zh", F_TEXT, .required = true, .max = 200 },
	{ "name_ko", F_TEXT, .min = 1, .max = 200 },
	{ "name_en", F_TEXT, .min = 1, .max = 200 },
	{ 0 },
};

static const struct field link_entry[] = {
	{ "class", F_TEXT, .required = true, .max = 50, .says = CLASS_SAYS },
	{ "to", F_TEXT, .required = true, .max = 50, .says = CLASS_SAYS },
	{ "relation", F_ENUM, .required = true, .of = relations, .says = "What `to` is to the class" },
	{ 0 },
};

static const struct field model_entry[] = {
	{ "code", F_TEXT, .required = true, .max = 48 },
	{ "measure", F_TEXT, .required = true, .max = 48, .says = "The kind of device" },
	{ "name_zh", F_TEXT, .required = true, .max = 100 },
	{ "name_ko", F_TEXT, .min = 1, .max = 100 },
	{ "name_en", F_TEXT, .min = 1, .max = 100 },
	{ "maker", F_TEXT, .max = 100 },
	{ "class", F_TEXT, .required = true, .max = 50, .says = CLASS_SAYS },
	{ "service_months", F_INT, .required = true, .min = 1, .max = MOST_MONTHS, .says = "使用年限" },
	{ "price", F_INT, .min = 0, .max = MOST_FEN, .says = "分, for guidance" },
	{ "subsidy", F_INT, .min = 0, .max = MOST_FEN, .says = "分, of a fitting" },
	{ "rent", F_INT, .min = 0, .max = MOST_FEN, .says = "分 a month" },
	{ "rent_subsidy", F_INT, .min = 0, .max = MOST_FEN, .says = "分 of a month's rent" },
	{ "deposit", F_INT, .min = 0, .max = MOST_FEN, .says = "分" },
	{ "loan_hours", F_INT, .min = 1, .max = MOST_LOAN_HOURS,
	  .says = "How long a community loan may take; left out: not for loans" },
	{ "retired", F_BOOL, .says = "true: no new ones are taken in; left out: as it is" },
	{ 0 },
};

#define AS_MODEL "Left out: as the model"
static const struct field term_entry[] = {
	{ "plan", F_TEXT, .required = true, .max = 32 },
	{ "model", F_TEXT, .required = true, .max = 48 },
	{ "service_months", F_INT, .min = 1, .max = MOST_MONTHS, .says = AS_MODEL },
	{ "subsidy", F_INT, .min = 0, .max = MOST_FEN, .says = AS_MODEL },
	{ "rent", F_INT, .min = 0, .max = MOST_FEN, .says = AS_MODEL },
	{ "rent_subsidy", F_INT, .min = 0, .max = MOST_FEN, .says = AS_MODEL },
	{ "deposit", F_INT, .min = 0, .max = MOST_FEN, .says = AS_MODEL },
	{ 0 },
};

static const struct field document_in[] = {
	{ "classes", F_ITEMS, .max = MOST_ENTRIES, .items = class_entry },
	{ "links", F_ITEMS, .max = MOST_ENTRIES, .items = link_entry },
	{ "models", F_ITEMS, .max = MOST_ENTRIES, .items = model_entry },
	{ "terms", F_ITEMS, .max = MOST_ENTRIES, .items = term_entry },
	{ 0 },
};

static const struct field link_query[] = {
	{ "to", F_TEXT, .required = true, .max = 50, .says = CLASS_SAYS },
	{ 0 },
};

static const struct field document_query[] = {
	{ "plan", F_TEXT, .max = 32, .says = "With what this plan says of its own" },
	{ 0 },
};

const struct endpoint device_model_endpoints[] = {
	{ HTTP_METHOD_GET, "/api/v1/device-classes", SIGNED_IN, classes_query, .page = "_cursor",
	  .way = { { NULL, SQL_device_classes_list,
		     "query.scheme query.edition query.under query.q page.after page.limit" } },
	  .summary = "Classes of devices, by scheme and edition" },
	{ HTTP_METHOD_PUT, "/api/v1/device-classes/{scheme}/{edition}/{code}", ROLE_ADMIN, NULL,
	  class_entry + 1,
	  .way = { { NULL, SQL_device_class_put,
		     "path.scheme path.edition path.code if_match in.name_zh in.name_ko in.name_en" } },
	  .summary = "A new class, or other names of one" },
	{ HTTP_METHOD_GET, "/api/v1/device-classes/{scheme}/{edition}/{code}", SIGNED_IN,
	  .way = { { NULL, SQL_device_class_get, "path.scheme path.edition path.code" } }, .always = true,
	  .summary = "One class: its links, and what it is in other editions",
	  .says = "`relation` is what the other class is to this one, over however many links: same only "
		  "when "
		  "every one of them says so." },
	{ HTTP_METHOD_PUT, "/api/v1/device-classes/{scheme}/{edition}/{code}/links", ROLE_ADMIN, NULL,
	  link_entry + 1,
	  .way = { { NULL, SQL_device_link_put, "path.scheme path.edition path.code in.to in.relation" } },
	  .summary = "Say what a class is in another edition; seen from both" },
	{ HTTP_METHOD_DELETE, "/api/v1/device-classes/{scheme}/{edition}/{code}/links", ROLE_ADMIN,
	  link_query,
	  .way = { { NULL, SQL_device_link_remove, "path.scheme path.edition path.code query.to" } },
	  .summary = "Say nothing of the two classes any more" },
	{ HTTP_METHOD_GET, "/api/v1/device-catalogue", SIGNED_IN, document_query,
	  .way = { { NULL, SQL_device_catalogue_get, "query.plan" } },
	  .summary = "The whole catalogue of devices as one document, as it is imported" },
	{ HTTP_METHOD_POST, "/api/v1/device-catalogue", ROLE_ADMIN, NULL, document_in,
	  .way = { { NULL, SQL_device_catalogue_import, "in.classes in.links in.models in.terms" } },
	  .summary = "Import a document: all of it, or nothing",
	  .says = "What it names is as it says then; what it does not name stays. At most 1 MiB." },
	{ HTTP_METHOD_GET, "/api/v1/device-models", SIGNED_IN, models_query, .page = "code",
	  .way = { { "class", SQL_device_models_of_class,
		     "query.measure query.q query.retired page.after page.limit query.class" },
		   { NULL, SQL_device_models_list,
		     "query.measure query.q query.retired page.after page.limit" } },
	  .summary = "Models of devices" },
	{ HTTP_METHOD_GET, "/api/v1/device-models/{code}", SIGNED_IN,
	  .way = { { NULL, SQL_device_model_get, "path.code" } }, .summary = "One model" },
	{ HTTP_METHOD_PUT, "/api/v1/device-models/{code}", ROLE_ADMIN, NULL, model_entry + 1,
	  .way = { { NULL, SQL_device_model_put,
		     "path.code if_match in.measure in.name_zh in.name_ko in.name_en in.maker in.class "
		     "in.service_months in.price in.subsidy in.rent in.rent_subsidy in.deposit "
		     "in.loan_hours in.retired" } },
	  .summary = "A new model, or the whole of one anew; out of use, or in use again" },
	{ HTTP_METHOD_GET, "/api/v1/plans/{code}/device-terms", SIGNED_IN, .page = "_cursor",
	  .way = { { NULL, SQL_device_terms_list, "path.code page.after page.limit" } },
	  .summary = "What a plan grants of each model: `holds`; beside it what of that is its own word" },
	{ HTTP_METHOD_PUT, "/api/v1/plans/{code}/device-terms/{model}", RUNS_PLANS, NULL, term_entry + 2,
	  .way = { { NULL, SQL_device_term_put,
		     "path.code path.model if_match in.service_months in.subsidy in.rent in.rent_subsidy "
		     "in.deposit" } },
	  .summary = "Set what a plan says otherwise than the model" },
	{ HTTP_METHOD_DELETE, "/api/v1/plans/{code}/device-terms/{model}", RUNS_PLANS,
	  .way = { { NULL, SQL_device_term_remove, "path.code path.model if_match" } },
	  .summary = "The plan grants what the model says" },
	{ 0 },
};
