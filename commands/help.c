/* SPDX-License-Identifier: Apache-2.0
 * See help.h. */
#include "commands/help.h"
#include "service/setting.h"
#include <string.h>

enum { WIDTH = 100 };

/* Filled to WIDTH columns (of ASCII text), each line after `indent` blanks; the first begins at `column`. */
static void fill(FILE *out, const char *text, int indent, int column)
{
	while (*text) {
		int word = (int)strcspn(text, " \n");
		bool first = column <= indent;
		if (!first && column + 1 + word > WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
			first = true;
		}
		fprintf(out, "%s%.*s", first ? "" : " ", word, text);
		column += word + !first;
		text += word;
		text += strspn(text, " \n");
	}
	fputc('\n', out);
}

static void row(FILE *out, const char *left, const char *right)
{
	enum { RIGHT = 32 };
	int used = fprintf(out, "  %s", left);
	int gap = used < RIGHT - 1 ? RIGHT - used : 0;
	if (gap)
		fprintf(out, "%*s", gap, "");
	else
		fprintf(out, "\n%*s", RIGHT, "");
	fill(out, right, RIGHT, RIGHT);
}

/* The blanks within a part stay together. */
static void write_usage(const struct command *command, const struct command_rules *rules, FILE *out)
{
	int column = fprintf(out, "tantu %s", command->name);
	for (const struct argument_rule *rule = rules->rule; rule->name; rule++) {
		char part[140];
		if (strcmp(rule->name, "--help") == 0 || strcmp(rule->name, "--config") == 0)
			continue;
		int len = snprintf(part, sizeof part, rule->needed ? " %s%s%s" : " [%s%s%s]", rule->name,
				   rule->value ? " " : "", rule->value ? rule->value : "");
		if (column + len > WIDTH)
			column = fprintf(out, "\n       ") - 1;
		column += fprintf(out, "%s", part);
	}
	fputc('\n', out);
}

void help_of(const struct command *command, FILE *out)
{
	struct command_rules rules;
	char left[140];
	command_rules(command, &rules);
	write_usage(command, &rules, out);
	fprintf(out, "\n%s", "");
	fill(out, command->summary, 0, 0);
	if (command->about) {
		fputc('\n', out);
		fill(out, command->about, 0, 0);
	}
	fputc('\n', out);
	for (const struct argument_rule *rule = rules.rule; rule->name; rule++) {
		snprintf(left, sizeof left, "%s%s%s", rule->name, rule->value ? " " : "",
			 rule->value ? rule->value : "");
		row(out, left, rule->help);
	}
	if (command->examples[0].line)
		fputs("\nExamples:\n", out);
	for (int i = 0; i < COMMAND_EXAMPLES_MOST && command->examples[i].line; i++)
		fprintf(out, "  %s\n%s%s%s", command->examples[i].line,
			*command->examples[i].says ? "      " : "", command->examples[i].says,
			*command->examples[i].says ? "\n" : "");
}

void help_all(FILE *out)
{
	fputs("tantu " TANTU_VERSION " — keeps count of homes made accessible\n\n", out);
	for (const struct command *c = commands; c->name; c++)
		row(out, c->name, c->summary);
	fputs("\nEach has its own: tantu COMMAND --help. Settings (a line in " CONFIG_FILE
	      ", or a variable):\n\n",
	      out);
	for (const struct setting *s = settings; s->name; s++) {
		char variable[SETTING_NAME_BYTES];
		setting_variable(s, variable);
		row(out, variable, s->help);
	}
	fputs("\nA secret setting may be in a file of its own: TANTU_DATABASE_FILE, and so on.\n"
	      "Exit status: 0 done, 1 cannot be done (one line says why), 2 no such command, 3 see the "
	      "command.\n",
	      out);
}

static const struct command *command_named(const char *first, const char *second)
{
	char name[100];
	snprintf(name, sizeof name, "%s%s%s", first, second ? " " : "", second ? second : "");
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

int run_help(const struct config *config, const struct arguments *arguments)
{
	const char *first = argument(arguments, "COMMAND");
	const struct command *command;
	(void)config;
	if (!first) {
		help_all(stdout);
		return EXIT_DONE;
	}
	command = command_named(first, argument(arguments, "WORD"));
	if (!command)
		return complain("help: there is no such command");
	help_of(command, stdout);
	return EXIT_DONE;
}
