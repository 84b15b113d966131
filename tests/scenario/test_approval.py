# SPDX-License-Identifier: Apache-2.0
"""Who may be approved and why, by whose exception, and who comes first and why. Each on a plan of its own."""
import itertools

import needs
import pytest
from conftest import People
from processes import wait_until
from stages import bring_in_rows, move
from team import Team

numbers = itertools.count(1)
NOWHERE = 6403240000000000


@pytest.fixture(scope="module")
def team(server, admin_session):
    everybody = People(admin_session)
    yield Team(everybody)
    for client in everybody.made:
        client.close()


def make_plan(team, region="640324", **fields):
    code = f"approval-{next(numbers)}"
    team.admin.post("/plans", {"code": code, "name_zh": "审核", "region": region, "begins_on": "2021-01-01", "ends_on": "2025-12-31",
                               "who_counts": "a", "eligibility": "severe_and_poor", **fields})
    return code


@pytest.fixture
def plan(team):
    return make_plan(team)


def bring(team, plan, *many, county="tongxin"):
    """A case for each dict of columns."""
    return list(bring_in_rows(team.manager, [needs.row(county, **columns) for columns in many], plan).values())


def criteria(team, case):
    answer = team.county.get(f"/cases/{case}/eligibility")
    return answer, {one["code"]: (one["fulfilled"], one["fact"]) for one in answer["criteria"]}


# --- eligibility ---


def test_each_criterion_and_the_fact_behind_it(team, plan):
    fit, unfit = bring(team, plan, {"改造需求": "扶手;坡道"}, {"残疾等级": "三级", "经济状况": "一般"})
    answer, found = criteria(team, fit)
    assert (answer["rule"], answer["eligible"], answer["eligible_now"], answer["exception"]) == ("severe_and_poor", True, True, None)
    assert found == {"retrofit_need": (True, "坡道、扶手"), "severe_member": (True, "一级"), "hardship": (True, "低保"),
                     "second_retrofit": (True, None), "repeat_in_plan": (True, None), "upheld_objection": (True, None)}
    assert all(one[name] for one in answer["criteria"] for name in ("name_zh", "name_ko", "name_en"))
    answer, found = criteria(team, unfit)
    assert not answer["eligible"] and not answer["eligible_now"]
    assert found["severe_member"] == (False, "三级") and found["hardship"] == (False, "一般") and found["retrofit_need"][0]
    team.county.get(f"/cases/{NOWHERE}/eligibility", expect=404)


@pytest.mark.parametrize("rule, asked", [("poor", {"hardship"}), ("any", set())])
def test_a_plan_asks_what_its_rule_says(team, rule, asked):
    plan = make_plan(team, eligibility=rule)
    (case,) = bring(team, plan, {})
    assert criteria(team, case)[1].keys() == asked | {"retrofit_need", "second_retrofit", "repeat_in_plan", "upheld_objection"}


def test_a_home_that_was_done_before(team, plan):
    done, again, elder = bring(team, plan, {}, {}, {})
    team.county.patch(f"/cases/{elder}", {"elder_retrofit": True})
    assert criteria(team, elder)[1]["second_retrofit"] == (False, "居家适老化改造")
    # Only a case that counts can be what was done already, and of the same plan.
    other = bring(team, make_plan(team), {})[0]
    for wrong in (done, again, other, NOWHERE):
        team.county.patch(f"/cases/{again}", {"done_as": wrong}, expect=422, code="done_as_unknown")
    for stage in "approved surveyed designed assigned building built accepted".split():
        move(team.county, done, stage)
    changed = team.county.patch(f"/cases/{again}", {"done_as": done})
    assert not changed["eligible"] and changed["eligibility_reasons"][-1] == "no_repeat_in_plan"
    answer, found = criteria(team, again)
    assert found["repeat_in_plan"] == (False, str(done)) and not answer["eligible_now"]
    move(team.county, again, "approved", expect=422, code="not_eligible")
    # An import of another member judges the case again, and does not forget it.
    row = needs.row("tongxin", changed["household_number"], **{"与户主关系": "父母"})
    bring_in_rows(team.manager, [row], plan)
    assert not team.county.get(f"/cases/{again}")["eligible"]
    assert team.county.patch(f"/cases/{again}", {"done_as": done})["eligibility_reasons"].count("no_repeat_in_plan") == 1
    assert team.county.patch(f"/cases/{again}", {"done_as": 0})["eligible"]
    # After approval it is noted, and judges the case no more.
    move(team.county, again, "approved")
    assert team.county.patch(f"/cases/{again}", {"done_as": done})["eligible"]
    answer, _ = criteria(team, again)
    assert answer["eligible"] and not answer["eligible_now"]


