# SPDX-License-Identifier: Apache-2.0
"""Sixty-four clients at once on one item: one wins, each of the others hears the right refusal, and nobody a deadlock or a 5xx. First
over HTTP, then as the application role past all of our C."""
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import device_sql
import psycopg2
import pytest
import step_centre
import step_loop
import step_rental
import step_request
import step_stock
from harness import People
from model_walk import ANY_STATUS

CROWD, SESSIONS = 64, 32  # (the database of the tests takes 60 connections)


class World:
    def __init__(self, database, admin):
        self.database, self.people = database, People(admin)
        self.manager, self.county = self.people.manager("640324"), self.people.county("640324")
        self.centre, self.other = step_centre.set_up(self.people), step_centre.set_up(self.people)
        self.model = step_centre.model(admin)
        self.needy = step_request.bring(self.manager, 44)

    def item(self, **columns):
        return step_stock.take_in(self.centre, self.model, **columns)[0]

    def request(self, purpose="fitting"):
        request = step_request.open_request(self.manager, self.needy.pop().person, centre=self.centre.centre)
        step_request.assess(self.centre, request, purpose)
        return request

    def rented(self, **more):
        item = self.item()
        return item, step_rental.rent(self.centre, self.request("rental"), item["code"], **more)["id"]

    def seen(self, item):
        return self.manager.get(f"/device-items/{item['id']}")

    def actions(self, item):
        return [event["action"] for event in self.manager.pages(f"/device-items/{item['id']}/events", limit=200)]


@pytest.fixture(scope="module")
def world(database, server, admin_session):
    world = World(database, admin_session)
    yield world
    for client in world.people.made:
        client.close()


def crowd(*ways, most=CROWD):
    """Each of the ways, (client, path, body), by so many at the same instant, each on a connection of its own: (way, code or None) of each."""
    gate = threading.Barrier(most)

    def one(number):
        way = number % len(ways)
        client, path, body = ways[way]
        client = client.clone()
        try:
            client.get("/session")
            gate.wait(60)
            answer = client.post(path, body() if callable(body) else body, expect=ANY_STATUS)
            assert answer.status < 500, answer
            return way, None if answer.status < 300 else answer["code"]
        finally:
            client.close()

    with ThreadPoolExecutor(most) as pool:
        return list(pool.map(one, range(most)))


def won(answers):
    return [way for way, code in answers if code is None]


def refusals(answers):
    return {code for _, code in answers if code}


def test_one_item_is_fitted_or_rented_once(world):
    """For eight people, each of whom asks through eight counters."""
    item = world.item()
    ways = [(world.centre, "/fittings", {"request": world.request(), "item": item["code"]}) for _ in range(4)] + [
        (world.centre, "/rentals", {"request": world.request("rental"), "item": str(item["id"]), "months": 1}) for _ in range(4)]
    answers = crowd(*ways)
    assert len(won(answers)) == 1
    assert refusals(answers) <= {"device_out", "request_not_assessed", "within_service_life"} and "device_out" in refusals(answers)
    assert world.actions(item) == ["take_in", "issue"]
    assert world.database.sql("SELECT count(*) FROM handover WHERE item_id = %s", item["id"]) == [(1,)]
    assert world.database.sql("SELECT count(*) FROM device_request WHERE state = 'fulfilled' AND id = ANY (%s)",
                              [body["request"] for _, _, body in ways]) == [(1,)]


def test_one_person_is_granted_one_of_many_items(world):
    """The same request at sixty-four counters, each with an item of its own."""
    items, request = [world.item() for _ in range(16)], world.request()
    answers = crowd(*[(world.centre, "/fittings", {"request": request, "item": item["code"]}) for item in items])
    assert len(won(answers)) == 1 and refusals(answers) <= {"request_not_assessed", "device_out", "within_service_life"}
    assert sorted(world.seen(item)["state"] for item in items).count("fitted") == 1


