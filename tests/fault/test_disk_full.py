# SPDX-License-Identifier: Apache-2.0
"""The disk of the uploads is full, or fails: an upload is refused with a code that says which, nothing of it is kept,
everything else goes on, and sent again with its key it is taken. A small tmpfs in earnest, and the shim at every call."""
import errno
import threading
import uuid

import needs
import pytest
from faults import SmallDisk
from harness import People
from ledger import totals_agree
from load import Wire
from processes import ADMIN_PASSWORD, ROOT, wait_until
from shim import Shim
from stages import bring_in, move
from test_metrics import value

RELEASE = ROOT / "build" / "release" / "tantu"
PLAN = "tongxin"
PATH = f"/imports?plan={PLAN}&mode=good_rows"
DISK_KIB = 1024
CODES = {errno.ENOSPC: (507, "storage_full"), errno.EIO: (503, "storage_unavailable")}


def rows(count):
    """Of one person each, some 200 bytes long."""
    return needs.to_csv([needs.row(PLAN) for _ in range(count)])


def refused(manager, data, key=None):
    manager.post(PATH, data, headers={"Content-Type": "text/csv"}, key=key, expect=507, code="storage_full")


class Folder:
    """The uploads of a database, and what the database knows of them."""

    def __init__(self, place):
        self.place, self.path = place, place.var / "uploads"

    def files(self):
        return {file.name for file in self.path.iterdir() if file.name.startswith("needs-")}

    def known(self):
        return {name for name, in self.place.sql("SELECT file FROM needs_import")}

    def state(self):
        """Both, which are the same: no row without its file, no file without its row. A refused one goes after its answer."""
        wait_until(lambda: self.files() <= self.known(), 20, "the end of files without an import")
        assert self.files() == self.known()
        return self.files()


@pytest.fixture(scope="module")
def place(cluster, database):
    """A database beside the shared one, in which nothing recurs."""
    own = cluster.new_database().migrate()
    own.sql("UPDATE job SET run_at = now() + interval '10 hours' WHERE schedule IS NOT NULL")
    own.var.mkdir(exist_ok=True)
    return own


# --- a disk that is full ---


@pytest.fixture
def disk(place):
    disk = SmallDisk(place.var / "uploads", DISK_KIB)
    if disk.refusal:
        pytest.skip(f"no tmpfs can be mounted here: {disk.refusal}")
    yield disk
    disk.unmount()


@pytest.fixture
def folder(disk, place):
    place.sql("DELETE FROM needs_import")  # their files went with another disk
    return Folder(place)


@pytest.mark.parametrize("leave", [0, 64 << 10])
def test_a_full_disk_refuses_uploads_and_nothing_else(place, disk, folder, make_server, client_of, leave):
    """leave 0: not even the file's first bytes go onto it; else it is full in the middle."""
    server = make_server("serve", database=place)
    admin = client_of(server).sign_in("admin", ADMIN_PASSWORD)
    manager = People(admin).manager("640324")
    cases = bring_in(manager, 2)
    before = folder.state()
    data, key = rows(1500), str(uuid.uuid4())
    assert len(data) > 4 * leave
    disk.fill(leave)
    for n in range(3):
        refused(manager, data, key)
        assert folder.state() == before
        refused(manager, rows(1500))  # another, without a key
        assert folder.state() == before
        assert disk.left() <= leave
        assert move(manager, cases[0], "approved" if n == 0 else "suspended" if n == 1 else "approved")["version"] == n + 2
        assert len(list(manager.pages("/cases", plan=PLAN))) >= len(cases)
        assert manager.progress(PLAN)["by_stage"]
    told = server.events("upload_not_kept")
    assert len(told) == 6 and {line["reason"] for line in told} == {"No space left on device"}
    assert value(client_of(server), "tantu_refused_total", 'reason="storage_full"') == 6
    disk.free()
    number = manager.upload(PLAN, data, key=key)
    assert manager.upload(PLAN, data, key=key) == number
    done = wait_until(lambda: manager._ended(number), 60, "the import")
    assert (done["state"], done["accepted"], done["cases_opened"]) == ("done", 1500, 1500)
    assert len(folder.state()) == len(before) + 1
    totals_agree(place)


def test_an_import_at_the_machine_onto_a_full_disk(place, disk, folder, make_server, tmp_path):
    """Said in one line, and nothing of it is kept."""
    make_server("serve", "--no-work", database=place).stop()  # it makes the key
    file = tmp_path / "needs.csv"
    file.write_bytes(rows(1500))
    disk.fill(64 << 10)
    done = place.run("import", "--plan", PLAN, file, check=False)
    assert done.returncode == 1 and "No space left on device" in done.stderr and done.stderr.count("\n") == 1, done
    assert folder.state() == set()


