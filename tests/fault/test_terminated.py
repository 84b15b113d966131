# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: what was taken is answered, what is not answered was never begun, and the end is clean at any moment."""
import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import needs
import pytest
from ledger import compare_with_ledger, expire_leases, invariants
from load import NO_ANSWER, Book, Mover, Wire, choose, free_port, households, tally
from processes import ADMIN_PASSWORD, wait_until

PLAN = "tongxin"
ROUNDS = 4


def children(program):
    return [int(pid) for pid in Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()]


@pytest.fixture
def pair(database, make_server):
    program = make_server("serve", "--processes", 2, "--no-work", database=database, TANTU_LISTEN=f"127.0.0.1:{free_port()}")
    wait_until(lambda: len(program.events("listening")) == 2, 30, "both children")
    return program


def test_a_child_that_dies_is_replaced(pair):
    before = children(pair)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(children(pair)) == 2 and before[0] not in children(pair), 20, "another child")
    wait_until(lambda: len(pair.events("listening")) == 3, 30, "the other child at work")
    assert before[1] in children(pair) and pair.running


def test_the_end_is_clean_while_a_child_is_missing(pair):
    os.kill(children(pair)[0], signal.SIGKILL)
    wait_until(lambda: pair.events("process_died"), 20, "the parent's insight")
    pair.stop()


def test_the_end_is_clean_soon_after_the_start(database, make_server):
    dice = random.Random(3)
    for arguments in (["serve", "--processes", 2, "--no-work"], ["serve"], ["work"]):
        for _ in range(4):
            program = make_server(*arguments, database=database, wait=False)
            wait_until(lambda program=program: program.text(), 30, "its first line")
            time.sleep(dice.random() * 0.2)
            program.stop()


# --- under load ---


def test_what_was_sent_before_the_end_is_answered(database, make_server, client_of):
    """On connections that were idle, and on ones that still wait to be accepted."""
    server = make_server("serve", "--no-work", database=database)
    token = client_of(server).sign_in("admin", ADMIN_PASSWORD).token
    wires = [Wire(server.address, token, 20) for _ in range(40)]
    for wire in wires[:20]:
        assert wire.request("GET", "/plans").status == 200
    server.send_signal(signal.SIGSTOP)
    for wire in wires:
        wire.begin("GET", "/plans")
    server.send_signal(signal.SIGTERM)
    server.send_signal(signal.SIGCONT)
    for wire in wires:
        reply = wire.answer("GET")
        assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert server.wait() == 0


class Parting(Mover):
    """Never sends again: at its first request without an answer it notes what became of that, and leaves."""

    def __init__(self, *arguments, fresh, **options):
        super().__init__(*arguments, **options)
        self.fresh = fresh  # a connection for each request: some wait in the backlog when the end comes
        self.parting = None

    def run(self):
        try:
            while not self.parting:
                self.act()
        except BaseException as trouble:
            self.trouble = trouble

    def act(self):
        deed = choose(self.book, self.dice)
        wire = self.dice.choice(self.wires)
        if self.fresh:
            wire.close()
        connected = wire.socket is not None
        try:
            reply = wire.request("POST", deed.path, deed.body, deed.key, deed.match)
        except ConnectionRefusedError:
            self.parting = "refused"
        except NO_ANSWER:
            assert not wire.half, "half an answer"
            self.parting = "kept alive, not answered" if connected else "new, not answered"
        else:
            self.judge(deed, reply)
        self.deeds.append(deed)  # one without a status may have no event

    def look(self, case):
        try:
            super().look(case)
        except NO_ANSWER:
            assert not any(wire.half for wire in self.wires), "half an answer"


@pytest.fixture(scope="module")
def deeds():
    """Of all tests of this module: they share a database, whose events are compared with these."""
    return []


@pytest.mark.parametrize("processes", [1, 2])
def test_no_request_that_was_taken_fails(place, make_server, manager_at, deeds, processes):
    """Each request is answered as if nothing were the matter, or its connection ends before any byte of an answer and nothing of
    it was done: then it may be sent elsewhere, with or without a key."""
    address = f"127.0.0.1:{free_port()}"
    server = make_server("serve", "--processes", processes, database=place, TANTU_LISTEN=address)
    manager = manager_at(server)
    manager.import_file(PLAN, households(["640324101", "640324102"], 150, PLAN))
    book = Book(manager, PLAN, townships=["640324101", "640324102"])
    partings = Counter()
    for round_ in range(ROUNDS):
        movers = [Parting(book, [address], manager.token, f"{processes} {round_} {n}", threading.Event(), fresh=n % 3 == 0)
                  for n in range(24)]
        for mover in movers:
            mover.start()
        wait_until(lambda movers=movers: sum(len(mover.deeds) for mover in movers) > 100, 30, "some load")
        rows = needs.to_csv([needs.row(PLAN) for _ in range(400)])
        number = manager.upload(PLAN, rows)
        server.stop()
        for mover in movers:
            mover.join(30)
            assert not mover.is_alive(), "a client whose connection never ended"
            if mover.trouble:
                raise mover.trouble
        deeds += [deed for mover in movers for deed in mover.deeds]
        partings += Counter(mover.parting for mover in movers)
        server.start()
        expire_leases(place)
        done = wait_until(lambda number=number: manager._ended(number), 60, "the import that was under way")
        assert (done["state"], done["accepted"], done["cases_opened"]) == ("done", 400, 400)
    print(f"\n{len(deeds)} requests over {ROUNDS} ends of {processes}: {partings.most_common()}\n{tally(movers).most_common(8)}")
    compare_with_ledger(place, deeds)
    place.sql("UPDATE job SET run_at = now() WHERE unique_key = 'totals_fold'")
    place.sql("NOTIFY job, 'totals'")
    invariants(place)
