# SPDX-License-Identifier: Apache-2.0
"""An order that is not answered in time: the county is told once, and never of one that was answered, closed or given more time."""
import contextlib
import threading

import pytest
from processes import wait_until
from test_orders import case_at, given, listed, order_of, reassign, team  # noqa: F401,F811


def silences(client, case):
    return [one["content"] for one in client.pages("/outbox", kind="order_silent", limit=200) if one["case"] == case]


def let_time_pass(database, *cases):
    database.sql("UPDATE work_order SET answer_by = now() - interval '1 minute' WHERE case_id = ANY (%s)", list(cases))


def scan(database):
    """The scan runs, and with it every job that it queued."""
    database.sql("UPDATE job SET run_at = now() WHERE kind = 'orders_silent_scan'")
    before = database.sql("SELECT max(finished_at) FROM job WHERE kind = 'orders_silent_scan'")[0][0]
    database.sql("NOTIFY job, 'reminders'")
    wait_until(lambda: database.sql("SELECT finished_at IS DISTINCT FROM %s FROM job WHERE kind = 'orders_silent_scan'", before)[0][0], 30)
    wait_until(lambda: not database.sql("SELECT 1 FROM job WHERE kind = 'order_silent' AND state IN ('queued', 'running')"), 30)


def test_silence_is_told_to_the_county_once(team, database):
    silent, in_time, answered, closed = given(team), given(team), given(team, "accept"), given(team, "decline")
    let_time_pass(database, silent, answered, closed)
    for _ in range(2):
        scan(database)
        assert [len(silences(team.county, case)) for case in (silent, in_time, answered, closed)] == [1, 0, 0, 0]
    (said,) = silences(team.county, silent)
    order = order_of(team.county, silent)
    assert (said["order"], said["contractor"], said["to"], said["plan"]) == (order["order"], team.firm, "county", team.plan)
    assert order["silent"] and order["state"] == "open" and order["escalated_at"] and order["version"] == 1
    assert silences(team.foreign_county, silent) == []
    assert listed(team.county, plan=team.plan, state="silent") == {order["order"]}
    assert listed(team.contractor, state="silent") == {order["order"]}
    team.contractor.post(f"/cases/{silent}/order/accept", {})  # late, and welcome
    assert listed(team.county, plan=team.plan, state="silent") == set()
    assert not order_of(team.county, silent)["silent"]


def test_a_new_order_has_its_own_time(team, database):
    case = given(team)
    let_time_pass(database, case)
    scan(database)
    reassign(team.county, case, team.other_firm)
    scan(database)
    assert len(silences(team.county, case)) == 1 and not order_of(team.county, case)["silent"]
    let_time_pass(database, case)
    scan(database)
    assert [said["contractor"] for said in silences(team.county, case)] == [team.firm, team.other_firm]


@pytest.mark.parametrize("how", ["accept", "decline", "reassign", "more time"])
def test_an_answer_that_races_the_job_wins_or_comes_after_it(team, database, how):
    """The job waits for the answer's lock and then sees what it says; queued before, it runs after."""
    case = given(team)
    let_time_pass(database, case)
    number = order_of(team.county, case)["order"]
    connection = database.connect("super")
    connection.autocommit = False
    with contextlib.closing(connection), connection.cursor() as cursor:  # the answer, not yet committed
        cursor.execute({
            "accept": "UPDATE work_order SET state = 'accepted', answer = 'accepted', answered_at = now() WHERE id = %s",
            "decline": "UPDATE work_order SET state = 'declined', closed_at = now(), closed_as = 'declined' WHERE id = %s",
            "reassign": "UPDATE work_order SET state = 'closed', closed_at = now(), closed_as = 'reassigned' WHERE id = %s",
            "more time": "UPDATE work_order SET answer_by = now() + interval '1 day' WHERE id = %s"}[how], (number,))
        job = database.sql("INSERT INTO job (queue, kind, payload, region) VALUES ('reminders', 'order_silent', "
                           "json_build_object('order', %s::bigint), 640324101) RETURNING id", number)[0][0]
        wait_until(lambda: database.sql("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
                                        "AND query LIKE '%escalated_at = now()%'"), 30, "the job at the lock")
        connection.commit()
    wait_until(lambda: database.sql("SELECT state FROM job WHERE id = %s", job) == [("done",)], 30)
    assert silences(team.county, case) == []
    assert database.sql("SELECT escalated_at FROM work_order WHERE id = %s", number) == [(None,)]


def test_many_answers_against_many_jobs(team, database):
    """Each order is answered, whichever came first, and told of once at most. (That none is told of after its answer: above.)"""
    cases = case_at(team, count=12)
    team.county.post("/orders", {"contractor": team.firm, "cases": [{"id": case} for case in cases]})
    let_time_pass(database, *cases)
    clones = [team.contractor.clone() for _ in range(2)]

    def answer(client, mine):
        for case in mine:
            client.post(f"/cases/{case}/order/accept", {}, expect=200)
        client.close()

    threads = [threading.Thread(target=answer, args=(client, cases[turn::2])) for turn, client in enumerate(clones)]
    for thread in threads:
        thread.start()
    scan(database)
    for thread in threads:
        thread.join()
    rows = database.sql("SELECT o.case_id, o.answered_at, o.escalated_at, (SELECT count(*) FROM outbox x WHERE x.case_id = o.case_id "
                        "AND x.kind = 'order_silent') FROM work_order o WHERE o.case_id = ANY (%s)", cases)
    assert len(rows) == 12 and all(answered for _, answered, _, _ in rows)
    assert all(told == (escalated is not None) for _, _, escalated, told in rows)
