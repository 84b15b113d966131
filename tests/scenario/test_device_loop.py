# SPDX-License-Identifier: Apache-2.0
"""Return by scan and its undoing, disinfection of batches, inspection by checklists."""
import json
import threading

import pytest
import stock_texts
import step_loop
import step_rental
import step_request
import step_stock
from conftest import People
from loop_texts import naughty_strings, walk_texts
from stock_help import Hand, centre, model


class Place:
    """A centre of its own with a model, and somebody for everything."""

    def __init__(self, database, admin):
        self.database, self.admin, self.people = database, admin, People(admin)
        self.centre = centre(self.people, database)
        self.manager = self.people.manager("640324")
        self.hand = Hand(database, self.centre)
        self.model = model(database)

    def item(self, **columns):
        return step_stock.take_in(self.centre, self.model, **columns)[0]

    def lent(self, **options):
        item = self.item()
        return item, self.hand.lend(item, **options)

    def returned(self):
        item, _ = self.lent()
        step_loop.give_back(self.centre, item)
        return item

    def inspecting(self):
        item = self.returned()
        step_loop.disinfect(self.centre, [item])
        return item

    def state(self, item):
        return self.centre.get(f"/device-items/{item['code']}")["state"]

    def to_fit(self):
        """A request that is assessed for a fitting: (request, person)."""
        (needy,) = step_request.bring(self.manager)
        request = step_request.open_request(self.manager, needy.person, centre=self.centre.centre)
        step_request.assess(self.centre, request)
        return request, needy.person

    def fitted(self):
        """An item that a person keeps: (item, handover, request)."""
        item, (request, _) = self.item(), self.to_fit()
        return item, step_request.fit(self.centre, request, item["code"])["id"], request

    def end(self):
        for client in self.people.made:
            client.close()


@pytest.fixture(scope="module")
def place(database, server, admin_session):
    place = Place(database, admin_session)
    yield place
    place.end()


# --- return ---


def test_a_scan_ends_whatever_the_item_is_out_by(place):
    item, handover = place.lent()
    back = step_loop.give_back(place.centre, item, condition="worn", note="左轮有泥", key="back-once")
    assert (back["item"]["state"], back["condition"], back["note"], back["next"]) == ("returned", "worn", "左轮有泥", "disinfect")
    assert "disinfect" in back["allowed"]
    held = back["handover"]
    assert (held["id"], held["kind"], held["holder"], held["to_close"]) == (handover, "loan", "马**", False)
    assert step_loop.give_back(place.centre, item, condition="worn", note="左轮有泥", key="back-once").json == back.json
    step_loop.give_back(place.centre, item, expect=409, code="device_not_out")


def rented(place):
    """An item and the rental by which somebody has it."""
    item, (request, _) = place.item(), place.hand.request(place.manager, place.centre.centre)
    return item, step_rental.rent(place.centre, request, item["code"])["id"]


def at_once(place, count, call):
    """The statuses of as many clients doing it at once."""
    clients, statuses = [place.centre.clone() for _ in range(count)], []
    threads = [threading.Thread(daemon=True, target=lambda client=client: statuses.append(call(client).status)) for client in clients]
    for thread in threads:
        thread.start()
    for thread, client in zip(threads, clients):
        thread.join()
        client.close()
    return sorted(statuses)


def test_of_many_scans_at_once_one_does_it(place):
    item, _ = place.lent()

    def send(path, body):
        return lambda client: stock_texts.send(client, "POST", path, body)
    assert at_once(place, 6, send("/device-returns", {"item": item["code"], "condition": "good"})) == [201] + [409] * 5
    batch = {"items": step_loop.scans([item]), "method": "wipe", "agent": "alcohol_75"}
    assert at_once(place, 6, send("/device-disinfections", batch)) == [201] + [409] * 5
    running = place.centre.get("/device-disinfections", query={"running": "true"}).items[0]
    end = send(f"/device-disinfections/{running['id']}/end", {"ended_at": step_loop.minutes_ago(-4)})
    assert at_once(place, 6, end) == [200] + [409] * 5
    assert at_once(place, 6, send("/device-repairs", {"item": item["code"], "fault": "a"})) == [201] + [409] * 5
    assert at_once(place, 6, send("/device-recyclings", {"item": item["code"], "reason": "unsafe"})) == [201] + [409] * 5


