# SPDX-License-Identifier: Apache-2.0
"""Orders: given to one contractor, one or many at once; accepted, declined or left unanswered; reassigned. What opens and ends an
order follows from the moves of its case."""
import contextlib
import itertools
import json

import needs
import psycopg2
import pytest
import step_order
from processes import ROOT
from stages import bring_in, case_of, move, walk
from team import Team

PAST = "2024-01-01T00:00:00Z"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def team(admin_session):
    from conftest import People
    people = People(admin_session)
    team = Team(people)
    team.people = people
    team.other_firm = f"{team.firm}-b"
    team.other = people.contractor(team.other_firm)
    team.auditor = people.auditor("640324")
    team.foreign_county = people.county("630106")
    team.plan = f"orders-{next(numbers)}"
    admin_session.post("/plans", {"code": team.plan, "name_zh": "订单", "region": "640324", "begins_on": "2021-01-01",
                                  "ends_on": "2030-12-31", "who_counts": "试验", "eligibility": "any"})
    team.close_gates(team.plan, "order")
    yield team
    for client in people.made:
        client.close()


def case_at(team, stage="designed", count=1, **assigned):
    rows = [needs.row("tongxin") for _ in range(count)]
    assert team.manager.import_file(team.plan, needs.to_csv(rows))["accepted"] == count
    cases = [case_of(team.manager, row["户编号"])["id"] for row in rows]
    for case in cases:
        walk(team.manager, case, stage, **assigned)
    return cases if count > 1 else cases[0]


def order_of(client, case):
    return client.get(f"/cases/{case}/orders").items[-1]


def given(team, answer=None):
    """A case whose order waits (or has that answer)."""
    case = case_at(team)
    step_order.do(team, case, answer)
    return case


def listed(client, **query):
    return {order["id"] for order in client.pages("/orders", limit=200, **query)}


# --- given ---


def test_an_order_is_given_and_accepted(team):
    case = case_at(team)
    (item,) = team.county.post("/orders", {"contractor": team.firm, "cases": [{"id": case}], "note": "尽快"})["items"]
    assert (item["case"], item["code"], item["lacking"]) == (case, None, None)
    order = team.contractor.get(f"/orders/{item['order']}").json
    assert (order["state"], order["number"], order["note"], order["silent"]) == ("open", 1, "尽快", False)
    assert order["answer_by"] > order["given_at"] and order["stage"] == "assigned" and order["plan"] == team.plan
    accepted = team.contractor.post(f"/cases/{case}/order/accept", {}, match='"1"')
    assert (accepted["state"], accepted["answered_as"], accepted["version"]) == ("accepted", "accepted", 2)
    assert accepted["answered_at"] and accepted["answered_by"] == team.contractor.get("/session")["id"]
    assert team.county.get(f"/cases/{case}")["stage"] == "assigned"
    move(team.contractor, case, "building")
    assert order_of(team.county, case)["version"] == 2  # it had been accepted


def test_a_move_with_a_contractor_gives_an_order_too(team):
    case = case_at(team)
    refused = move(team.county, case, "assigned", expect=422, code="contractor_required")
    assert refused["field"] == "/contractor"
    move(team.county, case, "assigned", contractor=team.firm, note="请于下周开工")
    assert order_of(team.contractor, case)["note"] == "请于下周开工"


def test_nothing_is_built_before_the_order_is_accepted(team):
    case = given(team)
    refused = move(team.contractor, case, "building", expect=422, code="order_not_accepted")
    assert refused["field"] == "/to" and refused["reasons"] == [team.firm]
    team.contractor.post(f"/cases/{case}/order/accept", {})
    move(team.contractor, case, "building")


def test_where_the_gate_is_open_to_begin_is_to_accept(team):
    (case,) = bring_in(team.manager)  # tongxin: every gate open
    walk(team.manager, case, "assigned", contractor=team.firm)
    move(team.contractor, case, "building")
    order = order_of(team.county, case)
    assert (order["state"], order["answered_by"]) == ("accepted", team.contractor.get("/session")["id"])
    team.contractor.post(f"/cases/{case}/take-back", {})
    assert (order_of(team.county, case)["state"], order_of(team.county, case)["answered_at"]) == ("open", None)