def test_uploads_that_fill_the_disk_together(place, disk, folder, make_server, manager_at):
    """Eight at once onto a disk that has room for three: who finds room is taken whole, the others are refused whole."""
    server = make_server("serve", database=place)
    manager = manager_at(server)
    files = [rows(1500) for _ in range(8)]
    assert DISK_KIB * 1024 // 4 < len(files[0]) < DISK_KIB * 1024 // 3
    keys = [str(uuid.uuid4()) for _ in files]
    replies = [None] * len(files)

    def send(n):
        wire = Wire(server.address, manager.token)
        replies[n] = wire.upload(PATH, files[n], keys[n])
        wire.close()
    threads = [threading.Thread(target=send, args=(n,), daemon=True) for n in range(len(files))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive(), "an upload was never answered"
    taken = [n for n, reply in enumerate(replies) if reply.status == 202]
    assert len(taken) <= 3
    assert all((replies[n].status, replies[n].json["code"]) == (507, "storage_full") for n in range(8) if n not in taken), replies
    assert len(folder.state()) == len(taken)
    disk.grow(16 * 1024)
    numbers = [manager.upload(PLAN, data, key=key) for data, key in zip(files, keys)]
    assert [numbers[n] for n in taken] == [replies[n].json["id"] for n in taken]
    for number in numbers:
        done = wait_until(lambda number=number: manager._ended(number), 90, "the imports")
        assert (done["state"], done["accepted"], done["cases_opened"]) == ("done", 1500, 1500)
    assert len(set(numbers)) == len(folder.state()) == 8
    totals_agree(place)


# --- a disk that fails at its n-th call ---


@pytest.fixture
def shim(workspace, place):
    return Shim(workspace.path / f"shim-{uuid.uuid4().hex[:8]}", place.var / "uploads")


@pytest.fixture
def fragile(place, shim, make_server):
    place.sql("DELETE FROM needs_import")
    for file in Folder(place).files() if (place.var / "uploads").exists() else ():
        (place.var / "uploads" / file).unlink()
    return make_server("serve", "--no-work", database=place, binary=RELEASE, **shim.environment)


@pytest.mark.parametrize("error", CODES, ids=errno.errorcode.get)
def test_an_upload_with_each_call_to_the_disk_failing(place, shim, fragile, manager_at, error):
    """open, write, fsync, and reading it again: of the file and of its folder."""
    folder, wire = Folder(place), Wire(fragile.address, manager_at(fragile).token)
    for n in range(1, 100):
        data, key, before = rows(400), str(uuid.uuid4()), folder.state()
        shim.fail_file(n, error)
        reply = wire.upload(PATH, data, key)
        fired = shim.fired
        shim.disarm()
        if not fired:
            assert reply.status == 202
            break
        assert (reply.status, reply.json["code"]) == CODES[error], f"call {n} failed: {reply!r}"
        assert folder.state() == before, f"call {n} failed"
        again = wire.upload(PATH, data, key)
        assert again.status == 202, f"call {n} failed, then: {again!r}"
        assert wire.upload(PATH, data, key).json["id"] == again.json["id"]
        assert len(folder.state()) == len(before) + 1
    print(f"\n{n - 1} calls")
    assert n > 12, "the shim did nothing"
    assert len(fragile.events("upload_not_kept")) == n - 1
    wire.close()


def test_refused_rows_while_the_disk_fails(place, shim, fragile, manager_at, make_server):
    """A file that cannot be read now is not said to be gone, and not to be the sender's fault."""
    manager = manager_at(fragile)
    bad = needs.row(PLAN)
    bad["残疾人证号"] = bad["残疾人证号"][:17] + ("0" if bad["残疾人证号"][17] != "0" else "1") + bad["残疾人证号"][18:]
    number = manager.upload(PLAN, needs.to_csv([needs.row(PLAN) for _ in range(800)] + [bad]))
    worker = make_server("work", database=place)
    done = wait_until(lambda: manager._ended(number), 60, "the import")
    worker.stop()
    assert (done["accepted"], done["rejected"]) == (800, 1)
    wire = Wire(fragile.address, manager.token)
    for n in range(1, 100):
        shim.fail_file(n, errno.EIO)
        reply = wire.request("GET", f"/imports/{number}/rejected")
        fired = shim.fired
        shim.disarm()
        if not fired:
            break
        assert (reply.status, reply.json["code"]) == (503, "storage_unavailable"), f"call {n} failed: {reply!r}"
    wire.close()
    assert n > 5, "the shim did nothing"
    assert len(fragile.events("refused_rows_not_made")) == n - 1
    assert reply.status == 200 and bad["姓名"].encode() in reply.body


def test_an_import_while_the_disk_fails(place, shim, make_server, manager_at):
    """The worker cannot read the upload now: it tries again, and does not blame the file."""
    manager = manager_at(make_server("serve", "--no-work", database=place))
    worker = make_server("work", database=place, binary=RELEASE, **shim.environment)
    wait_until(lambda: worker.events("working"), 20, "the worker")
    for n in range(1, 100):
        shim.fail_file(n, errno.EIO)
        number = manager.upload(PLAN, rows(400))

        def ended(number=number):
            place.sql("UPDATE job SET run_at = now() WHERE state = 'queued' AND schedule IS NULL")  # no time for its backoff
            place.sql("NOTIFY job, 'imports'")
            return manager._ended(number)
        done = wait_until(ended, 60, f"the import, call {n} failing")
        fired = shim.fired
        shim.disarm()
        assert (done["state"], done["accepted"], done["cases_opened"]) == ("done", 400, 400), f"call {n} failed: {done}"
        attempts = place.sql("SELECT attempts FROM job WHERE payload->>'import' = %s", str(number))
        assert attempts == [(2 if fired else 1,)]
        if not fired:
            break
    assert n > 5, "the shim did nothing"
    totals_agree(place)
