# SPDX-License-Identifier: Apache-2.0
"""The queue (SPEC §8): effects exactly once over killed and frozen workers, leases, retries, schedules, wake-up, drain."""
import http.client
import random
import re
import signal
import time
from datetime import datetime, timedelta, timezone

import needs
import psycopg2
import pytest
from conftest import People
from processes import ADMIN_PASSWORD, wait_until
from queue_help import add, boss, is_done, job, locked, lose_leases, open_cases, queue, queues, waiters, work  # noqa: F401

JOBS = 20000
LEASE_SECONDS = 30


# --- exactly once ---


def test_each_effect_exactly_once_over_killed_workers(queue, work):
    open_cases(queue, JOBS, 400)
    queue.sql("UPDATE job SET run_at = now() WHERE kind = 'overdue_scan'")
    workers = [work() for _ in range(4)]
    wait_until(lambda: queue.sql("SELECT 1 FROM job WHERE kind = 'stage_overdue' LIMIT 1"), 30, "the scan")
    dice = random.Random(20)
    kills = stolen = 0
    deadline = time.monotonic() + 150
    while queue.sql("SELECT 1 FROM job WHERE kind = 'stage_overdue' AND state IN ('queued', 'running') LIMIT 1"):
        assert time.monotonic() < deadline, queue.sql("SELECT kind, state, count(*) FROM job GROUP BY 1, 2")
        time.sleep(0.3)
        worker = dice.choice(workers)
        name = f"%:{worker.pid}"
        worker.kill()
        kills += 1
        lose_leases(queue, "worker LIKE %s", name)
        stolen += len(lose_leases(queue, "id %% 3 = %s", kills % 3))  # and from some that live
        worker.start()
    print(f"\n{kills} workers killed, {stolen} leases taken from living ones")
    assert kills >= 5
    assert queue.sql("SELECT count(*), count(DISTINCT case_id) FROM outbox WHERE kind = 'stage_overdue'") == [(JOBS, JOBS)]
    assert queue.sql("SELECT state, count(*) FROM job WHERE kind = 'stage_overdue' GROUP BY 1") == [("done", JOBS)]
    assert queue.sql("SELECT max(attempts) FROM job WHERE kind = 'stage_overdue'")[0][0] > 1
    # Once more: everything has been said.
    queue.sql("UPDATE job SET run_at = now() WHERE kind = 'overdue_scan'")
    queue.sql("NOTIFY job, 'reminders'")
    scan = queue.sql("SELECT id FROM job WHERE kind = 'overdue_scan'")[0][0]
    wait_until(lambda: job(queue, scan, "state, run_at > now()") == ("queued", True), 20, "the second scan")
    assert queue.sql("SELECT count(*) FROM job WHERE kind = 'stage_overdue'") == [(JOBS,)]


def test_a_frozen_worker_has_lost_its_effect(queue, work):
    """Its statement is under way when its lease is taken: it is undone with all of its transaction."""
    open_cases(queue, 1, 100)
    case = queue.sql("SELECT max(id) FROM retrofit_case")[0][0]
    first, second = work(), work()
    second.send_signal(signal.SIGSTOP)
    with locked(queue, "outbox", "SHARE") as unlock:
        number = add(queue, "stage_overdue", "reminders", payload=f'{{"case": {case}, "version": 1}}', region=640324101)
        wait_until(lambda: waiters(queue) == 1, 10, "the first worker's statement")
        token = job(queue, number, "lease_token")
        first.send_signal(signal.SIGSTOP)
        assert lose_leases(queue) == [(number,)]
        second.send_signal(signal.SIGCONT)
        queue.sql("INSERT INTO job (queue, kind) VALUES ('upkeep', 'clean_up')")  # makes it look
        wait_until(lambda: waiters(queue) == 2, 10, "the second worker's statement")
        assert job(queue, number, "lease_token") != token
        unlock()
        wait_until(is_done(queue, number), 10, "the second worker")
    first.send_signal(signal.SIGCONT)
    wait_until(lambda: first.events("job_lease_lost"), 10, "the first worker's insight")
    assert queue.sql("SELECT count(*) FROM outbox WHERE case_id = %s", case) == [(1,)]
    assert job(queue, number, "state, attempts") == ("done", 2)


