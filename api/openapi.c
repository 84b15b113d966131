/* SPDX-License-Identifier: Apache-2.0
 * /openapi.json (OpenAPI 3.1), from the same rows that route, authorise and check, and from the columns that
 * PostgreSQL described. Built once, at start. */
#include "api/engine.h"
#include "api/tables.h"

static json_t *field_schema(const struct field *f);

static json_t *fields_schema(const struct field *fields)
{
	json_t *properties = json_object(), *required = json_array();
	for (const struct field *f = fields; f && f->name; f++) {
		json_object_set_new(properties, f->name, field_schema(f));
		if (f->required)
			json_array_append_new(required, json_string(f->name));
	}
	json_t *schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties,
				   "additionalProperties", 0);
	if (json_array_size(required))
		json_object_set_new(schema, "required", required);
	else
		json_decref(required);
	return schema;
}

static json_t *text_schema(const struct field *f)
{
	json_t *schema = json_pack("{s:s}", "type", "string");
	int64_t min = f->min ? f->min : f->required;
	if (min)
		json_object_set_new(schema, "minLength", json_integer(min));
	json_object_set_new(schema, "maxLength", json_integer(f->max));
	if (f->kind == F_SECRET)
		json_object_set_new(schema, "format", json_string("password"));
	return schema;
}

static json_t *enum_schema(const struct field *f)
{
	json_t *values = json_array();
	for (int i = 0; f->of[i]; i++)
		json_array_append_new(values, json_string(f->of[i]));
	return json_pack("{s:s, s:o}", "type", "string", "enum", values);
}

static json_t *bare_schema(const struct field *f)
{
	switch (f->kind) {
	case F_TEXT:
	case F_SECRET:
		return text_schema(f);
	case F_ENUM:
		return enum_schema(f);
	case F_INT:
	case F_NUMBER:
		return json_pack("{s:s, s:I, s:I}", "type", f->kind == F_INT ? "integer" : "number",
				 "minimum", (json_int_t)f->min, "maximum", (json_int_t)f->max);
	case F_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case F_TIME:
		return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
	case F_DATE:
		return json_pack("{s:s, s:s}", "type", "string", "format", "date");
	case F_REGION:
		return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[1-9][0-9]{5}([0-9]{3})?$");
	case F_CITIZEN:
		return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9]{17}[0-9Xx]$");
	case F_OBJECT:
		return json_pack("{s:s}", "type", "object");
	case F_ITEMS:
		return json_pack("{s:s, s:I, s:o}", "type", "array", "maxItems", (json_int_t)f->max, "items",
				 fields_schema(f->items));
	case F_TEXTS:
		return json_pack("{s:s, s:I, s:o}", "type", "array", "maxItems", (json_int_t)f->max, "items",
				 f->of ? enum_schema(f)
				       : text_schema(&(struct field){ .required = true, .max = 100 }));
	}
	return json_object();
}

static json_t *field_schema(const struct field *f)
{
	json_t *schema = bare_schema(f);
	if (f->says)
		json_object_set_new(schema, "description", json_string(f->says));
	return schema;
}

static json_t *type_schema(enum db_type type)
{
	switch (type) {
	case DB_BOOL:
		return json_pack("{s:[ss]}", "type", "boolean", "null");
	case DB_INT2:
	case DB_INT4:
	case DB_INT8:
		return json_pack("{s:[ss]}", "type", "integer", "null");
	case DB_FLOAT8:
		return json_pack("{s:[ss]}", "type", "number", "null");
	case DB_TEXTS:
		return json_pack("{s:[ss], s:{s:s}}", "type", "array", "null", "items", "type", "string");
	case DB_DATE:
		return json_pack("{s:[ss], s:s}", "type", "string", "null", "format", "date");
	case DB_TIME:
		return json_pack("{s:[ss], s:s}", "type", "string", "null", "format", "date-time");
	case DB_JSON:
		return json_object();
	case DB_BYTES:
		return json_pack("{s:[ss], s:s}", "type", "string", "null", "description",
				 "A masked identity");
	default:
		return json_pack("{s:[ss]}", "type", "string", "null");
	}
}

static json_t *empty_object_schema(void)
{
	return json_pack("{s:s, s:{}, s:[], s:b}", "type", "object", "properties", "required",
			 "additionalProperties", 0);
}

