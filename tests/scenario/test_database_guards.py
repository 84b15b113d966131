# SPDX-License-Identifier: Apache-2.0
"""The database refuses by itself, whoever writes: everything here is SQL as tantu_app, past all of our C."""
import contextlib

import psycopg2
import pytest
from client import Client
from conftest import People
from processes import ADMIN_PASSWORD, Program
from stages import DAYS, STAGES, bring_in, walk

RULE, PERMISSION = "TT001", "42501"


@pytest.fixture(scope="module")
def world(cluster, database, contract):
    """A database of its own with cases of tongxin; its server has stopped. Each test undoes what it did."""
    own = cluster.new_database().migrate()
    server = Program(own, "serve").start()
    admin = Client(server, contract).sign_in("admin", ADMIN_PASSWORD)
    people = People(admin)
    manager, other, county = people.manager("640324"), people.manager("640324"), people.county("640324")
    cases = dict(zip(["registered", "approved", "accepted", "closed", "suspended", "not_eligible"], bring_in(manager, 5)))
    for stage in ("approved", "accepted", "closed", "suspended"):
        walk(manager, cases[stage], stage)
    (cases["not_eligible"],) = bring_in(manager, 1, **{"残疾等级": "四级"})
    accounts = {client.user: client.get("/session")["id"] for client in (manager, other, county)}
    for client in people.made:
        client.close()
    server.stop()
    return {"database": own, **cases, "manager": accounts[manager.user], "other": accounts[other.user],
            "county": accounts[county.user]}


class Session:
    """A transaction of tantu_app in the scope of somebody of tongxin; `fails` expects an SQLSTATE."""

    def __init__(self, world, role, account):
        self.connection = psycopg2.connect(world["database"].conninfo("app"))
        self.cursor = self.connection.cursor()
        for name, value in (("low", 640324000), ("high", 640324999), ("role", role), ("account", account)):
            self("SELECT set_config(%s, %s, true)", f"tantu.{name}", str(value))

    def __call__(self, statement, *values):
        self.cursor.execute(statement, values or None)
        return self.cursor.fetchall() if self.cursor.description else self.cursor.rowcount

    def fails(self, sqlstate, statement, *values, says=""):
        self("SAVEPOINT before")
        with pytest.raises(psycopg2.Error) as refused:
            self(statement, *values)
        assert refused.value.pgcode == sqlstate, refused.value
        assert says in str(refused.value)
        self("ROLLBACK TO before")

    def move(self, case, stage, at="now()", note=""):
        return self(f"UPDATE retrofit_case SET stage = %s, stage_at = {at}, stage_note = %s, takes_back = NULL WHERE id = %s",
                    stage, note, case)

    def case(self, case):
        return dict(zip(["stage", "version", "accepted_on", "resume_stage", "stage_at", "stage_on", "exception_note"], self(
            "SELECT stage, version, accepted_on, resume_stage, stage_at, stage_on, exception_note FROM retrofit_case "
            "WHERE id = %s", case)[0]))


@contextlib.contextmanager
def signed_in(world, role="manager", account=None):
    session = Session(world, role, world[account or role])
    try:
        yield session
    finally:
        session.connection.rollback()
        session.connection.close()


@pytest.fixture
def manager(world):
    with signed_in(world) as session:
        yield session


def test_every_jump_from_registered_is_refused(world, manager):
    for stage in STAGES[2:9] + ["rework"]:
        manager.fails(RULE, "UPDATE retrofit_case SET stage = %s, stage_at = now(), stage_note = 'x' WHERE id = %s", stage,
                      world["registered"], says="stage_not_allowed")
    assert manager.move(world["registered"], "approved") == 1


def test_many_at_once_are_refused_at_once(manager):
    manager.fails(RULE, "UPDATE retrofit_case SET stage = 'accepted', stage_at = now()")


def test_a_move_without_its_reason_is_refused(world, manager):
    for note in ("", "   ", "\n\t"):
        if note.strip(" ") == "":
            manager.fails(RULE, "UPDATE retrofit_case SET stage = 'withdrawn', stage_note = %s WHERE id = %s", note,
                          world["registered"], says="note_required")
    manager.move(world["registered"], "withdrawn", note="搬走")


@pytest.mark.parametrize("column, value", [
    ("version", "99"), ("accepted_on", "'2023-01-01'"), ("stage_on", "'2023-01-01'"), ("resume_stage", "'built'"),
    ("exception_note", "'x'"), ("plan_id", "1"), ("id", "1"), ("household_id", "1"), ("plan_region", "110000000"),
    ("created_at", "now()"), ("household_number", "'x'")])