def test_a_worker_that_wakes_too_late_is_refused(queue, boss, work):
    """Frozen between two transactions of an import, it goes on after another worker has done all of it."""
    manager = People(boss).manager("640324")
    rows = [needs.row("tongxin") for _ in range(30)]
    first = work()
    with locked(queue, "import_row", "SHARE") as unlock:
        number = manager.upload("tongxin", needs.to_csv(rows))
        wait_until(lambda: waiters(queue) == 1, 10, "the first worker's beginning")
        first.send_signal(signal.SIGSTOP)
        unlock()
        wait_until(lambda: manager.get(f"/imports/{number}")["state"] == "running", 10, "the first worker's beginning")
    assert len(lose_leases(queue)) == 1
    work()
    done = wait_until(lambda: manager._ended(number), 20, "the import")
    assert (done["state"], done["accepted"], done["cases_opened"]) == ("done", 30, 30)
    first.send_signal(signal.SIGCONT)
    wait_until(lambda: first.events("job_lease_lost"), 10, "the first worker's insight")
    assert manager.get(f"/imports/{number}").json == done
    assert queue.sql("SELECT count(*) FROM retrofit_case WHERE household_number = ANY (%s)", [row["户编号"] for row in rows]) == [(30,)]


def test_an_expired_lease_is_found_without_a_hint(queue, work):
    """A killed worker's job waits for its lease and no longer."""
    number = add(queue)
    queue.sql("UPDATE job SET state = 'running', lease_token = nextval('job_lease'), worker = 'a dead one', attempts = 1, "
              "lease_until = now() + interval '2 seconds' WHERE id = %s", number)
    begun = time.monotonic()
    work()
    wait_until(is_done(queue, number), 10, "the rescue")
    assert 1.5 < time.monotonic() - begun < 4
    assert job(queue, number, "attempts") == (2,)


def test_a_running_job_keeps_its_lease(queue, work):
    open_cases(queue, 1, 100)
    case = queue.sql("SELECT max(id) FROM retrofit_case")[0][0]
    work()
    with locked(queue, "outbox", "SHARE"):
        number = add(queue, "stage_overdue", "reminders", payload=f'{{"case": {case}, "version": 1}}', region=640324101)
        numbers = [number] + [add(queue, "probe", "probe", payload='{"ms": 16000}') for _ in range(11)]  # the last one has no place
        wait_until(lambda: all(is_done(queue, number, "running")() for number in numbers), 5, "the claims")
        before = {number: job(queue, number, "lease_until, lease_token") for number in numbers}
        for number in numbers:
            wait_until(lambda number=number: job(queue, number, "lease_until")[0] > before[number][0] + timedelta(seconds=5),
                       LEASE_SECONDS / 2, "a heartbeat")
            assert job(queue, number, "lease_token") == before[number][1:]
    wait_until(is_done(queue, numbers[0]), 10, "the end")


# --- failing ---


