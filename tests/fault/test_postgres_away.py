# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL is stopped, killed, frozen, or not there yet: every request is answered in a bounded time, and once it is back
writes succeed within five seconds, by themselves."""
import threading
import time
import uuid

import pytest
from ledger import expire_leases, invariants
from load import Wire
from processes import probe, wait_until
from stages import bring_in

RETURN_SECONDS = 5
GROUP_SECONDS = 20  # db/internal.h: so long a group of statements may take
CLIENTS = 6


class Asker(threading.Thread):
    """Sends one request again and again until `stop`; notes (status, code, seconds) of each, and the clock of the last 2xx."""

    def __init__(self, server, token, path, stop):
        super().__init__(daemon=True)
        self.wire, self.path, self.stop_at = Wire(server.address, token, timeout=60), path, stop
        self.notes, self.last_good, self.trouble = [], 0.0, None

    def run(self):
        try:
            while not self.stop_at.is_set():
                self.once()
                time.sleep(0.01)
        except BaseException as trouble:
            self.trouble = trouble

    def once(self):
        begun = time.monotonic()
        reply = self.ask()
        code = reply.json["code"] if reply.status >= 400 else None
        assert reply.status != 503 or reply.headers.get("Retry-After"), repr(reply)
        self.notes.append((reply.status, code, time.monotonic() - begun))
        if reply.status < 300:
            self.last_good = time.monotonic()

    def ask(self):
        return self.wire.request("GET", self.path)


class Changer(Asker):
    """Changes the village of a case; a change that was not acknowledged is sent again, with its key, until it is."""

    def __init__(self, server, token, case, stop):
        super().__init__(server, token, f"/cases/{case}/relocation", stop)
        self.case, self.number, self.key = case, 0, str(uuid.uuid4())

    def ask(self):
        village = f"{self.number + 1}村"
        body = {"region": "640324101", "village": village, "address": f"{self.number + 1}号"}
        reply = self.wire.request("POST", self.path, body, self.key)
        if reply.status == 200:
            self.number, self.key = self.number + 1, str(uuid.uuid4())
        return reply


@pytest.fixture
def load(mortal, place, make_server, manager_at):
    """A server with a worker, a dozen askers, half of which write; the worker's folding recurs often."""
    server = make_server("serve", database=place)
    manager = manager_at(server)
    cases = bring_in(manager, CLIENTS)
    place.sql("UPDATE job SET schedule = 'every 0.3 seconds', run_at = now() WHERE unique_key = 'totals_fold'")
    load = Load(mortal, place, server, manager, cases)
    yield load
    mortal.revive()
    mortal.start()
    load.end()


class Load:
    def __init__(self, cluster, database, server, manager, cases):
        self.cluster, self.database, self.server, self.manager, self.cases = cluster, database, server, manager, cases
        self.stop = threading.Event()
        self.readers = [Asker(server, manager.token, "/cases?plan=tongxin", self.stop) for _ in range(CLIENTS)]
        self.writers = [Changer(server, manager.token, case, self.stop) for case in cases]
        self.all = self.readers + self.writers
        for asker in self.all:
            asker.start()
        wait_until(lambda: all(asker.last_good for asker in self.all), 30, "every asker's first answer")

    def end(self):
        self.stop.set()
        for asker in self.all:
            asker.join(60)
            assert not asker.is_alive(), "an asker was never answered"

    def away(self, seconds, unready=True):
        """Nothing succeeds for so long; the server lives on."""
        since = [len(asker.notes) for asker in self.all]
        if unready:
            wait_until(lambda: probe(self.server.address, "/readyz") == 503, 30, "unreadiness")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert probe(self.server.address, "/healthz") == 200
            time.sleep(0.1)
        wait_until(lambda: all(len(asker.notes) > n for asker, n in zip(self.all, since)), 60, "an answer for everybody")

    def is_back(self):
        """From now on: seconds until each asker has had a 2xx for a request begun after now."""
        begun = time.monotonic()
        marks = [len(asker.notes) for asker in self.all]
        wait_until(lambda: all(asker.trouble or (asker.last_good > begun and any(note[0] < 300 for note in asker.notes[mark:]))
                               for asker, mark in zip(self.all, marks)), 60, "a 2xx for everybody")
        self.check()
        return time.monotonic() - begun

    def check(self):
        for asker in self.all:
            if asker.trouble:
                raise asker.trouble

    def codes(self):
        return {(status, code) for asker in self.all for status, code, _ in asker.notes}

    def slowest(self):
        return max(seconds for asker in self.all for _, _, seconds in asker.notes)

    def settle(self):
        """Ends, and looks whether each acknowledged change was done once, and no other."""
        wait_until(lambda: probe(self.server.address, "/readyz") == 200, RETURN_SECONDS, "readiness")
        self.end()
        self.check()
        expire_leases(self.database)
        for writer in self.writers:
            if writer.notes[-1][0] != 200:  # it ended between two attempts: the key settles it
                assert writer.ask().status == 200
        found = dict(self.database.sql("SELECT c.id, h.village FROM retrofit_case c JOIN household h ON h.id = c.household_id "
                                       "AND h.plan_region = c.plan_region WHERE c.id = ANY (%s)", self.cases))
        assert found == {writer.case: f"{writer.number}村" for writer in self.writers}
        invariants(self.database)


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_a_postgres_that_goes_and_comes_back(load, how):
    if how == "kill":
        load.cluster.kill()
    else:
        load.cluster.stop(how)
    load.away(3)
    load.cluster.start()
    back = load.is_back()
    print(f"\n{how}: back after {back:.2f} s, slowest answer {load.slowest():.2f} s, {sorted(map(str, load.codes()))}")
    assert back <= RETURN_SECONDS
    wait_until(lambda: load.server.events("database_back"), 10, "all connections")
    assert len(load.server.events("database_lost")) == len(load.server.events("database_back")) == 1
    assert (503, "database_unavailable") in load.codes()
    assert load.codes() <= {(200, None), (503, "database_unavailable"), (503, "outcome_unknown"), (409, "request_in_progress")}
    assert load.slowest() < 15
    load.settle()


