/* SPDX-License-Identifier: Apache-2.0
 * See config.h. Invariant: a secret's value is in no message, and its memory is wiped by config_free. */
#include "service/config.h"
#include "service/config_file.h"
#include "service/setting.h"
#include "service/slice.h"
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 512, SECRET_FILE_BYTES = 4096 };

/* A line of the configuration file that names a setting, or the file of a secret one. */
struct pair {
	const char *value;
	int line;
};

struct config_store {
	struct config_value value[SETTINGS_MOST];
	struct pair pair[SETTINGS_MOST], file_of[SETTINGS_MOST];
	char *path, *text;
	size_t text_len;
};

struct reading {
	struct config *config;
	struct config_store *store;
	const struct arguments *arguments;
	config_tell *tell;
	void *context;
	bool failed;
};

static char *copy(const char *text)
{
	char *made = strdup(text);
	INVARIANT(made);
	return made;
}

static void tell(struct reading *r, enum config_word word, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void tell(struct reading *r, enum config_word word, const char *format, ...)
{
	char line[LINE];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	for (char *at = line; *at; at++) /* one line, whatever was in a value */
		*at = (unsigned char)*at < ' ' || *at == 127 ? '?' : *at;
	r->failed = r->failed || word == CONFIG_FAULT;
	r->tell(r->context, word, line);
}

/* --- the configuration file --- */

static void tell_unknown(struct reading *r, enum config_word word, const char *where, const char *key)
{
	const char *name = strncmp(key, "TANTU_", 6) == 0 ? key + 6 : key;
	char lower[SETTING_NAME_BYTES];
	size_t i;
	for (i = 0; name[i] && i < sizeof lower - 1; i++)
		lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
	lower[i] = '\0';
	const struct setting *like = setting_like(lower);
	tell(r, word, "%s%.60s: no such setting%s%s%s", where, key, like ? "; is " : "",
	     like ? like->name : "", like ? " meant?" : "");
}

/* "database_file" is where the secret `database` can be read. */
static const struct setting *setting_of_file_key(const char *key)
{
	char name[SETTING_NAME_BYTES];
	size_t len = strlen(key);
	if (len <= 5 || len >= sizeof name || strcmp(key + len - 5, "_file") != 0)
		return NULL;
	snprintf(name, sizeof name, "%.*s", (int)len - 5, key);
	const struct setting *s = setting_named(name);
	return s && s->type == SETTING_SECRET ? s : NULL;
}

static void on_pair(void *context, int line, const char *key, const char *value)
{
	struct reading *r = context;
	const struct setting *plain = setting_named(key), *by_file = plain ? NULL : setting_of_file_key(key);
	struct pair *pair = plain     ? &r->store->pair[plain - settings]
			    : by_file ? &r->store->file_of[by_file - settings]
				      : NULL;
	char where[LINE];
	snprintf(where, sizeof where, "%s:%d: ", r->store->path, line);
	if (!pair)
		tell_unknown(r, CONFIG_FAULT, where, key);
	else if (pair->value)
		tell(r, CONFIG_FAULT, "%s%s: given twice, first in line %d", where, key, pair->line);
	else
		*pair = (struct pair){ value, line };
}

static void on_bad_line(void *context, int line, const char *why)
{
	struct reading *r = context;
	tell(r, CONFIG_FAULT, "%s:%d: %s", r->store->path, line, why);
}

static void read_file(struct reading *r)
{
	struct config_store *store = r->store;
	const char *option = argument(r->arguments, "--config"), *variable = getenv("TANTU_CONFIG");
	const char *path = option ? option : variable ? variable : CONFIG_FILE;
	const char *named = option ? "--config: " : variable ? "TANTU_CONFIG: " : "";
	struct config_file_events events = { on_pair, on_bad_line, r };
	char why[200];
	if (option && !*option) {
		tell(r, CONFIG_FAULT, "--config: needs a value: FILE");
		return;
	}
	if (!*path || (!option && !variable && access(path, F_OK) != 0))
		return;
	store->path = copy(path);
	store->text = config_file_load(path, CONFIG_FILE_BYTES, &store->text_len, why, sizeof why);
	if (!store->text)
		tell(r, CONFIG_FAULT, "%s%s: %s", named, path, why);
	else
		config_file_parse(store->text, store->text_len, &events);
}

/* --- one setting --- */

/* A path may lie below the data folder: "$var/uploads". NULL: it does not. */
static char *below_var(const struct config *config, const struct setting *s, const char *text)
{
	const char *var = config->var ? config->var : ""; /* NULL: it was refused */
	size_t room = strlen(var) + strlen(text);
	if (s->type != SETTING_PATH || strncmp(text, "$var/", 5) != 0 || setting_named("var") == s)
		return NULL;
	char *whole = malloc(room);
	INVARIANT(whole);
	snprintf(whole, room, "%s%s", var, text + 4);
	return whole;
}

/* The text is the store's from now on. */
static void keep(struct reading *r, const struct setting *s, char *text, const char *where)
{
	struct config_value *value = &r->store->value[s - settings];
	char *whole = below_var(r->config, s, text);
	char why[LINE];
	bool fits = strlen(text) <= SETTING_TEXT_MOST;
	if (whole)
		free(text);
	value->text = whole ? whole : text;
	value->where = copy(where);
	if (!fits)
		tell(r, CONFIG_FAULT, "%s: longer than %d bytes", where, SETTING_TEXT_MOST);
	else if (!setting_take(s, value->text, r->config, why, sizeof why))
		tell(r, CONFIG_FAULT, "%s: %s", where, why);
}

/* One line, its end cut off. */
static void keep_from_file(struct reading *r, const struct setting *s, const char *path, const char *where)
{
	char why[200], from[LINE];
	size_t len;
	char *text = config_file_load(path, SECRET_FILE_BYTES, &len, why, sizeof why);
	if (text && len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (text && len > 0 && text[len - 1] == '\r')
		text[--len] = '\0';
	if (text && (len == 0 || strlen(text) != len)) {
		snprintf(why, sizeof why, "%s", len == 0 ? "is empty" : "is not text");
		sodium_memzero(text, len);
		free(text);
		text = NULL;
	}
	snprintf(from, sizeof from, "%s: %s", where, path);
	if (!text)
		tell(r, CONFIG_FAULT, "%s: %s", from, why);
	else
		keep(r, s, text, from);
}

/* NULL as well when it is empty: a compose file or a unit often passes on what nobody set. */
static const char *variable_of(struct reading *r, const char *name)
{
	const char *text = getenv(name);
	if (!text || *text)
		return text;
	tell(r, CONFIG_NOTE, "%s: empty, taken as not set", name);
	return NULL;
}

static bool from_option(struct reading *r, const struct setting *s)
{
	char option[SETTING_NAME_BYTES];
	setting_option(s, option);
	const char *value = argument(r->arguments, option);
	if (!value)
		return false;
	if (s->type == SETTING_BOOLEAN)
		value = strncmp(option, "--no-", 5) == 0 ? "no" : "yes";
	if (!*value)
		tell(r, CONFIG_FAULT, "%s: needs a value", option);
	else
		keep(r, s, copy(value), option);
	return true;
}

static bool from_environment(struct reading *r, const struct setting *s)
{
	char name[SETTING_NAME_BYTES], file_name[SETTING_NAME_BYTES + 5];
	setting_variable(s, name);
	snprintf(file_name, sizeof file_name, "%s_FILE", name);
	const char *value = variable_of(r, name);
	const char *file = s->type == SETTING_SECRET ? variable_of(r, file_name) : NULL;
	if (value && file)
		tell(r, CONFIG_FAULT, "%s and %s are both set: keep one", name, file_name);
	else if (value)
		keep(r, s, copy(value), name);
	else if (file)
		keep_from_file(r, s, file, file_name);
	return value || file;
}

static bool from_credential(struct reading *r, const struct setting *s)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	const char *name = s->credential ? s->credential : s->type == SETTING_SECRET ? s->name : NULL;
	char path[LINE], where[LINE];
	if (!folder || !*folder || !name)
		return false;
	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path || access(path, F_OK) != 0)
		return false;
	snprintf(where, sizeof where, "credential %s", name);
	if (s->type == SETTING_SECRET)
		keep_from_file(r, s, path, where);
	else
		keep(r, s, copy(path), where);
	return true;
}

