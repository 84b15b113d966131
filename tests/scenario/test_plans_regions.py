# SPDX-License-Identifier: Apache-2.0
"""Plans, targets and regions: the ones of SPEC §2, and every change of them."""
import csv
import itertools

import needs
import pytest
from client import Client
from conftest import People
from processes import ADMIN_PASSWORD, ROOT, Program
from stages import bring_in, bring_in_rows, walk

# SPEC §2: region, eligibility, {indicator: (unit, target, direction, per, binding)}; and the baselines.
PLANS = {"qinghai": ("630000", "severe_and_poor", 7500), "linxia": ("622900", "severe_and_poor", 4027), "daqing": ("230600", "any", 2540),
         "yanbian": ("222400", "poor", 1500), "tongxin": ("640324", "severe_and_poor", 1500)}
FITTING = {"qinghai": (90, "at_least", None), "linxia": (85, "more_than", 80), "daqing": (90, "at_least", 85), "yanbian": (85, "at_least", None),
           "tongxin": (95, "more_than", None)}
PREVIOUS = {"linxia": 3941, "daqing": 1156}
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def staff(server, admin_session):
    people = People(admin_session)
    yield {"manager": people.manager("640324"), "qinghai": people.manager("630000"), "county": people.county("640324"),
           "auditor": people.auditor("640324"), "foreign": people.manager("222400")}
    for client in people.made:
        client.close()


# --- what is loaded ---


@pytest.mark.parametrize("code", PLANS)
def test_the_plans_are_those_of_the_offices(staff, code):
    region, eligibility, households = PLANS[code]
    plan = staff["auditor"].get(f"/plans/{code}").json
    assert (plan["region"], plan["eligibility"], plan["target"]) == (region, eligibility, households)
    assert (plan["begins_on"], plan["ends_on"]) == ("2021-01-01", "2025-12-31")
    assert plan["name_zh"] and plan["name_ko"] and plan["name_en"] and "家庭" in plan["who_counts"]
    indicators = {indicator["code"]: indicator for indicator in plan["indicators"]}
    first = indicators["households"]
    assert (first["unit"], first["target"], first["binding"], first["per"]) == ("household", households, True, "period")
    assert first["baseline"] == PREVIOUS.get(code)
    rate = next(indicator for indicator in plan["indicators"] if indicator["unit"] == "percent")
    target, direction, baseline = FITTING[code]
    assert (rate["target"], rate["direction"], rate["baseline"]) == (target, direction, baseline)
    if code == "tongxin":
        assert any((indicator["unit"], indicator["target"], indicator["per"]) == ("piece", 40, "year") for indicator in plan["indicators"])
    if code == "yanbian":
        assert any((indicator["unit"], indicator["target"], indicator["per"]) == ("person", 5000, "year") for indicator in plan["indicators"])


def test_a_list_and_one_plan_say_the_same(staff):
    listed = {plan["code"]: plan for plan in staff["manager"].pages("/plans", limit=2)}
    assert set(PLANS) <= set(listed) and list(listed) == sorted(listed)
    assert staff["manager"].get("/plans/daqing").json == listed["daqing"]
    staff["manager"].get("/plans/nothing", expect=404, code="not_found")


def test_all_regions_are_there(staff):
    rows = list(csv.DictReader((ROOT / "db" / "data" / "regions.csv").open(encoding="utf-8")))
    listed = {region["code"]: region for region in staff["auditor"].pages("/regions", limit=200)}
    assert len(rows) == 889
    for row in rows:
        region = listed[row["code"]]
        assert (region["name"], region["level"], region["parent"] or "") == (row["name"], row["level"], row["parent_code"])


def test_regions_by_parent(staff):
    client = staff["auditor"]
    children = [region["code"] for region in client.pages("/regions", parent="640324", limit=4)]
    assert "640324101" in children and all(code.startswith("640324") for code in children) and len(children) >= 11
    assert [region["code"] for region in client.get("/regions", query={"parent": "640300"}).items][:1] == ["640324"]
    assert client.get("/regions", query={"parent": "999999"}).items == []
    assert client.get("/regions", query={"parent": "630122"}).items == client.get("/regions", query={"parent": "630106"}).items


@pytest.mark.parametrize("old, new, name", [("630122", "630106", "湟中区"), ("632321", "632301", "同仁市"), ("630122101", "630106101", None)])
def test_an_old_code_still_resolves(staff, old, new, name):
    region = staff["auditor"].get(f"/regions/{old}").json
    assert region["code"] == new and old in region["former_codes"] and (name is None or region["name"] == name)
    assert region == staff["auditor"].get(f"/regions/{new}").json


