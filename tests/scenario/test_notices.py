# SPDX-License-Identifier: Apache-2.0
"""Public notices (公示): what is posted, what it holds up, and what is said against it. On a plan of its own whose gate is closed."""
import itertools
from concurrent.futures import ThreadPoolExecutor

import needs
import pytest
import step_approve
import test_sheets
from conftest import People
from stages import bring_in, bring_in_rows, move
from team import Team

numbers = itertools.count(1)
APPROVED, SURVEYED = "2023-03-01T02:00:00Z", "2023-03-09T02:00:00Z"


@pytest.fixture(scope="module")
def team(server, admin_session):
    everybody = People(admin_session)
    yield Team(everybody)
    for client in everybody.made:
        client.close()


@pytest.fixture
def plan(team):
    """Seven days, in tongxin."""
    return make_plan(team, notice_days=7)


def make_plan(team, **fields):
    code = f"notices-{next(numbers)}"
    team.admin.post("/plans", {"code": code, "name_zh": "公示", "region": "640324", "begins_on": "2021-01-01", "ends_on": "2030-12-31",
                               "who_counts": "a", "eligibility": "severe_and_poor", **fields})
    team.close_gates(code, "notice")
    return code


def bring(team, plan, count=1, **columns):
    rows = [needs.row("tongxin", **columns) for _ in range(count)]
    return list(bring_in_rows(team.manager, rows, plan).values())


def approved(team, plan, count=1, **columns):
    cases = bring(team, plan, count, **columns)
    for case in cases:
        move(team.county, case, "approved", APPROVED)
    return cases


def post(team, plan, **fields):
    expected = {name: fields.pop(name) for name in ("expect", "code") if name in fields}
    return team.county.post(f"/plans/{plan}/notices", {"region": "640324", **fields}, **(expected or {"expect": 201}))


def object_to(team, notice, case, **fields):
    return team.county.post(f"/notices/{notice}/objections", {"case": case, "content": "他家有新楼房", **fields}, expect=201)


def resolve(team, case, objection, outcome, **options):
    return team.county.post(f"/cases/{case}/objections/{objection}/resolution", {"outcome": outcome, "note": "已核实"}, **options)


def test_no_survey_without_a_notice_that_is_over(team, plan):
    (case,) = approved(team, plan)
    move(team.county, case, "surveyed", SURVEYED, expect=422, code="notice_missing")
    notice = post(team, plan, starts_on="2023-03-02")
    assert (notice["starts_on"], notice["ends_on"], notice["days"], notice["cases"], notice["before"], notice["state"]) == \
        ("2023-03-02", "2023-03-08", 7, 1, "surveyed", "over")
    # Its last day ends at midnight in China.
    refused = move(team.county, case, "surveyed", "2023-03-08T15:59:59Z", expect=422, code="notice_running")
    assert refused["reasons"] == ["2023-03-08"]
    assert move(team.county, case, "surveyed", "2023-03-08T16:00:00Z")["stage"] == "surveyed"


def test_a_notice_that_runs_and_one_to_come_are_no_way_through(team, plan):
    (case,) = approved(team, plan)
    post(team, plan, days=30)
    assert team.county.get("/notices", query={"plan": plan}).items[0]["state"] == "running"
    move(team.county, case, "surveyed", expect=422, code="notice_running")
    (other,) = approved(team, plan)
    team.admin.post(f"/plans/{plan}/notices", {"region": "640324"}, expect=403, code="role_not_allowed")
    post(team, plan, starts_on="2020-12-31", expect=422, code="notice_start_invalid")
    post(team, plan, starts_on="2999-01-01", expect=422, code="notice_start_invalid")
    post(team, plan, days=6, expect=422, code="notice_too_short")
    move(team.county, other, "surveyed", expect=422, code="notice_missing")


