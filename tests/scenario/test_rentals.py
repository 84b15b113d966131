# SPDX-License-Identifier: Apache-2.0
"""Rentals: signed with the handover, extended, brought back or lost, settled. Their money: test_rental_money.py."""
from datetime import date, timedelta

import psycopg2
import pytest
from conftest import People
from rental_world import DEPOSIT, RENT, SELF_PAID, SUBSIDY, RentalWorld, as_centre, day, noon
from step_rental import close, extend, give_back, lose, rent, settlement


@pytest.fixture(scope="module")
def world(server, database, admin_session):
    people = People(admin_session)
    yield RentalWorld(database, people, households=60)
    for client in people.made:
        client.close()


# --- signing ---


def test_a_rental_is_signed_with_the_handover_and_its_money_is_frozen(world):
    item, request = world.item(), world.request()
    answer = rent(world.centre, request, item, months=2, note="门口有台阶", key="sign-once")
    assert (answer["state"], answer["item"], answer["request"], answer["centre"]) == ("open", item, request, world.centre.centre)
    assert (answer["began_on"], answer["rent"], answer["rent_subsidy"], answer["self_paid"], answer["deposit"]) == (
        day(0), RENT, SUBSIDY, SELF_PAID, DEPOSIT)
    assert (answer["months"], answer["owed"], answer["deposit_held"], answer["days_overdue"]) == (1, SELF_PAID, 0, 0)
    assert rent(world.centre, request, item, months=2, note="门口有台阶", key="sign-once").json == answer.json
    assert world.state(item) == "lent"
    world.database.sql("UPDATE device_model SET rent = 1, rent_subsidy = 0, deposit = 1 WHERE code = %s", world.model)
    shown = world.centre.get(f"/rentals/{answer['id']}")
    world.database.sql("UPDATE device_model SET rent = %s, rent_subsidy = %s, deposit = %s WHERE code = %s", RENT, SUBSIDY, DEPOSIT, world.model)
    assert (shown["rent"], shown["rent_subsidy"], shown["deposit"], shown["note"]) == (RENT, SUBSIDY, DEPOSIT, "门口有台阶")
    assert shown.etag == f'"{answer["version"]}"' and shown["extensions"] == []


def test_the_plan_says_otherwise_than_the_model(world):
    model = world.new_model()
    world.database.sql("INSERT INTO device_term (plan_id, model, rent, rent_subsidy, deposit) SELECT device_plan_of(640324000, %s), %s, 500, NULL, 700",
                       day(0), model)
    answer = world.rent(model=model)
    assert (answer["rent"], answer["rent_subsidy"], answer["self_paid"], answer["deposit"]) == (500, 500, 0, 700)


@pytest.mark.parametrize("given, status, code, field", [
    ({"item": "nothing"}, 422, "device_unknown", "/item"), ({"request": 6403240000099999}, 422, "request_unknown", "/request"),
    ({"months": None}, 422, "due_day_missing", "/months"), ({"months": None, "due_on": day(0)}, 422, "due_day_invalid", "/due_on"),
    ({"months": None, "due_on": day(4000)}, 422, "due_day_invalid", "/due_on"), ({"months": 0}, 422, "out_of_range", "/months"),
    ({"happened_at": "2123-01-01T00:00:00Z"}, 422, "happened_in_future", "/happened_at"),
    ({"happened_at": "2018-01-01T00:00:00Z"}, 422, "happened_before_last", "/happened_at")],
    ids=lambda value: value if isinstance(value, str) else "")
def test_what_cannot_be_rented(world, given, status, code, field):
    if not hasattr(world, "spare"):
        world.spare = (world.request(), world.item())
    request, item = world.spare
    body = {"request": request, "item": item, "months": 1, **given}
    refused = world.centre.post("/rentals", {name: value for name, value in body.items() if value is not None}, expect=status, code=code)
    assert refused.json.get("field") == field
    assert world.state(item) == "in_stock"


def test_a_request_is_rented_to_once_and_an_item_to_one(world):
    request, item = world.request(), world.item()
    rent(world.centre, request, item)
    rent(world.centre, request, world.item(), expect=409, code="request_not_assessed")
    rent(world.centre, world.request(), item, expect=409, code="device_out")
    rent(world.centre, world.request(assessed_for="fitting"), world.item(), expect=409, code="assessed_otherwise")
    rent(world.centre, world.request(state="waiting"), world.item(), expect=409, code="request_not_assessed")


