# SPDX-License-Identifier: Apache-2.0
"""Every figure is the sum of its parts, opens into a list of that many rows, and can be asked as of any day."""
import datetime

import needs
import pytest
from client import Client
from conftest import People
from processes import ADMIN_PASSWORD, Program, wait_until
from stages import DAYS, STAGES, bring_in, bring_in_rows, move, walk

ACCEPTED_ON = ["2021-12-31", "2022-01-01", "2022-01-31", "2022-02-01", "2023-06-01", "2023-06-01", "2024-02-29"]


@pytest.fixture(scope="module", params=["folded", "not folded", "half folded"])
def world(request, cluster, database, contract):
    """Cases of qinghai in three counties, four years and all stages, on a database of its own. Its totals are folded by a
    worker, not at all, or in part: the figures must not show it."""
    own = cluster.new_database().migrate()
    server = Program(own, "serve").start()
    admin = Client(server, contract).sign_in("admin", ADMIN_PASSWORD)
    people = People(admin)
    manager, county = people.manager("630000"), people.county("630106")
    places = [row["code"] for code in ("630106", "630105") for row in admin.get("/regions", query={"parent": code}).items[:2]]
    rows = [needs.row("qinghai", **{"区划代码": places[number % len(places)], "登记日期": "2020-06-01"}) for number in range(26)]
    cases = list(bring_in_rows(manager, rows, "qinghai").values())
    for case, day in zip(cases, ACCEPTED_ON):
        walk(manager, case, "accepted", shift={stage: f"{day}T01:00:00+08:00" for stage in DAYS})
    move(manager, cases[0], "closed")
    for case, stage in zip(cases[len(ACCEPTED_ON):], [stage for stage in STAGES if stage not in ("accepted", "closed")]):
        walk(manager, case, stage)
    move(manager, cases[1], "built", "2023-07-01T00:00:00Z")  # revoked
    if request.param != "folded":
        server.stop()
        server = Program(own, "serve", "--no-work").start()
    if request.param == "half folded":
        own.sql("SELECT totals_fold((SELECT count(*)::int / 2 FROM total_delta))")
    elif request.param == "folded":
        wait_until(lambda: own.sql("SELECT count(*) FROM total_delta") == [(0,)], 60)
    sessions = {"manager": Client(server, contract), "county": Client(server, contract)}
    for name, made in (("manager", manager), ("county", county)):
        sessions[name].token, sessions[name].role, sessions[name].user = made.token, made.role, made.user
    yield {**sessions, "database": own, "cases": cases, "places": places}
    for client in sessions.values():
        client.close()
    server.stop()


def totals(client, by, **query):
    return client.get("/plans/qinghai/totals", query={"by": by, **query}).items


def count(client, path, **query):
    found = [item["id"] for item in client.pages(path, limit=3, **query)]
    assert len(found) == len(set(found))
    return len(found)


def test_parts_sum_up_to_the_whole(world):
    manager = world["manager"]
    whole = manager.progress("qinghai")
    assert whole["accepted"] == len(ACCEPTED_ON) - 1 and whole["exact"] is True
    assert sum(whole["by_stage"].values()) == len(world["cases"])
    assert {row["stage"]: row["cases"] for row in totals(manager, "stage")} == whole["by_stage"]
    assert [row["stage"] for row in totals(manager, "stage")] == STAGES
    counties = totals(manager, "county")
    assert sum(row["accepted"] for row in counties) == whole["accepted"]
    for stage in STAGES:
        assert sum(row["by_stage"][stage] for row in counties) == whole["by_stage"][stage]
    years = {row["year"]: row["accepted"] for row in totals(manager, "year")}
    assert years == {2021: 1, 2022: 2, 2023: 2, 2024: 1, 2025: 0}
    months = {(row["year"], row["month"]): row["accepted"] for row in totals(manager, "month")}
    assert months == {(2021, 12): 1, (2022, 1): 1, (2022, 2): 1, (2023, 6): 2, (2024, 2): 1}


