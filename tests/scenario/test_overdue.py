# SPDX-License-Identifier: Apache-2.0
"""Time limits: what a plan allows in working days, who is told when a case stays longer, and how old the cases are."""
import needs
import pytest
from client import Client
from conftest import People
from processes import ADMIN_PASSWORD, Program, wait_until
from stages import case_of, move

LIMIT, COUNTY, MANAGER = 3, 2, 4
RULE = {"limits": [{"stage": "approved", "days": LIMIT}, {"stage": "surveyed", "days": 1000}],
        "escalation": [{"to": "county", "after": COUNTY}, {"to": "manager", "after": MANAGER}], "answer_hours": 24, "note": "试验"}
BUCKETS = ("within", "over_1_5", "over_6_15", "over_16")


class Office:
    def __init__(self, cluster, contract):
        self.database = cluster.new_database().migrate()
        self.server = Program(self.database, "serve").start()
        self.admin = Client(self.server, contract).sign_in("admin", ADMIN_PASSWORD)
        self.people = People(self.admin)
        self.manager, self.county = self.people.manager("640324"), self.people.county("640324")
        self.plans = iter(f"time-{number}" for number in range(1, 50))

    def plan(self, **rule):
        code = next(self.plans)
        self.admin.post("/plans", {"code": code, "name_zh": "时限", "region": "640324", "begins_on": "2015-01-01",
                                   "ends_on": "2030-12-31", "who_counts": "试验", "eligibility": "any"})
        self.manager.put(f"/plans/{code}/limits", {**RULE, **rule})
        return code

    def days_ago(self, n):
        """Noon of the last day that is n working days old."""
        return self.database.sql("SELECT to_char(max(day), 'YYYY-MM-DD') || 'T04:00:00Z' FROM calendar "
                                 "WHERE number = working_day_number(china_date(now())) - %s AND day <= china_date(now())", n)[0][0]

    def cases(self, plan, *ages, **columns):
        """Cases that were approved so many working days ago."""
        rows = [needs.row("tongxin", 登记日期="2016-01-04", **columns) for _ in ages]
        assert self.manager.import_file(plan, needs.to_csv(rows))["accepted"] == len(ages)
        cases = [case_of(self.manager, row["户编号"])["id"] for row in rows]
        for case, age in zip(cases, ages):
            move(self.manager, case, "approved", self.days_ago(age))
        return cases

    def scan(self):
        """The scan, and with it every reminder that it queued."""
        before = self.database.sql("SELECT max(finished_at) FROM job WHERE kind = 'overdue_scan'")[0][0]
        self.database.sql("UPDATE job SET run_at = now() WHERE kind = 'overdue_scan'")
        self.database.sql("NOTIFY job, 'reminders'")
        wait_until(lambda: self.database.sql("SELECT finished_at IS DISTINCT FROM %s FROM job WHERE kind = 'overdue_scan'", before)[0][0], 30)
        wait_until(lambda: not self.database.sql("SELECT 1 FROM job WHERE kind = 'stage_overdue' AND state IN ('queued', 'running')"), 30)

    def told(self, case):
        """[(kind, to)] of what was said of the case."""
        return [(one["kind"], one["content"]["to"]) for one in self.county.pages("/outbox", limit=200) if one["case"] == case]


@pytest.fixture(scope="module")
def office(cluster, database, contract):
    office = Office(cluster, contract)
    yield office
    for client in (office.admin, *office.people.made):
        client.close()
    office.server.stop()


REMINDER, TO_COUNTY, TO_MANAGER = ("stage_overdue", "handler"), ("stage_escalated", "county"), ("stage_escalated", "manager")


# --- who is told ---


def test_each_step_is_told_once_for_a_stay(office):
    ages = (LIMIT, LIMIT + 1, LIMIT + COUNTY, LIMIT + COUNTY + 1, LIMIT + MANAGER, LIMIT + MANAGER + 1)
    cases = office.cases(office.plan(), *ages)
    expected = [[], [REMINDER], [REMINDER], [REMINDER, TO_COUNTY], [REMINDER, TO_COUNTY], [REMINDER, TO_COUNTY, TO_MANAGER]]
    for _ in range(2):
        office.scan()
        assert [sorted(office.told(case), reverse=True)[:1] + sorted(office.told(case)[1:]) for case in cases] == \
            [sorted(said, reverse=True)[:1] + sorted(said[1:]) for said in expected]
    said = [one for one in office.county.pages("/outbox", kind="stage_escalated", limit=200) if one["case"] == cases[-1]]
    assert {one["content"]["days_over"] for one in said} == {MANAGER + 1}
    assert said[0]["content"]["stage"] == "approved" and said[0]["region"] == office.county.get(f"/cases/{cases[-1]}")["region"]