def test_new_facts_judge_a_registered_case_again(team, plan):
    row = needs.row("tongxin", **{"残疾等级": "三级"})
    (case,) = bring_in_rows(team.manager, [row], plan).values()
    assert not team.county.get(f"/cases/{case}")["eligible"]
    bring_in_rows(team.manager, [needs.row("tongxin", row["户编号"], **{"与户主关系": "父母", "残疾等级": "二级"})], plan)
    answer, found = criteria(team, case)
    assert answer["eligible"] and found["severe_member"] == (True, "二级")


# --- exceptions ---


def test_an_exception_is_on_record(team, plan, people):
    poor, fit = bring(team, plan, {"经济状况": "一般"}, {})
    move(team.county, poor, "approved", expect=422, code="not_eligible")
    team.manager.post(f"/cases/{poor}/transitions", {"to": "approved"}, expect=422, code="not_eligible")
    move(team.manager, poor, "approved", note="家中突发变故")
    move(team.manager, fit, "approved", note="不是例外")
    auditor = people.auditor("640324")
    (one,) = auditor.get("/exceptions", query={"plan": plan}).items
    manager = team.manager.get("/session")["id"]
    assert (one["case"], one["note"], one["account"], one["taken_back_at"]) == (poor, "家中突发变故", manager, None)
    assert "no_hardship" in one["reasons"] and one["stage"] == "approved"
    shown = criteria(team, poor)[0]["exception"]
    assert (shown["id"], shown["note"], shown["account"]) == (one["id"], one["note"], manager)
    assert team.county.get(f"/cases/{poor}")["exception_note"] == "家中突发变故"
    assert criteria(team, fit)[0]["exception"] is None and team.county.get(f"/cases/{fit}")["exception_note"] is None
    # Taken back, the record stays and says so; a second one is a record of its own.
    team.manager.post(f"/cases/{poor}/take-back", {"note": "再核"})
    assert auditor.get("/exceptions", query={"plan": plan}).items[0]["taken_back_at"]
    assert criteria(team, poor)[0]["exception"] is None
    move(team.manager, poor, "approved", note="核实")
    listed = list(auditor.pages("/exceptions", plan=plan, limit=1))
    assert [row["note"] for row in listed] == ["家中突发变故", "核实"] and listed[1]["taken_back_at"] is None
    assert {row["id"] for row in listed} <= {row["id"] for row in auditor.pages("/exceptions", limit=200)}
    assert people.auditor("230602").get("/exceptions", query={"plan": plan}).items == []
    team.assessor.get("/exceptions", expect=403, code="role_not_allowed")


# --- priority ---


def put_rule(team, plan, *parts, **options):
    items = [dict(zip(("code", "points", "most"), part)) for part in parts]
    return team.manager.put(f"/plans/{plan}/priority", {"items": items}, **options)


def settled(team, plan):
    return wait_until(lambda: (rule := team.manager.get(f"/plans/{plan}/priority").json)["settled"] and rule, 60, "scores of the new rule")


def listed(team, plan, stage="registered", **query):
    return list(team.manager.pages(f"/plans/{plan}/waiting-list", stage=stage, **query))


def order(team, plan, stage="registered", **query):
    return [row["id"] for row in listed(team, plan, stage, **query)]


