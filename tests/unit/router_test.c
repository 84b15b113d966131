/* SPDX-License-Identifier: Apache-2.0
 * Paths and methods to routes. */
#include "api/engine.h"
#include "unit.h"

static const struct endpoint endpoints[] = {
	{ HTTP_METHOD_GET, "/cases" },
	{ HTTP_METHOD_POST, "/cases" },
	{ HTTP_METHOD_GET, "/cases/{id}" },
	{ HTTP_METHOD_PATCH, "/cases/{id}" },
	{ HTTP_METHOD_POST, "/cases/{id}/transitions" },
	{ HTTP_METHOD_PUT, "/plans/{code}/targets/{indicator}" },
	{ HTTP_METHOD_GET, "/plans/{code}/targets" },
	{ HTTP_METHOD_DELETE, "/a/{x}/{y}/{z}" },
	{ HTTP_METHOD_POST, "/persons/find" },
	{ HTTP_METHOD_GET, "/" },
};
enum { COUNT = sizeof endpoints / sizeof endpoints[0] };

static struct route routes[COUNT];
static struct api api = { .routes = routes, .route_count = COUNT };
static struct slice values[PATH_VALUES];
static char allow[64];

static int make_routes(void **state)
{
	(void)state;
	for (int i = 0; i < COUNT; i++)
		routes[i].endpoint = &endpoints[i];
	return 0;
}

/* The number of the endpoint, -1 for none. */
static int match(enum http_method method, const char *path)
{
	memset(values, 0, sizeof values);
	strcpy(allow, "left over");
	const struct route *route = router_match(&api, method, slice_of(path), values, allow);
	return route ? (int)(route - routes) : -1;
}

static void finds_the_endpoint(void **state)
{
	(void)state;
	assert_int_equal(match(HTTP_METHOD_GET, "/"), 9);
	assert_int_equal(match(HTTP_METHOD_GET, "/cases"), 0);
	assert_int_equal(match(HTTP_METHOD_POST, "/cases"), 1);
	assert_int_equal(match(HTTP_METHOD_GET, "/cases/17"), 2);
	assert_int_equal(match(HTTP_METHOD_PATCH, "/cases/17"), 3);
	assert_int_equal(match(HTTP_METHOD_POST, "/cases/17/transitions"), 4);
	assert_int_equal(match(HTTP_METHOD_POST, "/persons/find"), 8);
}

static void gives_the_values(void **state)
{
	(void)state;
	assert_int_equal(match(HTTP_METHOD_PUT, "/plans/yanchi-2026/targets/households"), 5);
	assert_true(slice_is(values[0], "yanchi-2026"));
	assert_true(slice_is(values[1], "households"));
	assert_null(values[2].at);
	assert_int_equal(match(HTTP_METHOD_DELETE, "/a/1/%2F/..%20"), 7);
	assert_true(slice_is(values[0], "1"));
	assert_true(slice_is(values[1], "%2F")); /* raw: decoded by whoever binds it */
	assert_true(slice_is(values[2], "..%20"));
	assert_int_equal(match(HTTP_METHOD_GET, "/cases/{id}"), 2);
	assert_true(slice_is(values[0], "{id}"));
}

static void a_slash_too_many_is_another_path(void **state)
{
	static const char *const none[] = {
		"/cases/",
		"//cases",
		"/cases//transitions",
		"/cases/17/",
		"/cases/17//transitions",
		"/plans//targets/households",
		"/plans/x/targets/",
		"/a/1/2/",
		"/a/1//3",
		"/a///",
		"//",
		"",
		NULL,
	};
	(void)state;
	for (int i = 0; none[i]; i++)
		for (int method = 0; method <= HTTP_METHOD_OTHER; method++) {
			if (match((enum http_method)method, none[i]) != -1)
				fail_msg("'%s' should not be found", none[i]);
			assert_string_equal(allow, "");
		}
}

