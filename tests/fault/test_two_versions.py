# SPDX-License-Identifier: Apache-2.0
"""A migration beside a live server, and two versions side by side: nobody who uses it notices. Migrations that are
killed, that meet each other, and that meet transactions which hold what they want."""
import itertools
import random
import signal
import subprocess
import threading
import time

import pytest
from client import Client
from faults import MortalCluster
from harness import People
from ledger import invariants
from load import Book, Mover, Wire, finish, households
from previous import previous_program
from processes import ADMIN_PASSWORD, PROGRAM, wait_until

PLAN = "tongxin"
MOVERS, CASES = 6, 120


@pytest.fixture(scope="module")
def old():
    return previous_program()


@pytest.fixture(scope="module")
def own(workspace, database):
    """A PostgreSQL of this module's own, nothing migrated in it."""
    cluster = MortalCluster(workspace, "versions").start()
    yield cluster
    cluster.revive()
    cluster.destroy()


numbers = itertools.count(1)


@pytest.fixture
def place(own):
    made = own.new_database()
    made.var = own.workspace.path / f"var-versions-{next(numbers)}"
    return made


def run(program, place, *arguments, check=True, **environment):
    done = subprocess.run([program, *arguments], env=place.environment(**environment), text=True, capture_output=True, timeout=300)
    assert not check or done.returncode == 0, done.stderr[-2000:]
    return done


def manager_of(server):
    """Without a contract: the old version's answers are its own."""
    return People(Client(server, None).sign_in("admin", ADMIN_PASSWORD)).manager("640324")


def schema(place):
    return place.sql("SELECT max(version) FROM schema_version")[0][0]


def more_deeds(movers, each=8, seconds=60):
    """Until every mover has had so many more answers; their trouble is raised."""
    wanted = [len(mover.deeds) + each for mover in movers]
    wait_until(lambda: any(mover.trouble for mover in movers)
               or all(len(mover.deeds) >= n for mover, n in zip(movers, wanted)), seconds, "more answers")
    for mover in movers:
        if mover.trouble:
            raise mover.trouble


def retried(movers):
    return sum(mover.retried for mover in movers)


def test_an_upgrade_and_the_way_back_under_load(old, place, make_server):
    run(old, place, "migrate")
    assert schema(place) == 7
    first = make_server("serve", database=place, binary=old)
    manager = manager_of(first)
    manager.import_file(PLAN, households(["640324101", "640324102"], CASES, PLAN))
    stop = threading.Event()
    book = Book(manager, PLAN, townships=["640324101", "640324102", "640324103"])
    movers = [Mover(book, [first.address], manager.token, n, stop, patient=True, repeats=0.1) for n in range(MOVERS)]
    for mover in movers:
        mover.start()
    try:
        more_deeds(movers)
        # The schema grows under the old server, which goes on as if nothing had happened.
        run(PROGRAM, place, "migrate")
        assert schema(place) > 7
        more_deeds(movers)
        # Its gates are closed; what they say reaches the old server as a word that it knows.
        wait_until(lambda: stop.is_set() or any(mover.codes["stage_not_allowed"] for mover in movers), 60, "a gate")
        more_deeds(movers)
        assert retried(movers) == 0, "the migration was noticed"
        place.sql("UPDATE plan SET gates = '{}'")  # (movers do no survey and no design)
        # The new server beside it.
        second = make_server("serve", database=place)
        for mover in movers:
            mover.wires.append(Wire(second.address, manager.token))
        more_deeds(movers)
        assert retried(movers) == 0, "the new server was noticed"
        for server in (first, second):
            done = manager_of(server).import_file(PLAN, households(["640324101"], 3, PLAN))
            assert done["cases_opened"] == 3
        # The old one goes; then back to it, on the new schema.
        first.stop()
        for mover in movers:
            mover.wires = mover.wires[1:]
        more_deeds(movers)
        again = make_server("serve", database=place, binary=old)
        for mover in movers:
            mover.wires.append(Wire(again.address, manager.token))
        more_deeds(movers)
        second.stop()
        for mover in movers:
            mover.wires = mover.wires[1:]
        before = retried(movers)
        more_deeds(movers)
        assert retried(movers) - before <= MOVERS, "the old version does not serve by itself"
    finally:
        stop.set()
    finish(movers)
    refused = run(old, place, "migrate", check=False)
    assert refused.returncode == 1 and "use the newer program" in refused.stderr
    again.stop()
    last = make_server("work", database=place)
    # What the old version gave up, of kinds that it does not know, is tried again later: as if it were later.
    wait_until(lambda: last.events("working"), 30, "the worker")
    place.sql("UPDATE job SET run_at = now() WHERE state = 'queued' AND last_error LIKE 'this version of the program does not know%'")
    place.sql("SELECT pg_notify('job', queue) FROM (SELECT DISTINCT queue FROM job) AS q")
    invariants(place, [deed for mover in movers for deed in mover.deeds], cases=CASES + 6)
    assert last.running


