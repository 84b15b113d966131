# SPDX-License-Identifier: Apache-2.0
"""No building without a photo of every item before, no `built` without one after; what an inspection faulted is photographed anew."""
import needs
import pictures
import pytest
import step_photos
import step_survey
from acceptance_help import BUILT, Acceptance
from harness import People
from processes import wait_until
from step_inspection import day_after, now
from stages import DAYS, NOTE, bring_in, bring_in_rows, move, walk

THREE = (("retrofit", "坡道", 2), ("retrofit", "扶手", 1), ("device", "轮椅", 1))


@pytest.fixture(scope="module")
def office(database, admin_session):
    people = People(admin_session)
    yield Acceptance(database, people, "before_photos", "after_photos", "inspection")
    for client in people.made:
        client.close()


def assigned(office, *items):
    (case,) = bring_in_rows(office.manager, [needs.row()], office.plan).values()
    walk(office.manager, case, "assigned", contractor=office.team.firm)
    office.team.give_visit(case)
    for number, (kind, name, quantity) in enumerate(items, 1):
        office.item(case, number, kind, name, quantity)
    return case


def begin(office, case, **expected):
    return move(office.contractor, case, "building", DAYS["building"], **expected)


def finish(office, case, **expected):
    return move(office.contractor, case, "built", BUILT, **expected)


def before(office, case, *items, **options):
    return step_photos.do(office.team, case, "before", items, **options)


def after(office, case, *items, **options):
    return step_photos.do(office.team, case, "after", items, **options)


@pytest.fixture
def building(office):
    case = assigned(office, *THREE)
    before(office, case, 1, 2, 3)
    begin(office, case)
    return case


def test_no_building_without_a_photo_of_every_item_before(office):
    case = assigned(office, *THREE)
    assert begin(office, case, expect=422, code="before_photo_missing")["reasons"] == ["1 卫生间 坡道", "2 卫生间 扶手", "3 卫生间 轮椅"]
    before(office, case, 1, 3)
    before(office, case, None)
    assert begin(office, case, expect=422, code="before_photo_missing")["reasons"] == ["2 卫生间 扶手"]
    before(office, case, 2)
    assert begin(office, case)["stage"] == "building"


def test_a_photo_of_the_finding_shows_the_item_that_answers_it(office):
    (case,) = bring_in_rows(office.manager, [needs.row()], office.plan).values()
    walk(office.manager, case, "approved")
    step_survey.do(office.team, case) # of the findings 1 and 2
    move(office.manager, case, "designed", DAYS["designed"])
    move(office.manager, case, "assigned", DAYS["assigned"], contractor=office.team.firm)
    for number in (1, 2, 3):
        office.item(case, number)
    office.database.sql("UPDATE case_item SET finding = number WHERE case_id = %s AND number < 3", case)
    assert begin(office, case, expect=422, code="before_photo_missing")["reasons"] == ["3 卫生间 扶手"]
    before(office, case, 3)
    begin(office, case)


def test_a_removed_photo_and_one_of_another_slot_show_nothing(office):
    case = assigned(office, THREE[0])
    (photo,) = before(office, case, 1)
    office.county.delete(f"/cases/{case}/photos/{photo}", query={"note": "模糊"})
    begin(office, case, expect=422, code="before_photo_missing")
    before(office, case, 1)
    begin(office, case)
    step_photos.send(office.contractor, case, "during", item=1)
    finish(office, case, expect=422, code="after_photo_missing")


def test_without_items_there_is_nothing_to_build(office):
    case = assigned(office)
    assert begin(office, case, expect=422, code="items_missing")["reasons"] == []
    office.item(case, 1)
    before(office, case, 1)
    begin(office, case)
    office.remove_item(case, 1)
    finish(office, case, expect=422, code="items_missing")


def test_not_built_without_a_photo_of_every_item_after(office, building):
    after(office, building, 2)
    assert finish(office, building, expect=422, code="after_photo_missing")["reasons"] == ["1 卫生间 坡道", "3 卫生间 轮椅"]
    office.remove_item(building, 3)
    after(office, building, 1)
    finish(office, building)