def check_scores(database, plan):
    """What is stored is what the facts and the rule make of it."""
    assert database.sql("SELECT * FROM priority_differences(%s)", plan) == []


@pytest.mark.parametrize("plan, first, then, part", [
    ("daqing", {}, {"经济状况": "一般", "家庭特征": "一户多残;老残一体"}, "severe_poor"),
    ("daqing", {"残疾等级": "三级", "家庭特征": "一户多残"}, {"残疾等级": "三级"}, "several_disabled"),
    ("daqing", {"残疾等级": "三级", "家庭特征": "老残一体"}, {"残疾等级": "三级"}, "elder_disabled"),
    ("yanbian", {"残疾等级": "二级"}, {"残疾等级": "三级", "家庭特征": "老残一体"}, "level_2"),
    ("yanbian", {"残疾类别": "多重", "残疾等级": "三级"}, {"残疾等级": "三级", "家庭特征": "残病一体"}, "multiple"),
    ("yanbian", {"残疾等级": "三级", "家庭特征": "残病一体"}, {"残疾等级": "三级", "家庭特征": "依老养残"}, "ill_disabled"),
    ("qinghai", {}, {"残疾等级": "二级"}, "level_1"), ("linxia", {"经济状况": "特困"}, {}, "hardship_extreme"),
    ("tongxin", {"家庭特征": "依老养残"}, {}, "elder_carer")])
def test_the_five_plans_put_first_whom_their_words_put_first(people, plan, first, then, part):
    team = Team(people, {"qinghai": "630000", "linxia": "622900", "daqing": "230600", "yanbian": "222400", "tongxin": "640324"}[plan])
    before, after = bring(team, plan, first, then, county=plan)
    compared = team.manager.get(f"/cases/{before}/priority", query={"before": after}).json
    assert compared["first"] == before and compared["because"] == "score" and compared["score"] > compared["other_score"]
    one = next(row for row in compared["parts"] if row["code"] == part)
    assert one["points"] > 0 == one["other_points"] and one["other_fact"] is None and one["fact"]
    assert sum(row["points"] for row in compared["parts"]) == compared["score"]
    assert sum(row["difference"] for row in compared["parts"]) == compared["score"] - compared["other_score"]


def test_a_score_is_the_sum_of_named_parts(team, plan):
    first = needs.row("tongxin", **{"残疾类别": "多重", "经济状况": "特困", "家庭特征": "老残一体;残病一体;依老养残"})
    (case,) = bring_in_rows(team.manager, [first, needs.row("tongxin", first["户编号"], **{"残疾等级": "二级", "与户主关系": "父母"})], plan).values()
    answer = team.county.get(f"/cases/{case}/priority")
    parts = {part["code"]: (part["points"], part["fact"]) for part in answer["parts"]}
    assert parts == {"level_1": (200, "一级"), "several_disabled": (60, "2"), "elder_disabled": (40, "老残一体"), "ill_disabled": (40, "残病一体"),
                     "elder_carer": (40, "依老养残"), "multiple": (40, "多重"), "hardship_extreme": (100, "特困"), "more_members": (10, "2"),
                     "waiting": (45, "2022-03-01")}  # 45 months to the end of the plan
    assert answer["score"] == sum(points for points, _ in parts.values()) and answer["registered_on"] == "2022-03-01"
    assert [part["name_zh"] for part in answer["parts"]][:2] == ["有一级残疾人", "一户多残"] and all(part["name_ko"] and part["name_en"] for part in answer["parts"])
    (row,) = listed(team, plan)
    assert row["score"] == answer["score"] and {part["code"]: (part["points"], part["fact"]) for part in row["parts"]} == parts
    team.county.get(f"/cases/{NOWHERE}/priority", expect=404)


