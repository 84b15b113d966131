/* SPDX-License-Identifier: Apache-2.0
 * The guard: a table of what may follow what (state × class of byte), and what is counted on the way.
 * Invariant: a byte that the table does not expect refuses the request, and nothing is read after that. */
#include "service/http_guard.h"
#include "service/http_guard_table.h"
#include "service/invariant.h"

enum field_kind { FIELD_PLAIN, FIELD_HOST, FIELD_LENGTH, FIELD_CODING, FIELD_NOT_TRAILER };

enum { CHUNK_LINE_BYTES = 1024, CHUNK_DIGITS = 16, METHOD_BYTES = 24 };

/* Framing, routing, authorisation and content format must be known before the body (RFC 9110, 6.5.1). */
static const struct {
	struct slice name;
	enum field_kind kind;
} known_fields[] = {
	{ { "host", 4 }, FIELD_HOST },
	{ { "content-length", 14 }, FIELD_LENGTH },
	{ { "transfer-encoding", 17 }, FIELD_CODING },
	{ { "authorization", 13 }, FIELD_NOT_TRAILER },
	{ { "cache-control", 13 }, FIELD_NOT_TRAILER },
	{ { "connection", 10 }, FIELD_NOT_TRAILER },
	{ { "content-encoding", 16 }, FIELD_NOT_TRAILER },
	{ { "content-range", 13 }, FIELD_NOT_TRAILER },
	{ { "content-type", 12 }, FIELD_NOT_TRAILER },
	{ { "cookie", 6 }, FIELD_NOT_TRAILER },
	{ { "expect", 6 }, FIELD_NOT_TRAILER },
	{ { "idempotency-key", 15 }, FIELD_NOT_TRAILER },
	{ { "if-match", 8 }, FIELD_NOT_TRAILER },
	{ { "if-none-match", 13 }, FIELD_NOT_TRAILER },
	{ { "max-forwards", 12 }, FIELD_NOT_TRAILER },
	{ { "proxy-authorization", 19 }, FIELD_NOT_TRAILER },
	{ { "range", 5 }, FIELD_NOT_TRAILER },
	{ { "te", 2 }, FIELD_NOT_TRAILER },
	{ { "trailer", 7 }, FIELD_NOT_TRAILER },
	{ { "upgrade", 7 }, FIELD_NOT_TRAILER },
};

static bool refuse(struct http_guard *guard, enum http_refusal refusal)
{
	guard->state = GUARD_STATE_REFUSED;
	guard->refusal = refusal;
	return false;
}

/* Refuses unless it holds; answers whether it does. */
static bool require(struct http_guard *guard, bool holds, enum http_refusal refusal)
{
	if (!holds)
		refuse(guard, refusal);
	return holds;
}

void http_guard_init(struct http_guard *guard, const struct http_guard_limits *limits)
{
	*guard = (struct http_guard){ .limits = limits, .state = GUARD_STATE_START };
}

bool http_guard_untouched(const struct http_guard *guard)
{
	return guard->state == GUARD_STATE_START;
}

bool http_guard_ended(const struct http_guard *guard)
{
	return guard->state == GUARD_STATE_ENDED;
}

/* Why a byte that the table does not expect is refused. */
static enum http_refusal refusal_of(enum guard_state state, enum guard_class class)
{
	if (class == GUARD_CLASS_LF)
		return HTTP_REFUSED_BARE_LF;
	if (class == GUARD_CLASS_NUL)
		return HTTP_REFUSED_CONTROL;
	if (state == GUARD_STATE_LINE && (class == GUARD_CLASS_SPACE || class == GUARD_CLASS_TAB))
		return HTTP_REFUSED_FOLD;
	return (enum http_refusal)guard_state_refusal[state];
}

static enum field_kind kind_of_name(const struct http_guard *guard)
{
	struct slice name = { guard->name, guard->name_len };
	for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++)
		if (slice_equal(name, known_fields[i].name))
			return known_fields[i].kind;
	return FIELD_PLAIN;
}

/* The colon after a field name. */
static bool take_name_end(struct http_guard *guard)
{
	enum field_kind kind = kind_of_name(guard);
	guard->field = (unsigned char)kind;
	guard->matched = 0;
	guard->digits = 0;
	if (kind != FIELD_PLAIN && guard->trailer)
		return refuse(guard, HTTP_REFUSED_TRAILER);
	if (kind == FIELD_HOST && guard->has_host)
		return refuse(guard, HTTP_REFUSED_HOST_REPEATED);
	if (kind == FIELD_LENGTH && guard->has_length)
		return refuse(guard, HTTP_REFUSED_LENGTH_REPEATED);
	if (kind == FIELD_CODING && guard->has_coding)
		return refuse(guard, HTTP_REFUSED_CODING_REPEATED);
	guard->has_host |= kind == FIELD_HOST;
	guard->has_length |= kind == FIELD_LENGTH;
	guard->has_coding |= kind == FIELD_CODING;
	return true;
}