def test_who_may(world):
    others = {name: getattr(world.people, name)(where) for name, where in
              (("auditor", "640324"), ("assessor", "640324"), ("contractor", "firm-rental"))}
    elsewhere = [world.new_centre(), world.people.county("630106"), world.people.manager("630000")]
    rental = world.rent()["id"]
    for who in (*others.values(), world.people.admin):
        rent(who, 6403240000000001, "x", expect=403, code="role_not_allowed")
        for step in ("return", "loss", "extension", "close", "payments"):
            who.post(f"/rentals/{rental}/{step}", {}, expect=403, code="role_not_allowed")
    for who in (others["assessor"], others["contractor"], world.people.admin):
        who.get("/rentals", expect=403)
        who.get(f"/rentals/{rental}", expect=403)
    assert others["auditor"].get(f"/rentals/{rental}")["id"] == rental
    for who in elsewhere:
        who.get(f"/rentals/{rental}", expect=404)
        who.get(f"/rentals/{rental}/settlement", expect=404)
        assert who.get("/rentals").items == [] and who.get("/rentals", query={"state": "overdue"}).items == []
        give_back(who, rental, expect=404)
        lose(who, rental, expect=404)
        extend(who, rental, expect=404)
        who.post(f"/rentals/{rental}/close", {}, expect=404)
        who.post(f"/rentals/{rental}/payments", {"kind": "rent", "amount": 1}, expect=404)
        assert who.get(f"/rentals/{rental}/payments").items == []
        rent(who, world.spare[0] if hasattr(world, "spare") else world.request(), world.item(), expect=422, code="request_unknown")
    county = world.people.county("640324")
    by_office = world.rent(by=county)
    assert give_back(county, by_office["id"])["state"] == "returned"


def test_a_rental_without_its_contract_is_refused_at_commit(world):
    def hand_over(cursor, contract):
        cursor.execute("""INSERT INTO handover (plan_region, id, kind, item_id, person_id, request_id, due_at)
            SELECT r.plan_region, id_in(r.plan_region, 'handover_number'), 'rental', i.id, r.person_id, r.id, now() + interval '40 days'
            FROM device_request r, device_item i WHERE r.id = %s AND i.code = %s RETURNING plan_region, id""", (world.request(), world.item()))
        found = cursor.fetchone()
        if contract:
            cursor.execute("INSERT INTO rental (plan_region, handover_id) VALUES (%s, %s) RETURNING state, rent, deposit, months", found)
            assert cursor.fetchone() == ("open", RENT, DEPOSIT, 0)

    for role, contract in (("app", False), ("super", False), ("app", True)):
        connection = world.database.connect(role)
        connection.autocommit = False
        with connection, connection.cursor() as cursor:
            as_centre(cursor, world)
            hand_over(cursor, contract)
            if not contract:
                with pytest.raises(psycopg2.Error) as error:
                    connection.commit()
                assert error.value.pgcode == "TT005" and "has no contract" in str(error.value)
                connection.rollback()
        connection.close()


# --- return, loss ---


def test_return_and_close_are_two_steps(world):
    rental = world.rent(began=10, deposit_paid=True)
    number = rental["id"]
    assert rental["deposit_held"] == DEPOSIT
    world.centre.post(f"/rentals/{number}/close", {}, expect=409, code="rental_not_ended")
    before = settlement(world.centre, number)
    assert (before["may_close"], before["rent"], before["owed"], before["applied"], before["refund"], before["rest"]) == (
        False, SELF_PAID, SELF_PAID, SELF_PAID, DEPOSIT - SELF_PAID, 0)
    back = give_back(world.centre, number, condition="worn", note="把手磨了", happened_at=noon(-1), key="back-once")
    assert (back["state"], back["ended_on"], back["condition"], back["return_note"], back["closed_at"]) == ("returned", day(-1), "worn", "把手磨了", None)
    assert give_back(world.centre, number, condition="worn", note="把手磨了", happened_at=noon(-1), key="back-once").json == back.json
    assert world.state(rental["item"]) == "returned"
    give_back(world.centre, number, expect=409, code="handover_over")
    lose(world.centre, number, expect=409, code="handover_over")
    extend(world.centre, number, expect=409, code="rental_ended")
    closed = close(world.centre, number, match=back.etag)
    assert (closed["state"], closed["refund"], closed["received"], closed["owed"], closed["closed_on"]) == (
        "closed", DEPOSIT - SELF_PAID, 0, SELF_PAID, day(0))
    shown = world.centre.get(f"/rentals/{number}")
    assert (shown["state"], shown["deposit_held"], shown["owed"]) == ("closed", 0, 0) and shown["closed_at"]
    close(world.centre, number, received=0, expect=409, code="rental_closed")
    give_back(world.centre, number, expect=409, code="handover_over")


