# SPDX-License-Identifier: Apache-2.0
"""The survey of a home (入户评估): a draft saved many times, consent item by item, two signatures, the gate before `surveyed`."""
import itertools
import json
import threading

import needs
import pytest
import step_photos
import step_survey
from conftest import People
from processes import ROOT
from stages import DAYS, bring_in_rows, move
from step_survey import FINDINGS, document, save, sign
from team import Team

numbers = itertools.count(1)
NAUGHTY = ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json"


class World(Team):
    """A county with a plan of its own, whose gate before `surveyed` is closed."""

    def __init__(self, people, database):
        super().__init__(people)
        self.people, self.database, self.plan = people, database, "surveys"
        self.admin.post("/plans", {"code": self.plan, "name_zh": "试验", "region": "640324", "begins_on": "2021-01-01", "ends_on": "2030-12-31",
                                   "who_counts": "a", "eligibility": "any"}, expect=201)
        self.close_gates(self.plan, "survey")
        self.auditor, self.other = people.auditor("640324"), people.assessor("640324")

    def photo(self, case, slot, finding=None, removed=False):
        """The id of a new photo."""
        photo = step_photos.send(self.county, case, slot, **({"finding": finding} if finding else {}))["id"]
        if removed:
            self.remove(case, photo)
        return photo

    def remove(self, case, photo):
        self.county.delete(f"/cases/{case}/photos/{photo}", query={"note": "试验"})

    def case(self, until="approved", people=1, visited=True, **columns):
        """A household's case; the assessor's to visit, unless it is nobody's."""
        rows = needs.household("tongxin", people, **columns)
        (case,) = bring_in_rows(self.manager, rows, self.plan).values()
        if visited:
            self.give_visit(case)
        if until == "approved":
            move(self.county, case, "approved", "2023-03-01T02:00:00Z")
        return case

    def persons(self, case):
        return self.county.get(f"/cases/{case}/persons").items

    def survey(self, case):
        return self.assessor.get(f"/cases/{case}/survey")


@pytest.fixture(scope="module")
def world(server, admin_session, database):
    people = People(admin_session)
    yield World(people, database)
    for client in people.made:
        client.close()


def finding(number=1, **changes):
    return {"number": number, "room": "bathroom", "problem": "squat_toilet", "measure": "toilet", "consent": "agreed", **changes}


def refused(world, case, body, code, field, status=422):
    answer = save(world.assessor, case, body, expect=status, code=code)
    assert answer.json.get("field") == field, answer
    return answer


# --- the draft ---


def test_a_draft_is_saved_many_times(world):
    case = world.case()
    world.assessor.get(f"/cases/{case}/survey", expect=404, code="not_found")
    first = world.assessor.put(f"/cases/{case}/survey", {})
    assert (first["version"], first["findings"], first["device_needs"], first["visited_at"], first["longitude"], first["remark"]) == (1, [], [], None, None, "")
    assert (first.etag, first["case"], first["signatures"], first["signed"], first["frozen"]) == ('"1"', case, [], False, False)
    body = document([finding(2, note="低"), finding(1, room="kitchen", problem="worktop_too_high", measure=None, consent="open")], remark="狗")
    second = world.assessor.put(f"/cases/{case}/survey", body, match=first.etag)
    assert [one["number"] for one in second["findings"]] == [1, 2] and second["version"] == 2
    assert second["findings"][1] == {**finding(2, note="低"), "quantity": 1, "person": None, "consent_by": ""}
    assert second["findings"][0]["measure"] is None is second["findings"][0]["quantity"]
    assert (second["visited_at"], second["longitude"], second["latitude"], second["remark"]) == ("2023-04-01T02:00:00Z", 105.9, 36.9, "狗")
    assert second.json == world.survey(case).json == world.auditor.get(f"/cases/{case}/survey").json
    third = world.county.put(f"/cases/{case}/survey", {**body, "findings": []}, match=second.etag)
    assert (third["version"], third["findings"], third["account"]) == (3, [], world.county.get("/session")["id"])
    assert move(world.assessor, case, "surveyed", expect=422, code="survey_incomplete")["reasons"] == ["/findings"]


def test_what_was_read_can_be_sent_again(world):
    """findings and device_needs as they came; the same content is no new version, however it is written."""
    case = world.case(people=2)
    person = world.persons(case)[1]["id"]
    body = document([*FINDINGS, finding(7, quantity=0.1, person=person)], [{"person": person, "item": "hearing_aid"}], visited_at="2023-04-01T10:00:00+08:00")
    one = save(world.assessor, case, body)
    seen = world.survey(case).json
    again = {name: seen[name] for name in ("visited_at", "longitude", "latitude", "findings", "device_needs", "remark")}
    for same in (again, body, {**again, "findings": again["findings"][::-1]}, {**body, "remark": None}):
        answer = world.assessor.put(f"/cases/{case}/survey", same, match=one.etag)
        assert answer.json == one.json
    assert [version["id"] for version in world.assessor.get(f"/cases/{case}/survey/versions").items] == [1]


