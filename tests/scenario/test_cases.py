# SPDX-License-Identifier: Apache-2.0
"""The life of a case over HTTP: every move that the rules allow, every one that they do not, lists and history."""
import datetime
import itertools

import needs
import pytest
from conftest import People
from stages import DAYS, MAIN, STAGES, bring_in, bring_in_rows, case_of, move, walk


@pytest.fixture(scope="module")
def staff(server, admin_session):
    people = People(admin_session)
    yield {"manager": people.manager("640324"), "county": people.county("640324"), "assessor": people.assessor("640324"),
           "contractor": people.contractor("firm-cases"), "other_manager": people.manager("640324"),
           "auditor": people.auditor("640324"), "qinghai": people.manager("630000")}
    for client in people.made:
        client.close()


@pytest.fixture
def manager(staff):
    return staff["manager"]


@pytest.fixture(scope="module")
def rules(staff):
    found = staff["manager"].get("/transition-rules").items
    assert {stage for rule in found for stage in (rule["from"], rule["to"])} == set(STAGES)
    return {(rule["from"], rule["to"]): rule for rule in found}


@pytest.fixture(scope="module")
def in_stage(staff):
    """{stage: a case in it}, seen by contractor and assessor too."""
    cases = dict(zip(STAGES, bring_in(staff["manager"], len(STAGES))))
    for stage, case in cases.items():
        staff["manager"].patch(f"/cases/{case}", {"assessor": staff["assessor"].user, "contractor": "firm-cases"})
        walk(staff["manager"], case, stage)
    return cases


def may_go(rules, case, role):
    return sorted((rule["to"] for rule in rules.values() if rule["from"] == case["stage"] and role in rule["roles"] and
                   (rule["kind"] != "resume" or rule["to"] == case["resume_stage"])), key=STAGES.index)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_goes_where_its_rules_say_and_nowhere_else(staff, rules, in_stage, stage):
    manager, case = staff["manager"], in_stage[stage]
    for to in STAGES:
        before = manager.get(f"/cases/{case}").json
        allowed = may_go(rules, before, "manager")
        if to not in allowed:
            refused = move(manager, case, to, expect=422, code="stage_not_allowed")
            assert refused["allowed"] == allowed and refused["field"] == "/to"
            assert manager.get(f"/cases/{case}").json == before
            continue
        after = move(manager, case, to)
        assert after["stage"] == to and after["version"] == before["version"] + 1
        assert (after["accepted_on"] is not None) == (to in ("accepted", "closed"))
        assert after["resume_stage"] == (stage if to == "suspended" else None)
        # And back again, by who did it: everything as before but the version and what was said.
        back = manager.post(f"/cases/{case}/take-back", {"note": "back"})
        for name in ("version", "stage_note", "exception_note", "merged_into"):
            before.pop(name)
        assert {name: back[name] for name in before} == before


@pytest.mark.parametrize("role", ["contractor", "assessor", "county"])
def test_a_role_moves_what_its_rules_say(staff, rules, in_stage, role):
    client = staff[role]
    for (stage, to), rule in rules.items():
        case = in_stage[stage]
        now = client.get(f"/cases/{case}").json
        if rule["kind"] == "resume" and to != now["resume_stage"]:
            continue
        if role in rule["roles"]:
            assert move(client, case, to)["stage"] == to
            client.post(f"/cases/{case}/take-back", {})
        else:
            refused = move(client, case, to, expect=403, code="role_not_allowed")
            assert refused["allowed"] == may_go(rules, now, role)
            assert client.get(f"/cases/{case}")["version"] == now["version"]


@pytest.mark.parametrize("stage", [stage for stage in MAIN[:7]] + ["rework"])
def test_a_suspended_case_returns_to_where_it_was_only(manager, stage):
    (case,) = bring_in(manager)
    walk(manager, case, stage)
    assert move(manager, case, "suspended")["resume_stage"] == stage
    for to in STAGES:
        if to not in (stage, "withdrawn", "suspended"):
            assert move(manager, case, to, expect=422, code="stage_not_allowed")["allowed"] == \
                sorted([stage, "withdrawn"], key=STAGES.index)
    move(manager, case, "withdrawn")
    assert manager.post(f"/cases/{case}/take-back", {})["resume_stage"] == stage
    assert move(manager, case, stage)["resume_stage"] is None


