# SPDX-License-Identifier: Apache-2.0
"""The main job: a household comes in a file, is walked from registered to accepted, and counts in the very next read."""
import needs
import pytest

WALK = [("approved", "2023-03-01T02:00:00Z"), ("surveyed", "2023-04-01T02:00:00Z"),
        ("designed", "2023-04-10T02:00:00Z"), ("assigned", "2023-04-15T02:00:00Z"),
        ("building", "2023-05-01T02:00:00Z"), ("built", "2023-05-20T02:00:00Z"),
        ("accepted", "2023-06-01T02:00:00Z")]


@pytest.fixture
def case(people):
    """(manager, id of the case) of a household that has just come in by a file."""
    manager = people.manager("640324")
    rows = needs.household("tongxin", people=2)
    finished = manager.import_file("tongxin", needs.to_csv(rows))
    assert (finished["accepted"], finished["persons"], finished["households"]) == (2, 2, 1), finished
    return manager, manager.case_of("tongxin", rows[0]["户编号"])["id"]


def walk(manager, case, until="accepted"):
    for stage, when in WALK:
        manager.move(case, stage, when)
        if stage == until:
            return


def test_a_household_walks_to_acceptance_and_counts_at_once(case):
    manager, number = case
    before = manager.progress("tongxin")
    for stage, when in WALK[:-1]:
        manager.move(number, stage, when)
        assert manager.progress("tongxin")["accepted"] == before["accepted"]
    manager.move(number, *WALK[-1])
    after = manager.progress("tongxin")
    assert after["accepted"] == before["accepted"] + 1
    assert after["by_stage"]["accepted"] == before["by_stage"].get("accepted", 0) + 1
    assert manager.get(f"/cases/{number}")["stage"] == "accepted"


def test_it_counts_on_the_day_of_acceptance(case):
    manager, number = case
    before = manager.progress("tongxin", as_of="2023-05-31")["accepted"]
    on_day = manager.progress("tongxin", as_of="2023-06-01")["accepted"]
    walk(manager, number)
    assert manager.progress("tongxin", as_of="2023-05-31")["accepted"] == before
    assert manager.progress("tongxin", as_of="2023-06-01")["accepted"] == on_day + 1


def test_a_revocation_takes_it_back(case):
    manager, number = case
    before = manager.progress("tongxin")["accepted"]
    walk(manager, number)
    manager.move(number, "built", "2023-07-01T02:00:00Z", note="验收后发现扶手松动")
    assert manager.progress("tongxin")["accepted"] == before
    manager.move(number, "accepted", "2023-07-20T02:00:00Z")
    assert manager.progress("tongxin")["accepted"] == before + 1


def test_a_stage_cannot_be_skipped(case):
    manager, number = case
    refused = manager.move(number, "accepted", "2023-06-01T02:00:00Z", expect=422)
    assert refused["code"] == "stage_not_allowed"
    assert manager.get(f"/cases/{number}")["stage"] == "registered"


def test_the_figure_and_its_list_agree(case):
    manager, number = case
    walk(manager, number)
    listed = [item["id"] for item in manager.pages("/cases", plan="tongxin", stage="accepted", limit=100)]
    assert number in listed
    assert len(listed) == len(set(listed)) == manager.progress("tongxin")["by_stage"]["accepted"]
