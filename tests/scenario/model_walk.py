# SPDX-License-Identifier: Apache-2.0
"""A random walk over the actions of model.Plan: mostly what a case needs next, by who should do it; often by somebody else, too
early, or nonsense. Every step is done to the server and to the model, and both must say the same."""
import collections
import datetime
import random
import uuid

import pictures
from model_data import EVERYBODY, FIELD, OFFICE, STAGES, Item, today

DAY = datetime.timedelta(1)
BEGINS = datetime.date(2021, 1, 1)
ROOMS = {1: ("entrance", "entrance_steps", "ramp"), 2: ("bathroom", "toilet_without_support", "toilet_grab_bar"),
         3: ("kitchen", "worktop_too_high", "low_worktop")}
SLOTS = ("before", "during", "after", "inspection", "signature")


def at(day):
    """Ten in the morning; today: now, which is not said."""
    return None if day is None or day == today() else f"{day}T02:00:00Z"


class Difference(AssertionError):
    pass


class Walk:
    def __init__(self, plan, code, people, clients, seed):
        self.plan, self.code, self.people, self.clients = plan, code, people, clients
        self.random = random.Random(seed)
        self.log = collections.deque(maxlen=30)
        self.said = collections.Counter()
        self.pictures = [pictures.png(24, 18, seed=f"model {n}") for n in range(6)]
        self.steps = 0

    # --- dice ---

    def some(self, *choices):
        return self.random.choice(choices)

    def likely(self, share):
        return self.random.random() < share

    def one_of(self, *roles):
        return self.random.choice([person for person in self.people if person.role in roles and person.here])

    def worker(self, case, *roles):
        """Somebody who can."""
        role = self.some(*roles)
        if role == "assessor" and case.assessor:
            return case.assessor
        firm = [person for person in self.people if person.firm and person.firm == case.contractor]
        return firm[0] if role == "contractor" and firm else self.one_of(*OFFICE)

    def later(self, case, least=0):
        """A day for the case to go on: not before the last, mostly soon."""
        day = max(case.day, BEGINS) + DAY * (least + self.some(0, 0, 1, 1, 2, 6))
        return min(day, today())

    # --- one step, done twice ---

    def step(self):
        self.steps += 1
        case = self.random.choice(list(self.plan.cases.values()))
        name, arguments = self.wild(case) if self.likely(0.12) else self.wise(case)
        if self.likely(0.1):
            arguments["who"] = self.random.choice(self.people)
        getattr(self, f"do_{name}")(case, **arguments)

    def compare(self, case, what, expected, answer):
        got = None if answer.status < 300 else answer["code"]
        self.log.append(f"{self.steps}: case {case.id % 10 ** 6} ({case.stage}, v{case.version}) {what} → {expected} / {got}")
        self.said[what.split(" ")[0], expected] += 1
        if got != expected:
            raise Difference(f"the model says {expected}, the server {got}: {answer!r}\n" + "\n".join(self.log))
        return got is None

    def call(self, who, method, path, body=None, **options):
        answer = self.clients[who.name].request(method, path, body, expect=ANY_STATUS, **options)
        if answer.status >= 500:
            raise Difference(f"{method} {path}: {answer!r}\n" + "\n".join(self.log))
        return answer

    def same_case(self, case, seen):
        """What the server tells of the case is what the model has."""
        model = (case.stage, case.version, case.resume, str(case.accepted_on) if case.accepted_on else None, case.contractor, case.eligible)
        server = (seen["stage"], seen["version"], seen["resume_stage"], seen["accepted_on"], seen["contractor"], seen["eligible"])
        if model != server:
            raise Difference(f"case {case.id}: the model has {model}, the server {server}\n" + "\n".join(self.log))

    # --- what a case needs next ---

    def wise(self, case):
        if self.likely(0.05):
            return "take_back", {"who": case.events[-1].by if case.events and self.likely(0.8) else self.one_of(*EVERYBODY)}
        if self.likely(0.03):
            to = self.some("suspended", "suspended", "withdrawn", "rejected")
            return "move", {"who": self.one_of(*OFFICE), "to": to, "happened": self.later(case), "note": "试验"}
        return getattr(self, f"from_{case.stage}")(case)

    def go(self, case, to, *roles, least=0, **more):
        return "move", {"who": self.worker(case, *roles), "to": to, "happened": self.later(case, least),
                        "note": "试验" if self.likely(0.8) else None, **more}

    def from_registered(self, case):
        if not case.assessor and self.likely(0.5):
            return "give_visit", {"who": self.one_of(*OFFICE), "assessor": self.one_of("assessor")}
        return self.go(case, "approved", "manager" if not case.eligible else "county")

    def from_approved(self, case):
        posted = self.plan.posted(case)
        if case.notices and self.likely(0.02):
            return self.said_against(case)
        if any(objection.state == "open" for objection in case.objections) and self.likely(0.3):
            return self.said_against(case)
        if not posted:
            return "publish", {"who": self.one_of(*OFFICE), "starts": case.entered("approved", "move").day + DAY * self.some(0, 0, 1, -1),
                               "days": self.plan.notice_days - (1 if self.likely(0.1) else 0)}
        if self.plan.survey_lacks(case) or not self.plan.agreed(case) or self.likely(0.05):
            return "save_survey", {"who": self.worker(case, *FIELD), "content": self.content(case),
                                   "match": case.survey.version if case.survey and self.likely(0.95) else None}
        unseen = [number for number in self.plan.agreed(case) if not case.has_photo("before", finding=number)]
        if unseen and self.likely(0.9):
            return "send_photo", {"who": self.worker(case, *FIELD), "slot": "before", "item": None, "finding": unseen[0]}
        unsigned = [by for by in ("household", "assessor") if not self.plan.signed(case, by)]
        if unsigned and self.likely(0.9):
            return self.sign(case, unsigned[0])
        return self.go(case, "surveyed", *FIELD, least=max(0, ((posted - case.day).days + self.some(0, 1, 1, 1))))

    def said_against(self, case):
        """An objection, the word about it, or a notice that is called off."""
        notice, office = case.notices[-1], self.one_of(*OFFICE)
        if case.objections and self.likely(0.7):
            return "resolve", {"who": office, "objection": case.objections[-1], "outcome": self.some("dismissed", "dismissed", "dismissed", "upheld")}
        if self.likely(0.3):
            return "cancel", {"who": office, "notice": notice}
        return "object", {"who": office, "notice": notice}

    def fresh_signatures(self, case):
        return [number for number in case.photos if self.plan.is_signature(case, number) and number not in case.used_signatures]

    def sign(self, case, by):
        fresh = self.fresh_signatures(case)
        if not fresh:
            return "send_photo", {"who": self.worker(case, *FIELD), "slot": "signature", "item": None, "finding": None}
        who = case.assessor if by == "assessor" and case.assessor else case.survey.saved_by
        photo = fresh[0] if self.likely(0.9) else self.random.choice(list(case.photos))
        return "sign_survey", {"who": who, "by": by, "photo": photo, "match": case.survey.version - (1 if self.likely(0.05) else 0)}

    def content(self, case):
        consent = lambda: self.some("agreed", "agreed", "agreed", "agreed", "declined", "open")
        numbers = [number for number in ROOMS if self.likely(0.9) or number in (case.survey.content["findings"] if case.survey else ())]
        visited = None if self.likely(0.1) else case.day + DAY * self.some(0, 0, 1)
        return {"visited": visited and min(visited, today()),
                "findings": {number: (ROOMS[number][0], ROOMS[number][2], consent()) for number in numbers}}

    def from_surveyed(self, case):
        if not case.designed or self.plan.design_gate(case) or self.likely(0.1):
            agreed = self.plan.agreed(case)
            items = [Item(number, ROOMS[number][2], self.some(1, 1.5, 2), self.some(15050, 20000, 333))
                     for number in agreed if self.likely(0.95)]
            if self.likely(0.1):
                items.append(Item(None if self.likely(0.7) else self.some(1, 2, 3, 4), "model_chair", 1, 5000))
            if self.likely(0.06):
                items = [Item(number, "model_chair", 1, 800) for number in agreed]
            total = sum(item.amount for item in items)
            sources = {"province": self.some(0, total // 2, total // 2, total // 3, total, total + 1)} if self.likely(0.6) else {}
            dropped = [number for number in agreed if number not in [item.finding for item in items] and self.likely(0.8)]
            return "save_design", {"who": self.worker(case, *FIELD), "items": items, "sources": sources, "dropped": dropped}
        return self.go(case, "designed", *FIELD)

    def from_designed(self, case):
        if self.likely(0.35):
            return self.change(case)
        if self.likely(0.15):
            return "give", {"who": self.one_of(*OFFICE), "firm": self.some("firm", "firm2")}
        return self.go(case, "assigned", *OFFICE, firm=self.some("firm", "firm2", None))

    def change(self, case):
        pending = [change for change in case.changes if change.state == "pending"]
        if pending and self.likely(0.9):
            return "decide", {"who": self.one_of(*OFFICE), "change": pending[0], "approve": self.likely(0.8), "note": self.some("试验", None)}
        if case.changes and self.likely(0.1):
            return "decide", {"who": self.one_of(*OFFICE), "change": case.changes[0], "approve": True, "note": None}
        live = list(case.items) or [1]
        ops = []
        for _ in range(self.some(0, 1, 1, 1, 2)):
            op = self.some("add", "change", "change", "remove")
            what = Item(self.some(None, None, 1, 2), self.some("ramp", "model_chair"), self.some(1, 2.5), 7000) if op == "add" else self.some(1, 2, 2.5)
            ops.append((op, None if op == "add" else self.random.choice(live), what))
        return "propose", {"who": self.worker(case, *EVERYBODY), "ops": ops}

    def from_assigned(self, case):
        if self.likely(0.08):
            return self.some(("decline_order", {"who": self.worker(case, "contractor", "county")}),
                             ("reassign", {"who": self.one_of(*OFFICE), "firm": self.some("firm", "firm2")}),
                             self.go(case, "designed", "contractor", "county"), self.change(case))
        if (not case.live_order or case.live_order.state == "open") and self.likely(0.9):
            return "accept_order", {"who": self.worker(case, "contractor", "contractor", "county"), "note": self.some("试验", "试验", None)}
        return self.picture(case, "before") or self.go(case, "building", "contractor", "county")

    def picture(self, case, slot):
        lacking = [number for number, item in case.live_items.items() if not case.has_photo(slot, item=number, finding=item.finding)]
        if not lacking or self.likely(0.1):
            return None
        return "send_photo", {"who": self.worker(case, *(FIELD if slot == "before" else ("contractor", "contractor", "county"))), "slot": slot,
                              "item": lacking[0], "finding": None}

    def from_building(self, case):
        if self.likely(0.1):
            return self.some(("reassign", {"who": self.one_of(*OFFICE), "firm": self.some("firm", "firm2")}), self.go(case, "assigned", *OFFICE),
                             self.change(case), self.change(case))
        return self.picture(case, "after") or self.again(case) or self.go(case, "built", "contractor", "contractor", "county")

    def again(self, case):
        if self.plan.mended(case) and self.likely(0.9):
            faulty = [number for number, fault in case.inspections[-1].items.items() if fault]
            return "send_photo", {"who": self.worker(case, "contractor"), "slot": "after", "item": self.random.choice(faulty), "finding": None}
        return None

    def from_built(self, case):
        last = case.last_inspection()
        lacks = last and last.result == "pass" and self.plan.acceptance_gate(case, today()) and self.likely(0.6)
        if not last or lacks or self.likely(0.1):
            fresh = self.fresh_signatures(case)
            if not fresh and self.likely(0.9):
                return "send_photo", {"who": self.worker(case, *FIELD), "slot": "signature", "item": None, "finding": None}
            return self.inspection(case, fresh)
        if self.likely(0.1):
            return self.go(case, self.some("accepted", "rework"), *FIELD)
        return self.go(case, "accepted" if last.result == "pass" else "rework", *FIELD)

    def inspection(self, case, fresh):
        failed = self.likely(0.25)
        items = {number: "松动" if failed and self.likely(0.7) else "" for number in case.live_items if self.likely(0.98)}
        if self.likely(0.03):
            items[max(case.items, default=0) + 1] = ""
        photo = None if not fresh and self.likely(0.5) else self.random.choice(fresh or list(case.photos) or [None])
        return "inspect", {"who": self.worker(case, *FIELD), "day": self.later(case) - DAY * self.some(0, 0, 0, 0, 0, 0, 0, 1), "items": items,
                           "result": "rework" if failed else "pass", "signature": photo if self.likely(0.95) else None,
                           "satisfaction": self.some(3, 5, 5, 5, 5, 5, 5, None),
                           "deadline": self.some(14, 14, 14, 14, None, 60, 61) if failed else None if self.likely(0.97) else 5}

    def from_rework(self, case):
        if self.likely(0.05):
            return self.go(case, "assigned", *OFFICE)
        return self.picture(case, "before") or self.go(case, "building", "contractor", "county")

    def from_accepted(self, case):
        if self.likely(0.3):
            return "remove_photo", {"who": self.one_of(*OFFICE), "number": self.random.choice(list(case.photos))}
        return self.go(case, self.some("closed", "built"), "manager")

    def from_closed(self, case):
        return self.go(case, "built", "manager")

    def from_suspended(self, case):
        return self.go(case, case.resume if self.likely(0.9) else "withdrawn", *OFFICE)

    def from_withdrawn(self, case):
        return self.go(case, "registered", *OFFICE)

    from_rejected = from_withdrawn

    # --- nonsense ---

    def wild(self, case):
        who = self.random.choice(self.people)
        numbers = [*case.items, 1, 2, None]
        match = self.some("move", "move", "move", "photo", "remove", "survey", "accept", "decline", "reassign", "design", "change", "inspect", "give", "against")
        day = self.some(self.later(case), self.later(case), case.day - DAY, BEGINS - DAY, today() + 2 * DAY, None)
        return {
            "move": lambda: ("move", {"who": who, "to": self.some(*STAGES), "happened": day, "note": self.some(None, "试验"),
                                      "firm": self.some(None, None, "firm"), "match": self.some(None, None, case.version, case.version - 1)}),
            "photo": lambda: ("send_photo", {"who": who, "slot": self.some(*SLOTS), "item": self.random.choice(numbers),
                                             "finding": self.some(None, None, 1, 4)}),
            "remove": lambda: ("remove_photo", {"who": who, "number": self.random.choice(list(case.photos))}) if case.photos
            else ("take_back", {"who": who}),
            "survey": lambda: ("save_survey", {"who": who, "content": self.content(case), "match": case.survey and case.survey.version}),
            "accept": lambda: ("accept_order", {"who": who, "note": self.some(None, "试验")}),
            "decline": lambda: ("decline_order", {"who": who}),
            "reassign": lambda: ("reassign", {"who": who, "firm": self.some("firm", "firm2")}),
            "give": lambda: ("give", {"who": who, "firm": self.some("firm", "firm2")}),
            "design": lambda: ("save_design", {"who": who, "items": [Item(self.some(None, 1, 4), "ramp", 1, 100)], "sources": {}, "dropped": []}),
            "against": lambda: self.said_against(case) if case.notices else ("take_back", {"who": who}),
            "change": lambda: self.change(case), "inspect": lambda: self.inspection(case, self.fresh_signatures(case)),
        }[match]()

    # --- the actions ---

    def do_move(self, case, who, to, happened=None, note=None, firm=None, match=None):
        firm = firm and self.firms[firm]
        body = {"to": to, "note": note, "happened_at": at(happened), "contractor": firm}
        answer = self.call(who, "POST", f"/cases/{case.id}/transitions", {name: value for name, value in body.items() if value is not None},
                           match=f'"{match}"' if match is not None else None)
        expected = self.plan.move(who, case, to, happened, note, firm, match)
        if self.compare(case, f"move {who.name} {to} {happened} {note and 'with a note'} {firm or ''} {match or ''}", expected, answer):
            self.same_case(case, answer.json)

    def do_take_back(self, case, who):
        answer = self.call(who, "POST", f"/cases/{case.id}/take-back", {})
        if self.compare(case, f"take_back {who.name}", self.plan.take_back(who, case), answer):
            self.same_case(case, answer.json)

    def do_give_visit(self, case, who, assessor):
        answer = self.call(who, "PATCH", f"/cases/{case.id}", {"assessor": self.clients[assessor.name].user})
        if self.compare(case, f"give_visit {who.name} {assessor.name}", self.plan.give_visit(who, case, assessor), answer):
            self.same_case(case, answer.json)

    def do_publish(self, case, who, starts, days):
        answer = self.call(who, "POST", f"/plans/{self.code}/notices", {"region": "640324", "cases": [{"case": case.id}], "starts_on": str(starts), "days": days})
        expected = self.plan.publish(who, case, starts, days, answer.json.get("id"))
        self.compare(case, f"publish {who.name} {starts} {days}", expected, answer)

    def do_cancel(self, case, who, notice):
        answer = self.call(who, "POST", f"/notices/{notice.number}/cancel", {"note": "试验"})
        self.compare(case, f"cancel {who.name}", self.plan.cancel(who, notice), answer)

    def do_object(self, case, who, notice):
        answer = self.call(who, "POST", f"/notices/{notice.number}/objections", {"case": case.id, "content": "试验"})
        self.compare(case, f"object {who.name}", self.plan.object(who, case, notice, answer.json.get("id")), answer)

    def do_resolve(self, case, who, objection, outcome):
        answer = self.call(who, "POST", f"/cases/{case.id}/objections/{objection.number}/resolution", {"outcome": outcome, "note": "试验"})
        self.compare(case, f"resolve {who.name} {outcome}", self.plan.resolve(who, case, objection, outcome), answer)

    def do_save_survey(self, case, who, content, match):
        findings = [{"number": number, "room": room, "problem": ROOMS[number][1], "measure": measure, "consent": consent}
                    for number, (room, measure, consent) in content["findings"].items()]
        body = {"findings": findings, "longitude": 105.9, "latitude": 36.9, "visited_at": content["visited"] and f"{content['visited']}T02:00:00Z"}
        if content["visited"] == today():
            body["visited_at"] = f"{today()}T00:00:00+08:00"
        answer = self.call(who, "PUT", f"/cases/{case.id}/survey", {name: value for name, value in body.items() if value is not None},
                           match=f'"{match}"' if match else None)
        expected = self.plan.save_survey(who, case, content, match)
        if self.compare(case, f"save_survey {who.name} {content} {match}", expected, answer) and answer["version"] != case.survey.version:
            raise Difference(f"survey version {answer['version']}, the model {case.survey.version}\n" + "\n".join(self.log))

    def do_sign_survey(self, case, who, by, photo, match):
        answer = self.call(who, "POST", f"/cases/{case.id}/survey/signatures", {"by": by, "name": "马文", "signature": photo}, match=f'"{match}"')
        self.compare(case, f"sign_survey {who.name} {by} {photo} {match}", self.plan.sign_survey(who, case, by, photo, match), answer)

    def do_send_photo(self, case, who, slot, item, finding):
        query = {"slot": slot, "item": item, "finding": finding}
        expected = self.plan.send_photo(who, case, slot, item, finding, None)
        name = uuid.UUID(int=self.random.getrandbits(128), version=4)
        answer = self.call(who, "PUT", f"/cases/{case.id}/photos/{name}", self.random.choice(self.pictures), query=query)
        if self.compare(case, f"send_photo {who.name} {slot} {item} {finding}", expected, answer):
            self.plan.send_photo(who, case, slot, item, finding, answer["id"])

    def do_remove_photo(self, case, who, number):
        answer = self.call(who, "DELETE", f"/cases/{case.id}/photos/{number}", query={"note": "试验"})
        self.compare(case, f"remove_photo {who.name} {number} {case.photos[number].slot}", self.plan.remove_photo(who, case, number), answer)

    def do_save_design(self, case, who, items, sources, dropped):
        body = {"items": [{"finding": item.finding, "room": "bathroom", "measure": item.measure, "quantity": item.quantity, "price": item.price}
                          for item in items],
                "sources": [{"source": code, "amount": amount} for code, amount in sources.items()],
                "dropped": [{"finding": number, "reason": "试验"} for number in dropped]}
        for item in body["items"]:
            if item["finding"] is None:
                del item["finding"]
        answer = self.call(who, "PUT", f"/cases/{case.id}/design", body)
        expected = self.plan.save_design(who, case, items, sources, dropped)
        if self.compare(case, f"save_design {who.name} {len(items)} {sources} {dropped}", expected, answer):
            self.same_design(case, answer.json)

    def same_design(self, case, seen):
        total, subsidy = sum(item.amount for item in case.live_items.values()), sum(case.sources.values())
        model = (sorted(case.live_items), total, subsidy, total - subsidy)
        server = (sorted(item["number"] for item in seen["items"]), seen["total"], seen["subsidy"], seen["self_paid"])
        if model != server:
            raise Difference(f"case {case.id}: the model's design {model}, the server's {server}\n" + "\n".join(self.log))

    def do_propose(self, case, who, ops):
        changes = []
        for op, number, what in ops:
            one = {"op": op, "number": number}
            if op == "add":
                one |= {"finding": what.finding, "room": "bathroom", "measure": what.measure, "quantity": what.quantity, "price": what.price}
            elif op == "change":
                one["quantity"] = what
            changes.append({name: value for name, value in one.items() if value is not None})
        answer = self.call(who, "POST", f"/cases/{case.id}/change-orders", {"reason": "试验", "items": changes})
        expected = self.plan.propose(who, case, ops, answer.json.get("id"))
        self.compare(case, f"propose {who.name} {ops}", expected, answer)

    def do_decide(self, case, who, change, approve, note):
        body = {"decision": "approve" if approve else "reject", **({"note": note} if note else {})}
        answer = self.call(who, "POST", f"/change-orders/{change.number}/approval", body)
        self.compare(case, f"decide {who.name} {body}", self.plan.decide(who, case, change, approve, note), answer)

    def do_give(self, case, who, firm):
        answer = self.call(who, "POST", "/orders", {"contractor": self.firms[firm], "cases": [{"id": case.id}]})
        expected = self.plan.give(who, case, self.firms[firm])
        if answer.status < 300: # what came of it is said case by case
            got = answer["items"][0]["code"]
            if got != expected:
                raise Difference(f"given: the model says {expected}, the server {got}\n" + "\n".join(self.log))
            expected = None
        self.compare(case, f"give {who.name} {firm}", expected, answer)

    def do_accept_order(self, case, who, note):
        answer = self.call(who, "POST", f"/cases/{case.id}/order/accept", {"note": note} if note else {})
        self.compare(case, f"accept_order {who.name} {note}", self.plan.accept_order(who, case, note), answer)

    def do_decline_order(self, case, who):
        answer = self.call(who, "POST", f"/cases/{case.id}/order/decline", {"reason": "人手不足"})
        self.compare(case, f"decline_order {who.name}", self.plan.decline_order(who, case), answer)

    def do_reassign(self, case, who, firm):
        answer = self.call(who, "POST", f"/cases/{case.id}/reassignment", {"contractor": self.firms[firm], "reason": "试验"})
        self.compare(case, f"reassign {who.name} {firm}", self.plan.reassign(who, case, self.firms[firm]), answer)

    def do_inspect(self, case, who, day, items, result, signature, satisfaction, deadline):
        body = {"inspected_at": at(day) or f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}", "result": result,
                "items": [{"item": number, "measured": 1, "fault": fault} for number, fault in items.items()], "signature": signature,
                "satisfaction": satisfaction, "deadline": str(day + DAY * deadline) if deadline is not None else None}
        answer = self.call(who, "POST", f"/cases/{case.id}/inspections", {name: value for name, value in body.items() if value is not None})
        expected = self.plan.inspect(who, case, day, items, result, signature, satisfaction, deadline)
        self.compare(case, f"inspect {who.name} {day} {result} {items} {signature} {satisfaction} {deadline}", expected, answer)


class AnyStatus:
    """Any status will do: it is compared with the model's word."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


ANY_STATUS = AnyStatus()
