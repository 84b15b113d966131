# SPDX-License-Identifier: Apache-2.0
"""Acceptance inspections: what they have to say, who may write them down, and what the gates before `accepted` and `rework`
ask of them."""
import threading
from contextlib import contextmanager

import psycopg2
import pytest
import step_inspection
from acceptance_help import BUILT, LATER, Acceptance
from harness import People
from processes import wait_until
from stages import DAYS, move

ACCEPTED = DAYS["accepted"]


@pytest.fixture(scope="module")
def county(database, admin_session):
    people = People(admin_session)
    yield Acceptance(database, people, "inspection")
    for client in people.made:
        client.close()


def accept(county, case, happened=ACCEPTED, by=None, **more):
    return move(by or county.county, case, "accepted", happened, **more)


# --- what an inspection says ---


def test_an_inspection_is_kept_as_it_was_written(county):
    case = county.case(("retrofit", "坡道", 2), ("retrofit", "扶手", 1.5), ("device", "轮椅", 1))
    signature = county.signature(case)
    made = county.inspect(case, (1, 2), (2, 1.254), (3, 0), signature=signature, note="都好", expect=201)
    assert made["case"] == case and made["id"] == 1 and made["account"] == county.assessor.get("/session")["id"]
    assert (made["result"], made["satisfaction"], made["signature"], made["note"], made["deadline"]) == ("pass", 4, signature, "都好", None)
    assert made["inspected_at"] == LATER and made["case_version"] == county.manager.get(f"/cases/{case}")["version"]
    assert [(item["item"], item["name"], item["quantity"], item["measured"], item["fault"]) for item in made["items"]] == [
        (1, "坡道", 2, 2, ""), (2, "扶手", 1.5, 1.25, ""), (3, "轮椅", 1, 0, "")]
    assert county.county.get(f"/cases/{case}/inspections").items == [{name: value for name, value in made.json.items() if name != "warnings"}]
    assert made["warnings"] == []


def test_inspections_follow_each_other_and_are_paged(county):
    case = county.case()
    for number in range(1, 4):
        assert county.inspect(case, (1, 1, f"松了 {number}"), expect=201)["id"] == number
    paged = list(county.manager.pages(f"/cases/{case}/inspections", limit=2))
    assert [one["items"][0]["fault"] for one in paged] == ["松了 1", "松了 2", "松了 3"]


def test_the_same_key_writes_one_inspection(county):
    case = county.case()
    signature = county.signature(case)
    first = county.inspect(case, (1, 1.1), signature=signature, key="an-inspection", expect=201)
    assert county.inspect(case, (1, 1.1), signature=signature, key="an-inspection", expect=201).json == first.json
    assert len(county.manager.get(f"/cases/{case}/inspections").items) == 1


