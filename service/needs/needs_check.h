/* SPDX-License-Identifier: Apache-2.0
 * The row rules of SPEC §3: the twelve codes in their order; the first that applies is the row's.
 * Pure: no database (the last code, duplicate_registered, is the caller's, who asks the database). */
#ifndef SERVICE_NEEDS_NEEDS_CHECK_H
#define SERVICE_NEEDS_NEEDS_CHECK_H

#include "service/needs/needs_file.h"
#include "service/needs/needs_table.h"

enum needs_code {
	NEEDS_ACCEPTED,
	NEEDS_REQUIRED_MISSING,
	NEEDS_CERT_FORMAT,
	NEEDS_CERT_CHECK_DIGIT,
	NEEDS_CATEGORY_MISMATCH,
	NEEDS_LEVEL_MISMATCH,
	NEEDS_REGION_UNKNOWN,
	NEEDS_REGION_OUTSIDE_PLAN,
	NEEDS_PHONE_INVALID,
	NEEDS_DATE_INVALID,
	NEEDS_NEEDS_EMPTY,
	NEEDS_DUPLICATE_IN_FILE,
	NEEDS_DUPLICATE_REGISTERED,
	NEEDS_CODES
};
extern const char *const needs_code_names[NEEDS_CODES];        /* "accepted" "required_missing" … */
extern const char *const needs_code_explanations[NEEDS_CODES]; /* zh-CN, for 错误说明 */

enum { NEEDS_LIST_MAX = 32 };

/* A row taken apart. Slices point into the row, but certificate, citizen_id and registered into the entry's
 * own folded and day: do not copy an entry by value. */
struct needs_entry {
	struct slice name, sex, certificate, citizen_id, household, relation, phone, village, address,
		hardship, remark,
		registered; /* registered: YYYY-MM-DD; "" when the cell is blank, which is allowed */
	int category;       /* 1–7 */
	int level;          /* 1–4 */
	int32_t place;      /* the region, nine digits (see needs_regions) */
	bool has_location;
	double longitude, latitude;
	struct slice traits[NEEDS_LIST_MAX], retrofit[NEEDS_LIST_MAX], devices[NEEDS_LIST_MAX];
	int trait_count, retrofit_count, device_count; /* blanks and repeats within a cell left out */
	char folded[24];                               /* the certificate with its X in upper case */
	char day[12];
};

/* Codes known today and before, sorted by code; place: the region's nine-digit number, which encodes its
 * ancestors (222404000 is the county of 222404400). plan_low..plan_high: the plan's region and all below it.
 */
struct needs_region {
	int32_t code_number; /* 222404 or 222404400 as written: six digits are stored times 1000 */
	int32_t place;
};
struct needs_regions {
	const struct needs_region *items;
	size_t count;
	int32_t plan_low, plan_high;
};

/* Citizen IDs seen so far among accepted rows of this file. new answers NULL without memory. */
struct needs_seen;
struct needs_seen *needs_seen_new(void);
void needs_seen_free(struct needs_seen **seen);
/* Memory ran out on the way: some IDs were not remembered. Ask before the answers are used. */
bool needs_seen_failed(const struct needs_seen *seen);

/* field: the column at fault (NEEDS_COLUMNS when none). *entry is filled when NEEDS_ACCEPTED is answered,
 * else its content means nothing. An accepted row is remembered in seen. NEEDS_DUPLICATE_REGISTERED is never
 * answered. */
MUST_USE enum needs_code needs_check(const struct needs_row *row, const struct needs_regions *regions,
				     struct needs_seen *seen, struct needs_entry *entry,
				     enum needs_column *field);

/* GB 11643: true when the 18th character is the check digit of the 17 before (weights in SPEC §3). */
bool citizen_id_check_digit_holds(struct slice id18);

/* The eight digits of the day of birth within it, as they stand there (the day need not exist); empty when
 * they are none. */
struct slice citizen_id_birth(struct slice id18);

#endif
