/* SPDX-License-Identifier: Apache-2.0
 * Several hosts, of which only one is what is looked for: the others refuse, keep silent, cannot be found, or
 * are read-only. And a PostgreSQL that hangs. The pool finds the right one, says so once, and nobody waits.
 */
#include "db_sessions.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

/* A port that nobody serves, and one where connections are taken by the kernel and never answered. */
static int closed_port, silent_port, silent_socket;

static int listen_somewhere(int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static int start_ports(void **state)
{
	close(listen_somewhere(&closed_port));
	silent_socket = listen_somewhere(&silent_port);
	return start(state);
}

static int stop_ports(void **state)
{
	close(silent_socket);
	return stop(state);
}

/* The string of the application role with more hosts before its own. */
static const char *with_hosts(const char *hosts, const char *ports)
{
	static char text[1024];
	const char *socket = strstr(pg.app, "host=") + 5;
	int len = (int)strcspn(socket, " ");
	snprintf(text, sizeof text, "host=%s,%.*s port=%s,5432%s", hosts, len, socket, ports, socket + len);
	return text;
}

static void serves_with(const char *conninfo)
{
	memset(seen, 0, sizeof seen);
	pg_ask(super, "DELETE FROM session");
	rig_begin(&rig, conninfo);
	rig.options.listen = true;
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	UNTIL(&rig, rig.ready && db_hears(rig.db));
	open_session(0, false, "1", "3600");
	submit(1, SQL_database_answers, NULL, 0);
	UNTIL(&rig, answered(2) == 2);
	assert_int_equal(with_outcome(2, DB_OK), 2);
	assert_int_equal(sessions(), 1);
	int all = 1; /* the listener */
	for (int i = 0; i < DB_LANES; i++)
		all += rig.options.connections[i];
	UNTIL(&rig, rig_metric(&rig, "tantu_db_connections{server=\"primary\"}") == all);
	rig_close(&rig);
}

static void a_host_that_refuses_is_passed(void **state)
{
	char port[16];
	(void)state;
	snprintf(port, sizeof port, "%d", closed_port);
	serves_with(with_hosts("127.0.0.1", port));
}

static void a_host_that_keeps_silent_costs_its_deadline_only(void **state)
{
	char port[16];
	(void)state;
	snprintf(port, sizeof port, "%d", silent_port);
	uint64_t since = rig_ms();
	serves_with(with_hosts("127.0.0.1", port));
	assert_true(rig_ms() - since >= 1900); /* it was tried */
}

static void connect_timeout_is_that_deadline(void **state)
{
	char port[16], text[1100];
	(void)state;
	snprintf(port, sizeof port, "%d", silent_port);
	snprintf(text, sizeof text, "%s connect_timeout=1", with_hosts("127.0.0.1", port));
	uint64_t since = rig_ms();
	serves_with(text);
	assert_true(rig_ms() - since >= 900);
}

/* A lookup that fails, or takes for ever, does not hold the loop nor the other hosts. */
static void a_name_that_leads_nowhere_is_passed(void **state)
{
	(void)state;
	serves_with(with_hosts("nobody.invalid", "5432"));
}

/* The name leads to addresses where nobody serves: each is tried. */
static void the_addresses_of_a_name_are_tried(void **state)
{
	char port[16];
	(void)state;
	snprintf(port, sizeof port, "%d", closed_port);
	serves_with(with_hosts("localhost", port));
}

static void closing_while_a_name_is_looked_up(void **state)
{
	(void)state;
	for (int turns = 0; turns < 5; turns++) {
		rig_begin(&rig, "host=localhost,nobody.invalid dbname=tantu");
		rig.options.listen = true;
		rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
		for (int i = 0; i < turns; i++)
			rig_turn(&rig);
		db_close(rig.db, rig_on_closed, &rig);
		/* the lookup itself ends when the system's resolver does */
		for (uint64_t until = rig_ms() + 60000; uv_run(&rig.loop, UV_RUN_NOWAIT) && rig_ms() < until;)
			usleep(200);
		assert_int_equal(rig.closed, 1);
		assert_int_equal(uv_loop_close(&rig.loop), 0);
		metrics_free(&rig.metrics);
	}
}

static void a_string_that_cannot_be_read_is_no_database(void **state)
{
	(void)state;
	memset(seen, 0, sizeof seen);
	rig_begin(&rig, "hots=a");
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	submit(0, SQL_database_answers, NULL, 0);
	UNTIL(&rig, seen[0].answers);
	assert_int_equal(seen[0].outcome, DB_UNAVAILABLE);
	rig_close(&rig);
}

/* While a database is away one connection looks for it, not all of them. */
static void one_looks_for_what_is_away(void **state)
{
	char text[100];
	(void)state;
	snprintf(text, sizeof text, "host=127.0.0.1 port=%d dbname=tantu", closed_port);
	rig_begin(&rig, text);
	rig.options.listen = true;
	rig.options.connections[DB_LANE_read] = 4;
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	uint64_t until = rig_ms() + 3000;
	while (rig_ms() < until)
		rig_turn(&rig);
	/* six first attempts, then one with waits of 20, 40, 80 … 1000 ms: about ten; each by itself: sixty
	 */
	long rounds = rig_metric(&rig, "tantu_db_connect_failures_total{server=\"primary\"}");
	assert_in_range(rounds, 8, 20);
	rig_close(&rig);
}

/* --- the primary becomes read-only --- */

static void forbid_writing(bool forbidden)
{
	pg_ask(watch, forbidden ? "ALTER SYSTEM SET default_transaction_read_only = on"
				: "ALTER SYSTEM RESET default_transaction_read_only");
	pg_ask(watch, "SELECT pg_reload_conf()");
}

static bool is_read_only(void)
{
	return strcmp(pg_ask(watch, "SHOW default_transaction_read_only"), "on") == 0;
}

/* Nothing was done, so nothing is unknown: it is refused as unavailable, and done when there is a primary
 * again. */
static void a_primary_that_turns_read_only_is_left(void **state)
{
	(void)state;
	memset(seen, 0, sizeof seen);
	pg_ask(super, "DELETE FROM session");
	rig_begin(&rig, pg.app);
	rig.options.listen = true;
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	UNTIL(&rig, rig.ready && db_hears(rig.db));
	forbid_writing(true);
	UNTIL(&rig, is_read_only());
	for (int i = 0; i < 6; i++)
		open_session(i, false, "1", "3600");
	UNTIL(&rig, answered(6) == 6);
	assert_int_equal(with_outcome(6, DB_UNAVAILABLE), 6);
	UNTIL(&rig, !db_is_up(rig.db));
	assert_int_equal(sessions(), 0);
	forbid_writing(false);
	UNTIL(&rig, db_is_up(rig.db));
	for (int i = 0; i < 6; i++)
		open_session(i, false, "1", "3600");
	UNTIL(&rig, answered(6) == 6);
	assert_int_equal(with_outcome(6, DB_OK), 6);
	assert_int_equal(sessions(), 6);
	rig_close(&rig);
}

static void a_read_only_server_is_not_connected_to(void **state)
{
	(void)state;
	rig_begin(&rig, pg.app);
	forbid_writing(true);
	UNTIL(&rig, is_read_only()); /* turns the rig's loop: it must have one */
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	UNTIL(&rig, rig_metric(&rig, "tantu_db_connect_failures_total{server=\"primary\"}") > 3);
	assert_int_equal(rig.ready, 0);
	forbid_writing(false);
	UNTIL(&rig, rig.ready);
	rig_close(&rig);
}

/* --- reads that may be late --- */

/* A "replica" that is the primary is none; nor is one that is not there. Nobody waits for it, and the pool is
 * up without it. */
static void without_a_replica_the_primary_answers(void **state)
{
	char none[100];
	(void)state;
	snprintf(none, sizeof none, "host=127.0.0.1 port=%d dbname=tantu", closed_port);
	const char *replica[] = { NULL, none, pg.app };
	for (int i = 0; i < 3; i++) {
		memset(seen, 0, sizeof seen);
		rig_begin(&rig, pg.app);
		rig.options.replica_conninfo = replica[i];
		rig.options.replica_age_ms = 30000;
		rig.options.connections[DB_LANE_replica] = 2;
		rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
		UNTIL(&rig, rig.ready && db_is_up(rig.db));
		struct db_scope system = db_scope_system();
		struct db_value values[3] = { db_text("640324"), DB_NULL, db_text("5") };
		struct db_step step = { SQL_regions_list, 3, values };
		for (int n = 0; n < 8; n++)
			db_submit_stale(rig.db, &system, &step, 10000, seen_done, &seen[n]);
		UNTIL(&rig, answered(8) == 8);
		assert_int_equal(with_outcome(8, DB_OK), 8);
		assert_int_equal(seen[7].rows, 5);
		assert_int_equal(rig_metric(&rig, "tantu_stale_reads_total{by=\"primary\"}"), i ? 8 : -1);
		rig_close(&rig);
	}
}

/* --- PostgreSQL hangs --- */

/* Every process of the cluster, as if its machine stood still. Whom it has is asked while it still answers.
 */
static void signal_cluster(const char *pids, int number)
{
	char *end;
	for (const char *at = pids; *at; at = *end ? end + 1 : end) {
		long pid = strtol(at, &end, 10);
		assert_true(pid > 1);
		assert_int_equal(kill((pid_t)pid, number), 0);
	}
}

static void a_postgresql_that_hangs_keeps_nobody(void **state)
{
	char pids[400];
	(void)state;
	memset(seen, 0, sizeof seen);
	rig_begin(&rig, pg.app);
	rig.options.listen = true;
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	UNTIL(&rig, rig.ready && db_hears(rig.db));
	snprintf(pids, sizeof pids, "%s",
		 pg_ask(watch,
			"SELECT string_agg(split_part(pid, E'\\n', 1), ' ') FROM (SELECT "
			"pg_read_file('postmaster.pid') UNION ALL SELECT pid::text FROM pg_stat_activity) "
			"AS p (pid)"));
	signal_cluster(pids, SIGSTOP);
	for (int i = 0; i < 4; i++)
		submit(i, SQL_database_answers, NULL, 0);
	UNTIL(&rig, answered(4) == 4);
	assert_int_equal(with_outcome(4, DB_UNAVAILABLE), 4);
	assert_false(db_is_up(rig.db));
	uint64_t since = rig_ms();
	submit(4, SQL_database_answers, NULL, 0); /* now it is known */
	UNTIL(&rig, seen[4].answers);
	assert_true(rig_ms() - since < 1000);
	signal_cluster(pids, SIGCONT);
	UNTIL(&rig, db_is_up(rig.db));
	submit(5, SQL_database_answers, NULL, 0);
	UNTIL(&rig, seen[5].answers);
	assert_int_equal(seen[5].outcome, DB_OK);
	/* nothing was thrown away */
	assert_int_equal(rig_metric(&rig, "tantu_db_losses_total{server=\"primary\"}"), 0);
	assert_int_equal(rig_metric(&rig, "tantu_db_hangs_total"), 1);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_that_refuses_is_passed),
		cmocka_unit_test(a_host_that_keeps_silent_costs_its_deadline_only),
		cmocka_unit_test(connect_timeout_is_that_deadline),
		cmocka_unit_test(a_name_that_leads_nowhere_is_passed),
		cmocka_unit_test(the_addresses_of_a_name_are_tried),
		cmocka_unit_test(closing_while_a_name_is_looked_up),
		cmocka_unit_test(a_string_that_cannot_be_read_is_no_database),
		cmocka_unit_test(one_looks_for_what_is_away),
		cmocka_unit_test(a_primary_that_turns_read_only_is_left),
		cmocka_unit_test(a_read_only_server_is_not_connected_to),
		cmocka_unit_test(without_a_replica_the_primary_answers),
		cmocka_unit_test(a_postgresql_that_hangs_keeps_nobody),
	};
	if (!pg_is_installed())
		return 0;
	return cmocka_run_group_tests(tests, start_ports, stop_ports);
}
