# SPDX-License-Identifier: Apache-2.0
"""Follow-ups: made by a job once a case is accepted, cancelled by a revocation, back when that is taken back; reminded of when
they are due; ended by what was found. And the deadline of a rework, which a job looks after. The database is one of its own, in
which what recurs runs only when a test says so."""
import threading
from contextlib import contextmanager

import pytest
from acceptance_help import Acceptance
from client import Client
from harness import People
from processes import ADMIN_PASSWORD, Program, wait_until
from stages import DAYS, move
from step_inspection import day_after, now
from statements import statements

ACCEPTED, REVOKED = DAYS["accepted"], "2023-06-05T02:00:00Z"


@pytest.fixture(scope="module")
def county(cluster, database, contract):
    own = cluster.new_database().migrate()
    own.sql("UPDATE job SET run_at = now() + interval '1 day' WHERE schedule IS NOT NULL AND kind <> 'totals_fold'")
    server = Program(own, "serve").start()
    people = People(Client(server, contract).sign_in("admin", ADMIN_PASSWORD))
    yield Acceptance(own, people)
    for client in (people.admin, *people.made):
        client.close()
    server.stop()


def run(county, kind):
    """The recurring job, once, to its end."""
    before = county.database.sql("UPDATE job SET run_at = now() WHERE kind = %s RETURNING finished_at", kind)
    county.database.sql("NOTIFY job, 'reminders'")
    wait_until(lambda: county.database.sql("SELECT finished_at FROM job WHERE kind = %s AND state = 'queued'", kind)
               not in ([], before), 20, kind)


def settle(county):
    """Until no follow-ups are to be made any more."""
    wait_until(lambda: not county.database.sql("SELECT 1 FROM job WHERE kind = 'follow_ups' AND state IN ('queued', 'running')"), 20, "follow-ups")
    assert not county.database.sql("SELECT 1 FROM job WHERE kind = 'follow_ups' AND state = 'dead'")


def follow_ups(county, case, *columns):
    columns = columns or ("number", "due_on", "state")
    settle(county)
    return [tuple(row[column] for column in columns) for row in county.county.get(f"/cases/{case}/follow-ups").items]


def accepted(county, happened=ACCEPTED, **row):
    case = county.case(**row)
    move(county.county, case, "accepted", happened)
    return case


def told(county, case, kind):
    return [one["content"] for one in county.manager.pages("/outbox", kind=kind, limit=200) if one["case"] == case]


def result(county, case, number=1, outcome="in_use", by=None, happened="2023-07-02T02:00:00Z", **more):
    options = {name: more.pop(name) for name in ("expect", "code", "key", "match") if name in more}
    return (by or county.assessor).post(f"/cases/{case}/follow-ups/{number}/result", {"happened_at": happened, "outcome": outcome, **more},
                                        **options)


@contextmanager
def no_follow_ups(database):
    """Their job comes only afterwards."""
    database.sql("""CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.run_at = now() + interval '1 day'; RETURN NEW; END $$;
                    CREATE TRIGGER later BEFORE INSERT ON job FOR EACH ROW WHEN (NEW.kind = 'follow_ups') EXECUTE FUNCTION later()""")
    yield
    database.sql("DROP TRIGGER later ON job; DROP FUNCTION later();"
                 "UPDATE job SET run_at = now() WHERE kind = 'follow_ups' AND state = 'queued'; NOTIFY job, 'reminders'")


BOTH = [(1, "2023-07-01", "open"), (2, "2023-12-01", "open")]
CANCELLED = [(number, due, "cancelled") for number, due, _ in BOTH]

# --- made, cancelled, back ---


def test_an_accepted_case_has_follow_ups_after_one_and_six_months(county):
    case = accepted(county)
    assert follow_ups(county, case) == BOTH
    assert county.database.sql("SELECT count(*) FROM job WHERE kind = 'follow_ups' AND payload->>'case' = %s", str(case)) == [(1,)]
    assert follow_ups(county, county.case()) == []


def test_months_are_of_the_calendar(county):
    case = accepted(county, "2023-08-31T02:00:00Z")
    assert [due for _, due, _ in follow_ups(county, case)] == ["2023-09-30", "2024-02-29"]
    late = accepted(county, "2023-08-30T16:00:00Z")  # the 31st in China
    assert [due for _, due, _ in follow_ups(county, late)] == ["2023-09-30", "2024-02-29"]


