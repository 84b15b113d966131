# SPDX-License-Identifier: Apache-2.0
"""Who does what to whose devices, for whom, and what nobody says but the database: SQL as tantu_app, as in test_device_guards.py."""
import itertools

import pytest
from device_sql import A, B, PERMISSION, PLAN, RULE, SCOPES, TONGXIN, s, world  # noqa: F401

# --- who, and for whom ---


@pytest.mark.parametrize("who", [who for who in SCOPES if who not in ("a", "county", "manager")] + ["nobody"])
def test_others_do_nothing_to_a_centres_items(s, who):
    items = {state: s.reach(state) for state in ("in_stock", "reserved", "lent", "returned", "lost")}
    request = s.request()
    reserved = s.one("SELECT request_id FROM device_item WHERE id = %s", items["reserved"][0])
    s.be(who)
    for state, action, reference in (("in_stock", "lose", None), ("reserved", "release", None), ("lost", "find", None), ("in_stock", "reserve", request)):
        verdict = s.attempt(s.event, items[state][0], action, reference, "x")
        assert verdict[0] in (RULE, PERMISSION), (state, action, verdict)
    for kind, given in (("loan", None), ("fitting", request)):
        person = s.world.needs["manual_wheelchair"][0][0]
        assert s.attempt(s.hand_over, items["in_stock"][0], kind, given, person)[0] in (RULE, PERMISSION)
    assert s.attempt(s.hand_over, items["reserved"][0], "fitting", reserved, 1)[0] in (RULE, PERMISSION)
    for change in ("ended = 'returned'", "ended = 'lost'", "note = 'x'", "due_at = now() + interval '1 year'"):
        found = s.attempt(f"UPDATE handover SET {change} WHERE id = %s", items["lent"][1])
        assert found == 0 or found[0] in (RULE, PERMISSION), (change, found)
    for table, column in (("device_item", "shelf"), ("device_request", "note"), ("device_recall_item", "note")):
        found = s.attempt(f"UPDATE {table} SET {column} = 'x'")
        assert found == 0 or found[0] in (RULE, PERMISSION), (table, found)
    assert s.attempt(s.take_in)[0] in (RULE, PERMISSION)
    for make in (lambda: s.repair(items["in_stock"][0]), lambda: s.recycling(items["in_stock"][0]), s.batch, s.transfer):
        found = s.attempt(make) if who in s.world.accounts else (PERMISSION,)
        assert found[0] in (RULE, PERMISSION), found
    if who != "auditor":
        for table in ("device_item", "device_event", "handover", "device_request"):
            assert s.one(f"SELECT count(*) FROM {table}") == 0, table


def test_no_foreign_row_stands_in_the_way_of_a_centre(s):
    """A repair, or a certificate, that another centre writes about an item would keep its own from doing so."""
    item = s.take_in()
    s.be("b")
    for make in (lambda: s.repair(item), lambda: s.recycling(item), lambda: s.inspection(item)):
        assert s.attempt(make)[0] in (RULE, PERMISSION)
    s.be("a").event(item, "repair", s.repair(item))


def test_a_request_is_dealt_with_by_its_centre(s):
    item = s.take_in()
    s.be("b")
    foreign = s.request(centre="b")
    person = s.one("SELECT person_id FROM device_request WHERE id = %s", foreign)
    for who in ("a", "county", "manager"):
        s.be(who).fails(RULE, s.event, item, "reserve", foreign, says="device_unproved")
        s.fails(RULE, s.hand_over, item, "fitting", foreign, person, says="request_elsewhere")


def test_a_county_does_nothing_with_items_of_another(s):
    """Also not for somebody of its own, whose request a centre over there deals with."""
    item = s.be("b").take_in(centre="b")
    request = s.request(centre="b", region=A)
    person = s.one("SELECT person_id FROM device_request WHERE id = %s", request)
    s.be("county")
    assert s.one("SELECT count(*) FROM device_request WHERE id = %s", request) == 1
    s.fails(RULE, s.hand_over, item, "fitting", request, person)
    s.be("b")
    handover = s.hand_over(item, "fitting", request)
    s.be("county").fails(RULE, s.end, handover)
    s.be("b").end(handover)


