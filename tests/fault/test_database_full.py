# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's disk is full, data and WAL on a small tmpfs: writes are refused, nothing of them is done, nothing that was
acknowledged is lost; and when there is room again writes come back."""
import psycopg2
import pytest
from askers import RETURN_SECONDS
from faults import MortalCluster, SmallDisk
from processes import probe, wait_until

DISK_KIB = 256 * 1024
REFUSED = {(503, "database_full")}
AWAY = {(503, "database_unavailable"), (503, "outcome_unknown"), (409, "request_in_progress")}


@pytest.fixture(scope="module")
def disk(workspace, database):
    disk = SmallDisk(workspace.path / "small-disk", DISK_KIB)
    if disk.refusal:
        pytest.skip(f"no tmpfs can be mounted here: {disk.refusal}")
    yield disk
    disk.unmount()


@pytest.fixture(scope="module")
def mortal(workspace, disk):
    cluster = MortalCluster(workspace, "full", disk.folder / "pg").start()
    try:
        cluster.main_database().migrate()
        yield cluster
    finally:
        cluster.destroy()


@pytest.fixture
def full(disk, load):
    """Full, with a segment of WAL of which little is used."""
    load.database.sql("SELECT pg_switch_wal()")
    load.is_back()
    disk.fill()
    yield disk
    if disk.ballast.exists():
        disk.free()


def refused(load):
    """How often each writer was told that there is no room."""
    return [sum(note[:2] in REFUSED for note in writer.notes) for writer in load.writers]


def test_without_room_for_data_writes_are_refused_and_reads_go_on(full, load):
    wait_until(lambda: min(refused(load)) >= 3, 60, "a refusal for every writer")
    since = [len(reader.notes) for reader in load.readers]
    wait_until(lambda: all(len(reader.notes) > n + 20 for reader, n in zip(load.readers, since)), 30, "reads")
    assert probe(load.server.address, "/readyz") == 200
    full.free()
    back = load.is_back()
    print(f"\nback after {back:.2f} s, refused {refused(load)}, {sorted(map(str, load.codes()))}")
    assert back <= RETURN_SECONDS
    assert {note[:2] for reader in load.readers for note in reader.notes} == {(200, None)}
    assert load.codes() == {(200, None)} | REFUSED
    assert not load.server.events("database_lost")
    load.settle()


def exhaust(place):
    """The next segment of WAL cannot be made: PostgreSQL stops in the middle."""
    for _ in range(40):
        try:
            place.sql("SELECT pg_logical_emit_message(false, 'test', 'x'); SELECT pg_switch_wal()")
        except psycopg2.OperationalError:
            return
    raise AssertionError("there is WAL without end")


def test_without_room_for_wal_postgres_stops_and_loses_nothing(full, load, mortal, place):
    exhaust(place)
    load.away(2)
    assert load.server.running
    full.free()
    mortal.start()  # as an operator would; PostgreSQL may recover by itself, or may have given up
    back = load.is_back()
    print(f"\nback after {back:.2f} s, slowest answer {load.slowest():.2f} s, {sorted(map(str, load.codes()))}")
    assert back <= RETURN_SECONDS
    assert (503, "database_unavailable") in load.codes()
    assert load.codes() <= {(200, None)} | REFUSED | AWAY
    load.settle()