static void take_name_byte(struct http_guard *guard, unsigned char c)
{
	if (guard->name_len < HTTP_GUARD_NAME)
		guard->name[guard->name_len++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* The first byte of a field's name; those behind it are part of a run. */
static bool take_name_start(struct http_guard *guard, unsigned char c)
{
	take_name_byte(guard, c);
	return require(guard, ++guard->fields <= guard->limits->fields, HTTP_REFUSED_HEADER_MANY);
}

/* Blanks after the number close it: matched says so. */
static bool take_length_byte(struct http_guard *guard, unsigned char c)
{
	if (c == ' ' || c == '\t') {
		guard->matched = guard->digits > 0;
		return true;
	}
	if (c < '0' || c > '9' || guard->matched || guard->length > (UINT64_MAX - 9) / 10)
		return refuse(guard, HTTP_REFUSED_LENGTH_VALUE);
	guard->length = guard->length * 10 + (uint64_t)(c - '0');
	guard->digits = 1;
	return true;
}

/* digits: blanks came after the word. */
static bool take_coding_byte(struct http_guard *guard, unsigned char c)
{
	static const char word[] = "chunked";
	if (c == ' ' || c == '\t') {
		guard->digits = guard->matched > 0;
		return true;
	}
	if (guard->digits || guard->matched >= sizeof(word) - 1 || (c | 0x20) != word[guard->matched])
		return refuse(guard, HTTP_REFUSED_CODING_VALUE);
	guard->matched++;
	return true;
}

/* Other values are taken in runs. */
static bool take_value_byte(struct http_guard *guard, unsigned char c)
{
	if (guard->field == FIELD_LENGTH)
		return take_length_byte(guard, c);
	INVARIANT(guard->field == FIELD_CODING);
	return take_coding_byte(guard, c);
}

static bool take_field_end(struct http_guard *guard)
{
	if (guard->field == FIELD_LENGTH && guard->digits == 0)
		return refuse(guard, HTTP_REFUSED_LENGTH_VALUE);
	if (guard->field == FIELD_CODING && guard->matched != strlen("chunked"))
		return refuse(guard, HTTP_REFUSED_CODING_VALUE);
	guard->name_len = 0;
	guard->digits = 0;
	return true;
}

/* The bytes of the method, the target and the version that are more than a class. */
static bool take_request_line_byte(struct http_guard *guard, unsigned char c)
{
	static const char version[] = "HTTP/1.";
	if (guard->state == GUARD_STATE_METHOD)
		return require(guard, ++guard->matched <= METHOD_BYTES, HTTP_REFUSED_METHOD);
	if (guard->state == GUARD_STATE_TARGET)
		return require(guard, ++guard->target_bytes <= guard->limits->target_bytes,
			       HTTP_REFUSED_TARGET_LONG);
	unsigned at = guard->matched++;
	if (at == 5 || at == 7) { /* the two numbers; anything but 1.0 and 1.1 is judged at the end */
		guard->digits |= (unsigned char)(at == 5 && c != '1' ? 1 : 0);
		guard->minor = (unsigned char)(c - '0');
		return require(guard, guard->minor <= 9, HTTP_REFUSED_REQUEST_LINE);
	}
	return require(guard, at < 7 && c == (unsigned char)version[at], HTTP_REFUSED_REQUEST_LINE);
}

static bool take_request_line_end(struct http_guard *guard)
{
	if (guard->matched != 8)
		return refuse(guard, HTTP_REFUSED_REQUEST_LINE);
	if (guard->digits || guard->minor > 1)
		return refuse(guard, HTTP_REFUSED_VERSION);
	return true;
}

/* The empty line: what the body will be. */
static bool take_head_end(struct http_guard *guard)
{
	if (guard->has_coding && guard->has_length)
		return refuse(guard, HTTP_REFUSED_LENGTH_AND_CODING);
	if (guard->has_coding && guard->minor == 0)
		return refuse(guard, HTTP_REFUSED_CODING_VERSION);
	if (!guard->has_host && guard->minor == 1)
		return refuse(guard, HTTP_REFUSED_HOST_MISSING);
	if (guard->has_coding)
		guard->state = GUARD_STATE_CHUNK_START;
	else
		guard->state = guard->length > 0 ? GUARD_STATE_BODY : GUARD_STATE_ENDED;
	return true;
}

static unsigned hex_value(unsigned char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

static bool take_chunk_digit(struct http_guard *guard, unsigned char c)
{
	if (guard->digits++ == CHUNK_DIGITS)
		return refuse(guard, HTTP_REFUSED_CHUNK_LINE);
	guard->length = guard->length << 4 | hex_value(c);
	return true;
}

static bool take_chunk_line_end(struct http_guard *guard)
{
	guard->line_bytes = 0;
	guard->digits = 0;
	guard->trailer = guard->length == 0;
	guard->section_bytes = 0;
	guard->fields = guard->trailer ? 0 : guard->fields;
	guard->state = guard->trailer ? GUARD_STATE_LINE : GUARD_STATE_DATA;
	return true;
}

/* What a byte means beyond the step it made from state `from` to guard->state. */
static bool take(struct http_guard *guard, enum guard_state from, unsigned char c)
{
	switch ((enum guard_state)guard->state) {
	case GUARD_STATE_METHOD:
	case GUARD_STATE_TARGET:
	case GUARD_STATE_VERSION:
		return take_request_line_byte(guard, c);
	case GUARD_STATE_BEFORE_VERSION:
		guard->matched = 0;
		return true;
	case GUARD_STATE_REQUEST_LF:
		return take_request_line_end(guard);
	case GUARD_STATE_NAME:
		return take_name_start(guard, c);
	case GUARD_STATE_VALUE:
		return from == GUARD_STATE_NAME ? take_name_end(guard) : take_value_byte(guard, c);
	case GUARD_STATE_FIELD_LF:
		return take_field_end(guard);
	case GUARD_STATE_HEAD_END:
		if (!guard->trailer)
			return take_head_end(guard);
		guard->state = GUARD_STATE_ENDED;
		return true;
	case GUARD_STATE_CHUNK_SIZE:
		return take_chunk_digit(guard, c);
	case GUARD_STATE_CHUNK_END:
		return take_chunk_line_end(guard);
	default:
		return true;
	}
}

/* Whether the bytes of the line or section are still within bounds after `more`. */
static bool within_limits(struct http_guard *guard, size_t more)
{
	if (guard->state >= GUARD_STATE_CHUNK_START) {
		guard->line_bytes += more;
		return require(guard, guard->line_bytes <= CHUNK_LINE_BYTES, HTTP_REFUSED_CHUNK_LINE);
	}
	guard->section_bytes += more;
	return require(guard, guard->section_bytes <= guard->limits->head_bytes, HTTP_REFUSED_HEADER_LONG);
}

/* What a run of bytes that stay in the state they are in adds up to. */
static bool take_run(struct http_guard *guard, const char *bytes, size_t len)
{
	if (guard->state == GUARD_STATE_TARGET) {
		guard->target_bytes += len;
		if (guard->target_bytes > guard->limits->target_bytes)
			return refuse(guard, HTTP_REFUSED_TARGET_LONG);
	}
	for (size_t i = 0; i < len && guard->state == GUARD_STATE_NAME; i++)
		take_name_byte(guard, (unsigned char)bytes[i]);
	return within_limits(guard, len);
}

/* The long stretches of a head, without a step for each byte: targets, names and values that mean nothing. */
static size_t run_length(const struct http_guard *guard, const char *bytes, size_t len)
{
	const unsigned char *next = guard_transition[guard->state];
	size_t n = 0;
	if (guard->state != GUARD_STATE_TARGET && guard->state != GUARD_STATE_NAME &&
	    guard->state != GUARD_STATE_VALUE)
		return 0;
	if (guard->state == GUARD_STATE_VALUE &&
	    (guard->field == FIELD_LENGTH || guard->field == FIELD_CODING))
		return 0;
	while (n < len && next[guard_class_of[(unsigned char)bytes[n]]] == guard->state)
		n++;
	return n;
}

static bool take_byte(struct http_guard *guard, unsigned char c)
{
	enum guard_state from = (enum guard_state)guard->state;
	enum guard_state to = guard_next_state(from, c);
	if (!within_limits(guard, 1))
		return false;
	if (to == GUARD_STATE_REFUSED)
		return refuse(guard, refusal_of(from, (enum guard_class)guard_class_of[c]));
	guard->state = (unsigned char)to;
	return take(guard, from, c);
}

/* A piece of the body of known length. */
static enum http_guard_event take_data(struct http_guard *guard, const char *bytes, size_t len,
				       struct http_guard_step *step)
{
	size_t n = len < guard->length ? len : (size_t)guard->length;
	step->data = (struct slice){ bytes, n };
	step->used += n;
	guard->length -= n;
	if (guard->length > 0)
		return HTTP_GUARD_MORE;
	if (guard->state == GUARD_STATE_DATA) {
		guard->state = GUARD_STATE_DATA_CR;
		return HTTP_GUARD_MORE;
	}
	guard->state = GUARD_STATE_ENDED;
	return HTTP_GUARD_END;
}

enum http_guard_event http_guard_read(struct http_guard *guard, const char *bytes, size_t len,
				      struct http_guard_step *step)
{
	*step = (struct http_guard_step){ 0 };
	while (step->used < len) {
		if (guard->state == GUARD_STATE_BODY || guard->state == GUARD_STATE_DATA)
			return take_data(guard, bytes + step->used, len - step->used, step);
		size_t run = run_length(guard, bytes + step->used, len - step->used);
		if (run > 0 && !take_run(guard, bytes + step->used, run))
			return HTTP_GUARD_REFUSED;
		step->used += run;
		if (step->used == len)
			break;
		bool head = guard->state == GUARD_STATE_HEAD_LF && !guard->trailer;
		if (!take_byte(guard, (unsigned char)bytes[step->used]))
			return HTTP_GUARD_REFUSED;
		step->used++;
		if (head)
			return HTTP_GUARD_HEAD;
		if (guard->state == GUARD_STATE_ENDED)
			return HTTP_GUARD_END;
	}
	return HTTP_GUARD_MORE;
}