def test_a_rental_that_came_back_is_still_to_be_closed(place):
    item, rental = rented(place)
    back = step_loop.give_back(place.centre, str(item["id"]), condition="damaged", note="扶手断了")
    assert (back["handover"]["id"], back["handover"]["kind"], back["handover"]["to_close"]) == (rental, "rental", True)
    kept = place.centre.get(f"/rentals/{rental}")
    assert (kept["state"], kept["condition"], kept["return_note"]) == ("returned", "damaged", "扶手断了")


def test_what_is_not_his_is_not_there(place):
    item, _ = place.lent()
    for client in (centre(place.people, place.database), place.people.county("230602")):
        step_loop.give_back(client, item, expect=404, code="not_found")
        step_loop.inspect(client, item, expect=404, code="not_found")
        client.post("/device-returns/undo", {"item": item["code"]}, expect=404, code="not_found")
        assert step_loop.disinfect(client, [item], expect=409, code="items_refused")["items"][0]["code"] == "not_found"
    for role in ("auditor", "contractor", "assessor"):
        client = place.people.contractor("firm-loop") if role == "contractor" else place.people(role, region="640324")
        step_loop.give_back(client, item, expect=403, code="role_not_allowed")
    step_loop.give_back(place.centre, "nobody-knows-it", expect=404)
    step_loop.give_back(place.centre, item, happened_at="2099-01-01T00:00:00Z", expect=422, code="happened_in_future")
    step_loop.give_back(place.centre, item, happened_at="2020-01-01T00:00:00Z", expect=422, code="happened_before_last")
    step_loop.give_back(place.manager, item)  # an office for its centre


def undo(client, item, **options):
    return client.post("/device-returns/undo", {"item": item["code"]}, **options)


def test_a_return_by_mistake_is_undone_by_who_scanned_it(place):
    item, handover = place.lent()
    undo(place.centre, item, expect=422, code="nothing_to_take_back")
    step_loop.give_back(place.centre, item)
    undo(place.manager, item, expect=403, code="not_your_action")
    back = undo(place.centre, item, key="undo-once")
    assert undo(place.centre, item, key="undo-once").json == back.json
    assert (back["item"]["state"], back["handover"]["id"], back["handover"]["ended_at"]) == ("lent", handover, None)
    step_loop.give_back(place.centre, item)
    step_loop.clean(place.centre, item)
    undo(place.centre, item, expect=422, code="nothing_to_take_back")


def test_a_return_is_not_undone_when_its_rental_was_closed(place):
    item, rental = rented(place)
    step_loop.give_back(place.centre, item)
    undo(place.centre, item)
    assert place.centre.get(f"/rentals/{rental}")["state"] == "open"
    step_loop.give_back(place.centre, item)
    step_rental.close(place.centre, rental)
    undo(place.centre, item, expect=409, code="handover_over")


def test_what_was_lost_is_brought_after_all(place):
    item, handover = place.lent()
    place.hand.end(handover, "lost")
    back = step_loop.give_back(place.centre, item)
    assert (back["item"]["state"], back["handover"]["id"]) == ("returned", handover)
    undo(place.centre, item, expect=422, code="nothing_to_take_back")
    # Lost on the shelf: nobody had it.
    other = place.item()
    place.hand.event(other, "lose", note="盘点未见")
    back = step_loop.give_back(place.centre, other)
    assert back["item"]["state"] == "returned" and back["handover"] is None
    # Lost by somebody and found; then lost on the shelf: that is not his doing.
    step_loop.clean(place.centre, item)
    place.hand.event(item, "lose", note="盘点未见")
    assert step_loop.give_back(place.centre, item)["handover"] is None


