# SPDX-License-Identifier: Apache-2.0
"""Assistive devices as SPEC §5 and the work of a centre have them, small and without a database: what test_device_model.py holds the
server against. Every action is a method of Devices: it answers the reasons for which it must be refused and has done nothing, or an
empty set and has done it. Which of several reasons is told first is the server's to choose. Everything happens on one day."""
from dataclasses import dataclass, field

OFFICE, ACTING = ("county", "manager"), ("centre", "county", "manager")
RENT_TO_PAY, DEPOSIT = 2000, 20000  # of a month, after the subsidy; 分


@dataclass(eq=False)
class Who:
    name: str
    role: str
    centre: str = None
    county: str = None  # of a county office
    here: bool = True   # False: of another plan


@dataclass(eq=False)
class Somebody:
    id: int
    county: str
    need: str = "open"
    assessed: bool = False
    requests: list = field(default_factory=list)


@dataclass(eq=False)
class Request:
    id: int
    person: Somebody
    centre: str
    state: str = "waiting"
    purpose: str = None


@dataclass(eq=False)
class Handover:
    id: int
    kind: str
    item: "Item"
    request: Request
    ended: str = None
    closed: bool = False
    held: int = 0  # of the deposit
    owed: int = 0  # of the rent


@dataclass(eq=False)
class Item:
    id: int
    code: str
    centre: str
    state: str
    serial: str
    life: list = field(default_factory=list)  # (action, from, to, by)
    holder: Handover = None
    reserved: Request = None
    lost_by: Handover = None
    transfer: "Transfer" = None
    batch: "Batch" = None
    repair: "Repair" = None  # that runs
    recalls: list = field(default_factory=list)  # the open ones that mean it, the one that holds it first

    @property
    def version(self):
        return len(self.life)

    def happen(self, action, to, who):
        self.life.append((action, self.state if self.life else "", to, who))
        self.state = to


@dataclass(eq=False)
class Transfer:
    id: int
    origin: str
    to: str
    items: list


@dataclass(eq=False)
class Batch:
    id: int
    centre: str
    items: list
    over: bool = False


@dataclass(eq=False)
class Repair:
    id: int
    item: Item
    centre: str
    over: bool = False


@dataclass(eq=False)
class Recall:
    id: int
    serials: tuple
    over: bool = False
    open: list = field(default_factory=list)

    def means(self, item):
        return not self.over and self.serials[0] <= item.serial <= self.serials[1]


