# SPDX-License-Identifier: Apache-2.0
"""Reminders of rentals: before they are due and when they are overdue, each once, never of what came back; and who asked for it since.
The recurring scan waits while this module runs; a test says when it comes, and which day it is by moving what is written down."""
import random
import threading
from contextlib import contextmanager

import psycopg2
import pytest
from conftest import People
from processes import wait_until
from rental_world import SELF_PAID, RentalWorld, as_centre, day, noon
from step_rental import close, extend, give_back, lose


@pytest.fixture(scope="module")
def world(server, database, admin_session):
    people = People(admin_session)
    wait_until(lambda: database.sql("UPDATE job SET run_at = now() + interval '1 day' WHERE kind = 'rental_scan' AND state = 'queued' RETURNING 1"), 30)
    yield RentalWorld(database, people, households=60)
    database.sql("UPDATE job SET run_at = now() WHERE kind = 'rental_scan'")
    for client in people.made:
        client.close()


@contextmanager
def as_worker(world):
    """A worker's connection; the transaction is the test's to end."""
    connection = world.database.connect("app")
    connection.autocommit = False
    with connection.cursor() as cursor:
        work(cursor)
        yield connection, cursor
    connection.close()


def work(cursor):
    cursor.execute("SELECT " + ", ".join(f"set_config('tantu.{name}', '{value}', true)" for name, value in (("low", 0), ("high", 999999999), ("role", "system"))))


def scan(world):
    with as_worker(world) as (connection, cursor):
        cursor.execute("SELECT rental_scan(100000)")
        connection.commit()


def told(world, rental):
    return [(kind, content["days"], content["due_on"]) for kind, content in world.database.sql(
        "SELECT kind, content FROM outbox WHERE kind LIKE 'rental%%' AND content->>'rental' = %s ORDER BY id", str(rental))]


def due_in(world, days, since=60):
    """A rental that is due in so many days (or was), agreed on so many days before today."""
    rental = world.rent(began=max(since, -days) + 10, due_on=day(days))["id"]
    world.database.sql("""UPDATE rental SET due_since = china_date(now()) - %s, remind_on = rental_next_reminder(plan_id, due_on, china_date(now()) - %s, NULL)
        WHERE handover_id = %s""", since, since, rental)
    return rental


def pass_a_day(world, rental, days=1):
    world.database.sql("""UPDATE rental SET began_on = began_on - %s, due_on = due_on - %s, due_since = due_since - %s, remind_on = remind_on - %s,
        rent_on = rent_on - %s WHERE handover_id = %s; UPDATE rental_reminder SET due_on = due_on - %s WHERE handover_id = %s""", *[days] * 5, rental, days, rental)


# --- when ---


def test_the_last_step_that_is_reached_is_told_once(world):
    steps = {9: None, 8: None, 7: -7, 5: -7, 2: -7, 1: -1, 0: -1, -1: 1, -6: 1, -7: 7, -29: 7, -30: 30, -200: 30}
    rentals = {days: due_in(world, days, since=300) for days in steps}
    for _ in range(2):
        scan(world)
        for days, step in steps.items():
            assert told(world, rentals[days]) == ([] if step is None else [("rental_overdue" if step > 0 else "rental_due", step, day(days))]), days
    (content,) = world.database.sql("SELECT content, region FROM outbox WHERE content->>'rental' = %s", str(rentals[-7]))[0][:1]
    assert content == {"rental": rentals[-7], "plan": "tongxin", "centre": world.centre.centre, "due_on": day(-7), "days": 7}  # and no name
    assert [row["content"]["rental"] for row in world.manager.pages("/outbox", kind="rental_due", limit=200)].count(rentals[7]) == 1
    assert world.people.manager("630000").get("/outbox", query={"kind": "rental_due"}).items == []