def test_what_is_stale_is_refused(world):
    rental = world.rent()
    for step, body in (("return", {}), ("loss", {"note": "a"}), ("extension", {"months": 1, "agreed_by": "a"}), ("close", {})):
        refused = world.centre.post(f"/rentals/{rental['id']}/{step}", body, match='"77"', expect=412, code="stale")
        assert refused["current"]["state"] == "open"
    give_back(world.centre, rental["id"], match=rental.etag)


@pytest.mark.parametrize("happened, code", [("2123-01-01T00:00:00Z", "happened_in_future"), (noon(-9), "happened_before_last")])
def test_a_return_has_its_day(world, happened, code):
    rental = world.rent(began=8)["id"]
    give_back(world.centre, rental, happened_at=happened, expect=422, code=code)
    lose(world.centre, rental, happened_at=happened, expect=422, code=code)
    assert world.centre.get(f"/rentals/{rental}")["state"] == "open"


def test_lost_found_and_closed(world):
    rental = world.rent(began=70)
    number = rental["id"]
    world.centre.post(f"/rentals/{number}/loss", {"note": " "}, expect=422, code="note_required")
    lost = lose(world.centre, number, happened_at=noon(-40))
    assert (lost["state"], lost["ended_on"], world.state(rental["item"])) == ("lost", day(-40), "lost")
    lose(world.centre, number, expect=409, code="handover_over")
    months = lost["months"]
    # Brought after all: rent ran until it was lost.
    found = give_back(world.centre, number, condition="good")
    assert (found["state"], found["ended_on"], found["months"], world.state(rental["item"])) == ("returned", day(-40), months, "returned")
    assert close(world.centre, number)["received"] == months * SELF_PAID
    # What is closed as lost stays so.
    other = world.rent()
    lose(world.centre, other["id"])
    close(world.centre, other["id"], charges=[{"reason": "丢失赔偿", "amount": 50000}])
    give_back(world.centre, other["id"], expect=409, code="handover_over")


def test_who_scanned_by_mistake_takes_the_return_back(world):
    """The core lets who wrote a return take it back at once; the contract goes on."""
    rental = world.rent(began=40, months=1)
    back = give_back(world.centre, rental["id"], condition="worn", note="a", happened_at=noon(-20))
    assert back["months"] == 1
    connection = world.database.connect("app")
    connection.autocommit = False
    with connection, connection.cursor() as cursor:
        as_centre(cursor, world)
        cursor.execute("UPDATE handover SET ended = NULL WHERE id = %s", (rental["id"],))
    connection.close()
    again = world.centre.get(f"/rentals/{rental['id']}")
    assert (again["state"], again["ended_on"], again["condition"], again["months"]) == ("open", None, None, 2)
    assert world.database.sql("SELECT remind_on IS NOT NULL, rent_on > now() FROM rental WHERE handover_id = %s", rental["id"]) == [(True, True)]


# --- extension ---


def test_an_extension_is_a_new_due_day_and_the_old_ones_are_kept(world):
    rental = world.rent(began=20, months=1)
    first = extend(world.centre, rental["id"], months=2, note="还在康复", match=rental.etag, key="extend-once")
    assert extend(world.centre, rental["id"], months=2, note="还在康复", match=rental.etag, key="extend-once").json == first.json
    until = str(date.fromisoformat(first["due_on"]) + timedelta(days=5))
    second = extend(world.centre, rental["id"], due_on=until, agreed_by="儿子")
    assert second["due_on"] == until and second["version"] > first["version"]
    history = world.centre.get(f"/rentals/{rental['id']}")["extensions"]
    assert [(one["was_due_on"], one["due_on"], one["agreed_by"], one["note"]) for one in history] == [
        (rental["due_on"], first["due_on"], "本人", "还在康复"), (first["due_on"], until, "儿子", "")]
    assert world.database.sql("SELECT china_date(due_at - interval '1 second')::text FROM handover WHERE id = %s", rental["id"]) == [(until,)]
    extend(world.centre, rental["id"], due_on=until, expect=422, code="due_day_invalid")
    extend(world.centre, rental["id"], due_on=day(9000), expect=422, code="due_day_invalid")
    world.centre.post(f"/rentals/{rental['id']}/extension", {"agreed_by": "a"}, expect=422, code="due_day_missing")