def test_an_item_is_lent_reserved_or_rented(world):
    """Two requests want it kept back, a third to rent it, and somebody who passes by to borrow it."""
    item, kept, wanted, rental = world.item(), world.request(), world.request(), world.request("rental")
    ways = [(world.centre, "/device-loans", {"item": item["code"], "borrower": "路人", "phone": "13900000000"}),
            (world.centre, f"/device-requests/{kept}/reservation", {"item": item["code"]}), (world.county, f"/device-requests/{wanted}/reservation", {"item": str(item["id"])}),
            (world.centre, "/rentals", {"request": rental, "item": item["code"], "months": 1})]
    answers = crowd(*ways)
    # What is kept back for a request already is so: asking again for the same is no other reservation.
    assert len(set(won(answers))) == 1 and (len(won(answers)) == 1 or won(answers)[0] in (1, 2))
    assert refusals(answers) <= {"device_out", "device_reserved", "request_not_assessed", "request_over"}
    assert world.actions(item) in (["take_in", "issue"], ["take_in", "reserve"])


def test_a_return_is_written_down_once(world):
    item, rental = world.rented()
    answers = crowd((world.centre, "/device-returns", {"item": item["code"], "condition": "good"}), (world.county, f"/rentals/{rental}/return", {}),
                    (world.centre, f"/rentals/{rental}/loss", {"note": "x"}))
    assert len(won(answers)) in (1, 2) and refusals(answers) <= {"device_not_out", "handover_over", "rental_ended"}
    # Lost and then brought is two things; brought and then lost is none.
    assert world.actions(item) in (["take_in", "issue", "return"], ["take_in", "issue", "lose", "return"])
    assert len(won(answers)) == len(world.actions(item)) - 2


def test_a_return_and_its_undoing_take_turns(world):
    item, rental = world.rented()
    answers = crowd((world.centre, "/device-returns", {"item": item["code"], "condition": "good"}), (world.centre, "/device-returns/undo", {"item": item["code"]}))
    assert refusals(answers) <= {"device_not_out", "nothing_to_take_back"}
    life = world.actions(item)[2:]
    assert life == (["return", "unreturn"] * len(life))[:len(life)] and len(life) == len(won(answers))
    assert world.seen(item)["state"] == ("returned" if len(life) % 2 else "lent")
    assert world.manager.get(f"/rentals/{rental}")["state"] == ("returned" if len(life) % 2 else "open")


def test_a_rental_is_closed_and_its_deposit_given_back_once(world):
    item, rental = world.rented(deposit_paid=True)
    step_loop.give_back(world.centre, item)
    answers = crowd((world.centre, f"/rentals/{rental}/close", {}), (world.county, f"/rentals/{rental}/close", {"charges": [{"reason": "x", "amount": 7}]}))
    assert len(won(answers)) == 1 and refusals(answers) == {"rental_closed"}
    entries = world.database.sql("SELECT e.account, sum(e.amount) FROM device_entry e WHERE e.handover_id = %s GROUP BY 1", rental)
    assert dict(entries)["deposits_held"] == 0
    assert world.database.sql("SELECT count(*) FROM device_transaction WHERE handover_id = %s AND kind = 'closing'", rental) == [(1,)]


def test_a_deposit_is_paid_in_once(world):
    _, rental = world.rented()
    answers = crowd((world.centre, f"/rentals/{rental}/payments", {"kind": "deposit", "amount": 20000}))
    assert len(won(answers)) == 1 and refusals(answers) == {"rental_payment_exceeds"}
    assert world.manager.get(f"/rentals/{rental}")["deposit_held"] == 20000