def test_names_come_with_it(world):
    case = world.case()
    person = world.persons(case)[0]["id"]
    names = save(world.assessor, case, document(devices=[{"person": person, "item": "hearing_aid"}]))["names"]
    assert {code: name["zh"] for code, name in names["rooms"].items()} == {"entrance": "入户通道", "bathroom": "卫生间", "kitchen": "厨房"}
    assert names["problems"]["worktop_too_high"]["zh"].startswith("灶台过高") and names["problems"]["entrance_steps"]["ko"] == "출입구 계단"
    assert names["measures"]["ramp"] == {"zh": "坡道", "ko": "경사로", "en": "Ramp", "kind": "retrofit", "unit": "处"}
    assert names["measures"]["hearing_aid"]["kind"] == "device" and set(names["measures"]) == {"ramp", "toilet_grab_bar", "low_worktop", "hearing_aid"}


def test_a_phone_that_saves_late(world):
    """It lost the race: it is told what is there. It missed an answer: the same again is fine. A key makes it one effect."""
    case = world.case()
    path = f"/cases/{case}/survey"
    first = world.assessor.put(path, document(remark="a"), key=f"late-{case}")
    assert world.assessor.put(path, document(remark="a"), key=f"late-{case}").json == first.json
    second = world.county.put(path, document(remark="b"), match=first.etag)
    for match in (None, first.etag, '"7"'):
        lost = world.assessor.put(path, document(remark="c"), match=match, expect=412, code="stale")
        assert lost["current"] == second.json, match
    assert world.assessor.put(path, document(remark="b"), match=first.etag).json == second.json
    assert world.assessor.put(path, document(remark="b")).json == second.json
    none = world.case()
    lost = world.assessor.put(f"/cases/{none}/survey", document(), match='"1"', expect=412, code="stale")
    assert lost["current"]["version"] is None is lost["current"]["findings"]


def test_of_many_that_save_at_once_one_wins(world):
    case = world.case()
    answers = at_once(*((world.assessor, "PUT", f"/cases/{case}/survey", document(remark=str(number)), None) for number in range(4)))
    assert sorted(answers) == [200, 412, 412, 412]
    assert (world.survey(case)["version"], world.survey(case)["remark"]) == (1, str(answers.index(200)))


def test_each_wrong_field_is_named(world):
    case, admin = world.case(people=2), world.admin
    mine, stranger = world.persons(case)[0]["id"], world.persons(world.case())[0]["id"]
    old = admin.post("/measures", {"code": f"old_{next(numbers)}", "kind": "device", "name_zh": "旧", "unit": "件"}, expect=201)["code"]
    worn = admin.post("/problems", {"code": f"worn_{next(numbers)}", "name_zh": "旧"}, expect=201)["code"]
    for path in (f"/measures/{old}", f"/problems/{worn}"):
        admin.patch(path, {"retired": True})
    good = finding(1)
    for wrong, code, field in (
            (finding(1), "number_twice", "number"), (finding(2, problem="nothing"), "problem_unknown", "problem"),
            (finding(2, problem=worn), "problem_retired", "problem"), (finding(2, room="kitchen"), "problem_not_in_room", "problem"),
            (finding(2, measure="nothing"), "measure_unknown", "measure"), (finding(2, measure=old), "measure_retired", "measure"),
            (finding(2, measure="gas_alarm"), "measure_not_in_room", "measure"), (finding(2, measure=None), "measure_required", "measure"),
            (finding(2, measure=None, consent="open", quantity=3), "measure_required", "measure"),
            (finding(2, quantity=0), "quantity_invalid", "quantity"), (finding(2, quantity=1.005), "quantity_invalid", "quantity"),
            (finding(2, quantity=-1), "out_of_range", "quantity"), (finding(2, person=stranger), "person_unknown", "person"),
            (finding(2, measure="commode_chair"), "person_required", "person"), (finding(0), "out_of_range", "number"),
            (finding(2, room="cellar"), "not_allowed", "room"), (finding(2, consent="perhaps"), "not_allowed", "consent"),
            (finding(2, price=1), "unknown_field", "price"), ({**finding(2), "number": None}, "required", "number")):
        refused(world, case, document([good, wrong]), code, f"/findings/1/{field}")
    for wrong, code, field in (
            ({"person": stranger, "item": "hearing_aid"}, "person_unknown", "person"), ({"person": 1, "item": "hearing_aid"}, "person_unknown", "person"),
            ({"person": mine, "item": "nothing"}, "measure_unknown", "item"), ({"person": mine, "item": "ramp"}, "device_wanted", "item"),
            ({"person": mine, "item": old}, "measure_retired", "item"), ({"person": mine, "item": "white_cane"}, "device_twice", "item"),
            ({"item": "white_cane"}, "required", "person"), ({"person": mine}, "required", "item")):
        refused(world, case, document([good], [{"person": mine, "item": "white_cane"}, wrong]), code, f"/device_needs/1/{field}")
    for wrong, code, field in ((document(longitude=None), "place_incomplete", "/longitude"), (document(latitude=None), "place_incomplete", "/longitude"),
                               (document(longitude=181), "out_of_range", "/longitude"), (document(visited_at="2099-01-01T00:00:00Z"), "visited_in_future", "/visited_at"),
                               (document(visited_at="yesterday"), "not_a_time", "/visited_at"), (document([good] * 201), "too_long", "/findings"),
                               (document("none"), "wrong_type", "/findings")):
        refused(world, case, wrong, code, field)
    world.assessor.get(f"/cases/{case}/survey", expect=404)  # nothing of it was kept
    # Declined, the device needs nobody yet.
    save(world.assessor, case, document([finding(1, measure="commode_chair", consent="declined"), finding(2, measure="commode_chair", person=mine)]))


