# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a worker at any byte of an import: what it has begun is undone or done, and a worker that is started again ends it
with exactly the figures of one that was left in peace. TANTU_IMPORT_KILLS and TANTU_IMPORT_SEED: more of them, other ones."""
import os
import random
import signal

import needs
import pytest
from faults import READY
from ledger import expire_leases, invariants
from processes import ROOT, wait_until

RELEASE = ROOT / "build" / "release" / "tantu"
PLAN = "tongxin"
KILLS = int(os.environ.get("TANTU_IMPORT_KILLS", 8))
SEED = os.environ.get("TANTU_IMPORT_SEED", "short")
HOUSEHOLDS, ALONE, BAD, TWICE = 700, 700, 60, 20
ROWS = 2 * HOUSEHOLDS + ALONE + BAD + TWICE  # three batches
FIGURES = ("state accepted rejected rejected_by_code persons households households_with_retrofit_need eligible_households "
           "device_needs cases_opened committed").split()


def a_file(dice):
    """In some order; its (rows, households)."""
    rows = [row for _ in range(HOUSEHOLDS) for row in needs.household(PLAN, 2, **{"辅具需求": "轮椅"})]
    rows += [needs.row(PLAN) for _ in range(ALONE)]
    for _ in range(BAD):
        bad = needs.row(PLAN)
        digit = bad["残疾人证号"][16]
        rows.append({**bad, "残疾人证号": bad["残疾人证号"][:16] + str((int(digit) + 1) % 10) + bad["残疾人证号"][17:]})
    rows += [{**row} for row in rows[:TWICE]]
    dice.shuffle(rows)
    return needs.to_csv(rows), sorted({row["户编号"] for row in rows})


# What an import executes (not: prepares), as PostgreSQL's protocol has it: any connection of the lane may get any of its transactions.
STEPS = [b"\0import_" + name + b"\0" for name in (b"begin", b"regions", b"stage", b"refuse", b"settle", b"register")]
LAST = b"\0import_settle\0"


class Killer:
    """The rule of a Proxy before a worker: kills it when the import's transactions have sent so much. Other jobs pass beside it."""

    def __init__(self):
        self.worker = self.point = None
        self.sent = 0

    def arm(self, worker, point):
        """point: so many bytes, or "before", "with" or "after" the last transaction."""
        self.worker, self.sent, self.point = worker, 0, point

    def rule(self, side, data, link):
        if link.get("dead"):  # what it had sent before its death and nobody has read
            return None
        if not self.worker:
            return data
        if side == "down":
            return self.answered(data, link)
        link["import"] = link.get("import") or any(step in data for step in STEPS)
        link["last"] = link.get("last") or LAST in data
        if not link["import"]:
            return data
        self.sent += len(data)
        if isinstance(self.point, int):
            over = self.sent - self.point
            return self.kill(link, data[:len(data) - over]) if over >= 0 else data
        if link["last"] and self.point in ("before", "with"):
            return self.kill(link, data if self.point == "with" else None)
        return data

    def answered(self, data, link):
        if not data.endswith(READY):
            return data
        if link.get("last") and self.point == "after":
            return self.kill(link, None)
        link["import"] = link["last"] = False
        return data

    def kill(self, link, passes):
        os.kill(self.worker.pid, signal.SIGKILL)
        self.worker, link["dead"] = None, True
        return passes


class Imports:
    def __init__(self, place, manager, killer, start):
        self.place, self.manager, self.killer, self.start = place, manager, killer, start
        self.dice = random.Random(SEED)
        self.worker, self.figures = start(), None

    def in_peace(self):
        """The figures that all have, and how many bytes it takes."""
        data, _ = a_file(self.dice)
        self.killer.arm(self.worker, 1 << 40)
        done = self.manager.import_file(PLAN, data)
        self.figures = {name: done[name] for name in FIGURES}
        assert (done["accepted"], done["rejected"]) == (ROWS - BAD - TWICE, BAD + TWICE)
        assert done["households"] == done["cases_opened"] == HOUSEHOLDS + ALONE
        return self.killer.sent

    def count(self, households):
        """What is registered of them: households, people, needs, cases."""
        mine = "plan_region = 640324000 AND household_id IN (SELECT id FROM home)"
        return self.place.sql(f"WITH home AS MATERIALIZED (SELECT id FROM household WHERE plan_region = 640324000 AND number = ANY (%s)) "
                              f"SELECT (SELECT count(*) FROM home), (SELECT count(*) FROM person WHERE {mine}), "
                              f"(SELECT count(*) FROM need WHERE {mine}), (SELECT count(*) FROM retrofit_case WHERE {mine})", households)[0]

    def killed(self, points):
        """One import, its worker killed at each of these points; [(point, rows checked, state) when it was]."""
        data, households = a_file(self.dice)
        seen = []
        self.killer.arm(self.worker, points[0])
        number = self.manager.upload(PLAN, data)
        for at, point in enumerate(points):
            wait_until(lambda: self.killer.worker is None, 60, f"the kill at {point}")
            self.worker.kill()
            state, checked = self.place.sql("SELECT state, checked FROM needs_import WHERE id = %s", number)[0]
            seen.append((point, checked, state))
            found = self.count(households)
            assert found in ((0, 0, 0, 0), self.whole()), f"half an import, killed at {point}: {found}"
            self.killer.arm(None, None)
            self.worker = self.start()
            if at + 1 < len(points):
                self.killer.arm(self.worker, points[at + 1])
            expire_leases(self.place)
        done = wait_until(lambda: self.manager._ended(number), 60, f"the import, killed at {points}")
        assert {name: done[name] for name in FIGURES} == self.figures, f"killed at {points}: {done}"
        assert self.count(households) == self.whole()
        left = self.place.sql("SELECT (SELECT count(*) FROM import_row), (SELECT count(*) FROM import_refusal WHERE import_id = %s)", number)
        assert left == [(0, BAD + TWICE)]
        return seen

    def whole(self):
        people = 2 * HOUSEHOLDS + ALONE
        return HOUSEHOLDS + ALONE, people, 2 * people + 2 * HOUSEHOLDS, HOUSEHOLDS + ALONE


@pytest.fixture
def imports(place, proxy, make_server, manager_at):
    killer = Killer()
    line = proxy(killer.rule)
    server = make_server("serve", "--no-work", database=place)

    def start():
        worker = make_server("work", database=place, binary=RELEASE, TANTU_DATABASE=line.conninfo())
        wait_until(lambda: worker.events("working"), 30, "the worker")
        return worker
    return Imports(place, manager_at(server), killer, start)


def test_an_import_killed_at_any_byte(imports, place):
    whole = imports.in_peace()
    print(f"\nseed {SEED}, {whole} bytes in peace")
    rounds = [["before"], ["with"], ["after"], ["before", 1 + imports.dice.randrange(whole // 2)]]
    rounds += [[1 + imports.dice.randrange(whole - 200)] for _ in range(KILLS)]
    seen = [one for points in rounds for one in imports.killed(points)]
    print("\n".join(f"{point}: {checked} rows checked, {state}" for point, checked, state in seen))
    states = {point: state for point, _, state in seen if isinstance(point, str)}
    assert states["before"] == "running" and states["after"] == "done"
    place.sql("UPDATE job SET run_at = now() WHERE unique_key = 'totals_fold'")
    place.sql("NOTIFY job, 'totals'")
    invariants(place, cases=(len(rounds) + 1) * (HOUSEHOLDS + ALONE))
