/* SPDX-License-Identifier: Apache-2.0
 * The collected raw requests of the shared folder (known smuggling attempts, other servers' test cases): at
 * most as many are handled as a strict reader would, what must be refused is refused, and nothing is
 * answered after that; read whole, split at every place, and one byte at a time. Skipped without the file. */
#include "http_fixture.h"
#include "service/http_reader.h"
#include <jansson.h>

enum { SPLIT_UP_TO = 300 };

struct wire_case {
	char *bytes;
	size_t len;
	unsigned messages;
	bool reject, ok;
	const char *name;
	json_t *json;
};

struct wire {
	struct wire_case *cases;
	size_t count;
};

static FILE *open_cases(void)
{
	char path[4096];
	const char *shared = getenv("TANTU_SHARED");
	if (shared)
		snprintf(path, sizeof(path), "%s/data/wire/cases.jsonl", shared);
	else
		snprintf(path, sizeof(path), "%s/../shared/data/wire/cases.jsonl", TANTU_SOURCE_DIR);
	FILE *file = fopen(path, "r");
	if (!file)
		print_message("%s is not there (TANTU_SHARED names the shared folder): skipped\n", path);
	return file;
}

static void read_hex(struct wire_case *c, const char *hex)
{
	c->len = strlen(hex) / 2;
	c->bytes = malloc(c->len + 1);
	for (size_t i = 0; i < c->len; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
		c->bytes[i] = (char)strtoul(pair, NULL, 16);
	}
}

static void read_case(struct wire_case *c, const char *line)
{
	c->json = json_loads(line, 0, NULL);
	assert_non_null(c->json);
	const char *verdict = json_string_value(json_object_get(c->json, "verdict"));
	c->name = json_string_value(json_object_get(c->json, "name"));
	c->messages = (unsigned)json_integer_value(json_object_get(c->json, "messages"));
	c->reject = strcmp(verdict, "reject") == 0;
	c->ok = strcmp(verdict, "ok") == 0;
	read_hex(c, json_string_value(json_object_get(c->json, "hex")));
}

static int load(void **state)
{
	static struct wire wire;
	FILE *file = open_cases();
	char *line = NULL;
	size_t room = 0, slots = 0;
	*state = &wire;
	if (!file)
		return 0;
	while (getline(&line, &room, file) > 0) {
		if (wire.count == slots) {
			slots = slots ? slots * 2 : 1024;
			wire.cases = realloc(wire.cases, slots * sizeof(*wire.cases));
		}
		read_case(&wire.cases[wire.count++], line);
	}
	free(line);
	fclose(file);
	return 0;
}

static int unload(void **state)
{
	struct wire *wire = *state;
	for (size_t i = 0; i < wire->count; i++) {
		free(wire->cases[i].bytes);
		json_decref(wire->cases[i].json);
	}
	free(wire->cases);
	return 0;
}

/* What a run gave: compared with the case, and between the splits. */
struct outcome {
	unsigned handled;
	enum http_refusal refusal;
	bool between; /* at the end no request is half read */
};

static void check(const struct wire_case *c, unsigned handled, bool refused, const char *how)
{
	if (handled > c->messages || (c->reject && !refused))
		print_error("%s, %s: %u handled, %s\n", c->name, how, handled,
			    refused ? "refused" : "not refused");
	assert_true(handled <= c->messages);
	assert_true(!c->reject || refused);
}

/* --- guard and llhttp, without sockets --- */

struct reading {
	struct arena *arena;
	struct http_reader reader;
	bool active, closed;
};

static void feed(struct reading *r, const char *bytes, size_t len, struct outcome *out)
{
	static const struct http_guard_limits limits = { 16384, 8192, 100 };
	struct http_guard_step step;
	for (size_t at = 0; at < len && !r->closed; at += step.used) {
		if (!r->active)
			http_reader_init(&r->reader, r->arena, &limits);
		r->active = true;
		if (http_reader_read(&r->reader, bytes + at, len - at, &step) == HTTP_GUARD_REFUSED) {
			out->refusal = r->reader.refusal;
			r->closed = true;
		} else if (http_guard_ended(&r->reader.guard)) {
			out->handled++;
			r->closed = !r->reader.keep_alive;
			r->active = false;
			arena_reset(r->arena);
		}
	}
}

static struct outcome read_split(const struct wire_case *c, size_t split)
{
	struct reading r = { .arena = arena_new(1024 * 1024) };
	struct outcome out = { 0 };
	feed(&r, c->bytes, split, &out);
	feed(&r, c->bytes + split, c->len - split, &out);
	out.between = !r.active || http_guard_untouched(&r.reader.guard);
	arena_free(&r.arena);
	return out;
}

