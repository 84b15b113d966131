# SPDX-License-Identifier: Apache-2.0
"""Repairs in the loop and of what somebody keeps; recycling for good, with its certificate."""
import threading

import pytest
import step_loop
from loop_texts import naughty_strings, walk_texts
from paper import printed
from stock_help import centre
from test_device_loop import Place


@pytest.fixture(scope="module")
def place(database, server, admin_session):
    place = Place(database, admin_session)
    yield place
    place.end()


PARTS = [{"name": "刹车线", "quantity": 2, "cost": 3000}, {"name": "轮胎", "quantity": 1, "cost": 8000}]


def actions(place, item):
    rows = place.database.sql("SELECT action FROM device_event WHERE item_id = %s ORDER BY version", item["id"])
    return [action for (action,) in rows]


def test_a_repair_in_the_loop(place):
    item = place.item(warranty_until="2099-01-01")
    opened = step_loop.repair(place.centre, item, "刹车失灵", repairer="老李修理部", note="左侧", key="open-once")
    assert step_loop.repair(place.centre, item, "刹车失灵", repairer="老李修理部", note="左侧", key="open-once").json == opened.json
    assert (opened["item"]["state"], opened["in_warranty"], opened["handover"], opened["next"]) == ("repairing", True, None, "end_repair")
    step_loop.repair(place.centre, item, expect=409, code="repair_open")
    path = f"/device-repairs/{opened['id']}"
    running = [one["id"] for one in place.centre.pages("/device-repairs", running="true", limit=1)]
    assert opened["id"] in running and place.centre.get(path).json == opened.json
    ended = step_loop.mend(place.centre, opened, parts=PARTS, labour=4000, cost=15000, warranty_until="2098-01-01", match=opened.etag)
    assert (ended["cost"], ended["labour"], ended["parts"], ended["outcome"], ended["repairer"]) == (15000, 4000, PARTS, "mended", "老李修理部")
    assert (ended["item"]["state"], ended["next"]) == ("inspecting", "inspect")
    step_loop.mend(place.centre, opened, expect=409, code="repair_over")
    assert step_loop.inspect(place.centre, item)["item"]["state"] == "in_stock"
    # The repair's own warranty holds when the item's does not.
    place.database.sql("UPDATE device_item SET warranty_until = '2020-01-01' WHERE id = %s", item["id"])
    assert step_loop.repair(place.centre, item)["in_warranty"]
    history = list(place.centre.pages("/device-repairs", item=item["code"], limit=1))
    assert [one["outcome"] for one in history] == [None, "mended"]
    assert actions(place, item) == ["take_in", "repair", "mended", "pass", "repair"]


@pytest.mark.parametrize("fields, status, code", [
    ({"parts": PARTS, "labour": 4000, "cost": 14999}, 422, "cost_differs"),
    ({"cost": 1}, 422, "cost_differs"),
    ({"ended_at": "2099-01-01T00:00:00Z"}, 422, "happened_in_future"),
    ({"ended_at": "2020-01-01T00:00:00Z"}, 422, "ended_before_begin"),
    ({"warranty_until": "2020-01-01"}, 422, "warranty_backwards"),
    ({"outcome": "beyond_repair", "warranty_until": "2099-01-01"}, 422, "warranty_backwards"),
    ({"match": '"9"'}, 412, "stale")], ids=lambda value: value if isinstance(value, str) else "")
def test_a_repair_that_cannot_end_so(place, fields, status, code):
    if not hasattr(place, "broken"):
        place.broken = step_loop.repair(place.centre, place.item())
    step_loop.mend(place.centre, place.broken, expect=status, code=code, **fields)
    assert place.centre.get(f"/device-repairs/{place.broken['id']}")["ended_at"] is None


def test_repairs_are_of_the_own_centre(place):
    item = place.item()
    opened = step_loop.repair(place.centre, item)
    for client in (centre(place.people, place.database), place.people.county("230602")):
        step_loop.repair(client, item, expect=404, code="not_found")
        step_loop.mend(client, opened, expect=404, code="not_found")
        step_loop.recycle(client, item, expect=404, code="not_found")
        client.get(f"/device-repairs/{opened['id']}", expect=404)
        assert list(client.pages("/device-repairs", item=item["code"])) == []
        assert opened["id"] not in [one["id"] for one in client.pages("/device-repairs")]
    auditor = place.people.auditor("640324")
    assert auditor.get(f"/device-repairs/{opened['id']}")["fault"] == "轮胎破"
    step_loop.mend(auditor, opened, expect=403, code="role_not_allowed")
    step_loop.mend(place.manager, opened)


