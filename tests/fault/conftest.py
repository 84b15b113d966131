# SPDX-License-Identifier: Apache-2.0
"""Tests that break things. The harness of the scenarios (client, processes, load) and a PostgreSQL that may be killed.

    mortal        a PostgreSQL of the module's own beside the shared one; place: its database; proxy: before it
    manager_at    manager_at(server, region): a manager signed in at that server
    load          a server with a worker at that PostgreSQL, and a dozen askers
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenario"))

import pytest  # noqa: E402
from askers import CLIENTS, Load  # noqa: E402
from faults import MortalCluster, Proxy  # noqa: E402
from harness import *  # noqa: E402,F401,F403
from harness import People  # noqa: E402
from processes import ADMIN_PASSWORD  # noqa: E402
from stages import bring_in  # noqa: E402


@pytest.fixture(scope="module")
def mortal(workspace, database, request):
    """database: the shared one first, so that the workspace's order of starts stays."""
    cluster = MortalCluster(workspace, request.module.__name__.removeprefix("test_")).start()
    cluster.main_database().migrate()
    yield cluster
    cluster.revive()
    cluster.destroy()


@pytest.fixture
def place(mortal):
    return mortal.main_database()


@pytest.fixture
def manager_at(client_of):
    """manager_at(server, region): a manager signed in there."""
    def make(server, region="640324"):
        return People(client_of(server).sign_in("admin", ADMIN_PASSWORD)).manager(region)
    return make


@pytest.fixture
def proxy(mortal, workspace):
    """proxy(rule): one more Proxy before the module's PostgreSQL."""
    made = []

    def make(rule=None):
        made.append(Proxy(mortal, workspace.path / f"proxy-{len(list(workspace.path.glob('proxy-*')))}", rule))
        return made[-1]
    yield make
    for one in made:
        one.close()


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
