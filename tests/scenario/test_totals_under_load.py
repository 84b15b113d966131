# SPDX-License-Identifier: Apache-2.0
"""32 clients move 2,000 cases at random, over three server processes, while workers fold. Every figure is exact at every
moment: readers compare it with a recount of the events in the same snapshot, and who was told "accepted" reads it next."""
import csv
import random
import threading
from collections import Counter, defaultdict

import pytest
from conftest import People
from load import STAGES, Book, Mover, Recount, free_port, households, run_all, tally
from processes import ADMIN_PASSWORD, ROOT

SECONDS = 25
QUIET = 6  # clients with a county of their own, who know what every figure of it must be
PLAN = "qinghai"


def townships_by_county():
    found = defaultdict(list)
    with open(ROOT / "db" / "data" / "regions.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["level"] == "township" and row["code"].startswith("63"):
                found[row["parent_code"]].append(row["code"])
    return dict(sorted(found.items()))


class QuietMover(Mover):
    """Alone in its county. After every answer it asks one of the servers for the figures: they must be its own."""

    def __init__(self, county, *arguments, **options):
        super().__init__(*arguments, **options)
        self.county = county
        self.stages = Counter(case.stage for case in self.book.cases.values())
        self.reads = 0

    def act(self):
        deed = super().act()
        if deed.status != 200:
            return
        self.stages[deed.from_stage] -= 1
        self.stages[deed.answer["stage"]] += 1
        reply = self.dice.choice(self.wires).request("GET", f"/plans/{PLAN}/progress?region={self.county}")
        assert reply.status == 200, repr(reply)
        figures = reply.json
        wanted = {stage: self.stages[stage] for stage in STAGES}
        assert figures["by_stage"] == wanted, f"after {deed.body}, told {deed.answer['stage']}"
        assert figures["accepted"] == wanted["accepted"] + wanted["closed"]
        assert figures["exact"] is True
        self.reads += 1


class Reader(threading.Thread):
    def __init__(self, recount, stop):
        super().__init__(daemon=True)
        self.recount, self.stop_at, self.trouble = recount, stop, None

    def run(self):
        try:
            while not self.stop_at.is_set():
                self.recount.check()
            self.recount.check()
        except BaseException as trouble:
            self.trouble = trouble
            self.stop_at.set()
        finally:
            self.recount.close()


class Folder(threading.Thread):
    """Folds a few deltas at a time beside the workers, so that folds meet."""

    def __init__(self, database, most, stop):
        super().__init__(daemon=True)
        self.database, self.most, self.stop_at, self.trouble, self.folded = database, most, stop, None, 0

    def run(self):
        connection = self.database.connect("super")
        try:
            with connection.cursor() as cursor:
                while not self.stop_at.wait(0.02):
                    cursor.execute("SELECT totals_fold(%s)", [self.most])
                    self.folded += cursor.fetchone()[0]
        except BaseException as trouble:
            self.trouble = trouble
            self.stop_at.set()
        finally:
            connection.close()


@pytest.fixture
def place(make_database):
    """A database of its own, folding five times a second."""
    database = make_database()
    database.sql("UPDATE job SET schedule = 'every 0.2 seconds', run_at = now() WHERE unique_key = 'totals_fold'")
    return database


def test_no_difference_ever(place, make_server, client_of, contract):
    several = make_server("serve", "--processes", 2, database=place, TANTU_LISTEN=f"127.0.0.1:{free_port()}")
    single = make_server("serve", database=place)
    worker = make_server("work", database=place)
    admin = client_of(several).sign_in("admin", ADMIN_PASSWORD)
    people = People(admin)
    managers = [people.manager("630000") for _ in range(4)]

    places = townships_by_county()
    counties = list(places)
    quiet, shared = counties[-QUIET:], counties[:-QUIET]
    everywhere = [code for county in shared for code in places[county]]
    managers[0].import_file(PLAN, households(everywhere, 2000 - 20 * QUIET))
    for county in quiet:
        managers[0].import_file(PLAN, households(places[county], 20))
    assert managers[0].progress(PLAN)["by_stage"]["registered"] == 2000

    stop = threading.Event()
    servers = [several.address, single.address]
    book = Book(managers[0], PLAN, townships=random.Random(7).sample(everywhere, min(12, len(everywhere))))
    books = {county: Book(managers[0], PLAN, county, places[county]) for county in quiet}
    book.ids = [number for number in book.ids if all(number not in other.cases for other in books.values())]
    assert len(book.ids) == 2000 - 20 * QUIET and all(len(other.ids) == 20 for other in books.values())
    random.Random(1).shuffle(book.ids)
    movers = [Mover(book, servers, managers[n % 4].token, n, stop, contract=contract if n == 0 else None)
              for n in range(32 - QUIET)]
    movers += [QuietMover(county, books[county], servers, managers[n % 4].token, 100 + n, stop)
               for n, county in enumerate(quiet)]
    regions = ["630100", *shared[:3], quiet[0], book.townships[0]]
    readers = [Reader(Recount(place, PLAN, regions), stop) for _ in range(2)]
    folders = [Folder(place, most, stop) for most in (40, 400)]
    run_all(movers + readers + folders, stop, SECONDS)

    done = tally(movers)
    print(f"\n{sum(mover.codes.total() for mover in movers)} requests, {sum(r.recount.checks for r in readers)} snapshots, "
          f"{sum(r.recount.figures for r in readers)} figures, {sum(m.reads for m in movers[-QUIET:])} reads of one's own "
          f"writes, {sum(folder.folded for folder in folders)} folded beside the workers\n{done.most_common()}")
    for what in ("transition built→accepted", "transition accepted→built", "transition built→rework", "transition accepted→closed",
                 "transition registered→withdrawn", "transition withdrawn→registered", "transition rework→building", "stale"):
        assert done[what] > 0, f"the load had no {what}"
    for kind in ("relocate", "take_back", "transition suspended"):
        assert any(name.startswith(kind) for name in done), f"the load had no {kind}"
    assert all(reader.recount.checks >= 5 for reader in readers)
    # The figures moved under the readers' eyes, folded and not folded.
    assert len({accepted for reader in readers for accepted, _ in reader.recount.seen}) > 5
    assert any(waiting for reader in readers for _, waiting in reader.recount.seen)
    assert all(mover.reads > 20 for mover in movers[-QUIET:])

    check_the_end(place, managers[0], book, quiet)
    events = place.sql("SELECT count(*) FROM case_event WHERE kind <> 'open'")[0][0]
    assert events == sum(1 for mover in movers for deed in mover.deeds if deed.status == 200 and moved(deed, mover))
    worker.stop()


def moved(deed, mover):
    """A relocation to where the household is already leaves no event."""
    return deed.kind != "relocate" or deed.answer["region"] != deed.from_region


def check_the_end(database, manager, book, quiet):
    figures = manager.progress(PLAN)
    accepted = [item["id"] for item in manager.pages("/cases", plan=PLAN, counted="true", limit=200)]
    assert len(accepted) == len(set(accepted)) == figures["accepted"] > 0
    by_stage = Counter(item["stage"] for item in manager.pages("/cases", plan=PLAN, limit=200))
    assert {stage: by_stage[stage] for stage in STAGES} == figures["by_stage"]
    assert sum(by_stage.values()) == 2000
    said = database.run("verify", "totals").stdout
    assert said.startswith("totals agree: 2000 cases"), said