def test_the_list_is_frozen_and_masked(team, plan):
    (case,) = approved(team, plan, **{"姓名": "欧阳建国", "残疾类别": "视力", "残疾等级": "二级"})
    notice = post(team, plan)
    before = team.county.get(f"/notices/{notice['id']}/cases").items
    assert before == [{"id": 1, "case": case, "householder": "欧***", "region": "640324101", "village": "试验村", "category": 1, "level": 2}]
    team.county.post(f"/cases/{case}/relocation", {"region": "640324102", "village": "新村", "address": "新村1号"})
    assert team.county.get(f"/notices/{notice['id']}/cases").items == before
    # Every page holds what it should.
    approved(team, plan, 3)
    second = post(team, plan)["id"]
    assert [row["id"] for row in team.county.pages(f"/notices/{second}/cases", limit=1)] == [1, 2, 3]


def test_who_is_listed(team, plan):
    first, second = approved(team, plan, 2)
    (waiting,) = bring(team, plan)
    (later,) = bring(team, plan)
    move(team.county, later, "approved", "2023-06-01T02:00:00Z")
    refused = post(team, plan, cases=[{"case": first}, {"case": waiting}, {"case": later}], starts_on="2023-03-02",
                   expect=422, code="notice_case_unfit")
    assert refused["cases"] == [str(waiting), str(later)]
    mine = post(team, plan, cases=[{"case": first}], starts_on="2023-03-02")
    post(team, plan, cases=[{"case": first}], expect=422, code="notice_case_unfit")
    rest = post(team, plan, starts_on="2023-03-02")
    assert [row["case"] for row in team.county.get(f"/notices/{rest['id']}/cases").items] == [second]
    post(team, plan, starts_on="2023-03-02", expect=422, code="notice_empty")
    assert post(team, plan, starts_on="2023-06-01")["cases"] == 1
    # The lists: newest last, by state and region.
    found = [row["id"] for row in team.county.pages("/notices", plan=plan, limit=1)]
    assert found[:2] == [mine["id"], rest["id"]] and len(found) == 3
    assert found == [row["id"] for row in team.county.pages("/notices", plan=plan, region="640324101", state="over")]
    assert not team.county.get("/notices", query={"plan": plan, "region": "630106"}).items
    assert not team.county.get("/notices", query={"plan": plan, "state": "running"}).items
    assert team.manager.get(f"/notices/{mine['id']}").json == {**mine.json, "open_objections": 0}


def test_a_notice_asked_for_twice_is_posted_once(team, plan):
    first, second = approved(team, plan, 2)
    body = {"region": "640324", "cases": [{"case": first}, {"case": first}]}
    answers = [team.county.post(f"/plans/{plan}/notices", body, key=f"notice-{plan}", expect=201).json for _ in range(2)]
    assert answers[0] == answers[1] and answers[0]["cases"] == 1
    team.county.post(f"/plans/{plan}/notices", {"region": "640324"}, key=f"notice-{plan}", expect=422, code="idempotency_key_reused")
    assert post(team, plan)["cases"] == 1  # the second alone
    # An approval that was taken back and made again is another one, and asks for another notice.
    team.county.post(f"/cases/{second}/take-back", {})
    move(team.county, second, "approved")
    assert post(team, plan)["cases"] == 1


def test_where_a_notice_may_be(team, plan, people):
    post(team, plan, region="640399", expect=422, code="region_unknown")
    post(team, plan, region="630106", expect=422, code="region_not_within")
    post(team, "nothing", expect=404, code="not_found")
    stranger, auditor = people.county("630106"), people.auditor("640324")
    stranger.post(f"/plans/{plan}/notices", {"region": "640324"}, expect=403, code="region_foreign")
    auditor.post(f"/plans/{plan}/notices", {"region": "640324"}, expect=403, code="role_not_allowed")
    approved(team, plan)
    notice = post(team, plan)["id"]
    assert auditor.get(f"/notices/{notice}/cases").items
    stranger.get(f"/notices/{notice}", expect=404)
    assert not stranger.get(f"/notices/{notice}/cases").items and not stranger.get("/notices", query={"plan": plan}).items
    stranger.post(f"/notices/{notice}/cancel", {"note": "x"}, expect=404)
    stranger.post(f"/notices/{notice}/objections", {"case": 1, "content": "x"}, expect=404)


