/* SPDX-License-Identifier: Apache-2.0
 * The shapes of the texts that clients send. */
#ifndef API_TEXT_H
#define API_TEXT_H

#include "service/arena.h"

/* RFC 3339 with an offset, years 0001–9999, a day that exists; the offset within ±15:59 (PostgreSQL's own
 * limit). */
bool text_is_time(struct slice s);
/* YYYY-MM-DD, a day that exists, year not 0000. */
bool text_is_date(struct slice s);
/* Six digits, or nine for a township; the first is not 0. */
bool text_is_region(struct slice s);
/* 17 digits and a right check character (GB 11643). */
bool text_is_citizen_id(struct slice s);
/* application/json, perhaps with charset=utf-8 */
bool text_is_json_type(struct slice content_type);
/* Decodes %XX and '+'; false for a broken escape, a NUL, or what is not UTF-8 then. */
bool text_percent_decode(struct arena *arena, struct slice from, struct slice *out);

#endif
