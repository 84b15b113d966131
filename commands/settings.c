/* SPDX-License-Identifier: Apache-2.0
 * `tantu config check|show|example`: what is wrong with the settings, what they are, and a file to begin
 * with. A secret is never printed. */
#include "commands/command.h"
#include "db/conninfo.h"
#include "service/setting.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- check --- */

static void print_word(void *context, enum config_word word, const char *line)
{
	(void)context;
	printf("%s: %s\n", word == CONFIG_FAULT ? "wrong" : "note", line);
}

static bool check_needed(const struct config *config)
{
	bool all = true;
	for (const struct setting *s = settings; s->name; s++) {
		char name[SETTING_NAME_BYTES];
		setting_variable(s, name);
		if (!s->needed || config_value_of(config, s)->where)
			continue;
		printf("wrong: %s: not set; needed by %s\n", name, s->needed);
		all = false;
	}
	return all;
}

/* Whether the value was written into the configuration file itself, and not into one that it names. */
static bool lies_in_file(const struct config *config, const struct setting *s)
{
	const char *where = config_value_of(config, s)->where, *path = config_path(config);
	size_t len = strlen(where), name = strlen(s->name);
	return path && strncmp(where, path, strlen(path)) == 0 && where[strlen(path)] == ':' && len > name &&
	       strcmp(where + len - name, s->name) == 0;
}

static void check_readers(const struct config *config)
{
	struct stat is;
	if (!config_path(config) || stat(config_path(config), &is) != 0 || !(is.st_mode & S_IROTH))
		return;
	for (const struct setting *s = settings; s->name; s++)
		if (s->type == SETTING_SECRET && config_value_of(config, s)->where && lies_in_file(config, s))
			printf("note: %s: everybody may read it, and it holds %s (chmod o-r, or %s_file)\n",
			       config_path(config), s->name, s->name);
}

bool connections_check(const struct config *config, char *why, size_t why_size)
{
	const struct {
		const char *setting, *text;
		enum db_server server;
	} strings[] = {
		{ "TANTU_DATABASE", config->database, DB_PRIMARY },
		{ "TANTU_OWNER_DATABASE", config->owner_database, DB_PRIMARY },
		{ "TANTU_REPLICA_DATABASE", config->replica_database, DB_REPLICA },
	};
	for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
		char what[200];
		if (!strings[i].text ||
		    db_conninfo_check(strings[i].text, strings[i].server, what, sizeof what))
			continue;
		snprintf(why, why_size, "%s: %s", strings[i].setting, what);
		return false;
	}
	return true;
}

int run_config_check(const struct config *none, const struct arguments *arguments)
{
	struct config config;
	(void)none;
	bool sound = config_read(&config, arguments, print_word, NULL);
	char why[300];
	if (sound && !connections_check(&config, why, sizeof why)) {
		printf("wrong: %s\n", why);
		sound = false;
	}
	sound = check_needed(&config) && sound;
	check_readers(&config);
	if (sound)
		printf("the settings are sound (configuration file: %s)\n",
		       config_path(&config) ? config_path(&config) : "none");
	config_free(&config);
	return sound ? EXIT_DONE : EXIT_FAILED;
}

/* --- show --- */

/* A connection string part by part; what libpq calls a password, and what it does not know, is masked. */
static bool print_connection(const char *text)
{
	PQconninfoOption *parts = PQconninfoParse(text, NULL);
	bool first = true;
	if (!parts)
		return false;
	for (PQconninfoOption *part = parts; part->keyword; part++) {
		if (!part->val)
			continue;
		bool secret = strchr(part->dispchar, '*') != NULL;
		bool quoted = !secret && (!*part->val || strpbrk(part->val, " '\\"));
		printf(quoted ? "%s%s='%s'" : "%s%s=%s", first ? "" : " ", part->keyword,
		       secret ? "********" : part->val);
		first = false;
	}
	PQconninfoFree(parts);
	return true;
}

static void print_value(const struct config *config, const struct setting *s)
{
	const struct config_value *value = config_value_of(config, s);
	bool connection = strstr(s->name, "database") != NULL;
	printf("%s = ", s->name);
	if (!value->text)
		printf("(not set)\n");
	else if (s->type != SETTING_SECRET)
		printf("%s", value->text);
	else if (!connection || !print_connection(value->text))
		printf("********");
	if (value->text)
		printf("    [%s]\n", value->where);
}

static void complain_word(void *context, enum config_word word, const char *line)
{
	(void)context;
	fprintf(stderr, "tantu: %s%s\n", word == CONFIG_NOTE ? "note: " : "", line);
}

int run_config_show(const struct config *none, const struct arguments *arguments)
{
	struct config config;
	(void)none;
	bool sound = config_read(&config, arguments, complain_word, NULL);
	for (const struct setting *s = settings; s->name; s++)
		print_value(&config, s);
	config_free(&config);
	return sound ? EXIT_DONE : EXIT_FAILED;
}

/* --- example --- */

static void print_bounds(const struct setting *s)
{
	char placeholder[200];
	setting_placeholder(s, placeholder, sizeof placeholder);
	if (s->type == SETTING_NUMBER)
		printf("# %d to %d%s%s.\n", s->low, s->high, s->unit ? " " : "", s->unit ? s->unit : "");
	else if (s->type == SETTING_CHOICE || s->type == SETTING_BOOLEAN)
		printf("# %s.\n", placeholder);
	else if (s->type == SETTING_SECRET)
		printf("# A secret: better in a file of its own, named by %s_file.\n", s->name);
}

int run_config_example(const struct config *none, const struct arguments *arguments)
{
	(void)none;
	(void)arguments;
	printf("# Settings of Tantu: \"key = value\", see tantu.conf(5). What is left out has its default.\n"
	       "# A variable stands over a line here: TANTU_LISTEN over listen. Check with: tantu config "
	       "check\n");
	for (const struct setting *s = settings; s->name; s++) {
		printf("\n# %s.\n", s->help);
		print_bounds(s);
		printf("#%s%s =%s%s\n", s->name, s->type == SETTING_SECRET ? "_file" : "",
		       s->otherwise ? " " : "", s->otherwise ? s->otherwise : "");
	}
	return EXIT_DONE;
}
