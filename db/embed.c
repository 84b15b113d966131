/* SPDX-License-Identifier: Apache-2.0
 * Build tool: tantu_embed OUT FILE… turns statements (db/sql/NAME.sql), migrations
 * (db/migrations/NNNN_name.sql) and the other files (data to load) into OUT/statements.h and OUT/embedded.c.
 * Any mistake in a file stops the build.
 *
 * A statement begins with   -- name: case_get :one|:many|:write [read|write|queue|work|start] [public]
 * [stale] [keeps] [key=N] and goes on to the next such line. :write ends in a CTE named answer; the tail
 * below keeps its row under the request's Idempotency-Key ($1; $2 is the request's fingerprint) and answers
 * it; one that `keeps` does that by itself. key=N: calls with the same $N never run at the same time. What
 * several statements of a file share stands once, as   -- part: case_columns   and is put where
 * {{case_columns}} is. */
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
	int is_public, may_be_stale, keeps, key;
	char *text;
};

struct part {
	char name[64];
	char *text;
};

struct file {
	const char *base;
	char *text;
	size_t len;
};

struct found {
	struct statement statements[MAX_ITEMS];
	struct part parts[MAX_ITEMS];
	struct file migrations[MAX_ITEMS], loaded[MAX_ITEMS];
	int statement_count, part_count, migration_count, loaded_count;
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
	char words[5][16] = { "" };
	char heading[256];
	size_t len = strcspn(line, "\n");
	if (len >= sizeof heading)
		stop(path, "heading too long");
	memcpy(heading, line, len);
	heading[len] = 0;
	int n = sscanf(heading, "-- name: %63s %15s %15s %15s %15s %15s", s->name, words[0], words[1],
		       words[2], words[3], words[4]);
	if (n < 2 || !known_word(words[0], shapes))
		stop(path, heading);
	snprintf(s->shape, sizeof s->shape, "%s", words[0]);
	snprintf(s->lane, sizeof s->lane, "%s", default_lane(s->shape));
	for (int i = 1; i < 5 && words[i][0]; i++) {
		if (strcmp(words[i], "public") == 0)
			s->is_public = 1;
		else if (strcmp(words[i], "stale") == 0)
			s->may_be_stale = 1;
		else if (strcmp(words[i], "keeps") == 0)
			s->keeps = 1;
		else if (sscanf(words[i], "key=%d", &s->key) == 1 && s->key > 0)
			continue;
		else if (known_word(words[i], lanes))
			snprintf(s->lane, sizeof s->lane, "%s", words[i]);
		else
			stop(path, heading);
	}
	if (s->may_be_stale && strcmp(s->lane, "read") != 0)
		stop(path, heading); /* a replica can only be read */
}

/* A copy of from..to without blanks and semicolons at its end, with room for `more` bytes. */
static char *copy_text(const char *from, const char *to, size_t more)
{
	while (to > from && (isspace((unsigned char)to[-1]) || to[-1] == ';'))
		to--;
	size_t len = (size_t)(to - from);
	char *text = malloc(len + more + 1);
	if (!text)
		stop("text", "no memory");
	memcpy(text, from, len);
	text[len] = 0;
	return text;
}

static const char *part_named(const struct found *found, const char *name, size_t len)
{
	for (int i = 0; i < found->part_count; i++)
		if (strlen(found->parts[i].name) == len && strncmp(found->parts[i].name, name, len) == 0)
			return found->parts[i].text;
	return NULL;
}

/* Puts the parts where they are named. */
static char *expand(const struct found *found, char *text, const char *where)
{
	char *open;
	while ((open = strstr(text, "{{"))) {
		char *close = strstr(open, "}}");
		const char *part = close ? part_named(found, open + 2, (size_t)(close - open - 2)) : NULL;
		if (!part)
			stop(where, "names a part that is not there");
		size_t len = (size_t)(open - text) + strlen(part) + strlen(close + 2) + 1;
		char *longer = malloc(len);
		if (!longer)
			stop(where, "no memory");
		snprintf(longer, len, "%.*s%s%s", (int)(open - text), text, part, close + 2);
		text = longer;
	}
	return text;
}

