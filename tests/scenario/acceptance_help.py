# SPDX-License-Identifier: Apache-2.0
"""What tests of acceptance share: a plan of their own whose inspection gate is closed, and cases that are built, with items
and signatures put straight into the tables (how they get there by the API is other tests' business)."""
import itertools

import needs
from stages import DAYS, bring_in_rows, move, walk
from team import Team

BUILT, LATER = DAYS["built"], "2023-05-25T02:00:00Z"  # built, inspected
_plans = itertools.count(1)


class Acceptance:
    """Its people, and `admin`, who made them."""

    def __init__(self, database, people, *gates):
        self.database, self.people, self.admin = database, people, people.admin
        self.plan = f"acceptance-{next(_plans)}"
        self.team = Team(people)
        self.manager, self.county, self.assessor, self.contractor = (
            self.team.manager, self.team.county, self.team.assessor, self.team.contractor)
        people.admin.post("/plans", {"code": self.plan, "name_zh": "验收", "region": "640324", "begins_on": "2021-01-01",
                                     "ends_on": "2035-12-31", "who_counts": "a", "eligibility": "any"}, expect=201)
        self.team.close_gates(self.plan, *gates)

    def case(self, *items, until="built", **row):
        """A case whose work the contractor reported done. items: (kind, name, quantity); one 坡道 by default."""
        (case,) = bring_in_rows(self.manager, [needs.row("tongxin", **row)], self.plan).values()
        walk(self.manager, case, "building", contractor=self.team.firm)
        self.team.give_visit(case)
        for number, (kind, name, quantity) in enumerate(items or [("retrofit", "坡道", 2)], 1):
            self.item(case, number, kind, name, quantity)
        if until == "built":
            move(self.contractor, case, "built", BUILT)
        return case

    def item(self, case, number, kind="retrofit", name="扶手", quantity=1):
        self.database.sql("""INSERT INTO measure (code, kind, name_zh, name_ko, name_en, unit) VALUES ('acceptance_' || %s, %s, '试', '시', 'a', '件')
                             ON CONFLICT DO NOTHING""", kind, kind)
        self.database.sql("""INSERT INTO case_item (plan_region, case_id, number, room, measure, kind, name, unit, quantity, price)
                             VALUES (640324000, %s, %s, 'bathroom', 'acceptance_' || %s, %s, %s, '件', %s, 100)""",
                          case, number, kind, kind, name, quantity)

    def remove_item(self, case, number):
        self.database.sql("UPDATE case_item SET removed_at = now() WHERE case_id = %s AND number = %s", case, number)

    def signature(self, case, slot="signature"):
        self.database.sql("INSERT INTO photo (hash, kind, bytes, width, height) VALUES (sha256('acceptance'), 'png', 1, 1, 1) ON CONFLICT DO NOTHING")
        return self.database.sql("""INSERT INTO case_photo (plan_region, id, case_id, slot, photo, taken_at, account_id)
            VALUES (640324000, id_in(640324000, 'case_photo_number'), %s, %s, sha256('acceptance'), now(), 1) RETURNING id""", case, slot)[0][0]

    def inspect(self, case, *entries, by=None, **more):
        """entries: (item, measured) or (item, measured, fault). A fault makes it a rework. Signed and satisfied unless said otherwise."""
        options = {name: more.pop(name) for name in ("expect", "code", "key", "match") if name in more}
        items = [dict(zip(("item", "measured", "fault"), entry)) for entry in entries]
        failed = any(item.get("fault") for item in items)
        body = {"inspected_at": LATER, "items": items, "satisfaction": 4, "result": "rework" if failed else "pass"}
        if failed:
            body["deadline"] = "2023-06-20"
        if "signature" not in more and not failed:
            body["signature"] = self.signature(case)
        body = {name: value for name, value in {**body, **more}.items() if value is not None}
        return (by or self.assessor).post(f"/cases/{case}/inspections", body, **options)
