# SPDX-License-Identifier: Apache-2.0
"""A scan answers in one request: what it is, where it is, what may be done now; to each what is his to know."""
import json
import re

import needs
import pytest
import step_stock
from harness import People
from processes import ROOT
from stages import bring_in_rows
from stock_help import TONGXIN, Hand, centre, model, numbers

NAUGHTY = ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json"


class World:
    def __init__(self, admin, database):
        self.people, self.database = People(admin), database
        self.centre, self.other = centre(self.people, database), centre(self.people, database)
        self.stranger = centre(self.people, database, 630106000, 630000000)
        self.manager, self.county = self.people.manager("640324"), self.people.county("640324")
        self.auditor, self.far = self.people.auditor("640324"), self.people.county("630106")
        self.model = model(database)
        self.hand = Hand(database, self.county)

    def item(self, by=None, **columns):
        return step_stock.take_in(by or self.centre, self.model, **columns)[0]

    def handed(self, kind="rental"):
        """An item that somebody of a request has: item, person's row, request, handover."""
        row = needs.row("tongxin", **{"辅具需求": "轮椅"})
        bring_in_rows(self.manager, [row])
        item = self.item()
        request, person = self.hand.sql("""INSERT INTO device_request (plan_region, id, plan_id, person_id, need_id, measure, region, centre_id, source, state, assessed_for)
            SELECT n.plan_region, id_in(n.plan_region, 'device_request_number'), p.id, n.person_id, n.id, 'manual_wheelchair', h.region, k.id, 'import', 'assessed', %s
            FROM household h JOIN need n ON n.plan_region = h.plan_region AND n.household_id = h.id AND n.kind = 'device',
                 plan p, centre k WHERE h.number = %s AND p.code = 'tongxin' AND k.code = %s RETURNING id, person_id""",
                                        kind, row["户编号"], self.centre.centre)[0]
        handover = self.hand.lend(item, borrower="", kind=kind, person=person, request=request)
        return item, row, request, handover


@pytest.fixture(scope="module")
def world(admin_session, database):
    world = World(admin_session.clone(), database)
    yield world
    for client in (world.people.admin, *world.people.made):
        client.close()


def scan(client, scanned, **options):
    return client.post("/scans", {"code": str(scanned)}, **options)


def one(client, code):
    answer = scan(client, code)
    assert (answer["kind"], len(answer["items"])) == ("item", 1), answer.json
    return answer["items"][0]


def actions(found):
    return {way["action"] for way in found["may"]}


# --- items ---


def test_an_item_in_stock_is_told_whole(world):
    item = world.item(code=f"SC-{next(numbers)}", serial=f"ser-{next(numbers)}", batch="b1", shelf="A-1")
    found = one(world.centre, item["code"])
    assert {name: found[name] for name in ("id", "code", "model", "serial", "batch", "state", "shelf", "grade", "measure", "version")} == {
        name: item[name] for name in ("id", "code", "model", "serial", "batch", "state", "shelf", "grade", "measure", "version")}
    assert found["centre"]["code"] == world.centre.centre and found["class"] == {"scheme": "iso9999", "edition": "2022", "code": "1222"}
    for name in ("holder", "reserved_for", "recall", "transfer", "disinfected", "inspected"):
        assert found[name] is None
    assert found["may_not"] == [] and {way["does"] for way in found["may"] if way["action"] == "issue"} >= {"fitting", "rental"}


@pytest.mark.parametrize("typed", ["{}\r\n", "  {} ", "\t{}\t", "]C1{}", "\ufeff{}\u200b", "wide", "lower"])
def test_a_scanners_ways_are_borne(world, typed):
    code = f"SC-{next(numbers)}A"
    item = world.item(code=code)
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in code) + "\u3000"
    text = {"wide": wide, "lower": code.lower()}.get(typed) or typed.format(code)
    assert one(world.centre, text)["id"] == item["id"]


def test_labels_that_differ_in_case_are_both_shown_the_exact_one_first(world):
    number = next(numbers)
    small, big = world.item(code=f"cs-{number}"), world.item(code=f"CS-{number}")
    for scanned, other in ((small, big), (big, small)):
        answer = scan(world.centre, scanned["code"])
        assert answer["kind"] == "several" and [item["id"] for item in answer["items"]] == [scanned["id"], other["id"]]


