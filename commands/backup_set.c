/* SPDX-License-Identifier: Apache-2.0
 * See backup_set.h. A manifest may come from anybody: every name in it is checked before it becomes a path.
 */
#include "commands/backup_set.h"
#include "commands/backup_photos.h"
#include "db/schema.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MANIFEST_MOST = 64 << 20, SEAL_TEXT = VAULT_INDEX_BYTES * 2 };
#define PREFIX "tantu-"
#define MANIFEST "manifest.json"
#define SEAL "manifest.seal"

void backup_path(char out[BACKUP_PATH_BYTES], const char *folder, const char *name)
{
	if (snprintf(out, BACKUP_PATH_BYTES, "%s/%s", folder, name) >= BACKUP_PATH_BYTES)
		out[0] = '\0'; /* longer than any path may be: opening it fails */
}

bool backup_is_name(const char *name)
{
	static const char form[] = PREFIX "dddddddd"
					  "T"
					  "dddddd"
					  "Z";
	for (size_t i = 0; i < sizeof form; i++) {
		bool digit = form[i] == 'd';
		if (digit ? !isdigit((unsigned char)name[i]) : name[i] != form[i])
			return false;
	}
	return true;
}

const char *backup_text(const struct backup_set *set, const char *name)
{
	const char *text = json_string_value(json_object_get(set->manifest, name));
	return text ? text : "";
}

int64_t backup_number(const struct backup_set *set, const char *name)
{
	return json_integer_value(json_object_get(set->manifest, name));
}

static json_t *files_of(const struct backup_set *set)
{
	return json_object_get(set->manifest, "files");
}

bool backup_has_key(const struct backup_set *set)
{
	return json_object_get(files_of(set), BACKUP_KEY) != NULL;
}

uint64_t backup_bytes(const struct backup_set *set)
{
	const char *name;
	json_t *file;
	uint64_t bytes = (uint64_t)backup_number(set, "photo_bytes");
	json_object_foreach (files_of(set), name, file)
		bytes += (uint64_t)json_integer_value(json_object_get(file, "bytes"));
	return bytes;
}

/* --- reading one --- */

/* A file of ours: a plain name, or one below uploads/. */
static bool is_file_name(const char *name)
{
	if (strncmp(name, BACKUP_UPLOADS "/", sizeof BACKUP_UPLOADS) == 0)
		name += sizeof BACKUP_UPLOADS;
	return *name && *name != '.' && !strchr(name, '/');
}

static bool is_sound(const json_t *manifest)
{
	const char *name;
	json_t *value, *files = json_object_get(manifest, "files"),
		       *figures = json_object_get(manifest, "figures");
	if (!json_is_object(files) || !json_is_object(figures) || !json_object_get(files, BACKUP_DATABASE) ||
	    !json_is_integer(json_object_get(manifest, "schema")) ||
	    !json_is_string(json_object_get(manifest, "key")) ||
	    !json_is_string(json_object_get(manifest, "made_at")))
		return false;
	json_object_foreach (files, name, value)
		if (!is_file_name(name) || !json_is_integer(json_object_get(value, "bytes")) ||
		    !json_is_string(json_object_get(value, "sha256")))
			return false;
	json_object_foreach (figures, name, value)
		if (!json_is_integer(value))
			return false;
	return true;
}

static bool is_for_us(const struct backup_set *set, char *why, size_t why_size)
{
	int64_t format = json_integer_value(json_object_get(set->manifest, "tantu_backup"));
	if (format < 1)
		snprintf(why, why_size, "%s: not a backup of Tantu", set->path);
	else if (format > BACKUP_FORMAT)
		snprintf(why, why_size,
			 "%s: a newer kind of backup (%" PRId64
			 ", this program knows %d): use the newer program",
			 set->path, format, BACKUP_FORMAT);
	else if (!is_sound(set->manifest))
		snprintf(why, why_size, "%s: " MANIFEST " is broken", set->path);
	else if (backup_number(set, "schema") > db_schema_version() &&
		 backup_number(set, "compatible_from") > db_schema_version())
		snprintf(why, why_size,
			 "%s: made by a newer program (schema %" PRId64
			 ", this one knows %d): use the newer program",
			 set->path, backup_number(set, "schema"), db_schema_version());
	else
		return true;
	return false;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*b)->d_name, (*a)->d_name);
}

