# SPDX-License-Identifier: Apache-2.0
"""Stock-takings: what is there against what the book says, differences by kind, kept when it is closed, and resolved. And the least
that should be in stock, told of once each time it is fallen below."""
import pytest
import step_stock
import stock_texts
from client import Client
from harness import People
from processes import ADMIN_PASSWORD, Program, wait_until
from stock_help import TOWNSHIP, Hand, centre, model, numbers
from test_device_transfers import race


class World:
    def __init__(self, admin, database):
        self.people, self.database = People(admin), database
        self.county, self.auditor = self.people.county("640324"), self.people.auditor("640324")
        self.far = self.people.county("630106")
        self.other = centre(self.people, database, TOWNSHIP)
        self.model = model(database)
        self.hand = Hand(database, self.county)

    def shop(self, count=0, **columns):
        """A centre of its own, with so many items."""
        client = centre(self.people, self.database)
        client.items = step_stock.take_in(client, self.model, count, code=f"{client.centre}-i", **columns) if count else []
        return client


@pytest.fixture(scope="module")
def world(admin_session, database):
    world = World(admin_session.clone(), database)
    yield world
    for client in (world.people.admin, *world.people.made):
        client.close()


def begin(client, **part):
    return client.post("/stock-takings", part, expect=201).json


def scan(client, taking, *codes):
    answer = client.post(f"/stock-takings/{taking['id']}/scans", {"codes": [code if isinstance(code, str) else code["code"] for code in codes]})
    return {line["code"]: (line["result"], line["found_as"]) for line in answer["lines"]}


def lines(client, taking, result=None):
    return {line["code"]: line for line in client.pages(f"/stock-takings/{taking['id']}/lines", limit=2, result=result)}


def figures(client, taking):
    got = client.get(f"/stock-takings/{taking['id']}").json
    return {name: got[name] for name in ("expected", "counted", "missing", "surplus", "moved") if got[name]}


def close(client, taking, **fields):
    return client.post(f"/stock-takings/{taking['id']}/close", fields).json


# --- counting ---


def test_what_is_scanned_is_counted_once_however_often_it_comes(world):
    shop = world.shop(3)
    one, two, three = shop.items
    taking = begin(shop, note="年终")
    assert (taking["centre"], taking["state"], taking["expected"], taking["missing"], taking["note"]) == (shop.centre, "open", 3, 3, "年终")
    assert scan(shop, taking, one, one, f" {one['code']}\n", str(two["id"])) == {one["code"]: ("counted", "ok"), two["code"]: ("counted", "ok")}
    first = lines(shop, taking)[one["code"]]["scanned_at"]
    scan(shop, taking, one, two)
    assert lines(shop, taking)[one["code"]]["scanned_at"] == first
    assert figures(shop, taking) == {"expected": 3, "counted": 2, "missing": 1}
    assert list(lines(shop, taking, "missing")) == [three["code"]] and lines(shop, taking, "surplus") == {}
    line = lines(shop, taking)[three["code"]]
    assert (line["item"], line["state"], line["centre"], line["shelf"], line["scanned_at"]) == (three["id"], "in_stock", shop.centre, "", None)
    done = close(shop, taking)
    assert (done["state"], done["counted"], done["missing"], done["unresolved"]) == ("closed", 2, 1, 1) and done["ended_at"]


