# SPDX-License-Identifier: Apache-2.0
"""Sampling inspection (抽查): a frozen list, a seed that comes later, a draw that anybody can do again, findings and rates."""
import hashlib
import itertools
import math
import os
import re
import subprocess
from datetime import datetime, timedelta, timezone

import needs
import psycopg2
import pytest
from conftest import People
from processes import ROOT, wait_until
from stages import bring_in_rows, move, walk

HUANGZHONG, CHENGBEI = "630106101", "630105001"
YEAR = {"accepted_from": "2023-01-01", "accepted_to": "2023-12-31"}
numbers = itertools.count(1)


def soon(seconds=0.2):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


class Field:
    """A plan of its own in 青海, where two firms have built in two counties."""

    def __init__(self, admin, database):
        self.database = database
        self.people = People(admin)
        self.plan = f"sampled-{next(numbers)}"
        admin.post("/plans", {"code": self.plan, "name_zh": "抽查", "region": "630000", "begins_on": "2021-01-01", "ends_on": "2025-12-31",
                              "who_counts": "a", "eligibility": "any"})
        self.manager, self.auditor = self.people.manager("630000"), self.people.auditor("630000")
        self.county = self.people.county("630106")
        self.firms = ["firm-sampled-a", "firm-sampled-b"]
        for firm in self.firms:
            self.people.contractor(firm)
        self.cases = {}  # (county, firm): ids
        self.build("630106", HUANGZHONG, self.firms[0], 7)
        self.build("630106", HUANGZHONG, self.firms[1], 2)
        self.build("630105", CHENGBEI, self.firms[1], 4)

    def build(self, county, place, firm, count):
        rows = [needs.row("qinghai", **{"区划代码": place}) for _ in range(count)]
        cases = list(bring_in_rows(self.manager, rows, self.plan).values())
        for case in cases:
            walk(self.manager, case, contractor=firm)
        self.cases[county, firm] = cases

    def freeze(self, **fields):
        body = {**YEAR, "per_stratum": 3, "seed_source": "福彩双色球 2026136 期", "seed_at": soon(), "note": "再抽", **fields}
        return self.manager.post(f"/plans/{self.plan}/samples", {name: value for name, value in body.items() if value is not None}, expect=201)

    def drawn(self, seed="03 08 17 21 24 30 + 11", **fields):
        sample = self.freeze(**fields)
        return draw(self.manager, sample["id"], seed)


def draw(manager, sample, seed):
    """As soon as the seed may be given."""
    def attempt():
        try:
            return manager.post(f"/samples/{sample}/draw", {"seed": seed})
        except AssertionError as refused:
            assert "seed_not_due" in str(refused)
    return wait_until(attempt, 20, "the time of the seed")


@pytest.fixture(scope="module")
def field(admin_session, database):
    field = Field(admin_session, database)
    yield field
    for client in field.people.made:
        client.close()


def redraw(frame, strata, seed):
    """The draw as docs/sampling.md tells it, from the frozen list alone; nothing of it is taken from the server's code."""
    by_stratum = {}
    for line in frame:
        digest = hashlib.sha256(f"{seed}\n{line['id']}".encode("utf-8")).hexdigest()
        by_stratum.setdefault((line["county"], line["contractor"]), []).append((digest, line["id"]))
    takes = {(one["county"], one["contractor"]): one["takes"] for one in strata}
    return {case: (position, digest) for key, lines in by_stratum.items()
            for position, (digest, case) in enumerate(sorted(lines)[:takes[key]], 1)}


def digest_of(frame):
    lines = sorted(frame, key=lambda line: line["id"])
    return hashlib.sha256("".join(f"{line['id']}\t{line['county']}\t{line['contractor']}\n" for line in lines).encode("utf-8")).hexdigest()


def listed(client, sample, part, **query):
    return list(client.pages(f"/samples/{sample}/{part}", limit=3, **query))


