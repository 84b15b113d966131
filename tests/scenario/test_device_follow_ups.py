# SPDX-License-Identifier: Apache-2.0
"""Follow-ups of fittings and rentals: made by the hand-over, cancelled when the item is back, open again when that was a mistake; told of
once when they are due and never of what came back; answered against the questions that were asked. The database is one of its own, in
which what recurs runs only when a test says so."""
import itertools
import threading

import pytest
import step_centre
import step_loop
import step_rental
import step_request
import step_stock
from client import Client
from conftest import People
from processes import ADMIN_PASSWORD, Program, wait_until
from statements import statements

numbers = itertools.count(1)
ANSWERS = {"in_use": True, "how_often": "daily", "fits": True, "pain": False, "broken": False, "satisfaction": 5}
CODES = list(ANSWERS)


class World:
    """A county with a centre, and people who need a wheelchair each."""

    def __init__(self, database, server, contract):
        self.database = database
        self.people = People(Client(server, contract).sign_in("admin", ADMIN_PASSWORD))
        self.admin = self.people.admin
        self.manager, self.county = self.people.manager("640324"), self.people.county("640324")
        self.centre, self.other = step_centre.set_up(self.people), step_centre.set_up(self.people)
        self.auditor, self.elsewhere = self.people.auditor("640324"), self.people.county("630106")
        self.model = step_centre.model(self.admin)
        self.needy = iter(step_request.bring(self.manager, 40))

    def request(self, purpose, centre=None):
        request = step_request.open_request(self.county, next(self.needy).person, centre=(centre or self.centre).centre)
        step_request.assess(centre or self.centre, request, purpose)
        return request

    def item(self, centre=None):
        return step_stock.take_in(centre or self.centre, self.model)[0]

    def fitted(self, centre=None):
        """(id of the fitting, the item)"""
        item = self.item(centre)
        return step_request.fit(centre or self.centre, self.request("fitting", centre), item["code"])["id"], item

    def rented(self, **more):
        item = self.item()
        return step_rental.rent(self.centre, self.request("rental"), item["code"], **more)["id"], item

    def of(self, handover, *columns):
        return [tuple(row[column] for column in columns) if len(columns) > 1 else row[columns[0]] if columns else row
                for row in self.centre.get("/device-follow-ups", query={"handover": handover}).items]

    def due(self, handover, number=1, days=0):
        self.database.sql("UPDATE device_follow_up SET due_on = china_date(now()) - %s WHERE handover_id = %s AND number = %s", days, handover, number)

    def scan(self):
        """The recurring job, once, to its end."""
        before = self.database.sql("UPDATE job SET run_at = now() WHERE kind = 'device_follow_up_scan' RETURNING finished_at")
        self.database.sql("NOTIFY job, 'reminders'")
        wait_until(lambda: self.database.sql("SELECT finished_at FROM job WHERE kind = 'device_follow_up_scan' AND state = 'queued'") not in ([], before), 20)

    def told(self, handover, kind="device_follow_up_due"):
        return [one["content"] for one in self.manager.pages("/outbox", kind=kind, limit=200) if one["content"]["handover"] == handover]


@pytest.fixture(scope="module")
def world(cluster, database, contract):
    own = cluster.new_database().migrate()
    own.sql("UPDATE job SET run_at = now() + interval '1 day' WHERE schedule IS NOT NULL AND kind <> 'totals_fold'")
    server = Program(own, "serve").start()
    world = World(own, server, contract)
    yield world
    for client in (world.admin, *world.people.made):
        client.close()
    server.stop()


def result(world, follow_up, outcome="in_use", answers=ANSWERS, by=None, **more):
    options = {name: more.pop(name) for name in ("expect", "code", "key", "match") if name in more}
    more.setdefault("happened_at", step_loop.minutes_ago())
    body = {"outcome": outcome, **({} if answers is None else {"answers": answers}), **more}
    return (by or world.centre).post(f"/device-follow-ups/{follow_up}/result", body, **options)


def months_on(world, handover):
    return world.database.sql("""SELECT (china_date(happened_at) + interval '1 month')::date::text, (china_date(happened_at) + interval '6 months')::date::text
                                 FROM handover WHERE id = %s""", handover)[0]


# --- made, cancelled, open again ---


