# SPDX-License-Identifier: Apache-2.0
"""What tests of rentals and loans share: centres, a model, items, and people whose requests are assessed for a rental, put into
the database at once (the ways there have tests of their own)."""
import itertools
from datetime import datetime, timedelta, timezone

import needs

CHINA = timezone(timedelta(hours=8))
_numbers = itertools.count(1)
RENT, SUBSIDY, DEPOSIT = 3000, 1000, 20000
SELF_PAID = RENT - SUBSIDY


def today():
    return datetime.now(CHINA).date()


def noon(day):
    """Noon of that day (a date, or days from today) in China, as the API takes it; of today: now."""
    if isinstance(day, str):
        return f"{day}T04:00:00Z"
    day = today() + timedelta(days=day) if isinstance(day, int) else day
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if day == today() else f"{day}T04:00:00Z"


def day(offset):
    return str(today() + timedelta(days=offset))


def as_centre(cursor, world, centre=None, known=False):
    """The scope of a centre (the world's), for the transaction. known: who that is was asked before."""
    if not (known and hasattr(world, "who")):
        world.who = world.database.sql("SELECT c.id, a.id FROM centre c JOIN account a ON a.centre_id = c.id WHERE c.code = %s", (centre or world.centre).centre)[0]
    for name, value in (("low", 0), ("high", 999999999), ("role", "centre"), ("centre", world.who[0]), ("account", world.who[1])):
        cursor.execute("SELECT set_config(%s, %s, true)", (f"tantu.{name}", str(value)))


class RentalWorld:
    def __init__(self, database, people, place="640324", plan="tongxin", households=40):
        self.database, self.people, self.place, self.plan = database, people, place, plan
        self.manager = people.manager(place)
        self.centre = self.new_centre()
        self.model = self.new_model()
        rows = [needs.row(plan, **{"辅具需求": "轮椅", "改造需求": ""}) for _ in range(households)]
        self.manager.import_file(plan, needs.to_csv(rows))
        numbers = [row["户编号"] for row in rows]
        self.free = database.sql("""SELECT n.id FROM need n JOIN household h ON h.plan_region = n.plan_region AND h.id = n.household_id
            WHERE n.kind = 'device' AND n.item = '轮椅' AND h.number = ANY (%s) ORDER BY n.id""", numbers)

    def new_centre(self, region=None):
        code = f"rental-centre-{next(_numbers)}"
        client = self.people.centre(code)
        self.database.sql("UPDATE centre SET plan_region = region_of(%s) / 1000 * 1000, region = region_of(%s) WHERE code = %s", self.place, region or self.place, code)
        client.centre = code
        return client

    def new_model(self, **columns):
        code = f"rental-model-{next(_numbers)}"
        self.database.sql("INSERT INTO device_class (scheme, edition, code, name_zh, name_ko, name_en) VALUES ('iso9999', '1900', '122203', 'a', 'a', 'a') "
                          "ON CONFLICT DO NOTHING")
        values = {"code": code, "measure": "manual_wheelchair", "name_zh": code, "name_ko": code, "name_en": code, "class_scheme": "iso9999",
                  "class_edition": "1900", "class_code": "122203", "service_months": 36, "rent": RENT, "rent_subsidy": SUBSIDY, "deposit": DEPOSIT,
                  "loan_hours": 24, **columns}
        self.database.sql(f"INSERT INTO device_model ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})", *values.values())
        return code

    def item(self, centre=None, model=None):
        """One that has been in stock for years; its code."""
        code = f"RW-{next(_numbers):05}"
        self.database.sql("INSERT INTO device_item (code, model, serial, centre_id, source, acquired_on, state_at) "
                          "SELECT %s, %s, %s, id, 'purchased', '2019-01-01', '2019-01-01' FROM centre WHERE code = %s",
                          code, model or self.model, code, (centre or self.centre).centre)
        return code

    def request(self, centre=None, assessed_for="rental", state="assessed"):
        """Of somebody who has none yet."""
        ((need,),) = [self.free.pop()]
        return self.database.sql("""INSERT INTO device_request (plan_region, id, plan_id, person_id, need_id, measure, region, centre_id, source, state, assessed_for)
            SELECT n.plan_region, id_in(n.plan_region, 'device_request_number'), (SELECT id FROM plan WHERE code = %s), n.person_id, n.id,
                'manual_wheelchair', h.region, (SELECT id FROM centre WHERE code = %s), 'import', %s, %s
            FROM need n JOIN household h ON h.plan_region = n.plan_region AND h.id = n.household_id WHERE n.id = %s RETURNING id""",
                                 self.plan, (centre or self.centre).centre, state, assessed_for if state == "assessed" else None, need)[0][0]

    def rent(self, began=0, centre=None, model=None, **more):
        """A rental that began on that day (or so many days ago); its answer."""
        from step_rental import rent
        by = more.pop("by", None) or centre or self.centre
        return rent(by, self.request(centre), self.item(centre, model), happened_at=noon(-began if isinstance(began, int) else began), **more)

    def state(self, item):
        return self.database.sql("SELECT state FROM device_item WHERE code = %s", item)[0][0]
