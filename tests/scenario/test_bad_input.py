# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent: a 4xx naming what is wrong, nothing written, and the server goes on."""
import functools
import io
import json
import random
import socket
import zipfile

import needs
import pytest
from client import Client
from conftest import PASSWORD, People
from processes import ROOT, wait_until
from stages import bring_in, move

SHARED = ROOT.parent / "shared" / "data"
SKIPPED_TABLES = {"job", "total", "total_delta", "total_history", "session"}  # what workers change meanwhile


@pytest.fixture(scope="module", autouse=True)
def workers_at_rest(server, database):
    """Jobs write when they please: what is due waits until the module has ended."""
    def put_off():
        database.sql("UPDATE job SET run_at = run_at + interval '1 day' WHERE state = 'queued' AND run_at < now() + interval '12 hours'")
        return database.sql("SELECT count(*) FROM job WHERE state = 'running'") == [(0,)]
    wait_until(put_off, 60)
    yield
    database.sql("""WITH due AS (UPDATE job SET run_at = run_at - interval '1 day' WHERE state = 'queued' RETURNING queue)
        SELECT pg_notify('job', queue) FROM due GROUP BY queue""")


@pytest.fixture(scope="module")
def manager(server, admin_session):
    people = People(admin_session)
    yield people.manager("640324")
    for client in people.made:
        client.close()


@pytest.fixture(scope="module")
def case(manager):
    return bring_in(manager)[0]