def test_a_reason_is_asked_where_the_rules_say(staff, rules, in_stage):
    for (stage, to), rule in rules.items():
        case = in_stage[stage]
        if rule["kind"] == "resume":
            continue
        before = staff["manager"].get(f"/cases/{case}")["version"]
        for body in ({"to": to}, {"to": to, "note": ""}, {"to": to, "note": "  "}, {"to": to, "note": None}):
            if rule["needs_note"]:
                refused = staff["manager"].post(f"/cases/{case}/transitions", body, expect=422, code="note_required")
                assert refused["field"] == "/note"
        if rule["needs_note"]:
            assert staff["manager"].get(f"/cases/{case}")["version"] == before


def test_who_may_not_move_cases_at_all(staff, admin, in_stage):
    for client in (staff["auditor"], admin):
        move(client, in_stage["registered"], "approved", expect=403, code="role_not_allowed")
        client.post(f"/cases/{in_stage['registered']}/take-back", {}, expect=403)


def test_the_way_of_a_good_case(manager):
    (case,) = bring_in(manager)
    for number, (stage, when) in enumerate(DAYS.items(), 2):
        answer = move(manager, case, stage, when)
        assert (answer["stage"], answer["version"], answer["stage_at"]) == (stage, number, when)
    assert answer["accepted_on"] == "2023-06-01"


def test_rework_leads_back_through_building(manager):
    (case,) = bring_in(manager)
    walk(manager, case, "rework")
    for to in ("building", "built", "accepted"):
        move(manager, case, to)
    assert manager.get(f"/cases/{case}")["stage"] == "accepted"


@pytest.mark.parametrize("stage", ["accepted", "closed"])
def test_a_revocation_is_a_managers_and_takes_the_date_away(staff, stage):
    manager = staff["manager"]
    (case,) = bring_in(manager)
    walk(manager, case, stage)
    move(staff["county"], case, "built", expect=403, code="role_not_allowed")
    answer = move(manager, case, "built", note="返工")
    assert (answer["stage"], answer["accepted_on"], answer["stage_note"]) == ("built", None, "返工")
    assert manager.get(f"/cases/{case}/events").items[-1]["kind"] == "revoke"


def test_a_declined_order_goes_back_with_a_reason(staff):
    manager, contractor = staff["manager"], staff["contractor"]
    (case,) = bring_in(manager)
    walk(manager, case, "assigned", contractor="firm-cases")
    contractor.post(f"/cases/{case}/transitions", {"to": "designed"}, expect=422, code="note_required")
    assert move(contractor, case, "designed", note="人手不足")["stage"] == "designed"


def test_a_contractor_is_named_with_the_order_only(manager, staff):
    (case,) = bring_in(manager)
    refused = move(manager, case, "approved", contractor="firm-cases", expect=422, code="contractor_not_wanted")
    assert refused["field"] == "/contractor"
    walk(manager, case, "designed")
    assert move(manager, case, "assigned", contractor="nobody", expect=422, code="contractor_unknown")["field"] == "/contractor"
    assert move(manager, case, "assigned", contractor="firm-cases")["contractor"] == "firm-cases"


def test_contractor_and_assessor_are_changed_by_who_runs_cases(staff):
    manager = staff["manager"]
    (case,) = bring_in(manager)
    manager.patch(f"/cases/{case}", {"contractor": "nobody"}, expect=422, code="contractor_unknown")
    manager.patch(f"/cases/{case}", {"assessor": "nobody"}, expect=422, code="assessor_unknown")
    changed = manager.patch(f"/cases/{case}", {"contractor": "firm-cases", "assessor": staff["assessor"].user}, match='"1"')
    assert changed["contractor"] == "firm-cases" and changed["version"] == 2
    assert manager.patch(f"/cases/{case}", {"contractor": "firm-cases"}, match='"1"', expect=412)["current"]["version"] == 2
    for role in ("assessor", "contractor", "auditor"):
        staff[role].patch(f"/cases/{case}", {"contractor": "firm-cases"}, expect=403)
    manager.patch("/cases/1", {"contractor": "firm-cases"}, expect=404)


