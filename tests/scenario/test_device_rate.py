# SPDX-License-Identifier: Apache-2.0
"""The device-fitting rate and the people served: after every step of a random life they are what a recount in Python comes to, on any day,
for every region, and each opens into the people it says."""
import datetime

import pytest
from figures_world import COUNTIES, KINDS, SERVICES, TOWNSHIPS, World

REGIONS = ["630000", *COUNTIES, *TOWNSHIPS]


@pytest.fixture(scope="module")
def own(cluster, database):
    return cluster.new_database().migrate()


@pytest.fixture(scope="module")
def world(own):
    world = World(own, 20261122)
    yield world
    world.close()


def check_rate(world, day):
    standing, date = world.standing(day), datetime.date.fromordinal(day)
    for region in world.random.sample(REGIONS, 3):
        (told,) = world.ask("device_rate", "qinghai", region, date)
        counted = {measure: len(world.within(region, places)) for measure, places in standing.items()}
        assert {measure: told[measure] for measure in counted} == counted, (region, date)
        rate = 100 * counted["fitted"] / counted["needing"] if counted["needing"] else None
        assert told["rate"] == (None if rate is None else pytest.approx(rate, abs=0.0051)), (told, counted)
        assert told["met"] is (None if rate is None else counted["fitted"] * 100 >= 90 * counted["needing"])
    counties = {row["region"]: row["fitted"] for row in world.ask("device_rate_by_county", "qinghai", None, date) if row["needing"]}
    assert counties == {county: len(world.within(county, standing["fitted"])) for county in COUNTIES if world.within(county, standing["needing"])}
    region = world.random.choice(REGIONS)
    for measure, places in standing.items():
        statement = "device_needing" if measure in ("needing", "waiting") else "device_people"
        assert pages(world, statement, "qinghai", region, measure, date) == sorted(world.within(region, places)), (measure, region, date)


def pages(world, statement, *asked):
    """The ids of a list, three by three: in their order, and never one twice."""
    found = []
    while True:
        page = world.ask(statement, *asked, found[-1] if found else None, 3)
        found += [row["id"] for row in page]
        if len(page) < 3:
            return found


def check_services(world, year):
    people, pieces = world.served(year)
    region = world.random.choice(REGIONS)
    told = {row["service"]: row["people"] for row in world.ask("device_services", "qinghai", region, year)}
    assert told == {service: len(world.within(region, places)) for service, places in people.items()}, (region, year)
    for service in ("all", *SERVICES):
        assert pages(world, "device_served", "qinghai", region, year, service) == sorted(world.within(region, people[service]))
    for kind in (None, *KINDS):
        wanted = set().union(*pieces.values()) if kind is None else pieces[kind]
        places = {one: place for of_kind in pieces.values() for one, place in of_kind.items()}
        assert pages(world, "device_pieces", "qinghai", region, year, kind) == sorted(world.within(region, {one: places[one] for one in wanted}))


def test_every_figure_equals_a_recount_after_every_step(world):
    done = {}
    for number in range(170):
        name = world.step()
        done[name] = done.get(name, 0) + 1
        try:
            check_rate(world, world.random.choice([world.today, world.today - world.random.randint(0, 800)]))
            if number % 4 == 0:
                check_services(world, datetime.date.fromordinal(world.today).year - world.random.choice([0, 0, 1, 2]))
            if number % 40 == 0:
                assert world.differs() == []
        except AssertionError as trouble:
            raise AssertionError(f"after step {number}, {name}: {trouble}") from trouble
    world.age(1)
    check_rate(world, world.today - 1)
    assert world.differs() == []
    assert set(world.STEPS) <= set(done), "some step was never taken"
    standing = world.standing(world.today)
    assert min(len(places) for places in standing.values()) >= 3, "too little happened to prove anything"


def test_verify_names_what_differs(own, world):
    for step in (world.bring_in, world.bring_in, world.bring_in, world.fit, world.fit):
        step()
    world.run("SELECT device_fold(1000000)")
    assert own.run("verify", "devices").returncode == 0
    for change, back, said in (
            ("UPDATE device_effect SET n = n + 1 WHERE measure = 'fitted'", "UPDATE device_effect SET n = n - 1 WHERE measure = 'fitted'", "differs: person 630000 "),
            ("UPDATE device_total SET n = n + 1 WHERE measure = 'needing'", "UPDATE device_total SET n = n - 1 WHERE measure = 'needing'", "differs: total 630000 "),
            ("UPDATE device_stay SET state = 'elsewhere' WHERE ended_at IS NULL AND state = 'fitted'",
             "UPDATE device_stay SET state = 'fitted' WHERE ended_at IS NULL AND state = 'elsewhere'", "differs: stay 630000 ")):
        own.sql(change)
        found = own.run("verify", "devices", check=False)
        assert found.returncode == 3 and said in found.stdout, found
        own.sql(back)
    assert own.run("verify", "devices").returncode == 0
