/* SPDX-License-Identifier: Apache-2.0
 * The request header fields that the API itself reads. Pure: nothing allocates, slices point into what was
 * given. */
#ifndef API_HEADER_H
#define API_HEADER_H

#include "service/slice.h"

enum { HEADER_KEY_BYTES = 200 };

/* The token of "Authorization: Bearer …", else of the session cookie; .len 0 when there is neither. */
struct slice header_token(struct slice authorization, struct slice cookies);
/* The version an If-Match asks for, as the digits of it; .at NULL when any will do (none given, or "*").
 * False when it is not one ETag as we give them. */
bool header_version(struct slice if_match, struct slice *version);
/* An Idempotency-Key: 1 to HEADER_KEY_BYTES visible ASCII characters. */
bool header_key_is_sound(struct slice key);

#endif
