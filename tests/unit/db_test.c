/* SPDX-License-Identifier: Apache-2.0
 * The database layer against a real PostgreSQL: groups, failures in them, scopes, cancelling, multi-step
 * calls. What happens when connections break is in db_broken_test.c. */
#include "db_sessions.h"

static int blocked_backends(void)
{
	return pg_number(watch,
			 "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tantu/%' AND "
			 "wait_event_type = 'Lock'");
}

static void lock_sessions(void)
{
	pg_ask(super, "BEGIN; LOCK TABLE session IN ACCESS EXCLUSIVE MODE");
}

/* --- groups --- */

/* Two connections share them, once both are up: a group and a transaction each. */
static void calls_of_one_turn_travel_together(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		submit(i, SQL_database_answers, NULL, 0);
	assert_int_equal(answered(10), 0); /* never from within db_submit */
	UNTIL(&rig, answered(10) == 10);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(seen[i].outcome, DB_OK);
		assert_int_equal(seen[i].value, seen[i < 5 ? 0 : 9].value); /* now() of one transaction */
	}
	assert_int_equal(rig_metric(&rig, "tantu_db_calls_total{lane=\"read\"}"), 10);
	assert_in_range(rig_metric(&rig, "tantu_db_group_seconds_count{lane=\"read\"}"), 1, 2);
	submit(11, SQL_database_answers, NULL, 0);
	UNTIL(&rig, seen[11].answers);
	assert_true(seen[11].value > seen[0].value);
}

static void more_than_a_group_goes_over_both_connections(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++)
		submit(i, SQL_database_answers, NULL, 0);
	UNTIL(&rig, answered(40) == 40);
	/* 20 and 20; or, while the second connection is still being made, 32 and then 4 and 4 */
	assert_in_range(rig_metric(&rig, "tantu_db_group_seconds_count{lane=\"read\"}"), 2, 3);
}

static void writes_of_one_turn_are_one_transaction(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		open_session(i, false, "1", "3600");
	UNTIL(&rig, answered(20) == 20);
	assert_int_equal(with_outcome(20, DB_OK), 20);
	assert_int_equal(sessions(), 20);
	assert_int_equal(pg_number(watch, "SELECT count(DISTINCT xmin::text) FROM session"), 1);
}

/* --- failures in a group --- */

static void a_bad_member_fails_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++)
		open_session(i, i == 5, "1", "3600");
	UNTIL(&rig, answered(12) == 12);
	assert_int_equal(with_outcome(12, DB_OK), 11);
	assert_int_equal(seen[5].outcome, DB_FAILED);
	assert_string_equal(seen[5].sqlstate, "23514");
	assert_string_equal(seen[5].constraint, "session_token_hash_check");
	assert_int_equal(sessions(), 11);
}

static void each_of_several_bad_ones_fails_as_itself(void **state)
{
	struct db_value account[8] = { DB_NULL,          DB_NULL, db_text("nobody"), DB_NULL,
				       db_text("admin"), DB_NULL, DB_NULL,           DB_NULL };
	(void)state;
	open_session(0, false, "1", "3600");
	submit(1, SQL_account_create, account, 8); /* without password: NOT NULL */
	open_session(2, false, "1", "3600");
	open_session(3, true, "1", "3600");
	open_session(4, false, "one", "3600"); /* no number */
	open_session(5, false, "1", "3600");
	open_session(6, false, "1", "99999999999"); /* no int */
	UNTIL(&rig, answered(7) == 7);
	assert_string_equal(seen[1].sqlstate, "23502");
	assert_string_equal(seen[3].sqlstate, "23514");
	assert_string_equal(seen[4].sqlstate, "22P02");
	assert_string_equal(seen[6].sqlstate, "22003");
	assert_int_equal(with_outcome(7, DB_OK), 3);
	assert_int_equal(sessions(), 3);
	assert_int_equal(rig_metric(&rig, "tantu_db_errors_total"), 4);
}

