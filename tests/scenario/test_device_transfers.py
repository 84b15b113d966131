# SPDX-License-Identifier: Apache-2.0
"""Transfers between centres: whole or not at all, received item by item, taken back, lost on the way; both ends see them, nobody else."""
import threading

import pytest
import step_stock
import stock_texts
from harness import People
from stock_help import TOWNSHIP, Hand, centre, model, numbers


class World:
    def __init__(self, admin, database):
        self.people, self.database = People(admin), database
        self.a, self.b = centre(self.people, database), centre(self.people, database, TOWNSHIP)
        self.c = centre(self.people, database)
        self.county, self.auditor = self.people.county("640324"), self.people.auditor("640324")
        self.far = centre(self.people, database, 630106000, 630000000)
        self.model = model(database)
        self.hand = Hand(database, self.county)

    def items(self, count=3, by=None, **columns):
        return step_stock.take_in(by or self.a, self.model, count, **columns)


@pytest.fixture(scope="module")
def world(admin_session, database):
    world = World(admin_session.clone(), database)
    yield world
    for client in (world.people.admin, *world.people.made):
        client.close()


def named(*items):
    return [{"item": item["code"]} for item in items]


def state(client, item):
    got = client.get(f"/device-items/{item['id']}")
    return got["state"], got["centre"], got["on_way_to"]


def outcomes(transfer):
    return [one["outcome"] for one in transfer["items"]]


def test_what_is_sent_is_on_its_way_until_it_is_received(world):
    one, two, three = world.items()
    world.hand.event(three, "inspect")
    body = {"to": world.b.centre, "items": named(three, one, one) + [{"item": str(two["id"])}], "note": "下乡"}
    sent = world.a.post("/device-transfers", body, expect=201, key=one["code"])
    assert world.a.post("/device-transfers", body, expect=201, key=one["code"]).json == sent.json
    assert (sent["from"], sent["to"], sent["note"], sent["sent"], sent["on_way"], sent["received"]) == (world.a.centre, world.b.centre, "下乡", 3, 3, 0)
    assert [item["code"] for item in sent["items"]] == [one["code"], two["code"], three["code"]] and outcomes(sent) == ["on_way"] * 3
    # both see it, the sender has it still, and neither may hand it out
    for client in (world.a, world.b, world.county, world.auditor):
        assert state(client, one) == ("in_stock", world.a.centre, world.b.centre)
        assert client.get(f"/device-transfers/{sent['id']}").json == sent.json
    assert world.a.get(f"/device-items/{one['id']}")["allowed"] == ["lose", "unsend"]
    assert world.b.get(f"/device-items/{one['id']}")["allowed"] == ["lose", "receive"]
    assert world.a.get(f"/device-items/{one['id']}")["transfer"] == sent["id"]
    # what has come is scanned, one of them twice; the others are still on their way
    got = step_stock.receive(world.b, sent, [three, three], note="外箱破损")
    assert (got["on_way"], got["received"]) == (2, 1) and outcomes(got) == ["on_way", "on_way", "received"]
    assert got["items"][2]["note"] == "外箱破损" and got["items"][2]["account"] == world.b.get("/session")["id"]
    assert state(world.b, three) == ("inspecting", world.b.centre, None)
    world.a.get(f"/device-items/{three['id']}", expect=404)
    assert step_stock.receive(world.b, sent, [one, three])["received"] == 2
    done = step_stock.receive(world.b, sent)
    assert (done["on_way"], done["received"]) == (0, 3)
    assert step_stock.receive(world.b, sent, [one])["version"] == done["version"]
    world.b.post(f"/device-transfers/{sent['id']}/receipt", {}, expect=409, code="transfer_over")
    # the sender still sees what it sent, and what became of it
    assert world.a.get(f"/device-transfers/{sent['id']}")["received"] == 3
    assert world.database.sql("SELECT region FROM device_item WHERE id = %s", one["id"]) == [(TOWNSHIP,)]