@pytest.mark.parametrize("seed", ["03 08 17 21 24 30 + 11", "上证指数 3456.78", "a"])
def test_anybody_redraws_it_to_the_same_list(field, seed):
    sample = field.drawn(seed)
    frame, strata = listed(field.auditor, sample["id"], "frame"), listed(field.auditor, sample["id"], "strata")
    assert {line["id"] for line in frame} == {case for cases in field.cases.values() for case in cases}
    assert sample["digest"] == digest_of(frame) and sample["households"] == 13 and sample["strata"] == 3 and sample["takes"] == 8
    for one in strata:
        own = [line for line in frame if (line["county"], line["contractor"]) == (one["county"], one["contractor"])]
        assert {line["id"] for line in own} == set(field.cases[one["county"], one["contractor"]])
        assert one["digest"] == digest_of(own) and one["households"] == len(own) and one["takes"] == min(3, len(own))
    picked = {case["id"]: (case["position"], case["hash"]) for case in listed(field.manager, sample["id"], "cases")}
    assert picked == redraw(frame, strata, seed) and len(picked) == 8
    assert sample["seed"] == seed and sample["drawn_at"] > sample["seed_at"] > sample["frozen_at"]


def test_the_page_about_it_says_how_with_sha256sum(field, tmp_path):
    """The lines of docs/sampling.md themselves."""
    sample = field.drawn(seed := "03 08 17 21 24 30 + 11 '\\n%s")
    lines = re.search(r"```sh\n(.*?)```", (ROOT / "docs" / "sampling.md").read_text(encoding="utf-8"), re.DOTALL)[1].replace("firm-a", field.firms[0])
    frame = listed(field.auditor, sample["id"], "frame")
    (tmp_path / "frame.tsv").write_text("".join(f"{one['id']}\t{one['county']}\t{one['contractor']}\n" for one in frame), encoding="utf-8")
    said = subprocess.run(["bash", "-euc", lines], cwd=tmp_path, env={**os.environ, "seed": seed}, stdout=subprocess.PIPE, text=True, check=True)
    *drawn, digest = said.stdout.splitlines()
    assert digest.split()[0] == sample["digest"]
    picked = sorted((one["position"], f"{one['hash']} {one['id']}") for one in listed(field.manager, sample["id"], "cases")
                    if one["id"] in field.cases["630106", field.firms[0]])
    assert drawn == [line for _, line in picked] and len(drawn) == 3


def test_another_seed_draws_others(field):
    draws = [frozenset(case["id"] for case in listed(field.manager, field.drawn(str(seed))["id"], "cases")) for seed in range(3)]
    assert len(set(draws)) > 1


def test_a_share_is_rounded_up_and_has_a_minimum(field):
    def takes(**fields):
        sample = field.freeze(per_stratum=None, **fields)
        return sorted(one["takes"] for one in listed(field.manager, sample["id"], "strata"))
    assert takes(share=30) == [1, 2, 3]
    assert takes(share=30, minimum=3) == [2, 3, 3]
    assert takes(share=100) == [2, 4, 7]


def test_what_happens_after_the_freeze_does_not_change_the_list(field):
    sample = field.freeze(region="630106")
    before = listed(field.manager, sample["id"], "frame")
    case = field.cases["630106", field.firms[1]][0]
    field.manager.post(f"/cases/{case}/take-back", {})
    try:
        assert listed(field.manager, sample["id"], "frame") == before and len(before) == 9
        assert field.freeze(region="630106")["households"] == 8
        assert draw(field.manager, sample["id"], "x")["digest"] == digest_of(before)
    finally:
        move(field.manager, case, "accepted", "2023-06-01T03:00:00Z")


