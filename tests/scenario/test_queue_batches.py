# SPDX-License-Identifier: Apache-2.0
"""Jobs whose effect is not in the database: claimed ahead and completed in batches, each still by its holder only. They are
probes, which have no effect and hold their place for the milliseconds of their payload."""
import json
import re
import signal
import time
import urllib.request

import pytest
from processes import wait_until
from queue_help import add, boss, is_done, job, lose_leases, queue, queues, work  # noqa: F401

PLACES = 10  # the setting jobs_probe


def add_probes(database, count, ms=0, **columns):
    """Their ids; they come in one transaction."""
    names = "".join(f", {name}" for name in columns)
    return [number for number, in database.sql(
        f"INSERT INTO job (queue, kind, payload{names}) SELECT 'probe', 'probe', %s{', %s' * len(columns)} FROM generate_series(1, %s) "
        "RETURNING id", json.dumps({"ms": ms}), *columns.values(), count)]


def states(database, numbers):
    return dict(database.sql("SELECT state, count(*)::int FROM job WHERE id = ANY (%s) GROUP BY 1", numbers))


def all_done(database, numbers):
    return lambda: states(database, numbers) == {"done": len(numbers)}


def ends(database, numbers):
    """How often each came from running to done."""
    return dict(database.sql("SELECT job, count(*) FROM noted WHERE after = 'done' AND job = ANY (%s) GROUP BY 1", numbers))


def metric(server, name, labels=""):
    text = urllib.request.urlopen(f"http://{server.address}/metrics", timeout=5).read().decode()
    return float(re.search(rf"^{name}{re.escape(labels)} (\S+)", text, re.M)[1])


def test_many_short_jobs_take_few_calls(queue, make_server):
    server = make_server("serve", database=queue)
    before = metric(server, "tantu_db_calls_total", '{lane="queue"}')
    numbers = add_probes(queue, 2000)
    wait_until(all_done(queue, numbers), 30, "the probes")
    assert set(ends(queue, numbers).values()) == {1}
    assert queue.sql("SELECT max(attempts), count(finished_at), count(last_error) FROM job WHERE id = ANY (%s)", numbers) == [(1, 2000, 0)]
    assert metric(server, "tantu_db_calls_total", '{lane="queue"}') - before < 2000 / 10
    wait_until(lambda: metric(server, "tantu_jobs_ended_total", '{queue="probe"}') == 2000, 5, "the count")
    assert metric(server, "tantu_job_pickup_seconds_count", '{queue="probe"}') == 2000
    assert metric(server, "tantu_job_leases_lost_total", '{queue="probe"}') == 0


def test_a_member_whose_lease_was_taken_does_not_end_by_the_first_worker(queue, work):
    """All end in one batch; those whose lease was taken meanwhile belong to the second worker."""
    first = work()
    numbers = add_probes(queue, PLACES, 3000)
    wait_until(lambda: states(queue, numbers) == {"running": PLACES}, 10, "the claims")
    second = work()
    taken = sorted(numbers)[::3]
    assert sorted(found for found, in lose_leases(queue, "id = ANY (%s)", taken)) == taken
    queue.sql("INSERT INTO job (queue, kind) VALUES ('upkeep', 'no_such_kind')")  # makes somebody look for what has run out
    wait_until(all_done(queue, numbers), 20, "the probes")
    assert set(ends(queue, numbers).values()) == {1}
    rows = queue.sql("SELECT id, attempts, worker LIKE %s FROM job WHERE id = ANY (%s)", f"%:{first.pid}", numbers)
    again = {number for number, attempts, _ in rows if attempts == 2}
    assert again == set(taken) and all(attempts == 1 and by_first for number, attempts, by_first in rows if number not in again)
    told = {line["job"] for worker in (first, second) for line in worker.events("job_lease_lost")}
    assert told == again


