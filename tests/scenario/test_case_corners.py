# SPDX-License-Identifier: Apache-2.0
"""The arms of the statements of cases that the life of a case does not lead through; scripts/coverage counts on them."""
import psycopg2
import pytest
from stages import bring_in, case_of, move

NOWHERE = 6403240000000000


@pytest.fixture
def manager(people):
    return people.manager("640324")


@pytest.mark.parametrize("method, path, body", [
    ("POST", "transitions", {"to": "approved"}), ("POST", "take-back", {"note": "a"}),
    ("POST", "relocation", {"region": "640324202", "village": "v", "address": "a"}), ("PATCH", "", {"elder_retrofit": True})])
def test_a_case_that_is_not_there_is_not_changed(manager, method, path, body):
    ask = manager.post if method == "POST" else manager.patch
    ask(f"/cases/{NOWHERE}/{path}".rstrip("/"), body, expect=404, code="not_found")


def test_an_elder_friendly_retrofit_is_noted_and_cleared(manager):
    (case,) = bring_in(manager)
    before = manager.get(f"/cases/{case}").json
    marked = manager.patch(f"/cases/{case}", {"elder_retrofit": True})
    assert not marked["eligible"] and marked["eligibility_reasons"] == before["eligibility_reasons"] + ["no_second_retrofit"]
    cleared = manager.patch(f"/cases/{case}", {"elder_retrofit": False})
    assert cleared["eligible"] and cleared["eligibility_reasons"] == before["eligibility_reasons"]
    # Once it is approved, what is noted of the home does not judge the case again.
    move(manager, case, "approved")
    assert manager.patch(f"/cases/{case}", {"elder_retrofit": True})["eligible"]


def test_a_county_does_not_move_a_household_into_another(people):
    qinghai, county = people.manager("630000"), people.county("630106")
    (case,) = bring_in(qinghai, 1, "qinghai", **{"区划代码": "630106101"})
    number = qinghai.get(f"/cases/{case}")["household_number"]
    body = {"village": "v", "address": "a"}
    refused = county.post(f"/cases/{case}/relocation", {**body, "region": "630105001"}, expect=403, code="region_foreign")
    assert refused["field"] == "/region"
    assert case_of(county, number)["region"] == "630106101"
    assert county.post(f"/cases/{case}/relocation", {**body, "region": "630106102"})["region"] == "630106102"


@pytest.mark.parametrize("role, contractor, account, only", [
    ("county", "", "7", None), ("manager", "", "7", None), ("auditor", "", "7", None), ("system", "", "", None),
    ("contractor", "5", "7", "c5"), ("assessor", "", "7", "a7"), ("centre", "", "7", "x"), ("admin", "", "7", "x"),
    ("", "", "", "x"), ("contractor", "", "7", None)])
def test_whose_cases_a_role_is_kept_to(database, role, contractor, account, only):
    connection = psycopg2.connect(database.conninfo("app"))
    try:
        with connection.cursor() as cursor:
            for name, value in (("role", role), ("contractor", contractor), ("account", account)):
                cursor.execute("SELECT set_config(%s, %s, true)", (f"tantu.{name}", value))
            cursor.execute("SELECT scope_only(), scope_sees_region()")
            sees_all = role in ("county", "manager", "auditor", "system")
            assert cursor.fetchone() == (only, sees_all)
    finally:
        connection.close()


def test_a_move_under_a_key_is_made_once(manager):
    (case,) = bring_in(manager)
    first = move(manager, case, "approved", key=f"corner-{case}")
    assert move(manager, case, "approved", key=f"corner-{case}").json == first.json
    assert manager.get(f"/cases/{case}")["version"] == first["version"] == 2
    # So is a refusal, though the case could go there by now.
    refused = move(manager, case, "building", key=f"corner-no-{case}", expect=422, code="stage_not_allowed")
    assert move(manager, case, "building", key=f"corner-no-{case}", expect=422, code="stage_not_allowed").json == refused.json


def test_a_suspended_case_returns_without_being_judged_anew(manager, people):
    """What was excepted stays excepted, and the days of the notice are not waited for once more: found by the model (test_model.py)."""
    county = people.county("640324")
    (case,) = bring_in(manager, **{"残疾等级": "四级"})
    move(county, case, "approved", expect=422, code="not_eligible")
    move(manager, case, "approved", "2023-03-01T02:00:00Z", note="村里核实")
    move(county, case, "suspended", "2023-03-02T02:00:00Z")
    assert county.post(f"/cases/{case}/transitions", {"to": "approved", "happened_at": "2023-03-03T02:00:00Z"})["exception_note"] == "村里核实"
    notice_days = manager.get("/plans/tongxin")["notice_days"]
    manager.patch("/plans/tongxin", {"notice_days": 7})
    try:
        move(county, case, "surveyed", "2023-03-04T02:00:00Z", expect=422, code="notice_not_over")
        move(county, case, "surveyed", "2023-03-20T02:00:00Z")
        move(county, case, "suspended", "2023-03-21T02:00:00Z")
        assert move(county, case, "surveyed", "2023-03-22T02:00:00Z")["stage"] == "surveyed"
    finally:
        manager.patch("/plans/tongxin", {"notice_days": notice_days})
