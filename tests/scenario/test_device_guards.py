# SPDX-License-Identifier: Apache-2.0
"""What is held of an item's life whoever writes: everything here is SQL as tantu_app, in the scope of a centre, another one, two counties,
the manager, the auditor, and nobody. Each test undoes what it did. Who may, and columns: test_device_guards_whom.py."""
import pytest
from device_sql import A, B, PERMISSION, PLAN, RULE, TONGXIN, Session, s, world  # noqa: F401

STATES = ["in_stock", "reserved", "lent", "fitted", "returned", "donated", "disinfecting", "inspecting", "repairing", "recycled", "lost",
          "lost_by_holder", "recalled", "on_its_way"]
ACTIONS = ["take_in", "reserve", "release", "issue", "keep", "return", "unreturn", "lose", "find", "disinfect", "disinfected", "soil", "pass",
           "repair", "mended", "inspect", "recycle", "recall", "lift", "send", "receive", "unsend", "", "fitted", "in_stock"]
# What an event by itself may do, without any proof behind it, by a centre and with a reason.
BARE = {("reserved", "release"): "in_stock", ("in_stock", "inspect"): "inspecting", ("recalled", "inspect"): "inspecting",
        ("disinfecting", "soil"): "returned", ("lost", "find"): "returned", ("lost_by_holder", "find"): "returned",
        **{(state, "lose"): "lost" for state in ("in_stock", "returned", "donated", "disinfecting", "inspecting", "repairing", "recalled", "on_its_way")}}


def holders(s, item):
    return s.one("SELECT count(*) FROM handover WHERE item_id = %s AND ended IS NULL", item)


# --- no event but with what lies behind it ---


@pytest.mark.parametrize("state", STATES)
def test_an_event_alone_does_no_more_than_it_may(s, state):
    item, handover = s.reach(state)
    before = s.item(item)
    for action in ACTIONS:
        for reference in (None, 1):
            s("SAVEPOINT each")
            if (state, action) in BARE:
                s.event(item, action, reference, "x", handover)
                assert s.item(item)["state"] == BARE[state, action], action
                assert s.item(item)["version"] == before["version"] + 1
            else:
                s.fails(RULE, s.event, item, action, reference, "x", handover)
                assert s.item(item) == before, action
            s("ROLLBACK TO each")


@pytest.mark.parametrize("state, action", BARE)
def test_a_loss_or_a_find_has_its_reason(s, state, action):
    item, _ = s.reach(state)
    if action in ("lose", "find", "soil"):
        for note in ("", "  ", "\n\t"):
            s.fails(RULE, s.event, item, action, None, note, says="note_required")


@pytest.mark.parametrize("state", STATES)
def test_only_what_is_in_stock_is_handed_out(s, state):
    """By every kind of hand-over; what is reserved, to whom it is reserved for."""
    item, _ = s.reach(state)
    fitting, rental = s.request("fitting"), s.request("rental")
    ways = [("loan", None), ("fitting", fitting), ("rental", rental), ("trial", fitting), ("trial", rental)]
    for kind, request in ways:
        if state == "in_stock":
            assert isinstance(s.attempt(s.hand_over, item, kind, request), int)
        else:
            s.fails(RULE, s.hand_over, item, kind, request)
    s.fails(RULE, s.event, item, "reserve", fitting) if state != "in_stock" else s.event(item, "reserve", fitting)
    own = s.item(item)["request_id"]
    assert (state in ("in_stock", "reserved")) == bool(own)
    if own:
        s.hand_over(item, "fitting", own)
        assert s.item(item)["state"] == "fitted" and holders(s, item) == 1


def test_one_holder(s):
    item, _ = s.reach("lent")
    s.fails(RULE, s.hand_over, item, says="device_out")
    s.fails(RULE, s.hand_over, item, "fitting", s.request(), says="device_out")
    assert holders(s, item) == 1