def test_two_inspections_at_once_are_two(county):
    case = county.case()
    clients = [county.assessor.clone() for _ in range(4)]
    answers = []
    threads = [threading.Thread(target=lambda client=client: answers.append(county.inspect(case, (1, 1, "松了"), by=client, expect=201)["id"]))
               for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [1, 2, 3, 4]


def test_nobody_changes_an_inspection(county, database):
    case = county.case()
    county.inspect(case, (1, 1))
    for statement in ("UPDATE inspection SET result = 'rework'", "DELETE FROM inspection", "UPDATE inspection_item SET measured = 9",
                      "DELETE FROM inspection_item"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            database.sql(statement, role="app")


@contextmanager
def as_account(database, client):
    """A transaction of the server's role under that account's scope: its cursor, and the connection that ends it."""
    who = client.get("/session").json
    connection = database.connect("app")
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('tantu.low', '0', true), set_config('tantu.high', '999999999', true), set_config('tantu.role', %s, true),"
                           "set_config('tantu.account', %s, true), set_config('tantu.contractor', (SELECT id::text FROM contractor WHERE code = %s), true)",
                           (client.role, str(who["id"]), who.get("contractor")))
            yield cursor, connection
    finally:
        connection.close()


def run_as(database, client, query, *values):
    with as_account(database, client) as (cursor, _):
        cursor.execute(query, values)
        return cursor.fetchall()


MADE = """SELECT _verdict FROM inspection_make(%s, NULL, ROW(NULL, NULL, NULL, NULL, '2023-05-25', scope_account(), %s, 5, NULL, '', %s, NULL)::inspection,
                                               json_build_array(json_build_object('item', 1, 'measured', 1, 'fault', %s)))"""


def test_the_database_holds_it_whoever_writes(county, database):
    """A contractor has no endpoint for it; and nobody writes in another's name."""
    case = county.case()
    row = ("INSERT INTO inspection (plan_region, case_id, number, case_version, inspected_at, account_id, result) "
           "VALUES (640324000, %s, 9, 8, now(), %s, 'pass') RETURNING number")
    own = {client: client.get("/session")["id"] for client in (county.contractor, county.assessor)}
    for client, account in ((county.contractor, own[county.contractor]), (county.assessor, own[county.contractor])):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run_as(database, client, row, case, account)
    assert run_as(database, county.assessor, row, case, own[county.assessor]) == [(9,)]
    for client, verdict in ((county.contractor, "inspector_not_independent"), (county.assessor, None)):
        assert run_as(database, client, MADE, case, "pass", None, "") == [(verdict,)]
    assert county.manager.get(f"/cases/{case}/inspections").items == []


def waits(database):
    return lambda: database.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def meanwhile(database, connection, act):
    """Act has begun and waits for the connection; then that commits. What act answered."""
    answers = []
    acting = threading.Thread(daemon=True, target=lambda: answers.append(act()))
    acting.start()
    wait_until(waits(database), 20, "the lock")
    connection.commit()
    acting.join()
    return answers[0]


def test_an_acceptance_that_meets_a_failed_inspection_waits_for_it(county, database):
    case = county.case()
    county.inspect(case, (1, 1))
    client = county.county.clone()
    with as_account(database, county.assessor) as (cursor, connection):
        cursor.execute(MADE, (case, "rework", "2023-06-20", "松了"))
        assert cursor.fetchall() == [(None,)]
        refused = meanwhile(database, connection, lambda: accept(county, case, by=client, expect=422))
    assert refused["code"] == "inspection_failed"


def test_an_inspection_that_meets_an_acceptance_waits_for_it(county, database):
    case = county.case()
    county.inspect(case, (1, 1))
    client, signature = county.assessor.clone(), county.signature(case)
    with as_account(database, county.county) as (cursor, connection):
        cursor.execute("UPDATE retrofit_case SET stage = 'accepted', stage_at = %s WHERE id = %s", (ACCEPTED, case))
        refused = meanwhile(database, connection, lambda: county.inspect(case, (1, 1), by=client, signature=signature, expect=422))
    assert refused["code"] == "case_not_built" and county.manager.get(f"/cases/{case}")["stage"] == "accepted"


# --- what is refused ---

FAULTS = [
    ({}, [(7, 1), (1, 1)], "item_unknown", "/items/0/item"),
    ({}, [(1, 1), (2, 1), (1, 2)], "item_given_twice", "/items/2/item"),
    ({}, [(1, 1)], "items_not_measured", "/items"),
    ({}, [], "items_not_measured", "/items"),
    ({"result": "pass", "deadline": None}, [(1, 1), (2, 1, "裂了")], "pass_with_faults", "/items/1/fault"),
    ({}, [(1, 0), (2, 1)], "pass_unbuilt", "/items/0/measured"),
    ({}, [(1, 0.004), (2, 1)], "pass_unbuilt", "/items/0/measured"),
    ({"result": "rework", "deadline": "2023-06-01"}, [(1, 1), (2, 1)], "faults_missing", "/items"),
    ({"result": "rework", "deadline": "2023-06-01"}, [(1, 1, " \n"), (2, 1)], "faults_missing", "/items"),
    ({"deadline": None}, [(1, 1, "裂了"), (2, 1)], "deadline_missing", "/deadline"),
    ({"deadline": "2023-06-01"}, [(1, 1), (2, 1)], "deadline_not_wanted", "/deadline"),
    ({"deadline": "2023-05-25"}, [(1, 1, "裂了"), (2, 1)], "deadline_out_of_range", "/deadline"),
    ({"deadline": "2023-07-25"}, [(1, 1, "裂了"), (2, 1)], "deadline_out_of_range", "/deadline"),
    ({"inspected_at": "2123-05-25T02:00:00Z"}, [(1, 1), (2, 1)], "happened_in_future", "/inspected_at"),
    ({"inspected_at": "2023-05-19T15:59:59Z"}, [(1, 1), (2, 1)], "happened_before_last", "/inspected_at"),
    ({"signature": 5}, [(1, 1), (2, 1)], "signature_unknown", "/signature"),
    ({}, [(-1, 1)], "out_of_range", "/items/0/item"),
    ({}, [(1, -1)], "out_of_range", "/items/0/measured"),
    ({}, [(1,)], "required", "/items/0/measured"),
    ({"satisfaction": 6}, [(1, 1), (2, 1)], "out_of_range", "/satisfaction"),
]


@pytest.fixture(scope="module")
def of_two(county):
    return county.case(("retrofit", "坡道", 1), ("retrofit", "扶手", 1))


@pytest.mark.parametrize("more, entries, code, field", FAULTS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_makes_no_sense_is_refused_where_it_stands(county, of_two, more, entries, code, field):
    refused = county.inspect(of_two, *entries, expect=422, code=code, **more)
    assert refused["field"] == field
    assert county.manager.get(f"/cases/{of_two}/inspections").items == []
    if code == "items_not_measured":
        assert refused["reasons"] == ["1 卫生间 坡道", "2 卫生间 扶手"][len(entries):]


def test_the_last_day_that_is_allowed(county):
    case = county.case()
    assert county.inspect(case, (1, 1, "裂了"), deadline="2023-07-24", expect=201)["deadline"] == "2023-07-24"


def test_a_removed_item_is_none(county):
    case = county.case(("retrofit", "坡道", 1), ("retrofit", "扶手", 1))
    county.remove_item(case, 2)
    county.inspect(case, (1, 1), (2, 1), expect=422, code="item_unknown")
    county.inspect(case, (1, 1), expect=201)


def test_only_what_is_built_is_inspected(county):
    case = county.case(until="building")
    county.inspect(case, (1, 1), expect=422, code="case_not_built")
    move(county.contractor, case, "built", BUILT)
    move(county.county, case, "suspended", LATER)
    county.inspect(case, (1, 1), expect=422, code="case_not_built")


def test_a_signature_is_of_this_case_and_signs_once(county):
    case, other = county.case(), county.case()
    for wrong in (county.signature(other), county.signature(case, slot="inspection")):
        county.inspect(case, (1, 1), signature=wrong, expect=422, code="signature_unknown")
    removed = county.signature(case)
    county.database.sql("UPDATE case_photo SET removed_at = now() WHERE id = %s", removed)
    county.inspect(case, (1, 1), signature=removed, expect=422, code="signature_unknown")
    signature = county.signature(case)
    county.inspect(case, (1, 1, "松了"), signature=signature, expect=201)
    assert county.inspect(case, (1, 1), signature=signature, expect=422, code="signature_used")["field"] == "/signature"


def test_the_case_is_the_one_that_was_inspected(county):
    case = county.case()
    tag = county.assessor.get(f"/cases/{case}").etag
    county.manager.post(f"/cases/{case}/relocation", {"region": "640324102", "village": "a", "address": "b"})
    stale = county.inspect(case, (1, 1), match=tag, expect=412, code="stale")
    assert stale["current"]["case_version"] == county.manager.get(f"/cases/{case}")["version"]
    county.inspect(case, (1, 1), match=county.assessor.get(f"/cases/{case}").etag, expect=201)


# --- who may ---


def test_the_inspector_is_neither_the_contractor_nor_who_said_it_was_built(county):
    case = county.case()
    county.inspect(case, (1, 1), by=county.contractor, expect=403, code="role_not_allowed")
    other = county.people.contractor("firm-of-nobody")
    county.inspect(case, (1, 1), by=other, expect=403, code="role_not_allowed")
    for who in (county.people.auditor("640324"), county.people.admin, county.people.centre("centre-accept")):
        county.inspect(case, (1, 1), by=who, expect=403, code="role_not_allowed")
    county.inspect(case, (1, 1), by=county.county, expect=201)
    county.inspect(case, (1, 1), by=county.manager, expect=201)
    reported = county.case(until="building")
    move(county.county, reported, "built", BUILT)  # for a contractor without a phone
    county.inspect(reported, (1, 1), by=county.county, expect=403, code="inspector_not_independent")
    county.inspect(reported, (1, 1), by=county.assessor, expect=201)
    # What counts is who reported it last.
    county.county.post(f"/cases/{reported}/take-back", {})
    move(county.contractor, reported, "built", BUILT)
    county.inspect(reported, (1, 1), by=county.county, expect=201)


def test_a_foreign_case_is_not_there(county):
    case = county.case()
    for who in (county.people.assessor("640324"), county.people.county("630106"), county.people.manager("630000")):
        county.inspect(case, (1, 1), by=who, expect=404, code="not_found")
        assert who.get(f"/cases/{case}/inspections").items == []
    assert county.people.contractor("firm-of-nobody").get(f"/cases/{case}/inspections").items == []


def test_the_contractor_sees_what_is_to_be_mended(county):
    case = county.case()
    signature = county.signature(case)
    county.inspect(case, (1, 1, "坡度太大"), signature=signature)
    (seen,) = county.contractor.get(f"/cases/{case}/inspections").items
    assert seen["items"][0]["fault"] == "坡度太大" and seen["deadline"] == "2023-06-20" and seen["signature"] is None
    assert county.county.get(f"/cases/{case}/inspections").items[0]["signature"] == signature


# --- the gates ---


def test_nothing_is_accepted_without_an_inspection_that_passed(county):
    case = county.case()
    accept(county, case, expect=422, code="inspection_missing")
    move(county.county, case, "rework", ACCEPTED, expect=422, code="inspection_missing")
    county.inspect(case, (1, 1, "松了"))
    assert accept(county, case, expect=422, code="inspection_failed")["field"] == "/to"
    county.inspect(case, (1, 2), signature=None)
    accept(county, case, expect=422, code="signature_missing")
    county.inspect(case, (1, 2), satisfaction=None)
    accept(county, case, expect=422, code="satisfaction_missing")
    signature = county.inspect(case, (1, 2), expect=201)["signature"]
    move(county.county, case, "rework", ACCEPTED, expect=422, code="inspection_passed")
    accept(county, case, "2023-05-24T02:00:00Z", expect=422, code="happened_before_last")
    county.database.sql("UPDATE case_photo SET removed_at = now() WHERE id = %s", signature)
    accept(county, case, expect=422, code="signature_missing")
    county.database.sql("UPDATE case_photo SET removed_at = NULL WHERE id = %s", signature)
    accept(county, case, by=county.contractor, expect=403, code="role_not_allowed")
    accept(county, case, LATER)
    assert county.manager.get(f"/cases/{case}")["accepted_on"] == "2023-05-25"


def test_an_item_that_came_later_is_measured_first(county):
    case = county.case()
    county.inspect(case, (1, 1))
    county.item(case, 2, name="扶手")
    assert accept(county, case, expect=422, code="items_not_measured")["reasons"] == ["2 卫生间 扶手"]
    county.inspect(case, (1, 1), (2, 1))
    accept(county, case)


def test_who_accepts_may_be_another_than_who_inspected(county):
    case = county.case()
    county.inspect(case, (1, 1), by=county.county)
    accept(county, case, by=county.assessor)


def test_a_plan_with_an_open_gate_asks_for_no_inspection(county, database, people):
    county = Acceptance(database, people)
    case = county.case()
    accept(county, case, satisfaction=5)
    other = county.case()
    move(county.county, other, "rework", ACCEPTED)


def test_after_a_rework_it_is_inspected_anew(county):
    case = county.case()
    county.inspect(case, (1, 1, "松了"))
    move(county.assessor, case, "rework", "2023-05-24T02:00:00Z", expect=422, code="happened_before_last")
    move(county.assessor, case, "rework", ACCEPTED)
    move(county.contractor, case, "building", ACCEPTED)
    move(county.contractor, case, "built", ACCEPTED)
    accept(county, case, expect=422, code="inspection_missing")
    move(county.county, case, "rework", ACCEPTED, expect=422, code="inspection_missing")
    county.inspect(case, (1, 1), inspected_at=ACCEPTED)
    accept(county, case)


def test_a_rework_taken_back_leaves_the_inspection_standing(county):
    case = county.case()
    county.inspect(case, (1, 1, "松了"))
    move(county.assessor, case, "rework", ACCEPTED)
    county.assessor.post(f"/cases/{case}/take-back", {})
    accept(county, case, expect=422, code="inspection_failed")
    move(county.assessor, case, "rework", ACCEPTED)


def test_built_once_more_is_inspected_once_more(county):
    """Taken back and reported again: something was not done."""
    case = county.case()
    county.inspect(case, (1, 1))
    county.contractor.post(f"/cases/{case}/take-back", {})
    move(county.contractor, case, "built", LATER)
    accept(county, case, expect=422, code="inspection_missing")


def test_what_leaves_the_stay_alone_leaves_the_inspection_standing(county):
    """The household moves, the visit changes hands, the case rests, an acceptance is taken back."""
    case = county.case()
    county.inspect(case, (1, 1))
    county.manager.post(f"/cases/{case}/relocation", {"region": "640324102", "village": "a", "address": "b"})
    county.manager.patch(f"/cases/{case}", {"assessor": county.people.assessor("640324").user})
    move(county.county, case, "suspended", LATER)
    move(county.county, case, "built", LATER)
    accept(county, case)
    county.county.post(f"/cases/{case}/take-back", {})
    accept(county, case)


def test_a_revoked_acceptance_needs_another_inspection(county):
    case = county.case()
    county.inspect(case, (1, 1))
    accept(county, case)
    move(county.manager, case, "built", "2023-06-05T02:00:00Z")
    accept(county, case, "2023-06-06T02:00:00Z", expect=422, code="inspection_missing")
    county.manager.post(f"/cases/{case}/take-back", {})
    assert county.manager.get(f"/cases/{case}")["accepted_on"] == "2023-06-01"
    move(county.manager, case, "built", "2023-06-05T02:00:00Z")
    county.inspect(case, (1, 1), inspected_at="2023-06-04T02:00:00Z", expect=422, code="happened_before_last")
    county.inspect(case, (1, 1), inspected_at="2023-06-06T02:00:00Z")
    accept(county, case, "2023-06-06T02:00:00Z")


# --- handing out devices is no retrofit ---


@pytest.mark.parametrize("closed", [True, False], ids=["gate closed", "gate open"])
def test_what_is_all_devices_is_not_accepted(county, database, people, closed):
    county = county if closed else Acceptance(database, people)
    case = county.case(("device", "轮椅", 1), ("device", "助行器", 1))
    if closed:
        county.inspect(case, (1, 1), (2, 1))
    assert accept(county, case, expect=422, code="devices_only")["reasons"] == ["1 轮椅", "2 助行器"]
    county.item(case, 3)
    if closed:
        accept(county, case, expect=422, code="items_not_measured")
        county.inspect(case, (1, 1), (2, 1), (3, 1))
    accept(county, case)


def test_a_case_whose_only_retrofit_was_removed_is_all_devices(county):
    case = county.case(("retrofit", "坡道", 1), ("device", "轮椅", 1))
    county.inspect(case, (1, 1), (2, 1))
    county.remove_item(case, 1)
    assert accept(county, case, expect=422, code="devices_only")["reasons"] == ["2 轮椅"]


def test_a_case_without_items_is_not_all_devices(county):
    """Where no design is asked for there may be none: what the inspection says counts."""
    case = county.case(until="building")
    county.remove_item(case, 1)
    move(county.contractor, case, "built", BUILT)
    accept(county, case, expect=422, code="inspection_missing")
    county.inspect(case)
    accept(county, case)


def test_the_step(county):
    case = county.case(("retrofit", "坡道", 1.5), ("device", "轮椅", 1))
    failed = step_inspection.do(county.team, case, faults={1: "松了"}, inspected_at=LATER)
    assert failed["result"] == "rework" and failed["deadline"] == "2023-06-08" and failed["signature"] is None
    passed = step_inspection.do(county.team, case, measured={2: 0}, inspected_at=LATER)
    assert [item["measured"] for item in passed["items"]] == [1.5, 0]
    accept(county, case)
