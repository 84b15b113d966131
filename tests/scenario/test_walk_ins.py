# SPDX-License-Identifier: Apache-2.0
"""Who walks into a centre: found by his number and nothing else, or registered; and requests that follow two people who are one."""
import json

import needs
import pytest
import step_centre
import step_request
import step_stock
from test_duplicates import Pair, twin_rows
from test_fittings import at_once

NEW = {"name": "马小红", "category": 4, "level": 1, "phone": "13900001234", "region": "640324101", "village": "试验村", "address": "试验村9号", "hardship": "低保"}


@pytest.fixture
def office(people):
    return people.manager("640324")


@pytest.fixture
def centre(people):
    return step_centre.set_up(people)


def new_number(born="1903"):
    return needs.citizen_id(next(needs.numbers), born=born)


def test_who_is_registered_is_found_by_his_number(office, centre, database):
    one, two = step_request.bring(office, 2)
    done = step_request.walk_in(centre, one.citizen)
    assert (done["registered"], done["person"], done["source"], done["state"], done["centre"]) == (False, one.person, "walk_in", "waiting", centre.centre)
    need = database.sql("SELECT id, item FROM need WHERE person_id = %s AND kind = 'device'", one.person)
    assert need == [(done["need"], "手动轮椅")]  # it was his need already
    assert step_request.walk_in(centre, one.citizen, expect=409, code="request_open")["reasons"] == [str(done["id"])]
    other = step_request.walk_in(centre, certificate=two.row["残疾人证号"], measure="hearing_aid")
    assert other["person"] == two.person and not other["registered"]
    assert database.sql("SELECT item FROM need WHERE id = %s", other["need"]) == [("助听器",)]
    me = centre.get("/session")["id"]
    assert database.sql("SELECT DISTINCT what FROM access_record WHERE account_id = %s AND subject = %s", me, one.person) == [("walk-in by citizen id",)]


def test_who_is_not_is_registered_as_a_household_of_his_own(office, centre, database, people, workspace):
    number, marks = new_number(), workspace.marks()
    lacking = step_request.walk_in(centre, number, expect=422, code="person_not_registered")
    assert lacking["reasons"] == ["name", "category", "level", "region", "address"] and lacking["field"] == "/name"
    done = step_request.walk_in(centre, certificate=needs.certificate(number, "肢体", "二级", "B1"), **{k: v for k, v in NEW.items() if k not in ("category", "level")})
    assert done["registered"] and done["region"] == "640324101"
    whole = centre.get(f"/device-requests/{done['id']}")
    assert [whole["for"][name] for name in ("name", "category", "level", "phone", "village", "address", "hardship")] == [
        "马小红", 4, 2, NEW["phone"], NEW["village"], NEW["address"], "低保"]
    found = office.post("/persons/find", {"citizen_id": number}).items
    assert [one["id"] for one in found] == [done["person"]] and found[0]["household_number"].startswith("W") and found[0]["certificate"][-4:] == "42B1"
    assert database.sql("SELECT born, sex, relation FROM person WHERE id = %s", done["person"]) == [(number[6:14], "男" if int(number[16]) % 2 else "女", "户主")]
    again = {"certificate": needs.certificate(number), "measure": "crutch", "key": f"walk-in-{number}"}
    crutch = step_request.walk_in(centre, **again)
    assert step_request.walk_in(centre, **again).json == crutch.json and not crutch["registered"]  # the number alone is enough, once
    # A file that brings him later knows him; what he was asked for again is found.
    import_ = office.import_file("tongxin", needs.to_csv([needs.row(citizen=number, **{"姓名": "马小红"})]))
    assert import_["rejected_by_code"] == {"duplicate_registered": 1}
    assert step_request.walk_in(centre, number, "white_cane")["person"] == done["person"]
    # His number in no answer and no log; the centre of another county finds nobody.
    far = step_centre.set_up(people, "630106", "qinghai")
    step_request.walk_in(far, number, expect=422, code="person_not_registered")
    assert number not in json.dumps([whole.json, done.json], ensure_ascii=False)
    assert not any(number in text for _, text in workspace.since(marks))


def test_what_a_walk_in_may_not_be(office, centre, people, admin):
    number = new_number()
    certificate = needs.certificate(number, "肢体", "一级")
    for body, code, field in (
            ({}, "required", "/citizen_id"), ({"citizen_id": number[:17] + "0123456789X"["10X98765432".index(number[17]) - 1]}, "citizen_id_invalid", "/citizen_id"),
            ({"certificate": number}, "certificate_format", "/certificate"), ({"certificate": certificate[:-1] + "9"}, "certificate_format", "/certificate"),
            ({"certificate": certificate[:17] + ("1" if certificate[17] != "1" else "2") + certificate[18:]}, "certificate_check_digit", "/certificate"),
            ({"certificate": certificate, "category": 2}, "category_mismatch", "/category"), ({"certificate": certificate, "level": 2}, "level_mismatch", "/level"),
            ({"certificate": certificate, "citizen_id": new_number()}, "citizen_id_differs", "/citizen_id"),
            ({"citizen_id": number, "phone": "12345"}, "phone_invalid", "/phone"), ({"citizen_id": number, "measure": "ramp"}, "measure_unknown", "/measure"),
            ({"citizen_id": number, "region": "999999"}, "region_unknown", "/region"), ({"citizen_id": number, "region": "630106"}, "region_not_within", "/region"),
            ({"citizen_id": number, "centre": "nowhere"}, "centre_unknown", "/centre"), ({"citizen_id": number, "address": " "}, "person_not_registered", "/address")):
        answer = centre.post("/walk-ins", {"measure": "crutch", **{k: v for k, v in NEW.items() if k not in ("category", "level") or "certificate" not in body},
                                           **body}, expect=422, code=code)
        assert answer["field"] == field, (body, answer)
    for client in (people.auditor("640324"), people.assessor("640324"), admin):
        step_request.walk_in(client, number, expect=403, code="role_not_allowed")
    # An office registers for a centre of its own, in its own region.
    step_request.walk_in(office, number, centre=centre.centre, **NEW)
    step_request.walk_in(people.county("630106"), number, centre=centre.centre, expect=422, code="centre_unknown")
    assert office.post("/persons/find", {"citizen_id": number}).items