/* NULL when it is empty. */
static const char *line_of(struct reading *r, const struct pair *pair, const char *key)
{
	if (!pair->value || *pair->value)
		return pair->value;
	tell(r, CONFIG_NOTE, "%s:%d: %s: empty, taken as not set", r->store->path, pair->line, key);
	return NULL;
}

static bool from_file(struct reading *r, const struct setting *s)
{
	const struct pair *pair = &r->store->pair[s - settings], *file = &r->store->file_of[s - settings];
	char key[SETTING_NAME_BYTES + 5], where[LINE];
	snprintf(key, sizeof key, "%s_file", s->name);
	const char *value = line_of(r, pair, s->name), *path = line_of(r, file, key);
	snprintf(where, sizeof where, "%s:%d: %s", r->store->path, value ? pair->line : file->line,
		 value ? s->name : key);
	if (value && path)
		tell(r, CONFIG_FAULT, "%s:%d: %s: line %d gives %s as well: keep one", r->store->path,
		     file->line, key, pair->line, s->name);
	else if (value)
		keep(r, s, copy(value), where);
	else if (path)
		keep_from_file(r, s, path, where);
	return value || path;
}

static void from_default(struct reading *r, const struct setting *s)
{
	if (s->otherwise)
		keep(r, s, copy(s->otherwise), "default");
}