def test_what_does_not_fit_says_so_and_ends(old, place):
    run(old, place, "migrate")
    done = run(PROGRAM, place, "serve", check=False)
    assert done.returncode == 1 and "has schema 7" in done.stderr and "tantu migrate" in done.stderr, done.stderr
    run(PROGRAM, place, "migrate")
    newest = schema(place)
    place.sql("INSERT INTO schema_version (version, name, compatible_from) VALUES (9000, 'later', %s)", newest)
    assert run(PROGRAM, place, "verify", "totals").stdout.startswith("totals agree")
    run(PROGRAM, place, "migrate")
    place.sql("UPDATE schema_version SET compatible_from = 8999 WHERE version = 9000")
    for arguments in (["serve"], ["work"], ["verify", "totals"], ["migrate"]):
        done = run(PROGRAM, place, *arguments, check=False)
        assert done.returncode == 1 and "use the newer program" in done.stderr and "8999" in done.stderr, (arguments, done.stderr)
        assert schema(place) == 9000


def test_a_program_that_could_not_live_with_it_stops_the_migration(old, place, make_server):
    """A contracting migration, played by one that is told to be: refused while the old server is connected."""
    run(PROGRAM, place, "migrate")
    newest = schema(place)
    stale = place.connect("app")
    stale.cursor().execute("SET application_name = 'tantu/1'")
    place.sql("DELETE FROM schema_version WHERE version = %s", newest)
    done = run(PROGRAM, place, "migrate", check=False)
    assert done.returncode == 1 and "programs of schema 1 are connected (1 connections)" in done.stderr and "stop them first" in done.stderr
    assert schema(place) < newest
    stale.close()


def described(place):
    """The whole schema as PostgreSQL tells it."""
    host = dict(part.split("=", 1) for part in place.conninfo("super").split())["host"]
    text = subprocess.run(["/usr/lib/postgresql/15/bin/pg_dump", "-h", host, "-U", "postgres", "--schema-only", place.name],
                          check=True, text=True, capture_output=True).stdout
    return [line for line in text.splitlines() if not line.startswith(("--", "\\restrict", "\\unrestrict"))]


def test_a_migration_killed_anywhere_is_run_again(place, own):
    straight = own.new_database()
    straight.var = place.var
    run(PROGRAM, straight, "migrate")
    dice = random.Random(11)
    reached = set()
    for _ in range(25):
        one = subprocess.Popen([PROGRAM, "migrate"], env=place.environment(), stderr=subprocess.DEVNULL)
        time.sleep(dice.random() * 0.5)  # anywhere: nothing depends on where
        one.send_signal(signal.SIGKILL)
        one.wait()
        found = place.sql("SELECT to_regclass('schema_version') IS NOT NULL")[0][0]
        reached.add(place.sql("SELECT coalesce(max(version), 0) FROM schema_version")[0][0] if found else 0)
        if len(reached) > 1 and max(reached) == schema(straight):
            break
    # Two at once to the end, one killed while the other waits for it.
    both = [subprocess.Popen([PROGRAM, "migrate"], env=place.environment(), stderr=subprocess.DEVNULL) for _ in range(3)]
    both[0].send_signal(signal.SIGKILL)
    assert [one.wait(120) for one in both][1:] == [0, 0]
    assert schema(place) == schema(straight)
    assert described(place) == described(straight)
    assert place.sql("SELECT count(*) FROM plan") == [(5,)]
    assert run(PROGRAM, place, "verify", "totals").stdout.startswith("totals agree")


@pytest.fixture
def held(old, place, make_server):
    """A live server of the old version, and a transaction that holds a table which a migration changes: (server, holder)."""
    run(old, place, "migrate")
    server = make_server("serve", database=place, binary=old)
    holder = place.connect("owner")
    holder.autocommit = False
    holder.cursor().execute("SELECT count(*) FROM needs_import")
    yield server, holder
    holder.close()


def test_a_held_table_holds_up_the_migration_and_not_the_server(held, place, workspace):
    server, holder = held
    manager = manager_of(server)
    log = workspace.new_log("migrate-held")
    with open(log, "wb") as out:
        migration = subprocess.Popen([PROGRAM, "migrate"], env=place.environment(), stderr=out)
    try:
        slowest = 0
        waits = wait_until(lambda: '"migration_waits"' in log.read_text(), 60, "the migration to meet the lock") or True
        assert waits
        for _ in range(30):
            begun = time.monotonic()
            manager.get("/imports", query={"plan": PLAN}, expect=200)
            slowest = max(slowest, time.monotonic() - begun)
        assert migration.poll() is None
        holder.rollback()
        assert migration.wait(60) == 0, log.read_text()
    finally:
        migration.kill()
        migration.wait()
    # 1.5 s is how long it waits at a time; the rest is head-room for a busy machine.
    assert slowest < 8, f"a reader waited {slowest:.1f} s"
    assert schema(place) > 7


def test_a_migration_gives_up_and_says_who_holds_it_up(held, place):
    server, holder = held
    pid = holder.get_backend_pid()
    done = run(PROGRAM, place, "migrate", check=False, TANTU_MIGRATE_SECONDS="1")
    assert done.returncode == 1, done
    line, = [line for line in done.stderr.splitlines() if line.startswith("tantu: ")]
    assert "held by a transaction" in line and f"pid {pid} (tantu_owner" in line and "nothing of it was done" in line, line
    assert place.sql("SELECT to_regclass('backup_record')") == [(None,)]
    manager_of(server).get("/imports", query={"plan": PLAN}, expect=200)
    holder.rollback()
    run(PROGRAM, place, "migrate")
    assert place.sql("SELECT to_regclass('backup_record') IS NOT NULL") == [(True,)]