def test_each_difference_is_of_its_own_kind(world):
    shop = world.shop(8, shelf="A")
    lent, lost, gone, way, elsewhere, mending, dirty, _ = shop.items
    (foreign, coming) = step_stock.take_in(world.other, world.model, 2)
    handover = world.hand.lend(lent, "马小红")
    shop.post(f"/device-items/{lost['id']}/loss", {"note": "x"})
    world.hand.recycle(gone, f"R-{next(numbers)}")
    step_stock.transfer(shop, [way], world.other.centre)
    step_stock.transfer(world.other, [coming], shop.centre)
    shop.patch(f"/device-items/{elsewhere['id']}", {"shelf": "B"})
    world.hand.event(mending, "repair", world.hand.fact("repair", mending, item_id=mending["id"], fault="a", in_warranty=False, began_at="now()"))
    world.hand.event(dirty, "inspect")
    taking = begin(shop, shelf="A")
    assert taking["expected"] == 2  # what is lent, lost, recycled, on its way, on another shelf or being repaired need not stand there
    found = scan(shop, taking, *shop.items, foreign, coming, "no-such-label", "第一")
    assert {code: kind for code, (_, kind) in found.items()} == {
        lent["code"]: "with_somebody", lost["code"]: "lost", gone["code"]: "recycled", way["code"]: "sent_away", elsewhere["code"]: "elsewhere",
        mending["code"]: "ok", dirty["code"]: "ok", shop.items[7]["code"]: "ok", foreign["code"]: "foreign", coming["code"]: "not_received",
        "no-such-label": "unknown", "第一": "unknown"}
    assert figures(shop, taking) == {"expected": 2, "counted": 3, "surplus": 9}
    book = lines(shop, taking, "surplus")
    assert (book[lent["code"]]["state"], book[lent["code"]]["centre"]) == ("lent", shop.centre)
    assert (book[foreign["code"]]["centre"], book[foreign["code"]]["shelf"]) == (world.other.centre, None)
    assert (book["no-such-label"]["item"], book["no-such-label"]["state"]) == (None, None)
    # What the book learns while it is open is no difference any more.
    world.hand.end(handover)
    shop.patch(f"/device-items/{elsewhere['id']}", {"shelf": "A"})
    assert figures(shop, taking)["surplus"] == 7
    # and once it is closed, what it found stands, whatever comes after
    close(shop, taking)
    before = lines(shop, taking)
    shop.post(f"/device-items/{lost['id']}/finding", {"note": "x"})
    world.hand.lend(shop.items[7])
    shop.patch(f"/device-items/{dirty['id']}", {"shelf": "Z"})
    assert lines(shop, taking) == before and before[lost["code"]]["state"] == "lost" and before[dirty["code"]]["shelf"] == "A"


def test_what_moves_while_it_is_counted_is_no_difference(world):
    shop = world.shop(7)
    lent, back, sent, counted_then_lent, shelf, reserved, still = shop.items
    handover = world.hand.lend(back)
    request, _ = world.hand.request(world.county, shop.centre)
    taking = begin(shop)
    assert taking["expected"] == 6
    scan(shop, taking, counted_then_lent)
    world.hand.lend(counted_then_lent)                           # counted, then handed out
    world.hand.end(world.hand.lend(lent))                        # handed out and brought back, and never scanned
    world.hand.end(handover)                                     # brought back meanwhile
    step_stock.transfer(shop, [sent], world.other.centre)
    (new,) = step_stock.take_in(shop, world.model)               # taken in meanwhile
    shop.patch(f"/device-items/{shelf['id']}", {"shelf": "Q"})
    world.hand.event(reserved, "reserve", request)               # at the desk: nobody has seen it
    assert figures(shop, taking) == {"expected": 6, "counted": 1, "moved": 2, "missing": 3}
    assert set(lines(shop, taking, "missing")) == {shelf["code"], reserved["code"], still["code"]}
    assert scan(shop, taking, new, back, reserved) == {one["code"]: ("counted", "ok") for one in (new, back, reserved)}
    done = close(shop, taking)
    assert (done["counted"], done["missing"], done["moved"], done["surplus"]) == (4, 2, 2, 0)