# --- taking back ---


def test_only_the_actor_takes_back_and_only_until_the_next_acts(staff):
    manager, other = staff["manager"], staff["other_manager"]
    (case,) = bring_in(manager)
    manager.post(f"/cases/{case}/take-back", {}, expect=422, code="nothing_to_take_back")
    walk(manager, case, "surveyed")
    other.post(f"/cases/{case}/take-back", {}, expect=403, code="not_your_action")
    manager.post(f"/cases/{case}/take-back", {}, match='"1"', expect=412, code="stale")
    assert manager.post(f"/cases/{case}/take-back", {"note": "误操作"}, match='"3"')["stage"] == "approved"
    # Once: what is taken back is not a step that could be taken back.
    manager.post(f"/cases/{case}/take-back", {}, expect=422, code="nothing_to_take_back")
    move(manager, case, "surveyed")
    move(other, case, "designed")
    manager.post(f"/cases/{case}/take-back", {}, expect=403, code="not_your_action")
    event = manager.get(f"/cases/{case}/events").items[3]
    assert (event["kind"], event["from"], event["to"], event["note"]) == ("take_back", "surveyed", "approved", "误操作")


def test_taking_an_acceptance_back_takes_its_day_back(manager):
    (case,) = bring_in(manager)
    walk(manager, case, "built")
    day = "2023-06-01"
    before = manager.progress("tongxin", as_of=day)["accepted"]
    move(manager, case, "accepted", DAYS["accepted"])
    assert manager.progress("tongxin", as_of=day)["accepted"] == before + 1
    back = manager.post(f"/cases/{case}/take-back", {})
    assert back["stage"] == "built" and back["accepted_on"] is None and back["stage_at"] == DAYS["built"]
    assert manager.progress("tongxin", as_of=day)["accepted"] == before


def test_taking_a_revocation_back_counts_on_the_first_day_again(manager):
    (case,) = bring_in(manager)
    walk(manager, case, "closed")
    move(manager, case, "built")
    assert manager.post(f"/cases/{case}/take-back", {})["accepted_on"] == "2023-06-01"


# --- time ---


def test_what_happened_cannot_lie_ahead_or_before_the_step_before(manager):
    (case,) = bring_in(manager)
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for when in (soon, "2999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"):
        assert move(manager, case, "approved", when, expect=422, code="happened_in_future")["field"] == "/happened_at"
    walk(manager, case, "approved")
    assert move(manager, case, "surveyed", "2023-02-28T02:00:00Z", expect=422,
                code="happened_before_last")["field"] == "/happened_at"
    # The same day, an hour earlier: people do not note hours.
    move(manager, case, "surveyed", "2023-03-01T01:00:00Z")


@pytest.mark.parametrize("when, day", [("2023-06-30T15:59:59Z", "2023-06-30"), ("2023-06-30T16:00:00Z", "2023-07-01"),
                                       ("2023-07-01T00:00:00+08:00", "2023-07-01"), ("2024-02-29t12:00:00.123456z", "2024-02-29")])
def test_the_day_of_acceptance_is_the_day_in_china(manager, when, day):
    (case,) = bring_in(manager)
    walk(manager, case, "built")
    assert move(manager, case, "accepted", when)["accepted_on"] == day


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+15:00", "0001-01-01T00:00:00Z", "1900-01-01T00:00:00Z"])
def test_a_day_long_before_the_plan_is_refused(manager, when):
    (case,) = bring_in(manager)
    assert move(manager, case, "approved", when, expect=422)["field"] == "/happened_at"


def test_the_public_notice_must_be_over(people, admin):
    manager = people.manager("222400")
    plan = manager.get("/plans/yanbian")
    manager.patch("/plans/yanbian", {"notice_days": 7}, match=plan.etag)
    try:
        (case,) = bring_in(manager, plan="yanbian")
        move(manager, case, "approved", DAYS["approved"])
        refused = move(manager, case, "surveyed", "2023-03-07T15:59:00Z", expect=422, code="notice_not_over")
        assert refused["field"] == "/happened_at"
        move(manager, case, "surveyed", "2023-03-08T00:00:00Z")
    finally:
        manager.patch("/plans/yanbian", {"notice_days": 0})