@pytest.mark.parametrize("kind", ["fitting", "rental"])
def test_a_hand_over_has_follow_ups_after_one_and_six_months(world, kind):
    handover, item = world.fitted() if kind == "fitting" else world.rented(months=12)
    one, two = world.of(handover)
    assert [(row["number"], row["due_on"], row["state"]) for row in (one, two)] == [
        (1, months_on(world, handover)[0], "open"), (2, months_on(world, handover)[1], "open")]
    assert (one["handover"], one["kind"], one["item"], one["model"], one["centre"], one["plan"]) == (
        handover, kind, item["code"], world.model, world.centre.centre, "tongxin")
    assert one["person_name"][1:] == "*" * len(one["person_name"][1:]) != ""
    assert (one["outcome"], one["told_at"], one["version"]) == (None, None, 1)


def test_trials_and_loans_have_none_until_a_trial_is_kept(world):
    request = world.request("fitting")
    item = world.item()
    handover = made_by_hand(world, "trial", request, item)
    assert world.of(handover) == []
    keep(world, handover)
    assert world.of(handover, "number", "state") == [(1, "open"), (2, "open")]
    loan = made_by_hand(world, "loan", None, world.item())
    assert world.of(loan) == []


def as_role(world, role="centre"):
    """A connection that acts as the centre, or as a worker, in a transaction that the test ends."""
    connection = world.database.connect("app")
    connection.autocommit = False
    cursor = connection.cursor()
    centre, account = world.database.sql("SELECT c.id, a.id FROM centre c JOIN account a ON a.centre_id = c.id WHERE c.code = %s", world.centre.centre)[0]
    for name, value in (("low", 0), ("high", 999999999), ("role", role), ("centre", centre), ("account", account)):
        cursor.execute("SELECT set_config(%s, %s, true)", (f"tantu.{name}", str(value)))
    return connection, cursor


def made_by_hand(world, kind, request, item):
    connection, cursor = as_role(world)
    cursor.execute("""INSERT INTO handover (plan_region, id, kind, item_id, person_id, borrower, request_id, due_at)
        SELECT %s, id_in(%s, 'handover_number'), %s, %s, (SELECT person_id FROM device_request WHERE id = %s), %s, %s, now() + interval '1 day'
        RETURNING id""", (640324000, 640324000, kind, item["id"], request, "" if request else "甲", request))
    (handover,) = cursor.fetchone()
    connection.commit()
    connection.close()
    return handover


def keep(world, handover):
    connection, cursor = as_role(world)
    cursor.execute("UPDATE handover SET kind = 'fitting' WHERE id = %s", (handover,))
    connection.commit()
    connection.close()


def test_what_came_back_is_asked_about_no_more_and_what_did_not_after_all_again(world):
    handover, item = world.fitted()
    first, _ = world.of(handover, "id")
    result(world, first)
    step_loop.give_back(world.centre, item)
    assert world.of(handover, "state") == ["done", "cancelled"]
    unreturn(world, handover)
    assert world.of(handover, "number", "state", "version") == [(1, "done", 2), (2, "open", 3)]
    rental, _ = world.rented()
    step_rental.give_back(world.centre, rental)
    assert world.of(rental, "state") == ["cancelled", "cancelled"]
    lost, _ = world.rented()
    step_rental.lose(world.centre, lost)
    assert world.of(lost, "state") == ["cancelled", "cancelled"]


def unreturn(world, handover):
    connection, cursor = as_role(world)
    cursor.execute("UPDATE handover SET ended = NULL WHERE id = %s", (handover,))
    connection.commit()
    connection.close()


# --- told of when due ---


def test_each_is_told_of_once_when_it_is_due(world):
    handover, item = world.fitted()
    later, _ = world.fitted()
    world.due(handover)
    world.scan()
    (said,) = world.told(handover)
    assert {name: said[name] for name in ("handover", "kind", "item", "centre", "plan", "number")} == {
        "handover": handover, "kind": "fitting", "item": item["code"], "centre": world.centre.centre, "plan": "tongxin", "number": 1}
    assert said["follow_up"] == world.of(handover, "id")[0] and world.told(later) == []
    world.due(handover, 2, days=3)
    world.scan()
    world.scan()
    assert [one["number"] for one in world.told(handover)] == [1, 2]
    assert all(world.of(handover, "told_at")) and world.of(later, "told_at") == [None, None]
    # Returned by mistake and out again: told of no second time.
    step_loop.give_back(world.centre, item)
    unreturn(world, handover)
    world.scan()
    assert len(world.told(handover)) == 2