def test_a_part_of_the_stock_is_counted(world):
    shop = world.shop()
    other = model(world.database)
    a = step_stock.take_in(shop, world.model, 2, shelf="A")
    b = step_stock.take_in(shop, other, 2, shelf="B")
    whole, shelf, kind = begin(shop), begin(shop, shelf="A"), begin(shop, model=other)
    assert [taking["expected"] for taking in (whole, shelf, kind)] == [4, 2, 2]
    assert scan(shop, shelf, a[0], b[0]) == {a[0]["code"]: ("counted", "ok"), b[0]["code"]: ("surplus", "elsewhere")}
    assert scan(shop, kind, a[0], b[0]) == {a[0]["code"]: ("surplus", "elsewhere"), b[0]["code"]: ("counted", "ok")}
    assert begin(shop, shelf="A", model=other)["expected"] == 0
    # one open at a time of each part
    for part in ({}, {"shelf": "A"}, {"model": other}):
        shop.post("/stock-takings", part, expect=409, code="taking_open")
    assert shop.post(f"/stock-takings/{shelf['id']}/cancel", {"note": "错了"})["state"] == "cancelled"
    assert begin(shop, shelf="A")["expected"] == 2
    statuses = race(*[(client, "/stock-takings", b'{"shelf": "B", "centre": "%s"}' % shop.centre.encode()) for client in (shop, world.county) * 2])
    assert sorted(statuses) == [201, 409, 409, 409]


# --- closing, resolving ---


def test_a_taking_that_is_over_takes_no_more(world):
    shop = world.shop(2)
    taking = begin(shop)
    path = f"/stock-takings/{taking['id']}"
    tag = shop.get(path).etag
    shop.post(f"{path}/close", {}, match='"9"', expect=412, code="stale")
    shop.post(f"{path}/resolutions", {"items": [{"item": "x"}], "as": "lost", "note": "x"}, expect=409, code="taking_not_closed")
    done = shop.post(f"{path}/close", {"note": "完"}, match=tag, key=path)
    assert shop.post(f"{path}/close", {"note": "完"}, match=tag, key=path).json == done.json
    for what, body in (("scans", {"codes": ["x"]}), ("close", {}), ("cancel", {})):
        shop.post(f"{path}/{what}", body, expect=409, code="taking_over")
    cancelled = begin(shop)
    shop.post(f"/stock-takings/{cancelled['id']}/scans", {"codes": []}, expect=422, code="list_empty")
    shop.post(f"/stock-takings/{cancelled['id']}/cancel", {})
    shop.post(f"/stock-takings/{cancelled['id']}/resolutions", {"items": [{"item": "x"}], "as": "lost", "note": "x"}, expect=409, code="taking_not_closed")
    assert world.database.sql("SELECT count(*) FROM stock_taking_line WHERE taking_id = %s AND result IS NOT NULL", cancelled["id"]) == [(0,)]


def test_a_scan_that_meets_the_closing_is_in_it_or_refused(world):
    shop = world.shop(3)
    for _ in range(6):
        taking = begin(shop)
        path = f"/stock-takings/{taking['id']}"
        body = ('{"codes": ["%s", "%s"]}' % (shop.items[0]["code"], shop.items[1]["code"])).encode()
        scanned, closed = race((shop, f"{path}/scans", body), (world.county, f"{path}/close", b"{}"))
        assert closed == 200 and scanned in (200, 409)
        assert shop.get(path)["counted"] == (2 if scanned == 200 else 0)


def resolve(client, taking, how, *items, **options):
    body = {"items": [{"item": item if isinstance(item, str) else item["code"]} for item in items], "as": how, "note": options.pop("note", "核实")}
    return client.post(f"/stock-takings/{taking['id']}/resolutions", body, **options)


def reasons(answer):
    return {one["item"]: one["code"] for one in answer["items"]}


