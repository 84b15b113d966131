/* SPDX-License-Identifier: Apache-2.0
 * `tantu verify photos`: every photo that the database knows has its file, whole and of its fingerprint, and
 * every file is known. In one snapshot, shard by shard; what is younger than the snapshot may be on its way.
 * The server may run or not. */
#include "commands/command.h"
#include "db/conninfo.h"
#include "db/owner.h"
#include "service/photo_store.h"
#include "service/vault.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { WHY = 600, PAGE = 1000, PHOTO_MOST = 256 << 20, SWEPT_SECONDS = 2 * 24 * 3600 };

struct checking {
	const struct config *config;
	struct vault *vault;
	PGconn *pg;
	PGresult *page; /* rows of photos_known: hash, bytes, gone */
	int row;
	bool over; /* there is no further page */
	int64_t photos, gone, unswept;
	int status;
	char why[WHY];
};

static void differs(struct checking *c, const char *what, const char *which)
{
	printf("differs: %s: %s\n", which, what);
	c->status = EXIT_DIFFERS;
}

/* --- rows, in the order of their fingerprints --- */

static bool read_page(struct checking *c, const char *after)
{
	char limit[12];
	snprintf(limit, sizeof limit, "%d", PAGE);
	const char *values[] = { after, limit };
	PGresult *page = owner_rows(c->pg, SQL_photos_known, values, 2, c->why, sizeof c->why);
	PQclear(c->page);
	c->page = page;
	c->row = 0;
	c->over = page && PQntuples(page) < PAGE;
	return page != NULL;
}

/* The next row, or NULL at the end. False with a reason. */
static bool next_row(struct checking *c, const char **hex)
{
	char last[PHOTO_HEX_BYTES];
	*hex = NULL;
	if (c->row == PQntuples(c->page) && !c->over) {
		snprintf(last, sizeof last, "%s", PQgetvalue(c->page, c->row - 1, 0));
		if (!read_page(c, last))
			return false;
	}
	if (c->row < PQntuples(c->page))
		*hex = PQgetvalue(c->page, c->row, 0);
	return true;
}

/* --- files --- */

static void check_bytes(struct checking *c, const char *hex, struct slice bytes, int64_t wanted)
{
	unsigned char print[VAULT_INDEX_BYTES];
	char found[PHOTO_HEX_BYTES];
	vault_fingerprint(c->vault, bytes, print);
	photo_hex(print, found);
	if (strcmp(found, hex) != 0)
		differs(c, "its fingerprint is another", hex);
	else if ((int64_t)bytes.len != wanted)
		differs(c, "it is of another length", hex);
}

static void check_photo(struct checking *c)
{
	const char *hex = PQgetvalue(c->page, c->row, 0);
	struct slice bytes;
	c->photos++;
	if (*PQgetvalue(c->page, c->row, 2) == 't') {
		c->gone++;
		return;
	}
	if (!photo_store_get(c->vault, c->config->photos, hex, PHOTO_ORIGINAL, PHOTO_MOST, &bytes)) {
		differs(c, errno == ENOENT ? "no file" : errno == EBADMSG ? "broken" : strerror(errno), hex);
		return;
	}
	check_bytes(c, hex, bytes, strtoll(PQgetvalue(c->page, c->row, 1), NULL, 10));
	free((char *)(uintptr_t)bytes.at);
}

/* Of no row, or half written: the sweep deletes it when it is a day old. */
static void check_stray(struct checking *c, const char *path)
{
	struct stat st;
	c->unswept++;
	if (lstat(path, &st) == 0 && time(NULL) - st.st_mtime > SWEPT_SECONDS)
		differs(c, "a file that nobody wants, and no sweep deletes it", path);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Names sort as their fingerprints do, and rows come in that order: one walk along both. */
static bool check_file(struct checking *c, const char *folder, const char *name)
{
	char path[PHOTO_PATH_BYTES + 300], hex[PHOTO_HEX_BYTES];
	enum photo_file file;
	const char *row;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (!photo_store_name(name, hex, &file)) {
		check_stray(c, path);
		return true;
	}
	for (;; c->row++) {
		if (!next_row(c, &row))
			return false;
		if (!row || strcmp(row, hex) >= 0)
			break;
		check_photo(c);
	}
	bool wanted = row && strcmp(row, hex) == 0 && *PQgetvalue(c->page, c->row, 2) != 't';
	if (!wanted)
		check_stray(c, path);
	return true;
}

static bool check_shard(struct checking *c, unsigned shard)
{
	char folder[PHOTO_PATH_BYTES];
	struct dirent **names = NULL;
	bool going = true;
	snprintf(folder, sizeof folder, "%s/%02x", c->config->photos, shard);
	int count = scandir(folder, &names, is_visible, alphasort);
	if (count < 0 && errno != ENOENT) {
		snprintf(c->why, sizeof c->why, "%.400s: %s", folder, strerror(errno));
		return false;
	}
	for (int i = 0; i < count; i++) {
		going = going && check_file(c, folder, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return going;
}

static bool check_all(struct checking *c)
{
	const char *row = NULL;
	if (!read_page(c, ""))
		return false;
	for (unsigned shard = 0; shard < 256; shard++)
		if (!check_shard(c, shard))
			return false;
	for (;; c->row++) {
		if (!next_row(c, &row))
			return false;
		if (!row)
			return true;
		check_photo(c);
	}
}

/* As the application's role, which sees the whole country as the service itself does. */
static bool begin(struct checking *c)
{
	static const char *const everything[] = { "0", "999999999", "system", "", "", "" };
	if (!c->config->database) {
		snprintf(c->why, sizeof c->why,
			 "TANTU_DATABASE: not set; it is the connection string of the role tantu_app");
		return false;
	}
	c->vault = vault_open(c->config->key_file, false, c->why, sizeof c->why);
	c->pg = c->vault ? db_connect(c->config->database, c->why, sizeof c->why) : NULL;
	if (!c->pg || !owner_run(c->pg, "snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", c->why,
				 sizeof c->why))
		return false;
	PGresult *set = owner_rows(c->pg, SQL_scope_set, everything, 6, c->why, sizeof c->why);
	PQclear(set);
	return set != NULL;
}

int run_verify_photos(const struct config *config, const struct arguments *arguments)
{
	struct checking c = { .config = config };
	(void)arguments;
	if (!begin(&c) || !check_all(&c))
		c.status = complain(c.why);
	else if (c.status == 0)
		printf("photos agree: %" PRId64 " known, %" PRId64 " of them given up; %" PRId64
		       " files wait for the sweep\n",
		       c.photos, c.gone, c.unswept);
	PQclear(c.page);
	PQfinish(c.pg);
	if (c.vault)
		vault_free(&c.vault);
	return c.status;
}
