# SPDX-License-Identifier: Apache-2.0
"""One wheelchair, from the day it was bought to the day it was taken apart: through three people, a repair, a transfer, a recall, with
every refusal that waits for it on the way; and its life, printed. Each chapter goes on where the one before it ended."""
import pytest
import step_centre
import step_loop
import step_recall
import step_rental
import step_request
import step_stock
from client import Client
from harness import People
from paper import printed
from processes import ADMIN_PASSWORD, Program

REGION, PLAN = "640324", "tongxin"
BOUGHT, RENTED, BACK, CLEANED, MENDED = "2024-03-01", "2024-04-02T02:00:00Z", "2024-06-20T02:00:00Z", "2024-06-21", "2024-06-28T02:00:00Z"
FITTED, GIVEN_BACK, CLEANED_AGAIN = "2024-08-05T02:00:00Z", "2025-09-01T02:00:00Z", "2025-09-02"
PASSER_BY = {"borrower": "过路人", "phone": "13800000000"}


class World:
    """A database of its own, so that its figures are this wheelchair's."""

    def __init__(self, database, server, contract):
        self.database = database
        self.people = People(Client(server, contract).sign_in("admin", ADMIN_PASSWORD))
        self.county, self.manager = self.people.county(REGION), self.people.manager(REGION)
        self.auditor = self.people.auditor(REGION)
        self.centre, self.village = (step_centre.set_up(self.people, REGION, PLAN) for _ in range(2))
        self.stranger = step_centre.set_up(self.people, "630106", "qinghai")
        self.model = step_centre.model(self.people.admin, service_months=36, rent=3000, rent_subsidy=1000, deposit=20000)
        self.mei, self.bo, self.lan = step_request.bring(self.manager, 3)


@pytest.fixture(scope="module")
def world(cluster, database, contract):
    own = cluster.new_database().migrate()
    server = Program(own, "serve").start()
    world = World(own, server, contract)
    yield world
    for client in (world.people.admin, *world.people.made):
        client.close()
    server.stop()


def scan(client, code):
    """What one scan says of the item; nothing, when it says of none."""
    answer = client.post("/scans", {"code": code})
    return answer["items"][0] if answer["kind"] == "item" and answer["items"] else None


def may(client, code):
    """The actions that a scan offers."""
    return {one["action"] for one in scan(client, code)["may"] if one.get("path")}


def disinfect(client, code, day):
    step_loop.disinfect(client, [code], began_at=f"{day}T01:00:00Z", ended_at=f"{day}T02:00:00Z")


def held(world):
    """Deposits that the centre holds, as its ledger says."""
    return sum(one["deposits_held"] for one in world.centre.get("/device-ledger", query={"by": "centre"}).items)


def test_a_wheelchair_from_the_shop_to_its_parts(world):
    item = comes_in(world)
    rental = mei_rents_it(world, item)
    mei_brings_it_back(world, item, rental)
    is_cleaned_and_mended(world, item)
    bo_is_fitted_with_it(world, item)
    bo_gives_it_back(world, item)
    goes_to_the_village(world, item)
    lan_has_it_when_it_is_recalled(world, item)
    is_recycled(world, item)
    proves_itself(world, item)


def comes_in(world):
    (item,) = step_stock.take_in(world.centre, world.model, serial="WZ-2024-000017", batch="2024-06", shelf="A-3", price=80000, taken_in_on=BOUGHT)
    code = item["code"]
    seen = scan(world.centre, f" {code}\r\n")  # as a scanner types it
    assert (seen["state"], seen["centre"]["code"], seen["shelf"]) == ("in_stock", world.centre.centre, "A-3")
    assert "issue" in may(world.centre, code)
    # Another county's centre gets nothing of it, and nobody takes the same serial in twice.
    assert not scan(world.stranger, code)
    world.stranger.get(f"/device-items/{code}", expect=404)
    world.centre.post("/device-items", {"model": world.model, "source": "purchased", "serial": "WZ-2024-000017", "acquired_on": "2024-06-01"},
                      expect=409, code="serial_taken")
    return item


def mei_rents_it(world, item):
    """Three months, with a deposit."""
    request = step_request.open_request(world.county, world.mei.person, centre=world.centre.centre)
    step_rental.rent(world.centre, request, item["code"], code="request_not_assessed")
    step_request.assess(world.centre, request, "rental", happened_at=RENTED)
    step_request.fit(world.centre, request, item["code"], expect=409, code="assessed_otherwise")
    rental = step_rental.rent(world.centre, request, item["code"], months=3, deposit_paid=True, happened_at=RENTED)
    assert held(world) == 20000
    # The same scan tells now who has it; and nobody else gets it.
    seen = scan(world.centre, item["code"])
    assert seen["state"] == "lent" and world.mei.row["姓名"][1:] not in str(seen)
    other = step_request.open_request(world.county, world.bo.person, centre=world.centre.centre)
    step_request.assess(world.centre, other, happened_at=RENTED)
    step_request.fit(world.centre, other, item["code"], expect=409, code="device_out")
    world.bo_request = other
    return rental["id"]


def mei_brings_it_back(world, item, rental):
    step_rental.close(world.centre, rental, received=0, expect=409)  # not before it is back
    step_rental.give_back(world.centre, rental, condition="worn", happened_at=BACK)
    step_rental.give_back(world.centre, rental, expect=409, code="handover_over")
    assert held(world) == 20000  # return and close are two steps
    step_rental.close(world.centre, rental, closed_on=BACK[:10])
    assert held(world) == 0
    step_rental.close(world.centre, rental, received=0, expect=409)


