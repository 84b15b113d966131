# SPDX-License-Identifier: Apache-2.0
"""Gates stand where they should: every one closed for a plan unless an administrator opened it, and said why."""
import pytest
from client import Client
from harness import People
from processes import ADMIN_PASSWORD, Program
from stages import bring_in, move, walk
from team import Team

GATES = ["notice", "survey", "design", "order", "before_photos", "after_photos", "inspection"]
# gate: the stage it guards, what a case with nothing behind it hears there. (A notice is asked for where it lasts some days.)
BARE = {"survey": ("surveyed", "survey_missing"), "design": ("designed", "design_missing"), "order": ("assigned", "contractor_required"),
        "before_photos": ("building", "items_missing"), "after_photos": ("built", "items_missing"),
        "inspection": ("accepted", "inspection_missing")}
BEFORE = {"surveyed": "approved", "designed": "surveyed", "assigned": "designed", "building": "assigned", "built": "building",
          "accepted": "built", "rework": "built"}


@pytest.fixture(scope="module")
def real(cluster, database, contract):
    """A database as `tantu migrate` makes it, every gate closed."""
    own = cluster.new_database().migrate(gates=True)
    server = Program(own, "serve").start()
    people = People(Client(server, contract).sign_in("admin", ADMIN_PASSWORD))
    team = Team(people)
    yield team
    for client in (team.admin, *people.made):
        client.close()
    server.stop()


def closed(team, plan="tongxin"):
    return [gate["code"] for gate in team.manager.get(f"/plans/{plan}/gates").items if gate["closed"]]


@pytest.fixture
def only(real):
    """only(gate): every other one is open; all are closed again after the test."""
    def put(gate, is_closed):
        real.admin.put(f"/plans/tongxin/gates/{gate}", {"closed": is_closed, "note": "试验"})

    def open_all_but(wanted):
        for gate in GATES:
            put(gate, gate == wanted)
        return real
    yield open_all_but
    for gate in GATES:
        put(gate, True)


def test_every_gate_of_every_plan_is_closed_at_first(real):
    for plan in real.admin.get("/plans").items:
        assert closed(real, plan["code"]) == GATES
    made = real.admin.post("/plans", {"code": "next-period", "name_zh": "下一个五年", "region": "640324", "begins_on": "2026-01-01",
                                      "ends_on": "2030-12-31", "who_counts": "同上", "eligibility": "any"})
    assert closed(real, made["code"]) == GATES


def test_only_an_administrator_opens_one_and_says_why(real):
    for client in (real.manager, real.county, real.assessor, real.contractor):
        client.put("/plans/tongxin/gates/order", {"closed": False, "note": "why"}, expect=403, code="role_not_allowed")
    put = real.admin.put
    put("/plans/tongxin/gates/order", {"closed": False}, expect=422, code="required")
    put("/plans/tongxin/gates/order", {"closed": False, "note": ""}, expect=422, code="too_short")
    put("/plans/tongxin/gates/nothing", {"closed": False, "note": "why"}, expect=404, code="not_found")
    put("/plans/nothing/gates/order", {"closed": False, "note": "why"}, expect=404, code="not_found")
    assert closed(real) == GATES
    opened = put("/plans/tongxin/gates/order", {"closed": False, "note": "2023年以前的纸质资料"})
    assert not opened["closed"] and opened["note"] == "2023年以前的纸质资料" and opened["changed_at"]
    assert closed(real) == [gate for gate in GATES if gate != "order"]
    (order,) = [gate for gate in real.county.get("/plans/tongxin/gates").items if gate["code"] == "order"]
    assert order["changed_by"] == real.admin.get("/session")["id"] and order["note"] == "2023年以前的纸质资料"
    put("/plans/tongxin/gates/order", {"closed": True, "note": "纸质资料已录入"})
    assert closed(real) == GATES