def test_many_cases_are_given_at_once_each_with_its_own_answer(team):
    ready = case_at(team, count=3)
    early, gone = case_at(team, "surveyed"), 6403249999999999
    (foreign,) = bring_in(team.people.manager("630000"), plan="qinghai")
    wanted = [gone, foreign, early, *reversed(ready), ready[0]]
    body = {"contractor": team.firm, "cases": [{"id": case} for case in wanted], "answer_by": "2099-01-04T00:00:00Z"}
    body["cases"][-2]["version"] = 99  # ready[0], of which another mention is merged with this one
    body["cases"].pop()
    key = f"give-{ready[0]}"
    answer = team.county.post("/orders", body, key=key)
    assert (answer["given"], answer["refused"]) == (2, 4)
    codes = {item["case"]: item["code"] for item in answer["items"]}
    assert codes == {gone: "not_found", foreign: "not_found", early: "stage_not_allowed", ready[0]: "stale",
                     ready[1]: None, ready[2]: None}
    assert [item["case"] for item in answer["items"]] == sorted(codes)
    assert order_of(team.county, ready[1])["answer_by"] == "2099-01-04T00:00:00Z"
    assert team.county.post("/orders", body, key=key).json == answer.json
    assert len(team.county.get(f"/cases/{ready[1]}/orders").items) == 1
    again = team.county.post("/orders", body)
    assert again["given"] == 0 and {item["code"] for item in again["items"]} == {"not_found", "stage_not_allowed", "stale"}


def test_all_or_nothing_gives_nothing_when_one_cannot_be_given(team):
    ready, early = case_at(team), case_at(team, "surveyed")
    body = {"contractor": team.firm, "cases": [{"id": ready}, {"id": early}], "all_or_nothing": True}
    refused = team.county.post("/orders", body, expect=422, code="orders_refused")
    assert {item["case"]: item["code"] for item in refused["items"]} == {ready: None, early: "stage_not_allowed"}
    assert team.county.get(f"/cases/{ready}")["stage"] == "designed" and not team.county.get(f"/cases/{ready}/orders").items
    body["cases"].pop()
    assert team.county.post("/orders", body)["given"] == 1


def test_what_is_lacking_is_said_of_each(team):
    """Gates speak through the list as they do in a move."""
    case = case_at(team)
    team.county.post(f"/cases/{case}/transitions", {"to": "suspended", "note": "外出"})
    (item,) = team.county.post("/orders", {"contractor": team.firm, "cases": [{"id": case}]})["items"]
    assert (item["code"], item["order"]) == ("stage_not_allowed", None)


@pytest.mark.parametrize("body, code, field", [
    ({"contractor": "nobody"}, "contractor_unknown", "/contractor"), ({"cases": []}, "nothing_given", "/cases"),
    ({"answer_by": PAST}, "answer_by_passed", "/answer_by")])
def test_an_order_that_cannot_be_given(team, body, code, field):
    case = case_at(team)
    whole = {"contractor": team.firm, "cases": [{"id": case}], **body}
    assert team.county.post("/orders", whole, expect=422, code=code)["field"] == field
    assert team.county.get(f"/cases/{case}")["stage"] == "designed"


# --- answered ---


def test_an_order_is_answered_once(team):
    case = given(team, "accept")
    team.contractor.post(f"/cases/{case}/order/accept", {}, expect=409, code="order_answered")
    case = given(team, "decline")
    team.contractor.post(f"/cases/{case}/order/accept", {}, expect=409, code="order_over")
    team.contractor.post(f"/cases/{case}/order/decline", {"reason": "x"}, expect=409, code="order_over")


def test_a_declined_case_is_designed_again(team):
    case = case_at(team)
    declined = step_order.do(team, case, "decline")
    assert (declined["state"], declined["answered_as"], declined["closed_as"]) == ("declined", "declined", "declined")
    assert declined["closed_note"] == "人手不足" and declined["answered_at"] == declined["closed_at"]
    assert team.county.get(f"/cases/{case}")["stage"] == "designed"
    event = team.county.get(f"/cases/{case}/events").items[-1]
    assert (event["to"], event["note"], event["evidence"]) == ("designed", "人手不足", {"answer": "declined"})
    step_order.do(team, case)
    assert [(order["number"], order["state"]) for order in team.county.pages(f"/cases/{case}/orders", limit=1)] == \
        [(1, "declined"), (2, "accepted")]


def test_an_accepted_order_can_be_given_back_before_building(team):
    case = given(team, "accept")
    declined = team.contractor.post(f"/cases/{case}/order/decline", {"reason": "工人受伤"})
    assert (declined["state"], declined["answered_as"]) == ("declined", "accepted")
    building = given(team, "accept")
    move(team.contractor, building, "building")
    team.contractor.post(f"/cases/{building}/order/decline", {"reason": "x"}, expect=409, code="order_over")


