/* SPDX-License-Identifier: Apache-2.0
 * Path → route. Routes are few (some fifty) and sorted by their table; a linear walk that compares the first
 * differing byte is faster than anything clever. Values are percent-decoded once, by whoever binds them. */
#include "api/engine.h"
#include <stdio.h>

static bool match_path(const char *pattern, struct slice path, struct slice values[PATH_VALUES])
{
	size_t at = 0;
	int n = 0;
	for (; *pattern; pattern++) {
		if (*pattern != '{') {
			if (at >= path.len || path.at[at++] != *pattern)
				return false;
			continue;
		}
		size_t start = at;
		while (at < path.len && path.at[at] != '/')
			at++;
		if (at == start || n == PATH_VALUES)
			return false;
		values[n++] = (struct slice){ path.at + start, at - start };
		pattern = strchr(pattern, '}');
	}
	return at == path.len;
}

static void add_allowed(char allow[64], enum http_method method)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "" };
	size_t len = strlen(allow);
	snprintf(allow + len, 64 - len, "%s%s%s", len ? ", " : "", names[method],
		 method == HTTP_METHOD_GET ? ", HEAD" : "");
}

const struct route *router_match(const struct api *api, enum http_method method, struct slice path,
				 struct slice values[PATH_VALUES], char allow[64])
{
	enum http_method wanted = method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : method;
	allow[0] = 0;
	for (int i = 0; i < api->route_count; i++) {
		const struct route *route = &api->routes[i];
		if (!match_path(route->endpoint->path, path, values))
			continue;
		if (route->endpoint->method == wanted)
			return route;
		add_allowed(allow, route->endpoint->method);
	}
	return NULL;
}