def test_two_centres_at_once_register_him_once(office, centre, people):
    other, number = step_centre.set_up(people), new_number()
    body = json.dumps({"citizen_id": number, "measure": "crutch", **NEW}).encode()

    def walks(client):
        own = client.clone()
        return lambda: own._send("POST", "/api/v1/walk-ins", body, {"Authorization": f"Bearer {own.token}", "Content-Type": "application/json"}, 60)
    assert at_once([walks(centre), walks(other), walks(centre)]) == [201, 409, 409]
    assert len(office.post("/persons/find", {"citizen_id": number}).items) == 1


def test_a_person_of_another_county_of_the_plan(people):
    """In a province: his centre may serve him, an office of another county does not find him."""
    manager = people.manager("630000")
    centre, near = step_centre.set_up(people, "630105", "qinghai"), people.county("630105")
    (one,) = step_request.bring(manager, plan="qinghai", **{"区划代码": "630106101"})
    step_request.walk_in(near, one.citizen, centre=centre.centre, expect=409, code="person_elsewhere")
    done = step_request.walk_in(centre, one.citizen)
    assert done["region"] == "630106101" and manager.get(f"/device-requests/{done['id']}")["centre"] == centre.centre
    near.get(f"/device-requests/{done['id']}", expect=404)
    step_request.assess(centre, done["id"])
    item = step_stock.take_in(centre, step_centre.model(people.admin))[0]
    step_request.fit(centre, done["id"], item["code"])


# --- two people who are one (0025) ---


def twins(office, database, *devices):
    """Two registrations of one person, with what each says that he needs, as a pair to be judged."""
    rows = twin_rows(2)
    for row, device in zip(rows, devices):
        row["辅具需求"] = device
    return Pair(office, database, rows)


def standing(client, request):
    seen = client.get(f"/device-requests/{request}")
    return seen["person"], seen["need"], seen["state"]


def test_a_request_follows_its_person_and_comes_back(office, centre, database):
    """The need of both: the request of who is gone goes to the other's need. A need of his own: it moves with it."""
    pair = twins(office, database, "手动轮椅", "手动轮椅;拐杖")
    keep, gone = pair.people
    chair = step_request.open_request(office, gone, centre=centre.centre)
    crutch = step_request.open_request(office, gone, "crutch", centre=centre.centre)
    before = {request: standing(office, request) for request in (chair, crutch)}
    pair.resolve("both")
    person, need, state = standing(office, chair)
    assert (person, state) == (keep, "waiting") and need != before[chair][1]
    assert standing(office, crutch) == (keep, before[crutch][1], "waiting")
    assert standing(centre, chair) == (person, need, state)
    pair.undo()
    assert {request: standing(office, request) for request in (chair, crutch)} == before


def test_of_two_requests_of_one_person_one_is_cancelled_and_comes_back(office, centre, admin, database):
    pair = twins(office, database, "手动轮椅", "手动轮椅")
    keep, gone = pair.people
    first, second = (step_request.open_request(office, who, centre=centre.centre) for who in (keep, gone))
    (item,) = step_stock.take_in(centre, step_centre.model(admin))
    step_request.assess(centre, second)
    centre.post(f"/device-requests/{second}/reservation", {"item": item["code"]})
    before = standing(office, second)
    pair.resolve("both")
    assert standing(office, first)[2] == "waiting" and standing(office, second)[2] == "cancelled"
    assert str(keep) in office.get(f"/device-requests/{second}")["reason"] and centre.get(f"/device-items/{item['code']}")["state"] == "in_stock"
    pair.undo()
    assert standing(office, second) == before and office.get(f"/device-requests/{second}")["reason"] == ""


def test_what_either_was_granted_both_were(office, centre, admin, database):
    """The service life counts for whom they turned out to be, from before the merge."""
    pair = twins(office, database, "手动轮椅", "手动轮椅")
    keep, gone = pair.people
    a, b = step_stock.take_in(centre, step_centre.model(admin), 2)
    request = step_request.open_request(office, gone, centre=centre.centre)
    step_request.assess(centre, request)
    done = step_request.fit(centre, request, a["code"])
    pair.resolve("both")
    mine = step_request.open_request(office, keep, centre=centre.centre)
    step_request.assess(centre, mine)
    assert step_request.fit(centre, mine, b["code"], expect=409, code="within_service_life")["reasons"] == [done["life_until"]]
    # Who is gone is found as who stayed.
    assert office.post("/device-requests", {"person": gone, "measure": "crutch"}, expect=201)["person"] == keep