def test_a_finding_that_is_photographed_stays_in_its_room(world):
    case = world.case()
    save(world.assessor, case, document([finding(1), finding(2, problem="floor_slippery", measure="nonslip_floor")]))
    photo = world.photo(case, "before", finding=2)
    kitchen = finding(2, room="kitchen", problem="floor_slippery", measure="nonslip_floor")
    refused(world, case, document([finding(1), kitchen]), "finding_photographed", "/findings/1/room")
    refused(world, case, document([finding(1)]), "finding_photographed", "/findings")
    refused(world, case, {}, "finding_photographed", "/findings")
    save(world.assessor, case, document([finding(2, problem="bathing_unsafe", measure="bath_chair", consent="declined"), finding(3)]))
    world.remove(case, photo)
    save(world.assessor, case, document([kitchen]))
    save(world.assessor, case, document([]))


def test_what_the_catalogue_gave_up_may_stay_in_a_draft(world):
    case, admin = world.case(), world.admin
    code = admin.post("/measures", {"code": f"old_{next(numbers)}", "kind": "retrofit", "name_zh": "旧", "unit": "件"}, expect=201)["code"]
    problem = admin.post("/problems", {"code": f"old_{next(numbers)}", "name_zh": "旧", "measures": [code]}, expect=201)["code"]
    save(world.assessor, case, document([finding(1, problem=problem, measure=code)]))
    admin.patch(f"/measures/{code}", {"retired": True, "rooms": ["stairs"]})
    admin.patch(f"/problems/{problem}", {"retired": True, "rooms": ["stairs"]})
    kept = finding(1, problem=problem, measure=code, quantity=4)
    assert save(world.assessor, case, document([kept]))["findings"][0]["quantity"] == 4
    for moved, field in (({"room": "kitchen"}, "problem"), ({"problem": "squat_toilet", "room": "kitchen"}, "problem"), ({"room": "stairs"}, None)):
        if field:
            refused(world, case, document([{**kept, **moved}]), "problem_not_in_room", f"/findings/0/{field}")
        else:
            save(world.assessor, case, document([{**kept, **moved}]))
    save(world.assessor, case, document([{**kept, "room": "stairs", "measure": "handrail"}]))
    refused(world, case, document([finding(2, measure=code)]), "measure_retired", "/findings/0/measure")
    refused(world, case, document([finding(2, problem=problem)]), "problem_retired", "/findings/0/problem")


@pytest.fixture(scope="module")
def naughty():
    if not NAUGHTY.exists():
        pytest.skip("no ../shared beside this tree")
    return json.loads(NAUGHTY.read_text(encoding="utf-8"))


def sent(client, method, path, body, etag, races=False):
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json", **({"If-Match": etag} if etag else {})}
    answer = client._send(method, "/api/v1" + path, json.dumps(body).encode(), headers, 60)
    assert answer.status in (200, 201) or 400 <= answer.status < 500 and (races or answer["code"] != "stale"), (body, answer)
    return answer


