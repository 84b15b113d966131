/* SPDX-License-Identifier: Apache-2.0
 * Bringing a database to this program's schema, against a real PostgreSQL: each test has a database of its
 * own. */
#include "pg_help.h"
#include <sys/wait.h>
#include <unistd.h>

static struct pg pg;
static PGconn *super;
static char why[400];

static int start(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	if (!pg_start(&pg))
		return -1;
	super = pg_connect(pg.super);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	PQfinish(super);
	pg_destroy(&pg);
	return 0;
}

/* An empty database of that name, as the owner. */
static const char *empty_database(const char *name)
{
	static char conninfo[300];
	char sql[200];
	snprintf(sql, sizeof sql, "CREATE DATABASE %s OWNER tantu_owner TEMPLATE template0", name);
	pg_ask(super, sql);
	snprintf(conninfo, sizeof conninfo, "%s dbname=%s", pg.owner, name);
	return conninfo;
}

/* How many things the schema holds: tables, indexes, functions, types. */
static int things(const char *conninfo)
{
	PGconn *c = pg_connect(conninfo);
	int n = pg_number(c,
			  "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
			  " + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)"
			  " + (SELECT count(*) FROM pg_type WHERE typnamespace = 'public'::regnamespace)");
	PQfinish(c);
	return n;
}

static int ask_number(const char *conninfo, const char *sql)
{
	PGconn *c = pg_connect(conninfo);
	int n = pg_number(c, sql);
	PQfinish(c);
	return n;
}

