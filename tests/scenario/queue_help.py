# SPDX-License-Identifier: Apache-2.0
"""What the tests of the queue share: a quiet database, workers, and jobs put straight into the table."""
import signal
from contextlib import contextmanager

import pytest
from processes import ADMIN_PASSWORD, wait_until


@pytest.fixture(scope="module")
def queues(cluster, database):
    """A database of its own, in which nothing runs by itself; claims and ends of jobs are noted by a trigger."""
    own = cluster.new_database().migrate()
    own.sql("DELETE FROM limit_step WHERE step > 0")  # one reminder a case
    own.sql("""CREATE TABLE noted (at timestamptz DEFAULT clock_timestamp(), job bigint, before text, after text, worker text,
                                   run_at timestamptz, attempts int);
               CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
                   INSERT INTO noted (job, before, after, worker, run_at, attempts)
                   VALUES (NEW.id, OLD.state, NEW.state, NEW.worker, NEW.run_at, NEW.attempts); RETURN NULL; END $$;
               CREATE TRIGGER note AFTER UPDATE OF state ON job FOR EACH ROW WHEN (NEW.kind <> 'stage_overdue')
               EXECUTE FUNCTION note();""")
    return own


@pytest.fixture
def queue(queues):
    """Quiet: what recurs comes in an hour."""
    queues.sql("UPDATE job SET run_at = now() + interval '1 hour', attempts = 0 WHERE schedule IS NOT NULL")
    queues.sql("DELETE FROM job WHERE schedule IS NULL; DELETE FROM outbox; DELETE FROM noted")
    return queues


@pytest.fixture
def boss(queue, make_server, client_of):
    """The administrator, at a server without a worker."""
    return client_of(make_server("serve", "--no-work", database=queue)).sign_in("admin", ADMIN_PASSWORD)


@pytest.fixture
def work(queue, make_server):
    """work(): one more `tantu work`, ready: what is locked later does not hold up its start."""
    made = []

    def make():
        made.append(make_server("work", database=queue))
        wait_until(lambda: made[-1].events("working"), 20, "the worker")
        return made[-1]
    yield make
    for worker in made:  # none stays frozen: it could not stop
        if worker.running:
            worker.send_signal(signal.SIGCONT)


def open_cases(database, count, days):
    """Households and their cases, in registered for so many days."""
    database.sql("""WITH home AS (
            INSERT INTO household (plan_region, id, number, region, village, address, hardship)
            SELECT 640324000, id_in(640324000, 'household_number'), 'Q' || nextval('person_number'), 640324101, '试验村', '1号', '低保'
            FROM generate_series(1, %s) RETURNING id, number
        ) INSERT INTO retrofit_case (plan_region, id, plan_id, household_id, household_number, householder, region, village,
                                     stage_at, stage_on, eligible, eligibility_reasons)
        SELECT 640324000, id_in(640324000, 'case_number'), (SELECT id FROM plan WHERE code = 'tongxin'), id, number, '张*',
               640324101, '试验村', now() - make_interval(days => %s), current_date - %s, true, '{}' FROM home""", count, days, days)


def add(database, kind="clean_up", queue="upkeep", **columns):
    """A job straight into the table; its id."""
    columns = {"kind": kind, "queue": queue, **columns}
    return database.sql(f"INSERT INTO job ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))}) RETURNING id",
                        *columns.values())[0][0]


def job(database, number, columns="state"):
    return database.sql(f"SELECT {columns} FROM job WHERE id = %s", number)[0]


def is_done(database, number, state="done"):
    return lambda: job(database, number)[0] == state


@contextmanager
def locked(database, table, mode):
    """Whoever wants to write to the table waits meanwhile. The lock can be given back before the end."""
    connection = database.connect("super")
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN {mode} MODE")
        yield connection.rollback
    finally:
        connection.close()


def waiters(database):
    return database.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")[0][0]


def lose_leases(database, where="true", *arguments):
    return database.sql("UPDATE job SET lease_until = now() - interval '1 second' WHERE id IN (SELECT id FROM job "
                        "WHERE state = 'running' AND " + where + " FOR UPDATE SKIP LOCKED) RETURNING id", *arguments)