static void add_column(json_t *object, const char *name, json_t *schema)
{
	json_object_set_new(json_object_get(object, "properties"), name, schema);
	json_array_append_new(json_object_get(object, "required"), json_string(name));
}

static json_t *row_schema(const struct db_shape *shape)
{
	json_t *row = empty_object_schema();
	for (int i = 0; i < shape->columns; i++) {
		char group[64];
		const char *name = shape->column[i].name, *dot = strchr(name, '.');
		if (name[0] == '_')
			continue;
		if (!dot) {
			add_column(row, name, type_schema(shape->column[i].type));
			continue;
		}
		snprintf(group, sizeof group, "%.*s", (int)(dot - name), name);
		if (!json_object_get(json_object_get(row, "properties"), group))
			add_column(row, group, empty_object_schema());
		add_column(json_object_get(json_object_get(row, "properties"), group), dot + 1,
			   type_schema(shape->column[i].type));
	}
	return row;
}

static json_t *way_schema(const struct api *api, const struct way *way)
{
	json_t *row = row_schema(db_shape_of(api->options.db, way->statement));
	if (sql_texts[way->statement].shape != SQL_SHAPE_many)
		return row;
	return json_pack("{s:s, s:[s], s:{s:{s:s, s:o}}, s:b}", "type", "object", "required", "items",
			 "properties", "items", "type", "array", "items", row, "additionalProperties", 0);
}

static json_t *answer_schema(const struct api *api, const struct route *route)
{
	json_t *any = json_array();
	for (int i = 0; i < route->ways; i++) {
		json_t *schema = way_schema(api, route->way[i].way);
		bool seen = false;
		for (size_t k = 0; k < json_array_size(any); k++)
			seen = seen || json_equal(json_array_get(any, k), schema);
		if (seen)
			json_decref(schema);
		else
			json_array_append_new(any, schema);
	}
	json_t *only = json_array_size(any) == 1 ? json_incref(json_array_get(any, 0))
						 : json_pack("{s:O}", "anyOf", any);
	json_decref(any);
	return only;
}

static json_t *media_types(const char *media)
{
	json_t *content = json_object();
	for (const char *at = media; *at; at += strspn(at, " ")) {
		char type[128];
		size_t len = strcspn(at, " ");
		snprintf(type, sizeof type, "%.*s", (int)len, at);
		json_object_set_new(content, type, json_object());
		at += len;
	}
	return content;
}

/* One of its ways may be answered by a replica. */
static bool may_be_stale(const struct route *route)
{
	for (int i = 0; i < route->ways; i++)
		if (sql_texts[route->way[i].way->statement].may_be_stale)
			return true;
	return false;
}

static json_t *success(const struct api *api, const struct route *route)
{
	const struct endpoint *e = route->endpoint;
	json_t *schema = NULL;
	if (e->plain || e->sheet)
		schema = e->says ? json_loads(e->says, 0, NULL) : NULL;
	else
		schema = answer_schema(api, route);
	json_t *answer = json_pack("{s:s}", "description", "Done");
	if (schema)
		json_object_set_new(answer, "content",
				    json_pack("{s:{s:o}}", "application/json", "schema", schema));
	else if (e->sheet)
		json_object_set_new(answer, "content", media_types("text/html"));
	else if (e->media)
		json_object_set_new(answer, "content", media_types(e->media));
	if (may_be_stale(route))
		json_object_set_new(
			answer, "headers",
			json_pack("{s:{s:s, s:{s:s}}}", "Tantu-Read", "description",
				  "With max-stale only: 'primary', or 'replica; lag_ms=N', which may "
				  "miss what happened in the last N milliseconds",
				  "schema", "type", "string"));
	return answer;
}

static void add_parameter(json_t *list, const char *name, const char *in, bool required, json_t *schema)
{
	json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o}", "name", name, "in", in, "required",
					      required, "schema", schema));
}

static void path_parameters(json_t *list, const char *path)
{
	for (const char *at = strchr(path, '{'); at; at = strchr(at, '{')) {
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 1, "}"), at + 1);
		add_parameter(list, name, "path", true, json_pack("{s:s}", "type", "string"));
		at++;
	}
}

