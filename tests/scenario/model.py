# SPDX-License-Identifier: Apache-2.0
"""A retrofit case as SPEC §4 has it, small and without a database: what test_model.py holds the server against. Every action is a
method of Plan: it answers the code of the refusal and has done nothing, or None and has done it. Days are dates."""
import datetime
from dataclasses import replace

from model_data import BUILDERS, EVERYBODY, MOVES, OFFICE, REVOCATIONS, Event, Notice, Objection, Order, today
from model_work import Acceptance, Designs, Photos, Surveys


class Plan(Surveys, Designs, Photos, Acceptance):
    """Every gate is closed. notice_days before a survey; money in 分: at most `ceiling` a household, source_ceiling from the source,
    ceilings {measure: a unit}."""

    def __init__(self, begins, notice_days, ceiling, source_ceiling, ceilings, devices):
        self.begins, self.notice_days, self.ceiling, self.source_ceiling = begins, notice_days, ceiling, source_ceiling
        self.ceilings, self.devices = ceilings, devices
        self.cases, self.clock = {}, 0

    def tick(self):
        self.clock += 1
        return self.clock

    # --- moves ---

    def move(self, who, case, to, happened=None, note=None, firm=None, match=None):
        """happened: a day; None: now."""
        day = happened or today()
        if who.role not in EVERYBODY:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        if match not in (None, case.version):
            return "stale"
        if firm and to != "assigned":
            return "contractor_not_wanted"
        verdict = self.refusal(who, case, to, day, note, firm or case.contractor)
        if verdict:
            return verdict
        self.go(who, case, to, day, firm, "declined" if who.role == "contractor" else "called_back")
        return None

    def refusal(self, who, case, to, day, note, firm):
        resumes, revokes = case.stage == "suspended" and to == case.resume, (case.stage, to) in REVOCATIONS
        rule = (OFFICE, False) if resumes else (("manager",), True) if revokes else MOVES.get((case.stage, to))
        if not rule:
            return "stage_not_allowed"
        if who.role not in rule[0]:
            return "role_not_allowed"
        if rule[1] and not note:
            return "note_required"
        if day > today():
            return "happened_in_future"
        if day < self.begins:
            return "happened_before_plan"
        if case.stage != "registered" and day < case.day:
            return "happened_before_last"
        if to == "approved" and not case.eligible and not (who.role == "manager" and note):
            return "not_eligible" if not resumes else None
        if to == "surveyed" and (day - case.day).days < self.notice_days:
            return "notice_not_over" if not resumes else None
        return None if resumes or revokes else self.barred(case, to, day, firm)

    def barred(self, case, to, day, firm):
        """What the gates say."""
        return {
            "surveyed": lambda: self.notice_gate(case, day) or self.survey_gate(case, day),
            "designed": lambda: case.stage == "surveyed" and self.design_gate(case) or None,
            "assigned": lambda: None if firm else "contractor_required",
            "building": lambda: self.order_gate(case) or self.photo_gate(case, "before"),
            "built": lambda: self.photo_gate(case, "after") or self.mended(case),
            "accepted": lambda: self.acceptance_gate(case, day), "rework": lambda: self.rework_gate(case, day),
        }.get(to, lambda: None)()

    def go(self, who, case, to, day, firm=None, ended="called_back"):
        """Moves it."""
        was = case.stage
        before = {"stage": was, "day": case.day, "resume": case.resume, "accepted_on": case.accepted_on, "contractor": case.contractor,
                  "orders": [(order, replace(order)) for order in case.orders]}
        kind = "revoke" if (was, to) in REVOCATIONS else "resume" if was == "suspended" and to == case.resume else "move"
        case.version += 1
        case.events.append(Event(case.version, kind, was, to, day, who, before))
        case.stage, case.day, case.resume = to, day, was if to == "suspended" else None
        case.accepted_on = case.accepted_on if to == "closed" else day if to == "accepted" else None
        self.order_follows(case, was, to, firm, ended)

    def order_follows(self, case, was, to, firm, ended):
        order = case.live_order
        closes = {"assigned": "reassigned", "withdrawn": "withdrawn", "accepted": "done"}.get(to) or (
            {"suspended": "suspended", "designed": ended}.get(to) if was == "assigned" else None)
        if order and closes:
            order.state, order.closed_as = "closed", closes
        if to == "assigned":
            case.contractor = firm or case.contractor
            case.orders.append(Order(case.contractor, case.version))
        elif (was, to) in REVOCATIONS:
            done = next((order for order in reversed(case.orders) if order.closed_as == "done"), None)
            done.state, done.closed_as = "accepted", None

    def take_back(self, who, case):
        if who.role not in EVERYBODY:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        last = case.events[-1] if case.events else None
        if not last:
            return "nothing_to_take_back"
        if any(order.opened >= last.version and order.state == "accepted" and order.answered_by is not who for order in case.orders):
            return "order_answered"
        if last.kind == "take_back":
            return "nothing_to_take_back"
        if last.by is not who:
            return "not_your_action"
        before = last.before
        case.version += 1
        if case.live_order:
            case.live_order.state, case.live_order.closed_as = "closed", "taken_back"
        for order, then in before["orders"]:
            order.state, order.closed_as, order.answered_by = then.state, then.closed_as, then.answered_by
        case.events.append(Event(case.version, "take_back", case.stage, before["stage"], today(), who, {}))
        case.stage, case.day, case.resume = before["stage"], before["day"], before["resume"]
        case.accepted_on, case.contractor = before["accepted_on"], before["contractor"]
        return None

    def give_visit(self, who, case, assessor):
        if who.role not in OFFICE:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        case.assessor = assessor
        case.version += 1
        return None

    # --- public notice ---

    def publish(self, who, case, starts, days, number):
        if who.role not in OFFICE:
            return "role_not_allowed"
        if not who.here:
            return "region_foreign"
        if days < max(self.notice_days, 1):
            return "notice_too_short"
        since = case.entered("approved", "move")
        if case.stage != "approved" or since.day > starts or self.posted(case):
            return "notice_case_unfit"
        case.notices.append(Notice(number, case.version, starts, starts + datetime.timedelta(days - 1)))
        return None

    @staticmethod
    def posted(case):
        """The last day of the notice of this wait."""
        since = case.entered("approved", "move")
        ends = [notice.last for notice in case.notices if notice.version >= since.version and not notice.cancelled]
        return min(ends) if ends else None

    @staticmethod
    def cancel(who, notice):
        if who.role not in OFFICE or not who.here:
            return "role_not_allowed" if who.role not in OFFICE else "not_found"
        if notice.cancelled:
            return "notice_cancelled"
        notice.cancelled = True
        return None

    @staticmethod
    def object(who, case, notice, number):
        if who.role not in OFFICE or not who.here:
            return "role_not_allowed" if who.role not in OFFICE else "not_found"
        if notice.cancelled:
            return "notice_cancelled"
        if today() < notice.first:
            return "objection_time_invalid"
        case.objections.append(Objection(number, notice))
        return None

    @staticmethod
    def resolve(who, case, objection, outcome):
        if who.role not in OFFICE or not who.here:
            return "role_not_allowed" if who.role not in OFFICE else "not_found"
        if objection.state != "open":
            return "objection_resolved"
        objection.state = outcome
        if outcome == "upheld" and case.stage not in ("accepted", "closed"):
            case.eligible = False
            case.version += 1
        return None

    def notice_gate(self, case, day):
        since = case.entered("approved", "move")
        said = [objection.state for objection in case.objections if objection.notice.version >= since.version]
        if "upheld" in said:
            return "objection_upheld"
        if "open" in said:
            return "objection_open"
        last = self.posted(case)
        return "notice_missing" if not last else "notice_running" if day <= last else None

    # --- orders ---

    def give(self, who, case, firm):
        """By the list of orders, now."""
        if who.role not in OFFICE:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        if case.stage != "designed":
            return "stage_not_allowed"
        self.go(who, case, "assigned", today(), firm)
        return None

    @staticmethod
    def order_for(who, case):
        """The newest that he sees."""
        seen = [order for order in case.orders if (order.firm == who.firm if who.role == "contractor" else who.here)]
        return seen[-1] if seen else None

    def accept_order(self, who, case, note):
        if who.role not in BUILDERS:
            return "role_not_allowed"
        order = self.order_for(who, case)
        if not order:
            return "not_found"
        if order.closed_as:
            return "order_over"
        if order.state != "open":
            return "order_answered"
        if who.role != "contractor" and not note:
            return "note_required"
        order.state, order.answered_by = "accepted", who
        return None

    def decline_order(self, who, case):
        if who.role not in BUILDERS:
            return "role_not_allowed"
        order = self.order_for(who, case)
        if not who.sees(case) or not order:
            return "not_found"
        if case.stage != "assigned" or order.closed_as:
            return "order_over"
        self.go(who, case, "designed", today(), ended="declined")
        return None

    def reassign(self, who, case, firm):
        if who.role not in OFFICE:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        if case.stage not in ("assigned", "building", "rework"):
            return "not_with_contractor"
        if firm == case.contractor:
            return "contractor_same"
        if case.stage != "assigned":
            self.go(who, case, "assigned", today(), firm)
            return None
        case.version += 1
        case.live_order.state, case.live_order.closed_as = "closed", "reassigned"
        case.contractor = firm
        case.orders.append(Order(firm, case.version))
        return None

    @staticmethod
    def order_gate(case):
        if case.stage == "assigned" and not (case.live_order and case.live_order.state == "accepted"):
            return "order_not_accepted"
        return None

    # --- totals ---

    def progress(self):
        found = {}
        for case in self.cases.values():
            found[case.stage] = found.get(case.stage, 0) + 1
        return sum(case.accepted_on is not None for case in self.cases.values()), found
