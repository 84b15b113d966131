# SPDX-License-Identifier: Apache-2.0
"""Designs, change orders, subsidies, the ledger: a case of their own that went all the way, with a payment; one whose change waits."""
import needs
import step_design
from stages import bring_in_rows, walk

MADE = {}


def fill(manager, admin, cases, people):
    step_design.source(manager, "tongxin", "province")
    manager.put("/plans/tongxin/subsidy-sources/province/budgets", {"items": [{"region": "640324", "year": 2023, "amount": 100000000}]})
    item = {"room": "bathroom", "measure": step_design.measure(admin), "quantity": 1, "price": 10000}
    MADE["case"], waits = bring_in_rows(manager, [needs.row("tongxin"), needs.row("tongxin")]).values()
    for case in (MADE["case"], waits):
        walk(manager, case, "surveyed")
        manager.put(f"/cases/{case}/design", {"items": [item], "sources": [{"source": "province", "amount": 5000}]})
        manager.post(f"/cases/{case}/transitions", {"to": "designed"})
    for to in ("assigned", "building", "built", "accepted"):
        manager.post(f"/cases/{MADE['case']}/transitions", {"to": to, **({"contractor": "firm"} if to == "assigned" else {})})
    MADE["payment"] = manager.post(f"/cases/{MADE['case']}/payments", {"source": "province", "amount": 100, "paid_on": "2023-07-01", "reference": "V"})["id"]
    MADE["order"] = manager.post(f"/cases/{waits}/change-orders", {"reason": "x", "items": [{"op": "change", "number": 1, "price": 9000}]})["id"]
    MADE["waits"] = waits


# (The job may have folded everything, or nothing.)
WORLD = """
INSERT INTO case_dropped SELECT plan_region, case_id, 99, 'x' FROM case_design LIMIT 1;
INSERT INTO ledger_delta (plan_id, region, year, contractor_id, source, account, amount) SELECT id, 640324101, 2023, 0, 'province', 'paid', 1 FROM plan WHERE code = 'tongxin';
INSERT INTO ledger_total SELECT id, 640324101, 'all', 'x', 0, 'paid', 1 FROM plan WHERE code = 'tongxin';
"""
SOURCE = {"code", "name_zh", "name_ko", "name_en", "ceiling", "retired", "version"}
LEDGER = (lambda w: ["tongxin", None, None, 200], ())
STATEMENTS = {
    "case_plan_sheet": (lambda w: [w["case"]], ()),
    "case_acceptance_sheet": (lambda w: [w["case"]], ()),
    "case_design_get": (lambda w: [MADE["case"]], ()),
    "case_design_put": (lambda w: [None, None, MADE["case"], None, "[]", "[]", "[]", None], ()),
    "change_order_propose": (lambda w: [None, None, MADE["waits"], "why", "[]", "[]", None], ()),
    "change_order_decide": (lambda w: [None, None, MADE["order"], None, "approve", None], ()),
    "change_orders_of_case": (lambda w: [MADE["waits"], None, 200], ()),
    "change_orders_pending": (lambda w: [None, 200], ()),
    "subsidy_source_create": (lambda w: [None, None, "tongxin", "thief", "a", None, None, None], ()),
    "subsidy_source_change": (lambda w: [None, None, "tongxin", "province", None, "a", None, None, None, True], SOURCE),
    "subsidy_budgets_put": (lambda w: [None, None, "tongxin", "province", None, "[]"], {"code", "version"}),
    "ledger_by_source": LEDGER, "ledger_by_contractor": LEDGER, "ledger_by_county": LEDGER, "ledger_by_case": LEDGER,
    "case_ledger": (lambda w: [MADE["case"], None, 200], ()),
    "payments_of_case": (lambda w: [MADE["case"], None, 200], ()),
    "payment_record": (lambda w: [None, None, MADE["case"], "province", None, 1, "2023-01-01", "x", None], ()),
    "payment_reverse": (lambda w: [None, None, MADE["payment"], "x"], ()),
    "verify_ledger": (lambda w: [], ()),
    "verify_ledger_counts": (lambda w: [], ()),
}
EXCEPTED = {
    "subsidy_sources_list": "where a plan's money comes from is no secret within the service",
    "ledger_fold": "moves deltas of all regions into totals, which changes no figure; tells only how many",
}
ADMINISTRATORS = {"subsidy_source_create", "subsidy_source_change", "subsidy_budgets_put"}
READ_BY_ALL = {"subsidy_source", "subsidy_budget"}