static json_t *parameters(const struct route *route)
{
	const struct endpoint *e = route->endpoint;
	json_t *list = json_array();
	path_parameters(list, e->path);
	for (int i = 0; i < route->query_fields; i++)
		add_parameter(list, e->query[i].name, "query", e->query[i].required,
			      field_schema(&e->query[i]));
	if (e->page) {
		add_parameter(list, "limit", "query", false,
			      json_pack("{s:s, s:i, s:i, s:i}", "type", "integer", "minimum", 1, "maximum",
					200, "default", 50));
		add_parameter(list, "after", "query", false,
			      json_pack("{s:s, s:s}", "type", "string", "description",
					"From the Link header of the page before"));
	}
	if (may_be_stale(route))
		add_parameter(
			list, "Cache-Control", "header", false,
			json_pack("{s:s, s:s}", "type", "string", "description",
				  "max-stale=SECONDS: the answer may be so late; Tantu-Read says how late "
				  "it is"));
	if (route->ways && sql_texts[route->way[0].way->statement].shape == SQL_SHAPE_write) {
		add_parameter(list, "Idempotency-Key", "header", false,
			      json_pack("{s:s, s:i}", "type", "string", "maxLength", 200));
		add_parameter(list, "If-Match", "header", false, json_pack("{s:s}", "type", "string"));
	}
	return list;
}

static json_t *roles_of(unsigned roles)
{
	json_t *list = json_array();
	for (int i = 0; role_names[i]; i++)
		if (roles & 1u << i)
			json_array_append_new(list, json_string(role_names[i]));
	return list;
}

static json_t *operation(const struct api *api, const struct route *route)
{
	const struct endpoint *e = route->endpoint;
	char status[8];
	snprintf(status, sizeof status, "%d", e->status ? e->status : 200);
	json_t *op = json_pack("{s:s, s:o, s:{s:o, s:{s:s}}, s:o}", "summary", e->summary, "parameters",
			       parameters(route), "responses", status, success(api, route), "default", "$ref",
			       "#/components/responses/Problem", "x-roles", roles_of(e->roles));
	if (e->body)
		json_object_set_new(op, "requestBody",
				    json_pack("{s:{s:{s:o}}}", "content", "application/json", "schema",
					      fields_schema(e->body)));
	if (e->sink)
		json_object_set_new(op, "requestBody", json_pack("{s:o}", "content", media_types(e->takes)));
	if (e->roles == ANYBODY)
		json_object_set_new(op, "security", json_array());
	return op;
}

static json_t *components(void)
{
	json_t *codes = json_array();
	for (int t = 0; verdict_tables[t]; t++)
		for (const struct verdict *v = verdict_tables[t]; v->name; v++)
			json_array_append_new(codes, json_string(v->name));
	json_t *problem_schema = json_pack(
		"{s:s, s:[ssss], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s, s:o}, s:{s:s}, s:{s:s}}}", "type",
		"object", "required", "type", "title", "status", "code", "properties", "type", "type",
		"string", "title", "type", "string", "status", "type", "integer", "code", "type", "string",
		"examples", codes, "field", "type", "string", "detail", "type", "string");
	return json_pack("{s:{s:{s:s, s:{s:{s:o}}}}, s:{s:{s:s, s:s}, s:{s:s, s:s, s:s}}}", "responses",
			 "Problem", "description", "Refused (RFC 9457)", "content",
			 "application/problem+json", "schema", problem_schema, "securitySchemes", "bearer",
			 "type", "http", "scheme", "bearer", "cookie", "type", "apiKey", "in", "cookie",
			 "name", "tantu_session");
}

bool openapi_write(struct api *api)
{
	static const char *const methods[] = { "get",   "head",   "post",    "put",
					       "patch", "delete", "options", "other" };
	json_t *paths = json_object();
	for (int i = 0; i < api->route_count; i++) {
		const struct endpoint *e = api->routes[i].endpoint;
		if (!json_object_get(paths, e->path))
			json_object_set_new(paths, e->path, json_object());
		json_object_set_new(json_object_get(paths, e->path), methods[e->method],
				    operation(api, &api->routes[i]));
	}
	json_t *all = json_pack("{s:s, s:{s:s, s:s}, s:o, s:o, s:[{s:[]}, {s:[]}]}", "openapi", "3.1.0",
				"info", "title", "Tantu 坦途", "version", TANTU_VERSION, "paths", paths,
				"components", components(), "security", "bearer", "cookie");
	char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	buffer_init(&api->openapi, api->arena, 65536);
	if (text)
		buffer_text(&api->openapi, text);
	free(text);
	json_decref(all);
	return text && !api->openapi.failed;
}
