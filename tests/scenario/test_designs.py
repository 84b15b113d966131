# SPDX-License-Identifier: Apache-2.0
"""The design of a case (一户一方案), its subsidies, and the change orders after it is decided."""
import pytest
import step_design
from money_world import World, at_once
from stages import move
from test_bad_input import accepted_or_4xx, naughty


@pytest.fixture(scope="module")
def world(admin_session):
    world = World(admin_session.clone())
    yield world
    world.close()


@pytest.fixture(scope="module")
def gated(admin_session):
    world = World(admin_session.clone(), "design")
    yield world
    world.close()


# --- the design ---


def test_totals_are_the_servers(world):
    case = world.surveyed()
    design = world.put(case, [world.item(quantity=2, price=15050), world.item(world.ramp, 1.25, 8001, "entrance")],
                       {"province": 20000, "county": 5000})
    # 1.25 × 8001 = 10001.25 → 10001
    assert [(item["number"], item["amount"], item["unit"]) for item in design["items"]] == [(1, 30100, "件"), (2, 10001, "平方米")]
    assert (design["total"], design["subsidy"], design["self_paid"]) == (40101, 25000, 15101)
    assert [(one["source"], one["name"], one["amount"]) for one in design["sources"]] == [("county", "县级补助", 5000), ("province", "省级补助", 20000)]
    assert design["version"] == 1 and design["subsidy_ceiling"] == 500000 and design["warnings"] == []
    assert world.team.contractor.get(f"/cases/{case}/design", expect=404)
    assert world.county.get(f"/cases/{case}/design").json == design.json


@pytest.mark.parametrize("quantity, price, amount", [(0.5, 1, 1), (0.5, 3, 2), (0.49, 1, 0), (1.1, 10, 11), (0.05, 10, 1), (99999.99, 100000000, 9999999000000)])
def test_an_item_is_rounded_half_up_to_the_fen(world, quantity, price, amount):
    case = world.surveyed()
    assert world.put(case, [world.item(quantity=quantity, price=price)])["total"] == amount


def test_a_draft_is_saved_many_times_and_by_one_at_a_time(world):
    case = world.surveyed()
    first = world.put(case, [world.item(), world.item(room="kitchen")])
    etag = first.etag
    assert etag == '"1"'
    second = world.put(case, [{**world.item(room="kitchen"), "number": 2}, world.item(world.ramp)], match=etag)
    assert [item["number"] for item in second["items"]] == [2, 3] and second["version"] == 2
    refused = world.put(case, [world.item()], match=etag, expect=412, code="stale")
    assert refused.json["current"]["version"] == 2
    assert world.put(case, [world.item(number=1)], expect=422, code="item_number_used")["reasons"] == ["1"]
    world.put(case, [], expect=200)
    assert world.county.get(f"/cases/{case}/design")["items"] == []


def test_the_same_request_twice_is_done_once(world):
    case = world.surveyed()
    body = {"items": [world.item()], "note": "甲"}
    first = world.county.put(f"/cases/{case}/design", body, key=f"design-{case}")
    again = world.county.put(f"/cases/{case}/design", body, key=f"design-{case}")
    assert again.json == first.json and again["version"] == 1 and again["note"] == "甲"


@pytest.mark.parametrize("items, sources, code, reasons", [
    ([{"number": 3}, {"number": 3}], {}, "item_twice", None),
    ([{"measure": "no_such"}], {}, "item_measure_unknown", ["no_such"]),
    ([{"quantity": 0}], {}, "item_quantity_invalid", ["1"]),
    ([{"quantity": 1.005}], {}, "item_quantity_invalid", ["1"]),
    ([{"finding": 77}], {}, "finding_not_there", ["77"]),
    ([{}], {"nobody": 1}, "source_unknown", ["nobody"]),
    ([{}], {"household": 1}, "source_unknown", ["household"]),
    ([{}], {"province": 30101}, "subsidy_exceeds_total", None),
    ([{"quantity": 100}], {"province": 400000, "county": 100001}, "subsidy_ceiling_exceeded", ["500000"]),
    ([{"measure": "money_ramp", "quantity": 2, "price": 15000}], {"province": 20001}, "measure_ceiling_exceeded", ["1 坡道"]),
    ([{}], {"capped": 1001}, "source_ceiling_exceeded", ["专项 1000"]),
])
def test_what_a_design_may_not_be(world, items, sources, code, reasons):
    step_design.source(world.manager, world.plan, "capped", name_zh="专项", ceiling=1000)
    case = world.surveyed()
    answer = world.put(case, [{**world.item(), **item} for item in items], sources, expect=422, code=code)
    assert answer.json.get("reasons") == reasons
    assert answer["field"] == ("/sources" if sources else "/items")
    assert world.county.get(f"/cases/{case}/design")["version"] is None