static void reads_every_split_alike(void **state)
{
	const struct wire *wire = *state;
	if (wire->count == 0)
		skip();
	for (size_t i = 0; i < wire->count; i++) {
		const struct wire_case *c = &wire->cases[i];
		struct outcome whole = read_split(c, 0);
		check(c, whole.handled, whole.refusal != HTTP_NOT_REFUSED, "read");
		for (size_t split = 1; split < c->len && c->len <= SPLIT_UP_TO; split++) {
			struct outcome out = read_split(c, split);
			assert_int_equal(out.handled, whole.handled);
			/* Which of the two objects first may differ, and with it the reason. */
			assert_int_equal(out.refusal != HTTP_NOT_REFUSED, whole.refusal != HTTP_NOT_REFUSED);
			assert_int_equal(out.between, whole.between);
		}
	}
}

/* What we refuse though a strict reader might not: methods and chunk extensions that llhttp does not know,
 * and what is over our limits. Nothing else. */
static void accepts_what_is_right(void **state)
{
	const struct wire *wire = *state;
	if (wire->count == 0)
		skip();
	for (size_t i = 0; i < wire->count; i++) {
		const struct wire_case *c = &wire->cases[i];
		struct outcome out = read_split(c, 0);
		if (!c->ok || out.handled == c->messages)
			continue;
		bool limited =
			out.refusal == HTTP_REFUSED_HEADER_LONG || out.refusal == HTTP_REFUSED_HEADER_MANY;
		bool unknown = out.refusal == HTTP_REFUSED_METHOD ||
			       memmem(c->bytes, c->len, "ANNOUNCE", 8) || memmem(c->bytes, c->len, "; ", 2);
		if (!limited && !unknown)
			print_error("%s: %s\n", c->name, http_refusal_code(out.refusal));
		assert_true(limited || unknown);
	}
}

/* --- through the server --- */

/* Counts the answers that grant, and finds the one that refuses; nothing may come after that. */
static bool read_answers(const struct wire_case *c, struct client *client, unsigned *granted)
{
	struct answer answer = { 0 };
	bool refused = false, head = c->len > 5 && memcmp(c->bytes, "HEAD ", 5) == 0;
	while (client_take(client, &answer, head)) {
		assert_false(refused);
		refused = answer.status >= 400;
		*granted += !refused;
	}
	return refused;
}

static void check_answers(struct fixture *f, const struct wire_case *c, struct client *client,
			  const char *how)
{
	unsigned granted = 0;
	UNTIL(f, client_at_end(client));
	bool refused = read_answers(c, client, &granted);
	assert_int_equal(granted, f->requests);
	check(c, f->requests, refused || (client->reset && c->reject), how);
	assert_int_equal(client->len, client->taken);
}

static void serves_them_whole(void **state)
{
	const struct wire *wire = *state;
	struct fixture f;
	if (wire->count == 0)
		skip();
	fixture_start(&f, NULL);
	for (size_t i = 0; i < wire->count; i++) {
		struct client client = client_open(&f);
		f.requests = 0;
		client_send_bytes(&f, &client, wire->cases[i].bytes, wire->cases[i].len);
		shutdown(client.fd, SHUT_WR);
		check_answers(&f, &wire->cases[i], &client, "whole");
		client_close(&client);
	}
	fixture_stop(&f);
}

static void serves_them_byte_by_byte(void **state)
{
	const struct wire *wire = *state;
	struct fixture f;
	if (wire->count == 0)
		skip();
	fixture_start(&f, NULL);
	for (size_t i = 0; i < wire->count; i++) {
		const struct wire_case *c = &wire->cases[i];
		struct client client = client_open(&f);
		f.requests = 0;
		for (size_t at = 0; at < c->len && c->len <= SPLIT_UP_TO; at++) {
			client_send_bytes(&f, &client, c->bytes + at, 1);
			turn(&f);
			if (at % 8 == 7 && client_at_end(&client))
				break;
		}
		shutdown(client.fd, SHUT_WR);
		if (c->len <= SPLIT_UP_TO)
			check_answers(&f, c, &client, "byte by byte");
		client_close(&client);
	}
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_split_alike),
		cmocka_unit_test(accepts_what_is_right),
		cmocka_unit_test(serves_them_whole),
		cmocka_unit_test(serves_them_byte_by_byte),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