def test_a_county_reads_of_a_province_wide_notice_what_is_its_own(people):
    team = Team(people, "630000")
    plan = f"notices-{next(numbers)}"
    team.admin.post("/plans", {"code": plan, "name_zh": "a", "region": "630000", "begins_on": "2021-01-01", "ends_on": "2030-12-31",
                               "who_counts": "a", "eligibility": "any", "notice_days": 1})
    rows = [needs.row("qinghai", **{"区划代码": place}) for place in ("630106101", "630105001")]
    cases = list(bring_in_rows(team.manager, rows, plan).values())
    for case in cases:
        move(team.manager, case, "approved", APPROVED)
    notice = team.manager.post(f"/plans/{plan}/notices", {"region": "630000"}, expect=201)
    county = people.county("630106")
    assert county.get(f"/notices/{notice['id']}")["cases"] == 2
    assert [row["case"] for row in county.get(f"/notices/{notice['id']}/cases").items] == cases[:1]
    assert "只列本地区" in test_sheets.page(county, f"/notices/{notice['id']}/sheet")[1]
    county.post(f"/notices/{notice['id']}/cancel", {"note": "x"}, match=notice.etag, expect=403, code="region_foreign")
    county.post(f"/plans/{plan}/notices", {"region": "630000"}, expect=403, code="region_foreign")


def test_the_sheet_to_post(team, plan):
    (case,) = approved(team, plan, **{"姓名": "欧阳建国", "村(社区)": "<b>村</b>", "残疾等级": "二级"})
    notice = post(team, plan, starts_on="2023-03-02")
    answer, text = test_sheets.page(team.county, f"/notices/{notice['id']}/sheet")
    test_sheets.check_page(text, answer)
    assert "自 2023 年 3 月 2 日起，至 2023 年 3 月 8 日止" in text and "公示期 7 天" in text and "审核通过" in text
    assert "<td>欧***</td>" in text and "&lt;b&gt;村&lt;/b&gt;" in text and "<td>肢体</td><td>二级</td>" in text
    assert "建国" not in text and str(case) not in text and "已撤销" not in text and "只列本地区" not in text
    team.county.post(f"/notices/{notice['id']}/cancel", {"note": "x"})
    assert "本公示已撤销" in test_sheets.page(team.county, f"/notices/{notice['id']}/sheet")[1]
    team.county.get("/notices/6403240000000000/sheet", expect=404)


def test_a_cancelled_notice_does_not_count(team, plan):
    (case,) = approved(team, plan)
    notice = post(team, plan, starts_on="2023-03-02")
    objection = object_to(team, notice["id"], case, received_at="2023-03-03T02:00:00Z")
    cancel = f"/notices/{notice['id']}/cancel"
    team.county.post(cancel, {"note": "贴错了村"}, match='"7"', expect=412, code="stale")
    cancelled = team.county.post(cancel, {"note": "贴错了村"}, match=notice.etag)
    assert (cancelled["state"], cancelled["note"], cancelled["version"]) == ("cancelled", "贴错了村", 2)
    team.county.post(cancel, {"note": "x"}, expect=409, code="notice_cancelled")
    team.county.post(f"/notices/{notice['id']}/objections", {"case": case, "content": "x"}, expect=409, code="notice_cancelled")
    # The case may be posted again; the objection has not gone with the notice.
    move(team.county, case, "surveyed", SURVEYED, expect=422, code="objection_open")
    resolve(team, case, objection["id"], "dismissed")
    move(team.county, case, "surveyed", SURVEYED, expect=422, code="notice_missing")
    post(team, plan, starts_on="2023-03-02")
    move(team.county, case, "surveyed", SURVEYED)