def test_the_database_itself_knows_one_holder_and_a_clean_item(world):
    """Below all triggers, as the superuser: what a mistake in them would come up against."""
    session = Session(world)
    try:
        item, dirty = session.take_in(), session.take_in()
        handover = session.hand_over(item)
        session.end(session.hand_over(dirty))
        session.connection.commit()
    finally:
        session.close()
    with world.database.connect("super") as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for state, bad in (("23505", "INSERT INTO handover (plan_region, id, kind, item_id, borrower, centre_id, region, happened_at, due_at) "
                            f"SELECT plan_region, 1, 'loan', item_id, 'x', centre_id, region, happened_at, due_at FROM handover WHERE id = {handover}"),
                           ("23514", f"UPDATE device_item SET state = 'in_stock' WHERE id = {dirty}"),
                           ("23514", f"UPDATE device_item SET state = 'in_stock', disinfected_v = returned_v + 2, inspected_v = returned_v + 1 WHERE id = {dirty}"),
                           ("23514", f"UPDATE device_item SET state = 'in_stock', inspected_v = returned_v + 1 WHERE id = {dirty}"),
                           ("23514", f"UPDATE device_item SET state = 'lent', handover_id = {handover} WHERE id = {dirty}"),
                           ("23514", f"UPDATE device_item SET handover_id = NULL WHERE id = {item}"),
                           ("23514", f"UPDATE device_item SET transfer_id = 1, bound_for = centre_id WHERE id = {item}")):
            with pytest.raises(Exception) as refused:
                cursor.execute(bad)
            assert refused.value.pgcode == state, (bad, refused.value)
            connection.rollback()
            cursor.execute("SET session_replication_role = replica")
        connection.rollback()


# --- a disinfection, and then an inspection, since it last came back ---


def test_from_returned_into_stock_there_is_one_way(s):
    item, _ = s.reach("returned")
    s.fails(RULE, s.inspection, item, says="device_state")  # not inspected before it is disinfected
    s.fails(RULE, s.event, item, "pass", 1)
    s.disinfect(item)
    s.fails(RULE, s.event, item, "pass", None, says="device_unproved")
    s.event(item, "pass", s.inspection(item))
    seen = s.item(item)
    assert seen["state"] == "in_stock" and seen["returned_v"] < seen["disinfected_v"] < seen["inspected_v"] == seen["version"]
    assert s.hand_over(item)


def test_an_inspection_says_nothing_of_a_later_item(s):
    item, _ = s.reach("inspecting")
    old = s.inspection(item)
    s.event(item, "pass", old)
    s.fails(RULE, s.event, item, "pass", old)
    s.event(item, "inspect")
    s.fails(RULE, s.event, item, "pass", old, says="device_unproved")
    failed = s.inspection(item, "repair")
    s.fails(RULE, s.event, item, "pass", failed, says="device_unproved")
    s("UPDATE device_item SET shelf = 'B2' WHERE id = %s", item)  # even what seems harmless
    s.fails(RULE, s.event, item, "pass", old, says="device_unproved")


def test_an_inspection_is_of_the_item_as_it_is_whatever_is_written(s):
    """Not of a version to come, of another centre, or by somebody else; not before the disinfection, not tomorrow."""
    item, _ = s.reach("inspecting")
    number = s.fact("inspection", item, item_version=999, checklist="[]", grade="A", result="pass", happened_at="now()")
    assert s("SELECT item_version, centre_id, region, account_id FROM device_inspection WHERE id = %s", number) == [
        (s.item(item)["version"], s.world.centres["a"], A, s.world.accounts["a"])]
    s.fails(RULE, lambda: s.inspection(item, happened_at="tomorrow"), says="happened_in_future")
    s.fails(RULE, lambda: s.inspection(item, happened_at="2020-01-01"), says="happened_before_last")
    for name, value in (("plan_region", 1), ("created_at", "now()")):
        s.fails(PERMISSION, f"UPDATE device_inspection SET {name} = {value}")