static char *statement_text(const struct found *found, const struct statement *s, const char *from,
			    const char *to)
{
	int is_write = strcmp(s->shape, ":write") == 0 && !s->keeps;
	char *text = copy_text(from, to, sizeof WRITE_TAIL);
	if (is_write && !strstr(text, "answer AS ("))
		stop(s->name, ":write without a CTE named answer");
	if (is_write)
		memcpy(text + strlen(text), WRITE_TAIL, sizeof WRITE_TAIL);
	return expand(found, text, s->name);
}

static void take_part(struct found *found, const char *heading, const char *body, const char *end,
		      const char *path)
{
	struct part *part = &found->parts[found->part_count];
	char name[64];
	if (found->part_count == MAX_ITEMS - 1 || sscanf(heading, "-- part: %63s", name) != 1)
		stop(path, "not a part");
	if (part_named(found, name, strlen(name)))
		stop(name, "named twice");
	part->text = expand(found, copy_text(body, end, 0), name);
	memcpy(part->name, name, sizeof name);
	found->part_count++;
}

static void take_statement(struct found *found, const char *heading, const char *body, const char *end,
			   const char *path)
{
	if (found->statement_count == MAX_ITEMS)
		stop(path, "too many statements");
	struct statement *s = &found->statements[found->statement_count++];
	parse_heading(s, heading, path);
	s->text = statement_text(found, s, body, end);
	for (int i = 0; i < found->statement_count - 1; i++)
		if (strcmp(found->statements[i].name, s->name) == 0)
			stop(s->name, "named twice");
}

/* The next heading at or after `at`, or the end. */
static const char *next_heading(const char *at)
{
	const char *name = strstr(at, "-- name: "), *part = strstr(at, "-- part: ");
	const char *first = !part || (name && name < part) ? name : part;
	return first ? first : at + strlen(at);
}

/* Before the first heading there are comments only. */
static void refuse_headless(const char *text, const char *end, const char *path)
{
	for (const char *line = text; line < end; line += strcspn(line, "\n") + 1)
		if (strncmp(line, "-- ", 3) != 0 && strspn(line, " \t\r") != strcspn(line, "\n"))
			stop(path, "a statement without a heading");
}

static void take_statements(struct found *found, const char *text, const char *path)
{
	found->part_count = 0; /* parts are their file's own */
	refuse_headless(text, next_heading(text), path);
	for (const char *at = next_heading(text); *at;) {
		const char *body = strchr(at, '\n');
		if (!body)
			stop(path, "ends in a heading");
		const char *end = next_heading(body);
		if (strncmp(at, "-- part: ", 9) == 0)
			take_part(found, at, body + 1, end, path);
		else
			take_statement(found, at, body + 1, end, path);
		at = end;
	}
}

/* Numbers go up; an unused one may be left out. Without a line `-- compatible_from: N` no program but those
 * of this schema and newer can live with it. */
static void check_migration(const struct found *found, const struct file *f, const char *path)
{
	static const char mark[] = "-- compatible_from: ";
	long number = strtol(f->base, NULL, 10);
	long before = found->migration_count > 1 ? strtol(f[-1].base, NULL, 10) : 0;
	if (number <= before || strspn(f->base, "0123456789") != 4 || f->base[4] != '_')
		stop(path, "migrations must be named 0001_name.sql, 0002_name.sql, … upward");
	const char *line = strstr(f->text, mark);
	if (!line)
		return;
	char *end;
	long from = strtol(line + sizeof mark - 1, &end, 10);
	if (from < 1 || from > number || (*end != '\n' && *end != ' ') || strstr(end, mark))
		stop(path, "compatible_from: one migration's number, not above its own");
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
	if (migration)
		check_migration(found, f, path);
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
		fprintf(out, "[SQL_%s] = { \"%s\", SQL_SHAPE_%s, DB_LANE_%s, %d, %d, %d, ", s->name, s->name,
			s->shape + 1, s->lane, s->is_public, s->may_be_stale, s->key);
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