static void a_whole_group_of_bad_ones(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++)
		open_session(i, true, "1", "3600");
	open_session(40, false, "1", "3600");
	UNTIL(&rig, answered(41) == 41);
	assert_int_equal(with_outcome(41, DB_FAILED), 40);
	assert_int_equal(seen[40].outcome, DB_OK);
}

static void a_stage_that_is_none_fails_alone(void **state)
{
	struct db_value good[6] = { [1] = db_text("built"), [5] = db_text("10") };
	struct db_value bad[6] = { [1] = db_text("finished"), [5] = db_text("10") };
	(void)state;
	for (int i = 0; i < 9; i++)
		submit(i, SQL_cases_of_region, i == 4 ? bad : good, 6);
	UNTIL(&rig, answered(9) == 9);
	assert_int_equal(with_outcome(9, DB_OK), 8);
	assert_int_equal(seen[4].outcome, DB_FAILED);
	assert_string_equal(seen[4].sqlstate, "23514");
}

/* The same token twice in one group: the second one only. */
static void a_double_fails_as_unique_violation(void **state)
{
	struct db_value values[4] = { token_value(0), db_text("1"), db_text("60") };
	(void)state;
	open_session(0, false, "1", "3600");
	submit(1, SQL_session_open, values, 4);
	UNTIL(&rig, answered(2) == 2);
	assert_int_equal(with_outcome(2, DB_OK), 1);
	assert_int_equal(with_outcome(2, DB_FAILED), 1);
	assert_string_equal(seen[seen[0].outcome == DB_OK].constraint, "session_pkey");
	assert_int_equal(sessions(), 1);
}

/* --- what fails at the commit, and what passes by --- */

static void a_failure_at_the_commit_is_found(void **state)
{
	(void)state;
	open_session(0, false, "1", "4242"); /* alone */
	UNTIL(&rig, answered(1) == 1);
	assert_int_equal(seen[0].outcome, DB_FAILED);
	assert_string_equal(seen[0].sqlstate, "23514");
	for (int i = 0; i < 6; i++)
		open_session(i, false, "1", i == 3 ? "4242" : "3600");
	UNTIL(&rig, answered(6) == 6);
	assert_int_equal(with_outcome(6, DB_OK), 5);
	assert_int_equal(seen[3].outcome, DB_FAILED);
	assert_string_equal(seen[3].sqlstate, "23514");
	assert_int_equal(sessions(), 5);
}

static void what_passes_by_is_tried_again(void **state)
{
	(void)state;
	pg_ask(super, "SELECT setval('trap', 1, false)");
	open_session(0, false, "1", "3600");
	open_session(1, false, "1", "4001"); /* fails once */
	open_session(2, false, "1", "3600");
	UNTIL(&rig, answered(3) == 3);
	assert_int_equal(with_outcome(3, DB_OK), 3);
	pg_ask(super, "SELECT setval('trap', 1, false)");
	open_session(3, false, "1", "4002"); /* twice, alone in its group */
	UNTIL(&rig, seen[3].answers);
	assert_int_equal(seen[3].outcome, DB_OK);
	pg_ask(super, "SELECT setval('trap', 1, false)");
	open_session(4, false, "1", "4009"); /* always */
	open_session(5, false, "1", "3600");
	UNTIL(&rig, seen[4].answers && seen[5].answers);
	assert_int_equal(seen[4].outcome, DB_FAILED);
	assert_string_equal(seen[4].sqlstate, "40001");
	assert_int_equal(seen[5].outcome, DB_OK);
	assert_int_equal(sessions(), 5);
}

