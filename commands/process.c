/* SPDX-License-Identifier: Apache-2.0
 * `tantu serve` and `tantu work`: puts the layers together.
 * Start: database ready → tables checked → worker → listening. Stop: no new requests, those begun are
 * answered, the worker drains, the database closes. */
#include "commands/process.h"
#include "api/api.h"
#include "commands/command.h"
#include "commands/doctor_watch.h"
#include "commands/monitor.h"
#include "service/log.h"
#include "service/photo_store.h"
#include "service/setting.h"
#include "workers/figures.h"
#include "workers/worker.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct process {
	struct config config;
	uv_loop_t loop;
	struct metrics *metrics;
	struct vault *vault;
	struct db *db;
	struct api *api;
	struct http_application application;
	struct http_server *server;
	struct worker *worker;
	struct figures *figures;
	struct monitor *monitor;
	struct doctor_watch *doctor;
	uv_signal_t term, interrupt;
	struct beat beat;
	bool serves, stopping;
	int status;
};

/* --- stopping, back to front --- */

static void on_signal_closed(uv_handle_t *handle)
{
	(void)handle;
}

static void on_db_closed(void *context)
{
	struct process *p = context;
	p->db = NULL;
	beat_end(&p->beat);
	monitor_stop(&p->monitor);
	uv_close((uv_handle_t *)&p->term, on_signal_closed);
	uv_close((uv_handle_t *)&p->interrupt, on_signal_closed);
}

static void on_worker_stopped(void *context)
{
	struct process *p = context;
	p->worker = NULL;
	db_close(p->db, on_db_closed, p);
}

static void stop_worker(struct process *p)
{
	if (p->worker)
		worker_stop(p->worker, on_worker_stopped, p);
	else
		db_close(p->db, on_db_closed, p);
}

static void on_server_stopped(void *context)
{
	struct process *p = context;
	http_server_free(&p->server);
	stop_worker(p);
}

/* A job that takes longer than the grace (a big import) is left to another worker: its lease runs out. */
static void on_grace_over_json(int signal_number)
{
	static const char line[] = "{\"level\":\"warn\",\"event\":\"stopped_with_work_left\"}\n";
	(void)signal_number;
	(void)!write(STDERR_FILENO, line, sizeof line - 1);
	_exit(0);
}

static void on_grace_over_text(int signal_number)
{
	static const char line[] = "WARN  stopped_with_work_left\n";
	(void)signal_number;
	(void)!write(STDERR_FILENO, line, sizeof line - 1);
	_exit(0);
}

static void stop(struct process *p)
{
	if (p->stopping)
		return;
	p->stopping = true;
	log_line(LOG_INFO, "stopping");
	beat_stopping(&p->beat);
	signal(SIGALRM, log_is_text() ? on_grace_over_text : on_grace_over_json);
	alarm((unsigned)p->config.grace_ms / 1000 + 2);
	monitor_stopping(p->monitor);
	figures_stop(&p->figures);
	doctor_watch_stop(&p->doctor);
	if (p->api)
		api_stopping(p->api);
	if (p->server)
		http_server_stop(p->server, (unsigned)p->config.grace_ms, on_server_stopped, p);
	else
		stop_worker(p);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)number;
	stop(handle->data);
}

/* --- what the database says --- */

static void on_notify(void *context, const char *channel, const char *payload)
{
	struct process *p = context;
	if (strcmp(channel, "session_ended") == 0 && p->api)
		api_session_ended(p->api, payload);
	else if (strcmp(channel, "job") == 0 && p->worker)
		worker_wake(p->worker, payload);
}

static void on_deaf(void *context)
{
	struct process *p = context;
	if (p->api)
		api_forget_sessions(p->api);
	if (p->worker && !p->stopping)
		worker_wake(p->worker, NULL);
}

static void on_unfit(void *context, const char *why)
{
	struct process *p = context;
	char line[512];
	snprintf(line, sizeof line, "the database does not fit this program: %s", why);
	p->status = complain(line);
	stop(p);
}

