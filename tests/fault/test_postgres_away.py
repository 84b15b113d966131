# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL is stopped, killed, frozen, or not there yet: every request is answered in a bounded time, and once it is back
writes succeed within five seconds, by themselves."""
import time

import pytest
from askers import RETURN_SECONDS
from processes import wait_until

GROUP_SECONDS = 20  # db/internal.h: so long a group of statements may take


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