@pytest.mark.parametrize("state", [state for state in STATES if state != "inspecting"])
def test_no_inspection_beforehand(s, state):
    item, _ = s.reach(state)
    s.fails(RULE, s.inspection, item)


def test_the_proof_is_the_items_own(s):
    one, other = s.reach("inspecting")[0], s.reach("inspecting")[0]
    s.fails(RULE, s.event, one, "pass", s.inspection(other), says="device_unproved")
    repair = s.repair(other)
    s.fails(RULE, s.event, one, "repair", repair, says="device_unproved")
    recycling = s.recycling(other)
    s.fails(RULE, s.event, one, "recycle", recycling, says="device_unproved")
    # A number of another table is no proof either: all facts count from one sequence.
    s.fails(RULE, s.event, one, "pass", repair, says="device_unproved")
    s.fails(RULE, s.event, one, "recycle", repair, says="device_unproved")


def test_a_disinfection_is_the_batch_it_is_in(s):
    item, _ = s.reach("returned")
    batch, other = s.batch(), s.batch()
    s.event(item, "disinfect", batch)
    s.fails(RULE, s.event, item, "disinfected", batch, says="device_unproved")  # not over
    s.over(batch), s.over(other)
    s.fails(RULE, s.event, item, "disinfected", other, says="device_unproved")
    s.event(item, "soil", note="断电")
    assert s.item(item)["state"] == "returned"
    s.event(item, "disinfect", third := s.batch())
    s.over(third)
    s.fails(RULE, s.event, item, "disinfected", batch, says="device_unproved")  # the one that was not done
    s.event(item, "disinfected", third)


def test_a_disinfection_that_was_over_is_not_used_again(world):
    """What is written in one go may be over already; an old batch takes no new item."""
    session = Session(world)
    try:
        item = session.take_in("donated")
        batch = session.disinfect(item)
        session.event(item, "pass", session.inspection(item))
        handover = session.hand_over(item)
        session.end(handover)
        session.connection.commit()
        session.be("a")
        session.fails(RULE, session.event, item, "disinfect", batch, says="device_unproved")
        session.fails(RULE, "UPDATE device_disinfection SET ended_at = NULL WHERE id = %s", batch)
        session.fails(RULE, "UPDATE device_disinfection SET ended_at = now() - interval '1 day' WHERE id = %s", batch)
        at_once = session.batch(ended_at="now()")
        session.event(item, "disinfect", at_once)
        session.event(item, "disinfected", at_once)
    finally:
        session.close()


def test_a_disinfection_is_of_the_items_centre(s):
    item, _ = s.reach("returned")
    s.fails(PERMISSION, s.batch, "b")  # nobody writes for another centre
    foreign = s.be("b").batch("b")
    s.be("manager").fails(RULE, s.event, item, "disinfect", foreign, says="device_unproved")
    s.be("a").fails(RULE, s.event, item, "disinfect", foreign, says="device_unproved")
    # Its place and its author are not what is written.
    batch = s.fact("disinfection", method="x", agent="x", began_at="now()")
    s("UPDATE device_disinfection SET note = 'x' WHERE id = %s", batch)
    assert s("SELECT plan_region, region, account_id, version FROM device_disinfection WHERE id = %s", batch) == [(PLAN, A, s.world.accounts["a"], 2)]


def test_a_disinfection_of_tomorrow_is_none(s):
    for columns in ({"ended_at": "tomorrow"}, ):
        s.fails(RULE, lambda: s.batch(**columns), says="happened_in_future")
    s.fails(RULE, lambda: s.fact("disinfection", method="x", agent="x", began_at="tomorrow"), says="happened_in_future")
    batch = s.batch()
    s.fails(RULE, "UPDATE device_disinfection SET ended_at = 'tomorrow' WHERE id = %s", batch)
    s.fails("23514", "UPDATE device_disinfection SET ended_at = '2020-01-01' WHERE id = %s", batch)


