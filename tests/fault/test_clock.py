# SPDX-License-Identifier: Apache-2.0
"""The clock of a server or a worker is set a day forward and back while it runs (libfaketime; timers keep the monotonic
clock, as in earnest). Sessions, leases and due times go by the database's clock, whatever a process believes."""
import time
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import needs
import pytest
from harness import PASSWORD, People
from ledger import invariants
from processes import ADMIN_PASSWORD, ROOT, wait_until
from stages import bring_in, move

RELEASE = ROOT / "build" / "release" / "tantu"
DAYS = [1, -1]


class Clock:
    """Of one process. It reads the file at every call."""

    def __init__(self, file):
        self.file = file
        self.set(0)

    def set(self, days):
        self.days = days
        partial = self.file.with_suffix(".new")
        partial.write_text(f"{days * 86400:+}\n")
        partial.chmod(0o644)
        partial.rename(self.file)

    def now(self):
        return datetime.now(timezone.utc) + timedelta(days=self.days)

    def environment(self):
        return {"LD_PRELOAD": "/usr/$LIB/faketime/libfaketimeMT.so.1", "FAKETIME_TIMESTAMP_FILE": str(self.file),
                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@pytest.fixture
def clock(workspace, tmp_path_factory):
    return Clock(workspace.path / f"clock-{len(list(workspace.path.glob('clock-*')))}")


@pytest.fixture(scope="module")
def place(cluster, database):
    """A database beside the shared one, in which nothing recurs while a test looks."""
    own = cluster.new_database().migrate()
    own.sql("UPDATE job SET run_at = now() + interval '1 hour' WHERE schedule IS NOT NULL")
    return own


@pytest.fixture
def tinkered(place, clock, make_server):
    return make_server("serve", "--no-work", database=place, binary=RELEASE, **clock.environment())


@pytest.fixture
def boss(tinkered, client_of):
    return client_of(tinkered).sign_in("admin", ADMIN_PASSWORD)


def check_date(client, clock):
    date = parsedate_to_datetime(client.get("/plans").headers["Date"])
    assert abs(date - clock.now()) < timedelta(seconds=3), (date, clock.now())


def test_the_date_of_an_answer_follows_the_clock(boss, clock):
    for days in (0, 1, -1, 0):
        clock.set(days)
        time.sleep(0.01)  # the clock that it reads ticks every few milliseconds
        check_date(boss, clock)


@pytest.mark.parametrize("days", DAYS)
def test_a_session_neither_ends_early_nor_lives_for_ever(place, boss, clock, days):
    user = People(boss).county("640324").user
    county = boss.sign_in(user, PASSWORD)
    mine = "account_id = (SELECT id FROM account WHERE name = %s)"
    ends = place.sql(f"UPDATE session SET expires_at = now() + interval '4 seconds' WHERE {mine} RETURNING expires_at", user)[-1][0]
    county.get("/plans")  # from now on the server knows it by heart
    clock.set(days)
    while place.sql("SELECT now() < %s - interval '1 second'", ends)[0][0]:
        county.get("/plans", expect=200)
        time.sleep(0.1)
    wait_until(lambda: place.sql("SELECT now() > %s", ends)[0][0], 10)
    county.get("/plans", expect=401, code="sign_in_required")
    boss.get("/plans", expect=200)
    boss.sign_in("admin", ADMIN_PASSWORD).get("/plans", expect=200)


@pytest.mark.parametrize("days", DAYS)
def test_the_future_begins_where_the_database_says(place, boss, clock, make_server, days):
    worker = make_server("work", database=place)
    manager = People(boss).manager("640324")
    case = bring_in(manager)[0]
    clock.set(days)
    tomorrow = (datetime.now(timezone.utc) + timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
    move(manager, case, "approved", tomorrow, expect=422, code="happened_in_future")
    just_now = (datetime.now(timezone.utc) - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert move(manager, case, "approved", just_now, expect=200)["stage_at"] == just_now
    events = manager.get(f"/cases/{case}/events").items
    recorded = datetime.fromisoformat(events[-1]["recorded_at"].replace("Z", "+00:00"))
    assert abs(recorded - datetime.now(timezone.utc)) < timedelta(minutes=2)
    worker.stop()


def add(database, **columns):
    columns = {"kind": "clean_up", "queue": "upkeep", **columns}
    return database.sql(f"INSERT INTO job ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))}) RETURNING id",
                        *columns.values())[0][0]


def state(database, number):
    return database.sql("SELECT state FROM job WHERE id = %s", number)[0][0]


@pytest.mark.parametrize("days", DAYS)
def test_jobs_neither_all_fire_nor_stall(place, clock, make_server, days):
    """What is due runs, what is due in a second runs then, what is due in an hour waits, and nobody's lease has run out."""
    worker = make_server("work", database=place, binary=RELEASE, **clock.environment())
    wait_until(lambda: worker.events("working"), 20, "the worker")
    held = add(place)
    place.sql("UPDATE job SET state = 'running', lease_token = nextval('job_lease'), worker = 'another', attempts = 1, "
              "lease_until = now() + interval '10 minutes' WHERE id = %s", held)
    later = add(place, run_at=datetime.now(timezone.utc) + timedelta(hours=1))
    clock.set(days)
    for _ in range(2):
        due, soon = add(place), add(place, run_at=datetime.now(timezone.utc) + timedelta(seconds=1))
        wait_until(lambda due=due: state(place, due) == "done", 10, "what is due")
        wait_until(lambda soon=soon: state(place, soon) == "done", 10, "what was due in a second")
        early = place.sql("SELECT finished_at < run_at FROM job WHERE id = %s", soon)[0][0]
        assert not early
        assert (state(place, later), state(place, held)) == ("queued", "running")
        clock.set(0)  # and back again, while its timer runs
    recurring = place.sql("UPDATE job SET schedule = 'every 1 seconds', run_at = now() WHERE kind = 'clean_up' AND schedule IS NOT NULL "
                          "RETURNING id")[0][0]
    place.sql("NOTIFY job, 'upkeep'")
    clock.set(days)
    began = place.sql("SELECT attempts, run_at FROM job WHERE id = %s", recurring)[0]
    wait_until(lambda: place.sql("SELECT run_at FROM job WHERE id = %s", recurring)[0][0] > began[1], 10, "its next time")
    ahead = place.sql("SELECT run_at < now() + interval '2 seconds' FROM job WHERE id = %s", recurring)[0][0]
    assert ahead, "its next time is a day away"
    place.sql("UPDATE job SET schedule = 'every 10 minutes', run_at = now() + interval '1 hour' WHERE id = %s", recurring)
    place.sql("DELETE FROM job WHERE id = ANY (%s)", [held, later])
    worker.stop()


def test_an_import_over_two_leaps(place, boss, clock, make_server):
    worker = make_server("work", database=place, binary=RELEASE, **clock.environment())
    manager = People(boss).manager("640324")
    number = manager.upload("tongxin", needs.to_csv([needs.row("tongxin") for _ in range(3000)]))
    clock.set(1)
    wait_until(lambda: manager.get(f"/imports/{number}")["state"] != "queued", 20)
    clock.set(-1)
    done = wait_until(lambda: manager._ended(number), 60)
    assert (done["state"], done["accepted"]) == ("done", 3000)
    place.sql("UPDATE job SET run_at = now() WHERE unique_key = 'totals_fold'")
    place.sql("NOTIFY job, 'totals'")
    invariants(place)
    worker.stop()