static int has_backup_name(const struct dirent *entry)
{
	return backup_is_name(entry->d_name);
}

/* The names of whole backups, the newest first; -1 with errno. Free each, then the list. */
static int list(const char *folder, struct dirent ***names)
{
	return scandir(folder, names, has_backup_name, newest_first);
}

static void free_list(struct dirent **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static bool find(struct backup_set *set, const char *given, char *why, size_t why_size)
{
	struct dirent **names = NULL;
	char path[BACKUP_PATH_BYTES + 64];
	snprintf(set->path, sizeof set->path, "%s", given);
	for (size_t n = strlen(set->path); n > 1 && set->path[n - 1] == '/'; n--)
		set->path[n - 1] = 0;
	snprintf(path, sizeof path, "%s/" MANIFEST, set->path);
	if (access(path, F_OK) == 0)
		return true;
	int count = list(given, &names);
	if (count > 0)
		snprintf(set->path, sizeof set->path, "%s/%s", given, names[0]->d_name);
	else
		snprintf(why, why_size, "%s: %s", given,
			 count < 0 ? strerror(errno)
				   : "no backup, nor a folder with one (it has no " MANIFEST ")");
	free_list(names, count);
	return count > 0;
}

bool backup_open(struct backup_set *set, const char *given, char *why, size_t why_size)
{
	char path[BACKUP_PATH_BYTES];
	size_t len = 0;
	json_error_t error;
	*set = (struct backup_set){ 0 };
	if (!find(set, given, why, why_size))
		return false;
	const char *base = strrchr(set->path, '/');
	set->whole_name = backup_is_name(base ? base + 1 : set->path);
	backup_path(path, set->path, MANIFEST);
	char *text = file_text(path, MANIFEST_MOST, &len);
	if (!text) {
		snprintf(why, why_size, "%s: %s", path, strerror(errno));
		return false;
	}
	set->manifest = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!set->manifest)
		snprintf(why, why_size, "%s: broken (%s)", path, error.text);
	if (set->manifest && is_for_us(set, why, why_size))
		return true;
	backup_close(set);
	return false;
}

void backup_close(struct backup_set *set)
{
	json_decref(set->manifest);
	set->manifest = NULL;
}

bool backup_check_files(const struct backup_set *set, char *why, size_t why_size)
{
	const char *name;
	json_t *file;
	char path[BACKUP_PATH_BYTES];
	json_object_foreach (files_of(set), name, file) {
		struct file_print print;
		backup_path(path, set->path, name);
		if (!file_print(path, &print)) {
			snprintf(why, why_size, "%s: %s", path,
				 errno == ENOENT ? "missing from the backup" : strerror(errno));
			return false;
		}
		if ((json_int_t)print.bytes != json_integer_value(json_object_get(file, "bytes")) ||
		    strcmp(print.sha256, json_string_value(json_object_get(file, "sha256"))) != 0) {
			snprintf(why, why_size, "%s: not what was backed up (its SHA-256 differs)", path);
			return false;
		}
	}
	return backup_photos_check(set, why, why_size);
}

static void seal_of(const struct vault *vault, struct slice manifest, char out[SEAL_TEXT + 1])
{
	unsigned char print[VAULT_INDEX_BYTES];
	vault_fingerprint(vault, manifest, print);
	sodium_bin2hex(out, SEAL_TEXT + 1, print, sizeof print);
}

void backup_key_check(const struct vault *vault, char out[KEY_CHECK_BYTES])
{
	unsigned char print[VAULT_INDEX_BYTES];
	vault_fingerprint(vault, SLICE("tantu: which key is this?"), print);
	sodium_bin2hex(out, KEY_CHECK_BYTES, print, (KEY_CHECK_BYTES - 1) / 2);
}

bool backup_check_seal(const struct backup_set *set, const struct vault *vault, char *why, size_t why_size)
{
	char path[BACKUP_PATH_BYTES], check[KEY_CHECK_BYTES], wanted[SEAL_TEXT + 1];
	size_t len = 0, seal_len = 0;
	backup_key_check(vault, check);
	if (strcmp(check, backup_text(set, "key")) != 0) {
		snprintf(why, why_size, "%s: sealed with another master key than the one given", set->path);
		return false;
	}
	backup_path(path, set->path, MANIFEST);
	char *text = file_text(path, MANIFEST_MOST, &len);
	backup_path(path, set->path, SEAL);
	char *seal = file_text(path, SEAL_TEXT, &seal_len);
	bool same = text && seal && seal_len == SEAL_TEXT;
	if (same) {
		seal_of(vault, (struct slice){ text, len }, wanted);
		same = sodium_memcmp(seal, wanted, SEAL_TEXT) == 0;
	}
	free(text);
	free(seal);
	if (!same)
		snprintf(why, why_size, "%s: " MANIFEST " is not the one that was sealed", set->path);
	return same;
}