def test_a_postgres_that_hangs_for_a_moment_fails_nobody(load):
    load.cluster.freeze()
    time.sleep(2)
    load.cluster.revive()
    assert load.is_back() <= RETURN_SECONDS
    assert load.codes() == {(200, None)}
    load.settle()


def test_a_postgres_that_hangs_for_long_is_given_up(load):
    """Connections stand, nothing is answered, and new ones are taken by the kernel alone. When it wakes it does what it had been
    sent: the keys see to it that nothing is done twice."""
    load.cluster.freeze()
    load.away(3)
    load.cluster.revive()
    back = load.is_back()
    print(f"\nback after {back:.2f} s, slowest answer {load.slowest():.2f} s, {sorted(map(str, load.codes()))}")
    assert back <= RETURN_SECONDS
    assert (503, "outcome_unknown") in load.codes() and (503, "database_unavailable") in load.codes()
    assert load.slowest() < GROUP_SECONDS + 10
    # Who only reads is told as soon as a sign of life is missed.
    assert max(seconds for asker in load.readers for _, _, seconds in asker.notes) < GROUP_SECONDS - 5
    assert len(load.server.events("database_hangs")) == 1
    load.settle()


def test_a_frozen_postmaster_does_not_hinder_those_who_are_in(load, place, make_server):
    """Only who comes new waits until it wakes."""
    postmaster = int((load.cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    load.cluster.freeze([postmaster])
    late = make_server("serve", "--no-work", database=place, wait=False)
    [line] = wait_until(lambda: late.events("database_away"), 30, "the late server's patience")
    assert "no answer in time" in line["reason"]
    assert late.running and not late.events("listening")
    assert load.is_back() <= RETURN_SECONDS
    load.cluster.revive()
    wait_until(late._is_ready, 20, "the late server")
    assert load.codes() == {(200, None)}
    load.settle()


def test_postgres_may_come_later(mortal, place, make_server):
    """A server and a worker that are started first wait for their database, and are ready when it is."""
    mortal.stop("immediate")
    try:
        server = make_server("serve", database=place, wait=False)
        worker = make_server("work", database=place)
        for program in (server, worker):
            wait_until(lambda program=program: program.events("database_away"), 30, "a first round of attempts")
        time.sleep(2)
        for program in (server, worker):
            assert program.running
            assert len(program.events("database_away")) == 1, "one line, not one an attempt"
        assert not server.events("listening") and not worker.events("working")
    finally:
        mortal.start()
    begun = time.monotonic()
    wait_until(server._is_ready, 20, "the server")
    wait_until(lambda: worker.events("working"), 20, "the worker")
    assert time.monotonic() - begun <= RETURN_SECONDS
    assert place.run("verify", "totals").stdout.startswith("totals agree")