def test_naughty_texts_come_back(world, naughty):
    """The remark; notes and who consented, many at once: byte for byte, or refused with 4xx."""
    case, etag, taken = world.case(), None, 0
    for text in naughty:
        answer = sent(world.assessor, "PUT", f"/cases/{case}/survey", document(remark=text), etag)
        if answer.status == 200:
            assert answer["remark"] == text
            etag, taken = answer.etag, taken + 1
    assert taken > 500
    short = [text for text in naughty if text and len(text) <= 100 and "\0" not in text]
    for start in range(0, len(short), 200):
        body = [finding(number, note=text, consent_by=text) for number, text in enumerate(short[start:start + 200], 1)]
        seen = save(world.assessor, case, document(body))["findings"]
        assert [(one["note"], one["consent_by"]) for one in seen] == [(one["note"], one["consent_by"]) for one in body]
    assert len(short) > 480
    for name in ("note", "consent_by"):
        refused(world, case, document([finding(**{name: "长" * 1001})]), "too_long", f"/findings/0/{name}")


def test_naughty_names_sign(world, naughty):
    case, taken = world.case(), 0
    etag, picture = save(world.assessor, case, document()).etag, world.photo(case, "signature")
    for text in naughty[::20]:
        body = {"by": "household", "name": text, "relation": text, "signature": picture}
        answer = sent(world.assessor, "POST", f"/cases/{case}/survey/signatures", body, etag)
        if answer.status == 201:
            assert (answer["signatures"][0]["name"], answer["signatures"][0]["relation"]) == (text, text)
            taken, picture = taken + 1, world.photo(case, "signature")
            etag = save(world.assessor, case, document(remark=str(taken))).etag
    assert taken > 20


# --- who may ---


def test_who_may(world, contract):
    case = world.case()
    path = f"/cases/{case}/survey"
    save(world.assessor, case, document())
    for client in (world.manager, world.auditor, world.county):
        assert client.get(path)["version"] == 1 and len(client.get(f"{path}/versions").items) == 1
    world.auditor.put(path, document(), expect=403, code="role_not_allowed")
    for client in (world.contractor, world.people.centre("centre-surveys"), world.admin):
        for method, where in (("GET", path), ("PUT", path), ("GET", f"{path}/versions"), ("POST", f"{path}/signatures")):
            client.request(method, where, None if method == "GET" else {}, expect=403, code="role_not_allowed")
    for client in (world.other, world.people.county("630106"), world.people.manager("630000")):
        client.get(path, expect=404, code="not_found")
        client.put(path, document(), match='"1"', expect=404, code="not_found")
        client.post(f"{path}/signatures", {"by": "household", "name": "a", "signature": 1}, match='"1"', expect=404, code="not_found")
        assert client.get(f"{path}/versions").items == []


def test_a_contractor_of_the_case_does_not_see_the_home(world):
    """Not through the API, and not in the database, though it sees the case."""
    case = step_survey.do(world, world.case())
    move(world.county, case, "designed", "2023-04-10T02:00:00Z")
    move(world.county, case, "assigned", "2023-04-15T02:00:00Z", contractor=world.firm)
    world.contractor.get(f"/cases/{case}")
    world.contractor.get(f"/cases/{case}/survey", expect=403, code="role_not_allowed")
    firm = world.database.sql("SELECT id FROM contractor WHERE code = %s", world.firm)[0][0]
    connection = world.database.connect("super")
    connection.autocommit = False
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE tantu_app")
        for role, contractor, sees in (("contractor", firm, 0), ("county", "", 1)):
            cursor.execute("""SELECT set_config('tantu.low', '0', true), set_config('tantu.high', '999999999', true), set_config('tantu.role', %s, true),
                set_config('tantu.account', '1', true), set_config('tantu.contractor', %s, true)""", (role, str(contractor)))
            cursor.execute("SELECT count(*) FROM retrofit_case WHERE id = %s", (case,))
            assert cursor.fetchone() == (1,)
            for table in ("survey", "survey_finding", "survey_version", "survey_signature"):
                cursor.execute(f"SELECT count(*) > 0 FROM {table} WHERE case_id = %s", (case,))
                assert cursor.fetchone() == (sees > 0,), (role, table)
    connection.close()


def test_who_read_it_is_recorded(world):
    case = world.case()
    save(world.assessor, case, document())
    world.auditor.get(f"/cases/{case}/survey")
    world.auditor.get(f"/cases/{case}/survey/versions")
    account = world.auditor.get("/session")["id"]
    assert world.database.sql("SELECT what FROM access_record WHERE subject = %s AND account_id = %s ORDER BY id", case, account) == [
        ("survey of a case",), ("versions of a survey",)]


# --- signatures ---