def test_what_was_faulted_is_photographed_anew(office, building):
    after(office, building, 1, 2, 3)
    finish(office, building)
    office.inspect(building, (1, 2), (2, 1, "松动"), (3, 1, "缺刹车"), expect=201)
    move(office.assessor, building, "rework")
    move(office.contractor, building, "building")
    refused = move(office.contractor, building, "built", expect=422, code="after_photo_missing")
    assert refused["reasons"] == ["2 卫生间 扶手", "3 卫生间 轮椅"]
    after(office, building, 2, 3)
    move(office.contractor, building, "built")
    # A second inspection is about what it says itself.
    office.inspect(building, (1, 2, "太陡"), (2, 1), (3, 1), inspected_at=now(), deadline=day_after(now(), 9), expect=201)
    move(office.assessor, building, "rework")
    move(office.contractor, building, "building")
    assert move(office.contractor, building, "built", expect=422, code="after_photo_missing")["reasons"] == ["1 卫生间 坡道"]
    office.remove_item(building, 1)
    move(office.contractor, building, "built")


def test_an_item_added_in_rework_wants_both_photos(office, building):
    after(office, building, 1, 2, 3)
    finish(office, building)
    office.inspect(building, (1, 2, "短了"), (2, 1), (3, 1), expect=201)
    move(office.assessor, building, "rework")
    office.item(building, 4, name="防滑垫")
    assert move(office.contractor, building, "building", expect=422, code="before_photo_missing")["reasons"] == ["4 卫生间 防滑垫"]
    before(office, building, 4)
    move(office.contractor, building, "building")
    after(office, building, 1)
    assert move(office.contractor, building, "built", expect=422, code="after_photo_missing")["reasons"] == ["4 卫生间 防滑垫"]
    after(office, building, 4)
    move(office.contractor, building, "built")


def test_going_on_after_a_suspension_asks_for_nothing(office, building):
    office.county.post(f"/cases/{building}/transitions", {"to": "suspended", "note": NOTE})
    office.item(building, 4)
    move(office.county, building, "building")
    after(office, building, 1, 2, 3)
    assert move(office.contractor, building, "built", expect=422, code="after_photo_missing")["reasons"] == ["4 卫生间 扶手"]


def test_gates_that_are_open_ask_for_nothing(office):
    """The shared plans of the tests."""
    (case,) = bring_in(office.manager)
    walk(office.manager, case, "built", contractor=office.team.firm)


def test_a_flagged_photo_is_marked_for_who_judges(office, building):
    """By the real path: the same picture in two files, under two households."""
    other = assigned(office, *THREE)
    picture = pictures.png(64, 48, seed="copied")
    (mine,) = after(office, building, 1, data=picture)
    (theirs,) = before(office, other, 1, data=pictures.png(96, 72, seed="copied"))

    def flagged(client, case):
        return {photo["id"] for photo in client.get(f"/cases/{case}/photos").items if photo["flagged"]}
    wait_until(lambda: flagged(office.county, building) == {mine}, 20, "the flag")
    assert flagged(office.assessor, other) == {theirs} and flagged(office.manager, other) == {theirs}
    assert flagged(office.contractor, building) == set(), "who is suspected is not told"
    flag = [flag for flag in office.county.pages("/photo-flags", state="open") if flag["one"]["photo"] in (mine, theirs)][0]
    assert {flag["one"]["photo"], flag["other"]["photo"]} == {mine, theirs} and flag["distance"] <= 6 and not flag["same_bytes"]
    after(office, building, 2, 3)
    finish(office, building) # it warns, it does not stand in the way
    assert office.inspect(building, (1, 2), (2, 1), (3, 1), expect=201)["warnings"] == ["photo_flagged"]
    office.county.delete(f"/cases/{building}/photos/{mine}", query={"note": "照片是另一户的"})
    assert flagged(office.county, building) == flagged(office.county, other) == set()
    assert office.inspect(building, (1, 2), (2, 1), (3, 1), signature=None, expect=201)["warnings"] == []
