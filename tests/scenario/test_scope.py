# SPDX-License-Identifier: Apache-2.0
"""Nobody sees or changes what is not his: over HTTP by role, and in the database whatever the statement says.

The second half runs every statement of db/sql as tantu_app under scopes to which plan tongxin is foreign, with
parameters that hit rows of tongxin: nothing may come back and nothing may change. A new statement must be added to
STATEMENTS (or excepted, with a reason), or its test fails."""
import re

import needs
import scope_rows
import psycopg2
import pytest
from client import Client
from conftest import People
from processes import ADMIN_PASSWORD, Program, wait_until
from stages import bring_in_rows, move, walk
from statements import statements

HUANGZHONG, CHENGBEI = "630106101", "630105001"


# --- over HTTP ---


@pytest.fixture(scope="module")
def qinghai(server, admin_session):
    """Households of two counties of one plan, and everybody who may or may not see them."""
    people = People(admin_session)
    manager = people.manager("630000")
    rows = [needs.row("qinghai", **{"区划代码": place}) for place in (HUANGZHONG, HUANGZHONG, CHENGBEI, CHENGBEI)]
    cases = list(bring_in_rows(manager, rows, "qinghai").values())
    own, foreign = cases[:2], cases[2:]
    yield {"manager": manager, "people": people, "rows": rows, "own": own, "foreign": foreign,
           "county": people.county("630106"), "other_county": people.county("630105"), "auditor": people.auditor("630106"),
           "other_plan": people.manager("640324"), "centre": people.centre("centre-scope"),
           "assessor": people.assessor("630000"), "contractor": people.contractor("firm-scope")}
    for client in people.made:
        client.close()


def listed(client, **query):
    return {case["id"] for case in client.pages("/cases", limit=200, **query)}


WRITES = [("POST", "/cases/{}/transitions", {"to": "approved"}), ("POST", "/cases/{}/take-back", {}),
          ("PATCH", "/cases/{}", {"contractor": "firm-scope"}),
          ("POST", "/cases/{}/relocation", {"region": "630106", "village": "a", "address": "b"})]
READS = [("GET", "/cases/{}", None), ("GET", "/cases/{}/events", None), ("GET", "/cases/{}/persons", None)]


def allowed(contract, client, method, path):
    template = contract.template(method, "/api/v1" + path.format(1))
    return client.role in contract.operations[method, template]["x-roles"]