def test_a_repair_in_between_is_inspected_again(s):
    item, _ = s.reach("inspecting")
    s.clean_version = s.inspection(item)
    s.event(item, "repair", repair := s.repair(item))
    s.fails(RULE, s.event, item, "mended", repair, says="device_unproved")
    s.mended(repair)
    s.event(item, "mended", repair)
    assert s.item(item)["state"] == "inspecting"
    s.fails(RULE, s.event, item, "pass", s.clean_version, says="device_unproved")
    s.event(item, "pass", s.inspection(item))
    # The same repair is not the next one's proof, nor begun again, nor ended otherwise.
    s.fails(RULE, s.event, item, "repair", repair, says="device_unproved")
    s.event(item, "repair", second := s.repair(item))
    s.fails(RULE, s.event, item, "mended", repair, says="device_unproved")
    s.fails(RULE, "UPDATE device_repair SET ended_at = NULL, outcome = NULL WHERE id = %s", repair)
    s.fails(RULE, "UPDATE device_repair SET outcome = 'beyond_repair' WHERE id = %s", repair)
    s.mended(second, "beyond_repair")
    s.fails(RULE, s.event, item, "mended", second, says="device_unproved")
    s.event(item, "recycle", s.recycling(item))


def test_a_repair_that_runs_goes_with_the_item(s):
    """Else the other centre could neither end it nor begin one of its own: one runs at a time."""
    item, _ = s.reach("repairing")
    repair = s.one("SELECT id FROM device_repair WHERE item_id = %s", item)
    s.event(item, "lose", note="x")
    s.event(item, "find", note="x")
    transfer = s.transfer()
    s.event(item, "send", transfer)
    s.be("b").event(item, "receive", transfer)
    assert s.mended(repair, "beyond_repair") == 1
    s.be("a")
    assert s.one("SELECT count(*) FROM device_repair WHERE id = %s", repair) == 0


def test_a_loss_and_what_is_found_go_through_the_loop(s):
    for state in ("in_stock", "disinfecting", "inspecting", "repairing"):
        item, _ = s.reach(state)
        s.event(item, "lose", note="盘点")
        s.event(item, "find", note="找到")
        seen = s.item(item)
        assert seen["state"] == "returned" and seen["returned_v"] == seen["version"], state
        s.fails(RULE, s.event, item, "pass", None)
        s.clean(item)
        assert s.item(item)["state"] == "in_stock"


def test_what_its_holder_lost_comes_back_by_that_handover_only(s):
    item, first = s.reach("lent")
    s.end(first)
    s.clean(item)
    second = s.hand_over(item)
    s.end(second, "lost")
    s.fails(RULE, s.event, item, "return", handover=first, says="device_unproved")
    s.fails(RULE, s.event, item, "return", handover=second, says="device_unproved")  # it has not come back
    s.end(second)
    assert s.item(item)["state"] == "returned"
    s.clean(item)
    s.event(item, "lose", note="盘点")
    for handover in (first, second):
        s.fails(RULE, s.event, item, "return", handover=handover, says="device_unproved")
    s.event(item, "find", note="找到")
    s.clean(item)
    third = s.hand_over(item)
    s.end(third, "lost")
    s.fails(RULE, s.end, first, "lost")
    s.fails(RULE, s.end, second, "lost")


def test_an_earlier_holder_does_not_bring_back_what_a_later_one_lost(s):
    item, first = s.reach("lost_by_holder")
    s.event(item, "find", note="x")
    s.clean(item)
    second = s.hand_over(item)
    s.end(second, "lost")
    s.fails(RULE, s.end, first, "returned", says="device_unproved")
    s.end(second, "returned")
    assert s.item(item)["state"] == "returned"


