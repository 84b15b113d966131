# SPDX-License-Identifier: Apache-2.0
"""A backup made beside a live server, restored and proved; and everything that is wrong with one is told before
anything changes."""
import json
import os
import resource
import shutil
import signal
import subprocess
import threading

import needs
import pytest
from conftest import People
from load import Book, Mover, finish, households, tally
from processes import ADMIN_PASSWORD, PROGRAM, wait_until

PASSPHRASE = "a passphrase for tests"
PLAN = "tongxin"
UNMISTAKABLE = "阿依古丽独一无二"


@pytest.fixture(scope="module")
def living(cluster, database, workspace, contract):
    """A database of its own with cases in it, an upload, and a server: (database, manager, server)."""
    from client import Client
    from processes import Program
    place = cluster.new_database().migrate()
    server = Program(place, "serve").start()
    manager = People(Client(server, contract).sign_in("admin", ADMIN_PASSWORD)).manager("640324")
    rows = [needs.row(PLAN, **{"区划代码": "640324101", "改造需求": "坡道", "姓名": UNMISTAKABLE}) for _ in range(3)]
    manager.import_file(PLAN, needs.to_csv(rows))
    manager.import_file(PLAN, households(["640324101", "640324102"], 60, PLAN))
    yield place, manager, server
    server.stop()


@pytest.fixture
def folder(workspace):
    return workspace.path / f"backups-{os.urandom(4).hex()}"


def backup(place, folder, *arguments, check=True, passphrase=PASSPHRASE, **environment):
    if passphrase:
        environment["TANTU_BACKUP_PASSPHRASE"] = passphrase
    return place.run("backup", folder, *arguments, check=check, **environment)


def whole(folder):
    """The backups in it, oldest first."""
    return sorted(path for path in folder.iterdir() if path.name.startswith("tantu-"))


@pytest.fixture(scope="module")
def made(living, workspace):
    """One backup, not to be changed; copy it."""
    folder = workspace.path / "backups-made"
    backup(living[0], folder)
    return whole(folder)[0]


@pytest.fixture
def copy(made, workspace):
    path = workspace.path / f"copy-{os.urandom(4).hex()}" / made.name
    shutil.copytree(made, path)
    return path


@pytest.fixture
def empty(cluster, workspace):
    """An empty database and data folder beside the others."""
    place = cluster.new_database()
    place.var = workspace.path / f"var-restored-{os.urandom(4).hex()}"
    return place


def restore(place, path, check=True, passphrase=PASSPHRASE, **environment):
    if passphrase:
        environment["TANTU_BACKUP_PASSPHRASE"] = passphrase
    return place.run("restore", path, check=check, **environment)


def refused(place, done, *words):
    """One line that says it, and nothing has changed."""
    assert done.returncode == 1, done
    said = done.stderr.strip()
    assert said.startswith("tantu: ") and "\n" not in said and "Sanitizer" not in said, said
    for word in words:
        assert word in said, f"{word!r} is not in: {said}"
    assert place.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]
    assert not (place.var / "uploads").exists() and not (place.var / "keys").exists()


def manifest(path):
    return json.loads((path / "manifest.json").read_text(encoding="utf-8"))


def prove(place, path, check=True, passphrase=PASSPHRASE, **environment):
    if passphrase:
        environment["TANTU_BACKUP_PASSPHRASE"] = passphrase
    scratch = place.cluster.workspace.path / f"scratch-{os.urandom(4).hex()}"
    scratch.mkdir(mode=0o755)
    done = place.run("backup", "prove", path, "--scratch", scratch, check=check, **environment)
    assert list(scratch.iterdir()) == [], "the scratch cluster is still there"
    return done


# --- it works ---


