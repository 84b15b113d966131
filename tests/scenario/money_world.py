# SPDX-License-Identifier: Apache-2.0
"""What the tests of designs, the ledger and sheets share: a plan of their own in Tongxin, with a ceiling, measures and sources."""
import itertools
import threading

import needs
import step_design
from harness import People
from stages import MAIN, NOTE, bring_in_rows, move
from team import Team

_numbers = itertools.count(1)


def at_once(requests):
    """Sends them all at the same time: (client, path, body, method unless it is POST); the answers, as they come."""
    answers = []

    def post(client, path, body, method="POST"):
        own = client.clone()
        answers.append(own._send(method, f"/api/v1{path}", body, {"Authorization": f"Bearer {own.token}", "Content-Type": "application/json"}, 60))
        own.close()

    threads = [threading.Thread(target=post, args=request) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


class World:
    def __init__(self, admin, *gates, plan=None, ceiling=500000):
        self.people = People(admin)
        self.team = Team(self.people)
        self.admin, self.county, self.manager = self.team.admin, self.team.county, self.team.manager
        self.fresh = []
        self.plan = plan or f"money-{next(_numbers)}"
        self.admin.post("/plans", {"code": self.plan, "name_zh": "资金计划", "region": "640324", "begins_on": "2022-01-01", "ends_on": "2030-12-31",
                                   "who_counts": "户", "eligibility": "any", "subsidy_ceiling": ceiling}, expect=201)
        self.rail = step_design.measure(self.admin, "money_rail")
        self.ramp = step_design.measure(self.admin, "money_ramp", name_zh="坡道", unit="平方米", ceiling=10000)
        self.chair = step_design.measure(self.admin, "money_chair", name_zh="轮椅", unit="辆", kind="device")
        for code in ("province", "county"):
            step_design.source(self.manager, self.plan, code, name_zh={"province": "省级补助", "county": "县级补助"}[code])
        self.team.close_gates(self.plan, *gates)

    def close(self):
        for client in self.people.made:
            client.close()

    def case(self, **columns):
        """One of a household like others (a dozen come at a time), or of one with those columns."""
        if columns:
            (case,) = bring_in_rows(self.manager, [needs.row("tongxin", **columns)], self.plan).values()
            return case
        if not self.fresh:
            self.fresh = list(bring_in_rows(self.manager, [needs.row("tongxin") for _ in range(12)], self.plan).values())
        return self.fresh.pop()

    def walk(self, case, until, begin="approved", **more):
        """On from there, each stage today; contractor: the team's."""
        for stage in MAIN[MAIN.index(begin):MAIN.index(until) + 1]:
            move(self.manager, case, stage, **({"contractor": self.team.firm} if stage == "assigned" else {}), **more)
        return case

    def surveyed(self, **columns):
        return self.walk(self.case(**columns), "surveyed")

    def item(self, measure=None, quantity=2, price=15050, room="bathroom", **more):
        return {"room": room, "measure": measure or self.rail, "quantity": quantity, "price": price, **more}

    def put(self, case, items=None, sources=(), dropped=(), by=None, **options):
        return (by or self.county).put(f"/cases/{case}/design", {"items": items if items is not None else [self.item()],
                                       "sources": [{"source": name, "amount": amount} for name, amount in dict(sources).items()],
                                       "dropped": list(dropped)}, **options)

    def designed(self, items=None, sources=(("province", 20000),), **columns):
        case = self.surveyed(**columns)
        self.put(case, items, sources)
        move(self.manager, case, "designed")
        return case

    def propose(self, case, *items, by=None, reason=NOTE, sources=None, dropped=None, **options):
        body = {"reason": reason, "items": list(items)}
        if sources is not None:
            body["sources"] = [{"source": name, "amount": amount} for name, amount in sources.items()]
        if dropped is not None:
            body["dropped"] = dropped
        return (by or self.county).post(f"/cases/{case}/change-orders", body, **options)

    def decide(self, order, decision="approve", by=None, note=NOTE, **options):
        return (by or self.manager).post(f"/change-orders/{order}/approval", {"decision": decision, "note": note}, **options)

    def pay(self, case, amount, source="province", by=None, reference=None, paid_on="2023-07-01", **options):
        extra = {name: options.pop(name) for name in ("contractor", "note") if name in options}
        return (by or self.county).post(f"/cases/{case}/payments", {
            "source": source, "amount": amount, "paid_on": paid_on, "reference": reference or f"V{next(_numbers)}", **extra}, **options)

    def balance(self, case):
        """{source: {account: amount}} by the case's entries, without zeros; each transaction is in balance."""
        found = {}
        for transaction in self.manager.pages(f"/cases/{case}/ledger"):
            assert sum(entry["amount"] for entry in transaction["entries"]) == 0, transaction
            for entry in transaction["entries"]:
                accounts = found.setdefault(entry["source"], {})
                accounts[entry["account"]] = accounts.get(entry["account"], 0) + entry["amount"]
        return {source: {account: amount for account, amount in accounts.items() if amount} for source, accounts in found.items()}

    def kinds(self, case):
        return [transaction["kind"] for transaction in self.manager.pages(f"/cases/{case}/ledger")]