# --- eligibility ---


def test_not_eligible_says_why_and_a_manager_may_except(staff):
    manager, county = staff["manager"], staff["county"]
    (case,) = bring_in(manager, 1, **{"残疾等级": "三级", "经济状况": "一般"})
    read = manager.get(f"/cases/{case}")
    assert read["eligible"] is False
    assert read["eligibility_reasons"] == ["retrofit_need", "no_severe_member", "no_hardship"]
    refused = county.post(f"/cases/{case}/transitions", {"to": "approved", "note": "求情"}, expect=422, code="not_eligible")
    assert refused["reasons"] == read["eligibility_reasons"]
    manager.post(f"/cases/{case}/transitions", {"to": "approved"}, expect=422, code="not_eligible")
    manager.post(f"/cases/{case}/transitions", {"to": "approved", "note": "  "}, expect=422, code="not_eligible")
    assert move(manager, case, "approved", note="县残联会议决定")["exception_note"] == "县残联会议决定"
    # The exception stays on record.
    assert move(manager, case, "surveyed")["exception_note"] == "县残联会议决定"


@pytest.mark.parametrize("plan, level, hardship, eligible", [
    ("tongxin", "二级", "特困", True), ("tongxin", "三级", "低保", False), ("tongxin", "一级", "一般", False),
    ("tongxin", "一级", "防返贫监测", True), ("yanbian", "四级", "低保边缘", True), ("yanbian", "一级", "一般", False),
    ("daqing", "四级", "一般", True), ("linxia", "一级", "低保", True), ("linxia", "一级", "", False),
    ("qinghai", "二级", "低保边缘", True), ("qinghai", "四级", "低保边缘", False)])
def test_eligibility_by_the_plans_rule(people, plan, level, hardship, eligible):
    manager = people.manager(needs.PLACES[plan][:6] if plan == "tongxin" else
                             {"qinghai": "630000", "linxia": "622900", "daqing": "230600", "yanbian": "222400"}[plan])
    (case,) = bring_in(manager, 1, plan, **{"残疾等级": level, "经济状况": hardship})
    assert manager.get(f"/cases/{case}")["eligible"] is eligible


def test_a_case_without_eligibility_can_be_rejected_and_opened_again(manager):
    (case,) = bring_in(manager, 1, **{"残疾等级": "四级"})
    move(manager, case, "rejected", note="不符合条件")
    assert move(manager, case, "registered", note="重新申请")["stage"] == "registered"


# --- one state, many hands ---


def test_a_lost_race_is_told_with_the_current_state(manager):
    (case,) = bring_in(manager)
    etag = manager.get(f"/cases/{case}").etag
    assert etag == '"1"'
    first = move(manager, case, "approved", match=etag)
    assert first.etag == '"2"'
    lost = move(manager, case, "rejected", match=etag, expect=412, code="stale")
    now = manager.get(f"/cases/{case}").json
    assert lost["current"] == first.json and now == {**first.json, "merged_into": None}
    assert move(manager, case, "surveyed", match="*")["version"] == 3


def test_a_case_not_changed_is_not_sent_again(manager):
    (case,) = bring_in(manager)
    etag = manager.get(f"/cases/{case}").etag
    same = manager.request("GET", f"/cases/{case}", headers={"If-None-Match": etag}, expect=304)
    assert same.body == b"" and same.etag == etag
    assert manager.get(f"/cases/{case}", headers={"If-None-Match": '"99"'}).status == 200
    move(manager, case, "approved")
    assert manager.get(f"/cases/{case}", headers={"If-None-Match": etag})["version"] == 2


def test_any_of_several_tags_will_do(manager):
    """RFC 9110, 13.1.2: a list, weak comparison, and *."""
    (case,) = bring_in(manager)
    for given in ('"7", "1"', 'W/"1"', "*"):
        manager.request("GET", f"/cases/{case}", headers={"If-None-Match": given}, expect=304)


