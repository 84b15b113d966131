/* SPDX-License-Identifier: Apache-2.0
 * `tantu manual`: manual pages, completion and the list of errors, written from the tables that the program
 * itself works by, so that they cannot drift from it. */
#include "commands/manual.h"
#include "api/engine.h"
#include "api/problem_codes.h"
#include "commands/command.h"
#include "service/http_refusal.h"
#include "service/setting.h"
#include <stdio.h>
#include <string.h>

/* --- roff: a text as it stands, whatever is in it --- */

static void roff(const char *text)
{
	bool line_begins = true;
	for (; *text; text++) {
		if (line_begins && (*text == '.' || *text == '\''))
			printf("\\&");
		if (*text == '\\')
			printf("\\e");
		else if (*text == '-')
			printf("\\-");
		else
			putchar(*text);
		line_begins = *text == '\n';
	}
}

static void roff_line(const char *macro, const char *text)
{
	printf("%s", macro);
	roff(text);
	putchar('\n');
}

static void head(const char *name, const char *section, const char *summary)
{
	printf(".\\\" SPDX-License-Identifier: Apache-2.0\n.TH %s %s \"\" \"Tantu %s\" \"Tantu\"\n.SH NAME\n",
	       name, section, TANTU_VERSION);
	roff(strcmp(section, "5") == 0 ? "tantu.conf" : "tantu");
	printf(" \\- ");
	roff_line("", summary);
}

/* A term in bold with what follows it in italics, and its explanation. */
static void item(const char *term, const char *value, const char *text)
{
	printf(".TP\n\\fB");
	roff(term);
	printf("\\fR");
	if (value) {
		printf(" \\fI");
		roff(value);
		printf("\\fR");
	}
	putchar('\n');
	roff_line("", text);
}

/* --- tantu(1) --- */

static void write_command(const struct command *command)
{
	struct command_rules rules;
	command_rules(command, &rules);
	printf(".SS tantu ");
	roff_line("", command->name);
	printf("To ");
	roff(command->summary);
	printf(".\n");
	if (command->about) {
		printf(".PP\n");
		roff_line("", command->about);
	}
	for (const struct argument_rule *rule = rules.rule; rule->name; rule++)
		if (strcmp(rule->name, "--help") != 0 && strcmp(rule->name, "--config") != 0)
			item(rule->name, rule->value, rule->help);
	for (int i = 0; i < COMMAND_EXAMPLES_MOST && command->examples[i].line; i++) {
		printf(".PP\nExample%s", *command->examples[i].says ? " (" : "");
		roff(command->examples[i].says);
		printf("%s:\n.PP\n.RS\n.EX\n", *command->examples[i].says ? ")" : "");
		roff_line("", command->examples[i].line);
		printf(".EE\n.RE\n");
	}
}

static void write_tantu_1(void)
{
	head("TANTU", "1", "keeps count of homes made accessible");
	printf(".SH SYNOPSIS\n.B tantu\n.I COMMAND\n[\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-help\\fR] "
	       "[\\fIARGUMENT\\fR...]\n"
	       ".SH DESCRIPTION\nOne server, backed by PostgreSQL, for the federations that make homes "
	       "accessible and lend\n"
	       "assistive devices. Settings come from\n.BR tantu.conf (5),\nfrom variables of the "
	       "environment, and from options, "
	       "the latter over the former.\n.SH COMMANDS\nEach explains itself with\n.BR \\-\\-help .\n");
	for (const struct command *c = commands; c->name; c++)
		write_command(c);
	printf(".SH EXIT STATUS\n");
	item("0", NULL, "Done.");
	item("1", NULL, "It cannot be done; one line on standard error says why.");
	item("2", NULL, "There is no such command.");
	item("3", NULL, "Done, but: rows were refused, or figures differ. See the command.");
	printf(".SH FILES\n");
	item(CONFIG_FILE, NULL,
	     "The configuration file, when neither --config nor TANTU_CONFIG names another.");
	printf(".SH SEE ALSO\n.BR tantu.conf (5)\n");
}

/* --- tantu.conf(5) --- */