@pytest.mark.parametrize("fields, code, pointer", [
    ({"per_stratum": None}, "sample_size_unclear", "/per_stratum"), ({"share": 5}, "sample_size_unclear", "/per_stratum"),
    ({"minimum": 2}, "sample_size_unclear", "/per_stratum"), ({"seed_at": "2020-01-01T00:00:00Z"}, "seed_known_already", "/seed_at"),
    ({"accepted_to": "2022-01-01"}, "period_backwards", "/accepted_to"), ({"region": "999999"}, "region_unknown", "/region"),
    ({"region": "640324"}, "region_not_within", "/region"), ({"accepted_from": "2024-01-01", "accepted_to": "2024-12-31"}, "sample_empty",
                                                             "/accepted_from")])
def test_a_list_that_is_not_frozen(field, fields, code, pointer):
    body = {**YEAR, "per_stratum": 3, "seed_source": "a", "seed_at": soon(60), "note": "a", **fields}
    refused = field.manager.post(f"/plans/{field.plan}/samples", {name: value for name, value in body.items() if value is not None},
                                 expect=422, code=code)
    assert refused["field"] == pointer


def test_a_list_that_would_be_too_long(field):
    """200,000 more households than there are: only the count is pretended."""
    field.database.sql("""CREATE TABLE kept_freeze AS SELECT pg_get_functiondef('sample_freeze'::regproc) AS was;
        DO $$ BEGIN EXECUTE replace((SELECT was FROM kept_freeze), '200000', '12'); END $$""")
    try:
        refused = field.manager.post(f"/plans/{field.plan}/samples", {**YEAR, "per_stratum": 1, "seed_source": "a", "seed_at": soon(60),
                                                                     "note": "a"}, expect=422, code="sample_too_large")
        assert refused["field"] == "/accepted_from"
    finally:
        field.database.sql("DO $$ BEGIN EXECUTE (SELECT was FROM kept_freeze); END $$; DROP TABLE kept_freeze")


def test_a_second_sample_of_the_same_households_says_why(field):
    field.freeze()
    body = {**YEAR, "per_stratum": 1, "seed_source": "a", "seed_at": soon(60)}
    for note in ({}, {"note": "  "}):
        field.manager.post(f"/plans/{field.plan}/samples", {**body, **note}, expect=422, code="sample_again")
    plan = f"/plans/{field.plan}/samples"
    assert field.manager.post(plan, {**body, "note": "抽中户投诉"}, expect=201)["note"] == "抽中户投诉"


def test_a_seed_is_given_once_and_not_before_its_time(field):
    early = field.freeze(seed_at=soon(3600))
    field.manager.post(f"/samples/{early['id']}/draw", {"seed": "1"}, expect=422, code="seed_not_due")
    assert early["seed"] is None and not listed(field.manager, early["id"], "cases")
    sample = field.freeze()
    field.manager.post(f"/samples/{sample['id']}/draw", {"seed": "1"}, match='"7"', expect=412)
    drawn = draw(field.manager, sample["id"], "1")
    assert drawn["version"] == 2 and drawn["drawn_by"] == field.manager.get("/session")["id"]
    field.manager.post(f"/samples/{sample['id']}/draw", {"seed": "2"}, expect=409, code="sample_drawn")
    field.manager.post(f"/samples/{sample['id'] + 999}/draw", {"seed": "2"}, expect=404)
    assert field.manager.get(f"/samples/{sample['id']}").json == drawn.json
    assert drawn.json in list(field.manager.pages("/samples", plan=field.plan, limit=2))


def test_a_draw_under_a_key_is_made_once(field):
    sample = field.freeze()
    draw(field.manager, sample["id"], "1")
    again = field.freeze()
    wait_until(lambda: datetime.now(timezone.utc).isoformat() > again["seed_at"], 20)
    first = field.manager.post(f"/samples/{again['id']}/draw", {"seed": "1"}, key=f"draw-{again['id']}")
    assert field.manager.post(f"/samples/{again['id']}/draw", {"seed": "1"}, key=f"draw-{again['id']}").json == first.json