def test_a_change_of_the_case_is_no_new_stay_and_a_move_taken_back_brings_the_old_one_back(office):
    (case,) = office.cases(office.plan(), LIMIT + 1)
    office.scan()
    assert office.told(case) == [REMINDER]
    office.manager.patch(f"/cases/{case}", {"assessor": office.people.assessor("640324").user})
    office.scan()
    move(office.manager, case, "surveyed")
    office.scan()
    office.manager.post(f"/cases/{case}/take-back", {})
    office.scan()
    assert office.told(case) == [REMINDER]


def queued_for(office, case, step):
    number = office.database.sql("INSERT INTO job (queue, kind, payload, region) VALUES ('reminders', 'stage_overdue', "
                                 "json_build_object('case', %s::bigint, 'step', %s::int), 640324101) RETURNING id", case, step)[0][0]
    wait_until(lambda: office.database.sql("SELECT state FROM job WHERE id = %s", number) == [("done",)], 30)


def test_a_case_that_moved_on_or_was_given_more_time_is_not_told_of(office):
    """Between the scan and its job."""
    plan = office.plan()
    moved, suspended, longer = office.cases(plan, LIMIT + 9, LIMIT + 9, LIMIT + 9)
    move(office.manager, moved, "surveyed")
    move(office.manager, suspended, "suspended")
    office.manager.put(f"/plans/{plan}/limits", {**RULE, "limits": [{"stage": "approved", "days": LIMIT + 9}]})
    for step in (0, 1, 2):
        for case in (moved, suspended, longer):
            queued_for(office, case, step)
    assert [office.told(case) for case in (moved, suspended, longer)] == [[], [], []]


def test_a_plan_without_a_limit_or_without_steps(office):
    (free,) = office.cases(office.plan(limits=[]), 200)
    (quiet,) = office.cases(office.plan(escalation=[]), 200)
    office.scan()
    assert office.told(free) == [] and office.told(quiet) == [REMINDER]


# --- lists and figures ---


def listed(client, **query):
    return {row["id"]: row for row in client.pages("/cases/overdue", limit=200, **query)}


def test_the_list_says_by_how_many_days(office):
    plan = office.plan()
    ages = (0, LIMIT, LIMIT + 1, LIMIT + 5, LIMIT + 6, LIMIT + 15, LIMIT + 16, LIMIT + 400)
    cases = office.cases(plan, *ages)
    rows = listed(office.county, plan=plan)
    assert {case: rows[case]["days_over"] for case in rows} == {case: age - LIMIT for case, age in zip(cases, ages) if age > LIMIT}
    assert {(rows[case]["days"], rows[case]["days_allowed"]) for case in rows} == {(age, LIMIT) for age in ages if age > LIMIT}
    assert [listed(office.county, plan=plan, aged=bucket).keys() for bucket in BUCKETS] == \
        [set(cases[:2]), set(cases[2:4]), set(cases[4:6]), set(cases[6:])]
    assert list(rows) == sorted(rows) == [row["id"] for row in office.county.pages("/cases/overdue", plan=plan, limit=2)]
    move(office.county, cases[-1], "suspended")
    move(office.county, cases[-2], "surveyed")
    assert set(listed(office.county, plan=plan)) == set(cases[2:6])
    assert set(listed(office.county, plan=plan, stage="approved")) == set(cases[2:6]) and not listed(office.county, plan=plan, stage="built")


def test_each_figure_opens_into_its_list(office):
    plan = office.plan(limits=[{"stage": "approved", "days": LIMIT}, {"stage": "surveyed", "days": 2}, {"stage": "built", "days": 5}])
    first = office.cases(plan, 0, LIMIT, LIMIT + 2, LIMIT + 9, LIMIT + 30, 区划代码="640324101")
    second = office.cases(plan, 1, LIMIT + 3, LIMIT + 40, LIMIT + 50, 区划代码="640324202")
    for case, age in ((first[4], 9), (second[3], 30)):
        move(office.county, case, "surveyed", office.days_ago(age))
    wide = office.people.manager("640000")
    seen = 0
    for client, region in ((office.county, None), (office.county, "640324202"), (office.manager, "640324101"), (wide, None),
                           (wide, "640300"), (wide, "640324")):
        figures = client.get(f"/plans/{plan}/ageing", query={"region": region}).json
        assert [row["stage"] for row in figures["stages"]] == ["approved", "surveyed", "built"]
        for row in figures["stages"]:
            for bucket in BUCKETS:
                cases = listed(client, plan=plan, region=region, stage=row["stage"], aged=bucket)
                assert len(cases) == row[bucket], (region, row, bucket)
                seen += len(cases)
            assert row["total"] == sum(row[bucket] for bucket in BUCKETS)
    assert seen == 9 + 4 + 5 + 9 + 9 + 9
    whole = office.county.get(f"/plans/{plan}/ageing").json
    assert whole["stages"][0] == {"stage": "approved", "days_allowed": LIMIT, "total": 7, "within": 3, "over_1_5": 2, "over_6_15": 1, "over_16": 1}
    assert whole["calendar_until"] >= "2026-12-31" and whole["region"] == "640324" and whole["stages"][2]["total"] == 0


