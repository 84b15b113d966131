/* SPDX-License-Identifier: Apache-2.0
 * The row rules of SPEC §3, as one table in their order; the first rule that fails names the row's code.
 * Invariant: a rule may rely on what the rules before it found, and fills its part of the entry. */
#include "service/needs/needs_check.h"
#include "service/needs/needs_date.h"
#include "service/needs/needs_seen.h"
#include "service/needs/needs_text.h"
#include <stdlib.h>

const char *const needs_code_names[NEEDS_CODES] = {
	"accepted",       "required_missing",  "cert_format",         "cert_check_digit", "category_mismatch",
	"level_mismatch", "region_unknown",    "region_outside_plan", "phone_invalid",    "date_invalid",
	"needs_empty",    "duplicate_in_file", "duplicate_registered"
};

const char *const needs_code_explanations[NEEDS_CODES] = {
	"已接受",
	"必填项为空：姓名、残疾人证号、户编号、区划代码均须填写",
	"残疾人证号格式不对：应为18位公民身份号码、1位类别、1位等级，补发的再加B和1位数字",
	"公民身份号码第18位校验码不符",
	"残疾类别与残疾人证号第19位不一致",
	"残疾等级与残疾人证号第20位不一致",
	"区划代码不存在",
	"区划代码不在本计划的地区范围内",
	"联系电话不是有效的手机或固定电话号码",
	"登记日期不是有效的日期，应为YYYY-MM-DD",
	"改造需求与辅具需求均未填写，或一格内超过32项",
	"本文件中已有同一公民身份号码的一行",
	"该公民身份号码已登记"
};

enum { ID_LEN = 18, ID_BODY = 17, CERT_LEN = 20, CERT_REISSUED_LEN = 22 };
enum { MOBILE_LEN = 11, LANDLINE_LEAST = 7, LANDLINE_MOST = 8 };

struct checking {
	const struct needs_row *row;
	const struct needs_regions *regions;
	struct needs_seen *seen;
	struct needs_entry *entry;
	enum needs_column field; /* what a rule with several columns found at fault */
};

static struct slice cell(const struct checking *c, enum needs_column column)
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
	static const enum needs_column required[] = { NEEDS_NAME, NEEDS_CERTIFICATE, NEEDS_HOUSEHOLD,
						      NEEDS_REGION };
	for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
		c->field = required[i];
		if (cell(c, c->field).len == 0)
			return false;
	}
	return true;
}

/* 17 digits, digit or X, category 1–7, level 1–4; reissued: B and a digit. */
static bool certificate_shape_holds(struct checking *c)
{
	struct slice s = cell(c, NEEDS_CERTIFICATE);
	struct needs_entry *e = c->entry;
	if ((s.len != CERT_LEN && s.len != CERT_REISSUED_LEN) || !needs_text_digits(s.at, ID_BODY))
		return false;
	memcpy(e->folded, s.at, s.len);
	char *check = &e->folded[ID_BODY];
	if (*check == 'x')
		*check = 'X';
	if ((!is_digit(*check) && *check != 'X') || s.at[18] < '1' || s.at[18] > '7' || s.at[19] < '1' ||
	    s.at[19] > '4')
		return false;
	if (s.len == CERT_REISSUED_LEN && (s.at[20] != 'B' || !is_digit(s.at[21])))
		return false;
	e->certificate = (struct slice){ e->folded, s.len };
	e->citizen_id = (struct slice){ e->folded, ID_LEN };
	e->category = s.at[18] - '0';
	e->level = s.at[19] - '0';
	return true;
}

bool citizen_id_check_digit_holds(struct slice id18)
{
	static const int weights[ID_BODY] = { 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2 };
	int sum = 0;
	if (id18.len != ID_LEN || !needs_text_digits(id18.at, ID_BODY))
		return false;
	for (int i = 0; i < ID_BODY; i++)
		sum += weights[i] * (id18.at[i] - '0');
	char last = id18.at[ID_BODY] == 'x' ? 'X' : id18.at[ID_BODY];
	return last == "10X98765432"[sum % 11];
}

struct slice citizen_id_birth(struct slice id18)
{
	enum { BIRTH_AT = 6, BIRTH_LEN = 8 };
	if (id18.len != ID_LEN || !needs_text_digits(id18.at + BIRTH_AT, BIRTH_LEN))
		return (struct slice){ "", 0 };
	return (struct slice){ id18.at + BIRTH_AT, BIRTH_LEN };
}

