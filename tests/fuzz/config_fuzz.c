/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a configuration file, and each value it has to its setting. Checked: lines come in order, what
 * is handed out stands within the text, a value is taken the same way twice, and what is said of a wrong one
 * is one line of text without a secret in it. */
#include "service/config.h"
#include "service/config_file.h"
#include "service/setting.h"
#include "service/slice.h"
#include <stdlib.h>

struct seen {
	const char *text;
	size_t len;
	int line, lines;
};

static void next_line(struct seen *seen, int line)
{
	INVARIANT(line > seen->line && line <= seen->lines);
	seen->line = line;
}

static bool within(const struct seen *seen, const char *part)
{
	return part >= seen->text && part + strlen(part) <= seen->text + seen->len;
}

static void check_fault(const struct setting *setting, const char *value, const char *why)
{
	INVARIANT(why[0] && !strchr(why, '\n') && slice_is_utf8(slice_of(why)));
	/* Short values may be part of any sentence. */
	if (setting->type == SETTING_SECRET && strlen(value) > 7)
		INVARIANT(!strstr(why, value));
}

static void on_pair(void *context, int line, const char *key, const char *value)
{
	struct seen *seen = context;
	struct config config = { 0 };
	char why[200] = "", again[200] = "";
	next_line(seen, line);
	INVARIANT(key[0] && within(seen, key) && within(seen, value) && value > key);
	const struct setting *setting = setting_named(key);
	if (!setting) {
		INVARIANT(!setting_like(key) || setting_like(key)->name);
		return;
	}
	bool sound = setting_take(setting, value, NULL, why, sizeof why);
	INVARIANT(setting_take(setting, value, &config, again, sizeof again) == sound);
	if (!sound)
		check_fault(setting, value, why);
}

static void on_bad_line(void *context, int line, const char *why)
{
	next_line(context, line);
	INVARIANT(why[0] && !strchr(why, '\n') && slice_is_utf8(slice_of(why)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	INVARIANT(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	struct seen seen = { .text = text, .len = size, .lines = 1 };
	for (size_t i = 0; i < size; i++)
		seen.lines += text[i] == '\n';
	struct config_file_events events = { on_pair, on_bad_line, &seen };
	config_file_parse(text, size, &events);
	free(text);
	return 0;
}