def test_however_often_the_job_runs_they_are_made_once(county):
    case = accepted(county)
    assert follow_ups(county, case) == BOTH
    version = county.manager.get(f"/cases/{case}")["version"]
    for wanted in (version, version, version - 1, version + 1):
        number = county.database.sql("INSERT INTO job (queue, kind, payload) VALUES ('reminders', 'follow_ups', json_build_object("
                                     "'case', %s::bigint, 'version', %s::int)) RETURNING id", case, wanted)[0][0]
        wait_until(lambda number=number: county.database.sql("SELECT state FROM job WHERE id = %s", number) == [("done",)], 20)
    assert follow_ups(county, case) == BOTH


def test_a_closed_case_keeps_its_follow_ups(county):
    case = accepted(county)
    move(county.county, case, "closed", DAYS["closed"])
    assert follow_ups(county, case) == BOTH
    result(county, case)
    assert follow_ups(county, case, "number", "state", "stage") == [(1, "done", "closed"), (2, "open", "closed")]
    county.county.post(f"/cases/{case}/take-back", {})
    assert follow_ups(county, case, "state") == [("done",), ("open",)]


@pytest.mark.parametrize("closed", [False, True], ids=["accepted", "closed"])
def test_a_revocation_cancels_what_is_open_and_its_take_back_brings_it_back(county, closed):
    plan, progress = county.plan, lambda: county.manager.progress(county.plan)["accepted"]
    before = progress()
    case = accepted(county)
    if closed:
        move(county.county, case, "closed", DAYS["closed"])
    settle(county)
    assert progress() == before + 1
    result(county, case)
    move(county.manager, case, "built", "2023-06-15T02:00:00Z", note="坡道塌了")
    assert progress() == before
    assert follow_ups(county, case, "number", "state", "outcome") == [(1, "done", "in_use"), (2, "cancelled", None)]
    county.manager.post(f"/cases/{case}/take-back", {})
    assert progress() == before + 1
    assert follow_ups(county, case, "number", "state", "outcome") == [(1, "done", "in_use"), (2, "open", None)]
    # Revoked for good, mended and accepted again: counted once, on the new day, with follow-ups of its own.
    move(county.manager, case, "built", "2023-06-15T02:00:00Z")
    move(county.county, case, "accepted", "2023-08-10T02:00:00Z")
    assert progress() == before + 1
    assert follow_ups(county, case, "number", "due_on", "state") == [
        (1, "2023-07-01", "done"), (2, "2023-12-01", "cancelled"), (1, "2023-09-10", "open"), (2, "2024-02-10", "open")]
    counted = county.manager.pages("/cases", plan=plan, counted="true", limit=200)
    assert [one["accepted_on"] for one in counted if one["id"] == case] == ["2023-08-10"]
    events = county.manager.pages(f"/cases/{case}/events", limit=200)
    assert [event["kind"] for event in events if event["kind"] in ("revoke", "take_back")] == ["revoke", "take_back", "revoke"]


def test_an_acceptance_taken_back_cancels_them_too(county):
    case = accepted(county)
    settle(county)
    county.county.post(f"/cases/{case}/take-back", {})
    assert follow_ups(county, case) == CANCELLED
    move(county.county, case, "accepted", "2023-06-02T02:00:00Z")
    assert follow_ups(county, case) == CANCELLED + [(1, "2023-07-02", "open"), (2, "2023-12-02", "open")]


def test_what_was_revoked_before_the_job_came_has_none_and_gets_them_when_that_is_taken_back(county):
    with no_follow_ups(county.database):
        case = accepted(county)
        move(county.manager, case, "built", REVOKED)
    assert follow_ups(county, case) == []
    county.manager.post(f"/cases/{case}/take-back", {})
    assert follow_ups(county, case) == BOTH



@contextmanager
def as_worker(county):
    """A connection that is a worker's, in a transaction that the test ends."""
    connection = county.database.connect("app")
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT " + ", ".join(f"set_config('tantu.{name}', '{value}', true)" for name, value in
                                                 (("low", 0), ("high", 999999999), ("role", "system"))))
            yield connection, lambda name, *values: run_statement(cursor, name, values)
    finally:
        connection.close()