static bool check_digit_holds(struct checking *c)
{
	return citizen_id_check_digit_holds(c->entry->citizen_id);
}

/* An empty cell agrees with no certificate. */
static bool category_agrees(struct checking *c)
{
	static const char *const names[] = { "视力", "听力", "言语", "肢体", "智力", "精神", "多重" };
	return slice_is(cell(c, NEEDS_CATEGORY), names[c->entry->category - 1]);
}

static bool level_agrees(struct checking *c)
{
	static const char *const names[] = { "一级", "二级", "三级", "四级" };
	return slice_is(cell(c, NEEDS_LEVEL), names[c->entry->level - 1]);
}

/* Six digits (province, prefecture, county) or nine (township); 0 when it is neither. */
static int32_t region_number(struct slice code)
{
	int32_t number = 0;
	if ((code.len != 6 && code.len != 9) || !needs_text_digits(code.at, code.len))
		return 0;
	for (size_t i = 0; i < code.len; i++)
		number = number * 10 + (code.at[i] - '0');
	return code.len == 6 ? number * 1000 : number;
}

static int region_compare(const void *number, const void *region)
{
	int32_t a = *(const int32_t *)number, b = ((const struct needs_region *)region)->code_number;
	return (a > b) - (a < b);
}

static bool region_known(struct checking *c)
{
	int32_t number = region_number(cell(c, NEEDS_REGION));
	const struct needs_regions *r = c->regions;
	if (number == 0 || r->count == 0)
		return false;
	const struct needs_region *found =
		bsearch(&number, r->items, r->count, sizeof *r->items, region_compare);
	if (found)
		c->entry->place = found->place;
	return found != NULL;
}

static bool region_in_plan(struct checking *c)
{
	return c->entry->place >= c->regions->plan_low && c->entry->place <= c->regions->plan_high;
}

/* 13xxxxxxxxx to 19xxxxxxxxx. */
static bool is_mobile(struct slice s)
{
	return s.len == MOBILE_LEN && needs_text_digits(s.at, s.len) && s.at[0] == '1' && s.at[1] >= '3';
}

/* 0953-1234567: an area code (0 and two or three digits), a hyphen or none, seven or eight digits. */
static bool is_landline(struct slice s)
{
	for (size_t area = 3; area <= 4 && area < s.len; area++) {
		size_t at = area + (s.at[area] == '-');
		size_t rest = s.len - at;
		if (s.at[0] == '0' && s.at[1] != '0' && needs_text_digits(s.at, area) &&
		    rest >= LANDLINE_LEAST && rest <= LANDLINE_MOST && needs_text_digits(s.at + at, rest))
			return true;
	}
	return false;
}

static bool phone_holds(struct checking *c)
{
	struct slice phone = cell(c, NEEDS_PHONE);
	return phone.len == 0 || is_mobile(phone) || is_landline(phone);
}

static bool date_holds(struct checking *c)
{
	struct slice date = cell(c, NEEDS_REGISTERED);
	c->entry->registered = (struct slice){ "", 0 };
	if (date.len == 0)
		return true;
	if (!needs_date_parse(date, c->entry->day))
		return false;
	c->entry->registered = (struct slice){ c->entry->day, NEEDS_DATE_BYTES - 1 };
	return true;
}

/* Up to the next ; or ； — what is left of the list comes back in *list. */
static struct slice list_item(struct slice *list)
{
	static const char wide[] = "\xEF\xBC\x9B";
	size_t len = 0, mark = 0;
	while (len < list->len && mark == 0) {
		if (list->at[len] == ';')
			mark = 1;
		else if (list->len - len >= 3 && memcmp(list->at + len, wide, 3) == 0)
			mark = 3;
		else
			len++;
	}
	struct slice item = { list->at, len };
	list->at += len + mark;
	list->len -= len + mark;
	return needs_text_trim(item);
}

static bool is_listed(const struct slice *items, int count, struct slice item)
{
	for (int i = 0; i < count; i++)
		if (slice_equal(items[i], item))
			return true;
	return false;
}

/* False when there are more than fit: to drop some in silence would lose a need. */
static bool list_split(struct slice list, struct slice items[NEEDS_LIST_MAX], int *count)
{
	*count = 0;
	while (list.len > 0) {
		struct slice item = list_item(&list);
		if (item.len == 0 || is_listed(items, *count, item))
			continue;
		if (*count == NEEDS_LIST_MAX)
			return false;
		items[(*count)++] = item;
	}
	return true;
}

