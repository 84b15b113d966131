# SPDX-License-Identifier: Apache-2.0
"""Devices by SQL, as tantu_app and past all of our C: who writes what in whose scope. A world of two centres of two counties of one
plan, and one of another plan; everybody's needs are there, requests are made as they are asked for."""
import itertools

import psycopg2
import pytest

RULE, PERMISSION = "TT005", "42501"
PLAN = 622900000  # linxia; its centres a and b are in two counties, far is of tongxin
A, B, TONGXIN = 622921000, 622922000, 640324000
COUNTRY = (0, 999999999)
SCOPES = {"a": ("centre", *COUNTRY), "b": ("centre", *COUNTRY), "far": ("centre", *COUNTRY), "county": ("county", A, A + 999),
          "other": ("county", B, B + 999), "manager": ("manager", PLAN, PLAN + 99999), "foreign": ("manager", TONGXIN, TONGXIN + 999),
          "auditor": ("auditor", PLAN, PLAN + 99999), "admin": ("admin", *COUNTRY), "contractor": ("contractor", *COUNTRY),
          "assessor": ("assessor", *COUNTRY)}
PEOPLE = 40

MAKE = """
INSERT INTO centre (code, name, plan_region, region) VALUES ('guard-a', 'a', %(plan)s, %(a)s), ('guard-b', 'b', %(plan)s, %(b)s), ('guard-far', 'c', %(far)s, %(far)s);
INSERT INTO device_class (scheme, edition, code, name_zh, name_ko, name_en) VALUES ('iso9999', '1800', '1222', 'a', 'a', 'a');
INSERT INTO device_model (code, measure, name_zh, name_ko, name_en, class_scheme, class_edition, class_code, service_months, rent, deposit, loan_hours)
SELECT m.code, m.measure, 'a', 'a', 'a', 'iso9999', '1800', '1222', 36, 100, 5000, 24
FROM (VALUES ('guard-chair', 'manual_wheelchair'), ('guard-aid', 'hearing_aid')) AS m (code, measure);
INSERT INTO household (plan_region, id, number, region, village, address, hardship)
SELECT %(plan)s, id_in(%(plan)s, 'household_number'), 'GUARD-' || n, CASE WHEN n %% 4 = 3 THEN %(b)s ELSE %(a)s END, 'v', 'a', '低保'
FROM generate_series(1, %(people)s) AS n;
INSERT INTO person (plan_region, id, household_id, name, sex, relation, citizen_id, citizen_id_index, category, level, phone)
SELECT h.plan_region, id_in(h.plan_region, 'person_number'), h.id, '张三', '男', '户主', 'x', convert_to(h.number, 'UTF8'), 4, 1, ''
FROM household h WHERE h.number LIKE 'GUARD-%%' ORDER BY h.id;
INSERT INTO need (plan_region, id, household_id, person_id, kind, item)
SELECT p.plan_region, id_in(p.plan_region, 'need_number'), p.household_id, p.id, 'device', m.measure
FROM person p JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id AND h.number LIKE 'GUARD-%%',
    (VALUES ('manual_wheelchair'), ('hearing_aid')) AS m (measure) ORDER BY p.id;
INSERT INTO account (name, password_hash, role, region, centre_id)
SELECT 'guard-' || s.name, 'x', s.role, CASE WHEN s.role IN ('county', 'manager', 'auditor') THEN %(plan)s END, c.id
FROM (VALUES ('a', 'centre'), ('b', 'centre'), ('far', 'centre'), ('county', 'county'), ('other', 'county'), ('manager', 'manager'),
    ('foreign', 'manager'), ('auditor', 'auditor'), ('admin', 'admin')) AS s (name, role) LEFT JOIN centre c ON c.code = 'guard-' || s.name AND s.role = 'centre';
"""


class World:
    def __init__(self, database):
        self.database = database
        database.sql(MAKE % {"plan": PLAN, "a": A, "b": B, "far": TONGXIN, "people": PEOPLE})
        self.accounts = {name.removeprefix("guard-"): number for number, name in database.sql("SELECT id, name FROM account WHERE name LIKE 'guard-%'")}
        self.centres = {code.removeprefix("guard-"): number for number, code in database.sql("SELECT id, code FROM centre WHERE code LIKE 'guard-%'")}
        self.needs = {measure: database.sql("SELECT n.person_id, n.id, h.region FROM need n JOIN household h ON h.plan_region = n.plan_region "
                                            "AND h.id = n.household_id WHERE n.item = %s AND h.number LIKE 'GUARD-%%' ORDER BY n.id", measure)
                      for measure in ("manual_wheelchair", "hearing_aid")}
        self.numbers = itertools.count(1)