# --- the household moves ---


def test_a_household_that_moves_takes_its_figures_along(staff):
    manager = staff["qinghai"]
    (case,) = bring_in(manager, 1, "qinghai", **{"区划代码": "630106101"})
    walk(manager, case, "accepted")

    def figures():
        return [(manager.progress("qinghai", region=code)["accepted"], manager.progress("qinghai", region=code)["by_stage"]["accepted"])
                for code in ("630106", "630106101", "630106102", "630105", "630105001", "630100", "630000")]

    def plus(before, *changes):
        return [(count + change, staged + change) for (count, staged), change in zip(before, changes)]

    start = figures()
    body = {"region": "630106102", "village": "新村", "address": "新址1号"}
    moved = manager.post(f"/cases/{case}/relocation", body)
    assert (moved["region"], moved["village"], moved["accepted_on"]) == ("630106102", "新村", "2023-06-01")
    assert figures() == plus(start, 0, -1, 1, 0, 0, 0, 0)
    manager.post(f"/cases/{case}/relocation", {**body, "region": "630105001"}, match='"9"')
    assert figures() == plus(start, -1, -1, 0, 1, 1, 0, 0)
    event = manager.get(f"/cases/{case}/events").items[-1]
    assert (event["kind"], event["region_from"], event["region"]) == ("relocate", "630106102", "630105001")
    # What is revoked afterwards is taken back where it is now.
    move(manager, case, "built")
    assert figures() == plus(start, -1, -1, 0, 0, 0, -1, -1)
    assert manager.get(f"/cases/{case}/persons").items[0]["address"] == "新址1号"


def test_where_a_household_cannot_move_to(staff):
    manager = staff["qinghai"]
    (case,) = bring_in(manager, 1, "qinghai", **{"区划代码": "630106101"})
    body = {"village": "v", "address": "a"}
    for region, status, code in (("630000", 422, "region_not_within"), ("630100", 422, "region_not_within"),
                                 ("640324101", 422, "region_not_within"), ("999999", 422, "region_unknown")):
        refused = manager.post(f"/cases/{case}/relocation", {**body, "region": region}, expect=status, code=code)
        assert refused["field"] == "/region"
    manager.post(f"/cases/{case}/relocation", {**body, "region": "630106102"}, match='"9"', expect=412, code="stale")
    # By an old code of 湟中, and into the county itself.
    assert manager.post(f"/cases/{case}/relocation", {**body, "region": "630122"})["region"] == "630106"
    assert manager.get(f"/cases/{case}")["version"] == 2


def test_two_households_do_not_become_one(manager):
    first, second = bring_in(manager, 2)
    manager.post(f"/cases/{first}/relocation", {"region": "640324202", "village": "v", "address": "a"})
    assert manager.get(f"/cases/{second}")["region"] == "640324101"


# --- lists ---


@pytest.fixture(scope="module")
def village(staff):
    """Seven cases of one village in stages of their own, two townships; (their ids, the village's name)."""
    manager, name = staff["manager"], "列表村"
    rows = [needs.row("tongxin", **{"村(社区)": name, "区划代码": "640324101" if number < 4 else "640324202"}) for number in range(7)]
    cases = list(bring_in_rows(manager, rows).values())
    for case, stage in zip(cases, ("registered", "registered", "approved", "assigned", "accepted", "closed", "withdrawn")):
        walk(manager, case, stage, contractor="firm-cases")
    return cases, name, rows


def listed(client, **query):
    return [case["id"] for case in client.pages("/cases", **query)]


def test_a_list_by_text(manager, village):
    cases, name, rows = village
    assert listed(manager, q=name) == sorted(cases)
    assert listed(manager, q=name[:2], plan="tongxin") == sorted(cases)
    assert listed(manager, q=name, plan="yanbian") == []
    assert listed(manager, q=rows[2]["户编号"]) == [cases[2]]
    assert cases[3] in listed(manager, q=rows[3]["姓名"])
    assert listed(manager, q=rows[4]["详细地址"]) == [cases[4]]
    assert listed(manager, q=rows[4]["姓名"][0] + "没有") == []
    for wildcard in ("%", "_", "列%村", "\\", "'"):
        assert not set(listed(manager, q=wildcard)) & set(cases), wildcard