def test_a_backup_under_load_is_one_instant_and_comes_back(living, folder, empty, make_server, client_of):
    place, manager, server = living
    stop = threading.Event()
    movers = [Mover(Book(manager, PLAN), [server.address], manager.token, n, stop) for n in range(4)]
    for mover in movers:
        mover.start()
    wait_until(lambda: len(movers[0].deeds) > 5 or stop.is_set(), 60, "the load")
    said = [backup(place, folder).stdout for _ in range(2)]
    before = sum(len(mover.deeds) for mover in movers)
    wait_until(lambda: sum(len(mover.deeds) for mover in movers) > before or stop.is_set(), 60, "load after the backup")
    stop.set()
    finish(movers)
    assert tally(movers)
    assert all("inside, under the passphrase" in line for line in said)
    path = whole(folder)[1]

    told = prove(place, path).stdout
    assert told.splitlines()[-1].startswith(f"proved: {path}"), told
    for word in ("files: ", "key: the one inside", "figures agree", "totals agree: 63 cases", "126 sealed numbers", "uploads: 2"):
        assert word in told, told
    assert place.sql("SELECT count(*) FROM backup_record WHERE name = %s AND proved_at > now() - interval '5 minutes' AND bytes > 0",
                     path.name) == [(1,)]
    assert json.loads((path / "proved.json").read_text())["proved_at"].endswith("Z")

    assert "figures agree" in restore(empty, path).stdout
    figures = manifest(path)["figures"]
    assert figures["rows.retrofit_case"] == 63 and figures["rows.case_event"] > 63
    assert empty.sql("SELECT count(*) FROM case_event") == [(figures["rows.case_event"],)]
    assert empty.run("verify", "totals").stdout.startswith("totals agree: 63 cases")
    assert empty.sql("SELECT id FROM installation") != place.sql("SELECT id FROM installation")
    again = make_server("serve", database=empty)
    there = People(client_of(again).sign_in("admin", ADMIN_PASSWORD)).manager("640324")
    assert there.progress(PLAN)["accepted"] == figures["accepted.tongxin"]
    # The key works: a person is found by his number, and the refused rows of an upload can be read.
    mine = needs.row(PLAN, **{"区划代码": "640324101", "改造需求": "坡道"})
    there.import_file(PLAN, needs.to_csv([mine]))
    number = empty.sql("SELECT min(id) FROM needs_import")[0][0]
    there.get(f"/imports/{number}/rejected")


def test_nobody_reads_it_without_the_key(made, living):
    place = living[0]
    key = (place.var / "keys" / "master.key").read_text().strip()
    for path in [path for path in made.rglob("*") if path.is_file()]:
        data = path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0, path
        for secret in (UNMISTAKABLE.encode(), key.encode(), bytes.fromhex(key), b"PGDMP", b"CREATE TABLE", b"640324"):
            assert secret not in data, path
    assert made.stat().st_mode & 0o077 == 0


def test_the_key_may_travel_by_itself(living, folder, empty, made):
    place = living[0]
    said = backup(place, folder, "--without-key", passphrase=None).stdout
    assert "not inside" in said
    path = whole(folder)[0]
    assert not (path / "key.sealed").exists()
    refused(empty, restore(empty, path, check=False), "master key is needed", str(empty.var / "keys" / "master.key"))
    proved = prove(place, path, passphrase=None).stdout
    assert f"key: {place.var / 'keys' / 'master.key'} opens it" in proved
    elsewhere = folder / "copied.key"
    shutil.copy(place.var / "keys" / "master.key", elsewhere)
    restore(empty, folder, passphrase=None, TANTU_KEY_FILE=str(elsewhere))  # a folder of backups: the newest
    assert empty.run("verify", "totals").stdout.startswith("totals agree: 63 cases")


def test_a_choice_about_the_key_is_asked_for(living, folder):
    done = backup(living[0], folder, check=False, passphrase=None)
    assert done.returncode == 1 and "TANTU_BACKUP_PASSPHRASE" in done.stderr and "--without-key" in done.stderr
    done = backup(living[0], folder, check=False, passphrase="short")
    assert done.returncode != 0 and "TANTU_BACKUP_PASSPHRASE" in done.stderr and "short" not in done.stderr
    assert not folder.exists()