def test_within_the_ceilings_it_is_taken(world):
    case = world.surveyed()
    # What a measure's ceiling leaves over may be covered by nobody, but another item's subsidy may be whole.
    design = world.put(case, [world.item(world.ramp, 2, 15000), world.item()], {"province": 20000 + 30100})
    assert design["self_paid"] == 10000


def test_a_source_is_given_once(world):
    case = world.surveyed()
    body = {"items": [world.item()], "sources": [{"source": "province", "amount": 1}, {"source": "province", "amount": 2}]}
    world.county.put(f"/cases/{case}/design", body, expect=422, code="source_twice")


def test_what_is_retired_is_for_no_new_design(world, admin):
    code = step_design.measure(admin, "money_old", name_zh="旧")
    step_design.source(world.manager, world.plan, "old", name_zh="旧")
    case, other = world.surveyed(), world.surveyed()
    world.put(case, [world.item(code)], {"old": 1})
    admin.patch(f"/measures/{code}", {"retired": True})
    world.manager.patch(f"/plans/{world.plan}/subsidy-sources/old", {"retired": True})
    world.put(other, [world.item(code)], expect=422, code="item_measure_retired")
    world.put(other, [world.item()], {"old": 1}, expect=422, code="source_retired")
    world.put(case, [world.item(code, number=1)], {"old": 2})
    world.manager.patch(f"/plans/{world.plan}/subsidy-sources/old", {"retired": False})
    world.put(other, [world.item()], {"old": 1})


def test_who_may_design_and_when(world):
    team, case = world.team, world.case()
    world.put(case, expect=409, code="design_decided")
    world.walk(case, "surveyed")
    world.put(case, by=team.assessor, expect=404)
    team.give_visit(case)
    world.put(case, by=team.assessor)
    world.put(case, by=team.contractor, expect=403, code="role_not_allowed")
    world.put(case, by=world.people.auditor("640324"), expect=403, code="role_not_allowed")
    world.put(case, by=world.people.county("230602"), expect=404, code="not_found")
    move(world.manager, case, "designed")
    world.put(case, expect=409, code="design_decided")
    world.manager.post(f"/cases/{case}/take-back", {})
    world.put(case, [world.item(number=1, quantity=5)])
    world.manager.get("/cases/1/design", expect=404)


def test_devices_alone_are_designed_but_never_accepted(world):
    case = world.surveyed()
    assert world.put(case, [world.item(world.chair)])["warnings"] == ["devices_only"]
    world.walk(case, "built", begin="designed")
    assert move(world.manager, case, "accepted", expect=422, code="devices_only").json["reasons"] == ["1 轮椅"]


# --- the gate ---


def test_the_gate_asks_for_a_design(gated):
    case = gated.surveyed()
    move(gated.manager, case, "designed", expect=422, code="design_missing")
    gated.put(case, [])
    move(gated.manager, case, "designed", expect=422, code="design_empty")
    gated.put(case, sources={"province": 100})
    gated.admin.patch(f"/plans/{gated.plan}", {"subsidy_ceiling": 99})
    assert move(gated.manager, case, "designed", expect=422, code="subsidy_ceiling_exceeded").json["reasons"] == ["99"]
    gated.admin.patch(f"/plans/{gated.plan}", {"subsidy_ceiling": 500000})
    move(gated.manager, case, "designed")


