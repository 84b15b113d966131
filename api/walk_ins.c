/* SPDX-License-Identifier: Apache-2.0
 * Who walks into a centre: found by his citizen ID, or registered, and asked for. The number is checked by
 * the rules of the needs files, sealed and hashed here; nothing of it leaves in clear, and nobody can look
 * around. */
#include "api/engine.h"
#include "api/tables.h"
#include "service/needs/needs_check.h"

const struct verdict walk_in_verdicts[] = {
	{ "person_not_registered", 422,
	  "Nobody is registered under this number: reasons say what is needed to register him.", NULL },
	{ "person_elsewhere", 409,
	  "The person is registered in another county: his centre opens the request.", NULL },
	{ NULL, 0, NULL, NULL },
};

enum {
	SLOT_INDEX = 1,
	SLOT_SEALED,
	SLOT_CERTIFICATE,
	SLOT_CERTIFICATE_INDEX,
	SLOT_SEX,
	SLOT_BORN,
	SLOT_KIND
};
enum { ID_LEN = 18, CERTIFICATE_LEN = 20, SEX_AT = 16, CATEGORY_AT = 18, LEVEL_AT = 19 };

static struct slice text_of(const struct request *r, const char *name)
{
	const struct db_value *value = input_value(r, name);
	return value->at ? (struct slice){ value->at, strlen(value->at) } : (struct slice){ "", 0 };
}

/* As the body has it: what is bound of a citizen ID is its hash. */
static struct slice citizen_of(const struct request *r)
{
	const json_t *v = json_object_get(r->body, "citizen_id");
	return json_is_string(v) ? (struct slice){ json_string_value(v), json_string_length(v) }
				 : (struct slice){ "", 0 };
}

/* The certificate that was given, or one that the citizen ID would have with this category and level. */
static bool certificate_of(const struct request *r, char out[32], size_t *len)
{
	struct slice given = text_of(r, "certificate"), citizen = citizen_of(r);
	struct slice category = text_of(r, "category"), level = text_of(r, "level");
	if (given.len > 30 || (given.len == 0 && citizen.len != ID_LEN))
		return false;
	*len = given.len ? given.len : CERTIFICATE_LEN;
	memcpy(out, given.len ? given.at : citizen.at, given.len ? given.len : ID_LEN);
	if (given.len == 0) {
		out[CATEGORY_AT] = category.len ? category.at[0] : '1';
		out[LEVEL_AT] = level.len ? level.at[0] : '1';
	}
	return true;
}

/* Category and level as a file has them; what was not said agrees. */
static struct slice word_of(struct slice digit, char in_certificate, const char *const words[], int count)
{
	char c = digit.len ? digit.at[0] : in_certificate;
	return c >= '1' && c < '1' + count ? slice_of(words[c - '1']) : (struct slice){ "", 0 };
}

/* The importer's rules (SPEC §3), on a row made of what was said. What it does not know is asked of the
 * database. */
static enum needs_code check(const struct request *r, struct slice certificate, struct needs_entry *entry)
{
	static const char *const categories[] = { "视力", "听力", "言语", "肢体", "智力", "精神", "多重" };
	static const char *const levels[] = { "一级", "二级", "三级", "四级" };
	static const struct needs_region anywhere = { 110000000, 110000000 };
	struct needs_regions regions = { &anywhere, 1, 0, 999999999 };
	struct needs_row row = { .number = 1 };
	struct needs_seen *seen = needs_seen_new();
	enum needs_column field;
	if (!seen)
		return NEEDS_CODES;
	for (int i = 0; i < NEEDS_COLUMNS; i++)
		row.cell[i] = (struct slice){ "", 0 };
	row.cell[NEEDS_NAME] = row.cell[NEEDS_HOUSEHOLD] = row.cell[NEEDS_DEVICES] = slice_of("-");
	row.cell[NEEDS_REGION] = slice_of("110000");
	row.cell[NEEDS_CERTIFICATE] = certificate;
	row.cell[NEEDS_CATEGORY] =
		word_of(text_of(r, "category"),
			certificate.len > CATEGORY_AT ? certificate.at[CATEGORY_AT] : '0', categories, 7);
	row.cell[NEEDS_LEVEL] = word_of(
		text_of(r, "level"), certificate.len > LEVEL_AT ? certificate.at[LEVEL_AT] : '0', levels, 4);
	row.cell[NEEDS_PHONE] = text_of(r, "phone");
	enum needs_code code = needs_check(&row, &regions, seen, entry, &field);
	needs_seen_free(&seen);
	return code;
}