/* We hold B and want A, the call holds A and wants B: PostgreSQL breaks the call, which is tried again. */
static void a_deadlock_is_survived(void **state)
{
	struct db_value a, b;
	struct db_scope system = db_scope_system();
	PGresult *result;
	(void)state;
	for (int i = 0; i < 2; i++)
		open_session(i, false, "1", "3600");
	UNTIL(&rig, answered(2) == 2);
	a = token_value(0);
	b = token_value(1);
	struct db_step steps[2] = { { SQL_session_close, 1, &a }, { SQL_session_close, 1, &b } };
	pg_ask(super, "SET deadlock_timeout = '1min'; BEGIN;"
		      "SELECT FROM session WHERE get_byte(token_hash, 0) = 1 FOR UPDATE");
	db_submit(rig.db, &system, steps, 2, seen_done, &seen[2]);
	UNTIL(&rig, blocked_backends() == 1);
	PQsendQuery(super, "SELECT FROM session WHERE get_byte(token_hash, 0) = 0 FOR UPDATE");
	while ((result = PQgetResult(super))) /* until the call was broken */
		PQclear(result);
	pg_ask(super, "COMMIT; RESET deadlock_timeout");
	UNTIL(&rig, seen[2].answers);
	assert_int_equal(seen[2].outcome, DB_OK);
	assert_int_equal(sessions(), 0);
}

/* --- steps --- */

static void steps_are_one_transaction(void **state)
{
	struct db_scope system = db_scope_system();
	struct db_value good[4] = { token_value(0), db_text("1"), db_text("60") };
	struct db_value bad[4] = { db_bytes("short", 5), db_text("1"), db_text("60") };
	struct db_value closed[1] = { token_value(0) };
	struct db_step half[2] = { { SQL_session_open, 4, good }, { SQL_session_open, 4, bad } };
	struct db_step whole[2] = { { SQL_session_open, 4, good }, { SQL_session_close, 1, closed } };
	(void)state;
	db_submit(rig.db, &system, half, 2, seen_done, &seen[1]);
	open_session(2, false, "1", "60"); /* in the same group */
	UNTIL(&rig, seen[1].answers && seen[2].answers);
	assert_int_equal(seen[1].outcome, DB_FAILED);
	assert_int_equal(seen[2].outcome, DB_OK);
	assert_int_equal(sessions(), 1);
	db_submit(rig.db, &system, whole, 2, seen_done, &seen[3]);
	UNTIL(&rig, seen[3].answers);
	assert_int_equal(seen[3].outcome, DB_OK);
	assert_int_equal(seen[3].steps, 2);
	assert_int_equal(seen[3].rows, 1);
	assert_int_equal(seen[3].second, 1); /* it closed what the step before had opened */
	assert_int_equal(sessions(), 1);
}

/* --- scopes --- */

static void scopes_do_not_leak_in_a_group(void **state)
{
	struct db_scope one = { { "0", "0", "assessor", "2", "", "" } };
	struct db_scope two = { { "0", "0", "assessor", "3", "", "" } };
	struct db_scope nobody = { { "", "", "", "", "", "" } };
	struct db_scope system = db_scope_system();
	const struct db_scope *scopes[] = { &one, &two, &nobody, &system };
	struct db_value ids[3] = { db_text("1"), db_text("2"), db_text("3") };
	(void)state;
	for (int i = 0; i < 30; i++) /* each scope asks for each account, mixed */
		submit_as(i, scopes[i % 4], SQL_account_get, &ids[i % 3], 1);
	UNTIL(&rig, answered(30) == 30);
	assert_in_range(rig_metric(&rig, "tantu_db_group_seconds_count{lane=\"read\"}"), 1, 2);
	for (int i = 0; i < 30; i++) {
		int sees = i % 4 == 0 ? i % 3 == 1 : i % 4 == 1 ? i % 3 == 2 : i % 4 == 3;
		assert_int_equal(seen[i].outcome, DB_OK);
		assert_int_equal(seen[i].rows, sees);
	}
	submit_as(30, &nobody, SQL_account_get, &ids[0], 1); /* nor into the next group */
	UNTIL(&rig, seen[30].answers);
	assert_int_equal(seen[30].rows, 0);
}

