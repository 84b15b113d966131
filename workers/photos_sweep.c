/* SPDX-License-Identifier: Apache-2.0
 * The job photos_sweep: give up photos that were removed everywhere long ago → for some shards at a time:
 * list them → ask which of its files no row wants, and whether rows lack theirs → delete those → at last,
 * parts that nobody went on with. Why no photo that is just being sent is lost: service/photo_store.h and
 * photos_give_up. The folder belongs to one installation; in another one's nothing is ever deleted. */
#include "db/snapshot.h"
#include "service/folder.h"
#include "service/log.h"
#include "service/photo_part.h"
#include "service/photo_store.h"
#include "workers/array_text.h"
#include "workers/job.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ORPHAN_SECONDS = 24 * 3600, SHARDS = 256, AT_ONCE = 4, ID_BYTES = 40 };

struct sweep {
	uv_work_t work; /* first */
	struct job *job;
	struct arena *arena; /* of these shards */
	char days[12], lock[12], missing_text[24], installation[ID_BYTES];
	int shard; /* the first of those being looked at; below 0 before */
	char first[PHOTO_HEX_BYTES], last[PHOTO_HEX_BYTES];
	struct db_value values[3], judged;
	const char *all, *originals; /* what has files, what has the file that came */
	char (*doomed)[PHOTO_HEX_BYTES];
	int doomed_count;
	int64_t deleted, halves, parts, missing;
	char trouble[200];
	bool foreign;
};

static const char *folder_of(const struct sweep *s)
{
	return s->job->options->photos;
}

static void sweep_free(struct sweep *s)
{
	arena_free(&s->arena);
	free(s->doomed);
	free(s);
}

static bool answered(struct sweep *s, const struct db_reply *reply)
{
	if (reply->outcome == DB_OK)
		return true;
	job_give_up_reply(s->job, reply);
	sweep_free(s);
	return false;
}

static void work(struct sweep *s, uv_work_cb run, uv_after_work_cb done)
{
	INVARIANT(uv_queue_work(s->job->options->loop, &s->work, run, done) == 0);
}

/* --- in the pool --- */

static void trouble(struct sweep *s, const char *what)
{
	snprintf(s->trouble, sizeof s->trouble, "%.100s: %s", what, strerror(errno));
}

static bool is_old(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && time(NULL) - st.st_mtime >= ORPHAN_SECONDS;
}

/* A copy counts as a file of its own only where what it was made of is not there. */
static void list_file(struct sweep *s, int shard, const char *name, struct buffer *all,
		      struct buffer *originals)
{
	char hex[PHOTO_HEX_BYTES], path[PHOTO_PATH_BYTES + 256];
	enum photo_file file;
	if (photo_store_name(name, hex, &file)) {
		photo_store_path(folder_of(s), hex, PHOTO_ORIGINAL, path);
		if (file == PHOTO_ORIGINAL)
			array_text(originals, slice_of(hex));
		if (file == PHOTO_ORIGINAL || access(path, F_OK) != 0)
			array_text(all, slice_of(hex));
		return;
	}
	snprintf(path, sizeof path, "%s/%02x/%s", folder_of(s), (unsigned)shard & 0xFF, name);
	if (strstr(name, ".new-") && is_old(path) && unlink(path) == 0)
		s->halves++;
}

