# SPDX-License-Identifier: Apache-2.0
"""The model's survey, design, photos and acceptance: parts of model.Plan."""
from dataclasses import replace

from model_data import EVERYBODY, FIELD, OFFICE, Change, Inspection, Photo, Survey, today


class Surveys:
    def save_survey(self, who, case, content, match):
        """content: visited (a day or None), findings {number: (room, measure, consent)}. match: a version or None."""
        if who.role not in FIELD:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        if case.survey and case.survey.content == content:
            return None
        if match != (case.survey.version if case.survey else None):
            return "stale"
        if case.stage != "approved":
            return "survey_too_early" if case.stage == "registered" else "survey_frozen"
        for number, (room, _, _) in (case.survey.content["findings"] if case.survey else {}).items():
            if case.has_photo("before", finding=number) and content["findings"].get(number, (None,))[0] != room:
                return "finding_photographed"
        case.survey = Survey((case.survey.version if case.survey else 0) + 1, content, who)
        return None

    def sign_survey(self, who, case, by, photo, match):
        if who.role not in FIELD:
            return "role_not_allowed"
        if not who.sees(case) or not case.survey:
            return "not_found"
        if match != case.survey.version:
            return "stale"
        if case.stage != "approved":
            return "survey_frozen"
        if by == "assessor" and who not in (case.survey.saved_by, case.assessor):
            return "not_your_survey"
        if self.signed(case, by):
            return "signature_there"
        if not self.is_signature(case, photo):
            return "signature_unknown"
        if photo in case.used_signatures:
            return "signature_used"
        verdict = self.survey_lacks(case)
        if verdict:
            return verdict
        case.survey.signed[by] = photo
        case.used_signatures.add(photo)
        case.survey_signatures.add(photo)
        return None

    @staticmethod
    def is_signature(case, photo):
        return photo in case.photos and case.photos[photo].slot == "signature" and not case.photos[photo].gone

    def signed(self, case, by):
        return by in case.survey.signed and self.is_signature(case, case.survey.signed[by])

    @staticmethod
    def survey_lacks(case):
        if not case.survey:
            return "survey_missing"
        content = case.survey.content
        if not content["visited"] or not content["findings"]:
            return "survey_incomplete"
        return "consent_open" if any(consent == "open" for _, _, consent in content["findings"].values()) else None

    @staticmethod
    def agreed(case):
        return [number for number, (_, _, consent) in case.survey.content["findings"].items() if consent == "agreed"]

    def survey_gate(self, case, day):
        verdict = self.survey_lacks(case)
        if verdict:
            return verdict
        if not self.agreed(case):
            return "nothing_agreed"
        if not all(case.has_photo("before", finding=number) for number in self.agreed(case)):
            return "before_photo_missing"
        if not (self.signed(case, "household") and self.signed(case, "assessor")):
            return "signature_missing"
        return "happened_before_last" if day < case.survey.content["visited"] else None


class Designs:
    def save_design(self, who, case, items, sources, dropped):
        """items: [Item]; sources {code: 分}; dropped: findings that are not answered all the same."""
        if who.role not in FIELD:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        if case.stage != "surveyed":
            return "design_decided"
        verdict = self.unsound(case, items, sources, dropped, whole=False)
        if verdict:
            return verdict
        self.write_design(case, dict(enumerate(items, max(case.items, default=0) + 1)), sources, dropped)
        return None

    @staticmethod
    def write_design(case, items, sources, dropped):
        for number, item in case.items.items():
            item.gone = item.gone or number not in items
        case.items.update(items)
        case.sources, case.dropped, case.designed = {code: amount for code, amount in sources.items() if amount}, set(dropped), True

    def unsound(self, case, items, sources, dropped, whole):
        findings = case.survey.content["findings"] if case.survey else {}
        total, subsidy = sum(item.amount for item in items), sum(sources.values())
        covered = sum(min(item.amount, int(item.quantity * self.ceilings.get(item.measure, 10 ** 9) + 0.5)) for item in items)
        if any(item.finding and findings.get(item.finding, (0, 0, "declined"))[2] == "declined" for item in items) or \
                any(number not in findings for number in dropped):
            return "finding_not_there"
        if whole and not items:
            return "design_empty"
        if whole and any(number not in dropped and number not in (item.finding for item in items) for number in self.agreed(case)):
            return "finding_unanswered"
        if subsidy > total:
            return "subsidy_exceeds_total"
        if any(amount > self.source_ceiling for amount in sources.values()):
            return "source_ceiling_exceeded"
        if subsidy > self.ceiling:
            return "subsidy_ceiling_exceeded"
        return "measure_ceiling_exceeded" if subsidy > covered else None

    def design_gate(self, case):
        return "design_missing" if not case.designed else self.unsound(case, case.live_items.values(), case.sources, case.dropped, True)

    def changed(self, case, ops):
        """The items after the changes [(op, number, Item or quantity)], or why nothing can become of them."""
        items = {number: replace(item) for number, item in case.live_items.items()}
        named = [number for op, number, _ in ops if op != "add"]
        if len(named) != len(set(named)):
            return None, "item_twice"
        if any(number not in items for number in named):
            return None, "item_not_there"
        for op, number, what in ops:
            if op == "remove":
                del items[number]
            elif op == "change":
                items[number].quantity = what
        fresh = max(case.items, default=0)
        for op, _, what in ops:
            if op == "add":
                fresh += 1
                items[fresh] = replace(what)
        return items, None

    def judge_change(self, case, ops):
        items, verdict = self.changed(case, ops)
        if case.stage not in ("designed", "assigned", "building"):
            return "change_not_now"
        if not ops:
            return "change_empty"
        return verdict or self.unsound(case, items.values(), case.sources, case.dropped, True)

    def propose(self, who, case, ops, number):
        if who.role not in EVERYBODY:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        if any(change.state == "pending" for change in case.changes):
            return "change_pending"
        verdict = self.judge_change(case, ops)
        if verdict:
            return verdict
        case.changes.append(Change(number, ops, who))
        return None

    def decide(self, who, case, change, approve, note):
        if who.role not in OFFICE:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        if change.state != "pending":
            return "change_decided"
        if change.by is who:
            return "own_proposal"
        if not approve:
            if not note:
                return "note_required"
            change.state = "rejected"
            return None
        verdict = self.judge_change(case, change.ops)
        if verdict:
            return verdict
        change.state = "approved"
        self.write_design(case, self.changed(case, change.ops)[0], case.sources, case.dropped)
        return None