def test_a_hand_over_is_to_whom_asked_for_it(s):
    item, request, rental = s.take_in(), s.request(), s.request("rental")
    other = s.one("SELECT person_id FROM device_request WHERE id = %s", rental)
    s.fails(RULE, s.hand_over, item, "fitting", request, other, says="request_of_another")
    s.fails(RULE, s.hand_over, item, "rental", request, says="assessed_otherwise")
    s.fails(RULE, s.hand_over, item, "fitting", rental, says="assessed_otherwise")
    s.fails(RULE, s.hand_over, item, "fitting", None, other, says="request_unknown")
    s.fails(RULE, s.hand_over, item, "fitting", s.request(state="waiting"), says="request_not_assessed")
    s.fails(RULE, s.hand_over, s.take_in(model="guard-aid"), "fitting", request, says="device_kind_differs")
    s.fails("23514", s.hand_over, item, "loan", request)  # a loan is not for a request
    s.hand_over(item, "fitting", request)
    s.fails(RULE, s.hand_over, s.take_in(), "fitting", request, says="request_not_assessed")
    s.fails(RULE, s.event, s.take_in(), "reserve", request, says="device_unproved")


def test_what_was_granted_is_not_granted_again(s):
    item, request = s.take_in(), s.request()
    handover = s.hand_over(item, "fitting", request)
    for state, kind in (("assessed", "fitting"), ("waiting", None), ("cancelled", None)):
        for _ in range(2):
            s.fails(RULE, "UPDATE device_request SET state = %s, assessed_for = %s WHERE id = %s", state, kind, request)
    ungranted = s.request()
    s.fails(RULE, "UPDATE device_request SET state = 'fulfilled' WHERE id = %s", ungranted)
    s.hand_over(s.take_in(), "trial", ungranted)  # which grants nothing
    s.fails(RULE, "UPDATE device_request SET state = 'fulfilled' WHERE id = %s", ungranted)


def test_a_fitting_of_the_same_day_is_undone_but_not_made_twice(s):
    """Its request is free again; what was given for it meanwhile stands in the way of taking the return back."""
    first, second, request = s.take_in(), s.take_in(), s.request()
    handover = s.hand_over(first, "fitting", request)
    s.end(handover)
    state = "SELECT state FROM device_request WHERE id = %s"
    assert s.one(state, request) == "assessed"
    s("UPDATE handover SET ended = NULL WHERE id = %s", handover)
    assert s.one(state, request) == "fulfilled"
    s.end(handover)
    s.hand_over(second, "fitting", request)
    s.fails(RULE, "UPDATE handover SET ended = NULL WHERE id = %s", handover, says="request_not_assessed")
    assert s.one("SELECT count(*) FROM handover WHERE request_id = %s AND ended IS NULL", request) == 1


def test_a_request_is_of_the_person_whose_need_it_is(s):
    (one, need, place), (other, _, _) = s.world.needs["manual_wheelchair"][-2:]
    ask = ("INSERT INTO device_request (plan_region, id, plan_id, person_id, need_id, measure, region, centre_id, source, version, score) "
           f"VALUES ({PLAN}, 1, 1, %s, {need}, 'manual_wheelchair', {TONGXIN}, {s.world.centres['a']}, 'walk_in', 9, 99999)")
    s.fails(RULE, ask, other)
    s(ask, one)
    row = "SELECT region, account_id, version, state FROM device_request WHERE id = 1"
    assert s(row) == [(place, s.world.accounts["a"], 1, "waiting")] and s.one("SELECT score FROM device_request WHERE id = 1") < 99999
    s("UPDATE device_request SET note = 'x', version = 99 WHERE id = 1")
    assert s(row)[0][2] == 2