def test_only_a_manager_of_all_of_it_freezes_and_draws(field):
    sample = field.freeze()
    body = {**YEAR, "per_stratum": 1, "seed_source": "a", "seed_at": soon(60), "note": "a"}
    for client in (field.county, field.auditor):
        client.post(f"/plans/{field.plan}/samples", body, expect=403, code="role_not_allowed")
        client.post(f"/samples/{sample['id']}/draw", {"seed": "1"}, expect=403, code="role_not_allowed")
    part = field.people.manager("630106")
    assert part.post(f"/plans/{field.plan}/samples", body, expect=201)["households"] == 9
    for client in (part, field.people.manager("640324")):
        client.post(f"/samples/{sample['id']}/draw", {"seed": "1"}, expect=404)
    field.people.manager("640324").post(f"/plans/{field.plan}/samples", body, expect=404)
    field.manager.post("/plans/nowhere/samples", body, expect=404)


def test_a_county_sees_and_redraws_its_own_strata(field):
    sample = field.drawn("county")
    frame, strata = listed(field.county, sample["id"], "frame"), listed(field.county, sample["id"], "strata")
    assert {line["county"] for line in frame} == {"630106"} == {one["county"] for one in strata} and len(frame) == 9
    assert {case["id"]: (case["position"], case["hash"]) for case in listed(field.county, sample["id"], "cases")} == redraw(
        frame, strata, "county")
    other = field.people.county("640324")
    assert not listed(other, sample["id"], "frame") and not listed(other, sample["id"], "cases")
    other.get(f"/samples/{sample['id']}", expect=404)


def test_verify_redraws_every_sample_and_names_what_differs(field, drawn):
    fine = field.database.run("verify", "samples")
    assert "samples agree" in fine.stdout
    (case, other), sample = [one["id"] for one in listed(field.manager, drawn["id"], "cases")][:2], drawn["id"]
    undrawn = next(line["id"] for line in listed(field.manager, sample, "frame") if line["id"] not in
                   {one["id"] for one in listed(field.manager, sample, "cases")})
    # As somebody would who rules the database: triggers do not fire for a replica's session.
    swap = "SET session_replication_role = replica; UPDATE sample_pick SET case_id = %s WHERE sample_id = %s AND case_id = %s; RESET session_replication_role"
    field.database.sql(swap, undrawn, sample, case)
    try:
        told = field.database.run("verify", "samples", check=False)
        assert told.returncode == 3
        lines = [line for line in told.stdout.splitlines() if line.startswith("differs")]
        assert len(lines) == 2 and all(f"sample {sample} case" in line for line in lines)
        assert any(f"case {case}: kept not drawn" in line for line in lines) and not any(str(other) in line for line in lines)
    finally:
        field.database.sql(swap, case, sample, undrawn)
    drop = "SET session_replication_role = replica; UPDATE sample_case SET stratum = %s WHERE sample_id = %s AND case_id = %s; RESET session_replication_role"
    stratum = next(line["stratum"] for line in listed(field.manager, sample, "frame") if line["id"] == undrawn)
    field.database.sql(drop, stratum % 3 + 1, sample, undrawn)
    try:
        told = field.database.run("verify", "samples", check=False)
        assert told.returncode == 3 and f"sample {sample} the list: kept {drawn['digest']}" in told.stdout
    finally:
        field.database.sql(drop, stratum, sample, undrawn)
    assert field.database.run("verify", "samples").returncode == 0


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize("change", [
    "UPDATE sample SET seed = 'other'", "UPDATE sample SET households = 1", "DELETE FROM sample", "UPDATE sample_stratum SET takes = 1",
    "DELETE FROM sample_case", "UPDATE sample_case SET stratum = 2", "DELETE FROM sample_pick", "UPDATE sample_pick SET hash = ''",
    "DELETE FROM sample_finding", "TRUNCATE sample_pick"])
