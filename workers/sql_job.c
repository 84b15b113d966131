/* SPDX-License-Identifier: Apache-2.0
 * A job that is one statement: it and the job's completion are one transaction. */
#include "workers/job.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static void on_reply(void *context, const struct db_reply *reply)
{
	struct job *job = context;
	if (reply->outcome != DB_OK) {
		job_give_up_reply(job, reply);
		return;
	}
	job_ended(job);
}

static int bind_words(struct job *job)
{
	int n = 0;
	for (const char *at = job->kind->bind; *at && n < 2; n++) {
		char word[32];
		size_t len = strcspn(at, " ");
		snprintf(word, sizeof word, "%.*s", (int)len, at);
		long long value =
			isdigit((unsigned char)word[0])
				? strtoll(word, NULL, 10)
				: (long long)json_integer_value(json_object_get(job->payload, word));
		snprintf(job->number_text[n], sizeof job->number_text[n], "%lld", value);
		job->values[n] = db_text(job->number_text[n]);
		at += len;
		at += strspn(at, " ");
	}
	return n;
}

void sql_job_start(struct job *job)
{
	int count = bind_words(job);
	struct db_step steps[] = { { job->kind->statement, count, job->values }, job_finish_step(job) };
	job_submit(job, steps, 2, on_reply, job);
}