def run_statement(cursor, name, values):
    cursor.execute(f"PREPARE it AS {statements()[name].text}")
    cursor.execute(f"EXECUTE it{'(' + ', '.join(map(str, values)) + ')' if values else ''}")
    (count,) = cursor.fetchone()
    cursor.execute("DEALLOCATE it")
    return count


def waiting(county):
    return lambda: county.database.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def test_a_revocation_that_meets_the_job_finds_what_it_made(county):
    """The job has made them and not committed: the revocation waits for it, and cancels them."""
    with no_follow_ups(county.database):
        case = accepted(county)
    settle(county)
    county.database.sql("DELETE FROM follow_up WHERE case_id = %s", case)
    version = county.manager.get(f"/cases/{case}")["version"]
    with as_worker(county) as (connection, execute):
        assert execute("follow_ups_make", case, version) == 2
        revoking = threading.Thread(daemon=True, target=move, args=(county.manager.clone(), case, "built", REVOKED))
        revoking.start()
        wait_until(waiting(county), 20, "the revocation")
        connection.commit()
        revoking.join()
    assert follow_ups(county, case) == CANCELLED


def test_a_job_that_meets_a_revocation_makes_nothing(county):
    with no_follow_ups(county.database):
        case = accepted(county)
    settle(county)
    county.database.sql("DELETE FROM follow_up WHERE case_id = %s", case)
    version, made = county.manager.get(f"/cases/{case}")["version"], []
    revoker = county.database.connect("super")
    revoker.autocommit = False
    revoker.cursor().execute("SELECT set_config('tantu.role', 'manager', true)")
    revoker.cursor().execute("UPDATE retrofit_case SET stage = 'built', stage_at = %s, stage_note = 'x' WHERE id = %s", (REVOKED, case))
    with as_worker(county) as (connection, execute):
        making = threading.Thread(daemon=True, target=lambda: made.append(execute("follow_ups_make", case, version)))
        making.start()
        wait_until(waiting(county), 20, "the job")
        revoker.commit()
        making.join()
        connection.commit()
    revoker.close()
    assert made == [0] and follow_ups(county, case) == []


# --- what a plan sets ---


def test_a_plan_sets_when_follow_ups_are_due_and_how_long_a_rework_may_take(county):
    other = Acceptance(county.database, county.people)
    path = f"/plans/{other.plan}/acceptance-rule"
    first = other.manager.get(path)
    assert (first["plan"], first["rework_days"], first["follow_ups"], first.etag) == (other.plan, 60, [{"months": 1}, {"months": 6}], '"0"')
    body = {"rework_days": 10, "follow_ups": [{"months": 12}, {"months": 3}, {"months": 12}]}
    put = other.manager.put(path, body, match=first.etag)
    assert (put["rework_days"], put["follow_ups"], put.etag) == (10, [{"months": 3}, {"months": 12}], '"1"')
    assert other.manager.get(path).json == put.json
    assert other.manager.put(path, body, match=first.etag, expect=412)["current"]["rework_days"] == 10
    case = accepted(other)
    assert follow_ups(other, case) == [(1, "2023-09-01", "open"), (2, "2024-06-01", "open")]
    # What is made is made; the plan's next acceptances are as it says then.
    assert other.admin.put(path, {**body, "follow_ups": []}, match=put.etag)["follow_ups"] == []
    assert follow_ups(other, case) == [(1, "2023-09-01", "open"), (2, "2024-06-01", "open")]
    assert follow_ups(other, accepted(other)) == []
    late = other.case()
    other.inspect(late, (1, 1, "松了"), deadline="2023-06-05", expect=422, code="deadline_out_of_range")
    other.inspect(late, (1, 1, "松了"), deadline="2023-06-04", expect=201)
    assert county.manager.get(f"/plans/{county.plan}/acceptance-rule")["rework_days"] == 60


def test_who_sets_it(county):
    path, body = f"/plans/{county.plan}/acceptance-rule", {"rework_days": 10, "follow_ups": []}
    county.people.manager("630000").put(path, body, expect=403, code="region_foreign")
    county.manager.put("/plans/nothing/acceptance-rule", body, expect=404)
    county.manager.get("/plans/nothing/acceptance-rule", expect=404)
    for who in (county.county, county.assessor, county.contractor):
        who.put(path, body, expect=403, code="role_not_allowed")
    county.manager.put(path, {**body, "follow_ups": [{"months": 0}]}, expect=422, code="out_of_range")