static enum step refuse(struct request *r, enum needs_code code)
{
	switch (code) {
	case NEEDS_CERT_FORMAT:
		return problem(
			r, 422, "certificate_format", "/certificate",
			"18 characters of the citizen ID, category, level; B and a digit when reissued.");
	case NEEDS_CERT_CHECK_DIGIT:
		return problem(r, 422, "certificate_check_digit", "/certificate", NULL);
	case NEEDS_CATEGORY_MISMATCH:
		return problem(r, 422, "category_mismatch", "/category", NULL);
	case NEEDS_LEVEL_MISMATCH:
		return problem(r, 422, "level_mismatch", "/level", NULL);
	case NEEDS_PHONE_INVALID:
		return problem(r, 422, "phone_invalid", "/phone", NULL);
	default:
		return problem(r, 503, "try_again", NULL, NULL);
	}
}

static bool seal(struct request *r, struct slice clear, int sealed_slot, int index_slot)
{
	const struct vault *vault = r->api->options.vault;
	unsigned char *sealed = arena_alloc(http_arena(r->x), clear.len + VAULT_SEAL_OVERHEAD);
	unsigned char *index = arena_alloc(http_arena(r->x), VAULT_INDEX_BYTES);
	if (!sealed || !index)
		return false;
	r->step_value[sealed_slot] = db_bytes(sealed, vault_seal(vault, clear, sealed));
	vault_index(vault, clear, index);
	r->step_value[index_slot] = db_bytes(index, VAULT_INDEX_BYTES);
	return true;
}

static enum step step_identify(struct request *r)
{
	char certificate[32];
	size_t len = 0;
	struct needs_entry entry = { 0 };
	struct slice given = text_of(r, "certificate"), citizen = citizen_of(r);
	struct arena *arena = http_arena(r->x);
	if (given.len == 0 && citizen.len == 0)
		return problem(r, 422, "required", "/citizen_id", "The citizen ID, or the certificate.");
	if (!certificate_of(r, certificate, &len))
		return refuse(r, NEEDS_CERT_FORMAT);
	enum needs_code code = check(r, (struct slice){ certificate, len }, &entry);
	if (code != NEEDS_ACCEPTED)
		return refuse(r, code);
	if (given.len && citizen.len && !slice_equal_nocase(citizen, entry.citizen_id))
		return problem(r, 422, "citizen_id_differs", "/citizen_id", NULL);
	r->step_value[SLOT_CERTIFICATE] = r->step_value[SLOT_CERTIFICATE_INDEX] = DB_NULL;
	if (!seal(r, entry.citizen_id, SLOT_SEALED, SLOT_INDEX) ||
	    (given.len && !seal(r, entry.certificate, SLOT_CERTIFICATE, SLOT_CERTIFICATE_INDEX)))
		return problem(r, 413, "too_long", NULL, NULL);
	bool known = given.len || (text_of(r, "category").len && text_of(r, "level").len);
	r->step_value[SLOT_SEX] = db_text((entry.citizen_id.at[SEX_AT] - '0') % 2 ? "男" : "女");
	r->step_value[SLOT_BORN] = db_text(arena_text(arena, citizen_id_birth(entry.citizen_id)));
	r->step_value[SLOT_KIND] =
		known ? db_text(arena_printf(arena, "%d%d", entry.category, entry.level)) : DB_NULL;
	return STEP_NEXT;
}

static request_step *const walk_in_steps[] = { step_identify, step_ask, step_answer, NULL };

static const struct field walk_in_in[] = {
	{ "citizen_id", F_CITIZEN, .says = "Or the certificate" },
	{ "certificate", F_SECRET, .max = 30, .says = "残疾人证号" },
	{ "measure", F_TEXT, .required = true, .max = 48, .says = "The kind of device" },
	{ "centre", F_TEXT, .max = 64, .says = "A centre's own account may leave it out." },
	{ "note", F_TEXT, .max = 2000 },
	{ "name", F_TEXT, .max = 100, .says = "This and what follows: of who is not registered yet" },
	{ "category", F_INT, .min = 1, .max = 7, .says = "Not needed beside the certificate" },
	{ "level", F_INT, .min = 1, .max = 4, .says = "Not needed beside the certificate" },
	{ "phone", F_TEXT, .max = 40 },
	{ "region", F_REGION },
	{ "village", F_TEXT, .max = 200 },
	{ "address", F_TEXT, .max = 500 },
	{ "hardship", F_TEXT, .max = 40 },
	{ 0 },
};

const struct endpoint walk_in_endpoints[] = {
	{ HTTP_METHOD_POST, "/api/v1/walk-ins", ROLE_CENTRE | ROLE_COUNTY | ROLE_MANAGER, NULL, walk_in_in,
	  .status = 201, .steps = walk_in_steps,
	  .way = { { NULL, SQL_walk_in,
		     "in.centre in.measure in.note step.1 step.2 step.3 step.4 step.5 step.6 step.7 in.name "
		     "in.phone in.region in.village in.address in.hardship" } },
	  .summary = "Somebody walks in: found by his number or registered, and his request opened" },
	{ 0 },
};