def test_what_somebody_keeps_is_repaired_and_stays_his(place):
    item, fitting, _ = place.fitted()
    opened = step_loop.repair(place.centre, item)
    assert (opened["handover"], opened["item"]["state"]) == (fitting, "fitted")
    ended = step_loop.mend(place.centre, opened, parts=PARTS)
    assert (ended["cost"], ended["item"]["state"], ended["next"]) == (11000, "fitted", None)
    assert actions(place, item) == ["take_in", "issue", "serviced"]
    assert place.database.sql("SELECT handover_id FROM device_item WHERE id = %s", item["id"]) == [(fitting,)]
    # Beyond repair: he has it still, until it is brought back.
    step_loop.mend(place.centre, step_loop.repair(place.centre, item), outcome="beyond_repair")
    assert place.state(item) == "fitted"
    # Brought back during the service: the record is closed, and the loop knows a repair only when it opens one.
    opened = step_loop.repair(place.centre, item)
    step_loop.give_back(place.centre, item)
    step_loop.disinfect(place.centre, [item])
    step_loop.inspect(place.centre, item, result="repair", expect=409, code="repair_open")
    assert step_loop.mend(place.centre, opened)["item"]["state"] == "inspecting"
    assert actions(place, item)[-1] == "disinfected"
    assert step_loop.inspect(place.centre, item, result="repair")["item"]["state"] == "repairing"


def test_a_service_is_no_proof_for_the_loop(place):
    """Written around the API: a repair of what somebody has proves no repair of what came back."""
    item, fitting, _ = place.fitted()
    service = step_loop.repair(place.centre, item)["id"]
    step_loop.give_back(place.centre, item)
    step_loop.disinfect(place.centre, [item])
    with pytest.raises(Exception, match="device_unproved"):
        place.hand.event(item, "repair", service)


def test_a_lost_item_leaves_its_repair_to_be_closed(place):
    item = place.item()
    opened = step_loop.repair(place.centre, item)
    place.hand.event(item, "lose", note="修理部失窃")
    assert step_loop.mend(place.centre, opened)["item"]["state"] == "lost"


def test_what_is_beyond_repair_waits_for_recycling(place):
    item = place.item()
    ended = step_loop.mend(place.centre, step_loop.repair(place.centre, item), outcome="beyond_repair", note="车架断裂")
    assert (ended["item"]["state"], ended["next"]) == ("repairing", "recycle")
    assert item["id"] in [one["id"] for one in place.centre.pages("/device-recyclings", waiting="true", centre=place.centre.centre, limit=1)]
    step_loop.inspect(place.centre, item, expect=409, code="device_state")


# --- recycling ---


def test_what_is_recycled_stays_so(place):
    item = place.item()
    repair = step_loop.repair(place.centre, item)
    gone = step_loop.recycle(place.centre, item, parts=[{"name": "坐垫", "quantity": 1}], key="gone-once")
    assert step_loop.recycle(place.centre, item, parts=[{"name": "坐垫", "quantity": 1}], key="gone-once").json == gone.json
    assert gone["item"]["state"] == "recycled" and gone["certificate"].startswith(place.centre.centre + "-")
    ended = place.centre.get(f"/device-repairs/{repair['id']}")
    assert (ended["outcome"], ended["cost"]) == ("beyond_repair", 0)  # the repair that ran has ended with it
    step_loop.recycle(place.centre, item, expect=409, code="device_state")
    step_loop.repair(place.centre, item, expect=409, code="device_state")
    step_loop.inspect(place.centre, item, expect=409, code="device_state")
    step_loop.give_back(place.centre, item, expect=409, code="device_not_out")
    assert step_loop.disinfect(place.centre, [item], expect=409)["items"][0]["code"] == "device_state"
    assert place.centre.get(f"/device-items/{item['code']}")["allowed"] == []


def test_what_cannot_be_recycled(place):
    item, _ = place.lent()
    step_loop.recycle(place.centre, item, expect=409, code="device_state")
    other = place.item()
    step_loop.recycle(place.centre, other, reason="other", expect=422, code="note_required")
    step_loop.recycle(place.centre, other, happened_at="2099-01-01T00:00:00Z", expect=422, code="happened_in_future")
    step_loop.recycle(place.people.auditor("640324"), other, expect=403, code="role_not_allowed")


