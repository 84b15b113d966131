# SPDX-License-Identifier: Apache-2.0
"""What clients were told against what the database holds (SPEC §7–8)."""
from collections import defaultdict

from processes import wait_until


def compare_with_ledger(database, deeds):
    """Every acknowledged request has exactly one event, no other request has any; each case's events are a chain."""
    events = defaultdict(list)
    for row in database.sql("SELECT case_id, version, kind, from_stage, to_stage, note, region, region_from FROM case_event "
                            "WHERE kind <> 'open' ORDER BY case_id, version"):
        events[row[0]].append(row[1:])
    labels = dict(database.sql("SELECT place, code FROM region"))
    wanted = defaultdict(list)
    for deed in deeds:
        if deed.status != 200:
            continue
        answer = deed.answer
        assert answer["version"] == deed.match + 1, f"{deed.path} {deed.body}: {answer}"
        if deed.kind != "relocate":
            wanted[deed.case].append((answer["version"], deed.from_stage, answer["stage"], deed.key))
        elif answer["region"] != deed.from_region:
            wanted[deed.case].append((answer["version"], deed.from_region, answer["region"], ""))
    for case in events.keys() | wanted.keys():
        found = [(version, labels[place_from], labels[place], "") if kind == "relocate" else (version, before, after, note)
                 for version, kind, before, after, note, place, place_from in events[case]]
        assert found == sorted(wanted[case]), f"case {case}: in the database, then as acknowledged:\n{found}\n{sorted(wanted[case])}"
    chains_hold(database)


def chains_hold(database):
    moves = database.sql("SELECT case_id, from_stage, to_stage, lag(to_stage) OVER (PARTITION BY case_id ORDER BY version) FROM case_event")
    assert not [move for move in moves if move[3] is not None and move[1] != move[3]]
    last = database.sql("WITH last AS (SELECT DISTINCT ON (case_id) case_id, to_stage FROM case_event ORDER BY case_id, version DESC) "
                        "SELECT c.id FROM retrofit_case c LEFT JOIN last l ON l.case_id = c.id WHERE c.stage IS DISTINCT FROM l.to_stage")
    assert last == []
    half = database.sql("SELECT h.number FROM household h WHERE NOT EXISTS (SELECT FROM person p WHERE p.household_id = h.id) "
                        "AND h.number NOT LIKE 'Q%%'")
    assert half == [], f"households without a person: {half[:5]}"


def expire_leases(database):
    """As if the leases of those who died had run out; one who lives loses his too, and must bear it."""
    database.sql("UPDATE job SET lease_until = now() - interval '1 second' WHERE id IN "
                 "(SELECT id FROM job WHERE state = 'running' FOR UPDATE SKIP LOCKED)")
    database.sql("SELECT pg_notify('job', queue) FROM (SELECT DISTINCT queue FROM job) AS q")


def queue_drains(database, seconds=60):
    """No job is due, none runs, none is dead; every delta is folded."""
    def drained():
        expired = database.sql("SELECT count(*) FROM job WHERE state = 'running' AND lease_until < now()")[0][0]
        left = database.sql("SELECT (SELECT count(*) FROM job WHERE schedule IS NULL AND state IN ('queued', 'running')), "
                            "(SELECT count(*) FROM total_delta)")[0]
        return expired == 0 and left == (0, 0)
    wait_until(drained, seconds, "an empty queue")
    dead = database.sql("SELECT id, kind, last_error FROM job WHERE state = 'dead'")
    assert dead == [], dead


def totals_agree(database, cases=None):
    said = database.run("verify", "totals").stdout
    assert said.startswith("totals agree: " + (f"{cases} cases" if cases is not None else "")), said


def invariants(database, deeds=(), cases=None, seconds=60):
    """All of them, when nobody writes any more but the workers."""
    queue_drains(database, seconds)
    if deeds:
        compare_with_ledger(database, deeds)
    else:
        chains_hold(database)
    totals_agree(database, cases)