def test_what_is_frozen_and_drawn_stays(field, drawn, role, change):
    connection = field.database.connect(role)
    connection.autocommit = False
    try:
        with connection.cursor() as cursor, pytest.raises(psycopg2.Error) as refused:
            cursor.execute(change)
        assert refused.value.pgcode == "42501"
    finally:
        connection.rollback()
        connection.close()


class Visits:
    """A sample with assessors sent to its cases."""

    def __init__(self, field):
        self.manager = field.manager
        self.sample = field.drawn("visits", per_stratum=4)["id"]
        self.assessor = field.people.assessor("630000")
        self.cases = {}
        for case in listed(self.manager, self.sample, "cases"):
            self.cases.setdefault(case["stratum"], []).append(case["id"])
            self.send(case["id"], self.assessor)

    def send(self, case, assessor, **options):
        return self.manager.post(f"/samples/{self.sample}/cases/{case}/assignment", {"assessor": assessor.user}, **options)

    def find(self, client, case, result, **fields):
        options = {name: fields.pop(name) for name in ("expect", "code") if name in fields}
        body = {"visited_at": datetime.now(timezone.utc).isoformat(), "result": result, **fields}
        return client.post(f"/samples/{self.sample}/cases/{case}/findings", body, **options)


@pytest.fixture(scope="module")
def visits(field):
    return Visits(field)


@pytest.fixture(scope="module")
def drawn(field):
    return field.drawn()


def test_who_had_a_hand_in_a_case_does_not_inspect_it(field, visits):
    case = visits.cases[1][0]
    own = field.people.assessor("630106")
    field.manager.patch(f"/cases/{case}", {"assessor": own.user})
    refused = visits.send(case, own, expect=422, code="assessor_involved")
    assert refused["field"] == "/assessor"
    field.manager.patch(f"/cases/{case}", {"assessor": visits.assessor.user})
    visits.find(visits.assessor, case, "ok", expect=422, code="assessor_involved")
    field.manager.patch(f"/cases/{case}", {"assessor": own.user})
    inspector = field.people.assessor("630106")
    field.database.sql("""INSERT INTO inspection (plan_region, case_id, number, case_version, inspected_at, account_id, result)
        SELECT plan_region, id, 1, 7, now(), (SELECT id FROM account WHERE name = %s), 'pass' FROM retrofit_case WHERE id = %s""", inspector.user, case)
    visits.send(case, inspector, expect=422, code="assessor_involved")
    # The manager walked every case here.
    visits.find(field.manager, case, "ok", expect=422, code="assessor_involved")
    far = field.people.assessor("640324")
    visits.send(case, far, expect=422, code="assessor_unknown")
    undrawn = field.cases["630106", field.firms[0]]
    visits.send(next(one for one in undrawn if one not in visits.cases[1] + visits.cases[2]), visits.assessor, expect=404)


def test_an_assessor_sees_whom_he_is_sent_to_and_the_reading_is_recorded(field, visits):
    other = field.people.assessor("630000")
    case = visits.cases[1][1]
    path = f"/samples/{visits.sample}/cases/{case}"
    assert not listed(other, visits.sample, "cases")
    for client in (other, field.people.county("640324")):
        client.get(path, expect=404)
    visits.assessor.get(f"/cases/{case}", expect=404)  # the case itself is not his to see
    before = field.database.sql("SELECT count(*) FROM access_record WHERE what = 'address of a sampled case' AND subject = %s", case)[0][0]
    assert visits.assessor.get(path)["address"].startswith("试验村")
    assert field.auditor.get(path)["result"] == "not_visited"
    after = field.database.sql("SELECT count(*) FROM access_record WHERE what = 'address of a sampled case' AND subject = %s", case)[0][0]
    assert after == before + 2
    assert visits.assessor.get(f"/samples/{visits.sample}")["id"] == visits.sample
    visits.send(case, other)
    assert [one["id"] for one in listed(other, visits.sample, "cases")] == [case]
    visits.find(visits.assessor, case, "ok", expect=404)
    visits.send(case, visits.assessor)
    visits.find(other, case, "ok", expect=404)
    field.county.post(f"{path}/findings", {}, expect=403, code="role_not_allowed")


