# SPDX-License-Identifier: Apache-2.0
"""All 515 naughty strings in every free-text field that /openapi.json knows, in every text parameter of a query, in paths and
in headers: taken and given back byte for byte, or refused with 4xx. A new field fails here until it has a way in."""
import importlib
import itertools
import json
import re
from urllib.parse import quote

import pytest
import step_approve
from client import Client
from harness import PASSWORD, People
from processes import ADMIN_PASSWORD, ROOT, Program, wait_until
from stages import DAYS, bring_in, move, walk
from test_refusals import exchange, heads

NAUGHTY = ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json"
HERE = ROOT / "tests" / "scenario"
# What has a test of its own.
ELSEWHERE = {
    ("POST", "/api/v1/cases/{id}/transitions", "note"): "test_bad_input.py::test_naughty_notes_come_back",
    ("POST", "/api/v1/cases/{id}/take-back", "note"): "test_bad_input.py::test_naughty_notes_come_back",
    ("PUT", "/api/v1/cases/{id}/survey", "remark"): "test_surveys.py::test_naughty_texts_come_back",
    ("POST", "/api/v1/cases/{id}/survey/signatures", "name"): "test_surveys.py::test_naughty_names_sign",
    ("POST", "/api/v1/cases/{id}/survey/signatures", "relation"): "test_surveys.py::test_naughty_names_sign",
    **{("POST", path, field): "test_orders.py::test_naughty_texts_come_back" for path, field in (
        ("/api/v1/orders", "note"), ("/api/v1/orders", "contractor"), ("/api/v1/cases/{id}/order/accept", "note"),
        ("/api/v1/cases/{id}/order/decline", "reason"), ("/api/v1/cases/{id}/reassignment", "contractor"),
        ("/api/v1/cases/{id}/reassignment", "reason"))}}
# Never given back; each costs a password's hash, so that only every eighth string is tried.
SECRET = {("POST", "/api/v1/session", "password"), ("POST", "/api/v1/users", "password"), ("PATCH", "/api/v1/users/{id}", "password")}
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def strings():
    if not NAUGHTY.exists():
        pytest.skip("no ../shared beside this tree")
    found = json.loads(NAUGHTY.read_text(encoding="utf-8"))
    assert len(found) == 515
    return found


class World:
    """A database and a server of its own, with somebody for everything."""

    def __init__(self, cluster, contract):
        self.database = cluster.new_database().migrate()
        self.server = Program(self.database, "serve").start()
        self.admin = Client(self.server, contract).sign_in("admin", ADMIN_PASSWORD)
        self.people = People(self.admin)
        self.manager = self.people.manager("640324")
        contractor = self.people.contractor("firm-texts")
        self.case, self.built = bring_in(self.manager, 2)
        walk(self.manager, self.built, "building", contractor="firm-texts")
        move(contractor, self.built, "built", DAYS["built"])
        self.listed, self.notice = bring_in(self.manager)[0], None
        move(self.manager, self.listed, "approved", "2023-03-01T02:00:00Z")
        self.other = self.people.manager("640324")
        (self.accepted,) = bring_in(self.manager)
        walk(self.manager, self.accepted, contractor="firm-texts")
        self.sample = sample_in(self)
        self.database.sql("INSERT INTO sample_pick SELECT plan_region, %s, id, region, 1, '' FROM retrofit_case WHERE id = %s", self.sample, self.accepted)
        self.database.sql("UPDATE sample SET seed = 'a', drawn_at = '2025-01-01' WHERE id = %s", self.sample)
        self.user = self.admin.post("/users", {"user": "texts", "password": PASSWORD, "role": "auditor", "region": "640324"})["id"]
        self.plan = {"code": "texts", "name_zh": "a", "region": "640324", "begins_on": "2026-01-01", "ends_on": "2030-12-31",
                     "who_counts": "a", "eligibility": "any"}
        self.admin.post("/plans", self.plan)
        self.admin.post("/regions", {"code": "640390", "name": "a", "parent": "640300"}, expect=201)

    def new_notice(self):
        """One that is not cancelled."""
        if not self.notice or self.manager.get(f"/notices/{self.notice}")["state"] == "cancelled":
            self.notice = step_approve.publish(self.manager, self.listed, "2023-03-02", 1)["id"]
        return self.notice

    def new_objection(self):
        return self.manager.post(f"/notices/{self.new_notice()}/objections", {"case": self.listed, "content": "a"})["id"]

    def open_follow_up(self):
        """The accepted case's first, open again."""
        wait_until(lambda: self.database.sql("""UPDATE follow_up SET state = 'open', outcome = NULL, happened_at = NULL, done_at = NULL, account_id = NULL
                                                WHERE case_id = %s AND number = 1 RETURNING 1""", self.accepted), 20, "follow-ups")
        return self.accepted

    def end(self):
        for client in (self.admin, *self.people.made):
            client.close()
        self.server.stop()