def test_a_list_by_stage_region_and_contractor(manager, village):
    cases, name, _ = village
    mine = set(cases)

    def of_village(**query):
        return [cases.index(case) for case in listed(manager, **query) if case in mine]

    assert of_village(plan="tongxin") == of_village(q=name) == list(range(7)) == of_village()
    assert of_village(plan="tongxin", stage="registered") == of_village(q=name, stage="registered") == [0, 1]
    assert of_village(plan="tongxin", region="640324202") == of_village(q=name, region="640324202") == [4, 5, 6]
    assert of_village(plan="tongxin", stage="closed", region="640324202") == [5]
    assert of_village(plan="tongxin", stage="closed", region="640324101") == []
    assert of_village(plan="tongxin", contractor="firm-cases") == of_village(contractor="firm-cases") == [3, 4, 5]
    assert of_village(plan="tongxin", contractor="firm-cases", stage="accepted") == [4]
    assert of_village(plan="tongxin", contractor="nobody") == [] == of_village(plan="tongxin", region="110000")
    assert of_village(plan="nothing") == []
    assert of_village(plan="tongxin", counted="true") == [4, 5]
    assert of_village(plan="tongxin", counted="true", stage="closed") == [5]
    assert of_village(plan="tongxin", counted="true", accepted_from="2023-06-01", accepted_to="2023-06-01") == [4, 5]
    assert of_village(plan="tongxin", counted="true", accepted_from="2023-06-02") == []
    assert of_village(plan="tongxin", counted="true", accepted_to="2023-05-31") == []


@pytest.mark.parametrize("query", [{"counted": "true"}, {"counted": "false", "plan": "tongxin"}, {"accepted_from": "2023-06-02"},
                                   {"plan": "tongxin", "accepted_from": "2023-06-02"},
                                   {"plan": "tongxin", "stage": "registered", "counted": "true"},
                                   {"q": "列表村", "counted": "true"}, {"q": "列表村", "accepted_from": "2030-01-01"}])
def test_no_filter_is_passed_over_in_silence(staff, manager, village, query):
    """Whatever the combination: each filter given holds for every row, or the combination is refused."""
    try:
        answer = manager.get("/cases", query={**query, "limit": 200})
    except AssertionError as refused:
        assert "422" in str(refused)
        return
    for case in answer.items:
        counts = case["accepted_on"] is not None
        if "counted" in query:
            assert counts is (query["counted"] == "true"), (query, case)
        if "accepted_from" in query:
            assert counts and case["accepted_on"] >= query["accepted_from"], (query, case)


def test_an_old_code_of_a_region_finds_the_same_cases(staff):
    manager = staff["qinghai"]
    cases = set(bring_in(manager, 2, "qinghai", **{"区划代码": "630106103"}))
    for old, new in (("630122", "630106"), ("630122103", "630106103")):
        found = listed(manager, plan="qinghai", region=old, limit=200)
        assert cases <= set(found) and found == listed(manager, plan="qinghai", region=new, limit=200)
        assert manager.progress("qinghai", region=old) == manager.progress("qinghai", region=new)


@pytest.mark.parametrize("query", [{"q": "列表村"}, {"plan": "tongxin", "region": "640324202"}, {"stage": "registered"},
                                   {"plan": "tongxin", "stage": "registered"}, {"plan": "tongxin", "counted": "true"}, {}])
@pytest.mark.parametrize("limit", [1, 3, 200])
def test_pages_without_gap_or_repetition(manager, village, query, limit):
    if limit == 1 and "q" not in query:
        pytest.skip("too many pages")
    whole = listed(manager, **query, limit=200)
    assert len(whole) == len(set(whole)) and whole == sorted(whole)
    pages = itertools.islice(manager.pages("/cases", **query, limit=limit), 60)
    assert [case["id"] for case in pages] == whole[:60]


