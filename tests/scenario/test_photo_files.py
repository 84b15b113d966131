# SPDX-License-Identifier: Apache-2.0
"""The folder of photos: what nobody wants goes, what somebody wants stays, and `tantu verify photos` sees every difference."""
import os
import time
import uuid

import pictures
import pytest
import step_photos
from conftest import People
from processes import ADMIN_PASSWORD, wait_until
from stages import bring_in

SWEEP = "unique_key = 'photos_sweep'"


@pytest.fixture(scope="module")
def place(cluster, database, contract):
    from client import Client
    from processes import Program
    place = cluster.new_database().migrate()
    place.sql(f"UPDATE job SET run_at = now() + interval '1 day' WHERE {SWEEP}")
    place.server = Program(place, "serve", TANTU_PHOTOS_DAYS="30").start()
    place.manager = People(Client(place.server, contract).sign_in("admin", ADMIN_PASSWORD)).manager("640324")
    yield place
    place.server.stop()


def sweep(place):
    """Runs the job once."""
    before = place.sql(f"SELECT finished_at FROM job WHERE {SWEEP}")[0][0]
    place.sql(f"UPDATE job SET run_at = now() WHERE {SWEEP}")
    place.sql("SELECT pg_notify('job', 'upkeep')")
    wait_until(lambda: place.sql(f"SELECT 1 FROM job WHERE {SWEEP} AND state = 'queued' AND finished_at IS DISTINCT FROM %s AND run_at > now()",
                                 before), 60, "the sweep")


def old(path, hours):
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def file_of(place, photo):
    hash, = place.sql("SELECT encode(photo, 'hex') FROM case_photo WHERE id = %s", photo)[0]
    return place.var / "photos" / hash[:2] / f"{hash}.photo"


def verify(place, status=0):
    done = place.run("verify", "photos", check=False)
    assert done.returncode == status, done
    return done.stdout


def test_what_nobody_wants_goes(place):
    first, second = bring_in(place.manager, 2)
    data = pictures.png()
    shared = [step_photos.send(place.manager, case, "before", data)["id"] for case in (first, second)]
    removed = [step_photos.send(place.manager, first, "before")["id"] for _ in range(3)]
    for photo in (shared[0], *removed):
        place.manager.delete(f"/cases/{first}/photos/{photo}", query={"note": "a"})
    spent, fresh, young = removed
    place.sql("UPDATE case_photo SET removed_at = now() - interval '31 days' WHERE id IN (%s, %s, %s)", shared[0], spent, young)
    place.sql("UPDATE case_photo SET removed_at = now() - interval '29 days' WHERE id = %s", fresh)
    place.sql("UPDATE photo SET used_at = now() - interval '40 days'")
    folder = file_of(place, spent).parent
    strays = {"half": folder / f"{'0' * 64}.photo.new-12345678", "orphan": folder / f"{folder.name}{'1' * 62}.photo",
              "copy": folder / f"{folder.name}{'2' * 62}.thumb", "strange": folder / "notes.txt", "new": folder / f"{folder.name}{'3' * 62}.photo"}
    for path in strays.values():
        path.write_text("x")
        old(path, 25)
    old(strays["new"], 23)
    for photo in (shared[0], spent, fresh):
        old(file_of(place, photo), 1000)
    step = f"/cases/{first}/photos/{uuid.uuid4()}"
    place.manager.put(step, b"x" * 10, query={"slot": "before"}, headers={"Content-Range": "bytes 0-9/20"})
    place.manager.put(f"/cases/{first}/photos/{uuid.uuid4()}", b"x" * 10, query={"slot": "before"}, headers={"Content-Range": "bytes 0-9/20"})
    parts = sorted((place.var / "photos" / "parts").glob("*/*"))
    assert len(parts) == 2
    forgotten, = [part for part in parts if step.split("/")[-1] not in part.name]
    old(forgotten, 25)
    sweep(place)
    assert {name for name, path in strays.items() if path.exists()} == {"strange", "new"}
    assert [part.exists() for part in parts] == [part != forgotten for part in parts]
    assert not list(file_of(place, spent).parent.glob(file_of(place, spent).stem + "*")), "with all that was made of it"
    assert file_of(place, fresh).exists() and file_of(place, shared[0]).exists()
    assert place.manager.get(f"/photos/{shared[1]}").body
    assert file_of(place, young).exists() and place.sql("SELECT gone_at IS NOT NULL FROM photo WHERE encode(hash, 'hex') = %s",
                                                        file_of(place, young).stem) == [(True,)]
    deleted = place.server.events("photos_deleted")[-1]
    assert (deleted["halves"], deleted["parts"]) == (1, 1) and deleted["unwanted"] == 3
    strays["strange"].unlink()
    strays["new"].unlink()
    # Given up, its file is still young: the next sweep has it.
    old(file_of(place, young), 25)
    sweep(place)
    assert not file_of(place, young).exists()
    assert "photos agree" in verify(place)


