/* SPDX-License-Identifier: Apache-2.0
 * Turns the endpoint tables into routes and row plans at start, and refuses to start when a table and what
 * PostgreSQL described of its statement disagree. */
#include "api/engine.h"
#include <stdio.h>

struct compiling {
	struct api *api;
	struct route *route;
	char *why;
	size_t why_size;
};

static bool wrong(const struct compiling *c, const char *what, const char *which)
{
	snprintf(c->why, c->why_size, "endpoint %s: %s %s", c->route->endpoint->path, what, which);
	return false;
}

static int count_fields(const struct field *fields)
{
	int n = 0;
	while (fields && fields[n].name)
		n++;
	return n;
}

static int find_field(const struct field *fields, struct slice name)
{
	for (int i = 0; fields && fields[i].name; i++)
		if (slice_is(name, fields[i].name))
			return i;
	return -1;
}

static int path_number(const char *path, struct slice name)
{
	int n = 0;
	for (const char *at = strchr(path, '{'); at; at = strchr(at, '{'), n++) {
		at++;
		if (slice_equal(name, (struct slice){ at, strcspn(at, "}") }))
			return n;
	}
	return -1;
}

static bool compile_op(struct compiling *c, struct slice word, struct bind_op *op)
{
	const struct endpoint *e = c->route->endpoint;
	const char *dot = memchr(word.at, '.', word.len);
	struct slice rest = { dot ? dot + 1 : word.at,
			      dot ? word.len - (size_t)(dot + 1 - word.at) : word.len };
	struct slice kind = { word.at, dot ? (size_t)(dot - word.at) : word.len };
	*op = (struct bind_op){ BIND_FIELD, -1 };
	if (slice_is(kind, "path"))
		*op = (struct bind_op){ BIND_PATH, path_number(e->path, rest) };
	else if (slice_is(kind, "query"))
		op->index = find_field(e->query, rest);
	else if (slice_is(kind, "in") && find_field(e->body, rest) >= 0)
		op->index = c->route->query_fields + find_field(e->body, rest);
	else if (slice_is(word, "if_match"))
		*op = (struct bind_op){ BIND_IF_MATCH, 0 };
	else if (slice_is(word, "page.after"))
		*op = (struct bind_op){ BIND_AFTER, 0 };
	else if (slice_is(word, "page.limit"))
		*op = (struct bind_op){ BIND_LIMIT, 0 };
	else if (slice_is(kind, "step") && rest.len == 1 && rest.at[0] >= '0' &&
		 rest.at[0] < '0' + STEP_VALUES)
		*op = (struct bind_op){ BIND_STEP, rest.at[0] - '0' };
	return op->index >= 0;
}

static bool compile_bind(struct compiling *c, struct bound_way *bound)
{
	const struct way *way = bound->way;
	const struct db_shape *shape = db_shape_of(c->api->options.db, way->statement);
	const char *name = sql_texts[way->statement].name;
	if (sql_texts[way->statement].shape == SQL_SHAPE_write) {
		bound->op[bound->count++] = (struct bind_op){ BIND_KEY, 0 };
		bound->op[bound->count++] = (struct bind_op){ BIND_PRINT, 0 };
	}
	for (const char *at = way->bind; *at;) {
		struct slice word = { at, strcspn(at, " ") };
		if (bound->count == DB_PARAMETERS || !compile_op(c, word, &bound->op[bound->count++]))
			return wrong(c, "cannot bind", at);
		at += word.len;
		at += strspn(at, " ");
	}
	if (shape->parameters != bound->count)
		return wrong(c, "does not bind as many parameters as its statement has:", name);
	return true;
}

static bool compile_when(struct compiling *c, struct bound_way *bound)
{
	int n = 0;
	bound->when_field[0] = -1;
	for (const char *at = bound->way->when; at && *at;) {
		struct slice word = { at, strcspn(at, " ") };
		const char *equals = memchr(word.at, '=', word.len);
		struct slice name = { word.at, equals ? (size_t)(equals - word.at) : word.len };
		if (word.at[0] == '@') {
			bound->when_role = role_bit((struct slice){ word.at + 1, word.len - 1 });
			if (!bound->when_role)
				return wrong(c, "unknown role in", at);
		} else {
			bound->when_field[n] = find_field(c->route->endpoint->query, name);
			if (bound->when_field[n] < 0 || n == 2)
				return wrong(c, "unknown field in", at);
			bound->when_value[n] =
				equals ? equals + 1 : NULL; /* to the end: only the last may have one */
			bound->when_field[++n] = -1;
		}
		at += word.len;
		at += strspn(at, " ");
	}
	return true;
}

/* Lead texts: "{"a":" ",\"b\":" ; dotted names open and close one nested object. */
static void plan_leads(struct arena *arena, const struct db_shape *shape, struct row_plan *plan)
{
	struct slice open = { "", 0 };
	bool first = true, inner_first = false;
	for (int i = 0; i < shape->columns; i++) {
		const char *name = shape->column[i].name, *dot = strchr(name, '.');
		struct slice group = { name, dot ? (size_t)(dot - name) : 0 };
		const char *lead;
		if (name[0] == '_')
			continue;
		const char *close = open.len && !slice_equal(open, group) ? "}" : "";
		const char *start =
			first ? "{" : (open.len && slice_equal(open, group) && inner_first ? "" : ",");
		if (group.len && !slice_equal(open, group))
			lead = arena_printf(arena, "%s%s\"%.*s\":{\"%s\":", close, start, (int)group.len,
					    name, dot + 1);
		else
			lead = arena_printf(arena, "%s%s\"%s\":", close, start, dot ? dot + 1 : name);
		INVARIANT(lead);
		plan->lead[i] = slice_of(lead);
		open = group;
		first = false;
	}
	plan->tail = first ? "{}" : open.len ? "}}" : "}";
}

