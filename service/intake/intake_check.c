/* SPDX-License-Identifier: Apache-2.0
 * The rules of rows of devices, as one table in their order.
 * Invariant: a rule may rely on what the rules before it found, and fills its part of the entry. */
#include "service/intake/intake_check.h"
#include "service/needs/needs_text.h"
#include <stdlib.h>

static const char *const columns[INTAKE_COLUMNS] = { "型号编码", "数量",   "序列号",   "批号",
						     "条码",     "来源",   "捐赠人",   "购置日期",
						     "价格(元)", "保修至", "存放位置", "备注" };

static const char *const codes[INTAKE_CODES] = {
	"accepted",         "required_missing", "model_unknown",    "model_retired",
	"quantity_invalid", "source_invalid",   "donor_not_wanted", "date_invalid",
	"price_invalid",    "code_invalid",     "text_too_long",    "too_many_items",
	"code_taken",       "serial_taken",     "taken_already",    "duplicate_in_file",
};

static const char *const explanations[INTAKE_CODES] = {
	"已接受",
	"型号编码为空",
	"辅具目录中没有这个型号编码",
	"该型号已停用，不再入库",
	"数量应为1至1000的整数；填有序列号或条码的一行只能是1件",
	"来源应为“采购”或“捐赠”，空白视为采购",
	"来源不是捐赠，不应填写捐赠人",
	"日期应为YYYY-MM-DD；购置日期不能晚于今天，保修至不能早于购置日期",
	"价格应为以元为单位的金额，最多两位小数",
	"条码应为3至64位字母、数字或._-；16位数字的条码由系统自行编制",
	"某一格文字过长：序列号、批号、存放位置最多64字，捐赠人200字，备注2000字",
	"一个文件最多入库20000件，请分成几个文件",
	"该条码已有辅具使用",
	"该型号已有同一序列号的辅具",
	"同一文件的这一行以前已入库",
	"本文件中前面已有同一条码，或同一型号的同一序列号",
};

_Static_assert((int)INTAKE_COLUMNS <= (int)FILE_COLUMNS, "a cell a column");

const struct file_table intake_table = {
	.name = "intake",
	.what = "a file of devices",
	.columns = columns,
	.count = INTAKE_COLUMNS,
	.optional = ~(1u << INTAKE_MODEL),
	.codes = codes,
	.explanations = explanations,
	.code_count = INTAKE_CODES,
};

struct checking {
	const struct needs_row *row;
	struct intake_known *known;
	struct intake_entry *entry;
	const struct intake_model *model;
	enum intake_column field; /* what a rule with several columns found at fault */
};

static struct slice cell(const struct checking *c, enum intake_column column)
{
	return c->row->cell[column];
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* --- the rules: true when the row keeps it --- */

static bool required_there(struct checking *c)
{
	return cell(c, INTAKE_MODEL).len > 0;
}

static int model_compare(const void *code, const void *model)
{
	return strcmp(code, ((const struct intake_model *)model)->code);
}

static bool model_known(struct checking *c)
{
	struct slice code = cell(c, INTAKE_MODEL);
	if (code.len >= sizeof c->entry->model)
		return false;
	for (size_t i = 0; i < code.len; i++) /* catalogue codes are in lower case */
		c->entry->model[i] =
			(char)(code.at[i] >= 'A' && code.at[i] <= 'Z' ? code.at[i] + 32 : code.at[i]);
	c->entry->model[code.len] = '\0';
	if (c->known->count > 0)
		c->model = bsearch(c->entry->model, c->known->models, c->known->count,
				   sizeof *c->known->models, model_compare);
	return c->model != NULL;
}

static bool model_in_use(struct checking *c)
{
	return !c->model->retired;
}

static bool quantity_holds(struct checking *c)
{
	struct slice text = cell(c, INTAKE_QUANTITY);
	uint64_t n = 1;
	if (text.len > 0 && (!slice_to_u64(text, &n) || n < 1 || n > INTAKE_QUANTITY_MOST))
		return false;
	c->entry->quantity = (int)n;
	return n == 1 || (cell(c, INTAKE_SERIAL).len == 0 && cell(c, INTAKE_CODE).len == 0);
}

static bool is_one_of(struct slice text, const char *const *words)
{
	for (; *words; words++)
		if (slice_is(text, *words))
			return true;
	return false;
}

static bool source_known(struct checking *c)
{
	static const char *const bought[] = { "采购", "购置", "购买", "purchased", NULL };
	static const char *const given[] = { "捐赠", "爱心捐赠", "donated", NULL };
	struct slice source = cell(c, INTAKE_SOURCE);
	c->entry->donated = is_one_of(source, given);
	return source.len == 0 || c->entry->donated || is_one_of(source, bought);
}

static bool donor_wanted(struct checking *c)
{
	return c->entry->donated || cell(c, INTAKE_DONOR).len == 0;
}

/* Days as text compare as days do. */
static bool dates_hold(struct checking *c)
{
	struct intake_entry *e = c->entry;
	c->field = INTAKE_ACQUIRED;
	memcpy(e->acquired, c->known->today, sizeof e->acquired);
	if (cell(c, INTAKE_ACQUIRED).len > 0 && !needs_date_parse(cell(c, INTAKE_ACQUIRED), e->acquired))
		return false;
	if (strcmp(e->acquired, c->known->today) > 0)
		return false;
	c->field = INTAKE_WARRANTY;
	e->warranty[0] = '\0';
	if (cell(c, INTAKE_WARRANTY).len == 0)
		return true;
	return needs_date_parse(cell(c, INTAKE_WARRANTY), e->warranty) &&
	       strcmp(e->warranty, e->acquired) >= 0;
}

/* Whole 元, with or without commas at the thousands; what is left comes back in *text. */
static bool take_yuan(struct slice *text, int64_t *out)
{
	enum { MOST = 1000000000 };
	int64_t yuan = 0;
	size_t digits = 0, since = 0;
	bool commas = false;
	for (; text->len > 0 && (is_digit(text->at[0]) || text->at[0] == ','); text->at++, text->len--) {
		if (text->at[0] == ',') {
			if (digits == 0 || (commas ? since != 3 : digits > 3))
				return false;
			commas = true;
			since = 0;
			continue;
		}
		digits++;
		since++;
		yuan = yuan * 10 + (text->at[0] - '0');
		if (yuan > MOST)
			return false;
	}
	*out = yuan * 100;
	return digits > 0 && (!commas || since == 3);
}

bool intake_price_parse(struct slice text, int64_t *out)
{
	static const char *const signs[] = { "¥", "￥" };
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
		size_t len = strlen(signs[i]);
		if (text.len > len && memcmp(text.at, signs[i], len) == 0) {
			text.at += len;
			text.len -= len;
			break;
		}
	}
	if (!take_yuan(&text, out))
		return false;
	if (text.len == 0)
		return true;
	if (text.at[0] != '.' || text.len < 2 || text.len > 3 ||
	    !needs_text_digits(text.at + 1, text.len - 1))
		return false;
	*out += (text.at[1] - '0') * 10 + (text.len == 3 ? text.at[2] - '0' : 0);
	return true;
}

