# SPDX-License-Identifier: Apache-2.0
"""Recalls: what one means is blocked at once, its holders are found and chased, each item is resolved, to 100 %."""
import threading
from contextlib import contextmanager

import pytest
import step_loop
import step_recall
import step_stock
from loop_texts import naughty_strings, walk_texts
from processes import wait_until
from stock_help import centre, model
from test_device_loop import Place


class Recalled(Place):
    def __init__(self, database, admin):
        super().__init__(database, admin)
        self.county = self.people.county("640324")

    def fresh(self, count=1, **columns):
        """A model of its own and items of it."""
        self.model = model(self.database)
        return step_stock.take_in(self.centre, self.model, count, **columns)

    def progress(self, recall):
        return self.county.get(f"/device-recalls/{recall['id']}")["progress"]

    def told(self, kind, recall):
        return [content for (content,) in self.database.sql("SELECT content FROM outbox WHERE kind = %s AND content ->> 'recall' = %s ORDER BY id",
                                                            kind, str(recall["id"]))]


@pytest.fixture(scope="module")
def place(database, server, admin_session):
    place = Recalled(database, admin_session)
    yield place
    place.end()


def test_a_recall_blocks_at_once_and_finds_who_has_some(place):
    shelf, reserved, out, back, mending, lost, gone, other = place.fresh(8, batch="2024-A")[:7] + [place.item(batch="2024-B")]
    request, _ = place.hand.request(place.manager, place.centre.centre, name="马小红")
    place.hand.event(reserved, "reserve", request)
    person = place.database.sql("SELECT person_id FROM device_request WHERE id = %s", request)[0][0]
    handover = place.hand.lend(out, borrower="王大力")
    place.hand.lend(back)
    step_loop.give_back(place.centre, back)
    step_loop.repair(place.centre, mending)
    place.hand.event(lost, "lose", note="盘点未见")
    step_loop.recycle(place.centre, gone)

    query = {"model": place.model, "batch": "2024-A"}
    seen = place.county.get("/device-recalls/preview", query=query)
    assert (seen["items"], seen["blocked"], seen["with_holder"]) == (7, 3, 1)  # (one more of the eight lies on the shelf)
    assert seen["by_state"] == {"in_stock": 2, "lent": 1, "lost": 1, "repairing": 1, "reserved": 1, "returned": 1}
    assert [(one["centre"], one["items"]) for one in seen["centres"]] == [(place.centre.centre, 7)]

    recall = step_recall.recall(place.county, place.model, batch="2024-A", key="recall-once")
    assert step_recall.recall(place.county, place.model, batch="2024-A", key="recall-once").json == recall.json
    progress = recall["progress"]
    assert (progress["items"], progress["open"], progress["percent"]) == (7, 7, 0)
    assert (progress["with_holder"], progress["at_centre"], progress["lost"]) == (1, 5, 1)
    assert progress["by_state"] == {"lent": 1, "lost": 1, "recalled": 3, "repairing": 1, "returned": 1}
    assert [place.state(item) for item in (shelf, reserved, other, gone)] == ["recalled", "recalled", "in_stock", "recycled"]
    for item in (shelf, reserved):
        with pytest.raises(Exception, match="device_recalled"):
            place.hand.lend(item)
    assert place.told("device_recall_task", recall) == [{"recall": recall["id"], "model": place.model, "due_on": step_recall.DUE,
                                                         "centre": place.centre.centre, "items": 7, "with_holder": 1}]
    # The reservation is released and its request told of; it may have another item.
    assert place.told("device_reservation_recalled", recall) == [{"request": request, "item": reserved["id"], "code": reserved["code"],
                                                                  "recall": recall["id"], "centre": place.centre.centre}]
    place.hand.event(other, "reserve", request)
    assert person

    (held,) = place.centre.get(f"/device-recalls/{recall['id']}/items", query={"with_holder": "true"}).items
    assert (held["item"]["code"], held["handover"]["id"], held["handover"]["holder"], held["handover"]["has_it"]) == (out["code"], handover, "王**", True)
    whole = place.centre.get(f"/device-recalls/{recall['id']}/items/{out['code']}")
    assert whole["handover"]["holder"] == "王大力"
    assert place.database.sql("SELECT what FROM access_record WHERE subject = %s", out["id"]) == [("holder of a recalled device",)]
    pages = [one["id"] for one in place.centre.pages(f"/device-recalls/{recall['id']}/items", limit=2, open="true", centre=place.centre.centre)]
    assert len(pages) == 7 and pages == sorted(pages)