def test_an_objection_is_recorded_masked_and_decided(team, plan, database):
    (case, other) = approved(team, plan, 2)
    notice = post(team, plan, starts_on="2023-03-02", cases=[{"case": case}])["id"]
    team.county.post(f"/notices/{notice}/objections", {"case": other, "content": "x"}, expect=422, code="objection_case_unknown")
    for at in ("2023-03-01T02:00:00Z", "2999-01-01T00:00:00Z"):
        team.county.post(f"/notices/{notice}/objections", {"case": case, "content": "x", "received_at": at}, expect=422,
                         code="objection_time_invalid")
    named = object_to(team, notice, case, objector="王小明", received_at="2023-03-08T02:00:00Z")
    nobody = object_to(team, notice, case, received_at="2023-03-09T02:00:00Z")
    assert (named["objector"], named["late"], nobody["objector"], nobody["late"]) == ("王*", False, "", True)
    assert team.county.get(f"/notices/{notice}")["open_objections"] == 2
    path = f"/cases/{case}/objections"
    assert team.county.get(f"/notices/{notice}/objections").items == team.county.get(path).items == [named.json, nobody.json]
    assert "王小明" not in team.county.get(path).body.decode()
    # Who objected is told to one who asks for it, and that is recorded.
    read = "SELECT count(*) FROM access_record WHERE what = 'who objected' AND subject = %s"
    shown = team.county.get(f"{path}/{named['id']}")
    assert shown["objector"] == "王小明" and database.sql(read, named["id"]) == [(1,)]
    team.county.get(f"{path}/{nobody['id']}")
    assert database.sql(read, nobody["id"]) == [(0,)]
    team.county.get(f"/cases/{other}/objections/{named['id']}", expect=404)
    refused = move(team.county, case, "surveyed", "2023-04-01T02:00:00Z", expect=422, code="objection_open")
    assert refused["reasons"] == [f"{named['id']} 2023-03-08", f"{nobody['id']} 2023-03-09"]
    resolve(team, case, named["id"], "dismissed", match='"9"', expect=412, code="stale")
    assert resolve(team, case, named["id"], "dismissed", match=shown.etag)["state"] == "dismissed"
    resolve(team, case, named["id"], "upheld", expect=409, code="objection_resolved")
    resolve(team, other, nobody["id"], "upheld", expect=404)
    resolve(team, case, nobody["id"], "dismissed")
    assert move(team.county, case, "surveyed", "2023-04-01T02:00:00Z")["eligible"]


def test_an_upheld_objection_bars_the_case_until_a_manager_approves_it_again(team, plan):
    (case,) = approved(team, plan)
    notice = post(team, plan, starts_on="2023-03-02")["id"]
    objection = object_to(team, notice, case)
    decided = resolve(team, case, objection["id"], "upheld")
    assert (decided["state"], decided["note"]) == ("upheld", "已核实")
    refused = move(team.manager, case, "surveyed", SURVEYED, expect=422, code="objection_upheld")
    assert refused["reasons"][0].startswith(str(objection["id"]))
    seen = team.county.get(f"/cases/{case}").json
    assert not seen["eligible"] and "no_upheld_objection" in seen["eligibility_reasons"]
    move(team.county, case, "rejected", "2023-03-10T02:00:00Z")
    move(team.county, case, "registered", "2023-03-11T02:00:00Z")
    # Nor does the word of the county open it again, nor the notice of the first time.
    move(team.county, case, "approved", "2023-03-12T02:00:00Z", expect=422, code="not_eligible")
    move(team.manager, case, "approved", "2023-03-12T02:00:00Z", note="复核属实，仍困难")
    move(team.county, case, "surveyed", "2023-04-01T02:00:00Z", expect=422, code="notice_missing")
    post(team, plan, starts_on="2023-03-12")
    move(team.county, case, "surveyed", "2023-04-01T02:00:00Z")


def test_an_import_does_not_forget_an_upheld_objection(team, plan):
    row = needs.row("tongxin")
    (case,) = bring_in_rows(team.manager, [row], plan).values()
    move(team.county, case, "approved", APPROVED)
    objection = object_to(team, post(team, plan)["id"], case)
    resolve(team, case, objection["id"], "upheld")
    for stage in ("rejected", "registered"):
        move(team.county, case, stage)
    bring_in_rows(team.manager, [needs.row("tongxin", row["户编号"], **{"与户主关系": "父母"})], plan)
    assert not team.county.get(f"/cases/{case}")["eligible"]


def test_a_pause_does_not_ask_for_a_second_notice(team, plan):
    (case,) = approved(team, plan)
    post(team, plan, starts_on="2023-03-02")
    move(team.county, case, "suspended", "2023-03-05T02:00:00Z")
    move(team.county, case, "approved", "2023-03-20T02:00:00Z")
    post(team, plan, cases=[{"case": case}], expect=422, code="notice_case_unfit")
    move(team.county, case, "surveyed", "2023-03-27T02:00:00Z")


