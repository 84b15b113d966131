/* SPDX-License-Identifier: Apache-2.0
 * The needs database as a file: its columns. */
#ifndef SERVICE_NEEDS_NEEDS_TABLE_H
#define SERVICE_NEEDS_NEEDS_TABLE_H

#include "service/needs/file_table.h"

/* The twenty columns, by their index in struct needs_row. */
enum needs_column {
	NEEDS_SEQUENCE,    /* 序号 */
	NEEDS_NAME,        /* 姓名 */
	NEEDS_SEX,         /* 性别 */
	NEEDS_CERTIFICATE, /* 残疾人证号 */
	NEEDS_CATEGORY,    /* 残疾类别 */
	NEEDS_LEVEL,       /* 残疾等级 */
	NEEDS_HOUSEHOLD,   /* 户编号 */
	NEEDS_RELATION,    /* 与户主关系 */
	NEEDS_PHONE,       /* 联系电话 */
	NEEDS_REGION,      /* 区划代码 */
	NEEDS_VILLAGE,     /* 村(社区) */
	NEEDS_ADDRESS,     /* 详细地址 */
	NEEDS_LONGITUDE,   /* 经度 */
	NEEDS_LATITUDE,    /* 纬度 */
	NEEDS_HARDSHIP,    /* 经济状况 */
	NEEDS_TRAITS,      /* 家庭特征 */
	NEEDS_RETROFIT,    /* 改造需求 */
	NEEDS_DEVICES,     /* 辅具需求 */
	NEEDS_REGISTERED,  /* 登记日期 */
	NEEDS_REMARK,      /* 备注 */
	NEEDS_COLUMNS
};
extern const char *const needs_column_names[NEEDS_COLUMNS];

extern const struct file_table needs_table;

#endif