def test_what_is_back_is_never_told_of(world):
    gone, item = world.fitted()
    rental, _ = world.rented()
    lost, _ = world.rented()
    for handover in (gone, rental, lost):
        world.due(handover)
    step_loop.give_back(world.centre, item)
    step_rental.give_back(world.centre, rental)
    step_rental.lose(world.centre, lost)
    world.scan()
    # Even if one were open by mistake.
    world.database.sql("UPDATE device_follow_up SET state = 'open' WHERE handover_id = %s", gone)
    world.scan()
    assert [world.told(handover) for handover in (gone, rental, lost)] == [[], [], []]
    world.database.sql("UPDATE device_follow_up SET state = 'cancelled' WHERE handover_id = %s", gone)


def run_statement(cursor, name):
    cursor.execute(f"PREPARE it AS {statements()[name].text}")
    cursor.execute("EXECUTE it")
    (count,) = cursor.fetchone()
    return count


def test_a_reminder_that_meets_a_return_is_not_sent(world):
    """The return is written and not committed: the scan passes it over, and the next finds it cancelled."""
    handover, item = world.fitted()
    world.due(handover)
    connection, cursor = as_role(world)
    cursor.execute("UPDATE handover SET ended = 'returned' WHERE id = %s", (handover,))
    world.scan()
    connection.commit()
    connection.close()
    world.scan()
    assert world.told(handover) == [] and world.of(handover, "state") == ["cancelled", "cancelled"]


