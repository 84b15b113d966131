# SPDX-License-Identifier: Apache-2.0
"""Items: taken in, found, told of, changed; each by its label or its id, and nobody else's."""
import json

import pytest
import step_stock
from harness import People
from processes import ROOT
from stock_help import TOWNSHIP, Hand, centre, model, numbers


NAUGHTY = ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json"


class World:
    def __init__(self, admin, database):
        self.people, self.database = People(admin), database
        self.centre, self.other = centre(self.people, database), centre(self.people, database, TOWNSHIP)
        self.manager, self.county = self.people.manager("640324"), self.people.county("640324")
        self.auditor, self.far = self.people.auditor("640324"), self.people.county("630106")
        self.model = model(database)
        self.hand = Hand(database, self.county)


@pytest.fixture(scope="module")
def world(admin_session, database):
    world = World(admin_session.clone(), database)
    yield world
    for client in (world.people.admin, *world.people.made):
        client.close()


def item(world, by=None, **columns):
    return step_stock.take_in(by or world.centre, world.model, **columns)[0]


def unique():
    return f"SN-{next(numbers)}"


# --- taken in ---


def test_what_was_bought_is_in_stock_at_once(world):
    code, serial = unique(), unique()
    taken = world.centre.post("/device-items", {
        "model": world.model, "serial": serial, "batch": "2025-06", "code": code, "acquired_on": "2025-06-01", "price": 128000,
        "warranty_until": "2027-06-01", "shelf": "A-3", "note": "展厅"}, expect=201, key=code)
    assert (taken["state"], taken["source"], taken["code"], taken["serial"], taken["batch"], taken["centre"], taken["region"]) == (
        "in_stock", "purchased", code, serial, "2025-06", world.centre.centre, "640324")
    assert (taken["price"], taken["warranty_until"], taken["shelf"], taken["note"], taken["measure"], taken["version"]) == (
        128000, "2027-06-01", "A-3", "展厅", "manual_wheelchair", 1)
    assert world.centre.post("/device-items", {
        "model": world.model, "serial": serial, "batch": "2025-06", "code": code, "acquired_on": "2025-06-01", "price": 128000,
        "warranty_until": "2027-06-01", "shelf": "A-3", "note": "展厅"}, expect=201, key=code).json == taken.json
    for wanted in (code, taken["id"]):
        got = world.centre.get(f"/device-items/{wanted}")
        assert {name: got[name] for name in taken.json} == taken.json
        assert got["allowed"] == ["inspect", "issue", "lose", "recycle", "repair", "reserve", "send"]
        assert got["holder"]["handover"] is None and got["transfer"] is None


def test_without_a_label_of_its_own_it_has_its_id(world):
    taken = item(world)
    assert taken["code"] == str(taken["id"]) and taken["acquired_on"]
    assert world.centre.get(f"/device-items/{taken['code']}")["id"] == taken["id"]


def test_what_was_donated_enters_the_loop(world):
    taken = item(world, source="donated", donor="王先生")
    assert (taken["state"], taken["donor"]) == ("returned", "王先生")
    assert world.centre.get(f"/device-items/{taken['id']}")["allowed"] == ["disinfect", "lose", "recycle", "send"]
    (event,) = world.centre.get(f"/device-items/{taken['id']}/events").items
    assert (event["action"], event["from"], event["to"], event["proof"]) == ("take_in", "", "returned", {"source": "donated", "donor": "王先生"})
    world.hand.clean(taken, "A")
    cleaned = world.centre.get(f"/device-items/{taken['id']}")
    assert (cleaned["state"], cleaned["grade"]) == ("in_stock", "A")


def test_an_office_takes_in_for_a_centre_of_its_region(world):
    for office in (world.county, world.manager):
        assert item(world, office, centre=world.other.centre)["region"] == "640324101"
        office.post("/device-items", {"model": world.model}, expect=422, code="centre_required")
    assert item(world, centre=world.centre.centre)["centre"] == world.centre.centre
    for who in (world.far, world.centre):
        who.post("/device-items", {"model": world.model, "centre": world.other.centre}, expect=422, code="centre_unknown")
    world.county.post("/device-items", {"model": world.model, "centre": "nothing"}, expect=422, code="centre_unknown")
    for who in (world.auditor, world.people.admin, world.people.contractor("firm-stock"), world.people.assessor("640324")):
        who.post("/device-items", {"model": world.model, "centre": world.other.centre}, expect=403, code="role_not_allowed")


