# SPDX-License-Identifier: Apache-2.0
"""What a case of model.py consists of, and the rules of its stages as data."""
import datetime
from dataclasses import dataclass, field

CHINA = datetime.timezone(datetime.timedelta(hours=8))


def today():
    return datetime.datetime.now(CHINA).date()


# --- the rules, as data ---

OFFICE = ("county", "manager")
FIELD = ("assessor", *OFFICE)
BUILDERS = ("contractor", *OFFICE)
EVERYBODY = ("contractor", "assessor", *OFFICE)
# from, to: (who, whether a reason is asked)
MOVES = {
    ("registered", "approved"): (OFFICE, False), ("approved", "surveyed"): (FIELD, False), ("surveyed", "designed"): (FIELD, False),
    ("designed", "assigned"): (OFFICE, False), ("assigned", "building"): (BUILDERS, False), ("assigned", "designed"): (BUILDERS, True),
    ("building", "built"): (BUILDERS, False), ("built", "accepted"): (FIELD, False), ("built", "rework"): (FIELD, True),
    ("rework", "building"): (BUILDERS, False), ("accepted", "closed"): (OFFICE, False),
    ("registered", "rejected"): (OFFICE, True), ("approved", "rejected"): (OFFICE, True), ("surveyed", "rejected"): (OFFICE, True),
    ("rejected", "registered"): (OFFICE, True), ("withdrawn", "registered"): (OFFICE, True), ("suspended", "withdrawn"): (OFFICE, True),
    ("building", "assigned"): (OFFICE, True), ("rework", "assigned"): (OFFICE, True),
}
UNDERWAY = ("registered", "approved", "surveyed", "designed", "assigned", "building", "built", "rework")
for _stage in UNDERWAY:
    MOVES[_stage, "withdrawn"] = MOVES[_stage, "suspended"] = (OFFICE, True)
REVOCATIONS = {("accepted", "built"), ("closed", "built")}  # by a manager, with a reason
STAGES = (*UNDERWAY, "accepted", "closed", "rejected", "withdrawn", "suspended")


@dataclass(eq=False)
class Person:
    name: str
    role: str
    firm: str = None
    here: bool = True  # whether the county is his

    def sees(self, case):
        return {"contractor": case.contractor == self.firm, "assessor": case.assessor is self}.get(self.role, self.here)


# --- what a case consists of ---


@dataclass
class Event:
    version: int
    kind: str
    was: str
    becomes: str
    day: datetime.date
    by: Person
    before: dict  # what the move changed, as it was


@dataclass
class Notice:
    number: int
    version: int  # of the case
    first: datetime.date
    last: datetime.date
    cancelled: bool = False


@dataclass
class Objection:
    number: int
    notice: Notice
    state: str = "open"


@dataclass
class Order:
    firm: str
    opened: int  # version of the case
    state: str = "open"
    closed_as: str = None
    answered_by: Person = None


@dataclass
class Photo:
    slot: str
    item: int
    finding: int
    by: Person
    sent: int  # by the plan's clock
    gone: bool = False


@dataclass
class Survey:
    version: int
    content: dict
    saved_by: Person
    signed: dict = field(default_factory=dict)  # by whom: photo; of this version


@dataclass
class Item:
    finding: int
    measure: str
    quantity: float
    price: int
    gone: bool = False

    @property
    def amount(self):
        return int(self.quantity * self.price + 0.5)


@dataclass
class Change:
    number: int
    ops: list
    by: Person
    state: str = "pending"


@dataclass
class Inspection:
    version: int  # of the case
    day: datetime.date
    result: str
    items: dict  # number: fault
    signature: int
    satisfaction: int
    written: int  # by the plan's clock


@dataclass(eq=False)
class Case:
    id: int
    eligible: bool
    day: datetime.date
    stage: str = "registered"
    version: int = 1
    resume: str = None
    accepted_on: datetime.date = None
    contractor: str = None
    assessor: Person = None
    events: list = field(default_factory=list)
    notices: list = field(default_factory=list)
    objections: list = field(default_factory=list)
    survey: Survey = None
    used_signatures: set = field(default_factory=set)
    survey_signatures: set = field(default_factory=set)
    photos: dict = field(default_factory=dict)
    items: dict = field(default_factory=dict)
    sources: dict = field(default_factory=dict)
    dropped: set = field(default_factory=set)
    designed: bool = False
    changes: list = field(default_factory=list)
    orders: list = field(default_factory=list)
    inspections: list = field(default_factory=list)

    @property
    def live_items(self):
        return {number: item for number, item in self.items.items() if not item.gone}

    @property
    def live_order(self):
        return next((order for order in self.orders if not order.closed_as), None)

    def entered(self, stage, *kinds):
        """The last event by which it came into the stage."""
        return next((event for event in reversed(self.events) if event.becomes == stage and event.kind in kinds), None)

    def has_photo(self, slot, since=0, **of):
        return any(photo.slot == slot and not photo.gone and photo.sent > since and any(
            value is not None and getattr(photo, name) == value for name, value in of.items()) for photo in self.photos.values())

    def last_inspection(self):
        """Of this stay in built."""
        stay = self.entered("built", "move", "revoke")
        found = [one for one in self.inspections if one.version >= stay.version]
        return found[-1] if found else None