class Devices:
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

    # --- the loop ---

    def disinfect(self, who, items):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        first = min((item for item in items if self.sees(who, item)), key=lambda item: item.id, default=None)
        right = first and self.runs(who, first.centre) and all(
            self.sees(who, item) and item.centre == first.centre and item.state == "returned" and not item.transfer for item in items)
        return set() if right else {"items_refused"}

    def disinfected(self, who, id, items, done):
        batch = Batch(id, items[0].centre, list(items))
        self.batches.append(batch)
        for item in items:
            item.batch = batch
            item.happen("disinfect", "disinfecting", who)
        if done:
            self.end_batch(who, batch, [])
        return batch

    def end_batch(self, who, batch, failed):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.runs(who, batch.centre):
            return {"not_found"}
        inside = [item for item in batch.items if item.batch is batch and item.state == "disinfecting"]
        refused = {"disinfection_over"} if batch.over else set()
        if any(item not in inside for item in failed):
            refused.add("items_refused")
        if not refused:
            batch.over = True
            for item in inside:
                item.batch = None
                item.happen(*(("soil", "returned") if item in failed else ("disinfected", "inspecting")), who)
        return refused

    def inspect(self, who, item, result):
        refused = self.touched(who, item)
        if refused:
            return refused
        if item.transfer:
            refused.add("device_on_its_way")
        if item.state not in ("inspecting", "in_stock", "recalled"):
            refused.add("device_state")
        if result == "repair" and item.repair:
            refused.add("repair_open")
        if not refused:
            if item.state != "inspecting":
                item.happen("inspect", "inspecting", who)
            if result == "pass":
                item.happen("pass", "recalled" if item.recalls else "in_stock", who)
        return refused

    def repair(self, who, item):
        refused = self.touched(who, item)
        if refused:
            return refused
        if item.transfer:
            refused.add("device_on_its_way")
        if item.repair:
            refused.add("repair_open")
        if item.state not in ("inspecting", "in_stock", "recalled"):
            refused.add("device_state")
        return refused

    def repaired(self, who, id, item):
        item.repair = Repair(id, item, item.centre)
        self.repairs.append(item.repair)
        item.happen("repair", "repairing", who)

    def end_repair(self, who, repair, outcome):
        item = repair.item
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.sees(who, item) or not self.runs(who, repair.centre):
            return {"not_found"}
        if repair.over:
            return {"repair_over"}
        repair.over, item.repair = True, None
        if item.state == "repairing" and outcome == "mended":
            item.happen("mended", "inspecting", who)
        return set()

    def recycle(self, who, item):
        refused = self.touched(who, item)
        if refused:
            return refused
        if item.transfer:
            refused.add("device_on_its_way")
        if item.state not in ("returned", "inspecting", "repairing", "in_stock", "recalled"):
            refused.add("device_state")
        if not refused:
            if item.repair:
                item.repair.over, item.repair = True, None
            item.happen("recycle", "recycled", who)
            for recall in list(item.recalls):
                self.resolved(recall, item, who)
        return refused

    # --- to another centre ---

    def send(self, who, origin, items, to):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        if not self.runs(who, origin):
            return {"centre_unknown"}
        if origin == to:
            return {"destination_is_origin"}
        right = all(item.centre == origin and not item.transfer and item.state in ("in_stock", "returned", "inspecting", "recalled") for item in items)
        return set() if right else {"items_refused"}

    def sent(self, who, id, origin, items, to):
        transfer = Transfer(id, origin, to, list(items))
        self.transfers.append(transfer)
        for item in items:
            item.transfer = transfer
            item.happen("send", item.state, who)

    def end_transfer(self, who, transfer, received):
        if who.role not in ACTING:
            return {"role_not_allowed"}
        sends, gets = self.runs(who, transfer.origin), self.runs(who, transfer.to)
        if not sends and not gets:
            return {"not_found"}
        if not (gets and (sends or who.role == "centre") if received else sends):
            return {"transfer_of_another"}
        if not transfer.items:
            return {"transfer_over"}
        for item in list(transfer.items):
            item.transfer = None
            if received:
                item.centre = transfer.to
                if item.repair:  # it was lost meanwhile, and found: whoever has it ends it
                    item.repair.centre = transfer.to
            item.happen("receive" if received else "unsend", item.state, who)
        transfer.items = []
        return set()

    # --- recalls, by the manager of the plan ---

    def recall(self, id, serials, who):
        recall = Recall(id, serials)
        self.recalls.append(recall)
        for item in self.items:
            self.recall_item(recall, item, who)
        return recall

    def recall_item(self, recall, item, who=None):
        if recall.means(item) and item.state != "recycled":
            recall.open.append(item)
            item.recalls.append(recall)
            if item.recalls[0] is recall:
                self.held_back(item, who)

    @staticmethod
    def held_back(item, who):
        item.reserved = None
        item.happen("recall", "recalled" if item.state in ("in_stock", "reserved") else item.state, who)

    def resolve(self, who, recall, item, resolution):
        """resolution: harmless, lost."""
        if who.role not in OFFICE:
            return {"role_not_allowed"}
        if item not in recall.open and not (recall.means(item) and item.state == "recycled") or not self.runs(who, item.centre):
            return {"not_found", "recall_item_resolved"}
        if item not in recall.open:
            return {"recall_item_resolved"}
        if resolution == "lost" and item.state != "lost":
            return {"resolution_unproved"}
        self.resolved(recall, item, who)
        return set()

    def resolved(self, recall, item, who):
        recall.open.remove(item)
        first = item.recalls[0] is recall
        item.recalls.remove(recall)
        if first:
            item.happen("lift", "inspecting" if item.state == "recalled" else item.state, who)
            if item.recalls:
                self.held_back(item, who)

    def withdraw(self, who, recall):
        if who.role not in OFFICE:
            return {"role_not_allowed"}
        if not who.here or who.role == "county":
            return {"not_found"}
        if recall.over:
            return {"recall_over"}
        recall.over = True
        for item in list(recall.open):
            self.resolved(recall, item, who)
        return set()

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