def test_keep_deletes_only_what_it_knows(living, folder, copy):
    place = living[0]
    folder.mkdir()
    strange = [folder / name for name in ("tantu-20200101T000000Z", "tantu-mine", "other", ".partial-mine")]
    for path in strange:
        path.mkdir()
        (path / "kept").write_text("x")
    foreign = folder / "tantu-20200102T000000Z"
    shutil.copytree(copy, foreign)
    text = (foreign / "manifest.json").read_text()
    (foreign / "manifest.json").write_text(text.replace(manifest(copy)["installation"], "0" * 36))
    dead = folder / ".partial-tantu-20200101T000000Z"
    dead.mkdir()
    (dead / "database.sealed").write_text("half")
    for _ in range(3):
        said = backup(place, folder, "--keep", "2", "--without-key", passphrase=None).stdout
    assert "1 older deleted" in said
    own = [path for path in whole(folder) if path not in [*strange, foreign]]
    assert len(own) == 2
    assert all((path / "kept").exists() for path in strange) and (foreign / "database.sealed").exists()
    assert not dead.exists()
    assert "2 older deleted" in backup(place, folder, "--keep", "1", "--without-key", passphrase=None).stdout
    assert len([path for path in whole(folder) if path not in [*strange, foreign]]) == 1
    for wrong in ("0", "-1", "two", "", "99999999999999999999"):
        done = backup(place, folder, "--keep", wrong, check=False)
        assert done.returncode == 1 and "--keep" in done.stderr, done


# --- what is wrong is told before anything changes ---


def damage(path, name):
    data = bytearray((path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (path / name).write_bytes(data)


@pytest.mark.parametrize("name", ["database.sealed", "key.sealed", "an upload"])
@pytest.mark.parametrize("fault", ["a bit", "cut", "gone"])
def test_a_broken_file(copy, empty, name, fault):
    if name == "an upload":
        name = f"uploads/{next((copy / 'uploads').iterdir()).name}"
    path = copy / name
    if fault == "a bit":
        damage(copy, name)
    elif fault == "cut":
        os.truncate(path, path.stat().st_size - 1)
    else:
        path.unlink()
    refused(empty, restore(empty, copy, check=False), str(path), "missing" if fault == "gone" else "SHA-256")


@pytest.mark.parametrize("change, words", [
    (lambda m: m.update(schema=9999, compatible_from=9998), ["newer program", "9999"]),
    (lambda m: m.update(tantu_backup=2), ["newer"]),
    (lambda m: m.pop("figures"), ["broken"]),
    (lambda m: m["files"].pop("database.sealed"), ["broken"]),
    (lambda m: m["files"].update({"../../etc/passwd": {"bytes": 1, "sha256": "x"}}), ["broken"]),
    (lambda m: m["files"].update({"uploads/../x": {"bytes": 1, "sha256": "x"}}), ["broken"]),
    (lambda m: m["figures"].update({"rows.retrofit_case": 64}), ["not the one that was sealed"]),
    (lambda m: m.update(made_at="2020-01-01T00:00:00Z"), ["not the one that was sealed"]),
    (lambda m: m.update(key="0" * 32), ["another master key"]),
    (lambda m: m.clear(), ["not a backup"]),
], ids=range(10))
def test_a_changed_manifest(copy, empty, change, words):
    found = manifest(copy)
    change(found)
    (copy / "manifest.json").write_text(json.dumps(found))
    refused(empty, restore(empty, copy, check=False), *words)


def test_a_manifest_that_is_none(copy, empty, workspace):
    (copy / "manifest.json").write_text('{"tantu_backup": 1, ')
    refused(empty, restore(empty, copy, check=False), "manifest.json", "broken")
    (copy / "manifest.json").unlink()
    refused(empty, restore(empty, copy, check=False), "no backup")
    refused(empty, restore(empty, workspace.path / "nowhere", check=False), "nowhere", "No such file")


def test_a_wrong_passphrase(made, empty):
    refused(empty, restore(empty, made, check=False, passphrase="another passphrase"), "passphrase is not the one")


def test_a_database_that_is_not_empty_is_left_alone(made, make_database, workspace):
    full = make_database()
    full.var = workspace.path / f"var-full-{os.urandom(4).hex()}"
    before = full.sql("SELECT count(*), (SELECT count(*) FROM plan) FROM region")
    done = restore(full, made, check=False)
    assert done.returncode == 1 and f"the database {full.name} is not empty" in done.stderr
    assert full.sql("SELECT count(*), (SELECT count(*) FROM plan) FROM region") == before
    assert not (full.var / "uploads").exists() and not (full.var / "keys").exists()


def test_what_is_in_place_is_never_overwritten(made, empty, make_database):
    stranger = make_database()
    stranger.run("import", "--plan", PLAN, "/dev/null", check=False)
    (empty.var / "uploads").mkdir(parents=True)
    name = next((made / "uploads").iterdir()).name
    (empty.var / "uploads" / name).write_text("something else")
    done = restore(empty, made, check=False)
    assert done.returncode == 1 and name in done.stderr and "something else" in done.stderr
    assert not (empty.var / "keys").exists()
    (empty.var / "uploads" / name).unlink()
    (empty.var / "keys").mkdir(mode=0o700)
    key = empty.var / "keys" / "master.key"
    key.write_text("ab" * 32 + "\n")
    key.chmod(0o600)
    done = restore(empty, made, check=False)
    assert done.returncode == 1 and "is not the backup's key" in done.stderr
    assert key.read_text() == "ab" * 32 + "\n"
    assert empty.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]


def test_a_dump_that_ends_early_fills_nothing(made, empty):
    """pg_restore is killed in the middle: one transaction, so the database stays empty, and it can be run again."""
    environment = empty.environment(TANTU_BACKUP_PASSPHRASE=PASSPHRASE)
    fake = empty.var / "bin"
    fake.mkdir(parents=True)
    script = fake / "pg_restore"
    script.write_text('#!/bin/sh\nhead -c 20000 | /usr/lib/postgresql/15/bin/pg_restore "$@"\n')
    script.chmod(0o755)
    done = subprocess.run([PROGRAM, "restore", made], env={**environment, "TANTU_POSTGRESQL_BIN": str(fake)}, text=True,
                          capture_output=True, timeout=120)
    assert done.returncode == 1 and "pg_restore: " in done.stderr, done
    assert empty.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]
    assert "figures agree" in restore(empty, made).stdout