def test_what_the_trigger_writes_cannot_be_written(world, manager, column, value):
    manager.fails(PERMISSION, f"UPDATE retrofit_case SET {column} = {value} WHERE id = %s", world["registered"])
    manager.fails(PERMISSION, f"UPDATE retrofit_case SET stage = 'approved', {column} = {value} WHERE id = %s",
                  world["registered"])


def test_the_time_of_a_stage_cannot_be_forged_without_a_move(world, manager):
    before = manager.case(world["accepted"])
    manager("UPDATE retrofit_case SET stage_at = '2001-01-01', stage_note = 'forged', takes_back = 1 WHERE id = %s", world["accepted"])
    after = manager.case(world["accepted"])
    assert after.pop("version") == before.pop("version") + 1
    assert after == before


def test_a_case_opens_as_registered_only(world, manager):
    insert = """INSERT INTO retrofit_case (plan_region, id, plan_id, household_id, household_number, householder, region, village,
        stage, stage_at, stage_on, eligible, eligibility_reasons, accepted_on, version)
        SELECT h.plan_region, id_in(h.plan_region, 'case_number'), (SELECT id FROM plan WHERE code = 'daqing'), h.id, h.number, '*',
            h.region, h.village, %s, now(), current_date, true, '{}', %s, %s FROM household h
        WHERE h.id = (SELECT household_id FROM retrofit_case WHERE id = %s)"""
    manager.fails(RULE, insert, "approved", None, 1, world["registered"])
    manager.fails(RULE, insert, "accepted", "2023-01-01", 1, world["registered"])
    manager.fails(RULE, insert, "registered", None, 7, world["registered"])
    manager.fails(RULE, insert, "registered", "2023-01-01", 1, world["registered"])
    assert manager(insert, "registered", None, 1, world["registered"]) == 1
    # One case a household a plan.
    manager.fails("23505", insert, "registered", None, 1, world["registered"])


def test_a_case_cannot_be_opened_in_a_foreign_region(world, manager):
    manager.fails(PERMISSION, """INSERT INTO retrofit_case (plan_region, id, plan_id, household_id, household_number, householder,
        region, village, stage_at, stage_on, eligible, eligibility_reasons)
        SELECT h.plan_region, 1, (SELECT id FROM plan WHERE code = 'daqing'), h.id, h.number, '*', 230602000, h.village, now(),
            current_date, true, '{}' FROM household h WHERE h.id = (SELECT household_id FROM retrofit_case WHERE id = %s)""",
                  world["registered"])
    manager.fails(PERMISSION, "UPDATE retrofit_case SET region = 230602000 WHERE id = %s", world["registered"])


def test_a_move_cannot_change_the_region_on_the_way(world, manager):
    manager.fails(RULE, "UPDATE retrofit_case SET stage = 'approved', stage_at = now(), region = 640324101 + 1 WHERE id = %s",
                  world["registered"], says="region")


@pytest.mark.parametrize("table", ["case_event", "total", "total_history", "total_delta"])
def test_events_and_totals_are_not_to_be_written(manager, table):
    column = {"case_event": "note", "total": "n", "total_history": "n", "total_delta": "n"}[table]
    manager.fails(PERMISSION, f"UPDATE {table} SET {column} = {column}")
    manager.fails(PERMISSION, f"DELETE FROM {table}")
    manager.fails(PERMISSION, f"INSERT INTO {table} DEFAULT VALUES")
    manager.fails(PERMISSION, f"TRUNCATE {table}")
    assert manager(f"SELECT count(*) FROM {table}")[0][0] >= 0


@pytest.mark.parametrize("table", ["retrofit_case", "household", "person", "need", "account", "plan", "indicator", "region",
                                   "needs_import", "access_record", "outbox"])
def test_nothing_is_deleted(manager, table):
    manager.fails(PERMISSION, f"DELETE FROM {table}")


@pytest.mark.parametrize("table", ["person", "need", "transition_rule", "eligibility_rule", "hardship", "access_record",
                                   "schema_version", "idempotency", "session"])
def test_what_is_written_once_stays(manager, table):
    column = manager("SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_identity = 'NO' LIMIT 1", table)
    column = column[0][0] if column else "version"
    manager.fails(PERMISSION, f"UPDATE {table} SET {column} = {column}")


