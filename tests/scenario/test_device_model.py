# SPDX-License-Identifier: Apache-2.0
"""Random actions with two hundred devices for three hundred people, against the server and against device_model.py: not one difference in
what is refused, in what becomes of the items, in the rate of fitting, in deposits held. TANTU_DEVICE_STEPS (500) and TANTU_DEVICE_SEED (5)
say how much and which; a difference tells its last thirty steps."""
import os
import time

import needs
import pytest
import step_centre
from client import Client
from device_model import Devices
from device_model_data import Somebody
from device_model_walk import Walk, everybody
from harness import People
from model_walk import Difference
from processes import ADMIN_PASSWORD, Program

STEPS = int(os.environ.get("TANTU_DEVICE_STEPS", "500"))
SEED = os.environ.get("TANTU_DEVICE_SEED") or "5"
ITEMS, PEOPLE = (200, 300) if STEPS >= 5000 else (60, 60)
COUNTIES = {"622921": "622921100", "622922": None}  # and a township there, as soon as regions are known


@pytest.fixture(scope="module")
def walk(cluster, database, contract):
    """A database and a server of its own: the figures are of these devices alone."""
    own = cluster.new_database().migrate()
    server = Program(own, "serve").start()
    people = People(Client(server, contract).sign_in("admin", ADMIN_PASSWORD))
    centres = {name: step_centre.set_up(people, region, "linxia") for name, region in (("centre", "622921"), ("centre2", "622921"), ("centre3", "622922"))}
    clients = {**centres, "county": people.county("622921"), "county2": people.county("622922"), "manager": people.manager("622900"),
               "manager2": people.manager("622900"), "auditor": people.auditor("622900"), "foreigner": people.manager("640324")}
    device = step_centre.model(people.admin)
    persons = everybody({name: (client.centre, client.region) for name, client in centres.items()})
    model = Devices({client.centre: client.region for client in centres.values()})
    model.people = register(own, clients["manager"])
    made = Walk(model, persons, clients, SEED, device, ITEMS)
    made.database = own
    yield made
    for client in people.made:
        client.close()
    server.stop()


def register(database, manager):
    """Three hundred people, each in need of a wheelchair, two of three in the first county."""
    (township,), = database.sql("SELECT code FROM region WHERE place BETWEEN 622922001 AND 622922999 ORDER BY place LIMIT 1")
    rows = [needs.row("linxia", **{"区划代码": township if number % 3 == 2 else COUNTIES["622921"], "辅具需求": "手动轮椅", "改造需求": ""})
            for number in range(PEOPLE)]
    manager.import_file("linxia", needs.to_csv(rows))
    found = {number: id for number, id in database.sql("SELECT h.number, p.id FROM person p JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id")}
    return [Somebody(found[row["户编号"]], row["区划代码"][:6]) for row in rows]


def same_figures(walk):
    manager = walk.clients["manager"]
    held = sum(row["deposits_held"] for row in manager.get("/device-ledger", query={"plan": "linxia"}).items)
    if held != walk.model.deposits():
        raise Difference(f"deposits held: the model has {walk.model.deposits()}, the server {held}\n" + "\n".join(walk.log))
    if ("GET", "/api/v1/plans/{code}/device-rate") in manager.contract.operations:
        seen = manager.get("/plans/linxia/device-rate")
        if (seen["needing"], seen["fitted"]) != walk.model.rate():
            raise Difference(f"of how many how many were fitted: the model has {walk.model.rate()}, the server {seen.json}\n" + "\n".join(walk.log))


def same_counties(walk):
    manager = walk.clients["manager"]
    if ("GET", "/api/v1/plans/{code}/device-services") in manager.contract.operations:
        assert {row["service"]: row["people"] for row in manager.get("/plans/linxia/device-services").items} == walk.model.served()
    if ("GET", "/api/v1/plans/{code}/device-rate/counties") in manager.contract.operations:
        seen = {row["region"]: (row["needing"], row["fitted"]) for row in manager.get("/plans/linxia/device-rate/counties").items}
        for county in COUNTIES:
            assert seen[county] == walk.model.rate(county), county


def same_lives(walk):
    """Everything that was done to every item, and that it is with nobody else."""
    manager = walk.clients["manager"]
    for item in walk.model.items:
        walk.same_item(item)
        life = [(event["action"], event["from"], event["to"]) for event in manager.pages(f"/device-items/{item.id}/events", limit=200)]
        assert life == [(action, was, to) for action, was, to, _ in item.life], item.code
    out = walk.database.sql("SELECT item_id, count(*) FROM handover WHERE ended IS NULL GROUP BY 1")
    assert dict(out) == {item.id: 1 for item in walk.model.items if item.holder}
    for request in walk.model.requests:
        seen = manager.get(f"/device-requests/{request.id}")
        assert seen["state"] == request.state, request


def test_the_server_does_what_the_model_says(walk):
    print(f"TANTU_DEVICE_SEED={SEED!r} TANTU_DEVICE_STEPS={STEPS}")
    begun = time.monotonic()
    while len(walk.model.items) < ITEMS // 2:
        walk.do_take_in()
    for number in range(1, STEPS + 1):
        walk.step()
        same_figures(walk)
        if number % 50 == 0:
            same_counties(walk)
        if number % 1000 == 0:
            print(f"{number} steps in {time.monotonic() - begun:.1f} s", flush=True)
    same_lives(walk)
    same_counties(walk)
    assert walk.database.run("verify", "devices").stdout.startswith("devices agree")
    said = {f"{action}: {verdict or 'done'}": count for (action, verdict), count in sorted(walk.said.items(), key=str)}
    refused = sum(count for (_, verdict), count in walk.said.items() if verdict)
    print(f"{STEPS} steps in {time.monotonic() - begun:.1f} s, {refused} refused, {len(said)} different outcomes: {said}")
    done = {action for item in walk.model.items for action, _, _, _ in item.life}
    assert refused > STEPS / 8
    if STEPS >= 500:  # the walk goes somewhere
        assert done >= {"take_in", "reserve", "issue", "return", "lose", "disinfect", "disinfected", "pass", "repair", "recall", "send", "receive"}, done
    if STEPS >= 5000:  # and everywhere
        assert done >= {"release", "keep", "unreturn", "find", "soil", "mended", "inspect", "recycle", "lift", "unsend"}, done
