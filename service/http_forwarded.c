/* SPDX-License-Identifier: Apache-2.0
 * See http_forwarded.h. The chain is read from its end: what stands further left was written further away,
 * in the end by the client itself.
 * Invariant: nothing left of the first address that is not trusted is looked at. */
#include "service/http_forwarded.h"

enum { HOPS = 16 };

/* Takes the last element off a list. Quotes are not minded: a trusted proxy puts no comma in them. */
static struct slice last_of(struct slice *list)
{
	const char *comma = list->len ? memrchr(list->at, ',', list->len) : NULL;
	struct slice last = *list;
	if (comma) {
		last.at = comma + 1;
		last.len = list->len - (size_t)(comma + 1 - list->at);
		list->len = (size_t)(comma - list->at);
	} else {
		list->len = 0;
	}
	return slice_trim(last);
}

static struct slice unquoted(struct slice s)
{
	if (s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"')
		return (struct slice){ s.at + 1, s.len - 2 };
	return s;
}

/* The value of NAME=value in an element of Forwarded; .at NULL when there is none. */
static struct slice parameter(struct slice element, struct slice name)
{
	while (element.len > 0) {
		const char *end = memchr(element.at, ';', element.len);
		struct slice pair = { element.at, end ? (size_t)(end - element.at) : element.len };
		element.at += pair.len;
		element.len -= pair.len;
		if (end) {
			element.at++;
			element.len--;
		}
		pair = slice_trim(pair);
		if (pair.len > name.len && pair.at[name.len] == '=' &&
		    slice_equal_nocase((struct slice){ pair.at, name.len }, name))
			return unquoted((struct slice){ pair.at + name.len + 1, pair.len - name.len - 1 });
	}
	return (struct slice){ NULL, 0 };
}

/* Whether the chain goes on: this one is a trusted proxy too. */
static bool take_hop(struct slice text, const struct http_networks *trusted, struct http_address *client)
{
	struct http_address hop;
	if (!http_address_read(text, &hop))
		return false;
	*client = hop;
	return http_networks_hold(trusted, &hop);
}

/* The last field of that name; .at NULL when there is none. */
static struct slice last_field(const struct http_reader *reader, const char *name)
{
	for (size_t i = reader->field_count; i-- > 0;)
		if (slice_is(reader->fields[i].name, name))
			return reader->fields[i].value;
	return (struct slice){ NULL, 0 };
}

static bool nearest_is_secure(const struct http_reader *reader, enum http_forwarded_by by)
{
	bool standard = by == HTTP_BY_FORWARDED;
	struct slice list = last_field(reader, standard ? "forwarded" : "x-forwarded-proto");
	struct slice nearest = last_of(&list);
	return slice_equal_nocase(standard ? parameter(nearest, SLICE("proto")) : nearest, SLICE("https"));
}

void http_forwarded_read(const struct http_reader *reader, enum http_forwarded_by by,
			 const struct http_networks *trusted, struct http_address *client, bool *secure)
{
	const char *name = by == HTTP_BY_FORWARDED ? "forwarded" : "x-forwarded-for";
	int hops = 0;
	*secure = nearest_is_secure(reader, by);
	for (size_t i = reader->field_count; i-- > 0;) {
		struct slice list = reader->fields[i].value;
		if (!slice_is(reader->fields[i].name, name))
			continue;
		while (list.len > 0) {
			struct slice hop = last_of(&list);
			if (by == HTTP_BY_FORWARDED)
				hop = parameter(hop, SLICE("for"));
			if (hops++ == HOPS || !take_hop(hop, trusted, client))
				return;
		}
	}
}