def test_the_gate_asks_for_every_finding_that_was_agreed_to(gated):
    team = gated.team
    if "money_wall" not in {one["code"] for one in gated.admin.pages("/problems", limit=200)}:
        gated.admin.post("/problems", {"code": "money_wall", "name_zh": "墙面湿滑", "measures": [gated.rail]}, expect=201)
    case = gated.walk(gated.case(), "approved")
    team.give_visit(case)
    findings = [{"number": number, "room": "bathroom", "problem": "money_wall", "measure": gated.rail, "quantity": 1, "consent": consent, "note": ""}
                for number, consent in ((1, "agreed"), (2, "declined"), (3, "agreed"), (4, "open"))]
    team.assessor.put(f"/cases/{case}/survey", {"visited_at": "2023-04-01T02:00:00Z", "findings": findings})
    move(gated.manager, case, "surveyed")
    gated.put(case, [gated.item(finding=2)], expect=422, code="finding_not_there")
    gated.put(case, dropped=[{"finding": 9, "reason": "x"}], expect=422, code="finding_not_there")
    design = gated.put(case, [gated.item(finding=1)])
    assert design["unanswered"] == ["3 卫生间 墙面湿滑"]
    assert move(gated.manager, case, "designed", expect=422, code="finding_unanswered")["reasons"] == ["3 卫生间 墙面湿滑"]
    design = gated.put(case, [gated.item(finding=1, number=1)], dropped=[{"finding": 3, "reason": "住户不要"}, {"finding": 3, "reason": "住户不再要"}])
    assert design["unanswered"] == [] and design["dropped"] == [{"finding": 3, "reason": "住户不再要"}]
    move(gated.manager, case, "designed")
    # A change leaves none unanswered either; a contractor, who sees no survey, is judged by it all the same.
    move(gated.manager, case, "assigned", contractor=team.firm)
    swap = [{"op": "remove", "number": 1}, {"op": "add", **gated.item(gated.ramp)}]
    assert gated.propose(case, *swap, by=team.contractor, expect=422, code="finding_unanswered")["reasons"] == ["1 卫生间 墙面湿滑"]
    gated.propose(case, *swap, dropped=[{"finding": 8, "reason": "x"}], expect=422, code="finding_not_there")
    order = gated.propose(case, *swap, dropped=[{"finding": 1, "reason": "无处可装"}], by=team.contractor)
    gated.decide(order["id"])
    assert [one["finding"] for one in gated.county.get(f"/cases/{case}/design")["dropped"]] == [1, 3]


def test_the_gate_finds_amounts_that_are_not_those_of_the_items(gated, database):
    case = gated.surveyed()
    gated.put(case)
    database.sql("UPDATE case_item SET price = price + 1 WHERE case_id = %s", case)
    move(gated.manager, case, "designed", expect=422, code="design_unbalanced")


def test_a_budget_is_spent_once(gated):
    path = f"/plans/{gated.plan}/subsidy-sources/county"
    year = int(gated.county.progress(gated.plan)["as_of"][:4])
    budget = [{"region": "640324", "year": year, "amount": 30000}, {"region": "640324", "year": year + 1, "amount": 0}]
    assert gated.manager.put(path + "/budgets", {"items": budget})["budgets"] == 2
    cases = [gated.surveyed() for _ in range(4)]
    for case in cases:
        gated.put(case, sources={"county": 20000})
    # Two at once for what suffices for one.
    answers = at_once((gated.manager, f"/cases/{case}/transitions", b'{"to": "designed"}') for case in cases[:2])
    assert sorted(answer.status for answer in answers) == [200, 409]
    assert [answer["code"] for answer in answers if answer.status == 409] == ["budget_exceeded"]
    assert move(gated.manager, cases[2], "designed", expect=409, code="budget_exceeded").json["reasons"] == ["县级补助 10000"]
    # What is taken back is there again.
    (done,) = [case for case in cases[:2] if gated.county.get(f"/cases/{case}")["stage"] == "designed"]
    gated.manager.post(f"/cases/{done}/take-back", {})
    move(gated.manager, cases[2], "designed")
    gated.put(cases[3], sources={"county": 10000})
    move(gated.manager, cases[3], "designed")
    # and a change order asks too
    more = {"op": "add", **gated.item()}
    assert gated.propose(cases[3], more, sources={"county": 10001}, expect=409, code="budget_exceeded")["reasons"] == ["县级补助 10000"]
    gated.manager.put(path + "/budgets", {"items": []})
    gated.propose(cases[3], more, sources={"county": 10001})


# --- change orders ---


def test_a_change_order_changes_the_design_and_the_ledger(world):
    case = world.designed([world.item(), world.item(room="kitchen"), world.item(world.ramp, 2, 9000, "entrance")], {"province": 50000})
    assert world.balance(case) == {"province": {"source": -50000, "committed": 50000}, "household": {"source": -28200, "committed": 28200}}
    order = world.propose(case, {"op": "remove", "number": 2}, {"op": "change", "number": 1, "quantity": 3, "room": "bedroom"},
                          {"op": "add", **world.item(world.ramp, 1, 100)}, by=world.team.county, expect=201)
    assert order["state"] == "pending" and (order["total_before"], order["total_after"]) == (78200, 45150 + 18000 + 100)
    world.propose(case, {"op": "remove", "number": 3}, expect=409, code="change_pending")
    assert world.county.get(f"/cases/{case}/design")["version"] == 1
    assert order["id"] in {one["id"] for one in world.manager.pages("/change-orders", limit=200)}
    decided = world.decide(order["id"], match=order.etag)
    assert decided["state"] == "approved" and decided["decided_by"] == world.manager.get("/session")["id"]
    design = world.county.get(f"/cases/{case}/design")
    assert [(item["number"], item["room"], item["amount"]) for item in design["items"]] == [(1, "bedroom", 45150), (3, "entrance", 18000), (4, "bathroom", 100)]
    assert design["version"] == 2 and design["self_paid"] == 13250
    assert world.balance(case) == {"province": {"source": -50000, "committed": 50000}, "household": {"source": -13250, "committed": 13250}}
    assert world.kinds(case) == ["commitment", "change"]
    assert [one["state"] for one in world.county.get(f"/cases/{case}/change-orders").items] == ["approved"]
    assert order["id"] not in {one["id"] for one in world.manager.pages("/change-orders", limit=200)}
    world.decide(order["id"], expect=409, code="change_decided")