static void read_setting(struct reading *r, const struct setting *s)
{
	if (!from_option(r, s) && !from_environment(r, s) && !from_credential(r, s) && !from_file(r, s))
		from_default(r, s);
}

/* --- all of them --- */

static bool is_known_variable(const char *name)
{
	char known[SETTING_NAME_BYTES];
	size_t len;
	if (strcmp(name, "TANTU_CONFIG") == 0)
		return true;
	for (const struct setting *s = settings; s->name; s++) {
		setting_variable(s, known);
		len = strlen(known);
		if (strncmp(name, known, len) == 0 &&
		    (!name[len] || (s->type == SETTING_SECRET && strcmp(name + len, "_FILE") == 0)))
			return true;
	}
	return false;
}

/* Not a fault: scripts have variables of their own. */
static void note_unknown_variables(struct reading *r)
{
	for (char **entry = environ; *entry; entry++) {
		char name[SETTING_NAME_BYTES];
		if (strncmp(*entry, "TANTU_", 6) != 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)strcspn(*entry, "="), *entry);
		if (!is_known_variable(name))
			tell_unknown(r, CONFIG_NOTE, "", name);
	}
}

bool config_read(struct config *config, const struct arguments *arguments, config_tell *told, void *context)
{
	struct reading r = {
		config, calloc(1, sizeof(struct config_store)), arguments, told, context, false
	};
	INVARIANT(r.store);
	*config = (struct config){ .store = r.store };
	read_file(&r);
	for (const struct setting *s = settings; s->name; s++)
		read_setting(&r, s);
	note_unknown_variables(&r);
	return !r.failed;
}

void config_free(struct config *config)
{
	struct config_store *store = config->store;
	if (!store)
		return;
	for (int i = 0; i < SETTINGS_MOST; i++) {
		char *text = (char *)store->value[i].text;
		if (text)
			sodium_memzero(text, strlen(text));
		free(text);
		free(store->value[i].where);
	}
	if (store->text)
		sodium_memzero(store->text, store->text_len);
	free(store->text);
	free(store->path);
	free(store);
	*config = (struct config){ 0 };
}

const struct config_value *config_value_of(const struct config *config, const struct setting *setting)
{
	return &config->store->value[setting - settings];
}

const char *config_path(const struct config *config)
{
	return config->store->path;
}
