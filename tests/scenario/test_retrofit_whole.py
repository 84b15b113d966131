# SPDX-License-Identifier: Apache-2.0
"""One household of a plan whose gates are all closed, from the needs file to the archive, with every refusal that waits for it
on the way. Each chapter goes on where the one before it ended; the days are those of the story, two years ago."""
import needs
import pytest
import step_design
import step_inspection
import step_photos
import step_survey
from client import Client
from harness import People
from processes import ADMIN_PASSWORD, Program, wait_until
from stages import bring_in_rows, case_of, move
from team import Team

REGISTERED, APPROVED, POSTED, OVER = "2023-02-01", "2023-03-01T02:00:00Z", "2023-03-02", "2023-03-09T02:00:00Z"
VISITED, DESIGNED, GIVEN, BEGUN = "2023-03-20T02:00:00Z", "2023-04-03T02:00:00Z", "2023-04-10T02:00:00Z", "2023-04-17T02:00:00Z"
DONE, INSPECTED, MENDED, AGAIN = "2023-05-15T02:00:00Z", "2023-05-22T02:00:00Z", "2023-06-05T02:00:00Z", "2023-06-12T02:00:00Z"
REVOKED, ACCEPTED, ARCHIVED = "2023-07-03T02:00:00Z", "2023-07-10T02:00:00Z", "2023-08-01T02:00:00Z"
PLAN = "tongxin"


@pytest.fixture(scope="module")
def world(cluster, database, contract):
    """A database as `tantu migrate` makes it, a server with workers, a county at work, and another county's firm."""
    own = cluster.new_database().migrate(gates=True)
    server = Program(own, "serve").start()
    people = People(Client(server, contract).sign_in("admin", ADMIN_PASSWORD))
    world = Team(people)
    world.database, world.other = own, Team(people)
    yield world
    for client in people.made:
        client.close()
    server.stop()


@pytest.fixture
def reasons():
    """reasons(answer): what a refusal says is lacking."""
    return lambda answer: answer.json.get("reasons")


def refuse(client, case, to, code, at=None, **more):
    """The move is refused, and nothing has changed."""
    before = client.get(f"/cases/{case}").json
    answer = move(client, case, to, at, code=code, **more)
    assert client.get(f"/cases/{case}").json == before
    return answer.json.get("reasons")


def test_a_household_from_the_needs_file_to_the_archive(world):
    case = comes_in(world)
    is_approved(world, case)
    is_surveyed(world, case)
    is_designed(world, case)
    is_given(world, case)
    is_built(world, case)
    is_accepted(world, case)
    is_revoked_and_accepted_again(world, case)
    is_paid_and_sampled(world, case)
    is_archived(world, case)
    proves_itself(world)


def comes_in(world):
    world.manager.patch(f"/plans/{PLAN}", {"notice_days": 7, "subsidy_ceiling": 600000})
    rows = needs.household(PLAN, people=2, **{"登记日期": REGISTERED})
    bad = {**needs.row(PLAN), "残疾人证号": "640324"}
    done = world.county.import_file(PLAN, needs.to_csv([*rows, bad]))
    assert (done["accepted"], done["rejected_by_code"]) == (2, {"cert_format": 1})
    again = world.county.import_file(PLAN, needs.to_csv(rows))
    assert (again["accepted"], again["rejected_by_code"]) == (0, {"duplicate_registered": 2})
    case = case_of(world.county, rows[0]["户编号"])["id"]
    # What is nobody's yet, nobody else sees; and no stage can be skipped.
    for stranger in (world.contractor, world.assessor, world.other.contractor):
        stranger.get(f"/cases/{case}", expect=404)
    refuse(world.manager, case, "surveyed", "stage_not_allowed")
    refuse(world.manager, case, "accepted", "stage_not_allowed")
    return case