def test_the_list_is_in_its_order_page_after_page(team, plan):
    early, late, low, top = bring(team, plan, {"登记日期": "2022-05-02"}, {"登记日期": "2022-05-20"}, {"残疾等级": "三级", "经济状况": "一般"},
                                  {"家庭特征": "老残一体"})
    twin = bring(team, plan, {"登记日期": "2022-05-02"})[0]
    assert order(team, plan) == [top, early, twin, late, low] == order(team, plan, limit=1) == order(team, plan, limit=2)
    assert order(team, plan, region="640324101") == order(team, plan) and order(team, plan, region="640324102") == []
    assert order(team, plan, region="630106") == [] and order(team, plan, "approved") == []
    for one, other, because in ((top, early, "score"), (early, late, "registered_on"), (early, twin, "number")):
        for ask, beside in ((one, other), (other, one)):
            compared = team.county.get(f"/cases/{ask}/priority", query={"before": beside})
            assert (compared["first"], compared["because"]) == (one, because)
    team.manager.get(f"/plans/{plan}/waiting-list", query={"stage": "surveyed"}, expect=422, code="not_allowed")
    team.manager.get(f"/plans/{plan}/waiting-list", expect=422, code="required")
    team.manager.get(f"/plans/{plan}/waiting-list", query={"stage": "registered", "after": "x"}, expect=422, code="cursor_invalid")
    assert order(team, "nothing") == []
    other_plan = bring(team, make_plan(team), {})[0]
    team.county.get(f"/cases/{early}/priority", query={"before": other_plan}, expect=422, code="priority_other_plan")
    team.county.get(f"/cases/{early}/priority", query={"before": NOWHERE}, expect=404)


def test_who_waits_for_what(team, plan, database):
    case, other = bring(team, plan, {}, {})
    both = sorted([case, other])

    def waits():
        check_scores(database, plan)
        return order(team, plan), order(team, plan, "approved")
    assert waits() == (both, [])
    move(team.county, case, "approved", "2023-03-01T02:00:00Z")
    assert waits() == ([other], [case])
    move(team.county, case, "suspended", "2023-03-02T02:00:00Z")
    assert waits() == ([other], [])
    move(team.county, case, "approved", "2023-03-03T02:00:00Z")
    assert waits() == ([other], [case])
    move(team.county, case, "surveyed", "2023-03-04T02:00:00Z")
    assert waits() == ([other], [])
    team.county.post(f"/cases/{case}/take-back", {})
    assert waits() == ([other], [case])
    move(team.county, case, "rejected", "2023-03-05T02:00:00Z")
    assert waits() == ([other], [])
    move(team.county, case, "registered", "2023-03-06T02:00:00Z")
    assert waits() == (both, [])
    move(team.county, case, "suspended", "2023-03-07T02:00:00Z")
    move(team.county, case, "withdrawn", "2023-03-08T02:00:00Z")
    assert waits() == ([other], [])
    team.county.post(f"/cases/{case}/take-back", {})
    assert waits() == ([other], [])
    move(team.county, case, "registered", "2023-03-09T02:00:00Z")
    assert waits() == (both, [])
    # It waits since it was registered first.
    assert {row["registered_on"] for row in listed(team, plan)} == {"2022-03-01"}


def test_scores_follow_the_facts(team, plan, database):
    row = needs.row("tongxin", **{"残疾等级": "三级"})
    (case,) = bring_in_rows(team.manager, [row], plan).values()

    def score():
        check_scores(database, plan)
        (shown,) = listed(team, plan)
        assert shown["id"] == case and team.county.get(f"/cases/{case}/priority")["score"] == shown["score"]
        return shown["score"]
    assert score() == 80 + 45
    bring_in_rows(team.manager, [needs.row("tongxin", row["户编号"], **{"与户主关系": "父母"})], plan)
    assert score() == 80 + 45 + 200 + 60 + 10
    home = "UPDATE household SET {} WHERE id = (SELECT household_id FROM retrofit_case WHERE id = %s)"
    database.sql(home.format("hardship = '一般', traits = '{残病一体}'"), case)
    assert score() == 45 + 200 + 60 + 10 + 40
    database.sql(home.format("village = '别处'"), case)
    database.sql("UPDATE person SET level = 4 WHERE household_id = (SELECT household_id FROM retrofit_case WHERE id = %s)", case)
    assert score() == 45 + 60 + 10 + 40
    database.sql("""DELETE FROM need WHERE person_id IN (SELECT max(n.id) FROM person n JOIN retrofit_case c USING (household_id) WHERE c.id = %s)""", case)
    database.sql("DELETE FROM person WHERE id = (SELECT max(n.id) FROM person n JOIN retrofit_case c USING (household_id) WHERE c.id = %s)", case)
    assert score() == 45 + 40
    team.county.post(f"/cases/{case}/relocation", {"region": "640324102", "village": "新村", "address": "1号"})
    assert order(team, plan, region="640324102") == [case] and order(team, plan, region="640324101") == []
    check_scores(database, plan)