# --- results ---


def test_a_result_ends_a_follow_up(county):
    case = accepted(county)
    settle(county)
    tag = f'"{follow_ups(county, case, "version")[0][0]}"'
    done = result(county, case, outcome="other", note="住院", match=tag, key="a-follow-up")
    assert (done["case"], done["number"], done["state"], done["outcome"], done["note"]) == (case, 1, "done", "other", "住院")
    assert done["happened_at"] == "2023-07-02T02:00:00Z" and done["account"] == county.assessor.get("/session")["id"] and done["done_at"]
    assert result(county, case, outcome="other", note="住院", match=tag, key="a-follow-up").json == done.json
    assert follow_ups(county, case, "number", "state", "outcome", "note") == [(1, "done", "other", "住院"), (2, "open", None, "")]
    result(county, case, expect=409, code="follow_up_over")
    result(county, case, number=2, match='"7"', expect=412, code="stale")
    assert result(county, case, number=2, match=tag)["number"] == 2


REFUSED = [({"number": 3}, 404, "not_found", None), ({"number": "x"}, 404, "not_found", None),
           ({"happened": "2123-01-01T00:00:00Z"}, 422, "happened_in_future", "/happened_at"),
           ({"happened": "2023-05-31T15:59:59Z"}, 422, "happened_before_last", "/happened_at"),
           ({"outcome": "other"}, 422, "note_required", "/note"), ({"outcome": "other", "note": " \n"}, 422, "note_required", "/note"),
           ({"outcome": "fine"}, 422, "not_allowed", "/outcome")]


@pytest.fixture(scope="module")
def one(county):
    case = accepted(county)
    settle(county)
    return case


