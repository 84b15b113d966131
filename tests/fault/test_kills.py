# SPDX-License-Identifier: Apache-2.0
"""Server, worker and PostgreSQL are killed, frozen, stopped and cut off under load: what was acknowledged is there, once.
What the start of a program bears. The long run is tests/fault/soak."""
import os
import random
import threading
import time

import pytest
from faults import READY
from load import households
from processes import ADMIN_PASSWORD, wait_until
from soak import Soak

PLAN = "tongxin"
CYCLES, WRITES = 16, 200


def test_no_acknowledged_write_is_lost_or_doubled(workspace):
    """The short form of tests/fault/soak: every kind at least once."""
    soak = Soak(workspace, movers=8, cases=200, seed=os.environ.get("TANTU_SOAK_SEED", "short"))
    try:
        assert soak.run(CYCLES, WRITES, minutes=5, at_once=CYCLES)
    finally:
        soak.close()
    assert len(soak.kinds) == len(Soak.DEEDS)


# --- answers lost on the way ---


@pytest.mark.parametrize("key", [None, "sent-again"])
@pytest.mark.parametrize("lost", ["all of the answer", "its end"])
def test_an_answer_lost_after_the_commit(proxy, place, make_server, manager_at, lost, key):
    """The server cannot know whether it was done: it says so, and never does it twice by itself."""
    mark = f"{lost} {key}"
    lines_cut = []

    def rule(side, data, link):
        if side == "up" and mark.encode() in data and not lines_cut:
            lines_cut.append(link)
        if side == "up" or all(link is not other for other in lines_cut):
            return data
        link["seen"] = link.get("seen", b"") + data
        if not link["seen"].endswith(READY):
            return b""
        if lost == "all of the answer":
            return None
        threading.Timer(0.2, link["cut"]).start()
        return link["seen"][:-len(READY)]

    line = proxy(rule)
    server = make_server("serve", "--no-work", database=place, TANTU_DATABASE=line.conninfo())
    worker = make_server("work", database=place)
    manager = manager_at(server)
    rows = households(["640324104"], 1, PLAN)
    manager.import_file(PLAN, rows)
    worker.stop()
    case = [item for item in manager.pages("/cases", plan=PLAN, region="640324104") if item["stage"] == "registered"][0]["id"]
    key = key and f"{key}-{lost.replace(' ', '-')}"
    path, body = f"/cases/{case}/transitions", {"to": "withdrawn", "note": mark}
    manager.post(path, body, key=key, expect=503, code="outcome_unknown")
    events = manager.get(f"/cases/{case}/events").items
    assert [event["to"] for event in events] == ["registered", "withdrawn"]
    if key:
        again = manager.post(path, body, key=key, expect=200)
        assert (again["stage"], again["version"]) == ("withdrawn", 2)
    assert manager.get(f"/cases/{case}")["version"] == 2
    assert server.running


def test_connections_cut_while_statements_are_prepared(proxy, place, make_server, client_of):
    """A connection that breaks during the start is tried again; only a statement that is wrong stops the program."""
    dice = random.Random(5)

    def rule(side, data, link):
        if side == "down" and line.links < 60:
            link.setdefault("left", dice.randrange(300, 9000))
            link["left"] -= len(data)
            if link["left"] < 0:
                return None
        return data

    line = proxy(rule)
    server = make_server("serve", database=place, TANTU_DATABASE=line.conninfo())
    assert line.cut > 20
    assert client_of(server).sign_in("admin", ADMIN_PASSWORD).get("/plans").items


def test_a_program_that_does_not_fit_the_schema_stops(mortal, workspace, place, make_server):
    empty = mortal.new_database()
    empty.var = place.var
    for arguments in (["verify", "totals"], ["serve"], ["work"]):
        done = empty.run(*arguments, check=False)
        assert done.returncode == 1, done
        assert "does not fit" in done.stderr or "statement" in done.stderr, done.stderr
        assert "Sanitizer" not in done.stderr and "Assertion" not in done.stderr, done.stderr


def test_a_host_that_refuses_is_passed_by(place, make_server, client_of):
    """A conninfo of several hosts: the first one refuses, the second is ours."""
    parts = dict(part.split("=", 1) for part in place.conninfo("app").split())
    conninfo = f"host=127.0.0.1,127.0.0.1,{parts['host']} port=9,10,5432 user=tantu_app dbname={parts['dbname']}"
    begun = time.monotonic()
    server = make_server("serve", database=place, TANTU_DATABASE=conninfo)
    assert time.monotonic() - begun < 4
    assert client_of(server).sign_in("admin", ADMIN_PASSWORD).get("/plans").items