class Rows:
    """What all tables hold, to be compared."""

    def __init__(self, database):
        self.database = database
        tables = [name for name, in database.sql("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                                                 "AND relkind = 'r'") if name not in SKIPPED_TABLES]
        self.query = " UNION ALL ".join(f"SELECT '{name}', count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {name} t"
                                        for name in tables)
        self.before = sorted(database.sql(self.query))

    def unchanged(self):
        after = sorted(self.database.sql(self.query))
        return [name for name, *_ in set(after) ^ set(self.before)] == []


@pytest.fixture
def nothing_written(database):
    """The test leaves no trace, in the database and among the uploads."""
    rows = Rows(database)
    uploads = set((database.var / "uploads").glob("*"))
    yield
    assert rows.unchanged()
    assert set((database.var / "uploads").glob("*")) == uploads


def send(client, body, path="/plans", method="POST", **options):
    body = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    options.setdefault("headers", {"Content-Type": "application/json"})
    return client.request(method, path, body, **options)


def refused(client, method, path, body):
    """The answer, which is 400 or 422."""
    answer = client._send(method, "/api/v1" + path, body,
                          {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 30)
    assert answer.status in (400, 422), answer
    return answer


PLAN = {"code": "bad", "name_zh": "坏", "region": "640324", "begins_on": "2026-01-01", "ends_on": "2030-12-31", "who_counts": "x",
        "eligibility": "any"}


def plan(**changes):
    body = {**PLAN, **changes}
    return {name: value for name, value in body.items() if value is not ...}


# --- JSON ---


@pytest.mark.parametrize("body", [
    "{", "", "nul", '{"code": "a"', '{"code": "a",}', "{'code': 'a'}", '{"code" "a"}', '{"code": NaN}', '{"code": Infinity}',
    '{"code": 01}', '{"code": "a"} x', '{"code": "\t"}', '{"code": "\\x"}', '{"code": "a\\u12"}', "\ufeff{}", "[1,2", '{"a": tru}',
    '{"code": "a", "code": "b"}', '{"code": "\\ud800"}', '{"code": "\\udc00\\ud800"}', '{"code": 1e999}', '{"code": 1e400}',
    '{"code": -1e999}', "{" * 3000, "[" * 100000, '{"a":' * 50000, '{"\\u0000": 1}'])
def test_what_is_not_json_is_refused(manager, nothing_written, body):
    if body == "":
        manager.post("/plans", b"", headers={"Content-Type": "application/json"}, expect=422, code="required")
    else:
        answer = send(manager, body, expect=400, code="json_invalid")
        assert "detail" in answer.json


@pytest.mark.parametrize("body", [b'{"code": "\xff"}', b'{"code": "\xc0\x80"}', b'{"code": "\xed\xa0\x80"}', b'{"code": "\xf4\x90\x80\x80"}',
                                  b'{"code": "\xe4\xb8"}', "{\"code\": \"坏\"}".encode("gb18030"), '{"code": "a"}'.encode("utf-16")])
def test_what_is_not_utf8_is_refused(manager, nothing_written, body):
    send(manager, body, expect=400, code="json_invalid")


@pytest.mark.parametrize("body", ["[]", "[1]", "null", "true", "1", '"text"', "1.5"])
def test_json_that_is_no_object_is_refused(manager, nothing_written, body):
    code = "wrong_type" if body[0] == "[" else None
    answer = refused(manager, "POST", "/plans", body.encode())
    assert code is None or answer["code"] == code


@pytest.mark.skipif(not (SHARED / "json" / "jsontestsuite.jsonl").exists(), reason="no ../shared beside this tree")
def test_json_test_suite(manager, nothing_written):
    """Every file of JSONTestSuite as a body: broken JSON is 400, all of it is 4xx, none of it is written."""
    for line in (SHARED / "json" / "jsontestsuite.jsonl").read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        answer = manager._send("POST", "/api/v1/plans", bytes.fromhex(one["hex"]),
                               {"Authorization": f"Bearer {manager.token}", "Content-Type": "application/json"}, 30)
        assert 400 <= answer.status < 500, one["name"]
        if one["name"].startswith("n_") and one["hex"]:
            assert answer["code"] == "json_invalid", (one["name"], answer)


# --- fields ---


@pytest.mark.parametrize("change, code, field", [
    ({"code": ...}, "required", "/code"), ({"code": None}, "required", "/code"), ({"name_zh": ""}, "too_short", "/name_zh"),
    ({"code": 1}, "wrong_type", "/code"), ({"code": []}, "wrong_type", "/code"), ({"code": {}}, "wrong_type", "/code"),
    ({"code": True}, "wrong_type", "/code"), ({"code": "a"}, "too_short", "/code"), ({"code": "a" * 33}, "too_long", "/code"),
    ({"name_zh": "长" * 201}, "too_long", "/name_zh"),
    ({"who_counts": "x" * 501}, "too_long", "/who_counts"), ({"region": "64032"}, "not_a_region", "/region"),
    ({"region": "064032"}, "not_a_region", "/region"), ({"region": "６４０３２４"}, "not_a_region", "/region"),
    ({"region": 640324}, "wrong_type", "/region"), ({"begins_on": "2026-02-30"}, "not_a_date", "/begins_on"),
    ({"begins_on": "2026-1-1"}, "not_a_date", "/begins_on"), ({"begins_on": "0000-01-01"}, "not_a_date", "/begins_on"),
    ({"begins_on": "2026-01-01T00:00:00Z"}, "not_a_date", "/begins_on"), ({"ends_on": "明天"}, "not_a_date", "/ends_on"),
    ({"eligibility": "none"}, "not_allowed", "/eligibility"), ({"eligibility": "ANY"}, "not_allowed", "/eligibility"),
    ({"notice_days": 366}, "out_of_range", "/notice_days"), ({"notice_days": -1}, "out_of_range", "/notice_days"),
    ({"notice_days": 1.5}, "wrong_type", "/notice_days"), ({"notice_days": 1.0}, "wrong_type", "/notice_days"),
    ({"notice_days": "1"}, "wrong_type", "/notice_days"), ({"notice_days": True}, "wrong_type", "/notice_days"),
    ({"subsidy_ceiling": 100000001}, "out_of_range", "/subsidy_ceiling"),
    ({"subsidy_ceiling": 9223372036854775807}, "out_of_range", "/subsidy_ceiling"),
    ({"unknown": 1}, "unknown_field", "/unknown"), ({"version": 1}, "unknown_field", "/version"), ({"": 1}, "unknown_field", "/"),
    ({"a/b~c": 1}, "unknown_field", "/a~1b~0c"), ({"x" * 5000: 1}, "unknown_field", None)])
def test_a_wrong_field_is_named(manager, nothing_written, change, code, field):
    answer = manager.post("/plans", plan(**change), expect=422, code=code)
    assert field is None or answer["field"] == field


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775809", "1" * 400, "1e308", "1e-400", "123456789012345678901234567890.5"])
def test_huge_numbers_do_not_wrap(manager, nothing_written, number):
    body = json.dumps(plan(subsidy_ceiling=0)).replace('"subsidy_ceiling": 0', f'"subsidy_ceiling": {number}')
    assert refused(manager, "POST", "/plans", body.encode())["code"] in ("json_invalid", "wrong_type", "out_of_range")


@pytest.mark.parametrize("code", ["Bad", "1bad", "bad plan", "bad/plan", "坏的", "bad\n", "-bad", "bad."])
def test_a_plan_code_that_is_none_is_refused(manager, nothing_written, code):
    answer = manager.post("/plans", plan(code=code), expect=422)
    assert answer.json.get("field") == "/code"


@pytest.mark.parametrize("items, code, field", [
    (None, "required", "/items"), ({}, "wrong_type", "/items"), ("x", "wrong_type", "/items"), ([1], "wrong_type", "/items/0"),
    ([{"value": 1, "year": 2024}, {}], "required", "/items/1/value"), ([{"year": 1999, "value": 1}], "out_of_range", "/items/0/year"),
    ([{"year": "2024", "value": 1}], "wrong_type", "/items/0/year"), ([{"year": 2024, "value": -1}], "out_of_range", "/items/0/value"),
    ([{"year": 2024, "value": 1, "x": 1}], "unknown_field", "/items/0/x"), ([{"region": "x", "value": 1}], "not_a_region", "/items/0/region"),
    ([{"year": 2024, "value": 1}] * 2001, "too_long", "/items"), ([[]], "wrong_type", "/items/0")])
def test_a_wrong_part_of_a_list_is_named(manager, nothing_written, items, code, field):
    assert manager.put("/plans/tongxin/targets/households", {"items": items}, expect=422, code=code)["field"] == field


@pytest.mark.parametrize("change, code, field", [
    ({"to": ...}, "required", "/to"), ({"to": "finished"}, "not_allowed", "/to"), ({"to": 1}, "wrong_type", "/to"),
    ({"note": "x" * 2001}, "too_long", "/note"), ({"note": 5}, "wrong_type", "/note"),
    ({"happened_at": "yesterday"}, "not_a_time", "/happened_at"), ({"happened_at": "2023-03-01"}, "not_a_time", "/happened_at"),
    ({"happened_at": "2023-03-01T00:00:00"}, "not_a_time", "/happened_at"), ({"happened_at": "2023-13-01T00:00:00Z"}, "not_a_time", "/happened_at"),
    ({"happened_at": "2023-03-01T25:00:00Z"}, "not_a_time", "/happened_at"), ({"happened_at": 1677600000}, "wrong_type", "/happened_at"),
    ({"happened_at": "2023-03-01T00:00:00+25:00"}, "not_a_time", "/happened_at"), ({"happened_at": "infinity"}, "not_a_time", "/happened_at"),
    ({"satisfaction": 0}, "out_of_range", "/satisfaction"), ({"satisfaction": 6}, "out_of_range", "/satisfaction"),
    ({"satisfaction": "5"}, "wrong_type", "/satisfaction"), ({"evidence": []}, "wrong_type", "/evidence"),
    ({"evidence": {"a": "x" * 9000}}, "too_long", "/evidence"), ({"contractor": 7}, "wrong_type", "/contractor")])
def test_a_wrong_transition_is_named(manager, case, nothing_written, change, code, field):
    body = {name: value for name, value in {"to": "approved", "note": "x", **change}.items() if value is not ...}
    assert manager.post(f"/cases/{case}/transitions", body, expect=422, code=code)["field"] == field


@pytest.mark.parametrize("name, value", [("note", "a\0"), ("note", "\0"), ("contractor", "\0"), ("to", "approved\0")])
def test_nul_in_a_text_is_refused(manager, case, nothing_written, name, value):
    body = {"to": "approved", name: value}
    answer = refused(manager, "POST", f"/cases/{case}/transitions", json.dumps(body).encode())
    assert answer.json.get("field") == f"/{name}" or "column" in answer["detail"]


@pytest.mark.parametrize("evidence", [{"a": "\0"}, {"\0": 1}, {"a": {"b": ["\0"]}}])
def test_nul_in_evidence_is_refused(manager, case, nothing_written, evidence):
    refused(manager, "POST", f"/cases/{case}/transitions", json.dumps({"to": "approved", "evidence": evidence}).encode())


def test_evidence_of_any_shape_comes_back(manager):
    (case,) = bring_in(manager)
    deep = {}
    for _ in range(100):
        deep = {"a": [deep]}
    evidence = {"深": deep, "n": [1, -1.5, 1e300, 9007199254740993, True, None, "\u2028\U0001f600\"\\/\b"], "": {}}
    move(manager, case, "approved", evidence=evidence)
    given = manager.get(f"/cases/{case}/events").items[-1]["evidence"]["given"]
    assert given["深"] == deep and given[""] == {}
    assert given["n"] == evidence["n"], "a null inside of a list stays"


@pytest.mark.parametrize("citizen", ["", "123", "640324190101010000", "64032419010101001", "6403241901010100100", "６" * 18, "a" * 18])
def test_a_citizen_id_that_is_none_is_refused(manager, nothing_written, citizen):
    answer = manager.post("/persons/find", {"citizen_id": citizen}, expect=422)
    assert answer["field"] == "/citizen_id" and (not citizen or citizen not in str(answer.json))


# --- content type, length, framing ---


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/json; charset=utf-8", "",
                                  "application/json; charset=gbk", "multipart/form-data; boundary=x"])
def test_a_content_type_that_is_not_json_is_415(manager, nothing_written, kind):
    send(manager, json.dumps(plan()), headers={"Content-Type": kind}, expect=415, code="content_type_unsupported")


@pytest.mark.parametrize("kind", ["application/json", "application/json;charset=UTF-8", 'Application/JSON ; charset="utf-8"'])
def test_json_in_other_words(manager, kind):
    send(manager, '{"to": "x"}', "/cases/1/transitions", headers={"Content-Type": kind}, expect=422, code="not_allowed")


@pytest.mark.parametrize("kind", ["application/json", "image/png", "application/zip"])
def test_an_import_of_another_type_is_415(manager, nothing_written, kind):
    manager.post("/imports", needs.to_csv([needs.row()]), query={"plan": "tongxin", "mode": "good_rows"},
                 headers={"Content-Type": kind}, expect=415)


def raw(server, data):
    """The first answer's status to these bytes, and the rest of what came."""
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return int(answer.split(b" ")[1]) if answer else 0, answer


@pytest.mark.parametrize("headers", ["Content-Length: x", "Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2",
                                     "Content-Length: 99999999999999999999", "Content-Length: 1, 1", "Content-Length: +2",
                                     "Content-Length: 2\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip", "Content-Length: 1000000000"])
def test_a_wrong_length_is_refused(server, manager, nothing_written, headers):
    status, _ = raw(server, f"POST /api/v1/plans HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {manager.token}\r\n"
                            f"Content-Type: application/json\r\n{headers}\r\n\r\n{{}}".encode())
    assert 400 <= status <= 501 and status != 500
    assert manager.get("/plans").items


def test_a_body_that_is_too_long_is_413(manager, nothing_written):
    send(manager, b" " * (2 << 20), expect=413)


def test_a_body_cut_short_is_not_taken(server, manager, nothing_written):
    body = json.dumps(plan()).encode()
    status, _ = raw(server, f"POST /api/v1/plans HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {manager.token}\r\n"
                            f"Content-Type: application/json\r\nContent-Length: {len(body) + 5}\r\n\r\n".encode() + body)
    assert status in (0, 400, 408)


def test_an_upload_cut_short_is_not_taken(server, manager, nothing_written):
    body = needs.to_csv([needs.row()])
    status, _ = raw(server, f"POST /api/v1/imports?plan=tongxin&mode=good_rows HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {manager.token}\r\n"
                            f"Content-Type: text/csv\r\nContent-Length: {len(body) + 5}\r\n\r\n".encode() + body)
    assert status in (0, 400, 408)


# --- path, query, headers ---


@pytest.mark.parametrize("query, status, code", [
    ("limit=0", 422, "out_of_range"), ("limit=201", 422, "out_of_range"), ("limit=x", 422, "out_of_range"), ("limit=-1", 422, "out_of_range"), ("limit=1.5", 422, "out_of_range"), ("limit=99999999999999999999", 422, "out_of_range"),
    ("after=x", 422, "cursor_invalid"), ("after=-1", 422, "cursor_invalid"),
    ("after=99999999999999999999", 422, "cursor_invalid"), ("after=1%00", 400, "query_invalid"), ("stage=done", 422, "not_allowed"),
    ("region=abc", 422, "not_a_region"), ("counted=yes", 422, "wrong_type"), ("accepted_from=2023-02-29", 422, "not_a_date"),
    ("unknown=1", 422, "unknown_parameter"), ("Plan=tongxin", 422, "unknown_parameter"), ("plan=a&plan=b", 422, "given_twice"),
    ("plan=%ff", 400, "query_invalid"), ("plan=%", 400, "query_invalid"), ("plan=%4", 400, "query_invalid"), ("plan=%zz", 400, "query_invalid"),
    ("plan=%ed%a0%80", 400, "query_invalid"), ("plan=%00", 400, "query_invalid"), ("q=" + "x" * 101, 422, "too_long"),
    ("plan=" + "x" * 33, 422, "too_long"), ("limit=1&limit=2", 422, "given_twice"), ("after=1&after=2", 422, "given_twice"),
    ("%ff=1", 400, "query_invalid"), ("=1", 422, "unknown_parameter")])
def test_a_wrong_parameter_is_named(manager, nothing_written, query, status, code):
    answer = manager.get(f"/cases?{query}", expect=status, code=code)
    if status == 422 and not query.startswith(("=", "%")):
        assert answer["field"] == "/" + query.split("=")[0]


def test_repeated_empty_and_plus(manager):
    assert len(manager.get("/cases?&&plan=tongxin&&limit=1&").items) == 1
    assert manager.get("/cases?limit=&after=&plan=&stage=").items == manager.get("/cases").items
    assert manager.get("/cases?plan=tongxin&q=no+such+village").items == []


@pytest.mark.parametrize("identity", ["0", "-1", "1", "x", "1.0", "1e3", "%31", "9223372036854775807", "9223372036854775808", "6403240000000000",
                                      "%00", "%ff", "%2e%2e", "0x10", "1%20", "+1", "٣", "1" * 300, "%"])
def test_a_wrong_id_is_not_found(manager, nothing_written, identity):
    path = identity if identity.isascii() else "%D9%A3"
    for kind in ("cases", "imports", "jobs"):
        if kind != "cases" and identity in ("1", "%31", "0x10"):
            continue
        manager.get(f"/{kind}/{path}", expect=404)
    manager.post(f"/cases/{path}/transitions", {"to": "approved"}, expect=404)
    manager.get(f"/plans/{path}/progress", expect=404)
    manager.get(f"/regions/{path}", expect=404)


@pytest.mark.parametrize("tag", ["1", '"x"', '"1', '""', '"-1"', '"99999999999"', "W/\"1\"", '"1", "2"', "'1'"])
def test_a_wrong_if_match_is_refused(manager, case, nothing_written, tag):
    manager.post(f"/cases/{case}/transitions", {"to": "approved"}, match=tag, expect=400, code="if_match_invalid")


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "ключ".encode().decode("latin-1"), "\t"])
def test_a_wrong_idempotency_key_is_refused(manager, case, nothing_written, key):
    manager.post(f"/cases/{case}/transitions", {"to": "approved"}, key=key, expect=400, code="idempotency_key_invalid")