def test_donated_items_enter_the_loop(s):
    item = s.take_in("donated", returned_v=0, disinfected_v=5, inspected_v=9, state="in_stock", version=77)
    assert {name: s.item(item)[name] for name in ("state", "version", "returned_v", "disinfected_v", "inspected_v")} == {
        "state": "returned", "version": 1, "returned_v": 1, "disinfected_v": 0, "inspected_v": 0}
    s.fails(RULE, s.hand_over, item, says="device_not_ready")
    s.clean(item)
    assert s.hand_over(item)


def test_a_transfer_in_between_is_no_way_around(s):
    dirty, _ = s.reach("returned")
    looked_at, _ = s.reach("inspecting")
    old = s.inspection(looked_at)
    transfer = s.transfer()
    for item in (dirty, looked_at):
        s.event(item, "send", transfer)
        s.fails(RULE, s.event, item, "pass", old, says="device_on_its_way")
        s.fails(RULE, s.inspection, item, says="device_on_its_way")
        s.fails(RULE, s.event, item, "disinfect", 1, says="device_on_its_way")
    s.be("b")
    for item in (dirty, looked_at):
        s.event(item, "receive", transfer)
        s.fails(RULE, s.hand_over, item, says="device_not_ready")
    s.fails(RULE, s.event, looked_at, "pass", old, says="device_unproved")


def test_a_scan_by_mistake_is_taken_back_at_once_and_by_who_made_it(s):
    item, handover = s.reach("lent")
    s.end(handover)
    undo = "UPDATE handover SET ended = NULL WHERE id = %s"
    s.be("county").fails(RULE, undo, handover, says="device_unproved")
    s.be("a")(undo, handover)
    seen = s.item(item)
    assert (seen["state"], seen["handover_id"], seen["returned_v"]) == ("lent", handover, 0) and holders(s, item) == 1
    s.end(handover)
    s.disinfect(item)
    s.fails(RULE, undo, handover, says="device_state")
    s.event(item, "pass", s.inspection(item))
    s.fails(RULE, undo, handover, says="device_state")
    second = s.hand_over(item)
    s.fails("23505", undo, handover)  # somebody else has it
    s.end(second)
    s(undo, second)
    seen = s.item(item)
    assert seen["returned_v"] < seen["disinfected_v"] < seen["inspected_v"] and seen["state"] == "lent"
    s.end(second)
    s.fails(RULE, s.hand_over, item, says="device_not_ready")
    s.fails(RULE, s.event, item, "pass", 1)


# --- recalls ---


@pytest.mark.parametrize("state", STATES)
def test_a_recall_catches_an_item_in_every_state(s, state):
    item, handover = s.reach(state)
    if state == "recalled":
        return
    before = s.item(item)
    recall = s.recalled(item)
    after, row = s.item(item), s("SELECT recall_id, found_with, resolved_at FROM device_recall_item WHERE item_id = %s", item)
    if state == "recycled":
        assert after == before and not row
        return
    assert row == [(recall, before["handover_id"], None)]
    assert after["recall_id"] == recall and after["version"] == before["version"] + 1
    assert after["state"] == ("recalled" if state in ("in_stock", "reserved", "on_its_way") else before["state"])
    assert after["handover_id"] == before["handover_id"] and after["transfer_id"] == before["transfer_id"]
    for kind, request in (("loan", None), ("fitting", s.request())):
        s.fails(RULE, s.hand_over, item, kind, request)