def test_a_rule_is_data_of_its_plan(team, plan, people):
    rule = team.county.get(f"/plans/{plan}/priority")
    assert rule["version"] == 1 and rule["settled"] and {"code": "level_1", "points": 200, "most": 1}.items() <= rule["parts"][0].items()
    assert [one["code"] for one in rule["criteria"]][-1] == "waiting" and len(rule["criteria"]) == 14
    for parts, code in (((("level_9", 1),), "priority_unknown"), ((("level_1", 1), ("level_1", 2)), "priority_twice"),
                        ((("level_1", 1, 2),), "priority_once"), ((("level_1", 5000), ("level_2", 4001)), "priority_too_heavy")):
        assert put_rule(team, plan, *parts, expect=422, code=code)["field"] == "/items"
    put_rule(team, plan, ("level_1", 1), match='"7"', expect=412, code="stale")
    put_rule(team, "nothing", ("level_1", 1), expect=404)
    people.manager("630000").put(f"/plans/{plan}/priority", {"items": []}, expect=403, code="region_foreign")
    team.county.put(f"/plans/{plan}/priority", {"items": []}, expect=403, code="role_not_allowed")
    team.county.get("/plans/nothing/priority", expect=404)
    changed = put_rule(team, plan, ("elder_disabled", 300), ("waiting", 2, 12), match=rule.etag)
    assert changed["version"] == 2 and [(part["code"], part["points"], part["most"]) for part in changed["parts"]] == \
        [("elder_disabled", 300, 1), ("waiting", 2, 12)]
    now = settled(team, plan)
    assert now["parts"] == changed["parts"] and now["changed_by"] == team.manager.get("/session")["id"]
    assert put_rule(team, plan)["parts"] == []  # by registration alone


def test_a_new_rule_orders_the_list_anew(team, plan, database):
    severe, elder = bring(team, plan, {}, {"残疾等级": "三级", "家庭特征": "老残一体"})
    assert order(team, plan) == [severe, elder]
    put_rule(team, plan, ("elder_disabled", 300), ("waiting", 2, 12))
    settled(team, plan)
    assert [(row["id"], row["score"]) for row in listed(team, plan)] == [(elder, 324), (severe, 24)]
    check_scores(database, plan)
    # Months count to the plan's last day: another one is another rule.
    put_rule(team, plan, ("waiting", 1, 60))
    team.admin.patch(f"/plans/{plan}", {"ends_on": "2022-12-31"})
    settled(team, plan)
    assert {row["score"] for row in listed(team, plan)} == {9}
    check_scores(database, plan)
    put_rule(team, plan)
    settled(team, plan)
    assert [(row["id"], row["score"], row["parts"]) for row in listed(team, plan)] == [(case, 0, None) for case in sorted([severe, elder])]


def test_many_at_once_are_scored_by_a_job(team, plan, database):
    rows = [needs.row("tongxin") for _ in range(500)] + [needs.row("tongxin", **{"经济状况": "特困"})]
    finished = team.manager.import_file(plan, needs.to_csv(rows))
    assert finished["cases_opened"] == 501
    settled(team, plan)
    top = team.manager.get(f"/plans/{plan}/waiting-list", query={"stage": "registered", "limit": 2}).items
    assert top[0]["household_number"] == rows[-1]["户编号"] and top[0]["score"] == top[1]["score"] + 20
    assert len(order(team, plan, limit=200)) == 501
    check_scores(database, plan)