/* What else needs a descriptor: the database, uploads, a log that is opened again. */
enum { DESCRIPTORS_KEPT = 200 };

static struct http_limits limits_of(const struct config *config)
{
	struct http_limits limits = http_limits_default();
	struct rlimit files;
	limits.connections = (size_t)config->connections;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < limits.connections + DESCRIPTORS_KEPT) {
		limits.connections = files.rlim_cur > 2 * DESCRIPTORS_KEPT ? files.rlim_cur - DESCRIPTORS_KEPT
									   : files.rlim_cur / 2;
		log_line(LOG_WARN, "fewer_connections", LOG_NUMBER("wanted", config->connections),
			 LOG_NUMBER("connections", limits.connections),
			 LOG_NUMBER("open_files", files.rlim_cur));
	}
	limits.connections_of_address = (size_t)config->connections_per_address;
	limits.slowest_rate = (unsigned)config->slowest_rate;
	limits.trusted_proxies = strcmp(config->trusted_proxies, "none") == 0 ? "" : config->trusted_proxies;
	limits.forwarded = config->forwarded == 1;
	limits.hsts_seconds = (unsigned)config->hsts_seconds;
	return limits;
}

static bool listen_now(struct process *p, char *why, size_t why_size)
{
	struct http_limits limits = limits_of(&p->config);
	p->application = api_application(p->api);
	p->server = http_server_start(&p->loop, p->config.listen, p->config.processes > 1, &limits,
				      &p->application, p->metrics, why, why_size);
	if (!p->server)
		return false;
	char address[160];
	snprintf(address, sizeof address, "%.*s:%d", (int)(strrchr(p->config.listen, ':') - p->config.listen),
		 p->config.listen, http_server_port(p->server));
	log_line(LOG_INFO, "listening", LOG_TEXT("address", address), LOG_NUMBER("pid", getpid()));
	return true;
}

static void start_worker(struct process *p)
{
	char name[100];
	char host[64] = "";
	gethostname(host, sizeof host - 1);
	snprintf(name, sizeof name, "%s:%d", host, (int)getpid());
	const struct config *c = &p->config;
	struct worker_options options = { &p->loop,
					  p->db,
					  p->metrics,
					  p->vault,
					  c->uploads,
					  name,
					  c->uploads_days,
					  c->photos,
					  c->photos_days,
					  { { "imports", c->jobs_imports },
					    { "totals", c->jobs_totals },
					    { "reminders", c->jobs_reminders },
					    { "upkeep", c->jobs_upkeep },
					    { "probe", c->jobs_probe } } };
	p->worker = worker_start(&options);
	log_line(LOG_INFO, "working", LOG_TEXT("worker", name));
}

static void on_ready(void *context)
{
	struct process *p = context;
	char why[300];
	if (p->stopping)
		return;
	if (p->config.work)
		start_worker(p);
	if (!p->serves) {
		beat_ready(&p->beat, "working");
		return;
	}
	p->figures = figures_start(&p->loop, p->db, p->metrics);
	p->doctor = doctor_watch_start(&p->loop, &p->config, p->vault, p->db, p->metrics);
	struct api_options options = {
		.loop = &p->loop,
		.db = p->db,
		.metrics = p->metrics,
		.vault = p->vault,
		.uploads = p->config.uploads,
		.photos = p->config.photos,
		.photo_bytes = p->config.photo_bytes,
		.photos_per_case = p->config.photos_per_case,
		.photo_decoders = p->config.photo_decoders,
		.session_seconds = p->config.session_seconds,
		.token_rate = p->config.token_rate,
		.token_burst = p->config.token_burst,
		.sign_in_tries = p->config.sign_in_tries,
		.sign_in_tries_address = p->config.sign_in_tries_per_address,
		.sign_in_tries_account = p->config.sign_in_tries_per_account,
	};
	p->api = api_new(&options, why, sizeof why);
	if (!p->api || !listen_now(p, why, sizeof why)) {
		p->status = complain(why);
		stop(p);
		return;
	}
	snprintf(why, sizeof why, "serving on %s", p->config.listen);
	beat_ready(&p->beat, why);
}