static void list_shard(struct sweep *s, int shard, struct buffer *all, struct buffer *originals)
{
	char path[PHOTO_PATH_BYTES];
	struct dirent *entry;
	snprintf(path, sizeof path, "%s/%02x", folder_of(s), (unsigned)shard & 0xFF);
	DIR *dir = opendir(path);
	if (!dir && errno != ENOENT)
		trouble(s, path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			list_file(s, shard, entry->d_name, all, originals);
	if (dir)
		closedir(dir);
}

static void list_in_pool(uv_work_t *request)
{
	struct sweep *s = (struct sweep *)request;
	struct buffer all, originals;
	if (s->shard == 0) {
		enum folder_claim claim = folder_claim(folder_of(s), s->installation);
		s->foreign = claim == FOLDER_FOREIGN;
		if (claim == FOLDER_TROUBLE)
			trouble(s, "the photos folder");
		if (claim != FOLDER_OURS)
			return;
	}
	arena_reset(s->arena);
	buffer_init(&all, s->arena, 65536);
	buffer_init(&originals, s->arena, 65536);
	array_begin(&all);
	array_begin(&originals);
	for (int i = 0; i < AT_ONCE; i++)
		list_shard(s, s->shard + i, &all, &originals);
	s->all = array_end(&all);
	s->originals = array_end(&originals);
	if ((!s->all || !s->originals) && !*s->trouble)
		snprintf(s->trouble, sizeof s->trouble, "the list of photos does not fit into memory");
}

static void delete_in_pool(uv_work_t *request)
{
	struct sweep *s = (struct sweep *)request;
	for (int i = 0; i < s->doomed_count; i++) {
		int gone = photo_store_delete(folder_of(s), s->doomed[i], ORPHAN_SECONDS);
		if (gone < 0)
			trouble(s, "a photo cannot be deleted");
		else
			s->deleted += gone;
	}
}

static void expire_parts(struct sweep *s, const char *folder)
{
	char path[PHOTO_PATH_BYTES * 2];
	struct dirent *entry;
	DIR *dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			s->parts += photo_part_expire(path, ORPHAN_SECONDS);
	}
	if (dir)
		closedir(dir);
}

/* A folder an account; the folders stay. */
static void parts_in_pool(uv_work_t *request)
{
	struct sweep *s = (struct sweep *)request;
	char parts[PHOTO_PATH_BYTES], path[PHOTO_PATH_BYTES + 256];
	struct dirent *entry;
	snprintf(parts, sizeof parts, "%s/parts", folder_of(s));
	DIR *dir = opendir(parts);
	if (!dir)
		trouble(s, parts);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof path, "%s/%s", parts, entry->d_name);
		if (entry->d_name[0] != '.')
			expire_parts(s, path);
	}
	if (dir)
		closedir(dir);
}

/* --- on the loop --- */

static void count(const struct sweep *s, const char *why, int64_t n)
{
	char label[40];
	snprintf(label, sizeof label, "why=\"%s\"", why);
	metric_add(metric_counter(s->job->options->metrics, "tantu_photos_deleted_total",
				  "Photo files deleted here: of no row any more (unwanted), half written "
				  "(half), begun and left (part)",
				  label),
		   (double)n);
}

static void tell(const struct sweep *s)
{
	count(s, "unwanted", s->deleted);
	count(s, "half", s->halves);
	count(s, "part", s->parts);
	if (s->missing)
		log_line(LOG_ERROR, "photos_missing", LOG_NUMBER("count", s->missing));
	if (s->deleted || s->halves || s->parts)
		log_line(LOG_INFO, "photos_deleted", LOG_NUMBER("unwanted", s->deleted),
			 LOG_NUMBER("halves", s->halves), LOG_NUMBER("parts", s->parts));
}

static void on_finished(void *context, const struct db_reply *reply)
{
	struct sweep *s = context;
	if (!answered(s, reply))
		return;
	if (!s->foreign)
		tell(s);
	job_ended(s->job);
	sweep_free(s);
}

/* What could not be done is tried again later; what was done stays done. */
static void finish(struct sweep *s)
{
	struct db_step steps[] = { { SQL_photos_swept, 1, s->values }, job_finish_step(s->job) };
	if (*s->trouble) {
		job_give_up(s->job, s->trouble, false);
		sweep_free(s);
		return;
	}
	snprintf(s->missing_text, sizeof s->missing_text, "%lld", (long long)s->missing);
	s->values[0] = db_text(s->missing_text);
	job_submit(s->job, s->foreign ? steps + 1 : steps, s->foreign ? 1 : 2, on_finished, s);
}

