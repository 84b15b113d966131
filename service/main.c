/* SPDX-License-Identifier: Apache-2.0
 * tantu: puts the layers together. The only file below api/ and workers/ that knows them.
 * Start: database ready → tables checked → worker → listening. Stop: no new requests, those begun are
 * answered, the worker drains, the database closes. */
#include "api/api.h"
#include "db/migrate.h"
#include "service/config.h"
#include "service/log.h"
#include "service/password.h"
#include "workers/command.h"
#include "workers/worker.h"
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
	uv_signal_t term, interrupt;
	bool serves, stopping;
	int status;
};

static int complain(const char *why)
{
	fprintf(stderr, "tantu: %s\n", why);
	return 1;
}

/* --- stopping, back to front --- */

static void on_signal_closed(uv_handle_t *handle)
{
	(void)handle;
}

static void on_db_closed(void *context)
{
	struct process *p = context;
	p->db = NULL;
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
static void on_grace_over(int signal_number)
{
	static const char line[] = "{\"level\":\"warn\",\"event\":\"stopped_with_work_left\"}\n";
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
	signal(SIGALRM, on_grace_over);
	alarm((unsigned)p->config.grace_ms / 1000 + 2);
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
	snprintf(line, sizeof line, "the database does not fit this program (run `tantu migrate`): %s", why);
	p->status = complain(line);
	stop(p);
}

static bool listen_now(struct process *p, char *why, size_t why_size)
{
	struct http_limits limits = http_limits_default();
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
	struct worker_options options = { &p->loop, p->db, p->metrics, p->vault, p->config.uploads, name };
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
	if (!p->serves)
		return;
	struct api_options options = { &p->loop,          p->db,
				       p->metrics,        p->vault,
				       p->config.uploads, p->config.session_seconds };
	p->api = api_new(&options, why, sizeof why);
	if (!p->api || !listen_now(p, why, sizeof why)) {
		p->status = complain(why);
		stop(p);
	}
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
	char keys[3200];
	snprintf(keys, sizeof keys, "%s/keys", p->config.var);
	if (!make_folder(p->config.var, why, why_size) || !make_folder(keys, why, why_size) ||
	    !make_folder(p->config.uploads, why, why_size))
		return false;
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
		.connections = { p->serves ? 2 : 0, p->serves ? 1 : 0, p->config.work ? 1 : 0,
				 p->config.work ? 2 : 0 },
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

static int run_process(const struct config *config, bool serves)
{
	struct process p = { .config = *config, .serves = serves };
	char why[300];
	if (!config->database)
		return complain("TANTU_DATABASE: not set; it is the connection string of the role tantu_app");
	if (!open_storage(&p, why, sizeof why))
		return complain(why);
	raise_file_limit();
	uv_loop_init(&p.loop);
	p.metrics = metrics_new();
	watch_signals(&p);
	open_database(&p);
	uv_run(&p.loop, UV_RUN_DEFAULT);
	api_free(&p.api);
	vault_free(&p.vault);
	metrics_free(&p.metrics);
	uv_loop_close(&p.loop);
	log_line(LOG_INFO, "stopped");
	return p.status;
}

/* --- several processes on one port --- */

static pid_t start_child(const struct config *config)
{
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody is left behind */
	exit(getppid() == parent ? run_process(config, true) : 0);
}

static void wait_for_signal(sigset_t *set, siginfo_t *info)
{
	while (sigwaitinfo(set, info) < 0 && errno == EINTR)
		;
}

static int stop_children(const pid_t *children, int count)
{
	int status = 0, one;
	for (int i = 0; i < count; i++)
		if (children[i] > 0)
			kill(children[i], SIGTERM);
	while (wait(&one) > 0 || errno == EINTR)
		status = status || !WIFEXITED(one) ? status : WEXITSTATUS(one);
	return status;
}

/* The parent starts children, starts one again that died, and passes the end on. */
static int run_several(const struct config *config)
{
	pid_t children[64];
	sigset_t set, old;
	siginfo_t info;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (int i = 0; i < config->processes; i++) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		children[i] = start_child(config);
		sigprocmask(SIG_BLOCK, &set, NULL);
	}
	for (;;) {
		int status;
		pid_t dead;
		wait_for_signal(&set, &info);
		if (info.si_signo != SIGCHLD)
			return stop_children(children, config->processes);
		while ((dead = waitpid(-1, &status, WNOHANG)) > 0) {
			if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
				return stop_children(children, config->processes), WEXITSTATUS(status);
			log_line(LOG_ERROR, "process_died", LOG_NUMBER("pid", dead));
			usleep(200000);
			sigprocmask(SIG_SETMASK, &old, NULL);
			for (int i = 0; i < config->processes; i++)
				children[i] = children[i] == dead ? start_child(config) : children[i];
			sigprocmask(SIG_BLOCK, &set, NULL);
		}
	}
}

/* --- the other commands --- */

static int run_migrate(const struct config *config)
{
	char why[400], hash[PASSWORD_HASH_BYTES];
	const char *owner = config->owner_database;
	bool wanted = false;
	if (!owner)
		return complain(
			"TANTU_OWNER_DATABASE: not set; it is the connection string of the role tantu_owner");
	if (!db_migrate(owner, why, sizeof why) || !db_load(owner, why, sizeof why) ||
	    !db_administrator_wanted(owner, &wanted, why, sizeof why))
		return complain(why);
	if (!wanted)
		return 0;
	if (!config->admin_password || strlen(config->admin_password) < 8)
		return complain("TANTU_ADMIN_PASSWORD: the first administrator needs a password of at least "
				"8 characters");
	if (!password_hash(slice_of(config->admin_password), hash) ||
	    !db_administrator_make(owner, "admin", hash, why, sizeof why))
		return complain(why);
	log_line(LOG_INFO, "administrator_made", LOG_TEXT("user", "admin"));
	return 0;
}

static const char help[] =
	"tantu " TANTU_VERSION " — keeps count of homes made accessible\n\n"
	"  tantu migrate                     bring the database to this version, load plans and regions\n"
	"  tantu serve [--listen ADDRESS:PORT] [--processes N] [--no-work]\n"
	"  tantu work                        run jobs only\n"
	"  tantu import --plan CODE [--mode dry_run|good_rows|all_or_nothing] FILE\n"
	"  tantu verify totals               recount every figure from the events\n"
	"  tantu --version | --help\n\n"
	"Settings: TANTU_DATABASE TANTU_OWNER_DATABASE TANTU_LISTEN TANTU_VAR TANTU_ADMIN_PASSWORD "
	"TANTU_KEY_FILE\n"
	"TANTU_UPLOADS TANTU_PROCESSES TANTU_SESSION_HOURS TANTU_GRACE_SECONDS (see README.md)\n";

static int run_command(const char *command, int argc, char **argv)
{
	struct config config;
	char why[300];
	bool verify = strcmp(command, "verify") == 0;
	if (verify && (argc != 1 || strcmp(argv[0], "totals") != 0))
		return complain("verify: what? `tantu verify totals`");
	if (!config_read(&config, verify ? 0 : argc, argv, why, sizeof why))
		return complain(why);
	if (strcmp(command, "migrate") == 0)
		return run_migrate(&config);
	if (strcmp(command, "serve") == 0)
		return config.processes > 1 ? run_several(&config) : run_process(&config, true);
	if (strcmp(command, "work") == 0)
		return run_process(&config, false);
	if (verify)
		return command_verify_totals(&config);
	if (strcmp(command, "import") == 0)
		return command_import(&config);
	fprintf(stderr, "tantu: %s: no such command\n\n%s", command, help);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		fputs(help, argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("tantu " TANTU_VERSION);
		return 0;
	}
	if (sodium_init() < 0)
		return complain("libsodium cannot start");
	return run_command(argv[1], argc - 2, argv + 2);
}