def test_certificates_are_numbered_without_gaps(place):
    own = Place(place.database, place.admin)
    prefix = step_loop.recycle(own.centre, own.item())["certificate"][:-4]
    # One by hand that is the next one: it is passed over. One that is taken is refused, also to another centre.
    step_loop.recycle(own.centre, own.item(), certificate=prefix + "0003")
    step_loop.recycle(place.centre, place.item(), certificate=prefix + "0003", expect=409, code="certificate_taken")
    last = own.item()
    step_loop.recycle(own.centre, last, reason="other", expect=422)  # a refusal takes no number
    clients, items = [own.centre.clone() for _ in range(4)], [own.item() for _ in range(4)]
    threads = [threading.Thread(daemon=True, target=step_loop.recycle, args=(client, one)) for client, one in zip(clients, items)]
    for thread in threads:
        thread.start()
    for thread, client in zip(threads, clients):
        thread.join()
        client.close()
    numbers = sorted(one["certificate"] for one in own.centre.pages("/device-recyclings", limit=2))
    assert numbers == [f"{prefix}{number:04}" for number in range(1, 7)]
    listed = [one["id"] for one in own.manager.pages("/device-recyclings", centre=own.centre.centre)]
    assert len(listed) == 6 and listed == sorted(listed, reverse=True)
    assert list(place.centre.pages("/device-recyclings", centre=own.centre.centre)) == []
    own.end()


def test_parts_recovered(place):
    own = Place(place.database, place.admin)
    for quantity in (2, 3):
        step_loop.recycle(own.centre, own.item(), parts=[{"name": "脚轮", "quantity": quantity}, {"name": "坐垫", "quantity": 1}])
    parts = list(own.centre.pages("/device-parts", limit=1))
    assert {(one["name"], one["quantity"], one["items"], one["model"]) for one in parts} == {("脚轮", 5, 2, own.model), ("坐垫", 2, 2, own.model)}
    assert list(own.people.county("230602").pages("/device-parts", centre=own.centre.centre)) == []
    own.end()


def test_the_certificate_is_one_page(place):
    item = place.item(serial="SN-证-1", batch="2024-<b>")
    gone = step_loop.recycle(place.centre, item, reason="unsafe", note="后轴断裂 {{name}}",
                             parts=[{"name": f"零件 {number}", "quantity": number} for number in range(1, 9)])
    path = f"/device-recyclings/{gone['id']}/certificate"
    answer = place.centre.get(path)
    text = answer.body.decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for said in (gone["certificate"], "存在安全隐患：后轴断裂 {{name}}", "2024-&lt;b&gt;", "零件 8 × 8", "SN-证-1"):
        assert said in text, said
    sheet = printed(place.centre, path)
    assert sheet.pages == 1 and sheet.is_a4() and gone["certificate"] in sheet.text[0]
    place.people.county("230602").get(path, expect=404)


def test_naughty_texts_come_back(place):
    strings = naughty_strings()
    item = place.item()

    def repaired():
        place.database.sql("UPDATE device_repair SET ended_at = now(), outcome = 'beyond_repair' WHERE item_id = %s AND ended_at IS NULL", item["id"])
        return {"item": item["code"]}
    item, _, _ = place.fitted()
    assert walk_texts(place.centre, "POST", "/device-repairs", ["fault", "repairer", "note"], strings[::30], repaired) > len(strings) // 20
    walk_texts(place.centre, "POST", "/device-repairs", ["item"], strings[::30], lambda: {"fault": "a"})
    repaired()
    for text in strings[::50]:
        if "\0" not in text:
            opened = step_loop.repair(place.centre, item)
            answer = step_loop.mend(place.centre, opened, note=text, repairer=text[:200])
            assert (answer["note"], answer["repairer"]) == (text, text[:200])
    items = iter([place.item() for _ in range(12)])
    for text in strings[::50]:
        walk_texts(place.centre, "POST", "/device-recyclings", ["certificate", "note"], [text],
                   lambda one=next(items): {"item": one["code"], "reason": "other"})
    walk_texts(place.centre, "POST", "/device-recyclings", ["item"], strings[::30], lambda: {"reason": "unsafe"})
