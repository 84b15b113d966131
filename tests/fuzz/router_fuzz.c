/* SPDX-License-Identifier: Apache-2.0
 * Any method and path over the real tables: what is found is what a walk segment by segment finds, and the
 * values are the path's own segments. The first byte is the method, the rest the path. */
#include "api/engine.h"
#include <stdlib.h>

static struct route routes[300];

static int make_routes(void)
{
	int n = 0;
	for (int t = 0; endpoint_tables[t]; t++)
		for (const struct endpoint *e = endpoint_tables[t]; e->path; e++)
			routes[n++].endpoint = e;
	return n;
}

/* The segment at *at, which moves on to the next slash; false at the end. */
static bool next_segment(struct slice *rest, struct slice *segment)
{
	if (rest->len == 0 || rest->at[0] != '/')
		return false;
	const char *start = rest->at + 1;
	const char *slash = rest->len > 1 ? memchr(start, '/', rest->len - 1) : NULL;
	size_t len = slash ? (size_t)(slash - start) : rest->len - 1;
	*segment = (struct slice){ start, len };
	*rest = (struct slice){ start + len, rest->len - 1 - len };
	return true;
}

static bool matches(const char *pattern, struct slice path, struct slice values[PATH_VALUES])
{
	struct slice left = slice_of(pattern), want, have;
	int n = 0;
	for (;;) {
		bool more = next_segment(&left, &want), given = next_segment(&path, &have);
		if (more != given)
			return false;
		if (!more)
			return path.len == 0;
		if (want.len > 0 && want.at[0] == '{') {
			if (have.len == 0)
				return false;
			values[n++] = have;
		} else if (!slice_equal(want, have)) {
			return false;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct api api = { .routes = routes };
	struct slice values[PATH_VALUES] = { { 0 } }, wanted[PATH_VALUES] = { { 0 } };
	const struct route *expected = NULL;
	char allow[64];
	bool any = false;
	if (!api.route_count)
		api.route_count = make_routes();
	if (size == 0)
		return 0;
	enum http_method method = (enum http_method)(data[0] % (HTTP_METHOD_OTHER + 1));
	struct slice path = { (const char *)data + 1, size - 1 };
	for (int i = 0; i < api.route_count && !expected; i++) {
		struct slice found[PATH_VALUES] = { { 0 } };
		if (!matches(routes[i].endpoint->path, path, found))
			continue;
		any = true;
		if (routes[i].endpoint->method != (method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : method))
			continue;
		expected = &routes[i];
		memcpy(wanted, found, sizeof wanted);
	}
	const struct route *found = router_match(&api, method, path, values, allow);
	INVARIANT(found == expected);
	INVARIANT(strlen(allow) < sizeof allow && (found || (allow[0] != 0) == any));
	for (int i = 0; found && i < PATH_VALUES; i++)
		INVARIANT(values[i].at == wanted[i].at && values[i].len == wanted[i].len);
	return 0;
}