/* --- serve and work --- */

static bool make_folder(const char *path, char *why, size_t why_size)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return true;
	snprintf(why, why_size, "%s: %s", path, strerror(errno));
	return false;
}

static bool open_storage(struct process *p, char *why, size_t why_size)
{
	char keys[SETTING_TEXT_MOST + 8];
	snprintf(keys, sizeof keys, "%s/keys", p->config.var);
	if (!make_folder(p->config.var, why, why_size) || !make_folder(keys, why, why_size) ||
	    !make_folder(p->config.uploads, why, why_size))
		return false;
	if (!photo_store_prepare(p->config.photos)) {
		snprintf(why, why_size, "%s: %s", p->config.photos, strerror(errno));
		return false;
	}
	p->vault = vault_open(p->config.key_file, true, why, why_size);
	return p->vault != NULL;
}

static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void watch_signals(struct process *p)
{
	uv_signal_init(&p->loop, &p->term);
	uv_signal_init(&p->loop, &p->interrupt);
	p->term.data = p->interrupt.data = p;
	uv_signal_start(&p->term, on_signal, SIGTERM);
	uv_signal_start(&p->interrupt, on_signal, SIGINT);
	signal(SIGPIPE, SIG_IGN);
}

static void open_database(struct process *p)
{
	struct db_options options = {
		.conninfo = p->config.database,
		.replica_conninfo = p->serves ? p->config.replica_database : NULL,
		.replica_age_ms = p->config.replica_lag_ms,
		.connections = { p->serves ? 2 : 0, p->serves ? 1 : 0, p->config.work ? 2 : 0,
				 p->config.work ? 2 : 0, p->serves ? 1 : 0, p->serves ? 2 : 0 },
		.waiting_most = 4096,
		.listen = true,
		.on_notify = on_notify,
		.on_deaf = on_deaf,
		.on_ready = on_ready,
		.on_unfit = on_unfit,
		.context = p,
	};
	p->db = db_open(&p->loop, &options, p->metrics);
}

static void start_monitor(struct process *p, int number)
{
	char why[400];
	if (!p->config.metrics_listen)
		return;
	p->monitor =
		monitor_start(&p->loop, p->config.metrics_listen, number, p->db, p->metrics, why, sizeof why);
	if (!p->monitor) {
		p->status = complain(why);
		stop(p);
	}
}

int process_run(const struct config *config, bool serves, int number, struct beat_slot *slot)
{
	struct process p = { .config = *config, .serves = serves };
	char why[300];
	if (!config->database)
		return complain("TANTU_DATABASE: not set; it is the connection string of the role tantu_app");
	if (!connections_check(config, why, sizeof why) || !open_storage(&p, why, sizeof why))
		return complain(why);
	raise_file_limit();
	if (uv_loop_init(&p.loop) != 0)
		return complain("no memory for an event loop");
	p.metrics = metrics_new();
	watch_signals(&p);
	beat_start(&p.beat, &p.loop, slot);
	open_database(&p);
	start_monitor(&p, number);
	uv_run(&p.loop, UV_RUN_DEFAULT);
	api_free(&p.api);
	vault_free(&p.vault);
	metrics_free(&p.metrics);
	uv_loop_close(&p.loop);
	log_line(LOG_INFO, "stopped");
	return p.status;
}

int run_serve(const struct config *config, const struct arguments *arguments)
{
	(void)arguments;
	return config->processes > 1 ? processes_run(config) : process_run(config, true, 0, NULL);
}

int run_work(const struct config *config, const struct arguments *arguments)
{
	struct config working = *config;
	(void)arguments;
	working.work = true;
	return process_run(&working, false, 0, NULL);
}