def test_a_number_to_call_is_for_who_chases(place):
    (item,) = place.fresh()
    handover = place.hand.lend(item)
    place.database.sql("UPDATE handover SET phone = '13800000000' WHERE id = %s", handover)
    recall = step_recall.recall(place.manager, place.model)
    for client, phone in ((place.centre, "13800000000"), (place.county, "13800000000"), (place.people.auditor("640324"), None)):
        (one,) = client.get(f"/device-recalls/{recall['id']}/items").items
        assert one["handover"]["phone"] == phone


def test_serials_compare_as_numbers_do(place):
    place.model = model(place.database)
    items = {serial: place.item(serial=serial) for serial in ("SN9", "SN10", "SN99", "SN100", "SN101", "")}
    recall = step_recall.recall(place.county, place.model, serial_from="SN10", serial_to="SN100")
    assert recall["progress"]["items"] == 3
    assert [serial for serial in items if place.state(items[serial]) == "recalled"] == ["SN10", "SN99", "SN100"]
    assert place.centre.get(f"/device-items/{place.item(serial='SN50')['code']}")["state"] == "recalled"  # taken in later


@pytest.mark.parametrize("fields, status, code", [
    ({"model": "no-such-model"}, 422, "model_unknown"),
    ({"serial_from": "SN1"}, 422, "serials_backwards"),
    ({"serial_from": "SN10", "serial_to": "SN9"}, 422, "serials_backwards"),
    ({"due_on": "2020-01-01"}, 422, "recall_due_past"),
    ({"region": "230602"}, 403, "region_foreign"),
    ({"region": "640300"}, 403, "region_foreign"),
    ({"region": "999999"}, 422, "region_unknown")], ids=lambda value: value if isinstance(value, str) else "")
def test_a_recall_that_cannot_be(place, fields, status, code):
    (item,) = place.fresh()
    step_recall.recall(place.county, fields.pop("model", place.model), expect=status, code=code, **fields)
    if code in ("model_unknown", "serials_backwards", "region_foreign", "region_unknown"):
        query = {"model": "no-such-model" if code == "model_unknown" else place.model, **{name: fields[name] for name in fields if name != "due_on"}}
        place.county.get("/device-recalls/preview", query=query, expect=status, code=code)
    assert place.state(item) == "in_stock"