static void write_setting(const struct setting *s)
{
	char variable[SETTING_NAME_BYTES], placeholder[200];
	setting_variable(s, variable);
	setting_placeholder(s, placeholder, sizeof placeholder);
	printf(".TP\n\\fB");
	roff(s->name);
	printf("\\fR = \\fI");
	roff(placeholder);
	printf("\\fR\n");
	roff_line("", s->help);
	printf(".br\n");
	if (s->type == SETTING_NUMBER)
		printf("%d to %d%s%s.\n", s->low, s->high, s->unit ? " " : "", s->unit ? s->unit : "");
	if (s->otherwise)
		printf("Default: ");
	if (s->otherwise)
		roff(s->otherwise);
	printf("%sVariable: %s", s->otherwise ? ". " : "", variable);
	if (s->type == SETTING_SECRET)
		printf(" or %s_FILE; in the file also %s_file", variable, s->name);
	printf(".\n");
}

static void write_conf_5(void)
{
	head("TANTU.CONF", "5", "settings of tantu");
	printf(".SH DESCRIPTION\nLines of the form\n.PP\n.RS\n.EX\nkey = value\n.EE\n.RE\n.PP\nEmpty lines, "
	       "and lines that begin "
	       "with #, say nothing. A value goes to the end of its line, without the\nblanks around it; in "
	       "double quotes it may "
	       "have blanks at its ends, or a # inside. A path may begin\nwith $var/ for the data folder. An "
	       "empty value counts "
	       "as not set. A key that is not known or given\ntwice, or a value that will not do, stops the "
	       "start with one line "
	       "that names file, line and key;\n.B tantu config check\ntells all of them at once.\n.PP\nA "
	       "variable TANTU_KEY "
	       "stands over the file, an option over both.\n.B tantu config show\ntells what holds and where "
	       "it came from.\n"
	       ".SH SECRETS\nA secret such as database may be in a file of its own: database_file = PATH "
	       "here,\n"
	       "TANTU_DATABASE_FILE=PATH in the environment, or a file named database in "
	       "$CREDENTIALS_DIRECTORY\n"
	       "(LoadCredential= of\n.BR systemd.exec (5)).\nIts one line is the value. Giving both is "
	       "refused. "
	       "A credential named key stands for the setting key_file.\n"
	       ".SH SETTINGS\n");
	for (const struct setting *s = settings; s->name; s++)
		write_setting(s);
	printf(".SH SEE ALSO\n.BR tantu (1)\n");
}

/* --- errors.md --- */

static void write_codes(const char *title, const struct problem_code *codes)
{
	printf("\n## %s\n\n| code | status | means | what to do |\n|---|---|---|---|\n", title);
	for (; codes->code; codes++)
		printf("| `%s` | %s | %s | %s |\n", codes->code, codes->status, codes->means, codes->todo);
}

static void write_errors(void)
{
	printf("# Errors\n\n(Written by `tantu manual errors.md` from the program's own tables; a test keeps "
	       "it so.)\n\n"
	       "A refusal is `application/problem+json` (RFC 9457) with a stable `code`, the `field` at "
	       "fault as a JSON pointer\n"
	       "where there is one, and sometimes a `detail` for people. Clients decide by `code`, never by "
	       "words. 4xx: the same\n"
	       "request will be refused again. 5xx and 429: it may be sent again, with the same "
	       "Idempotency-Key; nothing is done "
	       "twice.\n");
	write_codes("What is asked", input_codes);
	printf("\n## The rules of the work\n\n| code | status | means | field | what to do "
	       "|\n|---|---|---|---|---|\n");
	for (int t = 0; verdict_tables[t]; t++)
		for (const struct verdict *v = verdict_tables[t]; v->name; v++)
			printf("| `%s` | %d | %s | %s%s%s | %s |\n", v->name, v->status, v->title,
			       v->field ? "`" : "", v->field ? v->field : "", v->field ? "`" : "",
			       problem_todo_of_status(v->status));
	write_codes("A needs file as a whole", file_codes);
	write_codes("A photo, and how it comes", photo_codes);
	printf("\nThe codes of single rows (`rejected_by_code`) are those of the column 错误代码 in the file "
	       "of refused rows.\n");
	write_codes("HTTP itself", request_codes);
}

