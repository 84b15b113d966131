/* SPDX-License-Identifier: Apache-2.0
 * `tantu doctor`: gathers the facts over a connection of its own, with the server running or not, and prints
 * what each check finds. */
#include "commands/doctor.h"
#include "commands/command.h"
#include "db/direct.h"
#include "db/schema.h"
#include "service/buffer.h"
#include "service/json_write.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DATABASE_SECONDS = 10 };

/* Does the program fit the schema? What is asked later would only say it worse. */
static bool ask_schema(struct db_direct *db, struct doctor_facts *facts)
{
	struct db_scope system = db_scope_system();
	struct db_rows rows;
	char *why = facts->schema_trouble;
	return db_direct_ask(db, &system, SQL_schema_standing, NULL, 0, &rows, why,
			     sizeof facts->schema_trouble) &&
	       schema_fits((int)db_get_int(&rows, 0, 0), (int)db_get_int(&rows, 0, 1), why,
			   sizeof facts->schema_trouble);
}

static void ask_facts(struct db_direct *db, const struct config *config, struct doctor_facts *facts)
{
	struct db_scope system = db_scope_system();
	struct db_rows rows;
	char ignored[300];
	struct vault *vault = vault_open(config->key_file, false, ignored, sizeof ignored);
	facts->asked_at_us = doctor_now_us();
	if (db_direct_ask(db, &system, SQL_doctor, NULL, 0, &rows, facts->statement_trouble,
			  sizeof facts->statement_trouble)) {
		facts->waited_us = doctor_now_us() - facts->asked_at_us;
		doctor_take(&rows, vault, facts);
	}
	vault_free(&vault);
}

static void try_statements(struct db_direct *db, struct doctor_facts *facts)
{
	for (int i = SQL_NONE + 1; i < SQL_COUNT && !facts->statement_trouble[0]; i++)
		if (sql_texts[i].lane < DB_LANES) {
			facts->statements++;
			if (!db_direct_try(db, (enum sql)i, facts->statement_trouble,
					   sizeof facts->statement_trouble))
				return;
		}
}

static void ask_database(const struct config *config, struct doctor_facts *facts)
{
	char *why = facts->database_trouble;
	if (!config->database) {
		snprintf(why, sizeof facts->database_trouble, "TANTU_DATABASE: not set");
		return;
	}
	struct db_direct *db =
		db_direct_open(config->database, DATABASE_SECONDS, why, sizeof facts->database_trouble);
	if (!db)
		return;
	facts->reached = true;
	if (ask_schema(db, facts)) {
		ask_facts(db, config, facts);
		try_statements(db, facts);
	}
	db_direct_close(&db);
}

/* --- telling --- */

static void print_text(const struct doctor_check *check, const struct doctor_finding *finding)
{
	static const char *const colours[] = { "\033[32m", "\033[33m", "\033[31m" };
	bool colour = isatty(STDOUT_FILENO);
	printf("%s%-4s%s  %-13s %s\n", colour ? colours[finding->level] : "", doctor_levels[finding->level],
	       colour ? "\033[0m" : "", check->name, finding->says);
	if (finding->todo)
		printf("      %-13s → %s\n", "", finding->todo);
}

static void print_pair(struct buffer *out, const char *key, const char *text, bool *first)
{
	struct slice s = slice_of(text);
	json_write_key(out, key, first);
	json_write_text(out, slice_is_utf8(s) ? s : SLICE("(not UTF-8)"));
}

static void print_json(const struct doctor_check *check, const struct doctor_finding *finding)
{
	char room[2048];
	struct buffer out = { .at = room, .room = sizeof room };
	bool first = true;
	buffer_char(&out, '{');
	print_pair(&out, "check", check->name, &first);
	print_pair(&out, "level", doctor_levels[finding->level], &first);
	print_pair(&out, "says", finding->says, &first);
	if (finding->todo)
		print_pair(&out, "todo", finding->todo, &first);
	printf("%.*s}\n", (int)out.len, out.at);
}

int run_doctor(const struct config *config, const struct arguments *arguments)
{
	struct doctor_facts facts = { 0 };
	enum doctor_level worst = DOCTOR_OK;
	bool json = argument(arguments, "--json") != NULL;
	doctor_look(config, false, &facts);
	ask_database(config, &facts);
	for (const struct doctor_check *check = doctor_checks; check->name; check++) {
		struct doctor_finding finding = { 0 };
		if (!doctor_can_judge(check, &facts))
			continue;
		check->judge(&facts, &finding);
		worst = finding.level > worst ? finding.level : worst;
		(json ? print_json : print_text)(check, &finding);
	}
	return worst == DOCTOR_FAIL ? EXIT_FAILED : EXIT_DONE;
}
