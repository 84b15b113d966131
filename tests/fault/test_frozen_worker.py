# SPDX-License-Identifier: Apache-2.0
"""A worker stands still (SIGSTOP) until its lease has run out by the clock; another finds that by itself and does the job. The
first wakes, and what it has begun and what it had on its way to PostgreSQL changes nothing any more."""
import os
import signal
import threading

import needs
import pytest
from faults import send
from ledger import invariants
from processes import wait_until
from queue_help import add, job, open_cases

PLAN = "tongxin"
LEASE = "2 seconds"  # what is left of it when the worker stands still; half a minute in earnest
ROWS = 1200  # two batches


class Freezer:
    """The rule of a Proxy: when the mark is sent for the n-th time it is withheld, and the worker stands still; until `wake`."""

    def __init__(self):
        self.mark, self.left, self.worker = None, 0, None
        self.stands, self.woken = threading.Event(), threading.Event()

    def arm(self, worker, mark, n):
        self.worker, self.left, self.mark = worker, n, mark

    def rule(self, side, data, link):
        if side == "up" and self.mark and self.mark in data:
            self.left -= 1
            if self.left == 0:
                os.kill(self.worker.pid, signal.SIGSTOP)
                self.mark = None
                self.stands.set()
                self.woken.wait(120)
        return data

    def wake(self):
        send(self.worker.pid, signal.SIGCONT)
        self.woken.set()


@pytest.fixture
def quiet(place):
    """Nothing recurs."""
    place.sql("UPDATE job SET run_at = now() + interval '10 hours' WHERE schedule IS NOT NULL")
    return place


@pytest.fixture
def freezer(quiet, proxy, make_server):
    """Between a worker and PostgreSQL; the worker wakes in any case."""
    freezer = Freezer()
    line = proxy(freezer.rule)
    freezer.worker = make_server("work", database=quiet, TANTU_DATABASE=line.conninfo())
    wait_until(lambda: freezer.worker.events("working"), 30, "the worker")
    yield freezer
    freezer.wake()


@pytest.fixture
def manager(quiet, make_server, manager_at):
    return manager_at(make_server("serve", "--no-work", database=quiet))


def outlive(database, freezer, number, make_server):
    """The lease of the worker that stands still runs out, and another one ends the job; that other one."""
    assert freezer.stands.wait(60), f"the worker never came to {freezer.mark}"
    ends, = database.sql(f"UPDATE job SET lease_until = now() + interval '{LEASE}' WHERE id = %s AND state = 'running' "
                         "RETURNING lease_until", number)[0]
    other = make_server("work", database=database)
    wait_until(lambda: job(database, number) == ("done",), 60, "the other worker")
    attempts, finished, worker = job(database, number, "attempts, finished_at, worker")
    assert attempts == 2 and finished > ends and worker.endswith(f":{other.pid}")
    assert other.events("jobs_rescued")
    return other


def wakes_in_vain(database, freezer, number, effect):
    """It learns that its lease is lost; the effect stays as it was."""
    before = effect()
    ended = job(database, number, "state, attempts, finished_at, worker")
    freezer.wake()
    lost, = wait_until(lambda: freezer.worker.events("job_lease_lost"), 30, "the first worker's insight")
    assert lost["job"] == number
    assert effect() == before
    assert job(database, number, "state, attempts, finished_at, worker") == ended


@pytest.mark.parametrize("mark, n", [("import_regions", 1), ("import_stage", 2), ("import_settle", 1)])
def test_an_import(quiet, freezer, manager, make_server, mark, n):
    """Before its first batch, between two, and with its last transaction on the way."""
    rows = [needs.row(PLAN) for _ in range(ROWS)]
    freezer.arm(freezer.worker, mark.encode(), n)
    upload = manager.upload(PLAN, needs.to_csv(rows))
    number = quiet.sql("SELECT id FROM job WHERE unique_key = %s", f"import:{upload}")[0][0]

    def effect():
        shown = manager.get(f"/imports/{upload}").json
        assert (shown["state"], shown["accepted"], shown["cases_opened"]) == ("done", ROWS, ROWS)
        return shown, quiet.sql("SELECT (SELECT count(*) FROM household), (SELECT count(*) FROM person), (SELECT count(*) FROM need), "
                                "(SELECT count(*) FROM retrofit_case), (SELECT count(*) FROM import_row)")
    other = outlive(quiet, freezer, number, make_server)
    wakes_in_vain(quiet, freezer, number, effect)
    other.stop()  # and the first one is as good as before
    assert manager.import_file(PLAN, needs.to_csv([needs.row(PLAN) for _ in range(50)]))["cases_opened"] == 50
    quiet.sql("UPDATE job SET run_at = now() WHERE unique_key = 'totals_fold'")
    quiet.sql("NOTIFY job, 'totals'")
    invariants(quiet)


def test_a_reminder(quiet, freezer, make_server):
    """Its effect is a statement's."""
    open_cases(quiet, 1, 100)
    case = quiet.sql("SELECT max(id) FROM retrofit_case")[0][0]
    freezer.arm(freezer.worker, b"stage_overdue", 1)
    number = add(quiet, "stage_overdue", "reminders", payload=f'{{"case": {case}, "step": 0}}', region=640324101)
    quiet.sql("NOTIFY job, 'reminders'")
    outlive(quiet, freezer, number, make_server)
    wakes_in_vain(quiet, freezer, number, lambda: quiet.sql("SELECT id, case_version FROM outbox WHERE case_id = %s", case))
    assert quiet.sql("SELECT count(*) FROM outbox WHERE case_id = %s", case) == [(1,)]


def test_an_end_that_is_told_too_late(quiet, freezer, make_server):
    """Of a kind whose effect is not in the database: the work is done twice, its end is told once."""
    freezer.arm(freezer.worker, b"job_complete", 1)
    number = add(quiet, "probe", "probe", payload='{"ms": 1}')
    quiet.sql("NOTIFY job, 'probe'")
    outlive(quiet, freezer, number, make_server)
    wakes_in_vain(quiet, freezer, number, lambda: None)