def test_differences_are_resolved_with_a_reason(world):
    shop = world.shop(6)
    gone, turned_up, counted, found, lent, by_holder = shop.items
    shop.post(f"/device-items/{found['id']}/loss", {"note": "x"})
    world.hand.lend(lent)
    world.hand.end(world.hand.lend(by_holder), "lost")
    taking = begin(shop)
    scan(shop, taking, counted, found, lent, by_holder, "unknown-1")
    assert close(shop, taking)["unresolved"] == 6
    wrong = resolve(shop, taking, "lost", gone, counted, found, "never", expect=409, code="items_refused")
    assert reasons(wrong) == {counted["code"]: "no_difference", found["code"]: "not_missing", "never": "not_in_taking"}
    assert shop.get(f"/device-items/{gone['id']}")["state"] == "in_stock"
    assert reasons(resolve(shop, taking, "found", gone, lent, by_holder, expect=409, code="items_refused")) == {
        gone["code"]: "not_lost_before", lent["code"]: "not_lost_before", by_holder["code"]: "device_lost_by_holder"}
    resolve(shop, taking, "lost", gone, note=" ", expect=422, code="note_required")
    assert resolve(shop, taking, "lost", gone, note="到处找过", key=f"r{taking['id']}")["unresolved"] == 5
    assert resolve(shop, taking, "lost", gone, note="到处找过", key=f"r{taking['id']}")["unresolved"] == 5
    got = shop.get(f"/device-items/{gone['id']}/events").items[-1]
    assert (got["action"], got["note"]) == ("lose", "到处找过")
    assert resolve(world.county, taking, "found", found)["unresolved"] == 4
    assert shop.get(f"/device-items/{found['id']}")["state"] == "returned"
    # one that somebody had in hand since is not lost
    world.hand.lend(turned_up)
    assert reasons(resolve(shop, taking, "lost", turned_up, expect=409, code="items_refused")) == {turned_up["code"]: "device_seen_since"}
    assert resolve(shop, taking, "explained", turned_up, lent, by_holder, "unknown-1", note="已联系")["unresolved"] == 0
    assert reasons(resolve(shop, taking, "explained", lent, gone, expect=409, code="items_refused")) == {
        lent["code"]: "resolved_already", gone["code"]: "resolved_already"}
    line = lines(shop, taking)[gone["code"]]
    assert (line["result"], line["state"], line["resolution"], line["reason"], line["resolved_by"]) == (
        "missing", "in_stock", "lost", "到处找过", shop.get("/session")["id"])


def test_a_missing_item_is_lost_once(world):
    shop = world.shop(1)
    taking = begin(shop)
    close(shop, taking)
    body = ('{"items": [{"item": "%s"}], "as": "lost", "note": "x"}' % shop.items[0]["code"]).encode()
    statuses = race(*[(client, f"/stock-takings/{taking['id']}/resolutions", body) for client in (shop, world.county) * 2])
    assert sorted(statuses) == [200, 409, 409, 409]


# --- who ---


def test_a_taking_is_its_centres_and_its_offices(world):
    shop = world.shop(1)
    taking = begin(world.county, centre=shop.centre)
    path = f"/stock-takings/{taking['id']}"
    writes = (("scans", {"codes": ["x"]}), ("close", {}), ("cancel", {}), ("resolutions", {"items": [{"item": "x"}], "as": "lost", "note": "x"}))
    for who in (world.other, world.far):
        who.get(path, expect=404)
        assert who.get(f"{path}/lines").items == [] and taking["id"] not in [one["id"] for one in who.pages("/stock-takings", limit=200)]
        for what, body in writes:
            who.post(f"{path}/{what}", body, expect=404, code="not_found")
            if what != "scans":
                who.post(f"{path}/{what}", body, match='"1"', expect=404, code="not_found")
        who.post("/stock-takings", {"centre": shop.centre}, expect=422, code="centre_unknown")
    for what, body in writes:
        world.auditor.post(f"{path}/{what}", body, expect=403, code="role_not_allowed")
    world.people.admin.get("/stock-takings", expect=403)
    world.county.post("/stock-takings", {}, expect=422, code="centre_required")
    shop.post("/stock-takings", {"model": "nothing"}, expect=422, code="model_unknown")
    for who in (shop, world.auditor):
        assert who.get(path)["missing"] == 1
        assert [one["id"] for one in who.get("/stock-takings", query={"centre": shop.centre, "state": "open"}).items] == [taking["id"]]
    assert shop.get("/stock-takings", query={"state": "closed"}).items == []
    later = [begin(shop, shelf=str(number))["id"] for number in range(3)]
    assert [one["id"] for one in shop.pages("/stock-takings", limit=2)] == [taking["id"], *later]
    shop.get(f"{path}/lines", query={"after": "zz"}, expect=422)
    shop.get("/stock-takings/1", expect=404)
    world.people.centre(f"stock-new-{next(numbers)}").post("/stock-takings", {}, expect=409, code="centre_without_region")


