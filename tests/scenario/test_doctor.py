# SPDX-License-Identifier: Apache-2.0
"""`tantu doctor` and `tantu health` on installations that are broken on purpose, one thing at a time, and the same as
metrics of a running server."""
import json
import os
import re
import shutil
import socket
import threading
from contextlib import contextmanager

import needs
import pytest
from client import Client
from conftest import People
from processes import ADMIN_PASSWORD, Program, wait_until
from test_commands import refused


@pytest.fixture(scope="module")
def clinic(cluster, database, contract):
    """A database of its own with somebody in it, and a server that looks at itself every second."""
    own = cluster.new_database().migrate()
    own.sql("INSERT INTO holiday SELECT make_date(extract(year FROM now())::int + 1, 10, 1), false, '国庆节'")  # in any year the test is run
    server = Program(own, "serve", TANTU_DOCTOR_SECONDS="1").start()
    manager = People(Client(server, contract).sign_in("admin", ADMIN_PASSWORD)).manager("640324")
    manager.import_file("tongxin", needs.to_csv([needs.row()]))
    yield own, server
    server.stop()


def findings(database, status=None, **environment):
    done = database.run("doctor", "--json", check=False, **environment)
    found = {one["check"]: one for one in map(json.loads, done.stdout.splitlines())}
    worst = max(["ok", "warn", "fail"].index(one["level"]) for one in found.values())
    assert done.returncode == (1 if worst == 2 else 0) and not done.stderr, done
    assert all(("todo" in one) == (one["level"] != "ok") for one in found.values())
    return found


def unwell(database, **environment):
    """{check: level} of what is not ok; the disk of a test machine may be full, and its limits low."""
    found = findings(database, **environment)
    return {name: one["level"] for name, one in found.items()
            if one["level"] != "ok" and not (name in ("uploads", "descriptors") and one["level"] == "warn")}


def test_a_sound_installation_is_well(clinic):
    own, _ = clinic
    assert unwell(own) == {}
    text = own.run("doctor").stdout
    assert "opens what the database holds" in text and "\033" not in text
    assert [line.split()[1] for line in text.splitlines() if line[0] != " "] == list(findings(own))


@contextmanager
def broken(database, do, undo):
    database.sql(do)
    try:
        yield
    finally:
        database.sql(undo)


@pytest.mark.parametrize("do, undo, check, level, says", [
    ("GRANT INSERT ON case_event TO tantu_app", "REVOKE INSERT ON case_event FROM tantu_app", "role", "fail", "past the rules"),
    ("ALTER TABLE person DISABLE ROW LEVEL SECURITY", "ALTER TABLE person ENABLE ROW LEVEL SECURITY", "role", "fail", "row-level security is off"),
    ("GRANT CREATE ON SCHEMA public TO tantu_app", "REVOKE CREATE ON SCHEMA public FROM tantu_app", "role", "fail", "too strong"),
    ("CREATE TABLE kept AS SELECT * FROM holiday; DELETE FROM holiday", "INSERT INTO holiday SELECT * FROM kept; DROP TABLE kept",
     "holidays", "warn", "weekends only"),
    ("REVOKE INSERT ON outbox FROM tantu_app", "GRANT INSERT ON outbox TO tantu_app", "statements", "fail", "permission denied for table outbox"),
    ("INSERT INTO job (queue, kind, state) VALUES ('upkeep', 'clean_up', 'dead')", "DELETE FROM job WHERE state = 'dead'", "dead_jobs", "warn", "1 jobs"),
    ("INSERT INTO job (queue, kind, run_at) VALUES ('no-such', 'clean_up', now() - interval '10 minutes')", "DELETE FROM job WHERE queue = 'no-such'",
     "jobs", "warn", "600 s"),
    ("UPDATE job SET state = 'cancelled' WHERE kind = 'totals_fold'", "UPDATE job SET state = 'queued' WHERE kind = 'totals_fold'", "totals", "fail", "folded"),
    ("ALTER TABLE outbox RENAME TO outbox_gone", "ALTER TABLE outbox_gone RENAME TO outbox", "statements", "fail", "outbox"),
])
def test_what_is_broken_in_the_database_is_found(clinic, do, undo, check, level, says):
    own, _ = clinic
    if "totals_fold" in do:  # one that runs just now puts itself back
        wait_until(lambda: own.sql("UPDATE job SET state = 'cancelled' WHERE kind = 'totals_fold' AND state = 'queued' RETURNING 1"), 30, "the fold")
    with broken(own, do, undo):
        found = findings(own)
        assert found[check]["level"] == level and re.search(says, found[check]["says"]), found
        assert set(unwell(own)) == {check}
    assert unwell(own) == {}


def test_a_key_that_is_wrong_is_found(clinic, tmp_path):
    own, _ = clinic
    key = tmp_path / "master.key"

    def finding():
        one = findings(own, TANTU_KEY_FILE=str(key))["key"]
        assert one["level"] == "fail"
        return one["says"]

    assert "No such file" in finding()
    shutil.copyfile(own.var / "keys" / "master.key", key)
    key.chmod(0o644)
    assert "others" in finding() or "0600" in finding() or "read" in finding()
    key.chmod(0o600)
    assert findings(own, TANTU_KEY_FILE=str(key))["key"]["level"] == "ok"
    key.write_text("0123456789abcdef" * 4 + "\n")
    assert "does not open what the database holds" in finding()
    key.write_text("rubbish\n")
    assert str(key) in finding()


