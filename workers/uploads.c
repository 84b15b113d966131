/* SPDX-License-Identifier: Apache-2.0
 * The job uploads_sweep: give up the uploads of imports long over → list the folder → ask which files nobody
 * wants → delete those. The row says that a file is gone before the file goes, so a worker killed anywhere
 * leaves at worst a file that the next sweep deletes. A file that no import knows may still be on its way:
 * only a day-old one goes. The folder belongs to one installation; in another one's nothing is ever deleted.
 */
#include "db/snapshot.h"
#include "service/folder.h"
#include "service/log.h"
#include "workers/array_text.h"
#include "workers/job.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ORPHAN_SECONDS = 24 * 3600, PATH_BYTES = 4096, ID_BYTES = 40 };

struct doomed {
	char name[256];
	bool known;
};

struct sweep {
	uv_work_t work; /* first */
	struct job *job;
	struct arena *arena;
	char days[12], lock[12], missing[12], installation[ID_BYTES];
	struct db_value values[2], names, swept;
	struct doomed *doomed;
	int doomed_count, deleted, orphans, kept_back;
	char trouble[200];
	bool foreign;
};

static void sweep_free(struct sweep *s)
{
	arena_free(&s->arena);
	free(s->doomed);
	free(s);
}

static void give_up(struct sweep *s, const struct db_reply *reply)
{
	job_give_up_reply(s->job, reply);
	sweep_free(s);
}

static void path_of(const struct sweep *s, const char *name, char out[PATH_BYTES])
{
	snprintf(out, PATH_BYTES, "%s/%s", s->job->options->uploads, name);
}

/* --- in the pool --- */

static void trouble(struct sweep *s, const char *what)
{
	snprintf(s->trouble, sizeof s->trouble, "%s: %s", what, strerror(errno));
}

/* Ours are; anything else in the folder is nobody's business. */
static bool is_upload_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	bool ours = strncmp(name, "needs-", 6) == 0 || strncmp(name, "intake-", 7) == 0;
	return ours && strspn(name, letters) == strlen(name);
}

static void list_in_pool(uv_work_t *work)
{
	struct sweep *s = (struct sweep *)work;
	struct buffer names;
	struct dirent *entry;
	buffer_init(&names, s->arena, 65536);
	array_begin(&names);
	enum folder_claim claim = folder_claim(s->job->options->uploads, s->installation);
	s->foreign = claim == FOLDER_FOREIGN;
	DIR *dir = claim == FOLDER_OURS ? opendir(s->job->options->uploads) : NULL;
	if (!dir && !s->foreign)
		trouble(s, "the uploads folder");
	while (dir && (entry = readdir(dir)))
		if (is_upload_name(entry->d_name))
			array_text(&names, slice_of(entry->d_name));
	if (dir)
		closedir(dir);
	s->names = db_text(array_end(&names));
	if (!s->names.at && !*s->trouble)
		snprintf(s->trouble, sizeof s->trouble, "the list of uploads does not fit into memory");
}

static void delete_in_pool(uv_work_t *work)
{
	struct sweep *s = (struct sweep *)work;
	char path[PATH_BYTES];
	struct stat st;
	for (int i = 0; i < s->doomed_count; i++) {
		const struct doomed *d = &s->doomed[i];
		path_of(s, d->name, path);
		if (lstat(path, &st) != 0 || (!d->known && time(NULL) - st.st_mtime < ORPHAN_SECONDS)) {
			s->kept_back++;
			continue;
		}
		if (unlink(path) != 0 && errno != ENOENT) {
			trouble(s, "an upload cannot be deleted");
			continue;
		}
		s->deleted += d->known;
		s->orphans += !d->known;
	}
}

/* --- on the loop --- */

static void count(const struct sweep *s, const char *why, int n)
{
	char label[40];
	snprintf(label, sizeof label, "why=\"%s\"", why);
	metric_add(metric_counter(
			   s->job->options->metrics, "tantu_uploads_deleted_total",
			   "Sealed uploads deleted here: kept long enough (expired), of no import (orphan)",
			   label),
		   n);
}

