/* SPDX-License-Identifier: Apache-2.0
 * A small client of the database layer: one loop, one question after the other, then the end. */
#include "service/log.h"
#include "workers/command_internal.h"
#include "workers/worker.h"
#include <stdio.h>

int command_complain(struct command *c, const char *why)
{
	fprintf(stderr, "tantu: %s\n", why);
	c->status = 1;
	return 1;
}

static void on_closed(void *context)
{
	struct command *c = context;
	c->db = NULL;
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct command *c = handle->data;
	db_close(c->db, on_closed, c);
}

static void on_worker_stopped(void *context)
{
	struct command *c = context;
	c->worker = NULL;
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
}

void command_end(struct command *c)
{
	if (c->worker)
		worker_stop(c->worker, on_worker_stopped, c);
	else
		uv_close((uv_handle_t *)&c->poll, on_poll_closed);
}

static void on_ready(void *context)
{
	struct command *c = context;
	c->begin(c);
}

static void on_unfit(void *context, const char *why)
{
	struct command *c = context;
	if (c->status == 0) {
		command_complain(c, why);
		command_end(c);
	}
}

static void on_notify(void *context, const char *channel, const char *payload)
{
	struct command *c = context;
	if (c->worker && strcmp(channel, "job") == 0)
		worker_wake(c->worker, payload);
}

void command_submit(struct command *c, enum sql statement, int count, db_done *done)
{
	struct db_scope system = db_scope_system();
	struct db_step step = { statement, count, c->values };
	db_submit(c->db, &system, &step, 1, done, c);
}

bool command_answered(struct command *c, const struct db_reply *reply)
{
	if (reply->outcome == DB_OK)
		return true;
	command_complain(c, reply->outcome == DB_FAILED ? reply->message : "the database does not answer");
	command_end(c);
	return false;
}

int command_run(struct command *c, const int connections[DB_LANES])
{
	struct db_options options = { .conninfo = c->config->database,
				      .waiting_most = 100,
				      .listen = connections[DB_LANE_queue] > 0,
				      .on_notify = on_notify,
				      .on_ready = on_ready,
				      .on_unfit = on_unfit,
				      .context = c };
	memcpy(options.connections, connections, sizeof options.connections);
	if (!c->config->database)
		return command_complain(
			c, "TANTU_DATABASE: not set; it is the connection string of the role tantu_app");
	log_set_level(LOG_WARN);
	uv_loop_init(&c->loop);
	uv_timer_init(&c->loop, &c->poll);
	c->poll.data = c;
	c->metrics = metrics_new();
	c->db = db_open(&c->loop, &options, c->metrics);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	metrics_free(&c->metrics);
	vault_free(&c->vault);
	uv_loop_close(&c->loop);
	return c->status;
}
