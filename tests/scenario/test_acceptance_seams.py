# SPDX-License-Identifier: Apache-2.0
"""Where acceptance meets its neighbours: the photos it rests on, the design as a change order leaves it, another contractor, the
survey's signatures, and the money that an acceptance makes payable. Everything through the API, with the gates closed that matter."""
import pytest
import step_design
import step_inspection
import step_order
import step_photos
import step_survey
from acceptance_help import Acceptance
from harness import People
from stages import bring_in_rows, move, walk
import needs


@pytest.fixture(scope="module")
def county(database, admin_session):
    people = People(admin_session)
    yield Acceptance(database, people, "after_photos", "inspection")
    for client in people.made:
        client.close()


def items(county, *kinds):
    """Items of a design; kinds: retrofit or device."""
    codes = {kind: step_design.measure(county.admin, f"seam_{kind}", kind=kind, name_zh={"retrofit": "扶手", "device": "轮椅"}[kind]) for kind in set(kinds)}
    return [{"room": "bathroom", "measure": codes[kind], "quantity": 2, "price": 10000} for kind in kinds]


def building(county, *kinds, **design):
    """A case that is being built: designed with these items, accepted by the contractor."""
    (case,) = bring_in_rows(county.manager, [needs.row("tongxin")], county.plan).values()
    walk(county.manager, case, "surveyed")
    county.team.give_visit(case)
    step_design.do(county.team, case, items=items(county, *(kinds or ("retrofit",))), **design)
    step_order.do(county.team, case)
    move(county.contractor, case, "building")
    return case


def built(county, *kinds, **design):
    case = building(county, *kinds, **design)
    step_photos.do(county.team, case, "after", range(1, len(kinds or (1,)) + 1))
    move(county.contractor, case, "built")
    return case


def accept(county, case, **more):
    return move(county.county, case, "accepted", **more)


def change(county, case, *changes, **expected):
    """A change order, proposed by the contractor and approved by the county."""
    order = county.contractor.post(f"/cases/{case}/change-orders", {"reason": "现场变化", "items": list(changes)}, **expected)
    return order if expected else county.county.post(f"/change-orders/{order['id']}/approval", {"decision": "approve"})


# --- photos ---


def test_a_photo_that_was_removed_after_the_work_was_done_bars_the_acceptance(county):
    case = built(county)
    step_inspection.do(county.team, case)
    (photo,) = county.contractor.get(f"/cases/{case}/photos", query={"slot": "after"}).items
    county.contractor.request("DELETE", f"/cases/{case}/photos/{photo['id']}", query={"note": "模糊"})
    assert accept(county, case, expect=422, code="after_photo_missing")["reasons"] == ["1 卫生间 扶手"]
    (again,) = step_photos.do(county.team, case, "after", (1,))
    accept(county, case)
    county.contractor.request("DELETE", f"/cases/{case}/photos/{again}", query={"note": "模糊"}, expect=409, code="photo_too_late")


def test_the_signature_under_an_inspection_stays(county):
    case = built(county)
    signature = step_inspection.do(county.team, case)["signature"]
    path, why = f"/cases/{case}/photos/{signature}", {"note": "误传"}
    for who in (county.assessor, county.manager):
        who.request("DELETE", path, query=why, expect=409, code="signature_kept")
    accept(county, case)
    move(county.manager, case, "built")
    for who in (county.assessor, county.manager):  # the acceptance was revoked; what was signed was signed
        who.request("DELETE", path, query=why, expect=409, code="signature_kept")
    (unused,) = step_photos.do(county.team, case, "signature")
    county.assessor.request("DELETE", f"/cases/{case}/photos/{unused}", query=why)


def test_the_contractor_does_not_sign_for_the_household(county):
    case = built(county)
    step_photos.send(county.contractor, case, "signature", expect=403, code="photo_not_yours")


def test_a_signature_under_the_survey_signs_no_inspection(county):
    (case,) = bring_in_rows(county.manager, [needs.row("tongxin")], county.plan).values()
    walk(county.manager, case, "approved")
    step_survey.do(county.team, case)
    signed = county.assessor.get(f"/cases/{case}/survey")["signatures"][0]["signature"]
    step_design.do(county.team, case, items=items(county, "retrofit"))
    step_order.do(county.team, case)
    move(county.contractor, case, "building")
    step_photos.do(county.team, case, "after", (1,))
    move(county.contractor, case, "built")
    assert step_inspection.do(county.team, case, signature=signed, expect=422, code="signature_used")["field"] == "/signature"
    step_inspection.do(county.team, case)
    accept(county, case)


# --- the design ---


