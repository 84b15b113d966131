# SPDX-License-Identifier: Apache-2.0
"""How long sealed uploads are kept: no longer than set after their import is over, and never shorter than anybody
needs them, whoever is killed when."""
import os
import threading
import time

import pytest
from conftest import People
from load import households
from processes import ADMIN_PASSWORD, wait_until
from test_metrics import value

PLAN = "tongxin"
SWEEP = "unique_key = 'uploads_sweep'"


@pytest.fixture
def place(make_database):
    place = make_database()
    place.sql(f"UPDATE job SET run_at = now() + interval '1 day' WHERE {SWEEP}")
    return place


@pytest.fixture
def manager_at(client_of):
    return lambda server: People(client_of(server).sign_in("admin", ADMIN_PASSWORD)).manager("640324")


def sweep(place, seconds=60):
    """Runs the job once; its row afterwards."""
    before = place.sql(f"SELECT finished_at FROM job WHERE {SWEEP}")[0][0]
    place.sql(f"UPDATE job SET run_at = now() WHERE {SWEEP}")
    place.sql("SELECT pg_notify('job', 'upkeep')")
    wait_until(lambda: place.sql(f"SELECT 1 FROM job WHERE {SWEEP} AND state = 'queued' AND finished_at IS DISTINCT FROM %s AND run_at > now()",
                                 before), seconds, "the sweep")


def files(place):
    return {path.name for path in (place.var / "uploads").iterdir() if path.name != ".installation"}


def old(path, hours):
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def over(place, number, days):
    place.sql("UPDATE needs_import SET created_at = now() - make_interval(days => %s), finished_at = now() - make_interval(days => %s) WHERE id = %s",
              days, days, number)


def file_of(place, number):
    return place.sql("SELECT file FROM needs_import WHERE id = %s", number)[0][0]


def test_uploads_go_when_their_time_is_over(place, make_server, manager_at):
    server = make_server("serve", database=place, TANTU_UPLOADS_DAYS="30")
    manager = manager_at(server)
    spent, fresh, failed, waiting = [manager.upload(PLAN, households(["640324101"], 2, PLAN)) for _ in range(4)]
    wait_until(lambda: place.sql("SELECT count(*) FROM needs_import WHERE state = 'done'") == [(4,)], 60)
    over(place, spent, 31)
    over(place, fresh, 29)
    over(place, failed, 400)
    over(place, waiting, 400)
    place.sql("UPDATE needs_import SET state = 'failed' WHERE id = %s", failed)
    # An import that waits, or whose job does, keeps its file however old it is.
    place.sql("UPDATE needs_import SET state = 'queued', finished_at = NULL WHERE id = %s", waiting)
    orphan, young, strange = [place.var / "uploads" / name for name in ("needs-of-nobody.sealed", "needs-on-its-way.sealed", "notes.txt")]
    for path in (orphan, young, strange):
        path.write_text("x")
    old(orphan, 25)
    old(young, 23)
    old(strange, 1000)
    sweep(place)
    assert files(place) == {file_of(place, fresh), file_of(place, waiting), young.name, strange.name}
    assert place.sql("SELECT array_agg(id ORDER BY id) FROM needs_import WHERE upload_gone_at IS NOT NULL") == [([spent, failed],)]
    manager.get(f"/imports/{spent}/rejected", expect=410, code="file_gone")
    manager.get(f"/imports/{fresh}/rejected", expect=200)
    deleted, = server.events("uploads_deleted")
    assert (deleted["expired"], deleted["orphans"]) == (2, 1)
    sweep(place)
    assert len(server.events("uploads_deleted")) == 1
    assert place.sql("SELECT uploads_missing FROM installation") == [(0,)]


def test_a_dead_import_without_its_upload_is_not_tried_again(place, make_server, manager_at, client_of):
    server = make_server("serve", database=place)
    number = manager_at(server).upload(PLAN, households(["640324101"], 1, PLAN))
    wait_until(lambda: place.sql("SELECT 1 FROM job WHERE kind = 'import' AND state = 'done'"), 60)
    place.sql("UPDATE job SET state = 'dead' WHERE kind = 'import'")
    over(place, number, 91)
    job, = place.sql("SELECT id FROM job WHERE kind = 'import'")[0]
    admin = client_of(server).sign_in("admin", ADMIN_PASSWORD)
    place.sql("UPDATE needs_import SET state = 'failed' WHERE id = %s", number)
    sweep(place)
    assert files(place) == set()
    admin.post(f"/jobs/{job}/retry", expect=409, code="upload_gone")
    assert place.sql("SELECT state FROM needs_import WHERE id = %s", number) == [("failed",)]


