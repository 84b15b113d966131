/* SPDX-License-Identifier: Apache-2.0
 * Build tool: tantu_embed OUT FILE… turns statements (db/sql/NAME.sql), migrations
 * (db/migrations/NNNN_name.sql) and the other files (data to load) into OUT/statements.h and OUT/embedded.c.
 * Any mistake in a file stops the build.
 *
 * A statement begins with   -- name: case_get :one|:many|:write [read|write|queue|work|start] [public]
 * and goes on to the next such line. :write ends in a CTE named answer; the tail below keeps its row under
 * the request's Idempotency-Key ($1; $2 is the request's fingerprint) and answers it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_TAIL                                                                                          \
	",\nkept AS (INSERT INTO idempotency (account_id, key, fingerprint, answer)\n"                      \
	"  SELECT scope_account(), $1::text, $2::bytea, to_json(answer) FROM answer WHERE $1::text IS NOT " \
	"NULL)\n"                                                                                           \
	"SELECT * FROM answer"

enum { MAX_ITEMS = 512 };

struct statement {
	char name[64], shape[16], lane[16];
	int is_public;
	char *text;
};

struct file {
	const char *base;
	char *text;
	size_t len;
};

struct found {
	struct statement statements[MAX_ITEMS];
	struct file migrations[MAX_ITEMS], loaded[MAX_ITEMS];
	int statement_count, migration_count, loaded_count;
};

static void stop(const char *where, const char *why)
{
	fprintf(stderr, "tantu_embed: %s: %s\n", where, why);
	exit(1);
}

static char *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		stop(path, "cannot be read");
	char *text = NULL;
	size_t used = 0, room = 0, n;
	do {
		if (used + 65536 + 1 > room) {
			room = room * 2 + 65536 + 1;
			text = realloc(text, room);
			if (!text)
				stop(path, "no memory");
		}
		n = fread(text + used, 1, 65536, f);
		used += n;
	} while (n > 0);
	fclose(f);
	text[used] = 0;
	*len = used;
	return text;
}

static int known_word(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return 1;
	return 0;
}

static const char *default_lane(const char *shape)
{
	return strcmp(shape, ":write") == 0 ? "write" : "read";
}

static void parse_heading(struct statement *s, const char *line, const char *path)
{
	static const char *const shapes[] = { ":one", ":many", ":write", NULL };
	static const char *const lanes[] = { "read", "write", "queue", "work", "start", NULL };
	char words[3][16] = { "", "", "" };
	char heading[256];
	size_t len = strcspn(line, "\n");
	if (len >= sizeof heading)
		stop(path, "heading too long");
	memcpy(heading, line, len);
	heading[len] = 0;
	int n = sscanf(heading, "-- name: %63s %15s %15s %15s", s->name, words[0], words[1], words[2]);
	if (n < 2 || !known_word(words[0], shapes))
		stop(path, heading);
	snprintf(s->shape, sizeof s->shape, "%s", words[0]);
	snprintf(s->lane, sizeof s->lane, "%s", default_lane(s->shape));
	for (int i = 1; i < 3 && words[i][0]; i++) {
		if (strcmp(words[i], "public") == 0)
			s->is_public = 1;
		else if (known_word(words[i], lanes))
			snprintf(s->lane, sizeof s->lane, "%s", words[i]);
		else
			stop(path, heading);
	}
}

static char *statement_text(const struct statement *s, const char *from, const char *to, const char *path)
{
	while (to > from && (isspace((unsigned char)to[-1]) || to[-1] == ';'))
		to--;
	int is_write = strcmp(s->shape, ":write") == 0;
	size_t len = (size_t)(to - from);
	char *text = malloc(len + sizeof WRITE_TAIL);
	if (!text)
		stop(path, "no memory");
	memcpy(text, from, len);
	memcpy(text + len, is_write ? WRITE_TAIL : "", is_write ? sizeof WRITE_TAIL : 1);
	if (is_write && !strstr(text, "answer AS ("))
		stop(s->name, ":write without a CTE named answer");
	return text;
}

static void take_statements(struct found *found, char *text, const char *path)
{
	char *at = strstr(text, "-- name: ");
	while (at) {
		if (found->statement_count == MAX_ITEMS)
			stop(path, "too many statements");
		struct statement *s = &found->statements[found->statement_count++];
		parse_heading(s, at, path);
		char *body = strchr(at, '\n');
		if (!body)
			stop(s->name, "empty");
		char *next = strstr(body, "-- name: ");
		s->text = statement_text(s, body + 1, next ? next : body + strlen(body), path);
		for (int i = 0; i < found->statement_count - 1; i++)
			if (strcmp(found->statements[i].name, s->name) == 0)
				stop(s->name, "named twice");
		at = next;
	}
}

static void take_file(struct found *found, const char *path)
{
	size_t len;
	char *text = read_file(path, &len);
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	if (strstr(path, "/db/sql/")) {
		take_statements(found, text, path);
		return;
	}
	int migration = strstr(path, "/db/migrations/") != NULL;
	struct file *f = migration ? &found->migrations[found->migration_count++]
				   : &found->loaded[found->loaded_count++];
	*f = (struct file){ base, text, len };
	if (migration && strtol(base, NULL, 10) != found->migration_count)
		stop(path, "migrations must be numbered 0001, 0002, … without a gap");
}

static void write_bytes(FILE *out, const char *bytes, size_t len)
{
	fputs("(const char[]){", out);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%s%d,", i % 32 == 0 ? "\n" : "", (int)(signed char)bytes[i]);
	fputs("0}", out);
}

static FILE *open_out(const char *folder, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *out = fopen(path, "w");
	if (!out)
		stop(path, "cannot be written");
	return out;
}

static void write_header(const struct found *found, const char *folder)
{
	FILE *out = open_out(folder, "statements.h");
	fputs("/* Made by db/embed.c from db/sql. */\n#ifndef GENERATED_STATEMENTS_H\n#define "
	      "GENERATED_STATEMENTS_H\n"
	      "enum sql {\n\tSQL_NONE,\n",
	      out);
	for (int i = 0; i < found->statement_count; i++)
		fprintf(out, "\tSQL_%s,\n", found->statements[i].name);
	fputs("\tSQL_COUNT\n};\n#endif\n", out);
	if (fclose(out) != 0)
		stop(folder, "cannot be written");
}

