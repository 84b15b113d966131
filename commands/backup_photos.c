/* SPDX-License-Identifier: Apache-2.0
 * See backup_photos.h. Two lists in the same order are walked along once, so nothing is kept in memory. */
#include "commands/backup_photos.h"
#include "commands/backup.h"
#include "db/snapshot.h"
#include "service/durable.h"
#include "service/photo_store.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct line {
	char hex[PHOTO_HEX_BYTES];
	struct file_print print;
};

/* Hexadecimal digits, and the character behind them. */
static bool take_hex(const char **at, char *out, size_t len, char behind)
{
	if (strspn(*at, "0123456789abcdef") != len || (*at)[len] != behind)
		return false;
	memcpy(out, *at, len);
	out[len] = 0;
	*at += len + 1;
	return true;
}

/* 1: a line, 0: the end, -1: this is no list of ours. */
static int read_line(FILE *list, struct line *line)
{
	char text[200], *end;
	const char *at = text;
	if (!fgets(text, sizeof text, list))
		return ferror(list) ? -1 : 0;
	if (!take_hex(&at, line->hex, PHOTO_HEX_BYTES - 1, ' '))
		return -1;
	line->print.bytes = strtoull(at, &end, 10);
	if (end == at || *end != ' ')
		return -1;
	at = end + 1;
	return take_hex(&at, line->print.sha256, SHA256_TEXT_BYTES - 1, '\n') ? 1 : -1;
}

static FILE *open_list(const char *set)
{
	char path[BACKUP_PATH_BYTES];
	backup_path(path, set, BACKUP_PHOTOS_LIST);
	return fopen(path, "re");
}

static bool told(char *why, size_t why_size, const char *what, const char *reason)
{
	snprintf(why, why_size, "%.400s: %s", what, reason);
	return false;
}

static void photo_path(char out[BACKUP_PATH_BYTES], const char *set, const char *hex)
{
	char folder[BACKUP_PATH_BYTES];
	backup_path(folder, set, BACKUP_PHOTOS);
	photo_store_path(folder, hex, PHOTO_ORIGINAL, out);
}

/* --- making --- */

struct saving {
	const char *photos, *set, *previous;
	FILE *list, *before; /* ours; the one of the backup before, or NULL */
	struct line last;    /* read of it */
	int more;
	char shard[BACKUP_PATH_BYTES]; /* the folder that is being filled */
	struct backup_photos_tally *tally;
	char *why;
	size_t why_size;
};

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return done;
}

/* Another shard: the one before is complete. */
static bool enter_shard(struct saving *s, const char *hex)
{
	char folder[BACKUP_PATH_BYTES], name[4];
	backup_path(folder, s->set, BACKUP_PHOTOS);
	snprintf(name, sizeof name, "%.2s", hex);
	size_t len = strlen(s->shard);
	if (len > 2 && strcmp(s->shard + len - 2, name) == 0)
		return true;
	if (len && !sync_folder(s->shard))
		return told(s->why, s->why_size, s->shard, strerror(errno));
	backup_path(s->shard, folder, name);
	return folder_make(s->shard) || told(s->why, s->why_size, s->shard, strerror(errno));
}

/* It stands in the backup before, and can be the same file here. */
static bool link_it(struct saving *s, const char *hex, const char *to, struct file_print *print)
{
	char from[BACKUP_PATH_BYTES];
	while (s->more > 0 && strcmp(s->last.hex, hex) < 0)
		s->more = read_line(s->before, &s->last);
	if (s->more <= 0 || strcmp(s->last.hex, hex) != 0)
		return false;
	photo_path(from, s->previous, hex);
	*print = s->last.print;
	return link(from, to) == 0;
}

static bool save_one(void *context, const char *hex)
{
	struct saving *s = context;
	char from[PHOTO_PATH_BYTES], to[BACKUP_PATH_BYTES];
	struct file_print print;
	if (!enter_shard(s, hex))
		return false;
	photo_path(to, s->set, hex);
	photo_store_path(s->photos, hex, PHOTO_ORIGINAL, from);
	if (link_it(s, hex, to, &print)) {
		s->tally->linked++;
	} else if (!file_copy(from, to, &print)) {
		if (errno != ENOENT)
			return told(s->why, s->why_size, from, strerror(errno));
		fprintf(stderr, "tantu: %s: missing; the backup is made without it\n", from);
		s->tally->missing++;
		return true;
	}
	s->tally->saved++;
	s->tally->bytes += print.bytes;
	if (fprintf(s->list, "%s %" PRIu64 " %s\n", hex, print.bytes, print.sha256) < 0)
		return told(s->why, s->why_size, BACKUP_PHOTOS_LIST, strerror(errno));
	return true;
}

static bool save_all(struct saving *s, PGconn *snapshot)
{
	char folder[BACKUP_PATH_BYTES];
	backup_path(folder, s->set, BACKUP_PHOTOS);
	if (!snapshot_photos(snapshot, save_one, s, s->why, s->why_size))
		return false;
	if ((s->shard[0] && !sync_folder(s->shard)) || !sync_folder(folder) || fflush(s->list) != 0 ||
	    fsync(fileno(s->list)) != 0)
		return told(s->why, s->why_size, folder, strerror(errno));
	return true;
}

