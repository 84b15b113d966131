/* SPDX-License-Identifier: Apache-2.0
 * The database layer when connections break: who is answered what, once, and that it recovers by itself. */
#include "db_sessions.h"
#include <signal.h>

static void read_account(int number)
{
	static const struct db_value id = { "1", 0, false };
	submit(number, SQL_account_get, &id, 1);
}

static void write_session(int number)
{
	open_session(number, false, "1", "3600");
}

#define OURS " FROM pg_stat_activity WHERE application_name LIKE 'tantu/%' "
#define BLOCKED OURS "AND wait_event_type = 'Lock'"

static int blocked_backends(void)
{
	return pg_number(watch, "SELECT count(*)" BLOCKED);
}

static void hold(const char *table)
{
	char sql[100];
	snprintf(sql, sizeof sql, "BEGIN; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", table);
	pg_ask(super, sql);
}

static void let_go(void)
{
	pg_ask(super, "COMMIT");
}

/* --- a backend is told to end --- */

static void a_read_in_flight_is_asked_again(void **state)
{
	(void)state;
	hold("account");
	for (int i = 0; i < 4; i++)
		read_account(i);
	UNTIL(&rig, blocked_backends() == 1);
	pg_ask(watch, "SELECT pg_terminate_backend(pid)" BLOCKED);
	let_go();
	UNTIL(&rig, answered(4) == 4);
	assert_int_equal(with_outcome(4, DB_OK), 4);
	assert_int_equal(seen[0].rows, 1);
	UNTIL(&rig, db_is_up(rig.db));
}

/* PostgreSQL said that it ended the backend: nothing was done, so the write goes again and is done once. */
static void a_refused_write_is_done_once(void **state)
{
	(void)state;
	hold("session");
	for (int i = 0; i < 5; i++)
		write_session(i);
	UNTIL(&rig, blocked_backends() == 1);
	pg_ask(watch, "SELECT pg_terminate_backend(pid)" BLOCKED);
	let_go();
	UNTIL(&rig, answered(5) == 5);
	assert_int_equal(with_outcome(5, DB_OK) + with_outcome(5, DB_UNKNOWN), 5);
	if (with_outcome(5, DB_OK) == 5)
		assert_int_equal(sessions(), 5);
}

static void a_cancelled_write_is_not_sent_again(void **state)
{
	(void)state;
	hold("session");
	write_session(0);
	write_session(1);
	UNTIL(&rig, blocked_backends() == 1);
	db_cancel(seen[0].call);
	pg_ask(watch, "SELECT pg_terminate_backend(pid)" BLOCKED);
	let_go();
	UNTIL(&rig, seen[1].answers);
	assert_int_equal(seen[0].answers, 0);
	assert_int_equal(pg_number(watch, "SELECT count(*) FROM session WHERE get_byte(token_hash, 0) = 0"),
			 0);
}

/* A statement is cancelled, as by statement_timeout: it fails and the connection stays. */
static void a_cancelled_statement_fails(void **state)
{
	(void)state;
	hold("session");
	write_session(0);
	UNTIL(&rig, blocked_backends() == 1);
	pg_ask(watch, "SELECT pg_cancel_backend(pid)" BLOCKED);
	UNTIL(&rig, seen[0].answers);
	assert_int_equal(seen[0].outcome, DB_FAILED);
	assert_string_equal(seen[0].sqlstate, "57014");
	assert_true(db_is_up(rig.db));
	let_go();
	write_session(1);
	UNTIL(&rig, seen[1].answers);
	assert_int_equal(seen[1].outcome, DB_OK);
}

static void idle_connections_come_back(void **state)
{
	(void)state;
	pg_ask(watch, "SELECT pg_terminate_backend(pid)" OURS);
	for (int i = 0; i < 20; i++)
		read_account(i);
	for (int i = 20; i < 40; i++)
		write_session(i);
	UNTIL(&rig, answered(40) == 40);
	/* a write that was sent into a connection that had just ended may be unknown; no read is lost */
	assert_int_equal(with_outcome(20, DB_OK), 20);
	assert_int_equal(with_outcome(40, DB_OK) + with_outcome(40, DB_UNKNOWN), 40);
	UNTIL(&rig, db_is_up(rig.db));
	assert_int_equal(rig.ready, 1); /* said once */
}