/* --- completion --- */

/* The options of a command, a blank after each. */
static void bash_words(const struct command *command)
{
	struct command_rules rules;
	command_rules(command, &rules);
	for (const struct argument_rule *rule = rules.rule; rule->name; rule++)
		if (rule->name[0] == '-')
			printf("%s ", rule->name);
}

/* "dry_run|good_rows" can be offered; "N" cannot. */
static void bash_values(const struct command *command)
{
	struct command_rules rules;
	command_rules(command, &rules);
	for (const struct argument_rule *rule = rules.rule; rule->name; rule++) {
		if (!rule->value || !strchr(rule->value, '|'))
			continue;
		printf("\t\t'%s %s') values='", command->name, rule->name);
		for (const char *at = rule->value; *at; at++)
			putchar(*at == '|' ? ' ' : *at);
		printf("' ;;\n");
	}
}

/* Whether a command before this one begins with the same word. */
static bool begun_before(const struct command *command)
{
	size_t first = strcspn(command->name, " ");
	for (const struct command *c = commands; c < command; c++)
		if (strcspn(c->name, " ") == first && strncmp(c->name, command->name, first) == 0)
			return true;
	return false;
}

/* "user) seconds='create reset' ;;" for words that several commands begin with. */
static void bash_seconds(const struct command *command)
{
	size_t first = strcspn(command->name, " ");
	bool any = false;
	for (const struct command *c = commands; c->name; c++) {
		if (strncmp(c->name, command->name, first) != 0 || c->name[first] != ' ')
			continue;
		if (!any)
			printf("\t%.*s) seconds='", (int)first, command->name);
		printf("%s%s", any ? " " : "", c->name + first + 1);
		any = true;
	}
	if (any)
		printf("' ;;\n");
}

static void write_bash(void)
{
	printf("# SPDX-License-Identifier: Apache-2.0\n# bash completion of tantu; written by `tantu manual "
	       "bash`.\n"
	       "_tantu() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tlocal command=${COMP_WORDS[1]} options='' values='' seconds=''\n\tcase $command in\n");
	for (const struct command *c = commands; c->name; c++)
		if (!begun_before(c))
			bash_seconds(c);
	printf("\tesac\n\tif ((COMP_CWORD > 2)) && [[ \" $seconds \" == *\" ${COMP_WORDS[2]} \"* ]]; then\n"
	       "\t\tcommand+=\" ${COMP_WORDS[2]}\" seconds=''\n\tfi\n\tcase \"$command $before\" in\n");
	for (const struct command *c = commands; c->name; c++)
		bash_values(c);
	printf("\tesac\n\tcase $command in\n");
	for (const struct command *c = commands; c->name; c++) {
		printf("\t'%s') options='", c->name);
		bash_words(c);
		printf("' ;;\n");
	}
	printf("\tesac\n\tif ((COMP_CWORD == 1)); then\n\t\tvalues='");
	for (const struct command *c = commands; c->name; c++)
		if (!begun_before(c))
			printf("%.*s ", (int)strcspn(c->name, " "), c->name);
	printf("--help --version'\n\telif [[ $seconds ]] && ((COMP_CWORD == 2)); then\n\t\tvalues+=\" "
	       "$seconds $options\"\n"
	       "\telif [[ $word == -* ]]; then\n\t\tvalues=$options\n\tfi\n"
	       "\tif [[ $values ]]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$word\")\n"
	       "\telse\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n\tfi\n}\n"
	       "complete -o filenames -F _tantu tantu\n");
}

static const struct {
	const char *name;
	void (*write)(void);
} pages[] = {
	{ "tantu.1", write_tantu_1 },
	{ "tantu.conf.5", write_conf_5 },
	{ "errors.md", write_errors },
	{ "bash", write_bash },
};

int run_manual(const struct config *config, const struct arguments *arguments)
{
	const char *wanted = argument(arguments, "PAGE");
	(void)config;
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		if (strcmp(pages[i].name, wanted) != 0)
			continue;
		pages[i].write();
		return EXIT_DONE;
	}
	return complain("manual: there is no such page: tantu.1, tantu.conf.5, errors.md or bash");
}