def test_who_may_recall_and_who_sees_it(place):
    (item,) = place.fresh()
    for client in (place.centre, place.people.auditor("640324"), place.admin):
        step_recall.recall(client, place.model, expect=403, code="role_not_allowed")
    recall = step_recall.recall(place.county, place.model)
    path = f"/device-recalls/{recall['id']}"
    elsewhere = place.people.county("230602")
    for client in (elsewhere, place.people.manager("230600")):
        client.get(path, expect=404)
        client.patch(path, {"due_on": "2099-01-01"}, expect=404)
        step_recall.withdraw(client, recall, expect=404)
        step_recall.end(client, recall, expect=404)
        step_recall.resolve(client, recall, item, expect=404)
        step_recall.attempt(client, recall, item, expect=404)
        client.get(f"{path}/items/{item['code']}", expect=404)
        assert client.get(f"{path}/items").items == client.get(f"{path}/items/{item['code']}/attempts").items == []
        assert recall["id"] not in [one["id"] for one in client.pages("/device-recalls")]
    # Another centre of the region knows of the recall, and nothing of this one's items.
    neighbour = centre(place.people, place.database)
    assert neighbour.get(path)["progress"]["items"] == 0 and neighbour.get(f"{path}/items").items == []
    step_recall.attempt(neighbour, recall, item, expect=404)
    step_recall.resolve(place.centre, recall, item, expect=403, code="role_not_allowed")
    wide = place.people.manager("640300")
    assert wide.get(path)["progress"]["items"] == 1 and recall["id"] in [one["id"] for one in wide.pages("/device-recalls", running="true", limit=3)]
    # A recall of what is wider than the county is not the county's to change.
    above = step_recall.recall(wide, place.model, region="640300")
    place.county.get(f"/device-recalls/{above['id']}")
    step_recall.withdraw(place.county, above, expect=404)
    step_recall.withdraw(wide, above)


def test_every_attempt_is_logged(place):
    (item,) = place.fresh()
    place.hand.lend(item)
    recall = step_recall.recall(place.county, place.model)
    assert step_recall.attempt(place.centre, recall, item, note="无人接听", key="once")["number"] == 1
    assert step_recall.attempt(place.centre, recall, item, note="无人接听", key="once")["number"] == 1
    step_recall.attempt(place.county, recall, item, how="visit", reached=True)
    step_recall.attempt(place.centre, recall, item, happened_at="2099-01-01T00:00:00Z", expect=422, code="happened_in_future")
    step_recall.attempt(place.centre, recall, item, happened_at="2020-01-01T00:00:00Z", expect=422, code="happened_before_last")
    step_recall.attempt(place.people.auditor("640324"), recall, item, expect=403)
    rows = place.centre.get(f"/device-recalls/{recall['id']}/items/{item['code']}/attempts").items
    assert [(one["number"], one["how"], one["reached"], one["note"]) for one in rows] == [(1, "phone", False, "无人接听"), (2, "visit", True, "")]
    (task,) = place.centre.get(f"/device-recalls/{recall['id']}/items").items
    assert (task["attempts"], task["reached"]) == (2, True) and task["last_attempt_at"]
    step_recall.resolve(place.county, recall, item)
    step_recall.attempt(place.centre, recall, item, expect=409, code="recall_item_resolved")


def test_to_a_hundred_percent(place):
    shelf, kept, mended, gone, lost = place.fresh(5)
    place.hand.lend(kept)
    recall = step_recall.recall(place.county, place.model)
    step_recall.end(place.county, recall, expect=409, code="recall_unresolved")
    # On the shelf: repaired, inspected (into recalled, not into stock), and lifted to be inspected once more.
    step_recall.resolve(place.county, recall, shelf, "repaired", expect=409, code="resolution_unproved")
    step_loop.mend(place.centre, step_loop.repair(place.centre, shelf))
    assert step_loop.inspect(place.centre, shelf)["item"]["state"] == "recalled"
    done = step_recall.resolve(place.county, recall, shelf, "repaired", key="once")
    assert step_recall.resolve(place.county, recall, shelf, "repaired", key="once").json == done.json
    assert (done["resolution"], done["item"]["state"], done["item"]["recall"]) == ("repaired", "inspecting", None)
    assert step_loop.inspect(place.centre, shelf)["item"]["state"] == "in_stock"
    step_recall.resolve(place.county, recall, shelf, expect=409, code="recall_item_resolved")
    # What comes back goes through the loop into `recalled`.
    step_recall.resolve(place.county, recall, kept, note=" ", expect=422, code="note_required")
    step_loop.give_back(place.centre, kept)
    assert step_loop.clean(place.centre, kept)["item"]["state"] == "recalled"
    task = place.county.get(f"/device-recalls/{recall['id']}/items/{kept['code']}")
    assert not task["handover"]["has_it"]
    step_recall.resolve(place.county, recall, kept, match='"9"', expect=412, code="stale")
    step_recall.resolve(place.county, recall, kept, match=task.etag)
    # Mended, but lost; lost; recycled, which resolves by itself.
    step_recall.resolve(place.county, recall, lost, "lost", expect=409, code="resolution_unproved")
    place.hand.event(lost, "lose", note="盘点未见")
    assert step_recall.resolve(place.county, recall, lost, "lost")["item"]["state"] == "lost"
    step_loop.recycle(place.centre, gone, reason="recalled")
    assert place.progress(recall)["by_resolution"] == {"harmless": 1, "lost": 1, "recycled": 1, "repaired": 1}
    left = step_recall.end(place.county, recall, expect=409, code="recall_unresolved")
    assert left["open"] == 1 and place.progress(recall)["percent"] == 80
    step_recall.resolve(place.county, recall, mended)
    ended = step_recall.end(place.county, recall, match=place.county.get(f"/device-recalls/{recall['id']}").etag)
    assert ended["ended_at"] and ended["progress"]["percent"] == 100 and not ended["overdue"]
    for again in (step_recall.end, step_recall.withdraw):
        again(place.county, recall, expect=409, code="recall_over")
    place.county.patch(f"/device-recalls/{recall['id']}", {"due_on": "2099-01-01"}, expect=409, code="recall_over")
    assert place.state(place.item()) == "in_stock"  # it means nothing any more