@pytest.mark.parametrize("gate", BARE)
def test_a_gate_stands_before_its_stage(real, only, gate):
    stage, verdict = BARE[gate]
    only("none")
    (case,) = bring_in(real.manager)
    walk(real.manager, case, BEFORE[stage])
    only(gate)
    version = real.manager.get(f"/cases/{case}")["version"]
    refused = move(real.manager, case, stage, expect=422, code=verdict)
    assert refused["field"] == ("/contractor" if gate == "order" else "/to")
    assert real.manager.get(f"/cases/{case}")["version"] == version
    # Other ways out of the stage stay open.
    move(real.manager, case, "suspended")
    move(real.manager, case, BEFORE[stage])
    only("none")
    more = {"contractor": real.firm} if stage == "assigned" else {}
    assert move(real.manager, case, stage, **more)["stage"] == stage


def test_rework_needs_an_inspection_that_failed(real, only):
    only("none")
    (case,) = bring_in(real.manager)
    walk(real.manager, case, "built")
    only("inspection")
    move(real.manager, case, "rework", expect=422, code="inspection_missing")
    only("none")
    move(real.manager, case, "rework")


def test_the_gate_before_photos_stands_behind_rework_too(real, only):
    only("none")
    (case,) = bring_in(real.manager)
    walk(real.manager, case, "rework")
    only("before_photos")
    move(real.manager, case, "building", expect=422, code="items_missing")
    only("order")  # whoever mends has accepted the order long ago
    move(real.manager, case, "building")


def test_acceptance_asks_for_the_photos_after_work_again(real, only):
    """They may have been removed since; the gate of the inspection says nothing of them."""
    only("none")
    (case,) = bring_in(real.manager)
    walk(real.manager, case, "built")
    only("after_photos")
    move(real.manager, case, "accepted", expect=422, code="items_missing")
    move(real.manager, case, "rework")  # nor do they bar what mends them
    only("none")
    move(real.manager, case, "building")
    for stage in ("built", "accepted"):
        move(real.manager, case, stage)


def test_a_declined_order_leads_back_without_a_new_design(real, only):
    only("none")
    (case,) = bring_in(real.manager)
    walk(real.manager, case, "assigned", contractor=real.firm)
    only("design")
    assert move(real.manager, case, "designed")["stage"] == "designed"


def test_what_was_taken_back_passes_no_gate(real, only):
    only("none")
    (case,) = bring_in(real.manager)
    walk(real.manager, case, "built")
    only("after_photos")
    move(real.manager, case, "withdrawn")
    assert real.manager.post(f"/cases/{case}/take-back", {})["stage"] == "built"


def test_a_revocation_passes_no_gate(real, only):
    only("none")
    (case,) = bring_in(real.manager)
    walk(real.manager, case, "accepted")
    only("after_photos")
    assert move(real.manager, case, "built")["stage"] == "built"


def test_a_program_older_than_the_gates_hears_a_word_it_knows(real, only):
    """During a rolling upgrade older servers still move cases: they would not know what a gate says. The oldest tell no schema."""
    only("none")
    (case,) = bring_in(real.manager)
    walk(real.manager, case, "built")
    only("inspection")
    ask = """SELECT (case_refusal(c, 'accepted', now(), '', NULL)).verdict FROM retrofit_case c
             WHERE c.id = %s AND set_config('tantu.role', 'manager', true) <> '' AND set_config('application_name', %s, true) <> ''"""
    database = real.admin.server.database
    for old in ("tantu", "tantu/8", "tantu/14"):
        assert database.sql(ask, case, old) == [("stage_not_allowed",)], old
    for other in ("tantu/15", "psql", "tantu-copy", "tantu/14x"):
        assert database.sql(ask, case, other) == [("inspection_missing",)], other


def test_the_database_itself_keeps_the_gate(real, only):
    only("none")
    (case,) = bring_in(real.manager)
    walk(real.manager, case, "building")
    only("after_photos")
    with real.admin.server.database.connect("super") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('tantu.role', 'manager', true)")
        with pytest.raises(Exception, match="building to built: items_missing"):
            cursor.execute("UPDATE retrofit_case SET stage = 'built', stage_at = now() WHERE id = %s", (case,))