@pytest.mark.parametrize("path", ["/cases", "/cases/{}", "/plans/tongxin/progress"])
def test_a_body_where_none_belongs(manager, case, path):
    """A GET with a body answers or refuses, and stays in step with the next request."""
    answer = manager._send("GET", "/api/v1" + path.format(case), b'{"a": 1}',
                           {"Authorization": f"Bearer {manager.token}", "Content-Type": "application/json"}, 30)
    assert answer.status in (200, 400, 422)
    assert manager.get("/plans").items


# --- needs files ---


def book(sheet, parts=None):
    """A workbook of that sheet XML (None: left out); parts are added or replace."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet, **(parts or {})}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            if text is not None:
                archive.writestr(name, text)
    return out.getvalue()


def sheet_of(rows, cell=None):
    """Sheet XML of rows of texts; cell may write one differently."""
    lines = []
    for row in rows:
        cells = "".join(cell(text) if cell and cell(text) else
                        f'<c t="inlineStr"><is><t>{text.replace("&", "&amp;").replace("<", "&lt;")}</t></is></c>' for text in row)
        lines.append(f"<row>{cells}</row>")
    return ('<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
            + "".join(lines) + "</sheetData></worksheet>")


def grid(rows):
    return [needs.COLUMNS] + [[row[column] for column in needs.COLUMNS] for row in rows]


def csv_of(rows):
    return "\r\n".join(",".join(row) for row in rows).encode("utf-8-sig")


def with_column(change):
    header = list(needs.COLUMNS)
    row = [needs.row()[column] for column in header]
    return csv_of(change(header, row))


@functools.cache
def bomb():
    """200 kilobytes of zip, 200 megabytes of blanks."""
    return book(sheet_of(grid([needs.row()])).replace("</sheetData>", " " * (200 << 20) + "</sheetData>"))


OLE = bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 504
BAD_FILES = {
    "empty": (lambda: b"", "file_empty"), "BOM only": (lambda: b"\xef\xbb\xbf", "file_empty"), "blank lines": (lambda: b"\r\n\r\n", "file_empty"),
    "UTF-16": (lambda: needs.to_csv([needs.row()], "utf-16"), "encoding_unknown"),
    "bytes of no encoding": (lambda: b"\xef\xbb\xbf" + b"\xff\xfe\x80" * 50, "encoding_unknown"),
    "an image": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, None),
    "random bytes": (lambda: random.Random(1).randbytes(5000), None),
    "no header": (lambda: csv_of([[needs.row()[column] for column in needs.COLUMNS]]), "header_missing"),
    "another table": (lambda: b"a,b,c\r\n1,2,3\r\n", "header_missing"),
    "a column missing": (lambda: with_column(lambda header, row: [header[:4] + header[5:], row[:4] + row[5:]]), "column_missing"),
    "a column unknown": (lambda: with_column(lambda header, row: [header + ["身高"], row + ["1"]]), "column_unknown"),
    "a column twice": (lambda: with_column(lambda header, row: [header + ["姓名"], row + ["1"]]), "column_twice"),
    "300 columns": (lambda: with_column(lambda header, row: [header + [f"c{n}" for n in range(280)], row + ["1"] * 280]), None),
    "300 columns in a row": (lambda: with_column(lambda header, row: [header, row + ["1"] * 280]), "row_too_wide"),
    "an open quote": (lambda: csv_of([needs.COLUMNS]) + b'\r\n"open', "csv_quote"),
    "a cell too long": (lambda: needs.to_csv([needs.row(**{"备注": "x" * 5000})]), "cell_too_long"),
    "a control character": (lambda: needs.to_csv([needs.row(**{"备注": "a\x01b"})]), "cell_control"),
    "a NUL": (lambda: needs.to_csv([needs.row(**{"备注": "a\0b"})]), None),
    "no sheet": (lambda: book(None), None), "an empty sheet": (lambda: book(sheet_of([])), None),
    "no zip at all": (lambda: b"PK\x03\x04" + b"x" * 400, "xlsx_broken"), "cut in half": (lambda: book(sheet_of(grid([needs.row()])))[:700], "xlsx_broken"),
    "broken XML": (lambda: book(sheet_of(grid([needs.row()]))[:-30]), "xlsx_broken"),
    "a document type": (lambda: book('<!DOCTYPE x [<!ENTITY a "aaaa">]>' + sheet_of(grid([needs.row()]))), "xlsx_broken"),
    "a formula": (lambda: book(sheet_of(grid([needs.row(**{"备注": "公式"})]),
                                        lambda text: "<c><f>1+1</f><v>2</v></c>" if text == "公式" else None)), "xlsx_formula"),
    "a zip bomb": (bomb, "xlsx_too_large"), "encrypted": (lambda: OLE + "EncryptedPackage".encode("utf-16-le") + b"\0" * 4000, "xlsx_encrypted"),
    "an old workbook": (lambda: OLE + "Workbook".encode("utf-16-le") + b"\0" * 4000, "xls_old"),
    "a zip of something else": (lambda: book("<x/>", parts={"xl/workbook.xml": None, "_rels/.rels": None}), "xlsx_broken"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_needs_file_is_refused_whole(manager, nothing_written, name):
    make, code = BAD_FILES[name]
    answer = manager.post("/imports", make(), query={"plan": "tongxin", "mode": "good_rows"},
                          headers={"Content-Type": "application/octet-stream"}, expect=422)
    assert code is None or answer["code"] == code, answer
    assert answer.json.get("field") or answer["code"] in (
        "file_empty", "encoding_unknown", "header_missing", "xlsx_broken", "xlsx_too_large", "xlsx_encrypted", "xls_old", "xlsx_sheet_missing",
        "csv_quote", "row_too_wide"), answer


@pytest.mark.parametrize("name, field", [("a column missing", "/columns/残疾类别"), ("a column unknown", "/columns/身高"), ("a column twice", "/columns/姓名"),
                                         ("a cell too long", "/rows/1/备注"), ("a control character", "/rows/1/备注"), ("a formula", "/rows/1/备注")])
def test_a_bad_cell_or_column_is_named(manager, name, field):
    answer = manager.post("/imports", BAD_FILES[name][0](), query={"plan": "tongxin", "mode": "dry_run"}, expect=422)
    assert answer["field"] == field


@pytest.mark.parametrize("query, code, field", [
    ({"mode": "good_rows"}, "required", "/plan"), ({"plan": "tongxin"}, "required", "/mode"),
    ({"plan": "tongxin", "mode": "all"}, "not_allowed", "/mode"), ({"plan": "nothing", "mode": "good_rows"}, None, "/plan"),
    ({"plan": "", "mode": "good_rows"}, "required", "/plan"), ({"plan": "daqing", "mode": "good_rows"}, None, "/plan")])
def test_an_import_to_nowhere_is_refused(manager, nothing_written, query, code, field):
    path = "/imports?" + "&".join(f"{name}={value}" for name, value in query.items())
    answer = manager.request("POST", path, needs.to_csv([needs.row()]), headers={"Content-Type": "text/csv"},
                             expect=422 if query.get("plan") != "daqing" else 403)
    assert (code is None or answer["code"] == code) and answer["field"] == field


def test_a_bomb_does_not_fill_the_memory(server, manager):
    def resident():
        with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024

    before = resident()
    manager.post("/imports", bomb(), query={"plan": "tongxin", "mode": "good_rows"}, expect=422)
    assert resident() - before < 150


# --- naughty strings ---


def naughty():
    file = SHARED / "json" / "naughty-strings.json"
    if not file.exists():
        pytest.skip("no ../shared beside this tree")
    return json.loads(file.read_text(encoding="utf-8"))


def accepted_or_4xx(client, method, path, body):
    """The answer, or None when it was refused as it should be."""
    answer = client._send(method, "/api/v1" + path, json.dumps(body).encode(),
                          {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 30)
    assert answer.status < 500, (path, body, answer)
    return answer if answer.status < 300 else None


def test_naughty_notes_come_back(manager):
    (case,) = bring_in(manager)
    sent = []
    strings = naughty()
    for first, second in zip(strings[::2], strings[1::2]):
        if accepted_or_4xx(manager, "POST", f"/cases/{case}/transitions", {"to": "approved", "note": first, "evidence": {"x": first}}):
            sent.append(first)
            if accepted_or_4xx(manager, "POST", f"/cases/{case}/take-back", {"note": second}):
                sent.append(second)
            else:
                manager.post(f"/cases/{case}/take-back", {})
                sent.append("")
    kept = list(manager.pages(f"/cases/{case}/events", limit=200))[1:]
    assert [event["note"] for event in kept] == sent
    assert all(event["evidence"]["given"]["x"] == event["note"] for event in kept[::2])
    assert len(sent) > 500


def test_naughty_plan_names_come_back(admin):
    strings = naughty()
    names = ("name_zh", "name_ko", "name_en", "who_counts")
    admin.post("/plans", plan(code="naughty"))
    taken = 0
    for start in range(0, len(strings), 4):
        body = {name: text for name, text in zip(names, strings[start:start + 4]) if 0 < len(text) <= 200}
        answer = accepted_or_4xx(admin, "PATCH", "/plans/naughty", body)
        if answer:
            assert {name: answer[name] for name in body} == body
            assert {name: admin.get("/plans/naughty")[name] for name in body} == body
            taken += len(body)
    assert taken > 480


def test_naughty_indicator_and_region_names_come_back(admin):
    indicator = {"unit": "piece", "target": 1, "direction": "at_least", "per": "year"}
    admin.post("/plans", plan(code="naughty2"))
    admin.post("/regions", {"code": "640390", "name": "试验县", "parent": "640300"}, expect=201)
    strings = [text for text in naughty() if text]
    for text in strings[::3]:
        answer = accepted_or_4xx(admin, "PUT", "/plans/naughty2/indicators/odd", {**indicator, "name_zh": text})
        assert not answer or answer["name_zh"] == answer["name_en"] == text
    for text in strings[1::3]:
        answer = accepted_or_4xx(admin, "POST", "/regions/640390/recode", {"code": "640390", "name": text})
        assert not answer or answer["name"] == text == admin.get("/regions/640390")["name"]


def test_naughty_addresses_come_back(manager):
    (case,) = bring_in(manager)
    for text in [text for text in naughty() if text][2::3]:
        answer = accepted_or_4xx(manager, "POST", f"/cases/{case}/relocation", {"region": "640324102", "village": text[:200], "address": text})
        if answer:
            assert answer["village"] == text[:200]
            assert manager.get(f"/cases/{case}/persons").items[0]["address"] == text


def test_naughty_words_are_looked_for_and_not_executed(manager):
    for text in naughty():
        if text and len(text) <= 100:
            manager.get("/cases", query={"q": text, "limit": 1})


def test_naughty_user_names_come_back(admin):
    strings = sorted((text for text in naughty() if 0 < len(text) <= 64), key=lambda text: text.isascii())
    made = 0
    for number, text in enumerate(strings[::16]):
        body = {"user": text, "password": PASSWORD, "role": "contractor", "contractor": f"naughty-{number}"}
        answer = accepted_or_4xx(admin, "POST", "/users", body)
        if answer:
            assert answer["user"] == text and admin.get(f"/users/{answer['id']}")["user"] == text
            client = Client(admin.server, admin.contract)
            assert client.post("/session", {"user": text, "password": PASSWORD})["user"] == text
            made += 1
    assert made > 20


def test_naughty_cells_of_a_needs_file_come_back(manager):
    texts = [text for text in naughty() if text.strip() == text and text and all(ord(c) >= 32 and ord(c) != 127 for c in text)]
    texts = list(dict.fromkeys(texts))
    rows = [needs.row(**{"姓名": text, "村(社区)": text, "备注": text, "详细地址": text, "性别": text[:20], "家庭特征": ""}) for text in texts]
    done = manager.import_file("tongxin", needs.to_csv(rows))
    if done["accepted"] < len(rows):
        assert done["rejected_by_code"], done
    villages = {case["household_number"]: case["village"] for case in manager.pages("/cases", plan="tongxin", limit=200)}
    missing = [row["村(社区)"] for row in rows if villages.get(row["户编号"]) not in (row["村(社区)"],)]
    assert len(missing) == done["rejected"] or not missing, missing[:5]