def test_a_withdrawn_recall_lifts_all_that_are_open(place):
    shelf, out, resolved = place.fresh(3)
    place.hand.lend(out)
    recall = step_recall.recall(place.county, place.model)
    step_recall.resolve(place.county, recall, resolved)
    step_recall.withdraw(place.county, recall, match='"9"', expect=412, code="stale")
    gone = step_recall.withdraw(place.county, recall, key="withdrawn-once")
    assert step_recall.withdraw(place.county, recall, key="withdrawn-once").json == gone.json
    assert gone["progress"]["by_resolution"] == {"harmless": 1, "withdrawn": 2} and gone["ended_note"] == "误报"
    assert [place.state(item) for item in (shelf, out)] == ["inspecting", "lent"]
    assert place.database.sql("SELECT count(*) FROM device_item WHERE model = %s AND recall_id IS NOT NULL", place.model) == [(0,)]


def test_two_recalls_of_one_item(place):
    (item,) = place.fresh()
    first, second = step_recall.recall(place.county, place.model), step_recall.recall(place.manager, place.model, reason="电池起火")
    step_recall.resolve(place.county, first, item)
    assert place.database.sql("SELECT recall_id FROM device_item WHERE id = %s", item["id"]) == [(second["id"],)]
    assert step_loop.inspect(place.centre, item)["item"]["state"] == "recalled"
    # Recycled: dealt with under both.
    third = step_recall.recall(place.county, place.model)
    step_loop.recycle(place.centre, item, reason="recalled")
    assert [place.progress(one)["percent"] for one in (second, third)] == [100, 100]
    assert place.state(item) == "recycled"


def test_on_its_way_to_another_centre(place):
    (item,) = place.fresh()
    other = centre(place.people, place.database)
    transfer = place.hand.sql("""INSERT INTO device_transfer (plan_region, id, from_centre, to_centre, from_region, to_region, sent_at, account_id)
        SELECT a.plan_region, id_in(a.plan_region, 'device_fact_number'), a.id, b.id, a.region, b.region, now(), 1 FROM centre a, centre b
        WHERE a.code = %s AND b.code = %s RETURNING id""", place.centre.centre, other.centre)[0][0]
    place.hand.event(item, "send", transfer)
    recall = step_recall.recall(place.county, place.model)
    assert place.progress(recall)["at_centre"] == 1 and other.get(f"/device-recalls/{recall['id']}/items").items == []
    place.hand.event(item, "receive", transfer)
    (task,) = other.get(f"/device-recalls/{recall['id']}/items").items  # the task goes with it
    assert (task["centre"], task["item"]["state"]) == (other.centre, "recalled")