def is_cleaned_and_mended(world, item):
    code = item["code"]
    for to_do in ("disinfect", "inspect"):
        step_request.fit(world.centre, world.bo_request, code, expect=409, code="device_not_ready")
        if to_do == "disinfect":
            step_loop.inspect(world.centre, code, expect=409)  # not dirty
            disinfect(world.centre, code, CLEANED)
    found = step_loop.inspect(world.centre, code, result="repair", grade=None, note="左刹车失灵", happened_at=f"{CLEANED}T07:00:00Z")
    assert scan(world.centre, code)["state"] == "repairing"
    step_request.fit(world.centre, world.bo_request, code, expect=409, code="device_not_ready")
    step_loop.mend(world.centre, found["repair"], repairer="同心县辅具维修站", parts=[{"name": "刹车线", "quantity": 1, "cost": 3500}], labour=2000,
                   ended_at=MENDED)
    step_loop.inspect(world.centre, code, grade="B", happened_at=MENDED)
    assert scan(world.centre, code)["grade"] == "B"


def bo_is_fitted_with_it(world, item):
    before = rate(world)
    step_request.fit(world.centre, world.bo_request, item["code"], signature={"strokes": [[10, 10, 40, 30]]}, signer="本人",
                     happened_at=FITTED)
    assert scan(world.centre, item["code"])["state"] == "fitted"
    after = rate(world)
    assert (after["fitted"] - before["fitted"], after["needing"] - before["needing"]) == (1, 0)
    # Not a second one within its service life, unless the office says why.
    (spare,) = step_stock.take_in(world.centre, world.model)
    again = step_request.open_request(world.county, world.bo.person, centre=world.centre.centre)
    step_request.assess(world.centre, again)
    step_request.fit(world.centre, again, spare["code"], expect=409, code="within_service_life")
    world.centre.post(f"/device-requests/{again}/exception", {"reason": "试验"}, expect=403)
    world.county.post(f"/device-requests/{again}/cancellation", {"reason": "有一辆已够用"})


def rate(world):
    return world.manager.get(f"/plans/{PLAN}/device-rate")


def bo_gives_it_back(world, item):
    step_loop.give_back(world.centre, item, note="本人去世，家属交回", happened_at=GIVEN_BACK)
    disinfect(world.centre, item["code"], CLEANED_AGAIN)
    step_loop.inspect(world.centre, item, grade="C", happened_at=f"{CLEANED_AGAIN}T07:00:00Z")


def goes_to_the_village(world, item):
    code = item["code"]
    sent = step_stock.transfer(world.centre, [item], to=world.village.centre)
    assert may(world.centre, code) & {"issue", "reserve"} == set()
    world.village.post("/device-loans", {"item": code, **PASSER_BY}, expect=409, code="device_on_its_way")
    step_stock.receive(world.village, sent)
    assert scan(world.village, code)["centre"]["code"] == world.village.centre
    world.centre.post("/device-returns", {"item": code, "condition": "good"}, expect=404)


def lan_has_it_when_it_is_recalled(world, item):
    code = item["code"]
    request = step_request.open_request(world.county, world.lan.person, centre=world.village.centre)
    step_request.assess(world.village, request, "rental")
    rental = step_rental.rent(world.village, request, code, months=1)["id"]
    world.recall = step_recall.recall(world.county, world.model, batch="2024-06", reason="前叉焊缝开裂")["id"]
    assert progress(world) == (0, 1)  # nobody has been reached, one item is with its holder
    step_recall.attempt(world.village, world.recall, code, reached=True)
    step_recall.end(world.county, world.recall, expect=409)
    # It comes back and goes through the loop, and still is not in stock.
    step_rental.give_back(world.village, rental)
    step_rental.close(world.village, rental)
    step_loop.clean(world.village, code)
    assert scan(world.village, code)["state"] == "recalled"
    assert may(world.village, code) & {"issue", "reserve"} == set()
    world.village.post("/device-loans", {"item": code, **PASSER_BY}, expect=409, code="device_recalled")


def progress(world):
    told = world.county.get(f"/device-recalls/{world.recall}")["progress"]
    return told["percent"], told["with_holder"]


def is_recycled(world, item):
    code = item["code"]
    certificate = step_loop.recycle(world.village, code, parts=[{"name": "坐垫", "quantity": 1}, {"name": "脚踏", "quantity": 2}])["certificate"]
    assert progress(world) == (100, 0)
    step_recall.end(world.county, world.recall)
    seen = scan(world.village, code)
    assert seen["state"] == "recycled" and not may(world.village, code)
    world.certificate = certificate


def proves_itself(world, item):
    code = item["code"]
    life = [event["action"] for event in world.auditor.get(f"/device-items/{code}/events").items]
    assert life == ["take_in", "issue", "return", "disinfect", "disinfected", "repair", "mended", "pass", "issue", "return", "disinfect",
                    "disinfected", "pass", "send", "receive", "issue", "recall", "return", "disinfect", "disinfected", "pass", "recycle", "lift"]
    sheet = printed(world.auditor, f"/device-items/{code}/life")
    text = "".join("".join(sheet.text).split())
    assert sheet.is_a4() and sheet.asked[f"/api/v1/device-items/{code}/life"] == 200
    for word in ("WZ-2024-000017", "刹车线", "55.00", world.certificate, world.centre.centre, world.village.centre, "前叉焊缝开裂"):
        assert "".join(word.split()) in text, word
    for needy in (world.mei, world.bo, world.lan):
        assert needy.row["姓名"] not in text and needy.citizen not in text
    assert all(one["deposits_held"] == 0 for one in world.manager.get("/device-ledger").items)
    assert rate(world)["fitted"] == 1  # he was
    assert world.database.run("verify", "devices").returncode == 0
