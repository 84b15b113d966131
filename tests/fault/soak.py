# SPDX-License-Identifier: Apache-2.0
"""Everything is killed, frozen, cut and restarted in turn, by a seed, while clients move cases, files are imported and
reminders fall due. Every round ends in a pause in which all invariants are checked against what clients were told."""
import json
import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
from client import Client
from faults import MortalCluster, Proxy, send
from harness import People
from ledger import expire_leases, invariants
from load import NO_ANSWER, Book, Mover, Wire, finish, free_port, households, tally
from processes import ADMIN_PASSWORD, Program, fatal_lines, wait_until

PLAN, IMPORT_PLAN = "qinghai", "tongxin"
PLACES = ["630106101", "630106102", "630121100"]
RETURN_SECONDS = 5
ROUND_CYCLES = 50
QUIET_CASES, IMPORT_ROWS = 10, 20

# Cases of nobody, long overdue: each is owed exactly one reminder.
OVERDUE = """WITH home AS (
    INSERT INTO household (plan_region, id, number, region, village, address, hardship)
    SELECT 640324000, id_in(640324000, 'household_number'), 'Q' || nextval('person_number'), 640324101, '试验村', '1号', '低保'
    FROM generate_series(1, %s) RETURNING id, number
) INSERT INTO retrofit_case (plan_region, id, plan_id, household_id, household_number, householder, region, village,
                             stage_at, stage_on, eligible, eligibility_reasons)
SELECT 640324000, id_in(640324000, 'case_number'), (SELECT id FROM plan WHERE code = 'tongxin'), id, number, '张*',
       640324101, '试验村', now() - interval '400 days', current_date - 400, true, '{}' FROM home"""


class Importer(threading.Thread):
    """Sends one file after another, each until it is answered, with one key."""

    def __init__(self, addresses, token, stop):
        super().__init__(daemon=True)
        self.wires = [Wire(address, token) for address in addresses]
        self.stop_at, self.trouble = stop, None
        self.sent, self.again = [], 0

    def run(self):
        try:
            while not self.stop_at.is_set():
                self.upload(households(["640324101"], IMPORT_ROWS, IMPORT_PLAN))
                self.stop_at.wait(0.5)
        except BaseException as trouble:
            self.trouble = trouble
            self.stop_at.set()
        finally:
            for wire in self.wires:
                wire.close()

    def upload(self, data):
        key = str(uuid.uuid4())
        while True:
            try:
                reply = random.choice(self.wires).upload(f"/imports?plan={IMPORT_PLAN}&mode=good_rows", data, key)
            except NO_ANSWER:
                reply = None
            if reply and reply.status == 202:
                self.sent.append(reply.json["id"])
                return
            busy = reply is None or reply.status == 503 or b'"request_in_progress"' in reply.body
            assert busy, f"an upload: {reply!r}"
            self.again += 1
            time.sleep(0.05)