# --- overdue ---


def test_overdue_items_are_told_once(place):
    early, late = place.fresh(2)
    recall = step_recall.recall(place.county, place.model)
    changed = place.county.patch(f"/device-recalls/{recall['id']}", {"due_on": "2098-01-01"}, match=recall.etag)
    assert changed["due_on"] == "2098-01-01"
    place.county.patch(f"/device-recalls/{recall['id']}", {"due_on": "2098-01-01"}, match=recall.etag, expect=412, code="stale")
    place.county.patch(f"/device-recalls/{recall['id']}", {"due_on": "2020-01-01"}, expect=422, code="recall_due_past")
    step_recall.resolve(place.county, recall, early)
    place.database.sql("UPDATE device_recall SET due_on = '2024-01-01' WHERE id = %s", recall["id"])
    expected = {"recall": recall["id"], "due_on": "2024-01-01", "centre": place.centre.centre, "items": [late["id"]]}
    for _ in range(2):
        place.database.sql("UPDATE job SET run_at = now() WHERE kind = 'recall_overdue_scan'; NOTIFY job, 'reminders'")
        wait_until(lambda: place.database.sql("SELECT 1 FROM job WHERE kind = 'recall_overdue_scan' AND state = 'queued' AND run_at > now()"), 20)
        assert place.told("recall_overdue", recall) == [expected]
    shown = place.county.get(f"/device-recalls/{recall['id']}")
    (task,) = place.centre.get(f"/device-recalls/{recall['id']}/items", query={"open": "true"}).items
    assert shown["overdue"] and task["overdue"]


# --- races ---


@contextmanager
def transaction(place):
    """SQL that is not committed yet, of somebody who may."""
    connection = place.database.connect("super")
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('tantu.role', 'county', true), set_config('tantu.account', %s, true), "
                           "set_config('tantu.low', '0', true), set_config('tantu.high', '999999999', true)", (str(place.hand.account),))
            yield connection, cursor
    finally:
        connection.close()


def waits(place):
    return lambda: place.database.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def beside(call, *arguments, **fields):
    """A thread that does it; .answer when it has ended."""
    def run():
        thread.answer = call(*arguments, **fields)
    thread = threading.Thread(daemon=True, target=run)
    thread.start()
    return thread


def test_what_is_taken_in_meanwhile_is_caught(place):
    place.fresh()
    with transaction(place) as (connection, cursor):
        cursor.execute("INSERT INTO device_item (model, serial, centre_id, source, acquired_on) "
                       "SELECT %s, 'race', id, 'purchased', '2024-01-01' FROM centre WHERE code = %s", (place.model, place.centre.centre))
        recalling = beside(step_recall.recall, place.county.clone(), place.model)
        wait_until(waits(place), 20, "the recall")
        connection.commit()
        recalling.join(20)
    assert recalling.answer["progress"]["items"] == 2
    assert place.database.sql("SELECT state FROM device_item WHERE model = %s AND serial = 'race'", place.model) == [("recalled",)]


def test_what_is_taken_in_while_it_is_written_waits_for_it(place):
    place.fresh()
    with transaction(place) as (connection, cursor):
        cursor.execute("INSERT INTO device_recall (region, high, model, reason, due_on, account_id) VALUES (640324000, 640324999, %s, 'a', '2099-01-01', 1)",
                       (place.model,))
        taking = beside(step_stock.take_in, place.centre.clone(), place.model)
        wait_until(waits(place), 20, "the take-in")
        connection.commit()
        taking.join(20)
    assert place.state(taking.answer[0]) == "recalled"