def test_day_by_day(world):
    """Each reminder on its day, and each month of rent on the day on which it begins."""
    rental = world.rent(began=0, months=1)["id"]
    began, due = world.database.sql("SELECT began_on, due_on FROM rental WHERE handover_id = %s", rental)[0]
    term, said, months, passed = (due - began).days, {}, {}, 0
    looked_at = sorted({term + step + around for step in (-7, -1, 1, 7, 30) for around in (-1, 0, 1)} | {0, 1})
    for number in looked_at:
        while passed < number:
            pass_a_day(world, rental, number - passed)
            passed = number
        before = len(told(world, rental))
        scan(world)
        after = told(world, rental)
        assert len(after) - before <= 1
        if len(after) > before:
            said[number - term] = after[-1][1]
        months.setdefault(world.database.sql("SELECT months FROM rental WHERE handover_id = %s", rental)[0][0], number)
    assert said == {-7: -7, -1: -1, 1: 1, 7: 7, 30: 30}
    # (The second month begins the day after the first ends, which is the due day.)
    assert months[1] == 0 and term - 1 <= months[2] <= term + 6 and list(months)[:2] == [1, 2]


def test_a_rental_signed_late_is_not_told_of_what_is_past(world):
    short = world.rent(due_on=day(3))["id"]
    scan(world)
    assert told(world, short) == [] and world.database.sql("SELECT remind_on::text FROM rental WHERE handover_id = %s", short) == [(day(2),)]


def test_what_came_back_or_is_lost_is_not_told_of(world):
    back, lost = due_in(world, -3), due_in(world, -3)
    give_back(world.centre, back)
    lose(world.centre, lost)
    scan(world)
    assert told(world, back) == told(world, lost) == []
    for rental in (back, lost):
        for role in ("app", "super"):
            connection = world.database.connect(role)
            connection.autocommit = False
            with pytest.raises(psycopg2.Error) as error, connection.cursor() as cursor:
                work(cursor)
                cursor.execute("INSERT INTO outbox (kind, region, content) VALUES ('rental_overdue', 640324000, %s)",
                               (f'{{"rental": {rental}, "due_on": "{day(-3)}", "days": 1}}',))
            assert error.value.pgcode == "TT005"
            connection.close()


def test_nobody_tells_of_the_same_twice(world):
    rental = due_in(world, -3)
    scan(world)
    for due, code in ((day(-3), "23505"), (day(-4), "TT005")):
        with pytest.raises(psycopg2.Error) as error:
            world.database.sql("INSERT INTO outbox (kind, region, content) VALUES ('rental_overdue', 640324000, %s)", f'{{"rental": {rental}, "due_on": "{due}", "days": 1}}')
        assert error.value.pgcode == code


def test_an_extension_starts_the_reminders_anew(world):
    rental = due_in(world, -3)
    scan(world)
    extend(world.centre, rental, due_on=day(8))
    scan(world)
    assert [step for _, step, _ in told(world, rental)] == [1]
    for _ in range(12):
        pass_a_day(world, rental)
        scan(world)
    assert [step for _, step, _ in told(world, rental)] == [1, -7, -1, 1]


def test_a_plan_reminds_otherwise(world):
    rental, other = due_in(world, 4), due_in(world, -10)
    scan(world)
    first = [told(world, rental), told(world, other)]
    body = {"before": [{"days": 4}], "after": [{"days": 10}], "extend_within": 7, "loan_keep_days": 30}
    try:
        world.people.admin.put("/plans/tongxin/rental-rule", body)
        scan(world)
        assert [step for _, step, _ in told(world, rental)] == [-7, -4] and [step for _, step, _ in told(world, other)] == [7, 10]
        world.people.admin.put("/plans/tongxin/rental-rule", {**body, "before": [], "after": []})
        scan(world)
        assert world.database.sql("SELECT remind_on FROM rental WHERE handover_id = %s", rental) == [(None,)]
    finally:
        world.database.sql("DELETE FROM rental_rule WHERE plan_id IS NOT NULL AND plan_id = (SELECT id FROM plan WHERE code = 'tongxin')")
    assert [len(one) for one in first] == [1, 1]