def test_two_signatures_of_one_version(world):
    case = world.case()
    saved = save(world.assessor, case, document())
    one, two = world.photo(case, "signature"), world.photo(case, "signature")
    first = sign(world.assessor, case, "household", one, relation="户主", signed_at="2023-04-01T03:00:00Z", key=f"sign-{case}")
    assert first.json == {**saved.json, "signatures": [{"by": "household", "name": "马文", "relation": "户主", "signature": one,
                                                        "signed_at": "2023-04-01T03:00:00.000000Z", "account": saved["account"]}]}
    assert sign(world.assessor, case, "household", one, relation="户主", signed_at="2023-04-01T03:00:00Z", key=f"sign-{case}").json == first.json
    both = sign(world.assessor, case, "assessor", two)
    assert [one["by"] for one in both["signatures"]] == ["assessor", "household"] and both["signed"] and both.etag == saved.etag
    sign(world.assessor, case, "household", world.photo(case, "signature"), expect=409, code="signature_there")
    # Its version is the same, what it says is not.
    assert world.assessor.get(f"/cases/{case}/survey", headers={"If-None-Match": saved.etag}, expect=200).json == both.json
    # A later change voids both; the history keeps them.
    changed = save(world.assessor, case, document(remark="改"))
    assert changed["signatures"] == [] and not changed["signed"]
    versions = world.auditor.get(f"/cases/{case}/survey/versions").items
    assert [(version["id"], [one["by"] for one in version["signatures"]]) for version in versions] == [(1, ["assessor", "household"]), (2, [])]
    assert versions[0]["content"]["findings"][0]["problem"] == "entrance_steps" and versions[1]["content"]["remark"] == "改"
    sign(world.assessor, case, "household", one, expect=422, code="signature_used")


def test_a_signature_that_cannot_be(world):
    case, elsewhere = world.case(), world.case()
    path, body = f"/cases/{case}/survey/signatures", {"by": "household", "name": "马文", "signature": 1}
    world.assessor.post(path, body, match='"1"', expect=404, code="not_found")
    saved = save(world.assessor, case, document([finding(consent="open")]))
    picture = world.photo(case, "signature")
    good = {**body, "signature": picture}
    world.assessor.post(path, good, expect=428, code="version_required")
    assert world.assessor.post(path, good, match='"2"', expect=412, code="stale")["current"] == saved.json
    for photo in (1, world.photo(case, "before"), world.photo(elsewhere, "signature"), world.photo(case, "signature", removed=True)):
        assert world.assessor.post(path, {**body, "signature": photo}, match=saved.etag, expect=422, code="signature_unknown")["field"] == "/signature"
    assert world.assessor.post(path, {**good, "signed_at": "2099-01-01T00:00:00Z"}, match=saved.etag, expect=422, code="signed_in_future")["field"] == "/signed_at"
    late = world.assessor.post(path, {**good, "signed_at": "2099-01-01T00:00:00Z"}, match=saved.etag, expect=422)
    assert "reasons" not in late.json
    for wrong, code, field in (({**good, "by": "neighbour"}, "not_allowed", "/by"), ({**good, "name": ""}, "too_short", "/name"),
                               ({**good, "signature": "x"}, "wrong_type", "/signature"), ({"by": "household", "name": "a"}, "required", "/signature")):
        assert world.assessor.post(path, wrong, match=saved.etag, expect=422, code=code)["field"] == field
    # Nobody signs what is not answered yet.
    assert world.assessor.post(path, good, match=saved.etag, expect=422, code="consent_open")["reasons"] == ["1 卫生间 坐便器"]
    empty = save(world.assessor, case, document(longitude=None, latitude=None))
    assert world.assessor.post(path, good, match=empty.etag, expect=422, code="survey_incomplete")["reasons"] == ["/longitude"]
    # The assessor's is by whose case it is, or by who saved it.
    saved = save(world.county, case, document())
    world.manager.post(path, {**good, "by": "assessor"}, match=saved.etag, expect=403, code="not_your_survey")
    assert world.assessor.get(f"/cases/{case}/survey")["signatures"] == []
    world.county.post(path, {**good, "by": "assessor"}, match=saved.etag, expect=201)
    saved = save(world.county, case, document(remark="又"))
    world.assessor.post(path, {**good, "by": "assessor", "signature": world.photo(case, "signature")}, match=saved.etag, expect=201)
    nobodys = world.case(visited=False)
    saved = save(world.county, nobodys, document())
    one = {**good, "by": "assessor", "signature": world.photo(nobodys, "signature")}
    world.manager.post(f"/cases/{nobodys}/survey/signatures", one, match=saved.etag, expect=403, code="not_your_survey")
    world.county.post(f"/cases/{nobodys}/survey/signatures", one, match=saved.etag, expect=201)
    # The household may decline everything, and sign that.
    saved = save(world.assessor, case, document([finding(consent="declined")]))
    world.assessor.post(path, {**good, "signature": world.photo(case, "signature")}, match=saved.etag, expect=201)


