# SPDX-License-Identifier: Apache-2.0
"""The n-th allocation fails, for n = 1, 2, 3, … until a run needs fewer. Each time the program answers as it should, or 5xx, or
hangs up before any byte of an answer, or dies by an invariant and is started again. Nothing is lost, doubled or half done."""
import json
import signal
import time
import uuid
from collections import Counter

import needs
import pytest
from harness import PASSWORD, People
from ledger import chains_hold, expire_leases, invariants
from load import NO_ANSWER, Wire
from processes import ADMIN_PASSWORD, ROOT, wait_until
from shim import Shim, steps
from stages import bring_in

RELEASE = ROOT / "build" / "release" / "tantu"
PATIENCE = 40
DEAD = (-signal.SIGABRT,)


@pytest.fixture(scope="module")
def place(cluster, database):
    """A database beside the shared one, in which nothing recurs."""
    own = cluster.new_database().migrate()
    own.sql("UPDATE job SET run_at = now() + interval '10 hours' WHERE schedule IS NOT NULL")
    return own


@pytest.fixture(autouse=True)
def clean_logs():
    """Instead of the harness's: here a program may die by an invariant, and Victim.rise judges how."""


@pytest.fixture
def shim(workspace):
    return Shim(workspace.path / f"shim-{uuid.uuid4().hex[:8]}")


class Victim:
    """A program under the shim, and what became of it."""

    def __init__(self, program, shim):
        self.program, self.shim = program, shim
        self.outcomes = Counter()
        self.token = None

    def ask(self, method, path, data=b"", kind=None, key=None):
        """The reply, or None: no byte of one came. A new connection each time, so that its making is a part of it."""
        wire = Wire(self.program.address, self.token, PATIENCE)
        try:
            return wire.send(method, f"{path}", data, kind, key)
        except TimeoutError:
            raise AssertionError(f"{method} {path}: hangs\n{self.program.text()[-2000:]}") from None
        except NO_ANSWER:
            assert not wire.half, f"{method} {path}: half an answer"
            return None
        finally:
            wire.close()

    def insist(self, *arguments):
        """The reply, from one that was started again if need be: it may have died with its answer on its way."""
        reply = self.ask(*arguments)
        if reply is None:
            assert self.rise(), "hung up in peace"
            reply = self.ask(*arguments)
        return reply

    def rise(self):
        """Started again if it died; but only an invariant may end it."""
        try:
            status = self.program.process.wait(0.2 if self.outcomes else 0)
        except Exception:  # it lives
            return False
        text = self.program.text()
        assert status in DEAD and "invariant_broken" in text, f"ended with {status}:\n{text[-3000:]}"
        self.program.process = None
        self.shim.disarm()
        self.program.start()
        return True


def sweep(victim, act, check=lambda n: None, run=1, every=300, growth=1.07):
    """act() with the n-th allocation failing; every outcome is counted. Ends when nothing failed any more."""
    act()  # once in peace: what is made once is made now
    for n in steps(every, growth):
        victim.shim.fail_allocation(n, run)
        reply = act()
        fired = victim.shim.fired
        victim.shim.disarm()
        if reply is None:
            died = rise_if_dead(victim)
            victim.outcomes["died by an invariant" if died else "hung up"] += 1
        else:
            assert reply.status < 300 or reply.status in (500, 503, 507), f"allocation {n} failed: {reply!r}"
            victim.outcomes[f"{reply.status} {json.loads(reply.body)['code'] if reply.status > 299 else ''}"] += 1
        check(n)
        if not fired:
            break
    print(f"\n{n} allocations: {victim.outcomes.most_common()}")
    assert n > 5 and len(victim.outcomes) > 1, "the shim did nothing"


def rise_if_dead(victim):
    for _ in range(2):
        if victim.rise():
            return True
    return False


@pytest.fixture
def victim(place, shim, make_server):
    return Victim(make_server("serve", "--no-work", database=place, binary=RELEASE, **shim.environment), shim)


@pytest.fixture
def boss(victim, client_of):
    return client_of(victim.program).sign_in("admin", ADMIN_PASSWORD)


@pytest.fixture
def manager(victim, boss, place, make_server):
    """Of cases that another server's worker has brought in."""
    worker = make_server("work", database=place)
    manager = People(boss).manager("640324")
    manager.cases = bring_in(manager, 2)
    worker.stop()
    victim.token = manager.token
    return manager


@pytest.mark.parametrize("run", [1, 8])
def test_a_list(victim, manager, run):
    wanted = victim.ask("GET", "/cases?plan=tongxin&limit=2").json["items"]

    def act():
        reply = victim.ask("GET", "/cases?plan=tongxin&limit=2")
        assert reply is None or reply.status != 200 or reply.json["items"] == wanted
        return reply
    sweep(victim, act, run=run)


def test_a_session(victim, boss):
    """Argon2 wants 64 MiB at once."""
    user = People(boss).county("640324").user
    body = json.dumps({"user": user, "password": PASSWORD}).encode()
    tokens = []

    def act():
        reply = victim.ask("POST", "/session", body, "application/json")
        if reply is not None and reply.status == 201:
            tokens.append(reply.json["token"])
        return reply
    sweep(victim, act, every=60, growth=1.2)
    for victim.token in tokens[:3] + tokens[-3:]:
        assert victim.ask("GET", "/plans").status == 200