def test_an_inspection_says_what_was_designed_when_it_was_made(county):
    case = built(county, "retrofit", "retrofit")
    found = step_inspection.do(county.team, case, faults={1: "太短"})
    change(county, case, {"op": "change", "number": 1, "quantity": 3}, expect=409, code="change_not_now")
    move(county.assessor, case, "rework")
    change(county, case, {"op": "change", "number": 1, "quantity": 3}, expect=409, code="change_not_now")
    move(county.contractor, case, "building")
    change(county, case, {"op": "change", "number": 1, "quantity": 3}, {"op": "remove", "number": 2},
           {"op": "add", "room": "kitchen", "measure": "seam_retrofit", "quantity": 1, "price": 5000})
    # What was at fault is photographed anew, and what is new.
    lacking = move(county.contractor, case, "built", expect=422, code="after_photo_missing")["reasons"]
    assert lacking == ["3 厨房 扶手"]
    step_photos.do(county.team, case, "after", (3,))
    assert move(county.contractor, case, "built", expect=422, code="after_photo_missing")["reasons"] == ["1 卫生间 扶手"]
    step_photos.do(county.team, case, "after", (1,))
    move(county.contractor, case, "built")
    entries = [{"item": number, "measured": 1} for number in (1, 2, 3)]
    body = {"inspected_at": step_inspection.now(), "result": "pass", "satisfaction": 5}
    refused = county.assessor.post(f"/cases/{case}/inspections", {**body, "items": entries}, expect=422, code="item_unknown")
    assert refused["field"] == "/items/1/item"
    refused = county.assessor.post(f"/cases/{case}/inspections", {**body, "items": entries[:1]}, expect=422, code="items_not_measured")
    assert refused["reasons"] == ["3 厨房 扶手"]
    step_inspection.do(county.team, case)
    first, second = county.manager.get(f"/cases/{case}/inspections").items
    assert {**first, "warnings": found["warnings"]} == found.json and [(item["item"], item["quantity"]) for item in first["items"]] == [(1, 2), (2, 2)]
    assert [(item["item"], item["quantity"], item["measured"]) for item in second["items"]] == [(1, 3, 3), (3, 1, 1)]
    accept(county, case)


def test_when_a_change_order_leaves_only_devices_nothing_is_accepted(county):
    case = building(county, "retrofit", "device")
    change(county, case, {"op": "remove", "number": 1})
    assert county.county.get(f"/cases/{case}/design")["warnings"] == ["devices_only"]
    step_photos.do(county.team, case, "after", (2,))
    move(county.contractor, case, "built")
    step_inspection.do(county.team, case)
    assert accept(county, case, expect=422, code="devices_only")["reasons"] == ["2 轮椅"]


# --- the contractor ---


def test_another_contractor_takes_over_a_rework_with_its_faults(county):
    case, other_firm = built(county), f"{county.team.firm}-other"
    other = county.people.contractor(other_firm)
    found = step_inspection.do(county.team, case, faults={1: "松了"}, days=10)
    county.county.patch(f"/cases/{case}", {"contractor": other_firm}, expect=422, code="order_given")
    county.county.post(f"/cases/{case}/reassignment", {"contractor": other_firm, "reason": "不来了"}, expect=422, code="not_with_contractor")
    move(county.assessor, case, "rework")
    county.county.post(f"/cases/{case}/reassignment", {"contractor": other_firm, "reason": "不来了"})
    assert county.contractor.get(f"/cases/{case}/inspections").items == []
    (seen,) = other.get(f"/cases/{case}/inspections").items
    assert (seen["deadline"], seen["items"][0]["fault"]) == (found["deadline"], "松了")
    other.post(f"/cases/{case}/order/accept", {"note": ""})
    move(other, case, "building")
    step_photos.do(county.team, case, "after", (1,), by=other)
    move(other, case, "built")
    accept(county, case, expect=422, code="inspection_missing")
    step_inspection.do(county.team, case)
    accept(county, case)


# --- money ---


def test_an_acceptance_makes_payable_what_its_revocation_takes_back(county):
    source = step_design.source(county.manager, county.plan)
    case = built(county, sources=[{"source": source, "amount": 20000}])

    def payable():
        return [(row["payable"], row["open"]) for row in county.manager.pages(f"/plans/{county.plan}/ledger", by="case", limit=200)
                if row["code"] == str(case)]
    before = county.manager.progress(county.plan)["accepted"]
    step_inspection.do(county.team, case)
    owed = payable()
    accept(county, case)
    full = payable()
    assert full != owed and county.manager.progress(county.plan)["accepted"] == before + 1
    move(county.manager, case, "built")
    assert payable() == owed and county.manager.progress(county.plan)["accepted"] == before
    county.manager.post(f"/cases/{case}/take-back", {})
    assert payable() == full and county.manager.progress(county.plan)["accepted"] == before + 1
