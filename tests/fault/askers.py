# SPDX-License-Identifier: Apache-2.0
"""Clients that ask and change without a pause while something is taken away, and what they were told."""
import threading
import time
import uuid

from ledger import expire_leases, invariants
from load import Wire
from processes import probe, wait_until

RETURN_SECONDS = 5
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
        found = self.database.sql("SELECT c.id, h.village, c.version - 1 FROM retrofit_case c JOIN household h ON h.id = c.household_id "
                                  "AND h.plan_region = c.plan_region WHERE c.id = ANY (%s) ORDER BY 1", self.cases)
        assert found == sorted((writer.case, f"{writer.number}村", writer.number) for writer in self.writers)
        invariants(self.database)