static void on_parts(uv_work_t *request, int status)
{
	(void)status;
	finish((struct sweep *)request);
}

static void on_listed(uv_work_t *request, int status);

static void next_shards(struct sweep *s)
{
	s->shard += AT_ONCE;
	if (s->shard == SHARDS) {
		work(s, parts_in_pool, on_parts);
		return;
	}
	memset(s->first, '0', sizeof s->first - 1);
	memset(s->last, 'f', sizeof s->last - 1);
	char digits[3];
	snprintf(digits, sizeof digits, "%02x", (unsigned)s->shard & 0xFF);
	memcpy(s->first, digits, 2);
	snprintf(digits, sizeof digits, "%02x", (unsigned)(s->shard + AT_ONCE - 1) & 0xFF);
	memcpy(s->last, digits, 2);
	work(s, list_in_pool, on_listed);
}

static void on_deleted(uv_work_t *request, int status)
{
	struct sweep *s = (struct sweep *)request;
	(void)status;
	if (*s->trouble)
		finish(s);
	else
		next_shards(s);
}

/* Rows of photos_judge: hash. Of photos_missing: missing. */
static void on_judged(void *context, const struct db_reply *reply)
{
	struct sweep *s = context;
	if (!answered(s, reply))
		return;
	const struct db_rows *rows = &reply->rows[0];
	s->missing += db_get_int(&reply->rows[1], 0, 0);
	s->doomed_count = db_row_count(rows);
	free(s->doomed);
	s->doomed = calloc((size_t)s->doomed_count + 1, sizeof *s->doomed);
	INVARIANT(s->doomed);
	for (int i = 0; i < s->doomed_count; i++) {
		struct slice hex = db_get(rows, i, 0);
		snprintf(s->doomed[i], sizeof s->doomed[i], "%.*s", (int)hex.len, hex.at);
	}
	if (s->doomed_count)
		work(s, delete_in_pool, on_deleted);
	else
		next_shards(s);
}

static void on_listed(uv_work_t *request, int status)
{
	struct sweep *s = (struct sweep *)request;
	(void)status;
	if (s->foreign)
		log_line(LOG_ERROR, "photos_of_another_installation", LOG_TEXT("file", FOLDER_OWNER_FILE));
	if (s->foreign || *s->trouble) {
		finish(s);
		return;
	}
	s->judged = db_text(s->all);
	s->values[0] = db_text(s->originals);
	s->values[1] = db_text(s->first);
	s->values[2] = db_text(s->last);
	struct db_step steps[] = { { SQL_photos_judge, 1, &s->judged },
				   { SQL_photos_missing, 3, s->values },
				   job_hold_step(s->job) };
	job_submit(s->job, steps, 3, on_judged, s);
}

/* Columns of photos_give_up: given_up, installation. */
static void on_given_up(void *context, const struct db_reply *reply)
{
	struct sweep *s = context;
	if (!answered(s, reply))
		return;
	struct slice id = db_get(&reply->rows[0], 0, 1);
	snprintf(s->installation, sizeof s->installation, "%.*s", (int)id.len, id.at);
	s->shard = -AT_ONCE;
	next_shards(s);
}

void photos_sweep_start(struct job *job)
{
	struct sweep *s = calloc(1, sizeof *s);
	INVARIANT(s);
	s->job = job;
	s->arena = arena_new(64u << 20);
	INVARIANT(s->arena);
	snprintf(s->days, sizeof s->days, "%d", job->options->photos_days);
	snprintf(s->lock, sizeof s->lock, "%d", DB_UPLOADS_LOCK);
	s->values[0] = db_text(s->days);
	s->values[1] = db_text(s->lock);
	struct db_step steps[] = { { SQL_photos_give_up, 2, s->values }, job_hold_step(job) };
	job_submit(s->job, steps, 2, on_given_up, s);
}
