# SPDX-License-Identifier: Apache-2.0
"""Backups carry the photos: of one instant while others arrive, linked where the backup before has them, put back, proved."""
import os
import shutil
import threading

import pictures
import pytest
import step_photos
from client import Client
from conftest import People
from processes import ADMIN_PASSWORD, Program
from stages import bring_in
from test_backup import folder, whole  # noqa: F401


@pytest.fixture(scope="module")
def place(cluster, database, contract):
    """A database of its own; a server, and a case with three photos."""
    place = cluster.new_database().migrate()
    place.server = Program(place, "serve").start()
    place.manager = People(Client(place.server, contract).sign_in("admin", ADMIN_PASSWORD)).manager("640324")
    (place.case,) = bring_in(place.manager)
    place.photos = [step_photos.send(place.manager, place.case, "before")["id"] for _ in range(3)]
    yield place
    place.server.stop()


def backup(place, folder, *arguments, check=True):
    return place.run("backup", folder, "--without-key", *arguments, check=check)


@pytest.fixture
def empty(cluster, workspace, place):
    """An empty database, and a data folder with the key."""
    other = cluster.new_database()
    other.var = workspace.path / f"var-restored-{os.urandom(4).hex()}"
    shutil.copytree(place.var / "keys", other.var / "keys")
    return other


def files(place):
    return {path.name: path for path in (place.var / "photos").glob("*/*.photo")}


def test_photos_are_backed_up_put_back_and_proved(place, folder, empty, make_server, contract):
    sent, stop = [], threading.Event()

    def keep_sending():
        manager = place.manager.clone()
        while not stop.is_set():
            sent.append(step_photos.send(manager, place.case, "before")["id"])
        manager.close()
    sender = threading.Thread(target=keep_sending)
    sender.start()
    try:
        backup(place, folder)
    finally:
        stop.set()
        sender.join()
    assert len(sent) > 2
    (made,) = whole(folder)
    listed = [line.split()[0] for line in (made / "photos.list").read_text().splitlines()]
    assert listed == sorted(listed) and 3 <= len(listed) <= 3 + len(sent)
    empty.run("restore", made)
    assert set(files(empty)) == {f"{name}.photo" for name in listed}
    assert empty.sql("SELECT count(*) FROM photo") == [(len(listed),)]
    assert f"photos agree: {len(listed)} known" in empty.run("verify", "photos").stdout
    server = make_server("serve", database=empty)
    client = Client(server, contract, place.manager.token)
    for photo in place.photos:
        assert client.get(f"/photos/{photo}").body == place.manager.get(f"/photos/{photo}").body
    # The next one takes no room for what is there, and does not need the one before.
    backup(place, folder, "--keep", "1")
    (second,) = whole(folder)
    assert second != made
    links = [path.stat().st_nlink for path in second.glob("photos/*/*.photo")]
    assert len(links) == 3 + len(sent)
    proved = place.run("backup", "prove", second)
    assert f"photos: {len(links)} there and as they were sent" in proved.stdout
    backup(place, folder)
    third = whole(folder)[-1]
    assert {path.stat().st_nlink for path in third.glob("photos/*/*.photo")} == {2}


def test_a_broken_photo_is_told_before_anything_changes(place, folder, empty):
    backup(place, folder)
    (made,) = whole(folder)
    photo = sorted(made.glob("photos/*/*.photo"))[0]
    keep = photo.read_bytes()
    photo.write_bytes(keep[:-1] + bytes([keep[-1] ^ 1]))
    for command in (("restore", made), ("backup", "prove", made)):
        done = empty.run(*command, check=False)
        assert done.returncode == 1 and f"{photo.name}: not what was backed up" in done.stderr, done
    photo.unlink()
    done = empty.run("restore", made, check=False)
    assert done.returncode == 1 and f"{photo.name}: missing from the backup" in done.stderr
    photo.write_bytes(keep)
    text = (made / "photos.list").read_text()
    (made / "photos.list").write_text(text.replace(photo.stem, "../../../../etc/passwd"))
    assert "not what was backed up" in empty.run("restore", made, check=False).stderr
    (made / "photos.list").write_text(text)
    # A file that is in place must be the same photo; sealed anew it still is.
    other = sorted(made.glob("photos/*/*.photo"))[1]
    target = empty.var / "photos" / photo.parent.name / photo.name
    target.parent.mkdir(parents=True)
    shutil.copy(other, target)
    done = empty.run("restore", made, check=False)
    assert done.returncode == 1 and f"{photo.name}: is there already and holds something else" in done.stderr
    assert empty.sql("SELECT to_regclass('photo')") == [(None,)]
    shutil.copy(photo, target)
    empty.run("restore", made)
    assert len(files(empty)) == len(list(made.glob("photos/*/*.photo")))


def test_a_missing_photo_does_not_stop_a_backup_and_is_not_proved(place, folder):
    name, path = sorted(files(place).items())[0]
    away = path.with_suffix(".away")
    os.rename(path, away)
    done = backup(place, folder, check=False)
    os.rename(away, path)
    assert done.returncode == 3 and f"{name}: missing; the backup is made without it" in done.stderr
    (made,) = whole(folder)
    done = place.run("backup", "prove", made, check=False)
    assert done.returncode == 1 and f"{name}: a case has this photo and the backup has it not" in done.stderr


def test_photos_that_were_given_up_are_left_out(place, folder):
    data = pictures.png()
    photo = step_photos.send(place.manager, place.case, "before", data)["id"]
    place.manager.delete(f"/cases/{place.case}/photos/{photo}", query={"note": "a"})
    hash = place.sql("UPDATE photo SET gone_at = now() WHERE hash = (SELECT photo FROM case_photo WHERE id = %s) RETURNING encode(hash, 'hex')",
                     photo)[0][0]
    backup(place, folder)
    assert hash not in (whole(folder)[0] / "photos.list").read_text()