def test_what_is_taken_in_while_a_recall_is_withdrawn_is_not_left_under_it(place):
    place.fresh()
    recall = step_recall.recall(place.county, place.model)
    with transaction(place) as (connection, cursor):
        cursor.execute("INSERT INTO device_item (model, serial, centre_id, source, acquired_on) "
                       "SELECT %s, 'race', id, 'purchased', '2024-01-01' FROM centre WHERE code = %s", (place.model, place.centre.centre))
        withdrawing = beside(step_recall.withdraw, place.county.clone(), recall)
        wait_until(waits(place), 20, "the withdrawal")
        connection.commit()
        withdrawing.join(20)
    assert withdrawing.answer["progress"]["by_resolution"] == {"withdrawn": 2}
    assert place.database.sql("SELECT count(*) FROM device_item WHERE model = %s AND recall_id IS NOT NULL", place.model) == [(0,)]


def test_what_is_handed_out_meanwhile_is_found_with_who_has_it(place):
    (item,) = place.fresh()
    with transaction(place) as (connection, cursor):
        cursor.execute("INSERT INTO handover (plan_region, id, kind, item_id, borrower, due_at) "
                       "SELECT plan_region, id_in(plan_region, 'handover_number'), 'loan', id, '马小红', now() + interval '1 day' FROM device_item "
                       "WHERE id = %s RETURNING id", (item["id"],))
        (handover,) = cursor.fetchone()
        recalling = beside(step_recall.recall, place.county.clone(), place.model)
        wait_until(waits(place), 20, "the recall")
        connection.commit()
        recalling.join(20)
    (task,) = place.centre.get(f"/device-recalls/{recalling.answer['id']}/items").items
    assert (task["handover"]["id"], task["handover"]["has_it"], task["item"]["state"]) == (handover, True, "lent")


def test_naughty_texts_come_back(place):
    strings = naughty_strings()[::24]
    (item,) = place.fresh()
    recall = step_recall.recall(place.county, place.model)
    path = f"/device-recalls/{recall['id']}"
    assert walk_texts(place.centre, "POST", f"{path}/items/{item['code']}/attempts", ["note"], strings, lambda: {"how": "phone", "reached": False}) > 10
    body = {"reason": "a", "due_on": step_recall.DUE}
    empty = model(place.database)
    assert walk_texts(place.county, "POST", "/device-recalls", ["batch", "reason"], strings, lambda: {**body, "model": empty}) > 10
    walk_texts(place.county, "POST", "/device-recalls", ["model"], strings, lambda: body)
    for name, other in (("serial_from", "serial_to"), ("serial_to", "serial_from")):
        walk_texts(place.county, "POST", "/device-recalls", [name], strings, lambda: {**body, "model": empty, other: "5"})
    for text in [one for one in strings[::8] if one.strip() and "\0" not in one]:
        (one,) = place.fresh()
        begun = step_recall.recall(place.county, place.model)
        assert step_recall.resolve(place.county, begun, one, note=text)["note"] == text
        assert step_recall.end(place.county, begun, note=text)["ended_note"] == text
    withdrawn = step_recall.recall(place.county, model(place.database))
    assert step_recall.withdraw(place.county, withdrawn, note=strings[9])["ended_note"] == strings[9]


@pytest.mark.parametrize("name", ["x", "1", "99999999999999999999", "6403240000099999"])
def test_what_is_not_there(place, name):
    for path in ("/device-recalls/{}", "/device-disinfections/{}", "/device-repairs/{}", "/device-recyclings/{}/certificate",
                 "/device-recalls/{}/items/nothing"):
        if (path, name) != ("/device-recalls/{}", "1"):
            place.county.get(path.format(name), expect=404)
    for path, body in (("/device-recalls/{}/items/nothing/attempts", {"how": "phone", "reached": True}), ("/device-repairs/{}/end", {"outcome": "mended"}),
                       ("/device-disinfections/{}/end", {})):
        place.county.post(path.format(name), body, expect=404)
