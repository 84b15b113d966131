# SPDX-License-Identifier: Apache-2.0
"""People, needs, handovers and homes of plan qinghai that change at random in a database of their own, and what they come to, counted
in Python out of what was done. now() cannot be set, so the past is made by ageing: everything moves so many days back."""
import datetime
import random

from psycopg2 import Error
from statements import statements

PLAN_REGION = 630000000
TOWNSHIPS = ["630106101", "630106102", "630105001", "630105101"]
COUNTIES = ["630106", "630105"]
KINDS = {"manual_wheelchair": "手动轮椅", "hearing_aid": "助听器", "white_cane": "盲杖", "crutch": "腋拐"}
FOREVER = 10**6
SERVICES = ("assessment", "fitting", "repair", "rental", "loan")
DAYS = {"need": ["created_at"], "person": ["created_at"], "household": ["created_at"], "handover": ["happened_at", "ended_at", "closed_at", "created_at"],
        "device_event": ["happened_at", "recorded_at"], "device_item": ["state_at", "created_at"], "device_assessment": ["happened_at", "created_at"],
        "device_repair": ["began_at", "ended_at", "created_at"], "duplicate_merge": ["merged_at", "undone_at"]}
SETUP = """
INSERT INTO centre (code, name, plan_region, region) VALUES ('figures', 'figures', 630000000, 630000000);
INSERT INTO account (name, password_hash, role, region) VALUES ('figures', 'x', 'manager', 630000000);
INSERT INTO device_class (scheme, edition, code, name_zh, name_ko, name_en) VALUES ('iso9999', '1900', '99', 'a', 'a', 'a');
INSERT INTO device_model (code, measure, name_zh, name_ko, name_en, class_scheme, class_edition, class_code, service_months, loan_hours)
SELECT 'figures-' || replace(code, '_', '-'), code, 'a', 'a', 'a', 'iso9999', '1900', '99', 1, 24 FROM measure WHERE kind = 'device';
"""
SCOPE = """SELECT set_config('tantu.low', '630000000', false), set_config('tantu.high', '639999999', false), set_config('tantu.role', 'manager', false),
    set_config('tantu.account', (SELECT id::text FROM account WHERE name = 'figures'), false)"""