def is_approved(world, case):
    judged = world.county.get(f"/cases/{case}/eligibility")
    assert judged["eligible"], judged
    (poorer,) = bring_in_rows(world.county, [needs.row(PLAN, **{"经济状况": "一般"})], PLAN).values()
    assert refuse(world.county, poorer, "approved", "not_eligible", APPROVED) == world.county.get(f"/cases/{poorer}")["eligibility_reasons"]
    waiting = [one["id"] for one in world.county.pages(f"/plans/{PLAN}/waiting-list", stage="registered")]
    assert waiting.index(case) < waiting.index(poorer)
    for nobody in (world.assessor, world.contractor):
        nobody.post(f"/cases/{case}/transitions", {"to": "approved"}, expect=404)
    refuse(world.county, case, "approved", "happened_in_future", "2035-01-01T00:00:00Z")
    refuse(world.county, case, "approved", "happened_before_plan", "2020-01-01T00:00:00Z")
    move(world.county, case, "approved", APPROVED)
    world.give_visit(case)

    refuse(world.assessor, case, "surveyed", "notice_not_over", "2023-03-05T02:00:00Z")
    refuse(world.assessor, case, "surveyed", "notice_missing", VISITED)
    notice = world.county.post(f"/plans/{PLAN}/notices", {"region": "640324", "cases": [{"case": case}], "starts_on": POSTED}, expect=201)
    assert (notice["starts_on"], notice["ends_on"]) == ("2023-03-02", "2023-03-08")
    assert refuse(world.assessor, case, "surveyed", "notice_running", "2023-03-08T02:00:00Z") == ["2023-03-08"]
    listed = world.county.get(f"/notices/{notice['id']}/cases").items
    assert [one["case"] for one in listed] == [case] and "*" in listed[0]["householder"]
    objection = world.county.post(f"/notices/{notice['id']}/objections", {"case": case, "content": "家中有轿车", "received_at": OVER},
                                  expect=201)
    refuse(world.assessor, case, "surveyed", "objection_open", VISITED)
    world.county.post(f"/cases/{case}/objections/{objection['id']}/resolution", {"outcome": "dismissed", "note": "车辆为残疾人专用"})


def is_surveyed(world, case):
    me, path = world.assessor, f"/cases/{case}/survey"
    refuse(me, case, "surveyed", "survey_missing", VISITED)
    world.contractor.put(path, {}, expect=403)
    # A draft in a cellar: a little, then more; the telephone that comes later does not win.
    draft = me.put(path, {"findings": [], "remark": "先记下"})
    refuse(me, case, "surveyed", "survey_incomplete", VISITED)
    undecided = [{**step_survey.FINDINGS[0], "consent": "open"}, *step_survey.FINDINGS[1:]]
    second = me.put(path, step_survey.document(undecided, visited_at=VISITED), match=draft.etag)
    me.put(path, {"findings": []}, match=draft.etag, expect=412, code="stale")
    assert len(refuse(me, case, "surveyed", "consent_open", VISITED)) == 1
    whole = me.put(path, step_survey.document(visited_at=VISITED), match=second.etag)
    assert len(refuse(me, case, "surveyed", "before_photo_missing", VISITED)) == 2
    step_photos.send(me, case, "before", finding=1)
    assert len(refuse(me, case, "surveyed", "before_photo_missing", VISITED)) == 1
    step_photos.send(me, case, "before", finding=2)
    refuse(me, case, "surveyed", "signature_missing", VISITED)
    hand, pen = step_photos.do(world, case, "signature", (None, None))
    step_survey.sign(me, case, "household", hand, match=whole.etag, signed_at=VISITED)
    refuse(me, case, "surveyed", "signature_missing", VISITED)
    step_survey.sign(me, case, "assessor", pen, match=whole.etag, signed_at=VISITED)
    move(me, case, "surveyed", VISITED)
    me.put(path, {"findings": []}, match=whole.etag, expect=409, code="survey_frozen")


