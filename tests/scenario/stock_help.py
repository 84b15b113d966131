# SPDX-License-Identifier: Apache-2.0
"""Centres, models and lives of items for the tests of stock: what another part does through the API is put there by SQL."""
import itertools

import needs
from stages import bring_in_rows

numbers = itertools.count(1)
TONGXIN, TOWNSHIP = 640324000, 640324101


def centre(people, database, region=TONGXIN, plan_region=TONGXIN):
    """A signed-in client of a centre of its own, with .centre, its code."""
    code = f"stock-centre-{next(numbers)}"
    client = people.centre(code)
    database.sql("UPDATE centre SET plan_region = %s, region = %s, name = %s WHERE code = %s", plan_region, region, code, code)
    client.centre = code
    return client


def model(database, measure="manual_wheelchair", **columns):
    """A model's code; what it is beside its kind does not matter to stock."""
    code = f"stock-model-{next(numbers)}"
    database.sql("INSERT INTO device_class (scheme, edition, code, name_zh, name_ko, name_en) VALUES ('iso9999', '2022', '1222', 'a', 'a', 'a') "
                 "ON CONFLICT DO NOTHING")
    columns = {"name_zh": "轮椅", "name_ko": "휠체어", "name_en": "Wheelchair", "class_scheme": "iso9999", "class_edition": "2022",
               "class_code": "1222", "service_months": 36, "deposit": 50000, "rent": 3000, "loan_hours": 24, **columns}
    database.sql(f"INSERT INTO device_model (code, measure, {', '.join(columns)}) VALUES ({', '.join(['%s'] * (len(columns) + 2))})",
                 code, measure, *columns.values())
    return code


class Hand:
    """Does to items, as the account of `client`, what other parts' endpoints do: SQL as the application has it."""

    def __init__(self, database, client):
        self.database, self.client = database, client
        self.account = client.get("/session")["id"]

    def sql(self, text, *values):
        as_who = ("SELECT set_config('tantu.role', 'county', true), set_config('tantu.account', %s, true), "
                  "set_config('tantu.low', '0', true), set_config('tantu.high', '999999999', true); ")
        return self.database.sql(as_who + text, str(self.account), *values)

    def event(self, item, action, reference=None, note="", happened=None):
        self.sql("INSERT INTO device_event (plan_region, item_id, action, happened_at, reference, note) VALUES (%s, %s, %s, %s, %s, %s)",
                 item["id"] // 10**10 * 1000, item["id"], action, happened, reference, note)

    def lend(self, item, borrower="马小红", kind="loan", person=None, request=None, happened=None):
        return self.sql("INSERT INTO handover (plan_region, id, kind, item_id, person_id, borrower, request_id, happened_at, due_at) "
                        "SELECT plan_region, id_in(plan_region, 'handover_number'), %s, id, %s, %s, %s, %s, now() + interval '1 day' "
                        "FROM device_item WHERE id = %s; "
                        "INSERT INTO rental (plan_region, handover_id) SELECT plan_region, id FROM handover WHERE item_id = %s AND kind = 'rental' AND ended IS NULL; "
                        "SELECT id FROM handover WHERE item_id = %s AND ended IS NULL", kind, person, borrower, request, happened, *[item["id"]] * 3)[0][0]

    def end(self, handover, ended="returned"):
        self.sql("UPDATE handover SET ended = %s, note = '说明' WHERE id = %s", ended, handover)

    def fact(self, table, item, **columns):
        names = ["id", "plan_region", "centre_id", "region", "account_id", *columns]
        return self.sql(f"INSERT INTO device_{table} ({', '.join(names)}) SELECT id_in(plan_region, 'device_fact_number'), plan_region, centre_id, "
                        f"region, %s, {', '.join(['%s'] * len(columns))} FROM device_item WHERE id = %s RETURNING id",
                        self.account, *columns.values(), item["id"])[0][0]

    def clean(self, item, grade="B"):
        """From returned into stock again: disinfected, and inspected with that grade."""
        batch = self.fact("disinfection", item, method="紫外线", agent="84消毒液", began_at="now()")
        self.event(item, "disinfect", batch)
        self.sql("UPDATE device_disinfection SET ended_at = now() WHERE id = %s", batch)
        self.event(item, "disinfected", batch)
        self.passes(item, grade)

    def passes(self, item, grade="B"):
        version = self.database.sql("SELECT version FROM device_item WHERE id = %s", item["id"])[0][0]
        self.event(item, "pass", self.fact("inspection", item, item_id=item["id"], item_version=version, happened_at="now()",
                                           checklist='[{"name": "刹车", "ok": true}]', grade=grade, result="pass"))

    def mend(self, item, cost=12000):
        repair = self.fact("repair", item, item_id=item["id"], fault="轮胎破", in_warranty=False, began_at="now()")
        self.event(item, "repair", repair)
        self.sql("UPDATE device_repair SET ended_at = now(), outcome = 'mended', repairer = '老李', cost = %s, "
                 "parts = '[{\"name\": \"轮胎\", \"quantity\": 2, \"cost\": 6000}]' WHERE id = %s", cost, repair)
        self.event(item, "mended", repair)

    def recycle(self, item, certificate):
        self.event(item, "recycle", self.fact("recycling", item, item_id=item["id"], happened_at="now()", reason="车架断裂",
                                              certificate=certificate, parts='[{"name": "坐垫", "quantity": 1}]'))

    def request(self, manager, centre, measure="manual_wheelchair", name=None):
        """A person whose request that centre has, assessed for a rental: (request, person)."""
        row = needs.row("tongxin", **{"辅具需求": "轮椅", **({"姓名": name} if name else {})})
        bring_in_rows(manager, [row])
        return self.sql("""INSERT INTO device_request (plan_region, id, plan_id, person_id, need_id, measure, region, centre_id, source, state, assessed_for)
            SELECT n.plan_region, id_in(n.plan_region, 'device_request_number'), p.id, n.person_id, n.id, %s, h.region, k.id, 'import', 'assessed', 'rental'
            FROM household h JOIN need n ON n.plan_region = h.plan_region AND n.household_id = h.id AND n.kind = 'device',
                 plan p, centre k WHERE h.number = %s AND p.code = 'tongxin' AND k.code = %s LIMIT 1 RETURNING id, person_id""",
                        measure, row["户编号"], centre)[0]