@pytest.fixture(scope="module")
def world(cluster, database, contract):
    world = World(cluster, contract)
    yield world
    world.end()


def sample_in(world):
    """One more, frozen, whose seed may be given."""
    return world.database.sql("""INSERT INTO sample (plan_region, id, plan_id, region, high, accepted_from, accepted_to, seed_source, seed_at, note,
            households, strata, takes, digest, account_id)
        SELECT 640324000, id_in(640324000, 'sample_number'), id, 640324000, 640324999, '2021-01-01', '2021-01-01', '', now(), '', 0, 0, 0, '', 1
        FROM plan WHERE code = 'tongxin' RETURNING id""")[0][0]


def flag_in(world):
    """Two photos that look alike; what was said of them can be said anew."""
    flag = world.database.sql("SELECT min(id) FROM photo_flag")[0][0]
    return flag or world.database.sql("""WITH bytes AS (
            INSERT INTO photo (hash, kind, bytes, width, height) VALUES (sha256('texts'), 'jpeg', 1, 1, 1) RETURNING hash
        ), used AS (
            INSERT INTO case_photo (plan_region, id, case_id, slot, photo, taken_at, account_id)
            SELECT 640324000, id_in(640324000, 'case_photo_number'), %s, 'before', hash, now(), 1 FROM bytes, generate_series(1, 2) RETURNING *
        ), flag AS (
            INSERT INTO photo_flag (first_use, second_use, distance, same_bytes) SELECT min(id), max(id), 0, true FROM used RETURNING id)
        INSERT INTO photo_flag_side (flag_id, plan_region, photo_use, case_id) SELECT f.id, u.plan_region, u.id, u.case_id FROM flag f, used u
        RETURNING flag_id""", world.case)[0][0]


def pair_in(world, state):
    """Two people who may be one, judged so."""
    return world.database.sql("""INSERT INTO duplicate AS d (plan_region, id, low, high, low_region, high_region, score, parts, state)
        SELECT 640324000, id_in(640324000, 'duplicate_number'), min(id), max(id), 640324101, 640324101, 70, '[]', %s FROM person
        ON CONFLICT (plan_region, low, high) DO UPDATE SET state = excluded.state RETURNING id""", state)[0][0]


