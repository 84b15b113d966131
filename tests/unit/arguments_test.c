/* SPDX-License-Identifier: Apache-2.0
 * The words after a command: options, flags, operands; what is wrong is named. And the table of commands. */
#include "commands/command.h"
#include "service/arguments.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

static const struct argument_rule rules[] = {
	{ "--plan", "CODE", "the plan", true },
	{ "--dry", NULL, "nothing is done" },
	{ "FILE", NULL, "the file", true },
	{ "SECOND", NULL, "another" },
	{ NULL, NULL, NULL },
};
static struct arguments arguments;
static char why[300];

static bool read_words(int argc, char **argv)
{
	why[0] = '\0';
	return arguments_read(&arguments, rules, argc, argv, why, sizeof why) &&
	       arguments_check(&arguments, rules, why, sizeof why);
}

#define READ(...)                                                                     \
	read_words((int)(sizeof((char *[]){ "", __VA_ARGS__ }) / sizeof(char *)) - 1, \
		   ((char *[]){ "", __VA_ARGS__ }) + 1)

static void reads(void **state)
{
	(void)state;
	assert_true(READ("--plan", "x", "a.csv"));
	assert_string_equal(argument(&arguments, "--plan"), "x");
	assert_string_equal(argument(&arguments, "FILE"), "a.csv");
	assert_null(argument(&arguments, "--dry"));
	assert_null(argument(&arguments, "SECOND"));
	assert_true(READ("a.csv", "--dry", "--plan=a=b", "b.csv"));
	assert_string_equal(argument(&arguments, "--plan"), "a=b");
	assert_string_equal(argument(&arguments, "--dry"), "");
	assert_string_equal(argument(&arguments, "SECOND"), "b.csv");
	assert_true(READ("--plan=x", "-", "--", "--plan"));
	assert_string_equal(argument(&arguments, "FILE"), "-");
	assert_string_equal(argument(&arguments, "SECOND"), "--plan");
	assert_true(READ("--plan", "--dry", "f")); /* a value may look like an option */
	assert_string_equal(argument(&arguments, "--plan"), "--dry");
	assert_true(READ("--plan=", "f"));
	assert_string_equal(argument(&arguments, "--plan"), "");
}

static void is_refused(bool read, const char *said)
{
	if (read || strcmp(why, said) != 0)
		fail_msg("'%s', not '%s'", why, said);
}

static void refuses(void **state)
{
	(void)state;
	is_refused(READ("--plan"), "--plan: needs a value: CODE");
	is_refused(READ("--colour", "red"), "--colour: no such option");
	is_refused(READ("--colour=red"), "--colour: no such option");
	is_refused(READ("--pla", "x"), "--pla: no such option");
	is_refused(READ("--dry=1"), "--dry: takes no value");
	is_refused(READ("--dry", "--dry"), "--dry: given twice");
	is_refused(READ("--plan", "a", "--plan", "a"), "--plan: given twice");
	is_refused(READ("-x"), "-x: no such option");
	is_refused(READ("a", "b", "c"), "c: what is this?");
	is_refused(READ("--plan", "x"), "FILE: missing (the file)");
	is_refused(READ("f"), "--plan CODE: missing (the plan)");
	is_refused(read_words(0, NULL), "--plan CODE: missing (the plan)");
}

/* Every row can be called, explained and completed. */
static void the_table_of_commands_holds(void **state)
{
	(void)state;
	for (const struct command *c = commands; c->name; c++) {
		struct command_rules all;
		command_rules(c, &all);
		assert_true(c->summary && c->summary[0] && c->run);
		assert_non_null(c->examples[0].line);
		for (int i = 0; i < COMMAND_EXAMPLES_MOST && c->examples[i].line; i++)
			assert_non_null(strstr(c->examples[i].line, "tantu "));
		for (const struct argument_rule *rule = all.rule; rule->name; rule++) {
			assert_true(rule->help && rule->help[0]);
			for (const struct argument_rule *other = all.rule; other < rule; other++)
				assert_string_not_equal(other->name, rule->name);
		}
		for (const struct command *other = commands; other < c; other++)
			assert_string_not_equal(other->name, c->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(refuses),
		cmocka_unit_test(the_table_of_commands_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