def test_cases_from_before_the_list_are_listed_by_jobs(team, plan, database):
    cases = bring(team, plan, {}, {}, {}, {})
    move(team.county, cases[1], "approved")
    move(team.county, cases[2], "suspended")
    for stage in ("approved", "surveyed"):
        move(team.county, cases[3], stage)
    database.sql("DELETE FROM case_priority WHERE case_id = ANY (%s)", cases)
    database.sql("""INSERT INTO job (queue, kind, unique_key, payload) VALUES ('upkeep', 'priority_fill', 'priority_fill:test',
                    json_build_object('after', %s))""", min(cases) - 1)
    wait_until(lambda: order(team, plan) == cases[:1] and order(team, plan, "approved") == cases[1:2], 60, "the list")
    wait_until(lambda: not database.sql("SELECT FROM job WHERE kind = 'priority_fill' AND state IN ('queued', 'running')"), 60, "its last job")
    check_scores(database, plan)
    move(team.county, cases[2], "registered")
    assert order(team, plan) == sorted([cases[0], cases[2]])


def test_what_is_stored_wrongly_is_named(team, plan, database):
    one, two, three = sorted(bring(team, plan, {}, {}, {}))
    score = team.county.get(f"/cases/{one}/priority")["score"]
    database.sql("UPDATE case_priority SET score = score + 1 WHERE case_id = %s", one)
    database.sql("UPDATE case_priority SET turn = turn - 1 WHERE case_id = %s", two)
    database.sql("DELETE FROM case_priority WHERE case_id = %s", three)
    found = database.sql("SELECT * FROM priority_differences(%s) ORDER BY 1", plan)
    assert found == [(one, score + 1, score, "score"), (two, score, score, "place"), (three, None, score, "not listed")]
    assert set(found) <= set(database.sql("SELECT * FROM priority_differences(NULL)"))
    database.sql("DELETE FROM case_priority WHERE case_id = ANY (%s)", [one, two, three])
    database.sql("""SELECT set_config('tantu.role', 'system', false), priority_fill(%s, 100)""", one - 1)
    check_scores(database, plan)


def test_scores_are_settled_by_the_service_alone(database):
    for call in ("priority_settle(1)", "priority_fill(0, 1)"):
        with pytest.raises(Exception, match="by the service itself"):
            database.sql(f"SELECT {call}", role="app")


def test_a_list_shows_whom_the_scope_shows(people):
    team = Team(people, "630000")
    plan = make_plan(team, "630000")
    rows = [needs.row("qinghai", **{"区划代码": place}) for place in ("630106101", "630105001", "630106102")]
    rows[2]["经济状况"], rows[1]["登记日期"] = "特困", "2022-03-02"
    cases = list(bring_in_rows(team.manager, rows, plan).values())
    assert order(team, plan) == [cases[2], cases[0], cases[1]]  # three places, one order
    county, stranger = people.county("630106"), people.county("640324")
    own = county.get(f"/plans/{plan}/waiting-list", query={"stage": "registered"}).items
    assert [row["id"] for row in own] == [cases[2], cases[0]]
    assert not stranger.get(f"/plans/{plan}/waiting-list", query={"stage": "registered"}).items
    assert order(team, plan, region="630105") == [cases[1]] and order(team, plan, region="630105001") == [cases[1]]
    county.get(f"/cases/{cases[1]}/priority", expect=404)
    county.get(f"/cases/{cases[0]}/priority", query={"before": cases[1]}, expect=404)
    county.get(f"/cases/{cases[1]}/eligibility", expect=404)
    team.contractor.get(f"/plans/{plan}/waiting-list", query={"stage": "registered"}, expect=403)