def test_counties_are_the_sum_of_their_townships(world):
    manager = world["manager"]
    for county in ("630106", "630105"):
        whole = manager.progress("qinghai", region=county)
        parts = [manager.progress("qinghai", region=place) for place in world["places"] if place.startswith(county)]
        assert whole["accepted"] == sum(part["accepted"] for part in parts)
        assert whole["by_stage"] == {stage: sum(part["by_stage"][stage] for part in parts) for stage in STAGES}
        (row,) = totals(manager, "county", region=county)
        assert row["region"] == county and row["by_stage"] == whole["by_stage"] and row["accepted"] == whole["accepted"]
        for by, key in (("year", "accepted"), ("month", "accepted"), ("stage", "cases")):
            assert sum(row[key] for row in totals(manager, by, region=county)) == (whole["accepted"] if key == "accepted" else
                                                                                 sum(whole["by_stage"].values()))
    prefecture = manager.progress("qinghai", region="630100")
    assert prefecture["by_stage"] == manager.progress("qinghai")["by_stage"]


@pytest.mark.parametrize("region", [None, "630100", "630106", "630122", "630105"])
def test_each_figure_opens_into_as_many_rows(world, region):
    manager = world["manager"]
    figures = manager.progress("qinghai", region=region)
    where = {"plan": "qinghai", "region": region}
    assert count(manager, "/cases", **where, counted="true") == figures["accepted"]
    assert count(manager, "/plans/qinghai/progress/cases", region=region, measure="counted") == figures["accepted"]
    for stage, number in figures["by_stage"].items():
        assert count(manager, "/cases", **where, stage=stage) == number
        assert count(manager, "/plans/qinghai/progress/cases", region=region, measure=f"in_{stage}") == number
    for row in totals(manager, "year", region=region):
        year = row["year"]
        assert count(manager, "/cases", **where, counted="true", accepted_from=f"{year}-01-01",
                     accepted_to=f"{year}-12-31") == row["accepted"]
    for row in totals(manager, "month", region=region):
        first = datetime.date(row["year"], row["month"], 1)
        last = (first + datetime.timedelta(days=31)).replace(day=1) - datetime.timedelta(days=1)
        assert count(manager, "/cases", **where, counted="true", accepted_from=first, accepted_to=last) == row["accepted"]


def test_a_county_manager_gets_his_own_figures_without_asking(world):
    county, manager = world["county"], world["manager"]
    assert county.progress("qinghai") == manager.progress("qinghai", region="630106")
    for by in ("county", "year", "month", "stage"):
        assert totals(county, by) == totals(manager, by, region="630106")


@pytest.mark.parametrize("day", ["2020-05-31", "2020-06-01", "2021-12-30", "2021-12-31", "2022-01-01", "2022-02-01", "2023-06-30",
                                 "2023-07-01", "2024-02-29", "2999-01-01"])
def test_as_of_a_day_by_what_is_known_now(world, day):
    manager = world["manager"]
    figures = manager.progress("qinghai", as_of=day)
    left = [when for number, when in enumerate(ACCEPTED_ON) if number != 1 and when <= day]
    assert figures["accepted"] == len(left) and figures["as_of"] == day
    assert sum(figures["by_stage"].values()) == (len(world["cases"]) if day >= "2020-06-01" else 0)
    assert count(manager, "/plans/qinghai/progress/cases", measure="counted", as_of=day) == len(left)
    for stage in STAGES:
        assert count(manager, "/plans/qinghai/progress/cases", measure=f"in_{stage}", as_of=day) == figures["by_stage"][stage]