def test_the_office_records_an_answer_with_a_note(team):
    case = given(team)
    refused = team.county.post(f"/cases/{case}/order/accept", {"note": " "}, expect=422, code="note_required")
    assert refused["field"] == "/note"
    accepted = team.manager.post(f"/cases/{case}/order/accept", {"note": "电话答应"})
    assert accepted["answer_note"] == "电话答应" and accepted["answered_by"] == team.manager.get("/session")["id"]
    case = given(team)
    declined = team.county.post(f"/cases/{case}/order/decline", {"reason": "电话拒绝"})
    assert declined["state"] == "declined" and declined["answered_by"] == team.county.get("/session")["id"]
    case = given(team)
    blank = team.county.post(f"/cases/{case}/order/decline", {"reason": "  "}, expect=422, code="note_required")
    assert blank["field"] == "/reason"


def test_a_stale_answer_is_refused_with_the_order_as_it_is(team):
    case = given(team, "accept")
    for path, body in (("order/accept", {}), ("order/decline", {"reason": "x"}),
                       ("reassignment", {"contractor": team.other_firm, "reason": "x"})):
        client = team.county if path == "reassignment" else team.contractor
        assert client.post(f"/cases/{case}/{path}", body, match='"1"', expect=412)["current"]["state"] == "accepted"


def test_the_same_key_answers_the_same(team):
    case = given(team)
    first = team.contractor.post(f"/cases/{case}/order/decline", {"reason": "远"}, key=f"decline-{case}")
    assert team.contractor.post(f"/cases/{case}/order/decline", {"reason": "远"}, key=f"decline-{case}").json == first.json


# --- what ends and revives it ---


def state(client, case):
    order = order_of(client, case)
    return order["number"], order["state"], order["closed_as"]


def test_an_order_taken_back_is_closed_and_the_contractor_gone(team):
    case = case_at(team)
    move(team.county, case, "assigned", contractor=team.firm)
    team.contractor.get(f"/cases/{case}")
    taken = team.county.post(f"/cases/{case}/take-back", {})
    assert (taken["stage"], taken["contractor"]) == ("designed", None)
    assert state(team.county, case) == (1, "closed", "taken_back")
    team.contractor.get(f"/cases/{case}", expect=404)


def test_what_was_accepted_is_not_taken_back_but_called_back(team):
    """Until the next one acts: the contractor has."""
    case = given(team, "accept")
    team.county.post(f"/cases/{case}/take-back", {}, expect=409, code="order_answered")
    move(team.county, case, "designed", note="预算取消")
    assert state(team.county, case) == (1, "closed", "called_back")


def test_a_decline_taken_back_leaves_the_order_as_it_was(team):
    for answer in (None, "accept"):
        case = given(team, answer)
        team.contractor.post(f"/cases/{case}/order/decline", {"reason": "x"})
        team.contractor.post(f"/cases/{case}/take-back", {})
        order = order_of(team.contractor, case)
        assert (order["state"], order["closed_at"], order["closed_note"]) == ("accepted" if answer else "open", None, None)
        assert (order["answered_at"] is None) == (answer is None) and order["number"] == 1


def test_a_suspended_case_wants_a_new_order_unless_it_was_being_built(team):
    case = given(team, "accept")
    move(team.county, case, "suspended")
    assert state(team.county, case) == (1, "closed", "suspended")
    team.contractor.post(f"/cases/{case}/order/accept", {}, expect=409, code="order_over")
    move(team.county, case, "assigned")
    assert state(team.county, case) == (2, "open", None)
    team.county.post(f"/cases/{case}/take-back", {})
    assert state(team.county, case) == (2, "closed", "taken_back")
    case = given(team, "accept")
    move(team.contractor, case, "building")
    move(team.county, case, "suspended")
    move(team.county, case, "building")
    assert state(team.county, case) == (1, "accepted", None)


@pytest.mark.parametrize("stage", ["assigned", "building", "built"])
def test_a_withdrawn_case_has_no_order_until_that_is_taken_back(team, stage):
    case = given(team, "accept")
    for to in ("building", "built")[:("assigned", "building", "built").index(stage)]:
        move(team.contractor, case, to)
    move(team.county, case, "withdrawn")
    assert state(team.county, case) == (1, "closed", "withdrawn")
    team.county.post(f"/cases/{case}/take-back", {})
    assert state(team.county, case) == (1, "accepted", None)


