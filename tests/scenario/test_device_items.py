# SPDX-License-Identifier: Apache-2.0
"""Items: taken in, found, told of, changed; each by its label or its id, and nobody else's."""
import datetime
import json
import re

import pytest
import step_centre
import step_loop
import step_rental
import step_request
import step_stock
import stock_texts
from harness import People
from paper import printed
from stock_help import TOWNSHIP, Hand, centre, model, numbers
from test_sheets import check_page, page


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


def ago(days):
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)


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
           ({"taken_in_on": "2123-01-01"}, 422, "taken_in_future", "/taken_in_on"),
           ({"taken_in_on": "2025-01-01", "acquired_on": "2025-01-02"}, 422, "taken_before_acquired", "/taken_in_on"),
           ({"price": -1}, 422, "out_of_range", "/price"), ({"source": "found"}, 422, "not_allowed", "/source")]


@pytest.mark.parametrize("given, status, code, field", REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_cannot_be_taken_in_is_refused(world, given, status, code, field):
    refused = world.centre.post("/device-items", {"model": world.model, **given}, expect=status, code=code)
    assert refused["field"] == field


def test_what_stands_in_older_books_was_taken_in_then(world):
    old = item(world, taken_in_on="2024-03-05")
    assert (old["acquired_on"], old["state_at"]) == ("2024-03-05", "2024-03-04T16:00:00Z")  # midnight in China
    assert world.centre.get(f"/device-items/{old['id']}/events").items[0]["happened_at"] == old["state_at"]
    assert item(world, taken_in_on="2024-03-05", acquired_on="2024-02-01")["acquired_on"] == "2024-02-01"


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


# --- lost and found ---


def test_what_is_lost_in_stock_and_found_goes_through_the_loop(world):
    taken = item(world)
    path = f"/device-items/{taken['code']}"
    world.centre.post(f"{path}/finding", {"note": "在仓库"}, expect=409, code="device_state")
    world.centre.post(f"{path}/loss", {"note": " "}, expect=422, code="note_required")
    world.centre.post(f"{path}/loss", {}, expect=422, code="required")
    world.centre.post(f"{path}/loss", {"note": "盘点不见"}, match='"9"', expect=412, code="stale")
    for who in (world.other, world.far):
        who.post(f"{path}/loss", {"note": "x"}, expect=404)
    world.auditor.post(f"{path}/loss", {"note": "x"}, expect=403)
    lost = world.centre.post(f"{path}/loss", {"note": "盘点不见"}, key=path)
    assert (lost["state"], lost["version"]) == ("lost", 2)
    assert world.centre.post(f"{path}/loss", {"note": "盘点不见"}, key=path).json == lost.json
    world.centre.post(f"{path}/loss", {"note": "x"}, expect=409, code="device_state")
    world.centre.post(f"{path}/finding", {"note": ""}, expect=422, code="too_short")
    found = world.county.post(f"{path}/finding", {"note": "在仓库"}, match=lost.etag)
    assert found["state"] == "returned"
    assert [(event["action"], event["note"]) for event in world.centre.get(f"{path}/events").items][1:] == [("lose", "盘点不见"), ("find", "在仓库")]
    world.hand.clean(taken)
    assert world.centre.get(path)["state"] == "in_stock"


def test_what_a_holder_lost_is_not_found_in_stock(world):
    taken = item(world)
    handover = world.hand.lend(taken)
    world.centre.post(f"/device-items/{taken['id']}/loss", {"note": "x"}, expect=409, code="device_out")
    world.hand.end(handover, "lost")
    world.centre.post(f"/device-items/{taken['id']}/finding", {"note": "x"}, expect=409, code="device_lost_by_holder")


# --- its life, for print ---


def test_the_life_of_an_item_is_printed(world):
    """A wheelchair rented at one centre, fitted at another, mended and recycled, as the parts of the way do it."""
    a, b = (step_centre.set_up(world.people, region) for region in ("640324", "640324101"))
    kind = step_centre.model(world.people.admin)
    taken = step_stock.take_in(a, kind, serial=unique(), price=128000, batch="2024-03", acquired_on="2024-03-01")[0]
    path = f"/device-items/{taken['code']}/life"
    answer, text = page(a, path)
    check_page(text, answer)
    assert "尚未使用" in text and "报废回收" not in text and recorded(world, taken, a) == []
    tenant, keeper = step_request.bring(world.manager, 2, **{"姓名": "马<b>红"})
    request = step_request.open_request(world.county, tenant.person, centre=a.centre)
    step_request.assess(a, request, "rental")
    step_rental.give_back(a, step_rental.rent(a, request, taken["code"])["id"])
    step_loop.clean(a, taken)
    step_stock.receive(b, step_stock.transfer(a, [taken], b.centre))
    step_request.granted(b, world.county, keeper, taken["code"])
    step_loop.give_back(b, taken)
    step_loop.disinfect(b, [taken], agent="alcohol_75")
    step_loop.mend(b, step_loop.repair(b, taken, fault="轮胎破"), repairer="老李", parts=[{"name": "轮胎", "quantity": 2, "cost": 6000}])
    step_loop.inspect(b, taken, grade="C")
    recycled = step_loop.recycle(b, taken, "unsafe", note="车架断裂", parts=[{"name": "坐垫", "quantity": 1}])
    answer, text = page(b, path)
    check_page(text, answer)
    cost = b.get(f"/device-items/{taken['id']}/events").items[-3]["proof"]["cost"]
    yuan = "{:,.2f}".format
    for word in (taken["code"], taken["serial"], "已报废回收", "购置入库", "马****", "租赁", "适配", "75% 乙醇擦拭两遍", "合格　B 级", "合格　C 级", "轮胎破", "轮胎×2",
                 "老李", yuan(cost / 100), "1,280.00", yuan(1280 + cost / 100), "调出", "调入", "存在安全隐患：车架断裂", recycled["certificate"], "坐垫×1"):
        assert word in text, (word, text)
    assert cost > 0 and "马<b>红" not in text
    assert recorded(world, taken, b) == ["life of a device", "holders of a device"]
    for who in (a, world.far):  # it is no longer that centre's
        who.get(path, expect=404)
    paper = printed(b, path)
    assert paper.is_a4() and paper.pages == 1, paper.text
    events = b.get(f"/device-items/{taken['id']}/events").items
    assert [(event["holder"], event["person"], event["centre"]) for event in events if event["action"] == "issue"] == [
        ("马****", None, a.centre), ("马****", keeper.person, b.centre)]  # who the other centre's people are is not told
    assert [event["proof"]["called"] for event in events if event["action"] == "disinfect"] == ["75% 乙醇擦拭两遍"] * 2
    assert [(event["proof"]["from"], event["proof"]["to"]) for event in events if event["action"] in ("send", "receive")] == [(a.centre, b.centre)] * 2


def test_days_are_counted_by_what_they_were_spent_on(world):
    taken = item(world, source="donated")
    hand = world.hand
    # (the clock of its life is put back: events are of the past)
    world.database.sql("SET session_replication_role = replica; UPDATE device_item SET state_at = %s WHERE id = %s; "
                       "UPDATE device_event SET happened_at = %s WHERE item_id = %s", ago(30), taken["id"], ago(30), taken["id"])
    batch = hand.fact("disinfection", taken, method="a", agent="b", began_at=ago(29))
    hand.event(taken, "disinfect", batch, happened=ago(29))
    hand.sql("UPDATE device_disinfection SET ended_at = %s WHERE id = %s", ago(28), batch)
    hand.event(taken, "disinfected", batch, happened=ago(28))
    version = world.database.sql("SELECT version FROM device_item WHERE id = %s", taken["id"])[0][0]
    hand.event(taken, "pass", hand.fact("inspection", taken, item_id=taken["id"], item_version=version, happened_at="now()", checklist="[]", grade="A",
                                        result="pass"), happened=ago(27))
    hand.end(hand.lend(taken, happened=ago(20)))
    _, text = page(world.centre, f"/device-items/{taken['id']}/life")
    days = re.findall(r'<th scope="row" class="short">(..)天数</th><td class="number">([\d.]+)</td>', text)
    assert days == [("使用", "20.0"), ("周转", "3.0"), ("在库", "7.0")]


# --- texts ---


def test_naughty_texts_come_back(world):
    strings, kind = stock_texts.strings(), {"model": world.model, "source": "donated"}
    assert stock_texts.walk(world.centre, "POST", "/device-items", ["serial", "batch", "donor", "shelf", "note"], strings, kind) > 4 * len(strings)
    for name in ("model", "code", "centre"):
        stock_texts.walk(world.centre, "POST", "/device-items", [name], strings[::5], {} if name == "model" else kind)
    given = item(world, source="donated")
    path = f"/device-items/{given['id']}"
    assert stock_texts.walk(world.centre, "PATCH", path, ["shelf", "note", "donor"], strings) > 2 * len(strings)

    def last_note(*_):
        (note,) = world.database.sql("SELECT note FROM device_event WHERE item_id = %s ORDER BY version DESC LIMIT 1", given["id"])[0]
        return note
    for text in strings[::4]:
        for what in ("loss", "finding"):
            answer = stock_texts.send(world.centre, "POST", f"{path}/{what}", {"note": text})
            assert answer.status >= 400 or last_note() == text