def test_others_see_nothing_of_it(office):
    plan = office.plan()
    office.cases(plan, LIMIT + 1)
    foreign = office.people.county("630106")
    assert not listed(foreign) and not listed(foreign, plan=plan, region="640324")
    foreign.get(f"/plans/{plan}/ageing", expect=404)
    office.county.get(f"/plans/{plan}/ageing", query={"region": "630106"}, expect=404)
    office.county.get("/plans/nothing/ageing", expect=404)
    for who in (office.people.contractor("firm-late"), office.people.assessor("640324"), office.admin):
        who.get("/cases/overdue", expect=403)
        who.get(f"/plans/{plan}/ageing", expect=403)


# --- the rule ---


def test_a_plan_begins_with_the_limits_of_all(office):
    rule = office.manager.get("/plans/tongxin/limits").json
    assert (rule["own"], rule["version"], rule["answer_hours"]) == (False, 0, 48)
    assert {limit["stage"]: limit["days"] for limit in rule["limits"]}["registered"] == 43  # 60 calendar days
    assert rule["escalation"] == [{"to": "county", "after": 5}, {"to": "manager", "after": 15}]


def test_the_rule_of_a_plan_is_changed_as_a_whole(office):
    plan = office.plan()
    rule = office.manager.get(f"/plans/{plan}/limits")
    assert (rule["limits"], rule["escalation"], rule["version"], rule["own"]) == (RULE["limits"], RULE["escalation"], 1, True)
    changed = office.manager.put(f"/plans/{plan}/limits", {**RULE, "limits": RULE["limits"][1:], "escalation": RULE["escalation"][:1],
                                                           "answer_hours": None}, match='"1"')
    assert changed["version"] == 2 and changed["changed_by"] == office.manager.get("/session")["id"]
    assert office.manager.get(f"/plans/{plan}/limits").json == changed.json
    assert office.manager.put(f"/plans/{plan}/limits", RULE, match='"1"', expect=412)["current"]["version"] == 2
    assert office.manager.get("/plans/tongxin/limits")["own"] is False  # nobody else's


@pytest.mark.parametrize("body, code, field", [
    ({"limits": RULE["limits"] * 2}, "limit_twice", "/limits"),
    ({"escalation": [{"to": "county", "after": 5}, {"to": "manager", "after": 5}]}, "step_twice", "/escalation"),
    ({"limits": [{"stage": "suspended", "days": 1}]}, "not_allowed", "/limits/0/stage"),
    ({"limits": [{"stage": "built", "days": 0}]}, "out_of_range", "/limits/0/days"),
    ({"answer_hours": 0}, "out_of_range", "/answer_hours")])
def test_a_rule_that_makes_no_sense(office, body, code, field):
    before = office.manager.get("/plans/tongxin/limits").json
    assert office.manager.put("/plans/tongxin/limits", {**RULE, **body}, expect=422, code=code)["field"] == field
    assert office.manager.get("/plans/tongxin/limits").json == before


def test_who_may_change_the_rule(office):
    office.people.manager("630000").put("/plans/tongxin/limits", RULE, expect=403, code="region_foreign")
    office.county.put("/plans/tongxin/limits", RULE, expect=403, code="role_not_allowed")
    office.manager.put("/plans/nothing/limits", RULE, expect=404)
    office.manager.put("/plans/tongxin/limits", RULE, match='"3"', expect=412)
    assert office.county.get("/plans/tongxin/limits")["own"] is False


def test_an_order_wants_its_answer_within_the_working_hours_of_its_plan(office):
    firm = "firm-hours"
    office.people.contractor(firm)
    given = {}
    for hours in (24, None):
        (case,) = office.cases(office.plan(answer_hours=hours), 2)
        for stage in ("surveyed", "designed"):
            move(office.manager, case, stage)
        (item,) = office.county.post("/orders", {"contractor": firm, "cases": [{"id": case}]})["items"]
        given[hours] = office.county.get(f"/orders/{item['order']}").json
    assert given[None]["answer_by"] is None and given[None]["silent"] is False
    assert office.database.sql("SELECT answer_by = working_hours_add(created_at, 24) FROM work_order WHERE id = %s", given[24]["id"]) == [(True,)]