static int column_named(const struct db_shape *shape, const char *name)
{
	for (int i = 0; i < shape->columns; i++)
		if (strcmp(shape->column[i].name, name) == 0)
			return i;
	return -1;
}

static void plan_rows(struct api *api, enum sql statement, const char *page)
{
	const struct db_shape *shape = db_shape_of(api->options.db, statement);
	struct row_plan *plan = &api->plans[statement];
	if (!plan->lead) {
		plan->columns = shape->columns;
		plan->lead = arena_zalloc(api->arena, sizeof *plan->lead * (size_t)(shape->columns + 1));
		INVARIANT(plan->lead);
		plan_leads(api->arena, shape, plan);
	}
	plan->verdict = column_named(shape, "_verdict");
	plan->field = column_named(shape, "_field");
	plan->version = column_named(shape, "version");
	plan->page = page ? column_named(shape, page) : -1;
}

static bool known_types(const struct compiling *c, enum sql statement)
{
	const struct db_shape *shape = db_shape_of(c->api->options.db, statement);
	for (int i = 0; i < shape->columns; i++)
		if (shape->column[i].type == DB_OTHER_TYPE)
			return wrong(c,
				     "has a column of a type that cannot be written:", shape->column[i].name);
	return true;
}

static bool compile_way(struct compiling *c, const struct way *way)
{
	struct route *route = c->route;
	struct bound_way *bound = &route->way[route->ways++];
	bound->way = way;
	if (!compile_when(c, bound) || !compile_bind(c, bound) || !known_types(c, way->statement))
		return false;
	plan_rows(c->api, way->statement, route->endpoint->page);
	if (route->endpoint->page && sql_texts[way->statement].shape != SQL_SHAPE_many)
		return wrong(c, "pages a statement that is not :many:", sql_texts[way->statement].name);
	if (route->endpoint->page && c->api->plans[way->statement].page < 0)
		return wrong(c, "has no page column in", sql_texts[way->statement].name);
	return true;
}

/* Every way must have what the template asks for. */
static bool compile_sheet(struct compiling *c)
{
	const char *name = c->route->endpoint->sheet, *stranger = NULL;
	char why[160];
	c->route->sheet = sheet_compile(c->api->arena, name, why, sizeof why);
	if (!c->route->sheet)
		return wrong(c, name, why);
	for (int i = 0; i < c->route->ways && !stranger; i++) {
		enum sql statement = c->route->way[i].way->statement;
		stranger = sheet_stranger(c->route->sheet, db_shape_of(c->api->options.db, statement),
					  sql_texts[statement].shape == SQL_SHAPE_many);
	}
	return !stranger || wrong(c, "prints what its statement does not tell:", stranger);
}

static void route_metrics(struct api *api, struct route *route)
{
	static const char *const methods[] = {
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", ""
	};
	const struct endpoint *e = route->endpoint;
	char label[200];
	snprintf(label, sizeof label, "method=\"%s\",route=\"%s\"", methods[e->method], e->path);
	route->seconds = metric_histogram(api->options.metrics, "tantu_request_seconds",
					  "From a request's first byte to its answer", label);
	for (int i = 1; i < 6; i++) {
		snprintf(label, sizeof label, "method=\"%s\",route=\"%s\",status=\"%dxx\"",
			 methods[e->method], e->path, i);
		route->answers[i] = metric_counter(api->options.metrics, "tantu_requests_total",
						   "Requests answered", label);
	}
}

static bool compile_route(struct compiling *c, const struct endpoint *e)
{
	c->route = &c->api->routes[c->api->route_count++];
	c->route->endpoint = e;
	c->route->query_fields = count_fields(e->query);
	c->route->body_fields = count_fields(e->body);
	for (int i = 0; i < WAYS && e->way[i].statement; i++)
		if (!compile_way(c, &e->way[i]))
			return false;
	if (c->route->ways == 0 && !e->steps)
		return wrong(c, "has neither statement nor steps", "");
	if (e->sheet && !compile_sheet(c))
		return false;
	route_metrics(c->api, c->route);
	return true;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): written through c.why */
bool compile_routes(struct api *api, char *why, size_t why_size)
{
	struct compiling c = { api, NULL, why, why_size };
	size_t count = 0;
	for (int t = 0; endpoint_tables[t]; t++)
		for (const struct endpoint *e = endpoint_tables[t]; e->path; e++)
			count++;
	api->routes = arena_zalloc(api->arena, count * sizeof *api->routes);
	api->plans = arena_zalloc(api->arena, SQL_COUNT * sizeof *api->plans);
	INVARIANT(api->routes && api->plans);
	for (int t = 0; endpoint_tables[t]; t++)
		for (const struct endpoint *e = endpoint_tables[t]; e->path; e++)
			if (!compile_route(&c, e))
				return false;
	return true;
}