# (method, path): (who, the path, the other fields of the body); every call makes a new one.
WAYS = {
    ("PATCH", "/api/v1/cases/{id}"): lambda w: (w.manager, f"/cases/{w.case}", {}),
    ("POST", "/api/v1/cases/{id}/transitions"): lambda w: (w.manager, f"/cases/{w.case}/transitions", {"to": "assigned"}),
    ("POST", "/api/v1/cases/{id}/relocation"): lambda w: (w.manager, f"/cases/{w.case}/relocation", {"region": "640324102", "village": "a", "address": "a"}),
    ("POST", "/api/v1/cases/{id}/inspections"): lambda w: (w.manager, f"/cases/{w.built}/inspections", {
        "inspected_at": "2023-06-01T02:00:00Z", "items": [], "result": "pass"}),
    ("POST", "/api/v1/cases/{id}/follow-ups/{number}/result"): lambda w: (w.manager, f"/cases/{w.open_follow_up()}/follow-ups/1/result", {
        "happened_at": "2023-07-01T02:00:00Z", "outcome": "in_use"}),
    ("PUT", "/api/v1/plans/{code}/limits"): lambda w: (w.admin, "/plans/texts/limits", {"limits": [], "escalation": []}),
    ("PUT", "/api/v1/holidays/{day}"): lambda w: (w.admin, "/holidays/2049-12-31", {"works": False}),
    ("POST", "/api/v1/plans"): lambda w: (w.admin, "/plans", {**w.plan, "code": f"texts-{next(numbers)}"}),
    ("PATCH", "/api/v1/plans/{code}"): lambda w: (w.admin, "/plans/texts", {}),
    ("PUT", "/api/v1/plans/{code}/indicators/{indicator}"): lambda w: (w.admin, "/plans/texts/indicators/odd", {
        "name_zh": "a", "unit": "piece", "target": 1, "direction": "at_least", "per": "year"}),
    ("PUT", "/api/v1/plans/{code}/gates/{gate}"): lambda w: (w.admin, "/plans/texts/gates/notice", {"closed": True}),
    ("POST", "/api/v1/measures"): lambda w: (w.admin, "/measures", {"code": f"texts_{next(numbers)}", "kind": "retrofit", "name_zh": "a", "unit": "a"}),
    ("PATCH", "/api/v1/measures/{code}"): lambda w: (w.admin, "/measures/ramp", {}),
    ("POST", "/api/v1/problems"): lambda w: (w.admin, "/problems", {"code": f"texts_{next(numbers)}", "name_zh": "a"}),
    ("PATCH", "/api/v1/problems/{code}"): lambda w: (w.admin, "/problems/squat_toilet", {}),
    ("POST", "/api/v1/plans/{code}/samples"): lambda w: (w.manager, "/plans/tongxin/samples", {
        "accepted_from": "2023-01-01", "accepted_to": "2023-12-31", "per_stratum": 1, "seed_source": "a", "seed_at": "2099-01-01T00:00:00Z", "note": "a"}),
    ("POST", "/api/v1/samples/{id}/draw"): lambda w: (w.manager, f"/samples/{sample_in(w)}/draw", {}),
    ("POST", "/api/v1/samples/{id}/cases/{case}/assignment"): lambda w: (w.manager, f"/samples/{w.sample}/cases/{w.accepted}/assignment", {}),
    ("POST", "/api/v1/samples/{id}/cases/{case}/findings"): lambda w: (w.other, f"/samples/{w.sample}/cases/{w.accepted}/findings", {
        "visited_at": "2026-01-01T00:00:00Z", "result": "ok"}),
    ("POST", "/api/v1/photo-flags/{id}/resolution"): lambda w: (w.manager, f"/photo-flags/{flag_in(w)}/resolution", {"resolution": "explained"}),
    ("POST", "/api/v1/duplicates/{id}/resolution"): lambda w: (w.manager, f"/duplicates/{pair_in(w, 'open')}/resolution", {"is": "not_duplicate"}),
    ("POST", "/api/v1/duplicates/{id}/undo"): lambda w: (w.manager, f"/duplicates/{pair_in(w, 'not_duplicate')}/undo", {}),
    ("POST", "/api/v1/regions"): lambda w: (w.admin, "/regions", {"code": f"640390{next(numbers) % 899 + 100}", "name": "a", "parent": "640390"}),
    ("POST", "/api/v1/regions/{code}/recode"): lambda w: (w.admin, "/regions/640390/recode", {"code": "640390"}),
    ("POST", "/api/v1/session"): lambda w: (w.admin, "/session", {"user": "nobody", "password": ""}),
    ("POST", "/api/v1/users"): lambda w: (w.admin, "/users", {"user": f"texts-{next(numbers)}", "password": "short", "role": "contractor",
                                                              "contractor": "firm-texts"}),
    ("PATCH", "/api/v1/users/{id}"): lambda w: (w.admin, f"/users/{w.user}", {}),
    ("POST", "/api/v1/notices/{id}/cancel"): lambda w: (w.manager, f"/notices/{w.new_notice()}/cancel", {}),
    ("POST", "/api/v1/notices/{id}/objections"): lambda w: (w.manager, f"/notices/{w.new_notice()}/objections", {"case": w.listed}),
    ("POST", "/api/v1/cases/{id}/objections/{objection}/resolution"): lambda w: (
        w.manager, f"/cases/{w.listed}/objections/{w.new_objection()}/resolution", {"outcome": "dismissed"}),
}
# Where an account would be made for each string: its field, and the role that it belongs to.
HASHED = {("POST", "/api/v1/users", "user"): {}, ("POST", "/api/v1/users", "contractor"): {},
          ("POST", "/api/v1/users", "centre"): {"role": "centre", "contractor": None}}