def test_an_order_is_done_with_acceptance_and_back_with_its_revocation(team):
    case = given(team, "accept")
    for to in ("building", "built", "accepted"):
        move(team.manager, case, to)
    assert state(team.county, case) == (1, "closed", "done")
    move(team.manager, case, "built", note="扶手松动")
    assert state(team.county, case) == (1, "accepted", None)
    team.manager.post(f"/cases/{case}/take-back", {})
    assert state(team.county, case) == (1, "closed", "done")
    move(team.manager, case, "closed")
    move(team.manager, case, "built", note="扶手松动")
    move(team.manager, case, "rework")
    assert state(team.county, case) == (1, "accepted", None)
    team.manager.post(f"/cases/{case}/take-back", {})
    move(team.manager, case, "accepted")
    team.manager.post(f"/cases/{case}/take-back", {})
    assert state(team.county, case) == (1, "accepted", None)


# --- reassigned ---


def reassign(client, case, firm, **options):
    return client.post(f"/cases/{case}/reassignment", {"contractor": firm, "reason": "换一家"}, **options)


def test_reassigned_before_building_the_old_contractor_is_gone_at_once(team):
    case = given(team, "accept")
    order = reassign(team.county, case, team.other_firm)
    assert (order["number"], order["state"], order["contractor"], order["note"]) == (2, "open", team.other_firm, "换一家")
    team.contractor.get(f"/cases/{case}", expect=404)
    (old,) = team.contractor.get(f"/cases/{case}/orders").items
    assert (old["closed_as"], old["closed_note"]) == ("reassigned", "换一家")
    (shown,) = [one for one in team.contractor.pages("/orders", limit=200) if one["case"] == case]
    assert shown["household_number"] is shown["householder"] is shown["village"] is shown["stage"] is None
    team.contractor.post(f"/cases/{case}/order/accept", {}, expect=409, code="order_over")
    team.contractor.post(f"/cases/{case}/order/decline", {"reason": "x"}, expect=404)
    move(team.other, case, "building", expect=422, code="order_not_accepted")
    team.other.post(f"/cases/{case}/order/accept", {})
    move(team.other, case, "building")
    assert team.county.get(f"/cases/{case}")["contractor"] == team.other_firm


@pytest.mark.parametrize("stage", ["building", "rework"])
def test_reassigned_while_being_built_it_is_assigned_again(team, stage):
    case = given(team, "accept")
    move(team.contractor, case, "building")
    if stage == "rework":
        move(team.contractor, case, "built")
        move(team.county, case, "rework")
    order = reassign(team.county, case, team.other_firm, match=f'"{order_of(team.county, case)["version"]}"')
    assert (order["number"], order["state"]) == (2, "open")
    seen = team.other.get(f"/cases/{case}").json
    assert (seen["stage"], seen["stage_note"], seen["contractor"]) == ("assigned", "换一家", team.other_firm)
    team.contractor.get(f"/cases/{case}", expect=404)
    team.county.post(f"/cases/{case}/take-back", {})  # as if it had not happened
    back = team.contractor.get(f"/cases/{case}").json
    assert (back["stage"], back["contractor"]) == (stage, team.firm)
    assert state(team.county, case) == (2, "closed", "taken_back") and state(team.contractor, case) == (1, "accepted", None)
    team.other.get(f"/cases/{case}", expect=404)


def test_taking_back_an_order_that_was_reassigned_gives_the_case_back(team):
    case = case_at(team)
    move(team.county, case, "assigned", contractor=team.firm)
    reassign(team.county, case, team.other_firm)
    assert team.county.post(f"/cases/{case}/take-back", {})["contractor"] is None
    assert [order["closed_as"] for order in team.county.get(f"/cases/{case}/orders").items] == ["reassigned", "taken_back"]