def test_a_change_order_is_decided_by_another(world):
    case = world.designed()
    order = world.propose(case, {"op": "change", "number": 1, "quantity": 1}, sources={"province": 15050})
    world.decide(order["id"], by=world.county, expect=409, code="own_proposal")
    world.decide(order["id"], by=world.team.contractor, expect=403, code="role_not_allowed")
    world.decide(order["id"], by=world.people.county("230602"), expect=404)
    world.decide(order["id"], match='"7"', expect=412, code="stale")
    world.manager.post(f"/change-orders/{order['id']}/approval", {"decision": "reject"}, expect=422, code="note_required")
    rejected = world.decide(order["id"], "reject", note="不必")
    assert rejected["state"] == "rejected" and rejected["note"] == "不必"
    assert world.county.get(f"/cases/{case}/design")["version"] == 1
    world.decide(1, expect=404)


def test_a_contractor_proposes_for_its_own_orders_only(world):
    case = world.designed()
    world.propose(case, {"op": "change", "number": 1, "price": 16000}, by=world.team.contractor, expect=404)
    move(world.manager, case, "assigned", contractor=world.team.firm)
    order = world.propose(case, {"op": "change", "number": 1, "price": 16000}, by=world.team.contractor, expect=201)
    world.decide(order["id"])
    assert world.county.get(f"/cases/{case}/design")["total"] == 32000
    assert world.team.contractor.get(f"/cases/{case}/design")["unanswered"] is None


@pytest.mark.parametrize("items, sources, code", [
    ([], None, "change_empty"),
    ([{"op": "remove", "number": 9}], None, "item_not_there"),
    ([{"op": "change"}], None, "item_not_there"),
    ([{"op": "change", "number": 1}, {"op": "remove", "number": 1}], None, "item_twice"),
    ([{"op": "change", "number": 1, "measure": "money_ramp"}], None, "item_measure_fixed"),
    ([{"op": "add", "room": "kitchen", "measure": "money_ramp", "quantity": 1}], None, "item_incomplete"),
    ([{"op": "add", "number": 5, "room": "kitchen", "measure": "money_ramp", "quantity": 1, "price": 1}], None, "item_incomplete"),
    ([{"op": "remove", "number": 1}], {}, "design_empty"),
    ([{"op": "change", "number": 1, "quantity": 0.001}], None, "item_quantity_invalid"),
    ([{"op": "change", "number": 1, "quantity": 1}], None, "subsidy_exceeds_total"),
    ([], {"nobody": 5}, "source_unknown"),
    ([{"op": "change", "number": 1, "finding": 9}], None, "finding_not_there"),
])
def test_what_a_change_order_may_not_be(world, items, sources, code):
    case = world.designed()
    world.propose(case, *items, sources=sources, expect=422, code=code)


def test_a_change_order_has_its_time(world):
    case = world.surveyed()
    change = {"op": "change", "number": 1, "quantity": 4}
    world.propose(case, change, expect=409, code="change_not_now")
    move(world.manager, case, "designed")
    world.propose(case, change, expect=422, code="design_missing")
    case = world.designed()
    order = world.propose(case, change)
    world.walk(case, "building", begin="assigned")
    move(world.manager, case, "built")
    world.decide(order["id"], expect=409, code="change_not_now")
    world.decide(order["id"], "reject")
    world.propose(case, change, expect=409, code="change_not_now")
    world.propose(world.surveyed(), change, by=world.people.auditor("640324"), expect=403, code="role_not_allowed")
    world.propose(1, change, expect=404)