static void write_source(const struct found *found, const char *folder)
{
	FILE *out = open_out(folder, "embedded.c");
	fputs("/* Made by db/embed.c. */\n#include \"db/embedded.h\"\n"
	      "const struct sql_text sql_texts[SQL_COUNT] = {\n",
	      out);
	for (int i = 0; i < found->statement_count; i++) {
		const struct statement *s = &found->statements[i];
		fprintf(out, "[SQL_%s] = { \"%s\", SQL_SHAPE_%s, DB_LANE_%s, %d, ", s->name, s->name,
			s->shape + 1, s->lane, s->is_public);
		write_bytes(out, s->text, strlen(s->text));
		fputs(" },\n", out);
	}
	fputs("};\nconst struct embedded_file embedded_migrations[] = {\n", out);
	for (int i = 0; i < found->migration_count; i++) {
		fprintf(out, "{ \"%s\", %zu, ", found->migrations[i].base, found->migrations[i].len);
		write_bytes(out, found->migrations[i].text, found->migrations[i].len);
		fputs(" },\n", out);
	}
	fputs("{ 0, 0, 0 } };\nconst struct embedded_file embedded_data[] = {\n", out);
	for (int i = 0; i < found->loaded_count; i++) {
		fprintf(out, "{ \"%s\", %zu, ", found->loaded[i].base, found->loaded[i].len);
		write_bytes(out, found->loaded[i].text, found->loaded[i].len);
		fputs(" },\n", out);
	}
	fputs("{ 0, 0, 0 } };\n", out);
	if (fclose(out) != 0)
		stop(folder, "cannot be written");
}

int main(int argc, char **argv)
{
	static struct found found;
	if (argc < 3)
		stop("usage", "tantu_embed OUT FILE…");
	for (int i = 2; i < argc; i++)
		take_file(&found, argv[i]);
	write_header(&found, argv[1]);
	write_source(&found, argv[1]);
	return 0;
}