@pytest.mark.parametrize("statement", [
    "CREATE TABLE x (a int)", "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP TABLE case_event",
    "ALTER TABLE retrofit_case DISABLE TRIGGER case_updates", "ALTER TABLE retrofit_case DISABLE ROW LEVEL SECURITY",
    "DROP POLICY scope ON retrofit_case", "DROP TRIGGER case_updates ON retrofit_case", "SET session_replication_role = replica",
    "CREATE SCHEMA x", "TRUNCATE retrofit_case", "SET ROLE tantu_owner",
    "SET SESSION AUTHORIZATION tantu_owner", "CREATE OR REPLACE FUNCTION scope_low() RETURNS int LANGUAGE sql AS 'SELECT 0'",
    "ALTER FUNCTION case_refusal OWNER TO tantu_app", "CREATE EXTENSION plpython3u", "COPY plan TO PROGRAM 'cat'",
    "CREATE TEMP TABLE case_event (a int)"])
def test_no_schema_is_changed(manager, statement):
    with pytest.raises(psycopg2.Error) as refused:
        manager(statement)
    assert refused.value.pgcode in ("42501", "0A000", "58P01"), refused.value


def test_nobody_grants_himself_a_right(manager):
    manager("GRANT ALL ON case_event TO tantu_app") # a warning only
    manager.fails(PERMISSION, "UPDATE case_event SET note = note")


def test_an_approval_without_eligibility_needs_a_manager_and_a_reason(world, manager):
    case = world["not_eligible"]
    manager.fails(RULE, "UPDATE retrofit_case SET stage = 'approved', stage_at = now() WHERE id = %s", case, says="not_eligible")
    with signed_in(world, "county") as county:
        county.fails(RULE, "UPDATE retrofit_case SET stage = 'approved', stage_at = now(), stage_note = 'x' WHERE id = %s", case,
                     says="not_eligible")
    manager.move(case, "approved", note="特殊情况")
    assert manager.case(case)["exception_note"] == "特殊情况"


def test_only_a_manager_revokes(world, manager):
    for case in (world["accepted"], world["closed"]):
        with signed_in(world, "county") as county:
            county.fails(RULE, "UPDATE retrofit_case SET stage = 'built', stage_at = now(), stage_note = 'x' WHERE id = %s", case,
                         says="role_not_allowed")
        manager.fails(RULE, "UPDATE retrofit_case SET stage = 'built', stage_at = now(), stage_note = '' WHERE id = %s", case,
                      says="note_required")
        manager.move(case, "built", note="不合格")
        assert manager.case(case)["accepted_on"] is None


@pytest.mark.parametrize("role", ["auditor", "centre", "admin", "nobody", ""])
def test_other_roles_move_nothing(world, role):
    with signed_in(world, account="manager") as session:
        session("SELECT set_config('tantu.role', %s, true)", role)
        if role == "auditor":
            session.fails(RULE, "UPDATE retrofit_case SET stage = 'approved', stage_at = now() WHERE stage = 'registered'",
                          says="role_not_allowed")
        else:
            assert session("UPDATE retrofit_case SET stage = 'approved', stage_at = now() WHERE stage = 'registered'") == 0


def test_a_suspended_case_returns_only_to_where_it_was(world, manager):
    case = world["suspended"]
    assert manager.case(case)["resume_stage"] == "approved"
    for stage in STAGES:
        if stage not in ("approved", "withdrawn", "suspended"):
            manager.fails(RULE, "UPDATE retrofit_case SET stage = %s, stage_at = now(), stage_note = 'x' WHERE id = %s", stage, case,
                          says="stage_not_allowed")
    manager.move(case, "approved")
    assert manager.case(case)["resume_stage"] is None


TAKE_BACK = "UPDATE retrofit_case SET stage = %s, stage_at = now(), stage_note = '', takes_back = %s WHERE id = %s"


def test_a_take_back_is_the_actors_own_and_the_last(world, manager):
    case = world["accepted"]
    version = manager.case(case)["version"]
    with signed_in(world, "manager", "other") as other:
        other.fails(RULE, TAKE_BACK, "built", version, case, says="not_your_action")
    manager.fails(RULE, TAKE_BACK, "built", version - 1, case, says="nothing_to_take_back")
    manager.fails(RULE, TAKE_BACK, "building", version, case, says="nothing_to_take_back")
    manager(TAKE_BACK, "built", version, case)
    assert manager.case(case)["stage"] == "built" and manager.case(case)["accepted_on"] is None
    # Once; not the step before it as well.
    manager.fails(RULE, TAKE_BACK, "building", version + 1, case, says="nothing_to_take_back")


def test_a_withdrawal_taken_back_leaves_the_case_suspended_as_it_was(world, manager):
    case = world["suspended"]
    manager.move(case, "withdrawn", note="x")
    manager(TAKE_BACK, "suspended", manager.case(case)["version"], case)
    assert manager.case(case)["resume_stage"] == "approved"
    manager.move(case, "approved")
    manager(TAKE_BACK, "suspended", manager.case(case)["version"], case)
    assert manager.case(case)["resume_stage"] == "approved"