def test_nobody_writes_a_taking_around_its_functions(world):
    shop = world.shop(1)
    close(shop, begin(shop))
    for change in ("UPDATE stock_taking_line SET result = 'counted'", "DELETE FROM stock_taking_line", "UPDATE stock_taking SET state = 'open'",
                   "INSERT INTO stock_taking_line (plan_region, taking_id, code, expected) SELECT plan_region, id, 'x', true FROM stock_taking"):
        with pytest.raises(Exception, match="permission denied"):
            world.database.sql(change, role="app")


def test_naughty_texts_come_back(world):
    shop, strings = world.shop(1), stock_texts.strings(8)
    taking = begin(shop)
    path = f"/stock-takings/{taking['id']}"
    for text in strings:
        answer = stock_texts.send(shop, "POST", f"{path}/scans", {"codes": [text]})
        assert answer.status >= 400 or [line["code"] for line in answer["lines"] or []] == [code for code in [text.strip(" \t\r\n")] if code]
    seen = list(lines(shop, taking))
    assert len(seen) == len(set(seen)) > len(strings) // 2
    shop.post(f"{path}/cancel", {})
    taken = 0
    for text in strings:
        answer = stock_texts.send(shop, "POST", "/stock-takings", {"shelf": text, "note": text})
        if answer.status < 300:
            assert answer["shelf"] == answer["note"] == text
            ended = stock_texts.send(shop, "POST", f"/stock-takings/{answer['id']}/{('cancel', 'close')[taken % 2]}", {"note": text})
            assert ended["note"] == text
            if taken % 2:
                close_to = stock_texts.send(shop, "POST", f"/stock-takings/{answer['id']}/resolutions",
                                            {"items": [{"item": text}], "as": "explained", "note": text})
                assert close_to.status == 409 and close_to["items"][0]["item"] == text or close_to.status == 422
            taken += 1
        for name in ("model", "centre"):
            assert stock_texts.send(shop, "POST", "/stock-takings", {name: text}).status >= 400
    assert taken > len(strings) // 2


# --- the least that should be there ---


@pytest.fixture(scope="module")
def quiet(cluster, database, contract):
    """A database in which what recurs runs only when a test says so."""
    own = cluster.new_database().migrate()
    own.sql("UPDATE job SET run_at = now() + interval '1 day' WHERE schedule IS NOT NULL")
    server = Program(own, "serve").start()
    world = World(Client(server, contract).sign_in("admin", ADMIN_PASSWORD), own)
    world.manager = world.people.manager("640324")
    yield world
    for client in (world.people.admin, *world.people.made):
        client.close()
    server.stop()


def run(world, times=1):
    for _ in range(times):
        before = world.database.sql("UPDATE job SET run_at = now() WHERE kind = 'stock_minimum_scan' RETURNING finished_at")
        world.database.sql("NOTIFY job, 'reminders'")
        wait_until(lambda: world.database.sql("SELECT finished_at FROM job WHERE kind = 'stock_minimum_scan' AND state = 'queued'")
                   not in ([], before), 20, "the scan")


def told(world, shop):
    return [(one["content"]["model"] or one["content"]["measure"], one["content"]["in_stock"], one["content"]["minimum"])
            for one in world.manager.pages("/outbox", kind="device_stock_low", limit=200) if one["content"]["centre"] == shop.centre]


def minimums(client, **query):
    return {one["model"] or one["measure"]: (one["in_stock"], one["minimum"], one["below"]) for one in client.pages("/stock-minimums", limit=1, **query)}