def test_a_failing_job_is_tried_again_later_and_later_and_dies_with_its_error(queue, boss, work):
    worker = work()
    number = add(queue, "no_such_kind", max_attempts=3, unique_key="fails")
    wait_until(is_done(queue, number, "dead"), 20, "its death")
    waits = [(run_at - at).total_seconds() for at, run_at in
             queue.sql("SELECT at, run_at FROM noted WHERE job = %s AND after = 'queued' ORDER BY at", number)]
    assert len(waits) == 2 and 1.4 < waits[0] < 2.6 and 2.9 < waits[1] < 5.1, waits
    claims = queue.sql("SELECT at - run_at FROM noted WHERE job = %s AND after = 'running' AND attempts > 1", number)
    assert len(claims) == 2 and all(timedelta(0) <= late < timedelta(seconds=1) for late, in claims), claims
    shown = boss.get(f"/jobs/{number}").json
    assert (shown["state"], shown["attempts"]) == ("dead", 3)
    assert "does not know this kind" in shown["last_error"] and shown["finished_at"]
    assert [item["id"] for item in boss.get("/jobs", query={"state": "dead"}).items] == [number]
    assert worker.running

    # What was wrong is mended: "try again".
    queue.sql("UPDATE job SET kind = 'clean_up' WHERE id = %s", number)
    other = add(queue, unique_key="fails", run_at=datetime.now(timezone.utc) + timedelta(hours=1))
    boss.post(f"/jobs/{number}/retry", expect=409, code="job_already_queued")
    queue.sql("DELETE FROM job WHERE id = %s", other)
    again = boss.post(f"/jobs/{number}/retry").json
    assert (again["id"], again["state"]) == (number, "queued")
    wait_until(is_done(queue, number), 2, "the second life")
    assert job(queue, number, "attempts, last_error") == (1, None)
    boss.post(f"/jobs/{number}/retry", expect=409, code="job_not_dead")
    boss.post("/jobs/999999999/retry", expect=404)


def test_a_recurring_job_that_fails_does_not_wait_longer_than_its_period(queue, work):
    work()
    number = add(queue, "no_such_kind", schedule="every 2 seconds", attempts=10, max_attempts=1000)
    wait_until(lambda: job(queue, number, "attempts") == (12,), 5, "two rounds")
    queue.sql("DELETE FROM job WHERE id = %s", number)


def test_a_job_whose_workers_die_is_not_tried_for_ever(queue, work):
    number = add(queue, max_attempts=4)
    queue.sql("UPDATE job SET state = 'running', lease_token = nextval('job_lease'), worker = 'a dead one', attempts = 4, "
              "lease_until = now() - interval '1 second' WHERE id = %s", number)
    work()
    wait_until(is_done(queue, number, "dead"), 5, "its death")
    assert job(queue, number, "last_error, lease_token") == ("the lease ran out (worker a dead one)", None)


def test_an_import_that_was_given_up_has_failed_and_can_be_tried_again(queue, boss, work):
    manager = People(boss).manager("640324")
    number = manager.upload("tongxin", needs.to_csv([needs.row("tongxin")]))
    held = queue.sql("UPDATE job SET state = 'running', lease_token = nextval('job_lease'), attempts = max_attempts, "
                     "lease_until = now() - interval '1 second' WHERE kind = 'import' RETURNING id")[0][0]
    work()
    ended = wait_until(lambda: manager._ended(number), 5, "its end")
    assert (ended["state"], ended["error_code"]) == ("failed", "import_gave_up")
    assert job(queue, held) == ("dead",)
    manager.post(f"/jobs/{held}/retry")
    wait_until(is_done(queue, held), 5, "the second life")
    done = manager.get(f"/imports/{number}").json
    assert (done["state"], done["accepted"], done["error_code"]) == ("done", 1, None), done


def test_unique_keys(queue):
    first = add(queue, unique_key="only one")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        add(queue, unique_key="only one")
    queue.sql("UPDATE job SET state = 'done' WHERE id = %s", first)
    add(queue, unique_key="only one")
    add(queue)
    add(queue)


# --- when ---


def calls(server):
    """How many calls this process has sent on the lane of the queue."""
    connection = http.client.HTTPConnection(server.address)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return int(re.search(r'^tantu_db_calls_total\{lane="queue"\} (\d+)', text, re.M)[1])


def test_not_early_not_late_and_without_polling(queue, make_server):
    server = make_server("serve", database=queue)
    time.sleep(0.5)
    before = calls(server)
    numbers = [add(queue, run_at=datetime.now(timezone.utc) + timedelta(seconds=seconds)) for seconds in (1.2, 2.2, 2.25)]
    wait_until(lambda: all(is_done(queue, number)() for number in numbers), 6, "the jobs")
    for number in numbers:
        late = queue.sql("SELECT min(at) - min(run_at) FROM noted WHERE job = %s AND after = 'running'", number)[0][0]
        assert timedelta(0) <= late < timedelta(seconds=0.7), f"{late} after its time"
    assert calls(server) - before < 60
    before = calls(server)
    time.sleep(2)
    assert calls(server) - before <= 4, "it polls though nothing is due"