def test_a_fitting_undone_on_its_day_opens_the_need_again(place):
    def states():
        return place.database.sql("SELECT r.state, n.state FROM device_request r JOIN need n ON n.plan_region = r.plan_region AND n.id = r.need_id "
                                  "WHERE r.id = %s", request)[0]
    item, _, request = place.fitted()
    assert states() == ("fulfilled", "met")
    step_loop.give_back(place.centre, item)
    assert states() == ("assessed", "open")
    undo(place.centre, item)
    assert states() == ("fulfilled", "met")
    step_loop.give_back(place.centre, item)
    # Another item was given meanwhile: the first is not his any more.
    other = place.item()
    step_request.fit(place.centre, request, other["code"])
    undo(place.centre, item, expect=409, code="request_not_assessed")


def test_a_fitting_that_comes_back_later_was_still_met(place):
    item, (request, person) = place.item(acquired_on="2024-01-01"), place.to_fit()
    place.database.sql("UPDATE device_item SET state_at = now() - interval '9 days' WHERE id = %s", item["id"])
    days_ago = place.database.sql("SELECT now() - interval '3 days'")[0][0]
    place.hand.lend(item, kind="fitting", person=person, request=request, happened=days_ago)
    step_loop.give_back(place.centre, item)
    assert place.database.sql("SELECT r.state, n.state FROM device_request r JOIN need n ON n.plan_region = r.plan_region AND n.id = r.need_id "
                              "WHERE r.id = %s", request) == [("fulfilled", "met")]


# --- disinfection ---


def test_a_batch_is_disinfected_in_one_request(place):
    items = [place.returned() for _ in range(3)]
    done = step_loop.disinfect(place.centre, [*items, items[0]], note="一批", key="batch-once")
    assert step_loop.disinfect(place.centre, items, began_at=done["began_at"], expect=422, code="idempotency_key_reused", key="batch-once")
    assert [(one["code"], one["outcome"], one["state"]) for one in done["items"]] == [(item["code"], "done", "inspecting") for item in items]
    assert (done["centre"], done["least_minutes"], done["note"]) == (place.centre.centre, 3, "一批")
    read = place.centre.get(f"/device-disinfections/{done['id']}")
    assert read.json == {name: value for name, value in done.json.items()}
    actions = [one["action"] for one in place.centre.pages(f"/device-items/{items[0]['code']}/events")]
    assert [action for action in actions if action.startswith("disinfect")] in (["disinfect", "disinfected"], ["disinfected", "disinfect"])


def test_a_batch_with_one_that_may_not_is_not_begun(place):
    good, bad, foreign = place.returned(), place.item(), centre(place.people, place.database)
    other = step_stock.take_in(foreign, place.model, source="donated", donor="a")[0]
    refused = step_loop.disinfect(place.centre, [good, bad, "nobody"], expect=409, code="items_refused")
    assert {one["item"]: (one["code"], one["state"]) for one in refused["items"]} == {
        bad["code"]: ("device_state", "in_stock"), "nobody": ("not_found", None)}
    # An office sees both centres, but a batch is of one.
    refused = step_loop.disinfect(place.manager, [good, other], expect=409, code="items_refused")
    assert [one["code"] for one in refused["items"]] == ["device_of_another_centre"]
    assert place.state(good) == "returned"