/* A scope that cannot be set (a region that is no number) breaks nobody else. */
static void a_bad_scope_fails_alone(void **state)
{
	struct db_scope bad = { { "low", "high", "assessor", "x", "", "" } };
	struct db_scope system = db_scope_system();
	struct db_value id = db_text("2");
	(void)state;
	for (int i = 0; i < 5; i++)
		submit_as(i, i == 2 ? &bad : &system, SQL_account_get, &id, 1);
	UNTIL(&rig, answered(5) == 5);
	assert_int_equal(with_outcome(5, DB_OK), 4);
	assert_int_equal(seen[2].outcome, DB_FAILED);
}

/* --- cancelling --- */

static void cancelled_before_sending(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		open_session(i, false, "1", "3600");
	db_cancel(seen[0].call);
	db_cancel(seen[2].call);
	UNTIL(&rig, seen[1].answers);
	assert_int_equal(sessions(), 1);
	open_session(3, false, "1", "3600"); /* the only one that waits */
	db_cancel(seen[3].call);
	submit(4, SQL_database_answers, NULL, 0);
	UNTIL(&rig, seen[4].answers);
	assert_int_equal(seen[0].answers + seen[2].answers + seen[3].answers, 0);
	assert_int_equal(sessions(), 1);
}

static void cancelled_after_sending(void **state)
{
	(void)state;
	lock_sessions();
	for (int i = 0; i < 3; i++)
		open_session(i, false, "1", "3600");
	UNTIL(&rig, blocked_backends() == 1);
	db_cancel(seen[0].call);
	db_cancel(seen[2].call);
	pg_ask(super, "COMMIT");
	UNTIL(&rig, seen[1].answers);
	assert_int_equal(seen[0].answers + seen[2].answers, 0);
	assert_int_equal(sessions(), 3); /* it ran, its answer was dropped */
}

/* A group that breaks after one of its members was cancelled: that one is not run again. */
static void cancelled_in_a_broken_group(void **state)
{
	(void)state;
	lock_sessions();
	for (int i = 0; i < 4; i++)
		open_session(i, i == 2, "1", "3600");
	UNTIL(&rig, blocked_backends() == 1);
	db_cancel(seen[0].call);
	db_cancel(seen[2].call);
	pg_ask(super, "COMMIT");
	UNTIL(&rig, seen[1].answers && seen[3].answers);
	assert_int_equal(seen[0].answers + seen[2].answers, 0);
	assert_int_equal(seen[1].outcome, DB_OK);
	assert_int_equal(sessions(), 2);
}

/* An answer cancels the other members of its own group. */
static void cancel_others(void *context, const struct db_reply *reply)
{
	seen_done(context, reply);
	for (int i = 1; i < 5; i++)
		if (seen[i].call)
			db_cancel(seen[i].call);
}

static void cancelled_from_within_an_answer(void **state)
{
	struct db_scope system = db_scope_system();
	struct db_step step = { SQL_database_answers, 0, NULL };
	(void)state;
	db_submit(rig.db, &system, &step, 1, cancel_others, &seen[0]);
	for (int i = 1; i < 4; i++) /* one group */
		submit(i, SQL_database_answers, NULL, 0);
	UNTIL(&rig, seen[0].answers);
	submit(5, SQL_database_answers, NULL, 0);
	UNTIL(&rig, seen[5].answers);
	assert_int_equal(answered(5), 1);
}

/* --- many and big --- */

static void waiting_has_a_limit(void **state)
{
	(void)state;
	rig_close(&rig);
	rig_begin(&rig, pg.app);
	rig.options.waiting_most = 10;
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	UNTIL(&rig, rig.ready);
	lock_sessions();
	open_session(0, false, "1", "3600");
	UNTIL(&rig, blocked_backends() == 1);
	for (int i = 1; i <= 15; i++)
		open_session(i, false, "1", "3600");
	UNTIL(&rig, answered(16) == 5);
	for (int i = 11; i <= 15; i++) /* the newest */
		assert_int_equal(seen[i].outcome, DB_UNAVAILABLE);
	assert_int_equal(with_outcome(16, DB_UNAVAILABLE), 5);
	assert_int_equal(rig_metric(&rig, "tantu_db_unavailable_total"), 5);
	assert_int_equal(rig_metric(&rig, "tantu_db_waiting{lane=\"write\"}"), 10);
	pg_ask(super, "COMMIT");
	UNTIL(&rig, answered(16) == 16);
	assert_int_equal(with_outcome(16, DB_OK), 11);
	assert_int_equal(sessions(), 11);
}