def test_a_centre_without_a_region_has_no_stock(world):
    new = world.people.centre(f"stock-new-{next(numbers)}")
    new.post("/device-items", {"model": world.model}, expect=409, code="centre_without_region")
    assert new.get("/device-items").items == []


REFUSED = [({"model": "nothing"}, 422, "model_unknown", "/model"), ({"code": "ab"}, 422, "label_invalid", "/code"),
           ({"code": "a b c"}, 422, "label_invalid", "/code"), ({"code": "6403240000000017"}, 422, "label_invalid", "/code"),
           ({"donor": "王"}, 422, "donor_not_wanted", "/donor"), ({"acquired_on": "2123-01-01"}, 422, "acquired_in_future", "/acquired_on"),
           ({"acquired_on": "2025-01-02", "warranty_until": "2025-01-01"}, 422, "warranty_before_acquired", "/warranty_until"),
           ({"price": -1}, 422, "out_of_range", "/price"), ({"source": "found"}, 422, "not_allowed", "/source")]


@pytest.mark.parametrize("given, status, code, field", REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_cannot_be_taken_in_is_refused(world, given, status, code, field):
    refused = world.centre.post("/device-items", {"model": world.model, **given}, expect=status, code=code)
    assert refused["field"] == field


def test_labels_are_unique_everywhere_and_serials_within_a_model(world):
    code, serial = unique(), unique()
    item(world, code=code, serial=serial)
    for who in (world.centre, world.other):
        assert who.post("/device-items", {"model": world.model, "code": code}, expect=409, code="code_taken")["field"] == "/code"
        assert who.post("/device-items", {"model": world.model, "serial": serial}, expect=409, code="serial_taken")["field"] == "/serial"
    assert step_stock.take_in(world.centre, model(world.database), serial=serial)[0]["serial"] == serial
    old = model(world.database, retired_at="2025-01-01")
    world.centre.post("/device-items", {"model": old}, expect=422, code="model_retired")


# --- told of ---


def test_a_stranger_does_not_see_it(world):
    taken = item(world)
    for who in (world.other, world.far):
        for wanted in (taken["id"], taken["code"]):
            who.get(f"/device-items/{wanted}", expect=404, code="not_found")
            who.patch(f"/device-items/{wanted}", {"shelf": "x"}, expect=404, code="not_found")
            who.patch(f"/device-items/{wanted}", {"shelf": "x"}, match='"7"', expect=404, code="not_found")
            assert who.get(f"/device-items/{wanted}/events").items == []
    for who in (world.county, world.manager, world.auditor):
        assert who.get(f"/device-items/{taken['code']}")["id"] == taken["id"]
    assert world.auditor.get(f"/device-items/{taken['id']}")["allowed"] == []
    world.people.admin.get(f"/device-items/{taken['id']}", expect=403)
    world.centre.get("/device-items/nothing", expect=404)


def recorded(world, item, client):
    return [what for (what,) in world.database.sql("SELECT what FROM access_record WHERE subject = %s AND account_id = %s ORDER BY id",
                                                   item["id"], client.get("/session")["id"])]


def test_who_has_it_is_told_masked_and_the_reading_recorded(world):
    taken = item(world)
    world.centre.get(f"/device-items/{taken['id']}")
    assert recorded(world, taken, world.centre) == []
    request, person = world.hand.request(world.manager, world.centre.centre, name="马小红")
    handover = world.hand.lend(taken, "", "rental", person, request)
    got = world.centre.get(f"/device-items/{taken['code']}")
    assert got["state"] == "lent" and got["holder"]["due_at"] and got["holder"]["since"]
    assert (got["holder"]["handover"], got["holder"]["kind"], got["holder"]["person"], got["holder"]["name"]) == (handover, "rental", person, "马**")
    assert recorded(world, taken, world.centre) == ["holder of a device"]
    assert "马小红" not in json.dumps(world.auditor.get(f"/device-items/{taken['id']}").json, ensure_ascii=False)
    assert recorded(world, taken, world.auditor) == ["holder of a device"]
    for row in world.centre.pages("/device-items", limit=200, state="lent"):
        assert "holder" not in row
    world.hand.end(handover)
    assert world.centre.get(f"/device-items/{taken['id']}")["holder"]["handover"] is None
    events = world.centre.get(f"/device-items/{taken['id']}/events").items
    assert [(event["action"], event["holder"], event["person"]) for event in events] == [
        ("take_in", None, None), ("issue", "马**", person), ("return", "马**", person)]
    assert recorded(world, taken, world.centre) == ["holder of a device", "holders of a device"]


def test_each_event_shows_its_proof(world):
    taken, hand = item(world), world.hand
    handover = hand.lend(taken, "李四")
    hand.end(handover)
    hand.clean(taken)
    hand.mend(taken)
    hand.passes(taken, "C")
    hand.recycle(taken, unique())
    events = world.centre.get(f"/device-items/{taken['id']}/events").items
    assert [event["action"] for event in events] == [
        "take_in", "issue", "return", "disinfect", "disinfected", "pass", "repair", "mended", "pass", "recycle"]
    assert [event["id"] for event in events] == list(range(1, 11)) and all(event["centre"] == world.centre.centre for event in events)
    proof = {event["id"]: event["proof"] for event in events}
    assert (events[1]["holder"], events[1]["person"], proof[2]["kind"]) == ("李*", None, "loan")
    assert (proof[4]["method"], proof[5]["agent"], proof[6]["grade"], proof[9]["grade"]) == ("紫外线", "84消毒液", "B", "C")
    assert proof[6]["checklist"] == [{"name": "刹车", "ok": True}]
    assert (proof[7]["fault"], proof[8]["cost"], proof[8]["repairer"], proof[8]["parts"][0]["name"]) == ("轮胎破", 12000, "老李", "轮胎")
    assert (proof[10]["reason"], proof[10]["parts"]) == ("车架断裂", [{"name": "坐垫", "quantity": 1}])
    paged = list(world.centre.pages(f"/device-items/{taken['code']}/events", limit=3))
    assert paged == events


# --- changed ---


def test_what_is_said_of_it_is_changed_by_who_read_it_last(world):
    taken = item(world, source="donated")
    first = world.centre.get(f"/device-items/{taken['id']}")
    body = {"shelf": "B-1", "note": "靠窗", "donor": "无名氏", "price": 5000, "warranty_until": "2099-01-01"}
    changed = world.centre.patch(f"/device-items/{taken['code']}", body, match=first.etag)
    assert {name: changed[name] for name in body} == body and changed["version"] == 2
    stale = world.county.patch(f"/device-items/{taken['id']}", {"shelf": "C"}, match=first.etag, expect=412, code="stale")
    assert stale["current"]["shelf"] == "B-1"
    changed = world.county.patch(f"/device-items/{taken['id']}", {"shelf": ""}, match=changed.etag)
    assert (changed["shelf"], changed["note"]) == ("", "靠窗")
    world.centre.patch(f"/device-items/{taken['id']}", {"warranty_until": "2001-01-01"}, expect=422, code="warranty_before_acquired")
    world.auditor.patch(f"/device-items/{taken['id']}", {"shelf": "x"}, expect=403)
    bought = item(world)
    world.centre.patch(f"/device-items/{bought['id']}", {"donor": "王"}, expect=422, code="donor_not_wanted")


# --- listed ---


@pytest.fixture(scope="module")
def shelf(world):
    """A centre with items of two kinds in three states."""
    own = centre(world.people, world.database, TOWNSHIP)
    own.wheelchair, own.bed = world.model, model(world.database, "powered_wheelchair")
    own.mark = f"LST{next(numbers)}"
    own.items = [step_stock.take_in(own, own.wheelchair, code=f"{own.mark}-w{n}", serial=f"{own.mark}%_{n}")[0] for n in (3, 1, 2)]
    own.items += [step_stock.take_in(own, own.bed, code=f"{own.mark}.b{n}", source="donated")[0] for n in (1, 2)]
    world.hand.event(own.items[2], "lose", note="找不到")
    return own


def listed(client, **query):
    return [row["id"] for row in client.pages("/device-items", limit=2, **query)]


def test_lists_are_by_centre_region_state_model_and_kind(world, shelf):
    every = [one["id"] for one in shelf.items]
    for client in (shelf, world.county, world.manager, world.auditor):
        of = {"centre": shelf.centre}
        assert listed(client, **of) == every
        assert listed(client, **of, state="returned") == every[3:] and listed(client, **of, state="lost") == [every[2]]
        assert listed(client, **of, model=shelf.wheelchair) == every[:3] and listed(client, **of, measure="powered_wheelchair") == every[3:]
        assert listed(client, **of, model=shelf.wheelchair, state="in_stock") == every[:2]
        assert listed(client, **of, model=shelf.wheelchair, measure="powered_wheelchair") == []
        assert listed(client, **of, region="640324101") == every and listed(client, **of, region="640324102") == []
    assert listed(shelf) == every
    assert set(every) < set(row["id"] for row in world.manager.pages("/device-items", limit=200))
    for client in (world.far, world.centre):
        assert not set(every) & set(row["id"] for row in client.pages("/device-items", limit=200))
        assert listed(client, centre=shelf.centre) == []
    world.people.admin.get("/device-items", expect=403)


def test_what_begins_like_that_is_found(world, shelf):
    ids = {one["code"]: one["id"] for one in shelf.items}
    codes = sorted(ids)
    for client in (shelf, world.county):
        # by code first, then by serial: each once, however the pages fall
        assert listed(client, q=shelf.mark) == [ids[code] for code in codes]
        assert listed(client, q=f"{shelf.mark}-") == [ids[code] for code in codes if "-w" in code]
        assert listed(client, q=f"{shelf.mark}%") == [ids[f"{shelf.mark}-w{n}"] for n in (1, 2, 3)]
        assert listed(client, q=f"{shelf.mark}%", state="in_stock") == [ids[f"{shelf.mark}-w{n}"] for n in (1, 3)]
        assert listed(client, q=shelf.mark, measure="powered_wheelchair") == [ids[code] for code in codes if ".b" in code]
        assert listed(client, q=f"{shelf.mark}-w1") == [ids[f"{shelf.mark}-w1"]]
        assert listed(client, q=f"{shelf.mark.lower()}-") == []
    assert listed(world.centre, q=shelf.mark) == []
    for cursor in ("x", "0.x.00", "0.1.zz", "1", "0.1.ff"):
        shelf.get("/device-items", query={"q": "a", "after": cursor}, expect=422)
    shelf.get("/device-items", query={"after": "x"}, expect=422)


# --- texts ---


@pytest.fixture(scope="module")
def strings():
    if not NAUGHTY.exists():
        pytest.skip("no ../shared beside this tree")
    return json.loads(NAUGHTY.read_text(encoding="utf-8"))[::3]


def walk_texts(client, method, path, fields, strings, extra=lambda: {}):
    """Each text in all fields at once, or, refused, in each: taken and given back as it is, or refused with 4xx."""
    taken = 0
    for text in strings:
        tries = [fields]
        while tries:
            names = tries.pop()
            answer = client._send(method, "/api/v1" + path, json.dumps({**extra(), **dict.fromkeys(names, text)}).encode(),
                                  {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)
            assert answer.status < 300 or 400 <= answer.status < 500, (names, text, answer)
            if answer.status < 300:
                assert all(answer[name] == text for name in names), (names, text, answer)
                taken += len(names)
            elif len(names) > 1:
                tries += [[name] for name in names]
    return taken


def test_naughty_texts_come_back(world, strings):
    kind = {"model": world.model, "source": "donated"}
    assert walk_texts(world.centre, "POST", "/device-items", ["serial", "batch", "donor", "shelf", "note"], strings, lambda: kind) > 4 * len(strings)
    for name in ("model", "code", "centre"):
        walk_texts(world.centre, "POST", "/device-items", [name], strings[::5], lambda: {} if name == "model" else kind)
    given = item(world, source="donated")
    assert walk_texts(world.centre, "PATCH", f"/device-items/{given['id']}", ["shelf", "note", "donor"], strings) > 2 * len(strings)