@pytest.mark.parametrize("fields, status, code", [
    ({"method": "wipe", "agent": "holy_water"}, 422, "method_unknown"),
    ({"began_at": "2024-01-01T00:10:00Z", "ended_at": "2024-01-01T00:12:59Z"}, 422, "disinfection_too_short"),
    ({"began_at": "2024-01-01T00:10:00Z", "ended_at": "2024-01-01T00:09:00Z"}, 422, "ended_before_begin"),
    ({"began_at": "2024-01-01T00:10:00Z", "ended_at": "2099-01-01T00:09:00Z"}, 422, "happened_in_future"),
    ({"began_at": "2099-01-01T00:10:00Z"}, 422, "happened_in_future"),
    ({"began_at": "2024-01-01T00:10:00Z"}, 409, "items_refused")], ids=lambda value: value if isinstance(value, str) else "")
def test_a_batch_that_cannot_be(place, fields, status, code):
    item = place.returned()
    answer = step_loop.disinfect(place.centre, [item], expect=status, code=code, **fields)
    assert code != "disinfection_too_short" or answer["least_minutes"] == 3
    assert code != "items_refused" or answer["items"][0]["code"] == "happened_before_last"
    step_loop.disinfect(place.centre, [], expect=422, code="list_empty")
    assert place.state(item) == "returned"


def test_a_running_batch_takes_more_and_says_what_failed(place):
    first, second, third, lost = (place.returned() for _ in range(4))
    begun = place.centre.post("/device-disinfections", {"items": step_loop.scans([first, lost]), "method": "wipe", "agent": "alcohol_75"}, expect=201)
    path = f"/device-disinfections/{begun['id']}"
    assert begun["ended_at"] is None and place.state(first) == "disinfecting"
    more = place.centre.post(f"{path}/items", {"items": step_loop.scans([second, third])})
    assert [one["outcome"] for one in more["items"]] == ["running"] * 4
    place.centre.post(f"{path}/items", {"items": step_loop.scans([second])}, expect=409, code="items_refused")
    place.centre.post(f"{path}/items", {"items": []}, expect=422, code="list_empty")
    place.centre.post(f"{path}/items", {"items": step_loop.scans([place.returned()]), "happened_at": "2024-01-01T00:00:00Z"}, expect=422,
                      code="happened_before_last")
    place.centre.post(f"{path}/end", {}, expect=422, code="disinfection_too_short")
    place.centre.post(f"{path}/end", {}, match='"1"', expect=412, code="stale")
    place.hand.event(lost, "lose", note="不见了")
    stranger = place.returned()
    refused = place.centre.post(f"{path}/end", {"failed": [{"item": stranger["code"], "reason": "a"}, {"item": lost["code"], "reason": "b"}]},
                                expect=409, code="items_refused")
    assert {one["code"] for one in refused["items"]} == {"not_in_batch"}
    ended = place.centre.post(f"{path}/end", {"ended_at": step_loop.minutes_ago(-4), "failed": [{"item": second["code"], "reason": "没擦到"}]},
                              match=more.etag)
    assert {one["code"]: (one["outcome"], one["state"], one["reason"]) for one in ended["items"]} == {
        first["code"]: ("done", "inspecting", None), second["code"]: ("failed", "returned", "没擦到"), third["code"]: ("done", "inspecting", None),
        lost["code"]: ("left", "lost", "不见了")}
    place.centre.post(f"{path}/end", {}, expect=409, code="disinfection_over")
    place.centre.post(f"{path}/items", {"items": step_loop.scans([stranger])}, expect=409, code="disinfection_over")
    step_loop.disinfect(place.centre, [second], began_at=step_loop.minutes_ago(-4), expect=201)  # what failed is done again
    for client in (centre(place.people, place.database), place.people.county("230602")):
        client.get(path, expect=404)
        client.post(f"{path}/end", {}, expect=404)
        client.post(f"{path}/items", {"items": step_loop.scans([stranger])}, expect=404)
        assert begun["id"] not in [one["id"] for one in client.pages("/device-disinfections")]