def test_a_notice_before_approval(team):
    plan = make_plan(team, notice_days=7)
    team.admin.patch(f"/plans/{plan}", {"notice_before": "approved"})
    assert team.county.get(f"/plans/{plan}")["notice_before"] == "approved"
    (case, barred) = bring(team, plan, 2)
    (poor,) = bring(team, plan, **{"经济状况": "一般"})
    move(team.county, case, "approved", APPROVED, expect=422, code="notice_missing")
    notice = post(team, plan, starts_on="2023-02-20")
    assert notice["before"] == "approved"
    # All that wait: who is not eligible does not, unless it is named.
    assert [row["case"] for row in team.county.get(f"/notices/{notice['id']}/cases").items] == sorted([case, barred])
    assert post(team, plan, starts_on="2023-02-20", cases=[{"case": poor}])["cases"] == 1
    move(team.county, case, "approved", "2023-02-26T02:00:00Z", expect=422, code="notice_running")
    objection = object_to(team, notice["id"], barred)
    move(team.county, barred, "approved", APPROVED, expect=422, code="objection_open")
    resolve(team, barred, objection["id"], "upheld")
    move(team.county, barred, "approved", APPROVED, expect=422, code="not_eligible")
    move(team.manager, barred, "approved", APPROVED, note="例外")
    move(team.county, case, "approved", "2023-02-27T02:00:00Z")
    move(team.county, case, "surveyed", "2023-02-27T02:00:00Z")


def test_a_plan_without_days_asks_for_none(team):
    plan = make_plan(team)
    assert team.county.get(f"/plans/{plan}")["notice_before"] == "surveyed"
    (case,) = approved(team, plan)
    post(team, plan, expect=422, code="notice_too_short")
    assert post(team, plan, days=3)["days"] == 3
    move(team.county, case, "surveyed", APPROVED)


@pytest.mark.parametrize("before", ["surveyed", "approved"])
def test_the_step_of_the_great_scenario(team, before):
    plan = make_plan(team, notice_days=7, notice_before=before)
    (case,) = bring(team, plan)
    step_approve.do(team, case)
    move(team.county, case, "surveyed", "2023-04-01T02:00:00Z")


def test_two_at_once_do_not_post_a_case_twice(team, plan, people):
    cases = approved(team, plan, 4)
    clients = [people.county("640324") for _ in range(4)]

    def publish(client):
        return client._send("POST", f"/api/v1/plans/{plan}/notices", b'{"region": "640324"}',
                            {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(publish, clients))
    assert sorted(answer.status for answer in answers) == [201, 422, 422, 422]
    listed = [row["case"] for notice in team.county.get("/notices", query={"plan": plan}).items
              for row in team.county.get(f"/notices/{notice['id']}/cases").items]
    assert sorted(listed) == sorted(cases)


def test_the_longest_notice_can_be_printed(team, database):
    plan = make_plan(team, notice_days=7, notice_before="approved")
    database.sql("""WITH home AS (
            INSERT INTO household (plan_region, id, number, region, village, address, hardship)
            SELECT 640324000, id_in(640324000, 'household_number'), 'N' || nextval('person_number'), 640324101 + n / 5001, '很长很长的村子的名字社区居民委员会', '1号', '低保'
            FROM generate_series(1, 5001) AS n RETURNING id, number, region
        ) INSERT INTO retrofit_case (plan_region, id, plan_id, household_id, household_number, householder, region, village,
                                     stage_at, stage_on, eligible, eligibility_reasons)
        SELECT 640324000, id_in(640324000, 'case_number'), (SELECT id FROM plan WHERE code = %s), id, number, '欧***',
               region, '很长很长的村子的名字社区居民委员会', now(), current_date, true, '{}' FROM home""", plan)
    post(team, plan, expect=422, code="notice_too_large")
    notice = post(team, plan, region="640324101")
    assert notice["cases"] == 5000
    answer, text = test_sheets.page(team.county, f"/notices/{notice['id']}/sheet")
    test_sheets.check_page(text, answer)
    assert text.count("<td>欧***</td>") == 5000