def is_designed(world, case):
    county, path = world.county, f"/cases/{case}/design"
    for code, ceiling in (("province", None), ("county_fund", 100000)):
        step_design.source(world.manager, PLAN, code, **({"ceiling": ceiling} if ceiling else {}))
    refuse(county, case, "designed", "design_missing", DESIGNED)
    ramp = {"finding": 1, "room": "entrance", "measure": "ramp", "quantity": 1, "price": 380000}
    rail = {"finding": 2, "room": "bathroom", "measure": "toilet_grab_bar", "quantity": 2, "price": 45050}
    put = lambda body, **options: county.put(path, body, match=county.get(path).etag, **options)  # noqa: E731
    put({"items": [ramp, rail], "sources": [{"source": "province", "amount": 600100}]}, expect=422)
    put({"items": [ramp, rail], "sources": [{"source": "county_fund", "amount": 100001}]}, code="source_ceiling_exceeded")
    put({"items": [ramp, rail], "sources": [{"source": "moon", "amount": 1}]}, code="source_unknown")
    half = put({"items": [ramp], "sources": [{"source": "province", "amount": 300000}]})
    assert half["self_paid"] == 80000
    assert refuse(county, case, "designed", "finding_unanswered", DESIGNED)
    whole = put({"items": [ramp, rail], "sources": [{"source": "province", "amount": 360000}, {"source": "county_fund", "amount": 100000}]})
    assert (whole["total"], whole["subsidy"], whole["self_paid"]) == (470100, 460000, 10100)
    move(county, case, "designed", DESIGNED)
    put({"items": [ramp]}, expect=409, code="design_decided")
    assert world.county.get(f"/cases/{case}/plan-sheet", headers={"Accept": "text/html"}).status == 200


def is_given(world, case):
    refuse(world.county, case, "assigned", "contractor_required", GIVEN)
    refuse(world.county, case, "assigned", "contractor_unknown", GIVEN, contractor="nobody")
    world.contractor.post(f"/cases/{case}/transitions", {"to": "assigned"}, expect=404)
    # The first firm declines, the second accepts; neither sees what is the other's.
    move(world.county, case, "assigned", GIVEN, contractor=world.other.firm)
    world.contractor.get(f"/cases/{case}", expect=404)
    world.contractor.post(f"/cases/{case}/order/accept", {}, expect=404)
    refuse(world.other.contractor, case, "building", "order_not_accepted", "2023-04-12T02:00:00Z")
    world.other.contractor.post(f"/cases/{case}/order/decline", {"reason": "人手不足"})
    world.other.contractor.post(f"/cases/{case}/order/accept", {}, expect=409, code="order_over")
    given = world.county.post("/orders", {"contractor": world.firm, "cases": [{"id": case}]})
    assert given["given"] == 1, given
    world.other.contractor.get(f"/cases/{case}", expect=404)  # until now it could have taken its word back
    assert [one["case"] for one in world.contractor.get("/orders").items] == [case]
    world.contractor.post(f"/cases/{case}/order/accept", {})
    world.contractor.post(f"/cases/{case}/order/decline", {"reason": "a"}, match='"1"', expect=412, code="stale")


def is_built(world, case):
    firm = world.contractor
    number = [item["number"] for item in world.county.get(f"/cases/{case}/design")["items"]]
    # The firm finds that a lamp is needed too: proposed, decided by the county, photographed before it is built.
    change = firm.post(f"/cases/{case}/change-orders", {"reason": "楼道无灯", "items": [
        {"op": "add", "room": "stairs", "measure": "handrail", "quantity": 1, "price": 20000}]}, expect=201)
    firm.post(f"/change-orders/{change['id']}/approval", {"decision": "approve"}, expect=403)
    world.county.post(f"/change-orders/{change['id']}/approval", {"decision": "approve"})
    number = [item["number"] for item in world.county.get(f"/cases/{case}/design")["items"]]
    assert len(number) == 3
    assert len(refuse(firm, case, "building", "before_photo_missing")) == 1
    step_photos.send(firm, case, "before", item=number[2], expect=403, code="photo_not_yours")
    step_photos.send(world.assessor, case, "before", item=number[2])
    step_photos.send(firm, case, "after", item=number[0], expect=422, code="photo_too_early")
    now = world.county.get(f"/cases/{case}")["stage_at"]
    move(firm, case, "building", now)
    step_photos.send(firm, case, "during", item=number[0])
    step_photos.send(firm, case, "after", data=b"no photo at all, only words", item=number[0], expect=422)
    assert len(refuse(firm, case, "built", "after_photo_missing")) == 3
    for item in number[:2]:
        step_photos.send(firm, case, "after", item=item)
    assert len(refuse(firm, case, "built", "after_photo_missing")) == 1
    step_photos.send(firm, case, "after", item=number[2])
    move(firm, case, "built")
    world.items = number


