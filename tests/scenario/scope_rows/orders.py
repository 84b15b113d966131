# SPDX-License-Identifier: Apache-2.0
STATEMENTS = {
    "orders_of_contractor": (lambda w: [None, None, None, None, None, 200], ()),
    "orders_given_to": (lambda w: [None, None, w["firm"], None, None, 200], ()),
    "orders_waiting": (lambda w: [None, None, None, "open", None, 200], ()),
    "orders_of_region": (lambda w: ["tongxin", None, None, None, None, 200], ()),
    "order_get": (lambda w: [order(w)[1]], ()),
    "orders_of_case": (lambda w: [order(w)[0], None, 200], ()),
    "order_accept": (lambda w: [None, None, order(w)[0], "why", None], ()),
    "order_decline": (lambda w: [None, None, order(w)[0], "why", None], ()),
    "order_reassign": (lambda w: [None, None, order(w)[0], w["firm"], "why", None, None], ()),
    "orders_give": (lambda w: [None, None, w["firm"], f'[{{"id": {w["case"]}}}]', None, "why", True],
                    {"contractor", "note", "refused", "items"}),
    "orders_silent_scan": (lambda w: [], ()),
    "order_silent": (lambda w: [order(w)[1]], ()),
}


def order(world):
    """(case, order) that waits for an answer, and has waited too long."""
    return world["database"].sql("SELECT case_id, id FROM work_order WHERE state = 'open'")[0]


WORLD = """
INSERT INTO work_order (plan_region, case_id, number, id, plan_id, region, contractor_id, given_at, answer_by, opened_version)
SELECT c.plan_region, c.id, 1, id_in(c.plan_region, 'work_order_number'), c.plan_id, c.region, (SELECT id FROM contractor WHERE code = 'firm'),
    now() - interval '9 days', now() - interval '1 day', 1
FROM retrofit_case c WHERE c.stage = 'registered' ORDER BY c.id DESC LIMIT 1;
"""