def test_a_full_queue_is_not_polled(queue, make_server, client_of):
    """One import runs, another is due: nothing can be done but wait for the first one's end."""
    server = make_server("serve", database=queue)
    manager = People(client_of(server).sign_in("admin", ADMIN_PASSWORD)).manager("640324")
    with locked(queue, "import_row", "SHARE"):
        numbers = [manager.upload("tongxin", needs.to_csv([needs.row("tongxin")])) for _ in range(2)]
        wait_until(lambda: waiters(queue) == 1, 5, "the first import")
        add(queue)  # the other queues go on
        time.sleep(0.5)
        before = calls(server)
        time.sleep(2)
        assert calls(server) - before <= 6, "it polls a queue that is full"
    for number in numbers:
        assert wait_until(lambda number=number: manager._ended(number), 10, "the imports")["state"] == "done"


def test_a_new_job_wakes_a_worker_at_once(queue, boss, work):
    work()
    manager = People(boss).manager("640324")
    time.sleep(0.5)
    for _ in range(3):
        manager.import_file("tongxin", needs.to_csv([needs.row("tongxin")]))
    slow = queue.sql("SELECT max(n.at - j.created_at), count(*) FROM noted n JOIN job j ON j.id = n.job "
                     "WHERE j.kind = 'import' AND n.after = 'running'")[0]
    assert slow[1] == 3 and slow[0] < timedelta(seconds=0.5), slow


def test_higher_priority_first(queue, work):
    numbers = [add(queue, priority=priority) for priority in (0, 5, -3, 9)]
    work()
    wait_until(lambda: all(is_done(queue, number)() for number in numbers), 5, "all")
    order = [found for found, in queue.sql("SELECT job FROM noted WHERE after = 'running' AND job = ANY (%s) ORDER BY at", numbers)]
    assert order == [numbers[3], numbers[1], numbers[0], numbers[2]]