def test_a_missing_upload_is_told(place, make_server, manager_at, client_of):
    server = make_server("serve", database=place)
    manager = manager_at(server)
    numbers = [manager.upload(PLAN, households(["640324101"], 1, PLAN)) for _ in range(2)]
    wait_until(lambda: place.sql("SELECT count(*) FROM needs_import WHERE state = 'done'") == [(2,)], 60)
    for number in numbers:
        over(place, number, 1)
    (place.var / "uploads" / file_of(place, numbers[1])).unlink()
    sweep(place)
    told, = server.events("uploads_missing")
    assert (told["count"], told["first_import"]) == (1, numbers[1])
    wait_until(lambda: value(client_of(server), "tantu_uploads_missing") == 1, 60)
    assert value(client_of(server), "tantu_backup_proved_timestamp_seconds") == 0


def test_nothing_goes_while_a_backup_runs(place, make_server, manager_at):
    server = make_server("serve", database=place)
    number = manager_at(server).upload(PLAN, households(["640324101"], 1, PLAN))
    wait_until(lambda: place.sql("SELECT 1 FROM needs_import WHERE state = 'done'"), 60)
    over(place, number, 100)
    backup = place.connect("owner")
    backup.cursor().execute("SELECT pg_advisory_lock_shared(730118)")
    sweep(place)
    assert files(place) == {file_of(place, number)}
    backup.close()
    sweep(place)
    assert files(place) == set()


def test_another_installations_folder_is_left_alone(place, make_server, manager_at):
    server = make_server("serve", database=place)
    number = manager_at(server).upload(PLAN, households(["640324101"], 1, PLAN))
    wait_until(lambda: place.sql("SELECT 1 FROM needs_import WHERE state = 'done'"), 60)
    sweep(place)
    owner = place.var / "uploads" / ".installation"
    assert owner.read_text() == place.sql("SELECT id::text FROM installation")[0][0]
    over(place, number, 100)
    orphan = place.var / "uploads" / "needs-orphan.sealed"
    orphan.write_text("x")
    old(orphan, 100)
    place.sql("UPDATE installation SET id = gen_random_uuid()")  # as `tantu restore` does
    before = files(place)
    sweep(place)
    assert files(place) == before
    assert server.events("uploads_of_another_installation")
    owner.unlink()  # the operator says: it is mine
    sweep(place)
    assert files(place) == set()


def test_a_worker_killed_at_any_place_loses_nothing(place, make_server, manager_at):
    """Workers are killed again and again while they sweep and import: what an import needs is there to its end."""
    server = make_server("serve", "--no-work", database=place)
    manager = manager_at(server)
    spent = []
    for _ in range(6):
        spent.append(manager.upload(PLAN, households(["640324101"], 1, PLAN)))
    first = make_server("work", database=place)
    wait_until(lambda: place.sql("SELECT count(*) FROM needs_import WHERE state = 'done'") == [(6,)], 60)
    first.stop()
    for number in spent:
        over(place, number, 100)
    names = {file_of(place, number) for number in spent}
    place.sql(f"UPDATE job SET schedule = 'every 0.01 seconds', run_at = now() WHERE {SWEEP}")
    needed = [manager.upload(PLAN, households(["640324101"], 40, PLAN)) for _ in range(3)]
    # Each is killed as soon as it has done something: at another place each time.
    for pause in (0.0, 0.005, 0.02, 0.05):
        worker = make_server("work", database=place)
        wait_until(lambda: worker.events("working"), 60)
        threading.Event().wait(pause)
        worker.kill()
        place.sql("UPDATE job SET lease_until = now() - interval '1 second' WHERE state = 'running'")
    last = make_server("work", database=place)
    wait_until(lambda: not files(place) & names, 60, "the spent uploads to go")
    for number in needed:
        wait_until(lambda: place.sql("SELECT state FROM needs_import WHERE id = %s", number) == [("done",)], 90, "the imports")
    assert files(place) == {file_of(place, number) for number in needed}
    assert place.sql("SELECT sum((outcome->>'accepted')::int) FROM needs_import WHERE id = ANY(%s)", needed) == [(120,)]
    assert last.running