@pytest.mark.parametrize("late", [False, True])
def test_a_recall_and_those_who_hand_out(world, late):
    """Whoever comes first: nothing that is recalled is handed out afterwards, and what was handed out before is recalled with its holder."""
    serial = f"RACE-{world.item()['id']}"
    item = None if late else world.item(serial=serial)
    recall = {"model": world.model, "serial_from": serial, "serial_to": serial, "reason": "x", "due_on": "2099-01-01"}
    if late:  # or is only being taken in
        answers = crowd((world.manager, "/device-recalls", recall), (world.centre, "/device-items", {"model": world.model, "serial": serial}), most=8)
        (item,) = [one for one in world.manager.get("/device-items", query={"q": serial}).items]
        assert refusals(answers) <= {"serial_taken"}
    else:
        requests = [world.request() for _ in range(3)]
        answers = crowd((world.manager, "/device-recalls", recall), *[(world.centre, "/fittings", {"request": request, "item": item["code"]}) for request in requests])
        assert refusals(answers) <= {"device_recalled", "device_out", "request_not_assessed", "within_service_life"}
    seen = world.seen(item)
    assert seen["recalled_by"] and seen["state"] == ("fitted" if "issue" in world.actions(item) else "recalled")
    # By every recall that there is now.
    ids, = world.database.sql("SELECT array_agg(recall_id ORDER BY 1) FROM device_recall_item WHERE item_id = %s", item["id"])[0]
    assert [ids] == [row[0] for row in world.database.sql("SELECT array_agg(id ORDER BY 1) FROM device_recall WHERE serial_from = %s", serial)]


def test_an_item_is_sent_or_handed_out(world):
    item, requests = world.item(), [world.request() for _ in range(2)]
    answers = crowd((world.centre, "/device-transfers", {"to": world.other.centre, "items": [{"item": item["code"]}]}),
                    *[(world.centre, "/fittings", {"request": request, "item": item["code"]}) for request in requests])
    assert len(won(answers)) == 1
    assert refusals(answers) <= {"items_refused", "device_on_its_way", "device_out", "request_not_assessed", "within_service_life"}
    assert world.actions(item) in (["take_in", "send"], ["take_in", "issue"])


def test_a_transfer_is_received_or_called_back_once(world):
    items = [world.item() for _ in range(4)]
    transfer = step_stock.transfer(world.centre, items, world.other.centre)
    answers = crowd((world.other, f"/device-transfers/{transfer['id']}/receipt", {}), (world.centre, f"/device-transfers/{transfer['id']}/cancel", {}))
    assert len(won(answers)) == 1 and refusals(answers) <= {"transfer_over"}
    assert {tuple(world.actions(item)) for item in items} <= {("take_in", "send", "receive"), ("take_in", "send", "unsend")}
    assert len({tuple(world.actions(item)) for item in items}) == 1


def test_batches_of_the_same_items_in_any_order(world):
    items = [world.item(source="donated") for _ in range(6)]
    began, ended = step_loop.within_a_day(4)

    def shuffled():
        return {"items": [{"item": one["code"]} for one in random.sample(items, len(items))], "method": "wipe", "agent": "alcohol_75",
                "began_at": began, "ended_at": ended}

    answers = crowd((world.centre, "/device-disinfections", shuffled), (world.county, "/device-disinfections", shuffled))
    assert len(won(answers)) == 1 and refusals(answers) == {"items_refused"}
    assert {tuple(world.actions(item)) for item in items} == {("take_in", "disinfect", "disinfected")}


def test_an_item_is_inspected_repaired_and_recycled_by_one(world):
    item = world.item(source="donated")
    step_loop.disinfect(world.centre, [item])
    answers = crowd((world.centre, "/device-inspections", {"item": item["code"], "result": "pass", "grade": "A", "all_ok": True}),
                    (world.centre, "/device-repairs", {"item": item["code"], "fault": "x"}),
                    (world.centre, "/device-recyclings", {"item": item["code"], "reason": "beyond_repair"}),
                    (world.centre, f"/device-items/{item['code']}/loss", {"note": "x"}))
    life = world.actions(item)[3:]
    assert refusals(answers) <= {"device_state", "repair_open"}
    assert life[-1] in ("recycle", "lose") and life.count("recycle") + life.count("lose") == 1  # from stock it is looked at again and again
    # Nothing stands between two looks but what leads there.
    previous = {"inspect": {"pass"}, "pass": {"inspect", None}, "repair": {"pass", None}}
    assert all(before in previous[action] for before, action in zip([None, *life], life[:-1])), life


# --- past all of our C ---


@pytest.fixture(scope="module")
def past(cluster, database):
    return device_sql.World(cluster.new_database().migrate())