# --- making one fails cleanly ---


def test_a_full_disk_leaves_no_backup(living, folder):
    """The file may grow to a few KB only, as if the disk were full."""
    place = living[0]
    environment = place.environment(TANTU_BACKUP_PASSPHRASE=PASSPHRASE)

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
    done = subprocess.run([PROGRAM, "backup", folder], env=environment, text=True, capture_output=True, timeout=120,
                          preexec_fn=small)
    assert done.returncode == 1 and "database.sealed" in done.stderr and "File too large" in done.stderr, done
    assert [path.name for path in folder.iterdir()] == [".lock"]


@pytest.mark.parametrize("program, words", [
    ("", ["pg_dump", "No such file"]), ("#!/bin/sh\necho 'pg_dump: error: it hurts' >&2; exit 1\n", ["pg_dump: it hurts"]),
    ("#!/bin/sh\nkill -9 $$\n", ["pg_dump: ended by signal 9"])], ids=["none", "fails", "killed"])
def test_a_dump_that_fails(living, folder, program, words):
    place = living[0]
    tools = folder.parent / f"bin-{os.urandom(4).hex()}"
    tools.mkdir()
    if program:
        (tools / "pg_dump").write_text(program)
        (tools / "pg_dump").chmod(0o755)
    done = backup(place, folder, check=False, TANTU_POSTGRESQL_BIN=str(tools))
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr, done.stderr
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_killed_backup_is_no_backup_and_two_do_not_meet(living, folder):
    place = living[0]
    tools = folder.parent / f"bin-{os.urandom(4).hex()}"
    tools.mkdir()
    (tools / "pg_dump").write_text("#!/bin/sh\necho half\nsleep 600\n")
    (tools / "pg_dump").chmod(0o755)
    environment = place.environment(TANTU_BACKUP_PASSPHRASE=PASSPHRASE, TANTU_POSTGRESQL_BIN=str(tools))
    slow = subprocess.Popen([PROGRAM, "backup", folder], env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: folder.exists() and list(folder.glob(".partial-*/database.sealed")), 60, "the dump to begin")
        done = backup(place, folder, check=False)
        assert done.returncode == 1 and "under way" in done.stderr
        # The schema stays as long as it runs.
        waited = place.run("migrate", check=False, TANTU_MIGRATE_SECONDS="1")
        assert waited.returncode == 1 and "a backup, is under way" in waited.stderr
    finally:
        os.killpg(slow.pid, signal.SIGKILL)
        slow.wait()
    assert whole(folder) == []
    done = place.run("restore", folder, check=False, TANTU_BACKUP_PASSPHRASE=PASSPHRASE)
    assert done.returncode == 1 and "no backup" in done.stderr
    backup(place, folder)
    assert len(whole(folder)) == 1 and not list(folder.glob(".partial-*"))