/* --- making one --- */

void backup_add_file(json_t *manifest, const char *name, const struct file_print *print)
{
	json_t *files = json_object_get(manifest, "files");
	json_t *file = json_pack("{s:I, s:s}", "bytes", (json_int_t)print->bytes, "sha256", print->sha256);
	INVARIANT(file && json_object_set_new(files, name, file) == 0);
}

bool backup_write_manifest(const char *folder, const json_t *manifest, const struct vault *vault, char *why,
			   size_t why_size)
{
	char path[BACKUP_PATH_BYTES], seal[SEAL_TEXT + 1];
	char *text = json_dumps(manifest, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	INVARIANT(text);
	seal_of(vault, slice_of(text), seal);
	backup_path(path, folder, MANIFEST);
	bool done = file_write(path, text, strlen(text));
	free(text);
	if (done) {
		backup_path(path, folder, SEAL);
		done = file_write(path, seal, SEAL_TEXT);
	}
	if (!done)
		snprintf(why, why_size, "%s: %s", path, strerror(errno));
	return done;
}

/* --- keeping some --- */

/* First under a name that is no backup's, so that none is ever half there. */
static bool delete_one(const char *folder, const char *name, char *why, size_t why_size)
{
	char path[BACKUP_PATH_BYTES], doomed[BACKUP_PATH_BYTES];
	char partial[BACKUP_NAME_BYTES + 16];
	snprintf(partial, sizeof partial, ".partial-%s", name);
	backup_path(path, folder, name);
	backup_path(doomed, folder, partial);
	if (rename(path, doomed) == 0 && folder_remove(doomed))
		return true;
	snprintf(why, why_size, "%s: cannot be deleted: %s", path, strerror(errno));
	return false;
}

static bool is_like(const char *folder, const char *name, const json_t *newest)
{
	struct backup_set set;
	char path[BACKUP_PATH_BYTES], ignored[400];
	backup_path(path, folder, name);
	if (!backup_open(&set, path, ignored, sizeof ignored))
		return false;
	bool like = json_equal(json_object_get(set.manifest, "installation"),
			       json_object_get(newest, "installation")) &&
		    json_equal(json_object_get(set.manifest, "key"), json_object_get(newest, "key"));
	backup_close(&set);
	return like;
}

bool backup_newest_like(const char *folder, const json_t *like, char out[BACKUP_PATH_BYTES])
{
	struct dirent **names = NULL;
	int count = list(folder, &names);
	bool found = false;
	for (int i = 0; i < count && !found; i++) {
		found = is_like(folder, names[i]->d_name, like);
		if (found)
			backup_path(out, folder, names[i]->d_name);
	}
	free_list(names, count);
	return found;
}

bool backup_prune(const char *folder, const struct backup_set *newest, int keep, int *deleted, char *why,
		  size_t why_size)
{
	struct dirent **names = NULL;
	int count = list(folder, &names), kept = 0;
	bool done = true;
	*deleted = 0;
	for (int i = 0; i < count && done; i++) {
		if (!is_like(folder, names[i]->d_name, newest->manifest) || ++kept <= keep)
			continue;
		done = delete_one(folder, names[i]->d_name, why, why_size);
		*deleted += done;
	}
	free_list(names, count);
	return done;
}

bool backup_clear_partial(const char *folder, char *why, size_t why_size)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[BACKUP_PATH_BYTES];
	bool done = dir != NULL;
	while (done && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, ".partial-" PREFIX, sizeof ".partial-" PREFIX - 1) != 0)
			continue;
		backup_path(path, folder, entry->d_name);
		done = folder_remove(path);
	}
	if (!done)
		snprintf(why, why_size, "%s: %s", dir ? path : folder, strerror(errno));
	if (dir)
		closedir(dir);
	return done;
}