def test_an_item_is_found_by_id_and_by_serial(world):
    serial = f"serial 甲 {next(numbers)}"
    first = world.item(code=f"SC-{next(numbers)}", serial=serial)
    found = scan(world.centre, first["id"])
    assert [item["id"] for item in found["items"]] == [first["id"]] and found["kind"] in ("item", "several")
    assert one(world.centre, f" {serial}\n")["id"] == first["id"]
    second = world.centre.post("/device-items", {"model": model(world.database), "source": "purchased", "serial": serial}, expect=201)
    answer = scan(world.centre, serial)
    assert answer["kind"] == "several" and [item["id"] for item in answer["items"]] == [first["id"], second["id"]]
    assert all(item["may"] for item in answer["items"])


def test_a_labels_code_goes_before_another_ones_serial(world):
    labelled = world.item(code=f"LB-{next(numbers)}")
    world.item(serial=labelled["code"])
    assert one(world.centre, labelled["code"])["id"] == labelled["id"]


def test_who_has_it_is_told_masked_and_since_when(world):
    item, row, request, handover = world.handed()
    found = one(world.centre, item["code"])
    name = row["姓名"]
    assert (found["state"], found["holder"]["handover"], found["holder"]["kind"]) == ("lent", handover, "rental")
    assert found["holder"]["name"] == name[0] + "*" * (len(name) - 1) and name not in str(found)
    assert found["holder"]["since"] and found["holder"]["due_at"] and found["holder"]["overdue"] is False
    assert found["may_not"] == [{"action": "issue", "code": "device_out"}]
    assert {"issue", "reserve"}.isdisjoint(actions(found))


def test_what_it_went_through_is_told(world):
    item = world.item(source="donated", donor="王先生")
    found = one(world.centre, item["code"])
    assert found["state"] == "returned" and found["may_not"] == [{"action": "issue", "code": "device_not_ready"}]
    world.hand.clean(item, grade="C")
    found = one(world.centre, item["code"])
    assert (found["state"], found["grade"], found["disinfected"]["method"]) == ("in_stock", "C", "紫外线")
    assert found["disinfected"]["at"] and found["inspected"]["at"] and found["may_not"] == []


def test_a_reserved_item_tells_for_whom(world):
    item = world.item()
    request, _ = world.hand.request(world.manager, world.centre.centre, name="欧阳小红")
    world.hand.event(item, "reserve", request)
    found = one(world.centre, item["code"])
    assert found["reserved_for"] == {"request": request, "name": "欧***"} and found["may_not"] == []
    asked = scan(world.centre, f"req-{request}")
    assert (asked["kind"], asked["request"]["reserved"], asked["request"]["state"]) == ("request", [item["code"]], "assessed")


def test_recalled_and_on_its_way_are_told(world):
    own = model(world.database)
    item = world.centre.post("/device-items", {"model": own, "source": "purchased"}, expect=201)
    recall = world.hand.sql("""INSERT INTO device_recall (region, high, model, reason, due_on, account_id) VALUES (640324000, 640324999, %s, '刹车失灵',
        '2030-01-01', %s) RETURNING id""", own, world.hand.account)[0][0]
    world.hand.sql("SELECT device_recalled(r, %s, %s) FROM device_recall r WHERE r.id = %s", TONGXIN, item["id"], recall)
    found = one(world.centre, item["code"])
    assert (found["state"], found["recall"]["recall"], found["recall"]["reason"]) == ("recalled", recall, "刹车失灵")
    assert found["may_not"] == [{"action": "issue", "code": "device_recalled"}]
    moving = world.item()
    transfer = world.hand.sql("""INSERT INTO device_transfer (plan_region, id, from_centre, to_centre, from_region, to_region, sent_at, account_id)
        SELECT a.plan_region, id_in(a.plan_region, 'device_fact_number'), a.id, b.id, a.region, b.region, now(), %s FROM centre a, centre b
        WHERE a.code = %s AND b.code = %s RETURNING id""", world.hand.account, world.centre.centre, world.other.centre)[0][0]
    world.hand.event(moving, "send", transfer)
    for client in (world.centre, world.other, world.county):
        found = one(client, moving["code"])
        assert (found["transfer"]["from"], found["transfer"]["to"]) == (world.centre.centre, world.other.centre)
        assert found["may_not"] == [{"action": "issue", "code": "device_on_its_way"}]
        assert ways(found).keys() == {world.centre: {"unsend", "lose"}, world.other: {"receive"}, world.county: {"receive", "unsend", "lose", "recall"}}[client]
        assert set(ways(found).values()) <= {"/api/v1/device-recalls", *(f"/api/v1/device-transfers/{transfer}/{end}" for end in ("receipt", "cancel", "loss"))}
        paper = scan(client, f"TRF-{transfer}")
        assert (paper["kind"], paper["transfer"]["items"], paper["transfer"]["on_way"]) == ("transfer", [moving["code"]], 1)
        assert ways(paper["transfer"]).keys() == ways(found).keys() - {"lose", "recall"}