@pytest.mark.parametrize("code", ["999999", "640324999", "1", "abcdef", "640324000"])
def test_an_unknown_region_is_not_found(staff, code):
    staff["auditor"].get(f"/regions/{code}", expect=404)


def test_loading_again_changes_nothing(database, admin):
    before = database.sql("SELECT sum(hashtextextended(p::text, 0)), (SELECT sum(hashtextextended(r::text, 0)) FROM region r), "
                          "(SELECT sum(hashtextextended(i::text, 0)) FROM indicator i) FROM plan p")
    database.run("migrate")
    assert database.sql("SELECT sum(hashtextextended(p::text, 0)), (SELECT sum(hashtextextended(r::text, 0)) FROM region r), "
                        "(SELECT sum(hashtextextended(i::text, 0)) FROM indicator i) FROM plan p") == before


# --- plans ---


def plan(**changes):
    return {"code": f"plan-{next(numbers)}", "name_zh": "同心县无障碍改造（十五五）", "region": "640324", "begins_on": "2026-01-01",
            "ends_on": "2030-12-31", "who_counts": "困难残疾人家庭", "eligibility": "poor", **changes}


def test_a_new_plan_works_from_the_first_day(staff):
    manager = staff["manager"]
    body = plan(name_en="Next period", notice_days=7, subsidy_ceiling=1000000)
    made = manager.post("/plans", body, expect=201)
    assert {name: made[name] for name in body} == body and made["name_ko"] == body["name_zh"] and made["version"] == 1
    path = f"/plans/{body['code']}"
    assert manager.progress(body["code"])["target"] is None
    manager.put(f"{path}/indicators/households", {"name_zh": "户", "unit": "household", "target": 700, "direction": "at_least",
                                                  "per": "period", "binding": True})
    assert manager.progress(body["code"])["target"] == 700
    (case,) = bring_in_rows(manager, [needs.row("tongxin")], body["code"]).values()
    assert manager.get(f"/cases/{case}")["plan"] == body["code"]
    assert manager.progress(body["code"])["by_stage"]["registered"] == 1
    assert {row["year"]: row["accepted"] for row in manager.get(f"{path}/totals", query={"by": "year"}).items} == \
        {year: 0 for year in range(2026, 2031)}


def test_a_plan_that_cannot_be_made(staff, admin):
    manager = staff["manager"]
    manager.post("/plans", plan(code="tongxin"), expect=409, code="plan_taken")
    assert manager.post("/plans", plan(region="999999"), expect=422, code="region_unknown")["field"] == "/region"
    manager.post("/plans", plan(begins_on="2031-01-01"), expect=422, code="period_backwards")
    manager.post("/plans", plan(region="222400"), expect=403, code="region_foreign")
    for role in ("county", "auditor"):
        staff[role].post("/plans", plan(), expect=403, code="role_not_allowed")
    assert admin.post("/plans", plan(region="222400"), expect=201)["region"] == "222400"
    assert manager.post("/plans", plan(begins_on="2026-01-01", ends_on="2026-01-01"), expect=201)


def test_a_plan_is_changed_by_who_saw_it_last(staff, admin):
    manager = staff["manager"]
    code = manager.post("/plans", plan())["code"]
    path = f"/plans/{code}"
    changed = manager.patch(path, {"notice_days": 7, "name_ko": "이름"}, match='"1"')
    assert (changed["notice_days"], changed["name_ko"], changed.etag) == (7, "이름", '"2"')
    assert manager.patch(path, {"notice_days": 0}, match='"1"', expect=412, code="stale")["current"]["notice_days"] == 7
    manager.patch(path, {"ends_on": "2025-01-01"}, expect=422, code="period_backwards")
    manager.patch(path, {"begins_on": "2031-01-01"}, expect=422, code="period_backwards")
    manager.patch(path, {"code": "other"}, expect=422, code="unknown_field")
    manager.patch(path, {"region": "222400"}, expect=422, code="unknown_field")
    staff["foreign"].patch(path, {"notice_days": 1}, expect=403, code="region_foreign")
    manager.patch("/plans/nothing", {"notice_days": 1}, expect=404)
    for role in ("county", "auditor"):
        staff[role].patch(path, {"notice_days": 1}, expect=403, code="role_not_allowed")
    assert admin.patch(path, {"eligibility": "any"})["eligibility"] == "any"
    assert manager.get(path)["version"] == 3