def test_all_or_none_are_sent_and_each_reason_is_told(world):
    ready, lent, lost, way = world.items(4)
    (foreign,) = world.items(1, world.b)
    world.hand.lend(lent)
    world.a.post(f"/device-items/{lost['id']}/loss", {"note": "x"})
    step_stock.transfer(world.a, [way], world.b.centre)
    given = named(ready, lent, lost, way, foreign) + [{"item": "nothing"}]
    refused = world.a.post("/device-transfers", {"to": world.b.centre, "items": given}, expect=409, code="items_refused")
    reasons = {one["item"]: (one["code"], one["state"]) for one in refused["items"]}
    assert reasons == {lent["code"]: ("device_state", "lent"), lost["code"]: ("device_state", "lost"), way["code"]: ("device_on_its_way", "in_stock"),
                       foreign["code"]: ("not_found", None), "nothing": ("not_found", None)}
    assert state(world.a, ready) == ("in_stock", world.a.centre, None)
    day_before = "2001-01-01T00:00:00Z"
    refused = world.a.post("/device-transfers", {"to": world.b.centre, "items": named(ready), "sent_at": day_before}, expect=409, code="items_refused")
    assert [one["code"] for one in refused["items"]] == ["happened_before_last"]


def test_where_it_may_be_sent(world):
    (item,) = world.items(1)
    new = f"stock-new-{next(numbers)}"
    world.people.centre(new)
    for to, code, field in (("nothing", "destination_unknown", "/to"), (world.a.centre, "destination_is_origin", "/to"),
                            (world.far.centre, "destination_outside", "/to"), (new, "destination_unknown", "/to")):
        assert world.a.post("/device-transfers", {"to": to, "items": named(item)}, expect=422, code=code)["field"] == field
    for body, code, field in (({"items": []}, "list_empty", "/items"), ({"items": named(item), "sent_at": "2123-01-01T00:00:00Z"}, "sent_in_future", "/sent_at"),
                              ({"items": named(item), "centre": world.b.centre}, "centre_unknown", "/centre"), ({}, "required", "/items")):
        assert world.a.post("/device-transfers", {"to": world.b.centre, **body}, expect=422, code=code)["field"] == field
    world.county.post("/device-transfers", {"to": world.b.centre, "items": named(item)}, expect=422, code="centre_required")
    world.auditor.post("/device-transfers", {"to": world.b.centre, "items": named(item)}, expect=403)
    world.people.admin.get("/device-transfers", expect=403)
    sent = step_stock.transfer(world.county, [item], world.b.centre, centre=world.a.centre)
    assert step_stock.receive(world.county, sent)["received"] == 1


def test_the_sender_takes_back_what_has_not_been_received(world):
    one, two, three = world.items()
    sent = step_stock.transfer(world.a, [one, two, three], world.b.centre)
    path = f"/device-transfers/{sent['id']}"
    step_stock.receive(world.b, sent, [one])
    refused = world.a.post(f"{path}/cancel", {"items": named(one, two)}, expect=409, code="items_refused")
    assert [(reason["item"], reason["code"], reason["outcome"]) for reason in refused["items"]] == [(one["code"], "device_not_on_its_way", "received")]
    (other,) = world.items(1)
    refused = world.a.post(f"{path}/cancel", {"items": named(other)}, expect=409, code="items_refused")
    assert [reason["code"] for reason in refused["items"]] == ["not_in_transfer"]
    world.a.post(f"{path}/cancel", {"items": []}, expect=422, code="list_empty")
    assert outcomes(world.a.post(f"{path}/cancel", {"items": named(two)})) == ["received", "cancelled", "on_way"]
    back = world.a.post(f"{path}/cancel", {"note": "车坏了"})
    assert outcomes(back) == ["received", "cancelled", "cancelled"]
    assert state(world.a, three) == ("in_stock", world.a.centre, None)
    world.b.get(f"/device-items/{three['id']}", expect=404)
    refused = world.b.post(f"{path}/receipt", {"items": named(three)}, expect=409, code="items_refused")
    assert [(reason["item"], reason["code"]) for reason in refused["items"]] == [(three["code"], "device_not_on_its_way")]
    world.a.post(f"{path}/cancel", {}, expect=409, code="transfer_over")
    # and it may go out again, elsewhere
    assert step_stock.receive(world.c, step_stock.transfer(world.a, [three], world.c.centre))["received"] == 1