def test_a_batch_begun_by_mistake_is_given_up_at_once(place):
    items = [place.returned(), place.returned()]
    begun = place.centre.post("/device-disinfections", {"items": step_loop.scans(items), "method": "wipe", "agent": "chlorine_500"}, expect=201)
    path, one, both = f"/device-disinfections/{begun['id']}/end", *([{"item": item["code"], "reason": "拿错了消毒剂"} for item in part]
                                                                  for part in (items[:1], items))
    place.centre.post(path, {"failed": one}, expect=422, code="disinfection_too_short")
    place.centre.post(path, {"failed": both, "ended_at": "2024-01-01T00:00:00Z"}, expect=422, code="ended_before_begin")
    ended = place.centre.post(path, {"failed": both})
    assert [(one["outcome"], one["state"]) for one in ended["items"]] == [("failed", "returned")] * 2


def test_the_list_of_disinfections(place):
    own = Place(place.database, place.admin)
    running = own.centre.post("/device-disinfections", {"items": step_loop.scans([own.returned()]), "method": "wipe", "agent": "alcohol_75"})
    done = [step_loop.disinfect(own.centre, [own.returned()])["id"] for _ in range(2)]
    every = [*reversed(done), running["id"]]

    def listed(client, **query):
        return [one["id"] for one in client.pages("/device-disinfections", limit=1, **query)]
    assert listed(own.centre) == every and listed(own.manager, centre=own.centre.centre) == every
    assert listed(own.centre, running="true") == every[2:] and listed(own.centre, running="false") == every[:2]
    assert listed(place.centre, centre=own.centre.centre) == []
    assert set(every) <= set(listed(own.people.auditor("640324")))
    own.end()


def test_methods_are_the_installations_own(place):
    path, new = "/disinfection-methods/steam/water_100", {"name_zh": "100 ℃ 流动蒸汽", "minutes": 20, "source": "WS/T 367—2012"}
    made = place.admin.put(path, new)
    assert (made["name_en"], made["minutes"], made["retired"], made["version"]) == (new["name_zh"], 20, False, 1)
    place.admin.put(path, new, match='"9"', expect=412, code="stale")
    place.admin.put("/disinfection-methods/Steam/a", new, expect=404)
    place.centre.put(path, new, expect=403, code="role_not_allowed")
    item = place.returned()
    begun = place.centre.post("/device-disinfections", {"items": step_loop.scans([item]), "method": "steam", "agent": "water_100"}, expect=201)
    # What was asked when it began is what it is held to.
    place.admin.put(path, {**new, "minutes": 0, "retired": True}, match=made.etag)
    assert place.centre.post(f"/device-disinfections/{begun['id']}/end", {}, expect=422, code="disinfection_too_short")["least_minutes"] == 20
    step_loop.disinfect(place.centre, [place.returned()], "steam", "water_100", expect=422, code="method_unknown")
    listed = {(one["method"], one["agent"]): one for one in place.centre.get("/disinfection-methods").items}
    assert listed["steam", "water_100"]["retired"] and listed["wipe", "alcohol_75"]["minutes"] == 3


# --- inspection ---


def test_the_quick_way_back_into_stock(place):
    item = place.inspecting()
    passed = step_loop.inspect(place.centre, item, grade="A", key="pass-once")
    assert step_loop.inspect(place.centre, item, grade="A", key="pass-once").json == passed.json
    assert (passed["item"]["state"], passed["item"]["grade"], passed["result"]) == ("in_stock", "A", "pass")
    assert [point["ok"] for point in passed["checklist"]] == [True] * 7 and passed["checklist_of"] == "manual_wheelchair"
    (kept,) = place.centre.pages("/device-inspections", item=item["code"])
    assert (kept["id"], kept["grade"], kept["checklist"]) == (passed["id"], "A", passed["checklist"])
    assert list(place.people.county("230602").pages("/device-inspections", item=item["code"])) == []
    # Once more from the shelf, and down by a grade.
    assert step_loop.inspect(place.centre, item, grade="C")["item"]["grade"] == "C"