@pytest.mark.parametrize("run", [1, 8])
def test_a_move(victim, manager, place, run):
    """Each village is told once; a request that was not acknowledged is settled by its key."""
    case = manager.cases[0]
    count = {"sent": place.sql("SELECT count(*) FROM case_event WHERE case_id = %s", case)[0][0]}
    sent = {}

    def act():
        sent["body"] = json.dumps({"region": "640324102" if count["sent"] % 2 else "640324101", "village": f"{count['sent']}村",
                                   "address": "1号"}).encode()
        sent["key"] = str(uuid.uuid4())
        sent["reply"] = victim.ask("POST", f"/cases/{case}/relocation", sent["body"], "application/json", sent["key"])
        if not victim.shim.fired:  # in peace
            assert sent["reply"].status == 200
            count["sent"] += 1
        return sent["reply"]

    def check(n):
        if not victim.shim.fired:
            return
        again = victim.insist("POST", f"/cases/{case}/relocation", sent["body"], "application/json", sent["key"])
        assert again.status == 200, f"allocation {n} failed, then: {again!r}"
        first = sent["reply"]
        assert first is None or first.status != 200 or first.json == again.json
        count["sent"] += 1
        assert place.sql("SELECT count(*) FROM case_event WHERE case_id = %s", case) == [(count["sent"],)], f"allocation {n}"
    sweep(victim, act, check, run)
    chains_hold(place)


def test_an_upload(victim, manager, place):
    """Refused or taken whole: no import without its file, and no file without its import."""
    sent, made = {}, set()

    def act():
        sent["data"], sent["key"] = needs.to_csv([needs.row("tongxin") for _ in range(3)]), str(uuid.uuid4())
        sent["reply"] = victim.ask("POST", "/imports?plan=tongxin&mode=dry_run", sent["data"], "text/csv", sent["key"])
        if not victim.shim.fired:
            made.add(sent["reply"].json["id"])
        return sent["reply"]

    def check(n):
        if not victim.shim.fired:
            return
        again = victim.insist("POST", "/imports?plan=tongxin&mode=dry_run", sent["data"], "text/csv", sent["key"])
        assert again.status == 202, f"allocation {n} failed, then: {again!r}"
        assert sent["reply"] is None or sent["reply"].status != 202 or sent["reply"].json["id"] == again.json["id"]
        made.add(again.json["id"])
    before = {number for number, in place.sql("SELECT id FROM needs_import")}
    sweep(victim, act, check)
    files = {name for name, in place.sql("SELECT file FROM needs_import")}
    assert {number for number, in place.sql("SELECT id FROM needs_import")} == before | made
    there = {file.name for file in (place.var / "uploads").iterdir()}
    assert files <= there, "an import without its file"
    left = there - files  # of those who died: nobody was left to take them away
    assert len(left) <= victim.outcomes["died by an invariant"], left


def test_a_job(place, shim, make_server, manager):
    """An import, whole, by a worker that lives, fails and tries again, or is killed by an invariant and started again."""
    worker = Victim(make_server("work", database=place, binary=RELEASE, **shim.environment), shim)
    wait_until(lambda: worker.program.events("working"), 20)
    for n in steps(every=30, growth=1.3):
        number = manager.upload("tongxin", needs.to_csv([needs.row("tongxin") for _ in range(5)]), key=None)
        shim.fail_allocation(n)
        died, patience = False, time.monotonic() + 2

        def ended(number=number):
            nonlocal died, patience
            died = worker.rise() or died
            if shim.fired and time.monotonic() > patience:  # as if its lease were over: it may not know that it has one
                expire_leases(place)
                patience = time.monotonic() + 2
            if shim.fired:
                place.sql("UPDATE job SET run_at = now() WHERE state = 'queued' AND schedule IS NULL")
                place.sql("NOTIFY job, 'imports'")
            return manager._ended(number)
        done = wait_until(ended, 2 * PATIENCE, f"the import, allocation {n} failing")
        fired = shim.fired
        shim.disarm()
        worker.outcomes["died by an invariant" if died else done["state"] + (" " + done["error_code"] if done["error_code"] else "")] += 1
        assert (done["state"], done["accepted"], done["cases_opened"]) == ("done", 5, 5), f"allocation {n}: {done}"
        if not fired:
            break
    print(f"\n{n} allocations: {worker.outcomes.most_common()}")
    assert n > 20
    expire_leases(place)
    place.sql("UPDATE job SET run_at = now() WHERE unique_key = 'totals_fold'")
    place.sql("NOTIFY job, 'totals'")
    invariants(place)
    worker.program.stop()


def test_a_start(place, shim, make_server):
    """Serves, or ends with a line that says why; started again without the fault it serves."""
    outcomes = Counter()
    for n in steps(every=60, growth=1.35):
        shim.fail_allocation(n)
        program = make_server("serve", "--no-work", database=place, binary=RELEASE, wait=False, **shim.environment)

        def settled(program=program):
            return not program.running or program._is_ready()
        wait_until(settled, PATIENCE, f"a start or an end, allocation {n} failing:\n{program.text()[-1500:]}")
        fired = shim.fired
        if program.running:
            outcomes["serves"] += 1
            shim.disarm()
            assert Wire(program.address).request("GET", "/plans").status == 401
            program.kill()
        else:
            status = program.wait()
            text = program.text()
            assert text.strip(), f"allocation {n}: ended with {status} and not a word"
            assert status == 1 or (status in DEAD and "invariant_broken" in text), f"allocation {n}: {status}:\n{text[-2000:]}"
            outcomes["died by an invariant" if status < 0 else "ended with a reason"] += 1
        if not fired:
            break
    print(f"\n{n} allocations: {outcomes.most_common()}")
    assert n > 60