static bool needs_there(struct checking *c)
{
	struct needs_entry *e = c->entry;
	c->field = NEEDS_TRAITS;
	if (!list_split(cell(c, NEEDS_TRAITS), e->traits, &e->trait_count))
		return false;
	c->field = NEEDS_DEVICES;
	if (!list_split(cell(c, NEEDS_DEVICES), e->devices, &e->device_count))
		return false;
	c->field = NEEDS_RETROFIT;
	return list_split(cell(c, NEEDS_RETROFIT), e->retrofit, &e->retrofit_count) &&
	       e->retrofit_count + e->device_count > 0;
}

static bool first_in_file(struct checking *c)
{
	return !needs_seen_has(c->seen, c->entry->citizen_id.at);
}

static const struct rule {
	enum needs_code code;
	enum needs_column field; /* NEEDS_COLUMNS: the rule says */
	bool (*holds)(struct checking *c);
} rules[] = {
	{ NEEDS_REQUIRED_MISSING, NEEDS_COLUMNS, required_there },
	{ NEEDS_CERT_FORMAT, NEEDS_CERTIFICATE, certificate_shape_holds },
	{ NEEDS_CERT_CHECK_DIGIT, NEEDS_CERTIFICATE, check_digit_holds },
	{ NEEDS_CATEGORY_MISMATCH, NEEDS_CATEGORY, category_agrees },
	{ NEEDS_LEVEL_MISMATCH, NEEDS_LEVEL, level_agrees },
	{ NEEDS_REGION_UNKNOWN, NEEDS_REGION, region_known },
	{ NEEDS_REGION_OUTSIDE_PLAN, NEEDS_REGION, region_in_plan },
	{ NEEDS_PHONE_INVALID, NEEDS_PHONE, phone_holds },
	{ NEEDS_DATE_INVALID, NEEDS_REGISTERED, date_holds },
	{ NEEDS_NEEDS_EMPTY, NEEDS_COLUMNS, needs_there },
	{ NEEDS_DUPLICATE_IN_FILE, NEEDS_CERTIFICATE, first_in_file },
};

/* --- what no rule looks at --- */

/* A plain decimal within ±most. */
static bool degrees_parse(struct slice s, double most, double *out)
{
	char copy[24], *end;
	if (s.len == 0 || s.len >= sizeof copy)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.at[i]) && s.at[i] != '.' && !(i == 0 && s.at[i] == '-'))
			return false;
	memcpy(copy, s.at, s.len);
	copy[s.len] = '\0';
	*out = strtod(copy, &end);
	return *end == '\0' && *out >= -most && *out <= most;
}

/* A location is taken when both halves make sense; SPEC §3 has no code against one that does not. */
static void entry_fill(struct needs_entry *e, const struct needs_row *row)
{
	e->name = row->cell[NEEDS_NAME];
	e->sex = row->cell[NEEDS_SEX];
	e->household = row->cell[NEEDS_HOUSEHOLD];
	e->relation = row->cell[NEEDS_RELATION];
	e->phone = row->cell[NEEDS_PHONE];
	e->village = row->cell[NEEDS_VILLAGE];
	e->address = row->cell[NEEDS_ADDRESS];
	e->hardship = row->cell[NEEDS_HARDSHIP];
	e->remark = row->cell[NEEDS_REMARK];
	e->has_location = degrees_parse(row->cell[NEEDS_LONGITUDE], 180, &e->longitude) &&
			  degrees_parse(row->cell[NEEDS_LATITUDE], 90, &e->latitude);
	if (!e->has_location)
		e->longitude = e->latitude = 0;
}

enum needs_code needs_check(const struct needs_row *row, const struct needs_regions *regions,
			    struct needs_seen *seen, struct needs_entry *entry, enum needs_column *field)
{
	struct checking checking = { row, regions, seen, entry, NEEDS_COLUMNS };
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		if (rules[i].holds(&checking))
			continue;
		*field = rules[i].field == NEEDS_COLUMNS ? checking.field : rules[i].field;
		return rules[i].code;
	}
	entry_fill(entry, row);
	needs_seen_add(seen, entry->citizen_id.at);
	*field = NEEDS_COLUMNS;
	return NEEDS_ACCEPTED;
}