def test_as_of_today_is_now(world):
    manager = world["manager"]
    now = manager.progress("qinghai")
    for query in ({"as_of": now["as_of"]}, {"known_at": now["as_of"]}, {"as_of": now["as_of"], "known_at": now["as_of"]}):
        then = manager.progress("qinghai", **query)
        assert (then["accepted"], then["by_stage"], then["target"]) == (now["accepted"], now["by_stage"], now["target"])


def test_nothing_was_known_before_it_was_recorded(world):
    manager = world["manager"]
    yesterday = (datetime.date.fromisoformat(manager.progress("qinghai")["as_of"]) - datetime.timedelta(days=1)).isoformat()
    for query in ({"known_at": yesterday}, {"as_of": "2024-12-31", "known_at": yesterday}):
        figures = manager.progress("qinghai", **query)
        assert figures["accepted"] == 0 and not any(figures["by_stage"].values())
        assert count(manager, "/plans/qinghai/progress/cases", measure="in_registered", **query) == 0


def test_totals_agree(world):
    assert "totals agree" in world["database"].run("verify", "totals").stdout


# --- by what we knew ---


@pytest.fixture(scope="module")
def recorded(cluster, database, contract):
    """A database where it is told when each thing became known: the superuser sets the days of events, before any folding."""
    own = cluster.new_database().migrate()
    server = Program(own, "serve").start()
    admin = Client(server, contract).sign_in("admin", ADMIN_PASSWORD)
    manager = People(admin).manager("640324")
    cases = bring_in(manager, 3)
    server.stop()
    server = Program(own, "serve", "--no-work").start()
    client = Client(server, contract)
    client.token = manager.token
    own.sql("SELECT totals_fold(1000)")
    known = {"import": "2023-01-10"}

    def step(day, action):
        """What the action records is known from that day on."""
        action()
        own.sql("UPDATE case_event SET recorded_at = %s::date + interval '12 hours' WHERE recorded_at > '2025-01-01'", day)
        own.sql("UPDATE total_delta SET recorded_on = %s WHERE recorded_on > '2025-01-01'", day)

    own.sql("UPDATE total_history SET recorded_on = '2023-01-10'")
    own.sql("UPDATE case_event SET recorded_at = '2023-01-10T04:00:00Z'")
    step("2023-06-05", lambda: walk(client, cases[0], "accepted"))             # happened on June 1st, known on the 5th
    step("2023-06-20", lambda: walk(client, cases[1], "accepted"))             # the same day, known on the 20th
    own.sql("SELECT totals_fold(10)")
    step("2023-08-01", lambda: move(client, cases[0], "built", "2023-07-15T00:00:00Z"))  # revoked
    step("2023-09-01", lambda: client.post(f"/cases/{cases[1]}/relocation", {"region": "640324202", "village": "v", "address": "a"}))
    yield {"client": client, "database": own, "cases": cases, "known": known}
    client.close()
    server.stop()


@pytest.mark.parametrize("as_of, known_at, accepted", [
    ("2023-05-31", None, 0), ("2023-06-01", None, 1), ("2030-01-01", None, 1),
    # By what we knew: late reports are missing, the revocation is not known yet.
    ("2023-06-01", "2023-06-01", 0), ("2023-06-01", "2023-06-04", 0), ("2023-06-01", "2023-06-05", 1), ("2023-06-01", "2023-06-19", 1),
    ("2023-06-01", "2023-06-20", 2), ("2023-06-30", "2023-07-31", 2), ("2023-07-31", "2023-07-31", 2), ("2023-07-31", "2023-08-01", 1),
    ("2023-06-01", "2023-08-01", 1), ("2023-05-31", "2023-08-01", 0), (None, "2023-06-05", 1), (None, "2023-07-01", 2),
    (None, "2023-08-01", 1), (None, "2023-01-09", 0)])
