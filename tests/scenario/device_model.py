# SPDX-License-Identifier: Apache-2.0
"""Assistive devices as SPEC §5 and the work of a centre have them, small and without a database: what test_device_model.py holds the
server against. Every action is a method of Devices: it answers the reasons for which it must be refused and has done nothing, or an
empty set and has done it. Which of several reasons is told first is the server's to choose. Everything happens on one day."""
from device_model_data import ACTING, DEPOSIT, Handover, Item, OFFICE, RENT_TO_PAY, Request, Who
from device_model_loop import Loop


class Devices(Loop):
    def __init__(self, counties):
        self.counties = counties  # of each centre
        self.items, self.people, self.requests, self.handovers = [], [], [], []
        self.transfers, self.batches, self.repairs, self.recalls = [], [], [], []

    # --- who may what ---

    def runs(self, who, centre):
        """Is it his centre, or one of his county or plan?"""
        return who.here and {"centre": centre == who.centre, "county": self.counties.get(centre) == who.county}.get(who.role, True)

    def sees(self, who, item):
        return self.runs(who, item.centre) or (who.role == "centre" and item.transfer and item.transfer.to == who.centre)

    def deals(self, who, request):
        return self.runs(who, request.centre)

    # --- stock ---

    def take_in(self, who, centre, donated, serial):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        return {code for code, holds in {
            "centre_required": centre is None and who.role != "centre",
            "centre_unknown": centre is not None and not self.runs(who, centre),
            "serial_taken": any(item.serial == serial for item in self.items)}.items() if holds}

    def taken(self, who, id, code, centre, donated, serial):
        item = Item(id, code, centre, "", serial)
        item.happen("take_in", "returned" if donated else "in_stock", who)
        self.items.append(item)
        for recall in self.recalls:
            self.recall_item(recall, item)
        return item

    def touched(self, who, item, may=ACTING):
        """What stands before all else: a role that does nothing here, an item that is not there for him."""
        if who.role not in may:
            return {"role_not_allowed"}
        return set() if self.sees(who, item) else {"not_found"}

    def lose(self, who, item, fresh=True):
        refused = self.touched(who, item)
        if not refused and not self.runs(who, item.centre):
            refused = {"not_found"}
        if refused:
            return refused
        if not fresh:
            refused.add("stale")
        if item.state in ("lent", "fitted"):
            refused |= {"device_out"}
        elif item.state not in ("in_stock", "returned", "disinfecting", "inspecting", "repairing", "recalled"):
            refused |= {"device_state"}
        if not refused:
            item.lost_by = None
            self.off_the_way(item)
            item.happen("lose", "lost", who)
        return refused

    def off_the_way(self, item):
        if item.transfer:
            item.transfer.items.remove(item)
            item.transfer = None

    def find(self, who, item):
        refused = self.touched(who, item)
        if not refused and not self.runs(who, item.centre):
            refused = {"not_found"}
        if not refused:
            refused = {"device_out"} if item.state in ("lent", "fitted") else \
                {"device_on_its_way", "device_state"} if item.transfer else {"device_state"} if item.state != "lost" else \
                {"device_lost_by_holder"} if item.lost_by else set()
        if not refused:
            item.happen("find", "returned", who)
        return refused

    # --- requests ---

    def ask(self, who, person, centre):
        if who.role not in OFFICE:
            return {"role_not_allowed"}
        return {code for code, holds in {
            "request_person_unknown": not who.here or (who.role == "county" and person.county != who.county),
            "centre_unknown": not self.runs(who, centre),
            "request_open": any(request.state in ("waiting", "assessed") for request in person.requests)}.items() if holds}

    def asked(self, id, person, centre):
        request = Request(id, person, centre)
        person.requests.append(request)
        self.requests.append(request)
        person.need = "open"
        return request

    def assess(self, who, request, purpose):
        """purpose None: it is to be assessed again."""
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.deals(who, request):
            return {"not_found"}
        refused = set() if request.state in ("waiting", "assessed") else {"request_over"}
        if purpose is None and any(one.kind == "trial" and one.request is request and not one.ended for one in self.handovers):
            refused.add("request_on_trial")
        if not refused:
            request.person.assessed = True
            request.purpose, request.state = purpose, "assessed" if purpose else "waiting"
            if not purpose:
                self.let_go(request, who)
        return refused

    def let_go(self, request, who):
        for item in self.items:
            if item.reserved is request:
                item.reserved = None
                item.happen("release", "in_stock", who)

    def reserve(self, who, request, item):
        """item None: lets go."""
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.deals(who, request):
            return {"not_found"}
        held = next((one for one in self.items if one.reserved is request), None)
        refused = set() if request.state in ("waiting", "assessed") else {"request_over"}
        if item is None:
            refused |= set() if held else {"nothing_reserved"}
        elif item is not held:
            refused |= {"device_unknown"} if not self.sees(who, item) else self.barred(item)
            refused |= {code for code, holds in {"request_not_assessed": request.state != "assessed", "request_elsewhere": item.centre != request.centre,
                                                 "device_unproved": item.transfer}.items() if holds}
        if not refused and item is not held:
            self.let_go(request, who)
            if item:
                item.reserved = request
                item.happen("reserve", "reserved", who)
        return refused

    # --- handing out ---

    def barred(self, item, request=None):
        """Why it is handed to nobody; or not for that request."""
        refused = set()
        if item.transfer:
            refused.add("device_on_its_way")
        if item.recalls or item.state == "recalled":
            refused.add("device_recalled")
        refused |= {"lent": {"device_out"}, "fitted": {"device_out"}, "recycled": {"device_retired"}, "lost": {"device_retired"},
                    "returned": {"device_not_ready"}, "disinfecting": {"device_not_ready"}, "inspecting": {"device_not_ready"},
                    "repairing": {"device_not_ready"}}.get(item.state, set())
        if item.state == "reserved" and item.reserved is not request:
            refused.add("device_reserved")
        return refused

    def fitted(self, person):
        """Who was fitted: what he has, or lost; what came back the same day was no fitting."""
        return any(one.kind == "fitting" and one.ended != "returned" for one in self.handovers if one.request and one.request.person is person)

    def hand_over(self, who, request, item, kind):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        refused = set()
        if not self.deals(who, request):
            refused.add("request_unknown")
        if not self.sees(who, item):
            refused.add("device_unknown")
        if refused:
            return refused
        if item.centre != request.centre:
            refused |= {"device_of_another_centre", "request_elsewhere"}
        if request.state != "assessed":
            refused.add("request_not_assessed")
        elif kind != "trial" and request.purpose != kind:
            refused.add("assessed_otherwise")
        if kind == "fitting" and self.fitted(request.person):
            refused.add("within_service_life")
        return refused | self.barred(item, request)

    def handed(self, who, id, request, item, kind, deposit=0):
        made = Handover(id, kind, item, request, held=deposit, owed=RENT_TO_PAY if kind == "rental" else 0)
        self.handovers.append(made)
        item.holder, item.reserved = made, None
        item.happen("issue", "fitted" if kind == "fitting" else "lent", who)
        if kind in ("fitting", "rental"):
            request.state = "fulfilled"
            self.let_go(request, who)
        if kind == "fitting":
            request.person.need = "met"
        return made

    def keep(self, who, trial):
        """What was tried."""
        if who.role not in ACTING:
            return {"role_not_allowed"}
        request, item = trial.request, trial.item
        if not self.deals(who, request):
            return {"not_found"}
        refused = {code for code, holds in {
            "handover_over": trial.kind != "trial" or trial.ended, "request_not_assessed": request.state != "assessed",
            "assessed_otherwise": request.purpose == "rental", "within_service_life": self.fitted(request.person),
            "device_recalled": item.recalls}.items() if holds}
        if not refused:
            trial.kind, request.state, request.person.need = "fitting", "fulfilled", "met"
            item.happen("keep", "fitted", who)
            self.let_go(request, who)
        return refused

    def lend(self, who, item):
        """For some hours, to somebody who passes by."""
        if who.role not in ACTING:
            return {"role_not_allowed"}
        return self.barred(item) if self.sees(who, item) else {"device_unknown"}

    def pay(self, who, rental, amount):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.deals(who, rental.request):
            return {"not_found"}
        refused = set()
        if rental.closed:
            refused.add("rental_closed")
        if rental.ended or amount > DEPOSIT - rental.held:
            refused |= {"rental_payment_exceeds", "rental_ended"}
        if not refused:
            rental.held += amount
        return refused

    def settle(self, who, rental, charges, received):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.deals(who, rental.request):
            return {"not_found"}
        if rental.closed:
            return {"rental_closed"}
        if not rental.ended:
            return {"rental_not_ended"}
        if received != self.rest(rental, charges):
            return {"rental_unsettled"}
        rental.closed, rental.held = True, 0
        return set()

    @staticmethod
    def rest(rental, charges):
        return max(rental.owed + charges - rental.held, 0)

    def deposits(self):
        return sum(one.held for one in self.handovers)

    # --- coming back ---

    def over(self, handover, how, who):
        """It came back, or is lost. A fitting that came back on its day was none: its request is open again, unless another is."""
        item = handover.item
        item.holder, item.lost_by = None, handover if how == "lost" else None
        handover.ended = how
        item.happen("lose" if how == "lost" else "return", "lost" if how == "lost" else "returned", who)
        if handover.kind == "fitting" and how == "returned":
            person = handover.request.person
            if not any(request.state in ("waiting", "assessed") for request in person.requests):
                handover.request.state, person.need = "assessed", "open"

    def give_back(self, who, item):
        """By a scan of whatever came back."""
        refused = self.touched(who, item)
        if refused:
            return refused
        if item.state not in ("lent", "fitted", "lost"):
            return {"device_not_out"}
        if item.state == "lost" and (not item.lost_by or item.lost_by.closed and item.lost_by.kind == "rental"):
            item.lost_by = None
            item.happen("find", "returned", who)
        else:
            self.over(item.holder or item.lost_by, "returned", who)
        return set()

    def end_rental(self, who, rental, how):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.deals(who, rental.request):
            return {"not_found"}
        if rental.ended == "returned" or rental.closed or rental.ended == how or rental.ended and rental.item.lost_by is not rental:
            return {"handover_over"}
        self.over(rental, how, who)
        return set()

    def undo(self, who, item):
        refused = self.touched(who, item)
        if refused:
            return refused
        action, was, _, by = item.life[-1]
        if action != "return" or was == "lost":
            return {"nothing_to_take_back"}
        handover = next(one for one in reversed(self.handovers) if one.item is item)
        if by is not who:
            refused.add("not_your_action")
        if handover.kind == "rental" and handover.closed:
            refused.add("handover_over")
        if handover.kind == "fitting" and handover.request.state != "assessed":
            refused.add("request_not_assessed")
        if item.transfer:
            refused.add("device_on_its_way")
        if not refused:
            handover.ended, item.holder = None, handover
            item.happen("unreturn", was, who)
            if handover.kind == "fitting":
                handover.request.state, handover.request.person.need = "fulfilled", "met"
                self.let_go(handover.request, who)
        return refused

    # --- figures ---

    def rate(self, county=None):
        """Of the people with a device need, how many were fitted."""
        people = [person for person in self.people if county in (None, person.county)]
        return len(people), sum(self.fitted(person) for person in people)

    def served(self):
        """People by service, each once; and in all."""
        given = {kind: {one.request.person for one in self.handovers if one.request and one.kind == kind and (kind == "rental" or one.ended != "returned")}
                 for kind in ("fitting", "rental")}
        given["assessment"] = {person for person in self.people if person.assessed}
        return {"all": len(set().union(*given.values())), "repair": 0, "loan": 0, **{service: len(people) for service, people in given.items()}}