@pytest.mark.parametrize("column, value", [("state", "assessed"), ("assessed_for", "fitting"), ("exception", "x"), ("exception_by", 1)])
def test_a_request_begins_by_waiting(s, column, value):
    s.fails(PERMISSION, f"INSERT INTO device_request (plan_region, {column}) VALUES ({PLAN}, %s)", value)


def test_a_request_is_assessed_by_an_assessment(s):
    request = s.request(state="waiting")
    s.fails(RULE, "UPDATE device_request SET state = 'assessed', assessed_for = 'fitting' WHERE id = %s", request, says="request_not_assessed")
    assessed = s.request("rental")
    s.fails(RULE, "UPDATE device_request SET assessed_for = 'fitting' WHERE id = %s", assessed, says="request_not_assessed")
    s.fails(RULE, "UPDATE device_request SET measure = 'hearing_aid' WHERE id = %s", assessed, says="request_not_assessed")
    s("UPDATE device_assessment SET taken_back_at = now() WHERE request_id = %s", assessed)
    s("UPDATE device_request SET state = 'waiting', assessed_for = NULL WHERE id = %s", assessed)
    s.fails(RULE, "UPDATE device_request SET state = 'assessed', assessed_for = 'rental' WHERE id = %s", assessed, says="request_not_assessed")


# --- columns ---


OWN = {"device_item": {"shelf", "note", "donor", "price", "warranty_until"}, "handover": {"kind", "due_at", "ended", "ended_at", "closed_at", "note"},
       "device_event": set(), "device_inspection": set(), "device_recycling": set(), "device_rule": set(),
       "device_disinfection": {"ended_at", "note", "version"}, "device_transfer": {"note", "version"}}


@pytest.mark.parametrize("table", OWN)
def test_what_the_database_writes_cannot_be_written(s, table):
    columns = {name for name, in s("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", table)}
    assert OWN[table] <= columns
    for column in columns - OWN[table]:
        s.be("manager").fails(PERMISSION, f"UPDATE {table} SET {column} = {column}")
    for column in OWN[table]:
        assert s(f"UPDATE {table} SET {column} = {column}") >= 0
    s.fails(PERMISSION, f"DELETE FROM {table}")
    s.fails(PERMISSION, f"TRUNCATE {table}")


def test_nothing_of_devices_is_deleted(s):
    for table, in s("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^(device_(item|event|request|dis|insp|rep|recy|trans|recall)|handover$)'"):
        s.fails(PERMISSION, f"DELETE FROM {table}")


@pytest.mark.parametrize("column, value", [("version", 9), ("from_state", "lost"), ("to_state", "in_stock"), ("centre_id", 1), ("recorded_at", "now()"),
                                           ("account_id", 1)])
def test_of_an_event_nobody_says_what_the_database_knows(s, column, value):
    item = s.take_in()
    s.fails(PERMISSION, f"INSERT INTO device_event (plan_region, item_id, action, note, {column}) VALUES ({PLAN}, %s, 'lose', 'x', %s)", item, value)


@pytest.mark.parametrize("table", ["device_item", "handover", "device_request", "device_disinfection", "device_inspection", "device_repair",
                                   "device_recycling", "device_transfer", "device_recall"])
def test_nobody_says_when_something_was_written_down(s, table):
    s.fails(PERMISSION, f"INSERT INTO {table} (created_at) VALUES ('2020-01-01')")