def test_what_is_lost_on_the_way(world):
    one, two, three = world.items()
    sent = step_stock.transfer(world.a, [one, two, three], world.b.centre)
    path = f"/device-transfers/{sent['id']}"
    world.a.post(f"{path}/loss", {"items": named(one), "note": " "}, expect=422, code="note_required")
    assert outcomes(world.a.post(f"{path}/loss", {"items": named(one), "note": "途中遗失"})) == ["lost", "on_way", "on_way"]
    world.a.post(f"/device-items/{two['id']}/loss", {"note": "途中遗失"})
    assert outcomes(step_stock.receive(world.b, sent)) == ["lost", "lost", "received"]
    assert state(world.a, one) == ("lost", world.a.centre, None)
    assert world.a.post(f"/device-items/{one['id']}/finding", {"note": "车上"})["state"] == "returned"
    assert outcomes(world.a.get(path)) == ["lost", "lost", "received"]


def test_only_its_ends_see_it_and_each_does_its_own(world):
    (item,) = world.items(1)
    sent = step_stock.transfer(world.a, [item], world.b.centre)
    path = f"/device-transfers/{sent['id']}"
    for who in (world.c, world.far, world.people.county("630106")):
        who.get(path, expect=404, code="not_found")
        for what, body in (("receipt", {}), ("cancel", {}), ("loss", {"items": named(item), "note": "x"})):
            who.post(f"{path}/{what}", body, expect=404, code="not_found")
            who.post(f"{path}/{what}", body, match='"1"', expect=404, code="not_found")
    world.a.post(f"{path}/receipt", {}, expect=403, code="transfer_of_another")
    world.b.post(f"{path}/cancel", {}, expect=403, code="transfer_of_another")
    world.b.post(f"{path}/loss", {"items": named(item), "note": "x"}, expect=403, code="transfer_of_another")
    world.auditor.post(f"{path}/receipt", {}, expect=403, code="role_not_allowed")
    world.b.post(f"{path}/receipt", {}, match='"7"', expect=412, code="stale")
    assert world.b.post(f"{path}/receipt", {}, match=world.b.get(path).etag)["received"] == 1
    world.a.get("/device-transfers/1", expect=404)


def listed(client, **query):
    return [one["id"] for one in client.pages("/device-transfers", limit=2, **query)]


def test_lists_are_by_their_ends_and_whether_they_are_open(world):
    people, database = world.people, world.database
    a, b, c = centre(people, database), centre(people, database, TOWNSHIP), centre(people, database)
    sent = [step_stock.transfer(by, world.items(1, by), to.centre)["id"] for by, to in ((a, b), (a, c), (b, a), (c, b), (a, b))]
    step_stock.receive(b, {"id": sent[0]})
    for client, sees in ((a, [0, 1, 2, 4]), (b, [0, 2, 3, 4]), (c, [1, 3])):
        ids = [sent[number] for number in sees]
        assert listed(client) == ids
        assert listed(client, open="true") == [one for one in ids if one != sent[0]]
        assert listed(client, open="false") == [one for one in ids if one == sent[0]]
        assert listed(client, **{"from": a.centre}) == [one for one in ids if one in (sent[0], sent[1], sent[4])]
        assert listed(client, **{"from": a.centre, "to": b.centre}) == [one for one in ids if one in (sent[0], sent[4])]
        assert listed(client, to=a.centre, open="true") == [one for one in ids if one == sent[2]]
        assert listed(client, to="nothing") == []
    for office in (world.county, world.auditor):
        assert listed(office, **{"from": a.centre}) == [sent[0], sent[1], sent[4]]
        assert set(sent) < set(one["id"] for one in office.pages("/device-transfers", limit=200))
    assert not set(sent) & set(listed(world.far)) and listed(people.county("630106")) == []