class Session:
    """A transaction of tantu_app; `be` says in whose scope. `fails` expects an SQLSTATE and goes on."""

    def __init__(self, world, who="a"):
        self.world = world
        self.connection = psycopg2.connect(world.database.conninfo("app"))
        self.cursor = self.connection.cursor()
        self.be(who)

    def be(self, who):
        role, low, high = SCOPES.get(who, ("", "", ""))
        centre = self.world.centres.get(who, "") if role == "centre" else ""
        for name, value in (("role", role), ("low", low), ("high", high), ("account", self.world.accounts.get(who, "")), ("centre", centre)):
            self(f"SELECT set_config('tantu.{name}', %s, true)", str(value))
        self.who = who
        return self

    def __call__(self, statement, *values):
        self.cursor.execute(statement, values or None)
        return self.cursor.fetchall() if self.cursor.description else self.cursor.rowcount

    def one(self, statement, *values):
        return self(statement, *values)[0][0]

    def fails(self, sqlstate, what, *values, says="", **options):
        """what: a statement, or something to call."""
        self("SAVEPOINT before")
        with pytest.raises(psycopg2.Error) as refused:
            what(*values, **options) if callable(what) else self(what, *values)
        self("ROLLBACK TO before")
        assert refused.value.pgcode == sqlstate, refused.value
        assert says in str(refused.value), refused.value

    def attempt(self, what, *values):
        """What came of it, undone: the answer, or the SQLSTATE and message."""
        self("SAVEPOINT before")
        try:
            return what(*values) if callable(what) else self(what, *values)
        except psycopg2.Error as refused:
            return refused.pgcode, str(refused)
        finally:
            self("ROLLBACK TO before")

    def close(self):
        self.connection.rollback()
        self.connection.close()

    # --- what is done all the time ---

    def take_in(self, source="purchased", model="guard-chair", centre="a", **columns):
        columns = {"model": model, "serial": f"G{next(self.world.numbers)}", "centre_id": self.world.centres[centre], "source": source,
                   "acquired_on": "2024-01-01", **columns}
        return self.one(f"INSERT INTO device_item ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))}) RETURNING id", *columns.values())

    def item(self, item):
        names = ["state", "version", "handover_id", "request_id", "recall_id", "transfer_id", "returned_v", "disinfected_v", "inspected_v",
                 "centre_id", "region", "state_at", "grade"]
        rows = self(f"SELECT {', '.join(names)} FROM device_item WHERE id = %s", item)
        return dict(zip(names, rows[0])) if rows else None

    def event(self, item, action, reference=None, note="", handover=None, at="now()"):
        return self(f"INSERT INTO device_event (plan_region, item_id, action, happened_at, handover_id, reference, note) "
                    f"VALUES ({PLAN}, %s, %s, {at}, %s, %s, %s)", item, action, handover, reference, note)

    def request(self, kind="fitting", measure="manual_wheelchair", centre="a", state="assessed", region=A):
        """Of the next person of that region whom nobody has asked for in this transaction; assessed for that kind, or waiting."""
        taken = {need for need, in self("SELECT need_id FROM device_request")}
        person, need, _ = next(row for row in self.world.needs[measure] if row[1] not in taken and row[2] == region)
        request = self.one("INSERT INTO device_request (plan_region, person_id, need_id, measure, centre_id, source) VALUES (%s, %s, %s, %s, %s, 'walk_in') "
                           "RETURNING id", PLAN, person, need, measure, self.world.centres[centre])
        if state == "assessed":
            self("INSERT INTO device_assessment (plan_region, request_id, number, centre_id, region, happened_at, account_id, outcome, assessed_for, asked, measure) "
                 "SELECT plan_region, id, 1, centre_id, region, '2024-01-01', %s, 'pass', %s, measure, measure FROM device_request WHERE id = %s",
                 self.world.accounts[self.who], kind, request)
            self("UPDATE device_request SET state = 'assessed', assessed_for = %s WHERE id = %s", kind, request)
        return request

    def hand_over(self, item, kind="loan", request=None, person=None, at="now()"):
        if request and person is None:
            person = self.one("SELECT person_id FROM device_request WHERE id = %s", request)
        return self.one(f"INSERT INTO handover (plan_region, id, kind, item_id, person_id, borrower, request_id, happened_at, due_at) "
                        f"VALUES ({PLAN}, id_in({PLAN}, 'handover_number'), %s, %s, %s, '李四', %s, {at}, {at} + interval '1 month') RETURNING id",
                        kind, item, person, request)

    def end(self, handover, how="returned", at="now()"):
        return self(f"UPDATE handover SET ended = %s, ended_at = {at}, note = 'x' WHERE id = %s", how, handover)

    def fact(self, table, item=None, centre="a", **columns):
        names = ["plan_region", "id", "centre_id", "region", "account_id", *(["item_id"] if item else []), *columns]
        return self.one(f"INSERT INTO device_{table} ({', '.join(names)}) VALUES ({PLAN}, id_in({PLAN}, 'device_fact_number'), "
                        f"{', '.join(['%s'] * (len(names) - 2))}) RETURNING id",
                        self.world.centres[centre], A, self.world.accounts[self.who], *([item] if item else []), *columns.values())

    def batch(self, centre="a", **columns):
        return self.fact("disinfection", centre=centre, method="uv", agent="84", began_at="now()", **columns)

    def over(self, batch):
        return self("UPDATE device_disinfection SET ended_at = now() WHERE id = %s", batch)

    def inspection(self, item, result="pass", **columns):
        return self.fact("inspection", item, item_version=self.one("SELECT coalesce(max(version), 0) FROM device_item WHERE id = %s", item),
                         checklist="[]", grade="B", result=result, **{"happened_at": "now()", **columns})

    def repair(self, item, **columns):
        return self.fact("repair", item, fault="x", in_warranty=False, **{"began_at": "now()", **columns})

    def mended(self, repair, outcome="mended"):
        return self("UPDATE device_repair SET ended_at = now(), outcome = %s WHERE id = %s", outcome, repair)

    def recycling(self, item, **columns):
        return self.fact("recycling", item, reason="x", certificate=f"R-{next(self.world.numbers)}", **{"happened_at": "now()", **columns})

    def transfer(self, sender="a", receiver="b", **columns):
        names = ["plan_region", "id", "from_centre", "to_centre", "from_region", "to_region", "sent_at", "account_id", *columns]
        return self.one(f"INSERT INTO device_transfer ({', '.join(names)}) VALUES ({PLAN}, id_in({PLAN}, 'device_fact_number'), "
                        f"{', '.join(['%s'] * (len(names) - 2))}) RETURNING id", self.world.centres[sender], self.world.centres[receiver], A, B, "now()",
                        self.world.accounts[self.who], *columns.values())

    def recall(self, model="guard-chair", region=PLAN, high=PLAN + 99999, **columns):
        names = ["region", "high", "model", "reason", "due_on", "account_id", *columns]
        return self.one(f"INSERT INTO device_recall ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) RETURNING id",
                        region, high, model, "x", "2040-01-01", self.world.accounts[self.who], *columns.values())

    # --- ways into a state ---

    def clean(self, item):
        self.disinfect(item)
        self.event(item, "pass", self.inspection(item))
        return item

    def disinfect(self, item):
        batch = self.batch()
        self.event(item, "disinfect", batch)
        self.over(batch)
        self.event(item, "disinfected", batch)
        return batch

    def reach(self, state):
        """An item of centre a in that state, and by whom it was had last."""
        item, handover = self.take_in("donated" if state == "donated" else "purchased"), None
        if state in ("lent", "returned", "disinfecting", "inspecting", "lost_by_holder"):
            handover = self.hand_over(item, "rental", self.request("rental"))
        if state == "lost_by_holder":
            self.end(handover, "lost")
        if state in ("returned", "disinfecting", "inspecting"):
            self.end(handover)
        if state == "disinfecting":
            self.event(item, "disinfect", self.batch())
        if state == "inspecting":
            self.disinfect(item)
        if state == "reserved":
            self.event(item, "reserve", self.request())
        if state == "fitted":
            handover = self.hand_over(item, "fitting", self.request())
        if state == "repairing":
            self.event(item, "repair", self.repair(item))
        if state == "recycled":
            self.event(item, "recycle", self.recycling(item))
        if state == "lost":
            self.event(item, "lose", note="x")
        if state == "on_its_way":
            self.event(item, "send", self.transfer())
        if state == "recalled":
            self.recalled(item)
        return item, handover

    def recalled(self, item):
        """Under a recall of its own serial."""
        before, serial = self.who, self.one("SELECT serial FROM device_item WHERE id = %s", item)
        recall = self.be("manager").recall(serial_from=serial, serial_to=serial)
        self.be(before)
        return recall


@pytest.fixture(scope="module")
def world(cluster, database):
    return World(cluster.new_database().migrate())


@pytest.fixture
def s(world):
    session = Session(world)
    yield session
    session.close()
