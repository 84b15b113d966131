# SPDX-License-Identifier: Apache-2.0
"""Random actions by random people against the server and against model.py: not one difference, in what is refused and why, in
what becomes of the cases, and in the totals. TANTU_MODEL_STEPS (3000) and TANTU_MODEL_SEED (41) say how much and which;
a difference tells its last thirty steps."""
import datetime
import os
import time

import needs
import pytest
from harness import People
from model import Plan
from model_data import Case, Person
from model_walk import BEGINS, Difference, Walk
from stages import bring_in_rows
from step_design import measure, source

STEPS = int(os.environ.get("TANTU_MODEL_STEPS", "3000"))
SEED = os.environ.get("TANTU_MODEL_SEED") or "41"  # the same walk every time: what fails tomorrow has been broken today
GATES = ("notice", "survey", "design", "order", "before_photos", "after_photos", "inspection")


@pytest.fixture(scope="module")
def walk(admin_session):
    people = People(admin_session)
    code = "model"
    admin_session.post("/plans", {"code": code, "name_zh": "模型", "region": "640324", "begins_on": str(BEGINS), "ends_on": "2035-12-31",
                                  "who_counts": "a", "eligibility": "severe_and_poor", "notice_days": 5, "subsidy_ceiling": 50000}, expect=201)
    for gate in GATES:
        admin_session.put(f"/plans/{code}/gates/{gate}", {"closed": True, "note": "试验"})
    clients = {"manager": people.manager("640324"), "county": people.county("640324"), "county2": people.county("640324"),
               "assessor": people.assessor("640324"), "assessor2": people.assessor("640324"), "contractor": people.contractor("firm-model-1"),
               "contractor2": people.contractor("firm-model-2"), "auditor": people.auditor("640324"), "foreigner": people.county("630106")}
    source(clients["manager"], code, ceiling=40000)
    measure(admin_session, "model_chair", kind="device", name_zh="轮椅", ceiling=1000)
    persons = [Person(name, client.role, here=name != "foreigner") for name, client in clients.items()]
    firms = {"firm": "firm-model-1", "firm2": "firm-model-2"}
    for person in persons:
        person.firm = {"contractor": firms["firm"], "contractor2": firms["firm2"]}.get(person.name)
    plan = Plan(BEGINS, 5, 50000, 40000, {"model_chair": 1000}, {"model_chair"})
    made = Walk(plan, code, persons, clients, SEED)
    made.firms = firms
    yield made
    for client in people.made:
        client.close()


def open_cases(walk, count):
    """More households, of which every sixth does not fulfil the plan's rule."""
    rows = [needs.row("tongxin", **({"残疾等级": "四级"} if number % 6 == 5 else {})) for number in range(count)]
    for number, case in bring_in_rows(walk.clients["manager"], rows, walk.code).items():
        seen = walk.clients["manager"].get(f"/cases/{case}")
        walk.plan.cases[case] = Case(case, seen["eligible"], datetime.date.fromisoformat(seen["stage_at"][:10]))


def same_totals(walk):
    accepted, by_stage = walk.plan.progress()
    seen = walk.clients["manager"].get(f"/plans/{walk.code}/progress")
    server = {stage: count for stage, count in seen["by_stage"].items() if count}
    if (accepted, by_stage) != (seen["accepted"], server):
        raise Difference(f"the model counts {accepted} {by_stage}, the server {seen['accepted']} {server}\n" + "\n".join(walk.log))


def same_history(walk, case):
    """Everything that is kept of a case."""
    manager = walk.clients["manager"]
    walk.same_case(case, manager.get(f"/cases/{case.id}").json)
    events = [(event["kind"], event["from"], event["to"]) for event in manager.pages(f"/cases/{case.id}/events", limit=200)]
    assert events == [("open", None, "registered")] + [(event.kind, event.was, event.becomes) for event in case.events], case.id
    photos = {photo["id"]: photo["slot"] for photo in manager.pages(f"/cases/{case.id}/photos", limit=200)}
    assert photos == {number: photo.slot for number, photo in case.photos.items() if not photo.gone}, case.id
    orders = [(order["contractor"], order["state"] if not order["closed_as"] else "over") for order in manager.pages(f"/cases/{case.id}/orders")]
    assert orders == [(order.firm, "over" if order.closed_as else order.state) for order in case.orders], case.id
    inspections = [one["result"] for one in manager.pages(f"/cases/{case.id}/inspections")]
    assert inspections == [one.result for one in case.inspections], case.id
    if case.designed:
        walk.same_design(case, manager.get(f"/cases/{case.id}/design").json)


def test_the_server_does_what_the_model_says(walk, database):
    print(f"TANTU_MODEL_SEED={SEED!r} TANTU_MODEL_STEPS={STEPS}")
    begun = time.monotonic()
    open_cases(walk, 18)
    for number in range(1, STEPS + 1):
        walk.step()
        if number % 20 == 0:
            same_totals(walk)
        if number % 500 == 0:
            open_cases(walk, 6)
    for case in walk.plan.cases.values():
        same_history(walk, case)
    same_totals(walk)
    assert "totals agree" in database.run("verify", "totals").stdout
    said = {f"{action}: {verdict}": count for (action, verdict), count in sorted(walk.said.items(), key=str)}
    print(f"{STEPS} steps in {time.monotonic() - begun:.1f} s, {len(said)} different outcomes: {said}")
    been = {event.becomes for case in walk.plan.cases.values() for event in case.events}
    if STEPS >= 1000: # the walk goes somewhere
        assert "accepted" in been
    if STEPS >= 5000:
        assert been >= {"approved", "surveyed", "designed", "assigned", "building", "built", "accepted", "closed", "rework", "suspended"}