def test_an_item_comes_as_it_is(s):
    item = s.take_in(plan_region=TONGXIN, region=TONGXIN, id=1, code="guard-odd", state="fitted", handover_id=1, request_id=1, recall_id=1,
                     transfer_id=1, bound_for=s.world.centres["b"], version=9, inspected_v=9, disinfected_v=8)
    assert s("SELECT plan_region, region, state, handover_id, request_id, recall_id, transfer_id, bound_for, version, returned_v, disinfected_v, inspected_v "
             "FROM device_item WHERE id = %s", item) == [(PLAN, A, "in_stock", None, None, None, None, None, 1, 0, 0, 0)]
    assert item // 10**10 * 1000 == PLAN
    assert s("SELECT action, from_state, to_state, version, account_id FROM device_event WHERE item_id = %s", item) == [
        ("take_in", "", "in_stock", 1, s.world.accounts["a"])]
    s.fails(PERMISSION, lambda: s.take_in(centre="b"))
    s.fails(RULE, lambda: s.take_in(state_at="tomorrow"))
    s.fails("23505", lambda: s.take_in(code="guard-odd"))


def test_a_label_does_not_read_like_another_items_id(s):
    item = s.take_in()
    for code in (item, item + 1000):
        s.fails("23514", lambda: s.take_in(code=str(code)))


def test_a_hand_over_comes_as_it_is(s):
    item, request = s.take_in(), s.request("rental", region=A)
    person = s.one("SELECT person_id FROM device_request WHERE id = %s", request)
    handover = s.one("INSERT INTO handover (plan_region, id, kind, item_id, person_id, request_id, centre_id, region, happened_at, due_at, ended, ended_at, "
                     f"closed_at, account_id, version) VALUES ({PLAN}, 1, 'rental', %s, %s, %s, %s, {B}, now(), now() + interval '1 day', 'returned', "
                     "now(), now(), 1, 9) RETURNING id", item, person, request, s.world.centres["b"])
    assert s("SELECT centre_id, region, ended, ended_at, closed_at, account_id, version FROM handover WHERE id = %s", handover) == [
        (s.world.centres["a"], A, None, None, None, s.world.accounts["a"], 1)]
    assert s.item(item)["handover_id"] == handover and s.item(item)["state"] == "lent"


# --- what becomes of a hand-over ---


def test_a_hand_over_ends_once(s):
    item, handover = s.reach("lent")
    s.fails(RULE, "UPDATE handover SET closed_at = now() WHERE id = %s", handover)
    s.end(handover)
    ended = s("SELECT ended, ended_at, closed_at FROM handover WHERE id = %s", handover)
    s.fails(RULE, s.end, handover, "lost", says="handover_over")
    s.end(handover, at="now() - interval '9 days'")  # said again: it stays as it was
    assert s("SELECT ended, ended_at, closed_at FROM handover WHERE id = %s", handover) == ended and ended[0][2] is None
    events = "SELECT count(*) FROM device_event WHERE item_id = %s AND action = 'return'"
    assert s.one(events, item) == 1
    s.fails(RULE, "UPDATE handover SET due_at = now() + interval '1 year' WHERE id = %s", handover, says="handover_over")
    s.fails(RULE, "UPDATE handover SET closed_at = ended_at - interval '1 day' WHERE id = %s", handover)
    s.fails(RULE, "UPDATE handover SET closed_at = now() + interval '1 day' WHERE id = %s", handover)
    s.fails(RULE, "UPDATE handover SET closed_at = now() WHERE id = %s", handover)  # a rental's contract closes it
    assert s.one(events, item) == 1


def test_a_contract_is_closed_wherever_the_item_is_by_then(s):
    """It may have gone on to another centre: that one does not see the contract, this one not the item."""
    item, handover = s.reach("returned")
    transfer = s.transfer()
    s.event(item, "send", transfer)
    s.be("b").event(item, "receive", transfer)
    assert s("UPDATE handover SET note = 'x' WHERE id = %s", handover) == 0
    assert s.be("a")("UPDATE handover SET note = 'x' WHERE id = %s", handover) == 1


