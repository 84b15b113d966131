# SPDX-License-Identifier: Apache-2.0
"""What those who run it can see, and what nobody may see in it. It runs after the others (conftest.py): the searches at
its end look at everything that the run has logged and stored until then."""
import json
import re
import time
import uuid

import needs
import pytest
from conftest import PASSWORD, People
from processes import ADMIN_PASSWORD
from stages import bring_in_rows, move

TRACE = re.compile(r"[0-9a-f]{32}")


@pytest.fixture(scope="module")
def secrets(server, admin_session):
    """A life with words that occur nowhere else; what must not be found in a log, and what nowhere in clear."""
    people = People(admin_session)
    manager = people.manager("640324")
    rows = [needs.row("tongxin", citizen=needs.citizen_id(81000 + number), **{
        "姓名": f"司马秘密{number}", "联系电话": f"1995555{number:04}", "详细地址": f"机密巷{number}号", "村(社区)": "机密村", "备注": "机密备注"}) for number in range(3)]
    cases = list(bring_in_rows(manager, rows).values())
    manager.get("/cases", query={"q": rows[0]["姓名"]})
    manager.get("/cases", query={"q": rows[0]["详细地址"]})
    manager.get(f"/cases/{cases[0]}/persons")
    manager.post("/persons/find", {"citizen_id": rows[0]["残疾人证号"][:18]})
    manager.request("POST", "/persons/find", {"citizen_id": rows[0]["残疾人证号"][:17] + "?"}, expect=422)
    move(manager, cases[0], "approved", note="机密缘由")
    move(manager, cases[0], "closed", note="机密缘由", expect=422)
    manager.post(f"/cases/{cases[1]}/relocation", {"region": "640324102", "village": "机密村", "address": "机密巷新址"})
    password = "Observed-password-" + uuid.uuid4().hex
    admin_session.post("/users", {"user": "observed", "password": password, "role": "auditor", "region": "640324"})
    wrong = "Wrong-" + uuid.uuid4().hex
    client = admin_session.clone()
    client.token = None
    client.post("/session", {"user": "observed", "password": wrong}, expect=401)
    token = client.post("/session", {"user": "observed", "password": password})["token"]
    client.post("/session", {"user": "机密用户名", "password": wrong}, expect=401)
    manager.upload("tongxin", needs.to_csv([{**rows[0], "联系电话": "机密电话"}]))
    bad = needs.to_csv([needs.row(**{"备注": "机密\x01备注"})])
    manager.post("/imports", bad, query={"plan": "tongxin", "mode": "dry_run"}, expect=422)
    certificates = [row["残疾人证号"] for row in rows]
    yield {"cases": cases, "manager": manager, "certificates": certificates,
           "never_logged": ["司马秘密", "机密", "1995555", password, wrong, token, manager.token, PASSWORD, ADMIN_PASSWORD, "argon2id",
                            *certificates, *(number[:18] for number in certificates)],
           "never_stored": [password, wrong, token, manager.token, PASSWORD, ADMIN_PASSWORD]}
    manager.close()


def test_health_readiness_and_metrics_need_nobody(client):
    assert client.get("/healthz")["status"] == "alive" and client.get("/readyz")["status"] == "ready"
    text = client._send("GET", "/metrics", None, {}, 10).body.decode()
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \S+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+(inf)?', line, re.I), line
    for name in ("tantu_requests_total", "tantu_request_seconds_bucket", "tantu_db_group_seconds", "tantu_db_waiting", "tantu_sign_in_failures_total"):
        assert name in text


def test_metrics_count(client, admin):
    def counted():
        text = client._send("GET", "/metrics", None, {}, 10).body.decode()
        found = re.search(r'^tantu_requests_total\{[^}]*GET[^}]*route="/api/v1/plans"[^}]*2xx[^}]*\} (\d+)$', text, re.MULTILINE)
        return int(found[1]) if found else 0

    before = counted()
    for _ in range(3):
        admin.get("/plans")
    assert counted() == before + 3


def test_no_metric_has_anything_personal(client, secrets):
    text = client._send("GET", "/metrics", None, {}, 10).body.decode()
    assert not [word for word in secrets["never_logged"] if word in text]
    assert not re.search(r"\d{15}", re.sub(r"[0-9.e+-]+$", "", text, flags=re.MULTILINE)), "an id in a label"


def log_lines(server, mark):
    with open(server.log, encoding="utf-8") as file:
        file.seek(mark)
        return [json.loads(line) for line in file.read().splitlines()]


@pytest.mark.parametrize("path, status, route", [
    ("/api/v1/plans", 200, "/api/v1/plans"), ("/api/v1/cases/6403240000000001?", None, "/api/v1/cases/{id}"), ("/nothing/here", 404, ""),
    ("/api/v1/cases?q=%E6%9C%BA%E5%AF%86", 200, "/api/v1/cases"), ("/healthz", 200, "/healthz"), ("/api/v1/cases?limit=0", 422, "/api/v1/cases")])
def test_a_request_is_one_line(server, secrets, path, status, route):
    manager, trace = secrets["manager"], uuid.uuid4().hex
    mark = server.log.stat().st_size
    answer = manager._send("GET", path, None, {"Authorization": f"Bearer {manager.token}", "traceparent": f"00-{trace}-{'b' * 16}-01"}, 10)
    assert answer.headers["X-Request-Id"] == trace
    # The line is written once the answer has left: a moment after the client may have it.
    lines, until = [], time.monotonic() + 5
    while not lines and time.monotonic() < until:
        lines = [line for line in log_lines(server, mark) if line.get("trace") == trace and line["event"] == "request"]
    assert len(lines) == 1
    line = lines[0]
    assert (line["method"], line["route"], line["status"]) == ("GET", route, answer.status) and (status is None or answer.status == status)
    assert line["ms"] >= 0 and line["bytes"] >= len(answer.body) and line["time"].endswith("Z")


