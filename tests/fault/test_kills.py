# SPDX-License-Identifier: Apache-2.0
"""Server, worker and PostgreSQL are killed with -9 again and again under load: what was acknowledged is there, once.
TANTU_KILL_CYCLES: how many times each of them (2)."""
import os
import random
import threading
import time
from collections import defaultdict

import pytest
from faults import READY
from load import Book, Mover, finish, households, tally
from processes import ADMIN_PASSWORD, wait_until

CYCLES = int(os.environ.get("TANTU_KILL_CYCLES", "2"))
MOVERS, CASES = 16, 300
RETURN_SECONDS = 5
PLAN = "tongxin"


def test_no_acknowledged_write_is_lost_or_doubled(mortal, place, make_server, manager_at, contract):
    place.sql("UPDATE job SET schedule = 'every 0.3 seconds', run_at = now() WHERE unique_key = 'totals_fold'")
    servers = [make_server("serve", database=place) for _ in range(2)]
    worker = make_server("work", database=place)
    managers = [manager_at(servers[n % 2]) for n in range(3)]
    managers[0].import_file(PLAN, households(["640324101", "640324102"], CASES, PLAN))
    stop = threading.Event()
    book = Book(managers[0], PLAN, townships=["640324101", "640324102", "640324103"])
    movers = [Mover(book, [server.address for server in servers], managers[n % 3].token, n, stop, patient=True, repeats=0.1)
              for n in range(MOVERS)]
    for mover in movers:
        mover.start()
    dice = random.Random(CYCLES)
    returns = []

    def restart_server():
        victim = dice.choice(servers)
        victim.kill()
        time.sleep(dice.random() * 0.3)
        victim.start()

    def restart_worker():
        worker.kill()
        time.sleep(dice.random() * 0.3)
        worker.start()

    def after_return():
        """PostgreSQL is there again: how long until writes are?"""
        begun = time.monotonic()
        wait_until(lambda: stop.is_set() or max(mover.last_good for mover in movers) > begun, 30, "a 2xx after PostgreSQL's return")
        returns.append(time.monotonic() - begun)

    def kill_postgres():
        mortal.kill()
        time.sleep(dice.random() * 0.5)
        mortal.start()
        after_return()

    def kill_backend():
        mortal.kill_backend(dice)
        mortal.wait_for_return()
        after_return()

    def restart_postgres():
        mortal.stop("fast")
        mortal.start()
        after_return()

    for _ in range(CYCLES):
        deeds = [restart_server, restart_worker, kill_postgres, kill_backend, kill_backend, restart_postgres]
        for deed in dice.sample(deeds, len(deeds)):
            if stop.wait(0.3 + dice.random() * 0.5):
                break
            deed()
    stop.wait(0.5)
    stop.set()
    finish(movers)

    done = tally(movers)
    print(f"\n{sum(len(mover.deeds) for mover in movers)} answered, sent again {sum(mover.retried for mover in movers)} times; "
          f"back after {[round(seconds, 2) for seconds in returns]}\n{done.most_common(30)}")
    assert sum(mover.retried for mover in movers) >= CYCLES
    assert max(returns) <= RETURN_SECONDS
    compare_with_ledger(place, [deed for mover in movers for deed in mover.deeds])
    said = place.run("verify", "totals").stdout
    assert said.startswith(f"totals agree: {CASES} cases"), said
    assert place.sql("SELECT id, kind, last_error FROM job WHERE state = 'dead'") == []
    wait_until(lambda: place.sql("SELECT count(*) FROM total_delta") == [(0,)], 45, "the last fold")
    assert managers[0].progress(PLAN)["accepted"] == place.sql("SELECT count(*) FROM retrofit_case WHERE accepted_on IS NOT NULL")[0][0]


def compare_with_ledger(database, deeds):
    """Every acknowledged request has exactly one event, no other request has any; each case's events are a chain."""
    events = defaultdict(list)
    for row in database.sql("SELECT case_id, version, kind, from_stage, to_stage, note, region, region_from FROM case_event "
                            "WHERE kind <> 'open' ORDER BY case_id, version"):
        events[row[0]].append(row[1:])
    labels = dict(database.sql("SELECT place, code FROM region"))
    wanted = defaultdict(list)
    for deed in deeds:
        if deed.status != 200:
            continue
        answer = deed.answer
        assert answer["version"] == deed.match + 1, f"{deed.path} {deed.body}: {answer}"
        if deed.kind != "relocate":
            wanted[deed.case].append((answer["version"], deed.from_stage, answer["stage"], deed.key))
        elif answer["region"] != deed.from_region:
            wanted[deed.case].append((answer["version"], deed.from_region, answer["region"], ""))
    for case in events.keys() | wanted.keys():
        found = [(version, labels[place_from], labels[place], "") if kind == "relocate" else (version, before, after, note)
                 for version, kind, before, after, note, place, place_from in events[case]]
        assert found == sorted(wanted[case]), f"case {case}"
    moves = database.sql("SELECT case_id, from_stage, to_stage, lag(to_stage) OVER (PARTITION BY case_id ORDER BY version) FROM case_event")
    assert not [move for move in moves if move[3] is not None and move[1] != move[3]]
    last = database.sql("SELECT c.id FROM retrofit_case c WHERE c.stage <> (SELECT e.to_stage FROM case_event e "
                        "WHERE e.case_id = c.id ORDER BY e.version DESC LIMIT 1)")
    assert last == []


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


def test_postgres_may_come_later(mortal, place, make_server):
    """A server that is started first waits for its database, and is ready when that is."""
    mortal.stop("immediate")
    try:
        server = make_server("serve", database=place, wait=False)
        time.sleep(1)
        assert server.running
        assert not server.events("listening")
    finally:
        mortal.start()
    wait_until(lambda: server.events("listening"), 5, "the server, once PostgreSQL is there")
