/* SPDX-License-Identifier: Apache-2.0
 * A file of devices to take in: its columns, and the rules of its rows in their order; the first that fails
 * is the row's. Pure: what the database knows of labels and serials is its own to say (the last codes). */
#ifndef SERVICE_INTAKE_INTAKE_CHECK_H
#define SERVICE_INTAKE_INTAKE_CHECK_H

#include "service/needs/needs_date.h"
#include "service/needs/needs_file.h"

enum intake_column {
	INTAKE_MODEL,    /* 型号编码, the only one that must be there */
	INTAKE_QUANTITY, /* 数量: blank is 1; more than one only of what has neither serial nor label */
	INTAKE_SERIAL,   /* 序列号 */
	INTAKE_BATCH,    /* 批号 */
	INTAKE_CODE,     /* 条码, of a label it has already */
	INTAKE_SOURCE,   /* 来源: 采购, unless 捐赠 */
	INTAKE_DONOR,    /* 捐赠人 */
	INTAKE_ACQUIRED, /* 购置日期: blank is today */
	INTAKE_PRICE,    /* 价格(元) */
	INTAKE_WARRANTY, /* 保修至 */
	INTAKE_SHELF,    /* 存放位置 */
	INTAKE_NOTE,     /* 备注 */
	INTAKE_COLUMNS
};

enum intake_code {
	INTAKE_ACCEPTED,
	INTAKE_REQUIRED_MISSING,
	INTAKE_MODEL_UNKNOWN,
	INTAKE_MODEL_RETIRED,
	INTAKE_QUANTITY_INVALID,
	INTAKE_SOURCE_INVALID,
	INTAKE_DONOR_NOT_WANTED,
	INTAKE_DATE_INVALID,
	INTAKE_PRICE_INVALID,
	INTAKE_CODE_INVALID,
	INTAKE_TEXT_TOO_LONG,
	INTAKE_TOO_MANY,
	INTAKE_CODE_TAKEN, /* this and what follows: the database says it */
	INTAKE_SERIAL_TAKEN,
	INTAKE_TAKEN_ALREADY,
	INTAKE_DUPLICATE_IN_FILE,
	INTAKE_CODES
};
extern const struct file_table intake_table;

enum { INTAKE_QUANTITY_MOST = 1000, INTAKE_ITEMS_MOST = 20000 }; /* of a row, of a file */

struct intake_model {
	char code[49];
	bool retired;
};
/* models by code, in the order of their bytes. */
struct intake_known {
	struct intake_model *models;
	size_t count;
	char today[NEEDS_DATE_BYTES];
	int64_t items; /* of the rows accepted so far */
};

/* Slices point into the row. */
struct intake_entry {
	char model[49]; /* in lower case */
	int quantity;
	bool donated;
	char acquired[NEEDS_DATE_BYTES], warranty[NEEDS_DATE_BYTES]; /* warranty: "" for none */
	int64_t price;                                               /* 分; -1 for none */
};

/* field: the column at fault (INTAKE_COLUMNS when none). *entry is filled when INTAKE_ACCEPTED is answered.
 */
MUST_USE enum intake_code intake_check(const struct needs_row *row, struct intake_known *known,
				       struct intake_entry *entry, enum intake_column *field);

/* 1280, 1,280.5, ¥1280.50: 分, from 0 to a thousand million 元. False for anything else. */
bool intake_price_parse(struct slice text, int64_t *out);

#endif
