/* SPDX-License-Identifier: Apache-2.0
 * See arguments.h. */
#include "service/arguments.h"
#include <stdio.h>
#include <string.h>

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* "--plan=tongxin" is found by its part before the '='. */
static const struct argument_rule *option_rule(const struct argument_rule *rules, const char *word)
{
	size_t len = strcspn(word, "=");
	for (; rules->name; rules++)
		if (is_option(rules->name) && strlen(rules->name) == len &&
		    strncmp(rules->name, word, len) == 0)
			return rules;
	return NULL;
}

static const struct argument_rule *operand_rule(const struct arguments *a, const struct argument_rule *rules)
{
	for (; rules->name; rules++)
		if (!is_option(rules->name) && !argument(a, rules->name))
			return rules;
	return NULL;
}

static bool add(struct arguments *a, const struct argument_rule *rule, const char *value, char *why,
		size_t size)
{
	if (argument(a, rule->name) || a->count == ARGUMENTS_MOST) {
		snprintf(why, size, "%s: given twice", rule->name);
		return false;
	}
	a->given[a->count].rule = rule;
	a->given[a->count++].value = value;
	return true;
}

/* *i is moved past the value when that is a word of its own. */
static bool add_option(struct arguments *a, const struct argument_rule *rules, int argc, char **argv, int *i,
		       char *why, size_t size)
{
	const char *word = argv[*i], *equals = strchr(word, '=');
	const struct argument_rule *rule = option_rule(rules, word);
	if (!rule) {
		snprintf(why, size, "%.*s: no such option", (int)strcspn(word, "="), word);
		return false;
	}
	if (!rule->value && equals) {
		snprintf(why, size, "%s: takes no value", rule->name);
		return false;
	}
	if (!rule->value)
		return add(a, rule, "", why, size);
	if (!equals && *i + 1 == argc) {
		snprintf(why, size, "%s: needs a value: %s", rule->name, rule->value);
		return false;
	}
	return add(a, rule, equals ? equals + 1 : argv[++*i], why, size);
}

bool arguments_read(struct arguments *arguments, const struct argument_rule *rules, int argc, char **argv,
		    char *why, size_t why_size)
{
	bool only_operands = false;
	*arguments = (struct arguments){ 0 };
	for (int i = 0; i < argc; i++) {
		const struct argument_rule *operand;
		if (!only_operands && strcmp(argv[i], "--") == 0) {
			only_operands = true;
		} else if (!only_operands && is_option(argv[i])) {
			if (!add_option(arguments, rules, argc, argv, &i, why, why_size))
				return false;
		} else if (!(operand = operand_rule(arguments, rules))) {
			snprintf(why, why_size, "%s: what is this?", argv[i]);
			return false;
		} else if (!add(arguments, operand, argv[i], why, why_size)) {
			return false;
		}
	}
	return true;
}

bool arguments_check(const struct arguments *arguments, const struct argument_rule *rules, char *why,
		     size_t why_size)
{
	for (; rules->name; rules++) {
		if (rules->needed && !argument(arguments, rules->name)) {
			snprintf(why, why_size, "%s%s%s: missing (%s)", rules->name, rules->value ? " " : "",
				 rules->value ? rules->value : "", rules->help);
			return false;
		}
	}
	return true;
}

const char *argument(const struct arguments *arguments, const char *name)
{
	for (int i = 0; i < arguments->count; i++)
		if (strcmp(arguments->given[i].rule->name, name) == 0)
			return arguments->given[i].value;
	return NULL;
}