def test_a_photo_that_was_given_up_comes_again(place):
    (case,) = bring_in(place.manager)
    data = pictures.png()
    first = step_photos.send(place.manager, case, "before", data)["id"]
    place.manager.delete(f"/cases/{case}/photos/{first}", query={"note": "a"})
    place.sql("UPDATE case_photo SET removed_at = now() - interval '31 days' WHERE id = %s", first)
    place.sql("UPDATE photo SET used_at = now() - interval '40 days'")
    sweep(place)
    hash = file_of(place, first).stem
    assert place.sql("SELECT gone_at IS NOT NULL FROM photo WHERE encode(hash, 'hex') = %s", hash) == [(True,)]
    again = step_photos.send(place.manager, case, "before", data)["id"]
    assert place.sql("SELECT gone_at FROM photo WHERE encode(hash, 'hex') = %s", hash) == [(None,)]
    sweep(place)
    assert place.manager.get(f"/photos/{again}").body
    # One whose file went meanwhile is not offered any more.
    place.sql("UPDATE photo SET gone_at = now() WHERE encode(hash, 'hex') = %s", hash)
    place.manager.get(f"/photos/{again}", expect=410, code="file_gone")
    place.sql("UPDATE photo SET gone_at = NULL WHERE encode(hash, 'hex') = %s", hash)


def test_every_difference_is_told(place):
    (case,) = bring_in(place.manager)
    assert "photos agree" in verify(place)
    away, broken, swapped, wrong = [file_of(place, step_photos.send(place.manager, case, "before")["id"]) for _ in range(4)]
    keep = {path: path.read_bytes() for path in (away, broken, swapped, wrong)}
    away.unlink()
    broken.write_bytes(keep[broken][:-1])
    swapped.write_bytes(keep[wrong])
    place.sql("UPDATE photo SET bytes = bytes + 1 WHERE encode(hash, 'hex') = %s", wrong.stem)
    stray = away.parent / f"{away.parent.name}{'4' * 62}.photo"
    stray.write_text("x")
    old(stray, 49)
    said = verify(place, 3)
    for line in (f"{away.stem}: no file", f"{broken.stem}: broken", f"{swapped.stem}: its fingerprint is another",
                 f"{wrong.stem}: it is of another length", f"{stray}: a file that nobody wants"):
        assert line in said, said
    assert len(said.splitlines()) == 5
    place.sql("UPDATE photo SET used_at = now() - interval '1 hour' WHERE encode(hash, 'hex') = %s", away.stem)
    sweep(place)
    assert place.server.events("photos_missing")[-1]["count"] == 1
    assert place.sql("SELECT photos_missing FROM installation") == [(1,)]
    for path, data in keep.items():
        path.write_bytes(data)
    place.sql("UPDATE photo SET bytes = bytes - 1 WHERE encode(hash, 'hex') = %s", wrong.stem)
    assert not stray.exists() and "photos agree" in verify(place)
    sweep(place)
    assert place.sql("SELECT photos_missing FROM installation") == [(0,)]


def test_another_installations_folder_is_left_alone(place):
    (case,) = bring_in(place.manager)
    sweep(place)
    owner = place.var / "photos" / ".installation"
    assert owner.read_text() == place.sql("SELECT id::text FROM installation")[0][0]
    file = file_of(place, step_photos.send(place.manager, case, "before")["id"])
    stray = file.parent / f"{file.parent.name}{'5' * 62}.photo"
    stray.write_text("x")
    old(stray, 25)
    place.sql("UPDATE installation SET id = gen_random_uuid()")  # as `tantu restore` does
    sweep(place)
    assert stray.exists() and place.server.events("photos_of_another_installation")
    owner.unlink()
    sweep(place)
    assert not stray.exists() and file.exists()