def test_a_page_says_whether_there_is_another(manager, village):
    _, name, _ = village
    assert manager.get("/cases", query={"q": name, "limit": 7}).next is None
    first = manager.get("/cases", query={"q": name, "limit": 6})
    assert len(first.items) == 6 and len(manager.get(first.next).items) == 1
    assert "limit=6" in first.next and "after=" in first.next


def test_pages_stay_whole_while_the_list_changes(manager):
    """What is moved out of a list that is being paged is missing; nothing else is, and nothing comes twice."""
    cases = bring_in(manager, 6, **{"村(社区)": "翻页村"})
    first = manager.get("/cases", query={"q": "翻页村", "stage": "registered", "limit": 3})
    move(manager, cases[0], "approved")
    move(manager, cases[4], "approved")
    rest = list(manager.get(first.next).items)
    assert [case["id"] for case in first.items + rest] == sorted(set(cases) - {cases[4]})


# --- history and people ---


def test_the_history_says_who_when_what_and_why(staff):
    manager, contractor = staff["manager"], staff["contractor"]
    (case,) = bring_in(manager)
    walk(manager, case, "assigned", contractor="firm-cases")
    evidence = {"photos": ["a", "b"], "深": {"x": 1.5, "y": None}}
    move(contractor, case, "building", "2023-05-01T10:00:00+08:00", note="开工")
    move(contractor, case, "built")
    move(manager, case, "accepted", satisfaction=5, evidence=evidence)
    events = manager.get(f"/cases/{case}/events").items
    assert [event["to"] for event in events] == MAIN[:8]
    assert [event["from"] for event in events] == [None, *MAIN[:7]]
    assert [event["id"] for event in events] == list(range(1, 9))
    assert events[0]["kind"] == "open" and {event["kind"] for event in events[1:]} == {"move"}
    started = events[5]
    assert started["account"] == contractor.get("/session")["id"] and started["note"] == "开工"
    assert started["happened_at"] == "2023-05-01T02:00:00Z" and started["recorded_at"] > "2024"
    assert events[-1]["evidence"]["satisfaction"] == 5 and events[-1]["evidence"]["given"]["photos"] == ["a", "b"]
    assert events[-2]["evidence"] is None
    pages = list(manager.pages(f"/cases/{case}/events", limit=3))
    assert pages == events
    assert contractor.get(f"/cases/{case}/events").items == events


def test_people_are_masked_and_their_reading_is_recorded(manager, database):
    rows = needs.household("tongxin", people=3, **{"辅具需求": "轮椅;拐杖"})
    (case,) = bring_in_rows(manager, rows).values()
    records = "SELECT count(*) FROM access_record WHERE subject = %s AND account_id = %s"
    me = manager.get("/session")["id"]
    assert database.sql(records, case, me) == [(0,)]
    people = manager.get(f"/cases/{case}/persons").items
    assert database.sql(records, case, me) == [(1,)]
    assert [person["name"] for person in people] == [row["姓名"] for row in rows]
    for person, row in zip(people, rows):
        citizen = row["残疾人证号"][:18]
        assert person["citizen_id"] == citizen[:6] + "********" + citizen[14:]
        assert row["残疾人证号"] not in str(person) and citizen not in str(person)
        assert person["device_needs"] == ["轮椅", "拐杖"] and person["retrofit_needs"] == ["坡道", "扶手"]
        assert (person["phone"], person["address"], person["hardship"]) == (row["联系电话"], rows[0]["详细地址"], "低保")
    found = manager.post("/persons/find", {"citizen_id": rows[1]["残疾人证号"][:18].lower()}).items
    assert [person["cases"] for person in found] == [[str(case)]]
    assert manager.post("/persons/find", {"citizen_id": needs.citizen_id(999999)}).items == []
    assert list(manager.pages(f"/cases/{case}/persons", limit=1)) == people


def test_lists_show_a_masked_householder(manager):
    rows = [needs.row("tongxin", **{"姓名": name}) for name in ("欧阳修远", "李", "阿迪力·买买提")]
    cases = bring_in_rows(manager, rows)
    shown = [case_of(manager, number)["householder"] for number in cases]
    assert shown == ["欧***", "李*", "阿******"]


def test_totals_agree_after_all_this(manager, database):
    assert "totals agree" in database.run("verify", "totals").stdout
