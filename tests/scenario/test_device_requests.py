# SPDX-License-Identifier: Apache-2.0
"""Requests for devices: opened, assessed, waiting in their order, given on, cancelled; and what is refused."""
import json

import needs
import pytest
import step_centre
import step_request
import step_stock
from processes import ROOT, wait_until
from test_fittings import at_once

NAUGHTY = ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json"


@pytest.fixture
def office(people):
    return people.manager("640324")


@pytest.fixture
def centre(people):
    return step_centre.set_up(people)


@pytest.fixture
def model(admin):
    return step_centre.model(admin)


@pytest.fixture(scope="module")
def strings():
    if not NAUGHTY.exists():
        pytest.skip("no ../shared beside this tree")
    return json.loads(NAUGHTY.read_text(encoding="utf-8"))[::12]


def said(client, path, body):
    """Whether it was taken; refused with 4xx otherwise."""
    answer = client._send("POST", "/api/v1" + path, json.dumps(body).encode(),
                          {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)
    assert answer.status < 300 or 400 <= answer.status < 500, (body, answer)
    return answer.json if answer.status < 300 else None


def shown(client, request):
    return client.get(f"/device-requests/{request}")


def of(client, request, what, body=None, **options):
    return client.post(f"/device-requests/{request}/{what}", {} if body is None else body, **options)


# --- opened ---


def test_a_request_is_of_a_need_once(office, centre, people):
    """By a need, or by person and kind; the words of the need name the kind; and only one is open."""
    one, odd = step_request.bring(office, 2)
    first = office.post("/device-requests", {"person": one.person, "measure": "manual_wheelchair"}, expect=201)
    need = first["need"]
    assert (first["state"], first["centre"], first["person_name"][1:], first["waits_since"]) == ("waiting", None, "**", first["waits_since"])
    for body in ({"need": need}, {"person": one.person, "measure": "manual_wheelchair"}, {"need": need, "measure": "crutch"}):
        again = office.post("/device-requests", {**body, "centre": centre.centre}, expect=409, code="request_open")
        assert again["reasons"] == [str(first["id"])]
    # A centre does not know him until the request is given to it.
    centre.post("/device-requests", {"person": one.person, "measure": "crutch"}, expect=422, code="request_person_unknown")
    of(office, first["id"], "centre", {"centre": centre.centre})
    crutch = centre.post("/device-requests", {"person": one.person, "measure": "crutch"}, expect=201)
    assert crutch["source"] == "walk_in" and crutch["centre"] == centre.centre and crutch["need"] != need
    refused = [({"person": 1}, "request_person_unknown"), ({"need": 1}, "request_need_unknown"), ({"person": odd.person, "need": need}, "request_need_unknown"),
               ({"person": odd.person}, "need_kind_unknown"), ({"person": odd.person, "measure": "ramp"}, "measure_unknown"),
               ({"person": odd.person, "measure": "crutch", "centre": "nowhere"}, "centre_unknown"), ({"measure": "crutch"}, "request_person_unknown")]
    for body, code in refused:
        office.post("/device-requests", body, expect=422, code=code)
    far = step_centre.set_up(people, "630106", "qinghai")
    people.manager("630000").post("/device-requests", {"person": odd.person, "measure": "crutch", "centre": far.centre}, expect=422,
                                  code="request_person_unknown")
    far.get(f"/device-requests/{first['id']}", expect=404)
    for what, body in (("assessment", {"outcome": "pass", "assessed_for": "fitting"}), ("cancellation", {"reason": "a"}),
                       ("reservation", {"item": "a"}), ("reservation/release", None), ("assessment/take-back", None)):
        of(far, first["id"], what, body, expect=404)
    people.auditor("640324").get(f"/device-requests/{first['id']}")
    people.assessor("640324").get(f"/device-requests/{first['id']}", expect=403)


def test_asked_for_at_once_it_is_asked_for_once(office, centre):
    (one,) = step_request.bring(office)
    body = json.dumps({"person": one.person, "measure": "crutch", "centre": centre.centre}).encode()

    def asks(client):
        own = client.clone()
        return lambda: own._send("POST", "/api/v1/device-requests", body, {"Authorization": f"Bearer {own.token}", "Content-Type": "application/json"}, 60)
    assert at_once([asks(office) for _ in range(4)]) == [201, 409, 409, 409]


def test_the_reading_of_a_request_is_recorded(office, centre, database):
    (one,) = step_request.bring(office)
    request = step_request.open_request(office, one.person, centre=centre.centre)
    shown(centre, request)
    assert database.sql("SELECT what FROM access_record WHERE subject = %s AND account_id = %s", one.person, centre.get("/session")["id"]) == [
        ("person of a device request",)]
    assert one.row["姓名"] not in json.dumps(centre.get("/device-requests").items, ensure_ascii=False)


def test_words_that_no_kind_has(office):
    (one,) = step_request.bring(office, device="会飞的毯子")
    done = office.post("/device-requests", {"person": one.person, "measure": "crutch"}, expect=201)  # it is his word against none: a need of its own
    assert done["source"] == "walk_in"


def test_all_open_needs_at_once(office, centre, people, database, admin):
    """Counted; twice opens nothing again; what is unknown is told; a job goes on when they are many."""
    place = "640324105"
    rows = [needs.row(**{"改造需求": "", "辅具需求": device, "区划代码": place}) for device in ("手动轮椅;拐杖", "手动轮椅", "会飞的毯子", "盲杖")]
    office.import_file("tongxin", needs.to_csv(rows))
    body = {"region": place, "centre": centre.centre}
    first = office.post("/device-requests/from-needs", {**body, "measure": "manual_wheelchair"}, expect=201)
    number = first["id"]
    done = wait_until(lambda: ended(office, number), 30)
    assert (done["looked"], done["opened"], done["already"], done["unknown"]) == (2, 2, 0, 0)
    number = office.post("/device-requests/from-needs", body, expect=201)["id"]
    done = wait_until(lambda: ended(office, number), 30)
    assert (done["looked"], done["opened"], done["already"], done["unknown"]) == (4, 2, 2, 1)
    mine = centre.get("/device-requests", query={"state": "waiting"}).items
    assert sorted(one["measure"] for one in mine) == ["crutch", "manual_wheelchair", "manual_wheelchair", "white_cane"]
    assert {one["source"] for one in mine} == {"import"}
    # So many at a time: the job that is queued goes on from the last need that was looked at.
    database.sql("UPDATE device_request SET state = 'cancelled' WHERE centre_id = (SELECT id FROM centre WHERE code = %s)", centre.centre)
    database.sql("UPDATE device_request_batch SET state = 'running', after_id = 0, looked = 0, opened = 0, unknown = 0 WHERE id = %s", number)
    database.sql("SELECT set_config('tantu.role', 'system', true); SELECT device_request_batch_step(%s, 1)", number)
    done = wait_until(lambda: ended(office, number), 30)
    assert (done["looked"], done["opened"], done["unknown"]) == (4, 4, 1)
    for wrong, code in (({"region": "630106"}, "region_foreign"), ({"region": "999999"}, "region_unknown"), ({"centre": "nowhere"}, "centre_unknown"),
                        ({"measure": "ramp"}, "measure_unknown")):
        office.post("/device-requests/from-needs", {**body, **wrong}, code=code)
    centre.post("/device-requests/from-needs", body, expect=403)
    people.manager("630000").get(f"/device-requests/from-needs/{number}", expect=404)


def ended(client, number):
    batch = client.get(f"/device-requests/from-needs/{number}").json
    return batch if batch["state"] == "done" else None


# --- assessed ---


def test_assessments(office, centre, admin):
    """Each is kept; what it measures is checked by the kind's list; another kind releases what was for the first."""
    (one,) = step_request.bring(office)
    request = step_request.open_request(office, one.person)
    step_request.assess(office, request, expect=409, code="request_without_centre")
    of(office, request, "centre", {"centre": centre.centre})
    good = [{"code": "seat_width", "value": 420}]
    wrong = [({"measurements": []}, "measurement_missing", "/measurements"),
             ({"measurements": [{"code": "seat_width", "value": 42}]}, "measurement_out_of_range", "/measurements/0/value"),
             ({"measurements": [*good, {"code": "wings", "value": 2}]}, "measurement_unknown", "/measurements/1/code"),
             ({"measurements": good * 2}, "measurement_twice", "/measurements/1/code"), ({"assessed_for": None}, "assessed_for_missing", "/assessed_for"),
             ({"changes": "a"}, "changes_not_wanted", "/outcome"), ({"measure": "crutch"}, "changes_not_wanted", "/outcome"),
             ({"outcome": "pass_with_changes"}, "changes_missing", "/changes"), ({"outcome": "pass_with_changes", "measure": "ramp"}, "measure_unknown", "/measure"),
             ({"outcome": "reassess", "reason": "a"}, "reassess_on_missing", "/reassess_on"),
             ({"outcome": "reassess", "reassess_on": "2027-01-01"}, "note_required", "/reason"),
             ({"outcome": "reassess", "reason": "a", "reassess_on": "2001-01-01"}, "reassess_on_out_of_range", "/reassess_on"),
             ({"happened_at": "2199-01-01T00:00:00Z"}, "happened_in_future", "/happened_at")]
    for more, code, field in wrong:
        answer = of(centre, request, "assessment", {"outcome": "pass", "assessed_for": "fitting", "measurements": good, **more}, expect=422, code=code)
        assert answer["field"] == field, answer
    later = of(centre, request, "assessment", {"outcome": "reassess", "reason": "高烧", "reassess_on": "2027-06-01"})
    assert (later["state"], later["reassess_on"], later["assessed_for"]) == ("waiting", "2027-06-01", None)
    of(centre, request, "assessment", {"outcome": "pass"}, match='"1"', expect=412)
    passed = of(centre, request, "assessment", {"outcome": "pass", "assessed_for": "rental", "measurements": good})
    assert (passed["state"], passed["assessed_for"], passed["reassess_on"]) == ("assessed", "rental", None)
    other = of(centre, request, "assessment", {"outcome": "pass_with_changes", "assessed_for": "fitting", "measure": "walking_frame", "changes": "改用助行器"})
    assert (other["measure"], other["assessed_for"]) == ("walking_frame", "fitting")
    assert [a["outcome"] for a in shown(centre, request)["assessments"]] == ["reassess", "pass", "pass_with_changes"]
    assert shown(centre, request)["assessments"][1]["measurements"] == [{"code": "seat_width", "name_zh": "座宽", "unit": "mm", "value": 420}]
    # Who assessed takes it back, one after the other: what was before stands again.
    of(office, request, "assessment/take-back", expect=403, code="not_your_action")
    back = of(centre, request, "assessment/take-back")
    assert (back["state"], back["measure"], back["assessed_for"]) == ("assessed", "manual_wheelchair", "rental")
    back = of(centre, request, "assessment/take-back")
    assert (back["state"], back["measure"], back["reassess_on"]) == ("waiting", "manual_wheelchair", "2027-06-01")
    assert of(centre, request, "assessment/take-back")["reassess_on"] is None
    of(centre, request, "assessment/take-back", expect=422, code="nothing_to_take_back")


def test_what_is_measured_is_a_list_that_an_administrator_keeps(admin, centre):
    path = "/device-kinds/communication_board/measurements"
    before = admin.get(path)
    assert before["items"] == [] or before["version"] > 0
    one = {"code": "vocabulary", "name_zh": "词汇量", "min": 0, "max": 5000, "required": True}
    done = admin.put(path, {"items": [one]}, match=before.etag)
    assert done["items"] == [{**one, "name_ko": "词汇量", "name_en": "词汇量", "unit": ""}]
    admin.put(path, {"items": [one]}, match=before.etag, expect=412)
    for items, code in (([one, one], "measurement_twice"), ([{**one, "code": "Words"}], "measurement_code_invalid"), ([{**one, "min": 5000}], "measurement_backwards")):
        assert admin.put(path, {"items": items}, expect=422, code=code)["field"] == "/items"
    admin.put("/device-kinds/ramp/measurements", {"items": []}, expect=404)
    centre.put(path, {"items": []}, expect=403)
    assert admin.put(path, {"items": []}, match=done.etag)["items"] == []


# --- waiting ---


def test_who_waits_in_which_order(office, centre, people, database):
    """By the rule of the plan, in pages, and why one comes before another; facts that change move him."""
    grades = ("四级", "一级", "三级", "二级")
    known = {grade: step_request.bring(office, 1, **{"残疾等级": grade, "经济状况": ""})[0] for grade in grades}
    ids = {grade: step_request.open_request(office, known[grade].person, centre=centre.centre) for grade in grades}
    listed = list(centre.pages("/device-requests/waiting", state="waiting", limit=1))
    assert [one["id"] for one in listed][:2] == [ids["一级"], ids["二级"]] and {one["id"] for one in listed[2:]} == {ids["三级"], ids["四级"]}
    assert all(sum(part["points"] for part in one["parts"] or []) == one["score"] for one in listed)
    mine = [one["id"] for one in office.pages("/device-requests/waiting", state="waiting", plan="tongxin", region="640324", limit=2) if one["id"] in ids.values()]
    assert mine == [one["id"] for one in listed]
    assert [one["id"] for one in people.auditor("640000").get("/device-requests/waiting", query={"state": "waiting", "centre": centre.centre}).items] == mine
    assert centre.get("/device-requests/waiting", query={"state": "assessed"}).items == []
    why = centre.get(f"/device-requests/{ids['一级']}/priority", query={"before": ids["二级"]})
    assert (why["first"], why["because"]) == (ids["一级"], "score")
    assert {part["code"]: (part["points"], part["other_points"]) for part in why["parts"]}["level_1"] == (200, 0)
    centre.get(f"/device-requests/{ids['一级']}/priority", query={"before": 1}, expect=404)
    version = shown(centre, ids["四级"])["version"]
    database.sql("UPDATE household SET hardship = '特困', traits = '{老残一体,残病一体,依老养残,一户多残}' WHERE id = (SELECT household_id FROM person WHERE id = %s)",
                 known["四级"].person)
    first = centre.get("/device-requests/waiting", query={"state": "waiting"}).items[0]
    assert first["id"] == ids["四级"] and first["version"] == version  # a score is no news
    database.sql("UPDATE person SET level = 1 WHERE id = %s", known["三级"].person)
    assert centre.get("/device-requests/waiting", query={"state": "waiting"}).items[1]["score"] == shown(centre, ids["三级"])["score"]
    assert not wrong_scores(database)


def wrong_scores(database):
    return database.sql("""SELECT r.id, r.score, request_score(r) FROM device_request r WHERE r.state IN ('waiting', 'assessed')
        AND (r.score <> request_score(r) OR r.turn <> priority_turn(r.score, r.waits_since, r.id) OR r.county <> county_of(r.region)) AND r.rule_version = (SELECT version FROM priority_rule u WHERE u.plan_id = r.plan_id)""")


def test_another_rule_scores_all_again(office, centre, admin, database):
    (one,) = step_request.bring(office)
    request = step_request.open_request(office, one.person, centre=centre.centre)
    database.sql("UPDATE device_request SET score = 1, rule_version = 0 WHERE id = %s", request)
    database.sql("INSERT INTO job (queue, kind, unique_key) VALUES ('upkeep', 'requests_settle', 'requests_settle:test'); SELECT pg_notify('job', 'upkeep')")
    wait_until(lambda: shown(centre, request)["score"] > 1, 60)
    assert not wrong_scores(database)


# --- moved, given, cancelled, reserved ---


def test_lists_are_of_the_own_and_in_pages(office, centre, people):
    other = step_centre.set_up(people)
    ids = [step_request.open_request(office, one.person, centre=centre.centre) for one in step_request.bring(office, 3)]
    assert [one["id"] for one in centre.pages("/device-requests", limit=2)] == ids
    assert other.get("/device-requests").items == [] == other.get("/device-requests", query={"centre": centre.centre}).items
    for client in (office, people.manager("640000"), people.auditor("640324")):
        assert [one["id"] for one in client.pages("/device-requests", centre=centre.centre, limit=2)] == ids
        assert set(ids) <= {one["id"] for one in client.pages("/device-requests", plan="tongxin", state="waiting", measure="manual_wheelchair", limit=200)}
    assert not [one for one in people.manager("630000").pages("/device-requests", limit=200) if one["id"] in ids]
    assert not [one for one in office.pages("/device-requests", region="640324201", limit=200) if one["id"] in ids]


def test_given_on_and_cancelled(office, centre, people, model):
    other, far = step_centre.set_up(people), step_centre.set_up(people, "630106", "qinghai")
    (one,), (item,) = step_request.bring(office), step_stock.take_in(centre, model)
    request = step_request.open_request(office, one.person, centre=centre.centre)
    step_request.assess(centre, request)
    of(centre, request, "reservation", {"item": item["code"]})
    of(centre, request, "centre", {"centre": other.centre}, expect=403)
    of(office, request, "centre", {"centre": far.centre}, expect=422, code="centre_unknown")
    of(office, request, "centre", {"centre": other.centre}, match='"1"', expect=412)
    given = of(office, request, "centre", {"centre": other.centre})
    assert (given["state"], given["centre"], given["item"]) == ("assessed", other.centre, None)
    assert centre.get(f"/device-items/{item['code']}")["state"] == "in_stock"
    centre.get(f"/device-requests/{request}", expect=404)
    of(other, request, "cancellation", {"reason": " "}, expect=422, code="note_required")
    done = of(other, request, "cancellation", {"reason": "家属自购"})
    assert (done["state"], done["reason"]) == ("cancelled", "家属自购")
    accounts = {client: client.get("/session")["id"] for client in (office, centre, other)}
    assert [(step["state"], step["centre"], step["account"], step["note"]) for step in shown(other, request)["history"]] == [
        ("waiting", centre.centre, accounts[office], ""), ("assessed", centre.centre, accounts[centre], ""),
        ("assessed", other.centre, accounts[office], ""), ("cancelled", other.centre, accounts[other], "家属自购")]
    for what, body in (("cancellation", {"reason": "a"}), ("assessment", {"outcome": "reassess"}), ("reservation", {"item": item["code"]}),
                       ("assessment/take-back", None)):
        of(other, request, what, body, expect=409, code="request_over")
    for what, body in (("centre", {"centre": other.centre}), ("exception", {"reason": "a"})):
        of(office, request, what, body, expect=409, code="request_over")
    again = office.post("/device-requests", {"need": done["need"]}, expect=201)
    assert again["id"] != request and again["source"] == "import"


def test_reserved(office, centre, people, model, admin):
    """One item is kept back for him; another takes its place; nobody else has it; it is free when he gets another."""
    a, b, c = step_stock.take_in(centre, model, 3)
    cane = step_stock.take_in(centre, step_centre.model(admin, measure="white_cane"))[0]
    elsewhere = step_stock.take_in(step_centre.set_up(people), model)[0]
    one, two = step_request.bring(office, 2)
    first, second = (step_request.open_request(office, who.person, centre=centre.centre) for who in (one, two))
    of(centre, first, "reservation", {"item": a["code"]}, expect=409, code="request_not_assessed")
    assert centre.get(f"/device-requests/{first}/items").items == []
    for request in (first, second):
        step_request.assess(centre, request)
    assert [fit["item"] for fit in centre.get(f"/device-requests/{first}/items").items] == [a["code"], b["code"], c["code"]]
    held = of(centre, first, "reservation", {"item": a["code"]})
    assert held["item"] == a["code"]
    assert of(centre, first, "reservation", {"item": a["id"] and str(a["id"])})["version"] == held["version"]  # it is already
    for item, code in ((a, "device_reserved"), (cane, "device_kind_differs"), ({"code": "nothing"}, "device_unknown"), (elsewhere, "device_unknown")):
        of(centre, second, "reservation", {"item": item["code"]}, code=code)
    of(office, second, "reservation", {"item": elsewhere["code"]}, expect=409, code="request_elsewhere")
    step_request.fit(centre, second, a["code"], expect=409, code="device_reserved")
    assert a["code"] not in [fit["item"] for fit in centre.get(f"/device-requests/{second}/items").items]
    assert of(centre, first, "reservation", {"item": b["code"]}, match=f'"{held["version"]}"')["item"] == b["code"]
    assert centre.get(f"/device-items/{a['code']}")["state"] == "in_stock"
    of(centre, first, "assessment/take-back", expect=409, code="assessment_used")
    assert of(centre, first, "reservation/release")["item"] is None
    of(centre, first, "reservation/release", expect=409, code="nothing_reserved")
    of(centre, first, "reservation", {"item": b["code"]})
    step_request.fit(centre, first, c["code"])  # another than was kept back
    assert centre.get(f"/device-items/{b['code']}")["state"] == "in_stock"
    step_request.fit(centre, second, b["code"])


def test_a_household_that_moves_takes_its_requests_along(office, centre, people, database):
    (one,) = step_request.bring(office)
    request = step_request.open_request(office, one.person, centre=centre.centre)
    database.sql("UPDATE household SET region = 640324201 WHERE id = (SELECT household_id FROM person WHERE id = %s)", one.person)
    assert shown(office, request)["region"] == "640324201"
    assert request in [r["id"] for r in office.pages("/device-requests", region="640324201", limit=200)]


def test_a_need_that_is_dropped_cancels_who_waits(office, centre, database):
    one, two = step_request.bring(office, 2)
    ids = [step_request.open_request(office, who.person, centre=centre.centre) for who in (one, two)]
    step_request.assess(centre, ids[1])
    database.sql("UPDATE need SET state = 'dropped' WHERE person_id = ANY (%s) AND kind = 'device'", [one.person, two.person])
    gone, stays = (shown(centre, request) for request in ids)
    assert gone["state"] == "cancelled" and "评估" in gone["reason"] and stays["state"] == "assessed"
    again = office.post("/device-requests", {"person": one.person, "measure": "manual_wheelchair"}, expect=201)
    assert again["need"] == gone["need"]
    assert database.sql("SELECT state FROM need WHERE id = %s", again["need"]) == [("open",)]


def test_naughty_texts_come_back(office, centre, model, strings):
    one, other = step_request.bring(office, 2)
    request = step_request.open_request(office, one.person, centre=centre.centre)
    values = step_request.measurements(centre, request)
    taken = 0
    for text in strings:
        body = {"outcome": "pass_with_changes", "assessed_for": "fitting", "measurements": values, "note": text, "changes": text or "a"}
        if said(centre, f"/device-requests/{request}/assessment", body):
            last = centre.get(f"/device-requests/{request}")["assessments"][-1]
            assert last["note"] == text and last["changes"] == text or text.strip() == ""
            taken += 1
    assert taken > len(strings) * 3 / 4
    for text in strings[::3]:
        for field in ("measure", "reason"):
            said(centre, f"/device-requests/{request}/assessment", {"outcome": "reassess", "reassess_on": "2027-01-01", field: text})
        for field in ("measure", "centre"):
            said(office, "/device-requests", {"person": one.person, field: text})
        said(centre, "/fittings", {"request": request, "item": text})
    step_request.assess(centre, request)
    text = next(text for text in strings if "<" in text and text == text.strip() and len(text) < 90)
    (item,) = step_stock.take_in(centre, model)
    given = centre.post("/fittings", {"request": request, "item": item["code"], "note": text, "signer": text, "signature": {"strokes": [[1, 1]]}})
    assert given["note"] == text and centre.get(f"/fittings/{given['id']}")["signature"]["signer"] == text.strip()
    again = office.post("/device-requests", {"person": other.person, "measure": "manual_wheelchair", "note": text})
    assert again["note"] == text
    for text in strings[::3]:
        for path, field, more in (("cancellation", "reason", {}), ("centre", "centre", {}), ("reservation", "item", {}), ("exception", "reason", {})):
            said(office, f"/device-requests/{request}/{path}", {field: text, **more})
        for field in ("measure", "centre"):
            said(office, "/device-requests/from-needs", {"region": "640324105", "centre": "nowhere", "measure": "manual_wheelchair", field: text})
        for field in ("item", "signer", "note"):
            said(centre, "/trials", {"request": request, "item": item["code"], "due_at": "2099-01-01T00:00:00Z", field: text})
            said(centre, f"/trials/{given['id']}/keep", {field: text})
        said(centre, f"/fittings/{given['id']}/signature", {"signature": {"strokes": [[1, 1]]}, "signer": text})
    registered = 0
    for text in strings:
        new = {"citizen_id": needs.citizen_id(next(needs.numbers), born="1902"), "measure": "crutch", "category": 4, "level": 1, "region": "640324101"}
        answer = said(centre, "/walk-ins", {**new, **dict.fromkeys(("name", "village", "address", "hardship", "note"), text)})
        if answer:
            whole = centre.get(f"/device-requests/{answer['id']}")
            assert {whole["for"]["name"], whole["for"]["village"], whole["for"]["address"], whole["for"]["hardship"], whole["note"]} == {text}
            registered += 1
        for field in ("certificate", "measure", "centre", "phone"):
            said(centre, "/walk-ins", {**new, field: text})
    assert registered > len(strings) / 3
