# SPDX-License-Identifier: Apache-2.0
"""The short form of tests/fault/failover: a Patroni cluster of three loses its leader under load, then a replica."""
import time

import patroni
import pytest
from failover_run import Failover
from processes import probe, wait_until


@pytest.fixture(scope="module")
def run(workspace, database):
    """database: the shared one first, so that the workspace's order of starts stays."""
    assert patroni.is_installed(), "apt-get install etcd-server patroni python3-etcd postgresql-15 (see scripts/packages)"
    run = Failover(workspace)
    yield run
    run.close()


def test_the_leader_is_killed_under_load(run):
    """Another takes over; the servers find it by themselves, nothing acknowledged is lost, nothing is done twice."""
    run.begin()
    told = run.kill_leader()
    run.end()
    run.check()
    print(f"\n{run.summary()}")
    assert run.acknowledged() > 100
    for server in run.servers:
        [lost] = server.events("database_lost")
        back = wait_until(lambda server=server: server.events("database_back"), 30, "all connections")
        assert lost["server"] == back[-1]["server"] == "primary"
        assert not back[-1]["host"].endswith(f":{port_of(run, told['killed'])}")


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