def test_what_cannot_be_reassigned(team):
    case = given(team)
    assert reassign(team.county, case, "nobody", expect=422, code="contractor_unknown")["field"] == "/contractor"
    reassign(team.county, case, team.firm, expect=422, code="contractor_same")
    team.county.post(f"/cases/{case}/reassignment", {"contractor": team.other_firm, "reason": "x", "answer_by": PAST},
                     expect=422, code="answer_by_passed")
    team.county.post(f"/cases/{case}/reassignment", {"contractor": team.other_firm}, expect=422, code="required")
    for who in (team.contractor, team.auditor, team.assessor):
        reassign(who, case, team.other_firm, expect=403)
    reassign(team.foreign_county, case, team.other_firm, expect=404)
    assert state(team.county, case) == (1, "open", None)
    for stage in ("designed", "built"):
        reassign(team.county, case_at(team, "designed") if stage == "designed" else built(team), team.other_firm,
                 expect=422, code="not_with_contractor")
    building = built(team, "building")
    refused = team.county.post(f"/cases/{building}/reassignment", {"contractor": team.other_firm, "reason": " "}, expect=422,
                               code="note_required")
    assert refused["field"] == "/reason"


def built(team, until="built"):
    case = given(team, "accept")
    for to in ("building", "built"):
        move(team.contractor, case, to)
        if to == until:
            return case


def test_a_contractor_is_not_changed_past_its_order(team):
    case = case_at(team, "surveyed")
    assert team.county.patch(f"/cases/{case}", {"contractor": team.other_firm})["contractor"] == team.other_firm  # planned
    move(team.county, case, "designed")
    move(team.county, case, "assigned")
    assert order_of(team.county, case)["contractor"] == team.other_firm
    refused = team.county.patch(f"/cases/{case}", {"contractor": team.firm}, expect=422, code="order_given")
    assert refused["field"] == "/contractor"
    team.county.patch(f"/cases/{case}", {"contractor": team.other_firm})
    move(team.county, case, "suspended")
    team.county.patch(f"/cases/{case}", {"contractor": team.firm}, expect=422, code="order_given")


def test_a_case_assigned_to_nobody_gets_its_order_with_its_contractor(team):
    (case,) = bring_in(team.manager)
    walk(team.manager, case, "assigned")
    assert team.county.get(f"/cases/{case}/orders").items == []
    team.county.post(f"/cases/{case}/order/accept", {"note": "x"}, expect=404)
    team.county.post(f"/cases/{case}/order/decline", {"reason": "x"}, expect=404)
    team.county.patch(f"/cases/{case}", {"contractor": team.firm})
    assert state(team.contractor, case) == (1, "open", None)


def test_the_database_refuses_by_itself(team, database):
    """As tantu_app, past all of our C: no contractor without an order, and no order that is not its case's."""
    building, assigned = built(team, "building"), given(team)
    account = team.manager.get("/session")["id"]
    connection = database.connect("app")
    connection.autocommit = False
    with contextlib.closing(connection), connection.cursor() as cursor:
        for sqlstate, statement, case in (
                ("TT001", "UPDATE retrofit_case SET contractor_id = NULL WHERE id = %s", building),
                ("TT001", f"UPDATE retrofit_case SET contractor_id = (SELECT id FROM contractor WHERE code = '{team.other_firm}') WHERE id = %s", building),
                ("TT001", "UPDATE retrofit_case SET contractor_id = NULL WHERE id = %s", assigned),
                ("42501", "UPDATE work_order SET closed_at = now() WHERE case_id = %s", assigned),
                ("42501", "DELETE FROM work_order WHERE case_id = %s", assigned),
                ("42501", "INSERT INTO work_order (plan_region, case_id) VALUES (640324000, %s)", assigned)):
            for name, value in (("low", 640324000), ("high", 640324999), ("role", "manager"), ("account", account)):
                cursor.execute("SELECT set_config(%s, %s, true)", (f"tantu.{name}", str(value)))
            with pytest.raises(psycopg2.Error) as refused:
                cursor.execute(statement, (case,))
            assert refused.value.pgcode == sqlstate, (statement, refused.value)
            connection.rollback()
    assert state(team.county, building) == (1, "accepted", None) and state(team.county, assigned) == (1, "open", None)


# --- lists, and who sees what ---