/* --- nobody lets us in --- */

static void patience_then_unavailable_then_recovery(void **state)
{
	(void)state;
	pg_ask(super, "ALTER ROLE tantu_app NOLOGIN");
	pg_ask(watch, "SELECT pg_terminate_backend(pid)" OURS);
	UNTIL(&rig, !db_is_up(rig.db));
	uint64_t since = rig_ms();
	read_account(0);
	write_session(1);
	UNTIL(&rig, answered(2) == 2);
	assert_int_equal(with_outcome(2, DB_UNAVAILABLE), 2);
	assert_in_range(rig_ms() - since, 500, 4000); /* a second of patience, looked at each second */
	since = rig_ms();
	read_account(2); /* no patience any more */
	UNTIL(&rig, seen[2].answers);
	assert_int_equal(seen[2].outcome, DB_UNAVAILABLE);
	assert_true(rig_ms() - since < 900);
	pg_ask(super, "ALTER ROLE tantu_app LOGIN");
	UNTIL(&rig, db_is_up(rig.db));
	read_account(3);
	write_session(4);
	UNTIL(&rig, seen[3].answers && seen[4].answers);
	assert_int_equal(seen[3].outcome, DB_OK);
	assert_int_equal(seen[4].outcome, DB_OK);
	assert_int_equal(sessions(), 1);
}

/* What waits while the connection is only made again is not refused. */
static void a_short_gap_is_waited_out(void **state)
{
	(void)state;
	pg_ask(super, "ALTER ROLE tantu_app NOLOGIN");
	pg_ask(watch, "SELECT pg_terminate_backend(pid)" OURS);
	UNTIL(&rig, !db_is_up(rig.db));
	for (int i = 0; i < 10; i++)
		read_account(i);
	for (int i = 0; i < 50; i++)
		rig_turn(&rig);
	pg_ask(super, "ALTER ROLE tantu_app LOGIN");
	UNTIL(&rig, answered(10) == 10);
	assert_int_equal(with_outcome(10, DB_OK), 10);
}

static void no_database_at_all(void **state)
{
	(void)state;
	memset(seen, 0, sizeof seen);
	rig_begin(&rig, "host=/nowhere dbname=tantu");
	rig.options.listen = true;
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	for (int i = 0; i < 3; i++)
		read_account(i);
	UNTIL(&rig, answered(3) == 3);
	assert_int_equal(with_outcome(3, DB_UNAVAILABLE), 3);
	assert_int_equal(rig.ready, 0);
	assert_false(db_is_up(rig.db));
	read_account(4);
	db_cancel(seen[4].call);
	rig_close(&rig);
	assert_int_equal(seen[4].answers, 0);
}

/* --- closing --- */

static void closing_answers_what_waits(void **state)
{
	(void)state;
	hold("session");
	write_session(0);
	UNTIL(&rig, blocked_backends() == 1);
	for (int i = 1; i < 20; i++) /* wait behind it, or were never sent */
		i % 2 ? write_session(i) : read_account(i);
	rig_close(&rig);
	assert_int_equal(answered(20), 20);
	assert_int_equal(seen[0].outcome, DB_UNKNOWN); /* it was sent */
	assert_int_equal(with_outcome(20, DB_UNAVAILABLE), 19);
	let_go();
}

static void closing_with_a_cancelled_call(void **state)
{
	(void)state;
	hold("session");
	write_session(0);
	write_session(1);
	UNTIL(&rig, blocked_backends() == 1);
	db_cancel(seen[0].call);
	write_session(2);
	db_cancel(seen[2].call);
	rig_close(&rig);
	assert_int_equal(seen[0].answers + seen[2].answers, 0);
	assert_int_equal(seen[1].answers, 1);
	let_go();
}

/* Who is told that it is over may still ask once more; that is answered too. */
static void ask_again(void *context, const struct db_reply *reply)
{
	seen_done(context, reply);
	int number = (int)((struct seen *)context - seen);
	if (number < 2)
		read_account(10 + number);
}