class Soak:
    def __init__(self, workspace, seed=1, movers=12, cases=400, say=print):
        self.workspace, self.say = workspace, say
        self.dice = random.Random(seed)
        self.seed = seed
        self.cluster = MortalCluster(workspace, "soak").start()
        self.database = self.cluster.main_database().migrate()
        self.line = Proxy(self.cluster, workspace.path / "line")
        self.programs = []
        self.kinds, self.returns = Counter(), []
        self.deeds, self.codes, self.retried = [], Counter(), 0
        self.imports, self.imports_again, self.quiet = [], 0, 0
        self.rounds = self.cycles = 0
        self.deed_time = {}
        self.marks = workspace.marks()
        self._start(movers, cases)

    # --- the ground ---

    def _program(self, *arguments, **environment):
        program = Program(self.database, *arguments, **environment).start()
        self.programs.append(program)
        return program

    def _start(self, movers, cases):
        self.front = self._program("serve", "--no-work", TANTU_DATABASE=self.line.conninfo())
        self.pair = self._program("serve", "--processes", 2, TANTU_LISTEN=f"127.0.0.1:{free_port()}")
        self.workers = [self._program("work") for _ in range(2)]
        self.servers = [self.front, self.pair]
        admin = Client(self.front, None).sign_in("admin", ADMIN_PASSWORD)
        people = People(admin)
        self.managers = [people.manager("630000") for _ in range(3)]
        self.importing = people.manager("640324")
        self.managers[0].import_file(PLAN, households(PLACES[:2], cases))
        self.database.sql("UPDATE job SET schedule = 'every 0.3 seconds', run_at = now() WHERE unique_key = 'totals_fold'")
        self.database.sql("UPDATE job SET schedule = 'every 1 seconds', run_at = now() WHERE kind = 'overdue_scan'")
        self.book = Book(self.managers[0], PLAN, townships=PLACES)
        self.mover_count = movers

    def close(self):
        self.cluster.revive()
        for program in self.programs:
            if program.running:
                send(program.pid, signal.SIGCONT)
            program.kill()
        self.line.close()
        self.cluster.destroy()

    # --- what can go wrong: each leaves everything running again ---

    def _away(self, program, most=0.3):
        program.kill()
        time.sleep(self.dice.random() * most)
        program.start()

    def _freeze(self, pids, most):
        for pid in pids:
            send(pid, signal.SIGSTOP)
        time.sleep(self.dice.random() * most)
        for pid in pids:
            send(pid, signal.SIGCONT)

    def _back(self):
        """PostgreSQL answers again: how long until a write has been acknowledged?"""
        begun = time.monotonic()
        wait_until(lambda: self.stop.is_set() or max(mover.last_good for mover in self.movers) > begun, 60,
                   "a 2xx after PostgreSQL's return")
        self.returns.append(time.monotonic() - begun)

    def server_killed(self):
        self._away(self.dice.choice(self.servers))

    def server_child_killed(self):
        """The parent of two starts another."""
        children = Path(f"/proc/{self.pair.pid}/task/{self.pair.pid}/children").read_text().split()
        os.kill(int(self.dice.choice(children)), signal.SIGKILL)

    def server_terminated(self):
        self.dice.choice(self.servers).restart()

    def server_frozen(self):
        self._freeze([self.front.pid], 1.0)

    def worker_killed(self):
        self._away(self.dice.choice(self.workers))

    def worker_terminated(self):
        self.dice.choice(self.workers).restart()

    def worker_frozen(self):
        """Its leases run out meanwhile."""
        worker = self.dice.choice(self.workers)
        send(worker.pid, signal.SIGSTOP)
        expire_leases(self.database)
        time.sleep(self.dice.random())
        send(worker.pid, signal.SIGCONT)

    def line_cut(self):
        self.line.cut_all()

    def postgres_killed(self):
        self.cluster.kill()
        time.sleep(self.dice.random() * 0.3)
        self.cluster.start()
        self._back()

    def postgres_stopped_at_once(self):
        self.cluster.stop("immediate")
        time.sleep(self.dice.random() * 0.3)
        self.cluster.start()
        self._back()

    def postgres_restarted(self):
        self.cluster.stop("fast")
        self.cluster.start()
        self._back()

    def backend_killed(self):
        self.cluster.kill_backend(self.dice)
        self.cluster.wait_for_return()
        self._back()

    def postgres_frozen(self):
        self.cluster.freeze()
        time.sleep(self.dice.random())
        self.cluster.revive()
        self._back()

    DEEDS = {"server_killed": 4, "server_child_killed": 3, "server_terminated": 2, "server_frozen": 1, "worker_killed": 4,
             "worker_terminated": 1, "worker_frozen": 1, "line_cut": 3, "postgres_killed": 2, "postgres_stopped_at_once": 1,
             "postgres_restarted": 1, "backend_killed": 3, "postgres_frozen": 1}

    # --- rounds ---

    def run(self, cycles, writes, minutes, at_once=ROUND_CYCLES):
        """True when both numbers were reached in time. Raises at the first thing that is not as it must be."""
        self.begun = time.monotonic()
        deadline = self.begun + minutes * 60
        while (self.cycles < cycles or self.acknowledged() < writes) and time.monotonic() < deadline:
            left = max(1, min(at_once, cycles - self.cycles)) if self.cycles < cycles else 0
            self._round(left, deadline, seconds=0 if left else 20)
            self.say(self.summary())
        return self.cycles >= cycles and self.acknowledged() >= writes

    def _round(self, cycles, deadline, seconds):
        self.stop = threading.Event()
        addresses = [server.address for server in self.servers]
        self.movers = [Mover(self.book, addresses, self.managers[n % 3].token, f"{self.seed} {self.rounds} {n}", self.stop,
                             patient=True, repeats=0.03) for n in range(self.mover_count)]
        importer = Importer(addresses, self.importing.token, self.stop)
        for thread in [*self.movers, importer]:
            thread.start()
        try:
            for name in self._plan(cycles):
                if self.stop.wait(0.05 + self.dice.random() * 0.3) or time.monotonic() > deadline:
                    break
                self._cycle(name)
            self.stop.wait(seconds or 0.3)
        finally:
            self.stop.set()
        finish([*self.movers, importer])
        self.rounds += 1
        self.deeds += [deed for mover in self.movers for deed in mover.deeds]
        self.codes += tally(self.movers)
        self.retried += sum(mover.retried for mover in self.movers)
        self.imports += importer.sent
        self.imports_again += importer.again
        self._check()

    def _plan(self, cycles):
        """Each kind once, then the weightier more often."""
        names = self.dice.sample(list(self.DEEDS), len(self.DEEDS))
        while len(names) < cycles:
            deck = [name for name, weight in self.DEEDS.items() for _ in range(weight)]
            names += self.dice.sample(deck, len(deck))
        return names[:cycles]

    def _cycle(self, name):
        before = time.monotonic()
        getattr(self, name)()
        self.deed_time[name] = max(self.deed_time.get(name, 0), time.monotonic() - before)
        self.kinds[name] += 1
        self.cycles += 1
        wait_until(self._owe_reminders, 30, "PostgreSQL")
        for program in self.programs:
            assert program.running, f"{program.log.name} ended by itself:\n{program.text()[-3000:]}"

    def _owe_reminders(self):
        """After a PostgreSQL that has just come back this may fail; whether it was done is seen in the database."""
        try:
            self.database.sql(OVERDUE, QUIET_CASES)
            return True
        except psycopg2.OperationalError:
            return False

    def _check(self):
        self.cluster.wait_for_return()
        expire_leases(self.database)
        wait_until(lambda: self.database.sql("SELECT count(*) FROM retrofit_case c WHERE household_number LIKE 'Q%%' AND NOT EXISTS "
                                             "(SELECT FROM outbox o WHERE o.case_id = c.id)") == [(0,)], 60, "all reminders")
        invariants(self.database, self.deeds)
        assert max(self.returns, default=0) <= RETURN_SECONDS, f"back after {sorted(self.returns)[-5:]} s"
        # One for each step of each stay in a stage; whatever else is told, once a version.
        twice = self.database.sql("SELECT case_id, kind, step, coalesce(stay::text, case_version::text), count(*) FROM outbox "
                                  "GROUP BY 1, 2, 3, 4 HAVING count(*) > 1")
        assert twice == [], f"reminded twice: {twice[:5]}"
        self.quiet = self.database.sql("SELECT count(*) FROM retrofit_case WHERE household_number LIKE 'Q%%'")[0][0]
        self._check_imports()
        accepted = self.database.sql("SELECT count(*) FROM retrofit_case c JOIN plan p ON p.id = c.plan_id "
                                     "WHERE p.code = %s AND c.accepted_on IS NOT NULL", PLAN)[0][0]
        assert self.managers[0].progress(PLAN)["accepted"] == accepted
        found = [f"{name}: {fatal_lines(text)}" for name, text in self.workspace.since(self.marks) if fatal_lines(text)]
        assert not found, "\n".join(found)
        self.marks = self.workspace.marks()

    def _check_imports(self):
        rows = self.database.sql("SELECT i.id, state, (outcome->>'accepted')::int, (outcome->>'cases_opened')::int FROM needs_import i "
                                 "JOIN plan p ON p.id = i.plan_id WHERE p.code = %s ORDER BY 1", IMPORT_PLAN)
        assert [row[0] for row in rows] == sorted(self.imports), "imports in the database, then as acknowledged: " \
            f"{[row[0] for row in rows][-9:]} {sorted(self.imports)[-9:]}"
        wrong = [row for row in rows if row[1:] != ("done", IMPORT_ROWS, IMPORT_ROWS)]
        assert not wrong, f"imports that are not whole: {wrong}"

    def acknowledged(self):
        return sum(1 for deed in self.deeds if deed.status == 200) + len(self.imports)

    def summary(self):
        late = sorted(self.returns) or [0]
        return {"at": datetime.now(timezone.utc).strftime("%H:%M:%S"), "seconds": round(time.monotonic() - self.begun), "seed": self.seed,
                "cycles": self.cycles, "acknowledged": self.acknowledged(), "lost": 0, "doubled": 0,
                "sent again": self.retried, "refused": sum(n for name, n in self.codes.items() if name in Mover.REFUSALS),
                "imports": len(self.imports), "reminders": self.quiet,
                "back after s (median, worst)": [round(late[len(late) // 2], 2), round(late[-1], 2)], "kinds": dict(self.kinds)}

    def describe(self):
        return json.dumps(self.summary(), ensure_ascii=False)

