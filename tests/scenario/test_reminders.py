# SPDX-License-Identifier: Apache-2.0
"""A case that stays too long in its stage is reminded of, once for each stay; the small lists; late refusals."""
import time

import needs
import pytest
from processes import ADMIN_PASSWORD, wait_until


@pytest.fixture
def office(make_database, make_server, client_of):
    database = make_database()
    server = make_server(database=database)
    admin = client_of(server).sign_in("admin", ADMIN_PASSWORD)
    admin.post("/users", {"user": "chief", "password": "a long password", "role": "manager", "region": "640324"}, expect=201)
    return database, admin, admin.sign_in("chief", "a long password")


def told(client):
    return client.get("/outbox", query={"kind": "stage_overdue"}).items


def test_an_overdue_case_is_told_once(office):
    database, _, chief = office
    chief.import_file("tongxin", needs.to_csv(needs.household("tongxin", 登记日期="2023-03-01", 经济状况="低保")))
    case = chief.get("/cases", query={"plan": "tongxin"}).items[0]
    for _ in range(2):
        database.sql("UPDATE job SET run_at = now() WHERE kind = 'overdue_scan'")
        database.sql("NOTIFY job, 'reminders'")
        wait_until(lambda: told(chief), 20)
        time.sleep(0.5)
        messages = told(chief)
        assert len(messages) == 1 and messages[0]["case"] == case["id"] and messages[0]["region"] == case["region"]
        assert messages[0]["content"]["stage"] == "registered"


def test_a_reminder_queued_twice_is_told_once(office):
    """The scan may see the outbox as it was before the reminder it had queued was told."""
    database, _, chief = office
    chief.import_file("tongxin", needs.to_csv(needs.household("tongxin", 登记日期="2023-03-01", 经济状况="低保")))
    case = chief.get("/cases", query={"plan": "tongxin"}).items[0]["id"]
    for _ in range(2):
        number = database.sql("INSERT INTO job (queue, kind, payload, region) VALUES ('reminders', 'stage_overdue', "
                              "json_build_object('case', %s::bigint, 'version', 1), 640324101) RETURNING id", case)[0][0]
        wait_until(lambda number=number: database.sql("SELECT state FROM job WHERE id = %s", number) == [("done",)], 20)
    assert [message["case"] for message in told(chief)] == [case]


def test_nothing_happened_before_the_plan_began(office):
    _, _, chief = office
    chief.import_file("tongxin", needs.to_csv(needs.household("tongxin", 登记日期="2019-03-01")))
    case = chief.get("/cases", query={"plan": "tongxin"}).items[0]
    refused = chief.move(case["id"], "approved", "2020-12-31T15:59:59Z", note="x", expect=422, code="happened_before_plan")
    assert refused["field"] == "/happened_at"
    chief.move(case["id"], "approved", "2020-12-31T16:00:00Z", note="x", expect=200)  # New Year in China
    assert chief.get("/plans/tongxin/progress")["by_stage"]["approved"] == 1


def test_a_yearly_target_is_split_by_year(office):
    _, _, chief = office
    path = "/plans/tongxin/targets/hearing_aids"
    every = [{"year": year, "value": 40} for year in range(2021, 2026)]
    answer = chief.put(path, {"items": every}, expect=200)
    assert answer["by_year"] == {"split": 200, "remainder": 0}
    assert chief.put(path, {"items": [{"year": 2021, "value": 41}]}, expect=422)["code"] == "split_exceeds_target"
    got = next(row for row in chief.get("/plans/tongxin/targets").items if row["indicator"] == "hearing_aids")
    assert got["by_year"] == {"split": 200, "remainder": 0} and len(got["split"]) == 5


def test_a_nul_is_named_where_it_stands(office):
    _, _, chief = office
    chief.import_file("tongxin", needs.to_csv(needs.household("tongxin")))
    case = chief.get("/cases", query={"plan": "tongxin"}).items[0]["id"]
    for field, value in (("note", "a\0b"), ("evidence", {"deep": [{"in": "a\0b"}]})):
        refused = chief.post(f"/cases/{case}/transitions", {"to": "rejected", field: value}, expect=422)
        assert (refused["code"], refused["field"]) == ("nul_in_text", f"/{field}")


def test_an_etag_matches_weakly_and_in_lists(office):
    _, _, chief = office
    tag = chief.get("/plans/tongxin").etag
    for given in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        chief.get("/plans/tongxin", headers={"If-None-Match": given}, expect=304)
    chief.get("/plans/tongxin", headers={"If-None-Match": '"x"'}, expect=200)


def test_centres_and_contractors_are_listed(office):
    _, admin, chief = office
    admin.post("/users", {"user": "c", "password": "a long password", "role": "centre", "centre": "kangfu"}, expect=201)
    assert [row["code"] for row in chief.get("/centres").items] == ["kangfu"]
    assert chief.get("/contractors").items == []


def test_a_household_with_an_elder_friendly_retrofit_is_not_eligible_again(office):
    _, _, chief = office
    chief.import_file("tongxin", needs.to_csv(needs.household("tongxin", 经济状况="低保", 残疾等级="一级")))
    case = chief.get("/cases", query={"plan": "tongxin"}).items[0]["id"]
    before = chief.get(f"/cases/{case}")
    assert before["eligible"]
    marked = chief.patch(f"/cases/{case}", {"elder_retrofit": True}, match=before.etag, expect=200)
    assert not marked["eligible"] and marked["eligibility_reasons"] == before["eligibility_reasons"] + ["no_second_retrofit"]
    assert chief.move(case, "approved", expect=422, code="not_eligible")["reasons"] == marked["eligibility_reasons"]
    chief.patch(f"/cases/{case}", {"elder_retrofit": False}, match=before.etag, expect=412)
    cleared = chief.patch(f"/cases/{case}", {"elder_retrofit": False}, expect=200)
    assert cleared["eligible"] and cleared["eligibility_reasons"] == before["eligibility_reasons"]
    chief.move(case, "approved", expect=200)