def test_what_is_recalled_goes_through_the_loop_but_not_into_stock(s):
    item, handover = s.reach("lent")
    recall = s.recalled(item)
    s.end(handover)
    s.clean(item)
    assert s.item(item)["state"] == "recalled"
    s.fails(RULE, s.hand_over, item, says="device_recalled")
    s.be("county").fails(RULE, s.event, item, "lift", recall, says="device_unproved")
    s.be("a").fails(RULE, s.event, item, "lift", recall, says="role_not_allowed")
    s.event(item, "inspect")
    s.event(item, "pass", s.inspection(item))
    assert s.item(item)["state"] == "recalled"
    s("UPDATE device_recall_item SET resolved_at = now(), resolution = 'harmless' WHERE item_id = %s", item)
    s.fails(RULE, "UPDATE device_recall_item SET resolved_at = NULL, resolution = NULL WHERE item_id = %s", item)
    s.be("county").event(item, "lift", recall)
    assert s.item(item)["state"] == "inspecting"
    s.be("a").fails(RULE, s.hand_over, item, says="device_not_ready")
    s.event(item, "pass", s.inspection(item))
    assert s.hand_over(item)


def test_a_trial_of_a_recalled_item_is_not_kept(s):
    item = s.take_in()
    request = s.request()
    trial = s.hand_over(item, "trial", request)
    s.recalled(item)
    s.fails(RULE, "UPDATE handover SET kind = 'fitting' WHERE id = %s", trial, says="device_recalled")


def test_what_is_taken_in_later_is_recalled_too(s):
    s.be("manager").recall("guard-aid", batch="bad")
    s.be("a")
    bad, good, other = (s.take_in(model=model, batch=batch) for model, batch in (("guard-aid", "bad"), ("guard-aid", "good"), ("guard-chair", "bad")))
    assert [s.item(item)["state"] for item in (bad, good, other)] == ["recalled", "in_stock", "in_stock"]
    donated = s.take_in("donated", "guard-aid", batch="bad")
    assert s.item(donated)["recall_id"] and s.item(donated)["state"] == "returned"


def test_a_second_recall_holds_when_the_first_is_lifted(s):
    item = s.take_in()
    first, second = s.recalled(item), s.recalled(item)
    assert {row[0] for row in s("SELECT recall_id FROM device_recall_item WHERE item_id = %s", item)} == {first, second}
    for recall in (first, second):
        assert s.item(item)["recall_id"] == recall
        s.be("a").fails(RULE, s.hand_over, item)
        s("UPDATE device_recall_item SET resolved_at = now(), resolution = 'repaired' WHERE item_id = %s AND recall_id = %s", item, recall)
        s.be("manager").event(item, "lift", recall)
    s.be("a").event(item, "pass", s.inspection(item))
    assert s.item(item)["state"] == "in_stock"


def test_what_arrives_where_a_recall_is_open_is_recalled(s):
    """A recall of one county, and an item that was in another; what was recalled there goes on being so."""
    item, with_row = s.take_in(), s.take_in()
    s.be("other").recall("guard-chair", B, B + 999)
    assert s.be("a").item(item)["state"] == "in_stock"
    here = s.recalled(with_row)
    transfer = s.transfer()
    s.event(item, "send", transfer), s.event(with_row, "send", transfer)
    s.be("b").event(item, "receive", transfer), s.event(with_row, "receive", transfer)
    assert s.item(item)["recall_id"] and s.item(item)["state"] == "recalled"
    s.fails(RULE, s.hand_over, item)
    assert s.item(with_row)["recall_id"] == here
    assert s("SELECT centre_id, region FROM device_recall_item WHERE item_id = %s AND recall_id = %s", with_row, here) == [(s.world.centres["b"], B)]


def test_nobody_recalls_what_no_recall_means(s):
    """Neither by a row of his own making nor by a recall that is made up."""
    item = s.take_in()
    recall = s.be("manager").recall("guard-aid")
    s.be("far").fails(PERMISSION, s.recall)
    s.be("a").fails(PERMISSION, s.recall)
    s.be("county").fails(PERMISSION, s.recall)  # beyond its county
    for who in ("a", "far", "county"):
        s.be(who).fails(PERMISSION, f"INSERT INTO device_recall_item (plan_region, item_id, recall_id, centre_id, region) "
                        f"VALUES ({PLAN}, %s, %s, %s, {A})", item, recall, s.world.centres["a"])
        made_up = f"SELECT device_recalled(ROW({recall}, {PLAN}, {PLAN + 99999}, 'guard-chair', NULL, NULL, NULL, 'x', '2030-01-01', 1, now(), NULL, NULL, 1), {PLAN}, %s)"
        assert s.one(made_up, item) is False
    assert s.be("a").item(item)["recall_id"] is None


