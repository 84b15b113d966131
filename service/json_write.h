/* SPDX-License-Identifier: Apache-2.0
 * Writes JSON values straight into a buffer: the answers' fast path. Commas are the caller's. */
#ifndef SERVICE_JSON_WRITE_H
#define SERVICE_JSON_WRITE_H

#include "service/buffer.h"

/* A quoted, escaped string of well-formed UTF-8. */
void json_write_text(struct buffer *out, struct slice text);
/* "key": with its colon; `first` tells whether a comma goes before and is cleared. */
void json_write_key(struct buffer *out, const char *key, bool *first);
void json_write_bool(struct buffer *out, bool value);
void json_write_null(struct buffer *out);
/* RFC 3339 in UTC, quoted: microseconds since 2000-01-01 (PostgreSQL's timestamptz) →
 * "2026-11-22T02:15:00.5Z". */
void json_write_time(struct buffer *out, int64_t micros_since_2000);
/* "2026-11-22", quoted: days since 2000-01-01 (PostgreSQL's date). */
void json_write_date(struct buffer *out, int32_t days_since_2000);

#endif