def test_time_runs_forward(world, manager):
    case = world["approved"]
    move = "UPDATE retrofit_case SET stage = 'surveyed', stage_at = {} WHERE id = %s"
    manager.fails(RULE, move.format("now() + interval '1 hour'"), case, says="happened_in_future")
    manager.fails(RULE, move.format(f"timestamptz '{DAYS['approved']}' - interval '2 days'"), case, says="happened_before_last")
    manager.fails("23502", move.format("NULL"), case)
    manager.move(case, "surveyed", at=f"timestamptz '{DAYS['surveyed']}'")


def test_the_notice_must_be_over(world, manager):
    manager("UPDATE plan SET notice_days = 7 WHERE code = 'tongxin'")
    move = "UPDATE retrofit_case SET stage = 'surveyed', stage_at = timestamptz '{}' WHERE id = %s"
    manager.fails(RULE, move.format("2023-03-07T02:00:00Z"), world["approved"], says="notice_not_over")
    assert manager(move.format("2023-03-08T02:00:00Z"), world["approved"]) == 1


def test_the_acceptance_date_is_the_day_in_china(world, manager):
    case = world["accepted"]
    manager.move(case, "built", note="x", at="timestamptz '2023-06-02T00:00:00Z'")
    manager.move(case, "accepted", at="timestamptz '2023-06-30T17:00:00Z'")
    assert str(manager.case(case)["accepted_on"]) == "2023-07-01"


def test_a_household_counts_once_whatever_the_way(world, manager):
    """accepted → closed → revoked → accepted → taken back: the deltas and events always say 0 or 1."""
    case = world["accepted"]

    def counted():
        by_events = manager("SELECT coalesce(sum(counted), 0)::int FROM case_event WHERE case_id = %s", case)[0][0]
        assert by_events == (manager.case(case)["accepted_on"] is not None)
        return by_events

    assert counted() == 1
    manager.move(case, "closed")
    assert counted() == 1
    manager.move(case, "built", note="x")
    assert counted() == 0
    manager.move(case, "accepted")
    assert counted() == 1
    manager(TAKE_BACK, "built", manager.case(case)["version"], case)
    assert counted() == 0


def test_totals_agree_after_every_legal_trick(world, manager):
    """All that an account of the region can do by SQL, committed; then the recount."""
    first, second = world["accepted"], world["closed"]
    manager.move(first, "closed")
    manager(TAKE_BACK, "accepted", manager.case(first)["version"], first)
    manager("UPDATE retrofit_case SET region = 640324202 WHERE id = ANY (%s)", [first, second])
    manager.move(first, "built", note="x", at="timestamptz '2023-07-01T00:00:00Z'")
    manager(TAKE_BACK, "accepted", manager.case(first)["version"], first)
    manager.move(second, "built", note="x")
    manager("UPDATE retrofit_case SET region = 640324101, village = 'v', householder = 'h' WHERE id = %s", second)
    manager.move(world["suspended"], "withdrawn", note="x")
    manager(TAKE_BACK, "suspended", manager.case(world["suspended"])["version"], world["suspended"])
    manager.move(world["suspended"], "approved")
    manager.move(world["registered"], "rejected", note="x", at="timestamptz '2021-01-01'")
    manager.move(world["registered"], "registered", note="x", at="timestamptz '2024-01-01'")
    manager("UPDATE retrofit_case SET eligible = NOT eligible, eligibility_reasons = '{}'")
    manager.connection.commit()
    assert "totals agree" in world["database"].run("verify", "totals").stdout
    for most in (1, 3, 1000):
        world["database"].sql("SELECT totals_fold(%s)", most)
        assert "totals agree" in world["database"].run("verify", "totals").stdout


def test_verify_names_every_difference(world):
    """The proof can fail: a figure changed by the superuser is named."""
    world["database"].sql("SELECT totals_fold(100000)")
    world["database"].sql("UPDATE total SET n = n + 1 WHERE region = 640324000 AND period = 0 AND measure = 'counted'")
    try:
        found = world["database"].run("verify", "totals", check=False)
        assert found.returncode == 3
        assert found.stdout.count("differs:") == 1 and "tongxin 640324 0 counted" in found.stdout
    finally:
        world["database"].sql("UPDATE total SET n = n - 1 WHERE region = 640324000 AND period = 0 AND measure = 'counted'")
    world["database"].sql("UPDATE total_history SET day = day + 1 WHERE (region, measure, day, recorded_on) = "
                          "(SELECT region, measure, day, recorded_on FROM total_history ORDER BY day DESC LIMIT 1)")
    found = world["database"].run("verify", "totals", check=False)
    assert found.returncode == 3 and "history" in found.stdout
