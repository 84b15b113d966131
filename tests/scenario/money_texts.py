# SPDX-License-Identifier: Apache-2.0
"""For test_texts.py: a way to the free texts of designs, sources and payments (those of change orders and reversals need several
requests each: test_designs.py has some of them). Whatever a way needs is made at its
first use and kept with the world."""
import itertools

import needs
import step_design
from stages import bring_in_rows, walk

_numbers = itertools.count(1)


def _case(w, stage):
    """A case in that stage with a design of a million yuan, paid by the household."""
    have = w.__dict__.setdefault("money_cases", {})
    if stage not in have:
        (have[stage],) = bring_in_rows(w.manager, [needs.row("tongxin")]).values()
        walk(w.manager, have[stage], "surveyed")
        item = {"room": "bathroom", "measure": step_design.measure(w.admin), "quantity": 1, "price": 100000000}
        w.manager.put(f"/cases/{have[stage]}/design", {"items": [item]})
        for to in {"surveyed": [], "accepted": ["designed", "assigned", "building", "built", "accepted"]}[stage]:
            w.manager.post(f"/cases/{have[stage]}/transitions", {"to": to})
    return have[stage]


def _payment(w):
    return {"source": "household", "amount": 1, "paid_on": "2023-01-01", "reference": f"T{next(_numbers)}"}


def _source(w):
    return step_design.source(w.admin, "tongxin", "texts")


WAYS = {
    ("PUT", "/api/v1/cases/{id}/design"): lambda w: (w.manager, f"/cases/{_case(w, 'surveyed')}/design", {"items": []}),
    ("POST", "/api/v1/plans/{code}/subsidy-sources"): lambda w: (w.admin, "/plans/tongxin/subsidy-sources", {"code": f"texts_{next(_numbers)}", "name_zh": "a"}),
    ("PATCH", "/api/v1/plans/{code}/subsidy-sources/{source}"): lambda w: (w.admin, f"/plans/tongxin/subsidy-sources/{_source(w)}", {}),
    ("POST", "/api/v1/cases/{id}/payments"): lambda w: (w.manager, f"/cases/{_case(w, 'accepted')}/payments", _payment(w)),
}
REFERENCES = {("POST", "/api/v1/plans/{code}/subsidy-sources", "code"), ("POST", "/api/v1/cases/{id}/payments", "source"),
              ("POST", "/api/v1/cases/{id}/payments", "contractor")}
ELSEWHERE = dict.fromkeys([("POST", "/api/v1/cases/{id}/change-orders", "reason"), ("POST", "/api/v1/change-orders/{id}/approval", "note"),
                           ("POST", "/api/v1/payments/{id}/reversal", "reason")], "test_designs.py::test_naughty_texts_come_back")