@pytest.mark.parametrize("given, status, code, field", REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_result_that_cannot_be_is_refused(county, one, given, status, code, field):
    refused = result(county, one, **given, expect=status, code=code)
    assert refused.json.get("field") == field
    assert follow_ups(county, one) == BOTH


def test_a_cancelled_follow_up_has_no_result(county):
    case = accepted(county)
    settle(county)
    move(county.manager, case, "built", REVOKED)
    result(county, case, expect=409, code="follow_up_over")


def test_who_may_ask(county, one):
    people = county.people
    for who in (county.contractor, people.auditor("640324"), people.admin, people.centre("centre-follow")):
        result(county, one, by=who, expect=403, code="role_not_allowed")
    for who in (people.assessor("640324"), people.county("630106"), people.manager("630000")):
        result(county, one, by=who, expect=404, code="not_found")
        assert who.get(f"/cases/{one}/follow-ups").items == []
    county.contractor.get("/follow-ups", expect=403)
    county.contractor.get(f"/cases/{one}/follow-ups", expect=403)
    for number, who in ((1, county.county), (2, county.manager)):
        result(county, accepted_and_settled(county), by=who, number=number)


def accepted_and_settled(county):
    case = accepted(county)
    settle(county)
    return case


def test_who_ended_a_follow_up_takes_it_back(county):
    case = accepted_and_settled(county)
    path = f"/cases/{case}/follow-ups/1/take-back"
    county.assessor.post(path, {}, expect=422, code="nothing_to_take_back")
    tag = result(county, case, outcome="broken", note="错了").etag
    county.county.post(path, {}, expect=403, code="not_your_action")
    county.assessor.post(path, {}, match='"1"', expect=412, code="stale")
    county.people.assessor("640324").post(path, {}, expect=404, code="not_found")
    county.contractor.post(path, {}, expect=403, code="role_not_allowed")
    back = county.assessor.post(path, {}, match=tag, key="back-once")
    assert county.assessor.post(path, {}, match=tag, key="back-once").json == back.json
    assert (back["state"], back["outcome"], back["note"], back["account"], back["done_at"]) == ("open", None, "", None, None)
    assert follow_ups(county, case) == BOTH
    result(county, case, outcome="in_use")
    # Of an acceptance that was revoked meanwhile nothing is open again.
    move(county.manager, case, "built", REVOKED)
    assert county.assessor.post(path, {})["state"] == "cancelled"
    assert follow_ups(county, case) == CANCELLED


def test_two_results_at_once_are_one(county):
    case, statuses = accepted_and_settled(county), []
    clients = [county.county.clone() for _ in range(4)]

    def send(client):
        answer = client._send("POST", f"/api/v1/cases/{case}/follow-ups/1/result",
                              b'{"happened_at": "2023-07-02T02:00:00Z", "outcome": "in_use"}',
                              {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)
        statuses.append(answer.status)
    threads = [threading.Thread(daemon=True, target=send, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread, client in zip(threads, clients):
        thread.join()
        client.close()
    assert sorted(statuses) == [200, 409, 409, 409]
    assert [state for _, _, state in follow_ups(county, case)] == ["done", "open"]


def test_what_is_broken_is_told(county):
    case, other = accepted_and_settled(county), accepted_and_settled(county)
    result(county, case, outcome="broken", note="扶手断了", key="broken-once")
    result(county, case, outcome="broken", note="扶手断了", key="broken-once")
    result(county, other)
    (content,) = told(county, case, "follow_up_broken")
    assert content == {"case": case, "plan": county.plan, "number": 1, "happened_at": content["happened_at"]}  # and no words of the household
    assert told(county, other, "follow_up_broken") == []


# --- reminders ---


def test_a_follow_up_that_is_due_is_told_once(county):
    due, done, cancelled, later = (accepted(county) for _ in range(4))
    settle(county)
    county.database.sql("UPDATE follow_up SET due_on = current_date + 2 WHERE case_id = %s", later)
    result(county, done, number=1)
    result(county, done, number=2)
    move(county.manager, cancelled, "built", REVOKED)
    for _ in range(2):
        run(county, "follow_up_scan")
        assert told(county, due, "follow_up_due") == [
            {"case": due, "plan": county.plan, "number": number, "due_on": day} for number, day, _ in BOTH]
        for case in (done, cancelled, later):
            assert told(county, case, "follow_up_due") == []
    assert all(at for (at,) in follow_ups(county, due, "reminded_at"))
    # It is told of no second time after a revocation was taken back.
    move(county.manager, due, "built", REVOKED)
    county.manager.post(f"/cases/{due}/take-back", {})
    run(county, "follow_up_scan")
    assert len(told(county, due, "follow_up_due")) == 2
    county.database.sql("UPDATE follow_up SET due_on = (now() AT TIME ZONE 'Asia/Shanghai')::date WHERE case_id = %s AND number = 1", later)
    run(county, "follow_up_scan")
    assert [content["number"] for content in told(county, later, "follow_up_due")] == [1]


def test_a_reminder_that_meets_a_result_is_not_sent(county):
    """The result is written and not committed: the scan passes it over, and the next finds it done."""
    case = accepted_and_settled(county)
    with as_worker(county) as (ending, _):
        ending.cursor().execute("UPDATE follow_up SET state = 'done', outcome = 'in_use', happened_at = now(), done_at = now(), account_id = 1 "
                                "WHERE case_id = %s", (case,))
        run(county, "follow_up_scan")
        ending.commit()
    run(county, "follow_up_scan")
    assert told(county, case, "follow_up_due") == []


def test_a_result_that_meets_a_reminder_comes_after_it(county):
    case = accepted_and_settled(county)
    with as_worker(county) as (connection, execute):
        assert execute("follow_up_scan") >= 2
        answers = []
        ending = threading.Thread(daemon=True, target=lambda: answers.append(result(county, case, by=county.county.clone())))
        ending.start()
        wait_until(waiting(county), 20, "the result")
        connection.commit()
        ending.join()
    assert answers[0]["state"] == "done" and answers[0]["reminded_at"]
    run(county, "follow_up_scan")
    assert len(told(county, case, "follow_up_due")) == 2


# --- the deadline of a rework ---


def test_a_rework_past_its_deadline_is_told_once(county):
    late, mended, resting, in_time = (county.case() for _ in range(4))
    for case in (late, mended, resting):
        county.inspect(case, (1, 1, "松了"))
    county.inspect(in_time, (1, 1, "松了"), inspected_at=now(), deadline=day_after(now(), 30))
    for case in (late, mended, resting, in_time):
        move(county.county, case, "rework")
    move(county.contractor, mended, "building")
    move(county.contractor, mended, "built")
    move(county.county, resting, "suspended")
    for stage in ("rework", "building"):
        run(county, "rework_scan")
        assert told(county, late, "rework_overdue") == [
            {"case": late, "plan": county.plan, "stage": "rework", "inspection": 1, "deadline": "2023-06-20"}]
        assert [told(county, case, "rework_overdue") for case in (mended, resting, in_time)] == [[], [], []]
        if stage == "rework":
            move(county.contractor, late, "building")
    # Built again, at fault again, late again: told again; and what rested goes on.
    move(county.contractor, late, "built")
    county.inspect(late, (1, 1, "又松了"), inspected_at=now(), deadline=day_after(now(), 1))
    county.database.sql("UPDATE inspection SET deadline = current_date - 2 WHERE case_id = %s AND number = 2", late)
    move(county.county, late, "rework")
    move(county.county, resting, "rework")
    run(county, "rework_scan")
    assert [content["inspection"] for content in told(county, late, "rework_overdue")] == [1, 2]
    assert [content["inspection"] for content in told(county, resting, "rework_overdue")] == [1]


def test_two_scans_at_once_tell_once(county):
    case = county.case()
    county.inspect(case, (1, 1, "松了"))
    move(county.county, case, "rework")
    with as_worker(county) as (connection, execute):
        assert execute("rework_scan") >= 1
        county.database.sql("UPDATE job SET run_at = now() WHERE kind = 'rework_scan'; NOTIFY job, 'reminders'")
        wait_until(waiting(county), 20, "the second scan")
        connection.commit()
    wait_until(lambda: county.database.sql("SELECT 1 FROM job WHERE kind = 'rework_scan' AND state = 'queued' AND run_at > now()"), 20)
    assert len(told(county, case, "rework_overdue")) == 1


# --- the list ---


def test_the_list_is_in_the_order_in_which_they_are_due(county):
    own = Acceptance(county.database, county.people)
    cases = [accepted(own, day) for day in ("2023-06-03T02:00:00Z", "2023-06-02T02:00:00Z", "2023-06-04T02:00:00Z")]
    settle(own)
    result(own, cases[1])
    places = dict.fromkeys(cases, "640324101")
    own.manager.post(f"/cases/{cases[2]}/relocation", {"region": "640324102", "village": "a", "address": "b"})
    places[cases[2]] = "640324102"

    def listed(client, **query):
        return [(row["case"], row["number"]) for row in client.pages("/follow-ups", limit=2, **{"plan": own.plan, **query})]
    one, two, three = cases
    every = [(two, 1), (one, 1), (three, 1), (two, 2), (one, 2), (three, 2)]
    wide = county.people.manager("640300")
    for client in (own.county, own.manager, own.assessor, county.people.auditor("640324"), wide):
        assert listed(client) == every
        assert listed(client, state="open") == every[1:] and listed(client, state="done") == every[:1]
        assert listed(client, state="open", due_before="2023-12-01") == every[1:3]
        assert listed(client, due_before="2023-07-02") == []
        assert listed(client, region="640324102") == [(three, 1), (three, 2)]
        assert listed(client, region="640000") == listed(client, region="640324") == every
        assert listed(client, region="630000") == []
        assert listed(client, plan="tongxin") == []
    for row in own.manager.get("/follow-ups", query={"plan": own.plan}).items:
        case = own.manager.get(f"/cases/{row['case']}")
        assert {name: row[name] for name in ("household_number", "householder", "region", "village", "stage")} == {
            name: case[name] for name in ("household_number", "householder", "region", "village", "stage")}
        assert row["region"] == places[row["case"]]
    for client in (county.people.county("630106"), county.people.assessor("640324"), county.people.manager("630000")):
        assert client.get("/follow-ups").items == []
    assert set(every) < set(listed(own.manager, plan=None))


@pytest.mark.parametrize("cursor", ["x", "2023-13-01.1.1.1", "2023-01-01.a.1.1", "2023-01-01"])
def test_a_cursor_that_no_page_gave_is_refused(county, cursor):
    county.county.get("/follow-ups", query={"after": cursor}, expect=422)