def test_two_decisions_at_once_are_one(world):
    case = world.designed()
    order = world.propose(case, {"op": "change", "number": 1, "quantity": 4})["id"]
    other = world.people.county("640324")
    path = f"/change-orders/{order}/approval"
    answers = at_once((who, path, b'{"decision": "approve"}') for who in (world.manager, other, world.manager))
    assert sorted(answer.status for answer in answers) == [200, 409, 409]
    assert world.county.get(f"/cases/{case}/design")["version"] == 2


# --- sources ---


def test_sources_are_the_plans(world):
    path = f"/plans/{world.plan}/subsidy-sources"
    made = world.manager.post(path, {"code": "fund", "name_zh": "基金", "ceiling": 5000}, expect=201)
    assert (made["name_ko"], made["ceiling"], made["retired"]) == ("基金", 5000, False)
    for body, code, status in (({"code": "fund", "name_zh": "x"}, "source_taken", 409), ({"code": "Fund", "name_zh": "x"}, "code_invalid", 422),
                               ({"code": "household", "name_zh": "x"}, "code_invalid", 422)):
        world.manager.post(path, body, expect=status, code=code)
    changed = world.manager.patch(f"{path}/fund", {"name_en": "Fund", "ceiling": 6000}, match=made.etag)
    assert (changed["name_en"], changed["ceiling"], changed["version"]) == ("Fund", 6000, 2)
    world.manager.patch(f"{path}/fund", {"ceiling": 1}, match=made.etag, expect=412)
    world.manager.patch(f"{path}/nothing", {"ceiling": 1}, expect=404)
    far = world.people.manager("230602")
    far.post(path, {"code": "far", "name_zh": "x"}, expect=403, code="region_foreign")
    far.patch(f"{path}/fund", {"ceiling": 1}, expect=403, code="region_foreign")
    far.put(f"{path}/fund/budgets", {"items": []}, expect=403, code="region_foreign")
    world.county.post(path, {"code": "far", "name_zh": "x"}, expect=403, code="role_not_allowed")
    world.manager.post("/plans/nothing/subsidy-sources", {"code": "far", "name_zh": "x"}, expect=404)
    assert [one["code"] for one in far.pages(path, limit=1)][:2] == sorted(one["code"] for one in far.pages(path, limit=200))[:2]


def test_budgets_are_of_counties_and_years(world):
    path = f"/plans/{world.plan}/subsidy-sources/province"
    good = {"region": "640324", "year": 2029, "amount": 7}
    for budget, code in (({**good, "region": "999999"}, "region_unknown"), ({**good, "region": "230602"}, "region_not_within"),
                         ({**good, "region": "640324101"}, "region_not_within")):
        world.manager.put(path + "/budgets", {"items": [budget]}, expect=422, code=code)
    world.manager.put(path + "/budgets", {"items": [good, good]}, expect=422, code="budget_twice")
    put = world.manager.put(path + "/budgets", {"items": [good]})
    world.manager.put(path + "/budgets", {"items": []}, match='"999"', expect=412)
    world.manager.put(f"/plans/{world.plan}/subsidy-sources/nothing/budgets", {"items": []}, expect=404)
    (shown,) = [one for one in world.county.get(f"/plans/{world.plan}/subsidy-sources").items if one["code"] == "province"]
    assert shown["budgets"] == [good] and shown["version"] == put["version"]
    world.manager.put(path + "/budgets", {"items": []}, match=put.etag)


def test_the_step_that_others_take(world):
    case = world.surveyed()
    assert step_design.do(world.team, case)["total"] == 30100
    assert world.county.get(f"/cases/{case}")["stage"] == "designed"


def test_naughty_texts_come_back(world):
    """Every eighth string as the reason of a change, as why it was rejected, and as why a payment was reversed."""
    case, paid = world.designed(), world.designed([world.item(price=100000)])
    world.walk(paid, "accepted", begin="assigned")
    taken = dict.fromkeys(("reason", "note", "reversal"), 0)
    for text in naughty()[::8]:
        order = accepted_or_4xx(world.county, "POST", f"/cases/{case}/change-orders", {"reason": text, "items": [{"op": "change", "number": 1, "price": 20000}]})
        if order:
            assert order["reason"] == text
            taken["reason"] += 1
            note = accepted_or_4xx(world.manager, "POST", f"/change-orders/{order['id']}/approval", {"decision": "reject", "note": text})
            assert note is None or note["note"] == text
            taken["note"] += bool(note) or not world.decide(order["id"], "reject")
        payment = world.pay(paid, 1)["id"]
        back = accepted_or_4xx(world.manager, "POST", f"/payments/{payment}/reversal", {"reason": text})
        assert back is None or back["note"] == text
        taken["reversal"] += bool(back)
    assert min(taken.values()) > 50, taken