def test_uploads_that_cannot_be_written_are_found(clinic, tmp_path):
    own, _ = clinic
    file = tmp_path / "file"
    file.write_text("")
    assert findings(own, TANTU_UPLOADS=str(tmp_path / "none"))["uploads"]["level"] == "warn"
    assert findings(own, TANTU_UPLOADS=str(file))["uploads"]["level"] == "fail"
    assert findings(own, TANTU_UPLOADS="/proc")["uploads"]["level"] == "fail"
    assert not [name for name in os.listdir(own.var / "uploads") if name.startswith("doctor")]


def test_a_database_that_does_not_answer_or_fit_is_found(clinic, cluster):
    own, _ = clinic
    found = findings(own, TANTU_DATABASE="host=127.0.0.1 port=9 user=tantu_app dbname=tantu")
    assert found["database"]["level"] == "fail" and "refused" in found["database"]["says"]
    assert set(found) == {"key", "uploads", "descriptors", "database"}
    empty = cluster.new_database()
    found = findings(empty)
    assert found["database"]["level"] == "ok" and found["schema"]["level"] == "fail" and "statements" not in found
    newest = own.sql("SELECT max(version) FROM schema_version")[0][0]
    with broken(own, f"INSERT INTO schema_version (version, name, compatible_from) VALUES ({newest + 1}, 'later', {newest + 1})",
                f"DELETE FROM schema_version WHERE version = {newest + 1}"):
        assert "newer program" in findings(own)["schema"]["says"]


def test_before_the_first_start_nothing_is_wrong(make_database):
    fresh = make_database()
    levels = unwell(fresh)
    assert levels == {"key": "warn"}, levels


# --- a running server ---


def gauges(server):
    answer = Client(server, None)._send("GET", "/metrics", None, {}, 10).body.decode()
    return {name: int(value) for name, value in re.findall(r'^tantu_doctor_finding\{check="(\w+)"\} (\d)$', answer, re.MULTILINE)}


def test_a_server_tells_what_the_doctor_finds(clinic):
    own, server = clinic
    assert set(gauges(server)) == set(findings(own))
    wait_until(lambda: gauges(server)["dead_jobs"] == 0 and gauges(server)["role"] == 0, 30, "health")
    before = len(server.events("doctor_finding"))
    with broken(own, "INSERT INTO job (queue, kind, state) VALUES ('upkeep', 'clean_up', 'dead')", "DELETE FROM job WHERE state = 'dead'"), \
            broken(own, "GRANT DELETE ON total TO tantu_app", "REVOKE DELETE ON total FROM tantu_app"):
        wait_until(lambda: gauges(server)["dead_jobs"] == 1 and gauges(server)["role"] == 2, 30, "the findings")
    wait_until(lambda: gauges(server)["dead_jobs"] == 0 and gauges(server)["role"] == 0, 30, "health again")
    lines = [(line["check"], line["level"]) for line in server.events("doctor_finding")[before:]]
    assert {("dead_jobs", "warn"), ("role", "fail"), ("dead_jobs", "ok"), ("role", "ok")} <= set(lines)


def test_a_server_tells_of_files_too(clinic):
    own, server = clinic
    uploads, away = own.var / "uploads", own.var / "elsewhere"
    uploads.rename(away)
    try:
        wait_until(lambda: gauges(server)["uploads"] == 1, 30, "the finding")
    finally:
        away.rename(uploads)
    wait_until(lambda: gauges(server)["uploads"] == 0, 30, "health again")


# --- health ---


def test_health_of_a_server(clinic, make_server):
    own, server = clinic
    done = own.run("health", TANTU_LISTEN=server.address)
    assert done.stdout == "ready\n" and not done.stderr
    port = server.address.rsplit(":", 1)[1]
    assert own.run("health", "--listen", f"0.0.0.0:{port}").stdout == "ready\n"
    refused(own.run("health", TANTU_LISTEN="127.0.0.1:9", check=False), "127.0.0.1:9: Connection refused")
    refused(own.run("health", "--listen", "127.0.0.1:0", check=False), "port 0")
    refused(own.run("health", "--timeout", "soon", check=False), "--timeout")


@contextmanager
def somebody(answer):
    """Listens, and answers each who comes with these bytes (None: never); the address."""
    held = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                held.append(one)
                if answer is not None:
                    one.recv(1000)
                    one.sendall(answer)
                    one.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    for one in held:
        one.close()


@pytest.mark.parametrize("answer, says", [
    (None, "timed out"), (b"", "not Tantu"), (b"SSH-2.0-OpenSSH\r\n", "not Tantu"),
    (b'HTTP/1.1 503 Service Unavailable\r\n\r\n{"status":503,"code":"database_unavailable"}', "not ready: 503 database_unavailable"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", "not ready: 404"), (b"HTTP/1.1 20", "not ready"), (b"x" * 5000, "not Tantu")],
    ids=["silent", "closed", "ssh", "not ready", "another server", "cut", "endless"])
def test_health_of_others(database, answer, says):
    with somebody(answer) as address:
        done = database.run("health", "--timeout", "1", "--listen", address, check=False)
        refused(done, address, says)