def is_accepted(world, case):
    me, path, counted = world.assessor, f"/cases/{case}/inspections", world.manager.progress(PLAN)["accepted"]
    refuse(me, case, "accepted", "inspection_missing")
    refuse(me, case, "rework", "inspection_missing")
    world.contractor.post(path, {}, expect=403)
    step_inspection.do(world, case, faults={world.items[0]: "坡度超过一比十二"}, satisfaction=2)
    refuse(me, case, "accepted", "inspection_failed")
    move(me, case, "rework")
    assert world.contractor.get(path).items[0]["items"][0]["fault"] == "坡度超过一比十二"
    move(world.contractor, case, "building")
    assert len(refuse(world.contractor, case, "built", "after_photo_missing")) == 1
    step_photos.send(world.contractor, case, "after", item=world.items[0])
    move(world.contractor, case, "built")
    refuse(me, case, "accepted", "inspection_missing")
    (unsigned,) = step_photos.do(world, case, "signature")
    step_inspection.do(world, case, signature=None)
    refuse(me, case, "accepted", "signature_missing")
    step_inspection.do(world, case, signature=unsigned, satisfaction=None)
    refuse(me, case, "accepted", "satisfaction_missing")
    (hand,) = step_photos.do(world, case, "signature")
    step_inspection.do(world, case, signature=hand, satisfaction=5)
    refuse(world.contractor, case, "accepted", "role_not_allowed")
    move(me, case, "accepted")
    assert world.manager.progress(PLAN)["accepted"] == counted + 1
    assert me.get(f"/cases/{case}/acceptance-sheet", headers={"Accept": "text/html"}).status == 200
    wait_until(lambda: len(follow_ups(world, case)) == 2, 30, "follow-ups at 1 and 6 months")


def follow_ups(world, case, state="open"):
    return [one for one in world.county.pages("/follow-ups", plan=PLAN, state=state) if one["case"] == case]


def is_revoked_and_accepted_again(world, case):
    counted = world.manager.progress(PLAN)["accepted"]
    refuse(world.county, case, "built", "role_not_allowed")
    world.manager.post(f"/cases/{case}/transitions", {"to": "built"}, expect=422, code="note_required")
    move(world.manager, case, "built", note="抽查发现扶手松动")
    assert world.manager.progress(PLAN)["accepted"] == counted - 1
    wait_until(lambda: not follow_ups(world, case), 30, "no follow-up of what is not accepted")
    refuse(world.assessor, case, "accepted", "inspection_missing")
    (hand,) = step_photos.do(world, case, "signature")
    step_inspection.do(world, case, signature=hand, satisfaction=4)
    move(world.assessor, case, "accepted")
    assert world.manager.progress(PLAN)["accepted"] == counted
    wait_until(lambda: len(follow_ups(world, case)) == 2, 30, "follow-ups again")


def is_paid_and_sampled(world, case):
    county, path = world.county, f"/cases/{case}/payments"
    today = str(world.database.sql("SELECT china_date(now())")[0][0])
    paid = {"source": "province", "amount": 360000, "paid_on": today, "reference": "凭证-1"}
    county.post(path, {**paid, "amount": 360001}, code="payment_exceeds_payable")
    county.post(path, {**paid, "source": "moon"}, code="payment_source_unknown")
    first = county.post(path, paid, expect=201)
    county.post(path, paid, expect=409, code="payment_twice")
    county.post(f"/payments/{first['id']}/reversal", {"reason": "录错"}, expect=201)
    county.post(path, {**paid, "reference": "凭证-2"}, expect=201)
    (line,) = [one for one in world.manager.pages(f"/plans/{PLAN}/ledger", by="source") if one["code"] == "province"]
    assert line["paid"] == 360000


def is_archived(world, case):
    move(world.county, case, "closed")
    photo = world.county.get(f"/cases/{case}/photos").items[0]["id"]
    world.county.delete(f"/cases/{case}/photos/{photo}", query={"note": "a"}, expect=409, code="photo_too_late")
    stages = [event["to"] for event in world.county.pages(f"/cases/{case}/events")]
    assert stages == ["registered", "approved", "surveyed", "designed", "assigned", "designed", "assigned", "building", "built", "rework",
                      "building", "built", "accepted", "built", "accepted", "closed"]


def proves_itself(world):
    for what in ("totals", "ledger", "photos"):
        world.database.run("verify", what)
