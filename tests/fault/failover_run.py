# SPDX-License-Identifier: Apache-2.0
"""Clients move cases through two servers while the leader of a Patroni cluster is killed again and again. The servers are
never restarted; afterwards every acknowledged write is looked up, and every figure counted anew."""
import random
import threading
import time
from collections import Counter

from client import Client
from harness import People
from ledger import expire_leases, invariants
from load import Book, Mover, finish, households, tally
from patroni import PatroniCluster
from processes import ADMIN_PASSWORD, Program, fatal_lines, wait_until

PLAN = "qinghai"
PLACES = ["630106101", "630106102", "630121100"]
MOVERS, CASES = 8, 200
FAILOVER_SECONDS = 90  # how long one may take on a busy machine before it counts as none


class TimedMover(Mover):
    """Remembers when each write was acknowledged."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.good_at = []

    def judge(self, deed, reply):
        super().judge(deed, reply)
        if reply.status == 200:
            self.good_at.append(self.last_good)


class Failover:
    def __init__(self, workspace, seed="1", say=print, **environment):
        self.workspace, self.say, self.seed = workspace, say, seed
        self.dice = random.Random(seed)
        self.cluster, self.programs, self.kills = PatroniCluster(workspace), [], []
        self.deeds, self.codes, self.retried = [], Counter(), 0
        self.marks = workspace.marks()
        try:
            self.cluster.start()
            self.database = self.cluster.main_database().migrate()
            self._start(environment)
        except BaseException:
            self.close()
            raise

    def _start(self, environment):
        for arguments in (("serve", "--no-work"), ("serve", "--no-work"), ("work",)):
            self.programs.append(Program(self.database, *arguments, TANTU_REPLICA_DATABASE=self.cluster.replicas(),
                                         **environment).start())
        self.servers = self.programs[:2]
        self.pids = [program.pid for program in self.programs]
        admin = Client(self.servers[0], None).sign_in("admin", ADMIN_PASSWORD)
        self.people = People(admin)
        self.manager = self.people.manager("630000")
        self.manager.import_file(PLAN, households(PLACES[:2], CASES))
        self.database.sql("UPDATE job SET schedule = 'every 0.5 seconds', run_at = now() WHERE unique_key = 'totals_fold'")
        self.book = Book(self.manager, PLAN, townships=PLACES)

    def close(self):
        for program in self.programs:
            program.kill()
        self.cluster.destroy()

    # --- load ---

    def begin(self):
        self.stop = threading.Event()
        addresses = [server.address for server in self.servers]
        self.movers = [TimedMover(self.book, addresses, self.manager.token, f"{self.seed} {len(self.kills)} {n}", self.stop,
                                  patient=True) for n in range(MOVERS)]
        for mover in self.movers:
            mover.start()
        self.wait_for_writes()

    def wait_for_writes(self, since=None):
        """Every client has had a write acknowledged since then (now). The servers live on, whatever happens."""
        since = since or time.monotonic()

        def all_served():
            for program, pid in zip(self.programs, self.pids):
                assert program.running and program.pid == pid, f"{program.log.name} ended by itself:\n{program.text()[-3000:]}"
            return self.stop.is_set() or all(mover.last_good > since for mover in self.movers)
        wait_until(all_served, FAILOVER_SECONDS, "a write of every client")
        self.raise_trouble()

    def raise_trouble(self):
        for mover in self.movers:
            if mover.trouble:
                raise mover.trouble

    def end(self):
        self.stop.set()
        finish(self.movers)
        self.deeds += [deed for mover in self.movers for deed in mover.deeds]
        self.codes += tally(self.movers)
        self.retried += sum(mover.retried for mover in self.movers)

    # --- what is killed ---

    def kill_leader(self):
        """Under load; then it comes back as a follower, and the cluster is whole again."""
        leader = wait_until(self.cluster.leader, 30, "a leader")
        time.sleep(self.dice.random())
        begun = time.monotonic()
        leader.kill()
        killed = time.monotonic()
        new = wait_until(lambda: self._other_leader(leader), FAILOVER_SECONDS, "another leader")
        elected = time.monotonic()
        self.wait_for_writes()
        gap = self.longest_gap(begun)
        told = {"killed": leader.name, "leader": new.name, "seconds without writes": round(gap, 2),
                "elected after": round(elected - begun, 2), "killing took": round(killed - begun, 2)}
        self.kills.append(told)
        self.say(told)
        leader.start()
        self.cluster.wait_for_health()
        return told

    def _other_leader(self, old):
        new = self.cluster.leader()
        return new if new is not old else None

    def longest_gap(self, since):
        """The longest time in which nobody had a write acknowledged."""
        times = sorted(at for mover in self.movers for at in list(mover.good_at) if at > since - 2)
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    # --- the reckoning ---

    def check(self):
        """Nobody writes but the worker. Nothing acknowledged is missing, nothing is there twice, totals are right."""
        expire_leases(self.database)
        invariants(self.database, self.deeds)
        for program, pid in zip(self.programs, self.pids):
            assert program.running and program.pid == pid
        found = [f"{name}: {fatal_lines(text)}" for name, text in self.workspace.since(self.marks) if fatal_lines(text)]
        assert not found, "\n".join(found)
        accepted = self.database.sql("SELECT count(*) FROM retrofit_case c JOIN plan p ON p.id = c.plan_id "
                                     "WHERE p.code = %s AND c.accepted_on IS NOT NULL", PLAN)[0][0]
        assert self.manager.progress(PLAN)["accepted"] == accepted

    def acknowledged(self):
        return sum(1 for deed in self.deeds if deed.status == 200)

    def summary(self):
        gaps = sorted(kill["seconds without writes"] for kill in self.kills)
        return {"seed": self.seed, "leaders killed": len(self.kills), "acknowledged": self.acknowledged(), "lost": 0, "doubled": 0,
                "sent again": self.retried, "not answered or 503": {name: n for name, n in self.codes.items() if name in
                                                                    ("no answer", "database_unavailable", "outcome_unknown", "try_again")},
                "seconds without writes (each)": gaps, "worst": gaps[-1] if gaps else 0}