# --- indicators and targets ---


INDICATOR = {"name_zh": "助听器", "unit": "piece", "target": 40, "direction": "at_least", "per": "year"}


@pytest.fixture
def own(staff):
    """A plan of its own with an indicator of 100 households; its path."""
    path = f"/plans/{staff['manager'].post('/plans', plan())['code']}"
    staff["manager"].put(f"{path}/indicators/households", {**INDICATOR, "unit": "household", "per": "period", "target": 100})
    return path


def test_an_indicator_is_made_and_changed(staff, own):
    manager = staff["manager"]
    made = manager.put(f"{own}/indicators/aids", INDICATOR)
    assert made["name_en"] == "助听器" and made["binding"] is False and made.etag == '"1"'
    changed = manager.put(f"{own}/indicators/aids", {**INDICATOR, "target": 40.5, "name_en": "Aids", "binding": True}, match='"1"')
    assert (changed["target"], changed["name_en"], changed["version"]) == (40.5, "Aids", 2)
    listed = {indicator["code"]: indicator for indicator in manager.get(own)["indicators"]}
    assert listed["aids"]["target"] == 40.5 and listed["aids"]["version"] == 2


def test_an_indicator_that_cannot_be_put(staff, own):
    manager, path = staff["manager"], f"{own}/indicators/aids"
    manager.put(path, INDICATOR)
    manager.put(path, {**INDICATOR, "target": 41}, match='"1"')
    manager.put(path, INDICATOR, match='"1"', expect=412)
    assert manager.put(path, {**INDICATOR, "unit": "person"}, expect=422, code="indicator_fixed")
    manager.put(path, {**INDICATOR, "per": "period"}, expect=422, code="indicator_fixed")
    for change, code in (({"unit": "dozen"}, "not_allowed"), ({"target": -1}, "out_of_range"), ({"target": "40"}, "wrong_type"),
                         ({"direction": "at_most"}, "not_allowed"), ({"binding": 1}, "wrong_type"), ({"x": 1}, "unknown_field")):
        manager.put(path, {**INDICATOR, **change}, expect=422, code=code)
    for name in ("unit", "target", "direction", "per", "name_zh"):
        manager.put(path, {key: value for key, value in INDICATOR.items() if key != name}, expect=422, code="required")
    staff["foreign"].put(path, INDICATOR, expect=403, code="region_foreign")
    staff["county"].put(path, INDICATOR, expect=403, code="role_not_allowed")
    manager.put("/plans/nothing/indicators/aids", INDICATOR, expect=404)
    manager.put(f"{own}/indicators/Not-a-code", INDICATOR, expect=422)
    # A target cannot fall below what is split already.
    manager.put(f"{own}/targets/households", {"items": [{"year": 2027, "value": 90}]})
    manager.put(f"{own}/indicators/households", {**INDICATOR, "unit": "household", "per": "period", "target": 89}, expect=422,
                code="split_exceeds_target")


def targets(client, own):
    return next(row for row in client.get(f"{own}/targets").items if row["indicator"] == "households")


def test_a_target_is_split_and_the_remainder_shows(staff, own):
    manager = staff["manager"]
    assert targets(manager, own) == {"indicator": "households", "target": 100, "by_county": {"split": 0, "remainder": 100},
                                     "by_year": {"split": 0, "remainder": 100}, "split": [], "version": 1}
    answer = manager.put(f"{own}/targets/households", {"items": [{"region": "640324", "value": 80}, {"year": 2026, "value": 30},
                                                                 {"region": "640324", "year": 2026, "value": 25}]}, match='"1"')
    assert (answer["by_county"], answer["by_year"], answer["version"]) == ({"split": 80, "remainder": 20}, {"split": 30, "remainder": 70}, 2)
    shown = targets(manager, own)
    assert shown["by_county"]["remainder"] == 20 and len(shown["split"]) == 3
    # The whole split is replaced.
    manager.put(f"{own}/targets/households", {"items": [{"year": 2027, "value": 100}]})
    assert targets(manager, own)["split"] == [{"year": 2027, "value": 100}]
    assert targets(manager, own)["by_year"] == {"split": 100, "remainder": 0}
    manager.put(f"{own}/targets/households", {"items": []})
    assert targets(manager, own)["split"] == []