def test_killed_between_claim_and_completion(queue, work):
    first = work()
    numbers = add_probes(queue, 80, 400)
    wait_until(lambda: states(queue, numbers).get("done", 0) >= PLACES, 10, "the first ones")
    assert states(queue, numbers).get("running", 0) > PLACES, "none was claimed ahead"
    first.kill()
    held = lose_leases(queue, "id = ANY (%s)", numbers)
    assert held
    work()
    wait_until(all_done(queue, numbers), 30, "the others")
    assert set(ends(queue, numbers).values()) == {1}
    assert queue.sql("SELECT count(*) FROM job WHERE id = ANY (%s) AND attempts = 2", numbers) == [(len(held),)]


def test_failures_inside_a_batch(queue, boss, work):
    """Some fail for good, some for now; their neighbours end, and the dead can be tried again."""
    good = add_probes(queue, 20)
    dead = [add(queue, "no_such_kind", "probe", max_attempts=1) for _ in range(3)]
    later = [add(queue, "no_such_kind", "probe") for _ in range(3)]
    too_long = add_probes(queue, 1, 600001)
    work()
    wait_until(all_done(queue, good), 10, "the good ones")
    wait_until(lambda: states(queue, dead + too_long) == {"dead": 4}, 10, "the dead")
    wait_until(lambda: queue.sql("SELECT count(*) FROM job WHERE id = ANY (%s) AND state = 'queued' AND attempts >= 1 "
                                 "AND last_error LIKE '%%does not know this kind%%'", later) == [(3,)], 10, "the next attempt's time")
    assert job(queue, too_long[0], "last_error, attempts") == ("ms: at most 600000", 1)
    shown = {item["id"] for item in boss.get("/jobs", query={"state": "dead"}).items}
    assert shown == {*dead, *too_long}
    queue.sql("UPDATE job SET kind = 'probe', payload = '{}' WHERE id = %s", dead[0])
    boss.post(f"/jobs/{dead[0]}/retry")
    wait_until(is_done(queue, dead[0]), 5, "the second life")


@pytest.mark.parametrize("places", [PLACES, 2])
def test_no_more_at_once_than_places(queue, make_server, places):
    """What is claimed ahead waits: by the metric's word, and by the time that all of them take at least."""
    count = 3 * places
    server = make_server("serve", database=queue, TANTU_JOBS_PROBE=str(places))
    numbers = add_probes(queue, count, 300)
    most = 0
    while not all_done(queue, numbers)():
        most = max(most, metric(server, "tantu_jobs_running", '{queue="probe"}'))
    assert most == places
    begun, ended = queue.sql("SELECT min(at) FILTER (WHERE after = 'running'), max(at) FILTER (WHERE after = 'done') FROM noted "
                             "WHERE job = ANY (%s)", numbers)[0]
    assert (ended - begun).total_seconds() > 0.9


def test_a_worker_without_places_leaves_the_queue_to_others(queue, make_server):
    server = make_server("serve", database=queue, TANTU_JOBS_PROBE="0")
    number = add_probes(queue, 1)[0]
    other = add(queue)
    wait_until(is_done(queue, other), 5, "the other queue")
    assert job(queue, number) == ("queued",)
    before = metric(server, "tantu_db_calls_total", '{lane="queue"}')
    time.sleep(1)
    assert metric(server, "tantu_db_calls_total", '{lane="queue"}') - before <= 4, "it polls for what it may not do"
    make_server("work", database=queue)
    wait_until(is_done(queue, number), 10, "somebody else")


def test_higher_priority_first_in_batches(queue, make_server):
    """100 are held at most; everything above that goes by priority, and so does what is held."""
    low = add_probes(queue, 150, 5)
    high = add_probes(queue, 150, 5, priority=7)
    make_server("work", database=queue, TANTU_JOBS_PROBE="1")
    wait_until(all_done(queue, low + high), 30, "the probes")
    (last_high, first_low), = queue.sql("""SELECT max(at) FILTER (WHERE job = ANY (%s)), min(at) FILTER (WHERE job = ANY (%s))
                                           FROM noted WHERE after = 'done'""", high, low)
    assert last_high <= first_low