static void asked_while_closing(void **state)
{
	struct db_scope system = db_scope_system();
	struct db_step step = { SQL_database_answers, 0, NULL };
	struct db_value token = { 0 };
	struct db_step write = { SQL_session_close, 1, &token };
	(void)state;
	db_submit(rig.db, &system, &step, 1, ask_again, &seen[0]);
	db_submit(rig.db, &system, &write, 1, ask_again, &seen[1]);
	rig_close(&rig);
	assert_int_equal(seen[0].answers + seen[1].answers, 2);
	assert_int_equal(seen[10].answers + seen[11].answers, 2);
}

/* Before the first connection stands, and while statements are prepared. */
static void closing_at_any_moment(void **state)
{
	(void)state;
	for (int turns = 0; turns < 40; turns++) {
		rig_begin(&rig, pg.app);
		rig.options.listen = true;
		rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
		seen[0] = (struct seen){ 0 };
		read_account(0);
		for (int i = 0; i < turns; i++)
			rig_turn(&rig);
		rig_close(&rig);
		assert_int_equal(seen[0].answers, 1);
	}
}

/* --- notifications --- */

static void hears_and_knows_when_it_was_deaf(void **state)
{
	(void)state;
	pg_ask(super, "DELETE FROM session"); /* before anybody listens */
	rig_begin(&rig, pg.app);
	rig.options.listen = true;
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	UNTIL(&rig, rig.ready && rig.deaf == 1); /* it listens now: look at what was missed */
	write_session(3);
	UNTIL(&rig, seen[3].answers);
	pg_ask(super, "DELETE FROM session");
	UNTIL(&rig, rig.notified == 1);
	assert_string_equal(rig.channel, "session_ended");
	assert_int_equal(strlen(rig.payload), 64);
	assert_memory_equal(rig.payload, "0300", 4);
	pg_ask(watch, "SELECT pg_terminate_backend(pid)" OURS "AND query LIKE 'LISTEN%'");
	UNTIL(&rig, rig.deaf == 3); /* lost, and hears again */
	write_session(4);
	UNTIL(&rig, seen[4].answers);
	pg_ask(super, "DELETE FROM session");
	UNTIL(&rig, rig.notified == 2);
	rig_close(&rig);
}

/* --- PostgreSQL crashes --- */

/* Killed without a word: of a write nobody knows, a read is asked again when the server is back. */
static void a_crash_leaves_a_write_unknown(void **state)
{
	(void)state;
	hold("session");
	write_session(0);
	write_session(1);
	UNTIL(&rig, blocked_backends() == 1);
	assert_int_equal(kill(pg_number(watch, "SELECT pid" BLOCKED), SIGKILL), 0);
	read_account(2);
	UNTIL(&rig, seen[0].answers && seen[1].answers);
	assert_int_equal(seen[0].outcome, DB_UNKNOWN);
	assert_int_equal(seen[1].outcome, DB_UNKNOWN);
	UNTIL(&rig, seen[2].answers);
	UNTIL(&rig, db_is_up(rig.db));
	read_account(3);
	write_session(4);
	UNTIL(&rig, seen[3].answers && seen[4].answers);
	assert_int_equal(seen[3].outcome, DB_OK);
	assert_int_equal(seen[4].outcome, DB_OK);
	assert_int_equal(answered(5), 5);
	PQreset(super);
	PQreset(watch);
	assert_int_equal(sessions(), 1);
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, open_pool, close_pool)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_POOL(a_read_in_flight_is_asked_again),
		WITH_POOL(a_refused_write_is_done_once),
		WITH_POOL(a_cancelled_write_is_not_sent_again),
		WITH_POOL(a_cancelled_statement_fails),
		WITH_POOL(idle_connections_come_back),
		WITH_POOL(patience_then_unavailable_then_recovery),
		WITH_POOL(a_short_gap_is_waited_out),
		cmocka_unit_test(no_database_at_all),
		cmocka_unit_test_setup(closing_answers_what_waits, open_pool),
		cmocka_unit_test_setup(closing_with_a_cancelled_call, open_pool),
		cmocka_unit_test_setup(asked_while_closing, open_pool),
		cmocka_unit_test(closing_at_any_moment),
		cmocka_unit_test(hears_and_knows_when_it_was_deaf),
		WITH_POOL(a_crash_leaves_a_write_unknown),
	};
	if (!pg_is_installed())
		return 0;
	return cmocka_run_group_tests(tests, start, stop);
}