static void on_finished(void *context, const struct db_reply *reply)
{
	struct sweep *s = context;
	if (reply->outcome != DB_OK) {
		give_up(s, reply);
		return;
	}
	count(s, "expired", s->deleted);
	count(s, "orphan", s->orphans);
	if (s->deleted || s->orphans)
		log_line(LOG_INFO, "uploads_deleted", LOG_NUMBER("expired", s->deleted),
			 LOG_NUMBER("orphans", s->orphans));
	job_ended(s->job);
	sweep_free(s);
}

static void finish(struct sweep *s, bool known)
{
	struct db_step steps[] = { { SQL_uploads_swept, 1, &s->swept }, job_finish_step(s->job) };
	s->swept = db_text(s->missing);
	job_submit(s->job, known ? steps : steps + 1, known ? 2 : 1, on_finished, s);
}

static void on_deleted(uv_work_t *work, int status)
{
	struct sweep *s = (struct sweep *)work;
	(void)status;
	if (*s->trouble) {
		job_give_up(s->job, s->trouble, false);
		sweep_free(s);
		return;
	}
	finish(s, true);
}

static void tell_missing(struct sweep *s, const struct db_rows *missing)
{
	int n = db_row_count(missing);
	snprintf(s->missing, sizeof s->missing, "%d", n);
	if (n > 0)
		log_line(LOG_ERROR, "uploads_missing", LOG_NUMBER("count", n),
			 LOG_NUMBER("first_import", db_get_int(missing, 0, 0)));
}

/* Rows of uploads_judge: name, known. Of uploads_missing: id. */
static void on_judged(void *context, const struct db_reply *reply)
{
	struct sweep *s = context;
	if (reply->outcome != DB_OK) {
		give_up(s, reply);
		return;
	}
	const struct db_rows *rows = &reply->rows[0];
	tell_missing(s, &reply->rows[1]);
	s->doomed = calloc((size_t)db_row_count(rows) + 1, sizeof *s->doomed);
	INVARIANT(s->doomed);
	for (int i = 0; i < db_row_count(rows); i++) {
		struct doomed *d = &s->doomed[s->doomed_count++];
		struct slice name = db_get(rows, i, 0);
		snprintf(d->name, sizeof d->name, "%.*s", (int)name.len, name.at);
		d->known = db_get_bool(rows, i, 1);
	}
	INVARIANT(uv_queue_work(s->job->options->loop, &s->work, delete_in_pool, on_deleted) == 0);
}

static void on_listed(uv_work_t *work, int status)
{
	struct sweep *s = (struct sweep *)work;
	(void)status;
	if (s->foreign) {
		log_line(LOG_ERROR, "uploads_of_another_installation", LOG_TEXT("file", FOLDER_OWNER_FILE));
		finish(s, false);
		return;
	}
	if (*s->trouble) {
		job_give_up(s->job, s->trouble, false);
		sweep_free(s);
		return;
	}
	struct db_step steps[] = { { SQL_uploads_judge, 1, &s->names },
				   { SQL_uploads_missing, 1, &s->names },
				   job_hold_step(s->job) };
	job_submit(s->job, steps, 3, on_judged, s);
}

/* Columns of uploads_give_up: given_up, installation. */
static void on_given_up(void *context, const struct db_reply *reply)
{
	struct sweep *s = context;
	if (reply->outcome != DB_OK) {
		give_up(s, reply);
		return;
	}
	struct slice id = db_get(&reply->rows[0], 0, 1);
	snprintf(s->installation, sizeof s->installation, "%.*s", (int)id.len, id.at);
	INVARIANT(uv_queue_work(s->job->options->loop, &s->work, list_in_pool, on_listed) == 0);
}

void uploads_start(struct job *job)
{
	struct sweep *s = calloc(1, sizeof *s);
	INVARIANT(s);
	s->job = job;
	s->arena = arena_new(64u << 20);
	INVARIANT(s->arena);
	snprintf(s->days, sizeof s->days, "%d", job->options->uploads_days);
	snprintf(s->lock, sizeof s->lock, "%d", DB_UPLOADS_LOCK);
	s->values[0] = db_text(s->days);
	s->values[1] = db_text(s->lock);
	struct db_step steps[] = { { SQL_uploads_give_up, 2, s->values }, job_hold_step(job) };
	job_submit(s->job, steps, 2, on_given_up, s);
}