static void five_thousand_are_answered_once(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		if (i % 4 == 0)
			open_session(i, i % 500 == 0, "1", "3600");
		else
			submit(i, SQL_database_answers, NULL, 0);
	}
	UNTIL(&rig, answered(5000) >= 5000);
	rig_turn(&rig);
	assert_int_equal(answered(5000), 5000);
	assert_int_equal(with_outcome(5000, DB_OK), 4990);
	assert_int_equal(with_outcome(5000, DB_FAILED), 10);
	assert_int_equal(sessions(), 1240);
}

/* More than the socket takes at once, there and back. */
static void big_parameters_pass(void **state)
{
	char *big = malloc(1000001);
	struct db_value values[7] = { [5] = db_text("10"), [6] = db_text(big) };
	(void)state;
	assert_non_null(big);
	memset(big, 'x', 1000000);
	big[1000000] = 0;
	for (int i = 0; i < 20; i++)
		submit(i, SQL_cases_search, values, 7);
	UNTIL(&rig, answered(20) == 20);
	assert_int_equal(with_outcome(20, DB_OK), 20);
	struct db_value stage[6] = { [1] = db_text(big), [5] = db_text("10") };
	for (int i = 0; i < 8; i++) /* the message of the error carries it back */
		submit(i, SQL_cases_of_region, stage, 6);
	UNTIL(&rig, answered(8) == 8);
	assert_int_equal(with_outcome(8, DB_FAILED), 8);
	free(big);
}

/* --- what it tells --- */

static void shapes_are_what_postgresql_described(void **state)
{
	const struct db_shape *shape = db_shape_of(rig.db, SQL_session_find);
	(void)state;
	assert_int_equal(shape->parameters, 1);
	assert_int_equal(shape->columns, 8);
	assert_string_equal(shape->column[0].name, "id");
	assert_int_equal(shape->column[0].type, DB_INT8);
	assert_int_equal(shape->column[2].type, DB_TEXT);
	assert_int_equal(shape->column[7].type, DB_INT8);
	assert_int_equal(db_shape_of(rig.db, SQL_case_get)->column[0].type, DB_INT8);
	assert_int_equal(db_shape_of(rig.db, SQL_region_get)->column[4].type, DB_TEXTS);
	assert_int_equal(db_shape_of(rig.db, SQL_case_get)->column[7].type, DB_TEXT); /* an enum */
}

struct texts {
	int count;
	char first[32];
};

static void take_texts(void *context, const struct db_reply *reply)
{
	struct texts *texts = context;
	struct slice items[8];
	assert_int_equal(reply->outcome, DB_OK);
	int column = db_column_number(reply->rows, "former_codes");
	texts->count = db_get_texts(reply->rows, 0, column, items, 8);
	if (texts->count)
		snprintf(texts->first, sizeof texts->first, "%.*s", (int)items[0].len, items[0].at);
	assert_int_equal(db_get_texts(reply->rows, 0, column, items, 0), 0);
	assert_int_equal(db_column_number(reply->rows, "nothing"), -1);
}

static void lists_of_texts_are_read(void **state)
{
	struct db_scope system = db_scope_system();
	struct db_value codes[2] = { db_text("630106"), db_text("640324") };
	struct texts texts[2] = { { -1, "" }, { -1, "" } };
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct db_step step = { SQL_region_get, 1, &codes[i] };
		db_submit(rig.db, &system, &step, 1, take_texts, &texts[i]);
	}
	UNTIL(&rig, texts[0].count >= 0 && texts[1].count >= 0);
	assert_int_equal(texts[0].count, 1);
	assert_string_equal(texts[0].first, "630122");
	assert_int_equal(texts[1].count, 0);
}

