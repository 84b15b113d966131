/* SPDX-License-Identifier: Apache-2.0
 * Every answer is exact, unless who asks says that it need not be: Cache-Control: max-stale (RFC
 * 9111, 5.2.1.2), with the seconds it may be late, or without for as late as the settings allow. Then a
 * replica may answer what is marked so in db/sql, and Tantu-Read says who did and how old it may be. */
#include "api/engine.h"

/* One name, or name=value. */
static struct slice cut_value(struct slice *directive)
{
	const char *equals = directive->len ? memchr(directive->at, '=', directive->len) : NULL;
	if (!equals)
		return (struct slice){ 0 };
	struct slice value = { equals + 1, directive->len - (size_t)(equals + 1 - directive->at) };
	*directive = slice_trim((struct slice){ directive->at, (size_t)(equals - directive->at) });
	value = slice_trim(value);
	bool quoted = value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"';
	return quoted ? (struct slice){ value.at + 1, value.len - 2 } : value;
}

/* Finds a directive in a list of them. value->at NULL: it stands without one. */
static bool find_directive(struct slice list, struct slice name, struct slice *value)
{
	while (list.len) {
		const char *end = memchr(list.at, ',', list.len);
		struct slice one =
			slice_trim((struct slice){ list.at, end ? (size_t)(end - list.at) : list.len });
		list = end ? (struct slice){ end + 1, list.len - (size_t)(end + 1 - list.at) }
			   : (struct slice){ 0 };
		*value = cut_value(&one);
		if (slice_equal_nocase(one, name))
			return true;
	}
	return false;
}

/* What cannot be read allows nothing: the answer is then exact. */
void stale_allow(struct request *r, enum sql statement)
{
	enum { MOST_SECONDS = 86400 };
	uint64_t seconds = 0;
	struct slice control = http_header(r->x, "cache-control"), value;
	if (!control.at || !sql_texts[statement].may_be_stale || http_method(r->x) > HTTP_METHOD_HEAD ||
	    !find_directive(control, SLICE("max-stale"), &value))
		return;
	if (!value.at)
		seconds = MOST_SECONDS;
	else if (!slice_to_u64(value, &seconds))
		return;
	r->stale_ms = (seconds < MOST_SECONDS ? (int64_t)seconds : MOST_SECONDS) * 1000;
}

void stale_note(struct request *r)
{
	if (r->stale_ms == 0 || r->reply->outcome != DB_OK)
		return;
	r->read = r->reply->from_replica
			  ? arena_printf(http_arena(r->x), "Tantu-Read: replica; lag_ms=%lld\r\n",
					 (long long)r->reply->age_ms)
			  : "Tantu-Read: primary\r\n";
	r->stale_ms = 0;
}