class World:
    def __init__(self, database, seed):
        self.random = random.Random(seed)
        database.sql(SETUP)
        self.connection, self.reader = database.connect("super"), database.connect("super")
        self.run(SCOPE)
        self.places = {code: self.run("SELECT region_of(%s)", code)[0][0] for code in TOWNSHIPS + COUNTIES + ["630000"]}
        with self.reader.cursor() as cursor:
            cursor.execute(SCOPE)
            cursor.execute("SET ROLE tantu_app; SET plan_cache_mode = force_generic_plan; SET jit = off")
            cursor.execute("SELECT china_date(now())")
            self.today = cursor.fetchone()[0].toordinal()
        self.homes = {}     # id: [(day, place)], the first of the beginning
        self.needs = {}     # id: [(day, whether it counts)]
        self.fittings = {}  # handover: {"need", "day", "person", "kind", "undone"}
        self.stays = {}     # rentals: handover: [person, from, until]
        self.services = []  # (person, day, service), but for fittings
        self.requests = {}  # need: request, assessed for a fitting
        self.number = 0
        self.prepared = set()

    def close(self):
        self.connection.close()
        self.reader.close()

    def run(self, text, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def ask(self, name, *values):
        """The rows of one of the program's statements, prepared as the program prepares them, as dicts."""
        with self.reader.cursor() as cursor:
            if name not in self.prepared:
                cursor.execute(f"PREPARE {name} AS {statements()[name].text}")
                self.prepared.add(name)
            cursor.execute(f"EXECUTE {name} ({', '.join(['%s'] * len(values))})", values)
            return [dict(zip([column.name for column in cursor.description], row)) for row in cursor.fetchall()]

    def differs(self):
        """What `tantu verify devices` finds."""
        return self.run(statements()["verify_device_figures"].text)

    def people(self):
        return self.run("SELECT id, household_id, merged_into FROM person")

    def some(self, things):
        return self.random.choice(sorted(things)) if things else None

    # --- what happens ---

    def bring_in(self):
        """A file's people, in one transaction, as an import registers them."""
        rows = []
        for _ in range(self.random.randint(1, 6)):
            self.number += 1
            rows.append((self.places[self.random.choice(TOWNSHIPS)], f"F{self.number}", self.random.sample(sorted(KINDS), self.random.randint(0, 2))))
        with self.connection.cursor() as cursor:
            cursor.execute("BEGIN")
            for place, name, kinds in rows:
                cursor.execute("INSERT INTO household (plan_region, id, number, region, village, address, hardship) "
                               "VALUES (%s, id_in(%s, 'household_number'), %s, %s, 'a', 'a', '低保') RETURNING id", (PLAN_REGION, PLAN_REGION, name, place))
                home = cursor.fetchone()[0]
                self.homes[home] = [(-FOREVER, place)]
                self._register(cursor, [home] * self.random.randint(1, 2), kinds)
            cursor.execute("COMMIT")

    def _register(self, cursor, homes, kinds):
        for home in homes:
            self.number += 1
            cursor.execute("""WITH p AS (INSERT INTO person (plan_region, id, household_id, name, sex, relation, citizen_id, citizen_id_index, category,
                level, phone, born) VALUES (%s, id_in(%s, 'person_number'), %s, '马某某', '男', '户主', 'x', %s, 4, 1, '', '') RETURNING *)
                SELECT id FROM p""", (PLAN_REGION, PLAN_REGION, home, str(self.number)))
            person = cursor.fetchone()[0]
            if kinds:
                cursor.execute("INSERT INTO need (plan_region, id, household_id, person_id, kind, item) SELECT %s, id_in(%s, 'need_number'), %s, %s, 'device', "
                               "unnest(%s::text[]) RETURNING id", (PLAN_REGION, PLAN_REGION, home, person, [KINDS[kind] for kind in kinds]))
                self.needs.update({row[0]: [(self.today, True)] for row in cursor.fetchall()})

    def come_to_a_home(self):
        """A person more in a household that is there, perhaps since long and elsewhere."""
        homes = [home for home, _, gone in ((row[1], row[0], row[2]) for row in self.people()) if gone is None]
        if homes:
            with self.connection.cursor() as cursor:
                cursor.execute("BEGIN")
                self._register(cursor, [self.random.choice(sorted(homes))], [self.random.choice(sorted(KINDS))])
                cursor.execute("COMMIT")

    def need_more(self):
        person = self.some([row for row in self.people() if row[2] is None])
        if person:
            made = self.run("INSERT INTO need (plan_region, id, household_id, person_id, kind, item) VALUES (%s, id_in(%s, 'need_number'), %s, %s, %s, %s) "
                            "ON CONFLICT DO NOTHING RETURNING id, kind", PLAN_REGION, PLAN_REGION, person[1], person[0],
                            self.random.choice(["device", "device", "retrofit"]), KINDS[self.random.choice(sorted(KINDS))])
            self.needs.update({need: [(self.today, True)] for need, kind in made if kind == "device"})

    def drop(self):
        need = self.some([row[0] for row in self.run("SELECT id FROM need WHERE kind = 'device' AND state <> 'dropped'")])
        if need:
            self.run("UPDATE need SET state = 'dropped' WHERE id = %s", need)
            self.needs[need].append((self.today, False))

    def ask_again(self):
        need = self.some([row[0] for row in self.run("SELECT id FROM need WHERE kind = 'device' AND state = 'dropped'")])
        if need:
            self.run("UPDATE need SET state = 'open' WHERE id = %s", need)
            self.needs[need].append((self.today, True))

    def move(self):
        home = self.some([row[1] for row in self.people() if row[2] is None])
        if home:
            place = self.places[self.random.choice(TOWNSHIPS)]
            self.run("UPDATE household SET region = %s WHERE id = %s", place, home)
            self.homes[home].append((self.today, place))

    def _item(self, kind):
        return self.run("INSERT INTO device_item (model, serial, centre_id, source, acquired_on, state_at) SELECT 'figures-' || replace(%s, '_', '-'), '', id, "
                        "'purchased', '2020-01-01', now() - interval '3000 days' FROM centre WHERE code = 'figures' RETURNING id", kind)[0][0]

    def _asked(self, purpose=None):
        """An open need with a request, assessed for that, or to be assessed again; (need, person, kind, request)."""
        words = {word: kind for kind, word in KINDS.items()}
        open_needs = self.run("SELECT n.id, n.person_id, n.item FROM need n WHERE n.kind = 'device' AND n.state = 'open' AND NOT EXISTS ("
                              "SELECT FROM device_request r WHERE r.need_id = n.id AND r.state IN ('waiting', 'assessed'))")
        picked = self.some(open_needs)
        if not picked:
            return None
        need, person, item = picked
        request = self.run("INSERT INTO device_request (plan_region, need_id, person_id, measure, centre_id, source) SELECT %s, %s, %s, %s, id, 'import' "
                           "FROM centre WHERE code = 'figures' RETURNING id", PLAN_REGION, need, person, words[item])[0][0]
        self.run("INSERT INTO device_assessment (plan_region, request_id, number, centre_id, region, happened_at, account_id, outcome, assessed_for, asked, measure, "
                 "reason, reassess_on) SELECT plan_region, id, 1, centre_id, region, now(), (SELECT id FROM account WHERE name = 'figures'), %s, %s, measure, "
                 "measure, 'a', %s FROM device_request WHERE id = %s", "pass" if purpose else "reassess", purpose, None if purpose else "2099-01-01", request)
        self.services.append((person, self.today, "assessment", request))
        if purpose:
            self.run("UPDATE device_request SET state = 'assessed', assessed_for = %s WHERE id = %s", purpose, request)
        return need, person, words[item], request

    def _hand_over(self, kind, person, request, measure, ago=0):
        item = self._item(measure)
        self.run("BEGIN; INSERT INTO handover (plan_region, id, kind, item_id, person_id, request_id, happened_at, due_at) VALUES (%s, "
                 "id_in(%s, 'handover_number'), %s, %s, %s, %s, now() - %s * interval '1 day', now() + interval '1 day'); "
                 "INSERT INTO rental (plan_region, handover_id) SELECT plan_region, id FROM handover WHERE item_id = %s AND kind = 'rental'; COMMIT",
                 PLAN_REGION, PLAN_REGION, kind, item, person, request, ago, item)
        return self.run("SELECT id FROM handover WHERE item_id = %s", item)[0][0]

    def fit(self):
        asked = self._asked("fitting")
        if asked:
            need, person, measure, request = asked
            ago = self.random.choice([0, 0, self.random.randint(1, 400)])
            handover = self._hand_over("fitting", person, request, measure, ago)
            self.fittings[handover] = {"need": need, "day": self.today - ago, "person": person, "kind": measure, "undone": False}

    def try_out_and_keep(self):
        asked = self._asked("fitting")
        if asked:
            need, person, measure, request = asked
            handover = self._hand_over("trial", person, request, measure, self.random.randint(0, 20))
            self.run("UPDATE handover SET kind = 'fitting' WHERE id = %s", handover)
            self.fittings[handover] = {"need": need, "day": self.today, "person": person, "kind": measure, "undone": False}

    def bring_back(self):
        """What was fitted comes back: the same day, then it was none."""
        handover = self.some([row[0] for row in self.run("SELECT id FROM handover WHERE kind = 'fitting' AND ended IS NULL")])
        if handover:
            self.run("UPDATE handover SET ended = 'returned' WHERE id = %s", handover)
            self.fittings[handover]["undone"] = self.fittings[handover]["day"] == self.today

    def not_back_after_all(self):
        handover = self.some([row[0] for row in self.run("SELECT h.id FROM handover h JOIN device_item i ON i.id = h.item_id WHERE h.kind = 'fitting' AND "
                                                         "h.ended = 'returned' AND i.state = 'returned'")])
        if handover:
            self.run("UPDATE handover SET ended = NULL WHERE id = %s", handover)
            self.fittings[handover]["undone"] = False

    def rent(self):
        asked = self._asked("rental")
        if asked:
            handover = self._hand_over("rental", asked[1], asked[3], asked[2])
            self.stays[handover] = [asked[1], self.today, FOREVER]
            self.services.append((asked[1], self.today, "rental"))

    def end_rental(self):
        handover = self.some([row[0] for row in self.run("SELECT id FROM handover WHERE kind = 'rental' AND ended IS NULL")])
        if handover:
            self.run("UPDATE handover SET ended = %s, note = 'a' WHERE id = %s", self.random.choice(["returned", "lost"]), handover)
            self.stays[handover][2] = self.today

    def lend(self):
        person = self.some([row[0] for row in self.people()])
        if person:
            self._hand_over("loan", person, None, "crutch")
            self.services.append((person, self.today, "loan"))

    def assess(self):
        self._asked()

    def unassess(self):
        request = self.some([row[0] for row in self.run("SELECT request_id FROM device_assessment WHERE taken_back_at IS NULL AND outcome = 'reassess'")])
        if request:
            self.run("UPDATE device_assessment SET taken_back_at = now() WHERE request_id = %s", request)
            self.services = [one for one in self.services if one[2:] != ("assessment", request)]

    def mend(self):
        handover = self.some([row[0] for row in self.run("SELECT id FROM handover WHERE kind = 'fitting' AND ended IS NULL")])
        if handover:
            self.run("INSERT INTO device_repair (plan_region, id, item_id, handover_id, centre_id, region, fault, in_warranty, began_at, account_id) SELECT "
                     "h.plan_region, id_in(h.plan_region, 'device_fact_number'), h.item_id, h.id, h.centre_id, 630000000, 'a', false, now(), 1 FROM handover h "
                     "WHERE h.id = %s", handover)
            self.run("UPDATE device_repair SET ended_at = now(), outcome = 'mended' WHERE handover_id = %s AND ended_at IS NULL", handover)
            self.services.append((self.fittings[handover]["person"], self.today, "repair", handover))

    def merge(self):
        standing = sorted(row[0] for row in self.people() if row[2] is None)
        if len(standing) > 1:
            low, high = sorted(self.random.sample(standing, 2))
            pair = self.run("INSERT INTO duplicate (plan_region, id, low, high, low_region, high_region, score, parts) SELECT %s, id_in(%s, 'duplicate_number'), "
                            "%s, %s, 630000000, 630000000, 90, '[]' ON CONFLICT DO NOTHING RETURNING id", PLAN_REGION, PLAN_REGION, low, high)
            for (duplicate,) in pair:
                self.run("SELECT (duplicate_resolve(%s, NULL, %s, %s, 'a')).verdict", duplicate, self.random.choice(["person", "household", "both"]),
                         self.random.choice([low, high]))

    def unmerge(self):
        duplicate = self.some([row[0] for row in self.run("SELECT duplicate_id FROM duplicate_merge WHERE undone_at IS NULL")])
        if duplicate:
            self.run("SELECT (duplicate_undo(%s, NULL, 'a')).verdict", duplicate)

    def fold(self):
        self.run("SELECT device_fold(%s)", self.random.choice([1, 5, 10**6]))

    def age(self, days=None):
        days = days or self.random.choice([1, 1, 3, 40, 200])
        shifts = "; ".join(f"UPDATE {table} SET " + ", ".join(f"{column} = {column} - interval '{days} days'" for column in columns)
                           for table, columns in DAYS.items())
        again = "; ".join(f"CREATE TEMP TABLE aged ON COMMIT DROP AS SELECT * FROM {table}; DELETE FROM {table}; UPDATE aged SET day = day - {days}; "
                          f"INSERT INTO {table} SELECT * FROM aged; DROP TABLE aged" for table in ("need_standing", "household_move"))
        self.run(f"BEGIN; SET LOCAL session_replication_role = replica; {shifts}; {again}; DELETE FROM device_effect; DELETE FROM device_delta; "
                 "DELETE FROM device_total; SELECT device_settle(630000000, (SELECT array_agg(id) FROM person)); COMMIT")
        back = lambda turns: [(day - days if abs(day) < FOREVER else day, value) for day, value in turns]
        self.homes = {home: back(turns) for home, turns in self.homes.items()}
        self.needs = {need: back(turns) for need, turns in self.needs.items()}
        for fitting in self.fittings.values():
            fitting["day"] -= days
        self.stays = {one: [who, begins - days, ends if ends == FOREVER else ends - days] for one, (who, begins, ends) in self.stays.items()}
        self.services = [(one[0], one[1] - days, *one[2:]) for one in self.services]

    STEPS = {"bring_in": 14, "come_to_a_home": 5, "need_more": 8, "drop": 7, "ask_again": 4, "move": 10, "fit": 14, "try_out_and_keep": 5, "bring_back": 5,
             "not_back_after_all": 4, "rent": 5, "end_rental": 3, "lend": 3, "assess": 6, "unassess": 2, "mend": 4, "merge": 10, "unmerge": 6, "fold": 8, "age": 8}

    def step(self):
        """One at random; its name. What the service life or a merge refuses is not done."""
        name = self.random.choices(list(self.STEPS), list(self.STEPS.values()))[0]
        try:
            getattr(self, name)()
        except Error as error:
            if error.pgcode not in ("TT005",):
                raise
            self.run("ROLLBACK")
            name += " refused"
        return name

    # --- what it comes to ---

    def roots(self):
        into = {person: gone for person, _, gone in self.people()}
        def root(person):
            return person if into[person] is None else root(into[person])
        return {person: root(person) for person in into}

    def place_of(self, home, day):
        """Where a household was at the end of a day."""
        return [place for since, place in self.homes[home] if since <= day][-1]

    def counts(self, need, day):
        said = [value for since, value in self.needs[need] if since <= day]
        return bool(said) and said[-1]

    def standing(self, day):
        """{measure: {person: place}} on a day."""
        roots, homes = self.roots(), {person: home for person, home, _ in self.people()}
        owner = dict(self.run("SELECT id, person_id FROM need WHERE kind = 'device'"))
        counting = {need for need in owner if self.counts(need, day)}
        needing = {roots[owner[need]] for need in counting}
        fitted = {roots[owner[one["need"]]] for one in self.fittings.values() if not one["undone"] and one["need"] in counting and one["day"] <= day}
        rented = {roots[who] for who, begins, ends in self.stays.values() if begins <= day < ends}
        sets = {"needing": needing, "fitted": fitted, "waiting": needing - fitted, "rented": rented}
        return {measure: {person: self.place_of(homes[person], day) for person in people} for measure, people in sets.items()}

    def served(self, year):
        """{service: {person: place}} of a year; and {kind: {handover: place}}."""
        roots, homes = self.roots(), {person: home for person, home, _ in self.people()}
        undone = {handover for handover, one in self.fittings.items() if one["undone"]}
        done = [one[:3] for one in self.services if one[2] != "repair" or one[3] not in undone]
        done += [(one["person"], one["day"], "fitting") for one in self.fittings.values() if not one["undone"]]
        first = {}
        for person, day, service in done:
            if datetime.date.fromordinal(day).year == year:
                for name in ("all", service):
                    first[name, roots[person]] = min(day, first.get((name, roots[person]), FOREVER))
        people = {service: {} for service in ("all", *SERVICES)}
        for (service, person), day in first.items():
            people[service][person] = self.place_of(homes[person], day)
        pieces = {kind: {} for kind in KINDS}
        for handover, one in self.fittings.items():
            if not one["undone"] and datetime.date.fromordinal(one["day"]).year == year:
                pieces[one["kind"]][handover] = self.place_of(homes[roots[one["person"]]], one["day"])
        return people, pieces

    def within(self, code, places):
        """Those that are in a region."""
        place = self.places[code]
        high = place + {6: 999 if not code.endswith("0000") else 9999999, 9: 0}[len(code)]
        return {thing for thing, where in places.items() if place <= where <= high}