# They name something that would have to be there, or have a form of their own.
REFERENCES = {("PATCH", "/api/v1/cases/{id}", "contractor"), ("PATCH", "/api/v1/cases/{id}", "assessor"),
              ("POST", "/api/v1/cases/{id}/transitions", "contractor"), ("POST", "/api/v1/plans", "code"),
              ("POST", "/api/v1/samples/{id}/cases/{case}/assignment", "assessor"), ("POST", "/api/v1/measures", "code"), ("POST", "/api/v1/problems", "code")}
for file in sorted(HERE.glob("[!t]*_texts.py")):  # an area's own: WAYS, ELSEWHERE, REFERENCES
    area = importlib.import_module(file.stem)
    WAYS |= getattr(area, "WAYS", {})
    ELSEWHERE |= getattr(area, "ELSEWHERE", {})
    REFERENCES |= getattr(area, "REFERENCES", set())
# What no answer shows.
KEPT = {("POST", "/api/v1/photo-flags/{id}/resolution", "note"): lambda w: w.database.sql("SELECT note FROM photo_flag_side ORDER BY 1 LIMIT 1")[0][0],
    ("POST", "/api/v1/cases/{id}/relocation", "address"): lambda w: w.database.sql(
    "SELECT h.address FROM household h JOIN retrofit_case c ON c.household_id = h.id WHERE c.id = %s", w.case)[0][0],
    ("POST", "/api/v1/notices/{id}/objections", "objector"): lambda w: w.database.sql(
        "SELECT objector FROM objection ORDER BY id DESC LIMIT 1")[0][0]}


def free_texts(contract):
    """(method, path, field) of every text in a body that is not bound to a form."""
    for (method, path), operation in sorted(contract.operations.items()):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        for name, field in schema.get("properties", {}).items():
            if field.get("type") == "string" and "enum" not in field and "pattern" not in field and field.get("format") in (None, "password"):
                yield method, path, name


def test_every_free_text_has_a_way_in(contract):
    fields = list(free_texts(contract))
    assert len(fields) > 20
    assert not [field for field in fields if field[:2] not in WAYS and field not in ELSEWHERE]
    for test in ELSEWHERE.values():
        file, name = test.split("::")
        assert f"def {name}(" in (HERE / file).read_text(encoding="utf-8")
    assert {*SECRET, *ELSEWHERE, *HASHED, *REFERENCES, *KEPT} <= set(fields), "a field that is not there any more"


def send(client, method, path, body, headers=None):
    return client._send(method, "/api/v1" + path, json.dumps(body).encode(), {
        "Authorization": f"Bearer {client.token}", "Content-Type": "application/json", **(headers or {})}, 60)


def check_given_back(world, endpoint, fields, text, answer):
    for name in fields:
        field = (*endpoint, name)
        given = KEPT[field](world) if field in KEPT else text if field in SECRET else answer[name]
        assert given == text, (field, text, answer)


def try_text(world, endpoint, fields, number, text):
    """The fields that took the text: asked for all at once, and one by one when that was refused."""
    client, where, others = WAYS[endpoint](world)
    # An account is really made for every sixteenth only; for the others the password is too short, which is told after the text.
    if number % 16 == 0 and endpoint == ("POST", "/api/v1/users"):
        others["password"] = PASSWORD
    for name in fields:
        others.update(HASHED.get((*endpoint, name), {}))
    answer = send(client, endpoint[0], where, {**others, **{name: text for name in fields}})
    assert answer.status < 300 or 400 <= answer.status < 500, (endpoint, fields, text, answer)
    if answer.status < 300:
        check_given_back(world, endpoint, fields, text, answer)
        return fields
    assert isinstance(answer["code"], str), (endpoint, text, answer)
    return [one for name in fields for one in try_text(world, endpoint, [name], number, text)] if len(fields) > 1 else []


def test_every_free_text_of_every_endpoint(world, contract, strings):
    fields = [field for field in free_texts(contract) if field not in ELSEWHERE]
    taken = dict.fromkeys(fields, 0)
    groups = {}
    for field in fields:
        alone = field in SECRET or field in HASHED or field in REFERENCES
        groups.setdefault(field if alone else field[:2], []).append(field[2])
    for key, names in groups.items():
        for number, text in enumerate(strings):
            if number % 16 and key in SECRET:
                continue
            for name in try_text(world, key[:2], names, number, text):
                taken[*key[:2], name] += 1
    few = {field for field, count in taken.items() if count < 400}
    assert few <= {*SECRET, *HASHED, *REFERENCES, ("POST", "/api/v1/session", "user")}, taken
    assert all(taken[field] > 15 for field in HASHED), taken


