# SPDX-License-Identifier: Apache-2.0
"""Requests that stand in each other's way in the database: deadlocks and serialization failures are tried again and succeed;
while nothing moves requests wait, are refused in a bounded time, and go on afterwards."""
import threading
import time
import uuid

import pytest
from ledger import invariants
from load import Wire
from processes import wait_until
from stages import bring_in

STATEMENT_SECONDS = 15  # statement_timeout of what serves requests: db/connection.c


@pytest.fixture
def office(mortal, place, make_server):
    """mortal: settings of the role are changed here, which the shared PostgreSQL shall not see."""
    return make_server("serve", database=place)


@pytest.fixture
def boss(office, manager_at):
    return manager_at(office)


class Held:
    """A transaction of somebody else's."""

    def __init__(self, database):
        self.connection = database.connect("super")
        self.connection.autocommit = False
        self.pid = self.connection.info.backend_pid

    def run(self, query, *arguments):
        with self.connection.cursor() as cursor:
            cursor.execute(query, arguments or None)

    def end(self, commit=False):
        if commit:
            self.connection.commit()
        self.connection.close()


class Request(threading.Thread):
    def __init__(self, server, token, case, village):
        super().__init__(daemon=True)
        self.wire, self.case = Wire(server.address, token, 60), case
        self.body = {"region": "640324102", "village": village, "address": "1号"}
        self.key, self.reply, self.seconds = str(uuid.uuid4()), None, None
        self.start()

    def run(self):
        begun = time.monotonic()
        self.reply = self.wire.request("POST", f"/cases/{self.case}/relocation", self.body, self.key)
        self.seconds = time.monotonic() - begun

    def answered(self):
        self.join(60)
        assert self.reply is not None, "never answered"
        return self.reply


def lock(held, case):
    held.run("SELECT FROM retrofit_case WHERE id = %s FOR UPDATE", case)


def waiting(database):
    return database.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'tantu_app' AND wait_event_type = 'Lock'")[0][0]


def as_role(database, setting, value):
    """For connections to come; those that are there are sent away."""
    database.sql(f"ALTER ROLE tantu_app SET {setting} = {value}")
    database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tantu_app'")


def events(database, cases):
    return dict(database.sql("SELECT case_id, count(*) FROM case_event WHERE kind = 'relocate' AND case_id = ANY (%s) GROUP BY 1", cases))


def test_a_deadlock_costs_nobody_his_answer(place, office, boss):
    """A request holds its case and waits for the household; who has the household wants the case. PostgreSQL breaks it, the
    request's transaction is undone, and it is tried again."""
    as_role(place, "deadlock_timeout", "'2s'")  # so that both stand in the knot when it looks
    case = bring_in(boss)[0]
    before = place.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0]
    other = Held(place)
    other.run("SET LOCAL deadlock_timeout = '600s'")  # only the request's side looks, so it is the victim
    other.run("SELECT FROM household WHERE id = (SELECT household_id FROM retrofit_case WHERE id = %s) FOR UPDATE", case)
    request = Request(office, boss.token, case, "一村")
    wait_until(lambda: waiting(place) >= 1, 20, "the request at the household")
    knot = threading.Thread(target=lock, args=(other, case), daemon=True)
    knot.start()
    knot.join(30)
    assert not knot.is_alive(), "no deadlock was broken"
    other.end()
    assert request.answered().status == 200, repr(request.reply)
    wait_until(lambda: place.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0] > before, 20,
               "PostgreSQL's count of deadlocks")
    assert events(place, [case]) == {case: 1}
    as_role(place, "deadlock_timeout", "DEFAULT")


def test_a_serialization_failure_is_tried_again(place, office, boss):
    """At REPEATABLE READ a row that another has changed meanwhile is 40001."""
    as_role(place, "default_transaction_isolation", "'repeatable read'")
    case = bring_in(boss)[0]
    other = Held(place)
    other.run("UPDATE retrofit_case SET village = village WHERE id = %s", case)
    request = Request(office, boss.token, case, "三村")
    wait_until(lambda: waiting(place) >= 1, 20, "the request at the case")
    other.end(commit=True)
    reply = request.answered()
    assert reply.status == 200, repr(reply)
    assert events(place, [case]) == {case: 1}
    as_role(place, "default_transaction_isolation", "DEFAULT")


def test_while_nothing_moves_requests_wait_and_are_refused_in_time(place, office, boss):
    """Writes stand before a lock that is not given back; reads go on. Who waits too long is told so and nothing of it was done."""
    cases = bring_in(boss, 60)
    wait_until(lambda: boss.request("GET", "/plans", expect=None, code=None).status == 200, 20)
    table = Held(place)
    table.run("LOCK TABLE retrofit_case IN SHARE MODE")
    requests = [Request(office, boss.token, case, f"{n}村") for n, case in enumerate(cases)]
    wait_until(lambda: waiting(place) >= 1, 20, "the first group")
    for _ in range(20):
        begun = time.monotonic()
        assert boss.get("/cases", query={"plan": "tongxin", "limit": 5}).status == 200
        assert time.monotonic() - begun < 5
    wait_until(lambda: any(request.reply is not None for request in requests), STATEMENT_SECONDS + 30, "the first refusal")
    table.end()
    replies = [request.answered() for request in requests]
    assert {(reply.status, reply.json["code"] if reply.status != 200 else None) for reply in replies} <= \
        {(200, None), (503, "took_too_long")}
    refused = [request for request in requests if request.reply.status == 503]
    assert refused and all(request.reply.headers.get("Retry-After") for request in refused)
    assert max(request.seconds for request in requests) < 60
    done = events(place, cases)
    assert done == {request.case: 1 for request in requests if request.reply.status == 200}
    for request in refused:  # the lane is free: the same key does it now, once
        assert request.wire.request("POST", f"/cases/{request.case}/relocation", request.body, request.key).status == 200
    assert events(place, cases) == {case: 1 for case in cases}
    place.sql("UPDATE job SET run_at = now() WHERE unique_key = 'totals_fold'")
    place.sql("NOTIFY job, 'totals'")
    invariants(place)