def test_orders_are_listed_by_state_contractor_and_region(team):
    opened, accepted, declined = given(team), given(team, "accept"), given(team, "decline")
    number = {case: order_of(team.county, case)["order"] for case in (opened, accepted, declined)}
    mine = set(number.values())
    for who in (team.county, team.manager, team.auditor, team.contractor):
        for of_state, case in (("open", opened), ("accepted", accepted), ("declined", declined)):
            assert listed(who, state=of_state, plan=team.plan) & mine == {number[case]}
        assert mine <= listed(who) == {order["id"] for order in who.pages("/orders", limit=3)}
        assert mine <= listed(who, region="640324") and mine <= listed(who, plan=team.plan, contractor=team.firm)
        for query in ({"region": "640302"}, {"plan": "yanbian"}, {"contractor": team.other_firm, "plan": "qinghai"}):
            assert not listed(who, **query) & mine
    assert listed(team.county, state="closed", contractor=team.firm) and not listed(team.other) & mine
    assert not listed(team.foreign_county) & mine and not listed(team.foreign_county, contractor=team.firm)
    assert not listed(team.foreign_county, state="open") & mine
    for who in (team.other, team.foreign_county):
        who.get(f"/orders/{number[opened]}", expect=404)
        assert who.get(f"/cases/{opened}/orders").items == []
    team.assessor.get("/orders", expect=403, code="role_not_allowed")
    whole = team.people.manager("640000")  # more than a county
    assert mine <= listed(whole) and mine <= listed(whole, state="declined") | listed(whole, state="open") | listed(whole, state="accepted")


def test_an_order_goes_with_its_household(team):
    case = given(team)
    number = order_of(team.county, case)["order"]
    team.manager.post(f"/cases/{case}/relocation", {"region": "640324202", "village": "a", "address": "b"})
    assert number in listed(team.county, region="640324202") and number not in listed(team.county, region="640324101")
    assert team.contractor.get(f"/orders/{number}")["region"] == "640324202"


BODIES = {"to": "building", "contractor": "firm", "reason": "试验", "note": "试验"}


def test_a_contractor_learns_nothing_of_a_foreign_case(team, contract):
    """Whatever it may call: a foreign case and one that does not exist are answered alike, and nothing changes."""
    foreign, none = given(team, "accept"), 6403249999999998
    number = order_of(team.county, foreign)["order"]
    before = team.county.get(f"/cases/{foreign}").json
    tried = 0
    for (method, path), operation in sorted(contract.operations.items()):
        if "{id}" not in path or "contractor" not in operation["x-roles"] or path.startswith("/api/v1/session"):
            continue
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        body = {name: BODIES.get(name, 1) for name in schema.get("required", [])} if schema else None
        heads = {"Content-Type": "image/png"} if operation.get("requestBody") and not schema else {}
        answers = []
        for of_case, of_order in ((foreign, number), (none, none)):
            where = path.replace("{id}", str(of_order if path.startswith("/api/v1/orders") else of_case))
            for name in contract_values(where):
                where = where.replace(name, "00000000-0000-4000-8000-000000000000")
            answer = team.other._send(method, where, json.dumps(body).encode() if body is not None else None, {
                "Authorization": f"Bearer {team.other.token}", "Content-Type": "application/json", **heads}, 60)
            answers.append((answer.status, answer.body.replace(str(of_case).encode(), b"N").replace(str(of_order).encode(), b"N")))
        assert answers[0] == answers[1], (method, path)
        assert answers[0][0] >= 400 or answers[0][1] == b'{"items":[]}', (method, path, answers[0])
        tried += 1
    assert tried >= 9
    assert team.county.get(f"/cases/{foreign}").json == before


def contract_values(path):
    return [part for part in path.split("/") if part.startswith("{")]


# --- texts ---


def naughty_chunks():
    """All that a text may hold, in pieces that fit a field."""
    texts = json.loads((ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json").read_text(encoding="utf-8"))
    chunk = "本"
    for text in texts:
        if "\0" in text:
            continue
        if len(chunk) + len(text) > 1900:
            yield chunk
            chunk = "本"
        chunk += "\n" + text
    yield chunk


def test_naughty_texts_come_back(team):
    if not (ROOT.parent / "shared" / "data").exists():
        pytest.skip("no ../shared beside this tree")
    case = case_at(team)
    for text in naughty_chunks():
        assert team.county.post("/orders", {"contractor": team.firm, "cases": [{"id": case}], "note": text})["note"] == text
        assert order_of(team.county, case)["note"] == text
        assert team.contractor.post(f"/cases/{case}/order/accept", {"note": text})["answer_note"] == text
        assert team.county.post(f"/cases/{case}/reassignment", {"contractor": team.other_firm, "reason": text})["note"] == text
        assert team.other.post(f"/cases/{case}/order/decline", {"reason": text})["closed_note"] == text
        for path, body in (("/orders", {"cases": [{"id": case}]}), (f"/cases/{case}/reassignment", {"reason": "x"})):
            team.county.post(path, {**body, "contractor": text[:60]}, expect=422)