def test_a_signature_whose_photo_is_removed_counts_no_more(world):
    case = world.case()
    saved = save(world.assessor, case, document([finding()]))
    world.photo(case, "before", finding=1)
    first = world.photo(case, "signature")
    sign(world.assessor, case, "household", first)
    assert sign(world.assessor, case, "assessor", world.photo(case, "signature"))["signed"]
    world.remove(case, first)
    seen = world.survey(case)
    assert not seen["signed"] and [one["by"] for one in seen["signatures"]] == ["assessor"]
    assert surveyed(world, case, expect=422, code="signature_missing")["reasons"] == ["household"]
    sign(world.assessor, case, "household", first, expect=422, code="signature_unknown")
    assert sign(world.assessor, case, "household", world.photo(case, "signature"), match=saved.etag)["signed"]
    assert [one["by"] for one in world.auditor.get(f"/cases/{case}/survey/versions").items[0]["signatures"]] == ["assessor", "household", "household"]
    surveyed(world, case)


def test_a_signature_signs_one_thing(world):
    """Not one that an inspection has, either; nor does a survey's sign an inspection."""
    case = world.case()
    save(world.assessor, case, document())
    picture = world.photo(case, "signature")
    world.database.sql("""INSERT INTO inspection (plan_region, case_id, number, case_version, inspected_at, account_id, result, signature, note)
        SELECT plan_region, id, 1, version, now(), 1, 'pass', %s, '' FROM retrofit_case WHERE id = %s""", picture, case)
    sign(world.assessor, case, "household", picture, expect=422, code="signature_used")
    built = step_survey.do(world, world.case())
    given = world.survey(built)["signatures"][1]["signature"]
    for stage, day in list(DAYS.items())[2:6]:
        move(world.county, built, stage, day, **({"contractor": world.firm} if stage == "assigned" else {}))
    body = {"inspected_at": "2023-06-01T02:00:00Z", "items": [], "satisfaction": 5, "signature": given, "result": "pass"}
    assert world.assessor.post(f"/cases/{built}/inspections", body, expect=422, code="signature_used")["field"] == "/signature"


# --- the gate ---


def surveyed(world, case, **options):
    return move(world.assessor, case, "surveyed", "2023-04-01T02:00:00Z", **options)


def test_the_gate_says_what_is_lacking(world):
    case = world.case()

    def lacks(code, reasons=None):
        answer = surveyed(world, case, expect=422, code=code)
        assert (answer.json.get("reasons"), answer["field"]) == (reasons, "/to"), answer

    lacks("survey_missing", [])
    save(world.assessor, case, {})
    lacks("survey_incomplete", ["/visited_at", "/longitude", "/findings"])
    save(world.assessor, case, {**document(), "visited_at": None})
    lacks("survey_incomplete", ["/visited_at"])
    save(world.assessor, case, document([finding(1), finding(2, consent="open"), finding(5, room="kitchen", problem="gas_unnoticed", measure=None, consent="open")]))
    lacks("consent_open", ["2 卫生间 坐便器", "5 厨房 燃气泄漏不易察觉"])
    save(world.assessor, case, document([finding(1, consent="declined"), finding(2, measure=None, consent="declined")]))
    lacks("nothing_agreed", [])
    saved = save(world.assessor, case, document([finding(1), finding(2, quantity=2), finding(3, consent="declined")]))
    lacks("before_photo_missing", ["1 卫生间 坐便器", "2 卫生间 坐便器"])
    world.photo(case, "before", finding=2)
    world.photo(case, "before", finding=1, removed=True)
    world.photo(case, "before")
    lacks("before_photo_missing", ["1 卫生间 坐便器"])
    world.photo(case, "before", finding=1)
    lacks("signature_missing", ["household", "assessor"])
    sign(world.assessor, case, "household", world.photo(case, "signature"))
    lacks("signature_missing", ["assessor"])
    sign(world.assessor, case, "assessor", world.photo(case, "signature"), match=saved.etag)
    save(world.assessor, case, document([finding(1), finding(2)]))
    lacks("signature_missing", ["household", "assessor"])
    for by in ("household", "assessor"):
        sign(world.assessor, case, by, world.photo(case, "signature"))
    assert move(world.assessor, case, "surveyed", "2023-03-31T02:00:00Z", expect=422, code="happened_before_last")["field"] == "/happened_at"
    assert surveyed(world, case)["stage"] == "surveyed"