def test_every_point_is_answered_and_an_essential_one_cannot_fail(place):
    item, post = place.inspecting(), place.centre.post
    points = [{"code": code, "ok": True} for code in ("clean", "frame", "brakes", "wheels", "footrests", "seat")]
    body = {"item": item["code"], "result": "pass", "grade": "B"}
    assert post("/device-inspections", {**body, "checklist": points}, expect=422, code="checklist_incomplete")["points"] == ["label"]
    post("/device-inspections", body, expect=422, code="checklist_incomplete")
    post("/device-inspections", {**body, "all_ok": True, "checklist": [{"code": "wings", "ok": True}]}, expect=422, code="checklist_unknown")
    bad = {**body, "all_ok": True, "checklist": [{"code": "brakes", "ok": False, "note": "右侧打滑"}]}
    assert post("/device-inspections", bad, expect=409, code="essential_failed")["points"] == ["brakes"]
    post("/device-inspections", {"item": item["code"], "result": "pass", "all_ok": True}, expect=422, code="grade_required")
    for result in ("repair", "recycle"):
        post("/device-inspections", {"item": item["code"], "result": result, "all_ok": True}, expect=422, code="note_required")
    # A point that is not essential may fail.
    passed = post("/device-inspections", {**body, "checklist": [*points, {"code": "label", "ok": False, "note": "磨损"}]}, expect=201)
    assert [point["note"] for point in passed["checklist"] if not point["ok"]] == ["磨损"]


def test_an_inspection_opens_the_repair(place):
    item = place.inspecting()
    found = place.centre.post("/device-inspections", {"item": item["code"], "result": "repair", "all_ok": True,
                                                      "checklist": [{"code": "brakes", "ok": False, "note": "右侧打滑"}]}, expect=201)
    assert (found["item"]["state"], found["next"]) == ("repairing", "end_repair")
    repair = place.centre.get(f"/device-repairs/{found['repair']}")
    assert (repair["fault"], repair["in_warranty"]) == ("两侧驻车制动可靠：右侧打滑", False)
    step_loop.mend(place.centre, repair)
    assert step_loop.inspect(place.centre, item)["item"]["state"] == "in_stock"


def test_what_is_given_up_waits_for_recycling(place):
    item = place.inspecting()
    given_up = step_loop.inspect(place.centre, item, result="recycle", note="车架断裂")
    assert (given_up["item"]["state"], given_up["next"]) == ("inspecting", "recycle")
    waiting = place.centre.get("/device-recyclings", query={"waiting": "true"}).items
    assert item["id"] in [one["id"] for one in waiting]
    step_loop.recycle(place.centre, item)
    assert item["id"] not in [one["id"] for one in place.centre.pages("/device-recyclings", waiting="true")]


def test_what_is_not_ready_is_not_inspected(place):
    for item in (place.returned(), place.lent()[0]):
        step_loop.inspect(place.centre, item, expect=409, code="device_state")
    step_loop.inspect(place.centre, place.inspecting(), happened_at="2099-01-01T00:00:00Z", expect=422, code="happened_in_future")