@pytest.mark.parametrize("items, code", [
    ([{"value": 1}], "split_without_key"), ([{"year": 2026, "value": 101}], "split_exceeds_target"),
    ([{"year": 2026, "value": 50}, {"year": 2027, "value": 51}], "split_exceeds_target"), ([{"region": "640324", "value": 101}], "split_exceeds_target"),
    ([{"region": "640324", "value": 10}, {"region": "640324", "year": 2026, "value": 11}], "split_exceeds_target"),
    ([{"year": 2026, "value": 1}, {"year": 2026, "value": 2}], "split_twice"), ([{"region": "999999", "value": 1}], "region_unknown"),
    ([{"region": "222401", "value": 1}], "region_not_within"), ([{"region": "640324101", "value": 1}], "region_not_within"),
    ([{"region": "640324", "year": 2026, "value": 101}], "split_exceeds_target"),
    ([{"year": 2026, "value": 10}, {"region": "640324", "year": 2026, "value": 11}], "split_exceeds_target")])
def test_a_split_that_does_not_add_up_is_refused(staff, own, items, code):
    staff["manager"].put(f"{own}/targets/households", {"items": items}, expect=422, code=code)
    assert targets(staff["manager"], own)["split"] == []


def test_who_may_split_a_target(staff, own):
    items = {"items": [{"year": 2026, "value": 1}]}
    staff["foreign"].put(f"{own}/targets/households", items, expect=403, code="region_foreign")
    staff["county"].put(f"{own}/targets/households", items, expect=403, code="role_not_allowed")
    staff["manager"].put(f"{own}/targets/nothing", items, expect=404)
    staff["manager"].put("/plans/nothing/targets/households", items, expect=404)
    staff["manager"].put(f"{own}/targets/households", items)
    staff["manager"].put(f"{own}/targets/households", items, match='"1"', expect=412, code="stale")


# --- regions ---


def test_a_region_is_added_where_it_lies(staff, admin):
    made = admin.post("/regions", {"code": "640324888", "name": "新镇", "parent": "640324"}, expect=201)
    assert (made["level"], made["parent"]) == ("township", "640324")
    assert admin.post("/regions", {"code": "640381", "name": "新市", "parent": "640300"}, expect=201)["level"] == "county"
    (case,) = bring_in(staff["manager"], 1, **{"区划代码": "640324888"})
    assert staff["manager"].get(f"/cases/{case}")["region"] == "640324888"
    assert staff["manager"].post("/regions", {"code": "640324887", "name": "新乡", "parent": "640324"}, expect=201)


@pytest.mark.parametrize("code, parent, status, verdict", [
    ("640324101", "640324", 409, "region_taken"), ("630122", "630100", 409, "region_taken"), ("640324777", "999999", 422, "parent_unknown"),
    ("640324777", "640300", 422, "region_not_within"), ("640325777", "640324", 422, "region_not_within"), ("640399", "640324", 422, "region_not_within"),
    ("640324777", "640324101", 422, "region_not_within"), ("222499", "640300", 422, "region_not_within"), ("640000", "640300", 409, "region_taken")])
def test_a_region_that_cannot_be_added(admin, code, parent, status, verdict):
    admin.post("/regions", {"code": code, "name": "x", "parent": parent}, expect=status, code=verdict)
    if verdict != "region_taken":
        admin.get(f"/regions/{code}", expect=404)


def test_who_may_change_regions(staff):
    new = {"code": "222401777", "name": "x", "parent": "222401"}
    staff["manager"].post("/regions", new, expect=403, code="region_foreign")
    staff["manager"].post("/regions/222401/recode", {"code": "222499"}, expect=403, code="region_foreign")
    for role in ("county", "auditor"):
        staff[role].post("/regions", new, expect=403, code="role_not_allowed")
        staff[role].post("/regions/640324/recode", {"code": "640398"}, expect=403, code="role_not_allowed")


@pytest.mark.parametrize("region, body, status, code", [
    ("999999", {"code": "640398"}, 404, "not_found"), ("640324", {"code": "640324101"}, 422, "region_not_within"),
    ("640300", {"code": "640399"}, 422, "region_not_renumbered"), ("640324", {"code": "630106"}, 409, "region_taken"),
    ("640324", {"code": "630122"}, 409, "region_taken"), ("640324", {}, 422, "required"), ("640324", {"code": "x"}, 422, "not_a_region")])
def test_a_renumbering_that_cannot_be(admin, region, body, status, code):
    admin.post(f"/regions/{region}/recode", body, expect=status, code=code)
    assert admin.get("/regions/640324")["version"] == 1