static bool price_holds(struct checking *c)
{
	struct slice price = cell(c, INTAKE_PRICE);
	c->entry->price = -1;
	return price.len == 0 || intake_price_parse(price, &c->entry->price);
}

static bool code_holds(struct checking *c)
{
	enum { LEAST = 3, MOST = 64, OWN = 16 };
	struct slice code = cell(c, INTAKE_CODE);
	if (code.len == 0)
		return true;
	for (size_t i = 0; i < code.len; i++)
		if (!is_digit(code.at[i]) && !(code.at[i] >= 'a' && code.at[i] <= 'z') &&
		    !(code.at[i] >= 'A' && code.at[i] <= 'Z') && !strchr("._-", code.at[i]))
			return false;
	return code.len >= LEAST && code.len <= MOST &&
	       !(code.len == OWN && needs_text_digits(code.at, code.len));
}

static bool texts_fit(struct checking *c)
{
	static const struct {
		enum intake_column column;
		size_t most;
	} texts[] = { { INTAKE_SERIAL, 64 },
		      { INTAKE_BATCH, 64 },
		      { INTAKE_DONOR, 200 },
		      { INTAKE_SHELF, 64 },
		      { INTAKE_NOTE, 2000 } };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		c->field = texts[i].column;
		if (slice_utf8_length(cell(c, c->field)) > texts[i].most)
			return false;
	}
	return true;
}

static bool file_has_room(struct checking *c)
{
	return c->known->items + c->entry->quantity <= INTAKE_ITEMS_MOST;
}

static const struct rule {
	enum intake_code code;
	enum intake_column field; /* INTAKE_COLUMNS: the rule says */
	bool (*holds)(struct checking *c);
} rules[] = {
	{ INTAKE_REQUIRED_MISSING, INTAKE_MODEL, required_there },
	{ INTAKE_MODEL_UNKNOWN, INTAKE_MODEL, model_known },
	{ INTAKE_MODEL_RETIRED, INTAKE_MODEL, model_in_use },
	{ INTAKE_QUANTITY_INVALID, INTAKE_QUANTITY, quantity_holds },
	{ INTAKE_SOURCE_INVALID, INTAKE_SOURCE, source_known },
	{ INTAKE_DONOR_NOT_WANTED, INTAKE_DONOR, donor_wanted },
	{ INTAKE_DATE_INVALID, INTAKE_COLUMNS, dates_hold },
	{ INTAKE_PRICE_INVALID, INTAKE_PRICE, price_holds },
	{ INTAKE_CODE_INVALID, INTAKE_CODE, code_holds },
	{ INTAKE_TEXT_TOO_LONG, INTAKE_COLUMNS, texts_fit },
	{ INTAKE_TOO_MANY, INTAKE_QUANTITY, file_has_room },
};

enum intake_code intake_check(const struct needs_row *row, struct intake_known *known,
			      struct intake_entry *entry, enum intake_column *field)
{
	struct checking checking = { row, known, entry, NULL, INTAKE_COLUMNS };
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		if (rules[i].holds(&checking))
			continue;
		*field = rules[i].field == INTAKE_COLUMNS ? checking.field : rules[i].field;
		return rules[i].code;
	}
	known->items += entry->quantity;
	*field = INTAKE_COLUMNS;
	return INTAKE_ACCEPTED;
}