def test_a_recurring_job_is_never_doubled(queue, work):
    """Two workers and one row: it runs, ends, and runs again not before its time."""
    for _ in range(3):
        work()
    number = queue.sql("UPDATE job SET schedule = 'every 0.1 seconds', run_at = now() WHERE kind = 'clean_up' RETURNING id")[0][0]
    queue.sql("NOTIFY job, 'upkeep'")
    time.sleep(3)
    queue.sql("UPDATE job SET schedule = 'every 10 minutes' WHERE id = %s", number)
    wait_until(lambda: job(queue, number, "state, run_at > now() + interval '5 minutes'") == ("queued", True), 5, "the last round")
    steps = queue.sql("SELECT before, after, at, run_at, worker FROM noted WHERE job = %s ORDER BY at", number)
    assert [step[1] for step in steps] == ["running", "queued"] * (len(steps) // 2)
    assert 10 <= len(steps) // 2 <= 31
    for (_, _, _, due, _), (_, _, begun, _, _) in zip(steps[1::2], steps[2::2]):
        assert begun >= due
    assert queue.sql("SELECT count(*) FROM job WHERE kind = 'clean_up' AND schedule IS NOT NULL") == [(1,)]


def china(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=timezone(timedelta(hours=8)))


@pytest.mark.parametrize("schedule, after, following", [
    ("30 7 * * *", "2026-03-01 07:29", "2026-03-01 07:30"),
    ("30 7 * * *", "2026-03-01 07:30", "2026-03-02 07:30"),
    ("30 7 * * *", "2026-12-31 23:00", "2027-01-01 07:30"),
    ("*/15 * * * *", "2026-03-01 10:00", "2026-03-01 10:15"),
    ("*/15 * * * *", "2026-03-01 23:59", "2026-03-02 00:00"),
    ("0 0 1 1 *", "2026-01-01 00:00", "2027-01-01 00:00"),
    ("0 0 29 2 *", "2026-03-01 00:00", "2028-02-29 00:00"),
    ("0 9 * * 1", "2026-03-01 10:00", "2026-03-02 09:00"),  # the 1st is a Sunday
    ("0 9 * * 0", "2026-02-28 10:00", "2026-03-01 09:00"),
    ("0 9 15 * 1", "2026-03-03 10:00", "2026-03-09 09:00"),  # either: the Monday comes before the 15th
    ("0 9 5 * 1", "2026-03-03 10:00", "2026-03-05 09:00"),
    ("0 9 31 * *", "2026-04-01 00:00", "2026-05-31 09:00"),
    ("5,35 8-10/2 * 3 1-5", "2026-03-06 10:35", "2026-03-09 08:05"),
    ("  0   6  *  *  *  ", "2026-03-01 05:00", "2026-03-01 06:00"),
])
def test_schedules(queue, schedule, after, following):
    found = queue.sql("SELECT schedule_next(%s, %s)", schedule, china(after))[0][0]
    assert found == china(following)


def test_a_schedule_of_seconds(queue):
    at = datetime(2026, 3, 1, 10, 0, 0, tzinfo=timezone.utc)
    assert queue.sql("SELECT schedule_next('every 5 seconds', %s)", at) == [(at + timedelta(seconds=5),)]
    assert queue.sql("SELECT schedule_next('every 2 hours', %s)", at) == [(at + timedelta(hours=2),)]


@pytest.mark.parametrize("schedule", ["", "*", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *",
                                      "* * * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *", "-1 * * * *", "1,,2 * * * *",
                                      "every", "every banana", "every 0 seconds", "every -5 seconds", "0 0 31 2 *"])
def test_bad_schedules_are_refused(queue, schedule):
    with pytest.raises(psycopg2.errors.DataError):
        queue.sql("SELECT schedule_next(%s, now())", schedule)


def test_a_schedule_is_found_fast(queue):
    begun = time.monotonic()
    for schedule in ("* * * * *", "*/15 * * * *", "30 7 * * *"):
        queue.sql("SELECT schedule_next(%s, now())", schedule)
    assert time.monotonic() - begun < 0.5


# --- the end ---


def test_sigterm_drains(queue, work):
    """What has begun is brought to its end; nothing new is begun."""
    open_cases(queue, 1, 100)
    case = queue.sql("SELECT max(id) FROM retrofit_case")[0][0]
    worker = work()
    with locked(queue, "outbox", "SHARE") as unlock:
        number = add(queue, "stage_overdue", "reminders", payload=f'{{"case": {case}, "version": 1}}', region=640324101)
        wait_until(is_done(queue, number, "running"), 5, "the claim")
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: worker.events("stopping"), 5, "its will to stop")
        later = add(queue)
        time.sleep(0.5)
        assert worker.running and job(queue, later) == ("queued",)
        unlock()
        assert worker.wait(10) == 0
    assert job(queue, number, "state, attempts") == ("done", 1)
    assert job(queue, later) == ("queued",)
    assert queue.sql("SELECT count(*) FROM outbox WHERE case_id = %s", case) == [(1,)]


def test_sigterm_under_load_leaves_nothing_held(queue, work):
    open_cases(queue, 600, 100)
    cases = queue.sql("SELECT id FROM retrofit_case ORDER BY id DESC LIMIT 600")
    worker = work()
    queue.sql("INSERT INTO job (queue, kind, payload, region) SELECT 'reminders', 'stage_overdue', "
              "json_build_object('case', id, 'version', 1), 640324101 FROM unnest(%s::bigint[]) AS c (id)", [case for case, in cases])
    wait_until(lambda: queue.sql("SELECT count(*) FROM outbox")[0][0] > 50, 10, "some")
    worker.stop()
    states = dict(queue.sql("SELECT state, count(*) FROM job WHERE kind = 'stage_overdue' GROUP BY 1"))
    assert "running" not in states and states["done"] == queue.sql("SELECT count(*) FROM outbox")[0][0], states