def test_a_recall_that_has_ended_stays_so(s):
    recall = s.be("manager").recall("guard-aid", ended_at="now()", version=9)
    assert s("SELECT ended_at, version FROM device_recall WHERE id = %s", recall) == [(None, 1)]
    s("UPDATE device_recall SET ended_at = now(), ended_note = 'x' WHERE id = %s", recall)
    s.fails(RULE, "UPDATE device_recall SET ended_at = NULL WHERE id = %s", recall)
    s.fails(PERMISSION, "UPDATE device_recall SET model = 'guard-chair' WHERE id = %s", recall)


def test_serials_compare_as_numbers(s):
    items = {serial: s.take_in(model="guard-aid", serial=serial) for serial in ("SN8", "SN9", "SN10", "SN11", "SN100")}
    s.be("manager").recall("guard-aid", serial_from="SN9", serial_to="SN10")
    assert {serial for serial, item in items.items() if s.item(item)["state"] == "recalled"} == {"SN9", "SN10"}


# --- on its way ---


def test_what_is_on_its_way_is_received_or_called_back(s):
    item, _ = s.reach("on_its_way")
    transfer = s.item(item)["transfer_id"]
    s.fails(RULE, s.hand_over, item, says="device_on_its_way")
    s.fails(RULE, s.event, item, "reserve", s.request(), says="device_on_its_way")
    s.fails(RULE, s.event, item, "receive", transfer, says="device_unproved")  # by the centre that it goes to
    s.be("b").fails(RULE, s.event, item, "unsend", transfer, says="device_unproved")  # by the centre that it came from
    s.fails(RULE, s.event, item, "lose", None, "x", says="device_on_its_way")
    s.fails(RULE, s.hand_over, item)
    s.be("a").event(item, "unsend", transfer)
    assert s.item(item)["state"] == "in_stock" and s.item(item)["transfer_id"] is None
    s.fails(RULE, s.event, item, "receive", transfer, says="device_not_on_its_way")
    transfer = s.transfer()
    s.event(item, "send", transfer)
    s.be("b").event(item, "receive", transfer)
    assert s.item(item)["centre_id"] == s.world.centres["b"] and s.item(item)["region"] == B
    assert s.hand_over(item)
    assert s.be("a").item(item) is None


def test_a_transfer_is_written_by_who_sends_and_within_a_plan(s):
    item = s.take_in()
    s.be("b").fails(PERMISSION, s.transfer)
    s.be("other").fails(PERMISSION, s.transfer)
    s.be("a").fails(RULE, s.transfer, "a", "far")
    s.fails(RULE, lambda: s.one("INSERT INTO device_transfer (plan_region, id, from_centre, to_centre, from_region, to_region, sent_at, account_id) "
                                f"VALUES ({PLAN}, 1, %s, %s, {A}, {A}, 'tomorrow', 1) RETURNING id", s.world.centres["a"], s.world.centres["b"]))
    transfer = s.one("INSERT INTO device_transfer (plan_region, id, from_centre, to_centre, from_region, to_region, sent_at, account_id) "
                     f"VALUES ({TONGXIN}, 1, %s, %s, {TONGXIN}, {TONGXIN}, now(), 1) RETURNING id", s.world.centres["a"], s.world.centres["b"])
    assert s("SELECT plan_region, from_region, to_region, account_id FROM device_transfer WHERE id = %s", transfer) == [(PLAN, A, B, s.world.accounts["a"])]
    s.be("manager")
    back = s.transfer("b", "a")
    s.fails(RULE, s.event, item, "send", back, says="device_unproved")