class Photos:
    def send_photo(self, who, case, slot, item, finding, number):
        """number: what the server called it; None: only whether it may be."""
        if who.role not in EVERYBODY:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        if slot not in {"contractor": ("during", "after"), "assessor": ("before", "inspection", "signature")}.get(who.role, (slot,)):
            return "photo_not_yours"
        if case.stage in ("rejected", "withdrawn", "closed") or case.stage == "accepted" and slot in ("before", "during", "after"):
            return "photo_too_late"
        stands = case.resume or case.stage
        if slot in ("during", "after", "inspection") and stands not in ("building", "built", "rework", "accepted"):
            return "photo_too_early"
        if item is not None and (slot == "signature" or item not in case.live_items):
            return "photo_item_unknown"
        if finding is not None and (slot != "before" or not case.survey or finding not in case.survey.content["findings"]):
            return "photo_finding_unknown"
        if number is not None:
            case.photos[number] = Photo(slot, item, finding, who, self.tick())
        return None

    def remove_photo(self, who, case, number):
        if who.role not in EVERYBODY:
            return "role_not_allowed"
        if not who.sees(case) or case.photos[number].gone:
            return "not_found"
        if who.role not in OFFICE and case.photos[number].by is not who:
            return "photo_of_another"
        if case.stage in ("accepted", "closed"):
            return "photo_too_late"
        if number in case.survey_signatures and case.stage != "approved" or number in (one.signature for one in case.inspections):
            return "signature_kept"
        case.photos[number].gone = True
        return None

    @staticmethod
    def photo_gate(case, slot):
        lacking = [number for number, item in case.live_items.items() if not case.has_photo(slot, item=number, finding=item.finding)]
        return f"{slot}_photo_missing" if lacking else None if case.live_items else "items_missing"

    @staticmethod
    def mended(case):
        """What the last inspection faulted is photographed since."""
        last = case.inspections[-1] if case.inspections else None
        if not last or last.result == "pass":
            return None
        faulty = [number for number, fault in last.items.items() if fault and number in case.live_items]
        return None if all(case.has_photo("after", last.written, item=number) for number in faulty) else "after_photo_missing"


class Acceptance:
    def inspect(self, who, case, day, items, result, signature, satisfaction, deadline):
        """items: {number: fault}; deadline: days from then, or None."""
        if who.role not in FIELD:
            return "role_not_allowed"
        if not who.sees(case):
            return "not_found"
        if case.stage != "built":
            return "case_not_built"
        if case.entered("built", "move").by is who:
            return "inspector_not_independent"
        if day > today():
            return "happened_in_future"
        if day < case.entered("built", "move", "revoke").day:
            return "happened_before_last"
        if result == "pass" and deadline is not None:
            return "deadline_not_wanted"
        if result == "rework" and deadline is None:
            return "deadline_missing"
        if deadline is not None and not 0 < deadline <= 60:
            return "deadline_out_of_range"
        if signature is not None and not self.is_signature(case, signature):
            return "signature_unknown"
        if signature in case.used_signatures:
            return "signature_used"
        verdict = self.misjudged(case, items, result)
        if verdict:
            return verdict
        case.inspections.append(Inspection(case.version, day, result, items, signature, satisfaction, self.tick()))
        if signature is not None:
            case.used_signatures.add(signature)
        return None

    @staticmethod
    def misjudged(case, items, result):
        for number, fault in items.items(): # the first that is wrong
            if number not in case.live_items or result == "pass" and fault:
                return "pass_with_faults" if number in case.live_items else "item_unknown"
        if set(case.live_items) - set(items):
            return "items_not_measured"
        return "faults_missing" if result == "rework" and not any(items.values()) else None

    def acceptance_gate(self, case, day):
        if case.live_items and all(item.measure in self.devices for item in case.live_items.values()):
            return "devices_only"
        last = case.last_inspection()
        if not last:
            return "inspection_missing"
        if last.result != "pass":
            return "inspection_failed"
        if set(case.live_items) - set(last.items):
            return "items_not_measured"
        if last.signature is None or case.photos[last.signature].gone:
            return "signature_missing"
        if last.satisfaction is None:
            return "satisfaction_missing"
        return "happened_before_last" if day < last.day else self.photo_gate(case, "after") or self.mended(case)

    @staticmethod
    def rework_gate(case, day):
        last = case.last_inspection()
        if not last:
            return "inspection_missing"
        if last.result == "pass":
            return "inspection_passed"
        return "happened_before_last" if day < last.day else None