def test_what_is_no_rental_is_closed_when_it_ends(s):
    item = s.take_in()
    loan = s.hand_over(item)
    s.end(loan)
    closed = s.one("SELECT closed_at FROM handover WHERE id = %s", loan)
    for value in ("NULL", "now() - interval '1 year'", "now() + interval '1 year'"):
        s(f"UPDATE handover SET closed_at = {value} WHERE id = %s", loan)
        assert closed and s.one("SELECT closed_at FROM handover WHERE id = %s", loan) == closed


def test_the_kind_of_a_hand_over_stays_but_for_a_trial(s):
    for kind, request in (("loan", None), ("rental", s.request("rental")), ("fitting", s.request())):
        handover = s.hand_over(s.take_in(), kind, request)
        for to in {"loan", "rental", "fitting", "trial"} - {kind}:
            found = s.attempt("UPDATE handover SET kind = %s WHERE id = %s", to, handover)
            assert found[0] in (RULE, "23514"), (kind, to, found)
    request = s.request()
    trial = s.hand_over(item := s.take_in(), "trial", request)
    s.fails(RULE, "UPDATE handover SET kind = 'rental' WHERE id = %s", trial)
    s.fails(RULE, "UPDATE handover SET kind = 'fitting', ended = 'returned' WHERE id = %s", trial, says="handover_over")
    s("UPDATE handover SET kind = 'fitting' WHERE id = %s", trial)
    assert s.item(item)["state"] == "fitted" and s.one("SELECT state FROM device_request WHERE id = %s", request) == "fulfilled"
    s.fails(RULE, "UPDATE handover SET kind = 'trial' WHERE id = %s", trial)
    over = s.hand_over(s.take_in(), "trial", s.request())
    s.end(over)
    s.fails(RULE, "UPDATE handover SET kind = 'fitting' WHERE id = %s", over, says="handover_over")


def test_an_event_does_not_hang_an_item_on_another_hand_over(s):
    item, handover = s.reach("lent")
    other, elsewhere = s.reach("lent")
    recall = s.recalled(item)
    s("UPDATE device_recall_item SET resolved_at = now(), resolution = 'harmless' WHERE item_id = %s", item)
    s.be("manager").event(item, "lift", recall, handover=elsewhere)
    assert s.item(item)["handover_id"] == handover
    assert s("SELECT handover_id, reference FROM device_event WHERE item_id = %s AND action = 'lift'", item) == [(None, recall)]


# --- versions and clocks ---


def test_versions_only_rise_by_one_an_event(s):
    item, handover = s.reach("lent")
    s.end(handover)
    s.clean(item)
    s("UPDATE device_item SET shelf = 'A1' WHERE id = %s", item)
    s.event(item, "lose", note="x")
    versions = [row[0] for row in s("SELECT version FROM device_event WHERE item_id = %s ORDER BY recorded_at, version", item)]
    assert versions == sorted(set(versions)) and versions[-1] == s.item(item)["version"] == len(versions) + 1


def test_clocks_lie_but_not_by_days(s):
    item = s.take_in(state_at="2024-06-01T02:00:00Z")
    s.fails(RULE, lambda: s.hand_over(item, at="timestamptz '2024-05-31T10:00:00Z'"), says="happened_before_last")
    s.fails(RULE, lambda: s.hand_over(item, at="now() + interval '10 minutes'"), says="happened_in_future")
    s.fails(RULE, lambda: s.hand_over(item, at="timestamptz 'infinity'"))
    s.fails(RULE, lambda: s.hand_over(item, at="timestamptz '-infinity'"))
    handover = s.hand_over(item, at="timestamptz '2024-06-01T01:00:00Z'")  # the same day: somebody's clock
    s.fails(RULE, s.end, handover, at="timestamptz '2024-05-31T15:59:00Z'", says="happened_before_last")
    s.fails(RULE, s.end, handover, at="now() + interval '1 hour'", says="happened_in_future")
    s.end(handover, at="timestamptz '2024-06-03T02:00:00Z'")
    s.fails(RULE, s.event, item, "disinfect", s.batch(), at="timestamptz '2024-06-02T02:00:00Z'", says="happened_before_last")
    s.fails(RULE, s.event, item, "lose", None, "x", at="now() + interval '1 day'", says="happened_in_future")