bool backup_photos_save(PGconn *snapshot, const char *photos, const char *set, const char *previous,
			struct backup_photos_tally *tally, char *why, size_t why_size)
{
	char path[BACKUP_PATH_BYTES];
	struct saving s = { .photos = photos,
			    .set = set,
			    .previous = previous,
			    .tally = tally,
			    .why = why,
			    .why_size = why_size };
	*tally = (struct backup_photos_tally){ 0 };
	backup_path(path, set, BACKUP_PHOTOS);
	if (!folder_make(path))
		return told(why, why_size, path, strerror(errno));
	backup_path(path, set, BACKUP_PHOTOS_LIST);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	s.list = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!s.list) {
		told(why, why_size, path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	s.before = previous ? open_list(previous) : NULL;
	s.more = s.before ? read_line(s.before, &s.last) : 0;
	bool saved = save_all(&s, snapshot);
	if (s.before)
		fclose(s.before);
	if (fclose(s.list) != 0 && saved)
		return told(why, why_size, path, strerror(errno));
	return saved;
}

/* --- looking at one --- */

typedef bool each_line(void *context, const struct line *line);

/* A backup of before there were photos has no list. */
static bool walk(const struct backup_set *set, each_line *each, void *context, char *why, size_t why_size)
{
	struct line line;
	int more = 0;
	bool going = true;
	if (!json_object_get(json_object_get(set->manifest, "files"), BACKUP_PHOTOS_LIST))
		return true;
	FILE *list = open_list(set->path);
	if (!list)
		return told(why, why_size, BACKUP_PHOTOS_LIST, strerror(errno));
	while (going && (more = read_line(list, &line)) > 0)
		going = each(context, &line);
	fclose(list);
	return going && (more == 0 || told(why, why_size, BACKUP_PHOTOS_LIST, "broken"));
}

struct looking {
	const struct backup_set *set;
	const struct config *config;
	const struct vault *vault;
	bool put;
	int64_t *count;
	char *why;
	size_t why_size;
};

static bool check_one(void *context, const struct line *line)
{
	struct looking *l = context;
	char path[BACKUP_PATH_BYTES];
	struct file_print print;
	photo_path(path, l->set->path, line->hex);
	if (!file_print(path, &print))
		return told(l->why, l->why_size, path,
			    errno == ENOENT ? "missing from the backup" : strerror(errno));
	return (print.bytes == line->print.bytes && strcmp(print.sha256, line->print.sha256) == 0) ||
	       told(l->why, l->why_size, path, "not what was backed up (its SHA-256 differs)");
}

bool backup_photos_check(const struct backup_set *set, char *why, size_t why_size)
{
	struct looking l = { .set = set, .why = why, .why_size = why_size };
	return walk(set, check_one, &l, why, why_size);
}

/* It opens with the key and is the photo of this name. */
static bool is_photo(const struct looking *l, const char *path, const char *hex)
{
	unsigned char print[VAULT_INDEX_BYTES];
	char found[PHOTO_HEX_BYTES];
	if (!sealed_file_fingerprint(l->vault, path, print, l->why, l->why_size))
		return false;
	photo_hex(print, found);
	return strcmp(found, hex) == 0 ||
	       told(l->why, l->why_size, path, "not the photo of this name (its fingerprint differs)");
}

static bool restore_one(void *context, const struct line *line)
{
	struct looking *l = context;
	char from[BACKUP_PATH_BYTES], to[PHOTO_PATH_BYTES], shard[PHOTO_PATH_BYTES];
	photo_store_path(l->config->photos, line->hex, PHOTO_ORIGINAL, to);
	if (access(to, F_OK) == 0)
		return is_photo(l, to, line->hex) ||
		       told(l->why, l->why_size, to, "is there already and holds something else");
	if (!l->put)
		return true;
	snprintf(shard, sizeof shard, "%.4000s/%.2s", l->config->photos, line->hex);
	bool there = access(shard, F_OK) == 0;
	if (!there && (!folder_make(shard) || !restore_hand_over(shard)))
		return told(l->why, l->why_size, shard, strerror(errno));
	photo_path(from, l->set->path, line->hex);
	return restore_put_file(from, to, l->why, l->why_size);
}

bool backup_photos_restore(const struct backup_set *set, const struct config *config,
			   const struct vault *vault, bool put, char *why, size_t why_size)
{
	struct looking l = {
		.set = set, .config = config, .vault = vault, .put = put, .why = why, .why_size = why_size
	};
	if (put && access(config->photos, F_OK) != 0 &&
	    (!folder_make(config->photos) || !restore_hand_over(config->photos)))
		return told(why, why_size, config->photos, strerror(errno));
	return walk(set, restore_one, &l, why, why_size);
}

static bool prove_one(void *context, const char *hex)
{
	struct looking *l = context;
	char path[BACKUP_PATH_BYTES];
	photo_path(path, l->set->path, hex);
	if (access(path, F_OK) != 0)
		return told(l->why, l->why_size, path, "a case has this photo and the backup has it not");
	++*l->count;
	return is_photo(l, path, hex);
}

bool backup_photos_prove(const struct backup_set *set, const struct vault *vault, PGconn *restored,
			 int64_t *count, char *why, size_t why_size)
{
	struct looking l = { .set = set, .vault = vault, .count = count, .why = why, .why_size = why_size };
	*count = 0;
	return snapshot_photos(restored, prove_one, &l, why, why_size);
}
