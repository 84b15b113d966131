# SPDX-License-Identifier: Apache-2.0
"""A random walk over the actions of device_model.Devices: mostly what an item needs next, by who should do it; often by somebody else,
with another item, or at the wrong time. Every step is done to the server and to the model, and both must say the same."""
import collections
import random

import step_loop
from device_model_data import ACTING, DEPOSIT, Who
from model_walk import ANY_STATUS, Difference

SIGNATURE = {"strokes": [[1, 2, 3, 4]]}
BEFORE_THE_LOOP = {"in_stock": "out", "reserved": "out", "lent": "back", "fitted": "back", "returned": "wash", "disinfecting": "washed",
                   "inspecting": "look", "repairing": "mend", "recalled": "lift", "lost": "find", "recycled": "out"}


class Walk:
    def __init__(self, model, people, clients, seed, device, most):
        self.model, self.people, self.clients, self.device, self.most = model, people, clients, device, most
        self.random = random.Random(seed)
        self.log = collections.deque(maxlen=30)
        self.said = collections.Counter()
        self.steps = self.serial = 0
        self.touched = []

    # --- dice ---

    def likely(self, share):
        return self.random.random() < share

    def some(self, *choices):
        return self.random.choice(choices)

    def who(self, centre=None):
        """Somebody who may act for that centre; now and then anybody at all."""
        if self.likely(0.18):
            return self.random.choice(self.people)
        return self.random.choice([who for who in self.people if who.role in ACTING and self.model.runs(who, centre)])

    def item(self, *states, centre=None):
        """One in these states; now and then, or when there is none, any."""
        fit = [item for item in self.model.items if item.state in states and centre in (None, item.centre) and not item.transfer]
        return self.random.choice(self.model.items if not fit or self.likely(0.25) else fit)

    def last(self, things, count=40):
        return self.random.choice(things[-count:]) if things else None

    # --- one step, done twice ---

    def step(self):
        self.steps += 1
        self.touched = []
        if self.model.items and self.likely(0.78):
            item = self.random.choice(self.model.items)
            action = BEFORE_THE_LOOP[item.state] if not item.transfer else "transfer"
            getattr(self, f"do_{action}")(item)
        else:
            self.random.choice([self.do_take_in, self.do_ask, self.do_ask, self.do_assess, self.do_assess, self.do_batch, self.do_end_batch,
                                self.do_lose, self.do_send, self.do_send, self.do_recall, self.do_money, self.do_money, self.do_undo,
                                self.do_inspect_any, self.do_recycle, self.do_withdraw])()
        for item in self.touched[:2]:
            self.same_item(item)

    def call(self, who, method, path, body=None, **options):
        return self.clients[who.name].request(method, path, body, expect=ANY_STATUS, **options)

    def agree(self, what, refused, answer):
        """Both refuse, for a reason that holds; or both do it: then true."""
        got = None if answer.status < 300 else answer["code"]
        self.log.append(f"{self.steps}: {what} → {sorted(refused) or 'done'} / {got or 'done'}")
        self.said[what.split(" ")[0], got] += 1
        if (got is None) != (not refused) or (got is not None and got not in refused):
            raise Difference(f"the model says {sorted(refused) or 'done'}, the server {got or 'done'}: {answer!r}\n" + "\n".join(self.log))
        return got is None

    def same_item(self, item):
        seen = self.clients["manager"].get(f"/device-items/{item.id}")
        server = (seen["state"], seen["centre"], seen["holder"]["handover"], seen["reserved_for"], seen["transfer"], seen["recalled_by"], seen["version"])
        model = (item.state, item.centre, item.holder.id if item.holder else None, item.reserved.id if item.reserved else None,
                 item.transfer.id if item.transfer else None, item.recalls[0].id if item.recalls else None, item.version)
        if server != model:
            raise Difference(f"item {item.code}: the model has {model}, the server {server}\n{item.life[-6:]}\n" + "\n".join(self.log))

    def named(self, item):
        """By its label, or by its id."""
        return item.code if self.likely(0.7) else str(item.id)

    # --- stock ---

    def do_take_in(self, item=None):
        if len(self.model.items) >= self.most and not self.likely(0.05):
            return
        centre = self.some(*self.model.counties)
        who = self.who(centre)
        named = centre if who.role != "centre" or self.likely(0.2) else None
        if self.likely(0.05) and who.role != "centre":
            named = None
        donated, repeats = self.likely(0.3), self.model.items and (self.likely(0.05) or len(self.model.items) >= self.most)
        serial = self.random.choice(self.model.items).serial if repeats else f"M{self.serial:06}"
        self.serial += 1
        body = {"model": self.device, "serial": serial, "source": "donated" if donated else "purchased", "centre": named}
        answer = self.call(who, "POST", "/device-items", {name: value for name, value in body.items() if value is not None})
        if self.agree(f"take-in {who.name} {named} {serial}", self.model.take_in(who, named, donated, serial), answer):
            self.touched.append(self.model.taken(who, answer["id"], answer["code"], named or who.centre, donated, serial))

    def do_lose(self, item=None):
        item = item or self.item("in_stock", "returned", "disinfecting", "inspecting", "repairing", "recalled")
        who, fresh = self.who(item.centre), not self.likely(0.1)
        self.touched.append(item)
        answer = self.call(who, "POST", f"/device-items/{self.named(item)}/loss", {"note": "盘点"}, match=f'"{item.version - (not fresh)}"')
        self.agree(f"lose {who.name} {item.code} {item.state}", self.model.lose(who, item, fresh), answer)

    def do_find(self, item):
        if item.lost_by and self.likely(0.7) or self.likely(0.2):
            return self.do_back(item)
        if self.likely(0.2):
            item = self.item("lost", "in_stock", "returned", "lent")
        who = self.who(item.centre)
        self.touched.append(item)
        answer = self.call(who, "POST", f"/device-items/{self.named(item)}/finding", {"note": "找到了"})
        return self.agree(f"find {who.name} {item.code} {item.state}", self.model.find(who, item), answer)

    # --- requests ---

    def do_ask(self, item=None):
        person = self.random.choice(self.model.people)
        centre = self.some(*[centre for centre, county in self.model.counties.items() if county == person.county])
        who = self.who(centre)
        while who.role == "centre":  # who is there for whom before the first request is another test's
            who = self.who(centre)
        body = {"person": person.id, "measure": "manual_wheelchair", "centre": centre}
        answer = self.call(who, "POST", "/device-requests", body)
        if self.agree(f"ask {who.name} {person.id % 1000} {centre}", self.model.ask(who, person, centre), answer):
            self.model.asked(answer["id"], person, centre)

    def request(self, *states, centre=None, purpose=None):
        """One in these states; now and then any; None: there is none."""
        wild = self.model.requests and self.likely(0.2)
        fit = self.model.requests if wild else [one for one in self.model.requests if one.state in states and centre in (None, one.centre)
                                                and purpose in (None, one.purpose)]
        return self.random.choice(fit) if fit else None

    def do_assess(self, item=None, request=None):
        request = request or self.request("waiting")
        if not request:
            return
        who, purpose = self.who(request.centre), None if self.likely(0.08) else self.some("fitting", "rental")
        body = {"outcome": "pass", "assessed_for": purpose, "measurements": [{"code": "seat_width", "value": 450}]} if purpose else {
            "outcome": "reassess", "reason": "发热", "reassess_on": self.today()}
        self.touched += [item for item in self.model.items if item.reserved is request]
        answer = self.call(who, "POST", f"/device-requests/{request.id}/assessment", body)
        self.agree(f"assess {who.name} {request.id % 1000} {request.state} {purpose}", self.model.assess(who, request, purpose), answer)

    @staticmethod
    def today():
        return step_loop.within_a_day(0)[0][:10]

    # --- out ---

    def do_out(self, item):
        """Mostly to somebody whom its centre serves and who was assessed; some are for rent, some to keep."""
        kind = self.some("fitting", "rental", "rental", "trial", "loan", "reserve")
        if kind == "loan":
            return self.do_lend(item)
        request = self.request("assessed", centre=item.centre, purpose="fitting" if kind == "trial" and self.likely(0.8) else kind if kind in (
            "fitting", "rental") else None)
        if not request:
            waiting = [one for one in self.model.requests if one.state == "waiting" and one.centre == item.centre]
            return self.do_assess(request=self.random.choice(waiting)) if waiting else self.do_ask()
        if item.state == "reserved" and self.likely(0.6):
            request = item.reserved
            kind = request.purpose if kind == "fitting" or kind == "rental" else kind
        who = self.who(item.centre)
        self.touched += [item, *(one for one in self.model.items if one.reserved is request and one is not item)]
        if kind == "reserve":
            return self.do_reserve(who, request, item)
        refused = self.model.hand_over(who, request, item, kind)
        body = {"request": request.id, "item": self.named(item)}
        paid = kind == "rental" and self.likely(0.5)
        if kind == "fitting":
            answer = self.call(who, "POST", "/fittings", {**body, "signature": SIGNATURE})
        elif kind == "trial":
            answer = self.call(who, "POST", "/trials", {**body, "due_at": step_loop.minutes_ago(-10000)})
        else:
            answer = self.call(who, "POST", "/rentals", {**body, "months": 1, "deposit_paid": paid})
        if self.agree(f"{kind} {who.name} {item.code} {item.state} {request.id % 1000} {request.state}", refused, answer):
            self.model.handed(who, answer["id"], request, item, kind, DEPOSIT if paid else 0)
        return None

    def do_lend(self, item):
        who = self.who(item.centre)
        self.touched.append(item)
        answer = self.call(who, "POST", "/device-loans", {"item": self.named(item), "borrower": "路人", "phone": "13900000000"})
        if self.agree(f"lend {who.name} {item.code} {item.state}", self.model.lend(who, item), answer):
            self.model.handed(who, answer["id"], None, item, "loan")

    def do_reserve(self, who, request, item):
        if self.likely(0.2):
            answer = self.call(who, "POST", f"/device-requests/{request.id}/reservation/release")
            self.agree(f"release {who.name} {request.id % 1000}", self.model.reserve(who, request, None), answer)
        else:
            answer = self.call(who, "POST", f"/device-requests/{request.id}/reservation", {"item": self.named(item)})
            self.agree(f"reserve {who.name} {request.id % 1000} {request.state} {item.code} {item.state}", self.model.reserve(who, request, item), answer)

    # --- and back ---

    def do_back(self, item):
        who = self.who(item.centre)
        self.touched.append(item)
        holder = item.holder or item.lost_by
        if holder and holder.kind == "rental" and self.likely(0.4):
            return self.end_rental(who, holder)
        if holder and holder.kind == "trial" and self.likely(0.5):
            answer = self.call(who, "POST", f"/trials/{holder.id}/keep", {"signature": SIGNATURE})
            self.agree(f"keep {who.name} {item.code} {item.state}", self.model.keep(who, holder), answer)
            return None
        answer = self.call(who, "POST", "/device-returns", {"item": self.named(item), "condition": self.some("good", "worn")})
        self.agree(f"return {who.name} {item.code} {item.state}", self.model.give_back(who, item), answer)
        return self.do_undo(item) if self.likely(0.12) else None

    def end_rental(self, who, rental):
        how = "lost" if self.likely(0.25) else "returned"
        answer = self.call(who, "POST", f"/rentals/{rental.id}/{'loss' if how == 'lost' else 'return'}", {"note": "x"})
        self.agree(f"end {who.name} {rental.id % 1000} {how}", self.model.end_rental(who, rental, how), answer)

    def do_undo(self, item=None):
        """Mostly by who made the return."""
        item = item or self.item("returned")
        self.touched.append(item)
        who = item.life[-1][3] if self.likely(0.7) and item.life[-1][3] else self.who(item.centre)
        answer = self.call(who, "POST", "/device-returns/undo", {"item": self.named(item)})
        self.agree(f"undo {who.name} {item.code} {item.life[-1][0]}", self.model.undo(who, item), answer)

    def do_money(self, item=None):
        rentals = [one for one in self.model.handovers if one.kind == "rental" and (not one.closed or self.likely(0.02))]
        rental = self.random.choice(rentals) if rentals else None
        if not rental:
            return
        who = self.who(rental.request.centre)
        if self.likely(0.4) or not rental.ended and self.likely(0.5):
            amount = self.some(1, 5000, DEPOSIT - rental.held or 1, DEPOSIT)
            answer = self.call(who, "POST", f"/rentals/{rental.id}/payments", {"kind": "deposit", "amount": amount})
            self.agree(f"pay {who.name} {rental.id % 1000} {amount}", self.model.pay(who, rental, amount), answer)
            return
        charges = self.some(0, 0, 3000, 50000)
        received = self.model.rest(rental, charges) + (1 if self.likely(0.1) else 0)
        body = {"received": received, **({"charges": [{"reason": "损坏", "amount": charges}]} if charges else {})}
        answer = self.call(who, "POST", f"/rentals/{rental.id}/close", body)
        self.agree(f"close {who.name} {rental.id % 1000} {charges}", self.model.settle(who, rental, charges, received), answer)

    # --- the loop ---

    def do_wash(self, item):
        if self.likely(0.06):
            return self.do_recycle(item) if self.likely(0.2) else self.do_send(item)
        more = {self.item("returned", centre=item.centre) for _ in range(self.some(0, 1, 3))} - {item}
        return self.do_batch([item, *sorted((one for one in more), key=lambda one: one.id)])

    def do_batch(self, items=None):
        items = items or sorted({self.item("returned") for _ in range(self.some(1, 2))}, key=lambda one: one.id)
        self.random.shuffle(items)
        who, done = self.who(items[0].centre), self.likely(0.7)
        began, ended = step_loop.within_a_day(4)
        self.touched += items
        body = {"items": [{"item": self.named(item)} for item in items], "method": "wipe", "agent": "alcohol_75", "began_at": began}
        answer = self.call(who, "POST", "/device-disinfections", {**body, "ended_at": ended} if done else body)
        if self.agree(f"disinfect {who.name} {[(item.code, item.state) for item in items]}", self.model.disinfect(who, items), answer):
            self.model.disinfected(who, answer["id"], items, done)

    def do_washed(self, item):
        self.do_end_batch(item.batch)

    def do_end_batch(self, batch=None):
        batch = batch or self.last(self.model.batches)
        if not batch:
            return
        who = self.who(batch.centre)
        inside = [item for item in batch.items if item.batch is batch]
        failed = [item for item in inside if self.likely(0.15)] + ([self.item("returned")] if self.likely(0.05) else [])
        self.touched += inside
        answer = self.call(who, "POST", f"/device-disinfections/{batch.id}/end", {
            "ended_at": step_loop.within_a_day(4)[1], "failed": [{"item": self.named(item), "reason": "断电"} for item in failed]})
        self.agree(f"end-batch {who.name} {[item.code for item in inside]} {[item.code for item in failed]}",
                   self.model.end_batch(who, batch, failed), answer)

    def do_inspect_any(self):
        self.do_look(self.item("in_stock", "recalled", "inspecting"))

    def do_look(self, item):
        result = "pass" if self.likely(0.8) else self.some("repair", "recycle", "pass")
        who = self.who(item.centre)
        self.touched.append(item)
        answer = self.call(who, "POST", "/device-inspections", {"item": self.named(item), "result": result, "grade": "B", "all_ok": True, "note": "刹车"})
        refused = self.model.inspect(who, item, result)
        if self.agree(f"inspect {who.name} {item.code} {item.state} {result}", refused, answer) and result == "repair":
            self.model.repaired(who, answer["repair"], item)

    def do_mend(self, item):
        if self.likely(0.1) or not item.repair:
            return self.do_repair(self.item("in_stock", "inspecting", "recalled")) if self.likely(0.8) else self.do_recycle(item)
        repair = item.repair if not self.likely(0.08) else self.last(self.model.repairs)
        who, outcome = self.who(repair.centre), "mended" if self.likely(0.85) else "beyond_repair"
        self.touched += [item, repair.item]
        answer = self.call(who, "POST", f"/device-repairs/{repair.id}/end", {"outcome": outcome})
        self.agree(f"end-repair {who.name} {repair.item.code} {repair.item.state} {outcome}", self.model.end_repair(who, repair, outcome), answer)
        return None

    def do_repair(self, item):
        if item.holder:  # a service to who has it: another test's
            return
        who = self.who(item.centre)
        self.touched.append(item)
        refused = self.model.repair(who, item)
        answer = self.call(who, "POST", "/device-repairs", {"item": self.named(item), "fault": "轮胎破"})
        if self.agree(f"repair {who.name} {item.code} {item.state}", refused, answer):
            self.model.repaired(who, answer["id"], item)

    def do_recycle(self, item=None):
        if self.likely(0.7):  # few: what is recycled is gone
            return
        item = item or self.item("recalled", "returned", "lent", "recycled")
        who = self.who(item.centre)
        self.touched.append(item)
        answer = self.call(who, "POST", "/device-recyclings", {"item": self.named(item), "reason": "beyond_repair"})
        self.agree(f"recycle {who.name} {item.code} {item.state}", self.model.recycle(who, item), answer)

    # --- to another centre ---

    def do_send(self, item=None):
        item = item or self.item("in_stock", "returned", "inspecting", "recalled")
        items = sorted({item, *(self.item("in_stock", "returned", centre=item.centre) for _ in range(self.some(0, 0, 2)))}, key=lambda one: one.id)
        to, who = self.some(*self.model.counties), self.who(item.centre)
        self.touched += items
        body = {"to": to, "items": [{"item": self.named(one)} for one in items], **({} if who.role == "centre" else {"centre": item.centre})}
        answer = self.call(who, "POST", "/device-transfers", body)
        origin = who.centre if who.role == "centre" else item.centre
        if self.agree(f"send {who.name} {[(one.code, one.state) for one in items]} {origin} {to}", self.model.send(who, origin, items, to), answer):
            self.model.sent(who, answer["id"], origin, items, to)

    def do_transfer(self, item):
        transfer = item.transfer if not self.likely(0.1) else self.last(self.model.transfers)
        received = self.likely(0.8)
        who = self.who(transfer.to if received else transfer.origin)
        if self.likely(0.1):
            return self.random.choice([self.do_lose, self.do_out, self.do_look, self.do_recycle, self.do_repair])(item)
        self.touched += transfer.items
        answer = self.call(who, "POST", f"/device-transfers/{transfer.id}/{'receipt' if received else 'cancel'}", {})
        return self.agree(f"{'receive' if received else 'call-back'} {who.name} {transfer.id % 1000} {transfer.origin} {transfer.to}",
                          self.model.end_transfer(who, transfer, received), answer)

    # --- recalls ---

    def do_recall(self):
        if ("POST", "/api/v1/device-recalls") not in self.clients["manager"].contract.operations or sum(not recall.over for recall in self.model.recalls) > 2 or not self.model.items:
            return
        serials = sorted(self.random.choice(self.model.items).serial for _ in range(2))
        if int(serials[1][1:]) - int(serials[0][1:]) > 6:
            serials[1] = serials[0]
        who = next(who for who in self.people if who.name == "manager")
        body = {"model": self.device, "serial_from": serials[0], "serial_to": serials[1], "reason": "刹车", "due_on": "2099-01-01"}
        answer = self.call(who, "POST", "/device-recalls", body)
        self.agree(f"recall {serials}", set(), answer)
        self.touched += self.model.recall(answer["id"], tuple(serials), who).open

    def do_lift(self, item):
        if not item.recalls:
            return
        if self.likely(0.3):
            self.random.choice([self.do_look, self.do_repair, self.do_send, self.do_out, self.do_lose])(item)
            return
        self.do_resolve(item)

    def do_resolve(self, item):
        recall = self.last(item.recalls) if not self.likely(0.1) else self.last(self.model.recalls)
        who = self.who(item.centre)
        resolution = "harmless" if self.likely(0.9) else "lost"
        self.touched.append(item)
        answer = self.call(who, "POST", f"/device-recalls/{recall.id}/items/{self.named(item)}/resolution", {"resolution": resolution, "note": "查过"})
        self.agree(f"resolve {who.name} {item.code} {item.state} {resolution}", self.model.resolve(who, recall, item, resolution), answer)

    def do_withdraw(self):
        recall = self.last(self.model.recalls)
        if recall and self.likely(0.3):
            who = self.who(next(iter(self.model.counties)))
            self.touched += recall.open
            answer = self.call(who, "POST", f"/device-recalls/{recall.id}/withdrawal", {"note": "误报"})
            self.agree(f"withdraw {who.name} {recall.id}", self.model.withdraw(who, recall), answer)


def everybody(centres):
    """One or two of every role; centres: {name: (code, county)}."""
    return [*(Who(name, "centre", centre=code) for name, (code, _) in centres.items()), Who("county", "county", county="622921"),
            Who("county2", "county", county="622922"), Who("manager", "manager"), Who("manager2", "manager"),
            Who("auditor", "auditor"), Who("foreigner", "manager", here=False)]
