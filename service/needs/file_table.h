/* SPDX-License-Identifier: Apache-2.0
 * What a kind of file is made of: its columns, and what may be said against a row of it. The reader and the
 * writer of refused rows are told; so every import reads and writes the same formats in the same way. */
#ifndef SERVICE_NEEDS_FILE_TABLE_H
#define SERVICE_NEEDS_FILE_TABLE_H

#include <stdint.h>

enum { FILE_COLUMNS = 20 }; /* at most */

struct file_table {
	const char *name;           /* "needs": what its sealed uploads are called too */
	const char *what;           /* "the needs database", as problems say it */
	const char *const *columns; /* zh-CN, as headings name them */
	int count;
	uint32_t optional; /* a bit a column: the header may leave it out */
	/* By code: what is written under 错误代码 and 错误说明; the first is of an accepted row. */
	const char *const *codes, *const *explanations;
	int code_count;
};

#endif