def test_what_we_knew_and_what_we_know(recorded, as_of, known_at, accepted):
    client = recorded["client"]
    figures = client.progress("tongxin", as_of=as_of, known_at=known_at)
    assert figures["accepted"] == accepted
    assert (figures["as_of"], figures["known_at"]) == (as_of or known_at, known_at)
    listed = [case["id"] for case in client.pages("/plans/tongxin/progress/cases", measure="counted", as_of=as_of, known_at=known_at, limit=1)]
    assert len(listed) == accepted
    assert sum(figures["by_stage"].values()) == (3 if known_at is None or known_at >= "2023-01-10" else 0)
    for stage in ("registered", "built", "accepted"):
        assert count(client, "/plans/tongxin/progress/cases", measure=f"in_{stage}", as_of=as_of,
                     known_at=known_at) == figures["by_stage"][stage]


def test_a_revoked_acceptance_is_gone_from_the_past_but_not_from_what_we_knew(recorded):
    client, (revoked, moved, _) = recorded["client"], recorded["cases"]

    def counted(**query):
        return [case["id"] for case in client.pages("/plans/tongxin/progress/cases", measure="counted", **query)]

    assert counted(as_of="2023-06-30") == [moved]
    assert counted(as_of="2023-06-30", known_at="2023-07-31") == [revoked, moved]
    assert client.progress("tongxin", as_of="2023-06-30", known_at="2023-07-31")["by_stage"]["accepted"] == 2
    # The stage did change on July 15th, whatever was known.
    assert client.progress("tongxin", as_of="2023-06-30")["by_stage"]["accepted"] == 2
    assert client.progress("tongxin", as_of="2023-07-15")["by_stage"]["accepted"] == 1


def test_a_household_counts_where_it_was_known_to_be(recorded):
    client = recorded["client"]
    old, new = "640324101", "640324202"
    for region, before, after in ((old, 1, 0), (new, 0, 1)):
        assert client.progress("tongxin", region=region, as_of="2023-06-30", known_at="2023-08-31")["accepted"] == before
        assert client.progress("tongxin", region=region, as_of="2023-06-30", known_at="2023-09-01")["accepted"] == after
        assert client.progress("tongxin", region=region)["accepted"] == after


def test_the_sum_is_the_same_when_all_is_folded(recorded):
    client = recorded["client"]
    days = [("2023-06-01", "2023-06-05"), ("2023-06-30", "2023-07-31"), ("2023-06-30", None), ("2023-07-20", "2023-08-01")]
    before = [client.progress("tongxin", as_of=as_of, known_at=known_at) for as_of, known_at in days]
    assert recorded["database"].sql("SELECT totals_fold(100000)")[0][0] > 0
    assert [client.progress("tongxin", as_of=as_of, known_at=known_at) for as_of, known_at in days] == before
    assert "totals agree" in recorded["database"].run("verify", "totals").stdout


# --- targets ---


def test_targets_stand_beside_the_figures_they_belong_to(world, admin):
    manager = world["manager"]
    assert manager.progress("qinghai")["target"] == 7500
    assert manager.progress("qinghai", region="630106")["target"] is None
    split = [{"region": "630106", "value": 100}, {"region": "630122", "year": 2023, "value": 30}, {"year": 2023, "value": 500},
             {"region": "630105", "value": 7400}]
    manager.put("/plans/qinghai/targets/households", {"items": split})
    assert manager.progress("qinghai", region="630106")["target"] == 100
    assert {row["region"]: row["target"] for row in totals(manager, "county") if row["target"] is not None} == {"630105": 7400, "630106": 100}
    assert {row["year"]: row["target"] for row in totals(manager, "year")}[2023] == 500
    assert {row["year"]: row["target"] for row in totals(manager, "year", region="630106")}[2023] == 30
    households = next(row for row in manager.get("/plans/qinghai/targets").items if row["indicator"] == "households")
    assert households["by_county"] == {"split": 7500, "remainder": 0} and households["by_year"] == {"split": 500, "remainder": 7000}
    assert len(households["split"]) == 4 and {"region": "630106", "year": 2023, "value": 30} in households["split"]