def test_every_text_of_a_query(world, contract, strings):
    tried = 0
    for (method, path), operation in sorted(contract.operations.items()):
        for parameter in operation.get("parameters", []):
            schema = parameter.get("schema", {})
            if method != "GET" or parameter["in"] != "query" or schema.get("type") != "string" or "enum" in schema:
                continue
            client = world.admin if "admin" in operation["x-roles"] else world.manager
            where = path.replace("/api/v1", "", 1).replace("{id}", str(world.case)).replace("{code}", "tongxin")
            tried += 1
            # Forms are all refused alike: an eighth of the strings for them.
            for text in strings if "pattern" not in schema and "format" not in schema and parameter["name"] != "after" else strings[::8]:
                answer = send(client, "GET", f"{where}?{parameter['name']}={quote(text, safe='')}", None)
                assert answer.status == 200 or 400 <= answer.status < 500, (path, parameter["name"], text, answer)
    assert tried > 15


def test_paths(world, contract, strings):
    """Each string in a quarter of all paths, so that each path has a quarter of the strings."""
    templates = sorted({(method, path) for method, path in contract.operations if "{" in path})
    for number, text in enumerate(strings):
        for place, (method, path) in enumerate(templates):
            if (number + place) % 4 or not text or text.isdigit():  # a number may be somebody's
                continue
            where = re.sub(r"\{\w+\}", lambda _: quote(text, safe=""), path.replace("/api/v1", "", 1))
            answer = send(world.admin, method, where, {} if method != "GET" else None)
            assert answer.status in (200, 400, 403, 404, 409, 415, 422), (method, path, text, answer)


@pytest.mark.parametrize("header", ["If-Match", "Idempotency-Key", "traceparent", "Authorization", "Cookie", "X-Forwarded-For", "Content-Type",
                                    "Accept", "Expect", "If-None-Match"])
def test_headers(world, strings, header):
    """As they are, in UTF-8: answered, and no 5xx; what has a control character in it is refused by the guard."""
    token = "" if header == "Authorization" else f"Authorization: Bearer {world.admin.token}\r\n"
    kind = "" if header == "Content-Type" else "Content-Type: application/json\r\n"
    for text in strings:
        data = (f"PATCH /api/v1/plans/texts HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{token}{kind}Content-Length: 2\r\n"
                f"{header}: {text}\r\n\r\n{{}}").encode("utf-8", "surrogatepass")
        statuses = [int(status) for status in heads(exchange(world.server, data)) if status != b"100"]
        assert len(statuses) == 1 and (200 <= statuses[0] < 429 or statuses[0] == 431), (header, text, statuses)
        assert (statuses[0] == 401) == (header == "Authorization") or statuses[0] == 400, (header, text, statuses)


REFUSED_AS = {"reject": {"json_invalid"}, "reject-duplicate": {"json_invalid"}, "reject-nul": {"json_invalid", "nul_in_text"}}


def test_json_test_suite_through_an_endpoint_that_takes_anything(world):
    """Each by itself as the body, and as a value within evidence, which takes any object: refused as JSON exactly when it has to
    be. (What is JSON is refused later on: it is no transition, or one that the case cannot make.)"""
    file = NAUGHTY.parent / "jsontestsuite.jsonl"
    if not file.exists():
        pytest.skip("no ../shared beside this tree")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 318
    headers = {"Authorization": f"Bearer {world.manager.token}", "Content-Type": "application/json"}
    for one in lines:
        data = bytes.fromhex(one["hex"])
        for body in (data, b'{"to": "closed", "evidence": {"x": ' + data + b"}}"):
            answer = world.manager._send("POST", f"/api/v1/cases/{world.case}/transitions", body, headers, 60)
            code = answer["code"]
            assert 400 <= answer.status < 500, (one["name"], answer)
            if one["expect"] in REFUSED_AS and body.strip():
                assert code in REFUSED_AS[one["expect"]] or (b"\\u0000" in data and code in ("unknown_field", "wrong_type")), (one["name"], answer)
            elif one["expect"] == "reject-not-object-or-array" and body is data:
                assert code in ("wrong_type", "json_invalid"), (one["name"], answer)
            elif one["expect"] == "accept":
                assert code == ("stage_not_allowed" if body is not data else code) != "json_invalid", (one["name"], answer)