/* What workers/array_text.h writes is what PostgreSQL reads. */
static void arrays_arrive(void **state)
{
	static const char *const items[] = { "",      "NULL", "a\"b", "\\", "{x,y}",
					     " a b ", "湟中", "\n\t", "'",  "\\x41" };
	enum { ITEMS = sizeof items / sizeof items[0] };
	struct arena *arena = arena_new(65536);
	struct buffer out;
	(void)state;
	buffer_init(&out, arena, 16);
	array_begin(&out);
	for (int i = 0; i < ITEMS; i++)
		array_text(&out, slice_of(items[i]));
	array_null(&out);
	const char *text = array_end(&out);
	PGresult *result = PQexecParams(watch, "SELECT unnest($1::text[])", 1, NULL, &text, NULL, NULL, 0);
	assert_int_equal(PQntuples(result), ITEMS + 1);
	for (int i = 0; i < ITEMS; i++)
		assert_string_equal(PQgetvalue(result, i, 0), items[i]);
	assert_true(PQgetisnull(result, ITEMS, 0));
	PQclear(result);
	array_begin(&out);
	array_bytes(&out, (const unsigned char *)"\0\xff\\\"", 4);
	array_bytes(&out, NULL, 0);
	text = array_end(&out);
	result = PQexecParams(watch, "SELECT encode(unnest($1::bytea[]), 'hex')", 1, NULL, &text, NULL, NULL,
			      0);
	assert_string_equal(PQgetvalue(result, 0, 0), "00ff5c22");
	assert_true(PQgetisnull(result, 1, 0));
	PQclear(result);
	arena_free(&arena);
}

/* A database without our schema: said once for each connection at most, naming a statement. */
static void an_unfit_database_is_told(void **state)
{
	char conninfo[300];
	(void)state;
	snprintf(conninfo, sizeof conninfo, "%s dbname=postgres", pg.app);
	rig_begin(&rig, conninfo);
	rig.db = db_open(&rig.loop, &rig.options, rig.metrics);
	UNTIL(&rig, rig.unfit > 0);
	assert_int_equal(rig.ready, 0);
	assert_non_null(strstr(rig.why, "statement "));
	assert_false(db_is_up(rig.db));
	rig_close(&rig);
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, open_pool, close_pool)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_POOL(calls_of_one_turn_travel_together),
		WITH_POOL(more_than_a_group_goes_over_both_connections),
		WITH_POOL(writes_of_one_turn_are_one_transaction),
		WITH_POOL(a_bad_member_fails_alone),
		WITH_POOL(each_of_several_bad_ones_fails_as_itself),
		WITH_POOL(a_whole_group_of_bad_ones),
		WITH_POOL(a_stage_that_is_none_fails_alone),
		WITH_POOL(a_double_fails_as_unique_violation),
		WITH_POOL(a_failure_at_the_commit_is_found),
		WITH_POOL(what_passes_by_is_tried_again),
		WITH_POOL(a_deadlock_is_survived),
		WITH_POOL(steps_are_one_transaction),
		WITH_POOL(scopes_do_not_leak_in_a_group),
		WITH_POOL(a_bad_scope_fails_alone),
		WITH_POOL(cancelled_before_sending),
		WITH_POOL(cancelled_after_sending),
		WITH_POOL(cancelled_in_a_broken_group),
		WITH_POOL(cancelled_from_within_an_answer),
		WITH_POOL(waiting_has_a_limit),
		WITH_POOL(five_thousand_are_answered_once),
		WITH_POOL(big_parameters_pass),
		WITH_POOL(shapes_are_what_postgresql_described),
		WITH_POOL(lists_of_texts_are_read),
		WITH_POOL(arrays_arrive),
		cmocka_unit_test(an_unfit_database_is_told),
	};
	if (!pg_is_installed())
		return 0;
	return cmocka_run_group_tests(tests, start, stop);
}