def test_the_recurring_job_does_it(world):
    rental = due_in(world, -7)
    assert world.database.sql("UPDATE job SET run_at = now() WHERE kind = 'rental_scan' AND state = 'queued' RETURNING schedule") == [("every 10 minutes",)]
    world.database.sql("NOTIFY job, 'reminders'")
    wait_until(lambda: told(world, rental), 30, "the scan")
    wait_until(lambda: world.database.sql("UPDATE job SET run_at = now() + interval '1 day' WHERE kind = 'rental_scan' AND state = 'queued' RETURNING 1"), 30)
    assert [step for _, step, _ in told(world, rental)] == [7]


# --- the race of return and reminder ---


@contextmanager
def returning(world, rental):
    """A return that is written and not committed."""
    connection = world.database.connect("app")
    connection.autocommit = False
    with connection.cursor() as cursor:
        as_centre(cursor, world)
        cursor.execute("UPDATE handover SET ended = 'returned' WHERE id = %s", (rental,))
        yield connection
    connection.close()


def waits(world):
    return lambda: world.database.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


def test_a_reminder_that_meets_a_return_is_not_told(world):
    rental = due_in(world, -3)
    with returning(world, rental) as connection:
        scan(world)  # passes it over
        connection.commit()
    scan(world)
    assert told(world, rental) == []


def test_whoever_tells_waits_for_the_return_and_looks(world):
    rental, outcome = due_in(world, -3), []

    def tell():
        try:
            world.database.sql("INSERT INTO outbox (kind, region, content) VALUES ('rental_overdue', 640324000, %s)", f'{{"rental": {rental}, "due_on": "{day(-3)}", "days": 1}}')
            outcome.append("told")
        except psycopg2.Error as error:
            outcome.append(error.pgcode)
    teller = threading.Thread(target=tell, daemon=True)
    with returning(world, rental) as connection:
        teller.start()
        wait_until(waits(world), 20, "the teller")
        connection.commit()
    teller.join()
    assert outcome == ["TT005"] and told(world, rental) == []


def test_a_return_that_meets_a_reminder_comes_after_it(world):
    rental, answers = due_in(world, -3), []
    client = world.centre.clone()
    with as_worker(world) as (connection, cursor):
        cursor.execute("SELECT rental_scan(100000)")
        back = threading.Thread(target=lambda: answers.append(give_back(client, rental)), daemon=True)
        back.start()
        wait_until(waits(world), 20, "the return")
        connection.commit()
        back.join()
    client.close()
    assert answers[0]["state"] == "returned" and len(told(world, rental)) == 1
    scan(world)
    assert len(told(world, rental)) == 1