def test_backdating_makes_nothing_clean(s):
    """Versions tell what came after what, not the times that were written."""
    item = s.take_in(state_at="2024-06-01T02:00:00Z")
    handover = s.hand_over(item, at="timestamptz '2024-06-01T02:00:00Z'")
    s.end(handover, at="timestamptz '2024-06-01T02:00:00Z'")
    s.fails(RULE, s.hand_over, item, at="timestamptz '2024-06-01T02:00:00Z'", says="device_not_ready")
    batch = s.batch()
    s.event(item, "disinfect", batch, at="timestamptz '2024-06-01T01:00:00Z'")
    s.over(batch)
    s.event(item, "disinfected", batch, at="timestamptz '2024-06-01T01:00:00Z'")
    s.fails(RULE, s.hand_over, item, at="timestamptz '2024-06-01T01:00:00Z'", says="device_not_ready")
    s.event(item, "pass", s.inspection(item, happened_at="2024-06-01T01:00:00Z"))
    assert s.hand_over(item)


# --- the schema ---


@pytest.mark.parametrize("statement", [
    "ALTER TABLE device_item DISABLE TRIGGER ALL", "ALTER TABLE handover DISABLE TRIGGER came", "DROP TRIGGER happens ON device_event",
    "DROP INDEX handover_holder", "ALTER TABLE device_item DROP CONSTRAINT device_item_check", "ALTER TABLE device_item NO FORCE ROW LEVEL SECURITY",
    "CREATE OR REPLACE FUNCTION device_proved(i device_item, action text, proof text, reference bigint, h handover) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "INSERT INTO device_rule VALUES ('issue', 'lost', 'lent', '', '{centre}', false)", "UPDATE device_rule SET proof = ''", "DELETE FROM device_rule",
    "CREATE TEMP TABLE device_item (a int)", "SET session_replication_role = replica"])
def test_the_rules_are_not_the_applications(s, statement):
    for who in ("a", "manager", "admin"):
        found = s.be(who).attempt(statement)
        assert found[0] in (PERMISSION, "0A000"), found


@pytest.mark.parametrize("function", ["device_item_comes", "device_event_happens", "handover_comes", "handover_changed", "device_recall_came"])
def test_a_trigger_is_nothing_to_be_called(s, function):
    found = s.attempt(f"SELECT {function}()")
    assert found[0] == "0A000", found


def test_a_table_of_ones_own_does_not_stand_before_the_real_one(s):
    """Functions with the owner's rights look into our schema first."""
    for name, config in s("SELECT proname, proconfig FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"):
        assert config and any(setting.startswith("search_path=public") for setting in config), name


def test_every_combination_of_lies_about_a_hand_over(s):
    """Each wrong thing at once with each other: none makes another right."""
    items = {state: s.reach(state)[0] for state in ("in_stock", "lent", "returned", "recalled", "on_its_way")}
    fitting = s.request()
    person = s.one("SELECT person_id FROM device_request WHERE id = %s", fitting)
    for (state, item), kind, request, whom, at in itertools.product(items.items(), ("fitting", "rental", "trial", "loan"), (None, fitting), (None, person),
                                                                    ("now()", "now() + interval '1 day'")):
        found = s.attempt(lambda: s.one(
            "INSERT INTO handover (plan_region, id, kind, item_id, person_id, borrower, request_id, happened_at, due_at) "
            f"VALUES ({PLAN}, 1, %s, %s, %s, 'x', %s, {at}, {at} + interval '1 hour') RETURNING id", kind, item, whom, request))
        right = state == "in_stock" and at == "now()" and (kind == "loan" and not request or kind in ("fitting", "trial") and request and whom)
        assert (found == 1) is bool(right), (state, kind, request, whom, at, found)