def test_a_county_is_renumbered_and_everything_follows(cluster, database, contract):
    """On a database of its own: figures, lists, imports and scope, by the new code and by the old one."""
    own = cluster.new_database().migrate()
    server = Program(own, "serve").start()
    admin = Client(server, contract).sign_in("admin", ADMIN_PASSWORD)
    people = People(admin)
    manager, county = people.manager("630000"), people.county("630106")
    for case in bring_in(manager, 2, "qinghai", **{"区划代码": "630106101"}):
        walk(manager, case, "accepted")
    before = manager.progress("qinghai", region="630106")
    etag = admin.get("/regions/630106").etag
    changed = admin.post("/regions/630106/recode", {"code": "630199", "name": "湟中新区"}, match=etag)
    assert (changed["code"], changed["name"], changed["version"]) == ("630199", "湟中新区", 2)
    admin.post("/regions/630106/recode", {"code": "630198"}, match=etag, expect=412, code="stale")
    for code in ("630199", "630106", "630122"):
        region = admin.get(f"/regions/{code}").json
        assert region["code"] == "630199" and region["former_codes"] == ["630106", "630122"]
        figures = manager.progress("qinghai", region=code)
        assert {**figures, "region": None} == {**before, "region": None} and figures["region"] == "630199"
        assert len(list(manager.pages("/cases", plan="qinghai", region=code))) == 2
        assert manager.progress("qinghai", region=code, as_of="2024-01-01")["accepted"] == 2
    assert admin.get("/regions/630106101")["code"] == "630199101" == admin.get("/regions/630122101")["code"]
    assert {case["region"] for case in county.pages("/cases", plan="qinghai")} == {"630199101"}
    assert county.progress("qinghai")["accepted"] == 2
    # The whole plan's figures as before, however they are asked for.
    assert manager.progress("qinghai")["accepted"] == 2 == manager.progress("qinghai", as_of="2024-01-01")["accepted"]
    for by, name in (("county", "accepted"), ("year", "accepted"), ("month", "accepted"), ("stage", "cases")):
        assert sum(row[name] for row in manager.get("/plans/qinghai/totals", query={"by": by}).items) == 2
    # A file may still carry the old number; the new one is known too.
    bring_in(county, 1, "qinghai", **{"区划代码": "630106102"})
    bring_in(county, 1, "qinghai", **{"区划代码": "630199102"})
    bring_in(county, 1, "qinghai", **{"区划代码": "630122102"})
    assert county.progress("qinghai")["by_stage"]["registered"] == 3
    # Back to the number before: it was this county's.
    assert admin.post("/regions/630199/recode", {"code": "630106"})["code"] == "630106"
    assert manager.progress("qinghai", region="630199")["region"] == "630106"
    assert "totals agree" in own.run("verify", "totals").stdout
    server.stop()


def test_the_region_of_a_plan_is_renumbered(cluster, database, contract):
    own = cluster.new_database().migrate()
    server = Program(own, "serve").start()
    admin = Client(server, contract).sign_in("admin", ADMIN_PASSWORD)
    manager = People(admin).manager("640324")
    for case in bring_in(manager, 2):
        walk(manager, case, "accepted")
    admin.post("/regions/640324/recode", {"code": "640399"})
    assert manager.get("/plans/tongxin")["region"] == "640399"
    for query in ({}, {"as_of": "2024-01-01"}, {"region": "640324"}, {"region": "640399"}):
        figures = manager.progress("tongxin", **query)
        assert (figures["accepted"], figures["target"], figures["region"]) == (2, 1500, "640399"), query
    assert sum(row["cases"] for row in manager.get("/plans/tongxin/totals", query={"by": "stage"}).items) == 2
    assert [row["accepted"] for row in manager.get("/plans/tongxin/totals", query={"by": "county"}).items] == [2]
    assert len(list(manager.pages("/plans/tongxin/progress/cases", measure="counted"))) == 2
    server.stop()


def test_a_township_is_renumbered_alone(staff, admin):
    (case,) = bring_in(staff["manager"], 1, **{"区划代码": "640324203"})
    admin.post("/regions/640324203/recode", {"code": "640324299", "name": "张家塬镇"})
    assert staff["manager"].get(f"/cases/{case}")["region"] == "640324299"
    assert staff["manager"].progress("tongxin", region="640324203")["region"] == "640324299"
    assert admin.get("/regions/640324")["version"] == 1
    assert needs.PLACES["tongxin"] == admin.get("/regions/640324101")["code"]
