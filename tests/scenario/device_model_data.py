# SPDX-License-Identifier: Apache-2.0
"""The things of device_model.py: who, what, and what became of it."""
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
