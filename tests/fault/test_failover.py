# SPDX-License-Identifier: Apache-2.0
"""The short form of tests/fault/failover: a Patroni cluster of three loses its leader under load, then a replica."""
import re
import signal
import time

import patroni
import pytest
from failover_run import Failover
from faults import send
from processes import probe, wait_until


@pytest.fixture(scope="module")
def run(workspace):
    assert patroni.is_installed(), "apt-get install etcd-server patroni python3-etcd postgresql-15 (see scripts/packages)"
    run = Failover(workspace)
    yield run
    run.close()


# --- reads that may be late ---


def late(client, path="/plans", seconds=20):
    """The answer, and its age in milliseconds; None: the primary gave it."""
    answer = client.get(path, headers={"Cache-Control": f"max-stale={seconds}"})
    told = re.fullmatch(r"primary|replica; lag_ms=(\d+)", answer.headers["Tantu-Read"])
    return answer, int(told[1]) if told[1] else None


def wait_for_replica(client, seconds=20):
    wait_until(lambda: late(client, seconds=seconds)[1] is not None, 60, "an answer of a replica")


AS_OF = "/plans/qinghai/progress?as_of=2024-01-31"


def test_who_allows_it_is_answered_by_a_replica(run):
    """With the age it may have at most, within the same scope, and never where it must be exact."""
    manager, foreign = run.manager, run.people.auditor("640324")
    wait_for_replica(manager)
    for path in ("/plans", "/regions?limit=20", AS_OF):
        answer, age = wait_until(lambda path=path: next((got for got in [late(manager, path)] if got[1] is not None), None), 30)
        assert 0 <= age <= 20000
        exact = manager.get(path)
        assert "Tantu-Read" not in exact.headers
        assert {**answer.json, "exact": None} == {**exact.json, "exact": None}
        assert (exact.json.get("exact"), answer.json.get("exact")) in ((None, None), (True, False))
    path = "/plans/qinghai/progress/cases?measure=in_registered&as_of=2099-12-31"
    wait_until(lambda: late(manager, path)[1] is not None, 30, "the list from a replica")
    assert len(late(manager, path)[0].items) == 50 and late(foreign, path)[0].items == []
    assert "Tantu-Read" not in manager.get("/cases?limit=1", headers={"Cache-Control": "max-stale"}).headers


def test_a_replica_that_lags_is_passed_over(run):
    """Replay stands still: what the replicas have grows older, until it is older than who asks allows. (Its processes are
    stopped: a pause that PostgreSQL is asked for would be ended by Patroni.)"""
    wait_for_replica(run.manager)
    replays = [run.cluster.at(member, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'")
               for member in run.cluster.followers()]
    for pid in replays:
        send(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: late(run.manager, seconds=3)[1] is None, 30, "the primary's answer")
        ages = [late(run.manager, seconds=25)[1] for _ in range(3)]
        assert any(age is None or age > 3000 for age in ages), ages
    finally:
        for pid in replays:
            send(pid, signal.SIGCONT)
    wait_for_replica(run.manager, seconds=3)


def test_replicas_that_are_killed_are_passed_over(run):
    """Both, one after the other: every read is answered all the time, at last by the primary."""
    wait_for_replica(run.manager)
    followers = run.cluster.followers()
    for member in followers:
        member.kill()
        for _ in range(20):
            assert late(run.manager, AS_OF)[0].status == 200
    wait_until(lambda: late(run.manager)[1] is None, 30, "the primary's answer")
    assert probe(run.servers[0].address, "/readyz") == 200, "replicas are a help, not a need"
    for member in followers:
        member.start()
    run.cluster.wait_for_health()
    wait_for_replica(run.manager)


# --- the primary ---


def test_the_leader_is_killed_under_load(run):
    """Another takes over; the servers find it by themselves, nothing acknowledged is lost, nothing is done twice."""
    run.begin()
    told = run.kill_leader()
    run.end()
    run.check()
    print(f"\n{run.summary()}")
    assert run.acknowledged() > 100
    for server in run.servers:
        losses = of_primary(server, "database_lost")
        assert 1 <= len(losses) <= 2, "one line a loss, not one a connection"
        wait_until(lambda server=server: len(of_primary(server, "database_back")) >= len(of_primary(server, "database_lost")), 30,
                   "all connections")
        assert not of_primary(server, "database_back")[-1]["host"].endswith(f":{port_of(run, told['killed'])}")


def of_primary(server, event):
    return [line for line in server.events(event) if line["server"] == "primary"]


def port_of(run, name):
    return next(member.port for member in run.cluster.members if member.name == name)


def test_a_leader_that_hands_over_is_left_at_once(run):
    """A planned switchover: who was the primary is shut down and comes back as a standby at the same address."""
    run.begin()
    old = run.cluster.leader()
    begun = time.monotonic()
    run.cluster.switch_over()
    wait_until(lambda: run.cluster.leader() not in (None, old), 60, "another leader")
    run.wait_for_writes()
    gap = run.longest_gap(begun)
    print(f"\nswitchover: {gap:.2f} s without writes")
    run.end()
    run.cluster.wait_for_health()
    run.check()
    assert all(probe(server.address, "/readyz") == 200 for server in run.servers)