def test_what_is_overdue_for_long_or_recalled_is_not_extended(world):
    late = world.rent(began=20, due_on=day(-7))
    extend(world.centre, late["id"], due_on=day(0), expect=422, code="due_day_invalid")
    extend(world.centre, late["id"], due_on=day(5))
    too_late = world.rent(began=20, due_on=day(-8))
    extend(world.centre, too_late["id"], due_on=day(5), expect=409, code="rental_too_late")
    recalled = world.rent()
    world.database.sql("""WITH r AS (INSERT INTO device_recall (region, high, model, serial_from, serial_to, reason, due_on, account_id)
        SELECT 640324000, 640324999, %s, %s, %s, 'a', '2030-01-01', 1 RETURNING *)
        SELECT device_recalled(r::device_recall, i.plan_region, i.id) FROM r, device_item i WHERE i.code = %s""",
                       world.model, recalled["item"], recalled["item"], recalled["item"])
    world.database.sql("UPDATE device_recall SET ended_at = now(), ended_note = 'a' WHERE model = %s", world.model)
    extend(world.centre, recalled["id"], expect=409, code="device_recalled")


# --- lists ---


def test_lists_by_state_place_and_centre(world):
    centre = world.new_centre()
    rentals = [world.rent(centre=centre, began=30, due_on=day(offset)) for offset in (-3, -9, 5)]
    returned, lost, closed = (world.rent(centre=centre)["id"] for _ in range(3))
    give_back(centre, returned)
    lose(centre, lost)
    give_back(centre, closed)
    close(centre, closed)
    three, nine, later = (one["id"] for one in rentals)

    def listed(client, **query):
        return [row["id"] for row in client.pages("/rentals", limit=2, **query)]
    every = [three, nine, later, returned, lost, closed]
    assert listed(centre) == every
    office = {"centre": centre.centre}
    for client, query in ((centre, {}), (world.manager, office), (world.people.auditor("640324"), office), (world.people.manager("640000"), office)):
        assert listed(client, **query) == every
        assert listed(client, state="open", **query) == every[:3]
        assert listed(client, state="overdue", **query) == [nine, three]
        assert [listed(client, state=state, **query) for state in ("returned", "lost", "closed")] == [[returned], [lost], [closed]]
        assert listed(client, plan="qinghai", **query) == listed(client, region="630000", **query) == []
    wide = world.people.manager("640000")
    for client in (world.manager, wide):
        assert set(every) <= set(listed(client, region="640324")) and listed(client, region="640324102") == []
        overdue = [row["days_overdue"] for row in client.pages("/rentals", state="overdue", limit=3)]
        assert overdue == sorted(overdue, reverse=True) and len(overdue) >= 2
    assert listed(world.manager, centre="none-such") == [] and listed(world.centre, centre=centre.centre) == []
    (row,) = [row for row in centre.get("/rentals").items if row["id"] == nine]
    assert (row["days_overdue"], row["state"]) == (9, "open")
    # Names are masked in lists; who reads one is written down.
    whole = centre.get(f"/rentals/{nine}")["name"]
    assert row["name"] == whole[0] + "*" * (len(whole) - 1)
    assert world.database.sql("SELECT count(*) FROM access_record WHERE what = 'rental' AND subject = %s", nine) == [(1,)]
    for cursor in ("x", "2023-13-01.1", "1.1"):
        for state in ("open", "overdue"):
            if (state, cursor) != ("open", "1.1"):
                centre.get("/rentals", query={"after": cursor, "state": state}, expect=422)


def test_what_a_plan_sets(world):
    path = "/plans/daqing/rental-rule"
    admin = world.people.admin
    first = admin.get(path)
    assert (first["before"], first["after"], first["extend_within"], first["loan_keep_days"], first.etag) == (
        [{"days": 7}, {"days": 1}], [{"days": 1}, {"days": 7}, {"days": 30}], 7, 30, '"0"')
    body = {"before": [{"days": 3}, {"days": 3}, {"days": 0}], "after": [], "extend_within": 0, "loan_keep_days": 5}
    put = admin.put(path, body, match=first.etag)
    assert (put["before"], put["after"], put.etag) == ([{"days": 3}, {"days": 0}], [], '"1"')
    assert admin.put(path, body, match=first.etag, expect=412)["current"]["extend_within"] == 0
    assert admin.get(path).json == put.json
    world.people.manager("630000").put(path, body, expect=403, code="region_foreign")
    world.centre.put(path, body, expect=403, code="role_not_allowed")
    admin.put("/plans/nothing/rental-rule", body, expect=404)
    admin.get("/plans/nothing/rental-rule", expect=404)
    assert world.people.admin.get("/plans/tongxin/rental-rule")["extend_within"] == 7