def test_an_auditor_reads_and_may_do_nothing(world):
    found = one(world.auditor, world.item()["code"])
    assert found["may"] == [] and found["may_not"] == [{"action": "issue", "code": "role_not_allowed"}]


def test_what_may_be_done_is_done_by_a_request_that_there_is(world, contract):
    """Every way that a scan can name, against the description of the API; and every action of an item has one."""
    ways = world.database.sql("SELECT thing, action, method, path FROM scan_way()")
    assert len(ways) > 40
    for _, _, method, path in ways:
        template = contract.template(method, re.sub(r"\{\w+\}", "1", path))
        assert template and (method, template) in contract.operations, f"{method} {path}"
    actions = {action for (action,) in world.database.sql("SELECT DISTINCT action FROM device_rule")}
    assert actions - {"take_in", "unreturn"} == {action for thing, action, _, _ in ways if thing == "item"}


def ways(found):
    return {way.get("does", way["action"]): way["path"] for way in found["may"]}


def test_each_state_has_its_ways_with_the_numbers_in_them(world):
    item = world.item(source="donated")
    assert ways(one(world.centre, item["code"])).keys() == {"disinfect", "lose", "recycle", "send"}
    batch = world.hand.fact("disinfection", item, method="紫外线", agent="84", began_at="now()")
    world.hand.event(item, "disinfect", batch)
    assert ways(one(world.centre, item["code"]))["disinfected"] == f"/api/v1/device-disinfections/{batch}/end"
    world.hand.sql("UPDATE device_disinfection SET ended_at = now() WHERE id = %s", batch)
    world.hand.event(item, "disinfected", batch)
    assert ways(one(world.centre, item["code"]))["inspect"] == "/api/v1/device-inspections"
    world.hand.passes(item)
    found = one(world.centre, item["code"])
    assert ways(found).keys() == {"fitting", "rental", "trial", "loan", "reserve", "inspect", "repair", "recycle", "send", "lose"}
    repair = world.hand.fact("repair", item, item_id=item["id"], fault="轮胎破", in_warranty=False, began_at="now()")
    world.hand.event(item, "repair", repair)
    assert ways(one(world.centre, item["code"]))["mended"] == f"/api/v1/device-repairs/{repair}/end"


def test_without_hours_there_is_no_loan(world):
    item = world.centre.post("/device-items", {"model": model(world.database, loan_hours=None), "source": "purchased"}, expect=201)
    assert "loan" not in ways(one(world.centre, item["code"])) and "rental" in ways(one(world.centre, item["code"]))


@pytest.mark.parametrize("kind, back", [("rental", "/api/v1/rentals/{}/return"), ("fitting", "/api/v1/device-returns"), ("trial", "/api/v1/device-returns"),
                                        ("loan", "/api/v1/device-loans/return")])
def test_each_way_out_has_its_way_back(world, kind, back):
    if kind == "loan":
        item = world.item()
        handover = world.hand.lend(item)
    elif kind == "trial":
        request, person = world.hand.request(world.manager, world.centre.centre)
        item = world.item()
        handover = world.hand.lend(item, borrower="", kind=kind, person=person, request=request)
    else:
        item, _, _, handover = world.handed(kind)
    found, paper = one(world.centre, item["code"]), scan(world.centre, f"OUT-{handover}")["handover"]
    assert ways(found)["return"] == ways(paper)["return"] == back.format(handover)
    assert ways(found)["repair"] == "/api/v1/device-repairs" and "mended" not in ways(found)
    assert ("keep" in ways(found)) is (kind == "trial") and ("extend" in ways(paper)) is (kind == "rental")


# --- people ---


def test_a_certificate_tells_what_its_owner_has(world):
    item, row, request, handover = world.handed()
    certificate = row["残疾人证号"]
    subject = world.database.sql("SELECT person_id FROM device_request WHERE id = %s", request)[0][0]
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in certificate)
    for text in (certificate, certificate[:18], certificate[:18].lower() + "\n", certificate + "B1", wide, f" {certificate[:6]} {certificate[6:]}\r\n"):
        answer = scan(world.centre, text)
        assert answer["kind"] == "person" and answer["items"] == [], text
        person = answer["person"]
        assert (person["id"], person["name"]) == (subject, row["姓名"][0] + "*" * (len(row["姓名"]) - 1))
        assert [(held["item"], held["id"], held["kind"]) for held in person["holds"]] == [(item["code"], handover, "rental")]
        assert person["requests"] == [] and certificate[:18] not in answer.body.decode()
    read = world.database.sql("SELECT count(*) FROM access_record WHERE subject = %s AND what = 'person by scan' AND account_id = %s",
                              subject, world.centre.get("/session")["id"])
    assert read == [(6,)]
    world.hand.end(handover)
    assert scan(world.centre, certificate)["person"]["holds"] == []