def at_once(*calls):
    """Runs the calls, each a client and what Client._send takes, at the same time; their statuses, in their order."""
    start, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place, client, method, path, body, etag):
        client = client.clone()
        start.wait()
        answers[place] = sent(client, method, path, body, etag, races=True).status
        client.close()

    threads = [threading.Thread(target=run, args=(place, *call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_nothing_gets_between_signature_and_move(world):
    """A change and a move, a change and a signature, two signatures at once: never surveyed by what is not signed as it stands."""
    seen = set()
    for number in range(8):
        case = world.case()
        path, etag = f"/cases/{case}/survey", save(world.assessor, case, document([finding()])).etag
        world.photo(case, "before", finding=1)
        one, two, three = (world.photo(case, "signature") for _ in range(3))
        sign_it = {"by": "household", "name": "a"}
        twice = at_once((world.assessor, "POST", f"{path}/signatures", {**sign_it, "signature": one}, etag),
                        (world.county, "POST", f"{path}/signatures", {**sign_it, "signature": two}, etag))
        assert sorted(twice) == [201, 409]
        last = {"by": "assessor", "name": "b", "signature": three}
        if number % 2:
            changed, signed_ = at_once((world.county, "PUT", path, document([finding()], remark="改"), etag),
                                       (world.assessor, "POST", f"{path}/signatures", last, etag))
            assert changed == 200 and signed_ in (201, 412)
            assert world.survey(case)["signatures"] == [] and world.survey(case)["version"] == 2
        else:
            sign(world.assessor, case, "assessor", three, match=etag)
            changed, moved = at_once((world.county, "PUT", path, document([finding()], remark="改"), etag),
                                     (world.assessor, "POST", f"/cases/{case}/transitions", {"to": "surveyed", "happened_at": "2023-04-01T02:00:00Z"}, None))
            assert (changed, moved) in {(200, 422), (409, 200)}
            assert world.survey(case)["signed"] is (moved == 200) is (world.assessor.get(f"/cases/{case}")["stage"] == "surveyed")
            seen.add(moved)
    assert seen <= {200, 422}


def test_a_survey_is_frozen_when_the_case_is_surveyed(world):
    case = step_survey.do(world, world.case())
    seen = world.survey(case)
    assert seen["frozen"] and seen["signed"]
    body = {"by": "household", "name": "a", "signature": world.photo(case, "signature")}

    def frozen(code="survey_frozen"):
        world.assessor.put(f"/cases/{case}/survey", document(remark="晚"), match=seen.etag, expect=409, code=code)

    frozen()
    world.assessor.post(f"/cases/{case}/survey/signatures", body, match=seen.etag, expect=409, code="survey_frozen")
    # What is there already may be sent again by a phone that missed the answer; a lost race stays one.
    assert world.assessor.put(f"/cases/{case}/survey", document(), match=seen.etag).json == seen.json
    world.assessor.put(f"/cases/{case}/survey", document(remark="晚"), match='"9"', expect=412, code="stale")
    world.assessor.post(f"/cases/{case}/take-back", {})
    assert not world.survey(case)["frozen"] and world.survey(case)["signed"]
    changed = world.assessor.put(f"/cases/{case}/survey", document(remark="改"), match=seen.etag)
    surveyed(world, case, expect=422, code="signature_missing")
    for by in ("household", "assessor"):
        sign(world.assessor, case, by, world.photo(case, "signature"), match=changed.etag)
    surveyed(world, case)
    # So are its signatures.
    kept = world.survey(case)["signatures"][0]["signature"]
    world.county.delete(f"/cases/{case}/photos/{kept}", query={"note": "试验"}, expect=409, code="signature_kept")
    world.remove(case, body["signature"])  # nothing was signed by it
    for stage in ("suspended", "rejected"):
        other = world.case()
        save(world.assessor, other, document())
        move(world.county, other, stage)
        world.assessor.put(f"/cases/{other}/survey", document(remark="晚"), match='"1"', expect=409, code="survey_frozen")


def test_nothing_is_surveyed_before_it_is_approved(world):
    case = world.case(until="registered")
    world.assessor.put(f"/cases/{case}/survey", document(), expect=409, code="survey_too_early")


def test_an_open_gate_asks_nothing(world):
    """As in the plans of the other tests."""
    case = world.case()
    world.admin.put(f"/plans/{world.plan}/gates/survey", {"closed": False, "note": "试验"})
    surveyed(world, case)
    world.close_gates(world.plan, "survey")
    other = world.case()
    surveyed(world, other, expect=422, code="survey_missing")


# --- devices ---


def signed(world, case, body):
    etag = save(world.assessor, case, body).etag
    for by in ("household", "assessor"):
        sign(world.assessor, case, by, world.photo(case, "signature"), match=etag)


def test_device_needs_are_raised_once_when_both_have_signed(world):
    case = world.case(people=2, **{"辅具需求": "助听器"})
    one, two = (person["id"] for person in world.persons(case))

    def wanted():
        return {person["id"]: sorted(person["device_needs"]) for person in world.persons(case)}

    assert wanted() == {one: ["助听器"], two: ["助听器"]}
    body = document([finding(1), finding(2, measure="commode_chair", person=two), finding(3, measure="commode_chair", person=one, consent="declined")],
                    [{"person": one, "item": "hearing_aid"}, {"person": one, "item": "manual_wheelchair"}, {"person": two, "item": "manual_wheelchair"}])
    etag = save(world.assessor, case, body).etag
    sign(world.assessor, case, "household", world.photo(case, "signature"), match=etag)
    assert wanted() == {one: ["助听器"], two: ["助听器"]}
    sign(world.assessor, case, "assessor", world.photo(case, "signature"), match=etag)
    assert wanted() == {one: ["助听器", "手动轮椅"], two: ["助听器", "坐便椅", "手动轮椅"]}
    # What a later version does not ask for any more is dropped, but never what the needs file brought; and it may come back.
    signed(world, case, document([finding(1)], [{"person": two, "item": "manual_wheelchair"}]))
    assert wanted() == {one: ["助听器"], two: ["助听器", "手动轮椅"]}
    signed(world, case, {**body, "remark": "又"})
    assert wanted() == {one: ["助听器", "手动轮椅"], two: ["助听器", "坐便椅", "手动轮椅"]}
    rows = world.database.sql("SELECT kind, item, state, count(*) FROM need WHERE household_id = (SELECT household_id FROM retrofit_case WHERE id = %s) "
                              "AND kind = 'device' GROUP BY 1, 2, 3 ORDER BY 2", case)
    assert sorted(rows) == sorted([("device", "助听器", "open", 2), ("device", "坐便椅", "open", 1), ("device", "手动轮椅", "open", 2)])


def test_a_need_that_was_met_stays_met(world):
    case = world.case()
    (person,) = (person["id"] for person in world.persons(case))
    signed(world, case, document([finding(1)], [{"person": person, "item": "crutch"}]))
    world.database.sql("UPDATE need SET state = 'met' WHERE person_id = %s AND item = '拐杖'", person)
    signed(world, case, document([finding(1)]))
    assert world.database.sql("SELECT state FROM need WHERE person_id = %s AND item = '拐杖'", person) == [("met",)]


def test_a_device_for_somebody_who_was_registered_twice(world):
    """He was merged into another between draft and signature: the need is that other's, and the old number is no more one of the household."""
    case, elsewhere = world.case(people=2), world.case()
    one, two = (person["id"] for person in world.persons(case))
    etag = save(world.assessor, case, document([finding(1)], [{"person": two, "item": "crutch"}])).etag
    world.database.sql("UPDATE person SET merged_into = %s, household_id = (SELECT household_id FROM retrofit_case WHERE id = %s) WHERE id = %s",
                       one, elsewhere, two)
    for by in ("household", "assessor"):
        sign(world.assessor, case, by, world.photo(case, "signature"), match=etag)
    assert [(person["id"], person["device_needs"]) for person in world.persons(case)] == [(one, ["拐杖"])]
    refused(world, case, document([finding(1)], [{"person": two, "item": "white_cane"}]), "person_unknown", "/device_needs/0/person")


def test_a_device_is_for_the_only_person(world):
    case = world.case()
    (person,) = (person["id"] for person in world.persons(case))
    assert save(world.assessor, case, document([finding(1, measure="commode_chair")]))["findings"][0]["person"] == person
    signed(world, case, document([finding(1, measure="commode_chair")]))
    assert world.persons(case)[0]["device_needs"] == ["坐便椅"]


# --- history ---


def test_versions_are_kept_as_they_were_saved(world):
    case = world.case()
    for number in range(5):
        save(world.assessor if number % 2 else world.county, case, document(remark=str(number)))
    versions = list(world.auditor.pages(f"/cases/{case}/survey/versions", limit=2))
    assert [(version["id"], version["content"]["remark"]) for version in versions] == [(n + 1, str(n)) for n in range(5)]
    county, assessor = (client.get("/session")["id"] for client in (world.county, world.assessor))
    assert [version["account"] for version in versions] == [county, assessor, county, assessor, county]
    for statement in ("UPDATE survey_version SET account_id = 1", "DELETE FROM survey_version", "UPDATE survey_signature SET name = 'a'",
                      "DELETE FROM survey_signature", "DELETE FROM survey"):
        with pytest.raises(Exception, match="permission denied"):
            world.database.sql(statement, role="app")