def test_not_before_its_time_in_batches(queue, work):
    work()
    now = add_probes(queue, 30)
    soon = [number for number, in queue.sql("INSERT INTO job (queue, kind, run_at) SELECT 'probe', 'probe', now() + interval '1.5 seconds' "
                                            "FROM generate_series(1, 30) RETURNING id")]
    wait_until(all_done(queue, now + soon), 10, "the probes")
    early = queue.sql("SELECT count(*) FROM noted WHERE job = ANY (%s) AND after = 'running' AND at < run_at", soon)
    assert early == [(0,)]


def test_a_recurring_probe_comes_again(queue, work):
    """The completion of a batch puts it back, with its next time."""
    work()
    number = add(queue, "probe", "probe", schedule="every 0.2 seconds", unique_key="probe")
    wait_until(lambda: queue.sql("SELECT count(*) FROM noted WHERE job = %s AND before = 'running' AND after = 'queued'", number)[0][0] >= 4,
               10, "four rounds")
    queue.sql("DELETE FROM job WHERE id = %s", number)


def test_a_stopping_worker_gives_back_what_it_has_not_begun(queue, work):
    worker = work()
    numbers = add_probes(queue, 60, 1500)
    wait_until(lambda: states(queue, numbers) == {"running": 60}, 10, "the claims")
    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: states(queue, numbers).get("queued") == 60 - PLACES, 5, "what it gives back")
    other = work()  # it does not have to wait for anything
    wait_until(lambda: queue.sql("SELECT count(*) FROM job WHERE worker LIKE %s AND state <> 'queued'", f"%:{other.pid}")[0][0] >= PLACES,
               5, "the other worker")
    assert worker.wait(10) == 0
    wait_until(all_done(queue, numbers), 30, "the probes")
    assert queue.sql("SELECT max(attempts) FROM job WHERE id = ANY (%s)", numbers) == [(1,)]


def test_completions_survive_a_lost_connection(queue, work):
    """PostgreSQL ends the connections of the queue while a completion waits: it is sent again."""
    worker = work()
    numbers = add_probes(queue, PLACES, 300)
    wait_until(lambda: states(queue, numbers) == {"running": PLACES}, 10, "the claims")
    lock = queue.connect("super")
    lock.autocommit = False
    with lock.cursor() as cursor:
        cursor.execute("SELECT 1 FROM job WHERE id = %s FOR UPDATE", (numbers[0],))
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%UPDATE job%%' AND usename = 'tantu_app'"
        wait_until(lambda: queue.sql(waiting), 10, "the completion")
        queue.sql(f"SELECT pg_terminate_backend(pid) FROM ({waiting}) AS waiting")
        lock.rollback()
    lock.close()
    wait_until(all_done(queue, numbers), 20, "the end")
    assert queue.sql("SELECT max(attempts) FROM job WHERE id = ANY (%s)", numbers) == [(1,)]
    assert worker.running and not worker.events("job_lease_lost")


def test_one_notification_a_transaction(queue):
    listener = queue.connect("super")
    with listener.cursor() as cursor:
        cursor.execute("LISTEN job")
    writer = queue.connect("super")
    writer.autocommit = False
    with writer.cursor() as cursor:
        for _ in range(20):
            cursor.execute("INSERT INTO job (queue, kind) SELECT 'probe', 'probe' FROM generate_series(1, 50)")
        cursor.execute("INSERT INTO job (queue, kind) VALUES ('upkeep', 'clean_up')")
    writer.commit()
    queue.sql("NOTIFY job, 'the end'")
    heard = []
    while "the end" not in heard:
        listener.poll()
        heard += [note.payload for note in listener.notifies]
        listener.notifies.clear()
    assert heard == ["probe", "upkeep", "the end"]
    listener.close()
    writer.close()