@pytest.mark.parametrize("parent", ["", "x", "00-" + "0" * 32 + "-" + "b" * 16 + "-01", "00-" + "a" * 32 + "-" + "0" * 16 + "-01",
                                    "00-" + "A" * 32 + "-" + "b" * 16 + "-01", "00-" + "a" * 31 + "-" + "b" * 16 + "-01", "00-" + "g" * 32 + "-" + "b" * 16 + "-01",
                                    "ff-" + "a" * 32 + "-" + "b" * 16 + "-01", '00-"' + "a" * 31 + "-" + "b" * 16 + "-01"])
def test_a_traceparent_that_is_none_is_not_taken_over(client, parent):
    seen = {client._send("GET", "/healthz", None, {"traceparent": parent}, 10).headers["X-Request-Id"] for _ in range(3)}
    assert len(seen) == 3 and all(TRACE.fullmatch(trace) for trace in seen)
    assert not any(trace in parent.lower() for trace in seen)


def test_request_ids_differ(client):
    seen = [client._send("GET", "/healthz", None, {}, 10).headers["X-Request-Id"] for _ in range(200)]
    assert len(set(seen)) == 200


def test_errors_have_a_request_id_too(client):
    for method, path in (("GET", "/api/v1/plans"), ("GET", "/nothing"), ("DELETE", "/api/v1/plans"), ("POST", "/api/v1/session")):
        assert TRACE.fullmatch(client._send(method, path, None, {}, 10).headers["X-Request-Id"])


def test_every_line_of_a_log_is_json(server):
    for line in server.log.read_text(encoding="utf-8").splitlines():
        assert isinstance(json.loads(line), dict), line


# --- what must not be found ---


def test_no_log_of_the_run_has_anything_personal(workspace, secrets):
    for log in workspace.logs():
        text = log.read_text(encoding="utf-8", errors="replace")
        found = [word for word in secrets["never_logged"] if word in text]
        assert not found, (log.name, found, [line for line in text.splitlines() if found[0] in line][:3])


# A number that stands by itself, or begins a certificate; what a trace of hexadecimal digits begins with is none.
CITIZEN = re.compile(r"(?<![0-9a-f])([1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX])(?:\d{2}(?:B\d)?)?(?![0-9a-f])")


def citizens_in(text):
    return [one for one in CITIZEN.findall(text) if needs.check_digit(one[:17]) == one[17]]


def test_a_citizen_id_in_a_log_would_be_found():
    citizen = needs.citizen_id(81009)
    for text in (citizen, f'"{citizen}"', f"a {citizen}41B1 b", f"{citizen}43"):
        assert citizens_in(text) == [citizen], text
    assert not citizens_in("341709184951181040") and not citizens_in(f"{citizen}0123456789abcd")


def test_no_log_of_the_run_has_a_citizen_id_at_all(workspace):
    """Whatever the tests sent: eighteen digits with a day of birth and a right check digit."""
    for log in [*workspace.logs(), workspace.path / "pg" / "log"]:
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        assert not citizens_in(text), log.name


def test_the_log_of_postgresql_has_nothing_personal(workspace, secrets):
    text = (workspace.path / "pg" / "log").read_text(encoding="utf-8", errors="replace")
    assert not [word for word in secrets["never_logged"] if word in text]


def everything(database):
    tables = [name for name, in database.sql("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")]
    for table in tables:
        yield table, "\n".join(text for text, in database.sql(f'SELECT t::text FROM "{table}" t'))


def test_no_citizen_id_is_in_the_database_in_clear(database, secrets):
    """As text, and as bytes that would be text."""
    assert database.sql("SELECT count(*) FROM person")[0][0] >= 3
    for table, text in everything(database):
        for certificate in secrets["certificates"]:
            for word in (certificate, certificate[:18], certificate.encode().hex(), certificate[:18].encode().hex(), certificate[:17]):
                assert word not in text, table
        assert not [word for word in secrets["never_stored"] if word in text], table
        numbers = re.findall(r"(?<![0-9a-f])[1-9]\d{16}[\dX]\d{2}(?:B\d)?(?![0-9a-f])", text)
        assert not [one for one in numbers if needs.check_digit(one[:17]) == one[17]], table


def test_two_seals_of_the_same_number_differ_but_are_found_alike(database):
    rows = database.sql("SELECT count(*), count(DISTINCT citizen_id), count(DISTINCT substr(citizen_id, 1, 8)), min(length(citizen_id_index)) FROM person")
    count, sealed, beginnings, length = rows[0]
    assert count == sealed and beginnings > count * 0.99 and length >= 16


def test_nothing_of_it_is_in_clear_on_the_disk(database, workspace, secrets):
    words = [word.encode() for word in (*secrets["certificates"], *(number[:18] for number in secrets["certificates"]), "司马秘密", "机密巷", "1995555",
                                        *secrets["never_stored"])]
    files = [file for file in database.var.rglob("*") if file.is_file()]
    assert files
    for file in files:
        data = file.read_bytes()
        assert not [word for word in words if word in data], file
        assert file.stat().st_mode & 0o077 == 0, f"{file} may be read by others"


def test_the_key_is_not_in_the_database(database):
    key = next(file for file in database.var.rglob("master.key")).read_bytes()
    for table, text in everything(database):
        assert key.hex() not in text and key.decode("latin-1").strip() not in text, table


def test_outbox_and_jobs_name_nobody(database, secrets):
    for text, in database.sql("SELECT t::text FROM job t UNION ALL SELECT t::text FROM outbox t"):
        assert "机密" not in text and "司马" not in text