# --- proving finds what restoring does not ---


def test_a_lost_upload_is_told_and_not_proved(make_database, folder, client_of, make_server):
    place = make_database()
    server = make_server("serve", database=place)
    manager = People(client_of(server).sign_in("admin", ADMIN_PASSWORD)).manager("640324")
    manager.import_file(PLAN, households(["640324101"], 2, PLAN))
    lost, = (place.var / "uploads").glob("needs-*")
    lost.unlink()
    done = backup(place, folder, "--without-key", check=False, passphrase=None)
    assert done.returncode == 3 and lost.name in done.stderr
    done = prove(place, folder, check=False, passphrase=None)
    assert done.returncode == 1 and f"upload {lost.name}" in done.stderr and "proved:" not in done.stdout.replace("not proved", "")
    # Another file in its place, of the same key: the manifest is right, and the fingerprint is not.
    manager.import_file(PLAN, households(["640324101"], 3, PLAN))
    other, = (place.var / "uploads").glob("needs-*")
    shutil.copy(other, lost)
    backup(place, folder, "--without-key", passphrase=None)
    done = prove(place, folder, check=False, passphrase=None)
    assert done.returncode == 1 and "fingerprint differs" in done.stderr


def test_a_killed_proof_leaves_no_server_and_its_folder_goes_with_the_next(living, made, workspace):
    place = living[0]
    scratch = workspace.path / f"scratch-{os.urandom(4).hex()}"
    scratch.mkdir(mode=0o755)
    environment = place.environment(TANTU_BACKUP_PASSPHRASE=PASSPHRASE)
    one = subprocess.Popen([PROGRAM, "backup", "prove", made, "--scratch", scratch], env=environment, stdout=subprocess.DEVNULL)

    def server_is_ready():
        """Its process number; initdb's own servers do not say that they are ready."""
        assert one.poll() is None
        for file in scratch.glob("tantu-prove-*/data/postmaster.pid"):
            lines = file.read_text().splitlines()
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return int(lines[0])
        return 0
    server = wait_until(server_is_ready, 120, "the scratch server")
    one.kill()
    one.wait()
    wait_until(lambda: not os.path.exists(f"/proc/{server}/exe"), 60, "the end of the scratch server")
    assert list(scratch.iterdir())
    done = place.run("backup", "prove", folder_that_is_none := scratch / "none", "--scratch", scratch, check=False)
    assert done.returncode == 1 and str(folder_that_is_none) in done.stderr
    place.run("backup", "prove", made, "--scratch", scratch, TANTU_BACKUP_PASSPHRASE=PASSPHRASE)
    assert list(scratch.iterdir()) == []


def test_figures_that_were_wrong_before_are_found(make_database, folder, make_server, client_of):
    place = make_database()
    server = make_server("serve", database=place)
    manager = People(client_of(server).sign_in("admin", ADMIN_PASSWORD)).manager("640324")
    manager.import_file(PLAN, households(["640324101"], 2, PLAN))
    wait_until(lambda: place.sql("SELECT count(*) FROM total_delta") == [(0,)], 45, "the fold")
    place.sql("UPDATE total SET n = n + 1 WHERE measure = 'registered'")
    backup(place, folder, "--without-key", passphrase=None)
    done = prove(place, folder, check=False, passphrase=None)
    assert done.returncode == 1 and "not proved: totals differ" in done.stderr and "differs: total" in done.stdout
    assert place.sql("SELECT count(*) FROM backup_record WHERE proved_at IS NOT NULL") == [(0,)]
    place.sql("UPDATE total SET n = n - 1 WHERE measure = 'registered'")
    place.sql("UPDATE person SET citizen_id = set_byte(citizen_id, 30, get_byte(citizen_id, 30) # 1) "
              "WHERE id = (SELECT max(id) FROM person)")
    backup(place, folder, "--without-key", passphrase=None)
    done = prove(place, folder, check=False, passphrase=None)
    assert done.returncode == 1 and "a sealed number" in done.stderr