def test_a_return_that_meets_a_reminder_comes_after_it(world):
    handover, item = world.fitted()
    world.due(handover)
    connection, cursor = as_role(world, "system")
    assert run_statement(cursor, "device_follow_up_scan") >= 1
    answers, client = [], world.centre.clone()
    returning = threading.Thread(target=lambda: answers.append(step_loop.give_back(client, item)))
    returning.start()
    wait_until(lambda: world.database.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"), 20, "the return")
    connection.commit()
    connection.close()
    returning.join()
    client.close()
    assert answers and len(world.told(handover)) == 1 and world.of(handover, "state") == ["cancelled", "cancelled"]


# --- asked and answered ---


def test_whom_to_call_and_what_to_ask(world):
    handover, _ = world.fitted()
    follow_up = world.of(handover, "id")[0]
    shown = world.centre.get(f"/device-follow-ups/{follow_up}")
    assert shown["for"]["name"][0] == world.of(handover, "person_name")[0][0] and "*" not in shown["for"]["name"]
    assert [(one["code"], one["kind"], one["required"]) for one in shown["questions"]] == [
        ("in_use", "yes_no", True), ("how_often", "choice", True), ("fits", "yes_no", True), ("pain", "yes_no", True), ("broken", "yes_no", True),
        ("satisfaction", "scale", True)]
    assert all(one["name_zh"] and one["name_ko"] and one["name_en"] for one in shown["questions"])
    assert [one["code"] for one in shown["questions"][1]["choices"]] == ["daily", "weekly", "seldom", "never"]
    assert world.database.sql("""SELECT count(*) FROM access_record r JOIN account a ON a.id = r.account_id
        WHERE r.what = 'person of a device follow-up' AND r.subject = %s AND a.name = %s""", shown["person"], world.centre.user) == [(1,)]
    for client in (world.other, world.elsewhere):
        client.get(f"/device-follow-ups/{follow_up}", expect=404, code="not_found")
        assert client.get("/device-follow-ups", query={"handover": handover}).items == []
    for client in (world.county, world.manager, world.auditor):
        assert client.get(f"/device-follow-ups/{follow_up}")["for"] == shown["for"]
    world.admin.get(f"/device-follow-ups/{follow_up}", expect=403, code="role_not_allowed")


def test_a_result_ends_a_follow_up_once(world):
    handover, _ = world.fitted()
    first, second = world.of(handover, "id")
    done = result(world, first, note="很好", match='"1"', key=f"result-{first}", happened_at="2099-01-01T00:00:00Z", expect=422, code="happened_in_future")
    assert done["field"] == "/happened_at"
    when = step_loop.minutes_ago()
    done = result(world, first, note="很好", match='"1"', key=f"result-{first}-2", happened_at=when)
    assert (done["state"], done["outcome"], done["answers"], done["note"], done["version"]) == ("done", "in_use", ANSWERS, "很好", 2)
    assert done["account"] == world.centre.get("/session")["id"] and done["done_at"]
    assert result(world, first, note="很好", match='"1"', key=f"result-{first}-2", happened_at=when).json == done.json
    result(world, first, expect=409, code="device_follow_up_over")
    result(world, second, match='"7"', expect=412, code="stale")
    assert world.of(handover, "state") == ["done", "open"]
    assert world.centre.get(f"/device-follow-ups/{first}")["answers"] == ANSWERS
    assert world.told(handover, "device_follow_up_broken") == []


@pytest.mark.parametrize("given, status, code, field", [
    ({"answers": {**ANSWERS, "colour": "red"}}, 422, "follow_up_answer_unknown", "/answers/colour"),
    ({"answers": {**ANSWERS, "a/b~c": 1}}, 422, "follow_up_answer_unknown", "/answers/a~1b~0c"),
    ({"answers": {**ANSWERS, "in_use": "yes"}}, 422, "follow_up_answer_invalid", "/answers/in_use"),
    ({"answers": {**ANSWERS, "how_often": "hourly"}}, 422, "follow_up_answer_invalid", "/answers/how_often"),
    ({"answers": {**ANSWERS, "satisfaction": 6}}, 422, "follow_up_answer_invalid", "/answers/satisfaction"),
    ({"answers": {**ANSWERS, "satisfaction": 2.5}}, 422, "follow_up_answer_invalid", "/answers/satisfaction"),
    ({"answers": {**ANSWERS, "satisfaction": "5"}}, 422, "follow_up_answer_invalid", "/answers/satisfaction"),
    ({"answers": {**ANSWERS, "pain": None}}, 422, "follow_up_answer_invalid", "/answers/pain"),
    ({"answers": {name: ANSWERS[name] for name in CODES if name != "fits"}}, 422, "follow_up_answer_missing", "/answers/fits"),
    ({"answers": None}, 422, "follow_up_answer_missing", "/answers/in_use"),
    ({"answers": None, "outcome": "broken"}, 422, "follow_up_answer_missing", "/answers/in_use"),
    ({"answers": []}, 422, "wrong_type", "/answers"), ({"answers": {}, "outcome": "fine"}, 422, "not_allowed", "/outcome"),
    ({"answers": None, "outcome": "other"}, 422, "note_required", "/note"), ({"answers": None, "outcome": "other", "note": " "}, 422, "note_required", "/note"),
    ({"happened_at": "2020-01-01T00:00:00Z"}, 422, "happened_before_last", "/happened_at")], ids=lambda value: "")
def test_a_result_that_cannot_be_is_refused(world, asked, given, status, code, field):
    assert result(world, asked, **given, expect=status, code=code)["field"] == field
    assert world.centre.get(f"/device-follow-ups/{asked}")["version"] == 1


@pytest.fixture(scope="module")
def asked(world):
    return world.of(world.fitted()[0], "id")[0]


def test_who_could_not_be_asked_answers_nothing(world):
    handover, _ = world.fitted()
    first, second = world.of(handover, "id")
    assert result(world, first, "died", None)["answers"] == {}
    assert result(world, second, "moved", {"satisfaction": 4}, by=world.county)["answers"] == {"satisfaction": 4}
    world.other.post(f"/device-follow-ups/{first}/take-back", {}, expect=404, code="not_found")
    world.auditor.post(f"/device-follow-ups/{first}/take-back", {}, expect=403, code="role_not_allowed")


def test_others_do_not_answer(world, asked):
    for client in (world.other, world.elsewhere):
        result(world, asked, by=client, expect=404, code="not_found")
    for client in (world.auditor, world.admin):
        result(world, asked, by=client, expect=403, code="role_not_allowed")
    result(world, 1, expect=404, code="not_found")


def test_what_is_broken_is_told_of(world):
    handover, item = world.fitted()
    follow_up = world.of(handover, "id")[0]
    result(world, follow_up, "broken", {**ANSWERS, "broken": True})
    (said,) = world.told(handover, "device_follow_up_broken")
    assert (said["follow_up"], said["item"], said["number"]) == (follow_up, item["code"], 1) and said["happened_at"]


def test_a_result_is_taken_back_by_who_gave_it(world):
    handover, item = world.fitted()
    first, second = world.of(handover, "id")
    result(world, first)
    result(world, second, by=world.county)
    for who, follow_up in ((world.county, first), (world.centre, second)):
        who.post(f"/device-follow-ups/{follow_up}/take-back", {}, expect=403, code="not_your_action")
    world.centre.post(f"/device-follow-ups/{first}/take-back", {}, match='"1"', expect=412, code="stale")
    back = world.centre.post(f"/device-follow-ups/{first}/take-back", {})
    assert (back["state"], back["outcome"], back["answers"], back["account"], back["version"]) == ("open", None, None, None, 3)
    world.centre.post(f"/device-follow-ups/{first}/take-back", {}, expect=422, code="nothing_to_take_back")
    assert result(world, first, "not_used", None)["state"] == "done"
    # Of what came back meanwhile nothing is open again.
    step_loop.give_back(world.centre, item)
    assert world.county.post(f"/device-follow-ups/{second}/take-back", {})["state"] == "cancelled"
    result(world, second, expect=409, code="device_follow_up_over")


def test_of_many_answers_one_counts(world):
    handover, _ = world.fitted()
    follow_up = world.of(handover, "id")[0]
    clients, answers = [world.centre.clone() for _ in range(6)], []
    start = threading.Barrier(len(clients))

    def answer(client):
        start.wait()
        answers.append(client._send("POST", f"/api/v1/device-follow-ups/{follow_up}/result", b'{"outcome": "moved", "happened_at": "%s"}' % step_loop.minutes_ago().encode(), {
            "Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60).status)
    threads = [threading.Thread(target=answer, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert sorted(answers) == [200] + [409] * 5


# --- what a plan sets ---


QUESTIONS = [{"code": "sits_well", "kind": "yes_no", "name_zh": "坐得好吗？"},
             {"code": "where", "kind": "choice", "required": True, "name_zh": "在哪里用？", "name_ko": "어디서?", "name_en": "Where?", "choices": [
                 {"code": "home", "name_zh": "家里"}, {"code": "street", "name_zh": "外面", "name_ko": "밖", "name_en": "Outside"}]},
             {"code": "words", "kind": "text", "name_zh": "还有什么？"}]


def test_a_plan_sets_when_and_what_is_asked(world):
    path = "/plans/tongxin/device-follow-up-rule"
    first = world.centre.get(path)
    assert (first["plan"], first["follow_ups"], first.etag) == ("tongxin", [{"months": 1}, {"months": 6}], '"0"')
    assert [one["code"] for one in first["questions"]] == CODES
    before, _ = world.fitted()
    put = world.manager.put(path, {"follow_ups": [{"months": 12}, {"months": 3}, {"months": 12}], "questions": QUESTIONS}, match=first.etag)
    assert (put["follow_ups"], put.etag) == ([{"months": 3}, {"months": 12}], '"1"')
    assert put["questions"][0] == {**QUESTIONS[0], "name_ko": "坐得好吗？", "name_en": "坐得好吗？", "required": False, "choices": []}
    assert put["questions"][1]["choices"] == [{"code": "home", "name_zh": "家里", "name_ko": "家里", "name_en": "家里"}, QUESTIONS[1]["choices"][1]]
    assert world.centre.get(path).json == put.json
    assert world.manager.put(path, {"follow_ups": []}, match=first.etag, expect=412, code="stale")["current"] == put.json
    # What was handed over is asked as it was then; what is handed over now, anew.
    after, _ = world.fitted()
    assert (len(world.of(before)), world.of(after, "number")) == (2, [1, 2])
    assert world.database.sql("SELECT (max(due_on) - china_date(now()) > 300)::text FROM device_follow_up WHERE handover_id = %s", after) == [("true",)]
    old, new = world.of(before, "id")[0], world.of(after, "id")[0]
    assert result(world, old)["answers"] == ANSWERS
    result(world, new, expect=422, code="follow_up_answer_unknown")
    assert result(world, new, answers={"where": "home", "words": "很好\n谢谢"})["answers"] == {"where": "home", "words": "很好\n谢谢"}
    # Months alone leave the questions, and none means none.
    assert world.admin.put(path, {"follow_ups": []})["questions"] == put["questions"]
    assert world.of(world.fitted()[0]) == []
    assert world.admin.put(path, {"follow_ups": first["follow_ups"], "questions": first["questions"]})["questions"] == first["questions"]
    assert world.manager.get("/plans/qinghai/device-follow-up-rule")["version"] == 0


def changed(number, **fields):
    return [{**one, **fields} if at == number else one for at, one in enumerate(QUESTIONS)]


@pytest.mark.parametrize("questions, code, field", [
    (changed(0, code="A"), "question_code_invalid", "/questions/0/code"), (changed(2, code="where"), "question_given_twice", "/questions/2/code"),
    (changed(1, choices=[{"code": "one", "name_zh": "一"}]), "choices_missing", "/questions/1/choices"), (changed(1, choices=None), "choices_missing", "/questions/1/choices"),
    (changed(0, choices=QUESTIONS[1]["choices"]), "choices_not_wanted", "/questions/0/choices"),
    (changed(1, choices=[{"code": "one", "name_zh": "一"}] * 2), "question_given_twice", "/questions/1/choices"),
    (changed(1, choices=[{"code": "one", "name_zh": "一"}, {"code": "T w", "name_zh": "一"}]), "question_code_invalid", "/questions/1/choices"),
    (changed(1, kind="number"), "not_allowed", "/questions/1/kind"), (changed(1, choices=[{"code": "one"}]), "required", "/questions/1/choices/0/name_zh")],
    ids=lambda value: "")
def test_questions_that_cannot_be_are_refused(world, questions, code, field):
    assert world.manager.put("/plans/tongxin/device-follow-up-rule", {"follow_ups": [], "questions": questions}, expect=422, code=code)["field"] == field


def test_who_sets_it(world):
    path, body = "/plans/tongxin/device-follow-up-rule", {"follow_ups": []}
    world.people.manager("630000").put(path, body, expect=403, code="region_foreign")
    for client in (world.county, world.centre, world.auditor):
        client.put(path, body, expect=403, code="role_not_allowed")
    world.manager.put("/plans/nothing/device-follow-up-rule", body, expect=404, code="not_found")
    world.manager.get("/plans/nothing/device-follow-up-rule", expect=404, code="not_found")


# --- the list ---


def test_the_list_is_in_the_order_in_which_they_are_due(world):
    centre = step_centre.set_up(world.people)
    handovers = [world.fitted(centre)[0] for _ in range(3)]
    for handover, day in zip(handovers, ("2031-03-03", "2031-03-02", "2031-03-04")):
        world.database.sql("UPDATE device_follow_up SET due_on = %s::date + (number - 1) * 100 WHERE handover_id = %s", day, handover)
    first = world.county.get("/device-follow-ups", query={"handover": handovers[1]}).items[0]["id"]
    result(world, first, by=centre)
    one, two, three = handovers
    every = [(two, 1), (one, 1), (three, 1), (two, 2), (one, 2), (three, 2)]
    named = {"centre": centre.centre}

    def listed(client, **query):
        return [(row["handover"], row["number"]) for row in client.pages("/device-follow-ups", limit=2, **query)]
    assert listed(centre) == every == listed(centre, **named)
    for client in (world.manager, world.auditor):
        assert listed(client, **named) == every
    for client in (world.county, world.people.manager("640300")):
        assert listed(client, state="open", **named) == every[1:] and listed(client, state="done", **named) == every[:1]
        assert listed(client, state="open", due_before="2031-03-04", **named) == every[1:2]
        assert listed(client, due_before="2031-03-02", **named) == []
        assert listed(client, plan="tongxin", **named) == every and listed(client, plan="qinghai", **named) == []
        for query in ({}, {"plan": "tongxin"}, {"region": "640324"}, {"region": "640000"}):
            own = [(row["handover"], row["number"]) for row in client.pages("/device-follow-ups", limit=25, **query) if row["handover"] in handovers]
            assert own == every, query
        assert listed(client, plan="qinghai") == [] == listed(client, region="630000")
    for client in (world.other, world.elsewhere):
        assert listed(client, **named) == []
    rows = list(world.county.pages("/device-follow-ups", limit=3))
    assert [(row["due_on"], row["id"]) for row in rows] == sorted((row["due_on"], row["id"]) for row in rows)
    for cursor in ("x", "2031-13-01.1", "2031-01-01.a", "2031-01-01"):
        world.county.get("/device-follow-ups", query={"after": cursor}, expect=422)
    world.county.get("/device-follow-ups", query={"handover": "x"}, expect=422)
