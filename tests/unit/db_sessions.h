/* SPDX-License-Identifier: Apache-2.0
 * What tests of the database layer run on: a PostgreSQL with traps in it, and calls that open sessions. */
#ifndef TESTS_UNIT_DB_SESSIONS_H
#define TESTS_UNIT_DB_SESSIONS_H

#include "db_rig.h"
#include "workers/array_text.h"

static struct pg pg;
static PGconn *super, *watch; /* one holds locks while the other looks */
static struct rig rig;
static struct seen seen[5000];
static unsigned char tokens[5000][32];

/* Sessions of 4242 seconds are refused when they commit; of 4001, 4002, 4003 seconds they fail that many
 * times minus 4000 to be serialized. */
static void make_traps(void)
{
	pg_ask(super,
	       "CREATE SEQUENCE trap; GRANT USAGE, SELECT ON trap TO tantu_app;"
	       "CREATE FUNCTION trap_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	       " IF round(extract(epoch FROM NEW.expires_at - NEW.created_at)) = 4242 THEN"
	       "  RAISE EXCEPTION 'not at the end' USING ERRCODE = '23514'; END IF; RETURN NULL; END $$;"
	       "CREATE CONSTRAINT TRIGGER trap_commit AFTER INSERT ON session DEFERRABLE INITIALLY DEFERRED"
	       " FOR EACH ROW EXECUTE FUNCTION trap_commit();"
	       "CREATE FUNCTION trap_now() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	       " IF round(extract(epoch FROM NEW.expires_at - NEW.created_at)) BETWEEN 4001 AND 4009"
	       "  AND nextval('trap') <= round(extract(epoch FROM NEW.expires_at - NEW.created_at)) - 4000 "
	       "THEN"
	       "  RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$;"
	       "CREATE TRIGGER trap_now AFTER INSERT ON session"
	       " FOR EACH ROW EXECUTE FUNCTION trap_now()");
}

static int start(void **state)
{
	char why[300];
	(void)state;
	log_set_level(LOG_ERROR);
	if (!pg_start(&pg) || !db_migrate(pg.owner, why, sizeof why) || !db_load(pg.owner, why, sizeof why) ||
	    !db_administrator_make(pg.owner, "admin", "hash", why, sizeof why))
		return -1;
	super = pg_connect(pg.super);
	watch = pg_connect(pg.super);
	pg_ask(super, "INSERT INTO account (name, password_hash, role) VALUES ('one', '', 'assessor'), "
		      "('two', '', 'assessor')"); /* accounts 2 and 3 */
	make_traps();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	PQfinish(super);
	PQfinish(watch);
	pg_destroy(&pg);
	return 0;
}

static inline int open_pool(void **state)
{
	(void)state;
	memset(seen, 0, sizeof seen);
	pg_ask(super, "DELETE FROM session");
	rig_open(&rig, pg.app);
	return 0;
}

static inline int close_pool(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

/* --- calls --- */

static struct seen *submit_as(int number, const struct db_scope *scope, enum sql statement,
			      const struct db_value *values, int count)
{
	struct db_step step = { statement, count, values };
	seen[number] = (struct seen){ 0 };
	seen[number].call = db_submit(rig.db, scope, &step, 1, seen_done, &seen[number]);
	return &seen[number];
}

static struct seen *submit(int number, enum sql statement, const struct db_value *values, int count)
{
	struct db_scope system = db_scope_system();
	return submit_as(number, &system, statement, values, count);
}

static struct db_value token_value(int number)
{
	tokens[number][0] = (unsigned char)number;
	tokens[number][1] = (unsigned char)(number >> 8);
	return db_bytes(tokens[number], 32);
}

/* Opens session `number` of account 1; a bad one has a token of five bytes. */
static struct seen *open_session(int number, bool bad, const char *account, const char *seconds)
{
	static struct db_value values[5000][4];
	values[number][0] = token_value(number);
	if (bad)
		values[number][0].len = 5;
	values[number][1] = db_text(account);
	values[number][2] = db_text(seconds);
	return submit(number, SQL_session_open, values[number], 4);
}

static int answered(int count)
{
	int n = 0;
	for (int i = 0; i < count; i++)
		n += seen[i].answers;
	return n;
}

static int with_outcome(int count, enum db_outcome outcome)
{
	int n = 0;
	for (int i = 0; i < count; i++)
		n += seen[i].answers == 1 && seen[i].outcome == outcome;
	return n;
}

static int sessions(void)
{
	return pg_number(watch, "SELECT count(*) FROM session");
}

#endif
