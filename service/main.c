/* SPDX-License-Identifier: Apache-2.0
 * tantu: finds the command, reads its arguments and the settings, runs it. */
#include "commands/command.h"
#include "commands/help.h"
#include "service/log.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* *words: how many of the command line its name takes; its first word alone fits several: NULL and *words 1.
 */
static const struct command *find_command(int argc, char **argv, int *words)
{
	*words = 0;
	for (const struct command *c = commands; c->name; c++) {
		size_t first = strcspn(c->name, " ");
		if (strlen(argv[0]) != first || strncmp(argv[0], c->name, first) != 0)
			continue;
		*words = 1;
		if (!c->name[first])
			return c;
		if (argc > 1 && strcmp(argv[1], c->name + first + 1) == 0) {
			*words = 2;
			return c;
		}
	}
	return NULL;
}

static int no_command(const char *word, bool begins_one)
{
	if (!begins_one) {
		fprintf(stderr, "tantu: %s: no such command; `tantu help` shows them\n", word);
		return EXIT_USAGE;
	}
	fprintf(stderr, "tantu: %s: what?", word);
	for (const struct command *c = commands; c->name; c++)
		if (strncmp(c->name, word, strlen(word)) == 0 && c->name[strlen(word)] == ' ')
			fprintf(stderr, " `tantu %s`", c->name);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

/* The first fault is told, notes are logged once it is known how. */
enum { NOTES_MOST = 8, LINE_MOST = 512 };
struct words {
	int faults, notes;
	char fault[LINE_MOST], note[NOTES_MOST][LINE_MOST];
};

static void on_word(void *context, enum config_word word, const char *line)
{
	struct words *words = context;
	if (word == CONFIG_FAULT && words->faults++ == 0)
		snprintf(words->fault, LINE_MOST, "%s", line);
	else if (word == CONFIG_NOTE && words->notes < NOTES_MOST)
		snprintf(words->note[words->notes++], LINE_MOST, "%s", line);
}

static int run_configured(const struct command *command, const struct arguments *arguments)
{
	struct config config;
	struct words words = { 0 };
	int status = EXIT_FAILED;
	if (config_read(&config, arguments, on_word, &words)) {
		log_set_form((enum log_form)config.log);
		log_set_level((enum log_level)config.log_level);
		for (int i = 0; i < words.notes; i++)
			log_line(LOG_WARN, "setting", LOG_TEXT("note", words.note[i]));
		status = command->run(&config, arguments);
	} else {
		complain(words.fault);
	}
	config_free(&config);
	return status;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct command_rules rules;
	struct arguments arguments;
	char why[300];
	command_rules(command, &rules);
	if (!arguments_read(&arguments, rules.rule, argc, argv, why, sizeof why))
		return complain(why);
	if (argument(&arguments, "--help")) {
		help_of(command, stdout);
		return EXIT_DONE;
	}
	if (!arguments_check(&arguments, rules.rule, why, sizeof why))
		return complain(why);
	return command->reads == READS_SETTINGS ? run_configured(command, &arguments)
						: command->run(NULL, &arguments);
}

int main(int argc, char **argv)
{
	int words;
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help_all(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : EXIT_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("tantu " TANTU_VERSION);
		return EXIT_DONE;
	}
	if (sodium_init() < 0)
		return complain("libsodium cannot start");
	const struct command *command = find_command(argc - 1, argv + 1, &words);
	if (!command)
		return no_command(argv[1], words > 0);
	return run_command(command, argc - 1 - words, argv + 1 + words);
}