def test_a_checklist_changes_and_what_was_asked_then_stays(place):
    own = Place(place.database, place.admin)
    kind = "shower_chair" if own.database.sql("SELECT 1 FROM measure WHERE code = 'shower_chair' AND kind = 'device'") else own.database.sql(
        "SELECT min(code) FROM measure WHERE kind = 'device' AND code NOT IN (SELECT measure FROM device_checklist)")[0][0]
    own.model = model(own.database, measure=kind)
    path, point = f"/device-checklists/{kind}", {"code": "legs", "name_zh": "四脚稳固", "essential": True}
    assert own.centre.get(path)["checklist_of"] == "default"
    item = own.inspecting()
    assert step_loop.inspect(own.centre, item)["checklist_of"] == "default"
    put = own.admin.put(path, {"points": [point]}, match='"0"')
    assert (put["version"], put["points"][0]["name_ko"]) == (1, "四脚稳固")
    own.admin.put(path, {"points": [point]}, match='"0"', expect=412, code="stale")
    own.admin.put(path, {"points": [point, point]}, expect=422, code="point_twice")
    own.admin.put(path, {"points": []}, expect=422, code="list_empty")
    own.admin.put("/device-checklists/ramp", {"points": [point]}, expect=404)
    own.centre.put(path, {"points": [point]}, expect=403, code="role_not_allowed")
    own.centre.get("/device-checklists/nothing", expect=404)
    assert [point["code"] for point in step_loop.inspect(own.centre, item)["checklist"]] == ["legs"]
    own.admin.put(path, {"points": [point, {"code": "feet", "name_zh": "脚垫", "essential": False}]}, match=put.etag)
    newest = {one["measure"]: one for one in own.centre.get("/device-checklists").items}[kind]
    assert newest["version"] == 2 and len(newest["points"]) == 2
    history = list(own.centre.pages("/device-inspections", item=item["code"], limit=1))
    assert [(one["checklist_of"], one["checklist_version"]) for one in history] == [(kind, 1), ("default", 1)]
    own.end()


def test_an_auditor_reads_and_writes_nothing(place):
    auditor, item = place.people.auditor("640324"), place.inspecting()
    assert list(auditor.pages("/device-inspections", item=item["code"])) == []
    for path, body in (("/device-inspections", {"item": item["code"], "result": "pass", "grade": "A", "all_ok": True}),
                       ("/device-disinfections", {"items": step_loop.scans([item]), "method": "wipe", "agent": "alcohol_75"}),
                       ("/device-returns/undo", {"item": item["code"]})):
        auditor.post(path, body, expect=403, code="role_not_allowed")


def test_naughty_texts_come_back(place):
    strings = naughty_strings()
    item, handover = place.lent()

    def undone():
        if place.state(item) == "returned":
            undo(place.centre, item)
        return {"item": item["code"], "condition": "good"}
    assert walk_texts(place.centre, "POST", "/device-returns", ["note"], strings[::30], undone) > len(strings) // 60
    walk_texts(place.centre, "POST", "/device-returns", ["item"], strings[::30], lambda: {"condition": "good"})
    walk_texts(place.centre, "POST", "/device-returns/undo", ["item"], strings[::30])
    shelf = place.item()
    assert walk_texts(place.centre, "POST", "/device-inspections", ["note"], strings[::30],
                      lambda: {"item": shelf["code"], "result": "pass", "grade": "B", "all_ok": True}) > len(strings) // 60
    walk_texts(place.centre, "POST", "/device-inspections", ["item"], strings[::60], lambda: {"result": "recycle", "all_ok": True, "note": "a"})
    walk_texts(place.admin, "PUT", "/disinfection-methods/texts/a", ["name_zh", "name_ko", "name_en", "source"], strings[::30],
               lambda: {"name_zh": "a", "minutes": 0})
    # Both texts of an item's answer, and of a batch.
    dirty = place.returned()
    walk_texts(place.centre, "POST", "/device-disinfections", ["method", "agent"], strings[::60], lambda: {"items": step_loop.scans([dirty])})
    for text in strings[::60]:
        begun = place.centre._send("POST", "/api/v1/device-disinfections", json.dumps({
            "items": step_loop.scans([dirty]), "method": "texts", "agent": "a", "note": text}).encode(),
            {"Authorization": f"Bearer {place.centre.token}", "Content-Type": "application/json"}, 60)
        assert begun.status in (201, 422), begun
        if begun.status == 201:
            assert begun["note"] == text
            ended = place.centre.post(f"/device-disinfections/{begun['id']}/end", {"failed": [{"item": dirty["code"], "reason": text or "a"}], "note": text})
            assert ended["note"] == text and ended["items"][0]["reason"] == (text or "a")