def test_open_requests_of_a_person_are_told_with_what_may_be_done(world):
    request, subject = world.hand.request(world.manager, world.centre.centre)
    certificate = None
    row = needs.row("tongxin", **{"辅具需求": "轮椅"})
    bring_in_rows(world.manager, [row])
    certificate = row["残疾人证号"]
    waiting = world.hand.sql("""INSERT INTO device_request (plan_region, id, plan_id, person_id, need_id, measure, region, centre_id, source)
        SELECT n.plan_region, id_in(n.plan_region, 'device_request_number'), p.id, n.person_id, n.id, 'manual_wheelchair', h.region, k.id, 'import'
        FROM household h JOIN need n ON n.plan_region = h.plan_region AND n.household_id = h.id AND n.kind = 'device', plan p, centre k
        WHERE h.number = %s AND p.code = 'tongxin' AND k.code = %s RETURNING id""", row["户编号"], world.centre.centre)[0][0]
    (asked,) = scan(world.centre, certificate)["person"]["requests"]
    assert (asked["id"], asked["state"], asked["measure"]) == (waiting, "waiting", "manual_wheelchair") and asked["may"]
    assert scan(world.auditor, certificate)["person"]["requests"][0]["may"] == []
    assert request != waiting


def test_people_are_told_of_only_to_who_serves_them(world):
    _, row, _, _ = world.handed()
    certificate = row["残疾人证号"]
    for client in (world.centre, world.county, world.manager, world.auditor):
        assert scan(client, certificate)["kind"] == "person"
    for client in (world.other, world.stranger, world.far):
        answer = scan(client, certificate)
        assert (answer["kind"], answer["person"], answer["items"]) == ("unknown", None, [])
    assert scan(world.centre, needs.citizen_id(999999))["kind"] == "unknown"


def test_a_loan_is_service_too(world):
    """Somebody who is registered and has borrowed a wheelchair without any request."""
    row = needs.row("tongxin")
    bring_in_rows(world.manager, [row])
    person = world.database.sql("SELECT p.id FROM person p JOIN household h ON h.id = p.household_id WHERE h.number = %s", row["户编号"])[0][0]
    assert scan(world.centre, row["残疾人证号"])["kind"] == "unknown"
    item = world.item()
    world.hand.lend(item, borrower="", person=person)
    (held,) = scan(world.centre, row["残疾人证号"])["person"]["holds"]
    assert (held["item"], held["kind"]) == (item["code"], "loan")


# --- papers ---


def test_papers_are_told_by_their_numbers(world):
    item, _, request, handover = world.handed()
    asked, given = scan(world.centre, f"REQ-{request}"), scan(world.centre, f"OUT-{handover}")
    assert (asked["kind"], asked["request"]["id"], asked["request"]["state"]) == ("request", request, "fulfilled")
    assert (given["kind"], given["handover"]["item"], given["handover"]["ended"], given["handover"]["request"]) == ("handover", item["code"], None, request)
    for client in (world.other, world.far, world.stranger):
        assert scan(client, f"REQ-{request}")["kind"] == scan(client, f"OUT-{handover}")["kind"] == "unknown"
    world.hand.end(handover)
    over = scan(world.county, f"out－{handover}")["handover"]
    assert over["ended"] == "returned" and ways(over) == {"close": f"/api/v1/rentals/{handover}/close"}
    batch = world.hand.fact("disinfection", item, method="紫外线", agent="84", began_at="now()")
    world.hand.event(item, "disinfect", batch)
    taking = world.centre.post("/stock-takings", {"shelf": f"T-{next(numbers)}"}, expect=201)["id"]
    counted = scan(world.centre, f"stk-{taking}")
    assert (counted["kind"], counted["stock_taking"]["state"]) == ("stock_taking", "open") and ways(counted["stock_taking"]).keys() == {"scan", "close"}
    assert scan(world.other, f"STK-{taking}")["kind"] == "unknown"
    paper = scan(world.centre, f"DIS-{batch}")
    assert ways(paper["disinfection"]).keys() == {"add", "end"}
    assert (paper["kind"], paper["disinfection"]["items"], paper["disinfection"]["ended_at"]) == ("disinfection", [item["code"]], None)