def sessions(past, count, work):
    """Each on a connection of its own at the same instant; work(session, number) is committed: (number, None, or the SQLSTATE and message)."""
    gate = threading.Barrier(count)

    def one(number):
        session = device_sql.Session(past)
        try:
            gate.wait(60)
            work(session, number)
            session.connection.commit()
            return number, None
        except psycopg2.Error as error:
            return number, (error.pgcode, str(error).splitlines()[0])
        finally:
            session.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def prepared(past, work):
    session = device_sql.Session(past)
    try:
        made = work(session)
        session.connection.commit()
        return made
    finally:
        session.close()


def outcome(results):
    """How many did it, and the codes and last words of all others."""
    return sum(refused is None for _, refused in results), {(refused[0], refused[1].rsplit(": ", 1)[-1]) for _, refused in results if refused}


def test_sessions_hand_one_item_out(past):
    """Each tries twice: sixty-four in all."""
    item = prepared(past, lambda s: s.take_in())
    refused = [s for s in range(2) for s in sessions(past, SESSIONS, lambda s, _: s.hand_over(item))]
    done, others = outcome(refused)
    assert len(refused) == 64 and done == 1 and others == {("TT005", "device_out")}


def test_sessions_that_end_and_begin_a_hand_over(past):
    """Ends, undoings and new hand-overs of one item at once."""
    item, handover = prepared(past, lambda s: (lambda item: (item, s.hand_over(item)))(s.take_in()))
    works = [lambda s: s.end(handover), lambda s: s.end(handover, "lost"), lambda s: s("UPDATE handover SET ended = NULL WHERE id = %s", handover),
             lambda s: s.hand_over(item), lambda s: s.event(item, "lose", None, "x"), lambda s: s.event(item, "find", None, "x")]
    results = sessions(past, SESSIONS, lambda s, number: works[number % len(works)](s))
    assert {refused[0] for _, refused in results if refused} <= {"TT005", "23505"}, results
    with past.database.connect("super") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT i.state, i.handover_id, h.ended, (SELECT count(*) FROM handover o WHERE o.item_id = i.id AND o.ended IS NULL) "
                       "FROM device_item i, handover h WHERE i.id = %s AND h.id = %s", (item, handover))
        state, holder, ended, holders = cursor.fetchone()
        assert (state == "lent") == (holder == handover) == (ended is None) == (holders == 1)
        cursor.execute("SELECT version FROM device_event WHERE item_id = %s ORDER BY version", (item,))
        versions = [version for version, in cursor.fetchall()]
        assert versions == list(range(1, len(versions) + 1))


def test_items_taken_in_while_they_are_recalled(past):
    """The recall does not see what is not committed yet, nor they the recall: all the same none is left out."""
    def work(session, number):
        if number % 8 == 0:
            session.be("manager").recall("guard-aid", batch="race")
        else:
            session.take_in(model="guard-aid", batch="race")

    done, others = outcome(sessions(past, SESSIONS, work))
    assert done == SESSIONS and not others
    assert past.database.sql("SELECT i.state, count(DISTINCT i.id), count(*) FROM device_item i LEFT JOIN device_recall_item y ON y.item_id = i.id "
                             "WHERE i.batch = 'race' GROUP BY 1") == [("recalled", 28, 28 * 4)]


def test_what_arrives_while_it_is_recalled_there(past):
    def send(s):
        items = [s.take_in(batch="moved") for _ in range(12)]
        transfer = s.transfer()
        for item in items:
            s.event(item, "send", transfer)
        return transfer, items

    transfer, items = prepared(past, send)

    def work(session, number):
        if number == 6:
            session.be("other").recall("guard-chair", device_sql.B, device_sql.B + 999, batch="moved")
        else:
            session.be("b").event(items[number - (number > 6)], "receive", transfer)

    done, others = outcome(sessions(past, 13, work))
    assert done == 13 and not others
    assert past.database.sql("SELECT i.state, count(*), count(y) FROM device_item i LEFT JOIN device_recall_item y ON y.item_id = i.id "
                             "WHERE i.batch = 'moved' GROUP BY 1") == [("recalled", 12, 12)]