@pytest.mark.parametrize("who", ["county", "auditor", "other_plan", "centre", "assessor", "contractor"])
@pytest.mark.parametrize("method, path, body", READS + WRITES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_foreign_case_is_not_there(qinghai, contract, who, method, path, body):
    client = qinghai[who]
    for case in qinghai["foreign"]:
        if not allowed(contract, client, method, path):
            client.request(method, path.format(case), body, expect=403, code="role_not_allowed")
            continue
        if path.endswith(("events", "persons")):
            assert client.get(path.format(case)).items == []
        else:
            client.request(method, path.format(case), body, expect=404, code="not_found")
            # An If-Match does not tell a foreign case from none.
            client.request(method, path.format(case), body, match='"1"', expect=404, code="not_found")
    assert qinghai["manager"].get(f"/cases/{qinghai['foreign'][0]}")["version"] == 1


@pytest.mark.parametrize("who", ["county", "auditor"])
def test_lists_hold_the_own_county_only(qinghai, who):
    client, own, foreign = qinghai[who], set(qinghai["own"]), set(qinghai["foreign"])
    for query in ({}, {"plan": "qinghai"}, {"plan": "qinghai", "stage": "registered"}, {"stage": "registered"},
                  {"plan": "qinghai", "region": "630000"}, {"region": "630122"}):
        found = listed(client, **query)
        assert own <= found and not foreign & found, query
    assert not listed(client, plan="qinghai", region="630105")
    assert not listed(client, q=qinghai["rows"][2]["户编号"]) and listed(client, q=qinghai["rows"][0]["户编号"])
    assert not listed(client, q=qinghai["rows"][2]["姓名"]) & foreign
    assert not listed(client, q=qinghai["rows"][2]["详细地址"])
    assert not listed(client, plan="tongxin")


def test_a_manager_of_another_plan_sees_nothing_of_this_one(qinghai):
    client = qinghai["other_plan"]
    assert not listed(client, plan="qinghai")
    assert not listed(client, plan="qinghai", stage="registered")
    client.get("/plans/qinghai/progress", expect=404, code="not_found")
    client.get("/plans/qinghai/progress", query={"as_of": "2030-01-01"}, expect=404)
    for by in ("county", "year", "month", "stage"):
        assert client.get("/plans/qinghai/totals", query={"by": by}).items == []
    assert client.get("/plans/qinghai/progress/cases", query={"measure": "in_registered"}).items == []


@pytest.mark.parametrize("who", ["county", "auditor"])
def test_figures_are_of_the_own_county(qinghai, who):
    client, manager = qinghai[who], qinghai["manager"]
    mine = client.progress("qinghai")
    assert mine["region"] == "630106"
    assert mine == manager.progress("qinghai", region="630106")
    assert mine["by_stage"]["registered"] == len(listed(client, plan="qinghai", stage="registered"))
    assert mine == client.progress("qinghai", region="630122")
    for foreign in ("630105", "630000", "630100", CHENGBEI):
        client.get("/plans/qinghai/progress", query={"region": foreign}, expect=404)
        client.get("/plans/qinghai/progress", query={"region": foreign, "as_of": "2030-01-01"}, expect=404)
        for by in ("county", "year", "month", "stage"):
            assert client.get("/plans/qinghai/totals", query={"by": by, "region": foreign}).items == []
        assert client.get("/plans/qinghai/progress/cases",
                          query={"measure": "in_registered", "region": foreign}).items == []
    assert [row["region"] for row in client.get("/plans/qinghai/totals", query={"by": "county"}).items] == ["630106"]
    opened = {row["id"] for row in client.pages("/plans/qinghai/progress/cases", measure="in_registered", limit=200)}
    assert opened == listed(client, plan="qinghai", stage="registered")


def test_people_are_found_in_the_own_county_only(qinghai):
    citizen = [row["残疾人证号"][:18] for row in qinghai["rows"]]
    find = "/persons/find"
    for who, sees in (("county", [True, False]), ("other_county", [False, True]), ("manager", [True, True]),
                      ("other_plan", [False, False]), ("auditor", [True, False])):
        for number, visible in zip((citizen[0], citizen[2]), sees):
            assert bool(qinghai[who].post(find, {"citizen_id": number}).items) is visible, who
    for who in ("centre", "assessor", "contractor"):
        qinghai[who].post(find, {"citizen_id": citizen[0]}, expect=403)


def test_imports_and_their_jobs_are_of_the_own_region(qinghai):
    rows = [needs.row("qinghai", **{"区划代码": CHENGBEI}), needs.row("qinghai", **{"区划代码": CHENGBEI, "改造需求": ""})]
    owner = qinghai["other_county"]
    number = owner.upload("qinghai", needs.to_csv(rows))
    wait_until(lambda: owner.get(f"/imports/{number}")["state"] == "done", 60)
    for who in ("county", "other_plan"):
        client = qinghai[who]
        client.get(f"/imports/{number}", expect=404)
        client.get(f"/imports/{number}/rejected", expect=404)
        client.post(f"/imports/{number}/cancel", {}, expect=404)
        assert number not in [one["id"] for one in client.pages("/imports", limit=200)]
        jobs = {job["id"] for job in client.pages("/jobs", kind="import", limit=200)}
        assert not jobs & {job["id"] for job in owner.pages("/jobs", kind="import", limit=200)}
    assert number in [one["id"] for one in qinghai["manager"].pages("/imports", limit=200)]


def test_a_contractor_has_its_own_orders_only(qinghai):
    manager, contractor, firm = qinghai["manager"], qinghai["contractor"], "firm-scope"
    other = qinghai["people"].contractor("firm-other")
    (order,) = bring_in_rows(manager, [needs.row("qinghai", **{"区划代码": HUANGZHONG})], "qinghai").values()
    walk(manager, order, "assigned", contractor=firm)
    assert listed(contractor) == {order} == listed(contractor, plan="qinghai") == listed(contractor, stage="assigned")
    assert not listed(contractor, stage="built") and not listed(contractor, plan="tongxin")
    assert not listed(other) and not listed(other, contractor=firm) and not listed(other, plan="qinghai")
    assert contractor.get(f"/cases/{order}")["contractor"] == firm
    assert contractor.get(f"/cases/{order}/events").items and contractor.get(f"/cases/{order}/persons").items
    other.get(f"/cases/{order}", expect=404)
    move(other, order, "building", expect=404)
    # q is narrowed to its orders too.
    number = contractor.get(f"/cases/{order}")["household_number"]
    assert listed(contractor, q=number) == {order} and not listed(other, q=number)
    contractor.get("/plans/qinghai/progress", expect=403)
    manager.post(f"/cases/{order}/reassignment", {"contractor": "firm-other", "reason": "试验"})
    contractor.get(f"/cases/{order}", expect=404)
    assert listed(other) == {order} and not listed(contractor)


def test_an_assessor_has_its_own_visits_only(qinghai):
    manager, assessor = qinghai["manager"], qinghai["assessor"]
    other = qinghai["people"].assessor("630000")
    (case,) = bring_in_rows(manager, [needs.row("qinghai", **{"区划代码": CHENGBEI})], "qinghai").values()
    walk(manager, case, "approved")
    assert not listed(assessor)
    move(assessor, case, "surveyed", expect=404)
    changed = manager.patch(f"/cases/{case}", {"assessor": assessor.user})
    assert changed["assessor"] == assessor.get("/session")["id"]
    assert listed(assessor) == {case} == listed(assessor, plan="qinghai", stage="approved") and not listed(other)
    assert listed(assessor, q=changed["household_number"]) == {case}
    move(other, case, "surveyed", expect=404)
    move(assessor, case, "surveyed")
    assessor.get("/plans/qinghai/progress", expect=403)
    manager.patch(f"/cases/{case}", {"assessor": other.user})
    assessor.get(f"/cases/{case}", expect=404)


def test_an_assessor_is_taken_from_the_region_only(qinghai):
    manager, case = qinghai["county"], qinghai["own"][0]
    far = qinghai["people"].assessor("640324")
    for name in (far.user, "nobody", manager.user):
        manager.patch(f"/cases/{case}", {"assessor": name}, expect=422, code="assessor_unknown")


def test_an_assessor_is_bound_to_its_region_too(qinghai):
    manager = qinghai["manager"]
    near = qinghai["people"].assessor("630106")
    (case,) = bring_in_rows(manager, [needs.row("qinghai", **{"区划代码": HUANGZHONG})], "qinghai").values()
    manager.patch(f"/cases/{case}", {"assessor": near.user})
    assert listed(near) == {case}
    manager.post(f"/cases/{case}/relocation", {"region": CHENGBEI, "village": "a", "address": "b"})
    assert not listed(near)
    near.get(f"/cases/{case}", expect=404)


def test_centres_and_administrators_have_no_case_data(qinghai, admin, contract):
    for client in (qinghai["centre"], admin):
        for path in ("/cases", f"/cases/{qinghai['own'][0]}", f"/cases/{qinghai['own'][0]}/persons",
                     "/plans/qinghai/progress", "/imports"):
            client.get(path, expect=403, code="role_not_allowed")


def test_a_county_cannot_move_a_household_out_of_its_reach(qinghai):
    county, case = qinghai["county"], qinghai["own"][1]
    body = {"region": CHENGBEI, "village": "a", "address": "b"}
    county.post(f"/cases/{case}/relocation", body, expect=403, code="region_foreign")
    assert county.get(f"/cases/{case}")["region"] == HUANGZHONG


# --- in the database ---

FOREIGN = {  # low, high, role, account, contractor, centre: what scope_set is given; accounts nobody has
    "nobody": ("", "", "", "", "", ""),
    "county": ("230602000", "230602999", "county", "900001", "", ""),
    "manager": ("230600000", "230699999", "manager", "900002", "", ""),
    "manager_without_range": ("", "", "manager", "900002", "", ""),
    "auditor": ("622900000", "622999999", "auditor", "900003", "", ""),
    "contractor": ("0", "999999999", "contractor", "900004", "900004", ""),
    "assessor": ("0", "999999999", "assessor", "900005", "", ""),
    "centre": ("0", "999999999", "centre", "900006", "", "900006"),
    "admin": ("0", "999999999", "admin", "900007", "", ""),
}
REFUSALS = {"42501", "TT001", "TT002", "TT005"}  # raised instead of answered: by a policy, by a trigger, by the lease

# What everybody may see of a plan; statements of figures say it beside zeros.
PLAN = {"code", "plan", "name_zh", "name_ko", "name_en", "region", "begins_on", "ends_on", "who_counts", "eligibility",
        "notice_days", "notice_before", "subsidy_ceiling", "looks_within", "version"}
ABOUT_PLAN = {"target", "as_of", "known_at", "exact", "plan", "region", "name", "year", "month", "stage"}


def cases_list(world, *more):
    return [None, None, None, None, None, 200, *more]


# name: (parameters that hit tongxin, columns that may say something though nothing is shown)
STATEMENTS = {
    "sign_in_begin": (lambda w: [w["user"], "\\x" + "ab" * 32, "\\x" + "cd" * 32, 5, 50, 100], ()),
    "sign_in_failed": (lambda w: [w["attempt"], 5, 100], ()),
    "session_open": (lambda w: ["\\x" + "ab" * 32, w["account"], 60, w["attempt"]], ()),
    "session_find": (lambda w: [w["token"]], ()),
    "session_close": (lambda w: [w["token"]], ()),
    "account_get": (lambda w: [w["account"]], ()),
    "account_named": (lambda w: [w["user"]], ()),
    "accounts_list": (lambda w: [None, 200], ()),
    "account_create": (lambda w: [None, None, "made", "hash", "manager", "640324", None, None], ()),
    "account_change": (lambda w: [None, None, w["account"], None, None, True, None], ()),
    "account_unlock": (lambda w: [None, None, w["account"]], ()),
    "account_events": (lambda w: [w["account"], None, 200], ()),
    "cases_of_stage": (lambda w: ["tongxin", "registered", None, None, None, 200], ()),
    "cases_of_plan": (lambda w: ["tongxin", None, None, None, None, 200], ()),
    "cases_counted": (lambda w: ["tongxin", None, None, None, None, 200, None, None], ()),
    "cases_of_contractor": (cases_list, ()),
    "cases_of_assessor": (cases_list, ()),
    "cases_of_region": (cases_list, ()),
    "cases_given_to": (lambda w: [None, None, None, w["firm"], None, 200], ()),
    "cases_search": (lambda w: cases_list(w, w["household_number"]), ()),
    "case_get": (lambda w: [w["case"]], ()),
    "case_transition": (lambda w: [None, None, w["case"], "approved", None, "why", None, None, None, None], ()),
    "case_take_back": (lambda w: [None, None, w["accepted"], "why", None], ()),
    "case_change": (lambda w: [None, None, w["case"], None, w["firm"], None, "true", 0], ()),
    "case_relocate": (lambda w: [None, None, w["case"], None, "640324100", "a", "b"], ()),
    "case_events": (lambda w: [w["case"], None, 200], ()),
    "case_persons": (lambda w: [w["case"], None, 200], ()),
    "person_find": (lambda w: [w["citizen"]], ()),
    "import_create": (lambda w: [None, None, "tongxin", "good_rows", "other-file", "csv_utf8", "\\x00", 1, 1], ()),
    "import_get": (lambda w: [w["import"]], ()),
    "imports_list": (lambda w: [None, None, 200], ()),
    "import_cancel": (lambda w: [None, None, w["import"]], {"stop_wanted"}),
    "import_file": (lambda w: [w["import"]], ()),
    "import_begin": (lambda w: [w["import"]], ()),
    "import_stage": (lambda w: [w["import"], "{9}", "{h}", "{640324101}", "{v}", "{a}", "{1}", "{1}", "{低保}", "{}", "{n}",
                                "{男}", "{户主}", r'{"\\x01"}', r'{"\\x01"}', "{NULL}", "{NULL}", "{1}", "{1}", "{1}",
                                "{NULL}", "{r}", "{坡道}", "{}", "{19600101}"], {"staged"}),
    "import_refuse": (lambda w: [w["import"], "{9}", "{cert_format}", "{姓名}", 9], ()),
    "import_settle": (lambda w: [w["import"]], ()),
    "import_register": (lambda w: [w["import"]], ()),
    "import_stop": (lambda w: [w["import"], "failed", "import_gave_up", "why"], ()),
    "job_claim": (lambda w: ["imports", 10, "thief", 60, 7], ()),
    "job_complete": (lambda w: [f"{{{w['running']}}}", f"{{{w['running_token']}}}"], ()),
    "job_give_back": (lambda w: [f"{{{w['running']}}}", f"{{{w['running_token']}}}"], ()),
    "job_finish": (lambda w: [w["running"], w["running_token"]], ()),
    "job_hold": (lambda w: [w["running"], w["running_token"], 60], ()),
    "job_fail": (lambda w: [w["running"], w["running_token"], "why", True], ()),
    "job_extend": (lambda w: [f"{{{w['running']}}}", f"{{{w['running_token']}}}", 60], ()),
    "job_rescue": (lambda w: [], ()),
    "job_next": (lambda w: ["{imports,totals}"], ()),
    "jobs_list": (lambda w: [None, None, None, 200], ()),
    "job_get": (lambda w: [w["dead"]], ()),
    "job_retry": (lambda w: [None, None, w["dead"]], ()),
    "overdue_scan": (lambda w: [], ()),
    "stage_overdue": (lambda w: [w["case"], 0], ()),
    "outbox_list": (lambda w: [None, None, 200], ()),
    "clean_up": (lambda w: [], ()),
    "uploads_give_up": (lambda w: [1, 730118], {"installation"}),
    "uploads_judge": (lambda w: ["{a-file,old-file}"], {"name"}),
    "uploads_missing": (lambda w: ["{}"], ()),
    "plan_create": (lambda w: [None, None, "thief", "a", None, None, "640324", "2026-01-01", "2027-01-01", "a", "any", None,
                               None, None], ()),
    "plan_change": (lambda w: [None, None, "tongxin", None, "a", None, None, None, None, None, None, None, None,
                               None, None], PLAN),
    "indicator_put": (lambda w: [None, None, "tongxin", "households", "a", None, None, "household", 1, "at_least", "period",
                                 True, None, None, None], ()),
    "plan_gate_put": (lambda w: [None, None, "tongxin", "order", False, "why"], {"code", "stages", "closed", "note"}),
    "targets_put": (lambda w: [None, None, "tongxin", "households", None, '[{"year": 2024, "value": 1}]'],
                    {"indicator", "target", "version"}),
    "region_create": (lambda w: [None, None, "640324999", "a", "640324"], ()),
    "region_recode": (lambda w: [None, None, "640324", None, "640399", None], {"code", "name", "level", "parent", "version"}),
    "idempotency_find": (lambda w: [w["key"]], ()),
    "progress": (lambda w: ["tongxin", None], ABOUT_PLAN),
    "progress_as_of": (lambda w: ["tongxin", None, "2030-01-01", None], ABOUT_PLAN),
    "totals_by_county": (lambda w: ["tongxin", None], ABOUT_PLAN),
    "totals_by_year": (lambda w: ["tongxin", None], ABOUT_PLAN),
    "totals_by_month": (lambda w: ["tongxin", None], ABOUT_PLAN),
    "totals_by_stage": (lambda w: ["tongxin", None], ABOUT_PLAN),
    "progress_cases": (lambda w: ["tongxin", None, "in_registered", None, None, None, 200], ()),
    "queue_figures": (lambda w: ["{imports,totals}"], {"queue", "due", "later", "running", "dead", "oldest_seconds"}),
    "verify_totals": (lambda w: [], ()),
    "verify_counts": (lambda w: [], ()),
}
STATEMENTS |= scope_rows.merged("STATEMENTS", dict)
# Not run: there is nothing foreign in what they show.
EXCEPTED = {
    "scope_set": "sets the scope itself",
    "database_answers": "the clock", "replica_beat": "the clock", "replica_heard": "a replica's last commit",
    "doctor": "for the system alone: counts, sizes and rights, and one sealed number",
    "regions_list": "public: the same for everybody", "region_get": "public: the same for everybody",
    "transition_rules": "public: the rules are no secret",
    "contractors_list": "names of firms, for everybody who signs in",
    "plans_list": "plans are no secret within the service", "plan_gates": "rules of plans, likewise",
    "plan_get": "plans are no secret within the service",
    "targets_get": "targets are no secret within the service",
    "import_regions": "region codes only",
    "load_regions": "run by tantu_owner in `tantu migrate`", "load_lineage": "run by tantu_owner in `tantu migrate`",
    "load_plans": "run by tantu_owner in `tantu migrate`", "load_administrator": "run by tantu_owner in `tantu migrate`",
    "load_administrator_wanted": "run by tantu_owner in `tantu migrate`",
    "fold_figures": "how many moves and how old, of the whole service; asked by the service itself only",
    "schema_standing": "numbers of migrations", "schema_applied": "run by tantu_owner in `tantu migrate`",
    "schema_programs": "run by tantu_owner in `tantu migrate`", "schema_holders": "run by tantu_owner in `tantu migrate`",
    **{name: "run by tantu_owner (or the scratch cluster's superuser) in backup, restore, backup prove" for name in
       ("backup_hold", "backup_snapshot", "backup_figures", "backup_uploads", "backup_photos", "backup_identities", "backup_made", "backup_proved",
        "restore_target", "restore_renew", "scratch_owner", "scratch_app", "scratch_database")},
    "uploads_swept": "how many files are missing, of the whole service; asked by the service itself only",
    "installation_figures": "when backups were made, of the whole service; asked by the service itself only",
    "totals_fold": "moves deltas of all regions into totals, which changes no figure; tells only how many",
}
EXCEPTED |= scope_rows.merged("EXCEPTED", dict)
# What is an administrator's to see and do: accounts and sessions, the queue, plans and regions (SPEC §1).
ADMINISTRATORS = {
    "sign_in_begin", "sign_in_failed", "account_unlock", "account_events", "session_open", "session_find", "session_close", "account_get", "account_named",
    "accounts_list", "account_create",
    "account_change", "clean_up", "job_claim", "job_complete", "job_give_back", "job_finish", "job_hold", "job_fail", "job_extend",
    "job_rescue", "job_next",
    "jobs_list", "job_get", "job_retry", "plan_create", "plan_change", "indicator_put", "targets_put", "region_create",
    "region_recode", "plan_gate_put"} | scope_rows.merged("ADMINISTRATORS", set)

PUBLIC_TABLES = {
    "schema_version": "numbers of migrations", "installation": "a number of its own", "backup_record": "names and times",
    "region": "names of places", "region_code": "names of places",
    "contractor": "names of firms", "eligibility_rule": "rules", "hardship": "rules",
    "transition_rule": "rules", "stage_name": "rules", "case_gate": "rules", **scope_rows.merged("PUBLIC_TABLES", dict)}
# Protected against writing, but to be read by everybody.
READ_BY_ALL = {"plan", "indicator", "target_split", "measure"} | scope_rows.merged("READ_BY_ALL", set)


@pytest.fixture(scope="module")
def tongxin(cluster, database, contract):
    """A database of its own, where plan tongxin has something in every table; nothing runs on it any more."""
    own = cluster.new_database().migrate()
    server = Program(own, "serve").start()
    admin = Client(server, contract).sign_in("admin", ADMIN_PASSWORD)
    people = People(admin)
    manager, firm, assessor = people.manager("640324"), people.contractor("firm"), people.assessor("640324")
    people.centre("centre")
    rows = [needs.row("tongxin", **{"辅具需求": "轮椅"}) for _ in range(4)]
    cases = list(bring_in_rows(manager, rows).values())
    walk(manager, cases[1], "accepted", contractor="firm")
    manager.patch(f"/cases/{cases[1]}", {"assessor": assessor.user})
    move(manager, cases[2], "approved", key="a-key-of-tongxin")
    manager.get(f"/cases/{cases[0]}/persons")
    admin.put("/plans/tongxin/targets/households", {"items": [{"year": 2023, "value": 5}]})
    admin.put("/plans/tongxin/gates/notice", {"closed": False, "note": "试验"})
    for module in scope_rows.MODULES:
        if hasattr(module, "fill"):
            module.fill(manager, admin, cases, people)
    for client in (admin, *people.made):
        client.close()
    server.stop()
    with own.connect("super") as connection, connection.cursor() as cursor:
        cursor.execute(WORLD)
        cursor.execute(scope_rows.merged("WORLD", str) or "SELECT")
        cursor.execute("""SELECT id, (SELECT running FROM world), (SELECT token FROM world), (SELECT dead FROM world),
            (SELECT import FROM world), (SELECT attempt FROM world) FROM account WHERE name = %s""", (manager.user,))
        account, running, token, dead, number, attempt = cursor.fetchone()
        cursor.execute("DROP TABLE world; SELECT encode(token_hash, 'hex') FROM session WHERE account_id = %s", (account,))
        session = cursor.fetchone()[0]
        cursor.execute("SELECT encode(citizen_id_index, 'hex') FROM person LIMIT 1")
        citizen = cursor.fetchone()[0]
        cursor.execute("SELECT max(id) FROM person")
        person = cursor.fetchone()[0]
        cursor.execute("SELECT version FROM retrofit_case WHERE id = %s", (cases[0],))
        version = cursor.fetchone()[0]
    yield {"database": own, "user": manager.user, "account": account, "token": "\\x" + session, "case": cases[0],
           "case_version": version, "accepted": cases[1], "household_number": rows[0]["户编号"], "firm": "firm",
           "citizen": "\\x" + citizen, "person": person, "import": number, "running": running, "running_token": token, "dead": dead,
           "attempt": attempt, "key": "a-key-of-tongxin"}


# Rows that only a moment of a running server would show: a staged import, jobs in every state, a reminder, an ended session.
WORLD = """
SELECT totals_fold(3);
INSERT INTO total_delta (plan_id, region, to_stage, moved_on, recorded_on, counted, n)
SELECT plan_id, region, stage, stage_on, stage_on, 0, 0 FROM retrofit_case LIMIT 1; -- the server may have folded all there was
INSERT INTO needs_import (plan_id, plan_region, account_id, region, low, high, mode, file, format, fingerprint, bytes, state, rows)
SELECT p.id, 640324000, (SELECT min(id) FROM account WHERE role = 'manager'), 640324000, 640324000, 640324999, 'good_rows', 'a-file',
    'csv_utf8', 'x', 1, 'running', 3 FROM plan p WHERE code = 'tongxin';
INSERT INTO needs_import (plan_id, plan_region, account_id, region, low, high, mode, file, format, fingerprint, bytes, state, rows,
    created_at, finished_at)
SELECT plan_id, plan_region, account_id, region, low, high, mode, 'old-file', format, fingerprint, bytes, 'done', rows,
    now() - interval '1 year', now() - interval '1 year' FROM needs_import WHERE file = 'a-file';
INSERT INTO import_row (import_id, number, household_number, region, village, address, hardship, traits, name, sex, relation,
    citizen_id, citizen_id_index, category, level, phone, remark, retrofit, devices)
SELECT id, 1, 'staged', 640324101, 'v', 'a', '低保', '{}', 'n', '男', '户主', 'x', 'x', 4, 1, '', '', '{坡道}', '{}'
FROM needs_import WHERE file = 'a-file';
INSERT INTO import_refusal SELECT id, 2, 'cert_format', '残疾人证号' FROM needs_import WHERE file = 'a-file';
INSERT INTO job (queue, kind, region, state, lease_token, lease_until, worker) VALUES
    ('imports', 'import', 640324000, 'running', 900001, now() + interval '1 day', 'w'),
    ('imports', 'import', 640324000, 'running', 900002, now() - interval '1 day', 'w');
INSERT INTO job (queue, kind, region, state, payload, finished_at) VALUES
    ('imports', 'import', 640324000, 'dead', '{"import": 0}', now()), ('imports', 'import', 640324000, 'done', '{}', now() - interval '30 days');
INSERT INTO job (queue, kind, region) VALUES ('imports', 'import', 640324000);
INSERT INTO backup_record VALUES ('a-backup', now(), 1, now());
INSERT INTO outbox (kind, region, case_id, case_version, content) VALUES ('stage_overdue', 640324101, 1, 1, '{}');
INSERT INTO session (token_hash, account_id, expires_at)
SELECT decode(repeat('cd', 32), 'hex'), id, now() - interval '1 day' FROM account WHERE role = 'manager';
INSERT INTO sign_in_attempt (account_key, address_key, account_id)
SELECT decode(repeat('ab', 32), 'hex'), decode(repeat('cd', 32), 'hex'), id FROM account WHERE role = 'manager';
INSERT INTO account_event (account_id, what) SELECT id, 'locked_out' FROM account WHERE role = 'manager';
INSERT INTO measure (code, kind, name_zh, name_ko, name_en, unit) VALUES ('a_measure', 'retrofit', 'a', 'a', 'a', '件') ON CONFLICT DO NOTHING;
INSERT INTO case_item (plan_region, case_id, number, room, measure, kind, name, unit, quantity, price)
SELECT plan_region, id, 900, 'a', 'a_measure', 'retrofit', 'a', '件', 1, 1 FROM retrofit_case ORDER BY id LIMIT 1;
INSERT INTO photo (hash, kind, bytes, width, height) VALUES (decode(repeat('ef', 32), 'hex'), 'jpeg', 1, 1, 1);
INSERT INTO case_photo (plan_region, id, case_id, slot, item, photo, taken_at, account_id)
SELECT plan_region, id_in(plan_region, 'case_photo_number'), id, 'before', 900, decode(repeat('ef', 32), 'hex'), now(), 1
FROM retrofit_case ORDER BY id LIMIT 1;
CREATE TABLE world AS SELECT (SELECT id FROM job WHERE lease_token = 900001) AS running, 900001 AS token,
    (SELECT id FROM job WHERE state = 'dead') AS dead, (SELECT max(id) FROM sign_in_attempt) AS attempt, (SELECT id FROM needs_import WHERE file = 'a-file') AS import
"""

# What this transaction has written so far, as PostgreSQL counts it: much quicker than to sum every table up.
WRITES = "SELECT relid, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_all_tables WHERE schemaname = 'public' ORDER BY 1"
SCOPE_SET = re.sub(r"\$\d", "%s", statements()["scope_set"].text)
TABLES = """SELECT c.relname, c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1"""


class Foreigner:
    """A connection that is tantu_app inside a transaction, and the superuser again to look at what it did."""

    def __init__(self, database):
        self.connection = psycopg2.connect(database.conninfo("super"))
        self.cursor = self.connection.cursor()
        self.cursor.execute(TABLES)
        self.tables = dict(self.cursor.fetchall())
        self.sum = " UNION ALL ".join(
            f"SELECT '{table}', count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t" for table in self.tables)
        self.before = self.everything()

    def everything(self):
        self.cursor.execute(self.sum)
        return {table: (count, total) for table, count, total in self.cursor.fetchall()}

    def written(self):
        self.cursor.execute(WRITES)
        return self.cursor.fetchall()

    def put_on(self, scope):
        self.connection.rollback()
        self.writes = self.written()
        self.cursor.execute("SET LOCAL ROLE tantu_app")
        if scope != "nobody":
            self.cursor.execute(SCOPE_SET, FOREIGN[scope])

    def run(self, statement, values):
        """Its rows as dicts, or the SQLSTATE."""
        literals = ", ".join(self.cursor.mogrify("%s", (value if value is None else str(value),)).decode("utf-8")
                             for value in values)
        self.cursor.execute("SAVEPOINT before")
        try:
            self.cursor.execute(f"PREPARE under_test AS {statement.text}")
            self.cursor.execute(f"EXECUTE under_test{f'({literals})' if literals else ''}")
            columns = [column.name for column in self.cursor.description]
            return [dict(zip(columns, row)) for row in self.cursor.fetchall()]
        except psycopg2.Error as error:
            self.cursor.execute("ROLLBACK TO before")
            return error.pgcode
        finally:
            self.cursor.execute("DEALLOCATE ALL")

    def changed(self):
        """Tables that differ from before; then everything is undone."""
        self.cursor.execute("RESET ROLE")
        if self.written() == self.writes:
            self.connection.rollback()
            return []
        after = self.everything()
        self.connection.rollback()
        return sorted(table for table in after if after[table] != self.before[table])


@pytest.fixture(scope="module")
def foreigner(tongxin):
    foreigner = Foreigner(tongxin["database"])
    yield foreigner
    foreigner.connection.close()


@pytest.mark.parametrize("write", ["UPDATE plan SET who_counts = who_counts || '!' WHERE code = 'tongxin'", "DELETE FROM outbox",
                                   "INSERT INTO hardship VALUES ('new', true)"])
def test_a_write_would_be_noticed(foreigner, write):
    foreigner.put_on("nobody")
    foreigner.cursor.execute(f"RESET ROLE; {write}")
    assert foreigner.changed() == [re.search("plan|outbox|hardship", write)[0]]
    foreigner.put_on("nobody")
    assert foreigner.changed() == []


def told(rows, may):
    """What the rows tell: values that are neither nothing nor a refusal's."""
    return [f"{name}={value!r}" for row in rows for name, value in row.items()
            if not name.startswith("_") and name not in may and value not in (None, 0, False, [], "", "0")]


@pytest.mark.parametrize("name", statements())
def test_a_statement_under_a_foreign_scope_shows_and_changes_nothing(tongxin, foreigner, name):
    statement = statements()[name]
    if name in EXCEPTED:
        assert name not in STATEMENTS
        pytest.skip(EXCEPTED[name])
    assert not statement.public, "a public statement belongs into EXCEPTED, with its reason"
    assert name in STATEMENTS, "a new statement: give it parameters that hit rows of tongxin"
    parameters, may = STATEMENTS[name]
    values = parameters(tongxin)
    assert len(values) == statement.parameters, f"it takes {statement.parameters} parameters"
    for scope in FOREIGN:
        if scope == "admin" and name in ADMINISTRATORS:
            continue
        foreigner.put_on(scope)
        result = foreigner.run(statement, values)
        if isinstance(result, str):
            assert result in REFUSALS, f"{scope}: SQLSTATE {result}"
        else:
            assert not told(result, may), f"{scope}: {told(result, may)[:10]}"
            for row in result:
                assert row.get("_verdict", "none") is not None, f"{scope}: not refused: {row}"
        assert not foreigner.changed(), scope


@pytest.mark.parametrize("name", [name for name in STATEMENTS if name.startswith(("case", "progress", "totals"))])
def test_the_same_parameters_do_show_it_to_whom_it_belongs(tongxin, foreigner, name):
    """Otherwise the test above would prove nothing."""
    if name in ("cases_of_contractor", "cases_of_assessor", "case_take_back"):
        pytest.skip("somebody else's")
    foreigner.connection.rollback()
    foreigner.cursor.execute("SET LOCAL ROLE tantu_app")
    foreigner.cursor.execute(SCOPE_SET, ("640324000", "640324999", "manager", str(tongxin["account"]), "", ""))
    parameters, may = STATEMENTS[name]
    result = foreigner.run(statements()[name], parameters(tongxin))
    foreigner.connection.rollback()
    assert not isinstance(result, str) and told(result, may), result


def test_no_statement_is_listed_that_is_not_there():
    assert set(STATEMENTS) | set(EXCEPTED) <= set(statements())


def test_every_table_is_protected_or_public_by_name(foreigner):
    assert {table for table, protected in foreigner.tables.items() if not protected} == set(PUBLIC_TABLES)


def test_tongxin_has_rows_in_every_table(foreigner):
    assert not [table for table, (count, _) in foreigner.before.items() if count == 0]


@pytest.mark.parametrize("scope", FOREIGN)
def test_a_plain_select_under_a_foreign_scope_is_empty(foreigner, scope):
    seen = {}
    for table, protected in foreigner.tables.items():
        if not protected or table in READ_BY_ALL or \
                (scope == "admin" and table in ("account", "session", "job", "sign_in_attempt", "account_event", "plan_gate_event")):
            continue
        foreigner.put_on(scope)
        foreigner.cursor.execute(f'SELECT count(*) FROM "{table}"')
        seen[table] = foreigner.cursor.fetchone()[0]
    foreigner.connection.rollback()
    assert len(seen) > 10
    assert not {table: count for table, count in seen.items() if count}


@pytest.mark.parametrize("view", ["delta_effect", "event_effect", "household_standing", *scope_rows.merged("VIEWS", list)])
@pytest.mark.parametrize("scope", FOREIGN)
def test_a_view_is_no_way_around(foreigner, view, scope):
    foreigner.put_on(scope)
    foreigner.cursor.execute(f"SELECT count(*) FROM {view}")
    assert foreigner.cursor.fetchone()[0] == 0


@pytest.mark.parametrize("table, change", [
    ("retrofit_case", "UPDATE retrofit_case SET village = 'x'"), ("household", "UPDATE household SET village = 'x'"),
    ("needs_import", "UPDATE needs_import SET state = 'failed'"), ("job", "UPDATE job SET state = 'cancelled' WHERE state = 'queued'"),
    ("import_row", "DELETE FROM import_row"), ("import_refusal", "DELETE FROM import_refusal"),
    ("session", "DELETE FROM session"), ("account", "UPDATE account SET disabled_at = now()"),
    ("idempotency", "DELETE FROM idempotency"), ("outbox", "UPDATE outbox SET sent_at = now()"),
    ("plan", "UPDATE plan SET name_zh = 'x'"), ("indicator", "UPDATE indicator SET target = 1"),
    ("target_split", "UPDATE target_split SET value = 1"), ("target_split", "DELETE FROM target_split")])
def test_a_write_without_a_where_touches_nothing_foreign(foreigner, table, change):
    for scope in FOREIGN:
        if scope == "admin" and table in ("job", "session", "account", "plan", "indicator", "target_split"):
            continue
        foreigner.put_on(scope)
        foreigner.cursor.execute(change if scope != "manager" or table not in ("plan", "indicator", "target_split") else
                                 change + (" WHERE " if "WHERE" not in change else " AND ") +
                                 ("code = 'tongxin'" if table == "plan" else
                                  "plan_id = (SELECT id FROM plan WHERE code = 'tongxin')"))
        assert foreigner.cursor.rowcount == 0, scope
        assert not foreigner.changed(), scope