def test_what_is_below_its_minimum_is_told_once_each_time(quiet):
    world = quiet
    shop = world.shop(2)
    one, two = shop.items
    put = shop.put(f"/stock-minimums/model/{world.model}", {"minimum": 2}, match='"0"')
    assert (put["centre"], put["model"], put["measure"], put["minimum"], put["in_stock"], put["below"], put.etag) == (
        shop.centre, world.model, None, 2, 2, False, '"1"')
    world.county.put("/stock-minimums/measure/manual_wheelchair", {"minimum": 3, "centre": shop.centre})
    of_kind, of_model = "manual_wheelchair", world.model
    assert minimums(shop) == {of_model: (2, 2, False), of_kind: (2, 3, True)}
    run(world, 2)
    assert told(world, shop) == [(of_kind, 2, 3)]
    handover = world.hand.lend(one)
    assert minimums(shop, below="true") == {of_model: (1, 2, True), of_kind: (1, 3, True)} and minimums(shop, below="false") == {}
    run(world, 2)
    assert told(world, shop) == [(of_kind, 2, 3), (of_model, 1, 2)]
    # it recovers by what is taken in, falls again by what is sent away, and is told of again
    (new,) = step_stock.take_in(shop, world.model)
    run(world)
    assert minimums(shop) == {of_model: (2, 2, False), of_kind: (2, 3, True)} and len(told(world, shop)) == 2
    step_stock.transfer(shop, [new], world.other.centre)
    run(world, 2)
    assert told(world, shop)[2:] == [(of_model, 1, 2)]
    # what came back is not in stock before it has been through the loop
    world.hand.end(handover)
    assert minimums(shop)[of_model] == (1, 2, True)
    world.hand.clean(one)
    assert minimums(shop)[of_model] == (2, 2, False)


def test_a_minimum_that_is_being_changed_waits_for_the_next_scan(quiet):
    shop = quiet.shop()
    shop.put(f"/stock-minimums/model/{quiet.model}", {"minimum": 1})
    connection = quiet.database.connect("super")
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM stock_minimum m JOIN centre k ON k.id = m.centre_id WHERE k.code = %s FOR UPDATE OF m", (shop.centre,))
        run(quiet)
        assert told(quiet, shop) == []
        connection.commit()
    connection.close()
    run(quiet, 2)
    assert told(quiet, shop) == [(quiet.model, 0, 1)]


def test_minimums_are_set_read_and_taken_away(quiet):
    world, shop = quiet, quiet.shop()
    path = f"/stock-minimums/model/{world.model}"
    first = shop.put(path, {"minimum": 4})
    assert shop.put(path, {"minimum": 5}, match='"7"', expect=412, code="stale")["current"]["minimum"] == 4
    assert shop.put(path, {"minimum": 5}, match=first.etag).etag == '"2"'
    shop.put(path, {"minimum": 0}, expect=422, code="out_of_range")
    for wrong in ("/stock-minimums/model/nothing", "/stock-minimums/measure/nothing", "/stock-minimums/measure/ramp", "/stock-minimums/shelf/A"):
        shop.put(wrong, {"minimum": 1}, expect=404, code="not_found")
    for who in (world.other, world.far):
        assert shop.centre not in [one["centre"] for one in who.pages("/stock-minimums", limit=200)]
        who.put(path, {"minimum": 1, "centre": shop.centre}, expect=422, code="centre_unknown")
        who.delete(path, query={"centre": shop.centre}, expect=422, code="centre_unknown")
    world.county.put(path, {"minimum": 1}, expect=422, code="centre_required")
    world.auditor.put(path, {"minimum": 1, "centre": shop.centre}, expect=403)
    world.people.admin.get("/stock-minimums", expect=403)
    assert minimums(world.auditor, centre=shop.centre) == minimums(shop) == {world.model: (0, 5, True)}
    assert minimums(world.county, centre=shop.centre, region="640324101") == {}
    shop.delete(path, match='"1"', expect=412, code="stale")
    assert shop.delete(path, match='"2"')["minimum"] == 5
    shop.delete(path, expect=404, code="not_found")
    assert minimums(shop) == {}
    for text in stock_texts.strings(16):
        answer = stock_texts.send(shop, "PUT", path, {"minimum": 1, "centre": text})
        assert answer.status >= 400