static void migrates_once(void **state)
{
	const char *db = empty_database("once");
	(void)state;
	assert_true(db_migrate(db, why, sizeof why));
	assert_int_equal(ask_number(db, "SELECT max(version) FROM schema_version"), db_schema_version());
	int before = things(db);
	assert_true(db_migrate(db, why, sizeof why)); /* nothing to do */
	assert_int_equal(things(db), before);
	assert_int_equal(ask_number(db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0);
}

static void several_at_once(void **state)
{
	enum { AT_ONCE = 4 };
	const char *db = empty_database("several");
	pid_t children[AT_ONCE];
	(void)state;
	for (int i = 0; i < AT_ONCE; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(db_migrate(db, why, sizeof why) && db_load(db, why, sizeof why) &&
					      db_administrator_make(db, "admin", "hash", why, sizeof why)
				      ? 0
				      : 1);
	}
	for (int i = 0; i < AT_ONCE; i++) {
		int status = -1;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	assert_int_equal(ask_number(db, "SELECT max(version) FROM schema_version"), db_schema_version());
	assert_true(ask_number(db, "SELECT count(*) FROM plan") > 0);
	assert_int_equal(ask_number(db, "SELECT count(*) FROM account"), 1);
}

static void a_newer_database_is_left_alone(void **state)
{
	const char *db = empty_database("newer");
	char newest[16];
	(void)state;
	PGconn *c = pg_connect(db);
	pg_ask(c, "CREATE TABLE schema_version (version int PRIMARY KEY, name text NOT NULL, "
		  "applied_at timestamptz NOT NULL DEFAULT now())");
	pg_ask(c, "INSERT INTO schema_version (version, name) VALUES (9999, '9999_from_the_future.sql')");
	PQfinish(c);
	int before = things(db);
	assert_false(db_migrate(db, why, sizeof why));
	assert_non_null(strstr(why, "9999"));
	snprintf(newest, sizeof newest, "%d", db_schema_version());
	assert_non_null(strstr(why, newest));
	assert_null(strchr(why, '\n'));
	assert_int_equal(things(db), before);
	assert_int_equal(ask_number(db, "SELECT count(*) FROM schema_version"), 1);
}

static void tell_newer(const char *db, const char *compatible_from)
{
	char sql[200];
	PGconn *c = pg_connect(db);
	snprintf(sql, sizeof sql,
		 "INSERT INTO schema_version (version, name, compatible_from) VALUES (9998, 'later', %s)",
		 compatible_from);
	pg_ask(c, "DELETE FROM schema_version WHERE version = 9998");
	pg_ask(c, sql);
	PQfinish(c);
}

static void a_newer_database_that_takes_us_is_left_as_it_is(void **state)
{
	char from[16];
	const char *db = empty_database("rolling");
	(void)state;
	assert_true(db_migrate(db, why, sizeof why));
	int before = things(db);
	snprintf(from, sizeof from, "%d", db_schema_version());
	tell_newer(db, from);
	assert_true(db_migrate(db, why, sizeof why));
	assert_true(db_load(db, why, sizeof why));
	assert_int_equal(things(db), before);
	snprintf(from, sizeof from, "%d", db_schema_version() + 1);
	tell_newer(db, from);
	assert_false(db_migrate(db, why, sizeof why));
	assert_non_null(strstr(why, from));
	assert_null(strchr(why, '\n'));
	tell_newer(db, "NULL"); /* who does not say so lives with nobody older */
	assert_false(db_migrate(db, why, sizeof why));
	assert_non_null(strstr(why, "9998"));
}

static void schemas_and_programs(void **state)
{
	int mine = db_schema_version();
	(void)state;
	assert_true(schema_fits(mine, 1, why, sizeof why));
	assert_true(schema_fits(mine + 3, mine, why, sizeof why));
	assert_false(schema_fits(mine - 1, 1, why, sizeof why));
	assert_non_null(strstr(why, "tantu migrate"));
	assert_false(schema_fits(mine + 3, mine + 1, why, sizeof why));
	assert_non_null(strstr(why, "newer program"));
	for (const struct embedded_file *m = embedded_migrations; m->name; m++)
		assert_in_range(schema_migration_compatible_from(m), 1, schema_migration_number(m));
}

/* Stands for a server of a program that says what it knows. */
static PGconn *connect_as(const char *db, const char *program)
{
	char conninfo[400];
	snprintf(conninfo, sizeof conninfo, "%s application_name=%s", db, program);
	return pg_connect(conninfo);
}

static void programs_that_could_not_live_with_it_go_first(void **state)
{
	const char *db = empty_database("connected");
	(void)state;
	PGconn *old = connect_as(db, "tantu/1");
	assert_false(db_migrate(db, why, sizeof why));
	assert_non_null(strstr(why, "programs of schema 1 are connected (1 connections)"));
	assert_null(strchr(why, '\n'));
	assert_string_equal(pg_ask(old, "SELECT to_regclass('plan')"), "");
	PQfinish(old);
	PGconn *other = connect_as(db, "psql");
	char mine[32];
	snprintf(mine, sizeof mine, "tantu/%d", db_schema_version());
	PGconn *new = connect_as(db, mine);
	if (!db_migrate_within(db, 10, why, sizeof why)) /* the connection that ended may take a moment */
		fail_msg("%s", why);
	assert_int_equal(pg_number(new, "SELECT max(version) FROM schema_version"), db_schema_version());
	PQfinish(other);
	PQfinish(new);
}

static void a_held_table_is_not_waited_for_long(void **state)
{
	const char *db = empty_database("held");
	(void)state;
	assert_true(db_migrate(db, why, sizeof why));
	PGconn *holder = pg_connect(db), *reader = pg_connect(db);
	/* The newest migration once more, against somebody who holds the table of its version row. */
	pg_ask(holder,
	       "DELETE FROM schema_version WHERE version = (SELECT max(version) FROM schema_version)");
	pg_ask(holder, "BEGIN; LOCK TABLE schema_version IN SHARE MODE");
	assert_false(db_migrate_within(db, 1, why, sizeof why));
	assert_non_null(strstr(why, "held by a transaction"));
	assert_non_null(strstr(why, "pid "));
	assert_null(strchr(why, '\n'));
	assert_int_equal(pg_number(reader, "SELECT count(*) FROM pg_locks WHERE NOT granted"), 0);
	PQfinish(holder);
	PQfinish(reader);
}

static void a_backup_holds_migrations_up(void **state)
{
	char sql[100];
	const char *db = empty_database("backed_up");
	(void)state;
	assert_true(db_migrate(db, why, sizeof why));
	PGconn *backup = pg_connect(db);
	snprintf(sql, sizeof sql, "SELECT pg_advisory_lock_shared(%d)", DB_MIGRATION_LOCK);
	pg_ask(backup, sql);
	assert_false(db_migrate_within(db, 0, why, sizeof why));
	assert_non_null(strstr(why, "a backup"));
	PQfinish(backup);
	assert_true(db_migrate(db, why, sizeof why));
}

/* Migration 0004 makes the table total_delta, after others; here somebody made it before. */
static void a_failed_migration_leaves_nothing(void **state)
{
	const char *db = empty_database("failing");
	(void)state;
	PGconn *c = pg_connect(db);
	pg_ask(c, "CREATE TABLE total_delta (mine int)");
	assert_false(db_migrate(db, why, sizeof why));
	assert_non_null(strstr(why, "0004_cases.sql"));
	assert_non_null(strstr(why, "total_delta"));
	assert_null(strchr(why, '\n'));
	assert_int_equal(pg_number(c, "SELECT max(version) FROM schema_version"), 3);
	assert_string_equal(pg_ask(c, "SELECT to_regclass('retrofit_case')"), "");
	assert_string_equal(pg_ask(c, "SELECT to_regtype('stage')"), "");
	assert_int_equal(pg_number(c, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0);
	pg_ask(c, "DROP TABLE total_delta");
	assert_true(db_migrate(db, why, sizeof why)); /* goes on where it stopped */
	assert_int_equal(pg_number(c, "SELECT max(version) FROM schema_version"), db_schema_version());
	PQfinish(c);
}

static void loading_adds_only_what_is_missing(void **state)
{
	const char *db = empty_database("loading");
	(void)state;
	assert_true(db_migrate(db, why, sizeof why));
	if (!db_load(db, why, sizeof why))
		fail_msg("%s", why);
	int regions = ask_number(db, "SELECT count(*) FROM region");
	int codes = ask_number(db, "SELECT count(*) FROM region_code");
	int indicators = ask_number(db, "SELECT count(*) FROM indicator");
	assert_true(regions > 20 && codes > regions && indicators > 0);
	PGconn *c = pg_connect(db);
	pg_ask(c, "UPDATE plan SET name_en = 'changed by hand'");
	assert_true(db_load(db, why, sizeof why));
	assert_int_equal(pg_number(c, "SELECT count(*) FROM plan WHERE name_en <> 'changed by hand'"), 0);
	assert_int_equal(pg_number(c, "SELECT count(*) FROM region"), regions);
	assert_int_equal(pg_number(c, "SELECT count(*) FROM region_code"), codes);
	assert_int_equal(pg_number(c, "SELECT count(*) FROM indicator"), indicators);
	/* the renumbering of 2022: both codes name one place */
	assert_int_equal(pg_number(c, "SELECT count(*) FROM (SELECT region_of('630122') INTERSECT SELECT "
				      "region_of('630106')) AS same (place) WHERE place IS NOT NULL"),
			 1);
	PQfinish(c);
}

static void the_first_administrator_is_made_once(void **state)
{
	const char *db = empty_database("administrator");
	bool wanted = false;
	(void)state;
	assert_true(db_migrate(db, why, sizeof why));
	assert_true(db_administrator_wanted(db, &wanted, why, sizeof why));
	assert_true(wanted);
	assert_true(db_administrator_make(db, "admin", "hash", why, sizeof why));
	assert_true(db_administrator_wanted(db, &wanted, why, sizeof why));
	assert_false(wanted);
	assert_true(db_administrator_make(db, "second", "hash", why, sizeof why));
	assert_int_equal(ask_number(db, "SELECT count(*) FROM account"), 1);
}

/* The other `tantu migrate` has made him and has not committed yet: no failure, and one account. */
static void two_make_the_first_administrator_at_once(void **state)
{
	const char *db = empty_database("administrators");
	(void)state;
	assert_true(db_migrate(db, why, sizeof why));
	PGconn *other = pg_connect(db), *watch = pg_connect(db);
	pg_ask(other,
	       "BEGIN; INSERT INTO account (name, password_hash, role) VALUES ('admin', 'hash', 'admin')");
	pid_t child = fork();
	if (child == 0)
		_exit(db_administrator_make(db, "admin", "hash", why, sizeof why) ? 0 : 1);
	for (int i = 0; i < 3000 && pg_number(watch, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 0;
	     i++)
		usleep(10000);
	pg_ask(other, "COMMIT");
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(pg_number(watch, "SELECT count(*) FROM account"), 1);
	PQfinish(other);
	PQfinish(watch);
}

static void no_database_is_told_in_one_line(void **state)
{
	bool wanted = true;
	(void)state;
	assert_false(db_migrate("host=/nowhere dbname=tantu", why, sizeof why));
	assert_non_null(strstr(why, "TANTU_OWNER_DATABASE"));
	assert_null(strchr(why, '\n'));
	assert_false(db_load("host=/nowhere", why, sizeof why));
	assert_false(db_administrator_wanted("host=/nowhere", &wanted, why, sizeof why));
	assert_false(db_migrate("nonsense", why, sizeof why));
}

/* The application's role may serve, not migrate. */
static void the_application_may_not_migrate(void **state)
{
	char conninfo[300];
	(void)state;
	pg_ask(super, "CREATE DATABASE not_mine OWNER tantu_owner TEMPLATE template0");
	snprintf(conninfo, sizeof conninfo, "%s dbname=not_mine", pg.app);
	assert_false(db_migrate(conninfo, why, sizeof why));
	assert_non_null(strstr(why, "permission denied"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(migrates_once),
		cmocka_unit_test(several_at_once),
		cmocka_unit_test(a_newer_database_is_left_alone),
		cmocka_unit_test(a_newer_database_that_takes_us_is_left_as_it_is),
		cmocka_unit_test(schemas_and_programs),
		cmocka_unit_test(programs_that_could_not_live_with_it_go_first),
		cmocka_unit_test(a_held_table_is_not_waited_for_long),
		cmocka_unit_test(a_backup_holds_migrations_up),
		cmocka_unit_test(a_failed_migration_leaves_nothing),
		cmocka_unit_test(loading_adds_only_what_is_missing),
		cmocka_unit_test(the_first_administrator_is_made_once),
		cmocka_unit_test(two_make_the_first_administrator_at_once),
		cmocka_unit_test(no_database_is_told_in_one_line),
		cmocka_unit_test(the_application_may_not_migrate),
	};
	if (!pg_is_installed())
		return 0;
	return cmocka_run_group_tests(tests, start, stop);
}