def test_what_comes_into_the_region_of_a_recall_is_recalled(world):
    """A recall of one township: what is sent there comes under it, whatever stock it came from."""
    one, two = world.items(2)
    recall = world.database.sql("INSERT INTO device_recall (region, high, model, reason, due_on, account_id) VALUES (%s, %s, %s, '刹车', '2030-01-01', 1) "
                                "RETURNING id", TOWNSHIP, TOWNSHIP, world.model)[0][0]
    try:
        assert step_stock.receive(world.b, step_stock.transfer(world.a, [one], world.b.centre))["received"] == 1
        got = world.b.get(f"/device-items/{one['id']}")
        assert (got["state"], got["recalled_by"], got["recall_reason"]) == ("recalled", recall, "刹车")
        assert state(world.a, two)[0] == "in_stock"
    finally:
        world.database.sql("UPDATE device_recall SET ended_at = now(), ended_note = 'x' WHERE id = %s", recall)


def race(*requests):
    """Each (client, path, body) at once: their statuses."""
    answers = [None] * len(requests)

    def send(number, client, path, body):
        answers[number] = client._send(
            "POST", "/api/v1" + path, body, {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)
    clients = [client.clone() for client, _, _ in requests]
    threads = [threading.Thread(daemon=True, target=send, args=(number, client, path, body))
               for number, (client, (_, path, body)) in enumerate(zip(clients, requests))]
    for thread in threads:
        thread.start()
    for thread, client in zip(threads, clients):
        thread.join()
        client.close()
    return [answer.status for answer in answers]


def test_received_and_taken_back_at_once_is_one_of_both(world):
    for _ in range(8):
        item, other = world.items(2)
        sent = step_stock.transfer(world.a, [item, other], world.b.centre)
        path = f"/device-transfers/{sent['id']}"
        statuses = race((world.b, f"{path}/receipt", b"{}"), (world.a, f"{path}/cancel", b"{}"), (world.county, f"{path}/cancel", b"{}"))
        assert sorted(statuses) == [200, 409, 409]
        after = outcomes(world.county.get(path))
        assert after == (["received"] * 2 if statuses[0] == 200 else ["cancelled"] * 2)
        assert state(world.county, item)[1:] == (world.b.centre if statuses[0] == 200 else world.a.centre, None)


def test_two_transfers_of_one_item_are_one(world):
    (item,) = world.items(1)
    bodies = [(world.a, "/device-transfers", ('{"to": "%s", "items": [{"item": "%s"}]}' % (to.centre, item["code"])).encode())
              for to in (world.b, world.c, world.b, world.c)]
    assert sorted(race(*bodies)) == [201, 409, 409, 409]


def test_naughty_texts_come_back(world):
    strings, path = stock_texts.strings(16), "/device-transfers"
    (item,) = world.items(1)

    def at_home():
        """The item is no longer on its way."""
        for one in listed(world.a, open="true"):
            world.a.post(f"{path}/{one}/cancel", {})
        return path
    assert stock_texts.walk(world.a, "POST", at_home, ["note"], strings, {"to": world.b.centre, "items": named(item)}) > len(strings) - 8
    for name in ("to", "centre"):
        stock_texts.walk(world.a, "POST", path, [name], strings[::5], {"to": world.b.centre, "items": named(item)})
    at_home()
    for what in ("receipt", "cancel", "loss"):
        by = {"receipt": world.b}.get(what, world.a)
        for text in strings[::4]:
            sent = step_stock.transfer(world.county, [item], world.b.centre, centre=world.a.centre)
            answer = stock_texts.send(by, "POST", f"{path}/{sent['id']}/{what}", {"note": text, "items": named(item)})
            assert answer.status >= 400 or answer["items"][0]["note"] == text
            if what != "cancel" or answer.status >= 400:
                (item,) = world.items(1)