def test_a_number_that_several_papers_have_tells_all_of_them(world):
    number = TONGXIN // 1000 * 10**10 + 9 * 10**9 + next(numbers)
    item, other = world.item(), world.item(code=f"SV-{next(numbers)}")
    for table in ("disinfection", "transfer"):
        if table == "transfer":
            world.hand.sql("""INSERT INTO device_transfer (plan_region, id, from_centre, to_centre, from_region, to_region, sent_at, account_id)
                SELECT a.plan_region, %s, a.id, b.id, a.region, b.region, now(), %s FROM centre a, centre b WHERE a.code = %s AND b.code = %s""",
                           number, world.hand.account, world.centre.centre, world.other.centre)
        else:
            world.hand.sql("""INSERT INTO device_disinfection (plan_region, id, centre_id, region, method, agent, began_at, account_id)
                SELECT plan_region, %s, centre_id, region, 'a', 'a', now(), %s FROM device_item WHERE id = %s""", number, world.hand.account, item["id"])
    answer = scan(world.centre, number)
    assert answer["kind"] == "several" and answer["transfer"]["id"] == answer["disinfection"]["id"] == number and answer["items"] == []
    assert scan(world.centre, f"DIS-{number}")["transfer"] is None
    assert other["code"] != item["code"]


# --- elsewhere and nowhere ---


def test_a_lost_wheelchair_brought_to_the_wrong_door(world):
    item = world.item(code=f"EL-{next(numbers)}", serial=f"els-{next(numbers)}")
    world.database.sql("UPDATE centre SET phone = '0953-1234567' WHERE code = %s", world.centre.centre)
    for text in (item["code"], item["code"].lower()):
        answer = scan(world.other, text)
        assert answer.json == {"kind": "elsewhere", "items": [], "person": None, "request": None, "handover": None, "transfer": None, "disinfection": None,
                               "stock_taking": None, "elsewhere": {"centre": world.centre.centre, "name": world.centre.centre, "phone": "0953-1234567"}}
    assert scan(world.other, item["serial"])["kind"] == "unknown"
    for client in (world.stranger, world.far):
        assert scan(client, item["code"])["kind"] == "unknown"


def test_what_is_nothing_is_unknown(world):
    for text in ("nothing-such", "6403240099999999", "REQ-6403240099999999", "9" * 16, "0" * 16, "REQ-" + "9" * 16, "轮椅", "%_'\"\\", "x" * 200):
        answer = scan(world.centre, text)
        assert (answer["kind"], answer["items"], answer["elsewhere"]) == ("unknown", [], None), text


def test_refusals(world, client, admin):
    scan(world.centre, " \r\n", expect=422, code="too_short")
    scan(world.centre, "", expect=422, code="too_short")
    scan(world.centre, "x" * 201, expect=422, code="too_long")
    world.centre.post("/scans", {}, expect=422, code="required")
    world.centre.post("/scans", {"code": 1}, expect=422, code="wrong_type")
    scan(world.people.contractor(f"firm-scan-{next(numbers)}"), "x", expect=403, code="role_not_allowed")
    scan(admin, "x", expect=403, code="role_not_allowed")
    scan(client, "x", expect=401)


def test_naughty_texts_are_scanned(world):
    """They are not given back: what comes back is what they mean, and that is nothing."""
    if not NAUGHTY.exists():
        pytest.skip("no ../shared beside this tree")
    told = set()
    for text in json.loads(NAUGHTY.read_text(encoding="utf-8"))[::3]:
        answer = world.centre._send("POST", "/api/v1/scans", json.dumps({"code": text}).encode(), {
            "Authorization": f"Bearer {world.centre.token}", "Content-Type": "application/json"}, 60)
        assert answer.status == 200 or (answer.status == 422 and answer["code"] in ("too_short", "too_long", "nul_in_text")), (text, answer)
        told.add(answer["kind"] if answer.status == 200 else answer["code"])
    assert {"unknown", "too_short"} <= told and "internal_error" not in told


def test_who_was_merged_is_found_as_who_he_is(world):
    item, row, _, handover = world.handed()
    gone = needs.row("tongxin")
    bring_in_rows(world.manager, [gone])
    person = world.database.sql("SELECT person_id FROM handover WHERE id = %s", handover)[0][0]
    world.database.sql("UPDATE person p SET merged_into = %s FROM household h WHERE h.id = p.household_id AND h.number = %s", person, gone["户编号"])
    found = scan(world.centre, gone["残疾人证号"])
    assert (found["person"]["id"], [held["item"] for held in found["person"]["holds"]]) == (person, [item["code"]]) and row["姓名"] != gone["姓名"]