@pytest.mark.parametrize("fields, code, pointer", [
    ({"result": "error", "note": "a"}, "error_kind_unfit", "/kind"), ({"result": "ok", "kind": "quality"}, "error_kind_unfit", "/kind"),
    ({"result": "error", "kind": "quality"}, "note_required", "/note"), ({"result": "ok", "visited_at": "2023-01-01T00:00:00Z"},
                                                                        "visit_before_draw", "/visited_at"),
    ({"result": "ok", "visited_at": "2093-01-01T00:00:00Z"}, "happened_in_future", "/visited_at")])
def test_a_finding_that_is_none(visits, fields, code, pointer):
    refused = visits.find(visits.assessor, visits.cases[1][1], **fields, expect=422, code=code)
    assert refused["field"] == pointer


def binomial_tail(k, n, p):
    return sum(math.comb(n, i) * p**i * (1 - p)**(n - i) for i in range(k, n + 1))


def test_rates_by_contractor_and_county_with_their_bounds(field, visits):
    rates = {one["county"]: one for one in field.manager.get(f"/samples/{visits.sample}/rates", query={"by": "county"}).items}
    assert rates["630105"]["visited"] == 0 and rates["630105"]["not_visited"] == 4 == rates["630105"]["drawn"]
    assert rates["630105"]["rate"] is None and rates["630105"]["low"] is None
    first, second, third = (visits.cases[number] for number in (1, 2, 3))
    strata = {one["id"]: (one["county"], one["contractor"], one["households"]) for one in listed(field.manager, visits.sample, "strata")}
    assert strata == {1: ("630105", field.firms[1], 4), 2: ("630106", field.firms[0], 7), 3: ("630106", field.firms[1], 2)}
    for case in first[1:]:
        visits.find(visits.assessor, case, "ok")
    visits.find(visits.assessor, second[0], "error", kind="work_missing", note="没有扶手")
    visits.find(visits.assessor, second[1], "ok")
    visits.find(visits.assessor, third[0], "not_met", note="无人")
    visits.find(visits.assessor, third[1], "ok")
    # A later finding corrects an earlier one; both stay.
    visits.find(visits.assessor, third[1], "error", kind="quality", note="地面不平")
    path = f"/samples/{visits.sample}/cases/{third[1]}/findings"
    assert [one["result"] for one in field.auditor.pages(path, limit=1)] == ["ok", "error"]
    assert {one["id"] for one in listed(field.manager, visits.sample, "cases", result="error")} == {second[0], third[1]}
    assert {one["id"] for one in listed(field.manager, visits.sample, "cases", result="not_met")} == {third[0]}

    def asked(by):
        return field.auditor.get(f"/samples/{visits.sample}/rates", query={"by": by}).items
    firms = {one["contractor"]: one for one in asked("contractor")}
    b = firms[field.firms[1]]
    assert (b["drawn"], b["visited"], b["errors"], b["not_visited"], b["households"]) == (6, 4, 1, 2, 6)
    assert b["rate"] == 0.25 and b["weighted"] == round((4 * 0 / 3 + 2 * 1 / 1) / 6, 6)
    assert abs(binomial_tail(1, 4, b["low"]) - 0.025) < 1e-4 and abs(1 - binomial_tail(2, 4, b["high"]) - 0.025) < 1e-4
    (whole,) = asked("whole")
    assert (whole["visited"], whole["errors"], whole["not_visited"]) == (6, 2, 4) and whole["low"] < whole["rate"] < whole["high"]
    assert {(one["county"], one["contractor"]) for one in asked("stratum")} == {(county, firm) for county, firm, _ in strata.values()}
    (own,) = field.county.get(f"/samples/{visits.sample}/rates", query={"by": "county"}).items
    assert own["county"] == "630106" and own["errors"] == 2 and own["not_visited"] == 3