static void a_part_of_a_path_is_another_path(void **state)
{
	static const char *const none[] = {
		"/c",
		"/case",
		"/casesx",
		"/cases/17/transition",
		"/cases/17/transitions/1",
		"/persons/fin",
		"/persons/finds",
		"/a/1/2",
		"/a/1/2/3/4",
		"/CASES",
		"cases",
		"/v.json",
		"/plans/x",
		NULL,
	};
	(void)state;
	for (int i = 0; none[i]; i++) {
		if (match(HTTP_METHOD_GET, none[i]) != -1)
			fail_msg("'%s' should not be found", none[i]);
		assert_string_equal(allow, "");
	}
}

/* The slice is not terminated: what follows it is not part of it. */
static void reads_no_further_than_the_path(void **state)
{
	struct slice path = { "/cases/17/transitions", 9 };
	(void)state;
	const struct route *route = router_match(&api, HTTP_METHOD_GET, path, values, allow);
	assert_ptr_equal(route, &routes[2]);
	assert_true(slice_is(values[0], "17"));
}

static void head_is_get(void **state)
{
	(void)state;
	assert_int_equal(match(HTTP_METHOD_HEAD, "/cases"), 0);
	assert_int_equal(match(HTTP_METHOD_HEAD, "/cases/1"), 2);
	assert_int_equal(match(HTTP_METHOD_HEAD, "/persons/find"), -1);
}

static void says_what_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(match(HTTP_METHOD_DELETE, "/cases"), -1);
	assert_string_equal(allow, "GET, HEAD, POST");
	assert_int_equal(match(HTTP_METHOD_OPTIONS, "/cases/1"), -1);
	assert_string_equal(allow, "GET, HEAD, PATCH");
	assert_int_equal(match(HTTP_METHOD_GET, "/a/1/2/3"), -1);
	assert_string_equal(allow, "DELETE");
	assert_int_equal(match(HTTP_METHOD_OTHER, "/plans/x/targets/y"), -1);
	assert_string_equal(allow, "PUT");
	assert_int_equal(match(HTTP_METHOD_GET, "/nowhere"), -1);
	assert_string_equal(allow, "");
}

/* Every method on one path: the longest list there can be. */
static void the_longest_list_fits(void **state)
{
	static const struct endpoint every[] = {
		{ HTTP_METHOD_GET, "/x" },   { HTTP_METHOD_POST, "/x" },   { HTTP_METHOD_PUT, "/x" },
		{ HTTP_METHOD_PATCH, "/x" }, { HTTP_METHOD_DELETE, "/x" },
	};
	struct route five[5] = { 0 };
	struct api small = { .routes = five, .route_count = 5 };
	(void)state;
	for (int i = 0; i < 5; i++)
		five[i].endpoint = &every[i];
	assert_null(router_match(&small, HTTP_METHOD_OPTIONS, SLICE("/x"), values, allow));
	assert_string_equal(allow, "GET, HEAD, POST, PUT, PATCH, DELETE");
}

/* Values of two patterns must not decide between them: the first in the table wins. */
static void the_real_tables_do_not_hide_each_other(void **state)
{
	struct route all[400] = { 0 };
	struct api whole = { .routes = all };
	(void)state;
	for (int t = 0; endpoint_tables[t]; t++)
		for (const struct endpoint *e = endpoint_tables[t]; e->path; e++)
			all[whole.route_count++].endpoint = e;
	for (int i = 0; i < whole.route_count; i++) {
		const struct route *found = router_match(&whole, all[i].endpoint->method,
							 slice_of(all[i].endpoint->path), values, allow);
		if (found != &all[i])
			fail_msg("%s is hidden by %s", all[i].endpoint->path,
				 found ? found->endpoint->path : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_endpoint),
		cmocka_unit_test(gives_the_values),
		cmocka_unit_test(a_slash_too_many_is_another_path),
		cmocka_unit_test(a_part_of_a_path_is_another_path),
		cmocka_unit_test(reads_no_further_than_the_path),
		cmocka_unit_test(head_is_get),
		cmocka_unit_test(says_what_is_allowed),
		cmocka_unit_test(the_longest_list_fits),
		cmocka_unit_test(the_real_tables_do_not_hide_each_other),
	};
	return cmocka_run_group_tests(tests, make_routes, NULL);
}
