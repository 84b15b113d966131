/* SPDX-License-Identifier: Apache-2.0
 * The guard's table: which state follows which for each class of byte. Used by http_guard.c alone. */
#ifndef SERVICE_HTTP_GUARD_TABLE_H
#define SERVICE_HTTP_GUARD_TABLE_H

#include "service/http_refusal.h"

enum guard_class {
	GUARD_CLASS_CONTROL, /* and DEL: never right */
	GUARD_CLASS_NUL,
	GUARD_CLASS_TAB,
	GUARD_CLASS_LF,
	GUARD_CLASS_CR,
	GUARD_CLASS_SPACE,
	GUARD_CLASS_QUOTE,
	GUARD_CLASS_HASH, /* a token character, but ends a target */
	GUARD_CLASS_COLON,
	GUARD_CLASS_SEMICOLON,
	GUARD_CLASS_EQUALS,
	GUARD_CLASS_BACKSLASH,
	GUARD_CLASS_HEX, /* a token character too */
	GUARD_CLASS_TOKEN,
	GUARD_CLASS_VISIBLE, /* the rest of ASCII */
	GUARD_CLASS_HIGH,    /* 0x80 and up */
	GUARD_CLASSES
};

/* Up to HEAD_END the bytes count as head or trailers, from CHUNK_START on as a chunk's line. */
enum guard_state {
	GUARD_STATE_REFUSED,
	GUARD_STATE_START,
	GUARD_STATE_START_LF,
	GUARD_STATE_METHOD,
	GUARD_STATE_BEFORE_TARGET,
	GUARD_STATE_TARGET,
	GUARD_STATE_BEFORE_VERSION,
	GUARD_STATE_VERSION,
	GUARD_STATE_REQUEST_LF,
	GUARD_STATE_LINE, /* where a field line or the empty line may start */
	GUARD_STATE_NAME,
	GUARD_STATE_VALUE,
	GUARD_STATE_FIELD_LF,
	GUARD_STATE_HEAD_LF,
	GUARD_STATE_HEAD_END, /* left at once for what follows the head, or the trailers */
	GUARD_STATE_CHUNK_START,
	GUARD_STATE_CHUNK_SIZE,
	GUARD_STATE_BEFORE_SEMICOLON,
	GUARD_STATE_BEFORE_NAME, /* of a chunk extension */
	GUARD_STATE_EXTENSION,
	GUARD_STATE_AFTER_EXTENSION,
	GUARD_STATE_BEFORE_WORTH, /* the extension's value */
	GUARD_STATE_WORTH,
	GUARD_STATE_QUOTED,
	GUARD_STATE_QUOTED_PAIR,
	GUARD_STATE_AFTER_QUOTED,
	GUARD_STATE_CHUNK_LF,
	GUARD_STATE_CHUNK_END, /* left at once for the data or the trailers */
	GUARD_STATE_DATA_CR,
	GUARD_STATE_DATA_LF,
	GUARD_STATE_DATA, /* of a chunk; not by this table */
	GUARD_STATE_BODY, /* of known length; not by this table */
	GUARD_STATE_ENDED,
	GUARD_STATES
};

extern const unsigned char guard_class_of[256];
extern const unsigned char guard_transition[GUARD_STATES][GUARD_CLASSES];
/* Why a byte that has no transition in a state is refused. */
extern const unsigned char guard_state_refusal[GUARD_STATES];

static inline enum guard_state guard_next_state(enum guard_state state, unsigned char c)
{
	return (enum guard_state)guard_transition[state][guard_class_of[c]];
}

#endif