def test_returns_and_reminders_in_any_order(world):
    """200 returns among scans; when a reminder is committed, its rental is still out (a constraint of the test's own looks)."""
    rentals, dice = [due_in(world, -3) for _ in range(8)], random.Random(7)
    world.database.sql("""CREATE FUNCTION is_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF EXISTS (SELECT FROM handover WHERE id = (NEW.content->>'rental')::bigint AND ended IS NOT NULL) THEN RAISE EXCEPTION 'told of what came back'; END IF;
            RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER is_out AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'rental_overdue') EXECUTE FUNCTION is_out()""")
    troubles, reminded, spared = [], 0, 0
    centre, worker, keeper = (world.database.connect(role) for role in ("app", "app", "super"))
    for connection in (centre, worker, keeper):
        connection.autocommit = False

    def give_all_back(order, gate):
        gate.wait()
        with centre.cursor() as cursor:
            for rental in order:
                as_centre(cursor, world, known=True)
                cursor.execute("UPDATE handover SET ended = 'returned' WHERE id = %s", (rental,))
                centre.commit()

    def tell_all(sizes, gate):
        gate.wait()
        with worker.cursor() as cursor:
            for size in sizes:
                try:
                    work(cursor)
                    cursor.execute("SELECT rental_scan(%s)", (size,))
                    worker.commit()
                except psycopg2.Error as error:
                    troubles.append(str(error))
                    worker.rollback()
    try:
        for _ in range(25):
            gate = threading.Barrier(2)
            threads = [threading.Thread(target=give_all_back, args=(dice.sample(rentals, len(rentals)), gate), daemon=True),
                       threading.Thread(target=tell_all, args=([dice.randrange(1, 4) for _ in rentals], gate), daemon=True)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            with keeper.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM rental_reminder WHERE handover_id = ANY (%s)", (rentals,))
                found = cursor.fetchone()[0]
                reminded, spared = reminded + found, spared + len(rentals) - found
                cursor.execute("SELECT count(*) FROM rental WHERE handover_id = ANY (%s) AND state = 'returned'", (rentals,))
                assert cursor.fetchone() == (len(rentals),)
                as_centre(cursor, world, known=True)
                cursor.execute("UPDATE handover SET ended = NULL WHERE id = ANY (%s)", (rentals,))
                cursor.execute("DELETE FROM outbox WHERE kind = 'rental_overdue' AND (content->>'rental')::bigint = ANY (%s)", (rentals,))
                cursor.execute("DELETE FROM rental_reminder WHERE handover_id = ANY (%s)", (rentals,))
                cursor.execute("UPDATE rental SET remind_on = china_date(now()) - 2 WHERE handover_id = ANY (%s)", (rentals,))
            keeper.commit()
    finally:
        for connection in (centre, worker, keeper):
            connection.close()
        world.database.sql("DROP TRIGGER is_out ON outbox; DROP FUNCTION is_out()")
    assert troubles == [] and reminded + spared == 200 and reminded > 0 and spared > 0


# --- asking for it ---


def test_each_time_that_somebody_was_asked_is_written_down(world):
    rental = due_in(world, -3)
    path = f"/rentals/{rental}/chases"
    one = world.centre.post(path, {"how": "phone", "whom": "马儿子", "outcome": "not_reached", "happened_at": noon(-2)}, key="chase-once", expect=201)
    assert world.centre.post(path, {"how": "phone", "whom": "马儿子", "outcome": "not_reached", "happened_at": noon(-2)}, key="chase-once", expect=201).json == one.json
    two = world.manager.post(path, {"how": "visit", "whom": "本人", "outcome": "promised", "promised_on": day(2), "note": "在邻居家"}, expect=201)
    assert (two["rental"], two["number"], two["promised_on"], two["note"]) == (rental, 2, day(2), "在邻居家")
    assert [(row["number"], row["how"], row["whom"], row["outcome"]) for row in world.centre.pages(path, limit=1)] == [
        (1, "phone", "马儿子", "not_reached"), (2, "visit", "本人", "promised")]
    (row,) = [row for row in world.centre.pages("/rentals", state="overdue", limit=50) if row["id"] == rental]
    assert row["chases"] == {"count": 2, "last_at": two["happened_at"], "promised_on": day(2)} and row["days_overdue"] == 3
    for body, status, code in (({"outcome": "promised"}, 422, "promise_day"), ({"promised_on": day(1)}, 422, "promise_day"),
                               ({"happened_at": "2123-01-01T00:00:00Z"}, 422, "happened_in_future"), ({"happened_at": "2019-01-01T00:00:00Z"}, 422, "happened_before_last"),
                               ({"how": "pigeon"}, 422, "not_allowed"), ({"whom": ""}, 422, None)):
        world.centre.post(path, {"how": "letter", "whom": "a", "outcome": "other", **body}, expect=status, code=code)
    for who in (world.new_centre(), world.people.county("630106")):
        who.post(path, {"how": "letter", "whom": "a", "outcome": "other"}, expect=404)
        assert who.get(path).items == []
    world.people.auditor("640324").post(path, {"how": "letter", "whom": "a", "outcome": "other"}, expect=403)
    give_back(world.centre, rental)
    world.centre.post(path, {"how": "letter", "whom": "a", "outcome": "other", "note": "欠租"}, expect=201)
    assert close(world.centre, rental)["received"] % SELF_PAID == 0
    world.centre.post(path, {"how": "letter", "whom": "a", "outcome": "other"}, expect=409, code="rental_closed")
